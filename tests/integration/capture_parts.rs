//! Readers of sessions in parts, and of what was sealed while they looked elsewhere.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use immutape::Code;
use immutape::capture::{
    Durability, LedgerAccess, RecordingOptions, StreamingTapeReader, StreamingTapeWriter, TapeManager, TapeRecord,
};
use immutape::codec::digest::CustodyId;
use immutape::evidence::Verdict;
use immutape::ledger::{CheckOptions, Ledger, Places};
use immutape::log::EntryKind;
use immutape::tape::{Direction, EndState, Frame};
use immutape::time::SystemClock;

use crate::support::ledgers::{ann, create, open, real};
use crate::support::recordings::until;

const PARTS: usize = 4;

fn clock() -> Arc<SystemClock> {
    Arc::new(SystemClock::new([7; 16]))
}

fn options() -> RecordingOptions {
    let mut options = RecordingOptions::named("parts");
    // A part ends as soon as it holds a frame.
    (options.part_bytes, options.durability) = (1, Durability::Interval(Duration::from_millis(1)));
    options
}

fn frame(n: usize) -> Frame {
    Frame::message(0, Direction::Unknown, format!("frame {n}").into_bytes())
}

/// Writes a frame into each part; every part but the last is sealed then.
async fn write_parts(writer: &StreamingTapeWriter) {
    for n in 0..PARTS {
        writer.write_frame(frame(n)).await.unwrap();
        writer.flush().await.unwrap();
        assert!(until(|| writer.metadata().stats.frames == 0).await, "another part was to be begun");
    }
}

/// Follows to the end: payloads, and how many parts there were.
async fn follow(reader: &mut StreamingTapeReader) -> immutape::Result<(Vec<String>, Vec<CustodyId>)> {
    let (mut frames, mut parts) = (Vec::new(), Vec::new());
    while let Some(record) = reader.follow().await? {
        match record {
            TapeRecord::Init(init) => parts.push(init.custody),
            TapeRecord::Frame(record) => frames.push(String::from_utf8(record.frame.payload).unwrap()),
            _ => {}
        }
    }
    Ok((frames, parts))
}

fn all() -> Vec<String> {
    (0..PARTS).map(|n| format!("frame {n}")).collect()
}

async fn checked(ledger: &Ledger) {
    let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
}

/// A recording whose ledger is opened for moments only.
async fn visits(folder: &Path) -> (LedgerAccess, StreamingTapeWriter) {
    create(folder).await.close().await.unwrap();
    let access = LedgerAccess::visits(Places::beneath(folder), real());
    let writer = StreamingTapeWriter::create(access.clone(), ann(), options(), clock()).await.unwrap();
    (access, writer)
}

#[tokio::test]
async fn a_follower_that_is_parts_behind_goes_through_all_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let (access, writer) = visits(folder.path()).await;
    let first = writer.custody();
    let mut reader = StreamingTapeReader::open(access, ann(), &first.to_hex()).await.unwrap();
    // It looks elsewhere while parts become tapes, in whose turn it may not be.
    write_parts(&writer).await;
    writer.finalize(EndState::Clean).await.unwrap();
    let (frames, parts) = follow(&mut reader).await.unwrap();
    assert_eq!((frames, parts.len(), parts[0]), (all(), PARTS + 1, first));
    reader.close().await.unwrap();
    let ledger = open(folder.path()).await.unwrap();
    let (log, _) = ledger.log(&ann(), 0..u64::MAX).await.unwrap();
    let count = |kind| log.iter().filter(|line| line.kind == kind).count();
    assert_eq!((count(EntryKind::FOLLOWED), count(EntryKind::ACCESS_GRANTED)), (1, PARTS));
    assert_eq!(count(EntryKind::ACCESS_COMPLETED), PARTS + 1, "each part is an access with its end");
    checked(&ledger).await;
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_part_that_cannot_be_opened_now_is_opened_by_the_next_call() {
    let folder = tempfile::tempdir().unwrap();
    let (access, writer) = visits(folder.path()).await;
    let mut reader = StreamingTapeReader::open(access, ann(), &writer.custody().to_hex()).await.unwrap();
    write_parts(&writer).await;
    writer.finalize(EndState::Clean).await.unwrap();
    let (keys, elsewhere) = (folder.path().join("config"), folder.path().join("elsewhere"));
    std::fs::rename(&keys, &elsewhere).unwrap();
    let mut frames = Vec::new();
    let refused = loop {
        match reader.follow().await {
            Ok(Some(TapeRecord::Frame(record))) => frames.push(String::from_utf8(record.frame.payload).unwrap()),
            Ok(Some(_)) => {}
            Ok(None) => panic!("the session goes on"),
            Err(e) => break e,
        }
    };
    assert_eq!((refused.code(), frames.len()), (Code::KeyMissing, 1), "{refused}");
    assert_eq!(reader.follow().await.unwrap_err().code(), Code::KeyMissing);
    std::fs::rename(&elsewhere, &keys).unwrap();
    frames.extend(follow(&mut reader).await.unwrap().0);
    assert_eq!(frames, all());
    reader.close().await.unwrap();
}

