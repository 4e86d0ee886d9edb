//! MessagePack: the shape of the JSON document, with byte strings for recorded bytes and digests.

use std::io::{self, Write};

use rmp_serde::Serializer;
use serde::Serialize;

use super::document::{FORMAT, VERSION};
use super::exporter::Scope;
use super::shape::{FrameShape, HeaderShape};
use crate::tape::{Frame, Header};

/// Writes the map up to its first frame.
pub(super) fn begin(out: &mut dyn Write, scope: &Scope, header: &Header) -> io::Result<()> {
    let Scope { tape, first, frames } = scope;
    // A map of seven pairs: frames of any number follow one by one, so the map is not written as one value.
    out.write_all(&[0x87])?;
    pair(out, "format", &FORMAT)?;
    pair(out, "version", &VERSION)?;
    pair(out, "tape", &tape.to_text())?;
    pair(out, "first_frame", first)?;
    pair(out, "frame_count", frames)?;
    pair(out, "header", &HeaderShape::of(header))?;
    value(out, &"frames")?;
    array_head(out, *frames)
}

/// Writes a frame.
pub(super) fn frame(out: &mut dyn Write, frame: &Frame) -> io::Result<()> {
    value(out, &FrameShape::of(frame))
}

fn pair(out: &mut dyn Write, name: &str, content: &impl Serialize) -> io::Result<()> {
    value(out, &name)?;
    value(out, content)
}

fn value(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::new(out).with_struct_map()).map_err(io::Error::other)
}

/// The head of an array in its shortest form; MessagePack knows none longer than 32 bits can say.
fn array_head(out: &mut dyn Write, items: u64) -> io::Result<()> {
    match (u8::try_from(items), u16::try_from(items), u32::try_from(items)) {
        (Ok(n), _, _) if n < 16 => out.write_all(&[0x90 | n]),
        (_, Ok(n), _) => out.write_all(&[&[0xdc], &n.to_be_bytes()[..]].concat()),
        (_, _, Ok(n)) => out.write_all(&[&[0xdd], &n.to_be_bytes()[..]].concat()),
        _ => Err(io::Error::other("a MessagePack array has at most 4,294,967,295 items")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_arrays() {
        let head = |n| {
            let mut out = Vec::new();
            array_head(&mut out, n).map(|()| out)
        };
        for (n, bytes) in [
            (0, &[0x90][..]),
            (15, &[0x9f]),
            (16, &[0xdc, 0, 16]),
            (0xffff, &[0xdc, 0xff, 0xff]),
            (0x1_0000, &[0xdd, 0, 1, 0, 0]),
        ] {
            assert_eq!(head(n).unwrap(), bytes, "{n}");
        }
        assert!(head(1 << 32).is_err());
    }
}
