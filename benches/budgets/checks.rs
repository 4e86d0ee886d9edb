//! Checking what is kept: entries, statements, stored bytes.

use std::cell::RefCell;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ed25519_dalek::{Signer as _, SigningKey};
use immutape::codec::digest::sha256;
use immutape::codec::extent::{Group, GroupHeader, SEGMENT_HEADER_BYTES};
use immutape::ledger::{CheckOptions, Checker, Ledger, Places};
use immutape::log::{Body, Frontier, leaf_hash};
use immutape::seal::{PublicKey, Statement};
use immutape::store::memory::rows::MemoryRows;
use sha2::{Digest as _, Sha256};

use super::material::{Material, import, save};
use super::report::{Budget, Row, Table};
use super::setup::{Plan, World, append, callers, folder, runtime, somebody};

pub fn all(plan: &Plan, table: &mut Table) {
    entries(plan, table);
    statements(plan, table);
    stored_bytes(plan, table);
}

/// Grows a ledger to `size` entries.
pub async fn grow(ledger: &Ledger, size: u64, count: usize) {
    let who = Arc::new(somebody());
    while ledger.size() < size {
        let left = size - ledger.size();
        let length = std::time::Duration::from_millis(if left > 100_000 { 500 } else { 20 });
        let (writer, who) = (ledger.clone(), who.clone());
        callers(count, length, move |_| {
            let (ledger, who) = (writer.clone(), who.clone());
            async move { append(&ledger, &who).await }
        })
        .await;
    }
    ledger.settle().await.unwrap();
}

fn entries(plan: &Plan, table: &mut Table) {
    let folder = folder();
    let place = folder.path().join("l");
    let runtime = runtime();
    let world = World::new();
    runtime.block_on(async {
        let ledger = world.create(&place).await;
        grow(&ledger, plan.size(60_000, 300_000), 64).await;
        ledger.close().await.unwrap();
    });
    // Its handle on the stores would keep sled locked.
    drop(world);
    let segments = segments(&place);
    let without_rows = || World::with(Some(Arc::new(MemoryRows::new())));
    let rounds: Vec<(f64, f64)> = (0..plan.rounds)
        .map(|_| {
            let round = || (check(&place, without_rows(), "journal").0 / 1e6, hashed_entries(&segments) / 1e6);
            plan.quiet.round(round)
        })
        .collect();
    let job = "verify entries: group hashes and codes, chain, subjects, sealed halves, tree";
    table.add(Row::ratio("e", job, "M/s", &rounds, Budget::AtLeast(0.6)));
    let rounds = (0..plan.rounds).map(|_| plan.quiet.round(|| check(&place, World::new(), "sled").0 / 1e6)).collect();
    table.add(Row::plain("e", "the same, and compared with sled byte by byte", "M/s", rounds, Budget::None));
}

