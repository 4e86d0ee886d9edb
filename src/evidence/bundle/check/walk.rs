//! The second walk through entries: how they hang together, and what each says of tapes and heads. For a bundle, where entries are
//! left out, and for all public halves of a log.

use std::collections::{HashMap, HashSet};

use super::anchors::{self, KeptHead};
use super::entry::PublicHalf;
use super::keys::LogKeys;
use super::pins::Pins;
use super::report::{BundleReport, part};
use crate::codec::digest::{CustodyId, Digest, LeafHash, ObjectDigest, RootHash, TapeId, sha256};
use crate::evidence::Verdict;
use crate::log::{AnchorBody, Body, Counts, EntryKind, HeldHead, KeyRole};
use crate::seal::Statement;

/// A tape that an entry saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Saved {
    pub entry: u64,
    pub time_ms: u64,
    pub custody: CustodyId,
    pub tape: TapeId,
    pub manifest: ObjectDigest,
    /// SHA-256 of the statement's bytes.
    pub statement: Digest,
}

/// The frames of a recording so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub entry: u64,
    pub custody: CustodyId,
    pub frames: u64,
    pub root: RootHash,
}

/// What entries say of tapes and heads.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub saved: Vec<Saved>,
    pub marks: Vec<Mark>,
    /// Recordings that were cut off, and how many frames are left.
    pub truncated: HashMap<CustodyId, u64>,
    pub heads: Vec<KeptHead>,
    /// Recordings that were begun and are not saved yet.
    pub begun: HashSet<CustodyId>,
}

/// Where a walk stands.
pub(super) struct Walk<'a> {
    keys: Option<&'a LogKeys>,
    pins: &'a Pins,
    /// Is no entry left out?
    is_whole: bool,
    last: Option<(u64, u64, LeafHash)>,
    tips: HashMap<CustodyId, (u64, LeafHash)>,
    marked: HashMap<CustodyId, u64>,
    saved: HashSet<CustodyId>,
    ended: HashSet<CustodyId>,
    pub said: Said,
}

impl<'a> Walk<'a> {
    pub(super) fn new(keys: Option<&'a LogKeys>, pins: &'a Pins, is_whole: bool) -> Self {
        Self {
            keys,
            pins,
            is_whole,
            last: None,
            tips: HashMap::new(),
            marked: HashMap::new(),
            saved: HashSet::new(),
            ended: HashSet::new(),
            said: Said::default(),
        }
    }

    /// The next entry; false where it stands in no order with those before, and nothing more is made of it.
    pub(super) fn take(&mut self, half: &PublicHalf<'_>, report: &mut BundleReport) -> bool {
        let place = || format!("entry {}", half.entry.index);
        report.looked(part::ENTRIES, 1);
        if self.last.is_some_and(|(index, ..)| half.entry.index <= index) {
            report.altered(part::ENTRIES, place(), "entries that do not ascend, or one twice");
            return false;
        }
        self.order(half, report);
        if half.entry.kind.is_critical() && !half.entry.kind.is_written() {
            let what = format!("{} changes how a log is read, and is not known here", half.entry.kind);
            report.find(Verdict::CannotTell, part::ENTRIES, place(), what);
        }
        self.says(half, report);
        true
    }

    fn order(&mut self, half: &PublicHalf<'_>, report: &mut BundleReport) {
        let entry = &half.entry;
        let mut wrong = |what: &str| report.altered(part::ENTRIES, format!("entry {}", entry.index), what);
        let is_next = self.last.map_or(entry.index == 0, |(index, ..)| index.checked_add(1) == Some(entry.index));
        if self.is_whole && !is_next {
            wrong("entries are left out before it");
        }
        if self.last.is_some_and(|(_, time, _)| entry.time.as_ms() < time) {
            wrong("it is earlier than the entry before it");
        }
        if self.last.is_some_and(|(.., leaf)| is_next && entry.previous != leaf) {
            wrong("it does not follow the entry before it");
        }
        let tip = self.tips.get(&entry.subject).copied();
        match tip {
            Some((seq, _)) if entry.subject_seq <= seq => wrong("its number among those of its subject does not rise"),
            Some((seq, leaf)) if seq.checked_add(1) == Some(entry.subject_seq) && entry.subject_prev != leaf => {
                wrong("it does not follow the last entry about its subject");
            }
            _ => {}
        }
        let seq = tip.map_or(Some(0), |(seq, _)| seq.checked_add(1));
        if self.is_whole && seq.is_none_or(|seq| seq < entry.subject_seq) {
            wrong("entries about its subject are left out before it");
        }
        self.last = Some((entry.index, entry.time.as_ms(), half.leaf));
        self.tips.insert(entry.subject, (entry.subject_seq, half.leaf));
    }

