//! Immutape beside the thing a user would otherwise write, in one run on the same tapes: `cargo bench --bench peers
//! [-- --quick]`. No budget stands behind these figures: they say what sealing, signing and recorded reads cost.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    reason = "a measurement may stop at the first surprise, and its figures are rounded anyway"
)]
#![allow(dead_code, reason = "the parts shared with the other benchmark hold more than this one needs")]

#[path = "../budgets/material.rs"]
mod material;
#[path = "../budgets/quiet.rs"]
mod quiet;
#[path = "../budgets/report.rs"]
mod report;
#[path = "../budgets/setup.rs"]
mod setup;
mod sqlite;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use immutape::catalog::Filter;
use immutape::evidence::Verdict;
use immutape::ledger::{CheckOptions, FrameSelection, Ledger, ListRequest};
use immutape::time::Timestamp;

use material::{Material, Ready, save};
use report::{Budget, Row, Table};
use setup::{Plan, World, append, callers, folder, runtime, somebody};
use sqlite::{Act, Sqlite};

const CALLERS: [usize; 2] = [1, 64];

fn main() {
    let plan = Plan::from_env(std::env::args().any(|a| a == "--quick"));
    println!("{}\n{plan}\n", setup::machine());
    let mut table = Table::default();
    let pair = Pair::create();
    pair.entries(&plan, &mut table);
    pair.saves(&plan, &mut table);
    pair.reads(&plan, &mut table);
    pair.lists(&plan, &mut table);
    pair.checks(&plan, &mut table);
    pair.sizes(&mut table);
    println!(
        "\nmeasured: Immutape; bound: SQLite (WAL, synchronous=FULL, one commit for all who wait, hash chain in the client)"
    );
    println!("load at the end {}; {}\n\n{table}", setup::load(), plan.quiet);
}

/// Both, with the same tapes in them.
struct Pair {
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    ledger: Ledger,
    sqlite: Sqlite,
    windows: Arc<Vec<Ready>>,
    saved: Arc<AtomicU64>,
    ids: std::sync::Mutex<Vec<(String, [u8; 32])>>,
}

impl Pair {
    fn create() -> Self {
        let (folder, runtime) = (folder(), runtime());
        let ledger = runtime.block_on(World::new().create(&folder.path().join("l")));
        let sqlite = Sqlite::create(&folder.path().join("peer.db"));
        let windows = Arc::new(Material::load().windows(256));
        Self { folder, runtime, ledger, sqlite, windows, saved: Arc::default(), ids: std::sync::Mutex::default() }
    }

    fn entries(&self, plan: &Plan, table: &mut Table) {
        for count in CALLERS {
            let rounds: Vec<_> = (0..plan.rounds)
                .map(|_| {
                    plan.quiet.round(|| {
                        let ledger = self.ledger.clone();
                        let ours = self.rate(plan, count, move |_| {
                            let ledger = ledger.clone();
                            async move { append(&ledger, &somebody()).await }
                        });
                        let sqlite = self.sqlite.clone();
                        let theirs = self.rate(plan, count, move |_| {
                            let sqlite = sqlite.clone();
                            async move {
                                _ = sqlite.ask(Act::Note { kind: "read", subject: [7; 32] }).await;
                            }
                        });
                        (ours, theirs)
                    })
                })
                .collect();
            table.add(Row::ratio("a", &format!("durable entries, {count} callers"), "/s", &rounds, Budget::None));
        }
    }

    fn saves(&self, plan: &Plan, table: &mut Table) {
        for count in CALLERS {
            let rounds: Vec<_> = (0..plan.rounds)
                .map(|_| {
                    plan.quiet.round(|| {
                        let (ledger, windows) = (self.ledger.clone(), self.windows.clone());
                        let ours = self.rate(plan, count, move |n| {
                            let (ledger, windows) = (ledger.clone(), windows.clone());
                            async move {
                                _ = save(&ledger, &windows[n % windows.len()]).await;
                            }
                        });
                        let (sqlite, windows, saved) = (self.sqlite.clone(), self.windows.clone(), self.saved.clone());
                        let theirs = self.rate(plan, count, move |n| {
                            let act = plain(&windows[n % windows.len()], saved.fetch_add(1, Ordering::Relaxed));
                            let sqlite = sqlite.clone();
                            async move {
                                _ = sqlite.ask(act).await;
                            }
                        });
                        (ours, theirs)
                    })
                })
                .collect();
            table.add(Row::ratio("b", &format!("save a 10 KB tape, {count} callers"), "/s", &rounds, Budget::None));
        }
    }

