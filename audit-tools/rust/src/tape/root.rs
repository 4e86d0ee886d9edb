//! Tape root file, and the leaves of a tape's tree (2.1, 2.3).

use crate::cbor::{Labelled, Reader, Writer};
use crate::digest::Hash;
use crate::ensure;
use crate::error::Result;
use crate::tree;

/// A tape root file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Root {
    /// Header commitment.
    pub header: Hash,
    /// Number of frames.
    pub frames: u64,
    /// Root over their leaf inputs.
    pub tree: Hash,
}

impl Root {
    /// Reads the file.
    ///
    /// # Errors
    /// Any other form.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        reader.array_of(4)?;
        reader.label("immutape/tape/1")?;
        let root = Self { header: reader.fixed()?, frames: reader.uint()?, tree: reader.fixed()? };
        reader.end()?;
        ensure(root.frames > 0 || root.tree == crate::tree::empty(), "a tape without frames has the root of nothing")?;
        Ok(root)
    }
}

/// Digest of an envelope.
#[must_use]
pub fn envelope_digest(seq: u64, salt: &Hash, envelope: &[u8]) -> Hash {
    Labelled::new("immutape/frame/1/envelope", 3).uint(seq).bytes(salt).bytes(envelope).done()
}

/// Digest of a payload.
#[must_use]
pub fn payload_digest(seq: u64, salt: &Hash, payload: &[u8]) -> Hash {
    Labelled::new("immutape/frame/1/payload", 3).uint(seq).bytes(salt).bytes(payload).done()
}

/// Leaf hash of a frame.
#[must_use]
pub fn frame_leaf(seq: u64, envelope: &Hash, payload: &Hash) -> Hash {
    let input = Writer::new().array(4).text("immutape/frame/1").uint(seq).bytes(envelope).bytes(payload).done();
    tree::leaf(&input)
}
