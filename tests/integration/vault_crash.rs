//! The vault stopped at every operation, with every kind of loss: what was answered is there, and nothing that a
//! power cut leaves is called damage.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use immutape::codec::digest::CustodyId;
use immutape::error::{Code, Result};
use immutape::store::embedded::vault::EmbeddedVault;
use immutape::store::{Vault, VaultRecord};

use crate::support::sim_files::{Effect, Kind, SimFiles, Survive};

type EpochId = [u8; 16];

const A: EpochId = [0xa1; 16];
const B: EpochId = [0xb2; 16];
const C: EpochId = [0xc3; 16];

fn record(n: u8) -> VaultRecord {
    VaultRecord { custody_id: CustodyId::from_bytes([n; 32]), wrapped: [n ^ 0x33; 48], dedupe: [n ^ 0xcc; 32] }
}

fn open(sim: &SimFiles) -> EmbeddedVault {
    EmbeddedVault::open(sim.shared(), PathBuf::from("/state/vault")).unwrap()
}

/// What was answered, and what was on its way when the machine stopped.
#[derive(Default)]
struct Done {
    /// Generation and revision.
    generation: (u64, u64),
    next_generation: (u64, u64),
    /// Records that a sync covered, by epoch, with their slots.
    synced: BTreeMap<EpochId, Vec<(u32, VaultRecord)>>,
    /// Records that were put since, or were about to be.
    put: BTreeMap<EpochId, Vec<VaultRecord>>,
}

impl Done {
    fn set_generation(&mut self, vault: &EmbeddedVault, generation: u64, revision: u64) -> Result<()> {
        self.next_generation = (generation, revision);
        vault.set_generation(generation, revision, &revision.to_be_bytes())?;
        self.generation = self.next_generation;
        Ok(())
    }

    fn create(&mut self, vault: &EmbeddedVault, epoch: EpochId) -> Result<()> {
        vault.create_epoch(&epoch)?;
        self.synced.entry(epoch).or_default();
        Ok(())
    }

    fn put(&mut self, vault: &EmbeddedVault, epoch: EpochId, numbers: std::ops::Range<u8>) -> Result<()> {
        let mut slots = Vec::new();
        for n in numbers {
            self.put.entry(epoch).or_default().push(record(n));
            slots.push((vault.put(&epoch, &record(n))?, record(n)));
        }
        vault.sync()?;
        self.synced.entry(epoch).or_default().extend(slots);
        self.put.clear();
        Ok(())
    }
}

fn run(sim: &SimFiles, done: &mut Done) -> Result<()> {
    let vault = open(sim);
    done.set_generation(&vault, 1, 1)?;
    done.create(&vault, A)?;
    // Groups of one, two and many records; the many reach over several sectors.
    done.put(&vault, A, 1..2)?;
    done.put(&vault, A, 2..4)?;
    done.put(&vault, A, 4..16)?;
    done.set_generation(&vault, 1, 2)?;
    done.create(&vault, B)?;
    done.put(&vault, B, 101..106)?;
    done.put(&vault, A, 16..19)?;

    let survivors = vec![(C, vec![record(1), record(18)]), (B, vault.records(&B)?)];
    done.next_generation = (2, 1);
    vault.rotate(2, &1u64.to_be_bytes(), &survivors)?;
    done.generation = done.next_generation;
    done.synced.insert(C, vec![(0, record(1)), (1, record(18))]);
    done.put(&vault, C, 201..204)
}

fn losses() -> Vec<Survive> {
    let mut losses = vec![Survive::Nothing, Survive::Everything];
    losses.extend((0..6).map(Survive::Random));
    losses.extend((1..4).map(Survive::LastWriteSectors));
    losses.extend([1, 2, 5, 9].map(Survive::First));
    losses
}

/// What a case showed, so that the sweep can say that it met every kind.
#[derive(Default, PartialEq, Eq, PartialOrd, Ord, Debug, Clone, Copy)]
struct Met {
    kept_unsynced: bool,
    hole: bool,
    next_generation: bool,
}

/// Looks at what is left, goes on, cuts the power again, and looks once more.
fn check(image: &SimFiles, done: &Done, words: &str) -> Met {
    let mut met = Met::default();
    let vault = open(image);
    let found = vault.generation().unwrap_or_else(|e| panic!("{words}: generation: {e}"));
    let number = found.as_ref().map_or((0, 0), |(generation, revision, _)| (*generation, *revision));
    assert!([done.generation, done.next_generation].contains(&number), "{words}: generation {number:?}");
    assert!(found.is_none_or(|(_, revision, bytes)| bytes == revision.to_be_bytes()), "{words}: half a generation");
    met.next_generation = number != done.generation;

    let mut later: Vec<(EpochId, u32, VaultRecord)> = Vec::new();
    for (epoch, synced) in &done.synced {
        let records = vault.records(epoch).unwrap_or_else(|e| panic!("{words}: {e}"));
        let lawful: BTreeSet<CustodyId> = synced
            .iter()
            .map(|(_, r)| r)
            .chain(done.put.get(epoch).into_iter().flatten())
            .map(|r| r.custody_id)
            .collect();
        assert!(records.iter().all(|r| lawful.contains(&r.custody_id)), "{words}: invented a record");
        assert!(records.len() >= synced.len(), "{words}: lost a record");
        for (slot, record) in synced {
            let got = vault.get(epoch, &record.custody_id, Some(*slot));
            assert_eq!(got.map_err(|e| e.to_string()), Ok(*record), "{words}");
        }
        met.kept_unsynced |= records.len() > synced.len();

        let slot = vault.put(epoch, &record(250)).unwrap_or_else(|e| panic!("{words}: {e}"));
        assert!(slot as usize >= records.len(), "{words}: wrote over a record");
        met.hole |= slot as usize > records.len();
        later.extend(synced.iter().map(|(slot, record)| (*epoch, *slot, *record)));
        later.push((*epoch, slot, record(250)));
    }
    if let (generation @ 1.., revision) = number {
        vault.set_generation(generation, revision + 1, b"after").unwrap_or_else(|e| panic!("{words}: {e}"));
    }
    vault.sync().unwrap();
    drop(vault);

    let vault = open(&image.crash_image(Survive::Nothing));
    for (epoch, slot, record) in later {
        assert_eq!(vault.get(&epoch, &record.custody_id, Some(slot)).map_err(|e| e.to_string()), Ok(record), "{words}");
    }
    met
}

