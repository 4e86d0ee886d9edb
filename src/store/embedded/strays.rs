//! Names in the two folders that the format does not know (`docs/format/store-embedded.md` section 1). Nothing reads
//! them, so nothing else would ever speak of them: a file put beside the ledger's own could wait there for years.

use std::io;
use std::path::Path;

use super::{journal, packs, vault};
use crate::codec::escape::visible;
use crate::store::contracts::Stray;
use crate::store::files::{Entry, Files};

/// A folder of ours, and what may stand in it.
struct Shelf {
    name: &'static str,
    knows: fn(&Entry) -> bool,
}

/// What is in sled's folder is sled's affair, and what is in quarantine is nobody's.
const LEDGER: [Shelf; 3] = [
    Shelf { name: "journal", knows: |e| is_file(e, journal::is_name(without_tmp(&e.name))) },
    Shelf { name: "packs", knows: |e| is_file(e, packs::is_name(&e.name)) },
    Shelf { name: "spool", knows: |e| is_file(e, is_hex(&e.name, 64)) },
];
const STATE: [Shelf; 2] = [
    Shelf { name: "vault", knows: |e| is_file(e, vault::is_name(without_tmp(&e.name))) },
    Shelf { name: "anchors", knows: |e| is_file(e, is_anchor(without_tmp(&e.name))) },
];

/// Everything that does not belong, by place. Lists only: no link is followed, no file opened.
pub(super) fn find(files: &dyn Files, ledger: &Path, state: &Path) -> io::Result<Vec<Stray>> {
    let mut out = Vec::new();
    let in_ledger = |e: &Entry| matches!(e.name.as_str(), "journal" | "packs" | "spool" | "index" | "quarantine");
    // What a making that was cut off leaves.
    let in_making = |e: &Entry| is_file(e, e.name == "creating");
    top(files, ledger, "ledger", &|e| is_folder(e, in_ledger(e)) || in_making(e), &LEDGER, &mut out)?;
    let file = |e: &Entry| match e.name.as_str() {
        "lock" | "creating" | "jobs.lock" => true,
        name => matches!(
            without_tmp(name),
            "head" | "reserve" | "ledger" | "engine" | "creating" | "jobs" | "scrub" | "keys" | "successor.note"
        ),
    };
    let folder = |e: &Entry| matches!(e.name.as_str(), "vault" | "anchors");
    top(files, state, "state", &|e| is_file(e, file(e)) || is_folder(e, folder(e)), &STATE, &mut out)?;
    Ok(out)
}

fn top(
    files: &dyn Files,
    path: &Path,
    shown: &str,
    knows: &dyn Fn(&Entry) -> bool,
    shelves: &[Shelf],
    out: &mut Vec<Stray>,
) -> io::Result<()> {
    let entries = list(files, path)?;
    for entry in &entries {
        if !knows(entry) {
            out.push(stray(shown, entry));
        } else if let Some(shelf) = shelves.iter().find(|shelf| shelf.name == entry.name) {
            let within = list(files, &path.join(shelf.name))?;
            let place = format!("{shown}/{}", shelf.name);
            out.extend(within.iter().filter(|e| !(shelf.knows)(e)).map(|e| stray(&place, e)));
            // A generation that was rotated away has epochs of its own until it is destroyed.
            if shelf.name == "vault" && !within.iter().any(|e| vault::is_kept(&e.name)) {
                out.extend(within.iter().filter_map(epoch));
            }
        }
    }
    Ok(())
}

/// Heads that others hold, the proof of a fork, and a time-stamp that was asked for.
fn is_anchor(name: &str) -> bool {
    let fork = name.strip_prefix("fork-").and_then(|rest| rest.strip_suffix(".txt"));
    matches!(name, "newest.note" | "ahead.note" | "asked.txt")
        || fork.is_some_and(|size| !size.is_empty() && size.bytes().all(|b| b.is_ascii_digit()))
}

/// A folder that is not there holds nothing that does not belong.
fn list(files: &dyn Files, path: &Path) -> io::Result<Vec<Entry>> {
    match files.list(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    }
}

