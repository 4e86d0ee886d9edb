//! A published tree (`docs/format/5-proof.md` 5.4): by itself, and beside a bundle.

use std::collections::{BTreeMap, BTreeSet};

use super::anchors;
use super::entries::Log;
use super::entry::PublicHalf;
use super::keys::LogKeys;
use super::pins::Pins;
use super::report::{BundleReport, part};
use super::source::{Paths, Source, Unread};
use super::walk::{Walk, is_for_every_bundle};
use crate::codec::digest::{CustodyId, LeafHash, RootHash};
use crate::codec::limits::{ENTRY_BYTES_MAX, NOTE_BYTES_MAX};
use crate::evidence::Verdict;
use crate::log::{AnchorBody, Body, Checkpoint, Frontier, LogError, NoteKey, SignedNote, Tile, leaf_hash};

const CHECKPOINT: &str = "checkpoint";
const WIDTH: u32 = 256;
const HASH_BYTES: usize = 32;
const LENGTH_BYTES: usize = 2;
const BUNDLE_BYTES_MAX: u64 = WIDTH as u64 * (LENGTH_BYTES + ENTRY_BYTES_MAX) as u64;

/// Why a walk through a tree ends before the tree does.
type Stop = (Verdict, String, String);

/// A tree whose head could be read.
struct Tree<'a> {
    paths: &'a Paths<'a>,
    note: String,
    head: Checkpoint,
    has_entries: bool,
}

impl<'a> Tree<'a> {
    fn open(paths: &'a Paths<'a>, report: &mut BundleReport) -> Option<Self> {
        let text = match paths.read(CHECKPOINT, NOTE_BYTES_MAX as u64) {
            Ok(bytes) => String::from_utf8(bytes).ok(),
            Err(Unread::Absent) => {
                report.missing(part::TREE, CHECKPOINT, "a published tree has this file");
                return None;
            }
            Err(Unread::Fault(word, why)) => {
                report.find(word, part::TREE, CHECKPOINT, why);
                return None;
            }
        };
        let read = text.and_then(|note| anchors::said(&note).map(|head| (note, head)));
        let Some((note, head)) = read else {
            report.altered(part::TREE, CHECKPOINT, "it is no head");
            return None;
        };
        Some(Self { paths, note, head, has_entries: !paths.below("tile/entries/").is_empty() })
    }

    fn tiles(&self) -> impl Iterator<Item = Tile> + use<> {
        // As in C2SP tlog-tiles, 256.
        let (full, rest) = (self.head.size >> 8, self.head.size & 0xff);
        let last = u32::try_from(rest).ok().filter(|rest| *rest > 0);
        (0..full).map(|index| Tile { level: 0, index, width: WIDTH }).chain(last.map(|width| Tile {
            level: 0,
            index: full,
            width,
        }))
    }

    /// The partial tile or bundle at a path, or the whole one at its place, whose front is the same; how wide it is.
    fn piece(&self, tile: Tile, path: fn(&Tile) -> String, bytes_max: u64) -> Result<(String, u32, Vec<u8>), Stop> {
        let whole = Tile { width: WIDTH, ..tile };
        let found = if self.paths.has(&path(&tile)) || !self.paths.has(&path(&whole)) { tile } else { whole };
        let path = path(&found);
        self.file(&path, bytes_max).map(|bytes| (path, found.width, bytes))
    }

