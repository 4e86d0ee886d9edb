//! The spool clauses on every engine, and on engines that break one clause each.

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

use immutape::codec::digest::CustodyId;
use immutape::error::{Code, Error, Result};
use immutape::store::conformance::spool::{CLAUSES, LASTING};
use immutape::store::conformance::{Clause, Violation};
use immutape::store::embedded::spool::EmbeddedSpool;
use immutape::store::files::{FileLock, RealFiles};
use immutape::store::memory::spool::MemorySpool;
use immutape::store::{Spool, SpoolReader};

use crate::support::sim_files::{SimFiles, Survive};

fn embedded(folder: &Path) -> EmbeddedSpool {
    EmbeddedSpool::open(Arc::new(RealFiles), folder.join("spool"))
}

/// Checks each clause in a folder of its own; every call of `open` gets a new one unless `lasting`.
fn violations(clauses: &[Clause<dyn Spool>], lasting: bool, open: &dyn Fn(&Path) -> Box<dyn Spool>) -> Vec<Violation> {
    let check = |clause: &Clause<dyn Spool>| {
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
    assert_eq!(violations(CLAUSES, false, &|folder| Box::new(embedded(folder))), []);
    assert_eq!(violations(LASTING, true, &|folder| Box::new(embedded(folder))), []);
    assert_eq!((CLAUSES.len(), LASTING.len()), (15, 4));
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
                Box::new(EmbeddedSpool::open(files, "ledger/spool".into())) as Box<dyn Spool>
            };
            assert_eq!(clause.check(&opener), Ok(()));
        }
    }
}

#[test]
fn memory_engine_keeps_every_clause() {
    assert_eq!(violations(CLAUSES, false, &|_| Box::new(MemorySpool::new())), []);
}

/// One way to break the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    NoEmptyPieces,
    OneSpoolForAll,
    SyncDoubles,
    InventsRecordings,
    NamesOnlySynced,
    CloseKeepsName,
    CloseOnce,
    NothingAfterClose,
    FewRecordings,
    ForgetsAtEnd,
    NewSpoolEachRun,
    CloseForThisRun,
    ReaderEndsAtOpen,
    NeverSaysClosed,
    NothingDurable,
    AlwaysHeld,
    HoldsForAll,
    ForgetsWhatIsAside,
    AsideForThisRun,
}

struct Bent {
    inner: EmbeddedSpool,
    fault: Fault,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    appended: HashSet<CustodyId>,
    synced: HashSet<CustodyId>,
    closed: HashSet<CustodyId>,
}

fn bent(folder: &Path, fault: Fault) -> Bent {
    Bent { inner: embedded(folder), fault, state: Mutex::default() }
}

fn error(code: Code) -> Error {
    Error::new(code, "bent")
}

impl Spool for Bent {
    fn append(&self, recording: &CustodyId, sealed: &[u8]) -> Result<()> {
        let is_first = self.state.lock().unwrap().appended.insert(*recording);
        let count = self.state.lock().unwrap().appended.len();
        match self.fault {
            Fault::NoEmptyPieces if sealed.is_empty() => return Ok(()),
            Fault::OneSpoolForAll if sealed.len() == 2 => {
                return self.inner.append(&CustodyId::from_bytes([0xa1; 32]), sealed);
            }
            Fault::NothingAfterClose if self.state.lock().unwrap().closed.contains(recording) => return Ok(()),
            Fault::FewRecordings if count > 3 => return Err(error(Code::Limit)),
            Fault::NewSpoolEachRun if is_first => self.inner.close(recording)?,
            _ => {}
        }
        self.inner.append(recording, sealed)
    }

    fn sync(&self, recording: &CustodyId) -> Result<()> {
        let is_again = !self.state.lock().unwrap().synced.insert(*recording);
        if self.fault == Fault::SyncDoubles && is_again {
            self.inner.append(recording, b"one")?;
        }
        self.inner.sync(recording)
    }

    fn pieces(&self, recording: &CustodyId) -> Result<Vec<Vec<u8>>> {
        let is_known = self.state.lock().unwrap().appended.contains(recording);
        let is_closed = self.state.lock().unwrap().closed.contains(recording);
        match self.fault {
            Fault::ForgetsAtEnd if !is_known => Err(error(Code::NotFound)),
            Fault::InventsRecordings if !is_known && !is_closed => {
                self.inner.pieces(recording).or_else(|_| Ok(Vec::new()))
            }
            _ => self.inner.pieces(recording),
        }
    }

    fn reader(&self, recording: &CustodyId) -> Result<Box<dyn SpoolReader>> {
        let inner = self.inner.reader(recording)?;
        let left = if self.fault == Fault::ReaderEndsAtOpen { self.inner.pieces(recording)?.len() } else { usize::MAX };
        Ok(Box::new(BentReader {
            inner,
            left,
            never_says_closed: self.fault == Fault::NeverSaysClosed,
            gives_nothing_durable: self.fault == Fault::NothingDurable,
            always_held: self.fault == Fault::AlwaysHeld,
        }))
    }

    fn hold(&self, recording: &CustodyId) -> Result<Option<Box<dyn FileLock>>> {
        if self.fault == Fault::HoldsForAll {
            return Ok(Some(Box::new(NoLock)));
        }
        self.inner.hold(recording)
    }

