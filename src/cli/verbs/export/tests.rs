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
    // One frame that cannot stand in a version 2.0 tape, so that three files leave.
    ledger_of(folder, &[b"{}", b"\xff"])
}

/// One whose tape leaves in two files.
fn plain_ledger(folder: &Path) -> String {
    ledger_of(folder, &[b"{}"])
}

fn ledger_of(folder: &Path, payloads: &[&[u8]]) -> String {
    block(async {
        let env = environment(Arc::new(RealFiles), Arc::new(RealFiles));
        let ledger = Ledger::create(Places::beneath(folder), env, "test", false).await.unwrap();
        let mut saver = ledger.begin_save(&Who::os_user("ann"), SaveOptions::default()).await.unwrap();
        for (seq, payload) in payloads.iter().enumerate() {
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
    elsewhere: Arc<Plan>,
    code: Option<Code>,
    /// What lies in the folder that it was to go to.
    names: Vec<String>,
    /// Those of them that are what was there before.
    old: Vec<String>,
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
    export_over(base, id, &[], (fails, elsewhere))
}

/// The same over files with these names, which are there already.
fn export_over(base: &Path, id: &str, old: &[&str], (fails, elsewhere): (Plan, Plan)) -> Came {
    let world = tempfile::tempdir().unwrap();
    let folder = world.path().join("ledgers");
    copy(base, &folder);
    let out = world.path().join("out");
    fs::create_dir(&out).unwrap();
    old.iter().for_each(|name| fs::write(out.join(name), format!("old {name}")).unwrap());
    let (plan, elsewhere) = (Arc::new(fails), Arc::new(elsewhere));
    let env = environment(Arc::new(FaultyFiles(plan.clone())), Arc::new(FaultyFiles(elsewhere.clone())));
    let parts = Parts::beneath(&folder, env, Who::os_user("ann")).unwrap();
    let look = Look { colour: false, columns: None, terminal: false, words: None };
    let mut printed = Out::new(Box::new(io::sink()), Box::new(io::sink()), look);
    let output = Some(out.join("x"));
    let args = Export { id: id.to_owned(), to: To::V2, output, frames: None, recipient: None, force: !old.is_empty() };
    let done = export(&mut Session::new(parts, &mut printed), &args);
    let mut names: Vec<String> =
        fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let is_old = |name: &String| fs::read(out.join(name)).unwrap() == format!("old {name}").as_bytes();
    let old = names.iter().filter(|name| is_old(name)).cloned().collect();
    Came { plan, elsewhere, code: done.err().map(|e| e.code()), names, old, kinds: kinds(&folder) }
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

/// `--force` with a fault: either everything is new and on record, or everything is as it was.
#[test]
fn what_an_export_replaced_is_back_when_its_entry_or_its_place_cannot_be_had() {
    // The one in the middle is stale: this tape's export has a file of that name, another has none.
    const OLD: [&str; 2] = ["x", "x.meta.json"];
    const NEW: [&str; 3] = ["x", "x.extra.jsonl", "x.meta.json"];
    let base = tempfile::tempdir().unwrap();
    let base = base.path().join("base");
    let id = ledger(&base);
    let never = || Plan::new(Fail::Never);
    let whole = export_over(&base, &id, &OLD, (never(), never()));
    assert_eq!((whole.code, whole.names.as_slice(), whole.old.len()), (None, &NEW.map(str::to_owned)[..], 0));
    let (mut back, mut stayed) = (0, 0);
    let mut judge = |came: Came, words: &str| {
        if came.code.is_some() && came.count(EntryKind::EXPORTED) == 0 {
            back += 1;
            assert_eq!((&came.names, &came.old), (&OLD.map(str::to_owned).to_vec(), &came.names), "{words}");
        } else if came.old.is_empty() {
            stayed += 1;
            assert_eq!(
                (came.names.as_slice(), came.count(EntryKind::EXPORTED)),
                (&NEW.map(str::to_owned)[..], 1),
                "{words}"
            );
        } else {
            // The entry is in doubt: it was asked for, and its answer never came.
            assert_eq!((&came.old, came.names.len()), (&came.names, OLD.len()), "{words}");
        }
    };
    for n in 0..whole.plan.count.load(Ordering::SeqCst) {
        let came = export_over(&base, &id, &OLD, (Plan::new(Fail::From(n)), never()));
        assert!(came.plan.failed.load(Ordering::SeqCst) > 0, "{n}");
        judge(came, &format!("operation {n} of the ledger"));
    }
    // The folder that it goes to fails: in giving names, and in making them last.
    for name in ["rename_replace", "rename_noreplace", "sync_dir", "link", "sync_data"] {
        let mut came = export_over(&base, &id, &OLD, (never(), Plan::new(Fail::Named(name))));
        assert!(came.elsewhere.failed.load(Ordering::SeqCst) > 0, "{name}");
        // Where nothing can be renamed back, the old one has kept its name, and the second name may stay.
        let is_second = |n: &String| name == "rename_replace" && n.ends_with(".old");
        came.names.retain(|n| !is_second(n));
        came.old.retain(|n| !is_second(n));
        judge(came, name);
    }
    assert!(back > 4 && stayed > 1, "no fault came between the files and their entry: {back}, {stayed}");
}

/// What an earlier export left beside, and this one would make part of itself, is back too.
#[test]
fn a_stale_file_is_back_when_the_entry_cannot_be_had() {
    let base = tempfile::tempdir().unwrap();
    let base = base.path().join("base");
    let id = plain_ledger(&base);
    let old = ["x", "x.extra.jsonl", "x.meta.json"];
    let never = || Plan::new(Fail::Never);
    let whole = export_over(&base, &id, &old, (never(), never()));
    assert_eq!((whole.code, whole.names, whole.old.len()), (None, vec!["x".to_owned(), "x.meta.json".to_owned()], 0));
    let mut back = 0;
    for n in 0..whole.plan.count.load(Ordering::SeqCst) {
        let came = export_over(&base, &id, &old, (Plan::new(Fail::From(n)), never()));
        if came.code.is_some() && came.count(EntryKind::EXPORTED) == 0 {
            back += 1;
            assert_eq!(came.old, old.map(str::to_owned), "{n}");
        }
    }
    assert!(back > 1);
}
