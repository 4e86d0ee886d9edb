//! The seeds' streaming tapes, demand by demand (rows T1 to T19 of the list of demands).
//!
//! Where another file holds a row, it is named here: T1 `capture_traps`, `spool_damage`, `conformance_spool`; T8, T14 and T16 also
//! `capture_traps`; T11 `capture_stream` (an altered spool); T12 `capture_stream` (pauses); T13 `cli::record`, `cli::lanes`; T14
//! `error_variants`; T15 `capture_stream`; T18 `interchange_index`, `interchange_export`.

use std::sync::Arc;
use std::time::Duration;

use immutape::Code;
use immutape::capture::{
    CorrelationRecord, CorrelationStatus, Durability, LedgerAccess, RecordingOptions, StreamingTapeReader,
    StreamingTapeWriter, TapeManager, TapeMetadata, TapeRecord, TapeStatus,
};
use immutape::interchange::ExportFormat;
use immutape::ledger::{FrameSelection, Ledger};
use immutape::log::{Body, EntryKind};
use immutape::tape::{Direction, EndState, Frame, Labels};
use immutape::time::SystemClock;
use serde_json::Value;

use crate::interchange_export::export;
use crate::support::ledgers::{ann, create};

use Direction::{ClientToServer as Up, ServerToClient as Down};

pub fn clock() -> Arc<SystemClock> {
    Arc::new(SystemClock::new([7; 16]))
}

fn frame(direction: Direction, ms: u64, text: &str) -> Frame {
    let mut frame = Frame::message(0, direction, text.as_bytes().to_vec());
    frame.t_ns = Some(ms * 1_000_000);
    frame
}

