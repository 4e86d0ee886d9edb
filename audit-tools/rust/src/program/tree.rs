//! Published trees (5-proof, section 5.4).

use super::folder::open_plain;
use std::fs::Metadata;
use std::io::Read;
use std::path::{Path, PathBuf};
use tapeaudit_core::bundle::{Outside, Pins, pinned_keys};
use tapeaudit_core::entry::Entry;
use tapeaudit_core::keys::Times;
use tapeaudit_core::log::{Walk, entry_bundle, given_heads};
use tapeaudit_core::note::{Head, MOST_BYTES};
use tapeaudit_core::report::{Report, Word};
use tapeaudit_core::sign::VerifierKey;
use tapeaudit_core::trust::Trust;
use tapeaudit_core::{Refused, Result, ensure, refuse, tree};

/// Hashes of a whole tile.
const WIDE: u64 = 256;
/// Most bytes of a bundle of entries.
const MOST_BUNDLE: u64 = WIDE * (2 + 65_535);

/// Folders that lie in one another at most: 20 digits in groups of three, and a part.
const DEPTH: u32 = 9;

/// A tree that was read.
pub struct Tree {
    root: PathBuf,
    /// Its head.
    pub head: Head,
    /// What its entries came to; of a tree without them only the hashes are known.
    pub walk: Walk,
    entries: bool,
}

/// Whether it is what it should be, without a look behind links.
fn is(path: &Path, kind: impl Fn(&Metadata) -> bool) -> bool {
    path.symlink_metadata().is_ok_and(|meta| kind(&meta))
}

/// A file of at most so many bytes, by its path beneath the root. None when no plain file is there, or a link on the way.
fn file(root: &Path, path: &str, most: u64) -> Option<Result<Vec<u8>>> {
    let (mut at, mut left) = (root.to_owned(), path.split('/').count());
    for part in path.split('/') {
        at.push(part);
        left = left.saturating_sub(1);
        if !is(&at, |meta| if left == 0 { meta.is_file() } else { meta.is_dir() }) {
            return None;
        }
    }
    Some(open_plain(&at).and_then(|file| {
        let mut bytes = Vec::new();
        let read = file.take(most.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|_| Refused("a file that cannot be read"))?;
        ensure(bytes.len() as u64 <= most, "a file over its limit")?;
        Ok(bytes)
    }))
}

/// Whether a plain file lies beneath a folder. Names are three digits, so that nothing is nested deeper than this.
fn has_file(folder: &Path, depth: u32) -> bool {
    if depth == 0 || !is(folder, Metadata::is_dir) {
        return false;
    }
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .any(|path| is(&path, Metadata::is_file) || has_file(&path, depth.saturating_sub(1)))
}

