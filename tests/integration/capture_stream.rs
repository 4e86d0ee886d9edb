//! Recordings through the streaming API: what goes in comes out, live and sealed, and what is cut off says so.

use std::sync::Arc;
use std::time::Duration;

use immutape::Code;
use immutape::capture::{
    CorrelationRecord, CorrelationStatus, Durability, LedgerAccess, OnStorageFailure, RecordingOptions, Recovered,
    StreamingTapeReader, StreamingTapeWriter, TapeManager, TapeRecord, TapeStatus, recover,
};
use immutape::evidence::{Severity, Verdict};
use immutape::ledger::{CheckOptions, FrameSelection, Ledger, Places};
use immutape::log::{Body, EntryKind};
use immutape::tape::{Direction, EndState, Frame, FrameKind, GapReason, TapeKind, flags};
use immutape::time::SystemClock;

use crate::support::ledgers::{ann, create, open, real};

fn clock() -> Arc<SystemClock> {
    Arc::new(SystemClock::new([7; 16]))
}

fn request(n: u64) -> Frame {
    let text = format!(r#"{{"jsonrpc":"2.0","id":{n},"method":"tools/call","params":{{"name":"t"}}}}"#);
    Frame::message(0, Direction::ClientToServer, text.into_bytes())
}

fn answer(n: u64) -> Frame {
    let text = format!(r#"{{"jsonrpc":"2.0","id":{n},"result":{{}}}}"#);
    Frame::message(0, Direction::ServerToClient, text.into_bytes())
}

async fn writer(ledger: &Ledger, options: RecordingOptions) -> StreamingTapeWriter {
    StreamingTapeWriter::create(LedgerAccess::open(ledger.clone()), ann(), options, clock()).await.unwrap()
}

async fn kinds(ledger: &Ledger) -> Vec<EntryKind> {
    let (log, _) = ledger.log(&ann(), 0..u64::MAX).await.unwrap();
    log.iter().map(|line| line.kind).collect()
}

async fn verify(ledger: &Ledger) -> immutape::evidence::Report {
    ledger.verify(&ann(), CheckOptions::default()).await.unwrap().0
}

#[tokio::test]
async fn a_thousand_frames_go_in_and_come_out_as_a_tape() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let recording = writer(&ledger, RecordingOptions::named("thousand")).await;
    let custody = recording.custody();
    for n in 0..500 {
        assert_eq!(recording.write_frame(request(n)).await.unwrap(), Some(2 * n));
        assert_eq!(recording.write_frame(answer(n)).await.unwrap(), Some(2 * n + 1));
    }
    let seen = recording.metadata();
    assert_eq!((seen.stats.frames, seen.stats.correlations, seen.status), (1_000, 500, TapeStatus::Recording));
    let finished = recording.finalize(EndState::ChildExit(0)).await.unwrap();
    assert_eq!((finished.receipt.frames, finished.receipt.custody), (1_000, custody));
    assert_eq!(finished.header.end_state, EndState::ChildExit(0));
    assert_eq!(finished.header.kind, TapeKind::Mcp);
    assert!(finished.header.gaps.is_empty());
    assert_eq!(finished.header.named.tools, [(b"t".to_vec(), 500)]);

    let reader = ledger.open_tape(&ann(), &finished.receipt.tape.to_text(), None).await.unwrap();
    let frames = reader.collect(FrameSelection::All).unwrap();
    assert_eq!(frames[6].payload, request(3).payload);
    assert_eq!(frames[6].flags, flags::REQUIRES_RESPONSE);
    assert!(frames.windows(2).all(|w| w[0].t_ns <= w[1].t_ns && w[0].wall_ns.is_some()));
    reader.finish().await.unwrap();
    assert_eq!(verify(&ledger).await.verdict(), Verdict::Intact);
    let kinds = kinds(&ledger).await;
    let of_it: Vec<_> = kinds.iter().filter(|k| matches!(k.number(), 16..=20)).copied().collect();
    let (first, last) = (of_it.first().copied(), of_it.last().copied());
    assert_eq!((first, last), (Some(EntryKind::TAPE_OPENED), Some(EntryKind::TAPE_SAVED)));
    assert!(std::fs::read_dir(folder.path().join("ledger/spool")).unwrap().next().is_none(), "the spool was closed");
    ledger.close().await.unwrap();
    // Rows built anew from the journal know the same.
    std::fs::remove_dir_all(folder.path().join("ledger/index")).unwrap();
    let ledger = open(folder.path()).await.unwrap();
    ledger.open_tape(&ann(), &finished.receipt.tape.to_text(), None).await.unwrap().finish().await.unwrap();
    assert_eq!(verify(&ledger).await.verdict(), Verdict::Intact);
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_follower_sees_each_frame_once_and_in_order_while_it_is_written_and_across_the_sealing() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let recording = writer(&ledger, RecordingOptions::named("followed")).await;
    let custody = recording.custody();
    let access = LedgerAccess::open(ledger.clone());
    let mut follower = StreamingTapeReader::open(access, ann(), &custody.to_hex()[..8]).await.unwrap();
    assert!(follower.is_live());
    let writing = tokio::spawn(async move {
        for n in 0..100 {
            recording.write_frame(if n % 2 == 0 { request(n) } else { answer(n - 1) }).await.unwrap();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        recording.finalize(EndState::Clean).await.unwrap()
    });
    let (mut seqs, mut pairs) = (Vec::new(), 0);
    let mut is_begun = false;
    while let Some(record) = follower.follow().await.unwrap() {
        match record {
            TapeRecord::Init(init) => {
                assert_eq!(init.header.labels.name.as_deref(), Some(&b"followed"[..]));
                is_begun = true;
            }
            TapeRecord::Frame(record) => seqs.push(record.frame.seq),
            TapeRecord::Correlation(pair) => {
                assert_eq!(pair.response_seq, pair.request_seq + 1);
                assert!(pair.rtt_ms().is_some_and(|rtt| rtt >= 5), "true times, and no zeros: {pair:?}");
                pairs += 1;
            }
            _ => {}
        }
    }
    assert!(is_begun);
    assert_eq!(seqs, (0..100).collect::<Vec<_>>());
    assert_eq!(pairs, 50);
    follower.close().await.unwrap();
    let finished = writing.await.unwrap();
    let (report, _) = ledger.custody(&ann(), &finished.receipt.tape.to_text()).await.unwrap();
    let of_it: Vec<_> = report.events.iter().filter(|e| !e.about_ledger).map(|e| e.kind).collect();
    for kind in [EntryKind::TAPE_OPENED, EntryKind::FOLLOWED, EntryKind::TAPE_SAVED, EntryKind::ACCESS_COMPLETED] {
        assert!(of_it.contains(&kind), "{kind} in {of_it:?}");
    }
    // The same reader over the tape gives the same frames.
    let access = LedgerAccess::open(ledger.clone());
    let mut reader = StreamingTapeReader::open(access, ann(), &finished.receipt.tape.to_hex()).await.unwrap();
    let mut again = Vec::new();
    while let Some(frame) = reader.next_frame().await.unwrap() {
        again.push(frame.seq);
    }
    assert_eq!((again, reader.is_live()), (seqs, false));
    reader.close().await.unwrap();
    assert_eq!(verify(&ledger).await.verdict(), Verdict::Intact);
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_recording_without_an_end_is_sealed_by_the_next_start_as_cut_off_with_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let mut options = RecordingOptions::named("cut");
    options.durability = Durability::Each;
    let recording = writer(&ledger, options).await;
    for n in 0..7 {
        recording.write_frame(request(n)).await.unwrap();
    }
    let marked = recording.checkpoint().await.unwrap();
    assert!(marked.is_some());
    recording.write_frame(request(7)).await.unwrap();
    // While somebody records, nobody takes it over, and a check says that it is there.
    assert!(recover(&ledger, &ann()).await.unwrap().is_empty());
    let report = verify(&ledger).await;
    assert_eq!(report.verdict(), Verdict::UnsealedTail, "{report:#?}");
    assert!(report.findings.iter().any(|f| f.part == "recordings" && f.severity == Severity::Note));
    drop(recording);
    ledger.close().await.unwrap();

    let ledger = open(folder.path()).await.unwrap();
    let (live, entry) = ledger.list_live(&ann()).await.unwrap();
    assert_eq!((live.len(), live[0].frames, live[0].is_live, entry.is_some()), (1, 8, false, true));
    let recovered = recover(&ledger, &ann()).await.unwrap();
    let [Recovered::Sealed { receipt, is_cut_off: true, .. }] = &recovered[..] else { panic!("{recovered:?}") };
    assert_eq!(receipt.frames, 8);
    let reader = ledger.open_tape(&ann(), &receipt.tape.to_text(), None).await.unwrap();
    assert_eq!(reader.header().end_state, EndState::Truncated);
    let gap = reader.header().gaps[0];
    assert_eq!((gap.before_seq, gap.reason, gap.count), (8, GapReason::RecorderStopped, 0));
    reader.finish().await.unwrap();
    let (log, _) = ledger.log(&ann(), 0..u64::MAX).await.unwrap();
    let cut = log.iter().find(|line| line.kind == EntryKind::TAPE_TRUNCATED).unwrap();
    assert_eq!(cut.body, Body::TapeTruncated { frames: 8, marked: 7, unread_bytes: 0 });
    assert_eq!(verify(&ledger).await.verdict(), Verdict::Intact);
    assert!(recover(&ledger, &ann()).await.unwrap().is_empty(), "once");
    assert_eq!(ledger.list_live(&ann()).await.unwrap(), (Vec::new(), None));
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_recorder_needs_the_ledger_for_moments_only() {
    let folder = tempfile::tempdir().unwrap();
    create(folder.path()).await.close().await.unwrap();
    let access = LedgerAccess::visits(Places::beneath(folder.path()), real());
    let recording =
        StreamingTapeWriter::create(access.clone(), ann(), RecordingOptions::named("a"), clock()).await.unwrap();
    let other =
        StreamingTapeWriter::create(access.clone(), ann(), RecordingOptions::named("b"), clock()).await.unwrap();
    recording.write_frame(request(1)).await.unwrap();
    let mut follower = StreamingTapeReader::open(access.clone(), ann(), &recording.custody().to_hex()).await.unwrap();
    // Somebody else has the ledger meanwhile.
    let ledger = open(folder.path()).await.unwrap();
    recording.write_frame(answer(1)).await.unwrap();
    recording.flush().await.unwrap();
    let mut seen = 0;
    while follower.next_frame().await.unwrap().is_some() {
        seen += 1;
    }
    assert_eq!(seen, 2);
    assert_eq!(ledger.list_live(&ann()).await.unwrap().0.iter().filter(|l| l.is_live).count(), 2);
    ledger.close().await.unwrap();
    follower.close().await.unwrap();
    let finished = recording.finalize(EndState::Clean).await.unwrap();
    other.finalize(EndState::Signal(15)).await.unwrap();
    let mut reader = StreamingTapeReader::open(access, ann(), &finished.receipt.tape.to_text()).await.unwrap();
    assert_eq!(reader.next_frame().await.unwrap().unwrap().payload, request(1).payload);
    reader.close().await.unwrap();
    let ledger = open(folder.path()).await.unwrap();
    assert_eq!(verify(&ledger).await.verdict(), Verdict::Intact);
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn pauses_and_words_about_pairs_are_on_the_tape() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let (manager, recovered) = TapeManager::start(LedgerAccess::open(ledger.clone()), ann(), clock()).await.unwrap();
    assert!(recovered.is_empty());
    let id = manager.start_recording(RecordingOptions::named("paused")).await.unwrap();
    manager.write_frame(&id, request(1)).await.unwrap();
    manager.pause(&id).unwrap();
    assert_eq!(manager.counts().paused, 1);
    for n in 2..5 {
        assert_eq!(manager.write_frame(&id, request(n)).await.unwrap(), None);
    }
    manager.resume(&id).unwrap();
    manager.write_frame(&id, answer(1)).await.unwrap();
    let writer = manager.writer(&id).unwrap();
    // The first is seen in the messages, the second is not.
    writer.write_correlation(&CorrelationRecord::new(0, 1, CorrelationStatus::Success)).unwrap();
    writer.write_correlation(&CorrelationRecord::new(0, 0, CorrelationStatus::Timeout)).unwrap();
    let busy = manager.stop_recording(&id, EndState::Clean).await.unwrap_err();
    assert_eq!(busy.code(), Code::Conflict);
    drop(writer);
    let reader = manager.follow_tape(&id).await.unwrap();
    assert_eq!((manager.reader_count(&id), manager.counts().readers), (1, 1));
    manager.close_reader(reader).await.unwrap();
    let finished = manager.stop_recording(&id, EndState::Clean).await.unwrap();
    assert_eq!((manager.counts().finished, manager.reader_count(&id)), (1, 0));
    let gap = finished.header.gaps[0];
    assert_eq!((finished.header.gaps.len(), gap.before_seq, gap.reason, gap.count), (1, 1, GapReason::Paused, 3));
    let mut reader = manager.open_for_reading(&finished.receipt.tape.to_text()).await.unwrap();
    let mut statuses = Vec::new();
    let mut markers = 0;
    while let Some(record) = reader.next_record().await.unwrap() {
        match record {
            TapeRecord::Correlation(pair) => statuses.push((pair.request_seq, pair.response_seq, pair.status)),
            TapeRecord::Frame(record) if record.frame.kind == FrameKind::Marker => markers += 1,
            _ => {}
        }
    }
    assert_eq!(statuses, [(0, 1, CorrelationStatus::Success), (0, 0, CorrelationStatus::Timeout)]);
    assert_eq!(markers, 1);
    manager.close_reader(reader).await.unwrap();
    let gone = manager.write_frame(&id, request(9)).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_session_goes_on_in_another_part_and_a_follower_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let mut options = RecordingOptions::named("parts");
    (options.part_bytes, options.durability) = (20_000, Durability::Interval(Duration::from_millis(5)));
    let recording = writer(&ledger, options).await;
    let access = LedgerAccess::open(ledger.clone());
    let mut follower = StreamingTapeReader::open(access, ann(), &recording.custody().to_hex()).await.unwrap();
    let writing = tokio::spawn(async move {
        let noise = immutape::store::conformance::objects::noise(3, 4_000);
        for _ in 0..40 {
            let frame = Frame::message(0, Direction::ServerToClient, noise.clone());
            recording.write_frame(frame).await.unwrap();
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
        recording.finalize(EndState::Clean).await.unwrap()
    });
    let (mut frames, mut parts, mut expected) = (0, 0, 0);
    while let Some(record) = follower.follow().await.unwrap() {
        match record {
            TapeRecord::Init(_) => (parts, expected) = (parts + 1, 0),
            TapeRecord::Frame(record) => {
                assert_eq!(record.frame.seq, expected);
                (frames, expected) = (frames + 1, expected + 1);
            }
            _ => {}
        }
    }
    follower.close().await.unwrap();
    let finished = writing.await.unwrap();
    assert!(parts > 1, "the recording was to go on in another part");
    assert_eq!((frames, finished.parts.len() + 1), (40, parts));
    assert_eq!(finished.header.continues, Some(finished.parts.last().unwrap().tape));
    let first = ledger.metadata(&ann(), &finished.parts[0].tape.to_text()).await.unwrap();
    assert_eq!((first.header.end_state, first.header.continues), (EndState::Continued, None));
    assert_eq!(verify(&ledger).await.verdict(), Verdict::Intact);
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_long_message_becomes_frames_that_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let recording = writer(&ledger, RecordingOptions::named("long")).await;
    let payload = vec![b'x'; (16 << 20) + 5];
    assert_eq!(recording.write_frame(Frame::message(0, Direction::Unknown, payload)).await.unwrap(), Some(0));
    assert_eq!(recording.write_frame(request(1)).await.unwrap(), Some(2));
    let finished = recording.finalize(EndState::Clean).await.unwrap();
    assert_eq!(finished.receipt.frames, 3);
    let reader = ledger.open_tape(&ann(), &finished.receipt.tape.to_text(), None).await.unwrap();
    let second = reader.collect(FrameSelection::Seq(1, 1)).unwrap();
    assert_eq!((second[0].payload.len(), second[0].has(flags::CONTINUED)), (5, false));
    reader.finish().await.unwrap();
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_spool_that_was_altered_is_put_aside_and_the_tape_and_the_check_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let mut options = RecordingOptions::named("altered");
    options.durability = Durability::Each;
    let recording = writer(&ledger, options).await;
    for n in 0..20 {
        recording.write_frame(request(n)).await.unwrap();
    }
    recording.checkpoint().await.unwrap().unwrap();
    let custody = recording.custody();
    drop(recording);
    ledger.close().await.unwrap();
    let path = folder.path().join("ledger/spool").join(custody.to_hex());
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();

    let ledger = open(folder.path()).await.unwrap();
    let recovered = recover(&ledger, &ann()).await.unwrap();
    let [Recovered::Sealed { receipt, is_cut_off: true, .. }] = &recovered[..] else { panic!("{recovered:?}") };
    assert!(receipt.frames > 0 && receipt.frames < 20, "{}", receipt.frames);
    let (log, _) = ledger.log(&ann(), 0..u64::MAX).await.unwrap();
    let failed = log.iter().find(|line| line.kind == EntryKind::INTEGRITY_FAILED).unwrap();
    assert!(matches!(failed.body, Body::IntegrityFailed { what: 6, .. }), "{:?}", failed.body);
    assert!(matches!(
        log.iter().find(|l| l.kind == EntryKind::TAPE_TRUNCATED).unwrap().body,
        Body::TapeTruncated { marked: 20, unread_bytes, .. } if unread_bytes > 0
    ));
    let report = verify(&ledger).await;
    assert_eq!(report.verdict(), Verdict::IntactWithGaps, "{report:#?}");
    assert!(
        report.findings.iter().any(|f| f.part == "recording" && f.what.contains("20 frames were recorded by then"))
    );
    let quarantine: Vec<_> = std::fs::read_dir(folder.path().join("ledger/quarantine")).unwrap().collect();
    assert_eq!(quarantine.len(), 1, "the altered spool is kept");
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_spool_that_disappeared_is_an_alteration() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let recording = writer(&ledger, RecordingOptions::named("gone")).await;
    let path = folder.path().join("ledger/spool").join(recording.custody().to_hex());
    drop(recording);
    std::fs::remove_file(path).unwrap();
    let report = verify(&ledger).await;
    assert_eq!(report.verdict(), Verdict::Altered, "{report:#?}");
    assert!(report.findings.iter().any(|f| f.part == "recordings" && f.severity == Severity::Altered));
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_spool_that_the_log_does_not_know_is_put_aside_and_an_empty_one_removed() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let spool = folder.path().join("ledger/spool");
    let recording = writer(&ledger, RecordingOptions::named("known")).await;
    recording.write_frame(request(1)).await.unwrap();
    recording.flush().await.unwrap();
    let known = spool.join(recording.custody().to_hex());
    std::fs::copy(&known, spool.join("ab".repeat(32))).unwrap();
    std::fs::write(spool.join("cd".repeat(32)), b"").unwrap();
    let recovered = recover(&ledger, &ann()).await.unwrap();
    let [Recovered::PutAside { place, .. }] = &recovered[..] else { panic!("{recovered:?}") };
    assert!(place.contains("quarantine"), "{place}");
    assert_eq!(std::fs::read_dir(&spool).unwrap().count(), 1, "the live one alone");
    recording.finalize(EndState::Clean).await.unwrap();
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn what_ended_takes_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let recording = writer(&ledger, RecordingOptions::named("empty")).await;
    assert_eq!(recording.checkpoint().await.unwrap(), None, "no frames, no mark");
    let finished = recording.finalize(EndState::Error(b"could not be started".to_vec())).await.unwrap();
    assert_eq!(finished.receipt.frames, 0);
    let mut options = RecordingOptions::named("x");
    options.header.class = "ledger".into();
    options.on_storage_failure = OnStorageFailure::ContinueWithGap;
    let access = LedgerAccess::open(ledger.clone());
    let refused = StreamingTapeWriter::create(access.clone(), ann(), options, clock()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Usage);
    let none = StreamingTapeReader::open(access, ann(), "abcdef12").await.unwrap_err();
    assert_eq!(none.code(), Code::NotFound);
    assert_eq!(verify(&ledger).await.verdict(), Verdict::Intact);
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_provider_seals_what_recorders_left() {
    use immutape::provider::{
        LedgerBackend, LedgerParts, Query, StorageRegistry, Surroundings, TapeStorageBackend as _,
    };
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let recording = writer(&ledger, RecordingOptions::named("left")).await;
    recording.write_frame(request(1)).await.unwrap();
    drop(recording);
    ledger.close().await.unwrap();
    let around = Surroundings::of_process().unwrap();
    let places = Places::beneath(folder.path());
    let parts = LedgerParts::with_places(&serde_json::Value::Null, &around, places, real().engine);
    let promises =
        StorageRegistry::global().create("memory", &serde_json::json!({ "testing": true }), &around).unwrap();
    let backend = LedgerBackend::new(parts, promises.capabilities());
    let page = backend.list(&Query::all()).await.unwrap();
    assert_eq!((page.tapes.len(), page.tapes[0].status.as_str()), (1, "truncated"));
    backend.close().await.unwrap();
}
