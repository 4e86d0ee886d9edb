//! Every question the ledger answers from rows.

use std::collections::HashMap;
use std::ops::Range;

use super::blocks::{LogPiece, pieces_from};
use super::projector::HINTS_A_ROW;
use super::saved::{self, CatalogRow};
use super::subjects::{SubjectRow, TapeFacts};
use super::terms::{self, Item, digits_of};
use super::{RowsPosition, keys};
use crate::codec::digest::{CustodyId, IdPrefix, TapeId};
use crate::codec::extent::{GroupHeader, split_record};
use crate::error::{Code, Error, Result};
use crate::log::{Entry, EntryKind};
use crate::store::{Hint, Rows};

/// Both halves of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Public half.
    pub public: Vec<u8>,
    /// Sealed private half.
    pub sealed: Vec<u8>,
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
        if let Some(row) = self.rows.get(&keys::tape(custody))? {
            return SubjectRow::decode(&row).map(Some);
        }
        let found = self.saved(keys::CUSTODY, &digits_of(custody.as_ref()), 1, |row| row.custody == *custody)?;
        Ok(found.first().map(CatalogRow::subject))
    }

    /// Index of the entry that saved a tape, which need not be the first about it.
    pub fn saved_index(&self, custody: &CustodyId) -> Result<Option<u64>> {
        let found = self.saved(keys::CUSTODY, &digits_of(custody.as_ref()), 1, |row| row.custody == *custody)?;
        Ok(found.first().map(|row| row.index))
    }

    /// The first tapes that an index leads to from these digits, by term and index. An index knows the beginning of each
    /// term; `is_meant` looks at the tape itself.
    fn saved(
        &self,
        row: u8,
        digits: &[u8],
        limit: usize,
        is_meant: impl Fn(&CatalogRow) -> bool,
    ) -> Result<Vec<CatalogRow>> {
        let mut found = Vec::new();
        for item in terms::find(self.rows, row, digits)? {
            let missing = || Error::new(Code::RowsUnavailable, "a tape is missing in the catalogue in sled");
            let row = saved::by(self.rows, item.index)?.ok_or_else(missing)?;
            if is_meant(&row) {
                found.push(row);
            }
            if found.len() >= limit {
                break;
            }
        }
        Ok(found)
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
        let digits: Vec<u8> = prefix.digits().chars().filter_map(|c| c.to_digit(16)?.try_into().ok()).collect();
        let found = self.saved(keys::TAPE_ID, &digits, limit, |row| prefix.matches(row.facts.tape.as_bytes()))?;
        Ok(found.into_iter().map(|row| (row.facts.tape, row.custody)).collect())
    }

    /// As [`Queries::by_prefix`], by the custody id, which a recording has before it is a tape.
    pub fn by_custody_prefix(&self, prefix: &IdPrefix, limit: usize) -> Result<Vec<(TapeId, CustodyId)>> {
        let digits: Vec<u8> = prefix.digits().chars().filter_map(|c| c.to_digit(16)?.try_into().ok()).collect();
        let found = self.saved(keys::CUSTODY, &digits, limit, |row| prefix.matches(row.custody.as_bytes()))?;
        Ok(found.into_iter().map(|row| (row.facts.tape, row.custody)).collect())
    }

    /// Every tape id that leads to a tape.
    pub fn tape_ids(&self, each: &mut dyn FnMut(Item) -> Result<bool>) -> Result<()> {
        terms::all(self.rows, keys::TAPE_ID, each)
    }

    /// Every custody id that leads to a tape.
    pub fn custody_ids(&self, each: &mut dyn FnMut(Item) -> Result<bool>) -> Result<()> {
        terms::all(self.rows, keys::CUSTODY, each)
    }

    /// Every term by which a content is known to be kept.
    pub fn dedupe_terms(&self, each: &mut dyn FnMut(Item) -> Result<bool>) -> Result<()> {
        terms::all(self.rows, keys::DEDUPE, each)
    }

    /// The row of every subject that has one of its own.
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

    /// Tapes that may hold a content known by this term: the rows know its beginning, the vault has all of it.
    pub fn by_dedupe(&self, term: &[u8; 32]) -> Result<Vec<CatalogRow>> {
        self.saved(keys::DEDUPE, &digits_of(term), usize::MAX, |_| true)
    }

    /// Every entry of a critical kind: index and kind.
    pub fn criticals(&self, each: &mut dyn FnMut(u64, u16) -> Result<bool>) -> Result<()> {
        let damaged = |_| Error::new(Code::RowsUnavailable, "a row of critical entries in sled is damaged");
        self.rows.scan(&[keys::CRITICAL], &[keys::CRITICAL.saturating_add(1)], &mut |key, value| {
            let index = key.get(1..).unwrap_or_default().try_into().map(u64::from_be_bytes).map_err(damaged)?;
            each(index, value.try_into().map(u16::from_be_bytes).map_err(damaged)?)
        })
    }

    /// Tapes whose labels were changed, and the newest entry that did so.
    pub fn labelled(&self) -> Result<HashMap<CustodyId, u64>> {
        let damaged = || Error::new(Code::RowsUnavailable, "a row of labels in sled is damaged");
        let mut labelled = HashMap::new();
        self.rows.scan(&[keys::LABELS], &[keys::LABELS.saturating_add(1)], &mut |key, value| {
            let custody = key.get(1..).and_then(CustodyId::from_slice).ok_or_else(damaged)?;
            labelled.insert(custody, value.try_into().map(u64::from_be_bytes).map_err(|_| damaged())?);
            Ok(true)
        })?;
        Ok(labelled)
    }

    /// The first entry of a critical kind that this program does not know: index and kind.
    pub fn first_critical(&self) -> Result<Option<(u64, u16)>> {
        let mut found = None;
        self.rows.scan(&[keys::CRITICAL], &[keys::CRITICAL.saturating_add(1)], &mut |key, value| {
            let index = key.get(1..).and_then(|k| k.try_into().ok()).map(u64::from_be_bytes);
            let kind = value.try_into().ok().map(u16::from_be_bytes);
            let is_known = kind.is_some_and(|kind| EntryKind::from_number(kind).is_written());
            found = index.zip(kind).filter(|_| !is_known);
            Ok(is_known)
        })?;
        Ok(found)
    }

    /// The catalogue in order of saving.
    pub fn catalog(&self, each: &mut dyn FnMut(CatalogRow) -> Result<bool>) -> Result<()> {
        saved::from(self.rows, 0, each)
    }

    /// The catalogue from the record of entry `index` on, or from somewhat before it.
    pub fn catalog_from(&self, index: u64, each: &mut dyn FnMut(CatalogRow) -> Result<bool>) -> Result<()> {
        saved::from(self.rows, index, each)
    }

    /// The tape that was saved last.
    pub fn last_saved(&self) -> Result<Option<CatalogRow>> {
        saved::last(self.rows)
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
        pieces_from(self.rows, keys::BLOCK, index, each)
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
