//! Files in memory: the config and state folders of a ledger that lives as long as its process.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::store::files::{Entry, File, FileLock, Files, parent};

/// A file system in memory, gone with its last clone. It never fails but where a real one would for the same reason,
/// and nothing in it is more durable than the process.
///
/// ```
/// use std::path::Path;
/// use immutape::store::files::{Files as _, write_atomic};
/// use immutape::store::memory::MemoryFiles;
/// let files = MemoryFiles::new();
/// files.create_dir_all(Path::new("/state"))?;
/// write_atomic(&files, Path::new("/state/head"), b"signed")?;
/// assert_eq!(files.clone().read(Path::new("/state/head"), 100)?, b"signed");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles {
    disk: Arc<Mutex<Disk>>,
}

#[derive(Debug, Default)]
struct Disk {
    folders: BTreeSet<PathBuf>,
    files: BTreeMap<PathBuf, Arc<Contents>>,
    /// Contents that are locked: a file that is replaced under its lock has other contents.
    locked: Vec<Arc<Contents>>,
}

#[derive(Debug, Default)]
struct Contents(Mutex<Vec<u8>>);

#[derive(Debug)]
struct MemoryLock {
    disk: Arc<Mutex<Disk>>,
    path: PathBuf,
    contents: Arc<Contents>,
}

impl MemoryFiles {
    /// No file and no folder.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        held(&self.disk)
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn error(kind: io::ErrorKind, path: &Path) -> io::Error {
    io::Error::new(kind, format!("{} (in memory)", path.display()))
}

impl Contents {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        held(&self.0)
    }
}

impl File for Contents {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.bytes();
        let rest = usize::try_from(offset).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
        let got = rest.len().min(buffer.len());
        if let (Some(into), Some(from)) = (buffer.get_mut(..got), rest.get(..got)) {
            into.copy_from_slice(from);
        }
        Ok(got)
    }

    fn write_at(&self, offset: u64, new: &[u8]) -> io::Result<()> {
        let too_large = || io::Error::from(io::ErrorKind::FileTooLarge);
        let from = usize::try_from(offset).map_err(|_| too_large())?;
        let to = from.checked_add(new.len()).ok_or_else(too_large)?;
        let mut bytes = self.bytes();
        if bytes.len() < to {
            bytes.resize(to, 0);
        }
        bytes.get_mut(from..to).ok_or_else(too_large)?.copy_from_slice(new);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes().len() as u64)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn punch(&self, _offset: u64, _bytes: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Disk {
    fn is_there(&self, path: &Path) -> bool {
        self.files.contains_key(path) || self.folders.contains(path)
    }

    fn file(&self, path: &Path) -> io::Result<Arc<Contents>> {
        self.files.get(path).cloned().ok_or_else(|| error(io::ErrorKind::NotFound, path))
    }

    fn new_file(&mut self, path: &Path) -> io::Result<Arc<Contents>> {
        if !self.folders.contains(parent(path)) {
            return Err(error(io::ErrorKind::NotFound, parent(path)));
        }
        Ok(self.files.entry(path.to_owned()).or_default().clone())
    }
}

impl Files for MemoryFiles {
    fn open(&self, path: &Path, _write: bool) -> io::Result<Arc<dyn File>> {
        Ok(self.disk().file(path)?)
    }

    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut disk = self.disk();
        if disk.is_there(path) {
            return Err(error(io::ErrorKind::AlreadyExists, path));
        }
        Ok(disk.new_file(path)?)
    }

    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        let file = self.disk().file(path)?;
        let bytes = file.bytes();
        if bytes.len() as u64 > bytes_max {
            return Err(error(io::ErrorKind::FileTooLarge, path));
        }
        Ok(bytes.clone())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        if let Some(file) = path.ancestors().find(|above| disk.files.contains_key(*above)) {
            return Err(error(io::ErrorKind::NotADirectory, file));
        }
        disk.folders.extend(path.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if self.disk().folders.contains(path) { Ok(()) } else { Err(error(io::ErrorKind::NotFound, path)) }
    }

    fn rename_noreplace(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.disk().is_there(to) {
            return Err(error(io::ErrorKind::AlreadyExists, to));
        }
        self.rename_replace(from, to)
    }

    fn rename_replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = self.disk();
        let file = disk.file(from)?;
        if disk.folders.contains(to) {
            return Err(error(io::ErrorKind::IsADirectory, to));
        }
        disk.files.remove(from);
        disk.files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let gone = self.disk().files.remove(path);
        gone.map(|_| ()).ok_or_else(|| error(io::ErrorKind::NotFound, path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let disk = self.disk();
        if !disk.folders.contains(path) {
            return Err(error(io::ErrorKind::NotFound, path));
        }
        let entry = |p: &Path, is_dir, bytes| {
            let os_name = p.file_name().unwrap_or_default().to_owned();
            Entry { name: os_name.to_string_lossy().into_owned(), os_name, is_dir, is_plain: true, bytes }
        };
        let is_within = |p: &Path| p != path && parent(p) == path;
        let folders = disk.folders.iter().filter(|p| is_within(p));
        let folders = folders.map(|p| entry(p, true, 0));
        let files = disk.files.iter().filter(|(p, _)| is_within(p));
        let bytes = |file: &Contents| file.bytes().len() as u64;
        let files = files.map(|(p, file)| entry(p, false, bytes(file)));
        let mut out: Vec<Entry> = folders.chain(files).collect();
        out.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(out)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.disk().is_there(path))
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        let mut disk = self.disk();
        let contents = disk.new_file(path)?;
        if disk.locked.iter().any(|locked| Arc::ptr_eq(locked, &contents)) {
            return Ok(None);
        }
        disk.locked.push(contents.clone());
        Ok(Some(Box::new(MemoryLock { disk: self.disk.clone(), path: path.to_owned(), contents })))
    }

    fn shared_mode(&self, path: &Path) -> io::Result<u32> {
        if self.disk().is_there(path) { Ok(0) } else { Err(error(io::ErrorKind::NotFound, path)) }
    }
}

