//! What no ordinary ledger meets: a policy and a critical entry of a later version, a generator that gives nothing, a
//! disk that does not give back what was written, a clock that went back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use immutape::Code;
use immutape::codec::digest::CustodyId;
use immutape::codec::random::{Random, RandomUnavailable};
use immutape::evidence::{Severity, Verdict};
use immutape::interchange::ImportOptions;
use immutape::keyring::OsRandom;
use immutape::ledger::{CheckOptions, Checker, FrameSelection, Ledger, Places, SaveOptions};
use immutape::log::{Body, EntryDraft, EntryKind};
use immutape::store::files::Files;

use crate::support::crash::{Content, Diary, Machine, NOW_MS, Watched, World, copy_rows, in_runtime};
use crate::support::ledgers::{ann, create, open, real, save_bytes, save_tape};
use crate::support::sim_files::Survive;
use crate::support::tamper::forge::{self, Forge};

#[tokio::test]
async fn a_policy_of_a_later_version_grants_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let tape = save_tape(&ledger, "sqlite-crash").await.unwrap().tape.to_hex();
    ledger.close().await.unwrap();
    forge::policy_of_a_later_version(folder.path());

    let ledger = open(folder.path()).await.unwrap();
    let size = ledger.size();
    let refused = [
        ledger.list(&ann()).await.map(|_| ()),
        ledger.open_tape(&ann(), &tape, None).await.map(|_| ()),
        ledger.log(&ann(), 0..u64::MAX).await.map(|_| ()),
        ledger.custody(&ann(), &tape).await.map(|_| ()),
        ledger.verify(&ann(), CheckOptions::default()).await.map(|_| ()),
        ledger.begin_save(&ann(), SaveOptions::default()).await.map(|_| ()),
    ];
    let entries = refused.len() as u64;
    for refusal in refused {
        assert_eq!(refusal.map_err(|e| e.code()), Err(Code::NotPermitted));
    }
    assert_eq!(ledger.size(), size + entries, "one entry a refusal");
    ledger.close().await.unwrap();
    let last = Forge::read(folder.path()).records;
    let refusals = last.iter().filter_map(|record| {
        let entry = immutape::log::Entry::decode(&record.public).unwrap();
        (entry.kind == EntryKind::REFUSED).then(|| Body::decode(entry.kind, entry.body).unwrap())
    });
    let codes: Vec<_> = refusals.map(|body| matches!(body, Body::Refused { error: 50, .. })).collect();
    assert_eq!(codes, [true; 6]);
}

#[tokio::test]
async fn a_critical_entry_of_a_later_version_stops_the_opening_but_no_check() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    save_tape(&ledger, "sqlite-crash").await.unwrap();
    ledger.close().await.unwrap();
    let mut index = 0;
    forge::with_all_keys(folder.path(), |forged| {
        index = forged.records.len() - 1;
        let record = forged.records[index].clone();
        forged.insert(index, record);
        forged.rewrite(index, |draft, _| {
            *draft = EntryDraft {
                kind: EntryKind::from_number(40_000),
                subject: CustodyId::LEDGER,
                body: immutape::log::empty_body(),
                ..draft.clone()
            };
        });
    });
    let refused = open(folder.path()).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.code(), Code::CriticalUnknown);
    assert!(refused.to_string().contains("40000"), "{refused}");
    let report = Checker::open(&Places::beneath(folder.path()), &real()).unwrap().run(&CheckOptions::default());
    assert_eq!(report.verdict(), Verdict::CannotTell, "{report:#?}");
    let named = report.findings.iter().any(|f| f.severity == Severity::Gap && f.entry == Some(index as u64));
    assert!(named, "{report:#?}");
}

/// A disposal that only a later version can do: the log says that the key is destroyed, and the objects are gone.
#[tokio::test]
async fn a_tape_that_a_later_version_destroyed_is_not_called_altered() {
    let base = tempfile::tempdir().unwrap();
    for (kind, verdict) in [(86, Verdict::IntactWithGaps), (90, Verdict::IntactWithGaps), (87, Verdict::Missing)] {
        let folder = base.path().join(kind.to_string());
        let pack = folder.join("ledger/packs/00000001.pack");
        let ledger = create(&folder).await;
        save_tape(&ledger, "git-policies").await.unwrap();
        let bytes = std::fs::read(&pack).unwrap();
        let used = bytes.iter().rposition(|b| *b != 0).unwrap() + 1;
        let receipt = save_tape(&ledger, "sqlite-crash").await.unwrap();
        ledger.close().await.unwrap();
        forge::with_all_keys(&folder, |forged| {
            let index = forged.records.len() - 1;
            let record = forged.records[index].clone();
            forged.insert(index, record);
            forged.rewrite(index, |draft, _| {
                let (kind, body) = (EntryKind::from_number(kind), immutape::log::empty_body());
                *draft = EntryDraft { kind, subject: receipt.custody, body, ..draft.clone() };
            });
        });
        std::fs::File::options().write(true).open(&pack).unwrap().set_len(used as u64).unwrap();
        let report = Checker::open(&Places::beneath(&folder), &real()).unwrap().run(&CheckOptions::default());
        assert_eq!(report.verdict(), verdict, "kind {kind}: {report:#?}");
        let of_tape = report.findings.iter().filter(|f| f.tape == Some(receipt.tape));
        let told: Vec<_> = of_tape.map(|f| (f.severity, f.what.contains("was destroyed"))).collect();
        let expected = if kind == 87 { (Severity::Altered, false) } else { (Severity::Note, true) };
        assert!(!told.is_empty() && told.iter().all(|t| *t == expected), "kind {kind}: {report:#?}");
    }
}

