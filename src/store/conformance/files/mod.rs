//! The clauses of [`Files`] and of the [`File`] it opens.
//!
//! Paths are taken beneath the folder of a [`Place`], so that the file system of a machine and one in memory run the
//! very same clauses.

mod contents;
mod lasting;
mod names;

use std::fmt::Debug;
use std::io::{ErrorKind, Result as Outcome};
use std::path::PathBuf;
use std::sync::Arc;

use super::clause::{Clause, Open, same};
use crate::store::files::{File, Files};

/// A file system, and a folder in it that is there and whose name is durable.
#[derive(Debug, Clone)]
pub struct Place {
    /// The file system.
    pub files: Arc<dyn Files>,
    /// The folder.
    pub folder: PathBuf,
}

type Fresh<'a> = Open<'a, Place>;
type Verdict = Result<(), String>;

/// Clauses on folders that each begin empty.
pub const CLAUSES: &[Clause<Place>] = &[
    Clause { name: "open: not found, and nothing is made", check: contents::open_not_found },
    Clause { name: "open: a folder is no file", check: contents::open_no_folder },
    Clause { name: "open: only who asked for it may write", check: contents::open_to_read },
    Clause { name: "open: every handle sees what any wrote", check: contents::handles_agree },
    Clause { name: "create_new: only where nothing stands", check: contents::create_only_new },
    Clause { name: "create_new: the folder must be there", check: contents::create_needs_folder },
    Clause { name: "read: at most so many bytes", check: contents::read_has_a_limit },
    Clause { name: "read: not found", check: contents::read_not_found },
    Clause { name: "read_at: fewer bytes only at the end", check: contents::read_at_fills },
    Clause { name: "write_at: changes what it names and nothing else", check: contents::write_at_is_exact },
    Clause { name: "write_at: a gap reads as zeros", check: contents::gap_is_zero },
    Clause { name: "len: as long as what was written", check: contents::len_is_right },
    Clause { name: "sync_data: repeatable, changes nothing", check: contents::sync_changes_nothing },
    Clause { name: "punch: zeros there and nowhere else, or Unsupported", check: contents::punch_is_exact },
    Clause { name: "create_dir_all: with its parents, and again", check: names::folders_are_made },
    Clause { name: "sync_dir: not of a folder that is not there", check: names::sync_dir_not_found },
    Clause { name: "rename_noreplace: moves a file", check: names::rename_moves },
    Clause { name: "rename_noreplace: moves a folder with all in it", check: names::rename_moves_folders },
    Clause { name: "rename_noreplace: never replaces", check: names::rename_never_replaces },
    Clause { name: "rename_replace: replaces a file", check: names::rename_replaces },
    Clause { name: "rename: not found, and nothing is changed", check: names::rename_not_found },
    Clause { name: "rename: an open file stays the same file", check: names::rename_keeps_handles },
    Clause { name: "remove_file: gone", check: names::removed_is_gone },
    Clause { name: "remove_file: not found, and never a folder", check: names::remove_not_found },
    Clause { name: "list: sorted, with kinds and lengths", check: names::list_is_whole },
    Clause { name: "list: not found, and of folders alone", check: names::list_not_found },
    Clause { name: "exists: a file, a folder, nothing", check: names::exists_is_right },
    Clause { name: "try_lock: one holder at a time", check: names::lock_is_one },
    Clause { name: "try_lock: free when it is dropped", check: names::lock_ends },
    Clause { name: "is_current: not when the lock's file is another", check: names::lock_notices },
    Clause { name: "shared_mode: new files are their owner's alone", check: names::files_are_private },
    Clause { name: "concurrent: readers beside a writer", check: contents::readers_while_writing },
];

/// Clauses on one folder that is opened again, empty at the first. Where a power cut can be had, it comes between two
/// calls of the closure, and nothing lasts but what was made durable.
pub const LASTING: &[Clause<Place>] = &[
    Clause { name: "sync_data: what was written lasts", check: lasting::contents_last },
    Clause { name: "sync_dir: every new name lasts", check: lasting::names_last },
    Clause { name: "create_dir_all: lasts once the folders above are synced", check: lasting::folders_last },
    Clause { name: "rename_noreplace: lasts once both folders are synced", check: lasting::moves_last },
    Clause { name: "rename_replace: lasts once the folder is synced", check: lasting::replacing_lasts },
    Clause { name: "rename_replace: before that the old stands, or the new", check: lasting::replacing_is_atomic },
    Clause { name: "remove_file: lasts once the folder is synced", check: lasting::removing_lasts },
];

const ANY: u64 = 1 << 20;

fn fine<T>(what: &str, result: Outcome<T>) -> Result<T, String> {
    result.map_err(|e| format!("{what}: {e} ({:?})", e.kind()))
}

fn refused<T: Debug>(what: &str, result: Outcome<T>, kind: ErrorKind) -> Verdict {
    match result {
        Err(e) if e.kind() == kind => Ok(()),
        Err(e) => Err(format!("{what}: {e} ({:?}) instead of {kind:?}", e.kind())),
        Ok(value) => Err(format!("{what}: gave {value:?} instead of {kind:?}")),
    }
}

/// Refused, whatever the system calls it.
fn refused_somehow<T: Debug>(what: &str, result: Outcome<T>) -> Verdict {
    result.map_or(Ok(()), |value| Err(format!("{what}: gave {value:?} instead of an error")))
}

impl Place {
    fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A new file with these bytes.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<Arc<dyn File>, String> {
        let file = fine("create_new", self.files.create_new(&self.at(name)))?;
        fine("write_at", file.write_at(0, bytes))?;
        Ok(file)
    }

    fn holds(&self, name: &str, bytes: &[u8]) -> Verdict {
        let read = fine(&format!("read of {name}"), self.files.read(&self.at(name), ANY))?;
        same(&format!("{name} holds its bytes"), read == bytes, true)
    }

    fn is_there(&self, name: &str, wanted: bool) -> Verdict {
        same(&format!("{name} is there"), fine("exists", self.files.exists(&self.at(name)))?, wanted)
    }

    fn make_folder(&self, name: &str) -> Verdict {
        fine("create_dir_all", self.files.create_dir_all(&self.at(name)))
    }

    fn sync(&self, name: &str) -> Verdict {
        let folder = if name.is_empty() { self.folder.clone() } else { self.at(name) };
        fine("sync_dir", self.files.sync_dir(&folder))
    }

    /// A new file whose contents are durable, and its name with the next sync of its folder.
    fn put_durable(&self, name: &str, bytes: &[u8]) -> Verdict {
        fine("sync_data", self.put(name, bytes)?.sync_data())
    }
}

/// Bytes none of which is zero, and no two neighbours the same.
fn pattern(bytes: usize) -> Vec<u8> {
    (1..=251).cycle().take(bytes).collect()
}
