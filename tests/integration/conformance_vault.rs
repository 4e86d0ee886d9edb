//! The vault's clauses hold on both engines, and each is noticed when an engine breaks it.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

use immutape::codec::digest::CustodyId;
use immutape::error::{Code, Error, Result};
use immutape::governance::DisposalClearance;
use immutape::store::conformance::run;
use immutape::store::conformance::vault::{CLAUSES, LASTING};
use immutape::store::embedded::vault::EmbeddedVault;
use immutape::store::files::RealFiles;
use immutape::store::memory::vault::MemoryVault;
use immutape::store::{Vault, VaultRecord};

#[test]
fn memory_keeps_every_clause() {
    assert_eq!(run(CLAUSES, &|| Box::new(MemoryVault::new())), vec![]);
}

#[test]
fn embedded_keeps_every_clause() {
    let (folder, count) = (tempfile::tempdir().unwrap(), Cell::new(0));
    let fresh = || -> Box<dyn Vault> {
        count.set(count.get() + 1);
        let path = folder.path().join(format!("{}/state/vault", count.get()));
        Box::new(EmbeddedVault::open(Arc::new(RealFiles), path).unwrap())
    };
    assert_eq!(run(CLAUSES, &fresh), vec![]);
}

#[test]
fn embedded_lasts() {
    for clause in LASTING {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault");
        let again = || -> Box<dyn Vault> { Box::new(EmbeddedVault::open(Arc::new(RealFiles), path.clone()).unwrap()) };
        assert_eq!(clause.check(&again), Ok(()));
    }
}

/// The memory engine, broken in one clause.
struct Broken {
    inner: MemoryVault,
    fault: &'static str,
    made_by: ThreadId,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    epochs: BTreeSet<[u8; 16]>,
    staged: Vec<([u8; 16], VaultRecord)>,
    survivors: Option<Vec<[u8; 16]>>,
    synced: bool,
}

impl Broken {
    fn new(fault: &'static str) -> Self {
        let made_by = std::thread::current().id();
        Self { inner: MemoryVault::new(), fault, made_by, notes: Mutex::default() }
    }

    fn is(&self, fault: &str) -> bool {
        self.fault == fault
    }

    fn is_lost(&self, epoch: &[u8; 16]) -> bool {
        let notes = self.notes.lock().unwrap();
        self.is("rotate: the old stays whole") && notes.survivors.as_ref().is_some_and(|s| !s.contains(epoch))
    }
}

fn not_found() -> Error {
    Error::new(Code::NotFound, "broken on purpose")
}

/// Success where the engine refuses with `code`.
fn careless<T>(result: Result<T>, code: Code, instead: T) -> Result<T> {
    match result {
        Err(e) if e.code() == code => Ok(instead),
        other => other,
    }
}

impl Vault for Broken {
    fn generation(&self) -> Result<Option<(u64, u64, Vec<u8>)>> {
        let present = self.inner.generation()?;
        if self.is("generation: none before the first") {
            return Ok(present.or(Some((1, 1, vec![]))));
        }
        if self.is("set_generation: given back whole") {
            return Ok(present.map(|(n, r, bytes)| (n, r, bytes.into_iter().take_while(|b| *b != 0).collect())));
        }
        Ok(present)
    }

    fn set_generation(&self, generation: u64, revision: u64, bytes: &[u8]) -> Result<()> {
        let result = self.inner.set_generation(generation, revision, bytes);
        if self.is("set_generation: only the next revision") { careless(result, Code::Conflict, ()) } else { result }
    }

    fn create_epoch(&self, epoch: &[u8; 16]) -> Result<()> {
        if !self.notes.lock().unwrap().epochs.insert(*epoch) && self.is("create_epoch: empty, and again without effect")
        {
            return Err(Error::new(Code::Conflict, "broken on purpose"));
        }
        self.inner.create_epoch(epoch)
    }

    fn put(&self, epoch: &[u8; 16], record: &VaultRecord) -> Result<u32> {
        if self.is("put: no such epoch") {
            self.inner.create_epoch(epoch)?;
        }
        if self.is("put: visible on return, slots in order") {
            let held = self.inner.records(epoch)?.len();
            let mut notes = self.notes.lock().unwrap();
            let slot = held + notes.staged.iter().filter(|(id, _)| id == epoch).count();
            if slot >= 256 {
                return Err(Error::new(Code::Limit, "full"));
            }
            if *epoch == [0xa1; 16] {
                notes.staged.push((*epoch, *record));
                return Ok(slot as u32);
            }
        }
        let result = self.inner.put(epoch, record);
        if self.is("put: an epoch has a limit") { careless(result, Code::Limit, 255) } else { result }
    }

