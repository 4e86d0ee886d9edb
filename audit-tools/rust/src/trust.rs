//! What the entries of a log say about its keys, and what stands on them: statements of tapes, heads that others hold
//! (4-commit 4.3, *Anchors*, 4.5 and 4.6). One place for a log that is walked from its first entry on and for a bundle,
//! which has a part of it.

use crate::anchors::{Anchor, cosigned, fork_found, timestamped};
use crate::digest::{Hash, hash};
use crate::entry::{Body, Entry, SavedStatement, is_known_critical};
use crate::error::{Refused, Result, ensure, refuse};
use crate::keys::{Held, Keys, Role, Signer, Times};
use crate::note::Head;
use crate::report::{Report, Word};
use crate::sign::VerifierKey;
use crate::succession::Succession;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

/// A `tape.saved`.
pub struct Saved {
    /// Index of the entry.
    pub index: u64,
    /// Its time.
    pub time: u64,
    /// Custody id.
    pub custody: Hash,
    /// Tape id.
    pub tape: Hash,
    /// Digest of the manifest.
    pub manifest: Hash,
    /// H of the statement.
    pub statement: Hash,
    /// Recorder's key in force at the entry.
    pub signer: Option<Signer>,
}

/// A head that an entry keeps, and that holds. Its note is not kept: a hostile log has room for a million of them.
pub struct Kept {
    /// Index of the entry.
    pub index: u64,
    /// Size and root.
    pub head: (u64, Hash),
    /// The key that signed it.
    pub signer: Signer,
    /// Of kind 128: others cosigned it, known witnesses at these times.
    pub cosigned: Option<Times>,
}

/// Keys of a log as far as its entries were read, and what stands on them.
#[derive(Default)]
pub struct Trust {
    /// Keys, once entry 0 was read.
    pub keys: Option<Keys>,
    /// Leaf hash of entry 0.
    pub ledger: Option<Hash>,
    /// Witnesses that the verifier knows: no line of theirs may be wrong, wherever it stands.
    pub witnesses: Vec<VerifierKey>,
    /// Every tape that was saved.
    pub saved: Vec<Saved>,
    by_custody: BTreeMap<Hash, usize>,
    /// Heads that entries keep, in the order of the entries.
    pub kept: Vec<Kept>,
    /// A critical kind that is not known here stands among the entries.
    pub is_doubtful: bool,
}

/// Root over the first so many entries, where all of them are known.
pub type RootAt<'a> = &'a dyn Fn(u64) -> Option<Hash>;

impl Trust {
    /// Nothing read yet; these witnesses are known.
    #[must_use]
    pub fn new(witnesses: &[VerifierKey]) -> Self {
        Self { witnesses: witnesses.to_vec(), ..Self::default() }
    }

    /// The first `tape.saved` of a custody id.
    #[must_use]
    pub fn saved_of(&self, custody: &Hash) -> Option<&Saved> {
        self.saved.get(*self.by_custody.get(custody)?)
    }

    /// Takes an entry. `root_at` is given where the whole log is here: heads are compared with it then.
    pub fn entry(&mut self, entry: &Entry<'_>, root_at: Option<RootAt<'_>>, place: &str, report: &mut Report) {
        if let Body::Genesis(genesis) = &entry.body
            && self.ledger.is_none()
        {
            self.ledger = Some(entry.leaf);
            self.keys = report.take("keys", Word::Altered, place, Keys::new(genesis));
        }
        if entry.kind >= 32_768 && !is_known_critical(entry.kind) {
            self.is_doubtful = true;
            report.find(Word::CannotTell, place, "an entry of a critical kind that is not known here");
        }
        match &entry.body {
            Body::Saved(statement) => self.save(entry, statement, place, report),
            Body::Rotated(_) | Body::Revoked(_) | Body::Succession(_) => self.change(entry, place, report),
            Body::Cosigned(_) | Body::Timestamped(_) | Body::ForkFound(_) => self.note(entry, root_at, place, report),
            Body::Published(size, root) => {
                let there = root_at.is_none_or(|root_at| root_at(*size) == Some(*root));
                let so = *size <= entry.index && there;
                report.want("anchors", so, Word::Altered, place, "a published head that is none of this log");
            }
            _ => {}
        }
    }

    fn save(&mut self, entry: &Entry<'_>, statement: &SavedStatement<'_>, place: &str, report: &mut Report) {
        let mut signer = None;
        if let Some(keys) = &self.keys {
            let held = keys.in_force(Role::Recorder, entry.index);
            let checked = statement_holds(statement, held, keys.origin(), self.ledger);
            report.take("statements", Word::Altered, place, checked);
            signer = held.map(|held| held.id);
        }
        if self.by_custody.contains_key(&entry.subject) {
            report.find(Word::Altered, place, "a tape that was saved before");
        } else {
            self.by_custody.insert(entry.subject, self.saved.len());
        }
        self.saved.push(Saved {
            index: entry.index,
            time: entry.time,
            custody: entry.subject,
            tape: statement.tape,
            manifest: statement.manifest,
            statement: hash(statement.bytes),
            signer,
        });
    }

