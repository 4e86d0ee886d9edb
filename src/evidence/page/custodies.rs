//! Which entries are links of which tape, and what they add up to.

use std::collections::{BTreeSet, HashMap};

use super::model::{BundlePage, PageEntry, PageTape};
use super::sort::Sort;
use crate::codec::digest::{CustodyId, IdPrefix};
use crate::log::{Body, EntryKind, EvidenceBody};

/// Links of every tape of a page.
pub(super) struct Custodies<'a> {
    of: HashMap<CustodyId, Vec<&'a PageEntry>>,
    /// Entries that are a link of no tape here: keys, heads that others hold, and what a span holds besides.
    others: Vec<&'a PageEntry>,
}

impl<'a> Custodies<'a> {
    pub(super) fn of(page: &'a BundlePage) -> Self {
        let mut of: HashMap<CustodyId, Vec<&'a PageEntry>> =
            page.tapes.iter().map(|tape| (tape.given.custody, Vec::new())).collect();
        let mut others = Vec::new();
        for entry in &page.entries {
            let touched = touched(page, entry);
            let mut is_link = false;
            for custody in touched {
                if let Some(links) = of.get_mut(&custody) {
                    links.push(entry);
                    is_link = true;
                }
            }
            if !is_link {
                others.push(entry);
            }
        }
        Self { of, others }
    }

    /// All links, of all tapes; one that is a link of several counts for each.
    pub(super) fn count(&self) -> usize {
        self.of.values().map(Vec::len).sum()
    }

    pub(super) fn others(&self) -> &[&'a PageEntry] {
        &self.others
    }

    pub(super) fn tape<'b>(&'b self, page: &'b BundlePage, tape: &'b PageTape) -> Custody<'b> {
        let links = self.of.get(&tape.given.custody).map_or(&[][..], Vec::as_slice);
        Custody { bundle: &page.completeness.bundle, tape, links }
    }
}

/// The tapes that an entry is about, or gave out or refused something of: as the ledger's own custody report finds them.
fn touched(page: &BundlePage, entry: &PageEntry) -> BTreeSet<CustodyId> {
    if entry.subject != CustodyId::LEDGER {
        return BTreeSet::from([entry.subject]);
    }
    let mut touched: BTreeSet<CustodyId> = entry.members.iter().copied().collect();
    let set = entry.private.as_ref().and_then(|private| private.set.as_ref());
    let given = || page.tapes.iter().map(|tape| &tape.given);
    match (&entry.body, set) {
        (Body::Listed { .. } | Body::Searched { .. } | Body::Refused { .. }, Some(set)) => touched.extend(set),
        // Without its private half nobody knows whether it is a list of all tapes.
        (Body::Listed { size, list: None, .. }, None) if entry.private.is_some() => {
            touched.extend(given().filter(|given| given.entry < *size).map(|given| given.custody));
        }
        (Body::Refused { .. }, None) => {
            let query = entry.private.as_ref().and_then(|private| private.query.as_deref());
            let asked = query.and_then(|query| IdPrefix::parse(std::str::from_utf8(query).ok()?).ok());
            if let Some(asked) = asked {
                let hit = given().filter(|given| given.entry < entry.index && asked.matches(given.tape.as_bytes()));
                touched.extend(hit.map(|given| given.custody));
            }
        }
        _ => {}
    }
    touched
}

/// How much an entry that gave something out gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Amount {
    /// It gave nothing of the frames, whatever came of it.
    None,
    /// So many bytes of payloads: a completion says so.
    Bytes(u64),
    /// No completion says how much: anything up to the range.
    Unknown,
    /// It is this bundle.
    Here,
}

/// The custody of one tape.
pub(super) struct Custody<'a> {
    bundle: &'a [u8; 16],
    pub(super) tape: &'a PageTape,
    /// Ascending by index.
    pub(super) links: &'a [&'a PageEntry],
}