    fn sync(&self) -> Result<()> {
        let mut notes = self.notes.lock().unwrap();
        for (epoch, record) in std::mem::take(&mut notes.staged) {
            self.inner.put(&epoch, &record)?;
        }
        if self.is("sync: repeatable, changes nothing") && std::mem::replace(&mut notes.synced, true) {
            let epoch = *notes.epochs.first().unwrap_or(&[0; 16]);
            let _changed = self.inner.put(&epoch, &self.inner.records(&epoch)?[0]);
        }
        self.inner.sync()
    }

    fn get(&self, epoch: &[u8; 16], custody_id: &CustodyId, slot: Option<u32>) -> Result<VaultRecord> {
        if self.is_lost(epoch) {
            return Err(not_found());
        }
        if self.is("get: the slot is only a hint")
            && let Some(slot) = slot
        {
            let at_slot = self.inner.records(epoch)?.get(slot as usize).copied();
            return at_slot.filter(|r| r.custody_id == *custody_id).ok_or_else(not_found);
        }
        let result = self.inner.get(epoch, custody_id, slot);
        if self.is("get: not found") {
            return result.or_else(|e| match (self.inner.records(epoch), slot) {
                (Ok(records), None) => records.first().copied().ok_or(e),
                _ => Err(e),
            });
        }
        if self.is("get: epochs are apart") {
            let epochs = self.notes.lock().unwrap().epochs.clone();
            return result.or_else(|e| epochs.iter().find_map(|id| self.inner.get(id, custody_id, None).ok()).ok_or(e));
        }
        result
    }

    fn records(&self, epoch: &[u8; 16]) -> Result<Vec<VaultRecord>> {
        if self.is_lost(epoch) {
            return Err(not_found());
        }
        if self.is("concurrent: readers while one writes") && std::thread::current().id() != self.made_by {
            return Err(Error::new(Code::VaultDamaged, "met a slot half written"));
        }
        let result = self.inner.records(epoch);
        if self.is("records: no such epoch") {
            return careless(result, Code::NotFound, vec![]);
        }
        let mut records = result?;
        if self.is("records: every one in slot order") {
            records.sort_by_key(|r| r.custody_id);
        }
        Ok(records)
    }

    fn next_slot(&self, epoch: &[u8; 16]) -> Result<u32> {
        match self.fault {
            "next_slot: the one that the next put takes" => Ok(self.inner.next_slot(epoch)?.min(255)),
            "next_slot: no such epoch" => careless(self.inner.next_slot(epoch), Code::NotFound, 0),
            _ => self.inner.next_slot(epoch),
        }
    }

    fn rotate(&self, generation: u64, bytes: &[u8], survivors: &[([u8; 16], Vec<VaultRecord>)]) -> Result<()> {
        let result = self.inner.rotate(generation, bytes, survivors);
        self.notes.lock().unwrap().survivors = Some(survivors.iter().map(|(epoch, _)| *epoch).collect());
        if self.is("rotate: the new generation is present") {
            // The records are there, but the number is not taken up.
            let revision = self.inner.generation()?.map_or(0, |(_, revision, _)| revision);
            return result.and_then(|()| self.inner.set_generation(generation, revision + 1, b"another"));
        }
        if self.is("rotate: only the next generation") { careless(result, Code::Conflict, ()) } else { result }
    }

    fn destroy(&self, generation: u64, clearance: DisposalClearance) -> Result<String> {
        self.inner.destroy(generation, clearance)
    }
}

#[test]
fn each_broken_clause_is_found() {
    for clause in CLAUSES {
        let found = run(CLAUSES, &|| Box::new(Broken::new(clause.name)));
        assert!(found.iter().any(|v| v.clause == clause.name), "{}: {found:#?}", clause.name);
        assert!(found.len() < CLAUSES.len() / 3, "{} breaks nearly everything: {found:#?}", clause.name);
    }
    assert_eq!(run(CLAUSES, &|| Box::new(Broken::new("none"))), vec![]);
}
