//! Who opens sled has the ledger's lock meanwhile, or shares the stores of who has it; sled in use elsewhere is a
//! reason to wait, never one to put the rows aside.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use immutape::Code;
use immutape::error::Result;
use immutape::evidence::{Report, Verdict};
use immutape::ledger::{CheckOptions, Checker, Ledger, Places, Repair, RepairDone};
use immutape::store::embedded::EmbeddedEngine;
use immutape::store::embedded::rows::SledRows;
use immutape::store::files::{Files, RealFiles};
use immutape::store::memory::rows::MemoryRows;
use immutape::store::{Batch, Rows};

use crate::support::crash::in_runtime;
use crate::support::ledgers::{ann, create, open, real, save_tape};
use crate::support::tamper::judge::fingerprint;

fn made(root: &Path) {
    in_runtime(async {
        let ledger = create(root).await;
        save_tape(&ledger, "sqlite-crash").await.unwrap();
        ledger.close().await.unwrap();
    });
}

fn checker(root: &Path) -> Checker {
    Checker::open(&Places::beneath(root), &real()).unwrap()
}

fn check(root: &Path) -> Report {
    checker(root).run(&CheckOptions::default())
}

/// Opens and closes; rows that were put aside would be seen.
fn opens_with_its_rows(root: &Path) {
    in_runtime(async { open(root).await.unwrap().close().await.unwrap() });
    assert!(!root.join("ledger/quarantine").exists(), "the rows were put aside");
}

#[test]
fn sled_in_use_elsewhere_is_waited_for_and_never_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    made(root);
    let ledger = root.join("ledger");
    let held = SledRows::open(Arc::new(RealFiles), ledger.join("index"), ledger.join("quarantine")).unwrap();
    assert!(held.position().unwrap().is_some());
    assert_eq!(in_runtime(open(root)).err().map(|e| e.code()), Some(Code::Locked));
    assert!(!ledger.join("quarantine").exists() && ledger.join("index/db").exists());
    drop(held);
    opens_with_its_rows(root);
}

#[test]
fn a_check_leaves_sled_and_the_lock_as_soon_as_it_has_compared_the_rows() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path());
    let checker = checker(folder.path());
    opens_with_its_rows(folder.path());
    assert_eq!(checker.run(&CheckOptions::default()).verdict(), Verdict::Intact);
    opens_with_its_rows(folder.path());
    drop(checker);
}

#[test]
fn a_check_beside_a_writer_does_not_open_sled() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    made(root);
    let held = RealFiles.try_lock(&root.join("state/lock")).unwrap().unwrap();
    let before = fingerprint(root, &["ledger", "state", "config"]);
    let report = check(root);
    assert_eq!(report.verdict(), Verdict::IntactWithGaps);
    let gap = report.findings.iter().find(|f| f.part == "rows").unwrap();
    assert!(gap.what.contains("another process"), "{}", gap.what);
    assert_eq!(fingerprint(root, &["ledger", "state", "config"]), before);
    drop(held);
    assert_eq!(check(root).verdict(), Verdict::Intact);
}

#[test]
fn a_check_makes_no_rows_where_there_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    made(root);
    fs::remove_dir_all(root.join("ledger/index")).unwrap();
    let before = fingerprint(root, &["ledger", "state", "config"]);
    let found = checker(root);
    assert!(found.survey().is_ok());
    assert_eq!(found.run(&CheckOptions::default()).verdict(), Verdict::IntactWithGaps);
    assert_eq!(fingerprint(root, &["ledger", "state", "config"]), before);
    assert!(!root.join("ledger/index").exists());
}

/// Rows that look, at every question, whether the ledger's lock is taken.
struct Watched {
    rows: MemoryRows,
    lock: PathBuf,
    free: AtomicU64,
    taken: AtomicU64,
}

impl Watched {
    fn look(&self) {
        let is_free = RealFiles.try_lock(&self.lock).unwrap().is_some();
        if is_free { &self.free } else { &self.taken }.fetch_add(1, Ordering::SeqCst);
    }

    /// Questions asked without the lock and with it, since the last time.
    fn counted(&self) -> (u64, u64) {
        (self.free.swap(0, Ordering::SeqCst), self.taken.swap(0, Ordering::SeqCst))
    }
}

impl Rows for Watched {
    fn apply(&self, batch: Batch, position: &[u8]) -> Result<()> {
        self.look();
        self.rows.apply(batch, position)
    }
    fn position(&self) -> Result<Option<Vec<u8>>> {
        self.look();
        self.rows.position()
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.look();
        self.rows.get(key)
    }
    fn scan(&self, from: &[u8], to: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> Result<bool>) -> Result<()> {
        self.look();
        self.rows.scan(from, to, each)
    }
    fn floor(&self, floor: &[u8], key: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        self.look();
        self.rows.floor(floor, key)
    }
    fn flush(&self) -> Result<()> {
        self.look();
        self.rows.flush()
    }
    fn reset(&self) -> Result<Option<PathBuf>> {
        self.look();
        self.rows.reset()
    }
}

#[test]
fn every_question_to_the_rows_is_asked_under_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let (root, places) = (folder.path(), Places::beneath(folder.path()));
    let rows = Arc::new(Watched {
        rows: MemoryRows::new(),
        lock: root.join("state/lock"),
        free: AtomicU64::new(0),
        taken: AtomicU64::new(0),
    });
    let env = || real().engine(Arc::new(EmbeddedEngine::new(Arc::new(RealFiles)).with_rows(rows.clone())));
    let asked_under_the_lock = |what: &str| {
        let (free, taken) = rows.counted();
        assert!(free == 0 && taken > 0, "{what}: {free} without the lock, {taken} with it");
    };
    in_runtime(async {
        let ledger = Ledger::create(places.clone(), env(), "turns", false).await.unwrap();
        save_tape(&ledger, "sqlite-crash").await.unwrap();
        ledger.verify(&ann(), CheckOptions::default()).await.unwrap().1.unwrap();
        ledger.close().await.unwrap();
    });
    asked_under_the_lock("a writer");
    let checker = Checker::open(&places, &env()).unwrap();
    assert_eq!(checker.run(&CheckOptions::default()).verdict(), Verdict::Intact);
    asked_under_the_lock("a check");
    damage(&root.join("ledger/journal/00000001.seg"), 512..520);
    let checker = Checker::open(&places, &env()).unwrap();
    asked_under_the_lock("a check that asks the rows who the ledger is");
    drop(checker);
    let done = in_runtime(Ledger::repair(places, env(), Repair::Log, &ann())).unwrap();
    assert!(matches!(done, RepairDone::Journal { from_segment: 1, .. }), "{done:?}");
    asked_under_the_lock("a repair");
}

fn damage(path: &Path, at: Range<usize>) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at].iter_mut().for_each(|byte| *byte ^= 1);
    fs::write(path, bytes).unwrap();
}
