//! The manifest: which stored objects make up a tape. Plain: it names no content.

use super::SealError;
use crate::codec::cbor::{Reader, Writer};
use crate::codec::digest::{CustodyId, ObjectDigest, sha256};
use crate::codec::limits::{MANIFEST_BYTES_MAX, MANIFEST_OBJECTS_MAX};
use crate::tape::TapeRoot;

const LABEL: &str = "immutape/manifest/1";

/// One object of a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManifestObject {
    /// SHA-256 of the stored bytes.
    pub digest: ObjectDigest,
    /// Length of the stored bytes.
    pub bytes: u64,
}

/// The objects of a tape in order of position, the sealed header first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Custody id.
    pub custody: CustodyId,
    /// Tape root, carried as its file.
    pub root: TapeRoot,
    /// The objects.
    pub objects: Vec<ManifestObject>,
}

impl Manifest {
    /// Encodes it.
    ///
    /// # Errors
    /// [`SealError::Limit`] for too many objects.
    pub fn encode(&self) -> Result<Vec<u8>, SealError> {
        if self.objects.len() > MANIFEST_OBJECTS_MAX {
            return Err(SealError::Limit {
                what: "the number of objects of a tape",
                found: self.objects.len() as u64,
                max: MANIFEST_OBJECTS_MAX as u64,
            });
        }
        let mut w = Writer::with_capacity(self.objects.len().saturating_mul(44).saturating_add(200));
        w.array(4);
        w.text(LABEL);
        w.bytes(self.custody.as_ref());
        w.bytes(&self.root.encode());
        w.array(self.objects.len());
        for object in &self.objects {
            w.array(2);
            w.bytes(object.digest.as_ref());
            w.uint(object.bytes);
        }
        Ok(w.finish())
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, SealError> {
        if bytes.len() > MANIFEST_BYTES_MAX {
            return Err(SealError::Limit {
                what: "a manifest",
                found: bytes.len() as u64,
                max: MANIFEST_BYTES_MAX as u64,
            });
        }
        let mut r = Reader::new(bytes);
        r.array_of(4)?;
        r.label(LABEL)?;
        let custody = CustodyId::from_bytes(r.bytes_n()?);
        let root = TapeRoot::decode(r.bytes()?)?;
        let count = r.array()?;
        if count == 0 || count > MANIFEST_OBJECTS_MAX {
            return Err(crate::codec::CborError::Items.into());
        }
        let mut objects = Vec::with_capacity(count);
        for _ in 0..count {
            r.array_of(2)?;
            objects.push(ManifestObject { digest: ObjectDigest::from_bytes(r.bytes_n()?), bytes: r.uint()? });
        }
        r.end()?;
        Ok(Self { custody, root, objects })
    }

    /// Digest of an encoded manifest.
    #[must_use]
    pub fn digest(encoded: &[u8]) -> ObjectDigest {
        ObjectDigest::from_bytes(sha256(encoded))
    }
}
