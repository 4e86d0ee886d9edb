//! A log from its first entry on: every check of 4-commit 4.1 to 4.6 that needs no key of the vault.

use crate::anchors::{Anchor, cosigned, fork_found, timestamped};
use crate::bundle::statement_holds;
use crate::digest::{Hash, ZERO};
use crate::entry::{Body, Entry, is_known_critical};
use crate::error::{Refused, Result, ensure, refuse};
use crate::keys::{Keys, Role};
use crate::note::Head;
use crate::report::{Report, Word};
use crate::succession::Succession;
use crate::tree::{Frontier, node};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Hashes of all full subtrees, so that the root of every size can be told.
#[derive(Default)]
pub struct Levels(Vec<Vec<Hash>>);

impl Levels {
    /// How many leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// One leaf more.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        let mut level = 0;
        loop {
            if self.0.len() <= level {
                self.0.push(Vec::new());
            }
            let Some(hashes) = self.0.get_mut(level) else { return };
            hashes.push(hash);
            let [.., left, right] = hashes.as_slice() else { return };
            if hashes.len() % 2 == 1 {
                return;
            }
            hash = node(left, right);
            level = level.saturating_add(1);
        }
    }

    /// Leaf hash of an index.
    #[must_use]
    pub fn leaf(&self, index: u64) -> Option<Hash> {
        self.0.first()?.get(usize::try_from(index).ok()?).copied()
    }

    /// Root over the first so many leaves; None past the end.
    #[must_use]
    pub fn root_at(&self, size: u64) -> Option<Hash> {
        if size > self.size() {
            return None;
        }
        let mut root: Option<Hash> = None;
        for (level, hashes) in self.0.iter().enumerate() {
            let many = usize::try_from(size >> level).ok()?;
            if many % 2 == 1 {
                let left = hashes.get(many.checked_sub(1)?)?;
                root = Some(root.map_or(*left, |right| node(left, &right)));
            }
        }
        Some(root.unwrap_or_else(|| Frontier::new().root()))
    }
}

/// A `tape.saved` of the log.
pub struct SavedTape {
    /// Index of its entry.
    pub index: u64,
    /// Custody id.
    pub custody: Hash,
    /// Tape id.
    pub tape: Hash,
    /// Digest of its manifest.
    pub manifest: Hash,
    signer: Option<Hash>,
}

#[derive(Default)]
struct Subject {
    last: Hash,
    next: u64,
    saved: bool,
    opened: bool,
    destroyed: bool,
    marked: u64,
}

/// An object that an entry of a long set names: index of the entry, and digest.
pub type SetObject = (u64, Hash);

/// What is known of a log as far as it was walked.
#[derive(Default)]
pub struct Walk {
    /// Its tree.
    pub levels: Levels,
    /// Keys, once entry 0 was read.
    pub keys: Option<Keys>,
    /// Leaf hash of entry 0.
    pub ledger: Option<Hash>,
    /// Every tape that was saved.
    pub saved: Vec<SavedTape>,
    /// Objects of long sets.
    pub sets: Vec<SetObject>,
    /// Entries of kind 4: index, segment, offset, bytes, digest.
    pub recovered: Vec<(u64, u64, u64, u64, Hash)>,
    /// Cosigned heads that hold: index of the entry and the head.
    kept: Vec<(u64, Head, Hash, bool)>,
    subjects: BTreeMap<Hash, Subject>,
    time: u64,
}

impl Walk {
    /// Custody ids of tapes that an entry says were destroyed lawfully.
    #[must_use]
    pub fn is_destroyed(&self, custody: &Hash) -> bool {
        self.subjects.get(custody).is_some_and(|subject| subject.destroyed)
    }

    /// Custody ids of recordings that were opened, and neither saved nor destroyed.
    pub fn unsealed(&self) -> impl Iterator<Item = &Hash> {
        let open = |subject: &Subject| subject.opened && !subject.saved && !subject.destroyed;
        self.subjects.iter().filter(move |(_, subject)| open(subject)).map(|(custody, _)| custody)
    }

