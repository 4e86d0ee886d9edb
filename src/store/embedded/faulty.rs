//! Real files that fail where a test wants it, with or without effect.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::store::files::{Entry, File, FileLock, Files, RealFiles};

/// Which operations fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fail {
    /// None.
    Never,
    /// Every one of this name.
    Named(&'static str),
    /// The changing operation with this number (from 0) and all after it: to what stands on the
    /// disk it is as if the process had ended there.
    From(u64),
}

#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) fail: Fail,
    /// Does the first failing operation take effect all the same?
    pub(crate) with_effect: bool,
    pub(crate) kind: io::ErrorKind,
    /// Changing operations so far.
    pub(crate) count: AtomicU64,
    /// Failures so far.
    pub(crate) failed: AtomicU64,
}

impl Plan {
    pub(crate) fn new(fail: Fail) -> Self {
        let (count, failed) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { fail, with_effect: false, kind: io::ErrorKind::Other, count, failed }
    }

    fn run<T>(&self, name: &'static str, job: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        let fails = match self.fail {
            Fail::Never => false,
            Fail::Named(wanted) => wanted == name,
            Fail::From(first) => number >= first,
        };
        if !fails {
            return job();
        }
        if self.with_effect && self.failed.load(Ordering::SeqCst) == 0 {
            job()?;
        }
        self.failed.fetch_add(1, Ordering::SeqCst);
        Err(io::Error::new(self.kind, format!("{name} failed on purpose")))
    }
}

/// [`RealFiles`] under a plan.
#[derive(Debug, Clone)]
pub(crate) struct FaultyFiles(pub(crate) Arc<Plan>);

#[derive(Debug)]
struct FaultyFile(Arc<dyn File>, Arc<Plan>);

impl File for FaultyFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.1.run("write_at", || self.0.write_at(offset, bytes))
    }
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn sync_data(&self) -> io::Result<()> {
        self.1.run("sync_data", || self.0.sync_data())
    }
    fn punch(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.1.run("punch", || self.0.punch(offset, bytes))
    }
}

impl FaultyFiles {
    fn wrap(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(FaultyFile(file, Arc::clone(&self.0)))
    }
}

impl Files for FaultyFiles {
    fn open(&self, path: &Path, write: bool) -> io::Result<Arc<dyn File>> {
        Ok(self.wrap(RealFiles.open(path, write)?))
    }
    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(self.wrap(self.0.run("create_new", || RealFiles.create_new(path))?))
    }
    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        RealFiles.read(path, bytes_max)
    }
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.0.run("create_dir_all", || RealFiles.create_dir_all(path))
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.0.run("sync_dir", || RealFiles.sync_dir(path))
    }
    fn rename_noreplace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.run("rename_noreplace", || RealFiles.rename_noreplace(from, to))
    }
    fn rename_replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.run("rename_replace", || RealFiles.rename_replace(from, to))
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.run("link", || RealFiles.link(from, to))
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.0.run("remove_file", || RealFiles.remove_file(path))
    }
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        RealFiles.list(path)
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        RealFiles.exists(path)
    }
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        RealFiles.try_lock(path)
    }
    fn shared_mode(&self, path: &Path) -> io::Result<u32> {
        RealFiles.shared_mode(path)
    }
    fn is_real(&self) -> bool {
        true
    }
}
