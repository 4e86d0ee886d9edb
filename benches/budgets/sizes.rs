//! What a tape takes: sealed objects and manifest, and beside them log, vault and rows.

use std::path::Path;

use immutape::interchange::{ImportOptions, Importer};
use immutape::ledger::{Ledger, SaveOptions, SaveReceipt};

use super::material::{BIG_PERCENT, Material, TAPES, captured, save};
use super::report::{Budget, Row, Table};
use super::setup::{Plan, World, folder, runtime, somebody};

const VAULT_SLOT_BYTES: f64 = 144.0;

pub fn all(plan: &Plan, table: &mut Table) {
    let folder = folder();
    let place = folder.path().join("l");
    let runtime = runtime();
    let world = World::new();
    let ledger = runtime.block_on(world.create(&place));
    let (mut raw, mut stored) = (0u64, 0u64);
    for name in TAPES {
        let bytes = captured(name);
        raw += bytes.len() as u64;
        stored += runtime.block_on(save_source(&ledger, &bytes)).stored_bytes;
    }
    let share = vec![stored as f64 / raw as f64];
    table.add(Row::plain("g", "stored of raw JSONL: six captured tapes in sum", "", share, Budget::AtMost(0.35)));

    let material = Material::load();
    for (size, words) in [(100 << 10, "100 KB"), (1 << 20, "1 MB"), (5 << 20, "5 MB")] {
        let shares = (0..3)
            .map(|seed| {
                let bytes = material.session(size, seed + 21, BIG_PERCENT);
                let receipt = runtime.block_on(save_source(&ledger, &bytes));
                receipt.stored_bytes as f64 / bytes.len() as f64
            })
            .collect();
        let job = format!("stored of raw JSONL: tapes of {words}, captured lines with words changed");
        table.add(Row::plain("g", &job, "", shares, Budget::AtMost(0.25)));
    }
    beside(plan, table, &world, &ledger, &place, &runtime);
    runtime.block_on(ledger.close()).unwrap();
}

fn beside(
    plan: &Plan,
    table: &mut Table,
    world: &World,
    ledger: &Ledger,
    place: &Path,
    runtime: &tokio::runtime::Runtime,
) {
    let windows = Material::load().windows(64);
    let count = plan.size(300, 3_000);
    runtime.block_on(ledger.settle()).unwrap();
    let (before, rows_before) = (world.counter.now(), folder_bytes(&place.join("ledger/index")));
    for n in 0..count {
        runtime.block_on(save(ledger, &windows[n % windows.len()]));
    }
    runtime.block_on(ledger.settle()).unwrap();
    let counted = world.counter.now().since(before);
    let each = |bytes: f64| vec![bytes / count as f64];
    let rows = folder_bytes(&place.join("ledger/index")) - rows_before;
    table.add(Row::plain(
        "g",
        "sealed objects and manifest of a 10 KB tape",
        "bytes",
        each(counted.stored as f64),
        Budget::None,
    ));
    table.add(Row::plain(
        "g",
        "log beside it, one caller: a group an entry",
        "bytes",
        each(counted.bytes as f64),
        Budget::None,
    ));
    table.add(Row::plain("g", "vault beside it", "bytes", vec![VAULT_SLOT_BYTES], Budget::None));
    table.add(Row::plain("g", "rows beside it, in sled's files", "bytes", each(rows as f64), Budget::None));
}

async fn save_source(ledger: &Ledger, bytes: &[u8]) -> SaveReceipt {
    let mut importer = Importer::open(bytes, ImportOptions::default()).unwrap();
    let mut saver = ledger.begin_save(&somebody(), SaveOptions::default()).await.unwrap();
    while let Some(frame) = importer.next_frame().unwrap() {
        saver.frame(&frame).unwrap();
    }
    saver.finish(importer.finish().unwrap()).await.unwrap()
}

/// Blocks on the disk: sled's file has holes.
fn folder_bytes(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
    entries.filter(std::fs::Metadata::is_file).map(|m| m.blocks() * 512).sum()
}
