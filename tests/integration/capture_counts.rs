//! How many recordings there are, from inside and from outside.

use std::sync::Arc;

use immutape::capture::{
    Durability, LedgerAccess, OnStorageFailure, RecordingOptions, StreamingTapeWriter, TapeManager, recover,
};
use immutape::ledger::{Checker, Health, Ledger, Places, examine};
use immutape::tape::EndState;
use immutape::time::SystemClock;

use crate::capture_seeds::{clock, durable, request};
use crate::capture_traps::on_failing;
use crate::support::failing::Op;
use crate::support::ledgers::{ann, create, real};
use crate::support::recordings::frame;

async fn writer(ledger: &Ledger, name: &str) -> StreamingTapeWriter {
    let (access, clock) = (LedgerAccess::open(ledger.clone()), Arc::new(SystemClock::new([7; 16])));
    let writer = StreamingTapeWriter::create(access, ann(), RecordingOptions::named(name), clock).await.unwrap();
    writer.write_frame(frame(0)).await.unwrap();
    writer.flush().await.unwrap();
    writer
}

#[tokio::test]
async fn running_paused_and_left_ones_are_told_apart_and_nothing_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let counts = || ledger.live_counts().map(|c| (c.running, c.paused, c.left)).unwrap();
    let (places, env) = (Places::beneath(folder.path()), real());
    let outside = || {
        let counts = Checker::open(&places, &env).unwrap().live_counts().unwrap();
        (counts.running, counts.paused, counts.left)
    };
    assert_eq!((counts(), outside()), ((0, Some(0), 0), (0, None, 0)));
    let (runs, paused, left) =
        (writer(&ledger, "runs").await, writer(&ledger, "paused").await, writer(&ledger, "left").await);
    let size = ledger.size();
    paused.pause().unwrap();
    paused.flush().await.unwrap();
    assert_eq!((counts(), outside()), ((2, Some(1), 0), (3, None, 0)));
    drop(left);
    // Its syncer lets go of it in its own time.
    for _ in 0..5_000 {
        if counts().2 == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    assert_eq!((counts(), outside()), ((1, Some(1), 1), (2, None, 1)));
    let told = examine(&places, &env).into_iter().find(|c| c.part == "recordings").unwrap();
    assert_eq!(
        (told.health, told.words.as_str()),
        (Health::Warning, "1 left by a recorder that is gone, 2 recorded now")
    );
    assert!(told.remedy.is_some_and(|r| r.contains("record --recover")));
    paused.resume().unwrap();
    paused.flush().await.unwrap();
    assert_eq!(counts(), (2, Some(0), 1));
    assert_eq!(ledger.size(), size, "asking left no entry");
    assert_eq!(recover(&ledger, &ann()).await.unwrap().len(), 1);
    for recording in [runs, paused] {
        recording.finalize(EndState::Clean).await.unwrap();
    }
    assert_eq!((counts(), outside()), ((0, Some(0), 0), (0, None, 0)));
    assert!(examine(&places, &env).iter().all(|c| c.part != "recordings"));
    ledger.close().await.unwrap();
}

/// One of two recordings finds its disk full. It is counted as failed from then on and until it is ended, where a failure ends a
/// recording, and as one that takes frames where the session goes on.
#[tokio::test]
async fn a_manager_counts_what_failed_until_it_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, failing) = on_failing(folder.path()).await;
    let (manager, _) = TapeManager::start(LedgerAccess::open(ledger.clone()), ann(), clock()).await.unwrap();
    for (policy, failed) in [(OnStorageFailure::Stop, 1), (OnStorageFailure::ContinueWithGap, 0)] {
        let mut ids = Vec::new();
        for name in ["fails", "goes on"] {
            let mut options = durable(name, Durability::Each);
            options.on_storage_failure = policy;
            let id = manager.start_recording(options).await.unwrap();
            manager.write_frame(&id, request(0, 0)).await.unwrap();
            ids.push(id);
        }
        let counts = || {
            let counts = manager.counts();
            (counts.recording, counts.paused, counts.failed)
        };
        assert_eq!(counts(), (2, 0, 0));
        failing.fail(Op::Write, 0, std::io::ErrorKind::StorageFull);
        let refused = manager.write_frame(&ids[0], request(1, 1)).await;
        assert_eq!(refused.is_err(), failed == 1, "{refused:?}");
        assert!(failing.heal() > 0, "the disk was never full");
        assert_eq!(counts(), (2 - failed, 0, failed), "{policy:?}");
        manager.write_frame(&ids[1], request(1, 1)).await.unwrap();
        for (id, still) in ids.iter().zip([1, 0]) {
            manager.stop_recording(id, EndState::Clean).await.unwrap();
            assert_eq!(counts(), (still, 0, 0), "{policy:?}");
        }
    }
    assert_eq!((manager.counts().started, manager.counts().finished), (4, 4));
    ledger.close().await.unwrap();
}
