//! Verdict words (6-evidence, section 6.7), findings and counts.

use crate::error::Result;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// A word of the table, in its order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Word {
    /// Everything was checked and holds.
    Intact,
    /// What is there holds; something declared is not.
    Gaps,
    /// No quorum of known witnesses vouches.
    NotAnchored,
    /// The log vouches for its own keys.
    Unpinned,
    /// A recording was begun that is no tape yet.
    UnsealedTail,
    /// The log says that it lost entries.
    EndedByLoss,
    /// Too little could be read, or a critical kind is not known.
    CannotTell,
    /// Bytes are not what they were.
    Altered,
    /// Something that must be there is not.
    Missing,
    /// It says that it is whole, and is not.
    Incomplete,
    /// Others hold a head of more entries.
    RolledBack,
    /// A signed head of another history exists.
    Forked,
}

/// Which word speaks for all: the first of these that applies.
const PRECEDENCE: [Word; 11] = [
    Word::Altered,
    Word::Forked,
    Word::RolledBack,
    Word::Missing,
    Word::Incomplete,
    Word::CannotTell,
    Word::EndedByLoss,
    Word::Unpinned,
    Word::NotAnchored,
    Word::UnsealedTail,
    Word::Gaps,
];

impl Word {
    /// As it is told.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Word::Intact => "intact",
            Word::Gaps => "intact with gaps",
            Word::NotAnchored => "not anchored",
            Word::Unpinned => "unpinned keys",
            Word::UnsealedTail => "unsealed tail",
            Word::EndedByLoss => "ended by loss",
            Word::CannotTell => "cannot tell",
            Word::Altered => "altered",
            Word::Missing => "missing",
            Word::Incomplete => "incomplete",
            Word::RolledBack => "rolled back",
            Word::Forked => "forked",
        }
    }

    /// Exit code.
    #[must_use]
    pub fn exit(self) -> u8 {
        match self {
            Word::Intact => 0,
            Word::Gaps | Word::NotAnchored | Word::Unpinned | Word::UnsealedTail | Word::EndedByLoss => 10,
            Word::CannotTell => 1,
            _ => 3,
        }
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The word that it gives.
    pub word: Word,
    /// File, entry or tape.
    pub place: String,
    /// What is wrong.
    pub what: &'static str,
}

/// Most findings that are kept; the words of all count.
const MOST_KEPT: usize = 1000;

/// What a check came to.
#[derive(Default)]
pub struct Report {
    /// Findings in the order in which they came.
    pub findings: Vec<Finding>,
    /// How many more there were.
    pub unlisted: u64,
    /// How often each check was made.
    pub checks: BTreeMap<&'static str, u64>,
    /// What was not looked at.
    pub not_checked: Vec<&'static str>,
    /// Lines for people: what, who, when.
    pub summary: Vec<String>,
    /// Keys were pinned.
    pub pinned: bool,
    /// Everything existed at the latest then, in milliseconds.
    pub anchored_ms: Option<u64>,
    /// Compared with all public halves of the log.
    pub whole_log: bool,
    /// Tapes: ids in hexadecimal.
    pub tapes: Vec<String>,
    /// A note on the verdict, such as where a log goes on.
    pub remark: Option<String>,
    words: BTreeMap<Word, u64>,
}

impl Report {
    /// Nothing found yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells something.
    pub fn find(&mut self, word: Word, place: impl Into<String>, what: &'static str) {
        let count = self.words.entry(word).or_default();
        *count = count.saturating_add(1);
        if self.findings.len() < MOST_KEPT {
            self.findings.push(Finding { word, place: place.into(), what });
        } else {
            self.unlisted = self.unlisted.saturating_add(1);
        }
    }

    /// Tells it unless it is so; counts the check.
    pub fn want(&mut self, check: &'static str, so: bool, word: Word, place: &str, what: &'static str) -> bool {
        self.count(check);
        if !so {
            self.find(word, place, what);
        }
        so
    }

