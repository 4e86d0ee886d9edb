//! What makes two saves the same content (`docs/format/2-tape.md` 2.4).

use super::Header;
use crate::codec::cbor::Writer;
use crate::codec::digest::{Digest, Hasher, sha256};

/// Fed with every encoded frame in order, finished with the header.
#[derive(Default)]
pub struct ContentDigest {
    frames: Hasher,
}

impl ContentDigest {
    /// Nothing fed yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next encoded frames.
    pub fn frames(&mut self, encoded: &[u8]) {
        self.frames.update(encoded);
    }

    /// The digest. Who recorded it, when it was imported and on which host do not count.
    #[must_use]
    pub fn finish(self, header: &Header) -> Digest {
        let mut w = Writer::new();
        w.array(3);
        w.text("immutape/content/1");
        w.raw(&header.content_form());
        w.bytes(&self.frames.finish());
        Digest::from_bytes(sha256(w.as_slice()))
    }
}