/// The journal's files, in memory.
fn segments(place: &Path) -> Vec<Vec<u8>> {
    let folder = std::fs::read_dir(place.join("ledger/journal")).unwrap();
    let mut paths: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// The bound of entries: what the format has hashed is hashed on all cores, that is every group, both halves of every
/// entry and the tree. Entries a second.
fn hashed_entries(segments: &[Vec<u8>]) -> f64 {
    let start = Instant::now();
    let mut tree = Frontier::new();
    for bytes in segments {
        let mut groups = Vec::new();
        let mut at = SEGMENT_HEADER_BYTES;
        while let Some(header) = bytes.get(at..).and_then(|rest| GroupHeader::parse(rest).ok()) {
            let end = at + header.extent_bytes() as usize;
            groups.push((&bytes[at..end], Mutex::new(Vec::new())));
            at = end;
        }
        on_all_cores(groups.len(), &|n| {
            let (extent, leaves) = &groups[n];
            let group = Group::parse(extent).unwrap();
            let hashed = group.records().map(|record| {
                let (public, sealed) = record.unwrap();
                std::hint::black_box(sha256(sealed));
                leaf_hash(public)
            });
            *leaves.lock().unwrap() = hashed.collect();
        });
        groups.into_iter().flat_map(|(_, leaves)| leaves.into_inner().unwrap()).for_each(|leaf| tree.push(&leaf));
    }
    std::hint::black_box(tree.root());
    tree.size() as f64 / start.elapsed().as_secs_f64()
}

/// Checks everything but opened tapes; how many of `name` a second, and how long it took.
fn check(place: &Path, world: World, name: &str) -> (f64, f64) {
    let checker = Checker::open(&Places::beneath(place), &world.env).unwrap();
    let start = Instant::now();
    let report = checker.run(&CheckOptions::default().stored_only(true));
    let took = start.elapsed().as_secs_f64();
    assert_eq!(report.checks.iter().map(|c| c.wrong).sum::<u64>(), 0, "{report:#?}");
    let checked: u64 = report.checks.iter().filter(|c| c.name == name).map(|c| c.checked).sum();
    assert!(checked > 0, "nothing was checked: {report:#?}");
    (checked as f64 / took, took)
}

fn statements(plan: &Plan, table: &mut Table) {
    let folder = folder();
    let place = folder.path().join("l");
    let runtime = runtime();
    let world = World::new();
    let tiny = Arc::new(import(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n"));
    let count = plan.size(500, 5_000);
    let statements = runtime.block_on(async {
        let ledger = world.create(&place).await;
        let next = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let (ledger, tiny, next) = (ledger.clone(), tiny.clone(), next.clone());
                tokio::spawn(async move {
                    while next.fetch_add(1, Ordering::Relaxed) < count {
                        save(&ledger, &tiny).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let (log, _) = ledger.log(&somebody(), 0..u64::MAX).await.unwrap();
        ledger.close().await.unwrap();
        log.into_iter()
            .filter_map(|line| match line.body {
                Body::TapeSaved { statement, .. } => Some(statement),
                _ => None,
            })
            .collect::<Vec<_>>()
    });
    drop(world);
    let recorder = {
        let checker = Checker::open(&Places::beneath(&place), &World::new().env).unwrap();
        PublicKey::from_bytes(&checker.genesis().keys[1]).unwrap()
    };
    let (mut alone, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let (bound, own, all) = plan.quiet.round(|| {
            let bound = strict_verifications(statements.len());
            let start = Instant::now();
            on_all_cores(statements.len(), &|n| Statement::decode(&statements[n]).unwrap().verify(&recorder).unwrap());
            let own = statements.len() as f64 / start.elapsed().as_secs_f64();
            (bound, own, check(&place, World::new(), "statements").0)
        });
        alone.push((own, bound));
        whole.push((all, bound));
    }
    let job = "verify statements, read and checked; bound verify_strict, both on all cores";
    table.add(Row::ratio("e", job, "/s", &alone, Budget::AtLeast(0.8)));
    let job = "a whole check of a ledger of tiny tapes: entries, sled, objects as well";
    table.add(Row::ratio("e", job, "/s", &whole, Budget::None));
}

/// As many strict verifications of messages as long as a statement's, on all cores; how many a second.
fn strict_verifications(count: usize) -> f64 {
    let key = SigningKey::from_bytes(&[9; 32]);
    let messages: Vec<[u8; 350]> = (0..64u8).map(|n| [n; 350]).collect();
    let signatures: Vec<_> = messages.iter().map(|m| key.sign(m)).collect();
    let public = key.verifying_key();
    let start = Instant::now();
    on_all_cores(count, &|n| public.verify_strict(&messages[n % 64], &signatures[n % 64]).unwrap());
    count as f64 / start.elapsed().as_secs_f64()
}

fn on_all_cores(count: usize, job: &(dyn Fn(usize) + Sync)) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= count {
                        break;
                    }
                    job(n);
                }
            });
        }
    });
}

/// About the length of a sealed chunk.
const OBJECT_BYTES: u64 = 300 << 10;

fn hash_piece(pack: &std::fs::File, at: u64, bytes: u64) {
    use std::os::unix::fs::FileExt as _;
    thread_local! {
        static ROOM: RefCell<Vec<u8>> = RefCell::new(vec![0; 128 << 10]);
    }
    ROOM.with_borrow_mut(|room| {
        let mut hasher = Sha256::new();
        let mut done = 0;
        while done < bytes {
            let next = room.len().min((bytes - done) as usize);
            pack.read_exact_at(&mut room[..next], at + done).unwrap();
            hasher.update(&room[..next]);
            done += next as u64;
        }
        assert_ne!(hasher.finalize()[..8], [0; 8]);
    });
}

fn stored_bytes(plan: &Plan, table: &mut Table) {
    let folder = folder();
    let place = folder.path().join("l");
    let runtime = runtime();
    let world = World::new();
    let tape = Material::load().long(5 << 20, 3);
    runtime.block_on(async {
        let ledger = world.create(&place).await;
        for _ in 0..plan.size(10, 100) {
            save(&ledger, &tape).await;
        }
        ledger.close().await.unwrap();
    });
    drop(world);
    let packs: Vec<std::fs::File> = std::fs::read_dir(place.join("ledger/packs"))
        .unwrap()
        .map(|entry| std::fs::File::open(entry.unwrap().path()).unwrap())
        .collect();
    let pieces: Vec<(usize, u64, u64)> = (0..packs.len())
        .flat_map(|pack| {
            let length = packs[pack].metadata().unwrap().len();
            (0..length).step_by(OBJECT_BYTES as usize).map(move |at| (pack, at, OBJECT_BYTES.min(length - at)))
        })
        .collect();
    let total: f64 = pieces.iter().map(|(.., bytes)| *bytes as f64).sum();
    let mut rounds = Vec::new();
    for _ in 0..plan.rounds {
        let (bound, took) = plan.quiet.round(|| {
            let start = Instant::now();
            on_all_cores(pieces.len(), &|n| hash_piece(&packs[pieces[n].0], pieces[n].1, pieces[n].2));
            let bound = total / start.elapsed().as_secs_f64() / 1e6;
            (bound, check(&place, World::new(), "stored objects").1)
        });
        // What lies in the packs beside sealed bytes is their headers, less than a thousandth.
        rounds.push((total / took / 1e6, bound));
    }
    let job = "verify stored bytes, a whole check without opening tapes; bound: packs read and hashed on all cores";
    table.add(Row::ratio("e", job, "MB/s", &rounds, Budget::AtLeast(0.8)));
}
