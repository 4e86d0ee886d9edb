//! Every question the ledger answers from rows.

use std::ops::Range;

use super::blocks::{BlockReader, LogPiece};
use super::projector::HINTS_A_ROW;
use super::subjects::{SubjectRow, TapeFacts};
use super::{RowsPosition, keys};
use crate::codec::digest::{CustodyId, IdPrefix, TapeId};
use crate::codec::extent::{GroupHeader, split_record};
use crate::error::{Code, Error, Result};
use crate::log::Entry;
use crate::store::{Hint, Rows};

/// Both halves of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Public half.
    pub public: Vec<u8>,
    /// Sealed private half.
    pub sealed: Vec<u8>,
}

/// One row of the catalogue; the summary is still sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogRow {
    /// Index of the entry that saved it.
    pub index: u64,
    /// The tape's custody id.
    pub custody: CustodyId,
    /// Epoch of its key.
    pub epoch: [u8; 16],
    /// Slot in the epoch.
    pub slot: Option<u32>,
    /// Sealed summary.
    pub summary: Vec<u8>,
}

/// Reads rows.
#[derive(Clone, Copy)]
pub struct Queries<'a> {
    rows: &'a dyn Rows,
}

impl<'a> Queries<'a> {
    /// Over these rows.
    #[must_use]
    pub const fn new(rows: &'a dyn Rows) -> Self {
        Self { rows }
    }

