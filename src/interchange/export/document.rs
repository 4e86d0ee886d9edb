//! One JSON document: a frame a line within it, so that line tools are of use, and nothing in it for a terminal to obey.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

use super::exporter::Scope;
use super::shape::{FrameShape, HeaderShape};
use crate::codec::escape::is_visible;
use crate::tape::{Frame, Header};

/// What the document, and its MessagePack twin, say that they are.
pub(super) const FORMAT: &str = "immutape-tape";
/// Version of the shape: it goes up when a field changes its meaning.
pub(super) const VERSION: u64 = 1;

/// Writes the document up to its first frame.
pub(super) fn begin(out: &mut dyn Write, scope: &Scope, header: &Header) -> io::Result<()> {
    let Scope { tape, first, frames } = scope;
    let tape = tape.to_text();
    write!(out, "{{\"format\":\"{FORMAT}\",\"version\":{VERSION},\"tape\":\"{tape}\",")?;
    write!(out, "\"first_frame\":{first},\"frame_count\":{frames},\n\"header\":")?;
    json(out, &HeaderShape::of(header))?;
    out.write_all(b",\n\"frames\":[")
}

/// Writes a frame.
pub(super) fn frame(out: &mut dyn Write, is_first: bool, frame: &Frame) -> io::Result<()> {
    out.write_all(if is_first { b"\n" } else { b",\n" })?;
    json(out, &FrameShape::of(frame))
}

/// Ends the document.
pub(super) fn end(out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"\n]}\n")
}

/// A value as JSON on one line. Characters that hide or reorder text, and the line ends of Unicode, become `\u` escapes,
/// which any reader turns back into them.
pub(super) fn json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(out, Inert)).map_err(io::Error::from)
}

struct Inert;

impl Formatter for Inert {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        // ASCII controls below 0x20 were escaped before a fragment comes here.
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| !is_visible(*c)) {
            let (plain, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
            out.write_all(plain.as_bytes())?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = from.strip_prefix(c).unwrap_or_default();
        }
        out.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_inert_and_reads_back_the_same() {
        let hostile = "a\x1b[2J\u{202e}b\u{9b}\x7f\u{e0041}é\\\"\n\u{2028}日\0";
        let mut out = Vec::new();
        json(&mut out, &hostile).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(!text.chars().any(|c| c.is_control() || matches!(c, '\u{202e}' | '\u{e0041}' | '\u{2028}')), "{text}");
        assert!(text.contains("é") && text.contains('日') && text.contains("\\u202e"));
        assert_eq!(serde_json::from_str::<String>(&text).unwrap(), hostile);
    }
}
