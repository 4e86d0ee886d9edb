//! Bytes on their way into a store.

use crate::codec::digest::{ObjectDigest, sha256};

/// Bytes with the SHA-256 that was made of them. Nothing else makes one, so a store need not hash them again.
///
/// ```
/// use immutape::store::NewObject;
/// let object = NewObject::of(b"sealed bytes");
/// assert_eq!(object.bytes(), b"sealed bytes");
/// assert!(object.digest().to_hex().starts_with("f35cf5b3"));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct NewObject<'a> {
    digest: ObjectDigest,
    bytes: &'a [u8],
}

impl<'a> NewObject<'a> {
    /// Hashes `bytes`.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { digest: ObjectDigest::from_bytes(sha256(bytes)), bytes }
    }

    /// Their SHA-256.
    #[must_use]
    pub const fn digest(&self) -> &ObjectDigest {
        &self.digest
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}
