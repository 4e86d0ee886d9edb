//! What is on record without a frame having left: headers that were read, and damage that a check found.

use std::sync::Arc;

use immutape::Code;
use immutape::evidence::Verdict;
use immutape::interchange::ImportOptions;
use immutape::ledger::{CheckOptions, Event, Ledger, Places, SaveOptions};
use immutape::log::{Body, EntryKind};

use crate::support::ledgers::{Heard, ann, create, real, save_bytes, save_tape, tape_path};

#[tokio::test]
async fn a_header_is_read_on_record_and_without_a_frame() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let receipt = save_tape(&ledger, "filesystem-payments").await.unwrap();
    let metadata = ledger.metadata(&ann(), &receipt.tape.to_hex()[..8]).await.unwrap();
    assert_eq!((metadata.tape, metadata.custody), (receipt.tape, receipt.custody));
    assert_eq!(metadata.header.stats.frames, receipt.frames);
    assert_eq!(metadata.header.labels.name.as_deref(), Some(&b"filesystem-payments"[..]));
    let (report, _) = ledger.custody(&ann(), &receipt.tape.to_hex()).await.unwrap();
    let kinds: Vec<_> = report.events.iter().filter(|e| !e.about_ledger).map(|e| (e.index, e.kind)).collect();
    assert_eq!(kinds, [(receipt.entry, EntryKind::TAPE_SAVED), (metadata.entry, EntryKind::METADATA_READ)]);
    assert_eq!(ledger.metadata(&ann(), "ffff").await.unwrap_err().code(), Code::NotFound);
    ledger.close().await.unwrap();
}

/// The entries of a check that finds damage: the check's own, then one for each thing, about the tape that is hit.
#[tokio::test]
async fn damage_that_a_check_finds_has_an_entry_about_the_tape() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let whole = save_tape(&ledger, "git-policies").await.unwrap();
    let hit = save_tape(&ledger, "sqlite-claims").await.unwrap();
    let pack = folder.path().join("ledger/packs/00000001.pack");
    let mut bytes = std::fs::read(&pack).unwrap();
    let at = 512 + usize::try_from(whole.stored_bytes).unwrap() + 3_000;
    bytes[at] ^= 4;
    std::fs::write(&pack, bytes).unwrap();

    let (report, recorded) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Altered);
    let check = recorded.unwrap();
    let (log, _) = ledger.log(&ann(), check..u64::MAX).await.unwrap();
    assert_eq!(log[0].kind, EntryKind::VERIFIED);
    let failed: Vec<_> = log.iter().filter(|l| l.kind == EntryKind::INTEGRITY_FAILED).collect();
    assert_eq!(failed.len(), 1, "one tape is hit, at one part");
    assert_eq!(failed[0].body, Body::IntegrityFailed { what: 1, at: hit.entry, digest: None });
    let (of_hit, _) = ledger.custody(&ann(), &hit.tape.to_hex()).await.unwrap();
    assert!(of_hit.events.iter().any(|e| e.index == failed[0].index && !e.about_ledger));
    let (of_whole, _) = ledger.custody(&ann(), &whole.tape.to_hex()).await.unwrap();
    assert!(of_whole.events.iter().all(|e| e.kind != EntryKind::INTEGRITY_FAILED));

    // A ledger that is whole again is checked without such an entry.
    let mut bytes = std::fs::read(&pack).unwrap();
    bytes[at] ^= 4;
    std::fs::write(&pack, bytes).unwrap();
    let (report, recorded) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
    let (log, _) = ledger.log(&ann(), recorded.unwrap()..u64::MAX).await.unwrap();
    assert!(log.iter().all(|l| l.kind != EntryKind::INTEGRITY_FAILED));
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_namespace_is_carried_and_keeps_equal_contents_apart() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let bytes = std::fs::read(tape_path("sqlite-crash")).unwrap();
    let save = async |namespace: &str| {
        let options = SaveOptions::default().namespace(namespace);
        save_bytes(&ledger, &bytes, ImportOptions::default(), options).await.unwrap()
    };
    let (trading, care, again) = (save("trading").await, save("care").await, save("trading").await);
    assert!(!trading.already_kept && !care.already_kept && again.already_kept);
    assert_ne!(trading.tape, care.tape);
    assert_eq!(again.tape, trading.tape);
    for (receipt, namespace) in [(&trading, "trading"), (&care, "care")] {
        let metadata = ledger.metadata(&ann(), &receipt.tape.to_hex()).await.unwrap();
        assert_eq!(metadata.header.namespace, namespace);
        let (log, _) = ledger.log(&ann(), receipt.entry..receipt.entry + 1).await.unwrap();
        assert_eq!(log[0].private.as_ref().unwrap().namespace.as_deref(), Some(namespace));
    }
    let (listing, _) = ledger.list(&ann()).await.unwrap();
    let spaces: Vec<_> = listing.iter().map(|l| l.summary.as_ref().unwrap().namespace.clone()).collect();
    assert_eq!(spaces, ["trading", "care"]);
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn an_observer_hears_each_thing_once() {
    let folder = tempfile::tempdir().unwrap();
    let heard = Arc::new(Heard::default());
    let env = real().observer(heard.clone());
    let ledger = Ledger::create(Places::beneath(folder.path()), env, "test", false).await.unwrap();
    let receipt = save_tape(&ledger, "sqlite-crash").await.unwrap();
    let id = receipt.tape.to_hex();
    save_tape(&ledger, "sqlite-crash").await.unwrap();
    ledger.open_tape(&ann(), &id, None).await.unwrap().finish().await.unwrap();
    ledger.metadata(&ann(), &id).await.unwrap();
    ledger.delete(&ann(), &id).await.unwrap_err();
    ledger.settle().await.unwrap();
    let size = ledger.size();
    ledger.close().await.unwrap();
    let heard = heard.0.lock().unwrap().clone();
    let times = |wanted: &dyn Fn(&Event) -> bool| heard.iter().filter(|e| wanted(e)).count();
    assert_eq!(times(&|e| *e == Event::Saved { stored_bytes: receipt.stored_bytes }), 1);
    assert_eq!(times(&|e| *e == Event::SavedAgain), 1);
    assert_eq!(times(&|e| *e == Event::Granted), 2);
    assert_eq!(times(&|e| *e == Event::Refused), 1);
    assert_eq!(times(&|e| matches!(e, Event::RowsFailed | Event::Broken)), 0);
    let sum = |of: &dyn Fn(&Event) -> Option<u64>| heard.iter().filter_map(of).sum::<u64>();
    // Entry 0 was made before anybody listened; the close adds one entry.
    let committed = sum(&|e| if let Event::Committed { entries, .. } = e { Some(*entries) } else { None });
    let applied = sum(&|e| if let Event::RowsApplied { entries } = e { Some(*entries) } else { None });
    assert_eq!((committed, applied), (size, size));
}

