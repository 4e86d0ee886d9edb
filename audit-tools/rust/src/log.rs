//! A log from its first entry on: every check of 4-commit 4.1 to 4.6 that needs no key of the vault.

use crate::digest::{Hash, ZERO};
use crate::entry::{Body, Entry};
use crate::error::{Result, ensure, refuse};
use crate::note::Head;
use crate::report::{Report, Word};
use crate::sign::VerifierKey;
use crate::tree::{Frontier, node};
use crate::trust::Trust;
use alloc::collections::{BTreeMap, BTreeSet};
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

#[derive(Default)]
struct Subject {
    last: Hash,
    next: u64,
    opened: bool,
    destroyed: bool,
    marked: u64,
}

/// An object that an entry of a long set names: index of the entry, and digest.
pub type SetObject = (u64, Hash);

/// What a group of the journal is asked about an entry.
pub struct Taken {
    /// Its kind.
    pub kind: u16,
    /// The term that it names, of kinds 1 to 3.
    pub term: Option<u64>,
    /// Digest of its sealed half.
    pub sealed: Hash,
}

/// What is known of a log as far as it was walked.
#[derive(Default)]
pub struct Walk {
    /// Its tree.
    pub levels: Levels,
    /// Its keys, and what stands on them.
    pub trust: Trust,
    /// Objects of long sets.
    pub sets: Vec<SetObject>,
    /// What follows the last entry could not be read: how many there are nobody can tell, and none is called missing.
    pub is_cut: bool,
    /// Torn places that entries of kind 4 tell of: segment and offset.
    pub torn: BTreeSet<(u64, u64)>,
    subjects: BTreeMap<Hash, Subject>,
    time: u64,
}

impl Walk {
    /// Nothing walked yet; these witnesses are known.
    #[must_use]
    pub fn new(witnesses: &[VerifierKey]) -> Self {
        Self { trust: Trust::new(witnesses), ..Self::default() }
    }

    /// Whether an entry says that a tape was destroyed lawfully.
    #[must_use]
    pub fn is_destroyed(&self, custody: &Hash) -> bool {
        self.subjects.get(custody).is_some_and(|subject| subject.destroyed)
    }

    /// Custody ids of recordings that were opened, and neither saved nor destroyed.
    pub fn unsealed(&self) -> impl Iterator<Item = &Hash> {
        let open = |subject: &Subject| subject.opened && !subject.destroyed;
        let unsaved = |custody: &Hash| self.trust.saved_of(custody).is_none();
        self.subjects.iter().filter(move |(id, subject)| open(subject) && unsaved(id)).map(|(custody, _)| custody)
    }

    /// Takes the next entry; what its group is asked about it, when it reads.
    pub fn entry(&mut self, bytes: &[u8], report: &mut Report) -> Option<Taken> {
        let index = self.levels.size();
        let place = format!("entry {index}");
        self.levels.push(crate::tree::leaf(bytes));
        let entry = report.take("entries", Word::Altered, &place, Entry::read(bytes))?;
        self.links(&entry, index, &place, report);
        let levels = &self.levels;
        self.trust.entry(&entry, Some(&|size| levels.root_at(size)), &place, report);
        match &entry.body {
            Body::Set(set) => self.sets.extend(set.object.map(|object| (index, object))),
            Body::Recovered(segment, offset) => _ = self.torn.insert((*segment, *offset)),
            _ => {}
        }
        let term = if let Body::Term(term) = entry.body { Some(term) } else { None };
        Some(Taken { kind: entry.kind, term, sealed: entry.sealed })
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
            Body::Opened => subject.opened = true,
            Body::Mark(frames, _) => {
                want(*frames >= subject.marked, "frames of a recording that fall");
                subject.marked = subject.marked.max(*frames);
            }
            _ => {}
        }
    }

    /// That entry 0 was there.
    pub fn has_genesis(&self, report: &mut Report) {
        let unread = self.is_cut && self.levels.size() == 0;
        if self.trust.ledger.is_none() && !unread {
            report.find(Word::Missing, "entry 0", "entry 0 is missing, or is no genesis");
        }
    }

    /// What can be said at the end alone.
    pub fn finish(&self, report: &mut Report) {
        self.has_genesis(report);
        self.trust.finish(&|_| true, report);
    }

    /// Compares a head with the log: another root is `forked`, more entries `rolled back`.
    pub fn compare(&self, place: &str, head: &Head, report: &mut Report) {
        match self.levels.root_at(head.size) {
            None if self.is_cut => {
                report.find(Word::CannotTell, place, "a head of more entries than could be read of the log");
            }
            None => report.find(Word::RolledBack, place, "a head of more entries than the log has"),
            Some(root) => {
                report.want("heads", root == head.root, Word::Forked, place, "a head of this size with another root");
            }
        }
    }

    /// Name of the log for people.
    #[must_use]
    pub fn origin(&self) -> String {
        let name = self.trust.keys.as_ref().map(|keys| crate::report::shown(keys.origin().as_bytes()));
        name.unwrap_or_else(|| String::from("(unknown)"))
    }
}

/// Judges heads that somebody else kept, against a log.
pub fn given_heads(walk: &Walk, heads: &[Head], report: &mut Report) {
    const PLACE: &str = "--head";
    let Some(keys) = &walk.trust.keys else { return };
    for head in heads {
        if keys.given_head(head, walk.levels.size(), &walk.trust.witnesses).is_ok() {
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
