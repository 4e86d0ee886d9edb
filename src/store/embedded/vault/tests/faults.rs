//! Failing writes, failing syncs, a full disk.

use std::io::ErrorKind;
use std::sync::atomic::Ordering;

use super::*;
use crate::error::{Code, Result};
use crate::store::embedded::faulty::Fail;

fn codes(vault: &EmbeddedVault) -> Vec<Option<Code>> {
    fn code<T>(result: Result<T>) -> Option<Code> {
        result.err().map(|e| e.code())
    }
    vec![
        code(vault.generation()),
        code(vault.set_generation(1, 2, b"")),
        code(vault.create_epoch(&C)),
        code(vault.put(&A, &record(9))),
        code(vault.sync()),
        code(vault.get(&A, &record(1).custody_id, Some(0))),
        code(vault.records(&A)),
        code(vault.rotate(2, b"", &[])),
        code(vault.destroy(1, clearance())),
    ]
}

#[test]
fn a_failed_sync_poisons_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    first_generation(folder.path());
    let (vault, plan) = faulty(folder.path(), Plan::new(Fail::Named("sync_data")));
    assert_eq!(vault.sync().map_err(|e| e.code()), Ok(()), "nothing waits for a sync");
    assert_eq!(vault.put(&A, &record(9)).map_err(|e| e.code()), Ok(3));
    assert_eq!(vault.sync().map_err(|e| e.code()), Err(Code::Broken));
    assert_eq!(plan.failed.load(Ordering::SeqCst), 1);
    assert_eq!(codes(&vault), vec![Some(Code::Broken); 9]);
    assert_eq!(plan.failed.load(Ordering::SeqCst), 1, "a failed sync is never tried again");
}

#[test]
fn a_failed_put_poisons_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    first_generation(folder.path());
    let (vault, plan) = faulty(folder.path(), Plan::new(Fail::Named("write_at")));
    assert_eq!(vault.put(&A, &record(9)).map_err(|e| e.code()), Err(Code::Broken));
    assert_eq!(plan.failed.load(Ordering::SeqCst), 1);
    assert_eq!(codes(&vault), vec![Some(Code::Broken); 9]);
}

#[test]
fn a_name_whose_sync_failed_poisons() {
    let folder = tempfile::tempdir().unwrap();
    first_generation(folder.path());
    for act in [|v: &EmbeddedVault| v.create_epoch(&C), |v: &EmbeddedVault| v.set_generation(1, 2, b"x")] {
        let (vault, plan) = faulty(folder.path(), Plan::new(Fail::Named("sync_dir")));
        assert_eq!(act(&vault).map_err(|e| e.code()), Err(Code::Broken));
        assert!(plan.failed.load(Ordering::SeqCst) > 0);
        assert_eq!(vault.generation().map_err(|e| e.code()), Err(Code::Broken));
    }
}

#[test]
fn a_full_disk_changes_nothing() {
    for name in ["create_new", "write_at", "sync_data"] {
        for kind in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::PermissionDenied] {
            let folder = tempfile::tempdir().unwrap();
            first_generation(folder.path());
            let before = names(folder.path()).len();
            let wanted = if kind == ErrorKind::PermissionDenied { Code::Io } else { Code::StoreFull };
            let (vault, plan) = faulty(folder.path(), Plan { kind, ..Plan::new(Fail::Named(name)) });
            assert_eq!(vault.create_epoch(&C).map_err(|e| e.code()), Err(wanted), "{name} {kind}");
            assert_eq!(vault.set_generation(1, 2, b"x").map_err(|e| e.code()), Err(wanted), "{name} {kind}");
            assert_eq!(rotate(&vault).map_err(|e| e.code()), Err(wanted), "{name} {kind}");
            assert!(plan.failed.load(Ordering::SeqCst) >= 3);
            assert_eq!(vault.generation().unwrap(), Some((1, 1, b"one".to_vec())));
            assert_eq!(vault.get(&A, &record(2).custody_id, None).unwrap(), record(2));

            let again = real(folder.path());
            again.set_generation(1, 2, b"x").unwrap();
            again.create_epoch(&C).unwrap();
            assert_eq!(names(folder.path()).len(), before + 1, "no temporary file is left: {:?}", names(folder.path()));
        }
    }
}

