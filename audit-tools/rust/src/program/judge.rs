//! Decides what stands at a path, and has it checked.

use super::folder::Folder;
use super::ledger;
use super::tar::Tar;
use super::tree;
use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::Path;
use tapeaudit_core::bundle::{self, Outside, Pins, Source};
use tapeaudit_core::report::{Report, Word};

/// What a path may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// An evidence bundle.
    Bundle,
    /// A published tree.
    Tree,
    /// A ledger folder.
    Ledger,
}

/// What stands at a path.
#[must_use]
pub fn kind_of(path: &Path) -> Option<Kind> {
    let there = |name: &str| path.join(name).symlink_metadata().is_ok();
    let meta = fs::metadata(path).ok()?;
    if meta.is_file() || there("bagit.txt") || there("manifest-sha256.txt") {
        return Some(Kind::Bundle);
    }
    if there("checkpoint") && there("tile") {
        return Some(Kind::Tree);
    }
    there("journal").then_some(Kind::Ledger)
}

/// Nothing could be opened: the words say so.
fn closed(report: &mut Report, place: &Path, word: Word, what: &'static str) {
    report.find(word, tapeaudit_core::report::shown(place.as_os_str().as_encoded_bytes()), what);
    report.find(Word::Unpinned, "keys", "nothing was read that a key could be compared with");
    report.find(Word::NotAnchored, "head", "nothing was read that a witness could vouch for");
}

/// Checks what stands at a path.
pub fn check(
    kind: Option<Kind>,
    path: &Path,
    pins: &Pins,
    tree: Option<&Path>,
    state: Option<&Path>,
    report: &mut Report,
) {
    match kind {
        Some(Kind::Bundle) => bundle_at(path, pins, tree, report),
        Some(Kind::Tree) => tree::check(path, pins, report),
        Some(Kind::Ledger) => ledger::check(path, state, pins, report),
        None => closed(report, path, Word::CannotTell, "neither a bundle nor a published tree nor a ledger"),
    }
}

fn bundle_at(path: &Path, pins: &Pins, tree: Option<&Path>, report: &mut Report) {
    let source: Result<Box<dyn Source>, (Word, &'static str)> = match fs::metadata(path) {
        Err(_) => Err((Word::CannotTell, "nothing there that can be opened")),
        Ok(meta) if meta.is_dir() => match Folder::open(path) {
            Ok(folder) => Ok(Box::new(folder)),
            Err(why) => Err((Word::CannotTell, why.0)),
        },
        Ok(meta) if meta.is_file() => tar_at(path),
        Ok(_) => Err((Word::CannotTell, "neither a file nor a folder")),
    };
    match source {
        Err((word, what)) => closed(report, path, word, what),
        Ok(mut source) => {
            let mut outside = tree.and_then(|tree| tree::beside(tree, &pins.witnesses, report));
            if tree.is_some() && outside.is_none() {
                report.skip("the whole log: the tree does not read");
            }
            let outside = outside.as_mut().map(|tree| tree as &mut dyn Outside);
            bundle::check(source.as_mut(), pins, outside, report);
        }
    }
}

fn tar_at(path: &Path) -> Result<Box<dyn Source>, (Word, &'static str)> {
    const UNREADABLE: (Word, &str) = (Word::CannotTell, "a file that cannot be opened");
    let mut file = File::open(path).map_err(|_| UNREADABLE)?;
    let mut front = [0; 21];
    if file.read_exact(&mut front).is_ok() && front == *b"age-encryption.org/v1" {
        return Err((Word::CannotTell, "encrypted for its recipient: open it with age first"));
    }
    file.rewind().map_err(|_| UNREADABLE)?;
    match Tar::open(file) {
        Ok(tar) => Ok(Box::new(tar)),
        Err(why) => Err((Word::Altered, why.0)),
    }
}
