//! The object clauses on every engine, and on engines that break one clause each.
//!
//! `discard` costs a clearance that nobody outside the disposal workflow can make (its own
//! documentation tests show that such code does not compile), so no clause here calls it; what a
//! discarded object looks like is tested on hand-written packs in `packs_damage`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests; a panic is their verdict"
)]

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use immutape::codec::digest::{Digest, ObjectDigest};
use immutape::error::{Code, Error, Result};
use immutape::governance::DisposalClearance;
use immutape::store::conformance::objects::{CLAUSES, LASTING};
use immutape::store::conformance::{Clause, Violation};
use immutape::store::contracts::Listed;
use immutape::store::embedded::packs::Packs;
use immutape::store::files::RealFiles;
use immutape::store::memory::objects::MemoryObjects;
use immutape::store::{NewObject, ObjectRef, Objects, Protection};

use crate::support::sim_files::{SimFiles, Survive};

fn packs(folder: &Path) -> Packs {
    Packs::open(Arc::new(RealFiles), folder.join("packs"), Digest::from_bytes([7; 32])).unwrap()
}

/// Checks each clause in a folder of its own; every call of `open` gets a new one unless `lasting`.
fn violations(
    clauses: &[Clause<dyn Objects>],
    lasting: bool,
    open: &dyn Fn(&Path) -> Box<dyn Objects>,
) -> Vec<Violation> {
    let check = |clause: &Clause<dyn Objects>| {
        let folder = tempfile::tempdir().unwrap();
        let runs = AtomicU64::new(0);
        let opener = || {
            let run = if lasting { 0 } else { runs.fetch_add(1, Ordering::SeqCst) };
            open(&folder.path().join(run.to_string()))
        };
        clause.check(&opener).err()
    };
    clauses.iter().filter_map(check).collect()
}

#[test]
fn embedded_engine_keeps_every_clause() {
    assert_eq!(violations(CLAUSES, false, &|folder| Box::new(packs(folder))), []);
    assert_eq!(violations(LASTING, true, &|folder| Box::new(packs(folder))), []);
    assert_eq!((CLAUSES.len(), LASTING.len()), (16, 4));
}

/// A disk in memory; between two runs of a lasting clause the power is cut and only what was synced stays.
#[test]
fn embedded_engine_keeps_every_clause_across_power_cuts() {
    for (clauses, lasting) in [(CLAUSES, false), (LASTING, true)] {
        for clause in clauses {
            let machine = RefCell::new(SimFiles::new());
            let opener = || {
                let next = if lasting { machine.borrow().crash_image(Survive::Nothing) } else { SimFiles::new() };
                machine.replace(next);
                let files = machine.borrow().shared();
                files.create_dir_all("ledger".as_ref()).unwrap();
                files.sync_dir(".".as_ref()).unwrap();
                let store = Packs::open(files, "ledger/packs".into(), Digest::from_bytes([7; 32])).unwrap();
                Box::new(store) as Box<dyn Objects>
            };
            assert_eq!(clause.check(&opener), Ok(()));
        }
    }
}

#[test]
fn memory_engine_keeps_every_clause() {
    assert_eq!(violations(CLAUSES, false, &|_| Box::new(MemoryObjects::new())), []);
}

/// One way to break the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    LastByteLost,
    WrongLength,
    LateVisibility,
    SortsWhatItTook,
    ReadsNothingBack,
    PutAgainRaises,
    SyncForgets,
    TrustsHint,
    InventsObjects,
    ListForgetsProtection,
    ListGoesOn,
    ProtectsMode,
    Lowers,
    ProtectOnce,
    ProtectsNothing,
    NotConcurrent,
    ForgetsAtEnd,
    ProtectsForOneRun,
    LosesEarlierRuns,
    ListsCopies,
}

struct Bent<E> {
    inner: E,
    fault: Fault,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    unsynced: HashSet<ObjectDigest>,
    put: Vec<ObjectRef>,
    protected: HashSet<ObjectDigest>,
    puts: u64,
}

