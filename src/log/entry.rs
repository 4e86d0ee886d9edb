//! One leaf, one grammar: the public half of an entry, read in one strict pass without copying.

use super::{EntryKind, LogError, tree::leaf_hash};
use crate::codec::CborError;
use crate::codec::cbor::{Key, Reader, Writer};
use crate::codec::digest::{CustodyId, Digest, LeafHash};
use crate::codec::limits::ENTRY_BYTES_MAX;
use crate::time::Timestamp;

const LABEL: &str = "immutape/entry/1";
const BARE_STATEMENT: u8 = 0xd2;

/// A parsed entry that borrows its body from the bytes it was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Position in the log.
    pub index: u64,
    /// Leaf hash of the entry before; zero in entry 0.
    pub previous: LeafHash,
    /// Never earlier than the entry before.
    pub time: Timestamp,
    /// What happened.
    pub kind: EntryKind,
    /// Whom it is about.
    pub subject: CustodyId,
    /// How many entries about this subject came before.
    pub subject_seq: u64,
    /// Leaf hash of the last of them; zero when there is none.
    pub subject_prev: LeafHash,
    /// Commitment to the private half.
    pub commitment: Digest,
    /// SHA-256 of the sealed private half.
    pub sealed_digest: Digest,
    /// Id of the custody key.
    pub key_id: [u8; 16],
    /// The encoded body.
    pub body: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Reads an entry; the body is checked to be a map of the profile, its keys by [`super::Body`].
    ///
    /// # Errors
    /// [`LogError`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, LogError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(LogError::TooLong(bytes.len() as u64));
        }
        if bytes.first() == Some(&BARE_STATEMENT) {
            return Err(LogError::ReservedForm);
        }
        let mut r = Reader::new(bytes);
        r.array_of(12)?;
        r.label(LABEL)?;
        let entry = Self {
            index: r.uint()?,
            previous: LeafHash::from_bytes(r.bytes_n()?),
            time: Timestamp::from_ms(r.uint()?),
            kind: EntryKind::from_number(r.uint_in()?),
            subject: CustodyId::from_bytes(r.bytes_n()?),
            subject_seq: r.uint()?,
            subject_prev: LeafHash::from_bytes(r.bytes_n()?),
            commitment: Digest::from_bytes(r.bytes_n()?),
            sealed_digest: Digest::from_bytes(r.bytes_n()?),
            key_id: r.bytes_n()?,
            body: {
                let start = r.position();
                r.map(|key, value| match key {
                    Key::Int(_) => value.any_within(2).map(drop),
                    Key::Text(_) => Err(CborError::UnknownKey),
                })?;
                bytes.get(start..r.position()).ok_or(CborError::Truncated)?
            },
        };
        r.end()?;
        Ok(entry)
    }

    /// The entry without its body, which may outlive the bytes it was read from.
    #[must_use]
    pub const fn without_body(&self) -> Entry<'static> {
        Entry {
            index: self.index,
            previous: self.previous,
            time: self.time,
            kind: self.kind,
            subject: self.subject,
            subject_seq: self.subject_seq,
            subject_prev: self.subject_prev,
            commitment: self.commitment,
            sealed_digest: self.sealed_digest,
            key_id: self.key_id,
            body: &[],
        }
    }
}

/// What an act puts into an entry; index, chain and time are added when it is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryDraft {
    /// What happened.
    pub kind: EntryKind,
    /// Whom it is about.
    pub subject: CustodyId,
    /// Encoded body.
    pub body: Vec<u8>,
    /// Commitment to the private half.
    pub commitment: Digest,
    /// SHA-256 of `sealed`.
    pub sealed_digest: Digest,
    /// Id of the custody key.
    pub key_id: [u8; 16],
    /// The sealed private half.
    pub sealed: Vec<u8>,
}

impl EntryDraft {
    /// A draft from a body and a sealed private half.
    #[must_use]
    pub fn new(kind: EntryKind, subject: CustodyId, body: Vec<u8>, private: crate::seal::SealedPrivate) -> Self {
        Self {
            kind,
            subject,
            body,
            commitment: private.commitment,
            sealed_digest: private.digest,
            key_id: private.key_id,
            sealed: private.sealed,
        }
    }

    /// Encodes it in its place; the entry and its leaf hash.
    ///
    /// # Errors
    /// [`LogError::TooLong`].
    pub fn place(
        &self,
        index: u64,
        previous: &LeafHash,
        time: Timestamp,
        subject_seq: u64,
        subject_prev: &LeafHash,
    ) -> Result<(Vec<u8>, LeafHash), LogError> {
        let mut w = Writer::with_capacity(self.body.len().saturating_add(280));
        w.array(12);
        w.text(LABEL);
        w.uint(index);
        w.bytes(previous.as_ref());
        w.uint(time.as_ms());
        w.uint(u64::from(self.kind.number()));
        w.bytes(self.subject.as_ref());
        w.uint(subject_seq);
        w.bytes(subject_prev.as_ref());
        w.bytes(self.commitment.as_ref());
        w.bytes(self.sealed_digest.as_ref());
        w.bytes(&self.key_id);
        w.raw(&self.body);
        let bytes = w.finish();
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(LogError::TooLong(bytes.len() as u64));
        }
        let leaf = leaf_hash(&bytes);
        Ok((bytes, leaf))
    }
}
