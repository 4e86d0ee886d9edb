//! The log as it lies in the journal, and whether every entry of it can be explained.

use std::path::Path;

use immutape::codec::digest::{CustodyId, Digest};
use immutape::codec::extent::Group;
use immutape::error::Result;
use immutape::ledger::Environment;
use immutape::log::{Body, Entry, EntryKind};
use immutape::store::embedded::journal::EmbeddedJournal;
use immutape::store::{Journal, Position};

use super::diary::Diary;

/// One entry.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    pub index: u64,
    pub kind: EntryKind,
    pub subject: CustodyId,
    pub body: Body,
    /// Term of its group.
    pub term: u64,
    /// Its group says "closed in order".
    pub in_last_group: bool,
    /// The last of its group.
    pub ends_group: bool,
    pub public: Vec<u8>,
    pub sealed: Vec<u8>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "entry {} of term {}: {} about {:?}", self.index, self.term, self.kind, self.subject)
    }
}

/// Every entry in the journal of a ledger folder; none when there is no ledger yet.
pub fn read_log(env: &Environment, ledger: &Path) -> Result<Vec<Line>> {
    match journal_of(env, ledger)? {
        Some(journal) => lines(&journal),
        None => Ok(Vec::new()),
    }
}

/// The journal of a ledger folder alone, for reading.
pub fn journal_of(env: &Environment, ledger: &Path) -> Result<Option<EmbeddedJournal>> {
    let folder = ledger.join("journal");
    let Some(first) = EmbeddedJournal::first_group(env.files.clone(), &folder)? else { return Ok(None) };
    let nowhere = std::path::PathBuf::from("nowhere");
    let journal = EmbeddedJournal::open(env.files.clone(), folder, nowhere.clone(), nowhere, origin_of(&first));
    journal.set_reopened(true);
    Ok(Some(journal))
}

/// `H(origin)` of the ledger whose first group this is.
pub fn origin_of(first_group: &[u8]) -> Digest {
    let group = Group::parse(first_group).unwrap();
    let (public, _) = group.records().next().unwrap().unwrap();
    let entry = Entry::decode(public).unwrap();
    let Body::Genesis(genesis) = Body::decode(entry.kind, entry.body).unwrap() else { panic!("no genesis") };
    Digest::from_bytes(immutape::codec::digest::sha256(genesis.origin.as_bytes()))
}

/// Every entry in a journal.
pub fn lines(journal: &dyn Journal) -> Result<Vec<Line>> {
    let (mut at, mut lines) = (Position { segment: 1, offset: 0 }, Vec::new());
    while let Some((_, extent, next)) = journal.read(at)? {
        let group = Group::parse(&extent).unwrap();
        let header = *group.header();
        for record in group.records() {
            let (public, sealed) = record.unwrap();
            let entry = Entry::decode(public).unwrap();
            assert_eq!(entry.index, lines.len() as u64, "an entry has the number of its place");
            lines.push(Line {
                index: entry.index,
                kind: entry.kind,
                subject: entry.subject,
                body: Body::decode(entry.kind, entry.body).unwrap(),
                term: header.term,
                in_last_group: header.clean_close(),
                ends_group: entry.index + 1 == header.size_after(),
                public: public.to_vec(),
                sealed: sealed.to_vec(),
            });
        }
        at = next;
    }
    Ok(lines)
}

/// Checks that everything answered is in the log and that nothing is there that nobody asked for.
/// Gives what was asked for, never answered, and is there all the same.
///
/// # Panics
/// With `words` when it is not so.
pub fn explain(log: &[Line], diary: &Diary, words: &str) -> Vec<Line> {
    let mut open: Vec<Option<&Line>> = log.iter().map(Some).collect();
    let mut unnumbered = Vec::new();
    for wanted in diary.wanted() {
        let Some(index) = wanted.index else {
            unnumbered.push(wanted);
            continue;
        };
        let found = open.get_mut(usize::try_from(index).unwrap()).and_then(Option::take);
        let found = found.unwrap_or_else(|| panic!("{words}: lost {wanted:?}; the log has {} entries", log.len()));
        assert_eq!((found.kind, found.subject), (wanted.kind, wanted.subject), "{words}: entry {index} is another");
    }
    for wanted in unnumbered {
        let is_it = |line: &&mut Option<&Line>| {
            line.is_some_and(|line| (line.kind, line.subject) == (wanted.kind, wanted.subject))
        };
        let found = open.iter_mut().find(is_it).unwrap_or_else(|| panic!("{words}: lost {wanted:?}"));
        *found = None;
    }
    let mut flying = diary.flying();
    let mut unanswered = Vec::new();
    for line in open.into_iter().flatten() {
        if is_own(log, line) {
            continue;
        }
        let asked = flying.iter().position(|flying| flying.kinds.contains(&line.kind));
        let asked = asked.unwrap_or_else(|| panic!("{words}: nobody asked for {line:?}; in flight were {flying:?}"));
        flying.swap_remove(asked);
        unanswered.push(line.clone());
    }
    unanswered
}

/// Is this an entry that the ledger writes about itself, in the only place where it may stand?
fn is_own(log: &[Line], line: &Line) -> bool {
    let at = usize::try_from(line.index).unwrap();
    let before = at.checked_sub(1).map(|n| &log[n]);
    match (&line.body, before) {
        (Body::Genesis(_), None) => true,
        (Body::LogStarted { term }, Some(before)) => *term == line.term && line.term > before.term,
        (Body::LogUncleanStop { term }, Some(_)) => start_of(log, at).is_some_and(|start| {
            let last = &log[start - 1];
            !last.in_last_group && *term == last.term
        }),
        (Body::Recovered { .. } | Body::RowsRebuilt { .. }, Some(_)) => start_of(log, at).is_some(),
        (Body::LogStopped { term, .. }, Some(_)) => *term == line.term && line.in_last_group && line.ends_group,
        _ => false,
    }
}

/// Where the start stands that the entry at `at` belongs to.
fn start_of(log: &[Line], at: usize) -> Option<usize> {
    let rides = |line: &Line| {
        matches!(line.body, Body::LogUncleanStop { .. } | Body::Recovered { .. } | Body::RowsRebuilt { .. })
    };
    (0..at).rev().find(|n| !rides(&log[*n])).filter(|n| matches!(log[*n].body, Body::LogStarted { .. }))
}

/// Every term but that of entry 0 begins with its start, and says so when the one before did not stop in order.
pub fn check_terms(log: &[Line], words: &str) {
    for (before, line) in log.iter().zip(log.iter().skip(1)) {
        if line.term == before.term {
            assert!(!before.in_last_group || !before.ends_group, "{words}: entry {} follows the end", line.index);
            continue;
        }
        assert!(matches!(line.body, Body::LogStarted { .. }), "{words}: term {} begins with {line:?}", line.term);
        let next = log.get(usize::try_from(line.index).unwrap() + 1);
        let says = next.is_some_and(|next| matches!(next.body, Body::LogUncleanStop { .. }));
        assert_eq!(says, !before.in_last_group, "{words}: unclean stop before entry {}", line.index);
    }
}