    /// A tape read, with the durable record of it.
    fn reads(&self, plan: &Plan, table: &mut Table) {
        let ids: Vec<(String, [u8; 32])> = (0..200)
            .map(|n| {
                let tape = &self.windows[n % self.windows.len()];
                let ours = self.runtime.block_on(save(&self.ledger, tape)).tape.to_hex();
                let act = plain(tape, self.saved.fetch_add(1, Ordering::Relaxed));
                (ours, self.runtime.block_on(self.sqlite.ask(act)))
            })
            .collect();
        let ids = Arc::new(ids);
        let rounds: Vec<_> = (0..plan.rounds)
            .map(|_| {
                plan.quiet.round(|| {
                    let kept = (self.ledger.clone(), ids.clone());
                    let ours = self.rate(plan, 64, move |n| {
                        let (ledger, ids) = kept.clone();
                        async move {
                            let reader = ledger.open_tape(&somebody(), &ids[n % ids.len()].0, None).await.unwrap();
                            assert!(!reader.collect(FrameSelection::All).unwrap().is_empty());
                        }
                    });
                    let kept = (self.sqlite.clone(), ids.clone());
                    let theirs = self.rate(plan, 64, move |n| {
                        let (sqlite, ids) = kept.clone();
                        async move {
                            let subject = ids[n % ids.len()].1;
                            sqlite.ask(Act::Note { kind: "read", subject }).await;
                            READER.with_borrow_mut(|reader| {
                                let db = reader.get_or_insert_with(|| sqlite.reader());
                                assert!(sqlite::read(db, &subject).is_some());
                            });
                        }
                    });
                    (ours, theirs)
                })
            })
            .collect();
        table.add(Row::ratio("c", "read a 10 KB tape, recorded, 64 readers", "/s", &rounds, Budget::None));
    }

    fn lists(&self, plan: &Plan, table: &mut Table) {
        self.runtime.block_on(self.ledger.settle()).unwrap();
        let filter = Filter::parse("errors:yes", Timestamp::from_ms(0)).unwrap();
        let request = ListRequest::new(filter);
        let db = self.sqlite.reader();
        let rounds: Vec<_> = (0..plan.rounds)
            .map(|_| {
                plan.quiet.round(|| {
                    let start = Instant::now();
                    let page = self.runtime.block_on(self.ledger.list_page(&somebody(), request.clone())).unwrap();
                    let ours = start.elapsed().as_secs_f64() * 1e3 / page.tapes.len() as f64;
                    let start = Instant::now();
                    self.runtime.block_on(self.sqlite.ask(Act::Note { kind: "listed", subject: [0; 32] }));
                    let found = sqlite::with_errors(&db).len();
                    (ours * 1e3, start.elapsed().as_secs_f64() * 1e6 / found as f64)
                })
            })
            .collect();
        table.add(Row::ratio("d", "list the tapes with errors, recorded: time for each", "us", &rounds, Budget::None));
    }

    /// Everything recomputed; time for each tape kept.
    fn checks(&self, plan: &Plan, table: &mut Table) {
        let db = self.sqlite.reader();
        let tapes = self.runtime.block_on(self.ledger.list(&somebody())).unwrap().0.len() as f64;
        let rounds: Vec<_> = (0..plan.rounds.min(3))
            .map(|_| {
                plan.quiet.round(|| {
                    let start = Instant::now();
                    let checked = self.runtime.block_on(self.ledger.verify(&somebody(), CheckOptions::default()));
                    assert_eq!(checked.unwrap().0.verdict(), Verdict::Intact);
                    let ours = start.elapsed().as_secs_f64() * 1e6 / tapes;
                    let start = Instant::now();
                    let (_, theirs) = sqlite::verify(&db);
                    (ours, start.elapsed().as_secs_f64() * 1e6 / theirs as f64)
                })
            })
            .collect();
        table.add(Row::ratio("e", "check everything: time for each tape", "us", &rounds, Budget::None));
    }

    fn sizes(&self, table: &mut Table) {
        let tapes = self.runtime.block_on(self.ledger.list(&somebody())).unwrap().0.len() as f64;
        let ours = bytes_in(&self.folder.path().join("l")) as f64 / tapes;
        let theirs = self.saved.load(Ordering::Relaxed) as f64;
        let db: u64 = ["peer.db", "peer.db-wal"].iter().map(|f| bytes_in(&self.folder.path().join(f))).sum();
        table.add(Row::ratio(
            "f",
            "bytes on disk for each tape, log and rows with it",
            "B",
            &[(ours, db as f64 / theirs)],
            Budget::None,
        ));
    }

    fn rate<F, Fut>(&self, plan: &Plan, count: usize, job: F) -> f64
    where
        F: Fn(usize) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send,
    {
        let next = Arc::new(AtomicU64::new(0));
        let start = Instant::now();
        let calls = self
            .runtime
            .block_on(callers(count, plan.half_round, move |_| job(next.fetch_add(1, Ordering::Relaxed) as usize)));
        calls as f64 / start.elapsed().as_secs_f64()
    }
}

thread_local! {
    static READER: std::cell::RefCell<Option<rusqlite::Connection>> = const { std::cell::RefCell::new(None) };
}

/// The same tape as lines of text, with a number of its own.
fn plain(tape: &Ready, number: u64) -> Act {
    let mut bytes = number.to_string().into_bytes();
    for frame in &tape.frames {
        bytes.push(b'\n');
        bytes.extend_from_slice(&frame.payload);
    }
    Act::Save { name: format!("tape {number}"), errors: tape.header.stats.errors, bytes }
}

fn bytes_in(path: &Path) -> u64 {
    let Ok(about) = std::fs::metadata(path) else { return 0 };
    if about.is_file() {
        use std::os::unix::fs::MetadataExt as _;
        return about.blocks() * 512;
    }
    std::fs::read_dir(path).unwrap().map(|entry| bytes_in(&entry.unwrap().path())).sum()
}