    /// Where the rows stand.
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`, here and below.
    pub fn position(&self) -> Result<Option<RowsPosition>> {
        let Some(bytes) = self.rows.position()? else { return Ok(None) };
        let damaged = |e| Error::new(Code::RowsUnavailable, "the position in sled is damaged").with_source(e);
        RowsPosition::decode(&bytes).map(Some).map_err(damaged)
    }

    /// The row of a subject.
    pub fn subject(&self, custody: &CustodyId) -> Result<Option<SubjectRow>> {
        self.rows.get(&keys::tape(custody))?.map(|row| SubjectRow::decode(&row)).transpose()
    }

    /// Indices of every entry about a subject, ascending.
    pub fn postings(&self, custody: &CustodyId) -> Result<Vec<u64>> {
        self.subject(custody)?.map_or_else(|| Ok(Vec::new()), |row| row.all_postings(custody, self.rows))
    }

    /// Where object `position` of a tape is, when the rows know.
    pub fn hint(&self, custody: &CustodyId, facts: &TapeFacts, position: usize) -> Result<Hint> {
        if let Some(hint) = facts.hints.get(position) {
            return Ok(*hint);
        }
        let n = u32::try_from(position.wrapping_div(HINTS_A_ROW)).unwrap_or(u32::MAX);
        let row = self.rows.get(&keys::hints(custody, n))?.unwrap_or_default();
        let at = position.wrapping_rem(HINTS_A_ROW);
        Ok(row.as_chunks::<16>().0.get(at).map(|h| Hint(*h)).unwrap_or_default())
    }

    /// Tapes whose id begins with `prefix`, at most `limit`: tape id and custody id.
    pub fn by_prefix(&self, prefix: &IdPrefix, limit: usize) -> Result<Vec<(TapeId, CustodyId)>> {
        let mut from = vec![keys::TAPE_ID];
        from.extend_from_slice(&prefix.whole_bytes());
        let mut found = Vec::new();
        self.rows.scan(&from, &keys::past(&from), &mut |key, value| {
            let id = key.get(1..33).and_then(TapeId::from_slice);
            if let (Some(id), Some(custody)) = (id, CustodyId::from_slice(value))
                && prefix.matches(id.as_bytes())
            {
                found.push((id, custody));
            }
            Ok(found.len() < limit)
        })?;
        Ok(found)
    }

    /// Every tape id with the index of the entry that saved it and the custody id it leads to.
    pub fn tape_ids(&self, each: &mut dyn FnMut(TapeId, u64, CustodyId) -> Result<bool>) -> Result<()> {
        let damaged = || Error::new(Code::RowsUnavailable, "a row of tape ids in sled is damaged");
        self.rows.scan(&[keys::TAPE_ID], &[keys::TAPE_ID.saturating_add(1)], &mut |key, value| {
            let id = key.get(1..33).and_then(TapeId::from_slice).ok_or_else(damaged)?;
            let index = key.get(33..).and_then(|k| k.try_into().ok()).map(u64::from_be_bytes).ok_or_else(damaged)?;
            each(id, index, CustodyId::from_slice(value).ok_or_else(damaged)?)
        })
    }

    /// The row of every subject.
    pub fn subjects(&self, each: &mut dyn FnMut(CustodyId, SubjectRow) -> Result<bool>) -> Result<()> {
        let damaged = || Error::new(Code::RowsUnavailable, "a tape's row in sled is damaged");
        self.rows.scan(&[keys::TAPE], &[keys::TAPE.saturating_add(1)], &mut |key, value| {
            let custody = key.get(1..).and_then(CustodyId::from_slice).ok_or_else(damaged)?;
            each(custody, SubjectRow::decode(value)?)
        })
    }

    /// Indices of every entry about the subject of a row, ascending.
    pub fn postings_of(&self, custody: &CustodyId, row: &SubjectRow) -> Result<Vec<u64>> {
        row.all_postings(custody, self.rows)
    }

    /// Tapes that hold a content known by this term.
    pub fn by_dedupe(&self, term: &[u8; 32]) -> Result<Vec<CustodyId>> {
        let mut from = vec![keys::DEDUPE];
        from.extend_from_slice(term.get(..16).unwrap_or_default());
        let mut found = Vec::new();
        self.rows.scan(&from, &keys::past(&from), &mut |_, value| {
            found.extend(CustodyId::from_slice(value));
            Ok(true)
        })?;
        Ok(found)
    }

    /// Every row by which a content is known: the beginning of its term, the entry that kept it, the tape.
    pub fn dedupe_terms(&self, each: &mut dyn FnMut([u8; 16], u64, CustodyId) -> Result<bool>) -> Result<()> {
        let damaged = || Error::new(Code::RowsUnavailable, "a row of kept contents in sled is damaged");
        self.rows.scan(&[keys::DEDUPE], &[keys::DEDUPE.saturating_add(1)], &mut |key, value| {
            let (term, index) = key.get(1..).and_then(<[u8]>::split_first_chunk::<16>).ok_or_else(damaged)?;
            let index = index.try_into().map(u64::from_be_bytes).map_err(|_| damaged())?;
            each(*term, index, CustodyId::from_slice(value).ok_or_else(damaged)?)
        })
    }

    /// Every entry of a critical kind that the program which made the rows did not know: index and kind.
    pub fn criticals(&self, each: &mut dyn FnMut(u64, u16) -> Result<bool>) -> Result<()> {
        let damaged = |_| Error::new(Code::RowsUnavailable, "a row of critical entries in sled is damaged");
        self.rows.scan(&[keys::CRITICAL], &[keys::CRITICAL.saturating_add(1)], &mut |key, value| {
            let index = key.get(1..).unwrap_or_default().try_into().map(u64::from_be_bytes).map_err(damaged)?;
            each(index, value.try_into().map(u16::from_be_bytes).map_err(damaged)?)
        })
    }

    /// The first entry of a critical kind that this program does not know: index and kind.
    pub fn first_critical(&self) -> Result<Option<(u64, u16)>> {
        let mut found = None;
        self.rows.scan(&[keys::CRITICAL], &[keys::CRITICAL.saturating_add(1)], &mut |key, value| {
            let index = key.get(1..).and_then(|k| k.try_into().ok()).map(u64::from_be_bytes);
            let kind = value.try_into().ok().map(u16::from_be_bytes);
            found = index.zip(kind);
            Ok(false)
        })?;
        Ok(found)
    }

    /// The catalogue in order of saving.
    pub fn catalog(&self, each: &mut dyn FnMut(CatalogRow) -> Result<bool>) -> Result<()> {
        self.rows.scan(&[keys::CATALOG], &[keys::CATALOG.saturating_add(1)], &mut |key, value| {
            each(catalog_row(key, value)?)
        })
    }

    /// The tape that was saved last.
    pub fn last_saved(&self) -> Result<Option<CatalogRow>> {
        let found = self.rows.floor(&keys::catalog(0), &keys::catalog(u64::MAX))?;
        found.map(|(key, value)| catalog_row(&key, &value)).transpose()
    }

    /// What the rows know of every tape, in no meaningful order.
    pub fn tapes(&self, each: &mut dyn FnMut(&TapeFacts)) -> Result<()> {
        self.rows.scan(&[keys::TAPE], &[keys::TAPE.saturating_add(1)], &mut |_, row| {
            if let Some(facts) = SubjectRow::decode(row)?.facts {
                each(&facts);
            }
            Ok(true)
        })
    }

    /// Entries of an index range, in order.
    pub fn entries(&self, range: Range<u64>, each: &mut dyn FnMut(u64, StoredEntry) -> Result<bool>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let mut expected = None;
        self.pieces_from(range.start, &mut |piece| {
            let LogPiece::Record(record) = piece else { return Ok(true) };
            let damaged = || Error::new(Code::RowsUnavailable, "a record of the log in sled is damaged");
            let (public, sealed, _) = split_record(&record).ok_or_else(damaged)?;
            // Counting is enough after the first: blocks keep the order of the log.
            let index = match expected {
                Some(i) => i,
                None => Entry::decode(public)?.index,
            };
            expected = Some(index.saturating_add(1));
            if index >= range.end {
                return Ok(false);
            }
            if index < range.start {
                return Ok(true);
            }
            each(index, StoredEntry { public: public.to_vec(), sealed: sealed.to_vec() })
        })
    }

    /// One entry.
    pub fn entry(&self, index: u64) -> Result<Option<StoredEntry>> {
        let mut found = None;
        self.entries(index..index.saturating_add(1), &mut |_, e| {
            found = Some(e);
            Ok(false)
        })?;
        Ok(found)
    }

    /// Every piece of the group stream, from the first.
    pub fn pieces(&self, each: &mut dyn FnMut(LogPiece) -> Result<bool>) -> Result<()> {
        self.pieces_from(0, each)
    }

    /// Group headers and records from the block that holds entry `index`.
    fn pieces_from(&self, index: u64, each: &mut dyn FnMut(LogPiece) -> Result<bool>) -> Result<()> {
        let floor = self.rows.floor(&keys::block(0, 0), &keys::block(index, 0))?;
        let from = floor.map_or_else(|| keys::block(0, 0), |(key, _)| start_of_index(&key));
        let mut reader = BlockReader::default();
        self.rows.scan(&from, &[keys::BLOCK.saturating_add(1)], &mut |_, value| reader.block(value, each))
    }

    /// Header of the group that begins with entry `index`, if the rows know one.
    pub fn group_at(&self, index: u64) -> Result<Option<GroupHeader>> {
        let mut found = None;
        self.pieces_from(index.saturating_sub(1), &mut |piece| {
            let LogPiece::Header(bytes) = piece else { return Ok(true) };
            let damaged = |e| Error::new(Code::RowsUnavailable, "a group header in sled is damaged").with_source(e);
            let header = GroupHeader::parse(&bytes).map_err(damaged)?;
            found = (header.first_index == index).then_some(header);
            Ok(header.first_index < index)
        })?;
        Ok(found)
    }

    /// Headers of all groups, in order.
    pub fn group_headers(&self, each: &mut dyn FnMut(GroupHeader) -> Result<bool>) -> Result<()> {
        self.pieces(&mut |piece| match piece {
            LogPiece::Header(bytes) => {
                let damaged = |e| Error::new(Code::RowsUnavailable, "a group header in sled is damaged").with_source(e);
                each(GroupHeader::parse(&bytes).map_err(damaged)?)
            }
            LogPiece::Record(_) => Ok(true),
        })
    }
}

fn catalog_row(key: &[u8], value: &[u8]) -> Result<CatalogRow> {
    let damaged = || Error::new(Code::RowsUnavailable, "a row of the catalogue in sled is damaged");
    let index = key.get(1..).and_then(|k| k.try_into().ok()).map(u64::from_be_bytes).ok_or_else(damaged)?;
    let (custody, rest) = value.split_first_chunk::<32>().ok_or_else(damaged)?;
    let (epoch, rest) = rest.split_first_chunk::<16>().ok_or_else(damaged)?;
    let (slot, summary) = rest.split_first_chunk::<4>().ok_or_else(damaged)?;
    Ok(CatalogRow {
        index,
        custody: CustodyId::from_bytes(*custody),
        epoch: *epoch,
        slot: Some(u32::from_be_bytes(*slot)).filter(|s| *s != u32::MAX),
        summary: summary.to_vec(),
    })
}

/// The first block with the same index as `key`: a long record begins in part 0 or later, never earlier.
fn start_of_index(key: &[u8]) -> Vec<u8> {
    let mut start = key.get(..9).unwrap_or(key).to_vec();
    start.extend_from_slice(&[0, 0]);
    start
}
