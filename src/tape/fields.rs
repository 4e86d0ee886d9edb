//! Several private values under one commitment, so that each can be opened alone
//! (`docs/format/1-bytes.md` 1.5). Used for tape headers and the private halves of entries.

use crate::codec::cbor::Writer;
use crate::codec::digest::{Digest, sha256};

/// Gives the salt of a numbered field. The keyed derivation lives in `seal`; here only its result counts.
pub trait Salts {
    /// The 32-byte salt of field `number`.
    fn salt(&self, number: u64) -> [u8; 32];
}

impl<F: Fn(u64) -> [u8; 32]> Salts for F {
    fn salt(&self, number: u64) -> [u8; 32] {
        self(number)
    }
}

/// A commitment with the field digests it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldCommitment {
    /// Field numbers with their digests, ascending.
    pub digests: Vec<(u64, [u8; 32])>,
    /// Digest over all of them.
    pub commitment: Digest,
}

/// Commits to `(number, encoded value)` pairs, given in ascending order of number.
#[must_use]
pub fn commit<'a>(
    label: &str,
    salts: &dyn Salts,
    fields: impl IntoIterator<Item = (u64, &'a [u8])>,
) -> FieldCommitment {
    let mut w = Writer::with_capacity(512);
    let digest = |(n, value)| {
        write_field(&mut w, label, n, &salts.salt(n), value);
        let digest = sha256(w.as_slice());
        w.clear();
        (n, digest)
    };
    let digests: Vec<_> = fields.into_iter().map(digest).collect();
    commitment_in(w, label, digests)
}

/// The commitment over fields that are known by their digests, ascending.
#[must_use]
pub fn commitment_of(label: &str, digests: Vec<(u64, [u8; 32])>) -> FieldCommitment {
    commitment_in(Writer::with_capacity(512), label, digests)
}

fn commitment_in(mut w: Writer, label: &str, digests: Vec<(u64, [u8; 32])>) -> FieldCommitment {
    w.array(digests.len().saturating_add(1));
    w.text(&format!("{label}/set"));
    for (n, digest) in &digests {
        w.array(2);
        w.uint(*n);
        w.bytes(digest);
    }
    FieldCommitment { commitment: Digest::from_bytes(sha256(w.as_slice())), digests }
}

/// Heads, number and salt.
const FRONT_BYTES_BESIDE_LABEL_MAX: usize = 48;

/// Digest of one field: of the encoding of `[label, number, salt, value]`.
#[must_use]
pub fn field_digest(label: &str, number: u64, salt: &[u8; 32], encoded_value: &[u8]) -> [u8; 32] {
    let front = label.len().saturating_add(FRONT_BYTES_BESIDE_LABEL_MAX);
    let mut w = Writer::with_capacity(front.saturating_add(encoded_value.len()));
    write_field(&mut w, label, number, salt, encoded_value);
    sha256(w.as_slice())
}

fn write_field(w: &mut Writer, label: &str, number: u64, salt: &[u8; 32], encoded_value: &[u8]) {
    w.array(4);
    w.text(label);
    w.uint(number);
    w.bytes(salt);
    w.raw(encoded_value);
}
