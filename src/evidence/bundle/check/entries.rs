//! `entries.cbor`: checks 3 to 6. One entry is in memory at a time; of each a few facts are kept.

use std::collections::{BTreeMap, HashMap};

use super::super::{BundleError, ENTRIES_MAX, EvidenceEntry, Membership, Opened, path, read_set_proof, root_of_set};
use super::anchors;
use super::entry::PublicHalf;
use super::keys::LogKeys;
use super::pins::Pins;
use super::report::{BundleReport, part};
use super::sequence::{Sequence, Stopped};
use super::source::{Paths, Unread};
use super::walk::{Mark, Said, Saved, Walk};
use crate::codec::digest::{CustodyId, Digest, LeafHash, sha256};
use crate::codec::limits::NOTE_BYTES_MAX;
use crate::evidence::Verdict;
use crate::log::{AnchorBody, Body, Checkpoint, EntryKind, EvidenceBody, LogError, PrivateHalf};
use crate::proof::verify_consistency;
use crate::seal::PersonStatement;

/// An entry, its private half, and hundred thousand memberships.
const ITEM_BYTES_MAX: usize = 64 << 20;
/// FORMAT. 2^21 hashes of 34 bytes.
pub(super) const PATHS_BYTES_MAX: u64 = (1 << 21) * 34 + 16;
const PRIVATE_LABEL: &str = "immutape/private/1";
const PRIVATE_KEY_MAX: u64 = 63;

/// How much of a private half is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Private {
    Closed,
    /// All but these fields.
    Open(Vec<u64>),
}

/// What is kept of an entry.
#[derive(Debug, Clone)]
pub(super) struct Fact {
    pub index: u64,
    pub time_ms: u64,
    pub kind: EntryKind,
    pub subject: CustodyId,
    pub seq: u64,
    pub leaf: LeafHash,
    pub private: Private,
    /// Does it show that a tape was in its set?
    pub has_member: bool,
}

/// An `evidence.made`.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub entry: u64,
    pub bundle: [u8; 16],
    pub commitment: Digest,
    pub tapes: u64,
    /// Salt and digest of what left, where that field is open.
    pub exported: Option<([u8; 32], Digest)>,
}

/// Everything that is known of the entries of a bundle.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// By the entries of the bundle.
    pub keys: Option<LogKeys>,
    /// By those of a published tree, which may know of keys and revocations that came after the bundle.
    later: Option<LogKeys>,
    /// Ascending by index.
    pub facts: Vec<Fact>,
    pub said: Said,
    pub made: HashMap<u64, Made>,
    /// Files in `time/` that entries call for, with the digest of their bytes.
    pub time_files: BTreeMap<String, Digest>,
    /// What `log/checkpoint` says, whoever signed it.
    pub head: Option<Checkpoint>,
    /// Does it hold?
    pub head_holds: bool,
    pub anchored_ms: Option<u64>,
    /// Was `entries.cbor` there?
    pub was_read: bool,
    /// Of each subject, where its facts, saves and marks stand in their lists.
    subjects: HashMap<CustodyId, [Vec<usize>; 3]>,
}

impl Log {
    /// The keys by all that is known.
    pub(super) fn known_keys(&self) -> Option<&LogKeys> {
        self.later.as_ref().or(self.keys.as_ref())
    }

    pub(super) fn at(&self, index: u64) -> Option<&Fact> {
        self.facts.binary_search_by_key(&index, |fact| fact.index).ok().and_then(|at| self.facts.get(at))
    }

    fn places(&self, subject: &CustodyId, list: usize) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.subjects.get(subject).and_then(|lists| lists.get(list)).into_iter().flatten().copied()
    }

    /// Entries about one subject, in order.
    pub(super) fn about(&self, subject: &CustodyId) -> impl DoubleEndedIterator<Item = &Fact> {
        self.places(subject, 0).filter_map(|at| self.facts.get(at))
    }

    /// Entries that saved one tape.
    pub(super) fn saved(&self, subject: &CustodyId) -> impl Iterator<Item = &Saved> {
        self.places(subject, 1).filter_map(|at| self.said.saved.get(at))
    }

    /// Marks of one recording.
    pub(super) fn marks(&self, subject: &CustodyId) -> impl Iterator<Item = &Mark> {
        self.places(subject, 2).filter_map(|at| self.said.marks.get(at))
    }

    fn index(&mut self) {
        let facts = self.facts.iter().map(|fact| fact.subject).enumerate().map(|(at, of)| (0, at, of));
        let saved = self.said.saved.iter().map(|saved| saved.custody).enumerate().map(|(at, of)| (1, at, of));
        let marks = self.said.marks.iter().map(|mark| mark.custody).enumerate().map(|(at, of)| (2, at, of));
        let mut subjects: HashMap<CustodyId, [Vec<usize>; 3]> = HashMap::new();
        for (list, at, of) in facts.chain(saved).chain(marks) {
            subjects.entry(of).or_default().iter_mut().skip(list).take(1).for_each(|list| list.push(at));
        }
        self.subjects = subjects;
    }
}

