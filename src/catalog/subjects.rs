//! The row of a subject: the tip of its chain, the entries about it, and for a tape where its parts lie. A tape that only
//! one entry is about has none: its record in the catalogue says the same.

use super::keys;
use crate::codec::CborError;
use crate::codec::cbor::{Reader, Writer, encode};
use crate::codec::digest::{CustodyId, LeafHash, TapeId};
use crate::error::{Code, Error, Result};
use crate::log::SubjectTip;
use crate::store::{Batch, Hint, Rows};

/// Newest postings kept in the subject's own row.
const POSTINGS_IN_ROW_MAX: usize = 256;

/// Length and place of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManifestPlace {
    /// Length in bytes.
    pub bytes: u64,
    /// Where the engine put it.
    pub hint: Hint,
}

/// What the row of a tape knows beyond its entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapeFacts {
    /// The tape.
    pub tape: TapeId,
    /// Custody key of its first entry: tells the class whose keys seal the entries about it.
    pub class_key: [u8; 16],
    /// Vault epoch of its key.
    pub epoch: [u8; 16],
    /// Slot in the epoch, when known.
    pub slot: Option<u32>,
    /// Where the manifest is, when known.
    pub manifest: Option<ManifestPlace>,
    /// Where the objects are, in order of the manifest; empty when not known or kept in rows of their own.
    pub hints: Vec<Hint>,
}

/// The row of one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectRow {
    /// Index of its first entry.
    pub first_index: u64,
    /// Tip of its chain.
    pub tip: SubjectTip,
    /// Index of its last entry.
    pub last_index: u64,
    /// For a tape: what else is known.
    pub facts: Option<TapeFacts>,
    /// Indices of its newest entries, ascending.
    pub postings: Vec<u64>,
    /// How many rows of older postings there are.
    pub older: u32,
}

impl SubjectRow {
    /// A subject with its first entry.
    #[must_use]
    pub fn first(index: u64, tip: SubjectTip) -> Self {
        Self { first_index: index, tip, last_index: index, facts: None, postings: vec![index], older: 0 }
    }

    /// Says the record of the catalogue as much as this row? It does of a tape that was saved by its first entry, which
    /// is its last as well.
    pub(super) const fn is_in_catalog(&self) -> bool {
        self.facts.is_some() && self.first_index == self.last_index
    }

    /// Takes the next entry in; older postings move to a row of their own.
    pub(super) fn advance(&mut self, custody: &CustodyId, index: u64, tip: SubjectTip, batch: &mut Batch) {
        if self.postings.len() >= POSTINGS_IN_ROW_MAX {
            let bytes: Vec<u8> = self.postings.drain(..).flat_map(u64::to_be_bytes).collect();
            batch.puts.push((keys::postings(custody, self.older), bytes));
            self.older = self.older.saturating_add(1);
        }
        self.postings.push(index);
        self.tip = tip;
        self.last_index = index;
    }

    /// Encodes it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(|w| {
            w.array(12);
            w.uint(self.first_index);
            w.uint(self.tip.seq);
            w.bytes(self.tip.leaf.as_ref());
            w.uint(self.last_index);
            write_facts(w, self.facts.as_ref());
            w.uint(u64::from(self.older));
            write_postings(w, &self.postings);
        })
    }

    /// Reads it.
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        read(bytes).map_err(|e| Error::new(Code::RowsUnavailable, "a tape's row in sled is damaged").with_source(e))
    }

    /// Indices of every entry about `custody`, ascending.
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`.
    pub fn all_postings(&self, custody: &CustodyId, rows: &dyn Rows) -> Result<Vec<u64>> {
        let mut all = Vec::new();
        for n in 0..self.older {
            let missing = || Error::new(Code::RowsUnavailable, "older entries of a tape are missing in sled");
            let value = rows.get(&keys::postings(custody, n))?.ok_or_else(missing)?;
            all.extend(value.as_chunks::<8>().0.iter().map(|c| u64::from_be_bytes(*c)));
        }
        all.extend_from_slice(&self.postings);
        Ok(all)
    }
}

pub(super) fn write_facts(w: &mut Writer, facts: Option<&TapeFacts>) {
    w.nullable(facts, |w, f| w.bytes(f.tape.as_ref()));
    w.nullable(facts, |w, f| w.bytes(&f.class_key));
    w.nullable(facts, |w, f| w.bytes(&f.epoch));
    w.nullable(facts.and_then(|f| f.slot), |w, s| w.uint(u64::from(s)));
    w.nullable(facts.and_then(|f| f.manifest), |w, m| {
        w.array(2);
        w.uint(m.bytes);
        w.bytes(&m.hint.0);
    });
    w.bytes(&facts.iter().flat_map(|f| &f.hints).flat_map(|h| h.0).collect::<Vec<_>>());
}

/// Ascending indices as differences: most take one or two bytes.
fn write_postings(w: &mut Writer, postings: &[u64]) {
    w.array(postings.len());
    let mut last = 0u64;
    for p in postings {
        w.uint(p.saturating_sub(last));
        last = *p;
    }
}

fn read(bytes: &[u8]) -> Result<SubjectRow, CborError> {
    let mut r = Reader::new(bytes);
    r.array_of(12)?;
    let (first_index, seq, leaf, last_index) = (r.uint()?, r.uint()?, LeafHash::from_bytes(r.bytes_n()?), r.uint()?);
    let facts = read_facts(&mut r)?;
    let older = r.uint_in()?;
    let (mut postings, mut last) = (Vec::new(), 0u64);
    for _ in 0..r.array()? {
        last = last.checked_add(r.uint()?).ok_or(CborError::Range)?;
        postings.push(last);
    }
    r.end()?;
    Ok(SubjectRow { first_index, tip: SubjectTip { seq, leaf }, last_index, facts, postings, older })
}

pub(super) fn read_facts(r: &mut Reader<'_>) -> Result<Option<TapeFacts>, CborError> {
    let tape = if r.null_if_next() { None } else { Some(TapeId::from_bytes(r.bytes_n()?)) };
    let class_key = if r.null_if_next() { None } else { Some(r.bytes_n()?) };
    let epoch = if r.null_if_next() { None } else { Some(r.bytes_n()?) };
    let slot = if r.null_if_next() { None } else { Some(r.uint_in()?) };
    let manifest = if r.null_if_next() {
        None
    } else {
        r.array_of(2)?;
        Some(ManifestPlace { bytes: r.uint()?, hint: Hint(r.bytes_n()?) })
    };
    let (hints, rest) = r.bytes()?.as_chunks::<16>();
    if !rest.is_empty() {
        return Err(CborError::Length);
    }
    let hints = hints.iter().map(|h| Hint(*h)).collect();
    Ok(match (tape, class_key, epoch) {
        (Some(tape), Some(class_key), Some(epoch)) => Some(TapeFacts { tape, class_key, epoch, slot, manifest, hints }),
        _ => None,
    })
}
