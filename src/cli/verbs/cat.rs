//! `cat`: the messages of a tape, byte for byte.

use std::cell::RefCell;
use std::io::{self, Write};

use serde_json::json;

use crate::cli::args::Cat;
use crate::cli::out::Out;
use crate::cli::range::FrameRange;
use crate::cli::session::Session;
use crate::error::{Code, Error, Result};
use crate::interchange::PayloadWriter;
use crate::ledger::FrameSelection;

pub(in crate::cli) fn cat(s: &mut Session<'_>, args: &Cat) -> Result<u8> {
    s.out.raw = true;
    s.reading(async |ledger, s| {
        let asked = args.frames.map(FrameRange::asked);
        let reader = ledger.open_tape(&s.parts.who, &args.id, asked).await?;
        let selection = args.frames.map_or(FrameSelection::All, |f| f.selection(reader.frames_total()));
        let out = RefCell::new(&mut *s.out);
        let mut writer = PayloadWriter::new(Stream(&out));
        reader.frames(selection, &mut |frame| {
            if out.borrow().is_stopped() {
                return Err(Error::new(Code::Io, "the output was closed"));
            }
            if out.borrow().look.terminal && !is_plain(&frame.payload) {
                return Err(not_for_terminals(frame.seq));
            }
            writer.frame(&frame)
        })?;
        let entry = reader.grant_index();
        if s.out.json {
            s.out.document(json!({
                "type": "recorded", "entry": entry, "tape": reader.tape().to_text(), "bytes_given": reader.bytes_given(),
            }));
        }
        s.out.say(&format!("This read was recorded as entry #{entry}."));
        Ok((0, Some(reader)))
    })
}

/// Writes data where all data goes.
struct Stream<'a, 'b>(&'a RefCell<&'b mut Out>);

impl Write for Stream<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().bytes(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Text that a terminal shows and does not obey.
pub(super) fn is_plain(payload: &[u8]) -> bool {
    std::str::from_utf8(payload)
        .is_ok_and(|text| !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')))
}

fn not_for_terminals(seq: u64) -> Error {
    Error::new(Code::Usage, format!("frame {seq} holds bytes that are no plain text; a terminal might obey them"))
        .with_hint("write them to a file (immutape cat ID > FILE), or look at them with immutape show ID --raw")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_may_see() {
        assert!(is_plain("{\"a\":\t\"é\"}\r\n".as_bytes()));
        for obeyed in [&b"\x1b[2J"[..], b"\xff", b"\0", "\u{9b}".as_bytes(), b"\x07"] {
            assert!(!is_plain(obeyed), "{obeyed:?}");
        }
    }
}