fn entries<'a>(paths: &Paths<'a>) -> Result<Sequence<'a, EvidenceEntry>, Unread> {
    Ok(Sequence::new(paths.open(path::ENTRIES)?, ITEM_BYTES_MAX, EvidenceEntry::read))
}

/// Makes checks 3 to 6. `later` are keys by a published tree; `is_told` says of which tapes a gap is told.
pub(super) fn check(
    paths: &Paths<'_>,
    (pins, later): (&Pins, Option<LogKeys>),
    is_told: impl Fn(&CustodyId) -> bool,
    report: &mut BundleReport,
) -> Log {
    let mut log = Log::default();
    if let Ok(entries) = entries(paths) {
        log.was_read = true;
        log.keys = first_walk(entries);
        log.later = later.filter(|later| log.keys.as_ref().is_some_and(|keys| later.goes_on(keys)));
    }
    head(paths, pins, &mut log, report);
    let Ok(mut entries) = entries(paths) else { return log };
    let (keys, later) = (log.keys.take(), log.later.take());
    let mut walk = Walk::new(later.as_ref().or(keys.as_ref()), pins, false);
    for item in entries.by_ref().take(ENTRIES_MAX) {
        one(&item, &mut walk, &mut log, report);
    }
    if entries.next().is_some() {
        report.altered(part::ENTRIES, path::ENTRIES, "more entries than a bundle may have");
    }
    if let Some(stopped) = entries.stopped() {
        let word = if matches!(stopped, Stopped::Io(_)) { Verdict::CannotTell } else { Verdict::Altered };
        report.find(word, part::ENTRIES, path::ENTRIES, stopped.to_string());
    }
    log.said = walk.finish(is_told, report);
    match &keys {
        Some(keys) => keys.tell(report),
        None => report.missing(part::ENTRIES, "entry 0", "the entry that names the log and its keys is not here"),
    }
    (log.keys, log.later) = (keys, later);
    log.index();
    set_proof(paths, &log, report);
    log
}

/// The keys, from what entries say of them.
fn first_walk(entries: Sequence<'_, EvidenceEntry>) -> Option<LogKeys> {
    let mut keys = None;
    for item in entries.take(ENTRIES_MAX) {
        if let Ok(half) = PublicHalf::read(&item.public) {
            LogKeys::take(&mut keys, &half);
        }
    }
    keys
}

/// Check 4, for the head.
fn head(paths: &Paths<'_>, pins: &Pins, log: &mut Log, report: &mut BundleReport) {
    let text = paths.parse(path::CHECKPOINT, NOTE_BYTES_MAX as u64, |bytes| {
        String::from_utf8(bytes.to_vec()).map_err(|_| "it is not text".to_owned())
    });
    let text = match text {
        Some(Ok(text)) => text,
        Some(Err(why)) => return report.altered(part::HEAD, path::CHECKPOINT, why),
        None => return,
    };
    report.looked(part::HEAD, 1);
    log.head = anchors::said(&text);
    let read = match log.known_keys() {
        Some(keys) => anchors::read_head(&text, keys, pins).map(|(_, anchored_ms)| anchored_ms),
        None => Ok(None),
    };
    match read {
        Ok(anchored_ms) if log.head.is_some() => {
            log.head_holds = log.keys.is_some();
            log.anchored_ms = anchored_ms;
        }
        Ok(_) => report.altered(part::HEAD, path::CHECKPOINT, "it is no head"),
        // What makes it doubtful is told of at its entry.
        Err(LogError::Unsigned) if log.keys.as_ref().is_some_and(|keys| keys.is_doubtful) => {}
        Err(e) => report.altered(part::HEAD, path::CHECKPOINT, format!("the head does not hold: {e}")),
    }
}

/// Check 5, and that the head is of more entries than the last index.
fn set_proof(paths: &Paths<'_>, log: &Log, report: &mut BundleReport) {
    let Some(head) = &log.head else { return };
    if log.facts.last().is_some_and(|last| last.index >= head.size) {
        report.altered(part::HEAD, path::CHECKPOINT, "the head is of fewer entries than are here");
    }
    let read = |bytes: &[u8]| read_set_proof(bytes).map_err(|e| e.to_string());
    let Some(hashes) = paths.parse(path::LOG_PATHS, PATHS_BYTES_MAX, read) else { return };
    report.looked(part::HEAD, 1);
    let leaves: Vec<_> = log.facts.iter().map(|fact| (fact.index, fact.leaf)).collect();
    match hashes.map(|hashes| root_of_set(head.size, &leaves, &hashes)) {
        Ok(Ok(root)) if root == head.root => {}
        Ok(_) => report.altered(part::HEAD, path::LOG_PATHS, "it does not lead from the entries to the head"),
        Err(why) => report.altered(part::HEAD, path::LOG_PATHS, why),
    }
}

