//! Entries of the log: the public half (4-commit, sections 4.1 and 4.3).

mod body;
mod kinds;
mod rules;

pub use body::{Body, Cosigned, Genesis, Predecessor, Revoked, Rotated, SavedStatement, Set, Timestamped};
pub use kinds::{Subject, is_known_critical, name, subject_rule};
pub use rules::MOST_BYTES;

use crate::cbor::Reader;
use crate::digest::{Hash, ZERO};
use crate::error::{Result, ensure};
use crate::tree;

/// An entry, right by itself.
pub struct Entry<'a> {
    /// Place in the log.
    pub index: u64,
    /// Leaf hash of the entry before.
    pub previous: Hash,
    /// Milliseconds since 1970.
    pub time: u64,
    /// Number of its kind.
    pub kind: u16,
    /// Custody id, or zeros for the ledger.
    pub subject: Hash,
    /// How many earlier entries have this subject.
    pub seq: u64,
    /// Leaf hash of the last of them.
    pub subject_prev: Hash,
    /// Commitment of the private half.
    pub commitment: Hash,
    /// Digest of the sealed private half.
    pub sealed: Hash,
    /// Its body.
    pub body: Body<'a>,
    /// Leaf hash.
    pub leaf: Hash,
}

impl<'a> Entry<'a> {
    /// Reads a public half, and checks what can be checked of it by itself.
    ///
    /// # Errors
    /// Anything that 4.1 does not allow.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        ensure(bytes.len() <= MOST_BYTES, "an entry over 65,535 bytes")?;
        let mut reader = Reader::new(bytes);
        reader.array_of(12)?;
        reader.label("immutape/entry/1")?;
        let index = reader.uint()?;
        let previous = reader.fixed()?;
        let time = reader.uint()?;
        let kind = u16::try_from(reader.uint_to(65_535)?).unwrap_or(u16::MAX);
        let subject = reader.fixed()?;
        let (seq, subject_prev) = (reader.uint()?, reader.fixed()?);
        let (commitment, sealed) = (reader.fixed()?, reader.fixed()?);
        reader.fixed::<16>()?;
        let body = Body::read(kind, &mut reader)?;
        reader.end()?;
        let leaf = tree::leaf(bytes);
        let entry = Self { index, previous, time, kind, subject, seq, subject_prev, commitment, sealed, body, leaf };
        rules::by_itself(&entry)?;
        Ok(entry)
    }

    /// Whether it is about the ledger itself.
    #[must_use]
    pub fn of_ledger(&self) -> bool {
        self.subject == ZERO
    }
}
