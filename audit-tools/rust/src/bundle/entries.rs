//! Entries of a bundle (6.4): reads them one by one, and has each of checks 3 to 7 made that goes with one.

use super::completeness::Completeness;
use super::facts::{Fact, Log};
use super::halves::{Beside, fields, hashes, members, parts};
use super::source::{Sequence, Source, has, whole};
use super::{custody, heads};
use crate::cbor::Reader;
use crate::digest::{Hash, hash};
use crate::entry::{Body, Entry};
use crate::error::{Result, ensure};
use crate::note::Head;
use crate::report::{Report, Word};
use crate::sign::VerifierKey;
use crate::tree::SetWalk;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

const PATH: &str = "data/entries.cbor";
const PATHS: &str = "data/log/paths.cbor";
/// Most items of entries.cbor.
const MOST_ENTRIES: usize = 1 << 20;
/// Most bytes of an item: an entry, and what goes with it.
const MOST_ITEM: usize = 64 << 20;
/// Most hashes of a set proof.
const MOST_HASHES: u64 = 1 << 21;
/// Most bytes of a set proof.
pub const MOST_PATHS: u64 = MOST_HASHES * 34 + 5;

/// Reads head and entries; makes the checks that go with them.
pub fn read(
    source: &mut dyn Source,
    lists: Option<&Completeness>,
    witnesses: &[VerifierKey],
    report: &mut Report,
) -> Log {
    let mut log = Log::new(witnesses);
    for given in lists.iter().flat_map(|lists| &lists.given) {
        log.chains.entry(given.custody).or_default();
    }
    log.head = match whole(source, heads::PATH, 64 * 1024) {
        None => {
            report.find(Word::Missing, heads::PATH, "a file that has to be there is missing");
            None
        }
        Some(bytes) => report.take("head", Word::Altered, heads::PATH, bytes.and_then(|bytes| Head::read(&bytes))),
    };
    log.is_here = has(source, PATH);
    if log.is_here {
        let read = entries(source, lists, &mut log, report);
        report.take("entries.cbor", Word::Altered, PATH, read);
    } else {
        report.find(Word::Missing, PATH, "a file that has to be there is missing");
        report.find(Word::Missing, "entry 0", "entry 0 is missing");
        return log;
    }
    if log.trust.ledger.is_none() {
        report.find(Word::Missing, "entry 0", "entry 0 is missing, or is no genesis");
    }
    set_proof(source, &log, report);
    log
}

fn entries(source: &mut dyn Source, lists: Option<&Completeness>, log: &mut Log, report: &mut Report) -> Result<()> {
    let mut items = Sequence::new(source.open(PATH)?, MOST_ITEM);
    let mut count = 0_usize;
    while let Some(item) = items.next_item()? {
        count = count.saturating_add(1);
        ensure(count <= MOST_ENTRIES, "more than 2^20 entries")?;
        one(item, lists, log, report)?;
    }
    Ok(())
}

fn one(item: &[u8], lists: Option<&Completeness>, log: &mut Log, report: &mut Report) -> Result<()> {
    let (bytes, beside) = parts(item)?;
    let after = log.before.map_or_else(|| String::from("first entry"), |(index, ..)| format!("entry after {index}"));
    let Some(entry) = report.take("entries", Word::Altered, &after, Entry::read(bytes)) else { return Ok(()) };
    let place = format!("entry {}", entry.index);
    if log.before.is_some_and(|(index, ..)| index >= entry.index) {
        report.find(Word::Altered, place, "an entry out of order, or twice");
        return Ok(());
    }
    neighbours(&entry, &place, log, report);
    log.trust.entry(&entry, None, &place, report);
    if let Body::Timestamped(anchor) = &entry.body {
        log.stamps.push((entry.index, hash(anchor.note), hash(anchor.token)));
    }
    let closed = fields(&entry, &beside, &place, report);
    members(&entry, &beside, &place, report);
    heads::path(&entry, beside.path.as_deref(), &place, log, report);
    custody::chain(&entry, &beside, lists, &place, log, report);
    log.facts.push(fact(&entry, &beside, closed));
    Ok(())
}

fn fact(entry: &Entry<'_>, beside: &Beside<'_>, closed: Option<u64>) -> Fact {
    Fact {
        index: entry.index,
        leaf: entry.leaf,
        time: entry.time,
        kind: entry.kind,
        subject: entry.subject,
        closed,
        member: !beside.members.is_empty(),
    }
}

/// Order, times and links to the entries before.
fn neighbours(entry: &Entry<'_>, place: &str, log: &mut Log, report: &mut Report) {
    if let Some((index, leaf, time)) = log.before {
        report.want("times", time <= entry.time, Word::Altered, place, "a time that falls");
        if index.saturating_add(1) == entry.index {
            report.want(
                "links",
                entry.previous == leaf,
                Word::Altered,
                place,
                "another entry before than the one here",
            );
        }
    }
    log.before = Some((entry.index, entry.leaf, entry.time));
    if let Some((seq, leaf)) = log.last_of.insert(entry.subject, (entry.seq, entry.leaf)) {
        let follows = seq.saturating_add(1) == entry.seq;
        let so = seq < entry.seq && (!follows || entry.subject_prev == leaf);
        report.want("subjects", so, Word::Altered, place, "another entry of the subject before than the one here");
    }
}

/// Check 5.
fn set_proof(source: &mut dyn Source, log: &Log, report: &mut Report) {
    let Some(bytes) = whole(source, PATHS, MOST_PATHS) else {
        report.find(Word::Missing, PATHS, "a file that has to be there is missing");
        return;
    };
    let Some(list) = report.take("set proof", Word::Altered, PATHS, bytes.and_then(|bytes| read_hashes(&bytes))) else {
        return;
    };
    let Some(head) = &log.head else { return };
    let mut walk = SetWalk::new(head.size, list.into_iter());
    let root = log.facts.iter().try_for_each(|fact| walk.leaf(fact.index, fact.leaf)).and_then(|()| walk.finish());
    let root = root.and_then(|root| ensure(root == head.root, "entries that do not lead to the root of the head"));
    report.take("set proof", Word::Altered, PATHS, root);
}

/// Reads `[* hash]`.
pub fn read_hashes(bytes: &[u8]) -> Result<Vec<Hash>> {
    let mut reader = Reader::new(bytes);
    let list = hashes(&mut reader, MOST_HASHES)?;
    reader.end()?;
    Ok(list)
}
