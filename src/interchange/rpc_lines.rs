//! Plain JSON-RPC, one message a line. Every line is a frame, also a blank one and one that is no JSON, so
//! the payloads with their line ends are the source, byte for byte.

use super::detect::truncated;
use super::draft::Draft;
use super::json::is_blank;
use super::lines::Line;
use crate::error::Result;
use crate::tape::{Delimiter, Direction, Frame, Header, TapeKind, flags};

/// The import of one such source.
pub(super) struct RpcLines {
    draft: Draft,
    direction: Direction,
}

impl RpcLines {
    /// An import whose messages all went `direction` (`Unknown` unless somebody knows: the lines do not say).
    pub(super) const fn new(draft: Draft, direction: Direction) -> Self {
        Self { draft, direction }
    }

    /// Takes the next line.
    ///
    /// # Errors
    /// `E_TRUNCATED_INPUT` for half a last line.
    pub(super) fn line(&mut self, line: Line<'_>) -> Result<Option<Frame>> {
        let position = self.draft.tally.stats.frames;
        let mut frame = Frame::message(position, self.direction, line.bytes.to_vec());
        frame.delimiter = line.end;
        let text = std::str::from_utf8(line.bytes).ok();
        let message = if line.number == 1 { text.map(without_mark) } else { text };
        let seen = self.draft.tally.frame(&frame, message, position);
        let blank = is_blank(line.bytes);
        if !seen.json && !blank {
            if line.end == Delimiter::None {
                return Err(truncated(line.number, line.bytes.len()));
            }
            self.draft.losses.foreign(line.number);
        }
        frame.flags = seen.flags | if text.is_none() { flags::NOT_UTF8 } else { 0 };
        Ok(Some(frame))
    }

    /// The header's fields that this format knows of, and what did not fit.
    pub(super) fn finish(self) -> (Header, Draft) {
        let kind = if self.draft.tally.mcp { TapeKind::Mcp } else { TapeKind::Other };
        let mut header = Header::new(kind);
        header.protocol = self.draft.tally.protocol();
        (header, self.draft)
    }
}

fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}
