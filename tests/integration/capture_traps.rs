//! The traps of the seeds' sample code: half a line at the end that is skipped, a flush that is taken for durable, a limit that is
//! looked at when everything is in memory. And what a full disk or a cut does to a recording (rows T1, T8, T14 and T16 of the demands).
//!
//! The limit of a line that a program writes is held beside the code, `src/capture/child/lines.rs`. The traps of the seeds' storage
//! manager are in `capture_store_traps`.

use std::io::{BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use immutape::Code;
use immutape::capture::{Durability, OnStorageFailure, Recovered, TapeStatus, recover};
use immutape::codec::digest::Digest;
use immutape::interchange::{ImportOptions, Importer};
use immutape::keyring::OsRandom;
use immutape::ledger::{Environment, FrameSelection, Ledger, Places};
use immutape::store::embedded::EmbeddedEngine;
use immutape::store::files::RealFiles;
use immutape::store::{Engine, Stores};
use immutape::tape::{Direction, EndState, Frame, GapReason};

use crate::capture_seeds::{clock, durable, reader, request, seqs, writer};
use crate::support::failing::{Failing, Op};
use crate::support::ledgers::{ann, create, open};
use crate::support::trials;

/// T1, and the trap of the sample's `follow`: half a piece at the end is neither shown nor lost nor skipped. It is waited for,
/// and comes whole once the rest is there.
#[tokio::test]
async fn t1_a_half_written_end_is_waited_for_and_never_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let recording = writer(&ledger, durable("half", Durability::Each)).await;
    let custody = recording.custody();
    let path = folder.path().join("ledger/spool").join(custody.to_hex());
    let mut lengths = Vec::new();
    for n in 0..4 {
        recording.write_frame(request(n, n)).await.unwrap();
        lengths.push(std::fs::metadata(&path).unwrap().len());
    }
    assert!(lengths.windows(2).all(|w| w[0] < w[1]), "each frame was to be a piece of its own: {lengths:?}");
    let whole = std::fs::read(&path).unwrap();
    // The writer is gone; what it wrote last comes to the disk byte by byte, as a slow write would let a reader see it.
    drop(recording);
    let until = |bytes: usize| std::fs::write(&path, &whole[..bytes]).unwrap();
    let cuts = [1, 3, 4, 5, 20].map(|more| usize::try_from(lengths[1]).unwrap() + more);
    until(usize::try_from(lengths[1]).unwrap());
    let mut follower = reader(&ledger, &custody.to_hex()).await;
    assert_eq!(seqs(&mut follower).await, [0, 1]);
    for cut in cuts.into_iter().chain([usize::try_from(lengths[2]).unwrap() - 1]) {
        until(cut);
        assert_eq!(seqs(&mut follower).await, [0; 0], "half a frame was shown at {cut} of {lengths:?}");
        assert!(follower.is_live());
    }
    until(usize::try_from(lengths[2]).unwrap());
    assert_eq!(seqs(&mut follower).await, [2], "whole, and once");
    until(whole.len());
    assert_eq!(seqs(&mut follower).await, [3]);
    follower.close().await.unwrap();
    ledger.close().await.unwrap();
}

