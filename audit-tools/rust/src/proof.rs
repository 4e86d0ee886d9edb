//! Proofs of an entry (5-proof, section 5.2).

use crate::digest::Hash;
use crate::error::{Result, ensure, refuse};
use crate::note::Head;
use crate::{text, tree};
use alloc::vec::Vec;

/// Most bytes of a proof: an entry, its hashes and a note.
pub const MOST_BYTES: usize = 256 * 1024;

/// A proof of the right form. Nothing of it is verified yet.
pub struct Proof {
    /// The entry, its public half.
    pub extra: Option<Vec<u8>>,
    /// Its index.
    pub index: u64,
    /// From the leaf's sibling up.
    pub path: Vec<Hash>,
    /// The head.
    pub head: Head,
}

impl Proof {
    /// Reads a proof.
    ///
    /// # Errors
    /// Any other form.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        ensure(bytes.len() <= MOST_BYTES, "a proof over 256 KiB")?;
        let Ok(whole) = core::str::from_utf8(bytes) else { return refuse("a proof that is no UTF-8") };
        let Some((top, head)) = whole.split_once("\n\n") else { return refuse("no empty line in a proof") };
        let mut lines = top.split('\n').peekable();
        ensure(lines.next() == Some("c2sp.org/tlog-proof@v1"), "another first line")?;
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            Some(line) => Some(text::unbase64(line.strip_prefix("extra ").unwrap_or_default())?),
            None => None,
        };
        let Some(index) = lines.next().and_then(|line| line.strip_prefix("index ")) else { return refuse("no index") };
        let index = text::decimal(index)?;
        let mut path = Vec::new();
        for line in lines {
            ensure(path.len() < 63, "more than 63 hashes")?;
            path.push(text::unbase64_of(line)?);
        }
        Ok(Self { extra, index, path, head: Head::read(head.as_bytes())? })
    }

    /// The root that its path leads to from a leaf.
    ///
    /// # Errors
    /// A path that does not lead anywhere, or to another root than that of the head.
    pub fn check(&self, leaf: &Hash) -> Result<()> {
        let root = tree::path_root(leaf, self.index, self.head.size, &self.path)?;
        ensure(root == self.head.root, "a path that leads to another root")
    }
}
