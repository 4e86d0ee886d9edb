//! Findings, checks with their counts, and the word they add up to.

use std::collections::HashSet;

use crate::codec::digest::TapeId;
use crate::error::{Code, Error};

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing; the evidence stands.
    Note,
    /// Intact, but something is missing that was declared or could not be checked.
    Gap,
    /// What is stored is not what was stored.
    Altered,
}

/// One finding, with the place it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// How grave.
    pub severity: Severity,
    /// The word for it, where it has one besides that of its severity.
    pub word: Option<Verdict>,
    /// What was being checked: "journal", "rows", "object", "statement", "head", "vault", "keys".
    pub part: &'static str,
    /// File, entry or object.
    pub place: String,
    /// What is wrong, in a sentence.
    pub what: String,
    /// The tape it touches, when known.
    pub tape: Option<TapeId>,
    /// Index of the entry, when known.
    pub entry: Option<u64>,
}

/// One kind of check with the number of things it looked at. Zero things is a failure, never "ok".
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// How many.
    pub checked: u64,
    /// How many were wrong.
    pub wrong: u64,
    /// Why it was not done, when it was not; a skipped check is never "ok".
    pub skipped: Option<&'static str>,
    /// More words for people.
    pub detail: String,
}

/// The word that a check adds up to: `docs/format/6-evidence.md` 6.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// Everything checked holds.
    Intact,
    /// Everything checked holds; something declared is missing or was not checked.
    IntactWithGaps,
    /// A recording was begun that is no tape yet.
    UnsealedTail,
    /// No quorum of known witnesses vouches that this is the log that others see.
    NotAnchored,
    /// The log vouches for its own keys.
    UnpinnedKeys,
    /// What is there holds; entries are lost, the log says so itself, and goes on as another.
    EndedByLoss,
    /// Too little could be read to say.
    CannotTell,
    /// It says that it is whole, and is not.
    Incomplete,
    /// Something that must be there is not.
    Missing,
    /// Others hold a head of more entries than the log has.
    RolledBack,
    /// A signed head of another history exists.
    Forked,
    /// Something stored is not what was stored.
    Altered,
}

impl Verdict {
    /// Every word, in the order of the table in chapter 6.7.
    pub const TABLE: [Self; 12] = [
        Self::Intact,
        Self::IntactWithGaps,
        Self::NotAnchored,
        Self::UnpinnedKeys,
        Self::UnsealedTail,
        Self::EndedByLoss,
        Self::CannotTell,
        Self::Altered,
        Self::Missing,
        Self::Incomplete,
        Self::RolledBack,
        Self::Forked,
    ];

    /// Every word, the one that counts before all others first.
    pub const BY_WEIGHT: [Self; 12] = [
        Self::Altered,
        Self::Forked,
        Self::RolledBack,
        Self::Missing,
        Self::Incomplete,
        Self::CannotTell,
        Self::EndedByLoss,
        Self::UnpinnedKeys,
        Self::NotAnchored,
        Self::UnsealedTail,
        Self::IntactWithGaps,
        Self::Intact,
    ];

    /// The word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Intact => "intact",
            Self::IntactWithGaps => "intact with gaps",
            Self::NotAnchored => "not anchored",
            Self::UnpinnedKeys => "unpinned keys",
            Self::UnsealedTail => "unsealed tail",
            Self::EndedByLoss => "ended by loss",
            Self::CannotTell => "cannot tell",
            Self::Altered => "altered",
            Self::Missing => "missing",
            Self::Incomplete => "incomplete",
            Self::RolledBack => "rolled back",
            Self::Forked => "forked",
        }
    }

    /// The number in a `verified` entry.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Intact => 0,
            Self::IntactWithGaps => 1,
            Self::Altered => 2,
            Self::CannotTell => 3,
            Self::Missing => 4,
            Self::NotAnchored => 5,
            Self::RolledBack => 6,
            Self::Forked => 7,
            Self::EndedByLoss => 8,
            Self::UnsealedTail => 9,
            Self::Incomplete => 10,
            Self::UnpinnedKeys => 11,
        }
    }

    /// The verdict with this number in a `verified` entry.
    ///
    /// ```
    /// use immutape::evidence::Verdict;
    /// assert_eq!(Verdict::of_number(8), Some(Verdict::EndedByLoss));
    /// assert_eq!(Verdict::of_number(99), None);
    /// ```
    #[must_use]
    pub fn of_number(number: u64) -> Option<Self> {
        Self::TABLE.into_iter().find(|verdict| verdict.number() == number)
    }

    /// The word that an error of a ledger stands for where it has one of its own: `altered` is what the others come to.
    pub(crate) const fn of_code(code: Code) -> Option<Self> {
        match code {
            Code::LogRollback | Code::VaultRollback => Some(Self::RolledBack),
            Code::LogFork => Some(Self::Forked),
            Code::LedgerMissing | Code::HeadMissing | Code::VaultMissing | Code::NotFound => Some(Self::Missing),
            _ => None,
        }
    }

    /// The process exit code.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Intact => 0,
            Self::IntactWithGaps | Self::NotAnchored | Self::UnpinnedKeys | Self::UnsealedTail | Self::EndedByLoss => {
                10
            }
            Self::CannotTell => 1,
            Self::Altered | Self::Missing | Self::Incomplete | Self::RolledBack | Self::Forked => 3,
        }
    }
}

