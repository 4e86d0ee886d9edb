//! One ledger's life on the real disk: create, save, read, list, custody, close, open, verify.

use immutape::Code;
use immutape::evidence::Verdict;
use immutape::interchange::ImportOptions;
use immutape::ledger::{CheckOptions, FrameSelection, SaveOptions};
use immutape::log::{Body, EntryKind};

use crate::support::ledgers::{TAPES, ann, create, open, save_bytes, save_tape, tape_path};

#[tokio::test]
async fn the_six_tapes_go_in_and_come_out_and_verify() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let mut receipts = Vec::new();
    for name in TAPES {
        receipts.push(save_tape(&ledger, name).await.unwrap());
    }
    let stored: u64 = receipts.iter().map(|r| r.stored_bytes).sum();
    let raw: u64 = TAPES.iter().map(|n| std::fs::metadata(tape_path(n)).unwrap().len()).sum();
    assert!(stored * 100 <= raw * 35, "stored {stored} of {raw}");

    let (listing, _) = ledger.list(&ann()).await.unwrap();
    assert_eq!(listing.len(), 6);
    for (line, receipt) in listing.iter().zip(&receipts) {
        assert_eq!(line.summary.as_ref().unwrap().tape, receipt.tape);
        assert_eq!(line.class_shown, "draft");
    }

    let first = receipts[0].tape.to_hex();
    let reader = ledger.open_tape(&ann(), &first[..8], None).await.unwrap();
    let frames = reader.collect(FrameSelection::All).unwrap();
    assert_eq!(frames.len() as u64, receipts[0].frames);
    assert_eq!(reader.collect(FrameSelection::Seq(3, 5)).unwrap(), frames[3..=5]);
    assert_eq!(reader.collect(FrameSelection::Seq(3, 9_999)).unwrap_err().code(), Code::NoFrame);
    let given = reader.bytes_given();
    let grant = reader.grant_index();
    reader.finish().await.unwrap();

    let (report, asked) = ledger.custody(&ann(), &first).await.unwrap();
    assert_eq!(report.given(grant), Some(given));
    let kinds: Vec<_> = report.events.iter().filter(|e| !e.about_ledger).map(|e| e.kind).collect();
    assert_eq!(kinds, [EntryKind::TAPE_SAVED, EntryKind::ACCESS_GRANTED, EntryKind::ACCESS_COMPLETED]);
    assert!(report.events.iter().any(|e| matches!(e.body, Body::Listed { count: 6, .. })));
    let (again, _) = ledger.custody(&ann(), &first).await.unwrap();
    assert!(again.events.iter().any(|e| e.index == asked && e.kind == EntryKind::CUSTODY_READ));

    let (report, recorded) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
    recorded.unwrap();
    ledger.close().await.unwrap();

    let ledger = open(folder.path()).await.unwrap();
    let (log, _) = ledger.log(&ann(), 0..u64::MAX).await.unwrap();
    assert_eq!(log[0].kind, EntryKind::GENESIS);
    assert!(log.iter().all(|l| l.private.is_some()));
    let saved_again = save_tape(&ledger, "git-policies").await.unwrap();
    assert!(saved_again.already_kept);
    assert_eq!(saved_again.tape, receipts[5].tape);
    let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_live_tape_is_never_deleted_and_the_refusal_is_on_record() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let tape = save_tape(&ledger, "sqlite-crash").await.unwrap().tape.to_hex();
    let refused = ledger.delete(&ann(), &tape).await.unwrap_err();
    assert_eq!(refused.code(), Code::DisposalRequired);
    let (log, _) = ledger.log(&ann(), 0..u64::MAX).await.unwrap();
    let last = log.last().unwrap();
    assert_eq!(last.kind, EntryKind::REFUSED);
    assert_eq!(last.body, Body::Refused { act: 80, error: Code::DisposalRequired.number() });
    ledger.open_tape(&ann(), &tape, None).await.unwrap();
}

#[tokio::test]
async fn two_classes_two_tapes() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let bytes = std::fs::read(tape_path("sqlite-crash")).unwrap();
    let draft = save_bytes(&ledger, &bytes, ImportOptions::default(), SaveOptions::default()).await.unwrap();
    let other = SaveOptions::default().class("sec-17a-4");
    let kept = save_bytes(&ledger, &bytes, ImportOptions::default(), other).await.unwrap();
    assert_ne!(draft.tape, kept.tape);
    assert_ne!(draft.custody, kept.custody);
    let (listing, _) = ledger.list(&ann()).await.unwrap();
    assert_eq!(listing[1].class_shown, "unclassified (sec-17a-4)");
    ledger.close().await.unwrap();
}
