//! The clauses of the file system: on the machine's own, on the one in memory whose power can be cut, and on one that
//! breaks one clause each. A bench that lies makes every test above it worthless.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

use immutape::store::conformance::files::{CLAUSES, LASTING, Place};
use immutape::store::conformance::{Clause, run};
use immutape::store::files::{Entry, File, FileLock, Files, RealFiles};

use crate::support::sim_files::{SimFiles, Survive};

/// An empty folder of the machine at each call.
fn on_this_machine(check: impl Fn(&dyn Fn() -> Box<Place>)) {
    let (folder, count) = (tempfile::tempdir().unwrap(), Cell::new(0));
    check(&|| {
        count.set(count.get() + 1);
        let folder = folder.path().join(count.get().to_string());
        RealFiles.create_dir_all(&folder).unwrap();
        Box::new(Place { files: Arc::new(RealFiles), folder })
    });
}

fn simulated(sim: &SimFiles, wrap: &dyn Fn(SimFiles) -> Arc<dyn Files>) -> Box<Place> {
    sim.create_dir_all(Path::new("d")).unwrap();
    sim.sync_dir(Path::new(".")).unwrap();
    Box::new(Place { files: wrap(sim.clone()), folder: "d".into() })
}

/// What is broken, on disks in memory; between two runs of a lasting clause the power is cut.
fn broken_by(wrap: &dyn Fn(SimFiles) -> Arc<dyn Files>) -> Vec<String> {
    let mut found = run(CLAUSES, &|| simulated(&SimFiles::new(), wrap));
    for clause in LASTING {
        let disk = RefCell::new(SimFiles::new());
        let again = || {
            let image = disk.borrow().crash_image(Survive::Nothing);
            disk.replace(image);
            simulated(&disk.borrow(), wrap)
        };
        found.extend(clause.check(&again).err());
    }
    found.into_iter().map(|v| format!("{}: {}", v.clause, v.detail)).collect()
}

#[test]
fn the_machine_keeps_every_clause() {
    on_this_machine(|fresh| assert_eq!(run(CLAUSES, fresh), vec![]));
    for clause in LASTING {
        let folder = tempfile::tempdir().unwrap();
        let again = || Box::new(Place { files: Arc::new(RealFiles), folder: folder.path().to_owned() });
        assert_eq!(clause.check(&again), Ok(()));
    }
}

#[test]
fn the_simulated_disk_keeps_every_clause_and_lasts_as_it_must() {
    assert_eq!(broken_by(&|sim| sim.shared()), [""; 0]);
    assert_eq!((CLAUSES.len(), LASTING.len()), (32, 7));
}

/// A power cut really takes what was not made durable: without the sync that each asks for, nothing of it would last.
#[test]
fn a_power_cut_takes_what_no_sync_kept() {
    let found = broken_by(&|inner| Arc::new(Broken::new(inner, "every sync of a folder")));
    let lost: Vec<_> = LASTING.iter().map(|c| c.name).filter(|n| found.iter().any(|f| f.starts_with(n))).collect();
    assert_eq!(lost.len(), LASTING.len(), "{found:#?}");
}

/// The disk in memory, broken in one clause.
#[derive(Debug)]
struct Broken {
    inner: SimFiles,
    fault: &'static str,
    made_by: ThreadId,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    last: Naming,
    synced: bool,
    forgotten: Vec<Arc<dyn FileLock>>,
}

/// The newest change of a name.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Naming {
    #[default]
    None,
    Made,
    MadeDeep,
    Moved,
    Replaced,
    Removed,
}

impl Broken {
    fn new(inner: SimFiles, fault: &'static str) -> Self {
        Self { inner, fault, made_by: std::thread::current().id(), state: Arc::default() }
    }

    fn is(&self, fault: &str) -> bool {
        self.fault == fault
    }

    fn named(&self, last: Naming) {
        self.state.lock().unwrap().last = last;
    }

    fn file(&self, inner: Arc<dyn File>, is_new: bool) -> Arc<dyn File> {
        let mut at_opening = vec![0; usize::try_from(inner.len().unwrap()).unwrap()];
        inner.read_at(0, &mut at_opening).unwrap();
        let (fault, made_by, state) = (self.fault, self.made_by, Arc::clone(&self.state));
        Arc::new(BrokenFile { inner, fault, made_by, is_new, at_opening, state })
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.inner.list(path).is_ok()
    }
}

fn on_purpose(kind: ErrorKind) -> io::Error {
    io::Error::new(kind, "broken on purpose")
}

/// Success where the file system refuses so.
fn careless(result: io::Result<()>, kind: ErrorKind) -> io::Result<()> {
    result.or_else(|e| if e.kind() == kind { Ok(()) } else { Err(e) })
}

