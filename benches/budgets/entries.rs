//! Durable entries: how many a second, against the format's own path and the raw file, and how long one takes.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use immutape::codec::digest::CustodyId;
use immutape::ledger::Ledger;
use immutape::log::Body;

use super::format::FormatLog;
use super::raw::{self, GroupBytes, RawJournal, RawQueue};
use super::report::{Budget, Row, Table, median, number};
use super::setup::{Counted, Plan, World, append, callers, cpu_seconds, folder, runtime, somebody};

/// A group's header, and the half sector that rounding adds on average.
const GROUP_FIXED_BYTES: f64 = 256.0;

pub fn throughput(plan: &Plan, table: &mut Table) {
    for count in [64, 256] {
        let folder = folder();
        let world = World::new();
        let runtime = runtime();
        let ledger = runtime.block_on(world.create(&folder.path().join("l")));
        let warm = runtime.block_on(ledger_round(&ledger, &world, count, plan));
        let raw = raw::entries(&folder.path().join("raw"), group_bytes(warm.1));
        runtime.block_on(raw_round(&raw, count, plan));
        let format = FormatLog::start(RawJournal::new(&folder.path().join("format")), |_| {});
        let (mut rounds, mut in_format, mut cpu, mut groups) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            let (bound, format, rate, counted, seconds) = plan.quiet.round(|| {
                let bound = runtime.block_on(raw_round(&raw, count, plan));
                let format = runtime.block_on(format_round(&format, count, plan));
                let before = cpu_seconds();
                let (rate, counted) = runtime.block_on(ledger_round(&ledger, &world, count, plan));
                (bound, format, rate, counted, cpu_seconds() - before)
            });
            cpu.push(seconds * 1e6 / counted.entries as f64);
            groups.push(counted.entries_a_group());
            rounds.push((rate, bound));
            in_format.push((rate, format));
        }
        let job = format!("durable entries, {count} callers, rows caught up ({} a group)", number(median(&groups)));
        table.add(Row::ratio("a", &job, "/s", &in_format, Budget::AtLeast(0.5)));
        let job = format!("the same; bound: the raw file, {count} callers");
        table.add(Row::ratio("a", &job, "/s", &rounds, Budget::None));
        let job = format!("its processor time, {count} callers");
        table.add(Row::plain("a", &job, "us an entry", cpu, Budget::None));
        runtime.block_on(ledger.close()).unwrap();
    }
}

async fn ledger_round(ledger: &Ledger, world: &World, count: usize, plan: &Plan) -> (f64, Counted) {
    let before = world.counter.now();
    let start = Instant::now();
    let (writer, who) = (ledger.clone(), Arc::new(somebody()));
    let calls = callers(count, plan.half_round, move |_| {
        let (ledger, who) = (writer.clone(), who.clone());
        async move { append(&ledger, &who).await }
    });
    let calls = calls.await;
    ledger.settle().await.unwrap();
    (calls as f64 / start.elapsed().as_secs_f64(), world.counter.now().since(before))
}

async fn raw_round(raw: &RawQueue, count: usize, plan: &Plan) -> f64 {
    let start = Instant::now();
    let raw = raw.clone();
    let calls = callers(count, plan.half_round, move |_| {
        let raw = raw.clone();
        async move { raw.ask().await }
    });
    calls.await as f64 / start.elapsed().as_secs_f64()
}

async fn format_round(log: &FormatLog, count: usize, plan: &Plan) -> f64 {
    let start = Instant::now();
    let log = log.clone();
    let calls = callers(count, plan.half_round, move |_| {
        let log = log.clone();
        async move { log.append(CustodyId::LEDGER, Body::LogRead { first: 0, last: 0 }, |_| {}).await }
    });
    calls.await as f64 / start.elapsed().as_secs_f64()
}

fn group_bytes(counted: Counted) -> GroupBytes {
    let each = (counted.bytes_a_group() - GROUP_FIXED_BYTES) / counted.entries_a_group();
    GroupBytes { fixed: GROUP_FIXED_BYTES, each }
}

pub fn latency(plan: &Plan, table: &mut Table) {
    let folder = folder();
    let world = World::new();
    let runtime = runtime();
    let ledger = runtime.block_on(world.create(&folder.path().join("l")));
    let who = Arc::new(somebody());
    let one = |ledger: &Ledger| {
        let (ledger, who) = (ledger.clone(), who.clone());
        move || {
            let (ledger, who) = (ledger.clone(), who.clone());
            async move { append(&ledger, &who).await }
        }
    };
    let before = world.counter.now();
    runtime.block_on(times(plan, one(&ledger)));
    let counted = world.counter.now().since(before);
    let raw = raw::entries(&folder.path().join("raw"), GroupBytes { fixed: counted.bytes_a_group(), each: 0.0 });
    let (mut middle, mut high) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let (bound, measured) = plan
            .quiet
            .round(|| (runtime.block_on(times(plan, raw_one(&raw))), runtime.block_on(times(plan, one(&ledger)))));
        middle.push((measured[measured.len() / 2], bound[bound.len() / 2]));
        high.push((measured[measured.len() * 99 / 100], bound[bound.len() * 99 / 100]));
    }
    table.add(Row::ratio("b", "durable entry, 1 caller, p50", "us", &middle, Budget::AtMost(1.2)));
    table.add(Row::ratio("b", "the same, p99", "us", &high, Budget::None));
    runtime.block_on(ledger.close()).unwrap();
}

pub fn raw_one(
    raw: &RawQueue,
) -> impl Fn() -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> + Clone + Send + Sync + 'static {
    let raw = raw.clone();
    move || {
        let raw = raw.clone();
        Box::pin(async move { raw.ask().await })
    }
}

/// One caller again and again; every duration in microseconds, sorted.
pub async fn times<F, Fut>(plan: &Plan, job: F) -> Vec<f64>
where
    F: Fn() -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    let taken = Arc::new(Mutex::new(Vec::new()));
    let sink = taken.clone();
    callers(1, plan.half_round, move |_| {
        let (job, sink) = (job.clone(), sink.clone());
        async move {
            let start = Instant::now();
            job().await;
            sink.lock().unwrap().push(start.elapsed().as_secs_f64() * 1e6);
        }
    })
    .await;
    let mut taken = std::mem::take(&mut *taken.lock().unwrap());
    taken.sort_by(f64::total_cmp);
    taken
}