pub fn request(n: u64, ms: u64) -> Frame {
    frame(Up, ms, &format!(r#"{{"jsonrpc":"2.0","id":{n},"method":"tools/call","params":{{"name":"t"}}}}"#))
}

fn answer(n: u64, ms: u64) -> Frame {
    frame(Down, ms, &format!(r#"{{"jsonrpc":"2.0","id":{n},"result":{{}}}}"#))
}

pub async fn writer(ledger: &Ledger, options: RecordingOptions) -> StreamingTapeWriter {
    StreamingTapeWriter::create(LedgerAccess::open(ledger.clone()), ann(), options, clock()).await.unwrap()
}

pub async fn reader(ledger: &Ledger, id: &str) -> StreamingTapeReader {
    StreamingTapeReader::open(LedgerAccess::open(ledger.clone()), ann(), id).await.unwrap()
}

pub fn durable(name: &str, durability: Durability) -> RecordingOptions {
    let mut options = RecordingOptions::named(name);
    options.durability = durability;
    options
}

/// As many frames as there are now.
pub async fn seqs(reader: &mut StreamingTapeReader) -> Vec<u64> {
    let mut seqs = Vec::new();
    while let Some(frame) = reader.next_frame().await.unwrap() {
        seqs.push(frame.seq);
    }
    seqs
}

/// T1: readers that never read hold nobody up, and each of them gets everything in the end.
#[tokio::test]
async fn t1_readers_do_not_block_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let recording = writer(&ledger, durable("t1", Durability::Interval(Duration::from_millis(1)))).await;
    let id = recording.custody().to_hex();
    let mut idle = Vec::new();
    for _ in 0..5 {
        idle.push(reader(&ledger, &id).await);
    }
    for n in 0..500 {
        recording.write_frame(request(n, n)).await.unwrap();
    }
    let finished = recording.finalize(EndState::Clean).await.unwrap();
    assert_eq!(finished.receipt.frames, 500);
    for mut late in idle {
        assert_eq!(seqs(&mut late).await, (0..500).collect::<Vec<_>>(), "also what was sealed meanwhile");
        late.close().await.unwrap();
    }
    ledger.close().await.unwrap();
}

/// T2 to T6: the four records with all they hold, live and of the tape, and as the version 2.0 file spells them.
#[tokio::test]
async fn t2_to_t6_records_hold_what_the_seeds_name() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let mut options = durable("records", Durability::Each);
    options.header.session_id = Some(b"session-1".to_vec());
    options.header.transport = Some(br#"{"type":"stdio"}"#.to_vec());
    let recording = writer(&ledger, options).await;
    let id = recording.custody().to_hex();
    let hello = r#"{"id":0,"result":{"protocolVersion":"2025-11-25"}}"#;
    recording.write_frame(frame(Up, 0, r#"{"id":0,"method":"initialize"}"#)).await.unwrap();
    recording.write_frame(frame(Down, 7, hello)).await.unwrap();
    recording.write_frame(request(1, 10)).await.unwrap();
    recording.write_frame(frame(Down, 25, r#"{"id":1,"error":{"code":-32000}}"#)).await.unwrap();
    recording.write_frame(request(2, 30)).await.unwrap();
    let mark = recording.checkpoint().await.unwrap().unwrap();
    let mut timeout = CorrelationRecord::new(4, 4, CorrelationStatus::Timeout);
    timeout.request_t_ms = Some(30);
    recording.write_correlation(&timeout).unwrap();
    recording.flush().await.unwrap();
    let mut live = reader(&ledger, &id).await;
    let mut kinds = Vec::new();
    let mut pairs = Vec::new();
    while let Some(record) = live.next_record().await.unwrap() {
        match record {
            TapeRecord::Init(init) => {
                assert_eq!(init.custody, recording.custody());
                assert_eq!(init.header.session_id.as_deref(), Some(&b"session-1"[..]));
                assert!(init.header.started_wall_ns.is_some(), "created_at");
                kinds.push("init");
            }
            TapeRecord::Frame(record) => {
                assert!(record.frame.wall_ns.is_some() && record.frame.t_ns.is_some());
                kinds.push("frame");
            }
            TapeRecord::Correlation(pair) => {
                pairs.push((pair.id(), pair.request_t_ms, pair.response_t_ms, pair.rtt_ms(), pair.status));
                kinds.push("correlation");
            }
            TapeRecord::Checkpoint(mark) => {
                let (log, _) = ledger.log(&ann(), 0..u64::MAX).await.unwrap();
                let named = log.iter().find(|line| line.kind == EntryKind::RECORDING_MARK).unwrap();
                assert_eq!(named.body, Body::RecordingMark { frames: 5, root: mark.root }, "the log names the same");
                assert!(mark.frames == 5 && mark.wall_ns > 0);
                kinds.push("checkpoint");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(mark > 0);
    assert_eq!(
        kinds.join(" "),
        "init frame frame correlation frame frame correlation frame checkpoint frame correlation"
    );
    use CorrelationStatus::{Error, Success, Timeout};
    assert_eq!(
        pairs,
        [
            ("corr-0-1".to_owned(), Some(0), Some(7), Some(7), Success),
            ("corr-2-3".to_owned(), Some(10), Some(25), Some(15), Error),
            ("corr-4-4".to_owned(), Some(30), None, None, Timeout),
        ],
        "true times, and no zeros"
    );
    live.close().await.unwrap();
    let finished = recording.finalize(EndState::Clean).await.unwrap();
    let tape = ledger.open_tape(&ann(), &finished.receipt.tape.to_text(), None).await.unwrap();
    let (header, frames) = (tape.header().clone(), tape.collect(FrameSelection::All).unwrap());
    tape.finish().await.unwrap();
    assert_eq!(header.protocol.as_deref(), Some(&b"2025-11-25"[..]));
    as_the_file_spells_it(&header, &frames);
    ledger.close().await.unwrap();
}

fn as_the_file_spells_it(header: &immutape::tape::Header, frames: &[Frame]) {
    let files = export(ExportFormat::TapeV2Jsonl, header, frames).unwrap();
    let text = String::from_utf8(files.file).unwrap();
    let lines: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let of = |kind: &str| lines.iter().filter(|l| l["type"] == kind).cloned().collect::<Vec<_>>();
    let [init] = &of("init")[..] else { panic!("{text}") };
    assert_eq!((&init["version"], &init["session_id"]), (&"2.0".into(), &"session-1".into()));
    assert_eq!(init["protocol_version"], "2025-11-25");
    assert!(init["tape_id"].is_string() && init["created_at"].is_string(), "{init}");
    let written = of("frame");
    assert_eq!(written.len(), 5, "the marker of the timeout stands beside the tape");
    assert!(
        written.iter().all(|f| f["seq"].is_u64() && f["ts"].is_u64() && f["dir"].is_string() && f["env"].is_object())
    );
    let pairs = of("correlation");
    assert_eq!((&pairs[1]["id"], &pairs[1]["rtt_ms"]), (&"corr-2-3".into(), &15.into()));
    assert_eq!((&pairs[1]["status"], pairs.len()), (&"error".into(), 2));
    let [checkpoint] = &of("checkpoint")[..] else { panic!("{text}") };
    assert!(checkpoint["seq"].is_u64() && checkpoint["checkpoint_at"].is_string(), "{checkpoint}");
    assert_eq!(files.exported.beside, 1);
}

fn known(metadata: &TapeMetadata) -> (Labels, Option<Vec<u8>>, Option<Vec<u8>>) {
    let h = &metadata.header;
    (h.labels.clone(), h.transport.clone(), h.environment.clone())
}

/// T7 to T9: statuses, what is known of a tape, and its counts, while it is recorded and after.
#[tokio::test]
async fn t7_to_t9_metadata_status_and_counts_are_exact() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let mut options = durable("metadata", Durability::Each);
    options.header.labels.description = Some(b"about".to_vec());
    options.header.labels.tags = vec![b"a".to_vec(), b"b".to_vec()];
    options.header.transport = Some(br#"{"type":"stdio"}"#.to_vec());
    options.header.environment = Some(br#"{"platform":"linux"}"#.to_vec());
    let recording = writer(&ledger, options).await;
    assert_eq!(recording.status(), TapeStatus::Recording);
    // A made tape: round trips of 4, 6 and 11 ms, one request open, nine frames in 40 ms.
    for made in [
        request(1, 0),
        answer(1, 4),
        request(2, 10),
        request(3, 12),
        answer(2, 16),
        answer(3, 23),
        frame(Down, 30, r#"{"method":"notifications/message"}"#),
        frame(Down, 35, r#"{"id":99,"result":{"isError":true}}"#),
        request(4, 40),
    ] {
        recording.write_frame(made).await.unwrap();
    }
    recording.pause().unwrap();
    assert_eq!((recording.status(), recording.status().word()), (TapeStatus::Paused, "paused"));
    assert_eq!(recording.write_frame(request(5, 41)).await.unwrap(), None);
    recording.resume().unwrap();
    assert_eq!(recording.status(), TapeStatus::Recording);
    recording.checkpoint().await.unwrap().unwrap();
    recording.flush().await.unwrap();
    let live = recording.metadata();
    let s = live.stats;
    assert_eq!((s.frames, s.duration_ms, s.client_to_server, s.server_to_client), (9, Some(40), 4, 5));
    assert_eq!((s.requests, s.responses, s.notifications), (4, 4, 1), "message_counts");
    assert_eq!((s.errors, s.correlations, s.unanswered), (1, 3, 1));
    assert_eq!((live.durable_frames, live.lost_frames, live.checkpoints, live.tape), (9, 1, 1, None));
    assert!(live.spooled_bytes > s.payload_bytes, "file_size_bytes");
    let p = live.performance;
    assert_eq!((p.round_trips, p.min_rtt_ms, p.max_rtt_ms), (3, 4, 11));
    assert!((p.avg_rtt_ms - 7.0).abs() < 1e-9 && (p.messages_per_second - 225.0).abs() < 1e-9, "{p:?}");
    let id = recording.custody().to_hex();
    let mut follower = reader(&ledger, &id).await;
    assert_eq!(seqs(&mut follower).await, (0..9).collect::<Vec<_>>());
    let followed = follower.metadata();
    assert_eq!((followed.stats, followed.performance, followed.checkpoints), (s, p, 1), "who follows counts the same");
    assert_eq!((known(&followed), &followed.status), (known(&live), &TapeStatus::Recording));
    let finished = recording.finalize(EndState::Clean).await.unwrap();
    while follower.follow().await.unwrap().is_some() {}
    assert_eq!(follower.metadata().status, TapeStatus::Finalized);
    follower.close().await.unwrap();
    let mut tape = reader(&ledger, &finished.receipt.tape.to_text()).await;
    while tape.next_record().await.unwrap().is_some() {}
    let sealed = tape.metadata();
    assert_eq!((sealed.tape, sealed.custody.to_hex()), (Some(finished.receipt.tape), id));
    assert_eq!((known(&sealed), &sealed.status), (known(&live), &TapeStatus::Finalized));
    assert_eq!((sealed.stats, sealed.performance, sealed.header.stats), (s, p, s));
    assert!(sealed.header.started_wall_ns <= sealed.header.ended_wall_ns, "created_at, finalized_at");
    tape.close().await.unwrap();
    // The end that a recorder tells of is an error's, too.
    let broken = writer(&ledger, RecordingOptions::named("error")).await;
    let finished = broken.finalize(EndState::Error(b"it broke".to_vec())).await.unwrap();
    let tape = reader(&ledger, &finished.receipt.tape.to_text()).await;
    assert_eq!(tape.metadata().status, TapeStatus::Error("it broke".into()));
    tape.close().await.unwrap();
    ledger.close().await.unwrap();
}

/// T10: frames are numbered as they come, and one costs the spool the same however many there were before.
#[tokio::test]
async fn t10_a_frame_costs_the_same_however_long_the_recording_is() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let mut options = durable("o1", Durability::Each);
    options.mark_frames = u64::MAX;
    let recording = writer(&ledger, options).await;
    let path = folder.path().join("ledger/spool").join(recording.custody().to_hex());
    let (mut last, mut costs) = (std::fs::metadata(&path).unwrap().len(), Vec::new());
    for n in 0..400 {
        assert_eq!(recording.write_frame(answer(1, 1)).await.unwrap(), Some(n));
        let now = std::fs::metadata(&path).unwrap().len();
        costs.push(now - last);
        last = now;
    }
    let (least, most) = (costs.iter().min().unwrap(), costs.iter().max().unwrap());
    assert!(*most < least + 64, "{least} to {most} bytes a frame");
    recording.finalize(EndState::Clean).await.unwrap();
    ledger.close().await.unwrap();
}

/// T16: what is usual. A mark every minute or 1,000 frames comes by itself.
#[tokio::test]
async fn t16_marks_come_by_themselves_after_so_many_frames() {
    let usual = RecordingOptions::named("x");
    assert_eq!((usual.mark_every, usual.mark_frames), (Duration::from_secs(60), 1_000));
    assert_eq!(usual.durability, Durability::Interval(Duration::from_millis(50)));
    assert_eq!((usual.part_every, usual.part_bytes), (Duration::from_secs(86_400), 1 << 30));
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let mut options = durable("marks", Durability::Interval(Duration::from_millis(1)));
    options.mark_frames = 10;
    let recording = writer(&ledger, options).await;
    for n in 0..10 {
        recording.write_frame(request(n, n)).await.unwrap();
    }
    for _ in 0..5_000 {
        if recording.metadata().checkpoints > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(recording.metadata().checkpoints, 1);
    let finished = recording.finalize(EndState::Clean).await.unwrap();
    assert_eq!(finished.marks, 1);
    ledger.close().await.unwrap();
}

/// T11, T12 and T14: readers, their counts, and what is said of ids that nothing has.
#[tokio::test]
async fn t12_a_manager_keeps_count_of_recordings_and_their_readers() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let (manager, _) = TapeManager::start(LedgerAccess::open(ledger.clone()), ann(), clock()).await.unwrap();
    let mut ids = Vec::new();
    for n in 0..3 {
        ids.push(manager.start_recording(RecordingOptions::named(&format!("m{n}"))).await.unwrap());
    }
    for (n, id) in ids.iter().enumerate() {
        manager.write_frame(id, request(n as u64, 0)).await.unwrap();
        assert_eq!(manager.metadata(id).unwrap().stats.frames, 1, "each has a handle of its own");
    }
    let (a, b) =
        (manager.follow_tape(&ids[0]).await.unwrap(), manager.open_for_reading(&ids[0].to_hex()).await.unwrap());
    assert_eq!(a.init().header.labels.name.as_deref(), Some(&b"m0"[..]), "the beginning is required, and comes first");
    assert_eq!((manager.reader_count(&ids[0]), manager.reader_count(&ids[1])), (2, 0));
    let counts = manager.counts();
    assert_eq!((counts.recording, counts.paused, counts.failed, counts.readers, counts.started), (3, 0, 0, 2, 3));
    manager.close_reader(a).await.unwrap();
    manager.close_reader(b).await.unwrap();
    for id in &ids {
        manager.stop_recording(id, EndState::Clean).await.unwrap();
        assert_eq!(manager.stop_recording(id, EndState::Clean).await.unwrap_err().code(), Code::NotFound);
        assert_eq!(manager.metadata(id).unwrap_err().code(), Code::NotFound);
    }
    let counts = manager.counts();
    assert_eq!((counts.recording, counts.readers, counts.finished), (0, 0, 3));
    assert_eq!(manager.open_for_reading("0123abcd").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(manager.open_for_reading("no id").await.unwrap_err().code(), Code::BadId);
    ledger.close().await.unwrap();
}

/// T17: what the seeds leave for later and is here: a tape is found into by number and by time.
#[tokio::test]
async fn t17_a_tape_is_entered_by_number_and_by_time() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let recording = writer(&ledger, RecordingOptions::named("seek")).await;
    for n in 0..2_500 {
        recording.write_frame(request(n, n)).await.unwrap();
    }
    let finished = recording.finalize(EndState::Clean).await.unwrap();
    let tape = ledger.open_tape(&ann(), &finished.receipt.tape.to_text(), None).await.unwrap();
    let found = |selection| tape.collect(selection).unwrap().iter().map(|f| f.seq).collect::<Vec<_>>();
    assert_eq!(found(FrameSelection::Seq(1_999, 2_001)), [1_999, 2_000, 2_001]);
    assert_eq!(found(FrameSelection::Time(1_234_000_000, 1_235_000_000)), [1_234, 1_235]);
    tape.finish().await.unwrap();
    ledger.close().await.unwrap();
}
