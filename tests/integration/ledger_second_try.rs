//! An operation of a making or of a repair fails, the machine goes on, and whoever asked tries again: the first call
//! says what happened, the second comes right, and nothing that was answered is lost.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use immutape::Code;
use immutape::codec::digest::CustodyId;
use immutape::error::{Error, Result};
use immutape::ledger::{Ledger, Repair, RepairDone};
use immutape::log::EntryKind;
use immutape::store::memory::rows::MemoryRows;

use crate::support::crash::{
    Base, Case, Content, Diary, Machine, NOW_MS, World, audit, copy_rows, in_parallel, in_runtime,
};
use crate::support::ledgers::ann;
use crate::support::sim_files::{Effect, Kind, Operation, Survive};
use crate::support::trials;

/// A fault that a machine survives.
type Fault = (Effect, ErrorKind);

/// Those of one operation: an error without effect and with it, a torn write, and a disk that is full for this once.
/// A short run takes two of them in turn.
fn faults(operation: &Operation) -> Vec<Fault> {
    let mut faults = vec![
        (Effect::Without, ErrorKind::TimedOut),
        (Effect::With, ErrorKind::StorageFull),
        (Effect::With, ErrorKind::TimedOut),
        (Effect::Without, ErrorKind::StorageFull),
    ];
    if operation.kind == Kind::Write {
        faults.extend([ErrorKind::TimedOut, ErrorKind::StorageFull].map(|kind| (Effect::FirstBytes(512), kind)));
    }
    let turn = usize::try_from(operation.number).unwrap() % faults.len();
    faults.rotate_left(turn);
    faults.truncate(usize::try_from(trials(2)).unwrap());
    faults
}

fn is_typed(code: Code) -> bool {
    matches!(code, Code::Io | Code::StoreFull | Code::Broken | Code::InDoubt | Code::AuditUnavailable)
}

