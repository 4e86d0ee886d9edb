//! The file system, as narrow as we use it. The only place with `std::fs`; every door reaches the
//! disk through here, so that a faulting file system can stand beneath all of it in the tests.

mod aside;
mod cached;
mod new_file;
mod real;
mod temporary;

pub use aside::PutAside;
pub use new_file::NewFile;
pub use real::RealFiles;
pub use temporary::TemporaryFolder;

use std::ffi::OsString;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::codec::escape::visible;
use crate::error::Code;

/// A file held open.
///
/// Concurrent: reads from any thread; writes are serialised by who owns the file.
#[expect(clippy::len_without_is_empty, reason = "nobody asks whether a file is empty")]
pub trait File: Send + Sync + Debug {
    /// Fills `buffer` from `offset`; fewer bytes only at the end of the file.
    ///
    /// # Errors
    /// The system's error.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`. Not durable. A failure may leave any part written.
    ///
    /// # Errors
    /// The system's error.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Length in bytes.
    ///
    /// # Errors
    /// The system's error.
    fn len(&self) -> io::Result<u64>;

    /// Makes the contents (and the length) durable. After a failure nothing written since the last
    /// success may be counted on, and calling again proves nothing.
    ///
    /// # Errors
    /// The system's error.
    fn sync_data(&self) -> io::Result<()>;

    /// Gives the blocks of a range back to the file system where it can; reads then give zeros.
    ///
    /// # Errors
    /// `Unsupported` where the file system cannot.
    fn punch(&self, offset: u64, bytes: u64) -> io::Result<()>;

    /// Lets go of what memory holds of a range, so that reading it next asks the medium: a bit that flipped there shows only then.
    /// False where memory cannot be made to, as on file systems that live in it, and where nobody can tell.
    ///
    /// # Errors
    /// The system's error.
    fn drop_cached(&self, _offset: u64, _bytes: u64) -> io::Result<bool> {
        Ok(false)
    }

    /// Number of the user whose file this is, and its permission bits; `None` where files are nobody's.
    ///
    /// # Errors
    /// The system's error.
    fn owner(&self) -> io::Result<Option<(u32, u32)>> {
        Ok(None)
    }

    /// Locks this very file against [`Files::try_lock`] until it is dropped; false when somebody else has it.
    ///
    /// # Errors
    /// The system's error.
    fn try_lock(&self) -> io::Result<bool> {
        Ok(true)
    }
}

/// A lock that ends when it is dropped or its process dies.
pub trait FileLock: Send + Sync + Debug {
    /// Is the lock file at its path still the one that is locked? False fences the holder.
    fn is_current(&self) -> bool;
}

/// What a directory entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name within the folder, as text: those of the ledger's own files are.
    pub name: String,
    /// The name as the system has it, which may be no text: other people's files are opened by it.
    pub os_name: OsString,
    /// Is it a folder?
    pub is_dir: bool,
    /// Is it a file or a folder, and not a link or a device?
    pub is_plain: bool,
    /// Length of a file.
    pub bytes: u64,
}

/// The operations we use. Paths are absolute or relative to the process's folder, as given at the door.
///
/// Links are not followed when opening files (`O_NOFOLLOW`); new folders are 0700, new files 0600.
pub trait Files: Send + Sync + Debug {
    /// Opens a file for reading, and for writing when `write`.
    ///
    /// # Errors
    /// The system's error; `NotFound` when absent.
    fn open(&self, path: &Path, write: bool) -> io::Result<Arc<dyn File>>;

    /// Creates a file that must not exist. The name is durable after `sync_dir`.
    ///
    /// # Errors
    /// `AlreadyExists`; the system's error.
    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>>;

    /// The whole file, at most `bytes_max` (else `FileTooLarge`).
    ///
    /// # Errors
    /// The system's error.
    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>>;