#[derive(Debug)]
struct BrokenFile {
    inner: Arc<dyn File>,
    fault: &'static str,
    made_by: ThreadId,
    is_new: bool,
    at_opening: Vec<u8>,
    state: Arc<Mutex<State>>,
}

impl File for BrokenFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self.fault {
            "open: every handle sees what any wrote" if !self.is_new && self.at_opening.len() == 3 => {
                buffer[..3].copy_from_slice(&self.at_opening);
                Ok(3)
            }
            "read_at: fewer bytes only at the end" => {
                let most = buffer.len().min(4_096);
                self.inner.read_at(offset, &mut buffer[..most])
            }
            "concurrent: readers beside a writer" if std::thread::current().id() != self.made_by => {
                Err(on_purpose(ErrorKind::ResourceBusy))
            }
            _ => self.inner.read_at(offset, buffer),
        }
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let length = self.inner.len()?;
        let end = offset + bytes.len() as u64;
        if self.fault == "write_at: a gap reads as zeros" && offset > length + 4_096 {
            let gap = usize::try_from(offset - length).unwrap();
            self.inner.write_at(length, &vec![0xff; gap])?;
        }
        // As of one that writes whole pairs.
        if self.fault == "write_at: changes what it names and nothing else" && length == 10_000 && end < length {
            self.inner.write_at(offset, &[bytes, &[0]].concat())?;
        }
        self.inner.write_at(offset, bytes)
    }

    fn len(&self) -> io::Result<u64> {
        let length = self.inner.len()?;
        Ok(if self.fault == "len: as long as what was written" { length.next_multiple_of(512) } else { length })
    }

    fn sync_data(&self) -> io::Result<()> {
        let again = std::mem::replace(&mut self.state.lock().unwrap().synced, true);
        match self.fault {
            "sync_data: what was written lasts" if !self.is_new => Ok(()),
            "sync_data: repeatable, changes nothing" if again && self.inner.len()? == 5 => {
                self.inner.write_at(0, b"B")?;
                self.inner.sync_data()
            }
            _ => self.inner.sync_data(),
        }
    }

    fn punch(&self, offset: u64, bytes: u64) -> io::Result<()> {
        let most = if self.fault.starts_with("punch: ") { bytes.next_multiple_of(4_096) } else { bytes };
        self.inner.punch(offset, most)
    }
}

#[derive(Debug)]
struct BrokenLock {
    inner: Option<Arc<dyn FileLock>>,
    always: bool,
}

impl FileLock for BrokenLock {
    fn is_current(&self) -> bool {
        self.always || self.inner.as_ref().is_none_or(|lock| lock.is_current())
    }
}

