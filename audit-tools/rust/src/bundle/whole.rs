//! A bundle beside all public halves of its log (6.7, *Whole log*).

use super::completeness::Completeness;
use super::facts::Log;
use crate::digest::Hash;
use crate::entry::Entry;
use crate::error::Result;
use crate::keys::Keys;
use crate::note::Head;
use crate::report::{Report, Word};
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
    /// Gives each entry in order.
    ///
    /// # Errors
    /// What cannot be read.
    fn each(&mut self, take: &mut dyn FnMut(&Entry<'_>)) -> Result<()>;
}

const PLACE: &str = "--tree";

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
    let same = outside.root_at(head.size) == Some(head.root);
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