    /// Makes a folder and its missing parents; existing ones are fine.
    ///
    /// # Errors
    /// The system's error.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Makes names in a folder durable.
    ///
    /// # Errors
    /// The system's error.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Renames; fails with `AlreadyExists` when `to` exists. Durable after `sync_dir` of both folders.
    ///
    /// # Errors
    /// The system's error.
    fn rename_noreplace(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Renames over an existing file. Atomic; durable after `sync_dir`. For rewritable files alone
    /// (head, generation), never for anything sealed.
    ///
    /// # Errors
    /// The system's error.
    fn rename_replace(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Gives a file a second name; fails with `AlreadyExists` when `to` exists. Durable after `sync_dir`.
    ///
    /// # Errors
    /// `Unsupported` where a file has one name only; the system's error.
    fn link(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Removes a file that holds nothing sealed (temporary files, closed spools).
    ///
    /// # Errors
    /// The system's error.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Entries of a folder, sorted by name; `NotFound` when absent.
    ///
    /// # Errors
    /// The system's error.
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>>;

    /// Does anything stand at this path?
    ///
    /// # Errors
    /// The system's error, other than "not found".
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Takes the lock file at `path`, creating it; `None` while another handle holds it.
    ///
    /// # Errors
    /// The system's error.
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>>;

    /// Does somebody hold the lock file at `path`? Who asks holds it for that moment; one that is not there is held by nobody.
    ///
    /// # Errors
    /// The system's error.
    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        Ok(self.exists(path)? && self.try_lock(path)?.is_none())
    }

    /// Permission bits beyond the owner's (group and others) of a file; 0 where there are none.
    ///
    /// # Errors
    /// The system's error.
    fn shared_mode(&self, path: &Path) -> io::Result<u32>;

    /// All permission bits of a file or folder; `None` where there are none.
    ///
    /// # Errors
    /// The system's error.
    fn mode(&self, _: &Path) -> io::Result<Option<u32>> {
        Ok(None)
    }

    /// Free and all bytes of the file system that holds `path`, for who is not privileged; `None` where nobody counts.
    ///
    /// # Errors
    /// The system's error.
    fn space(&self, _: &Path) -> io::Result<Option<(u64, u64)>> {
        Ok(None)
    }

    /// May this process make files in a folder?
    ///
    /// # Errors
    /// The system's error, other than "not permitted".
    fn may_write(&self, _: &Path) -> io::Result<bool> {
        Ok(true)
    }

    /// Where a real path is needed by a library beneath us (sled); simulated file systems say so.
    fn is_real(&self) -> bool {
        false
    }
}

/// The code of an operation that the system refused: a full disk or quota has its own, for there the way out is another.
pub(crate) fn code_of(e: &io::Error) -> Code {
    code_of_kind(e.kind())
}

/// As [`code_of`], where the kind alone is known.
pub(crate) fn code_of_kind(kind: io::ErrorKind) -> Code {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Code::StoreFull,
        _ => Code::Io,
    }
}

/// Writes `bytes` to `path` whole or not at all: a temporary file beside it, synced, renamed over
/// it, the folder synced. A crash leaves the old file, or the new one, and perhaps a `.tmp` beside.
///
/// # Errors
/// The system's error; the old file is then still whole.
pub fn write_atomic(files: &dyn Files, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = with_suffix(path, ".tmp");
    if files.exists(&temporary)? {
        files.remove_file(&temporary)?;
    }
    let file = files.create_new(&temporary)?;
    file.write_at(0, bytes)?;
    file.sync_data()?;
    files.rename_replace(&temporary, path)?;
    files.sync_dir(parent(path))
}

/// Makes a folder and its missing parents, and makes their names durable.
///
/// The names of `path` and of the folder it stands in are synced even when they are there already:
/// a crash may have come between their making and their sync.
///
/// # Errors
/// The system's error.
pub fn create_dir_durable(files: &dyn Files, path: &Path) -> io::Result<()> {
    let mut missing = 0_usize;
    for folder in path.ancestors().filter(|folder| !folder.as_os_str().is_empty()) {
        if files.exists(folder)? {
            break;
        }
        missing = missing.saturating_add(1);
    }
    files.create_dir_all(path)?;
    for (above, folder) in path.ancestors().enumerate().take(missing.max(2)) {
        if folder.as_os_str().is_empty() || folder.parent().is_none() {
            break;
        }
        match files.sync_dir(parent(folder)) {
            // A folder above that we may not read was not made by us.
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied && above >= missing => {}
            done => done?,
        }
    }
    Ok(())
}

/// Refuses a folder that is a link, a device or a file: what is done beneath a link is done somewhere else. One that
/// is not there passes. Who may write to the folder above can still change it between this look and the next step.
///
/// # Errors
/// `NotADirectory` naming it; the system's error.
pub fn refuse_linked_folder(files: &dyn Files, folder: &Path) -> io::Result<()> {
    let entries = match files.list(parent(folder)) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        listed => listed?,
    };
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    match entries.iter().find(|entry| entry.name == name) {
        Some(entry) if !(entry.is_plain && entry.is_dir) => Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            format!("{} is a link, or no folder", visible(name.as_bytes())),
        )),
        _ => Ok(()),
    }
}

/// `path` with `suffix` added to its last part.
#[must_use]
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The folder a path stands in.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    }
}