#[test]
fn an_observer_hears_how_far_a_check_is() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let ledger = create(folder.path()).await;
        save_tape(&ledger, "everything-stdio").await.unwrap();
        // An object that is hashed ahead.
        let noise: Vec<String> =
            (0..4_000_u64).map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        let long = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"{}\"}}\n", noise.concat());
        save_bytes(&ledger, long.as_bytes(), ImportOptions::default(), SaveOptions::default()).await.unwrap();
        ledger.close().await.unwrap();
    });
    for (stored_only, parts) in
        [(false, &["sled's copy", "tapes"][..]), (true, &["sled's copy", "stored bytes", "tapes"])]
    {
        let heard = Arc::new(Heard::default());
        let env = real().observer(heard.clone());
        let checker = immutape::ledger::Checker::open(&Places::beneath(folder.path()), &env).unwrap();
        let report = checker.run(&CheckOptions::default().stored_only(stored_only));
        assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
        let heard = heard.0.lock().unwrap().clone();
        for wanted in parts {
            let of_part = |e: &Event| match e {
                Event::Checking { part, done, total, .. } if part == wanted => Some((*done, *total)),
                _ => None,
            };
            let steps: Vec<(u64, u64)> = heard.iter().filter_map(of_part).collect();
            assert!(!steps.is_empty(), "{wanted}: {heard:?}");
            assert!(steps.iter().all(|(done, total)| *done > 0 && done <= total), "{wanted}: {steps:?}");
            let furthest = steps.iter().max().unwrap();
            assert!(*wanted != "tapes" || furthest.0 == furthest.1, "every byte is told: {steps:?}");
        }
    }
}