    /// Tells a refusal; counts the check.
    pub fn take<T>(&mut self, check: &'static str, word: Word, place: &str, result: Result<T>) -> Option<T> {
        self.count(check);
        match result {
            Ok(value) => Some(value),
            Err(why) => {
                self.find(word, place, why.0);
                None
            }
        }
    }

    /// Takes over findings and counts of a part.
    pub fn absorb(&mut self, part: Report) {
        for finding in part.findings {
            self.find(finding.word, finding.place, finding.what);
        }
        for (word, times) in part.words {
            let count = self.words.entry(word).or_default();
            *count = (*count).max(times);
        }
        self.unlisted = self.unlisted.saturating_add(part.unlisted);
        for (check, times) in part.checks {
            let count = self.checks.entry(check).or_default();
            *count = count.saturating_add(times);
        }
    }

    /// One check more.
    pub fn count(&mut self, check: &'static str) {
        let count = self.checks.entry(check).or_default();
        *count = count.saturating_add(1);
    }

    /// Something that is not looked at.
    pub fn skip(&mut self, what: &'static str) {
        if !self.not_checked.contains(&what) {
            self.not_checked.push(what);
        }
    }

    /// A line for people. Whatever came from outside has to be escaped by then.
    pub fn say(&mut self, line: String) {
        if self.summary.len() < MOST_KEPT {
            self.summary.push(line);
        }
    }

    /// All words that apply, in the order of the table. `intact` alone where there is none.
    #[must_use]
    pub fn words(&self) -> Vec<Word> {
        let grave = self.words.keys().any(|word| matches!(word.exit(), 1 | 3));
        let told: Vec<Word> = self.words.keys().copied().filter(|word| *word != Word::Gaps || !grave).collect();
        if !told.is_empty() {
            return told;
        }
        // Nothing looked at is nothing proved.
        alloc::vec![if self.checks.is_empty() { Word::CannotTell } else { Word::Intact }]
    }

    /// The word for all.
    #[must_use]
    pub fn verdict(&self) -> Word {
        let words = self.words();
        PRECEDENCE
            .into_iter()
            .find(|word| words.contains(word))
            .unwrap_or_else(|| words.first().copied().unwrap_or(Word::CannotTell))
    }
}

/// Bytes from outside as text that does nothing to a terminal: ASCII as it is, all else escaped.
#[must_use]
pub fn shown(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes.iter().take(200) {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b' '..=b'~' => out.push(char::from(*byte)),
            other => out.push_str(&alloc::format!("\\x{other:02x}")),
        }
    }
    if bytes.len() > 200 {
        out.push_str("...");
    }
    out
}

/// A moment in UTC: `2023-11-14 22:13:20.000Z`. Past the year 9999 as the number.
#[must_use]
pub fn moment(ms: u64) -> String {
    const DAY: u64 = 86_400_000;
    let (days, rest) = (ms / DAY, ms % DAY);
    if days > 2_932_896 {
        return alloc::format!("{ms} ms");
    }
    // Civil date of the proleptic Gregorian calendar, by eras of 400 years that begin in March.
    let shifted = days.saturating_add(719_468);
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let lost = (day / 1_460).saturating_sub(day / 36_524).saturating_add(day / 146_096);
    let year = day.saturating_sub(lost) / 365;
    let before = year.saturating_mul(365).saturating_add(year / 4).saturating_sub(year / 100);
    let in_year = day.saturating_sub(before);
    let month = in_year.saturating_mul(5).saturating_add(2) / 153;
    let start = month.saturating_mul(153).saturating_add(2) / 5;
    let date = in_year.saturating_sub(start).saturating_add(1);
    let month = if month < 10 { month.saturating_add(3) } else { month.saturating_sub(9) };
    let year = era.saturating_mul(400).saturating_add(year).saturating_add(u64::from(month <= 2));
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1000 % 60, rest % 1000);
    alloc::format!("{year:04}-{month:02}-{date:02} {hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}
