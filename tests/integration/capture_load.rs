//! Many recordings at once: each becomes a tape with all of its frames, in the memory that is stated; and where nothing is
//! recorded, nothing is paid for it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use immutape::capture::{LedgerAccess, RecordingOptions, StreamingTapeWriter, TapeManager, recover};
use immutape::codec::digest::Digest;
use immutape::evidence::Verdict;
use immutape::keyring::OsRandom;
use immutape::ledger::{CheckOptions, Environment, FrameSelection, Ledger, Places};
use immutape::store::embedded::EmbeddedEngine;
use immutape::store::memory::rows::MemoryRows;
use immutape::tape::{Direction, EndState, Frame};
use immutape::time::SystemClock;

use crate::support::failing::{Failing, Op};
use crate::support::ledgers::{ann, create};
use crate::support::skipped;

const RECORDINGS: u64 = 200;
const FRAMES: u64 = 200;
/// Frames of each that wait for the disk at most.
const WAITING: u64 = 20;
/// What `docs/performance.md` states of a recording.
const EACH_KIB: u64 = 100;

fn clock() -> Arc<SystemClock> {
    Arc::new(SystemClock::new([7; 16]))
}

/// Message `k` of session `n`: no two sessions say the same.
fn message(n: u64, k: u64) -> Frame {
    let (direction, rest) = match k % 2 {
        0 => (Direction::ClientToServer, r#""method":"tools/call","params":{"name":"t","arguments":{"path":"#),
        _ => (Direction::ServerToClient, r#""result":{"content":[{"type":"text","text":"#),
    };
    let end = if k.is_multiple_of(2) { "}}}" } else { "}]}}" };
    let text =
        format!(r#"{{"jsonrpc":"2.0","id":{},{rest}"session {n} message {k} {}"{end}"#, k / 2, "and so on ".repeat(30));
    Frame::message(0, direction, text.into_bytes())
}

/// Kilobytes in memory; `None` where the system does not tell.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Does something with each of many at the same time, and waits for all.
async fn all<T: Send + 'static>(each: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>) -> Vec<T> {
    let tasks: Vec<_> = each.into_iter().map(tokio::spawn).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    done
}

async fn record(manager: TapeManager, n: u64) -> (u64, immutape::codec::digest::CustodyId) {
    (n, manager.start_recording(RecordingOptions::named(&format!("session {n}"))).await.unwrap())
}

async fn flush(writer: Arc<StreamingTapeWriter>) {
    writer.flush().await.unwrap();
}

/// In a process of its own: what others hold is none of theirs.
#[test]
#[ignore = "started by the test below"]
fn two_hundred_at_once_child() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let ledger = create(folder.path()).await;
        let access = LedgerAccess::open(ledger.clone());
        let (manager, recovered) = TapeManager::start(access, ann(), clock()).await.unwrap();
        assert!(recovered.is_empty());
        // What the first of all recordings takes is taken once.
        let (n, first) = record(manager.clone(), RECORDINGS).await;
        for k in 0..FRAMES {
            manager.write_frame(&first, message(n, k)).await.unwrap();
        }
        manager.stop_recording(&first, EndState::Clean).await.unwrap();

        let before = resident_kib();
        let recordings = all((0..RECORDINGS).map(|n| record(manager.clone(), n))).await;
        assert_eq!(manager.counts().recording, RECORDINGS);
        // In turns, as sessions beside each other come; what waits for the disk is not what is measured.
        for k in 0..FRAMES {
            for (n, id) in &recordings {
                assert_eq!(manager.write_frame(id, message(*n, k)).await.unwrap(), Some(k));
            }
            if k % WAITING == WAITING - 1 {
                all(recordings.iter().map(|(_, id)| flush(manager.writer(id).unwrap()))).await;
            }
        }
        let each = before.and_then(|before| Some(resident_kib()?.saturating_sub(before) / RECORDINGS));
        let stop = |(n, id)| {
            let manager = manager.clone();
            async move { (n, manager.stop_recording(&id, EndState::Clean).await.unwrap()) }
        };
        let finished = all(recordings.into_iter().map(stop)).await;
        let tapes: BTreeSet<_> = finished.iter().map(|(_, f)| f.receipt.tape).collect();
        let frames: u64 = finished.iter().map(|(_, f)| f.receipt.frames).sum();
        let pairs: u64 = finished.iter().map(|(_, f)| f.header.stats.correlations).sum();
        assert!(finished.iter().all(|(_, f)| f.header.gaps.is_empty()));
        for (n, finished) in finished.iter().step_by(40) {
            check(&ledger, *n, &finished.receipt.tape.to_text()).await;
        }
        assert!(ledger.spooled().unwrap().is_empty());
        let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
        assert_eq!(report.verdict(), Verdict::Intact);
        ledger.close().await.unwrap();
        println!(
            "tapes={} frames={frames} pairs={pairs} each={}",
            tapes.len(),
            each.map_or("?".into(), |e| e.to_string())
        );
    });
}