impl Files for Broken {
    fn open(&self, path: &Path, write: bool) -> io::Result<Arc<dyn File>> {
        if self.is("open: not found, and nothing is made") && write && !self.inner.exists(path)? {
            return self.inner.create_new(path);
        }
        if self.is("open: a folder is no file") && self.is_dir(path) {
            return SimFiles::new().create_new(Path::new("hollow"));
        }
        let write = write || self.is("open: only who asked for it may write");
        Ok(self.file(self.inner.open(path, write)?, false))
    }

    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.named(Naming::Made);
        if self.is("create_new: only where nothing stands") && self.inner.exists(path)? {
            return self.inner.open(path, true);
        }
        if self.is("create_new: the folder must be there") {
            self.inner.create_dir_all(path.parent().unwrap())?;
        }
        Ok(self.file(self.inner.create_new(path)?, true))
    }

    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        match self.fault {
            "read: at most so many bytes" => {
                let mut all = self.inner.read(path, u64::MAX)?;
                all.truncate(usize::try_from(bytes_max).unwrap_or(usize::MAX));
                Ok(all)
            }
            "read: not found" => match self.inner.read(path, bytes_max) {
                // Of what never had a name, not of what lost it.
                Err(e) if e.kind() == ErrorKind::NotFound && self.state.lock().unwrap().last == Naming::None => {
                    Ok(Vec::new())
                }
                read => read,
            },
            _ => self.inner.read(path, bytes_max),
        }
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let is_deep = path.parent().is_some_and(|above| !self.inner.exists(above).unwrap());
        self.named(if is_deep { Naming::MadeDeep } else { Naming::Made });
        if self.is("create_dir_all: with its parents, and again") && self.inner.exists(path)? {
            return Err(on_purpose(ErrorKind::AlreadyExists));
        }
        self.inner.create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if self.is("sync_dir: not of a folder that is not there") && !self.inner.exists(path)? {
            return Ok(());
        }
        let last = self.state.lock().unwrap().last;
        let idle = match self.fault {
            "every sync of a folder" => true,
            "sync_dir: every new name lasts" => self.inner.list(path).is_ok_and(|all| all.len() > 2),
            "create_dir_all: lasts once the folders above are synced" => last == Naming::MadeDeep,
            "rename_noreplace: lasts once both folders are synced" => last == Naming::Moved,
            "rename_replace: lasts once the folder is synced" => last == Naming::Replaced,
            "remove_file: lasts once the folder is synced" => last == Naming::Removed,
            _ => false,
        };
        if idle { Ok(()) } else { self.inner.sync_dir(path) }
    }

    fn rename_noreplace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.named(Naming::Moved);
        match self.fault {
            "rename_noreplace: moves a file" if to.ends_with("folder/h") => {
                let bytes = self.inner.read(from, u64::MAX)?;
                self.inner.create_new(to)?.write_at(0, &bytes)
            }
            "rename_noreplace: moves a folder with all in it" if self.is_dir(from) && !self.inner.exists(to)? => {
                self.inner.create_dir_all(to)
            }
            "rename_noreplace: never replaces" => {
                careless(self.inner.rename_noreplace(from, to), ErrorKind::AlreadyExists)
            }
            "rename: not found, and nothing is changed" => {
                careless(self.inner.rename_noreplace(from, to), ErrorKind::NotFound)
            }
            "rename: an open file stays the same file" if !self.is_dir(from) && !self.inner.exists(to)? => {
                let bytes = self.inner.read(from, u64::MAX)?;
                if bytes != b"before" {
                    return self.inner.rename_noreplace(from, to);
                }
                self.inner.create_new(to)?.write_at(0, &bytes)?;
                self.inner.remove_file(from)
            }
            _ => self.inner.rename_noreplace(from, to),
        }
    }

    fn rename_replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.named(Naming::Replaced);
        let replaces = self.inner.exists(to)?;
        match self.fault {
            "rename_replace: replaces a file"
                if replaces && self.inner.read(to, 99).is_ok_and(|old| old.len() > 20) =>
            {
                Err(on_purpose(ErrorKind::AlreadyExists))
            }
            "rename_replace: before that the old stands, or the new" if replaces && self.inner.exists(from)? => {
                self.inner.remove_file(to)?;
                self.inner.sync_dir(to.parent().unwrap())?;
                self.inner.rename_replace(from, to)
            }
            _ => self.inner.rename_replace(from, to),
        }
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.named(Naming::Removed);
        match self.fault {
            "remove_file: gone" if path.ends_with("a") => {
                self.inner.rename_replace(path, &path.with_file_name("removed"))
            }
            "remove_file: not found, and never a folder" => careless(self.inner.remove_file(path), ErrorKind::NotFound),
            _ => self.inner.remove_file(path),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut all = self.inner.list(path);
        if self.is("list: not found, and of folders alone")
            && all.as_ref().is_err_and(|e| e.kind() == ErrorKind::NotFound)
        {
            return Ok(Vec::new());
        }
        if self.is("list: sorted, with kinds and lengths") {
            all.iter_mut().for_each(|all| all.reverse());
        }
        all
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let is_there = self.inner.exists(path)?;
        let is_file = self.inner.open(path, false).is_ok();
        // Not of what lies deeper: the other clauses ask for folders there.
        let asked = path.ends_with("d/folder") && self.state.lock().unwrap().last == Naming::Made;
        Ok(is_there && !(self.is("exists: a file, a folder, nothing") && !is_file && asked))
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        let inner: Option<Arc<dyn FileLock>> = self.inner.try_lock(path)?.map(Arc::from);
        let always = self.is("is_current: not when the lock's file is another");
        match self.fault {
            "try_lock: one holder at a time" => {}
            _ if inner.is_none() => return Ok(None),
            "try_lock: free when it is dropped" => self.state.lock().unwrap().forgotten.extend(inner.clone()),
            _ => {}
        }
        Ok(Some(Box::new(BrokenLock { inner, always })))
    }

    fn shared_mode(&self, path: &Path) -> io::Result<u32> {
        let mode = self.inner.shared_mode(path)?;
        Ok(if self.is("shared_mode: new files are their owner's alone") { mode | 0o044 } else { mode })
    }
}

#[test]
fn each_broken_clause_is_found_alone() {
    let mut others = Vec::new();
    let names = |clauses: &[Clause<Place>]| clauses.iter().map(|c| c.name).collect::<Vec<_>>();
    for name in [names(CLAUSES), names(LASTING)].concat() {
        let found = broken_by(&|inner| Arc::new(Broken::new(inner, name)));
        if found.len() != 1 || !found[0].starts_with(name) {
            others.push((name, found));
        }
    }
    assert!(others.is_empty(), "these break other clauses than their own: {others:#?}");
    assert_eq!(broken_by(&|inner| Arc::new(Broken::new(inner, "none"))), [""; 0]);
}