#[test]
fn stopped_at_every_operation() {
    let whole = SimFiles::new();
    let mut done = Done::default();
    run(&whole, &mut done).unwrap();
    check(&whole.crash_image(Survive::Nothing), &done, "not stopped");
    let operations = whole.operations();
    assert!(operations.len() > 70, "{} operations", operations.len());

    let (mut met, mut cases) = (BTreeSet::new(), 0);
    for operation in &operations {
        for effect in [Effect::Without, Effect::With] {
            let sim = SimFiles::new();
            sim.stop_at(operation.number, effect);
            let mut done = Done::default();
            assert!(run(&sim, &mut done).is_err() && sim.has_stopped());
            for survive in losses() {
                let words = format!("{operation:?} {effect:?}, {survive:?}");
                met.insert(check(&sim.crash_image(survive), &done, &words));
                cases += 1;
            }
        }
    }
    println!("{cases} cases: {met:?}");
    let all = met.iter().fold(Met::default(), |a, b| Met {
        kept_unsynced: a.kept_unsynced | b.kept_unsynced,
        hole: a.hole | b.hole,
        next_generation: a.next_generation | b.next_generation,
    });
    assert_eq!(all, Met { kept_unsynced: true, hole: true, next_generation: true }, "the sweep must meet every kind");
}

/// A sync that lies is beyond any program; what it swallowed must be gone without a trace of damage, and the
/// test shows that the sweep above would notice a missing sync.
#[test]
fn every_sync_counts() {
    let whole = SimFiles::new();
    run(&whole, &mut Done::default()).unwrap();
    let syncs: Vec<_> =
        whole.operations().into_iter().filter(|o| matches!(o.kind, Kind::Sync | Kind::SyncDir)).collect();
    let mut noticed = 0;
    for operation in &syncs {
        // Stopped at the very next operation, so that no later sync covers for it.
        let sim = SimFiles::new();
        sim.lose_sync_at(operation.number);
        sim.stop_at(operation.number + 1, Effect::Without);
        let mut done = Done::default();
        let _stopped = run(&sim, &mut done);
        let image = sim.crash_image(Survive::Nothing);
        let outcome = std::panic::catch_unwind(|| check(&image, &done, "a sync lied"));
        noticed += u32::from(outcome.is_err());
    }
    // Some syncs are followed by another before anything is answered; those of a put, an epoch, a generation are not.
    assert!(noticed >= 10, "{noticed} of {} lost syncs were noticed", syncs.len());
}

#[test]
fn a_handle_whose_sync_failed_gives_nothing_more() {
    let sim = SimFiles::new();
    let vault = open(&sim);
    vault.set_generation(1, 1, b"").unwrap();
    vault.create_epoch(&A).unwrap();
    vault.put(&A, &record(1)).unwrap();
    sim.fail_at(sim.next_operation(), std::io::ErrorKind::TimedOut, Effect::Without);
    assert_eq!(vault.sync().map_err(|e| e.code()), Err(Code::Broken));
    assert_eq!(sim.faults_made(), 1);
    let before = sim.next_operation();
    assert_eq!(vault.sync().map_err(|e| e.code()), Err(Code::Broken));
    assert_eq!(vault.get(&A, &record(1).custody_id, Some(0)).map_err(|e| e.code()), Err(Code::Broken));
    assert_eq!(sim.next_operation(), before, "nothing is tried again");
    drop(vault);
    assert_eq!(open(&sim.crash_image(Survive::Nothing)).records(&A).unwrap(), vec![]);
}

#[test]
fn a_full_disk_is_survived() {
    let sim = SimFiles::new();
    let vault = open(&sim);
    vault.set_generation(1, 1, b"").unwrap();
    vault.create_epoch(&A).unwrap();
    sim.set_room(Some(sim.used_bytes()));
    for n in 1..=256u32 {
        vault.put(&A, &record(n as u8)).unwrap_or_else(|e| panic!("the epoch was paid for: {e}"));
    }
    vault.sync().unwrap();
    assert_eq!(vault.create_epoch(&B).map_err(|e| e.code()), Err(Code::StoreFull));
    assert_eq!(vault.set_generation(1, 2, b"longer").map_err(|e| e.code()), Err(Code::StoreFull));
    assert!(sim.faults_made() > 0);
    assert_eq!(vault.records(&A).unwrap().len(), 256);
    sim.set_room(None);
    vault.create_epoch(&B).unwrap();
    vault.set_generation(1, 2, b"longer").unwrap();
}
