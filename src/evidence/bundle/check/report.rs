//! What a check of a bundle or a published tree came to.

use crate::codec::digest::{CustodyId, Digest, TapeId};
use crate::evidence::{Check, Verdict};
use crate::log::Checkpoint;

use super::super::Completeness;

/// Findings that are told, of each word; a hostile file could have millions. Every one counts.
const TOLD_MAX: u64 = 100;

/// Names of the checks, in the order in which they are told.
pub(super) mod part {
    pub(in super::super) const BAG: &str = "bag";
    pub(in super::super) const COMPLETENESS: &str = "completeness";
    pub(in super::super) const ENTRIES: &str = "entries";
    pub(in super::super) const HEAD: &str = "head";
    pub(in super::super) const PRIVATE: &str = "private halves";
    pub(in super::super) const ANCHORS: &str = "anchors";
    pub(in super::super) const TAPES: &str = "tapes";
    pub(in super::super) const FRAMES: &str = "frames";
    pub(in super::super) const FILES: &str = "time and keys";
    pub(in super::super) const ACCOUNTING: &str = "accounting";
    pub(in super::super) const PINS: &str = "pins";
    pub(in super::super) const TREE: &str = "whole log";
    pub(in super::super) const ALL: [&str; 12] =
        [BAG, COMPLETENESS, ENTRIES, HEAD, PRIVATE, ANCHORS, TAPES, FRAMES, FILES, ACCOUNTING, PINS, TREE];
}

/// One thing that was found: a word with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// The word it calls for.
    pub word: Verdict,
    /// Name of the check.
    pub check: &'static str,
    /// File, entry or tape; text of a file name may come from outside.
    pub place: String,
    /// What it is, in a sentence.
    pub what: String,
}

/// A tape that a bundle gives.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GivenTape {
    /// Tape id.
    pub tape: TapeId,
    /// Its name from open to death.
    pub custody: CustodyId,
    /// Index of its `tape.saved`.
    pub entry: u64,
    /// When the log says that it was saved: milliseconds since 1970.
    pub saved_ms: Option<u64>,
    /// Frames of the tape.
    pub frames: u64,
    /// Frames that are here.
    pub frames_here: u64,
    /// Entries about it that are here.
    pub links: u64,
    /// It was saved at the latest at this time, by a quorum of the given witnesses: milliseconds since 1970.
    pub anchored_ms: Option<u64>,
}

/// What a check of a bundle or a published tree came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BundleReport {
    /// Checks made, with how many things each looked at.
    pub checks: Vec<Check>,
    /// Findings, in order, at most 100 of each word.
    pub findings: Vec<Found>,
    /// Findings that are not among them.
    pub untold: u64,
    /// SHA-256 of the tag manifest, where it could be read.
    pub digest: Option<Digest>,
    /// What was asked and is given, where that could be read.
    pub completeness: Option<Completeness>,
    /// Tapes that are given, ascending by id.
    pub tapes: Vec<GivenTape>,
    /// The head that everything hangs under.
    pub head: Option<Checkpoint>,
    /// Everything existed at the latest at this time, by a quorum of the given witnesses: milliseconds since 1970.
    pub anchored_ms: Option<u64>,
    /// Was it compared with all public halves of the log? Otherwise it is complete up to the last entry by the ledger's claim.
    pub whole_log: bool,
    /// The log is one for tests: its keys come from a number.
    pub test: bool,
    words: Vec<Verdict>,
}

impl BundleReport {
    /// All words that apply, in the order of the table in chapter 6.7.
    #[must_use]
    pub fn words(&self) -> Vec<Verdict> {
        let is_grave = self.words.iter().any(|word| matches!(word.exit_code(), 1 | 3));
        let applies = |word: &Verdict| self.words.contains(word) && !(is_grave && *word == Verdict::IntactWithGaps);
        let words: Vec<_> = Verdict::TABLE.into_iter().filter(applies).collect();
        if words.is_empty() { vec![Verdict::Intact] } else { words }
    }

