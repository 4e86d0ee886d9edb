//! Reading a random small tape with its entries, against the same reading with entries in the format's own path, and with
//! none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use immutape::codec::digest::CustodyId;
use immutape::ledger::{FrameSelection, Ledger};
use immutape::log::Body;

use super::bare::Bare;
use super::format::FormatLog;
use super::material::{Dice, Material, save};
use super::raw::RawJournal;
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

    let log = FormatLog::start(RawJournal::new(&folder.path().join("format")), |_| {});
    let (mut costs, mut entry_cpu, mut rates, mut a_read) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut to_format = Vec::new();
    for _ in 0..plan.rounds {
        let (without, in_format, with, entries) = plan.quiet.round(|| {
            let parts = (log.clone(), bare.clone(), ids.clone());
            let in_format = runtime.block_on(half(plan, move |n| {
                let (log, bare, ids) = parts.clone();
                async move { read_in_format(&log, &bare, &ids[n % ids.len()]).await }
            }));
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
            (without, in_format, with, world.counter.now().since(before).entries as f64)
        });
        to_format.push((with.rate, in_format.rate));
        costs.push(1.0 - with.rate / without.rate);
        entry_cpu.push((with.cpu_us - without.cpu_us) * with.reads / entries);
        rates.push((with.rate, without.rate));
        a_read.push(entries / with.reads);
    }
    let job = format!("read a 10 KB tape with its entries ({} a read), {READERS} readers", number(median(&a_read)));
    table.add(Row::ratio("h", &job, "/s", &to_format, Budget::AtLeast(0.75)));
    table.add(Row::ratio("h", "the same; bound: no entries", "/s", &rates, Budget::None));
    table.add(Row::plain("h", "what the entries cost of the reads", "", costs, Budget::None));
    table.add(Row::plain("h", "processor time an entry", "us", entry_cpu, Budget::None));
    runtime.block_on(ledger.close()).unwrap();
}

/// The entry that grants is durable before a byte leaves; the one that says how much was given follows
/// when the reader is dropped.
async fn read(ledger: &Ledger, id: &str) {
    let reader = ledger.open_tape(&somebody(), id, None).await.unwrap();
    assert!(!reader.collect(FrameSelection::All).unwrap().is_empty());
}

/// The same reading with its two entries in the format's own path.
async fn read_in_format(log: &FormatLog, bare: &Bare, id: &str) {
    let custody = CustodyId::from_bytes([7; 32]);
    log.append(custody, Body::AccessGranted, |_| {}).await;
    assert!(!bare.read(id).is_empty());
    let _nobody_waits = log.ask(custody, Body::AccessCompleted { grant: 1 }, |p| p.bytes = Some(10_000)).await;
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
