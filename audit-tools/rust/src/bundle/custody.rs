//! The entries about each given tape (check 7).

use super::completeness::Completeness;
use super::facts::Log;
use super::halves::Beside;
use crate::cbor::Reader;
use crate::digest::Hash;
use crate::entry::{self, Body, Entry};
use crate::error::{Result, ensure, refuse};
use crate::report::{Report, Word, moment, shown};
use crate::sign::export_commitment;
use crate::{private, text};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What a given tape's entries come to.
#[derive(Default)]
pub struct Chain {
    /// Next subject_seq that belongs.
    pub next: u64,
    /// One was left out.
    pub hole: bool,
    /// Index of the last entry about it here.
    pub last_index: u64,
    /// How many are here.
    pub links: u64,
    /// Leaf of the last.
    last: Hash,
    /// The last was an `evidence.made` of this bundle; its index and leaf.
    pub evidence: Option<(u64, Hash)>,
    /// Marks of its recording: frames, root, index.
    pub marks: Vec<(u64, Hash, u64)>,
    /// Frames that a `tape.truncated` says were left.
    pub truncated: Option<u64>,
}

/// The chains of given tapes, and what their entries say for check 7.
pub fn chain(
    entry: &Entry<'_>,
    beside: &Beside<'_>,
    lists: Option<&Completeness>,
    place: &str,
    log: &mut Log,
    report: &mut Report,
) {
    let (Some(chain), Some(lists)) = (log.chains.get_mut(&entry.subject), lists) else { return };
    // Where one is left out, the next one names an entry that is not here: that alone is no alteration.
    if entry.seq != chain.next {
        chain.hole = true;
    } else if entry.seq > 0 {
        report.want(
            "chains",
            entry.subject_prev == chain.last,
            Word::Altered,
            place,
            "another entry of the tape before",
        );
    }
    chain.next = entry.seq.saturating_add(1);
    chain.last = entry.leaf;
    chain.links = chain.links.saturating_add(1);
    chain.last_index = entry.index;
    chain.evidence = None;
    match &entry.body {
        Body::Mark(frames, root) => {
            let falls = chain.marks.last().is_some_and(|(before, ..)| before > frames);
            report.want("order of marks", !falls, Word::Altered, place, "frames of a recording that fall");
            chain.marks.push((*frames, *root, entry.index));
        }
        Body::Truncated(left) => chain.truncated = Some(chain.truncated.map_or(*left, |before| before.min(*left))),
        Body::EvidenceMade(id, commitment, tapes) if *id == lists.bundle => {
            chain.evidence = Some((entry.index, entry.leaf));
            report.take("evidence.made", Word::Altered, place, evidence(beside, commitment, &lists.digest));
            let fits = *tapes == lists.given.len() as u64;
            report.want("evidence.made", fits, Word::Incomplete, place, "another number of tapes than are given");
        }
        _ => {}
    }
    access(entry, beside, place, report);
}

fn evidence(beside: &Beside<'_>, commitment: &Hash, digest: &Hash) -> Result<()> {
    let Some(value) = beside.opened.as_ref().and_then(|opened| opened.value(30)) else {
        return refuse("field 30 of an evidence.made stays closed");
    };
    let mut reader = Reader::new(value);
    let (salt, what) = private::exported(&mut reader)?;
    reader.end()?;
    ensure(what == *digest, "evidence of another COMPLETENESS.json")?;
    ensure(export_commitment(&salt, &what) == *commitment, "an export commitment that does not open")
}

/// A line for people about an access.
fn access(entry: &Entry<'_>, beside: &Beside<'_>, place: &str, report: &mut Report) {
    if !matches!(entry.kind, 32 | 36 | 38 | 39 | 41 | 42 | 163) {
        return;
    }
    let value = |n| beside.opened.as_ref().and_then(|opened| opened.value(n));
    let who = value(0).and_then(|value| private::actor_of(&mut Reader::new(value)).ok());
    let who = who.map_or_else(|| String::from("(closed)"), |(_, id, _)| shown(id));
    let why = value(3).and_then(|value| Reader::new(value).bytes().ok()).map(shown);
    let why = why.map(|why| format!(", purpose {why}")).unwrap_or_default();
    let custody = text::hex(&entry.subject);
    let custody = custody.get(..12).unwrap_or_default();
    let kind = entry::name(entry.kind).unwrap_or("?");
    report.say(format!("{place}: {kind} of tape {custody} by {who} at {}{why}", moment(entry.time)));
}
