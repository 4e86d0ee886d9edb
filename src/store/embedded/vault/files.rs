//! The vault's folder: names, whole-file writes, and overwriting before removal.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::fault;
use super::generation::{self, GENERATION_BYTES_MAX};
use super::slot::EPOCH_FILE_BYTES;
use crate::error::{Code, Error, Result};
use crate::store::files::{File, Files, parent, with_suffix, write_atomic};

const GENERATION: &str = "generation";
const TEMPORARY: &str = ".tmp";
const WIPE_STEP_BYTES: usize = 64 << 10;

/// What stands in the folder, by the meaning of its names; temporary and foreign files are left out.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) epochs: Vec<[u8; 16]>,
    /// Numbers of generations that were rotated away and not yet wholly destroyed.
    pub(super) kept: Vec<u64>,
}

/// Paths and whole-file operations. An error with `E_BROKEN` means that the effect is unknown and
/// the handle must be poisoned; after every other error the folder holds what it held before, and
/// perhaps a temporary file.
#[derive(Debug)]
pub(super) struct Folder {
    files: Arc<dyn Files>,
    path: PathBuf,
    made: AtomicBool,
    /// The names in it are durable, as far as they were there when this handle first looked.
    names_durable: AtomicBool,
}

impl Folder {
    pub(super) fn new(files: Arc<dyn Files>, path: PathBuf) -> Self {
        Self { files, path, made: AtomicBool::new(false), names_durable: AtomicBool::new(false) }
    }

    pub(super) fn epoch_path(&self, epoch: &[u8; 16]) -> PathBuf {
        self.path.join(hex::encode(epoch))
    }

    pub(super) fn generation_path(&self) -> PathBuf {
        self.path.join(GENERATION)
    }

    /// Where a generation that was rotated away stands until it is destroyed.
    pub(super) fn kept_path(&self, generation: u64) -> PathBuf {
        self.path.join(format!("{GENERATION}.{generation}"))
    }

    /// The list of the epochs that end with a generation that was rotated away.
    pub(super) fn doomed_path(&self, generation: u64) -> PathBuf {
        self.path.join(format!("{GENERATION}.{generation}.epochs"))
    }

    /// Makes the folder. Not done at opening: a reader without the lock must leave no trace. Its name
    /// is synced once by each handle, for the process that made it may have ended before it did so.
    pub(super) fn make(&self) -> Result<()> {
        if self.made.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut missing = 0usize;
        for folder in self.path.ancestors() {
            if folder.as_os_str().is_empty() || self.exists(folder)? {
                break;
            }
            missing = missing.saturating_add(1);
        }
        self.files.create_dir_all(&self.path).map_err(|e| fault::io("making", &self.path, e))?;
        // Its own name at least, and the names of all that were made above it.
        for folder in self.path.ancestors().take(missing.max(1)) {
            let above = parent(folder);
            self.files.sync_dir(above).map_err(|e| fault::broken("syncing", above, e))?;
        }
        self.made.store(true, Ordering::Release);
        Ok(())
    }

    pub(super) fn exists(&self, path: &Path) -> Result<bool> {
        self.files.exists(path).map_err(|e| fault::io("looking for", path, e))
    }

    /// The present generation: number, revision, bytes.
    pub(super) fn generation(&self) -> Result<Option<(u64, u64, Vec<u8>)>> {
        let path = self.generation_path();
        if let Some(file) = self.read(&path)? {
            return generation::parse(&path, &file).map(Some);
        }
        // A rotation replaces the file and never takes it away: with an old one beside it, it was lost.
        if self.list()?.kept.is_empty() {
            return Ok(None);
        }
        Err(fault::damaged(format!("vault: {} is missing, but an older generation is there", fault::shown(&path))))
    }

