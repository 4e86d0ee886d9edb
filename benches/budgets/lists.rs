//! Lists and searches over many tapes, each with its entry: the slowest but one of twenty answers, warm.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use immutape::catalog::Filter;
use immutape::ledger::{Ledger, ListRequest};
use immutape::time::Timestamp;

use super::material::{Material, save};
use super::report::{Budget, Row, Table};
use super::setup::{Plan, World, folder, runtime, somebody};

const SAVERS: usize = 64;
/// The design: "list filters over 10,000 tapes < 100 ms (p95, warm)".
const BUDGET_MS: f64 = 100.0;

pub fn all(plan: &Plan, table: &mut Table) {
    let folder = folder();
    let (world, runtime) = (World::new(), runtime());
    let ledger = runtime.block_on(world.create(&folder.path().join("l")));
    let tapes = plan.size(2_000, 10_000);
    let start = Instant::now();
    runtime.block_on(fill(&ledger, tapes));
    let filled = tapes as f64 / start.elapsed().as_secs_f64();
    table.add(Row::plain("i", "tapes of 10 KB saved while filling", "/s", vec![filled], Budget::None));
    let of = super::report::number(tapes as f64);
    for (words, search, limit) in [
        ("a page of 50, no condition", "", 50),
        ("by method and errors, all that pass", "method:tools/call errors:yes", 0),
        ("by tag that none has", "tag:none", 0),
        ("text in headers that none has", "nowhere-to-be-found", 0),
        ("since a moment, first 100", "since:2020-01-01", 100),
    ] {
        let filter = Filter::parse(search, Timestamp::from_ms(0)).unwrap();
        let request = ListRequest::new(filter).limit(NonZeroUsize::new(limit));
        let mut rounds = Vec::new();
        for _ in 0..plan.rounds {
            rounds.push(plan.quiet.round(|| p95_ms(&runtime, &ledger, &request)));
        }
        let job = format!("list {of} tapes: {words} (p95)");
        table.add(Row::plain("i", &job, "ms", rounds, Budget::AtMost(BUDGET_MS)));
    }
    runtime.block_on(ledger.close()).unwrap();
}

async fn fill(ledger: &Ledger, tapes: usize) {
    let windows = Arc::new(Material::load().windows(256));
    let savers: Vec<_> = (0..SAVERS)
        .map(|saver| {
            let (ledger, windows) = (ledger.clone(), windows.clone());
            tokio::spawn(async move {
                for n in (saver..tapes).step_by(SAVERS) {
                    save(&ledger, &windows[n % windows.len()]).await;
                }
            })
        })
        .collect();
    for saver in savers {
        saver.await.unwrap();
    }
    ledger.settle().await.unwrap();
}

/// Of twenty answers the one that is slower than all but one.
fn p95_ms(runtime: &tokio::runtime::Runtime, ledger: &Ledger, request: &ListRequest) -> f64 {
    let mut times: Vec<f64> = (0..20)
        .map(|_| {
            let start = Instant::now();
            let page = runtime.block_on(ledger.list_page(&somebody(), request.clone())).unwrap();
            assert!(page.entry > 0);
            start.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[18]
}