    /// Rotations, revocations, a log that goes on for another.
    fn change(&mut self, entry: &Entry<'_>, place: &str, report: &mut Report) {
        let ledger = self.ledger;
        let Some(keys) = &mut self.keys else { return };
        let (check, checked) = match &entry.body {
            Body::Rotated(rotated) => ("changes of keys", keys.rotate(entry.index, rotated)),
            Body::Revoked(revoked) => ("changes of keys", keys.revoke(entry.index, revoked)),
            Body::Succession(note) => {
                let read = Succession::read(note).and_then(|found| {
                    ensure(Some(found.ledger) == ledger, "a succession to another ledger")?;
                    keys.successor(&found)?;
                    Ok(found.old_signed)
                });
                if read == Ok(false) {
                    report.say(format!("{place}: the log that this one goes on for did not sign that"));
                }
                ("succession", read.map(drop))
            }
            _ => return,
        };
        report.take(check, Word::Altered, place, checked);
    }

    /// Heads in entries.
    fn note(&mut self, entry: &Entry<'_>, root_at: Option<RootAt<'_>>, place: &str, report: &mut Report) {
        let Some(keys) = &self.keys else { return };
        let found = match &entry.body {
            Body::Cosigned(body) => cosigned(entry.index, body, keys, &self.witnesses),
            Body::Timestamped(body) => timestamped(entry.index, body, keys, &self.witnesses),
            Body::ForkFound(note) => {
                // What others hold is of any size and root: nothing here is compared with it, and it vouches for nothing.
                return drop(report.take("anchors", Word::Altered, place, fork_found(note, keys, &self.witnesses)));
            }
            _ => return,
        };
        let Some(Anchor { size, root, signer, times }) = report.take("anchors", Word::Altered, place, found) else {
            return;
        };
        let so = root_at.is_none_or(|root_at| root_at(size) == Some(root));
        if !report.want("anchors", so, Word::Forked, place, "others hold a head of this size with another root") {
            return;
        }
        let cosigned = matches!(entry.body, Body::Cosigned(_)).then_some(times);
        self.kept.push(Kept { index: entry.index, head: (size, root), signer, cosigned });
    }

    fn revoked(&self, signer: Signer) -> Option<(u64, u64)> {
        self.keys.as_ref()?.get(signer)?.revoked
    }

    /// Heads that count, in the order of the entries: those of a revoked key prove nothing.
    pub fn counting(&self) -> impl Iterator<Item = &Kept> {
        self.kept.iter().filter(|kept| {
            let held = self.keys.as_ref().and_then(|keys| keys.get(kept.signer));
            held.is_some_and(|held| held.counts_for(kept.head.0))
        })
    }

    /// Cosignatures of known witnesses under each head that counts.
    pub fn cosigned(&self) -> impl Iterator<Item = &Times> {
        self.counting().filter_map(|kept| kept.cosigned.as_ref())
    }

    /// What can be said at the end alone: what revoked keys signed. That nothing vouches for a statement is told of the
    /// tapes that matter.
    pub fn finish(&self, matters: &dyn Fn(&Saved) -> bool, report: &mut Report) {
        let Some(keys) = &self.keys else { return };
        let mut vouching = Vec::new();
        for kept in &self.kept {
            let Some(held) = keys.get(kept.signer) else { continue };
            if held.counts_for(kept.head.0) {
                vouching.extend(kept.cosigned.as_ref().map(|_| (kept.index, kept.head.0)));
            } else if let Some((_, by)) = held.revoked {
                let word = if kept.index < by { Word::Gaps } else { Word::Altered };
                report.find(word, format!("entry {}", kept.index), "a head that a revoked key signed");
            }
        }
        // The largest head that vouches for what a revoked key signed: one pass for each such key, of which there are few.
        let mut reach: BTreeMap<Signer, u64> = BTreeMap::new();
        for saved in &self.saved {
            let Some((signer, (from, by))) = saved.signer.and_then(|id| Some((id, self.revoked(id)?))) else {
                continue;
            };
            let place = format!("entry {}", saved.index);
            if saved.index >= from {
                report.find(Word::Altered, place, "a statement that a revoked key signed when it counted no more");
                continue;
            }
            let largest = *reach.entry(signer).or_insert_with(|| {
                let before = vouching.iter().filter(|(index, size)| *index < by && *size <= from);
                before.map(|(_, size)| *size).max().unwrap_or(0)
            });
            if largest <= saved.index && matters(saved) {
                report.find(Word::Gaps, place, "a statement of a revoked key that no anchor of before shows");
            }
        }
    }

    /// Verifies a head of the log, and that it counts.
    ///
    /// # Errors
    /// As [`Keys::head`]; a head of a revoked key; no entry 0.
    pub fn head(&self, head: &Head) -> Result<Times> {
        let Some(keys) = &self.keys else { return Err(Refused("no entry 0 to take keys from")) };
        let lines = keys.lines(head, &self.witnesses)?;
        let Some(held) = keys.signer(head, &lines) else {
            // Which key signs behind a critical entry that is not known nobody can tell.
            ensure(self.is_doubtful, "no signature of the key in force")?;
            return Ok(Times::new());
        };
        ensure(held.counts_for(head.size), "a head of a revoked key")?;
        Ok(lines.times)
    }
}

/// The list in 3.3, as far as the log alone shows it.
fn statement_holds(
    statement: &SavedStatement<'_>,
    signer: Option<&Held>,
    origin: &str,
    ledger: Option<Hash>,
) -> Result<()> {
    ensure(statement.issuer == origin, "a statement of another log")?;
    ensure(Some(statement.ledger) == ledger, "a statement about another ledger")?;
    match signer {
        Some(held) => statement.verify(&held.key),
        None => refuse("no recorder's key in force"),
    }
}
