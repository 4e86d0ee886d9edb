//! Reading a random small tape with its entries, against the same reading without.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use immutape::ledger::{FrameSelection, Ledger};

use super::bare::Bare;
use super::material::{Dice, Material, save};
use super::report::{Budget, Row, Table, median, number};
use super::setup::{Plan, World, callers, cpu_seconds, folder, runtime, somebody};

const READERS: usize = 64;

/// Reads a second, their number, processor microseconds a read.
struct Half {
    rate: f64,
    reads: f64,
    cpu_us: f64,
}

pub fn all(plan: &Plan, table: &mut Table) {
    let folder = folder();
    let place = folder.path().join("l");
    let world = World::new();
    let runtime = runtime();
    let ledger = runtime.block_on(world.create(&place));
    let windows = Material::load().windows(64);
    let ids: Vec<String> = (0..plan.size(300, 2_000))
        .map(|n| runtime.block_on(save(&ledger, &windows[n % windows.len()])).tape.to_hex())
        .collect();
    let ids = Arc::new(ids);
    runtime.block_on(ledger.settle()).unwrap();
    let bare = Arc::new(Bare::beside(&world, &place));

    let (mut costs, mut entry_cpu, mut rates, mut a_read) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let (without, with, entries) = plan.quiet.round(|| {
            let bare = (bare.clone(), ids.clone());
            let without = runtime.block_on(half(plan, move |n| {
                let (bare, ids) = bare.clone();
                async move {
                    assert!(!bare.read(&ids[n % ids.len()]).is_empty());
                    // As many readers take turns as wait for the writer in the other half.
                    tokio::task::yield_now().await;
                }
            }));
            let before = world.counter.now();
            let kept = (ledger.clone(), ids.clone());
            let with = runtime.block_on(half(plan, move |n| {
                let (ledger, ids) = kept.clone();
                async move { read(&ledger, &ids[n % ids.len()]).await }
            }));
            runtime.block_on(ledger.settle()).unwrap();
            (without, with, world.counter.now().since(before).entries as f64)
        });
        costs.push(1.0 - with.rate / without.rate);
        entry_cpu.push((with.cpu_us - without.cpu_us) * with.reads / entries);
        rates.push((with.rate, without.rate));
        a_read.push(entries / with.reads);
    }
    let job = format!("read a 10 KB tape with its entries ({} a read), {READERS} readers", number(median(&a_read)));
    table.add(Row::ratio("h", &job, "/s", &rates, Budget::None));
    table.add(Row::plain("h", "what the entries cost of the reads", "", costs, Budget::AtMost(0.35)));
    table.add(Row::plain("h", "processor time an entry", "us", entry_cpu, Budget::AtMost(10.0)));
    runtime.block_on(ledger.close()).unwrap();
}

/// The entry that grants is durable before a byte leaves; the one that says how much was given follows
/// when the reader is dropped.
async fn read(ledger: &Ledger, id: &str) {
    let reader = ledger.open_tape(&somebody(), id, None).await.unwrap();
    assert!(!reader.collect(FrameSelection::All).unwrap().is_empty());
}

async fn half<F, Fut>(plan: &Plan, job: F) -> Half
where
    F: Fn(usize) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    let (before, start) = (cpu_seconds(), Instant::now());
    let next = Arc::new(AtomicU64::new(0));
    let reads = callers(READERS, plan.half_round, move |_| {
        let n = next.fetch_add(1, Ordering::Relaxed);
        job(Dice::new(n + 1).roll(1 << 30))
    });
    let reads = reads.await as f64;
    Half { rate: reads / start.elapsed().as_secs_f64(), reads, cpu_us: (cpu_seconds() - before) * 1e6 / reads }
}
