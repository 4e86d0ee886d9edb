//! Proofs from a long log: the entry and its path, out of the rows; each is checked afterwards, outside of the time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use immutape::catalog::{Queries, consistency, inclusion};
use immutape::ledger::Ledger;
use immutape::log::leaf_hash;
use immutape::proof::{TlogProof, verify_inclusion};
use immutape::store::Rows;

use super::report::{Budget, Row, Table, number};
use super::setup::{Plan, World, append, callers, folder, runtime, somebody};

/// Proofs of one round.
const PROOFS: u64 = 5_000;

pub fn all(plan: &Plan, table: &mut Table) {
    let folder = folder();
    let place = folder.path().join("l");
    let runtime = runtime();
    let size = plan.size(100_000, 1_000_000);
    runtime.block_on(async {
        let ledger = World::new().create(&place).await;
        grow(&ledger, size).await;
        ledger.close().await.unwrap();
    });
    // Opened anew: what writing left in memory is gone.
    let world = World::new();
    let ledger = runtime.block_on(world.open(&place));
    let rows = world.engine.stores().rows;
    let head = runtime.block_on(ledger.release_head()).unwrap();
    let (size, root) = (head.checkpoint.size, head.checkpoint.root);
    let (mut middle, mut high, mut longest) = (Vec::new(), Vec::new(), Vec::new());
    let (mut next, mut between) = (1u64, Vec::new());
    for _ in 0..plan.rounds {
        let times = plan.quiet.round(|| {
            let mut times = Vec::new();
            for _ in 0..PROOFS {
                // Places all over the log, the same in every run.
                next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let index = (next >> 20) % size;
                let start = Instant::now();
                let (entry, proof) = prove(&*rows, index, size, &head.note);
                times.push(start.elapsed().as_secs_f64() * 1e6);
                let path = TlogProof::parse(&proof).unwrap().path;
                verify_inclusion(&leaf_hash(&entry), index, size, &path, &root).unwrap();
            }
            times.sort_by(f64::total_cmp);
            times
        });
        middle.push(times[times.len() / 2]);
        high.push(times[times.len() * 99 / 100]);
        longest.push(times[times.len() - 1]);
        between.push(consistency_us(&*rows, size));
    }
    let of = format!("proof of an entry out of {} (entry, path, text)", number(size as f64));
    table.add(Row::plain("a", &format!("{of}, p50"), "us", middle, Budget::AtMost(1_000.0)));
    table.add(Row::plain("a", "the same, p99", "us", high, Budget::AtMost(1_000.0)));
    table.add(Row::plain("a", "the same, the longest", "us", longest, Budget::None));
    table.add(Row::plain("a", "proof that it extends an older head, p99", "us", between, Budget::AtMost(1_000.0)));
    runtime.block_on(ledger.close()).unwrap();
}

/// As `prove` does it, but for the entry that tells of it.
fn prove(rows: &dyn Rows, index: u64, size: u64, note: &str) -> (Vec<u8>, String) {
    let entry = Queries::new(rows).entry(index).unwrap().unwrap().public;
    let path = inclusion(rows, index, size).unwrap();
    let proof = TlogProof { extra: Some(entry.clone()), index, path, note: note.to_owned() };
    (entry, proof.to_text())
}

fn consistency_us(rows: &dyn Rows, size: u64) -> f64 {
    let mut times: Vec<f64> = (1..=PROOFS / 10)
        .map(|n| {
            let old = size * n / (PROOFS / 10 + 1);
            let start = Instant::now();
            let path = consistency(rows, old.max(1), size).unwrap();
            let time = start.elapsed().as_secs_f64() * 1e6;
            assert!(!path.is_empty() || old == size);
            time
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() * 99 / 100]
}

/// Grows a ledger to at least `size` entries.
async fn grow(ledger: &Ledger, size: u64) {
    let who = Arc::new(somebody());
    while ledger.size() < size {
        let length = Duration::from_millis(if size - ledger.size() > 100_000 { 500 } else { 20 });
        let (writer, who) = (ledger.clone(), who.clone());
        callers(64, length, move |_| {
            let (ledger, who) = (writer.clone(), who.clone());
            async move { append(&ledger, &who).await }
        })
        .await;
    }
    ledger.settle().await.unwrap();
}