impl FileLock for MemoryLock {
    fn is_current(&self) -> bool {
        held(&self.disk).files.get(&self.path).is_some_and(|there| Arc::ptr_eq(there, &self.contents))
    }
}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        held(&self.disk).locked.retain(|locked| !Arc::ptr_eq(locked, &self.contents));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> &Path {
        Path::new(path)
    }

    #[test]
    fn what_a_real_file_system_refuses_is_refused() {
        let files = MemoryFiles::new();
        let kind = |e: io::Error| e.kind();
        assert_eq!(files.create_new(at("/a/f")).map_err(kind).unwrap_err(), io::ErrorKind::NotFound);
        files.create_dir_all(at("/a/b")).unwrap();
        files.create_new(at("/a/f")).unwrap().write_at(2, b"xy").unwrap();
        assert_eq!(files.create_new(at("/a/f")).map_err(kind).unwrap_err(), io::ErrorKind::AlreadyExists);
        assert_eq!(files.read(at("/a/f"), 3).map_err(kind).unwrap_err(), io::ErrorKind::FileTooLarge);
        assert_eq!(files.read(at("/a/f"), 4).unwrap(), b"\0\0xy");
        assert_eq!(files.create_dir_all(at("/a/f/c")).map_err(kind).unwrap_err(), io::ErrorKind::NotADirectory);
        assert_eq!(
            files.rename_replace(at("/a/f"), at("/a/b")).map_err(kind).unwrap_err(),
            io::ErrorKind::IsADirectory
        );
        files.create_new(at("/a/g")).unwrap();
        assert_eq!(
            files.rename_noreplace(at("/a/f"), at("/a/g")).map_err(kind).unwrap_err(),
            io::ErrorKind::AlreadyExists
        );
        files.rename_replace(at("/a/f"), at("/a/g")).unwrap();
        let names: Vec<_> = files.list(at("/a")).unwrap().into_iter().map(|e| (e.name, e.is_dir, e.bytes)).collect();
        assert_eq!(names, [("b".to_owned(), true, 0), ("g".to_owned(), false, 4)]);
        assert_eq!(files.list(at("/c")).map_err(kind).unwrap_err(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_lock_is_held_once_and_knows_when_its_file_was_replaced() {
        let files = MemoryFiles::new();
        files.create_dir_all(at("/s")).unwrap();
        let lock = files.try_lock(at("/s/lock")).unwrap().unwrap();
        assert!(files.clone().try_lock(at("/s/lock")).unwrap().is_none());
        assert!(lock.is_current());
        files.remove_file(at("/s/lock")).unwrap();
        let other = files.try_lock(at("/s/lock")).unwrap().unwrap();
        assert!(!lock.is_current() && other.is_current());
        drop(other);
        assert!(files.try_lock(at("/s/lock")).unwrap().is_some());
    }
}
