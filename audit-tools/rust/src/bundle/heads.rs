//! The head of a bundle, and the heads that its entries keep (checks 2, 4 and 6).

use super::completeness::{self, Completeness};
use super::facts::{Log, Path};
use crate::digest::Hash;
use crate::entry::{Body, Entry};
use crate::note::Head;
use crate::report::{Report, Word};
use crate::tree::consistent;
use alloc::format;

/// Its path.
pub const PATH: &str = "data/log/checkpoint";

/// Takes the consistency path of an entry that keeps a head.
pub fn path(entry: &Entry<'_>, path: Option<&[Hash]>, place: &str, log: &mut Log, report: &mut Report) {
    let note = match &entry.body {
        Body::Cosigned(anchor) => Some(anchor.note),
        Body::Timestamped(anchor) => Some(anchor.note),
        _ => None,
    };
    match (note, path) {
        (None, None) => {}
        (Some(note), Some(hashes)) => {
            if let Some(old) = signed(entry.index, note, log) {
                log.paths.push(Path { index: entry.index, old, hashes: hashes.to_vec() });
            }
        }
        _ => report.find(Word::Altered, place, "a path where none belongs, or none where one does"),
    }
}

/// Size and root of a head that the log signed: only such a one can be of another history.
fn signed(index: u64, note: &[u8], log: &Log) -> Option<(u64, Hash)> {
    if let Some(kept) = log.trust.kept.last().filter(|kept| kept.index == index) {
        return Some(kept.head);
    }
    let (keys, head) = (log.trust.keys.as_ref()?, Head::read(note).ok()?);
    keys.head(&head, &log.trust.witnesses).ok()?;
    Some((head.size, head.root))
}

impl Log {
    /// What can be said only when all entries are read: the head, and what revoked keys signed.
    pub fn judge(&mut self, lists: Option<&Completeness>, report: &mut Report) {
        self.judge_origin(lists, report);
        self.judge_head(report);
        // That nothing vouches for a statement is told of what is given.
        self.trust.finish(&|saved| lists.is_some_and(|lists| lists.given_by_custody(&saved.custody).is_some()), report);
    }

    fn judge_origin(&self, lists: Option<&Completeness>, report: &mut Report) {
        let Some(lists) = lists else { return };
        let mut want = |so, what| report.want("COMPLETENESS.json", so, Word::Altered, completeness::PATH, what);
        if let Some(keys) = &self.trust.keys {
            want(lists.origin == keys.origin(), "it is about another origin");
        }
        if let Some(ledger) = self.trust.ledger {
            want(lists.ledger == ledger, "it is about another ledger");
        }
    }

    fn judge_head(&mut self, report: &mut Report) {
        let (Some(head), Some(keys)) = (&self.head, &self.trust.keys) else { return };
        report.take("head", Word::Altered, PATH, self.trust.head(head).map(drop));
        let signed = keys.head(head, &self.trust.witnesses).ok();
        let is_signed = signed.is_some();
        self.head_holds = signed.filter(|(held, _)| held.counts_for(head.size)).map(|(_, times)| times);
        for Path { index, old, hashes } in self.paths.iter().filter(|_| is_signed) {
            let checked = consistent((old.0, &old.1), (head.size, &head.root), hashes);
            report.take("consistency paths", Word::Forked, &format!("entry {index}"), checked);
        }
        let so = self.facts.last().is_none_or(|fact| fact.index < head.size);
        report.want("head", so, Word::Altered, PATH, "a head of fewer entries than are here");
    }
}