    /// The one word.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let words = self.words();
        Verdict::BY_WEIGHT.into_iter().find(|word| words.contains(word)).unwrap_or(Verdict::CannotTell)
    }

    /// Ids of the given tapes, ascending.
    #[must_use]
    pub fn ids(&self) -> Vec<TapeId> {
        let ids: std::collections::BTreeSet<[u8; 32]> = self.tapes.iter().map(|tape| *tape.tape.as_bytes()).collect();
        ids.into_iter().map(TapeId::from_bytes).collect()
    }

    /// Nothing could be opened: a word, with the reason.
    #[must_use]
    pub fn unopened(word: Verdict, place: impl Into<String>, what: impl Into<String>) -> Self {
        let mut report = Self::default();
        report.find(word, part::BAG, place, what);
        report.not_pinned();
        report.not_anchored("nothing was there that a witness could have signed");
        report
    }

    /// What it was to be checked with is nothing to check with: nothing was looked at, and this word is the only one.
    #[must_use]
    pub fn unasked(what: impl Into<String>) -> Self {
        let mut report = Self::default();
        report.find(Verdict::CannotTell, part::PINS, "arguments", what);
        report
    }

    pub(super) fn not_pinned(&mut self) {
        let what = "no checkpoint key and recorder key from elsewhere were given that are those of this log";
        self.find(Verdict::UnpinnedKeys, part::PINS, "keys", what);
    }

    pub(super) fn not_anchored(&mut self, what: &'static str) {
        self.find(Verdict::NotAnchored, part::PINS, "log/checkpoint", what);
    }

    /// Adds a finding.
    pub(super) fn find(
        &mut self,
        word: Verdict,
        check: &'static str,
        place: impl Into<String>,
        what: impl Into<String>,
    ) {
        self.tally(check, 0, u64::from(matches!(word.exit_code(), 1 | 3)));
        if !self.words.contains(&word) {
            self.words.push(word);
        }
        let told = self.findings.iter().filter(|found| found.word == word).count() as u64;
        if told < TOLD_MAX {
            self.findings.push(Found { word, check, place: place.into(), what: what.into() });
        } else {
            self.untold = self.untold.saturating_add(1);
        }
    }

    pub(super) fn altered(&mut self, check: &'static str, place: impl Into<String>, what: impl Into<String>) {
        self.find(Verdict::Altered, check, place, what);
    }

    pub(super) fn missing(&mut self, check: &'static str, place: impl Into<String>, what: impl Into<String>) {
        self.find(Verdict::Missing, check, place, what);
    }

    pub(super) fn incomplete(&mut self, check: &'static str, place: impl Into<String>, what: impl Into<String>) {
        self.find(Verdict::Incomplete, check, place, what);
    }

    /// So many things were looked at.
    pub(super) fn looked(&mut self, check: &'static str, count: u64) {
        self.tally(check, count, 0);
    }

    fn tally(&mut self, name: &'static str, checked: u64, wrong: u64) {
        if let Some(check) = self.checks.iter_mut().find(|check| check.name == name) {
            check.checked = check.checked.saturating_add(checked);
            check.wrong = check.wrong.saturating_add(wrong);
            return;
        }
        let rank = |name: &str| part::ALL.iter().position(|known| *known == name);
        self.checks.push(Check { name, checked, wrong, skipped: None, detail: String::new() });
        self.checks.sort_by_key(|check| rank(check.name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_told_where_nothing_graver_is() {
        let mut report = BundleReport::default();
        assert_eq!((report.verdict(), report.words()), (Verdict::Intact, vec![Verdict::Intact]));
        report.find(Verdict::IntactWithGaps, part::TAPES, "x", "y");
        report.not_anchored("z");
        assert_eq!(report.words(), [Verdict::IntactWithGaps, Verdict::NotAnchored]);
        assert_eq!(report.verdict(), Verdict::NotAnchored);
        report.incomplete(part::ACCOUNTING, "x", "y");
        assert_eq!(report.words(), [Verdict::NotAnchored, Verdict::Incomplete]);
        report.altered(part::BAG, "x", "y");
        assert_eq!(report.verdict(), Verdict::Altered);
        assert_eq!(report.checks.iter().map(|c| c.name).collect::<Vec<_>>(), ["bag", "tapes", "accounting", "pins"]);
    }

    #[test]
    fn a_million_faults_are_counted_and_a_hundred_told() {
        let mut report = BundleReport::default();
        for n in 0..1_000 {
            report.altered(part::ENTRIES, format!("entry {n}"), "x");
        }
        report.missing(part::BAG, "x", "y");
        assert_eq!((report.findings.len(), report.untold, report.checks[1].wrong), (101, 900, 1_000));
    }

    #[test]
    fn what_was_not_opened_is_neither_pinned_nor_anchored() {
        let report = BundleReport::unopened(Verdict::CannotTell, "x", "y");
        let words = [Verdict::NotAnchored, Verdict::UnpinnedKeys, Verdict::CannotTell];
        assert_eq!((report.verdict(), report.words()), (Verdict::CannotTell, words.to_vec()));
        assert!(report.ids().is_empty());
    }
}
