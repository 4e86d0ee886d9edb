//! Proofs of a fork (5-proof, section 5.5).

use crate::digest::Hash;
use crate::error::{Result, ensure, refuse};
use crate::note::Head;
use crate::sign::VerifierKey;
use crate::{text, tree};
use alloc::vec::Vec;

/// Two heads of one log that contradict each other. Nothing is verified yet.
pub struct Fork {
    root: Option<Hash>,
    path: Vec<Hash>,
    /// The head of fewer entries, or of as many.
    pub first: Head,
    /// The other one.
    pub second: Head,
}

const MOST_BYTES: usize = 160 * 1024;

impl Fork {
    /// Reads the file.
    ///
    /// # Errors
    /// Any other form.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        ensure(bytes.len() <= MOST_BYTES, "a proof over 160 KiB")?;
        let Ok(whole) = core::str::from_utf8(bytes) else { return refuse("a proof that is no UTF-8") };
        let Some((top, heads)) = whole.split_once("\n\n") else { return refuse("no empty line in a proof") };
        let mut lines = top.split('\n').peekable();
        ensure(lines.next() == Some("immutape/fork/1"), "another first line")?;
        let root = match lines.next_if(|line| line.starts_with("root ")) {
            Some(line) => Some(text::unbase64_of(line.strip_prefix("root ").unwrap_or_default())?),
            None => None,
        };
        let mut path = Vec::new();
        for line in lines {
            ensure(path.len() < 64, "more than 64 hashes")?;
            path.push(text::unbase64_of(line)?);
        }
        // The first note: its text, an empty line, its signature lines; an empty line divides it from the second.
        let Some((_, rest)) = heads.split_once("\n\n") else { return refuse("no head") };
        let Some((_, second)) = rest.split_once("\n\n") else { return refuse("one head alone") };
        let end = heads.len().saturating_sub(second.len()).saturating_sub(1);
        let first = heads.get(..end).unwrap_or_default();
        Ok(Self { root, path, first: Head::read(first.as_bytes())?, second: Head::read(second.as_bytes())? })
    }

    /// Verifies both heads and that they contradict each other; gives the root of the larger one.
    ///
    /// # Errors
    /// A head that does not hold, heads of one history.
    pub fn verify(&self, key: &VerifierKey) -> Result<Hash> {
        self.first.verify(key)?;
        self.second.verify(key)?;
        let (first, second) = (&self.first, &self.second);
        match self.root {
            None => {
                ensure(first.size == second.size && self.path.is_empty(), "two sizes, and no root")?;
                ensure(first.root != second.root, "one head twice")?;
            }
            Some(root) => {
                ensure(first.size < second.size, "the heads do not ascend")?;
                ensure(first.root != root, "a head that the other one extends")?;
                tree::consistent((first.size, &root), (second.size, &second.root), &self.path)?;
            }
        }
        Ok(second.root)
    }
}