    /// A whole small file; `None` when there is none.
    pub(super) fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match self.files.read(path, GENERATION_BYTES_MAX) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(fault::io("reading", path, e)),
        }
    }

    pub(super) fn list(&self) -> Result<Listing> {
        let entries = match self.files.list(&self.path) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(fault::io("listing", &self.path, e)),
        };
        let mut listing = Listing::default();
        for name in entries.iter().filter(|e| !e.is_dir).map(|e| e.name.as_str()) {
            if let Some(epoch) = epoch_of(name) {
                listing.epochs.push(epoch);
            } else if let Some(generation) = kept_of(name) {
                listing.kept.push(generation);
            }
        }
        listing.kept.sort_unstable();
        listing.kept.dedup();
        Ok(listing)
    }

    pub(super) fn open(&self, epoch: &[u8; 16], write: bool) -> Result<Arc<dyn File>> {
        let path = self.epoch_path(epoch);
        self.files.open(&path, write).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                Error::new(Code::NotFound, format!("vault: there is no epoch {}", fault::epoch_name(epoch)))
            }
            _ => fault::io("opening", &path, e),
        })
    }

    /// Puts a whole epoch file in place, unless one stands there. A crash leaves a temporary file, or
    /// the whole epoch under its name, perhaps not yet durable: [`Folder::sync`] must follow.
    pub(super) fn place_epoch(&self, epoch: &[u8; 16], content: &[u8]) -> Result<()> {
        debug_assert_eq!(content.len(), EPOCH_FILE_BYTES);
        let path = self.epoch_path(epoch);
        if self.exists(&path)? {
            return Ok(());
        }
        let temporary = self.clear_temporary(&path)?;
        let written = self.files.create_new(&temporary).and_then(|file| {
            file.write_at(0, content)?;
            file.sync_data()
        });
        if let Err(e) = written {
            // Nobody knows the name yet; what cannot be removed now is cleared by the next attempt.
            let _leftover = self.files.remove_file(&temporary);
            return Err(fault::io("writing", &temporary, e));
        }
        self.files.rename_noreplace(&temporary, &path).map_err(|e| fault::io("renaming", &temporary, e))
    }

    /// Replaces a whole file, atomically and durably. A crash leaves the old file or the new one.
    pub(super) fn replace(&self, path: &Path, content: &[u8]) -> Result<()> {
        if content.len() as u64 > GENERATION_BYTES_MAX {
            let words = format!("vault: {} would be longer than {GENERATION_BYTES_MAX} bytes", fault::shown(path));
            return Err(Error::new(Code::Limit, words));
        }
        if self.read(path)?.as_deref() == Some(content) {
            return self.sync();
        }
        self.clear_temporary(path)?;
        write_atomic(&*self.files, path, content).map_err(|e| match self.read(path) {
            // The rename took effect and the sync of the name did not: a power cut may undo it.
            Ok(Some(now)) if now == content => fault::broken("replacing", path, e),
            Ok(_) => fault::io("replacing", path, e),
            Err(_) => fault::broken("replacing", path, e),
        })
    }

    /// Makes the names in the folder durable.
    pub(super) fn sync(&self) -> Result<()> {
        self.files.sync_dir(&self.path).map_err(|e| fault::broken("syncing", &self.path, e))?;
        self.names_durable.store(true, Ordering::Release);
        Ok(())
    }

    /// Makes the names durable that an earlier handle left: its sync may have failed, or its process ended before
    /// it, and what this one reads under them a power cut could still undo.
    pub(super) fn sync_names_left(&self) -> Result<()> {
        if self.names_durable.load(Ordering::Acquire) || !self.exists(&self.path)? {
            return Ok(());
        }
        self.sync()
    }

    /// Overwrites a file with zeros, syncs, and removes it; its length, or `None` when there is none.
    /// A crash leaves it whole, zero in part, or gone. What a disk or file system keeps of the old
    /// blocks is beyond reach here, which is why the root key is destroyed as well.
    pub(super) fn wipe(&self, path: &Path) -> Result<Option<u64>> {
        let file = match self.files.open(path, true) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(fault::io("opening", path, e)),
        };
        let bytes = file.len().map_err(|e| fault::io("measuring", path, e))?;
        let zeros = vec![0; WIPE_STEP_BYTES];
        let mut at = 0;
        while at < bytes {
            let step = zeros.len().min(usize::try_from(bytes.saturating_sub(at)).unwrap_or(usize::MAX));
            let part = zeros.get(..step).unwrap_or_default();
            file.write_at(at, part).map_err(|e| fault::io("overwriting", path, e))?;
            at = at.saturating_add(step as u64);
        }
        // Removed without this, the blocks could go back to the disk with the keys still in them.
        file.sync_data().map_err(|e| fault::broken("overwriting", path, e))?;
        self.files.remove_file(path).map_err(|e| fault::io("removing", path, e))?;
        Ok(Some(bytes))
    }

    /// Removes a file that holds no key. Gone already is a success.
    pub(super) fn remove(&self, path: &Path) -> Result<()> {
        match self.files.remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(fault::io("removing", path, e)),
            _ => Ok(()),
        }
    }

    /// Wipes what an interrupted write left beside `path`; it may hold wrapped keys.
    fn clear_temporary(&self, path: &Path) -> Result<PathBuf> {
        let temporary = with_suffix(path, TEMPORARY);
        self.wipe(&temporary)?;
        Ok(temporary)
    }

    /// Wipes every temporary file, so that no copy of a wrapped key outlives a destruction.
    pub(super) fn clear_temporaries(&self) -> Result<()> {
        let entries = self.files.list(&self.path).map_err(|e| fault::io("listing", &self.path, e))?;
        for entry in entries.iter().filter(|e| !e.is_dir && e.name.ends_with(TEMPORARY)) {
            self.wipe(&self.path.join(&entry.name))?;
        }
        Ok(())
    }
}

/// Is this a name that the vault gives?
pub(in crate::store::embedded) fn is_name(name: &str) -> bool {
    name == GENERATION || epoch_of(name).is_some() || is_kept(name)
}

/// Is this the name of a generation that was rotated away?
pub(in crate::store::embedded) fn is_kept(name: &str) -> bool {
    kept_of(name).is_some()
}

pub(in crate::store::embedded) fn epoch_of(name: &str) -> Option<[u8; 16]> {
    let epoch: [u8; 16] = hex::decode(name).ok()?.try_into().ok()?;
    (hex::encode(epoch) == name).then_some(epoch)
}

fn kept_of(name: &str) -> Option<u64> {
    let rest = name.strip_prefix(GENERATION)?.strip_prefix('.')?;
    let digits = rest.strip_suffix(".epochs").unwrap_or(rest);
    digits.parse::<u64>().ok().filter(|n| n.to_string() == digits)
}
