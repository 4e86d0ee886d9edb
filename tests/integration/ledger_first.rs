//! Several that make a ledger in the same folder at the same time: one of them does.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Barrier, Mutex};

use immutape::Code;
use immutape::keyring::OsRandom;
use immutape::ledger::{Environment, Ledger, Places};
use immutape::store::embedded::EmbeddedEngine;
use immutape::store::files::{Files as _, RealFiles};
use immutape::store::memory::rows::MemoryRows;
use immutape::time::SystemClock;

use crate::support::failing::Failing;
use crate::support::ledgers::{ann, open, real};

const MAKERS: usize = 4;

fn create(places: Places, env: Environment) -> immutape::Result<Ledger> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ledger = Ledger::create(places, env, "first", false).await?;
        ledger.clone().close().await?;
        Ok(ledger)
    })
}

/// As at home: each ledger has state and keys of its own, named by its id.
fn at_home(folder: &Path) -> Places {
    Places::new(folder.join("ledger")).state_base(folder.join("state")).config_base(folder.join("keys"))
}

fn names(folder: PathBuf) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn of_many_makers_one_makes_the_ledger_and_no_other_leaves_a_trace() {
    let kinds: [fn(&Path) -> Places; 2] = [Places::beneath, at_home];
    for places in kinds {
        for _ in 0..6 {
            let folder = tempfile::tempdir().unwrap();
            let barrier = Arc::new(Barrier::new(MAKERS));
            let makers: Vec<_> = (0..MAKERS)
                .map(|_| {
                    let (places, barrier) = (places(folder.path()), barrier.clone());
                    std::thread::spawn(move || {
                        barrier.wait();
                        create(places, real()).map(drop)
                    })
                })
                .collect();
            let made: Vec<_> = makers.into_iter().map(|maker| maker.join().unwrap()).collect();
            let refused: Vec<_> =
                made.iter().filter_map(|made| made.as_ref().err()).map(immutape::Error::code).collect();
            assert_eq!(refused, [Code::LedgerExists; MAKERS - 1], "{made:?}");
            let ledger = Ledger::open(places(folder.path()), real()).await.unwrap();
            let (report, _) = ledger.verify(&ann(), immutape::ledger::CheckOptions::default()).await.unwrap();
            assert_eq!(report.verdict(), immutape::evidence::Verdict::Intact, "{report:#?}");
            ledger.close().await.unwrap();
            assert!(!folder.path().join("ledger/creating").exists());
            if places(folder.path()).state.is_none() {
                for kind in ["state", "keys"] {
                    assert_eq!(names(folder.path().join(kind)).len(), 1, "{kind} of ledgers that nobody has");
                }
            }
        }
    }
}

#[tokio::test]
async fn who_makes_a_ledger_has_the_folder_for_itself_until_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let files = Failing::default();
    let (path, seen) = (folder.path().join("ledger/creating"), Arc::new(Mutex::new(None)));
    let (lock, found) = (path.clone(), seen.clone());
    files.after_next_sync(move || *found.lock().unwrap() = Some(RealFiles.is_locked(&lock).unwrap()));
    let files = Arc::new(files);
    let engine = Arc::new(EmbeddedEngine::new(files.clone()).with_rows(Arc::new(MemoryRows::new())));
    let clock = Arc::new(SystemClock::new([7; 16]));
    let env = Environment::new(engine, files, clock, Arc::new(OsRandom));
    let places = Places::beneath(folder.path());
    tokio::task::spawn_blocking(move || create(places, env).map(drop)).await.unwrap().unwrap();
    assert_eq!(*seen.lock().unwrap(), Some(true), "at the first sync of anything");
    assert!(!path.exists());
}

#[tokio::test]
async fn what_a_maker_left_that_was_cut_off_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("ledger")).unwrap();
    std::fs::write(folder.path().join("ledger/creating"), b"").unwrap();
    assert_eq!(open(folder.path()).await.err().map(|e| e.code()), Some(Code::NoLedger));
    let places = Places::beneath(folder.path());
    tokio::task::spawn_blocking(move || create(places, real()).map(drop)).await.unwrap().unwrap();
    // Cut off when all was made but the name of the lock.
    std::fs::write(folder.path().join("ledger/creating"), b"").unwrap();
    let ledger = open(folder.path()).await.unwrap();
    let (report, _) = ledger.verify(&ann(), immutape::ledger::CheckOptions::default()).await.unwrap();
    assert!(report.findings.is_empty(), "{report:#?}");
    ledger.close().await.unwrap();
}