    /// Takes the next entry; its kind and the digest of its sealed half when it reads.
    pub fn entry(&mut self, bytes: &[u8], report: &mut Report) -> Option<(u16, Hash)> {
        let index = self.levels.size();
        let place = format!("entry {index}");
        self.levels.push(crate::tree::leaf(bytes));
        let entry = report.take("entries", Word::Altered, &place, Entry::read(bytes))?;
        self.links(&entry, index, &place, report);
        if entry.kind >= 32_768 && !is_known_critical(entry.kind) {
            report.find(Word::CannotTell, place.clone(), "an entry of a critical kind that is not known here");
        }
        if let Body::Genesis(genesis) = &entry.body {
            self.ledger = Some(entry.leaf);
            self.keys = report.take("keys", Word::Altered, &place, Keys::new(genesis));
        }
        self.body(&entry, &place, report);
        Some((entry.kind, entry.sealed))
    }

    fn links(&mut self, entry: &Entry<'_>, index: u64, place: &str, report: &mut Report) {
        let mut want = |so, what| report.want("links", so, Word::Altered, place, what);
        want(entry.index == index, "an entry of another index");
        let before = index.checked_sub(1).and_then(|before| self.levels.leaf(before)).unwrap_or(ZERO);
        want(entry.previous == before, "another entry before than the one here");
        want(entry.time >= self.time, "a time that falls");
        self.time = self.time.max(entry.time);
        let subject = self.subjects.entry(entry.subject).or_default();
        let so = entry.seq == subject.next && entry.subject_prev == subject.last;
        want(so, "another entry of the subject before than the one here");
        subject.next = entry.seq.saturating_add(1);
        subject.last = entry.leaf;
        subject.destroyed |= matches!(entry.kind, 86 | 88 | 90) && !entry.of_ledger();
        match &entry.body {
            Body::Saved(_) => {
                want(!subject.saved, "a tape that was saved before");
                subject.saved = true;
            }
            Body::Opened(..) => subject.opened = true,
            Body::Mark(frames, _) => {
                want(*frames >= subject.marked, "frames of a recording that fall");
                subject.marked = subject.marked.max(*frames);
            }
            _ => {}
        }
    }

    fn body(&mut self, entry: &Entry<'_>, place: &str, report: &mut Report) {
        let index = entry.index;
        let Some(keys) = &mut self.keys else {
            return;
        };
        match &entry.body {
            Body::Rotated(rotated) => {
                _ = report.take("changes of keys", Word::Altered, place, keys.rotate(index, rotated));
            }
            Body::Revoked(revoked) => {
                _ = report.take("changes of keys", Word::Altered, place, keys.revoke(index, revoked));
            }
            Body::Succession(note) => {
                let ledger = self.ledger;
                let checked = Succession::read(note).and_then(|found| {
                    ensure(Some(found.ledger) == ledger, "a succession to another ledger")?;
                    keys.successor(&found)
                });
                report.take("succession", Word::Altered, place, checked);
            }
            Body::Saved(statement) => {
                let signer = keys.in_force(Role::Recorder, index);
                let checked = statement_holds(statement, signer, keys.origin(), self.ledger);
                report.take("statements", Word::Altered, place, checked);
                let (tape, manifest) = (statement.tape, statement.manifest);
                let signer = signer.map(|held| held.key.thumbprint());
                self.saved.push(SavedTape { index, custody: entry.subject, tape, manifest, signer });
            }
            Body::Set(set) => self.sets.extend(set.object.map(|object| (index, object))),
            Body::Recovered(segment, offset, bytes, digest) => {
                self.recovered.push((index, *segment, *offset, *bytes, *digest));
            }
            Body::Cosigned(anchor) => {
                let found = cosigned(index, anchor, keys);
                self.anchor(index, found, true, place, report);
            }
            Body::Timestamped(anchor) => {
                let found = timestamped(index, anchor, keys);
                self.anchor(index, found, false, place, report);
            }
            Body::Published(size, root) => {
                let so = *size <= index && self.levels.root_at(*size) == Some(*root);
                report.want("anchors", so, Word::Altered, place, "a published head that is none of this log");
            }
            Body::ForkFound(note) => {
                report.take("anchors", Word::Altered, place, fork_found(note, keys).map(drop));
            }
            _ => {}
        }
    }

