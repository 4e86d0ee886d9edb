//! Crashes at every step of a rotation and of a destruction, and what must not be destroyed.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use super::*;
use crate::error::Code;
use crate::store::embedded::faulty::Fail;

/// The old generation is there to the last byte.
fn old_is_whole(folder: &Path) {
    let vault = real(folder);
    assert_eq!(vault.records(&A).unwrap(), records(&[1, 2, 3]));
    assert_eq!(vault.records(&B).unwrap(), records(&[4, 5]));
}

fn new_is_whole(folder: &Path) {
    let vault = real(folder);
    assert_eq!(vault.generation().unwrap(), Some((2, 1, b"two".to_vec())));
    assert_eq!(vault.records(&B).unwrap(), records(&[4, 5]));
    assert_eq!(vault.records(&C).unwrap(), records(&[1, 3]));
}

#[test]
fn a_crash_in_a_rotation_leaves_the_old_or_the_new_and_the_old_whole() {
    let (mut steps, mut seen) = (0, [false; 2]);
    for at in 0.. {
        for with_effect in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            first_generation(folder.path());
            let (vault, plan) = faulty(folder.path(), Plan { with_effect, ..Plan::new(Fail::From(at)) });
            let answer = rotate(&vault);
            if plan.failed.load(Ordering::SeqCst) == 0 {
                answer.unwrap();
                assert!(steps > 20 && seen == [true; 2], "{steps} steps, {seen:?}");
                return;
            }
            steps += 1;
            assert!(answer.is_err());
            old_is_whole(folder.path());
            let again = real(folder.path());
            match again.generation().unwrap().unwrap() {
                (1, 1, bytes) => {
                    assert_eq!(bytes, b"one");
                    seen[0] = true;
                    assert_eq!(again.destroy(1, clearance()).map_err(|e| e.code()), Err(Code::Conflict));
                    rotate(&again).unwrap();
                }
                (2, 1, _) => seen[1] = true,
                other => panic!("step {at}: {other:?}"),
            }
            old_is_whole(folder.path());
            new_is_whole(folder.path());
            real(folder.path()).destroy(1, clearance()).unwrap();
            only_the_new_is_left(folder.path());
        }
    }
}

fn only_the_new_is_left(folder: &Path) {
    new_is_whole(folder);
    let mut left = names(folder);
    left.sort();
    let mut wanted = [hex::encode(B), hex::encode(C), "generation".to_owned()];
    wanted.sort();
    assert_eq!(left, wanted);
}

/// What ends with generation 1.
fn ending(folder: &Path) -> [PathBuf; 2] {
    ["generation.1".to_owned(), hex::encode(A)].map(|name| folder.join("vault").join(name))
}

#[test]
fn a_crash_in_a_destruction_is_gone_on_with() {
    let mut steps = 0;
    for at in 0.. {
        for with_effect in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            first_generation(folder.path());
            rotate(&real(folder.path())).unwrap();
            let (vault, plan) = faulty(folder.path(), Plan { with_effect, ..Plan::new(Fail::From(at)) });
            let answer = vault.destroy(1, clearance());
            if plan.failed.load(Ordering::SeqCst) == 0 {
                let receipt = answer.unwrap();
                assert!(receipt.contains("1 epochs") && receipt.contains(&"02".repeat(32)), "{receipt}");
                assert!(steps > 12, "only {steps} steps failed");
                only_the_new_is_left(folder.path());
                return;
            }
            steps += 1;
            assert!(answer.is_err());
            new_is_whole(folder.path());
            real(folder.path()).destroy(1, clearance()).unwrap();
            only_the_new_is_left(folder.path());
        }
    }
}

#[test]
fn a_file_is_overwritten_before_it_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    first_generation(folder.path());
    rotate(&real(folder.path())).unwrap();
    let kept = ending(folder.path()).map(|path| {
        // A second name shows what became of the blocks.
        let other = folder.path().join(path.file_name().unwrap());
        fs::hard_link(&path, &other).unwrap();
        (other, fs::read(path).unwrap().len())
    });
    real(folder.path()).destroy(1, clearance()).unwrap();
    for (path, bytes) in kept {
        assert_eq!(fs::read(path).unwrap(), vec![0; bytes]);
    }
}

