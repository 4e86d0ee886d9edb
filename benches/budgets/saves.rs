//! Saving tapes, against the format's own path, and against the writes and syncs alone.

use std::sync::Arc;
use std::time::Instant;

use immutape::ledger::Ledger;

use super::entries::times;
use super::format::FormatTapes;
use super::material::{Material, Ready, import, save};
use super::raw::{self, GroupBytes, RawJournal, RawPack, RawQueue, preallocated};
use super::report::{Budget, Row, Table, median, number};
use super::setup::{Counted, Plan, World, callers, cpu_seconds, folder, runtime};

/// A slot of the vault.
const SLOT_BYTES: usize = 144;
const GROUP_FIXED_BYTES: f64 = 256.0;
const PREPARED_PACK_BYTES: u64 = 256 << 20;

/// A raw path with the bytes of one tape.
#[derive(Clone)]
struct RawSave {
    pack: Arc<RawPack>,
    queue: RawQueue,
    tape: Arc<Vec<u8>>,
}

impl RawSave {
    async fn one(&self) {
        self.pack.append(&self.tape);
        self.queue.ask().await;
    }
}

pub fn small(plan: &Plan, table: &mut Table) {
    let folder = folder();
    let world = World::new();
    let runtime = runtime();
    let windows = Arc::new(Material::load().windows(plan.size(64, 256)));
    let ledger = runtime.block_on(world.create(&folder.path().join("l")));
    let (_, counted) = runtime.block_on(many(&ledger, &world, &windows, plan));
    // Nothing that compresses or encrypts: the bound writes a tape as it came, as in the trial that set the budget.
    let tape_bytes = windows.iter().map(|w| w.payload_bytes).sum::<u64>() / windows.len() as u64;
    let raw = |name: &str, prepared| raw_save(folder.path(), name, prepared, (tape_bytes, counted));
    let format = format_tapes(folder.path());
    let (growing, prepared) = (raw("growing", None), raw("prepared", Some(PREPARED_PACK_BYTES)));

    let (mut to_growing, mut to_prepared, mut cpu, mut groups) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut to_format = Vec::new();
    for _ in 0..plan.rounds {
        let (grown, rate, counted, seconds, overwritten, in_format) = plan.quiet.round(|| {
            growing.pack.empty();
            format.pack.empty();
            let in_format = runtime.block_on(format_many(&format, &windows, plan));
            let grown = runtime.block_on(raw_many(&growing, plan));
            let before = cpu_seconds();
            let (rate, counted) = runtime.block_on(many(&ledger, &world, &windows, plan));
            let seconds = cpu_seconds() - before;
            (grown, rate, counted, seconds, runtime.block_on(raw_many(&prepared, plan)), in_format)
        });
        cpu.push(seconds * 1e6 / counted.entries as f64);
        groups.push(counted.entries_a_group());
        to_growing.push((rate, grown));
        to_prepared.push((rate, overwritten));
        to_format.push((rate, in_format));
    }
    let job = format!("save a 10 KB tape, 64 callers ({} a group)", number(median(&groups)));
    table.add(Row::ratio("c", &job, "/s", &to_format, Budget::AtLeast(0.7)));
    table.add(Row::ratio("c", "the same; bound: raw files, the pack grows", "/s", &to_growing, Budget::None));
    table.add(Row::ratio("c", "the same; bound: raw files, the pack preallocated", "/s", &to_prepared, Budget::None));
    table.add(Row::plain("c", "its processor time", "us a tape", cpu, Budget::None));

    let (mut middle, mut high) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let (bound, measured) = plan.quiet.round(|| {
            let path = prepared.clone();
            let bound = runtime.block_on(times(plan, move || {
                let path = path.clone();
                async move { path.one().await }
            }));
            let (writer, tapes) = (ledger.clone(), windows.clone());
            let measured = runtime.block_on(times(plan, move || {
                let (ledger, tapes) = (writer.clone(), tapes.clone());
                async move {
                    save(&ledger, &tapes[0]).await;
                }
            }));
            (bound, measured)
        });
        middle.push((measured[measured.len() / 2], bound[bound.len() / 2]));
        high.push((measured[measured.len() * 99 / 100], bound[bound.len() * 99 / 100]));
    }
    table.add(Row::ratio(
        "c",
        "save a 10 KB tape, 1 caller, p50; bound: raw files, the pack preallocated",
        "us",
        &middle,
        Budget::AtMost(1.6),
    ));
    table.add(Row::ratio("c", "the same, p99", "us", &high, Budget::None));
    runtime.block_on(ledger.close()).unwrap();
}

fn raw_save(
    folder: &std::path::Path,
    name: &str,
    prepared: Option<u64>,
    (tape_bytes, counted): (u64, Counted),
) -> RawSave {
    let pack = Arc::new(RawPack::new(&folder.join(format!("{name}.pack")), prepared));
    let each = (counted.bytes_a_group() - GROUP_FIXED_BYTES) / counted.entries_a_group();
    let group = GroupBytes { fixed: GROUP_FIXED_BYTES, each };
    let queue = raw::tapes(folder, name, pack.clone(), SLOT_BYTES, group);
    RawSave { pack, queue, tape: Arc::new(vec![0x3c; tape_bytes as usize]) }
}