fn bent<E>(inner: E, fault: Fault) -> Bent<E> {
    Bent { inner, fault, state: Mutex::default() }
}

fn absent() -> Error {
    Error::new(Code::NotFound, "bent")
}

impl<E: Objects> Objects for Bent<E> {
    fn put_all(&self, objects: &[NewObject<'_>], protection: Protection) -> Result<Vec<ObjectRef>> {
        let is_again = |o: &NewObject<'_>| self.state.lock().unwrap().put.iter().any(|p| p.digest == *o.digest());
        let again: Vec<bool> = objects.iter().map(is_again).collect();
        let mut all = self.inner.put_all(objects, protection)?;
        let mut state = self.state.lock().unwrap();
        state.puts += 1;
        state.unsynced.extend(objects.iter().map(|o| *o.digest()));
        state.put.extend(&all);
        match self.fault {
            Fault::PutAgainRaises if again == [true] => self.inner.protect(&all[0], protection)?,
            Fault::WrongLength => all[0].bytes += 1,
            Fault::SortsWhatItTook => all.sort_by_key(|o| o.digest),
            Fault::NotConcurrent if state.puts > 100 => return Err(Error::new(Code::Io, "too many callers")),
            _ => {}
        }
        Ok(all)
    }

    fn read_back(&self, objects: &[ObjectRef]) -> Result<()> {
        match self.fault {
            Fault::ReadsNothingBack => Ok(()),
            _ => self.inner.read_back(objects),
        }
    }

    fn sync(&self) -> Result<()> {
        self.state.lock().unwrap().unsynced.clear();
        self.inner.sync()
    }

    fn get(&self, object: &ObjectRef) -> Result<Vec<u8>> {
        let state = self.state.lock().unwrap();
        let is_hinted = state.put.iter().any(|o| o == object);
        match self.fault {
            Fault::LateVisibility if state.unsynced.contains(&object.digest) && state.put.len() == 1 => Err(absent()),
            Fault::SyncForgets if state.unsynced.is_empty() && state.put.len() == 1 => Err(absent()),
            Fault::TrustsHint if !is_hinted => Err(absent()),
            Fault::InventsObjects => self.inner.get(object).or_else(|_| Ok(Vec::new())),
            Fault::LosesEarlierRuns if !state.put.iter().any(|o| o.digest == object.digest) => Err(absent()),
            Fault::LastByteLost => self.inner.get(object).map(|mut bytes| {
                if bytes.len() == 1_100_000 {
                    bytes.pop();
                }
                bytes
            }),
            _ => self.inner.get(object),
        }
    }

    fn list(&self, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        let mut twice = Vec::new();
        let result = self.inner.list(&mut |listed| {
            let Listed::Object(object, _) = listed.clone() else { return each(listed) };
            let is_own = self.state.lock().unwrap().put.iter().any(|o| o.digest == object.digest);
            let is_protected = self.state.lock().unwrap().protected.contains(&object.digest);
            match self.fault {
                Fault::ListForgetsProtection if !is_protected => each(Listed::Object(object, Protection::WORM)),
                Fault::ProtectsForOneRun if !is_own => each(Listed::Object(object, Protection::WORM)),
                Fault::ListGoesOn => {
                    let _unheard = each(listed);
                    Ok(())
                }
                Fault::ListsCopies => {
                    twice.push(listed.clone());
                    each(listed)
                }
                Fault::ForgetsAtEnd if !is_own => Ok(()),
                _ => each(listed),
            }
        });
        let puts = self.state.lock().unwrap().put.len();
        // Only the run that stored one thing again lists it twice: other clauses put more.
        if puts == 1 && self.fault == Fault::ListsCopies {
            twice.into_iter().try_for_each(each)?;
        }
        result
    }

    fn protect(&self, object: &ObjectRef, protection: Protection) -> Result<()> {
        let is_again = !self.state.lock().unwrap().protected.insert(object.digest);
        match self.fault {
            Fault::Lowers => self.inner.protect(object, protection).or_else(|e| match e.code() {
                Code::RetentionShorten => Ok(()),
                _ => Err(e),
            }),
            Fault::ProtectsMode => {
                self.inner.protect(object, Protection { until_ms: protection.until_ms.max(6), ..protection })
            }
            Fault::ProtectOnce if is_again => Err(Error::new(Code::Conflict, "bent")),
            Fault::ProtectsNothing => self.inner.protect(object, protection).or_else(|e| match e.code() {
                Code::NotFound => Ok(()),
                _ => Err(e),
            }),
            _ => self.inner.protect(object, protection),
        }
    }

    fn discard(&self, object: &ObjectRef, now_ms: u64, clearance: DisposalClearance) -> Result<()> {
        self.inner.discard(object, now_ms, clearance)
    }
}

/// Which clauses an engine with this fault breaks.
fn broken(fault: Fault) -> Vec<&'static str> {
    let mut found = violations(CLAUSES, false, &|folder| Box::new(bent(packs(folder), fault)));
    found.extend(violations(LASTING, true, &|folder| Box::new(bent(packs(folder), fault))));
    found.into_iter().map(|violation| violation.clause).collect()
}

