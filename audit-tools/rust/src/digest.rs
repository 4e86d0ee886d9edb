//! SHA-256 (FIPS 180-4).

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// 32 zero bytes: no entry before, or the ledger itself as subject.
pub const ZERO: Hash = [0; 32];

/// SHA-256 of bytes that come in pieces.
#[derive(Clone)]
pub struct Hasher(hmac_sha256::Hash);

impl Hasher {
    /// Nothing hashed yet.
    #[must_use]
    pub fn new() -> Self {
        Self(hmac_sha256::Hash::new())
    }

    /// Goes on with these bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest.
    #[must_use]
    pub fn done(self) -> Hash {
        self.0.finalize()
    }
}

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

/// SHA-256 of these bytes.
#[must_use]
pub fn hash(bytes: &[u8]) -> Hash {
    hmac_sha256::Hash::hash(bytes)
}