    fn file(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, Stop> {
        self.paths.read(path, bytes_max).map_err(|e| match e {
            Unread::Absent => (Verdict::Missing, path.to_owned(), "the head covers it, and it is not there".to_owned()),
            Unread::Fault(word, why) => (word, path.to_owned(), why),
        })
    }

    /// Every leaf hash in order, with its entry where entries are published. Tells how far it came by calling, and why it stopped.
    fn walk(&self, each: &mut dyn FnMut(LeafHash, Option<&[u8]>)) -> Result<RootHash, Stop> {
        let mut tree = Frontier::new();
        for tile in self.tiles() {
            let (path, width, hashes) =
                self.piece(tile, Tile::path, u64::from(WIDTH).saturating_mul(HASH_BYTES as u64))?;
            let (hashes, rest) = hashes.as_chunks::<HASH_BYTES>();
            if !rest.is_empty() || hashes.len() != width as usize {
                return Err((Verdict::Altered, path, "it has another number of hashes than its name says".into()));
            }
            let (path, width, bytes) = if self.has_entries {
                self.piece(tile, Tile::bundle_path, BUNDLE_BYTES_MAX)?
            } else {
                (String::new(), 0, Vec::new())
            };
            let mut rest = bytes.as_slice();
            for hash in hashes.iter().take(tile.width as usize) {
                let leaf = LeafHash::from_bytes(*hash);
                tree.push(&leaf);
                if !self.has_entries {
                    each(leaf, None);
                    continue;
                }
                let split = split_entry(rest).ok_or_else(|| {
                    (Verdict::Altered, path.clone(), "it has fewer entries than its name says".to_owned())
                })?;
                if leaf_hash(split.0) != leaf {
                    return Err((Verdict::Altered, path, "an entry is not the one of its place in the tree".into()));
                }
                each(leaf, Some(split.0));
                rest = split.1;
            }
            for _ in tile.width..width {
                let split = split_entry(rest).ok_or_else(|| {
                    (Verdict::Altered, path.clone(), "it has fewer entries than its name says".to_owned())
                })?;
                rest = split.1;
            }
            if !rest.is_empty() {
                return Err((Verdict::Altered, path, "it has more entries than its name says".into()));
            }
        }
        Ok(tree.root())
    }

    fn entries(&self, each: &mut dyn FnMut(&PublicHalf<'_>)) {
        let _told_by_the_second_walk = self.walk(&mut |_, entry| {
            if let Some(Ok(half)) = entry.map(PublicHalf::read) {
                each(&half);
            }
        });
    }
}

/// An entry behind its length, and what follows it.
fn split_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// Roots over the first so many leaves, of sizes that are wanted.
struct Roots {
    wanted: BTreeSet<u64>,
    roots: BTreeMap<u64, RootHash>,
    tree: Frontier,
}

impl Roots {
    fn of(wanted: BTreeSet<u64>) -> Self {
        let mut roots = Self { wanted, roots: BTreeMap::new(), tree: Frontier::new() };
        roots.keep();
        roots
    }

    fn keep(&mut self) {
        if self.wanted.remove(&self.tree.size()) {
            self.roots.insert(self.tree.size(), self.tree.root());
        }
    }

    fn take(&mut self, leaf: &LeafHash) {
        if !self.wanted.is_empty() {
            self.tree.push(leaf);
            self.keep();
        }
    }
}

fn told(stop: Stop, report: &mut BundleReport) {
    let (word, place, what) = stop;
    report.find(word, part::TREE, place, what);
}

/// Checks a published tree by itself; with the public halves, the whole log as far as they go.
#[must_use]
pub fn check_published(source: &dyn Source, pins: &Pins) -> BundleReport {
    let mut report = BundleReport::default();
    let paths = Paths::of(source);
    let Some(tree) = Tree::open(&paths, &mut report) else {
        report.not_pinned();
        report.not_anchored("there is no head that a witness could have signed");
        return report;
    };
    report.head = Some(tree.head.clone());
    report.looked(part::HEAD, 1);
    let anchored =
        if tree.has_entries { with_entries(&tree, pins, &mut report) } else { hashes(&tree, pins, &mut report) };
    report.anchored_ms = anchored;
    if anchored.is_none() {
        report.not_anchored("no quorum of the given witnesses has cosigned the head");
    }
    report
}

fn with_entries(tree: &Tree<'_>, pins: &Pins, report: &mut BundleReport) -> Option<u64> {
    let (mut keys, mut wanted) = (None, BTreeSet::new());
    tree.entries(&mut |half| {
        LogKeys::take(&mut keys, half);
        wanted.extend(head_of(&half.body).map(|(size, _)| size));
    });
    let given = keys.as_ref().map(|keys| pins.own_heads(keys, tree.head.size, report)).unwrap_or_default();
    wanted.extend(given.iter().map(|head| head.size));
    let mut roots = Roots::of(wanted);
    let mut published: Vec<(u64, u64, RootHash)> = Vec::new();
    let mut walk = Walk::new(keys.as_ref(), pins, true);
    let walked = tree.walk(&mut |leaf, entry| {
        roots.take(&leaf);
        match entry.map(PublicHalf::read) {
            Some(Ok(half)) => {
                walk.take(&half, report);
                if let Body::Anchor(AnchorBody::Published { size, root, .. }) = &half.body {
                    published.push((half.entry.index, *size, *root));
                }
            }
            Some(Err(e)) => report.altered(part::ENTRIES, "tile/entries", e.to_string()),
            None => {}
        }
    });
    let said = walk.finish(|_| true, report);
    whole(walked, tree, report);
    for head in said.heads.iter().filter(|head| head.holds) {
        if roots.roots.get(&head.size).is_some_and(|root| *root != head.root) {
            let what = "the log does not begin with the entries of the head that others hold";
            report.find(Verdict::Forked, part::ANCHORS, format!("entry {}", head.entry), what);
        }
    }
    for (index, size, root) in published {
        if roots.roots.get(&size).is_some_and(|own| *own != root) {
            report.altered(part::ANCHORS, format!("entry {index}"), "the head that it names is not one of this log");
        }
    }
    if !said.begun.is_empty() {
        let what = format!("{} recordings were begun and are no tapes", said.begun.len());
        report.find(Verdict::UnsealedTail, part::TREE, "log", what);
    }
    pins.compare_keys(keys.as_ref(), true, report);
    let Some(keys) = keys else {
        report.missing(part::ENTRIES, "entry 0", "the entry that names the log and its keys is not there");
        return None;
    };
    keys.tell(report);
    report.test = keys.genesis.test;
    compare_given(&given, tree.head.size, &roots, report);
    match anchors::read_head(&tree.note, &keys, pins) {
        Ok((_, anchored_ms)) => anchored_ms,
        Err(e) => {
            report.altered(part::HEAD, CHECKPOINT, format!("the head does not hold: {e}"));
            None
        }
    }
}

/// A head that somebody else holds must be one that this tree was.
fn compare_given(given: &[Checkpoint], size: u64, roots: &Roots, report: &mut BundleReport) {
    for head in given {
        let place = format!("head of {} entries", head.size);
        if head.size > size {
            report.find(Verdict::RolledBack, part::PINS, place, "somebody else holds a head of more entries");
        } else if roots.roots.get(&head.size).is_some_and(|root| *root != head.root) {
            let what = "somebody else holds a head of as many entries with another root";
            report.find(Verdict::Forked, part::PINS, place, what);
        }
    }
}

fn head_of(body: &Body) -> Option<(u64, RootHash)> {
    match body {
        Body::Anchor(AnchorBody::Cosigned { note, .. } | AnchorBody::Timestamped { note, .. }) => {
            let head = std::str::from_utf8(note).ok().and_then(anchors::said)?;
            Some((head.size, head.root))
        }
        Body::Anchor(AnchorBody::Published { size, root, .. }) => Some((*size, *root)),
        _ => None,
    }
}

fn whole(walked: Result<RootHash, Stop>, tree: &Tree<'_>, report: &mut BundleReport) {
    report.looked(part::TREE, tree.head.size);
    match walked {
        Ok(root) if root == tree.head.root => {}
        Ok(_) => report.altered(part::TREE, CHECKPOINT, "the tiles do not lead to the root of the head"),
        Err(stop) => told(stop, report),
    }
}

/// Hashes alone: nothing here says by which key the head was signed.
fn hashes(tree: &Tree<'_>, pins: &Pins, report: &mut BundleReport) -> Option<u64> {
    let known: Vec<&NoteKey> = pins.log_keys().iter().filter(|key| key.name() == tree.head.origin).collect();
    let by_each: Vec<_> = known.iter().map(|key| (*key, Checkpoint::from_note(&tree.note, *key))).collect();
    let own = by_each.iter().find(|(_, read)| read.is_ok()).map(|(key, _)| *key);
    for e in by_each.iter().filter_map(|(_, read)| read.as_ref().err()).filter(|e| **e != LogError::Unsigned) {
        report.altered(part::HEAD, CHECKPOINT, format!("the head does not hold: {e}"));
    }
    let given = pins.heads_of(&known, report);
    let mut roots = Roots::of(given.iter().map(|head| head.size).collect());
    let walked = tree.walk(&mut |leaf, _| roots.take(&leaf));
    whole(walked, tree, report);
    compare_given(&given, tree.head.size, &roots, report);
    if own.is_some() {
        let anchored = SignedNote::parse(&tree.note).and_then(|note| pins.anchored_ms(&note));
        return anchored.unwrap_or_else(|e| {
            report.altered(part::HEAD, CHECKPOINT, format!("the head does not hold: {e}"));
            None
        });
    }
    report.not_pinned();
    if pins.log_keys().is_empty() {
        let what = "nothing says by which key the head was signed: give the log's verifier key";
        report.find(Verdict::CannotTell, part::HEAD, CHECKPOINT, what);
    } else if known.is_empty() {
        report.altered(part::HEAD, CHECKPOINT, "the head is of another log than every key that was given");
    } else {
        let what = "the head was signed by no key that was given: another may have followed";
        report.find(Verdict::CannotTell, part::HEAD, CHECKPOINT, what);
    }
    None
}

/// The keys of the log, by the public halves of a tree. Whether the tree holds is told where it is compared.
pub(super) fn keys(source: &dyn Source) -> Option<LogKeys> {
    let paths = Paths::of(source);
    let tree = Tree::open(&paths, &mut BundleReport::default())?;
    let mut keys = None;
    tree.entries(&mut |half| LogKeys::take(&mut keys, half));
    keys
}

/// Compares a bundle with the public halves of the log; without them, with the tree of hashes.
pub(super) fn compare(
    (source, keys): (&dyn Source, Option<LogKeys>),
    log: &Log,
    given: &BTreeSet<CustodyId>,
    pins: &Pins,
    report: &mut BundleReport,
) {
    let paths = Paths::of(source);
    let Some(tree) = Tree::open(&paths, report) else { return };
    let Some(ours) = &log.head else { return };
    if tree.head.size < ours.size {
        let what = "the published tree is of fewer entries than the head here";
        return report.find(Verdict::CannotTell, part::TREE, CHECKPOINT, what);
    }
    match keys.as_ref().or(log.keys.as_ref()).map(|keys| anchors::read_head(&tree.note, keys, pins)) {
        // Hashes alone do not show whether a key came after the bundle.
        Some(Err(LogError::Unsigned)) if !tree.has_entries => {
            let what = "its head is signed by no key that the bundle names";
            report.find(Verdict::CannotTell, part::TREE, CHECKPOINT, what);
        }
        Some(Err(e)) => report.altered(part::TREE, CHECKPOINT, format!("its head does not hold: {e}")),
        _ => {}
    }
    let mut roots = Roots::of(BTreeSet::from([ours.size]));
    let (mut beside, mut index) = (Beside { log, given, size: ours.size, wrong: Vec::new() }, 0u64);
    let walked = tree.walk(&mut |leaf, entry| {
        roots.take(&leaf);
        if let Some(entry) = entry {
            beside.take(index, &leaf, entry);
        }
        index = index.saturating_add(1);
    });
    let wrong = beside.wrong;
    let was_read = walked.as_ref().is_ok_and(|root| *root == tree.head.root);
    whole(walked, &tree, report);
    let is_same = roots.roots.get(&ours.size).map(|root| *root == ours.root);
    if is_same == Some(false) {
        let what = "the published log does not begin with the entries of the head here";
        report.find(Verdict::Forked, part::TREE, CHECKPOINT, what);
    }
    report.whole_log = tree.has_entries && was_read && is_same == Some(true) && wrong.is_empty();
    for (index, what) in wrong {
        report.incomplete(part::TREE, format!("entry {index}"), what);
    }
}

/// Entries of the whole log beside those of a bundle.
struct Beside<'a> {
    log: &'a Log,
    given: &'a BTreeSet<CustodyId>,
    size: u64,
    wrong: Vec<(u64, &'static str)>,
}

impl Beside<'_> {
    fn take(&mut self, index: u64, leaf: &LeafHash, entry: &[u8]) {
        if let Some(fact) = self.log.at(index) {
            if fact.leaf != *leaf {
                self.wrong.push((index, "the published log has another entry at this index"));
            }
            return;
        }
        let Ok(half) = PublicHalf::read(entry) else { return };
        let subject = half.entry.subject;
        let last = self.log.about(&subject).next_back();
        if self.given.contains(&subject) && last.is_some_and(|last| index < last.index) {
            self.wrong.push((index, "an entry about a given tape is not here"));
        }
        if is_for_every_bundle(half.entry.kind) && index < self.size {
            self.wrong.push((index, "an entry about keys, or the succession, is not here"));
        }
    }
}
