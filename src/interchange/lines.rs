//! Lines of a source of any length, one at a time, in bounded memory.

use std::io::{BufRead, Read as _};

use super::unpack::fault;
use crate::codec::digest::{Digest, Hasher};
use crate::codec::limits::LINE_BYTES_MAX;
use crate::error::{Code, Error, Result};
use crate::tape::Delimiter;

/// A buffer up to this size is kept from line to line.
const LINE_BYTES_HELD: usize = 1 << 20;

/// One line of the source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// Number from 1.
    pub(super) number: u64,
    /// Bytes without the line end.
    pub(super) bytes: &'a [u8],
    /// How it ended: `Lf`, `CrLf`, or `None` at the end of the source.
    pub(super) end: Delimiter,
    /// Bytes of the source up to the start of this line.
    pub(super) offset_bytes: u64,
}

/// What is known of bytes that were read to their end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    /// SHA-256 of all of them.
    pub(super) sha256: Digest,
    /// How many.
    pub(super) bytes: u64,
}

/// Reads lines, and hashes and counts every byte on the way.
pub(super) struct LineReader<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
    bytes: u64,
    hash: Hasher,
    line_bytes_max: usize,
}

impl<R: BufRead> LineReader<R> {
    /// Nothing is read yet.
    pub(super) fn new(input: R) -> Self {
        Self::with_lines_up_to(LINE_BYTES_MAX, input)
    }

    /// Nothing is read yet; a line may have so many bytes.
    pub(super) fn with_lines_up_to(line_bytes_max: usize, input: R) -> Self {
        Self { input, line: Vec::new(), number: 0, bytes: 0, hash: Hasher::new(), line_bytes_max }
    }

    /// The next line, `None` at the end of the source.
    ///
    /// # Errors
    /// `E_LIMIT` for a line over the limit, found before more than that was held; `E_IO`.
    pub(super) fn next_line(&mut self) -> Result<Option<Line<'_>>> {
        self.line.clear();
        let number = self.number.saturating_add(1);
        let read = self.read_line().map_err(|e| match fault(&e) {
            Some(fault) => fault,
            None => Error::new(Code::Io, format!("line {number} of the source cannot be read"))
                .with_hint("nothing was imported; check the disk or pipe that it comes from, and import again")
                .with_source(e),
        })?;
        if read == 0 {
            return Ok(None);
        }
        self.hash.update(&self.line);
        let (offset_bytes, bytes) = (self.bytes, self.line.as_slice());
        self.bytes = self.bytes.saturating_add(read as u64);
        self.number = number;
        let (bytes, end) = match bytes.strip_suffix(b"\n") {
            None => (bytes, Delimiter::None),
            Some(bytes) => bytes.strip_suffix(b"\r").map_or((bytes, Delimiter::Lf), |bytes| (bytes, Delimiter::CrLf)),
        };
        if bytes.len() > self.line_bytes_max {
            return Err(too_long(number, self.line_bytes_max));
        }
        Ok(Some(Line { number, bytes, end, offset_bytes }))
    }

    fn read_line(&mut self) -> std::io::Result<usize> {
        let usual = self.input.by_ref().take(LINE_BYTES_HELD as u64).read_until(b'\n', &mut self.line)?;
        if usual < LINE_BYTES_HELD || self.line.ends_with(b"\n") {
            return Ok(usual);
        }
        // One byte more than the longest lawful line with its line end, so that a longer one shows. Room for
        // exactly that: doubling would take half as much again.
        let rest = self.line_bytes_max.saturating_add(2).saturating_sub(usual);
        self.line.reserve_exact(rest);
        let more = self.input.by_ref().take(rest as u64).read_until(b'\n', &mut self.line)?;
        Ok(usual.saturating_add(more))
    }

    /// Gives back the memory of a long line, so that the caller has it while it works on the frame.
    pub(super) fn release_long_line(&mut self) {
        if self.line.capacity() > LINE_BYTES_HELD {
            self.line = Vec::new();
        }
    }

    /// Digest and length of what was read so far, and what it was read from.
    pub(super) fn source(self) -> (Source, R) {
        (Source { sha256: Digest::from_bytes(self.hash.finish()), bytes: self.bytes }, self.input)
    }
}

fn too_long(number: u64, max: usize) -> Error {
    Error::new(Code::Limit, format!("line {number} is longer than {max} bytes, the longest line a tape may have"))
        .with_hint("nothing was imported; split or remove that line, in a copy")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8], buffer: usize) -> Vec<(u64, Vec<u8>, Delimiter, u64)> {
        let mut r = LineReader::new(std::io::BufReader::with_capacity(buffer, input));
        let mut out = Vec::new();
        while let Some(l) = r.next_line().unwrap() {
            out.push((l.number, l.bytes.to_vec(), l.end, l.offset_bytes));
        }
        let (source, _) = r.source();
        assert_eq!(source.bytes, input.len() as u64);
        assert_eq!(source.sha256.as_bytes(), &crate::codec::digest::sha256(input));
        out
    }

    #[test]
    fn ends_are_told_apart_whatever_the_buffer() {
        for buffer in [1, 2, 3, 64] {
            assert_eq!(
                all(b"a\r\n\nb\rc\n\r\nlast", buffer),
                vec![
                    (1, b"a".to_vec(), Delimiter::CrLf, 0),
                    (2, b"".to_vec(), Delimiter::Lf, 3),
                    (3, b"b\rc".to_vec(), Delimiter::Lf, 4),
                    (4, b"".to_vec(), Delimiter::CrLf, 8),
                    (5, b"last".to_vec(), Delimiter::None, 10),
                ]
            );
        }
    }

    #[test]
    fn limit_is_the_bytes_without_the_line_end() {
        for end in ["", "\n", "\r\n"] {
            let mut input = vec![b'x'; LINE_BYTES_MAX];
            input.extend_from_slice(end.as_bytes());
            assert_eq!(all(&input, 8_192).len(), 1);
            input.insert(0, b'x');
            let mut r = LineReader::new(input.as_slice());
            assert_eq!(r.next_line().unwrap_err().code(), Code::Limit, "{end:?}");
        }
    }

    #[test]
    fn a_line_without_end_is_refused_before_it_fills_memory() {
        let mut r = LineReader::new(std::io::BufReader::new(std::io::repeat(b'x')));
        assert_eq!(r.next_line().unwrap_err().code(), Code::Limit);
        assert!(r.line.len() <= LINE_BYTES_MAX + 2);
    }
}
