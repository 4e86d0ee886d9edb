//! Repairs that could bury something: entries that only sled still has, a journal that somebody else went on with,
//! rows that were built anew without anybody acting, a policy that permits no repair.

use std::fs;
use std::path::Path;

use immutape::Code;
use immutape::codec::extent::{GROUP_MAGIC, GroupHeader};
use immutape::ledger::{Ledger, Places, Repair, RepairDone};
use immutape::log::EntryKind;

use crate::support::crash::{Line, Machine, Place, in_runtime};
use crate::support::ledgers::{ann, create, open, real, save_tape};
use crate::support::tamper::forge::{self, Forge};

/// A process that is killed after acts whose entries stand after the signed head; the log as it was then.
fn killed_after_its_head(place: &Place) -> Vec<Line> {
    in_runtime(async {
        let ledger = Ledger::open(place.disk.places(), place.disk.env()).await.unwrap();
        let work = place.diary.with(&ledger);
        for _ in 0..3 {
            work.list().await.unwrap();
        }
        ledger.settle().await.unwrap();
    });
    place.log()
}

/// Makes zeros of the last groups of the journal; how many entries they held.
fn zero_last_groups(journal: &Path, groups: usize) -> u64 {
    let mut names: Vec<_> = fs::read_dir(journal).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    let path = names.iter().rfind(|path| fs::read(path).unwrap()[512..].starts_with(&GROUP_MAGIC)).unwrap();
    let mut bytes = fs::read(path).unwrap();
    let mut starts = Vec::new();
    let mut at = 512;
    while at < bytes.len() && bytes[at..].starts_with(&GROUP_MAGIC) {
        let header = GroupHeader::parse(&bytes[at..]).unwrap();
        starts.push((at, header.count));
        at += usize::try_from(header.extent_bytes()).unwrap();
    }
    let lost = &starts[starts.len() - groups..];
    bytes[lost[0].0..].fill(0);
    fs::write(path, bytes).unwrap();
    lost.iter().map(|(_, count)| u64::from(*count)).sum()
}

fn state_file(place: &Place, name: &str) -> std::path::PathBuf {
    let state = fs::read_dir(place.path("s")).unwrap().next().unwrap().unwrap().path();
    state.join(name)
}

#[test]
fn entries_that_only_sled_still_has_are_brought_back() {
    for groups in [1, 2] {
        let place = Place::new();
        let log = killed_after_its_head(&place);
        assert!(zero_last_groups(&place.path("l/journal"), groups) > 0);
        assert!(place.log().len() < log.len());
        let refusal = place.refusal();
        assert_eq!(refusal.code(), Code::LogDamaged, "{refusal}");
        let done = place.repair(Repair::Log).unwrap();
        assert!(matches!(done, RepairDone::Journal { entries, .. } if entries == log.len() as u64), "{done:?}");
        assert!(place.log().starts_with(&log), "{groups} groups");
        place.audit(&format!("{groups} groups after the head lost by the journal"));
    }
}

#[test]
fn a_new_head_is_signed_over_what_either_copy_has() {
    let place = Place::new();
    let log = killed_after_its_head(&place);
    zero_last_groups(&place.path("l/journal"), 2);
    fs::remove_file(state_file(&place, "head")).unwrap();
    place.diary.begin(&[EntryKind::INTEGRITY_REPAIRED]);
    assert_eq!(place.repair(Repair::AcceptHead).unwrap(), RepairDone::Head { size: log.len() as u64 });
    let now = place.log();
    assert!(now.starts_with(&log));
    for kind in [EntryKind::INTEGRITY_REPAIRED, EntryKind::HEAD_FILE_REBUILT] {
        assert!(now[log.len()..].iter().any(|line| line.kind == kind), "{kind} is told");
    }
    place.audit("head lost, and the journal's end");
}

#[tokio::test]
async fn no_head_is_signed_over_a_group_of_somebody_else() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    save_tape(&ledger, "sqlite-crash").await.unwrap();
    ledger.close().await.unwrap();
    let segment = folder.path().join("ledger/journal/00000001.seg");
    let genuine = fs::read(&segment).unwrap();
    let mut forged = Forge::read(folder.path());
    let last = forged.records.len() - 1;
    forged.insert(last, forged.records[last].clone());
    forged.relink();
    forged.write(folder.path(), None);
    let head = folder.path().join("state/head");
    let signed = fs::read(&head).unwrap();
    fs::remove_file(&head).unwrap();
    let places = || Places::beneath(folder.path());
    let refused = Ledger::repair(places(), real(), Repair::AcceptHead, &ann()).await;
    assert_eq!(refused.map_err(|e| e.code()), Err(Code::LogDamaged));
    assert!(!head.exists(), "nothing was signed");
    // The genuine journal goes on as if nothing had been.
    fs::write(&segment, genuine).unwrap();
    fs::write(&head, signed).unwrap();
    open(folder.path()).await.unwrap().close().await.unwrap();
}

#[tokio::test]
async fn rows_built_anew_are_told_though_nobody_acts() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path()).await.close().await.unwrap();
    let ledger = open(folder.path()).await.unwrap();
    ledger.list(&ann()).await.unwrap();
    ledger.close().await.unwrap();
    fs::remove_dir_all(folder.path().join("ledger/index")).unwrap();
    open(folder.path()).await.unwrap().close().await.unwrap();
    let kinds: Vec<EntryKind> = Forge::read(folder.path()).records.iter().map(kind_of).collect();
    assert!(kinds.contains(&EntryKind::ROWS_REBUILT), "{kinds:?}");
    assert_eq!(kinds.last(), Some(&EntryKind::LOG_STOPPED));
}

fn kind_of(record: &forge::Record) -> EntryKind {
    immutape::log::Entry::decode(&record.public).unwrap().kind
}

#[tokio::test]
async fn who_may_not_repair_changes_nothing_and_is_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    ledger.list(&ann()).await.unwrap();
    ledger.close().await.unwrap();
    forge::policy_of_a_later_version(folder.path());
    for what in [Repair::Log, Repair::AcceptHead] {
        let refused = Ledger::repair(Places::beneath(folder.path()), real(), what, &ann()).await;
        assert_eq!(refused.map_err(|e| e.code()), Err(Code::NotPermitted), "{what:?}");
    }
    let refusals = Forge::read(folder.path()).records.iter().filter(|r| kind_of(r) == EntryKind::REFUSED).count();
    assert_eq!(refusals, 2);
}

#[tokio::test]
async fn a_repair_waits_for_its_turn_and_looks_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    ledger.list(&ann()).await.unwrap();
    let head = folder.path().join("state/head");
    fs::remove_file(&head).unwrap();
    let held = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        // It writes the head that was missing.
        ledger.close().await.unwrap();
    });
    let done = Ledger::repair(Places::beneath(folder.path()), real(), Repair::AcceptHead, &ann()).await;
    assert_eq!(done.unwrap(), RepairDone::Nothing);
    assert!(held.is_finished() && head.exists());
}
