//! The catalogue: one record a saved tape, with all that is known of it then. Records follow each other in blocks; most
//! tapes never need another row.

use super::blocks::{LogPiece, pieces_from};
use super::keys;
use super::subjects::{SubjectRow, TapeFacts, read_facts, write_facts};
use crate::codec::CborError;
use crate::codec::cbor::{Reader, encode};
use crate::codec::digest::{CustodyId, LeafHash};
use crate::error::{Code, Error, Result};
use crate::log::SubjectTip;
use crate::store::Rows;

/// One record of the catalogue; the summary is still sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogRow {
    /// Index of the entry that saved it.
    pub index: u64,
    /// The tape's custody id.
    pub custody: CustodyId,
    /// Leaf hash of that entry.
    pub leaf: LeafHash,
    /// What else was known of the tape then.
    pub facts: TapeFacts,
    /// Sealed summary.
    pub summary: Vec<u8>,
}

impl CatalogRow {
    /// Encodes it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(|w| {
            w.array(10);
            w.uint(self.index);
            w.bytes(self.custody.as_ref());
            w.bytes(self.leaf.as_ref());
            write_facts(w, Some(&self.facts));
            w.bytes(&self.summary);
        })
    }

    /// Reads it.
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        read(bytes).map_err(|e| {
            Error::new(Code::RowsUnavailable, "a record of the catalogue in sled is damaged").with_source(e)
        })
    }

    /// The row of the tape as long as no other entry is about it.
    #[must_use]
    pub fn subject(&self) -> SubjectRow {
        let first = SubjectRow::first(self.index, SubjectTip { seq: 0, leaf: self.leaf });
        SubjectRow { facts: Some(self.facts.clone()), ..first }
    }
}

fn read(bytes: &[u8]) -> Result<CatalogRow, CborError> {
    let mut r = Reader::new(bytes);
    r.array_of(10)?;
    let (index, custody, leaf) = (r.uint()?, CustodyId::from_bytes(r.bytes_n()?), LeafHash::from_bytes(r.bytes_n()?));
    let facts = read_facts(&mut r)?.ok_or(CborError::Length)?;
    let summary = r.bytes()?.to_vec();
    r.end()?;
    Ok(CatalogRow { index, custody, leaf, facts, summary })
}

/// The catalogue in order of saving, from the block on that holds the record of entry `index`.
pub(super) fn from(rows: &dyn Rows, index: u64, each: &mut dyn FnMut(CatalogRow) -> Result<bool>) -> Result<()> {
    pieces_from(rows, keys::CATALOG, index, &mut |piece| match piece {
        LogPiece::Record(bytes) => each(CatalogRow::decode(&bytes)?),
        LogPiece::Header(_) => Err(Error::new(Code::RowsUnavailable, "the catalogue in sled is damaged")),
    })
}

/// The tape that this entry saved.
pub(super) fn by(rows: &dyn Rows, index: u64) -> Result<Option<CatalogRow>> {
    let mut found = None;
    from(rows, index, &mut |row| {
        let goes_on = row.index < index;
        found = (row.index == index).then_some(row);
        Ok(goes_on)
    })?;
    Ok(found)
}

/// The tape that was saved last.
pub(super) fn last(rows: &dyn Rows) -> Result<Option<CatalogRow>> {
    let mut last = None;
    from(rows, u64::MAX, &mut |row| {
        last = Some(row);
        Ok(true)
    })?;
    Ok(last)
}
