//! Crash images on the real disk, with the real sled beside them: absent, older, or with bits flipped.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use immutape::store::memory::rows::MemoryRows;

use crate::support::crash::{
    Diary, Disk, NOW_MS, Outcome, World, audit_machine, copy_rows, in_parallel, in_runtime, put_on_disk, sled_of,
    some_folder, story,
};
use crate::support::sim_files::{Effect, Survive};

/// What is left of the sled folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sled {
    Absent,
    Older,
    Flipped,
}

const IMAGES: usize = 40;

#[derive(Default)]
struct Met {
    outcomes: BTreeMap<(Sled, Outcome), u64>,
    stages: BTreeMap<String, u64>,
    wrong: Vec<String>,
}

#[test]
fn crash_images_with_every_kind_of_sled() {
    let whole = World::new(20);
    in_runtime(story(&whole, &Diary::default(), &mut Vec::new())).unwrap();
    // Where the story itself breaks the journal, sled has to be whole; its threads may shift the numbers a little.
    let operations = whole.sim.operations();
    let end = operations.iter().position(|o| o.stage == "mend log").unwrap() - 20;
    let met = Mutex::new(Met::default());
    in_parallel(IMAGES, |n| {
        let number = (end / 5 + n * (end * 4 / 5) / IMAGES) as u64;
        let (world, diary, mut snapshots) = (World::new(20), Diary::default(), Vec::new());
        world.sim.stop_at(number, Effect::With);
        let _stopped = in_runtime(story(&world, &diary, &mut snapshots));
        assert_eq!(world.sim.faults_made(), 1);
        let operation = world.sim.operations().last().cloned().unwrap();
        let survive = [Survive::Nothing, Survive::Everything, Survive::Random(number)][n % 3];
        for sled in [Sled::Absent, Sled::Older, Sled::Flipped] {
            let words = format!("{operation:?}, {survive:?}, sled {sled:?}");
            let rows = match sled {
                Sled::Absent => None,
                Sled::Older => Some(snapshots[n % snapshots.len()].clone()),
                Sled::Flipped => Some(copy_rows(&*world.rows)),
            };
            let image = world.sim.crash_image(survive);
            let audited =
                catch_unwind(AssertUnwindSafe(|| on_disk(&image, rows.as_ref(), sled, number, &diary.copy(), &words)));
            let mut met = met.lock().unwrap();
            match audited {
                Ok(outcome) => {
                    *met.outcomes.entry((sled, outcome)).or_default() += 1;
                    *met.stages.entry(operation.stage.clone()).or_default() += 1;
                }
                Err(_) => met.wrong.push(words),
            }
        }
    });
    let met = met.into_inner().unwrap();
    println!("{:#?}\n{:?}", met.outcomes, met.stages);
    assert!(met.wrong.is_empty(), "{:#?}", met.wrong);
    assert_eq!(met.outcomes.values().sum::<u64>(), 3 * IMAGES as u64);
    assert!(met.stages.len() >= 10);
    for sled in [Sled::Absent, Sled::Flipped] {
        let rebuilt = met.outcomes.iter().filter(|((of, outcome), _)| *of == sled && outcome.rebuilt);
        assert!(rebuilt.map(|(_, count)| count).sum::<u64>() >= 10, "{sled:?}");
    }
}

/// Audits one image on the disk.
fn on_disk(
    image: &crate::support::sim_files::SimFiles,
    rows: Option<&Arc<MemoryRows>>,
    sled: Sled,
    seed: u64,
    diary: &Diary,
    words: &str,
) -> Outcome {
    let folder = some_folder();
    put_on_disk(image, folder.path());
    let ledger = folder.path().join("l");
    let mut disk = Disk::new(folder.path(), seed, NOW_MS + 3_600_000);
    // Before there is a ledger folder there is no sled.
    if let Some(rows) = rows.filter(|_| ledger.exists()) {
        sled_of(&**rows, &ledger.join("index"));
        if sled == Sled::Flipped {
            flip_some(&ledger.join("index/db"), seed);
            disk = disk.with_damaged_rows();
        }
    }
    audit_machine(&disk, diary, &[], seed, words).0
}

/// Flips bits among the bytes that sled has written.
fn flip_some(db: &std::path::Path, seed: u64) {
    let mut bytes = fs::read(db).unwrap();
    let written: Vec<usize> = (0..bytes.len()).filter(|n| bytes[*n] != 0).collect();
    for n in 0..6_u64 {
        let random = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(u32::try_from(n * 9).unwrap());
        let at = written[usize::try_from(random % written.len() as u64).unwrap()];
        bytes[at] ^= 1 << (random >> 61);
    }
    fs::write(db, bytes).unwrap();
}