    fn anchor(&mut self, index: u64, found: Result<Anchor>, cosigned: bool, place: &str, report: &mut Report) {
        let levels = &self.levels;
        let found = found.and_then(|anchor| {
            let so = levels.root_at(anchor.head.size) == Some(anchor.head.root);
            ensure(so, "a head that is none of this log")?;
            Ok(anchor)
        });
        let Some(anchor) = report.take("anchors", Word::Altered, place, found) else { return };
        self.kept.push((index, anchor.head, anchor.signer, cosigned));
    }

    /// The newest head that cosignatures were kept for, in the log itself.
    pub fn cosigned(&self) -> impl Iterator<Item = &Head> {
        self.kept.iter().rev().filter(|(.., cosigned)| *cosigned).map(|(_, head, ..)| head)
    }

    /// What can be said at the end alone: what revoked keys signed.
    pub fn finish(&self, report: &mut Report) {
        if self.levels.size() == 0 || self.ledger.is_none() {
            report.find(Word::Missing, "entry 0", "entry 0 is missing, or is no genesis");
        }
        let Some(keys) = &self.keys else { return };
        let revoked = |role, signer: &Hash| {
            keys.of(role).find(|held| held.key.thumbprint() == *signer).and_then(|held| held.revoked)
        };
        for (index, head, signer, _) in &self.kept {
            let Some((from, by)) = revoked(Role::Checkpoint, signer) else { continue };
            if head.size > from {
                let word = if *index < by { Word::Gaps } else { Word::Altered };
                report.find(word, format!("entry {index}"), "a head that a revoked key signed");
            }
        }
        for saved in &self.saved {
            let Some((from, by)) = saved.signer.and_then(|signer| revoked(Role::Recorder, &signer)) else { continue };
            let place = format!("entry {}", saved.index);
            if saved.index >= from {
                report.find(Word::Altered, place, "a statement that a revoked key signed when it counted no more");
                continue;
            }
            let shows = |(index, head, signer, cosigned): &(u64, Head, Hash, bool)| {
                let counts = revoked(Role::Checkpoint, signer).is_none_or(|(from, _)| head.size <= from);
                *cosigned && counts && *index < by && head.size > saved.index && head.size <= from
            };
            if !self.kept.iter().any(shows) {
                report.find(Word::Gaps, place, "a statement of a revoked key that no anchor of before shows");
            }
        }
    }

    /// Compares a head with the log: another root is `forked`, more entries `rolled back`.
    pub fn compare(&self, place: &str, head: &Head, report: &mut Report) {
        match self.levels.root_at(head.size) {
            None => report.find(Word::RolledBack, place, "a head of more entries than the log has"),
            Some(root) => {
                report.want("heads", root == head.root, Word::Forked, place, "a head of this size with another root");
            }
        }
    }

    /// Whether a head holds under the key in force at its size.
    ///
    /// # Errors
    /// When it does not, or there is no entry 0.
    pub fn head_holds(&self, head: &Head) -> Result<()> {
        match &self.keys {
            Some(keys) => crate::bundle::head_holds(head, keys),
            None => Err(Refused("no entry 0 to take keys from")),
        }
    }

    /// Name of the log for people.
    #[must_use]
    pub fn origin(&self) -> String {
        let name = self.keys.as_ref().map(|keys| crate::report::shown(keys.origin().as_bytes()));
        name.unwrap_or_else(|| String::from("(unknown)"))
    }
}

/// Judges heads that somebody else kept, against a log.
pub fn given_heads(walk: &Walk, heads: &[Head], report: &mut Report) {
    const PLACE: &str = "--head";
    let Some(keys) = &walk.keys else { return };
    for head in heads {
        if crate::bundle::signed_by_log(head, keys, walk.levels.size()) {
            walk.compare(PLACE, head, report);
        } else {
            report.find(Word::CannotTell, PLACE, "a head that the log did not sign");
        }
    }
}

/// Refuses bytes that are not the records of a bundle of entries: each behind its length, 16 bits, big-endian.
///
/// # Errors
/// A length past the end, bytes left over, another number of entries.
pub fn entry_bundle(bytes: &[u8], count: u64, each: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut rest = bytes;
    for _ in 0..count {
        let Some((length, behind)) = rest.split_first_chunk::<2>() else { return refuse("a bundle that ends early") };
        let Some((entry, behind)) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length))) else {
            return refuse("a bundle that ends early");
        };
        each(entry)?;
        rest = behind;
    }
    ensure(rest.is_empty(), "bytes behind the last entry of a bundle")
}
