//! sled gives up while the ledger is at work, as it does on a full disk: what is acknowledged stays acknowledged, questions are
//! answered from what is right or not at all, and the next opening has it all again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use immutape::error::{Error, Result};
use immutape::evidence::Verdict;
use immutape::ledger::{CheckOptions, Event, Ledger, Places};
use immutape::store::embedded::EmbeddedEngine;
use immutape::store::files::RealFiles;
use immutape::store::memory::rows::MemoryRows;
use immutape::store::{Batch, Rows};
use immutape::{Code, ledger::FrameSelection};

use crate::support::ledgers::{Heard, ann, open, real, save_tape};

/// Rows that take nothing any more once they are told so; what they have stays readable.
#[derive(Default)]
struct Failing {
    rows: MemoryRows,
    fails: AtomicBool,
}

impl Rows for Failing {
    fn apply(&self, batch: Batch, position: &[u8]) -> Result<()> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(Error::new(Code::RowsUnavailable, "no space is left"));
        }
        self.rows.apply(batch, position)
    }
    fn position(&self) -> Result<Option<Vec<u8>>> {
        self.rows.position()
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.rows.get(key)
    }
    fn scan(&self, from: &[u8], to: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> Result<bool>) -> Result<()> {
        self.rows.scan(from, to, each)
    }
    fn floor(&self, floor: &[u8], key: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        self.rows.floor(floor, key)
    }
    fn flush(&self) -> Result<()> {
        self.rows.flush()
    }
    fn reset(&self) -> Result<Option<std::path::PathBuf>> {
        self.rows.reset()
    }
}

#[tokio::test]
async fn rows_that_fail_meanwhile_take_nothing_that_was_acknowledged_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let (rows, heard) = (Arc::new(Failing::default()), Arc::new(Heard::default()));
    let engine = EmbeddedEngine::new(Arc::new(RealFiles)).with_rows(rows.clone());
    let env = real().engine(Arc::new(engine)).observer(heard.clone());
    let ledger = Ledger::create(Places::beneath(folder.path()), env, "test", false).await.unwrap();
    let before = save_tape(&ledger, "git-policies").await.unwrap();
    ledger.settle().await.unwrap();

    rows.fails.store(true, Ordering::SeqCst);
    // Saved and read on record all the same: the journal has what rows do not.
    let after = save_tape(&ledger, "sqlite-crash").await.unwrap();
    let reader = ledger.open_tape(&ann(), &before.tape.to_hex(), None).await.unwrap();
    assert_eq!(reader.collect(FrameSelection::All).unwrap().len() as u64, before.frames);
    reader.finish().await.unwrap();
    // What would have to be answered from rows that are behind is not answered at all.
    let unavailable = [
        ledger.list(&ann()).await.map(drop),
        ledger.log(&ann(), 0..u64::MAX).await.map(drop),
        ledger.custody(&ann(), &before.tape.to_hex()).await.map(drop),
        ledger.open_tape(&ann(), &after.tape.to_hex(), None).await.map(drop),
        ledger.settle().await,
    ];
    for answer in unavailable {
        assert_eq!(answer.map_err(|e| (e.code(), e.hint().is_some())), Err((Code::RowsUnavailable, true)));
    }
    assert_eq!(heard.0.lock().unwrap().iter().filter(|e| **e == Event::RowsFailed).count(), 1, "told once");
    assert!(!heard.0.lock().unwrap().contains(&Event::Broken), "the ledger itself goes on");
    ledger.close().await.unwrap();

    let ledger = open(folder.path()).await.unwrap();
    let (listing, _) = ledger.list(&ann()).await.unwrap();
    let kept: Vec<_> = listing.iter().map(|l| (l.entry, l.custody)).collect();
    assert_eq!(kept, [(before.entry, before.custody), (after.entry, after.custody)]);
    let (report, recorded) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
    recorded.unwrap();
    let (custody, _) = ledger.custody(&ann(), &before.tape.to_hex()).await.unwrap();
    assert!(custody.is_unbroken());
    ledger.close().await.unwrap();
}