/// What a sweep met: the first answer and the second, and how often.
#[derive(Debug, Default)]
struct Met {
    answers: BTreeMap<(&'static str, Code), u64>,
    kinds: BTreeMap<(Kind, Effect), u64>,
    cases: u64,
    wrong: Vec<String>,
}

impl Met {
    fn count(&self, wanted: &str) -> u64 {
        self.answers.iter().filter(|((answer, _), _)| *answer == wanted).map(|(_, count)| count).sum()
    }
}

/// Tries every operation with its faults, on two threads.
fn sweep(operations: &[Operation], met: &Mutex<Met>, once: impl Fn(&Operation, Fault, &str) + Sync) {
    in_parallel(operations.len(), |n| {
        for fault in faults(&operations[n]) {
            let words = format!("{:?} {fault:?}", operations[n]);
            let tried = catch_unwind(AssertUnwindSafe(|| once(&operations[n], fault, &words)));
            let mut met = met.lock().unwrap();
            met.cases += 1;
            *met.kinds.entry((operations[n].kind, fault.0)).or_default() += 1;
            if tried.is_err() {
                met.wrong.push(words);
            }
        }
    });
}

fn note(met: &Mutex<Met>, answer: &'static str, code: Code) {
    *met.lock().unwrap().answers.entry((answer, code)).or_default() += 1;
}

/// The power is cut, after which something may be broken again, and then what the machine has in memory is looked at.
fn audit_both(world: &World, diary: &Diary, broken: &[Code], seed: u64, words: &str) {
    for (image, broken) in [(world.sim.crash_image(Survive::Nothing), broken), (world.sim.clone(), &[])] {
        let rows = copy_rows(&*world.rows);
        audit(Case { image, rows, diary, broken, seed, words });
    }
}

fn make(world: &World, diary: &Diary) -> Result<Ledger> {
    diary.begin(&[EntryKind::GENESIS]);
    let made = in_runtime(Ledger::create(world.places(), world.env(), "test", true));
    if made.is_ok() {
        diary.set_created();
    }
    made
}

#[test]
fn a_making_fails_and_is_tried_again() {
    let world = World::new(5);
    world.stage("init");
    drop(make(&world, &Diary::default()).unwrap());
    let operations = world.sim.operations();
    let met = Mutex::new(Met::default());
    sweep(&operations, &met, |operation, (effect, kind), words| {
        let (world, diary) = (World::new(operation.number + 6), Diary::default());
        world.sim.fail_at(operation.number, kind, effect);
        let first = make(&world, &diary);
        assert_eq!(world.sim.faults_made(), 1, "{words}");
        match first.as_ref().map_err(Error::code) {
            Ok(_) => note(&met, "made at once", Code::Internal),
            Err(code) => {
                assert!(is_typed(code), "{words}: {code:?}");
                note(&met, "refused", code);
            }
        }
        drop(first);
        let (image, rows) = (world.sim.crash_image(Survive::Nothing), copy_rows(&*world.rows));
        audit(Case { image, rows, diary: &diary, broken: &[], seed: operation.number, words });

        let ledger = match make(&world, &diary) {
            Ok(ledger) => {
                note(&met, "made again", Code::Internal);
                ledger
            }
            // Entry 0 was kept, whatever was answered: the ledger is there.
            Err(e) => {
                assert_eq!(e.code(), Code::LedgerExists, "{words}: {e}");
                note(&met, "was there", e.code());
                in_runtime(Ledger::open(world.places(), world.env())).unwrap_or_else(|e| panic!("{words}: {e}"))
            }
        };
        diary.set_created();
        in_runtime(async {
            let saved = diary.with(&ledger).save(&Content::small("after it", "draft", 2, 50)).await;
            saved.unwrap_or_else(|e| panic!("{words}: {e}"));
        });
        drop(ledger);
        audit_both(&world, &diary, &[], operation.number, words);
    });
    let met = met.into_inner().unwrap();
    println!("{} operations: {met:#?}", operations.len());
    assert!(met.wrong.is_empty());
    assert!(met.cases >= 2 * operations.len() as u64 && operations.len() >= 50);
    for answer in ["made at once", "refused", "made again", "was there"] {
        assert!(met.count(answer) >= 3, "{answer} was not met");
    }
    for code in [Code::Io, Code::StoreFull, Code::Broken] {
        assert!(met.answers.contains_key(&("refused", code)), "{code:?} was never met");
    }
}

/// The first write of the journal is header and group in one; of any part of it the next making begins anew.
#[test]
fn a_making_whose_first_group_was_torn_is_begun_anew() {
    let world = World::new(5);
    drop(make(&world, &Diary::default()).unwrap());
    let is_first = |o: &&Operation| o.kind == Kind::Write && (1_000..10_000).contains(&o.bytes) && is_journal(o);
    let first = world.sim.operations().iter().find(is_first).cloned().unwrap();
    let sectors = u32::try_from(first.bytes / 512).unwrap();
    assert!(sectors >= 3, "{first:?}");
    for mask in 0..1_u64 << sectors {
        let (world, diary) = (World::new(6), Diary::default());
        world.sim.stop_at(first.number, Effect::With);
        assert!(make(&world, &diary).is_err());
        let image = world.sim.crash_image(Survive::LastWriteSectors(mask));
        let words = format!("sectors {mask:b} of {first:?}");
        let rows = Arc::new(MemoryRows::new());
        let outcome = audit(Case { image, rows, diary: &diary, broken: &[], seed: mask, words: &words });
        assert_eq!(outcome.made_anew, mask + 1 < 1 << sectors, "{words}");
    }
}

fn is_journal(operation: &Operation) -> bool {
    operation.path.starts_with("l/journal")
}

/// What is to be mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    /// A bit of the journal.
    Bit,
    /// The journal is gone.
    Journal,
    /// The signed head.
    Head,
    /// The head is gone, and the journal lacks what sled still has.
    HeadAndEnd,
    /// The rows are another ledger's, so to speak: there are none.
    Rows,
}

impl Harm {
    fn what(self) -> Repair {
        match self {
            Self::Head | Self::HeadAndEnd => Repair::AcceptHead,
            Self::Bit | Self::Journal | Self::Rows => Repair::Log,
        }
    }

    /// The entry that tells of the repair; the start tells of rows that were built anew.
    fn told(self) -> Option<EntryKind> {
        match self {
            Self::Head | Self::HeadAndEnd => Some(EntryKind::HEAD_FILE_REBUILT),
            Self::Bit | Self::Journal => Some(EntryKind::INTEGRITY_REPAIRED),
            Self::Rows => None,
        }
    }