/// What the links of a tape add up to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Totals {
    /// Reads of frames: read, watched, replayed.
    pub reads: u64,
    pub header_reads: u64,
    pub reports: u64,
    /// Lists and searches that gave it out.
    pub lists: u64,
    pub exports: u64,
    /// Evidence bundles before this one.
    pub bundles: u64,
    pub checks: u64,
    pub refusals: u64,
    /// Links whose private half is not open here.
    pub closed: u64,
    /// Reads and bundles before this one whose amount is not known.
    pub unknown: u64,
    /// Bytes that completions tell of.
    pub bytes: u64,
    /// Different names that read, listed, exported or bundled it.
    pub readers: u64,
}

impl Custody<'_> {
    pub(super) fn is_this_bundle(&self, entry: &PageEntry) -> bool {
        matches!(&entry.body, Body::Evidence(EvidenceBody::Made { bundle, .. }) if bundle == self.bundle)
    }

    /// Amounts of all links, in their order.
    pub(super) fn amounts(&self) -> Vec<Amount> {
        let completed = |e: &&PageEntry| match (&e.body, &e.private) {
            (Body::AccessCompleted { grant }, Some(private)) => Some((*grant, private.bytes?)),
            _ => None,
        };
        let known: HashMap<u64, u64> = self.links.iter().filter_map(completed).collect();
        let amount = |entry: &&PageEntry| match entry.kind {
            _ if self.is_this_bundle(entry) => Amount::Here,
            EntryKind::ACCESS_GRANTED | EntryKind::FOLLOWED | EntryKind::REPLAYED | EntryKind::EVIDENCE_MADE => {
                known.get(&entry.index).copied().map_or(Amount::Unknown, Amount::Bytes)
            }
            _ => Amount::None,
        };
        self.links.iter().map(amount).collect()
    }

    pub(super) fn saved(&self) -> Option<&PageEntry> {
        self.links.iter().find(|entry| entry.index == self.tape.given.entry).copied()
    }

    /// Names it has by the newest entry that gave it any.
    pub(super) fn labelled(&self) -> Option<&PageEntry> {
        self.links.iter().rev().find(|entry| entry.kind == EntryKind::LABELLED).copied()
    }

    pub(super) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let mut readers = BTreeSet::new();
        for (entry, amount) in self.links.iter().zip(self.amounts()) {
            totals.take(entry, amount);
            let gave = matches!(Sort::of(entry.kind), Sort::Read | Sort::Listed | Sort::Exported | Sort::Evidence);
            let actor = entry.private.as_ref().and_then(|private| private.actor.as_ref());
            if let Some(actor) = actor.filter(|_| gave && amount != Amount::Here) {
                readers.insert((actor.id.as_slice(), actor.authentication.number()));
            }
        }
        totals.readers = readers.len() as u64;
        totals
    }
}

impl Totals {
    fn take(&mut self, entry: &PageEntry, amount: Amount) {
        let count = match entry.kind {
            EntryKind::ACCESS_GRANTED | EntryKind::FOLLOWED | EntryKind::REPLAYED => Some(&mut self.reads),
            EntryKind::METADATA_READ => Some(&mut self.header_reads),
            EntryKind::CUSTODY_READ => Some(&mut self.reports),
            EntryKind::LISTED | EntryKind::SEARCHED => Some(&mut self.lists),
            EntryKind::EXPORTED => Some(&mut self.exports),
            EntryKind::EVIDENCE_MADE => Some(&mut self.bundles).filter(|_| amount != Amount::Here),
            EntryKind::VERIFIED => Some(&mut self.checks),
            EntryKind::REFUSED => Some(&mut self.refusals),
            _ => None,
        };
        let one_more = |n: &mut u64| *n = n.saturating_add(1);
        count.map(one_more);
        match amount {
            Amount::Bytes(bytes) => self.bytes = self.bytes.saturating_add(bytes),
            Amount::Unknown => one_more(&mut self.unknown),
            Amount::None | Amount::Here => {}
        }
        if entry.private.is_none() {
            one_more(&mut self.closed);
        }
    }
}
