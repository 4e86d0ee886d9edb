//! What the vault and the rows promise of a later run, broken one promise at a time: each engine here keeps every clause
//! but its own, of those on one run as of those on several.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use immutape::codec::digest::CustodyId;
use immutape::error::Result;
use immutape::governance::DisposalClearance;
use immutape::store::conformance::{Clause, rows, run, vault};
use immutape::store::embedded::rows::SledRows;
use immutape::store::embedded::vault::EmbeddedVault;
use immutape::store::files::RealFiles;
use immutape::store::{Batch, Rows, Vault, VaultRecord};

/// The clauses an engine breaks, each in a folder of its own.
fn broken<S: ?Sized>(
    clauses: &[Clause<S>],
    lasting: &[Clause<S>],
    open: &dyn Fn(&Path) -> Box<S>,
) -> Vec<&'static str> {
    let (folder, count) = (tempfile::tempdir().unwrap(), Cell::new(0));
    let next = || {
        count.set(count.get() + 1);
        folder.path().join(count.get().to_string())
    };
    let mut found = run(clauses, &|| open(&next()));
    for clause in lasting {
        let place = next();
        found.extend(clause.check(&|| open(&place)).err());
    }
    found.into_iter().map(|violation| violation.clause).collect()
}

/// A vault whose folder, when a handle ends, is again as it was before the newest step of one kind, unless a later
/// step of another kind took that in.
struct ForgetfulVault {
    inner: EmbeddedVault,
    folder: PathBuf,
    fault: &'static str,
    before: Mutex<Option<Vec<(PathBuf, Vec<u8>)>>>,
    put: AtomicBool,
}

fn forgetful_vault(folder: &Path, fault: &'static str) -> ForgetfulVault {
    let inner = EmbeddedVault::open(Arc::new(RealFiles), folder.join("vault")).unwrap();
    ForgetfulVault { inner, folder: folder.join("vault"), fault, before: Mutex::default(), put: AtomicBool::new(false) }
}

/// Every file beneath `folder`, with its bytes.
fn files_of(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { all.extend(files_of(&path)) } else { all.push((path.clone(), fs::read(path).unwrap())) }
    }
    all
}

impl ForgetfulVault {
    /// Remembers how the folder stands before the first step of the kind that is forgotten.
    fn step(&self, fault: &str) {
        if self.fault == fault {
            self.before.lock().unwrap().get_or_insert_with(|| files_of(&self.folder));
        }
    }

    /// A later step that makes the earlier one last.
    fn takes_in(&self, fault: &str) {
        if self.fault == fault {
            *self.before.lock().unwrap() = None;
        }
    }
}

impl Drop for ForgetfulVault {
    fn drop(&mut self) {
        let Some(before) = self.before.get_mut().unwrap().take() else { return };
        for (path, _) in files_of(&self.folder) {
            fs::remove_file(path).unwrap();
        }
        for (path, bytes) in before {
            fs::write(path, bytes).unwrap();
        }
    }
}

const GENERATION: &str = "set_generation: durable on return";
const EPOCH: &str = "create_epoch: durable on return";
const PUTS: &str = "sync: what was put lasts, and puts go on behind it";
const NEXT: &str = "next_slot: the same in the next run";
const ROTATE: &str = "rotate: durable on return";

impl Vault for ForgetfulVault {
    fn generation(&self) -> Result<Option<(u64, u64, Vec<u8>)>> {
        self.inner.generation()
    }

    fn set_generation(&self, generation: u64, revision: u64, bytes: &[u8]) -> Result<()> {
        self.step(GENERATION);
        self.inner.set_generation(generation, revision, bytes)
    }

    fn create_epoch(&self, epoch: &[u8; 16]) -> Result<()> {
        self.step(EPOCH);
        self.inner.create_epoch(epoch)
    }

    fn put(&self, epoch: &[u8; 16], record: &VaultRecord) -> Result<u32> {
        self.takes_in(EPOCH);
        // Those of one block last, those behind it do not.
        if self.inner.records(epoch).is_ok_and(|held| held.len() == 8) {
            self.step(PUTS);
        }
        self.put.store(true, Ordering::Relaxed);
        self.inner.put(epoch, record)
    }

    fn sync(&self) -> Result<()> {
        self.inner.sync()
    }

    fn get(&self, epoch: &[u8; 16], custody_id: &CustodyId, slot: Option<u32>) -> Result<VaultRecord> {
        self.inner.get(epoch, custody_id, slot)
    }

    fn records(&self, epoch: &[u8; 16]) -> Result<Vec<VaultRecord>> {
        self.inner.records(epoch)
    }

    fn next_slot(&self, epoch: &[u8; 16]) -> Result<u32> {
        let next = self.inner.next_slot(epoch)?;
        Ok(if self.fault == NEXT && !self.put.load(Ordering::Relaxed) { 0 } else { next })
    }