#[test]
fn temporary_files_do_not_outlive_a_destruction() {
    let folder = tempfile::tempdir().unwrap();
    first_generation(folder.path());
    fs::write(folder.path().join("vault/generation.tmp"), b"wrapped keys of a write that a crash cut").unwrap();
    fs::write(folder.path().join(format!("vault/{}.tmp", hex::encode([9; 16]))), b"and of another").unwrap();
    rotate(&real(folder.path())).unwrap();
    real(folder.path()).destroy(1, clearance()).unwrap();
    only_the_new_is_left(folder.path());
}

#[test]
fn an_epoch_that_nobody_names_ends_with_the_generation_it_was_made_in() {
    let folder = tempfile::tempdir().unwrap();
    first_generation(folder.path());
    // As a rotation leaves it that crashed before the generation was replaced.
    real(folder.path()).create_epoch(&[0xee; 16]).unwrap();
    rotate(&real(folder.path())).unwrap();
    // Made under the new generation, so it does not end with the old one.
    real(folder.path()).create_epoch(&[0x2e; 16]).unwrap();
    real(folder.path()).destroy(1, clearance()).unwrap();
    let left = names(folder.path());
    assert!(!left.contains(&hex::encode([0xee; 16])) && left.contains(&hex::encode([0x2e; 16])), "{left:?}");
}

#[test]
fn nothing_is_destroyed_on_a_list_that_is_in_doubt() {
    type Spoil = fn(&Path);
    let cases: [(Spoil, Code); 5] = [
        (|list| fs::remove_file(list).unwrap(), Code::VaultDamaged),
        (|list| fs::write(list, b"").unwrap(), Code::VaultDamaged),
        (|list| spoil(list, |text| text.replace("a1a1", "c3c3")), Code::VaultDamaged),
        (|list| spoil(list, |text| text.replace(" 1 1\n", " 2 1\n")), Code::VaultDamaged),
        (|list| spoil(list, |text| format!("{text}\n")), Code::VaultDamaged),
    ];
    for (n, (spoil, code)) in cases.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        first_generation(folder.path());
        rotate(&real(folder.path())).unwrap();
        spoil(&folder.path().join("vault/generation.1.epochs"));
        let refused = real(folder.path()).destroy(1, clearance());
        assert_eq!(refused.map_err(|e| e.code()), Err(code), "case {n}");
        old_is_whole(folder.path());
        new_is_whole(folder.path());
        assert_eq!(real(folder.path()).rotate(3, b"", &[]).map_err(|e| e.code()), Err(code), "case {n}");
    }
}

fn spoil(path: &Path, change: fn(String) -> String) {
    let before = fs::read_to_string(path).unwrap();
    let after = change(before.clone());
    assert_ne!(before, after);
    fs::write(path, after).unwrap();
}

#[test]
fn an_epoch_that_the_present_generation_names_is_not_destroyed() {
    let folder = tempfile::tempdir().unwrap();
    first_generation(folder.path());
    let vault = real(folder.path());
    let naming_a = [b"two ".as_slice(), &A].concat();
    vault.rotate(2, &naming_a, &[(B, records(&[4, 5]))]).unwrap();
    assert_eq!(vault.destroy(1, clearance()).map_err(|e| e.code()), Err(Code::Conflict));
    old_is_whole(folder.path());
}

#[test]
fn a_lost_generation_file_is_not_taken_for_a_new_vault() {
    let folder = tempfile::tempdir().unwrap();
    first_generation(folder.path());
    rotate(&real(folder.path())).unwrap();
    fs::remove_file(folder.path().join("vault/generation")).unwrap();
    let vault = real(folder.path());
    assert_eq!(vault.generation().map_err(|e| e.code()), Err(Code::VaultDamaged));
    assert_eq!(vault.set_generation(1, 1, b"").map_err(|e| e.code()), Err(Code::VaultDamaged));
    assert_eq!(vault.destroy(1, clearance()).map_err(|e| e.code()), Err(Code::VaultDamaged));
}