/// T1: a spool that is cut anywhere gives the frames before the cut, whole, and a tape that says that it was cut.
#[tokio::test]
async fn t1_what_is_cut_off_never_corrupts_what_stands_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let mut made = Vec::new();
    for _ in 0..trials(6) {
        let recording = writer(&ledger, durable("cut", Durability::Each)).await;
        let path = folder.path().join("ledger/spool").join(recording.custody().to_hex());
        let mut lengths = Vec::new();
        for n in 0..6 {
            recording.write_frame(request(n, n)).await.unwrap();
            lengths.push(std::fs::metadata(&path).unwrap().len());
        }
        made.push((recording.custody(), path, lengths));
        drop(recording);
    }
    ledger.close().await.unwrap();
    let mut expected = Vec::new();
    for (n, (custody, path, lengths)) in made.iter().enumerate() {
        let (first, last) = (lengths[0], *lengths.last().unwrap());
        let at = first + (last - first) * n as u64 / made.len() as u64 + 7 * n as u64 % 11;
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..usize::try_from(at.min(last)).unwrap()]).unwrap();
        expected.push((*custody, lengths.iter().filter(|end| **end <= at).count() as u64));
    }
    assert!(expected.iter().any(|(_, frames)| *frames < 6));
    let ledger = open(folder.path()).await.unwrap();
    let recovered = recover(&ledger, &ann()).await.unwrap();
    assert_eq!(recovered.len(), expected.len());
    for one in &recovered {
        let Recovered::Sealed { custody, receipt, is_cut_off: true, .. } = one else { panic!("{one:?}") };
        let (_, frames) = expected.iter().find(|(of, _)| of == custody).unwrap();
        assert_eq!(receipt.frames, *frames);
        let tape = ledger.open_tape(&ann(), &receipt.tape.to_text(), None).await.unwrap();
        assert_eq!(tape.header().gaps[0].reason, GapReason::RecorderStopped);
        let kept = tape.collect(FrameSelection::All).unwrap();
        assert!(kept.iter().zip(0..).all(|(f, n)| f.payload == request(n, n).payload));
        tape.finish().await.unwrap();
    }
    ledger.close().await.unwrap();
}

/// The machine's files, with faults in the spool alone.
struct FailingSpool(Arc<Failing>);

impl Engine for FailingSpool {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn first_group(&self, ledger: &Path) -> immutape::Result<Option<Vec<u8>>> {
        EmbeddedEngine::new(Arc::new(RealFiles)).first_group(ledger)
    }

    fn open(&self, ledger: &Path, state: &Path, origin: Digest) -> immutape::Result<Stores> {
        let failing = EmbeddedEngine::new(self.0.clone()).open(ledger, state, origin)?;
        let real = EmbeddedEngine::new(Arc::new(RealFiles)).open(ledger, state, origin)?;
        Ok(Stores { spool: failing.spool, ..real })
    }
}

pub async fn on_failing(folder: &Path) -> (Ledger, Arc<Failing>) {
    let failing = Arc::new(Failing::default());
    let engine = Arc::new(FailingSpool(failing.clone()));
    let environment = Environment::new(engine, Arc::new(RealFiles), clock(), Arc::new(OsRandom));
    (Ledger::create(Places::beneath(folder), environment, "test", false).await.unwrap(), failing)
}

/// T8 and T14: a full disk is a status and an error with its code, and what was durable before it becomes the tape.
#[tokio::test]
async fn t8_an_error_is_a_status_and_stops_the_recording_only_where_it_is_to() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, failing) = on_failing(folder.path()).await;
    for policy in [OnStorageFailure::Stop, OnStorageFailure::ContinueWithGap] {
        let mut options = durable("full", Durability::Each);
        options.on_storage_failure = policy;
        let recording = writer(&ledger, options).await;
        recording.write_frame(request(0, 0)).await.unwrap();
        failing.fail(Op::Write, 0, std::io::ErrorKind::StorageFull);
        let is_stop = policy == OnStorageFailure::Stop;
        let refused = recording.write_frame(request(1, 1)).await.map_err(|e| e.code());
        assert_eq!(refused, if is_stop { Err(Code::StoreFull) } else { Ok(None) }, "not durable, so not acknowledged");
        assert_eq!(matches!(recording.status(), TapeStatus::Error(_)), is_stop, "{:?}", recording.status());
        assert_eq!(recording.metadata().durable_frames, 1, "what did not come to the disk is not said to be there");
        assert!(failing.heal() > 0, "the disk was never full");
        let next = recording.write_frame(request(2, 2)).await;
        assert_eq!(next.map_err(|e| e.code()), if is_stop { Err(Code::StoreFull) } else { Ok(Some(2)) });
        let finished = recording.finalize(EndState::Clean).await.unwrap();
        // What was taken and could not be written yet is written once there is room: nothing of it is lost.
        assert!(
            finished.receipt.frames >= 1 && (is_stop || finished.receipt.frames == 3),
            "{}",
            finished.receipt.frames
        );
    }
    ledger.close().await.unwrap();
}

