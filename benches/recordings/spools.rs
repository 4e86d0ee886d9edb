//! What every start and every list costs with spools that are none of theirs, and with none.

use std::sync::Arc;
use std::time::Instant;

use immutape::capture::{LedgerAccess, RecordingOptions, StreamingTapeWriter, recover};
use immutape::ledger::Ledger;
use immutape::time::SystemClock;

use super::report::{Budget, Row, Table};
use super::setup::{World, folder, runtime, somebody};
use super::{Sizes, messages, quantile};

/// Frames in each spool.
const FRAMES: usize = 1_000;
const TRIES: usize = 10;

pub fn all(sizes: &Sizes, table: &mut Table) {
    let (folder, runtime, messages) = (folder(), runtime(), messages());
    let clock = Arc::new(SystemClock::new([7; 16]));
    runtime.block_on(async {
        let ledger = World::new().create(&folder.path().join("l")).await;
        looks(&ledger, "no spools", Budget::AtMost(1.0), table).await;
        let frames = sizes.plan.size(FRAMES / 10, FRAMES);
        let mut writers = Vec::new();
        for n in 0..sizes.recordings {
            let access = LedgerAccess::open(ledger.clone());
            let options = RecordingOptions::named(&format!("session {n}"));
            let writer = StreamingTapeWriter::create(access, somebody(), options, clock.clone()).await.unwrap();
            for k in 0..frames {
                writer.write_frame(messages[(n * 37 + k) % messages.len()].clone()).await.unwrap();
            }
            writer.flush().await.unwrap();
            writers.push(writer);
        }
        looks(&ledger, &format!("{} live recordings", writers.len()), Budget::None, table).await;
        drop(writers);
        // The looking after them ends a moment later.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let start = Instant::now();
        let found = recover(&ledger, &somebody()).await.unwrap();
        assert_eq!(found.len(), sizes.recordings, "every one is sealed");
        let seconds = start.elapsed().as_secs_f64();
        let job = format!("all {} sealed after their recorder was gone", found.len());
        table.add(Row::plain("e", &job, "s", vec![seconds], Budget::None));
        ledger.close().await.unwrap();
    });
}

async fn looks(ledger: &Ledger, how: &str, budget: Budget, table: &mut Table) {
    let (mut recovering, mut listing, mut finding) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TRIES {
        let start = Instant::now();
        assert!(recover(ledger, &somebody()).await.unwrap().is_empty());
        recovering.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        ledger.list_live(&somebody()).await.unwrap();
        listing.push(start.elapsed().as_secs_f64() * 1e3);
        let start = Instant::now();
        ledger.find_live("0123456789").unwrap();
        finding.push(start.elapsed().as_secs_f64() * 1e3);
    }
    let figures = [("recover", &mut recovering), ("list_live", &mut listing), ("find_live", &mut finding)];
    for (job, figures) in figures {
        let figure = quantile(figures, 0.5);
        table.add(Row::plain("e", &format!("{how}: {job}"), "ms", vec![figure], budget));
    }
}