async fn many(ledger: &Ledger, world: &World, windows: &Arc<Vec<Ready>>, plan: &Plan) -> (f64, Counted) {
    let before = world.counter.now();
    let start = Instant::now();
    let (writer, tapes) = (ledger.clone(), windows.clone());
    let calls = callers(64, plan.half_round, move |caller| {
        let (ledger, tapes) = (writer.clone(), tapes.clone());
        async move {
            save(&ledger, &tapes[caller % tapes.len()]).await;
        }
    });
    let calls = calls.await;
    ledger.settle().await.unwrap();
    (calls as f64 / start.elapsed().as_secs_f64(), world.counter.now().since(before))
}

fn format_tapes(folder: &std::path::Path) -> FormatTapes {
    let pack = Arc::new(RawPack::new(&folder.join("format.pack"), None));
    let vault = preallocated(&folder.join("format.vault"), 2 << 20);
    FormatTapes::start(RawJournal::new(&folder.join("format.journal")), pack, vault)
}

async fn format_many(format: &FormatTapes, windows: &Arc<Vec<Ready>>, plan: &Plan) -> f64 {
    let start = Instant::now();
    let (format, tapes) = (format.clone(), windows.clone());
    let calls = callers(64, plan.half_round, move |caller| {
        let (format, tapes) = (format.clone(), tapes.clone());
        async move { format.save(&tapes[caller % tapes.len()]).await }
    });
    calls.await as f64 / start.elapsed().as_secs_f64()
}

async fn raw_many(path: &RawSave, plan: &Plan) -> f64 {
    let start = Instant::now();
    let path = path.clone();
    let calls = callers(64, plan.half_round, move |_| {
        let path = path.clone();
        async move { path.one().await }
    });
    calls.await as f64 / start.elapsed().as_secs_f64()
}

pub fn big(plan: &Plan, table: &mut Table) {
    let folder = folder();
    let world = World::new();
    let runtime = runtime();
    let material = Material::load();
    let text = material.messages(5 << 20, 7, super::material::BIG_PERCENT);
    let tape = import(&text);
    let bytes = tape.payload_bytes as f64;
    let ledger = runtime.block_on(world.create(&folder.path().join("l")));
    let raw = RawPack::new(&folder.path().join("pack"), None);
    let format = format_tapes(folder.path());
    let content: Vec<u8> = tape.frames.iter().flat_map(|f| f.payload.clone()).collect();

    let (mut rounds, mut imported, mut kept, mut cpu) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut to_format = Vec::new();
    let times = plan.size(2, 4);
    for _ in 0..plan.rounds.max(5) {
        let (saved, bound, seconds, in_format) = plan.quiet.round(|| {
            raw.empty();
            format.pack.empty();
            let in_format = (0..times).map(|_| {
                let start = Instant::now();
                runtime.block_on(format.save(&tape));
                bytes / start.elapsed().as_secs_f64() / 1e6
            });
            let in_format: Vec<f64> = in_format.collect();
            let bound = (0..times).map(|_| {
                let start = Instant::now();
                content.chunks(1 << 20).for_each(|piece| raw.append(piece));
                raw.sync();
                bytes / start.elapsed().as_secs_f64() / 1e6
            });
            let bound: Vec<f64> = bound.collect();
            let before = cpu_seconds();
            let saved = (0..times).map(|_| {
                let start = Instant::now();
                let receipt = runtime.block_on(save(&ledger, &tape));
                let rate = bytes / start.elapsed().as_secs_f64() / 1e6;
                kept.push(receipt.stored_bytes as f64 / bytes);
                rate
            });
            (saved.collect::<Vec<f64>>(), bound, cpu_seconds() - before, in_format)
        });
        cpu.push(seconds * 1e3 / times as f64);
        imported.push(plan.quiet.round(|| {
            let start = Instant::now();
            runtime.block_on(async { save(&ledger, &import(&text)).await });
            bytes / start.elapsed().as_secs_f64() / 1e6
        }));
        to_format.push((median(&saved), median(&in_format)));
        rounds.push((median(&saved), median(&bound)));
    }
    let job = format!("save a 5 MB tape, 1 caller (kept {:.3} of its payloads)", median(&kept));
    table.add(Row::ratio("d", &job, "MB/s", &to_format, Budget::AtLeast(0.8)));
    table.add(Row::ratio("d", "the same; bound: raw pack write of its payloads", "MB/s", &rounds, Budget::None));
    table.add(Row::plain("d", "the same, read from JSON-RPC lines as well", "MB/s", imported, Budget::None));
    table.add(Row::plain("d", "its processor time", "ms a tape", cpu, Budget::None));
    runtime.block_on(ledger.close()).unwrap();
}