/// T16, and the trap of the sample's `flush`: written is not durable. Only a sync makes it so, and only then it is said to be.
#[tokio::test]
async fn t16_a_flush_is_no_sync_and_nothing_is_durable_before_one() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, failing) = on_failing(folder.path()).await;
    let recording = writer(&ledger, durable("os", Durability::Os)).await;
    let before = failing.count(Op::Sync);
    let big = Frame::message(0, Direction::ServerToClient, immutape::store::conformance::objects::noise(5, 64 << 10));
    for _ in 0..20 {
        recording.write_frame(big.clone()).await.unwrap();
    }
    // It is appended to the spool soon, for want of room in memory.
    for _ in 0..2_000 {
        if recording.metadata().spooled_bytes > 128 << 10 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let seen = recording.metadata();
    assert!(seen.spooled_bytes > 128 << 10, "nothing was appended: {}", seen.spooled_bytes);
    assert_eq!((seen.stats.frames, seen.durable_frames), (20, 0), "written, and not said to be durable");
    assert_eq!(failing.count(Op::Sync), before, "nothing was synced");
    recording.flush().await.unwrap();
    assert_eq!(recording.metadata().durable_frames, 20);
    assert!(failing.count(Op::Sync) > before);
    recording.finalize(EndState::Clean).await.unwrap();
    let recording = writer(&ledger, durable("interval", Durability::Interval(Duration::from_secs(3_600)))).await;
    recording.write_frame(request(0, 0)).await.unwrap();
    assert_eq!(recording.metadata().durable_frames, 0, "its time has not come");
    recording.flush().await.unwrap();
    assert_eq!(recording.metadata().durable_frames, 1);
    recording.finalize(EndState::Clean).await.unwrap();
    // Each frame for itself: the sync comes before the answer.
    let recording = writer(&ledger, durable("each", Durability::Each)).await;
    for n in 0..5 {
        let before = failing.count(Op::Sync);
        recording.write_frame(request(n, n)).await.unwrap();
        assert!(failing.count(Op::Sync) > before);
        assert_eq!(recording.metadata().durable_frames, n + 1);
    }
    // A sync that fails makes nothing durable, and is not tried again as if nothing had been.
    failing.fail(Op::Sync, 0, std::io::ErrorKind::Other);
    let refused = recording.write_frame(request(5, 5)).await.unwrap_err();
    assert_eq!((refused.code(), recording.metadata().durable_frames), (Code::Broken, 5));
    assert!(failing.heal() > 0);
    assert_eq!(recording.write_frame(request(6, 6)).await.unwrap_err().code(), Code::Broken);
    drop(recording);
    let _dead = ledger.close().await;
    let ledger = open(folder.path()).await.unwrap();
    let recovered = recover(&ledger, &ann()).await.unwrap();
    let [Recovered::Sealed { receipt, is_cut_off: true, .. }] = &recovered[..] else { panic!("{recovered:?}") };
    assert!((5..=6).contains(&receipt.frames), "the five that were durable, and perhaps the sixth: {}", receipt.frames);
    ledger.close().await.unwrap();
}

/// A line that never ends, and how much of it was asked for.
struct Endless(u64);

impl Read for &mut Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0 += buffer.len() as u64;
        buffer.fill(b'x');
        Ok(buffer.len())
    }
}

/// T16, and the trap of the sample's reader: the limit of a line is enforced while it is read, not once it is in memory.
#[test]
fn t16_the_limit_of_a_line_is_enforced_while_it_is_read() {
    let mut source = Endless(0);
    let start =
        &br#"{"type":"init","version":"2.0","tape_id":"t","session_id":"s","created_at":"2026-11-20T10:19:04.156Z"}
{"type":"frame","seq":0,"ts":0,"env":{"message":{"x":""#[..];
    let input = BufReader::new(start.chain(&mut source));
    let refused = Importer::open(input, ImportOptions::default()).and_then(|mut importer| importer.next_frame());
    assert_eq!(refused.unwrap_err().code(), Code::Limit);
    assert!(source.0 < 12_000_000, "{} bytes were read of a line that may have 10,000,000", source.0);
}