    /// What may be broken again by a power cut. A repair that finds nothing left to do has opened nothing, and only an
    /// opening makes durable what an earlier one failed to: the name of a new segment, or of a new head.
    fn again(self) -> &'static [Code] {
        match self {
            Self::Bit | Self::Journal => &[Code::LogDamaged, Code::LedgerMissing],
            Self::Head | Self::HeadAndEnd => &[Code::HeadInvalid, Code::HeadMissing],
            Self::Rows => &[],
        }
    }

    /// A machine of its own that was harmed so.
    fn machine(self, base: &Base, seed: u64) -> (World, Diary) {
        let (world, diary) = base.machine(seed);
        let journal = "l/journal/00000001.seg";
        let files = world.sim.shared();
        match self {
            Self::Bit => world.sim.edit(journal, |bytes| bytes[2_000] ^= 0x10),
            Self::Journal => {
                for file in files.list("l/journal".as_ref()).unwrap() {
                    files.remove_file(&std::path::Path::new("l/journal").join(file.name)).unwrap();
                }
            }
            Self::Head => world.sim.edit(world.state_path("head").unwrap(), |bytes| bytes.truncate(100)),
            Self::HeadAndEnd => {
                files.remove_file(&world.state_path("head").unwrap()).unwrap();
                let starts = |bytes: &[u8]| bytes.chunks(512).rposition(|block| block.iter().any(|b| *b != 0)).unwrap();
                world.sim.edit(journal, |bytes| {
                    let last = starts(bytes) * 512;
                    bytes[last..].fill(0);
                });
            }
            Self::Rows => {}
        }
        let rows = if self == Self::Rows { Arc::new(MemoryRows::new()) } else { world.rows.clone() };
        (World::on(world.sim.crash_image(Survive::Everything), rows, seed, NOW_MS + 2_400_000), diary)
    }

    fn repair(self, world: &World, diary: &Diary) -> Result<RepairDone> {
        let ticket = diary.begin(&[EntryKind::INTEGRITY_REPAIRED]);
        let accepting = diary.begin(&[EntryKind::HEAD_FILE_REBUILT]);
        let done = in_runtime(Ledger::repair(world.places(), world.env(), self.what(), &ann()))?;
        if let Some(told) = self.told().filter(|_| done != RepairDone::Nothing) {
            let ticket = if told == EntryKind::HEAD_FILE_REBUILT { accepting } else { ticket };
            diary.answered(ticket, told, None, CustodyId::LEDGER);
        }
        Ok(done)
    }
}

#[test]
fn a_repair_fails_and_is_tried_again() {
    let base = Base::with_tapes(4);
    for harm in [Harm::Bit, Harm::Journal, Harm::Head, Harm::HeadAndEnd, Harm::Rows] {
        let (world, diary) = harm.machine(&base, 1);
        world.stage("repair");
        let done = harm.repair(&world, &diary).unwrap();
        assert_ne!(done, RepairDone::Nothing, "{harm:?}");
        let operations = world.sim.operations();
        let met = Mutex::new(Met::default());
        sweep(&operations, &met, |operation, (effect, kind), words| {
            let words = format!("{harm:?}, {words}");
            let (world, diary) = harm.machine(&base, operation.number + 2);
            world.sim.fail_at(operation.number, kind, effect);
            let first = harm.repair(&world, &diary);
            assert_eq!(world.sim.faults_made(), 1, "{words}");
            match &first {
                Ok(_) => note(&met, "mended at once", Code::Internal),
                Err(e) => {
                    assert!(is_typed(e.code()), "{words}: {e}");
                    note(&met, "refused", e.code());
                }
            }
            // The next process, after a power cut and without one.
            let image = world.sim.crash_image(Survive::Nothing);
            let cut = World::on(image, copy_rows(&*world.rows), operation.number, NOW_MS + 3_000_000);
            for (world, diary) in [(&cut, diary.copy()), (&world, diary)] {
                let second = harm.repair(world, &diary).unwrap_or_else(|e| panic!("{words}, again: {e}"));
                let answer = if second == RepairDone::Nothing { "was mended" } else { "mended again" };
                note(&met, answer, Code::Internal);
                let is_open = second != RepairDone::Nothing;
                audit_both(world, &diary, if is_open { &[] } else { harm.again() }, operation.number, &words);
            }
        });
        let met = met.into_inner().unwrap();
        println!("{harm:?}, {} operations: {met:#?}", operations.len());
        assert!(met.wrong.is_empty());
        assert!(met.cases >= 2 * operations.len() as u64 && operations.len() >= 10, "{harm:?}");
        for answer in ["refused", "mended again", "was mended"] {
            assert!(met.count(answer) >= 3, "{harm:?}: {answer} was not met");
        }
    }
}
