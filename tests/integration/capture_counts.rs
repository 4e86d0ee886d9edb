//! How many recordings there are, from inside and from outside.

use std::sync::Arc;

use immutape::capture::{LedgerAccess, RecordingOptions, StreamingTapeWriter, recover};
use immutape::ledger::{Checker, Health, Ledger, Places, examine};
use immutape::tape::EndState;
use immutape::time::SystemClock;

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