/// Everything a check of a ledger or a tape came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Report {
    /// Checks made, in order.
    pub checks: Vec<Check>,
    /// Findings, in order.
    pub findings: Vec<Finding>,
    /// Where the log ended, and as what it goes on, by a statement that it signed itself.
    pub ended: Option<String>,
}

impl Report {
    /// Adds a check that looked at `checked` things.
    pub fn check(&mut self, name: &'static str, checked: u64, wrong: u64, detail: impl Into<String>) {
        self.checks.push(Check { name, checked, wrong, skipped: None, detail: detail.into() });
    }

    /// Adds a check that was not made.
    pub fn skip(&mut self, name: &'static str, why: &'static str) {
        self.checks.push(Check { name, checked: 0, wrong: 0, skipped: Some(why), detail: String::new() });
    }

    /// Adds a finding.
    pub fn find(
        &mut self,
        severity: Severity,
        part: &'static str,
        place: impl Into<String>,
        what: impl Into<String>,
    ) -> &mut Finding {
        let (place, what) = (place.into(), what.into());
        self.findings.push(Finding { severity, word: None, part, place, what, tape: None, entry: None });
        let last = self.findings.len().saturating_sub(1);
        #[expect(clippy::indexing_slicing, reason = "pushed in the line above")]
        &mut self.findings[last]
    }

    /// Adds an error as a finding, with the word of its code.
    pub fn find_error(
        &mut self,
        severity: Severity,
        part: &'static str,
        place: impl Into<String>,
        e: &Error,
    ) -> &mut Finding {
        let finding = self.find(severity, part, place, e.message().to_owned());
        finding.word = Verdict::of_code(e.code()).filter(|_| severity == Severity::Altered);
        finding
    }

    /// The word: of all that apply the one that counts before the others.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let found = self.found();
        Verdict::BY_WEIGHT.into_iter().find(|word| found.contains(word)).unwrap_or(Verdict::Intact)
    }

    /// Every word that applies, in the order of the table. That what is there holds is said only where nothing is worse.
    #[must_use]
    pub fn words(&self) -> Vec<Verdict> {
        let mut found = self.found();
        if found.iter().any(|word| matches!(word.exit_code(), 1 | 3)) {
            found.remove(&Verdict::IntactWithGaps);
        }
        if found.is_empty() {
            found.insert(Verdict::Intact);
        }
        Verdict::TABLE.into_iter().filter(|word| found.contains(word)).collect()
    }

    fn found(&self) -> HashSet<Verdict> {
        let mut found: HashSet<Verdict> = self.findings.iter().filter_map(Finding::word).collect();
        let made = || self.checks.iter().filter(|c| c.skipped.is_none());
        let is_empty = made().next().is_none() || made().any(|check| check.checked == 0);
        // A check that came to nothing because of what was told adds no word to it.
        if is_empty && found.iter().all(|word| word.exit_code() != 3) {
            found.insert(Verdict::CannotTell);
        }
        if self.ended.is_some() {
            found.insert(Verdict::EndedByLoss);
        }
        found
    }
}

impl Finding {
    /// The word that it adds; `None` of what is only worth knowing.
    #[must_use]
    pub fn word(&self) -> Option<Verdict> {
        self.word.or(match self.severity {
            Severity::Note => None,
            Severity::Gap => Some(Verdict::IntactWithGaps),
            Severity::Altered => Some(Verdict::Altered),
        })
    }
}