    fn put_aside(&self, recording: &CustodyId) -> Result<String> {
        match self.fault {
            Fault::ForgetsWhatIsAside => Ok("nowhere".to_owned()),
            Fault::AsideForThisRun if !self.state.lock().unwrap().appended.contains(recording) => Ok("here".to_owned()),
            _ => self.inner.put_aside(recording),
        }
    }

    fn recordings(&self) -> Result<Vec<CustodyId>> {
        let mut all = self.inner.recordings()?;
        let state = self.state.lock().unwrap();
        match self.fault {
            Fault::NamesOnlySynced if !state.synced.is_empty() => all.retain(|r| state.synced.contains(r)),
            Fault::CloseKeepsName => all.extend(&state.closed),
            _ => {}
        }
        Ok(all)
    }

    fn close(&self, recording: &CustodyId) -> Result<()> {
        let mut state = self.state.lock().unwrap();
        let is_again = !state.closed.insert(*recording);
        match self.fault {
            Fault::CloseOnce if is_again => Err(error(Code::NotFound)),
            Fault::CloseForThisRun if !state.appended.contains(recording) => Ok(()),
            _ => self.inner.close(recording),
        }
    }
}

struct BentReader {
    inner: Box<dyn SpoolReader>,
    left: usize,
    never_says_closed: bool,
    gives_nothing_durable: bool,
    always_held: bool,
}

impl SpoolReader for BentReader {
    fn next_piece(&mut self) -> Result<Option<Vec<u8>>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.inner.next_piece()
    }

    fn next_durable_piece(&mut self) -> Result<Option<Vec<u8>>> {
        if self.gives_nothing_durable {
            return Ok(None);
        }
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.inner.next_durable_piece()
    }

    fn has_durable(&self) -> bool {
        self.inner.has_durable()
    }

    fn bytes_behind(&self) -> Result<u64> {
        self.inner.bytes_behind()
    }

    fn is_closed(&self) -> Result<bool> {
        Ok(!self.never_says_closed && self.inner.is_closed()?)
    }

    fn is_held(&self) -> Result<bool> {
        Ok(self.always_held || self.inner.is_held()?)
    }
}

#[derive(Debug)]
struct NoLock;

impl FileLock for NoLock {
    fn is_current(&self) -> bool {
        true
    }
}

/// Which clauses an engine with this fault breaks.
fn broken(fault: Fault) -> Vec<&'static str> {
    let mut found = violations(CLAUSES, false, &|folder| Box::new(bent(folder, fault)));
    found.extend(violations(LASTING, true, &|folder| Box::new(bent(folder, fault))));
    found.into_iter().map(|violation| violation.clause).collect()
}

#[test]
fn every_clause_is_broken_by_some_engine() {
    let table: [(Fault, &[&str]); 19] = [
        (
            Fault::NoEmptyPieces,
            &[
                "append: pieces come back whole and in order",
                "sync: repeatable, changes nothing",
                "reader: goes on to the end of a closed spool, and says so",
                "reader: what it gives as durable is what was appended",
                "sync: what was appended lasts",
                "append: goes on behind what lasts",
            ],
        ),
        (Fault::OneSpoolForAll, &["append: recordings are apart"]),
        (
            Fault::SyncDoubles,
            &["sync: repeatable, changes nothing", "concurrent: one writer for each recording, and readers"],
        ),
        (Fault::InventsRecordings, &["pieces: not found", "close: lasts"]),
        (Fault::NamesOnlySynced, &["recordings: every one that has a spool", "close: removes the spool"]),
        (Fault::CloseKeepsName, &["close: removes the spool", "reader: knows whether somebody holds it"]),
        (Fault::CloseOnce, &["close: twice is a success"]),
        (Fault::NothingAfterClose, &["close: an append after it begins anew"]),
        (Fault::FewRecordings, &["concurrent: one writer for each recording, and readers"]),
        (Fault::ForgetsAtEnd, &["sync: what was appended lasts"]),
        (Fault::NewSpoolEachRun, &["hold: for one at a time", "append: goes on behind what lasts"]),
        (Fault::CloseForThisRun, &["close: lasts"]),
        (
            Fault::ReaderEndsAtOpen,
            &[
                "reader: gives what is appended behind its back",
                "reader: what it gives as durable is what was appended",
            ],
        ),
        (Fault::NothingDurable, &["reader: what it gives as durable is what was appended"]),
        (
            Fault::NeverSaysClosed,
            &["reader: goes on to the end of a closed spool, and says so", "put aside: is no recording any more"],
        ),
        (Fault::AlwaysHeld, &["reader: knows whether somebody holds it"]),
        (Fault::HoldsForAll, &["hold: for one at a time", "reader: knows whether somebody holds it"]),
        (Fault::ForgetsWhatIsAside, &["put aside: is no recording any more", "put aside: lasts"]),
        (Fault::AsideForThisRun, &["put aside: is no recording any more", "put aside: lasts"]),
    ];
    let mut named: HashSet<&str> = HashSet::new();
    for (fault, clauses) in table {
        assert_eq!(broken(fault), clauses, "{fault:?}");
        named.extend(clauses);
    }
    let unbroken: Vec<_> = CLAUSES.iter().chain(LASTING).map(|c| c.name).filter(|name| !named.contains(name)).collect();
    assert_eq!(unbroken, [""; 0], "no engine breaks these clauses");
}