fn stray(folder: &str, entry: &Entry) -> Stray {
    let what = match (entry.is_dir, entry.is_plain) {
        (true, _) => "a folder that is no part of a ledger; nothing in it was looked at",
        (false, true) => "a file that is no part of a ledger",
        (false, false) => "a link or a device, which no part of a ledger is; it was not followed",
    };
    Stray { place: format!("{folder}/{}", visible(entry.name.as_bytes())), what, epoch: None }
}

/// Only who can read the vault knows which epochs it has.
fn epoch(entry: &Entry) -> Option<Stray> {
    let epoch = is_file(entry, true).then(|| vault::epoch_of(&entry.name)).flatten()?;
    let what = "keys of an epoch that the vault does not list: what a save or a rotation left when it was cut short";
    Some(Stray { place: format!("state/vault/{}", entry.name), what, epoch: Some(epoch) })
}

const fn is_file(entry: &Entry, is_known: bool) -> bool {
    is_known && entry.is_plain && !entry.is_dir
}

const fn is_folder(entry: &Entry, is_known: bool) -> bool {
    is_known && entry.is_plain && entry.is_dir
}

/// The name that a file left by a crash would have got.
fn without_tmp(name: &str) -> &str {
    name.strip_suffix(".tmp").unwrap_or(name)
}

fn is_hex(name: &str, digits: usize) -> bool {
    name.len() == digits && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::files::RealFiles;

    fn places(root: &Path) -> Vec<String> {
        let found = find(&RealFiles, &root.join("l"), &root.join("s")).unwrap();
        found.into_iter().filter(|s| s.epoch.is_none()).map(|s| s.place).collect()
    }

    #[test]
    fn names_of_the_format_are_no_strays() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(places(folder.path()), [""; 0]);
        let (hex64, hex32) = ("0f".repeat(32), "0f".repeat(16));
        for path in [
            "l/index/db",
            "l/quarantine/anything",
            "s/head",
            "s/head.tmp",
            "s/keys",
            "s/anchors/newest.note",
            "s/anchors/fork-12.txt",
            "s/lock",
            "s/reserve",
            "s/engine",
        ] {
            plant(folder.path(), path);
        }
        for path in [
            "l/creating",
            "s/creating",
            "s/ledger",
            "s/engine.tmp",
            "l/journal/00000001.seg",
            "l/journal/00000002.seg.tmp",
            "l/packs/00000001.pack",
        ] {
            plant(folder.path(), path);
        }
        for name in ["generation", "generation.tmp", "generation.3", "generation.3.epochs", &hex32] {
            plant(folder.path(), &format!("s/vault/{name}"));
        }
        plant(folder.path(), &format!("l/spool/{hex64}"));
        assert_eq!(places(folder.path()), [""; 0]);
    }

    #[test]
    fn everything_else_is_named_and_nothing_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let strays = [
            "l/journal/1.seg",
            "l/journal/notes",
            "l/packs/00000001.pack.tmp",
            "l/spool/x\u{1b}",
            "l/tape",
            "s/head.old",
            "s/lock.tmp",
            "s/vault/generation.03",
        ];
        strays.iter().for_each(|path| plant(folder.path(), path));
        fs::create_dir(folder.path().join("l/journal/00000003.seg")).unwrap();
        // A link to a folder full of strays, in the place of one of ours.
        std::os::unix::fs::symlink(folder.path().join("l/journal"), folder.path().join("l/quarantine")).unwrap();
        std::os::unix::fs::symlink("/", folder.path().join("s/vault/ab")).unwrap();
        let wanted = [
            "ledger/journal/00000003.seg",
            "ledger/journal/1.seg",
            "ledger/journal/notes",
            "ledger/packs/00000001.pack.tmp",
            "ledger/quarantine",
            "ledger/spool/x\\x1b",
            "ledger/tape",
            "state/head.old",
            "state/lock.tmp",
            "state/vault/ab",
            "state/vault/generation.03",
        ];
        let mut found = places(folder.path());
        found.sort();
        assert_eq!(found, wanted);
    }

    fn plant(root: &Path, path: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, b"x").unwrap();
    }
}
