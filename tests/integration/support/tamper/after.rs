//! What an opening may do to the files: go on with the journal, put rows aside that it cannot use, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::judge::fingerprint;
use super::map::groups;
use super::sled_rows::SledRows;

const QUARANTINE: &str = "ledger/quarantine";

/// The files as they were before an opening.
pub struct Before {
    /// Segments, without the zeros behind what was written.
    journal: BTreeMap<PathBuf, Vec<u8>>,
    /// Names in the folder of the rows, without snapshots: those sled makes and removes by itself.
    index: BTreeSet<String>,
    quarantine: BTreeMap<PathBuf, [u8; 32]>,
}

fn segments(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let Ok(entries) = fs::read_dir(root.join("ledger/journal")) else { return BTreeMap::new() };
    let paths = entries.map(|e| e.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "seg"));
    paths.filter(|path| path.is_file()).map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeSet::new() };
    entries.map(|e| e.unwrap().file_name().into_string().unwrap()).filter(|name| !name.starts_with("snap.")).collect()
}

impl Before {
    pub fn read(root: &Path) -> Self {
        let written = |(path, mut bytes): (PathBuf, Vec<u8>)| {
            bytes.truncate(bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1));
            (path, bytes)
        };
        Self {
            journal: segments(root).into_iter().map(written).collect(),
            index: names(&root.join("ledger/index")),
            quarantine: fingerprint(root, &[QUARANTINE]),
        }
    }

    /// Compares with what an opening left that built the rows anew for this reason, or did not.
    pub fn compare(&self, root: &Path, rebuilt: Option<u64>) -> Vec<String> {
        let mut wrong = Vec::new();
        let now = segments(root);
        for (path, written) in &self.journal {
            if !now.get(path).is_some_and(|bytes| bytes.starts_with(written)) {
                wrong.push(format!("the opening changed what stood in {}", path.display()));
            }
        }
        let quarantine = fingerprint(root, &[QUARANTINE]);
        if self.quarantine.iter().any(|(path, digest)| quarantine.get(path) != Some(digest)) {
            wrong.push("the opening changed what was put aside earlier".to_owned());
        }
        wrong.extend(self.put_aside(root, &quarantine, rebuilt));
        wrong
    }

    /// Rows that are built anew stood somewhere: all of that is put aside, in a folder of its own. Only where there were
    /// none does everything stay that lay in their folder.
    fn put_aside(&self, root: &Path, now: &BTreeMap<PathBuf, [u8; 32]>, rebuilt: Option<u64>) -> Option<String> {
        let new: BTreeSet<&Path> =
            now.keys().filter(|path| !self.quarantine.contains_key(*path)).filter_map(|path| path.parent()).collect();
        let folders: Vec<&Path> =
            new.into_iter().filter(|path| path.parent() == Some(&root.join(QUARANTINE))).collect();
        match (rebuilt, folders.as_slice()) {
            (None, []) => None,
            (Some(0), []) if names(&root.join("ledger/index")).is_superset(&self.index) => None,
            (Some(_), [one]) if names(one).is_superset(&self.index) => None,
            _ => Some(format!("rows built anew: {rebuilt:?}; put aside: {folders:?}, of {:?}", self.index)),
        }
    }
}

/// The groups of the journal, one behind the other, without the zeros up to the next sector.
pub fn log_in_journal(root: &Path) -> Vec<u8> {
    let mut log = Vec::new();
    for bytes in segments(root).values().filter(|bytes| bytes.iter().any(|b| *b != 0)) {
        for group in groups(bytes) {
            log.extend_from_slice(&bytes[group.extent.start as usize..group.padding.start as usize]);
        }
    }
    log
}

/// The same from the rows.
pub fn log_in_rows(root: &Path) -> Vec<u8> {
    let rows = SledRows::open(root);
    let pieces: Vec<Vec<u8>> = rows.pieces().into_iter().map(|(_, bytes)| bytes).collect();
    pieces.concat()
}
