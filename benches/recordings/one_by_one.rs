//! One recording as fast as it goes: what a frame costs, however long the recording is.

use std::sync::Arc;
use std::time::{Duration, Instant};

use immutape::capture::{Durability, LedgerAccess, RecordingOptions, StreamingTapeWriter};
use immutape::tape::EndState;
use immutape::time::SystemClock;

use super::report::{Budget, Row, Table};
use super::setup::{World, cpu_seconds, folder, runtime, somebody};
use super::{Sizes, messages, quantile};

/// Frames of one stretch; the last is compared with the first.
const STRETCH: usize = 10_000;
const STRETCHES: usize = 10;

pub fn all(sizes: &Sizes, table: &mut Table) {
    let (folder, runtime, messages) = (folder(), runtime(), messages());
    let (stretch, stretches) = sizes.plan.size((STRETCH / 10, 3), (STRETCH, STRETCHES));
    let (took, cpu_us, seal_us) = runtime.block_on(async {
        let ledger = World::new().create(&folder.path().join("l")).await;
        let mut options = RecordingOptions::named("long");
        options.durability = Durability::Interval(Duration::from_millis(50));
        let access = LedgerAccess::open(ledger.clone());
        let clock = Arc::new(SystemClock::new([7; 16]));
        let writer = StreamingTapeWriter::create(access, somebody(), options, clock).await.unwrap();
        let (mut took, cpu) = (Vec::with_capacity(stretch * stretches), cpu_seconds());
        for n in 0..stretch * stretches {
            let frame = messages[n % messages.len()].clone();
            let start = Instant::now();
            writer.write_frame(frame).await.unwrap();
            took.push(start.elapsed().as_secs_f64() * 1e3);
        }
        let frames = took.len() as f64;
        writer.flush().await.unwrap();
        let cpu_us = (cpu_seconds() - cpu) * 1e6 / frames;
        let start = Instant::now();
        let finished = writer.finalize(EndState::Clean).await.unwrap();
        assert_eq!(finished.receipt.frames as f64, frames);
        let seal_us = start.elapsed().as_secs_f64() * 1e6 / frames;
        ledger.close().await.unwrap();
        (took, cpu_us, seal_us)
    });
    let mut row = |job: &str, unit: &str, figure: f64, budget| {
        table.add(Row::plain("b", job, unit, vec![figure], budget));
    };
    let rate = took.len() as f64 / (took.iter().sum::<f64>() / 1e3);
    row("frames without a pause", "/s", rate, Budget::None);
    let (mut first, mut last) = (took[..stretch].to_vec(), took[took.len() - stretch..].to_vec());
    row("append p50 in the first stretch", "us", quantile(&mut first, 0.5) * 1e3, Budget::None);
    row("append p50 in the last stretch", "us", quantile(&mut last, 0.5) * 1e3, Budget::None);
    row("append p99, all", "ms", quantile(&mut took.clone(), 0.99), Budget::AtMost(1.0));
    row("processor time a frame", "us", cpu_us, Budget::None);
    row("sealing, a frame", "us", seal_us, Budget::None);
}
