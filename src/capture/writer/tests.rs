use super::super::syncer::SYNCS_ABREAST;
use super::*;
use crate::keyring::OsRandom;
use crate::ledger::{Environment, Places};
use crate::store::files::RealFiles;
use crate::store::memory::MemoryEngine;
use crate::tape::Direction;
use crate::time::SystemClock;
use std::time::Duration;

async fn ledger(folder: &std::path::Path) -> (Ledger, Arc<dyn Clock>) {
    let clock = Arc::new(SystemClock::new([0; 16]));
    let env = Environment::new(Arc::new(MemoryEngine::new()), Arc::new(RealFiles), clock.clone(), Arc::new(OsRandom));
    (Ledger::create(Places::beneath(folder), env, "test", true).await.unwrap(), clock)
}

async fn begin(ledger: &Ledger, clock: Arc<dyn Clock>, syncer: Syncer) -> Result<StreamingTapeWriter> {
    let (access, ann) = (LedgerAccess::open(ledger.clone()), Who::os_user("ann"));
    StreamingTapeWriter::create_with(access, ann, RecordingOptions::named("t"), clock, syncer).await
}

#[tokio::test]
async fn a_recording_that_nobody_would_make_durable_is_not_begun() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, clock) = ledger(folder.path()).await;
    let runtime = tokio::runtime::Handle::current();
    let without =
        Syncer::with((Duration::from_millis(500), |_| Err(std::io::ErrorKind::WouldBlock.into())), runtime.clone());
    let size = ledger.size();
    let refused = begin(&ledger, clock.clone(), without).await.unwrap_err();
    assert_eq!((refused.code(), ledger.size()), (Code::Io, size), "{refused}");
    assert!(ledger.spooled().unwrap().is_empty(), "nothing was opened");
    // A thread that has ended with its last recording is started again.
    let syncer = Syncer::new(runtime);
    for _ in 0..2 {
        begin(&ledger, clock.clone(), syncer.clone()).await.unwrap().finalize(EndState::Clean).await.unwrap();
    }
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn no_mark_begins_once_a_recording_is_being_ended() {
    let folder = tempfile::tempdir().unwrap();
    let (ledger, clock) = ledger(folder.path()).await;
    let syncer = Syncer::new(tokio::runtime::Handle::current());
    let writer = begin(&ledger, clock, syncer.clone()).await.unwrap();
    writer.write_frame_blocking(Frame::message(0, Direction::Unknown, b"x".to_vec())).unwrap();
    let writing = writer.writing.clone();
    // Somebody else is at the disk: the end has to wait for its turn.
    let mut turns = Vec::new();
    for _ in 0..SYNCS_ABREAST {
        turns.push(syncer.turn().await);
    }
    let ending = tokio::spawn(writer.finalize(EndState::Clean));
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(!ending.is_finished());
    let mark = writing.due_mark(true).unwrap();
    assert!(mark.is_none(), "it could come into the log behind the tape");
    drop(turns);
    assert_eq!(ending.await.unwrap().unwrap().receipt.frames, 1);
    drop(writing);
    ledger.close().await.unwrap();
}
