//! Two copies of the log, in the journal and in sled: each brings the other back, byte for byte, and a start
//! with neither whole changes nothing.

use std::fs;
use std::path::Path;

use immutape::Code;
use immutape::error::Result;
use immutape::evidence::{Severity, Verdict};
use immutape::ledger::{CheckOptions, Checker, Ledger, Places, Repair, RepairDone};
use immutape::log::{Body, EntryKind};

use crate::support::crash::{
    Disk, Line, Lived, Machine, NOW_MS, Place, When, copy_folder, every_byte, in_runtime, some_folder,
};
use crate::support::ledgers::ann;
use crate::support::tamper::base::{AUTUMN_MS, base, environment};
use crate::support::tamper::folders::replace_tree;
use crate::tamper_forged::wait_until_released;

/// The findings of a check, one line each.
fn findings(place: &Place) -> Vec<String> {
    let report = Checker::open(&place.disk.places(), &place.disk.env()).unwrap().run(&CheckOptions::default());
    let is_altered = report.findings.iter().any(|f| f.severity == Severity::Altered);
    assert_eq!(report.verdict() == Verdict::Altered, is_altered);
    report.findings.iter().map(|f| format!("{:?} {} {}: {}", f.severity, f.part, f.place, f.what)).collect()
}

/// Segment files without the zeros at their end.
fn segments(ledger: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = fs::read_dir(ledger.join("journal"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let mut bytes = fs::read(entry.path()).unwrap();
            bytes.truncate(bytes.iter().rposition(|b| *b != 0).map_or(0, |n| n + 1));
            (entry.file_name().into_string().unwrap(), bytes)
        })
        .filter(|(_, bytes)| !bytes.is_empty())
        .collect();
    found.sort();
    found
}