#[test]
fn every_clause_is_broken_by_some_engine() {
    let table: [(Fault, &[&str]); 20] = [
        (
            Fault::LastByteLost,
            &["put: any bytes come back", "put: many at once are as each alone", "sync: what was put lasts"],
        ),
        (Fault::WrongLength, &["put: the reference names digest and length", "put: many at once are as each alone"]),
        (Fault::LateVisibility, &["put: visible on return"]),
        (Fault::SortsWhatItTook, &["put: many at once are as each alone"]),
        (Fault::ReadsNothingBack, &["read back: whoever would not be given fails all"]),
        (Fault::PutAgainRaises, &["put: again is a success and changes nothing"]),
        (Fault::SyncForgets, &["sync: repeatable, changes nothing", "put: again in a later run is listed once"]),
        (
            Fault::TrustsHint,
            &["get: the hint is only a hint", "sync: what was put lasts", "put: goes on behind what lasts"],
        ),
        (Fault::InventsObjects, &["get: not found"]),
        (
            Fault::ListForgetsProtection,
            &["list: every object once with its protection", "sync: what was protected lasts"],
        ),
        (Fault::ListGoesOn, &["list: ends with the error of its caller"]),
        (Fault::ProtectsMode, &["protect: raises mode and date"]),
        (Fault::Lowers, &["protect: never lowers", "sync: what was protected lasts"]),
        (
            Fault::ProtectOnce,
            &["protect: raises mode and date", "protect: never lowers", "protect: again is a success"],
        ),
        (Fault::ProtectsNothing, &["protect: not found"]),
        (Fault::NotConcurrent, &["concurrent: any number of callers"]),
        (
            Fault::ForgetsAtEnd,
            &["sync: what was put lasts", "sync: what was protected lasts", "put: goes on behind what lasts"],
        ),
        (Fault::ProtectsForOneRun, &["sync: what was protected lasts"]),
        (Fault::LosesEarlierRuns, &["sync: what was put lasts", "put: goes on behind what lasts"]),
        (
            Fault::ListsCopies,
            &["protect: never lowers", "protect: again is a success", "put: again in a later run is listed once"],
        ),
    ];
    let (mut named, mut others) = (HashSet::<&str>::new(), Vec::new());
    for (fault, clauses) in table {
        let found = broken(fault);
        if found != clauses {
            others.push((fault, found));
        }
        named.extend(clauses);
    }
    assert_eq!(others, [], "these break other clauses than expected");
    let unbroken: Vec<_> = CLAUSES.iter().chain(LASTING).map(|c| c.name).filter(|name| !named.contains(name)).collect();
    assert_eq!(unbroken, [""; 0], "no engine breaks these clauses");
}
