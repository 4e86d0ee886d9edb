//! Files whose syncs wait, or fail, while the test says so, whose packs read back wrong while it says so, which
//! count what is read from the packs, and before whose next reading of a file something can happen.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use immutape::store::files::{Entry, File, FileLock, Files};

use crate::support::sim_files::SimFiles;

/// What a sync does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syncs {
    Pass,
    Wait,
    Fail,
    /// Those of packs fail, the others pass.
    FailPacks,
}

/// Happens once, before the next file of this name is read.
struct Before(&'static str, Box<dyn FnOnce() + Send>);

impl std::fmt::Debug for Before {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "before {}", self.0)
    }
}

#[derive(Debug)]
struct State {
    before: Mutex<Option<Before>>,
    syncs: Mutex<(Syncs, u64)>,
    moved: Condvar,
    pack_reads: AtomicU64,
    lies: AtomicBool,
}

/// The simulated files, watched.
#[derive(Debug, Clone)]
pub struct Watched {
    files: SimFiles,
    state: Arc<State>,
}

impl Watched {
    pub fn over(files: &SimFiles) -> Self {
        let state = State {
            before: Mutex::new(None),
            syncs: Mutex::new((Syncs::Pass, 0)),
            moved: Condvar::new(),
            pack_reads: AtomicU64::new(0),
            lies: AtomicBool::new(false),
        };
        Self { files: files.clone(), state: Arc::new(state) }
    }

    pub fn set(&self, syncs: Syncs) {
        self.state.syncs.lock().unwrap().0 = syncs;
        self.state.moved.notify_all();
    }

    /// Waits until a sync waits; how many do. Gives up after long, so that a test ends.
    pub fn waiting(&self) -> u64 {
        let guard = self.state.syncs.lock().unwrap();
        self.state.moved.wait_timeout_while(guard, Duration::from_secs(60), |(_, n)| *n == 0).unwrap().0.1
    }

    /// Something that happens just before the next file of this name is read.
    pub fn before_reading(&self, name: &'static str, happens: impl FnOnce() + Send + 'static) {
        *self.state.before.lock().unwrap() = Some(Before(name, Box::new(happens)));
    }

    /// Did it happen?
    pub fn has_happened(&self) -> bool {
        self.state.before.lock().unwrap().is_none()
    }

    /// From now on, does a byte of everything read from a pack come out otherwise?
    pub fn lie(&self, lies: bool) {
        self.state.lies.store(lies, Ordering::SeqCst);
    }

    /// How often anything was read from a pack.
    pub fn pack_reads(&self) -> u64 {
        self.state.pack_reads.load(Ordering::SeqCst)
    }

    fn sync(&self, is_pack: bool) -> io::Result<()> {
        let mut guard = self.state.syncs.lock().unwrap();
        if guard.0 == Syncs::Wait {
            guard.1 += 1;
            self.state.moved.notify_all();
            guard = self.state.moved.wait_while(guard, |(syncs, _)| *syncs == Syncs::Wait).unwrap();
            guard.1 -= 1;
        }
        let fails = guard.0 == Syncs::Fail || (guard.0 == Syncs::FailPacks && is_pack);
        if fails { Err(io::Error::other("no sync, says the test")) } else { Ok(()) }
    }

    fn wrap(&self, file: Arc<dyn File>, path: &Path) -> Arc<dyn File> {
        Arc::new(WatchedFile { file, is_pack: path.extension().is_some_and(|e| e == "pack"), all: self.clone() })
    }
}

#[derive(Debug)]
struct WatchedFile {
    file: Arc<dyn File>,
    is_pack: bool,
    all: Watched,
}

impl File for WatchedFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.all.state.pack_reads.fetch_add(u64::from(self.is_pack), Ordering::SeqCst);
        let bytes = self.file.read_at(offset, buffer)?;
        if self.is_pack && self.all.state.lies.load(Ordering::SeqCst) {
            buffer[..bytes].last_mut().into_iter().for_each(|last| *last ^= 1);
        }
        Ok(bytes)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, bytes)
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn sync_data(&self) -> io::Result<()> {
        self.all.sync(self.is_pack)?;
        self.file.sync_data()
    }
    fn punch(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.file.punch(offset, bytes)
    }
}

impl Files for Watched {
    fn open(&self, path: &Path, write: bool) -> io::Result<Arc<dyn File>> {
        self.files.open(path, write).map(|file| self.wrap(file, path))
    }
    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.files.create_new(path).map(|file| self.wrap(file, path))
    }
    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        let is_named = |before: &mut Before| path.ends_with(before.0);
        let before = self.state.before.lock().unwrap().take_if(is_named);
        if let Some(Before(_, happens)) = before {
            happens();
        }
        self.files.read(path, bytes_max)
    }
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.files.create_dir_all(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.sync(false)?;
        self.files.sync_dir(path)
    }
    fn rename_noreplace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename_noreplace(from, to)
    }
    fn rename_replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename_replace(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.files.remove_file(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.files.list(path)
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.files.exists(path)
    }
    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        self.files.try_lock(path)
    }
    fn shared_mode(&self, path: &Path) -> io::Result<u32> {
        self.files.shared_mode(path)
    }
}