    fn says(&mut self, half: &PublicHalf<'_>, report: &mut BundleReport) {
        let (index, custody) = (half.entry.index, half.entry.subject);
        match &half.body {
            Body::TapeSaved { statement: bytes, .. } => {
                if let Some(statement) = &half.statement {
                    self.saved(half, statement, bytes, report);
                }
            }
            Body::TapeOpened { .. } => drop(self.said.begun.insert(custody)),
            Body::RecordingMark { frames, root } => {
                if self.marked.insert(custody, *frames).is_some_and(|before| before > *frames) {
                    report.altered(part::ENTRIES, format!("entry {index}"), "the frames of a recording fall");
                }
                self.said.marks.push(Mark { entry: index, custody, frames: *frames, root: *root });
            }
            Body::TapeTruncated { frames, .. } => drop(self.said.truncated.insert(custody, *frames)),
            Body::Anchor(body) => self.anchor(index, body, report),
            _ if half.entry.kind.destroys_tape() => drop(self.ended.insert(custody)),
            _ => {}
        }
    }

    fn anchor(&mut self, index: u64, body: &AnchorBody, report: &mut BundleReport) {
        let Some(keys) = self.keys else { return };
        report.looked(part::ANCHORS, 1);
        let kept = anchors::kept(index, body, keys, self.pins);
        for what in kept.faults {
            report.altered(part::ANCHORS, format!("entry {index}"), what);
        }
        self.said.heads.extend(kept.head);
    }

    fn saved(&mut self, half: &PublicHalf<'_>, statement: &Statement, bytes: &[u8], report: &mut BundleReport) {
        let (index, custody) = (half.entry.index, half.entry.subject);
        let place = || format!("entry {index}");
        let claims = statement.claims();
        if !self.saved.insert(custody) {
            report.altered(part::ENTRIES, place(), "the tape was saved before");
        }
        if let Some(Err(what)) = self.keys.map(|keys| signed(keys, index, custody, statement)) {
            report.altered(part::ENTRIES, place(), what);
        }
        self.said.saved.push(Saved {
            entry: index,
            time_ms: half.entry.time.as_ms(),
            custody,
            tape: claims.tape,
            manifest: claims.manifest,
            statement: Digest::from_bytes(sha256(bytes)),
        });
    }

    /// What all entries say together; signatures of revoked keys are judged by it.
    pub(super) fn finish(mut self, is_told: impl Fn(&CustodyId) -> bool, report: &mut BundleReport) -> Said {
        self.said.begun.retain(|custody| !self.saved.contains(custody) && !self.ended.contains(custody));
        if let Some(keys) = self.keys {
            self.revoked(keys, &is_told, report);
        }
        self.said
    }

    fn revoked(&self, keys: &LogKeys, is_told: &dyn Fn(&CustodyId) -> bool, report: &mut BundleReport) {
        let counts = |head: &&KeptHead| head.holds && head.is_cosigned;
        let held = self.said.heads.iter().filter(counts).map(|head| HeldHead { entry: head.entry, size: head.size });
        let held: Vec<HeldHead> = held.collect();
        for saved in &self.said.saved {
            let Ok(term) = keys.history.at(KeyRole::Recorder, saved.entry) else { continue };
            let place = format!("entry {}", saved.entry);
            match term.counts(saved.entry, &held) {
                Counts::Never => {
                    report.altered(part::ENTRIES, place, "the recorder's key was revoked when it signed the tape");
                }
                Counts::Unproved if is_told(&saved.custody) => {
                    let what =
                        "the recorder's key was revoked later, and nobody is known to have held the entry before";
                    report.find(Verdict::IntactWithGaps, part::ENTRIES, place, what);
                }
                _ => {}
            }
        }
    }
}

/// The list in 3.3, but for the manifest.
fn signed(keys: &LogKeys, index: u64, custody: CustodyId, statement: &Statement) -> Result<(), String> {
    let claims = statement.claims();
    if claims.ledger != keys.ledger || claims.origin != keys.genesis.origin {
        return Err("the statement was made for another ledger".into());
    }
    if claims.custody != custody {
        return Err("the statement is about another tape".into());
    }
    let term = keys.history.at(KeyRole::Recorder, index).map_err(|e| e.to_string())?;
    statement.verify(&term.key).map_err(|e| format!("the statement does not hold: {e}"))
}

/// Is it an entry of a kind that a bundle has, all of them, below its head?
pub(super) const fn is_for_every_bundle(kind: EntryKind) -> bool {
    matches!(kind.number(), 32_768..=32_770)
}
