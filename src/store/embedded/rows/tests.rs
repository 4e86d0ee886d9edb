//! What cannot be reached through the contract alone: a sled that hangs or panics, and failing files.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::SledRows;
use super::opening::{Opener, open_sled};
use crate::error::Code;
use crate::store::contracts::{Batch, Rows};
use crate::store::embedded::faulty::{Fail, FaultyFiles, Plan};
use crate::store::files::{Files, RealFiles};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(50);

fn open(files: Arc<dyn Files>, folder: &Path, opener: Opener, limit: Duration) -> SledRows {
    SledRows::open_with(files, folder.join("index"), folder.join("quarantine"), opener, limit)
}

fn plain(folder: &Path) -> SledRows {
    open(Arc::new(RealFiles), folder, Arc::new(open_sled), LONG)
}

fn one_row() -> Batch {
    Batch { puts: vec![(b"k".to_vec(), b"v".to_vec())], removes: vec![] }
}

/// Every call answers that the rows are unavailable, and why.
fn all_refused(rows: &SledRows, why: &str) {
    let mut never = |_: &[u8], _: &[u8]| -> crate::Result<bool> { panic!("no row may be seen") };
    let answers = [
        rows.apply(one_row(), b"1").err(),
        rows.position().err(),
        rows.get(b"k").err(),
        rows.scan(b"a", b"z", &mut never).err(),
        rows.floor(b"a", b"z").err(),
        rows.flush().err(),
    ];
    for error in answers {
        let error = error.unwrap();
        assert_eq!(error.code(), Code::RowsUnavailable);
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn an_open_that_hangs_is_given_up_and_its_folder_left_to_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let (release, held) = channel::<()>();
    let held = Mutex::new(held);
    let hang: Opener = Arc::new(move |path| {
        let _until_released = held.lock().unwrap().recv();
        open_sled(path)
    });
    let rows = open(Arc::new(RealFiles), folder.path(), hang, SHORT);
    all_refused(&rows, "did not answer in time");
    // The thread may still write into the folder by name, so an empty database must not begin there.
    let error = rows.reset().unwrap_err();
    assert_eq!(error.code(), Code::RowsUnavailable);
    assert!(error.to_string().contains("start the program again"), "{error}");
    assert!(folder.path().join("quarantine/index-1").exists() && !folder.path().join("index").exists());
    all_refused(&rows, "start the program again");

    // Once the thread has ended, the rows come back without a new start.
    drop(release);
    let aside = (0..2_000).find_map(|_| {
        std::thread::sleep(Duration::from_millis(5));
        rows.reset().ok()
    });
    assert!(aside.is_some(), "the rows never came back");
    assert_eq!(rows.position().unwrap(), None);
    rows.apply(one_row(), b"1").unwrap();
}

#[test]
fn a_panic_in_open_is_an_answer() {
    let folder = tempfile::tempdir().unwrap();
    let first = AtomicBool::new(true);
    let opener: Opener = Arc::new(move |path| {
        assert!(!first.swap(false, Ordering::SeqCst), "tried to serialize \x07 Uninitialized");
        open_sled(path)
    });
    let rows = open(Arc::new(RealFiles), folder.path(), opener, LONG);
    all_refused(&rows, "sled panicked: tried to serialize \\x07 Uninitialized");
    assert_eq!(rows.reset().unwrap(), Some(folder.path().join("quarantine/index-1")));
    rows.apply(one_row(), b"1").unwrap();
    assert_eq!(rows.get(b"k").unwrap(), Some(b"v".to_vec()));
}

#[test]
fn an_error_of_open_is_an_answer_and_may_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let opener: Opener = Arc::new(|_| Err(sled::Error::Unsupported("on purpose".to_owned())));
    let rows = open(Arc::new(RealFiles), folder.path(), opener, LONG);
    all_refused(&rows, "on purpose");
    assert_eq!(rows.reset().map_err(|e| e.code()), Err(Code::RowsUnavailable));
    all_refused(&rows, "on purpose");
}

#[test]
fn a_panic_of_the_caller_is_the_callers() {
    let folder = tempfile::tempdir().unwrap();
    let rows = plain(folder.path());
    rows.apply(one_row(), b"1").unwrap();
    let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        rows.scan(b"a", b"z", &mut |_, _| panic!("the caller's own"))
    }));
    assert!(panics.is_err());
    assert_eq!(rows.get(b"k").unwrap(), Some(b"v".to_vec()), "the rows are none the worse");
}

#[test]
fn a_failed_fsync_puts_the_rows_in_doubt() {
    let folder = tempfile::tempdir().unwrap();
    drop(plain(folder.path()));
    let plan = Arc::new(Plan::new(Fail::Named("sync_data")));
    let rows = open(Arc::new(FaultyFiles(Arc::clone(&plan))), folder.path(), Arc::new(open_sled), LONG);
    assert_eq!(plan.failed.load(Ordering::SeqCst), 1, "opening syncs what it made");
    all_refused(&rows, "sync_data failed on purpose");
    assert_eq!(plan.failed.load(Ordering::SeqCst), 1, "a failed sync is never tried again");
}

