//! A bundle beside all public halves of its log (6.7, *Whole log*).

use super::completeness::Completeness;
use super::facts::Log;
use crate::digest::Hash;
use crate::entry::Entry;
use crate::error::Result;
use crate::keys::Keys;
use crate::note::Head;
use crate::report::{Report, Word};
use crate::trust::Trust;
use alloc::format;

/// The public halves of a log, from somewhere else.
pub trait Outside {
    /// The head that it was published under.
    fn head(&self) -> &Head;
    /// Number of entries.
    fn size(&self) -> u64;
    /// Root over the first so many; None past the end.
    fn root_at(&self, size: u64) -> Option<Hash>;
    /// Whether the entries themselves are there, not their hashes alone.
    fn has_entries(&self) -> bool;
    /// What the entries say of the log's keys; None where they are not there.
    fn trust(&self) -> Option<&Trust>;
    /// Gives each entry in order.
    ///
    /// # Errors
    /// What cannot be read.
    fn each(&mut self, take: &mut dyn FnMut(&Entry<'_>)) -> Result<()>;
}

const PLACE: &str = "--tree";

/// The bundle's head is one of the tree.
fn reaches(outside: &dyn Outside, head: &Head) -> bool {
    outside.size() >= head.size && outside.root_at(head.size) == Some(head.root)
}

/// Learns what the entries say that came after the bundle: which of its keys were revoked since. Gives the keys that the log
/// had by all of its entries; None where the tree has none, or is of another log.
pub fn learn(outside: &dyn Outside, log: &mut Log) -> Option<Keys> {
    let trust = outside.trust()?;
    let later = trust.keys.as_ref()?;
    let reached = log.head.as_ref().filter(|head| reaches(outside, head));
    // Entry 0 is what a log is known by, and names in turn who may follow each key; without it there is the history alone.
    let same = log.trust.ledger.map_or(reached.is_some(), |ledger| trust.ledger == Some(ledger));
    if let (Some(head), Some(keys)) = (reached, &mut log.trust.keys) {
        keys.revoke_behind(head.size, later);
    }
    same.then(|| later.clone())
}

/// Compares.
pub fn compare(outside: &mut dyn Outside, lists: Option<&Completeness>, log: &Log, report: &mut Report) {
    let Some(head) = &log.head else { return };
    // A tree without entries has no keys of its own to be verified by.
    let given = |keys: &Keys| keys.given_head(outside.head(), head.size, &log.trust.witnesses).is_ok();
    let signed = log.trust.keys.as_ref().is_some_and(given);
    if !outside.has_entries() && !signed {
        report.find(Word::CannotTell, PLACE, "a tree whose head the log did not sign");
        return;
    }
    if outside.size() < head.size {
        report.find(Word::CannotTell, PLACE, "a tree of fewer entries than the head of the bundle");
        return;
    }
    let same = reaches(outside, head);
    if !report.want("whole log", same, Word::Forked, PLACE, "a tree of another history than the bundle's") {
        return;
    }
    if !outside.has_entries() {
        report.skip("the whole log: the tree has no entry bundles");
        return;
    }
    let mut here = log.facts.iter().peekable();
    let mut left_out = 0_u64;
    let read = outside.each(&mut |entry| {
        let fact = here.next_if(|fact| fact.index == entry.index);
        let last = log.chains.get(&entry.subject).map(|chain| chain.last_index);
        let of_tape = last.is_some_and(|last| entry.index < last);
        let of_keys = matches!(entry.kind, 32_768..=32_770) && entry.index < head.size;
        let absent = fact.is_none() && (of_tape || of_keys);
        if absent || fact.is_some_and(|fact| fact.leaf != entry.leaf) {
            left_out = left_out.saturating_add(1);
            report.find(
                Word::Incomplete,
                format!("entry {}", entry.index),
                "an entry of the log that is not in the bundle",
            );
        }
    });
    if let Err(why) = read {
        report.find(Word::CannotTell, PLACE, why.0);
        return;
    }
    if here.next().is_some() {
        report.find(Word::Incomplete, PLACE, "an entry of the bundle that the log does not have");
        return;
    }
    report.count("whole log");
    report.whole_log = lists.is_some() && left_out == 0;
}