#[test]
fn a_generation_is_replaced_whole_or_not_at_all() {
    let mut steps = 0;
    for at in 0.. {
        for with_effect in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            first_generation(folder.path());
            let (vault, plan) = faulty(folder.path(), Plan { with_effect, ..Plan::new(Fail::From(at)) });
            let answer = vault.set_generation(1, 2, b"two").map_err(|e| e.code());
            let found = real(folder.path()).generation().unwrap().unwrap();
            if plan.failed.load(Ordering::SeqCst) == 0 {
                assert_eq!((answer, found), (Ok(()), (1, 2, b"two".to_vec())));
                assert!(steps > 8, "only {steps} steps failed");
                return;
            }
            steps += 1;
            match answer {
                Err(Code::Io) => assert_eq!(found, (1, 1, b"one".to_vec())),
                Err(Code::Broken) => {
                    assert!([(1, 1, b"one".to_vec()), (1, 2, b"two".to_vec())].contains(&found));
                    assert_eq!(vault.generation().map_err(|e| e.code()), Err(Code::Broken));
                }
                other => panic!("step {at}: {other:?}"),
            }
            let (_, revision, _) = found;
            real(folder.path()).set_generation(1, revision + 1, b"next").unwrap();
        }
    }
}

#[test]
fn a_generation_has_a_longest_length() {
    let folder = tempfile::tempdir().unwrap();
    let long = vec![0; super::super::generation::GENERATION_BYTES_MAX as usize];
    let refused = real(folder.path()).set_generation(1, 1, &long);
    assert_eq!(refused.map_err(|e| e.code()), Err(Code::Limit));
    assert_eq!(real(folder.path()).generation().unwrap(), None);
}

#[test]
fn a_path_that_is_no_folder_is_an_error_of_the_system() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("vault"), b"a file").unwrap();
    let vault = real(folder.path());
    assert_eq!(vault.generation().map_err(|e| e.code()), Err(Code::Io));
    assert_eq!(vault.create_epoch(&A).map_err(|e| e.code()), Err(Code::Io));
    assert_eq!(vault.records(&A).map_err(|e| e.code()), Err(Code::Io));
}

#[test]
fn opening_and_reading_leave_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let vault = real(folder.path());
    assert_eq!(vault.generation().unwrap(), None);
    assert_eq!(vault.records(&A).map_err(|e| e.code()), Err(Code::NotFound));
    assert!(!folder.path().join("vault").exists());
}

#[test]
fn more_epochs_than_handles() {
    let folder = tempfile::tempdir().unwrap();
    let (vault, plan) = faulty(folder.path(), Plan::new(Fail::Never));
    let epochs: Vec<[u8; 16]> = (0..150u8).map(|n| [n; 16]).collect();
    for (n, epoch) in (0..).zip(&epochs) {
        vault.create_epoch(epoch).unwrap();
        vault.put(epoch, &record(n)).unwrap();
    }
    let before = plan.count.load(Ordering::SeqCst);
    vault.sync().unwrap();
    assert_eq!(plan.count.load(Ordering::SeqCst) - before, 150, "one sync for each file that was written");
    for (n, epoch) in (0..).zip(&epochs) {
        assert_eq!(vault.get(epoch, &record(n).custody_id, Some(0)).unwrap(), record(n));
    }
    let before = plan.count.load(Ordering::SeqCst);
    vault.sync().unwrap();
    assert_eq!(plan.count.load(Ordering::SeqCst), before, "nothing waits any more");
}

#[test]
fn every_key_given_out_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    first_generation(folder.path());
    let vault = real(folder.path());
    vault.get(&A, &record(1).custody_id, Some(0)).unwrap();
    vault.get(&A, &record(2).custody_id, None).unwrap();
    assert!(vault.get(&A, &record(9).custody_id, Some(0)).is_err());
    assert_eq!((vault.unwraps(), vault.records_read()), (2, 0));
    vault.records(&A).unwrap();
    assert_eq!((vault.unwraps(), vault.records_read()), (2, 3));
}