#[test]
fn each_flush_is_two_fsyncs_of_our_own() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Arc::new(Plan::new(Fail::Never));
    let rows = open(Arc::new(FaultyFiles(Arc::clone(&plan))), folder.path(), Arc::new(open_sled), LONG);
    rows.apply(one_row(), b"1").unwrap();
    let before = plan.count.load(Ordering::SeqCst);
    rows.flush().unwrap();
    assert_eq!(plan.count.load(Ordering::SeqCst) - before, 2);
}

#[test]
fn a_file_in_blobs_is_refused_before_and_after_opening() {
    let folder = tempfile::tempdir().unwrap();
    let rows = plain(folder.path());
    rows.apply(one_row(), b"1").unwrap();
    fs::write(folder.path().join("index/blobs/77"), b"not ours").unwrap();
    assert_eq!(rows.flush().map_err(|e| e.code()), Err(Code::RowsUnavailable));
    all_refused(&rows, "blobs/ holds 1 files");
    drop(rows);

    let opened = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&opened);
    let opener: Opener = Arc::new(move |path| {
        count.fetch_add(1, Ordering::SeqCst);
        open_sled(path)
    });
    let rows = open(Arc::new(RealFiles), folder.path(), opener, LONG);
    all_refused(&rows, "blobs/ holds 1 files");
    assert_eq!(opened.load(Ordering::SeqCst), 0, "sled has not touched the evidence");
    let aside = rows.reset().unwrap().unwrap();
    assert_eq!(fs::read(aside.join("blobs/77")).unwrap(), b"not ours");
    rows.apply(one_row(), b"1").unwrap();
}

#[test]
fn a_snapshot_without_its_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("index")).unwrap();
    fs::write(folder.path().join("index/snap.0000000000000001"), b"of an old one").unwrap();
    let rows = plain(folder.path());
    all_refused(&rows, "a snapshot without its database");
    assert!(rows.reset().unwrap().is_some());
    assert_eq!(rows.position().unwrap(), None);
}

#[test]
fn a_folder_that_cannot_be_moved_stays_and_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let plan = Arc::new(Plan::new(Fail::Named("rename_noreplace")));
    let rows = open(Arc::new(FaultyFiles(Arc::clone(&plan))), folder.path(), Arc::new(open_sled), LONG);
    rows.apply(one_row(), b"1").unwrap();
    assert_eq!(rows.reset().map_err(|e| e.code()), Err(Code::RowsUnavailable));
    assert_eq!(plan.failed.load(Ordering::SeqCst), 1);
    assert!(folder.path().join("index/db").exists());
    all_refused(&rows, "rename_noreplace failed on purpose");
}

#[test]
fn a_simulated_file_system_is_refused() {
    #[derive(Debug)]
    struct Simulated;
    impl Files for Simulated {
        fn open(&self, path: &Path, write: bool) -> std::io::Result<Arc<dyn crate::store::files::File>> {
            RealFiles.open(path, write)
        }
        fn create_new(&self, path: &Path) -> std::io::Result<Arc<dyn crate::store::files::File>> {
            RealFiles.create_new(path)
        }
        fn read(&self, path: &Path, bytes_max: u64) -> std::io::Result<Vec<u8>> {
            RealFiles.read(path, bytes_max)
        }
        fn create_dir_all(&self, path: &Path) -> std::io::Result<()> {
            RealFiles.create_dir_all(path)
        }
        fn sync_dir(&self, path: &Path) -> std::io::Result<()> {
            RealFiles.sync_dir(path)
        }
        fn rename_noreplace(&self, from: &Path, to: &Path) -> std::io::Result<()> {
            RealFiles.rename_noreplace(from, to)
        }
        fn rename_replace(&self, from: &Path, to: &Path) -> std::io::Result<()> {
            RealFiles.rename_replace(from, to)
        }
        fn remove_file(&self, path: &Path) -> std::io::Result<()> {
            RealFiles.remove_file(path)
        }
        fn list(&self, path: &Path) -> std::io::Result<Vec<crate::store::files::Entry>> {
            RealFiles.list(path)
        }
        fn exists(&self, path: &Path) -> std::io::Result<bool> {
            RealFiles.exists(path)
        }
        fn try_lock(&self, path: &Path) -> std::io::Result<Option<Box<dyn crate::store::files::FileLock>>> {
            RealFiles.try_lock(path)
        }
        fn shared_mode(&self, path: &Path) -> std::io::Result<u32> {
            RealFiles.shared_mode(path)
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let rows = open(Arc::new(Simulated), folder.path(), Arc::new(open_sled), LONG);
    all_refused(&rows, "simulated");
    assert!(!folder.path().join("index").exists());
}
