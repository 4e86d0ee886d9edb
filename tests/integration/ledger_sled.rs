//! Crash images on the real disk, with the real sled beside them: absent, older, or with bits flipped.
//!
//! Every operation of the story is stopped at, without and with its effect. What else may survive there is opened with rows in
//! memory alone (`ledger_crash`): the newest, older ones and none.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use immutape::Code;
use immutape::ledger::{Ledger, Repair};
use immutape::log::EntryKind;
use immutape::store::memory::rows::MemoryRows;

use crate::support::crash::{
    Diary, Disk, Machine, NOW_MS, Outcome, Points, STAGES, World, audit_machine, copy_rows, every_byte, in_parallel,
    in_runtime, put_on_disk, sled_of, some_folder, story,
};
use crate::support::ledgers::ann;
use crate::support::sim_files::{Effect, Operation, SimFiles, Survive};

/// What is left of the sled folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sled {
    Absent,
    Older,
    Flipped,
}

/// Cases of each stage.
const CASES_MIN: u64 = 10;

#[derive(Default)]
struct Met {
    outcomes: BTreeMap<(Sled, Outcome), u64>,
    stages: BTreeMap<String, u64>,
    /// Repairs that refused while sled could not help, and were made when it could.
    refused: u64,
    wrong: Vec<String>,
}

#[test]
fn crash_images_with_every_kind_of_sled() {
    let whole = World::new(20);
    in_runtime(story(&whole, &Diary::default(), &mut Vec::new())).unwrap();
    let operations = whole.sim.operations();
    let told = Points::of(operations.len());
    let points: Vec<(u64, Effect)> =
        operations.iter().flat_map(|o| [(o.number, Effect::Without), (o.number, Effect::With)]).collect();
    let met = Mutex::new(Met::default());
    in_parallel(points.len(), |n| stop_and_open(points[n], n, &told, &met));
    // The threads of a story shift its numbers, on a busy machine past a short stage: such a one is gone through again.
    for _ in 0..3 {
        let is_short = |stage: &str| met.lock().unwrap().stages.get(stage).is_none_or(|count| *count < CASES_MIN);
        let of_short = operations.iter().filter(|o| is_short(&o.stage) && STAGES.contains(&o.stage.as_str()));
        let again: Vec<u64> = of_short.map(|o| o.number).collect();
        in_parallel(again.len(), |n| stop_and_open((again[n], Effect::With), n, &told, &met));
    }
    let met = met.into_inner().unwrap();
    println!("{} crash points; {:#?}\n{:?}, {} refused", points.len(), met.outcomes, met.stages, met.refused);
    assert!(met.wrong.is_empty(), "{:#?}", met.wrong);
    told.assert_met();
    assert!(met.outcomes.values().sum::<u64>() >= 3 * 500);
    assert!(
        STAGES.iter().all(|stage| met.stages.get(*stage).is_some_and(|count| *count >= CASES_MIN)),
        "{:?}",
        met.stages
    );
    assert!(met.refused >= 3);
    for sled in [Sled::Absent, Sled::Flipped] {
        let rebuilt = met.outcomes.iter().filter(|((of, outcome), _)| *of == sled && outcome.rebuilt);
        assert!(rebuilt.map(|(_, count)| count).sum::<u64>() >= 10, "{sled:?}");
    }
}

/// Stops the story at one operation, and audits what that leaves with each kind of sled.
fn stop_and_open((number, effect): (u64, Effect), turn: usize, told: &Points, met: &Mutex<Met>) {
    let (world, diary, mut snapshots) = (World::new(20), Diary::default(), Vec::new());
    world.sim.stop_at(number, effect);
    let _stopped = in_runtime(story(&world, &diary, &mut snapshots));
    if !world.sim.has_stopped() {
        return told.is_past_the_end(number, &world.sim);
    }
    let operation = world.sim.operations().last().cloned().unwrap();
    let survive = [Survive::Nothing, Survive::Everything, Survive::Random(number)][turn % 3];
    for sled in [Sled::Absent, Sled::Older, Sled::Flipped] {
        let words = format!("{operation:?}, {survive:?}, sled {sled:?}");
        let rows = match sled {
            Sled::Absent => None,
            Sled::Older => Some(snapshots[turn % snapshots.len()].clone()),
            Sled::Flipped => Some(copy_rows(&*world.rows)),
        };
        let image = Image { files: world.sim.crash_image(survive), operation: &operation, newest: &world.rows };
        let audited = catch_unwind(AssertUnwindSafe(|| image.on_disk(rows.as_ref(), sled, &diary.copy(), &words)));
        let mut met = met.lock().unwrap();
        match audited {
            Ok((outcome, refused)) => {
                *met.outcomes.entry((sled, outcome)).or_default() += 1;
                *met.stages.entry(operation.stage.clone()).or_default() += 1;
                met.refused += u64::from(refused);
            }
            Err(_) => met.wrong.push(words),
        }
    }
}

/// A disk, where the story stopped that left it, and the rows as they were then.
struct Image<'a> {
    files: SimFiles,
    operation: &'a Operation,
    newest: &'a Arc<MemoryRows>,
}

impl Image<'_> {
    /// What the story itself had broken.
    fn broken(&self) -> &'static [Code] {
        match self.operation.stage.as_str() {
            "mend log" => &[Code::LogDamaged],
            "accept head" => &[Code::HeadInvalid, Code::HeadMissing],
            _ => &[],
        }
    }

    /// Audits it on the disk; also whether a broken journal could be mended only when sled was whole again.
    fn on_disk(&self, rows: Option<&Arc<MemoryRows>>, sled: Sled, diary: &Diary, words: &str) -> (Outcome, bool) {
        let folder = some_folder();
        put_on_disk(&self.files, folder.path());
        let (ledger, seed) = (folder.path().join("l"), self.operation.number);
        let mut disk = Disk::new(folder.path(), seed, NOW_MS + 3_600_000);
        // Before there is a ledger folder there is no sled.
        if let Some(rows) = rows.filter(|_| ledger.exists()) {
            sled_of(&**rows, &ledger.join("index"));
            if sled == Sled::Flipped {
                flip_some(&ledger.join("index/db"), seed);
                disk = disk.with_damaged_rows();
            }
        }
        let refused = self.broken().contains(&Code::LogDamaged) && self.is_refused(&disk, diary, words);
        (audit_machine(&disk, diary, self.broken(), seed, words).0, refused)
    }

    /// Tries to mend the journal with the sled that is there. A repair that refuses has changed no byte of it, and is
    /// given the newest sled for the next attempt.
    fn is_refused(&self, disk: &Disk, diary: &Diary, words: &str) -> bool {
        let (journal, index) = (disk.base.join("l/journal"), disk.base.join("l/index"));
        let before = every_byte(&journal, "");
        diary.begin(&[EntryKind::INTEGRITY_REPAIRED]);
        match in_runtime(Ledger::repair(disk.places(), disk.env(), Repair::Log, &ann())) {
            Ok(_) => false,
            Err(e) => {
                assert!(matches!(e.code(), Code::LogDamaged | Code::LedgerMissing), "{words}: {e}");
                assert!(every_byte(&journal, "") == before, "{words}: a repair that refused changed the journal");
                let _none_is_there = fs::remove_dir_all(&index);
                sled_of(&**self.newest, &index);
                true
            }
        }
    }
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
