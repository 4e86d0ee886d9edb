//! A file system whose operations fail when told to, and which counts them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests; a panic is their verdict"
)]

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use immutape::store::files::{Entry, File, FileLock, Files, RealFiles};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    Open,
    Create,
    Write,
    Read,
    Sync,
    SyncDir,
    Punch,
    List,
    Remove,
}

/// What fails: the operation, how many of them pass first, and with which error.
#[derive(Debug, Clone, Copy)]
struct Rule {
    op: Op,
    pass: u64,
    kind: io::ErrorKind,
    /// Bytes of a failing write that reach the file all the same.
    part: usize,
    /// Does it go on failing?
    lasts: bool,
}

/// Runs once, at the end of the next sync and before it returns.
struct Hook(Box<dyn FnOnce() + Send>);

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hook")
    }
}

#[derive(Debug, Default)]
struct Plan {
    after_sync: Option<Hook>,
    rule: Option<Rule>,
    fired: u64,
    counts: BTreeMap<Op, u64>,
}

/// The machine's files, with faults.
#[derive(Debug, Clone, Default)]
pub struct Failing(Arc<Mutex<Plan>>);

impl Failing {
    /// From the operation after the next `pass` ones on, `op` fails until [`Failing::heal`].
    pub fn fail(&self, op: Op, pass: u64, kind: io::ErrorKind) {
        self.0.lock().unwrap().rule = Some(Rule { op, pass, kind, part: 0, lasts: true });
    }

    /// As [`Failing::fail`] for writes that reach the file in part.
    pub fn fail_partly(&self, pass: u64, kind: io::ErrorKind, part: usize) {
        self.0.lock().unwrap().rule = Some(Rule { op: Op::Write, pass, kind, part, lasts: true });
    }

    /// One write fails and reaches the file in part; the next ones pass.
    pub fn fail_once_partly(&self, kind: io::ErrorKind, part: usize) {
        self.0.lock().unwrap().rule = Some(Rule { op: Op::Write, pass: 0, kind, part, lasts: false });
    }

    /// Something that happens while the next sync has done its work and not yet returned.
    pub fn after_next_sync(&self, happens: impl FnOnce() + Send + 'static) {
        self.0.lock().unwrap().after_sync = Some(Hook(Box::new(happens)));
    }

    /// Ends the fault; how often it struck.
    pub fn heal(&self) -> u64 {
        let mut plan = self.0.lock().unwrap();
        plan.rule = None;
        std::mem::take(&mut plan.fired)
    }

    /// How often `op` was asked for.
    pub fn count(&self, op: Op) -> u64 {
        self.0.lock().unwrap().counts.get(&op).copied().unwrap_or(0)
    }

    fn pass(&self, op: Op) -> Result<(), (io::Error, usize)> {
        let mut plan = self.0.lock().unwrap();
        *plan.counts.entry(op).or_default() += 1;
        let Some(rule) = plan.rule.as_mut().filter(|rule| rule.op == op) else { return Ok(()) };
        if rule.pass > 0 {
            rule.pass -= 1;
            return Ok(());
        }
        let (failure, lasts) = ((io::Error::from(rule.kind), rule.part), rule.lasts);
        plan.fired += 1;
        if !lasts {
            plan.rule = None;
        }
        Err(failure)
    }

    fn try_op(&self, op: Op) -> io::Result<()> {
        self.pass(op).map_err(|(e, _)| e)
    }

    fn wrap(&self, file: Arc<dyn File>) -> Arc<dyn File> {
        Arc::new(FailingFile { file, plan: self.clone() })
    }
}

impl Files for Failing {
    fn open(&self, path: &Path, write: bool) -> io::Result<Arc<dyn File>> {
        self.try_op(Op::Open)?;
        RealFiles.open(path, write).map(|file| self.wrap(file))
    }
    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.try_op(Op::Create)?;
        RealFiles.create_new(path).map(|file| self.wrap(file))
    }
    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        self.try_op(Op::Read)?;
        RealFiles.read(path, bytes_max)
    }
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        RealFiles.create_dir_all(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.try_op(Op::SyncDir)?;
        RealFiles.sync_dir(path)
    }
    fn rename_noreplace(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealFiles.rename_noreplace(from, to)
    }
    fn rename_replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealFiles.rename_replace(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.try_op(Op::Remove)?;
        RealFiles.remove_file(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.try_op(Op::List)?;
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
}

#[derive(Debug)]
struct FailingFile {
    file: Arc<dyn File>,
    plan: Failing,
}

impl File for FailingFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.plan.try_op(Op::Read)?;
        self.file.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if let Err((e, part)) = self.plan.pass(Op::Write) {
            self.file.write_at(offset, &bytes[..part.min(bytes.len())])?;
            return Err(e);
        }
        self.file.write_at(offset, bytes)
    }
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn sync_data(&self) -> io::Result<()> {
        self.plan.try_op(Op::Sync)?;
        self.file.sync_data()?;
        let hook = self.plan.0.lock().unwrap().after_sync.take();
        if let Some(Hook(happens)) = hook {
            happens();
        }
        Ok(())
    }
    fn punch(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.plan.try_op(Op::Punch)?;
        self.file.punch(offset, bytes)
    }
}
