//! Payloads written back as they were seen.

use std::io::Write;

use crate::error::{Code, Error, Result};
use crate::tape::{Delimiter, Frame, flags};

/// Writes the payload of every frame it is given, each followed by what followed it on the wire.
///
/// For plain JSON-RPC the outcome is the imported file; for version 2 tapes it is every message on a line of
/// its own. A message that is spread over `continued` frames comes out in one piece.
///
/// ```
/// use immutape::interchange::PayloadWriter;
/// use immutape::tape::{Delimiter, Direction, Frame};
/// let mut frame = Frame::message(0, Direction::Unknown, b"{}".to_vec());
/// frame.delimiter = Delimiter::CrLf;
/// let mut writer = PayloadWriter::new(Vec::new());
/// writer.frame(&frame)?;
/// assert_eq!(writer.finish()?, b"{}\r\n");
/// # Ok::<(), immutape::Error>(())
/// ```
#[derive(Debug)]
pub struct PayloadWriter<W> {
    out: W,
    bytes: u64,
}

impl<W: Write> PayloadWriter<W> {
    /// Nothing is written yet.
    pub const fn new(out: W) -> Self {
        Self { out, bytes: 0 }
    }

    /// Writes one frame. Which frames to write is the caller's choice: a gap or a lifecycle event has a
    /// payload too.
    ///
    /// # Errors
    /// `E_IO` with the cause as source; part of the frame may be written.
    pub fn frame(&mut self, frame: &Frame) -> Result<()> {
        self.write(&frame.payload)?;
        if frame.has(flags::CONTINUED) { Ok(()) } else { self.write(delimiter_bytes(frame.delimiter)) }
    }

    /// Bytes written.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Flushes and gives the output back.
    ///
    /// # Errors
    /// `E_IO`.
    pub fn finish(mut self) -> Result<W> {
        self.out.flush().map_err(failed)?;
        Ok(self.out)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(failed)?;
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        Ok(())
    }
}

/// The bytes of a delimiter; a transport chunk leaves none in the stream.
const fn delimiter_bytes(delimiter: Delimiter) -> &'static [u8] {
    match delimiter {
        Delimiter::None | Delimiter::Chunk => b"",
        Delimiter::Lf => b"\n",
        Delimiter::CrLf => b"\r\n",
        Delimiter::Soh => b"\x01",
        Delimiter::FsCr => b"\x1c\r",
    }
}

fn failed(e: std::io::Error) -> Error {
    Error::new(Code::Io, "the payloads cannot be written").with_source(e)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Direction;

    fn frame(payload: &[u8], delimiter: Delimiter, bits: u64) -> Frame {
        let mut f = Frame::message(0, Direction::Unknown, payload.to_vec());
        (f.delimiter, f.flags) = (delimiter, bits);
        f
    }

    #[test]
    fn every_delimiter_and_joined_pieces() {
        let mut w = PayloadWriter::new(Vec::new());
        for f in [
            frame(b"a", Delimiter::Lf, 0),
            frame(b"b", Delimiter::CrLf, 0),
            frame(b"c", Delimiter::Soh, 0),
            frame(b"d", Delimiter::FsCr, 0),
            frame(b"e", Delimiter::Chunk, 0),
            frame(b"f", Delimiter::Lf, flags::CONTINUED),
            frame(b"g", Delimiter::None, flags::CONTINUED),
            frame(b"h", Delimiter::Lf, 0),
            frame(b"\xff", Delimiter::None, 0),
        ] {
            w.frame(&f).unwrap();
        }
        assert_eq!(w.bytes(), 16);
        assert_eq!(w.finish().unwrap(), b"a\nb\r\nc\x01d\x1c\refgh\n\xff");
    }

    #[test]
    fn a_full_output_is_told() {
        let mut small = [0u8; 3];
        let mut w = PayloadWriter::new(&mut small[..]);
        let e = w.frame(&frame(b"four", Delimiter::Lf, 0)).unwrap_err();
        assert_eq!(e.code(), Code::Io);
        assert!(std::error::Error::source(&e).is_some());
    }
}
