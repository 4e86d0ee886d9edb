use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::*;
use crate::cli::session::Parts;
use crate::cli::terminal::Look;
use crate::keyring::OsRandom;
use crate::ledger::{Environment, Ledger, NoObserver, Places, SaveOptions, Who};
use crate::log::EntryKind;
use crate::store::embedded::EmbeddedEngine;
use crate::store::embedded::faulty::{Fail, FaultyFiles, Plan};
use crate::store::files::{Files, RealFiles};
use crate::tape::{Direction, Frame, Header, TapeKind};
use crate::time::SystemClock;

/// The ledger on these files, and everything that lies elsewhere on those.
fn environment(ledger: Arc<dyn Files>, elsewhere: Arc<dyn Files>) -> Environment {
    Environment {
        engine: Arc::new(EmbeddedEngine::new(ledger)),
        files: elsewhere,
        clock: Arc::new(SystemClock::new([7; 16])),
        random: Arc::new(OsRandom),
        observer: Arc::new(NoObserver),
        build: Digest::from_bytes([3; 32]),
    }
}

fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

/// A ledger with one tape; the tape's id.
fn ledger(folder: &Path) -> String {
    block(async {
        let env = environment(Arc::new(RealFiles), Arc::new(RealFiles));
        let ledger = Ledger::create(Places::beneath(folder), env, "test", false).await.unwrap();
        let mut saver = ledger.begin_save(&Who::os_user("ann"), SaveOptions::default()).await.unwrap();
        // One frame that cannot stand in a version 2.0 tape, so that three files leave.
        for (seq, payload) in [&b"{}"[..], b"\xff"].into_iter().enumerate() {
            saver.frame(&Frame::message(seq as u64, Direction::Unknown, payload.to_vec())).unwrap();
        }
        let receipt = saver.finish(Header::new(TapeKind::Other)).await.unwrap();
        ledger.close().await.unwrap();
        receipt.tape.to_hex()
    })
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What an export came to.
struct Came {
    plan: Arc<Plan>,
    code: Option<Code>,
    /// What lies in the folder that it was to go to.
    names: Vec<String>,
    /// Entries after everything is well again.
    kinds: Vec<EntryKind>,
}

impl Came {
    fn count(&self, kind: EntryKind) -> usize {
        self.kinds.iter().filter(|k| **k == kind).count()
    }
}

/// An export from a copy of a ledger whose files fail, and those elsewhere.
fn export_with(base: &Path, id: &str, fails: Plan, elsewhere: Plan) -> Came {
    let world = tempfile::tempdir().unwrap();
    let folder = world.path().join("ledgers");
    copy(base, &folder);
    let out = world.path().join("out");
    fs::create_dir(&out).unwrap();
    let plan = Arc::new(fails);
    let env = environment(Arc::new(FaultyFiles(plan.clone())), Arc::new(FaultyFiles(Arc::new(elsewhere))));
    let parts = Parts::beneath(&folder, env, Who::os_user("ann")).unwrap();
    let look = Look { colour: false, columns: None, terminal: false, words: None };
    let mut printed = Out::new(Box::new(io::sink()), Box::new(io::sink()), look);
    let output = Some(out.join("x"));
    let args = Export { id: id.to_owned(), to: To::V2, output, frames: None, recipient: None, force: false };
    let done = export(&mut Session::new(parts, &mut printed), &args);
    let mut names: Vec<String> =
        fs::read_dir(out).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    Came { plan, code: done.err().map(|e| e.code()), names, kinds: kinds(&folder) }
}

fn kinds(folder: &Path) -> Vec<EntryKind> {
    block(async {
        let env = environment(Arc::new(RealFiles), Arc::new(RealFiles));
        let ledger = Ledger::open(Places::beneath(folder), env).await.unwrap();
        let (lines, _) = ledger.log(&Who::os_user("ann"), 0..u64::MAX).await.unwrap();
        ledger.close().await.unwrap();
        lines.iter().map(|line| line.kind).collect()
    })
}

/// Whichever write of the ledger is the one that fails: what cannot go on record does not lie there as if it had left.
#[test]
fn files_whose_leaving_cannot_be_recorded_are_taken_back() {
    const NAMES: [&str; 3] = ["x", "x.extra.jsonl", "x.meta.json"];
    let base = tempfile::tempdir().unwrap();
    let base = base.path().join("base");
    let id = ledger(&base);
    let never = || Plan::new(Fail::Never);
    let whole = export_with(&base, &id, never(), never());
    assert_eq!((whole.code, &whole.names), (None, &NAMES.map(str::to_owned).to_vec()));
    let (mut taken_back, mut kept) = (0, 0);
    for n in 0..whole.plan.count.load(Ordering::SeqCst) {
        // Files that cannot be removed show how far the export came.
        let shown = export_with(&base, &id, Plan::new(Fail::From(n)), Plan::new(Fail::Named("remove_file")));
        assert!(shown.plan.failed.load(Ordering::SeqCst) > 0, "{n}");
        assert!(shown.names == NAMES || shown.names.is_empty(), "{n}: {:?}", shown.names);
        if shown.names.is_empty() {
            continue;
        }
        assert_eq!(shown.count(EntryKind::ACCESS_GRANTED), 1, "{n}: the read is on record before a file is there");
        for with_effect in [false, true] {
            let came = export_with(&base, &id, Plan { with_effect, ..Plan::new(Fail::From(n)) }, never());
            assert!(came.plan.failed.load(Ordering::SeqCst) > 0, "{n}");
            if came.names.is_empty() {
                taken_back += 1;
                let code = came.code.unwrap();
                assert!([Code::Broken, Code::InDoubt, Code::AuditUnavailable].contains(&code), "{n}: {code:?}");
            } else {
                // The fault came when all was on record: to the orderly close.
                kept += 1;
                assert_eq!(
                    (&came.names, came.count(EntryKind::EXPORTED)),
                    (&NAMES.map(str::to_owned).to_vec(), 1),
                    "{n}"
                );
            }
        }
    }
    assert!(taken_back > 1 && kept > 1, "no fault came between the files and their entry: {taken_back}, {kept}");
}