/// Parts of a ledger by their numbers in `integrity.failed` (`docs/format/4-commit.md`, kind 7).
pub(crate) fn part_of_ledger(number: u64) -> Option<&'static str> {
    const PARTS: [&str; 9] = [
        "the journal",
        "a stored object",
        "the query copy of the log",
        "the signed head",
        "the vault",
        "the keys",
        "the spool of a recording",
        "the anchors",
        "a key that was given up",
    ];
    usize::try_from(number).ok().and_then(|n| PARTS.get(n).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_checked_is_never_ok() {
        assert_eq!(Report::default().verdict(), Verdict::CannotTell);
        let mut r = Report::default();
        r.check("entries", 0, 0, "");
        assert_eq!(r.verdict(), Verdict::CannotTell);
        let mut r = Report::default();
        r.skip("tape roots", "no vault");
        assert_eq!(r.verdict(), Verdict::CannotTell);
    }

    /// The table of the format: each word once, its number its own, and no graver word behind a lighter one.
    #[test]
    fn the_words_are_those_of_the_format() {
        let numbers: std::collections::BTreeSet<u64> = Verdict::TABLE.iter().map(|v| v.number()).collect();
        assert_eq!(numbers.into_iter().collect::<Vec<_>>(), (0..=11).collect::<Vec<_>>());
        let exits: Vec<u8> = Verdict::BY_WEIGHT.iter().map(|v| v.exit_code()).collect();
        assert_eq!(exits, [3, 3, 3, 3, 3, 1, 10, 10, 10, 10, 10, 0]);
        assert!(Verdict::TABLE.iter().all(|v| Verdict::BY_WEIGHT.contains(v)));
        let text = include_str!("../../docs/format/6-evidence.md");
        for verdict in Verdict::TABLE {
            let row = format!("| {} | {} |", verdict.word(), verdict.exit_code());
            assert!(text.contains(&row), "{row}");
        }
        let kinds = include_str!("../../docs/format/4-commit.md");
        for verdict in Verdict::TABLE {
            assert!(kinds.contains(&format!("{} {}", verdict.number(), verdict.word())), "{verdict:?}");
        }
    }

    #[test]
    fn the_gravest_finding_decides() {
        let mut r = Report::default();
        r.check("entries", 3, 0, "");
        assert_eq!(r.verdict(), Verdict::Intact);
        r.find(Severity::Note, "head", "head", "older but consistent");
        assert_eq!(r.verdict(), Verdict::Intact);
        r.find(Severity::Gap, "keys", "config", "unpinned");
        assert_eq!(r.verdict(), Verdict::IntactWithGaps);
        r.find(Severity::Altered, "object", "packs/00000001.pack", "differs");
        assert_eq!(r.verdict(), Verdict::Altered);
    }

    /// A word of its own stands beside the others, and the weightiest is the verdict.
    #[test]
    fn words_of_their_own() {
        let mut r = Report::default();
        r.check("entries", 3, 0, "");
        r.find(Severity::Note, "recordings", "recording 51", "not sealed yet").word = Some(Verdict::UnsealedTail);
        assert_eq!((r.verdict(), r.words()), (Verdict::UnsealedTail, vec![Verdict::UnsealedTail]));
        r.find(Severity::Gap, "rows", "index", "not looked at");
        assert_eq!(r.words(), [Verdict::IntactWithGaps, Verdict::UnsealedTail]);
        r.ended = Some("ended by loss at 3".into());
        assert_eq!(r.verdict(), Verdict::EndedByLoss);
        let code = |code: Code| Error::new(code, "x");
        r.find_error(Severity::Gap, "head", "head", &code(Code::LogRollback));
        assert_eq!(r.verdict(), Verdict::EndedByLoss, "a loss that the log stated itself");
        for (of, word) in [
            (Code::HeadMissing, Verdict::Missing),
            (Code::LogRollback, Verdict::RolledBack),
            (Code::LogFork, Verdict::Forked),
            (Code::LogDamaged, Verdict::Altered),
        ] {
            r.find_error(Severity::Altered, "head", "head", &code(of));
            assert_eq!(r.verdict(), word);
        }
        let all = [Verdict::UnsealedTail, Verdict::EndedByLoss, Verdict::Altered, Verdict::Missing];
        assert_eq!(r.words(), [&all[..], &[Verdict::RolledBack, Verdict::Forked]].concat());
    }
}
