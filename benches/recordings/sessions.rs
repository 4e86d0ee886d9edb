//! Short sessions back to back.

use std::sync::Arc;
use std::time::Instant;

use immutape::capture::{LedgerAccess, RecordingOptions, TapeManager};
use immutape::ledger::Places;
use immutape::tape::{EndState, Frame};
use immutape::time::SystemClock;

use super::report::{Budget, Row, Table};
use super::setup::{World, cpu_seconds, folder, runtime, somebody};
use super::{Sizes, messages, quantile};

const FRAMES: usize = 20;
/// Sessions that go on beside each other in the second half.
const ABREAST: usize = 16;
/// An opening of the ledger for every act takes longer: fewer are enough.
const FEWER: usize = 10;

pub fn all(sizes: &Sizes, table: &mut Table) {
    let (folder, runtime) = (folder(), runtime());
    let messages = Arc::new(messages());
    let clock = Arc::new(SystemClock::new([7; 16]));
    let place = folder.path().join("l");
    let world = World::new();
    let ledger = runtime.block_on(world.create(&place));
    let start = |access| async { TapeManager::start(access, somebody(), clock.clone()).await.unwrap().0 };
    let manager = runtime.block_on(start(LedgerAccess::open(ledger.clone())));
    let run = |manager: &TapeManager, count, abreast| {
        let tasks =
            (0..abreast).map(|n| runtime.spawn(sessions(manager.clone(), messages.clone(), count / abreast, n)));
        let (start, cpu) = (Instant::now(), cpu_seconds());
        let tasks: Vec<_> = tasks.collect();
        let mut all = Took::default();
        for task in tasks {
            let took = runtime.block_on(task).unwrap();
            all.open.extend(took.open);
            all.seal.extend(took.seal);
            all.whole.extend(took.whole);
        }
        all.rate = all.whole.len() as f64 / start.elapsed().as_secs_f64();
        all.cpu_ms = (cpu_seconds() - cpu) * 1e3 / all.whole.len() as f64;
        all
    };
    add(table, "ledger open", run(&manager, sizes.sessions, 1));
    add(table, "ledger open, 16 abreast", run(&manager, sizes.sessions, ABREAST));
    drop(manager);
    runtime.block_on(ledger.close()).unwrap();
    let visits = LedgerAccess::visits(Places::beneath(&place), world.env.clone());
    let manager = runtime.block_on(start(visits));
    add(table, "visits", run(&manager, (sizes.sessions / FEWER).max(10), 1));
}

#[derive(Default)]
struct Took {
    open: Vec<f64>,
    seal: Vec<f64>,
    whole: Vec<f64>,
    rate: f64,
    cpu_ms: f64,
}

async fn sessions(manager: TapeManager, messages: Arc<Vec<Frame>>, count: usize, offset: usize) -> Took {
    let mut took = Took::default();
    for n in 0..count {
        let start = Instant::now();
        let id = manager.start_recording(RecordingOptions::named("short")).await.unwrap();
        took.open.push(start.elapsed().as_secs_f64() * 1e3);
        for k in 0..FRAMES {
            let frame = messages[(offset * 101 + n * FRAMES + k) % messages.len()].clone();
            manager.write_frame(&id, frame).await.unwrap();
        }
        let seal = Instant::now();
        let finished = manager.stop_recording(&id, EndState::Clean).await.unwrap();
        assert_eq!(finished.receipt.frames, FRAMES as u64);
        took.seal.push(seal.elapsed().as_secs_f64() * 1e3);
        took.whole.push(start.elapsed().as_secs_f64() * 1e3);
    }
    took
}

fn add(table: &mut Table, how: &str, mut took: Took) {
    let mut row = |job: &str, unit: &str, figure: f64, budget| {
        table.add(Row::plain("c", &format!("{how}: {job}"), unit, vec![figure], budget));
    };
    row("sessions an hour", "", took.rate * 3_600.0, Budget::AtLeast(1_000.0));
    row("session p50", "ms", quantile(&mut took.whole, 0.5), Budget::None);
    row("session p99", "ms", quantile(&mut took.whole, 0.99), Budget::None);
    row("opening p50", "ms", quantile(&mut took.open, 0.5), Budget::AtMost(10.0));
    row("sealing p50", "ms", quantile(&mut took.seal, 0.5), Budget::AtMost(10.0));
    row("processor time a session", "ms", took.cpu_ms, Budget::None);
}