fn one(item: &EvidenceEntry, walk: &mut Walk<'_>, log: &mut Log, report: &mut BundleReport) {
    let half = match PublicHalf::read(&item.public) {
        Ok(half) => half,
        Err(e) => {
            let place = format!("item {} of {}", log.facts.len(), path::ENTRIES);
            return report.altered(part::ENTRIES, place, e.to_string());
        }
    };
    if !walk.take(&half, report) {
        return;
    }
    let exported = item.opened.as_ref().and_then(|opened| private(&half, opened, report)).and_then(|p| p.exported);
    members(item, &half, report);
    consistency(item, &half, log.head.as_ref(), report);
    let index = half.entry.index;
    if let Body::Evidence(EvidenceBody::Made { bundle, commitment, tapes }) = &half.body {
        let made = Made { entry: index, bundle: *bundle, commitment: *commitment, tapes: *tapes, exported };
        log.made.insert(index, made);
    }
    if let Body::Anchor(AnchorBody::Timestamped { note, token, .. }) = &half.body {
        for (end, bytes) in [("note", note), ("tst", token)] {
            log.time_files.insert(format!("data/time/{index}.{end}"), Digest::from_bytes(sha256(bytes)));
        }
    }
    log.facts.push(Fact {
        index,
        time_ms: half.entry.time.as_ms(),
        kind: half.entry.kind,
        subject: half.entry.subject,
        seq: half.entry.subject_seq,
        leaf: half.leaf,
        private: how_open(item.opened.as_ref()),
        has_member: !item.members.is_empty(),
    });
}

/// Opened fields are those that were committed, and of the types of 4.4.
fn private(half: &PublicHalf<'_>, opened: &Opened, report: &mut BundleReport) -> Option<PrivateHalf> {
    report.looked(part::PRIVATE, 1);
    let place = format!("entry {}", half.entry.index);
    if !has_few(opened) {
        // Nor is anything more made of so many of them.
        report.altered(part::PRIVATE, place, "a private half has no field of this number");
        return None;
    }
    match opened.verify(PRIVATE_LABEL) {
        Ok(commitment) if commitment == half.entry.commitment => {}
        Ok(_) => report.altered(part::PRIVATE, place.as_str(), "its private half is not the one that was committed"),
        Err(e) => report.altered(part::PRIVATE, place.as_str(), e.to_string()),
    }
    match read_private(&opened.map()) {
        Ok(private) => Some(private),
        Err(e) => {
            report.altered(part::PRIVATE, place, format!("an opened field is none: {e}"));
            None
        }
    }
}

/// What is no private half was told as that, and has no fields of which one could be withheld.
fn how_open(opened: Option<&Opened>) -> Private {
    match opened {
        None => Private::Closed,
        Some(opened) if has_few(opened) => Private::Open(opened.closed()),
        Some(_) => Private::Open(Vec::new()),
    }
}

fn has_few(opened: &Opened) -> bool {
    opened.numbers().all(|number| number <= PRIVATE_KEY_MAX)
}

/// A map of fields of a private half, personal statements too.
///
/// # Errors
/// [`BundleError`].
pub fn read_private(map: &[u8]) -> Result<PrivateHalf, BundleError> {
    let private = PrivateHalf::decode(map)?;
    if let Some(statement) = &private.person_statement {
        PersonStatement::read_shape(statement).map_err(|_| BundleError::Form("a personal statement that is none"))?;
    }
    Ok(private)
}

fn members(item: &EvidenceEntry, half: &PublicHalf<'_>, report: &mut BundleReport) {
    let mut wrong = |what: &str| report.altered(part::PRIVATE, format!("entry {}", half.entry.index), what);
    match &half.body {
        Body::Listed { set, count, .. } | Body::Searched { set, count, .. } => {
            if item.members.iter().any(|member: &Membership| member.verify(set, *count).is_err()) {
                wrong("a tape was not in the set of this list");
            }
        }
        _ if item.members.is_empty() => {}
        _ => wrong("only a list or a search has a set of tapes"),
    }
    let count = item.members.len() as u64;
    report.looked(part::PRIVATE, count);
}

fn consistency(item: &EvidenceEntry, half: &PublicHalf<'_>, head: Option<&Checkpoint>, report: &mut BundleReport) {
    let place = format!("entry {}", half.entry.index);
    let note = match &half.body {
        Body::Anchor(AnchorBody::Cosigned { note, .. } | AnchorBody::Timestamped { note, .. }) => note,
        _ if item.consistency.is_none() => return,
        _ => return report.altered(part::ANCHORS, place, "only an entry that keeps a head leads to another one"),
    };
    let Some(path) = &item.consistency else {
        return report.altered(part::ANCHORS, place, "nothing leads from the head that it keeps to the head here");
    };
    let kept = std::str::from_utf8(note).ok().and_then(anchors::said);
    let (Some(kept), Some(head)) = (kept, head) else { return };
    report.looked(part::ANCHORS, 1);
    if verify_consistency(kept.size, head.size, path, &kept.root, &head.root).is_err() {
        let what = "the log does not extend the head that others hold";
        report.find(Verdict::Forked, part::ANCHORS, place, what);
    }
}