#[tokio::test]
async fn who_reads_a_tape_keeps_nobody_from_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let (access, writer) = visits(folder.path()).await;
    writer.write_frame(frame(0)).await.unwrap();
    let finished = writer.finalize(EndState::Clean).await.unwrap();
    let mut reader = StreamingTapeReader::open(access, ann(), &finished.receipt.tape.to_text()).await.unwrap();
    let ledger = open(folder.path()).await.unwrap();
    assert_eq!(reader.next_frame().await.unwrap().unwrap().payload, b"frame 0", "while somebody else has it");
    ledger.close().await.unwrap();
    reader.close().await.unwrap();
    let ledger = open(folder.path()).await.unwrap();
    let (report, _) = ledger.custody(&ann(), &finished.receipt.tape.to_text()).await.unwrap();
    let kinds: Vec<_> = report.events.iter().filter(|e| !e.about_ledger).map(|e| e.kind).collect();
    for kind in [EntryKind::ACCESS_GRANTED, EntryKind::ACCESS_COMPLETED] {
        assert_eq!(kinds.iter().filter(|k| **k == kind).count(), 1, "{kinds:?}");
    }
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_manager_follows_by_the_id_it_gave_and_counts_its_readers_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let (manager, _) = TapeManager::start(LedgerAccess::open(ledger.clone()), ann(), clock()).await.unwrap();
    let id = manager.start_recording(options()).await.unwrap();
    write_parts(&manager.writer(&id).unwrap()).await;
    // The recording that has this id is a tape by now, or is about to be.
    let mut reader = manager.follow_tape(&id).await.unwrap();
    assert_eq!((manager.reader_count(&id), manager.counts().readers), (1, 1));
    let finished = manager.stop_recording(&id, EndState::Clean).await.unwrap();
    let (frames, parts) = follow(&mut reader).await.unwrap();
    assert_eq!((frames, parts.len()), (all(), PARTS + 1));
    assert_ne!(reader.init().custody, id, "it went on into other parts");
    assert_eq!((manager.reader_count(&id), manager.counts().readers), (1, 1));
    manager.close_reader(reader).await.unwrap();
    assert_eq!((manager.reader_count(&id), manager.counts().readers), (0, 0));
    // Every look-up knows a tape by the id of its recording, as far as no tape has such an id.
    let by_custody = ledger.metadata(&ann(), &id.to_hex()).await.unwrap();
    assert_eq!(by_custody.header.labels.name.as_deref(), Some(&b"parts"[..]));
    let tape = ledger.open_tape(&ann(), &id.to_hex()[..20], None).await.unwrap();
    assert_eq!((tape.custody(), tape.tape()), (id, finished.parts[0].tape));
    tape.finish().await.unwrap();
    checked(&ledger).await;
    ledger.close().await.unwrap();
}
