//! A writer that knows what went through it.

use std::io::{self, Write};

use crate::codec::digest::{Digest, Hasher};

/// Hands bytes on, counts them and hashes them: what is recorded of a file is what was written to it.
///
/// ```
/// use immutape::interchange::HashedWriter;
/// use std::io::Write;
/// let mut out = HashedWriter::new(Vec::new());
/// out.write_all(b"abc")?;
/// let (written, bytes, sha256) = out.finish();
/// assert_eq!((written.as_slice(), bytes), (&b"abc"[..], 3));
/// assert!(sha256.to_hex().starts_with("ba7816bf"));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct HashedWriter<W> {
    out: W,
    bytes: u64,
    hasher: Hasher,
}

impl<W: Write> HashedWriter<W> {
    /// Nothing is written yet.
    pub fn new(out: W) -> Self {
        Self { out, bytes: 0, hasher: Hasher::new() }
    }

    /// Bytes so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The writer beneath, how many bytes it took, and their SHA-256.
    pub fn finish(self) -> (W, u64, Digest) {
        (self.out, self.bytes, Digest::from_bytes(self.hasher.finish()))
    }
}

impl<W: Write> Write for HashedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.out.write(bytes)?;
        self.hasher.update(bytes.get(..taken).unwrap_or(bytes));
        self.bytes = self.bytes.saturating_add(taken as u64);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes one byte at a time.
    struct Slow(Vec<u8>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.extend(bytes.first());
            Ok(bytes.len().min(1))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn only_what_was_taken_counts() {
        let mut out = HashedWriter::new(Slow(Vec::new()));
        assert_eq!(out.write(b"abc").unwrap(), 1);
        out.write_all(b"bc").unwrap();
        let (slow, bytes, sha256) = out.finish();
        assert_eq!((slow.0.as_slice(), bytes), (&b"abc"[..], 3));
        assert_eq!(sha256.as_bytes(), &crate::codec::digest::sha256(b"abc"));
    }
}
