//! The traps of the seeds' storage manager, where recordings could have them: it shows what a write left in memory before the write
//! succeeded, it labels what it counts with keys, it looks after its health inside every write, and exactly at the limit of a size
//! its sum comes to nothing.
//!
//! Two more limits are held to the byte beside the code, `src/capture/writing/tests.rs`. The one trap that no test is for is a
//! policy that calls what is not there: it does not compile. What a save that failed leaves to be seen is in `ledger_fail`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use immutape::Code;
use immutape::capture::{Durability, LedgerAccess, OnStorageFailure, TapeManager};
use immutape::codec::limits::FRAME_PAYLOAD_BYTES_MAX;
use immutape::keyring::OsRandom;
use immutape::ledger::{Environment, FrameSelection, Ledger, Places};
use immutape::store::embedded::EmbeddedEngine;
use immutape::store::memory::rows::MemoryRows;
use immutape::tape::{Direction, EndState, Frame, flags};

use crate::capture_seeds::{clock, durable, reader, request, seqs, writer};
use crate::capture_traps::on_failing;
use crate::support::failing::{Failing, Op};
use crate::support::ledgers::{Heard, ann, create, real};

/// The sample puts a value into its cache and then writes it. Here nobody is shown a frame that the disk did not take, though it
/// waits in the recorder's memory, and everybody is once it did.
#[tokio::test]
async fn what_waits_in_memory_is_shown_to_nobody_before_the_disk_took_it() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, failing) = on_failing(folder.path()).await;
    let mut options = durable("cache", Durability::Interval(Duration::from_secs(3_600)));
    options.on_storage_failure = OnStorageFailure::ContinueWithGap;
    let recording = writer(&ledger, options).await;
    let id = recording.custody().to_hex();
    recording.write_frame(request(0, 0)).await.unwrap();
    recording.flush().await.unwrap();
    let mut follower = reader(&ledger, &id).await;
    assert_eq!(seqs(&mut follower).await, [0]);
    failing.fail(Op::Write, 0, std::io::ErrorKind::StorageFull);
    assert_eq!(recording.write_frame(request(1, 1)).await.unwrap(), Some(1), "it was taken");
    assert_eq!(recording.flush().await.unwrap_err().code(), Code::StoreFull);
    let mut late = reader(&ledger, &id).await;
    assert_eq!(
        (seqs(&mut follower).await, seqs(&mut late).await),
        (vec![], vec![0]),
        "not who reads on, nor who comes"
    );
    assert_eq!(recording.metadata().durable_frames, 1);
    assert!(failing.heal() > 0, "the disk was never full");
    recording.flush().await.unwrap();
    assert_eq!((seqs(&mut follower).await, seqs(&mut late).await), (vec![1], vec![1]));
    for reader in [follower, late] {
        reader.close().await.unwrap();
    }
    let finished = recording.finalize(EndState::Clean).await.unwrap();
    assert_eq!((finished.receipt.frames, finished.header.gaps.len()), (2, 0));
    ledger.close().await.unwrap();
}

/// Each event without its numbers: what an exporter would make a series of its own of.
fn series(heard: &Heard) -> BTreeSet<String> {
    let events = heard.0.lock().unwrap();
    events.iter().map(|event| format!("{event:?}").replace(|c: char| c.is_ascii_digit(), "")).collect()
}

