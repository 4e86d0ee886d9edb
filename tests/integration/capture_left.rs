//! What recorders leave that are gone: followed to its end, put aside when the log says so, and listed, however much it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use immutape::Code;
use immutape::capture::{
    Durability, LedgerAccess, RecordingOptions, Recovered, StreamingTapeReader, StreamingTapeWriter, recover,
};
use immutape::keyring::OsRandom;
use immutape::ledger::{Environment, Ledger, LiveOptions, Places};
use immutape::log::{Body, EntryKind};
use immutape::store::files::{Files as _, RealFiles};
use immutape::store::memory::MemoryEngine;
use immutape::tape::{Direction, Frame, Header, TapeKind};
use immutape::time::SystemClock;

use crate::support::ledgers::{ann, create};
use crate::support::recordings::until;

/// A recording of some frames whose recorder is gone; its spool.
async fn left(ledger: &Ledger, folder: &Path) -> PathBuf {
    let mut options = RecordingOptions::named("left");
    options.durability = Durability::Each;
    let clock = Arc::new(SystemClock::new([7; 16]));
    let recording =
        StreamingTapeWriter::create(LedgerAccess::open(ledger.clone()), ann(), options, clock).await.unwrap();
    for n in 0..9u8 {
        recording.write_frame(Frame::message(0, Direction::Unknown, vec![n; 50])).await.unwrap();
    }
    recording.checkpoint().await.unwrap().unwrap();
    let spool = folder.join("ledger/spool").join(recording.custody().to_hex());
    drop(recording);
    // Who makes frames durable may look at it for a moment yet.
    assert!(until(|| !RealFiles.is_locked(&spool).unwrap()).await);
    spool
}

async fn refused_spools(ledger: &Ledger) -> usize {
    let (log, _) = ledger.log(&ann(), 0..u64::MAX).await.unwrap();
    let is_it = |body: &Body| matches!(body, Body::IntegrityFailed { what: 6, digest: Some(_), .. });
    log.iter().filter(|line| line.kind == EntryKind::INTEGRITY_FAILED && is_it(&line.body)).count()
}

fn aside(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(folder.join("ledger/quarantine")) else { return Vec::new() };
    entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

/// A file where a folder is to be made: nothing can be put aside.
struct NoQuarantine(PathBuf);

impl NoQuarantine {
    fn new(folder: &Path) -> Self {
        let path = folder.join("ledger/quarantine");
        std::fs::write(&path, b"").unwrap();
        Self(path)
    }
}

impl Drop for NoQuarantine {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

#[tokio::test]
async fn an_altered_spool_that_could_not_be_put_aside_is_by_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let spool = left(&ledger, folder.path()).await;
    let mut bytes = std::fs::read(&spool).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&spool, &bytes).unwrap();
    let shut = NoQuarantine::new(folder.path());
    let recovered = recover(&ledger, &ann()).await.unwrap();
    let [Recovered::Sealed { .. }] = &recovered[..] else { panic!("{recovered:?}") };
    assert_eq!((refused_spools(&ledger).await, spool.exists()), (1, true), "said, and not done");
    let recovered = recover(&ledger, &ann()).await.unwrap();
    let [Recovered::Failed { error, .. }] = &recovered[..] else { panic!("{recovered:?}") };
    assert_eq!((error.code(), spool.exists()), (Code::Io, true), "{error}");
    drop(shut);
    let recovered = recover(&ledger, &ann()).await.unwrap();
    let [Recovered::PutAside { place, .. }] = &recovered[..] else { panic!("{recovered:?}") };
    assert!(place.contains("quarantine"), "{place}");
    assert_eq!((aside(folder.path()), spool.exists()), (vec![bytes], false), "nothing of it was deleted");
    assert_eq!(refused_spools(&ledger).await, 1, "the entry stood already");
    assert!(recover(&ledger, &ann()).await.unwrap().is_empty());
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_whole_spool_that_could_not_be_closed_is_closed_by_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let spool = left(&ledger, folder.path()).await;
    let bytes = std::fs::read(&spool).unwrap();
    recover(&ledger, &ann()).await.unwrap();
    // As after a crash between the commit and the close.
    std::fs::write(&spool, &bytes).unwrap();
    assert!(recover(&ledger, &ann()).await.unwrap().is_empty());
    assert_eq!((aside(folder.path()), spool.exists()), (Vec::new(), false));
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn an_unknown_spool_is_told_of_before_it_is_moved() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let known = left(&ledger, folder.path()).await;
    let (unknown, bytes) = (known.with_file_name("ab".repeat(32)), std::fs::read(&known).unwrap());
    recover(&ledger, &ann()).await.unwrap();
    std::fs::write(&unknown, &bytes).unwrap();
    let shut = NoQuarantine::new(folder.path());
    let recovered = recover(&ledger, &ann()).await.unwrap();
    let [Recovered::Failed { .. }] = &recovered[..] else { panic!("{recovered:?}") };
    assert_eq!((refused_spools(&ledger).await, unknown.exists()), (1, true));
    drop(shut);
    let recovered = recover(&ledger, &ann()).await.unwrap();
    let [Recovered::PutAside { .. }] = &recovered[..] else { panic!("{recovered:?}") };
    assert_eq!((aside(folder.path()), unknown.exists()), (vec![bytes], false));
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn following_ends_when_nobody_records_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let spool = left(&ledger, folder.path()).await;
    let id = spool.file_name().unwrap().to_str().unwrap().to_owned();
    let mut reader = StreamingTapeReader::open(LedgerAccess::open(ledger.clone()), ann(), &id).await.unwrap();
    assert!(reader.is_live() && !reader.is_abandoned());
    let mut frames = 0;
    let all = async {
        while let Some(record) = reader.follow().await.unwrap() {
            frames += u64::from(matches!(record, immutape::capture::TapeRecord::Frame(_)));
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.expect("it is waited for nobody");
    assert_eq!((frames, reader.is_live(), reader.is_abandoned()), (9, true, true));
    // Sealed meanwhile, it has ended.
    recover(&ledger, &ann()).await.unwrap();
    assert_eq!(reader.follow().await.unwrap(), None);
    assert!(!reader.is_live());
    reader.close().await.unwrap();
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn all_recordings_are_listed_however_many() {
    const MANY: usize = 600;
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock::new([7; 16]));
    let env = Environment::new(Arc::new(MemoryEngine::new()), Arc::new(RealFiles), clock, Arc::new(OsRandom));
    let ledger = Ledger::create(Places::beneath(folder.path()), env, "many", false).await.unwrap();
    let mut live = Vec::new();
    for _ in 0..MANY {
        live.push(ledger.open_live(&ann(), LiveOptions::default(), Header::new(TapeKind::Other)).await.unwrap());
    }
    let (listed, entry) = ledger.list_live(&ann()).await.unwrap();
    assert_eq!(listed.len(), MANY);
    let (log, _) = ledger.log(&ann(), 0..u64::MAX).await.unwrap();
    let told: Vec<_> = log
        .iter()
        .filter_map(|line| match line.body {
            Body::Listed { count, .. } => Some((line.index, count)),
            _ => None,
        })
        .collect();
    assert_eq!(told.iter().map(|(_, count)| count).sum::<u64>(), MANY as u64, "{told:?}");
    assert_eq!(told.last().map(|(index, _)| *index), entry);
    drop(live);
    ledger.close().await.unwrap();
}