#[tokio::test]
async fn the_class_of_the_ledgers_own_entries_is_no_tapes() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let size = ledger.size();
    let of = |class: &str| SaveOptions::default().class(class);
    let refused = ledger.begin_save(&ann(), of("ledger")).await.map(|_| ()).unwrap_err();
    assert_eq!((refused.code(), refused.hint().is_some()), (Code::Usage, true));
    assert_eq!(ledger.size(), size);
    for class in ["ledgers", "Ledger"] {
        ledger.begin_save(&ann(), of(class)).await.unwrap();
    }
}

/// A generator that can be turned off.
#[derive(Default)]
struct Tap(AtomicBool);

impl Random for Tap {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomUnavailable> {
        if self.0.load(Ordering::SeqCst) {
            return Err(RandomUnavailable);
        }
        OsRandom.fill(buffer)
    }
}

#[tokio::test]
async fn without_randomness_nothing_is_made_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let tap = Arc::new(Tap::default());
    let env = real().random(tap.clone());
    tap.0.store(true, Ordering::SeqCst);
    let none = Ledger::create(Places::beneath(folder.path()), env.clone(), "test", false).await;
    assert_eq!(none.map(|_| ()).map_err(|e| e.code()), Err(Code::NoRandom));

    tap.0.store(false, Ordering::SeqCst);
    let ledger = Ledger::create(Places::beneath(folder.path()), env, "test", false).await.unwrap();
    let kept = save_tape(&ledger, "sqlite-crash").await.unwrap();
    let size = ledger.size();
    tap.0.store(true, Ordering::SeqCst);
    let content = br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let save = || save_bytes(&ledger, content, ImportOptions::default(), SaveOptions::default());
    assert_eq!(save().await.map(|_| ()).map_err(|e| e.code()), Err(Code::NoRandom));
    let read = ledger.open_tape(&ann(), &kept.tape.to_hex(), None).await;
    assert_eq!(
        read.map(|_| ()).map_err(|e| e.code()),
        Err(Code::NoRandom),
        "no entry can be sealed, so nothing leaves"
    );
    assert_eq!(ledger.size(), size);

    tap.0.store(false, Ordering::SeqCst);
    assert!(!save().await.unwrap().already_kept);
    ledger.open_tape(&ann(), &kept.tape.to_hex(), None).await.unwrap().collect(FrameSelection::All).unwrap();
    ledger.close().await.unwrap();
}

#[test]
fn what_does_not_read_back_is_not_saved() {
    let world = World::new(3);
    let watched = Watched::over(&world.sim);
    let files: Arc<dyn Files> = Arc::new(watched.clone());
    in_runtime(async {
        let ledger = Ledger::create(world.places(), world.env_with(files), "test", true).await.unwrap();
        let diary = Diary::default();
        let work = diary.with(&ledger);
        work.save(&Content::small("before", "draft", 2, 40)).await.unwrap();
        let size = ledger.size();
        watched.lie(true);
        let content = Content::small("through a bad cable", "draft", 2, 40);
        let refused = work.save(&content).await.map(|_| ());
        assert_eq!(refused.map_err(|e| e.code()), Err(Code::ReadbackMismatch));
        assert_eq!(ledger.size(), size, "nothing is in the log");
        watched.lie(false);
        assert!(!work.save(&content).await.unwrap().already_kept);
        ledger.close().await.unwrap();
    });
}

/// Reopens a machine whose clock went back by so much; what the log says of it.
fn after_the_clock_went_back(behind_ms: u64) -> (Vec<u64>, Vec<u64>) {
    let world = World::new(4);
    let diary = Diary::default();
    in_runtime(async {
        let ledger = Ledger::create(world.places(), world.env(), "test", true).await.unwrap();
        diary.with(&ledger).save(&Content::small("before", "draft", 2, 40)).await.unwrap();
        ledger.close().await.unwrap();
    });
    let earlier = World::on(world.sim.crash_image(Survive::Everything), copy_rows(&*world.rows), 5, NOW_MS - behind_ms);
    in_runtime(async {
        let ledger = Ledger::open(earlier.places(), earlier.env()).await.unwrap();
        let work = diary.with(&ledger);
        work.save(&Content::small("after", "draft", 2, 40)).await.unwrap();
        let (log, _) = ledger.log(&ann(), 0..u64::MAX).await.unwrap();
        let told = log.iter().filter_map(|line| match &line.body {
            Body::ClockAnomaly { behind_ms } => Some(*behind_ms),
            _ => None,
        });
        let told = told.collect();
        let times = log.iter().map(|line| line.time.as_ms()).collect();
        assert_eq!(work.verify().await.unwrap().verdict(), Verdict::Intact);
        ledger.close().await.unwrap();
        (told, times)
    })
}

#[test]
fn a_clock_behind_the_last_entry_is_told_and_time_stands_still() {
    let (told, times) = after_the_clock_went_back(3_600_000);
    assert_eq!(told, [3_600_000]);
    assert!(times.is_sorted() && times.iter().all(|ms| *ms == NOW_MS), "{times:?}");
    let (told, _) = after_the_clock_went_back(2_000);
    assert!(told.is_empty(), "no more than clocks are set by in the ordinary course");
}
