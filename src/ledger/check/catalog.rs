//! The rows that lists, look-ups, saves and custody reports are served from, against the journal and the vault: a tape
//! hidden from a list, an id that leads elsewhere, an entry left out of a tape's chain, a content said to be kept.

use std::collections::{HashMap, HashSet};

use super::Checker;
use super::journal::{SubjectEntries, Walked};
use super::tapes::{Saved, SavedTapes};
use crate::catalog::{CatalogRow, Queries, SubjectRow};
use crate::codec::digest::{CustodyId, TapeId};
use crate::error::Result;
use crate::evidence::{Report, Severity};

/// Findings of one comparison; a database that is wrong throughout needs no longer list.
const FINDINGS_MAX: usize = 100;

/// Where, what, of which tape, about which entry.
type Difference = (String, &'static str, Option<TapeId>, Option<u64>);

struct Comparison<'a> {
    /// Entries the journal was walked to; rows may know later ones.
    size: u64,
    by_index: HashMap<u64, &'a Saved>,
    rows: HashMap<CustodyId, TapeRows>,
    found: Vec<Difference>,
}

/// What the rows say of a tape beyond the log. Kept for when the tape is opened: the rows are given back before that.
pub(super) struct TapeRows {
    pub slot: Option<u32>,
    pub summary: Vec<u8>,
    pub manifest_bytes: Option<u64>,
}

/// Compares; every difference is a finding about the rows. What the rows say of the tapes that they know rightly.
pub(super) fn compare(
    checker: &Checker,
    queries: &Queries<'_>,
    journal: &Walked,
    saved: &SavedTapes,
    report: &mut Report,
) -> HashMap<CustodyId, TapeRows> {
    let by_index = saved.tapes.iter().map(|s| (s.index, s)).collect();
    let mut comparison = Comparison { size: journal.entries, by_index, rows: HashMap::new(), found: Vec::new() };
    let compared = comparison
        .catalogue(queries)
        .and_then(|()| comparison.tape_ids(queries))
        .and_then(|()| comparison.subjects(queries, &journal.subjects))
        .and_then(|()| comparison.criticals(queries, &journal.critical))
        .and_then(|()| comparison.terms(queries, &terms(checker, saved)));
    let rows_of_tapes = std::mem::take(&mut comparison.rows);
    let rows = (saved.tapes.len() as u64).saturating_mul(2).saturating_add(journal.subjects.len() as u64);
    let wrong = (comparison.found.len() as u64).saturating_add(u64::from(compared.is_err()));
    report.check("rows", rows, wrong, "catalogue, ids and subjects follow from the log");
    for (place, what, tape, entry) in comparison.found.into_iter().take(FINDINGS_MAX) {
        let finding = report.find(Severity::Altered, "rows", format!("index, {place}"), what);
        (finding.tape, finding.entry) = (tape, entry);
    }
    if let Err(e) = compared {
        report.find(Severity::Altered, "rows", "index", e.message().to_owned());
    }
    rows_of_tapes
}

impl Comparison<'_> {
    fn find(&mut self, place: String, what: &'static str, tape: Option<TapeId>) {
        self.found.push((place, what, tape, None));
    }

    fn catalogue(&mut self, queries: &Queries<'_>) -> Result<()> {
        let mut listed = HashSet::new();
        queries.catalog(&mut |row: CatalogRow| {
            if row.index < self.size {
                let is_right =
                    self.by_index.get(&row.index).is_some_and(|s| (s.custody, s.epoch) == (row.custody, row.epoch));
                if is_right {
                    listed.insert(row.index);
                    self.rows
                        .insert(row.custody, TapeRows { slot: row.slot, summary: row.summary, manifest_bytes: None });
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
                    } else if let (Some(facts), Some(known)) = (&row.facts, self.rows.get_mut(&custody)) {
                        known.manifest_bytes = facts.manifest.map(|m| m.bytes);
                        if facts.slot != known.slot {
                            self.find(name(), "it and the catalogue name different slots of the vault", tape);
                        }
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

    /// The rows that keep a program from writing on after what it does not understand.
    fn criticals(&mut self, queries: &Queries<'_>, expected: &[(u64, u16)]) -> Result<()> {
        let mut rows = HashSet::new();
        queries.criticals(&mut |index, kind| {
            if index < self.size {
                rows.insert((index, kind));
            }
            Ok(true)
        })?;
        let missing = expected.iter().filter(|known| !rows.contains(*known));
        let missing = missing.map(|(index, _)| (*index, "nothing tells that this entry is critical"));
        let invented = rows.iter().filter(|row| !expected.contains(row));
        let invented = invented.map(|(index, _)| (*index, "this entry is not critical, or not of this kind"));
        for (index, what) in missing.chain(invented) {
            self.found.push((format!("critical row {index}"), what, None, Some(index)));
        }
        Ok(())
    }

    /// The rows by which a content is known to be kept. Of tapes whose record cannot be read nothing is said.
    fn terms(&mut self, queries: &Queries<'_>, terms: &HashMap<CustodyId, [u8; 16]>) -> Result<()> {
        let mut known = HashSet::new();
        queries.dedupe_terms(&mut |term, index, custody| {
            if index < self.size {
                let saved = self.by_index.get(&index).filter(|s| s.custody == custody);
                if saved.is_some() && terms.get(&custody).is_none_or(|right| *right == term) {
                    known.insert(index);
                } else {
                    self.find(format!("content row {index}"), "this content is not the one that the entry kept", None);
                }
            }
            Ok(true)
        })?;
        let mut missing: Vec<_> = self.by_index.values().copied().collect();
        missing.retain(|s| terms.contains_key(&s.custody) && !known.contains(&s.index));
        missing.sort_by_key(|s| s.index);
        for saved in missing {
            let tape = Some(saved.statement.claims().tape);
            self.find(
                format!("entry {}", saved.index),
                "its content is not known as kept, and would be kept twice",
                tape,
            );
        }
        Ok(())
    }
}

/// The beginnings of the terms that the vault has for the saved tapes. A record that cannot be read is told elsewhere.
fn terms(checker: &Checker, saved: &SavedTapes) -> HashMap<CustodyId, [u8; 16]> {
    let epochs: HashSet<_> = saved.tapes.iter().map(|s| s.epoch).collect();
    let records = epochs.iter().filter_map(|epoch| checker.stores.vault.records(epoch).ok()).flatten();
    records.filter_map(|r| Some((r.custody_id, *r.dedupe.first_chunk::<16>()?))).collect()
}

/// Does the row follow from these entries? Of a row that knows later ones only the beginning is compared.
fn is_right(row: &SubjectRow, postings: &[u64], entries: &SubjectEntries, saved: Option<&Saved>, size: u64) -> bool {
    let known: Vec<u64> = postings.iter().copied().filter(|p| *p < size).collect();
    let tip_is_right =
        postings.len() > known.len() || (row.tip == entries.tip && Some(&row.last_index) == entries.indices.last());
    let facts_are_right = match (&row.facts, saved) {
        (Some(facts), Some(saved)) => {
            (facts.tape, facts.epoch, facts.class_key) == (saved.statement.claims().tape, saved.epoch, saved.key_id)
        }
        (None, None) => true,
        _ => false,
    };
    known == entries.indices && entries.indices.first() == Some(&row.first_index) && tip_is_right && facts_are_right
}