fn quarantined(place: &Place) -> Vec<String> {
    let entries = fs::read_dir(place.path("l/quarantine")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// What a start after `before` says of the rows: the reason.
fn rebuilt(log: &[Line], before: usize) -> Option<u64> {
    log[before..].iter().find_map(|line| match line.body {
        Body::RowsRebuilt { reason, entries } => {
            assert!(entries >= before as u64 && entries < line.index);
            Some(reason)
        }
        _ => None,
    })
}

#[test]
fn a_journal_that_is_gone_comes_back_from_sled_byte_for_byte() {
    let place = Place::new();
    let (log, old) = (place.log(), segments(&place.path("l")));
    assert_eq!(old.len(), 2);
    fs::remove_dir_all(place.path("l/journal")).unwrap();
    let refusal = place.refusal();
    let (code, hint) = (refusal.code(), refusal.hint().unwrap_or_default());
    assert_eq!(code, Code::LogDamaged);
    assert!(hint.contains("repair"), "{hint}");

    let done = place.repair(Repair::Log).unwrap();
    assert!(
        matches!(&done, RepairDone::Journal { from_segment: 1, entries, aside } if *entries == log.len() as u64 && aside.is_empty()),
        "{done:?}"
    );
    for ((name, new), (old_name, old)) in segments(&place.path("l")).iter().zip(&old) {
        assert_eq!(name, old_name);
        let differ: Vec<_> =
            old.iter().zip(new).enumerate().filter(|(_, (a, b))| a != b).map(|(n, _)| n).take(40).collect();
        assert!(new.starts_with(old), "segment {name} is not the one that was lost: bytes {differ:?} differ");
    }
    let now = place.log();
    assert!(now.starts_with(&log) && now.len() > log.len());
    assert!(now.iter().any(|line| line.kind == EntryKind::INTEGRITY_REPAIRED));
    place.audit("journal gone");
}

#[test]
fn rows_that_are_gone_come_back_from_the_journal() {
    let place = Place::new();
    let (log, old) = (place.log(), segments(&place.path("l")));
    fs::remove_dir_all(place.path("l/index")).unwrap();
    let now = place.audit("index gone");
    assert_eq!(rebuilt(&now, log.len()), Some(0));
    assert!(segments(&place.path("l"))[0] == old[0] && segments(&place.path("l"))[1].1.starts_with(&old[1].1));
    assert!(quarantined(&place).is_empty(), "nothing was there to put aside");

    // The copy that was built is as good as the first: the journal comes back from it.
    let (log, old) = (place.log(), segments(&place.path("l")));
    fs::remove_dir_all(place.path("l/journal")).unwrap();
    place.repair(Repair::Log).unwrap();
    assert!(place.log().starts_with(&log));
    assert!(segments(&place.path("l")).iter().zip(&old).all(|(new, old)| new.1.starts_with(&old.1)));
}

#[test]
fn rows_of_another_ledger_are_put_aside() {
    let (place, other) = (Place::new(), some_folder());
    let stranger = Disk::new(other.path(), 99, NOW_MS);
    in_runtime(async {
        let ledger = Ledger::create(stranger.places(), stranger.env(), "other", true).await.unwrap();
        ledger.list(&ann()).await.unwrap();
        ledger.close().await.unwrap();
    });
    let before = place.log().len();
    fs::remove_dir_all(place.path("l/index")).unwrap();
    copy_folder(&other.path().join("l/index"), &place.path("l/index"));
    assert!(findings(&place).iter().any(|f| f.starts_with("Altered rows index: the rows in sled belong to another")));
    let place = place.with_damaged_rows();
    let now = place.audit("rows of another ledger");
    assert_eq!(rebuilt(&now, before), Some(2));
    assert_eq!(quarantined(&place), ["index-1"]);
}

#[test]
fn older_rows_are_brought_up() {
    let place = Place::new();
    let before = place.log().len();
    fs::remove_dir_all(place.path("l/index")).unwrap();
    copy_folder(&Lived::get().path(When::Earlier).join("l/index"), &place.path("l/index"));
    assert!(findings(&place).iter().any(|f| f.contains("the next opening catches up")));
    let now = place.audit("older rows");
    assert_eq!(rebuilt(&now, before), None, "nothing was wrong with them");
}

/// A kill takes the rows of the last moments with it, also those of the groups that the signed head names. The groups
/// before them are a check's to read: here one is damaged, and the ledger opens.
#[test]
fn an_opening_after_a_kill_reads_the_journal_from_where_the_rows_end() {
    let folder = some_folder();
    let (root, rows) = (folder.path().join("l"), folder.path().join("rows"));
    base().copy_to(&root);
    copy_folder(&root.join("ledger/index"), &rows);
    let open = || in_runtime(Ledger::open(Places::beneath(&root), environment(7, AUTUMN_MS)));
    let ledger = open().unwrap();
    let signed =
        || -> u64 { fs::read_to_string(root.join("state/head")).unwrap().lines().nth(1).unwrap().parse().unwrap() };
    let size = in_runtime(async {
        let first = ledger.note_log_read(&ann()).await.unwrap();
        // The clock goes on by a few milliseconds with each: after a second a head is due. The newest segment is read by
        // whoever takes the turn, so the damage goes to the one before.
        while signed() <= first || !fs::read(root.join("ledger/journal/00000002.seg")).is_ok_and(|s| s[0] != 0) {
            ledger.note_log_read(&ann()).await.unwrap();
        }
        ledger.note_log_read(&ann()).await.unwrap()
    });
    drop(ledger);
    wait_until_released(&root);
    replace_tree(&rows, &root.join("ledger/index"));
    let segment = root.join("ledger/journal/00000001.seg");
    flip(&segment, 4_000, 3);

    let ledger = open().unwrap();
    assert!(ledger.size() > size);
    in_runtime(ledger.close()).unwrap();
    let report =
        Checker::open(&Places::beneath(&root), &environment(8, AUTUMN_MS)).unwrap().run(&CheckOptions::default());
    assert_eq!(report.verdict(), Verdict::Altered, "the check does find it");
}

/// Offsets of the groups in a segment file that a person could hit, first to last.
fn group_offsets(place: &Place) -> Vec<(String, u64)> {
    let mut found = Vec::new();
    for (name, bytes) in segments(&place.path("l")) {
        let magic = immutape::codec::extent::GROUP_MAGIC;
        let starts = (0..bytes.len()).step_by(512).filter(|at| bytes[*at..].starts_with(&magic));
        found.extend(starts.map(|at| (name.clone(), at as u64)));
    }
    found
}

fn flip(path: &Path, offset: u64, bit: u32) {
    let mut bytes = fs::read(path).unwrap();
    bytes[usize::try_from(offset).unwrap()] ^= 1 << (bit % 8);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_flipped_segment_is_named_and_mended_from_sled() {
    let groups = group_offsets(&Place::new());
    assert!(groups.len() > 30);
    let (first, last, middle) = (0, groups.len() - 1, groups.len() / 2);
    for (n, within) in [(first, 300), (middle, 700), (last, 40), (last, 300), (last - 1, 208), (first + 1, 3)] {
        let place = Place::new();
        let (log, old) = (place.log(), segments(&place.path("l")));
        let (name, offset) = &groups[n];
        flip(&place.path("l/journal").join(name), offset + within, 3);
        let findings = findings(&place);
        let words = format!("byte {within} of group {n} at {name} {offset}: {findings:#?}");
        let number = name.trim_end_matches(".seg");
        assert!(findings.iter().any(|f| f.starts_with("Altered journal") && f.contains(number)), "{words}");
        if n >= last - 1 {
            // A start looks at the end; damage far from it is for a check to find.
            assert_eq!(place.refusal().code(), Code::LogDamaged, "{words}");
        }
        let done = place.repair(Repair::Log).unwrap_or_else(|e| panic!("{words}: {e}"));
        let RepairDone::Journal { aside, .. } = done else { panic!("{words}: {done:?}") };
        assert!(!aside.is_empty() && aside.iter().all(|path| path.starts_with(place.path("l/quarantine"))), "{words}");
        assert!(place.log().starts_with(&log), "{words}");
        assert!(segments(&place.path("l")).iter().zip(&old).all(|(new, old)| new.1.starts_with(&old.1)), "{words}");
        place.audit(&words);
    }
}

/// After a kill sled is a little behind; together the two copies still have everything.
#[test]
fn older_rows_mend_what_they_have_and_the_journal_keeps_the_rest() {
    let place = Place::new();
    let groups = group_offsets(&place);
    let (log, old) = (place.log(), segments(&place.path("l")));
    fs::remove_dir_all(place.path("l/index")).unwrap();
    copy_folder(&Lived::get().path(When::Earlier).join("l/index"), &place.path("l/index"));
    for n in [1, groups.len() / 3] {
        let (name, offset) = &groups[n];
        flip(&place.path("l/journal").join(name), offset + 300, 5);
    }
    assert!(
        matches!(place.repair(Repair::Log).unwrap(), RepairDone::Journal { entries, .. } if entries == log.len() as u64)
    );
    assert!(place.log().starts_with(&log));
    assert!(segments(&place.path("l")).iter().zip(&old).all(|(new, old)| new.1.starts_with(&old.1)));
    place.audit("older rows, flipped journal");
}

#[test]
fn a_segment_that_is_gone_comes_back() {
    for number in [1, 2] {
        let place = Place::new();
        let log = place.log();
        fs::remove_file(place.path(&format!("l/journal/{number:08}.seg"))).unwrap();
        let refusal = place.refusal();
        let (code, hint) = (refusal.code(), refusal.hint().unwrap_or_default());
        assert!([Code::LogDamaged, Code::LogRollback].contains(&code), "segment {number}: {code:?}");
        assert!(!hint.is_empty());
        assert!(matches!(place.repair(Repair::Log).unwrap(), RepairDone::Journal { .. }));
        assert!(place.log().starts_with(&log));
        place.audit(&format!("segment {number} gone"));
    }
}

#[test]
fn with_both_copies_damaged_nothing_is_changed() {
    let groups = group_offsets(&Place::new());
    let (name, offset) = groups.last().unwrap();
    for damage in ["index gone", "older index", "flipped index", "index of zeros"] {
        let place = Place::new();
        let index = place.path("l/index");
        flip(&place.path("l/journal").join(name), offset + 300, 1);
        match damage {
            "index gone" => fs::remove_dir_all(&index).unwrap(),
            "older index" => {
                fs::remove_dir_all(&index).unwrap();
                copy_folder(&Lived::get().path(When::Earlier).join("l/index"), &index);
            }
            "flipped index" => {
                let mut bytes = fs::read(index.join("db")).unwrap();
                bytes.iter_mut().skip(200).step_by(997).for_each(|b| *b ^= 4);
                fs::write(index.join("db"), bytes).unwrap();
            }
            _ => fs::write(index.join("db"), vec![0; 1 << 20]).unwrap(),
        }
        let before = every_byte(place.folder.path(), "index");
        assert_eq!(place.refusal().code(), Code::LogDamaged, "{damage}");
        assert_eq!(place.repair(Repair::Log).err().map(|e| e.code()), Some(Code::LogDamaged), "{damage}");
        let findings = findings(&place);
        assert!(findings.iter().any(|f| f.starts_with("Altered journal")), "{damage}: {findings:?}");
        let after = every_byte(place.folder.path(), "index");
        let changed: Vec<_> =
            before.iter().filter(|(path, bytes)| after.get(*path) != Some(bytes)).map(|b| b.0).collect();
        assert!(changed.is_empty() && before.len() == after.len(), "{damage}: {changed:?}");
    }
}

/// Flips anywhere in the database: whatever sled makes of them, the log is whole and so are, in the end, the rows.
#[test]
fn flipped_rows_are_built_anew() {
    let size = fs::metadata(Lived::get().path(When::Now).join("l/index/db")).unwrap().len() - 1;
    let (mut seen, mut put_aside) = (std::collections::BTreeMap::<&str, u32>::new(), 0);
    for n in 0..24_u64 {
        let place = Place::new();
        let place = place.with_damaged_rows();
        let before = place.log().len();
        let offset = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % size;
        let offsets = [0, 1, 2].map(|third| (offset + third * size / 3) % size);
        offsets.iter().for_each(|offset| flip(&place.path("l/index/db"), *offset, u32::try_from(n).unwrap()));
        let words = format!("db bytes {offsets:?} of {size}");
        let ended = settle(&place, &words);
        *seen.entry(ended).or_default() += 1;
        let now = place.audit(&words);
        put_aside += u32::from(!quarantined(&place).is_empty());
        assert!(rebuilt(&now, before).is_some() || ended != "rebuilt", "{words}");
    }
    println!("{seen:?}, {put_aside} put aside");
    assert!(put_aside >= 3);
}

/// Uses the ledger until its rows answer everything; how it came there.
fn settle(place: &Place, words: &str) -> &'static str {
    let mut ended = "untouched";
    for _ in 0..3 {
        let tried = in_runtime(async {
            let ledger = Ledger::open(place.disk.places(), place.disk.env()).await?;
            let work = place.diary.with(&ledger);
            let used = async {
                work.read_log().await?;
                work.list().await?;
                for kept in place.diary.kept() {
                    work.read(&kept.tape).await?;
                    work.custody(&kept).await?;
                }
                Ok(())
            };
            let used: Result<()> = used.await;
            ledger.close().await?;
            used
        });
        match tried {
            Ok(()) => return ended,
            Err(e) => assert_eq!(e.code(), Code::RowsUnavailable, "{words}: {e}"),
        }
        ended = "rebuilt";
    }
    panic!("{words}: the rows never came back");
}
