//! The rows that lists, look-ups, saves and custody reports are served from, against the journal and the vault: a tape
//! hidden from a list, an id that leads elsewhere, an entry left out of a tape's chain, a content said to be kept.

use std::collections::{HashMap, HashSet};

use super::Checker;
use super::journal::{SubjectEntries, Walked};
use super::tapes::{Saved, SavedTapes};
use crate::catalog::{CatalogRow, Item, Queries, SubjectRow, TapeFacts};
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
    /// Tapes that have met no row of their own yet, with what the catalogue says instead.
    unread: HashMap<CustodyId, SubjectRow>,
    found: Vec<Difference>,
}

/// What an index is called, and what is said of a term that leads to the wrong tape, and of a tape without its term.
type Index = (&'static str, &'static str, &'static str);

const IDS: Index =
    ("id", "this id leads to another tape than its entry", "the tape is missing among the ids, so nobody finds it");
const CUSTODY_IDS: Index = (
    "custody",
    "this custody id leads to another tape than its entry",
    "the tape is missing among the custody ids, so its own entries are not found",
);
const CONTENTS: Index = (
    "content",
    "this content is not the one that the entry kept",
    "its content is not known as kept, and would be kept twice",
);

/// What the rows say of a tape beyond the log. Kept for when the tape is opened: the rows are given back before that.
pub(super) struct TapeRows {
    pub facts: TapeFacts,
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
    let kept = kept(checker, saved);
    let (rows, unread) = (HashMap::new(), HashMap::new());
    let mut comparison = Comparison { size: journal.entries, by_index, rows, unread, found: Vec::new() };
    let compared = comparison
        .catalogue(queries, &kept)
        .and_then(|()| {
            comparison.index(IDS, |each| queries.tape_ids(each), |s| Some(*s.statement.claims().tape.as_bytes()))
        })
        .and_then(|()| comparison.index(CUSTODY_IDS, |each| queries.custody_ids(each), |s| Some(*s.custody.as_bytes())))
        .and_then(|()| comparison.subjects(queries, &journal.subjects))
        .and_then(|()| comparison.criticals(queries, &journal.critical))
        .and_then(|()| comparison.labels(queries, &journal.labelled))
        .and_then(|()| {
            comparison.index(CONTENTS, |each| queries.dedupe_terms(each), |s| kept.get(&s.custody).map(|k| k.term))
        });
    let rows_of_tapes = std::mem::take(&mut comparison.rows);
    let rows = (saved.tapes.len() as u64).saturating_mul(2).saturating_add(journal.subjects.len() as u64);
    let wrong = (comparison.found.len() as u64).saturating_add(u64::from(compared.is_err()));
    report.check("rows", rows, wrong, "catalogue, ids and subjects follow from the log");
    for (place, what, tape, entry) in comparison.found.into_iter().take(FINDINGS_MAX) {
        let finding = report.find(Severity::Altered, "rows", format!("index, {place}"), what);
        (finding.tape, finding.entry) = (tape, entry);
    }
    if let Err(e) = compared {
        report.find_error(Severity::Altered, "rows", "index", &e);
    }
    rows_of_tapes
}

impl Comparison<'_> {
    fn find(&mut self, place: String, what: &'static str, tape: Option<TapeId>) {
        self.found.push((place, what, tape, None));
    }

    fn catalogue(&mut self, queries: &Queries<'_>, kept: &HashMap<CustodyId, Kept>) -> Result<()> {
        let mut listed = HashSet::new();
        queries.catalog(&mut |row: CatalogRow| {
            if row.index < self.size {
                let is_right =
                    self.by_index.get(&row.index).is_some_and(|s| s.custody == row.custody && knows(&row.facts, s));
                if is_right && listed.insert(row.index) {
                    let is_known = |kept: &Kept| row.facts.slot.is_some_and(|slot| kept.slots.contains(&slot));
                    if kept.get(&row.custody).is_some_and(|kept| !is_known(kept)) {
                        let what = "its key is in another slot of the vault than the catalogue says";
                        self.find(format!("catalogue row {}", row.index), what, Some(row.facts.tape));
                    }
                    self.take(row);
                } else {
                    self.find(format!("catalogue row {}", row.index), "no such tape was saved by this entry", None);
                }
            }
            Ok(true)
        })?;
        self.missing(&listed, "the tape is missing in the catalogue, so no list shows it");
        Ok(())
    }

    /// Keeps what a right record says; it is the tape's own row as long as there is no other.
    fn take(&mut self, row: CatalogRow) {
        self.unread.insert(row.custody, row.subject());
        let manifest_bytes = row.facts.manifest.map(|m| m.bytes);
        self.rows.insert(row.custody, TapeRows { facts: row.facts, summary: row.summary, manifest_bytes });
    }

    /// An index by which tapes are found: `term` of each, and what it is called.
    fn index(
        &mut self,
        (name, elsewhere, unknown): Index,
        all: impl FnOnce(&mut dyn FnMut(Item) -> Result<bool>) -> Result<()>,
        term: impl Fn(&Saved) -> Option<[u8; 32]>,
    ) -> Result<()> {
        let mut known = HashSet::new();
        all(&mut |item| {
            if item.index < self.size {
                let saved = self.by_index.get(&item.index).copied();
                // Of tapes whose term is not known nothing is said.
                let is_right = saved.is_some_and(|s| term(s).is_none_or(|term| term.starts_with(&item.term)));
                if is_right {
                    known.insert(item.index);
                } else {
                    let tape = saved.map(|s| s.statement.claims().tape);
                    self.find(format!("{name} row {}", item.index), elsewhere, tape);
                }
            }
            Ok(true)
        })?;
        let terms_known = self.by_index.values().filter(|s| term(s).is_none()).map(|s| s.index);
        known.extend(terms_known);
        self.missing(&known, unknown);
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
        let tape_of = |custody: &CustodyId| tapes.get(custody).map(|s| s.statement.claims().tape);
        let mut each = |of: &mut Self, custody: CustodyId, row: SubjectRow| {
            let name = || format!("subject {}", custody.to_hex());
            match expected.get(&custody) {
                Some(entries) => {
                    seen.insert(custody);
                    let postings = queries.postings_of(&custody, &row)?;
                    let known = of.rows.get(&custody).map(|known| &known.facts);
                    if !is_right(&row, &postings, entries, tapes.get(&custody).copied(), of.size) {
                        of.find(name(), "the entries about it are not those in the log", tape_of(&custody));
                    } else if row.facts.as_ref().zip(known).is_some_and(|(facts, known)| facts != known) {
                        of.find(name(), "it and the catalogue say different things of the tape", tape_of(&custody));
                    }
                }
                None if row.first_index < of.size => of.find(name(), "the log has no entry about it", None),
                None => {}
            }
            Ok(true)
        };
        queries.subjects(&mut |custody, row| {
            self.unread.remove(&custody);
            each(self, custody, row)
        })?;
        for (custody, row) in std::mem::take(&mut self.unread) {
            each(self, custody, row)?;
        }
        let mut missing: Vec<_> = expected.iter().filter(|(custody, _)| !seen.contains(*custody)).collect();
        missing.sort_by_key(|(_, entries)| entries.indices.first());
        for (custody, _) in missing {
            self.find(format!("subject {}", custody.to_hex()), "its row is missing", tape_of(custody));
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

    /// Which labels a tape has now. A row may know a later entry than the walk came to.
    fn labels(&mut self, queries: &Queries<'_>, expected: &HashMap<CustodyId, u64>) -> Result<()> {
        let rows = queries.labelled()?;
        let is_right = |custody: &CustodyId, index: u64| expected.get(custody) == Some(&index) || index >= self.size;
        let wrong = rows.iter().filter(|(custody, index)| !is_right(custody, **index)).map(|(custody, _)| custody);
        let missing = expected.keys().filter(|custody| !rows.contains_key(*custody));
        let mut found: Vec<CustodyId> = wrong.chain(missing).copied().collect();
        found.sort_unstable();
        for custody in found {
            let tape = self.rows.get(&custody).map(|known| known.facts.tape);
            self.find(format!("labels of {}", custody.to_hex()), "they are not the newest that the log gives", tape);
        }
        Ok(())
    }
}

/// What the vault has of a tape.
struct Kept {
    term: [u8; 32],
    /// Where its record can be: slots that a crash cut are passed over when records are counted.
    slots: std::ops::RangeInclusive<u32>,
}

/// What the vault has of the saved tapes. A record that cannot be read is told elsewhere.
fn kept(checker: &Checker, saved: &SavedTapes) -> HashMap<CustodyId, Kept> {
    let vault = &checker.stores.vault;
    let epochs: HashSet<_> = saved.tapes.iter().map(|s| s.epoch).collect();
    let mut kept = HashMap::new();
    for epoch in epochs {
        let (Ok(records), Ok(next)) = (vault.records(&epoch), vault.next_slot(&epoch)) else { continue };
        let cut = next.saturating_sub(u32::try_from(records.len()).unwrap_or(u32::MAX));
        for (place, record) in (0u32..).zip(records) {
            let slots = place..=place.saturating_add(cut);
            kept.insert(record.custody_id, Kept { term: record.dedupe, slots });
        }
    }
    kept
}

/// Does the row follow from these entries? Of a row that knows later ones only the beginning is compared.
fn is_right(row: &SubjectRow, postings: &[u64], entries: &SubjectEntries, saved: Option<&Saved>, size: u64) -> bool {
    let known: Vec<u64> = postings.iter().copied().filter(|p| *p < size).collect();
    let tip_is_right =
        postings.len() > known.len() || (row.tip == entries.tip && Some(&row.last_index) == entries.indices.last());
    let facts_are_right = match (&row.facts, saved) {
        (Some(facts), Some(saved)) => knows(facts, saved),
        (None, None) => true,
        // A recording may have become a tape by one of the later entries.
        (Some(_), None) => postings.len() > known.len(),
        (None, Some(_)) => false,
    };
    known == entries.indices && entries.indices.first() == Some(&row.first_index) && tip_is_right && facts_are_right
}

/// Do these say of the tape what its entry says?
fn knows(facts: &TapeFacts, saved: &Saved) -> bool {
    (facts.tape, facts.epoch, facts.class_key) == (saved.statement.claims().tape, saved.epoch, saved.key_id)
}
