//! The tape root file, whose plain SHA-256 is the tape id.

use super::TapeError;
use crate::codec::CborError;
use crate::codec::cbor::{Reader, Writer};
use crate::codec::digest::{Digest, RootHash, TapeId, sha256};

const LABEL: &str = "immutape/tape/1";

/// What a tape id is the SHA-256 of (`docs/format/2-tape.md` 2.3).
///
/// ```
/// use immutape::codec::digest::{Digest, RootHash};
/// use immutape::tape::TapeRoot;
/// let root = TapeRoot {
///     header: Digest::from_bytes([1; 32]),
///     frames: 2,
///     tree: RootHash::from_bytes([2; 32]),
/// };
/// let file = root.encode();
/// assert_eq!(TapeRoot::decode(&file)?, root);
/// assert!(root.id().to_text().starts_with("sha256:"));
/// # Ok::<(), immutape::tape::TapeError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapeRoot {
    /// Commitment to the header's fields.
    pub header: Digest,
    /// Number of frames.
    pub frames: u64,
    /// RFC 6962 root over the frames.
    pub tree: RootHash,
}

impl TapeRoot {
    /// The file.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(96);
        w.array(4);
        w.text(LABEL);
        w.bytes(self.header.as_ref());
        w.uint(self.frames);
        w.bytes(self.tree.as_ref());
        w.finish()
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`TapeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, TapeError> {
        let mut r = Reader::new(bytes);
        r.array_of(4)?;
        r.label(LABEL)?;
        let root = Self {
            header: Digest::from_bytes(r.bytes_n()?),
            frames: r.uint()?,
            tree: RootHash::from_bytes(r.bytes_n()?),
        };
        r.end()?;
        // A tape without frames has the root of nothing, and there is one file for it.
        if root.frames == 0 && *root.tree.as_bytes() != sha256(b"") {
            return Err(CborError::Range.into());
        }
        Ok(root)
    }

    /// The tape id.
    #[must_use]
    pub fn id(&self) -> TapeId {
        TapeId::from_bytes(sha256(&self.encode()))
    }
}