/// Place of a tile: groups of three digits, all but the last behind an `x`.
fn place(number: u64) -> String {
    let mut path = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

/// A tile or a bundle: that of so many, or the whole one, whose front is the same.
fn piece(root: &Path, kind: &str, number: u64, width: u64, most: u64) -> Option<(Result<Vec<u8>>, u64)> {
    let path = format!("tile/{kind}/{}", place(number));
    if width < WIDE
        && let Some(found) = file(root, &format!("{path}.p/{width}"), most)
    {
        return Some((found, width));
    }
    file(root, &path, most).map(|found| (found, WIDE))
}

impl Tree {
    /// Reads head and tiles, and the entries where they are published; tells what is wrong. None where no head reads.
    pub fn read(root: &Path, witnesses: &[VerifierKey], report: &mut Report) -> Option<Self> {
        let head = match file(root, "checkpoint", MOST_BYTES as u64) {
            None => {
                report.find(Word::Missing, "checkpoint", "the head of the tree is missing");
                return None;
            }
            Some(bytes) => {
                report.take("head", Word::Altered, "checkpoint", bytes.and_then(|bytes| Head::read(&bytes)))?
            }
        };
        let entries = is(&root.join("tile"), Metadata::is_dir) && has_file(&root.join("tile/entries"), DEPTH);
        let mut found = Self { root: root.into(), head, walk: Walk::new(witnesses), entries };
        found.tiles(report);
        Some(found)
    }

    fn tiles(&mut self, report: &mut Report) {
        let size = self.head.size;
        for number in 0..size.div_ceil(WIDE) {
            let width = size.saturating_sub(number.saturating_mul(WIDE)).min(WIDE);
            let at = format!("tile/0/{}", place(number));
            let Some((bytes, there)) = piece(&self.root, "0", number, width, WIDE * 32) else {
                report.find(Word::Missing, at, "a tile is missing");
                return;
            };
            let hashes = bytes.and_then(|bytes| {
                let (hashes, rest) = bytes.as_chunks::<32>();
                ensure(rest.is_empty() && hashes.len() as u64 == there, "a tile of another number of hashes")?;
                Ok(hashes.to_vec())
            });
            let Some(mut hashes) = report.take("tiles", Word::Altered, &at, hashes) else { return };
            hashes.truncate(usize::try_from(width).unwrap_or(0));
            if !self.entries {
                hashes.into_iter().for_each(|hash| self.walk.levels.push(hash));
            } else if !self.bundle(number, width, &hashes, report) {
                return;
            }
        }
        let so = self.walk.levels.root_at(size) == Some(self.head.root);
        report.want("tree root", so, Word::Altered, "tile/0", "tiles that do not lead to the root of the head");
    }

    fn bundle(&mut self, number: u64, width: u64, hashes: &[[u8; 32]], report: &mut Report) -> bool {
        let at = format!("tile/entries/{}", place(number));
        let Some((bytes, there)) = piece(&self.root, "entries", number, width, MOST_BUNDLE) else {
            report.find(Word::Missing, at, "a bundle of entries is missing");
            return false;
        };
        let Some(bytes) = report.take("entry bundles", Word::Altered, &at, bytes) else { return false };
        let mut hashes = hashes.iter();
        let walk = &mut self.walk;
        let mut inner = Report::new();
        let read = entry_bundle(&bytes, there, &mut |entry| {
            // Of a whole bundle in the place of a part only the front is the tree's.
            let Some(hash) = hashes.next() else { return Ok(()) };
            ensure(tree::leaf(entry) == *hash, "an entry that is not the one of its tile")?;
            walk.entry(entry, &mut inner);
            Ok(())
        });
        report.absorb(inner);
        report.take("entry bundles", Word::Altered, &at, read).is_some()
    }
}

impl Tree {
    /// Verifies the head under the keys of the entries, and gives the cosignatures of known witnesses.
    fn own_head(&self, place: &str, report: &mut Report) -> Times {
        if self.walk.trust.keys.is_none() {
            return Times::new();
        }
        report.take("head", Word::Altered, place, self.walk.trust.head(&self.head)).unwrap_or_default()
    }
}

/// Checks a published tree by itself.
pub fn check(root: &Path, pins: &Pins, report: &mut Report) {
    let found = Tree::read(root, &pins.witnesses, report);
    let (mut checkpoint, mut recorder) = (false, false);
    if let Some(tree) = &found {
        if tree.entries {
            tree.walk.finish(report);
            let times = tree.own_head("checkpoint", report);
            report.anchored_ms = pins.anchored(&times, tree.walk.trust.keys.as_ref());
            let keys: Vec<_> = tree.walk.trust.keys.iter().collect();
            (checkpoint, recorder) = pinned_keys(pins, &keys, report);
            given_heads(&tree.walk, &pins.heads, report);
            for _ in tree.walk.unsealed() {
                report.find(Word::UnsealedTail, "entries", "a recording was begun that is no tape yet");
            }
        } else {
            checkpoint = by_pins(tree, pins, report);
            recorder = true;
            report.skip("entries: the tree has hash tiles alone");
        }
        report.say(format!("log {}: {} entries", tree.walk.origin(), tree.head.size));
    }
    report.pinned = checkpoint && recorder;
    if !report.pinned {
        report.find(Word::Unpinned, "keys", "the log vouches for its own keys");
    }
    if report.anchored_ms.is_none() {
        report.find(Word::NotAnchored, "checkpoint", "no quorum of known witnesses vouches for the head");
    }
    report.whole_log = found.is_some_and(|tree| tree.entries);
    report.skip("tiles above level 0");
    report.skip("contents of tapes, and private halves");
    report.skip("signatures and certificates of time-stamps");
}

/// Without entries only given keys can tell whose head it is.
fn by_pins(tree: &Tree, pins: &Pins, report: &mut Report) -> bool {
    if pins.log.is_empty() {
        report.find(Word::CannotTell, "checkpoint", "no key is known under which the head could be verified");
        return false;
    }
    let own: Vec<_> = pins.log.iter().filter(|key| key.name == tree.head.origin).collect();
    if !report.want(
        "head",
        !own.is_empty(),
        Word::Altered,
        "checkpoint",
        "a head of another log than every key that was given",
    ) {
        return false;
    }
    let mut so = false;
    for key in own {
        so |= report.take("head", Word::Altered, "checkpoint", tree.head.note.signed_by(key)).unwrap_or(false);
    }
    if !so {
        report.find(Word::CannotTell, "checkpoint", "a head that no given key signed: another may have followed");
    }
    let times = tree.head.note.cosigned_by_any(&pins.witnesses);
    if let Some(times) = report.take("cosignatures", Word::Altered, "checkpoint", times).filter(|_| so) {
        report.anchored_ms = pins.anchored(&times, None);
    }
    for head in &pins.heads {
        if pins.log.iter().any(|key| head.verify(key).is_ok()) {
            tree.walk.compare("--head", head, report);
        } else {
            report.find(Word::CannotTell, "--head", "a head that the log did not sign");
        }
    }
    so
}

impl Outside for Tree {
    fn head(&self) -> &Head {
        &self.head
    }

    fn size(&self) -> u64 {
        self.walk.levels.size().min(self.head.size)
    }

    fn root_at(&self, size: u64) -> Option<[u8; 32]> {
        self.walk.levels.root_at(size)
    }

    fn has_entries(&self) -> bool {
        self.entries
    }

    fn trust(&self) -> Option<&Trust> {
        self.entries.then_some(&self.walk.trust)
    }

    fn each(&mut self, take: &mut dyn FnMut(&Entry<'_>)) -> Result<()> {
        let size = self.head.size;
        for number in 0..size.div_ceil(WIDE) {
            let width = size.saturating_sub(number.saturating_mul(WIDE)).min(WIDE);
            let Some((bytes, there)) = piece(&self.root, "entries", number, width, MOST_BUNDLE) else {
                return refuse("a bundle of entries is missing");
            };
            let mut index = number.saturating_mul(WIDE);
            entry_bundle(&bytes?, there, &mut |bytes| {
                if index < size {
                    // A second look: nobody may have changed the file since the first one.
                    ensure(
                        self.walk.levels.leaf(index) == Some(tree::leaf(bytes)),
                        "a file that changed while it was looked at",
                    )?;
                    take(&Entry::read(bytes)?);
                }
                index = index.saturating_add(1);
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// The tree beside a bundle: what is wrong with it counts for the bundle. What revoked keys signed is judged of the bundle
/// alone.
pub fn beside(root: &Path, witnesses: &[VerifierKey], report: &mut Report) -> Option<Tree> {
    let tree = Tree::read(root, witnesses, report)?;
    if tree.entries {
        tree.walk.has_genesis(report);
        tree.own_head("--tree", report);
    }
    Some(tree)
}