    fn rotate(&self, generation: u64, bytes: &[u8], survivors: &[([u8; 16], Vec<VaultRecord>)]) -> Result<()> {
        self.takes_in(GENERATION);
        self.step(ROTATE);
        self.inner.rotate(generation, bytes, survivors)
    }

    fn destroy(&self, generation: u64, clearance: DisposalClearance) -> Result<String> {
        self.inner.destroy(generation, clearance)
    }
}

#[test]
fn each_lasting_clause_of_the_vault_is_broken_alone() {
    let names: Vec<_> = vault::LASTING.iter().map(|clause| clause.name).collect();
    assert_eq!(names, [GENERATION, EPOCH, PUTS, NEXT, ROTATE]);
    for name in names {
        let open = |folder: &Path| -> Box<dyn Vault> { Box::new(forgetful_vault(folder, name)) };
        assert_eq!(broken(vault::CLAUSES, vault::LASTING, &open), [name]);
    }
    let open = |folder: &Path| -> Box<dyn Vault> { Box::new(forgetful_vault(folder, "none")) };
    assert_eq!(broken(vault::CLAUSES, vault::LASTING, &open), [""; 0]);
}

/// Rows in sled of which one thing does not outlive the handle.
struct ForgetfulRows {
    inner: Option<SledRows>,
    fault: &'static str,
    asked: AtomicBool,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    /// Keys that this handle put.
    put: Vec<Vec<u8>>,
    /// The rows as they stood when they were put aside.
    aside: Option<Vec<(Vec<u8>, Vec<u8>)>>,
}

fn forgetful_rows(folder: &Path, fault: &'static str) -> ForgetfulRows {
    let inner = SledRows::open(Arc::new(RealFiles), folder.join("index"), folder.join("quarantine")).unwrap();
    ForgetfulRows { inner: Some(inner), fault, asked: AtomicBool::new(false), notes: Mutex::default() }
}

impl ForgetfulRows {
    fn inner(&self) -> &SledRows {
        self.asked.store(true, Ordering::Relaxed);
        self.inner.as_ref().unwrap()
    }
}

const FLUSH: &str = "flush: what was applied lasts";
const THERE: &str = "is_there: yes in the next run";
const RESET: &str = "reset: the old rows are put aside, the new ones last";

impl Drop for ForgetfulRows {
    fn drop(&mut self) {
        let inner = self.inner.take().unwrap();
        let notes = self.notes.get_mut().unwrap();
        let aside = notes.aside.take();
        match self.fault {
            // The newest rows are lost, unless they are the first after a reset.
            FLUSH if aside.is_none() && notes.put.iter().any(|key| key.len() == 2) => {
                let position = inner.position().unwrap().unwrap();
                inner.apply(Batch { puts: vec![], removes: notes.put.clone() }, &position).unwrap();
            }
            RESET if aside.is_some() => {
                let position = inner.position().unwrap().unwrap_or_default();
                inner.apply(Batch { puts: aside.unwrap(), removes: vec![] }, &position).unwrap();
            }
            _ => {}
        }
    }
}

impl Rows for ForgetfulRows {
    fn apply(&self, batch: Batch, position: &[u8]) -> Result<()> {
        let keys: Vec<_> = batch.puts.iter().map(|(key, _)| key.clone()).collect();
        self.inner().apply(batch, position)?;
        self.notes.lock().unwrap().put.extend(keys);
        Ok(())
    }

    fn is_there(&self) -> bool {
        let asked = self.asked.load(Ordering::Relaxed);
        self.inner.as_ref().unwrap().is_there() && (self.fault != THERE || asked)
    }

    fn position(&self) -> Result<Option<Vec<u8>>> {
        self.inner().position()
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.inner().get(key)
    }

    fn scan(&self, from: &[u8], to: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> Result<bool>) -> Result<()> {
        self.inner().scan(from, to, each)
    }

    fn floor(&self, floor: &[u8], key: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        self.inner().floor(floor, key)
    }

    fn flush(&self) -> Result<()> {
        self.inner().flush()
    }

    fn reset(&self) -> Result<Option<PathBuf>> {
        let mut held = Vec::new();
        self.inner().scan(b"", b"\xff", &mut |key, value| {
            held.push((key.to_vec(), value.to_vec()));
            Ok(true)
        })?;
        self.notes.lock().unwrap().aside = Some(held);
        self.inner().reset()
    }
}

#[test]
fn each_lasting_clause_of_the_rows_is_broken_alone() {
    let names: Vec<_> = rows::LASTING.iter().map(|clause| clause.name).collect();
    assert_eq!(names, [FLUSH, THERE, RESET]);
    for name in names {
        let open = |folder: &Path| -> Box<dyn Rows> { Box::new(forgetful_rows(folder, name)) };
        assert_eq!(broken(rows::CLAUSES, rows::LASTING, &open), [name]);
    }
    let open = |folder: &Path| -> Box<dyn Rows> { Box::new(forgetful_rows(folder, "none")) };
    assert_eq!(broken(rows::CLAUSES, rows::LASTING, &open), [""; 0]);
}
