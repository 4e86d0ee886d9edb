//! The end of a log brought back from a copy of its folder: only one that reaches the signed head, of this ledger, and whole.

use std::path::{Path, PathBuf};

use immutape::Code;
use immutape::evidence::{Report, Verdict};
use immutape::ledger::{CheckOptions, Checker, Ledger, Places, RepairDone};
use immutape::log::{Body, EntryKind};

use crate::support::crash::{copy_folder, every_byte};
use crate::support::ledgers::{ann, create, open, real, save_tape};

fn check(folder: &Path) -> Report {
    Checker::open(&Places::beneath(folder), &real()).unwrap().run(&CheckOptions::default())
}

async fn repair_from(home: &Path, copy: &Path, held: Option<String>) -> immutape::Result<RepairDone> {
    Ledger::repair_from(Places::beneath(home), real(), copy, held, &ann()).await
}

/// A ledger of two tapes, its folder as it was after the first, and a backup of after the second.
async fn lost_its_end(root: &Path) -> (PathBuf, PathBuf, PathBuf) {
    let (home, older, newer) = (root.join("home"), root.join("older"), root.join("newer"));
    let ledger = create(&home).await;
    save_tape(&ledger, "sqlite-claims").await.unwrap();
    ledger.close().await.unwrap();
    copy_folder(&home.join("ledger"), &older);
    let ledger = open(&home).await.unwrap();
    save_tape(&ledger, "git-policies").await.unwrap();
    ledger.close().await.unwrap();
    copy_folder(&home.join("ledger"), &newer);
    (home, older, newer)
}

fn put(home: &Path, ledger: &Path) {
    std::fs::remove_dir_all(home.join("ledger")).unwrap();
    copy_folder(ledger, &home.join("ledger"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_and_objects_come_back_from_a_backup() {
    let folder = tempfile::tempdir().unwrap();
    let (home, older, newer) = lost_its_end(folder.path()).await;
    let head = std::fs::read_to_string(home.join("state/head")).unwrap();
    let note = head.split_once("\nimmutape/head/1").unwrap().0.to_owned() + "\n";
    put(&home, &older);
    assert_eq!(open(&home).await.err().unwrap().code(), Code::LogRollback);
    let before = every_byte(&newer, "index");
    let done = repair_from(&home, &newer, Some(note)).await.unwrap();
    let RepairDone::Journal { entries, .. } = done else { panic!("{done:?}") };
    assert_eq!(every_byte(&newer, "index"), before, "the backup is only read");
    let report = check(&home);
    assert_eq!(report.verdict(), Verdict::Intact, "{:?}", report.findings);
    let ledger = open(&home).await.unwrap();
    let (lines, _) = ledger.log(&ann(), 0..ledger.size()).await.unwrap();
    let told = lines.iter().find(|line| line.kind == EntryKind::INTEGRITY_REPAIRED).unwrap();
    assert!(matches!(told.body, Body::IntegrityRepaired { what: 0, from: 4, entries: n, .. } if n == entries));
    ledger.close().await.unwrap();
    // Once more there is nothing to do.
    assert_eq!(repair_from(&home, &newer, None).await.unwrap(), RepairDone::Nothing);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_does_not_reach_the_head_or_is_anothers_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (home, older, newer) = lost_its_end(folder.path()).await;
    put(&home, &older);
    let before = every_byte(&home, "index");
    let same = |home: &Path| assert_eq!(every_byte(home, "index"), before);
    let older_still = repair_from(&home, &older, None).await.unwrap_err();
    assert_eq!(older_still.code(), Code::LogRollback, "{older_still}");
    same(&home);
    assert_eq!(repair_from(&home, &folder.path().join("nowhere"), None).await.unwrap_err().code(), Code::Usage);
    let other = folder.path().join("other");
    create(&other).await.close().await.unwrap();
    assert_eq!(repair_from(&home, &other.join("ledger"), None).await.unwrap_err().code(), Code::Usage);
    same(&home);
    // One byte of the backup flipped, in an entry beyond ours.
    let segment = newer.join("journal/00000001.seg");
    let whole = std::fs::read(&segment).unwrap();
    let kept = std::fs::read(older.join("journal/00000001.seg")).unwrap();
    let at = whole.iter().zip(&kept).position(|(a, b)| a != b).unwrap() + 300;
    let mut flipped = whole.clone();
    flipped[at] ^= 1;
    std::fs::write(&segment, &flipped).unwrap();
    let damaged = repair_from(&home, &newer, None).await.unwrap_err();
    assert_eq!(damaged.code(), Code::LogDamaged, "{damaged}");
    same(&home);
    std::fs::write(&segment, &whole).unwrap();
    // A head that nobody has signed, and one that goes beyond the copy.
    assert_eq!(repair_from(&home, &newer, Some("x\n1\n\n".into())).await.unwrap_err().code(), Code::ProofInvalid);
    same(&home);
    assert!(matches!(repair_from(&home, &newer, None).await.unwrap(), RepairDone::Journal { .. }));
    assert_eq!(check(&home).verdict(), Verdict::Intact);
}