/// The sample labels its metrics with keys, so that there are as many series as keys, and whoever sees them sees those. Here there
/// are as many after thirty recordings as there are kinds of events, and none names one.
#[tokio::test]
async fn what_is_counted_names_no_recording_and_grows_with_none() {
    let folder = tempfile::tempdir().unwrap();
    let heard = Arc::new(Heard::default());
    let environment = real().observer(heard.clone());
    let ledger = Ledger::create(Places::beneath(folder.path()), environment, "test", false).await.unwrap();
    let (manager, _) = TapeManager::start(LedgerAccess::open(ledger.clone()), ann(), clock()).await.unwrap();
    let mut secrets = vec!["ann".to_owned(), folder.path().display().to_string()];
    for n in 0..30 {
        let name = format!("recording of quartz {n}");
        let id = manager.start_recording(durable(&name, Durability::Each)).await.unwrap();
        let payload = format!(r#"{{"id":{n},"method":"obsidian-{n}"}}"#);
        manager.write_frame(&id, Frame::message(0, Direction::ClientToServer, payload.into_bytes())).await.unwrap();
        let mut follower = manager.follow_tape(&id).await.unwrap();
        assert_eq!(seqs(&mut follower).await, [0]);
        manager.close_reader(follower).await.unwrap();
        let counts = format!("{:?} {manager:?}", manager.counts());
        assert!(!counts.contains(&id.to_hex()) && !counts.contains("quartz"), "{counts}");
        let tape = manager.stop_recording(&id, EndState::Clean).await.unwrap().receipt.tape;
        ledger.open_tape(&ann(), &tape.to_text(), None).await.unwrap().finish().await.unwrap();
        secrets.extend([id.to_hex(), tape.to_text()]);
    }
    secrets.extend(["quartz".to_owned(), "obsidian".to_owned()]);
    ledger.close().await.unwrap();
    let said: Vec<String> = heard.0.lock().unwrap().iter().map(|event| format!("{event:?}")).collect();
    for kind in ["Opened", "Saved", "Granted", "Committed"] {
        assert!(said.iter().filter(|event| event.starts_with(kind)).count() >= 30, "{kind} was not heard of each");
    }
    let leaks: Vec<_> = said.iter().filter(|event| secrets.iter().any(|secret| event.contains(secret))).collect();
    assert!(leaks.is_empty(), "{leaks:?}");
    assert!(series(&heard).len() < 10, "{:?}", series(&heard));
}

const OPERATIONS: [Op; 9] =
    [Op::Open, Op::Create, Op::Write, Op::Read, Op::Sync, Op::SyncDir, Op::Punch, Op::List, Op::Remove];

/// The sample checks its health inside every write. Here a frame costs its own write and its own sync, or nothing at all until
/// its time has come: nothing is opened, listed, read or looked at, in the whole ledger.
#[tokio::test]
async fn a_frame_asks_the_disk_for_its_own_write_and_sync_and_for_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let files = Failing::default();
    let engine = EmbeddedEngine::new(Arc::new(files.clone())).with_rows(Arc::new(MemoryRows::new()));
    let environment = Environment::new(Arc::new(engine), Arc::new(files.clone()), clock(), Arc::new(OsRandom));
    let ledger = Ledger::create(Places::beneath(folder.path()), environment, "test", false).await.unwrap();
    for (durability, each) in [(Durability::Each, 1), (Durability::Interval(Duration::from_secs(3_600)), 0)] {
        let recording = writer(&ledger, durable("cost", durability)).await;
        recording.write_frame(request(0, 0)).await.unwrap();
        let counted = || OPERATIONS.map(|op| files.count(op));
        let before = counted();
        assert!(before.iter().sum::<u64>() > 10, "nothing was counted: {before:?}");
        for n in 1..=200 {
            recording.write_frame(request(n, n)).await.unwrap();
        }
        let asked: Vec<_> = OPERATIONS.into_iter().zip(before.into_iter().zip(counted())).collect();
        for (op, (before, after)) in asked {
            let own = if matches!(op, Op::Write | Op::Sync) { 200 * each } else { 0 };
            assert_eq!(after - before, own, "{op:?}, {durability:?}");
        }
        recording.finalize(EndState::Clean).await.unwrap();
    }
    ledger.close().await.unwrap();
}

/// The sample frees `len - limit` bytes: nothing at the limit, where there is no room either. Here a frame of exactly as many bytes
/// as one may have is one frame, and with one byte more it is two, of which the second has that byte.
#[tokio::test]
async fn a_frame_of_exactly_the_limit_is_one_and_one_byte_more_makes_two() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let recording = writer(&ledger, durable("limit", Durability::default())).await;
    let payload = |bytes: usize| (0..bytes).map(|n| b"abcdefg"[n % 7]).collect::<Vec<u8>>();
    for (bytes, first) in [(FRAME_PAYLOAD_BYTES_MAX, 0), (FRAME_PAYLOAD_BYTES_MAX + 1, 1)] {
        let taken = recording.write_frame(Frame::message(0, Direction::ServerToClient, payload(bytes))).await.unwrap();
        assert_eq!(taken, Some(first));
    }
    let finished = recording.finalize(EndState::Clean).await.unwrap();
    let tape = ledger.open_tape(&ann(), &finished.receipt.tape.to_text(), None).await.unwrap();
    let frames = tape.collect(FrameSelection::All).unwrap();
    let shape: Vec<_> = frames.iter().map(|f| (f.payload.len(), f.has(flags::CONTINUED))).collect();
    assert_eq!(shape, [(FRAME_PAYLOAD_BYTES_MAX, false), (FRAME_PAYLOAD_BYTES_MAX, true), (1, false)]);
    assert!(frames[0].payload == payload(FRAME_PAYLOAD_BYTES_MAX), "the first is whole");
    let second = [&frames[1].payload[..], &frames[2].payload].concat();
    assert!(second == payload(FRAME_PAYLOAD_BYTES_MAX + 1), "and so is the second, over its two frames");
    tape.finish().await.unwrap();
    ledger.close().await.unwrap();
}
