//! The rows that lists, look-ups and custody reports are served from, against the journal: a tape hidden from a
//! list, an id that leads elsewhere, an entry left out of a tape's chain.

use std::collections::{HashMap, HashSet};

use super::journal::{SubjectEntries, Walked};
use super::tapes::{Saved, SavedTapes};
use crate::catalog::{CatalogRow, Queries, SubjectRow};
use crate::codec::digest::{CustodyId, TapeId};
use crate::error::Result;
use crate::evidence::{Report, Severity};

/// Findings of one comparison; a database that is wrong throughout needs no longer list.
const FINDINGS_MAX: usize = 100;

struct Comparison<'a> {
    /// Entries the journal was walked to; rows may know later ones.
    size: u64,
    by_index: HashMap<u64, &'a Saved>,
    found: Vec<(String, &'static str, Option<TapeId>)>,
}

/// Compares; every difference is a finding about the rows.
pub(super) fn compare(queries: &Queries<'_>, journal: &Walked, saved: &SavedTapes, report: &mut Report) {
    let by_index = saved.tapes.iter().map(|s| (s.index, s)).collect();
    let mut comparison = Comparison { size: journal.entries, by_index, found: Vec::new() };
    let compared = comparison
        .catalogue(queries)
        .and_then(|()| comparison.tape_ids(queries))
        .and_then(|()| comparison.subjects(queries, &journal.subjects));
    let rows = (saved.tapes.len() as u64).saturating_mul(2).saturating_add(journal.subjects.len() as u64);
    let wrong = (comparison.found.len() as u64).saturating_add(u64::from(compared.is_err()));
    report.check("rows", rows, wrong, "catalogue, ids and subjects follow from the log");
    for (place, what, tape) in comparison.found.into_iter().take(FINDINGS_MAX) {
        report.find(Severity::Altered, "rows", format!("index, {place}"), what).tape = tape;
    }
    if let Err(e) = compared {
        report.find(Severity::Altered, "rows", "index", e.message().to_owned());
    }
}

impl Comparison<'_> {
    fn find(&mut self, place: String, what: &'static str, tape: Option<TapeId>) {
        self.found.push((place, what, tape));
    }

    fn catalogue(&mut self, queries: &Queries<'_>) -> Result<()> {
        let mut listed = HashSet::new();
        queries.catalog(&mut |row: CatalogRow| {
            if row.index < self.size {
                let is_right =
                    self.by_index.get(&row.index).is_some_and(|s| (s.custody, s.epoch) == (row.custody, row.epoch));
                if is_right {
                    listed.insert(row.index);
                } else {
                    self.find(format!("catalogue row {}", row.index), "no such tape was saved by this entry", None);
                }
            }
            Ok(true)
        })?;
        self.missing(&listed, "the tape is missing in the catalogue, so no list shows it");
        Ok(())
    }

    fn tape_ids(&mut self, queries: &Queries<'_>) -> Result<()> {
        let mut known = HashSet::new();
        queries.tape_ids(&mut |tape, index, custody| {
            if index < self.size {
                let saved = self.by_index.get(&index);
                if saved.is_some_and(|s| (s.statement.claims().tape, s.custody) == (tape, custody)) {
                    known.insert(index);
                } else {
                    self.find(format!("id row {index}"), "this id leads to another tape than its entry", Some(tape));
                }
            }
            Ok(true)
        })?;
        self.missing(&known, "the tape is missing among the ids, so nobody finds it");
        Ok(())
    }

    fn missing(&mut self, known: &HashSet<u64>, what: &'static str) {
        let mut missing: Vec<_> = self.by_index.values().filter(|s| !known.contains(&s.index)).copied().collect();
        missing.sort_by_key(|s| s.index);
        for saved in missing {
            self.find(format!("entry {}", saved.index), what, Some(saved.statement.claims().tape));
        }
    }

    fn subjects(&mut self, queries: &Queries<'_>, expected: &HashMap<CustodyId, SubjectEntries>) -> Result<()> {
        let mut seen = HashSet::new();
        let tapes: HashMap<CustodyId, &Saved> = self.by_index.values().map(|s| (s.custody, *s)).collect();
        queries.subjects(&mut |custody, row| {
            let saved = tapes.get(&custody).copied();
            let tape = saved.map(|s| s.statement.claims().tape);
            let name = || format!("subject {}", custody.to_hex());
            match expected.get(&custody) {
                Some(entries) => {
                    seen.insert(custody);
                    let postings = queries.postings_of(&custody, &row)?;
                    if !is_right(&row, &postings, entries, saved, self.size) {
                        self.find(name(), "the entries about it are not those in the log", tape);
                    }
                }
                None if row.first_index < self.size => self.find(name(), "the log has no entry about it", None),
                None => {}
            }
            Ok(true)
        })?;
        let mut missing: Vec<_> = expected.iter().filter(|(custody, _)| !seen.contains(*custody)).collect();
        missing.sort_by_key(|(_, entries)| entries.indices.first());
        for (custody, _) in missing {
            let tape = tapes.get(custody).map(|s| s.statement.claims().tape);
            self.find(format!("subject {}", custody.to_hex()), "its row is missing", tape);
        }
        Ok(())
    }
}

/// Does the row follow from these entries? Of a row that knows later ones only the beginning is compared.
fn is_right(row: &SubjectRow, postings: &[u64], entries: &SubjectEntries, saved: Option<&Saved>, size: u64) -> bool {
    let known: Vec<u64> = postings.iter().copied().filter(|p| *p < size).collect();
    let tip_is_right =
        postings.len() > known.len() || (row.tip == entries.tip && Some(&row.last_index) == entries.indices.last());
    let facts_are_right = match (&row.facts, saved) {
        (Some(facts), Some(saved)) => (facts.tape, facts.epoch) == (saved.statement.claims().tape, saved.epoch),
        (None, None) => true,
        _ => false,
    };
    known == entries.indices && entries.indices.first() == Some(&row.first_index) && tip_is_right && facts_are_right
}