async fn check(ledger: &Ledger, n: u64, tape: &str) {
    let reader = ledger.open_tape(&ann(), tape, None).await.unwrap();
    let frames = reader.collect(FrameSelection::All).unwrap();
    let payloads: Vec<_> = frames.iter().map(|f| (f.seq, f.payload.clone())).collect();
    let wanted: Vec<_> = (0..FRAMES).map(|k| (k, message(n, k).payload)).collect();
    assert!(payloads == wanted, "session {n} is what was said in it");
    reader.finish().await.unwrap();
}

#[test]
fn two_hundred_at_once_become_tapes_of_all_frames_in_little_memory() {
    let out = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "capture_load::two_hundred_at_once_child", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    let value = |name: &str| {
        let at = text.find(name).unwrap_or_else(|| panic!("no {name} in {text}")) + name.len();
        text[at..].split_whitespace().next().unwrap().parse::<u64>()
    };
    assert_eq!(value("tapes="), Ok(RECORDINGS));
    assert_eq!(value("frames="), Ok(RECORDINGS * FRAMES));
    assert_eq!(value("pairs="), Ok(RECORDINGS * FRAMES / 2));
    match value("each=") {
        Ok(kib) => assert!(kib > 0 && kib < EACH_KIB, "{kib} KiB for each recording"),
        Err(_) => skipped("memory is not known on this system"),
    }
}

#[tokio::test]
async fn a_start_without_spools_makes_no_entry_and_opens_nothing_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let files = Failing::default();
    let env = Environment::new(
        Arc::new(EmbeddedEngine::new(Arc::new(files.clone())).with_rows(Arc::new(MemoryRows::new()))),
        Arc::new(files.clone()),
        clock(),
        Arc::new(OsRandom),
    )
    .build(Digest::from_bytes([3; 32]));
    let ledger = Ledger::create(Places::beneath(folder.path()), env, "test", false).await.unwrap();
    let spool = folder.path().join("ledger/spool");
    assert!(!spool.exists(), "nothing was recorded yet");
    // Without the folder, and with one that is empty again.
    for is_there in [false, true] {
        if is_there {
            let access = LedgerAccess::open(ledger.clone());
            let writer = StreamingTapeWriter::create(access, ann(), RecordingOptions::named("one"), clock()).await;
            writer.unwrap().finalize(EndState::Clean).await.unwrap();
            ledger.settle().await.unwrap();
        }
        assert_eq!(spool.exists(), is_there);
        // The writer may make the file of a signed head in the same moment: it opens and reads nothing for that.
        let counted = || [Op::Open, Op::Read].map(|op| files.count(op));
        let (size, before, listed) = (ledger.size(), counted(), files.count(Op::List));
        assert!(recover(&ledger, &ann()).await.unwrap().is_empty());
        assert_eq!(ledger.list_live(&ann()).await.unwrap(), (Vec::new(), None));
        assert_eq!(ledger.find_live("00000000").unwrap(), None);
        assert_eq!(ledger.size(), size, "no entry tells of nothing");
        assert!(before.iter().all(|n| *n > 0), "opening a ledger is counted: {before:?}");
        assert_eq!(counted(), before, "nothing is opened or read");
        assert_eq!(files.count(Op::List), listed + 3);
    }
    ledger.close().await.unwrap();
}

/// Requests that nobody answers for long.
const OPEN: u64 = 2_000;

#[tokio::test]
async fn requests_that_wait_long_take_bounded_memory_and_are_joined_on_the_tape() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let access = LedgerAccess::open(ledger.clone());
    let options = RecordingOptions::named("patient");
    let writer = StreamingTapeWriter::create(access, ann(), options, clock()).await.unwrap();
    let asked = AtomicU64::new(0);
    for n in (0..OPEN).chain(0..OPEN) {
        let (direction, rest) = match asked.fetch_add(1, Ordering::Relaxed) < OPEN {
            true => (Direction::ClientToServer, r#""method":"ping""#),
            false => (Direction::ServerToClient, r#""result":{}"#),
        };
        let text = format!(r#"{{"jsonrpc":"2.0","id":{n},{rest}}}"#);
        writer.write_frame(Frame::message(0, direction, text.into_bytes())).await.unwrap();
    }
    let live = writer.metadata().stats;
    assert_eq!((live.requests, live.responses), (OPEN, OPEN));
    assert!(live.correlations > 0 && live.correlations < OPEN, "not all of them were waited for: {live:?}");
    let finished = writer.finalize(EndState::Clean).await.unwrap();
    assert_eq!((finished.header.stats.correlations, finished.header.stats.unanswered), (OPEN, 0));
    ledger.close().await.unwrap();
}
