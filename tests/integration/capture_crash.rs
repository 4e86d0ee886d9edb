//! Recordings on a machine that stops at every operation, or where one fails and the machine goes on: what was said to be
//! durable is on a tape, in order, nothing is invented, and what is missing is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use immutape::Code;
use immutape::capture::{LedgerAccess, OnStorageFailure, Recovered, recover};
use immutape::error::Result;
use immutape::evidence::{Severity, Verdict};
use immutape::ledger::{CheckOptions, Checker, Ledger};
use immutape::store::memory::rows::MemoryRows;

use crate::support::crash::{Base, Machine as _, NOW_MS, Points, World, copy_rows, in_parallel, in_runtime};
use crate::support::ledgers::ann;
use crate::support::recordings::{Answers, Story, judge, kept};
use crate::support::sim_files::{Effect, Kind, Operation, SimFiles, Survive};
use crate::support::trials;

/// Every so many operations are tried where nobody asks for more.
fn stride() -> usize {
    if trials(1) > 1 { 1 } else { 5 }
}

/// Lives the story; the errors that it met and went on behind.
fn lived(world: &World, answers: &Answers, policy: OnStorageFailure, goes_on: bool) -> Result<Vec<Code>> {
    in_runtime(async {
        world.stage("open");
        let ledger = match Ledger::open(world.places(), world.env()).await {
            Err(e) if goes_on => return Ok(vec![e.code()]),
            opened => opened?,
        };
        let story = Story {
            access: LedgerAccess::open(ledger.clone()),
            ledger: &ledger,
            clock: world.clock.clone(),
            answers,
            policy,
            goes_on,
            stage: &|stage| world.stage(stage),
            is_over: &|| world.sim.has_stopped(),
            errors: Mutex::default(),
        };
        let lived = story.live().await;
        let errors = story.errors.into_inner().unwrap();
        drop(story.access);
        world.stage("close");
        let closed = ledger.close().await;
        lived?;
        match closed {
            Err(e) if goes_on => Ok([errors, vec![e.code()]].concat()),
            closed => closed.map(|()| errors),
        }
    })
}

/// Opens what is left, seals it, and looks at all of it. Frames on tapes, and how many of those were cut off.
fn audit(image: SimFiles, rows: Arc<MemoryRows>, answers: &Answers, seed: u64, words: &str) -> (u64, usize) {
    let world = World::on(image, rows, seed, NOW_MS + 7_200_000);
    let report = Checker::open(&world.places(), &world.env()).unwrap().run(&CheckOptions::default());
    let wrong: Vec<_> = report.findings.iter().filter(|f| f.severity == Severity::Altered).collect();
    assert!(wrong.is_empty(), "{words}: before anything was opened: {wrong:#?}");
    let again = |world: &World| {
        in_runtime(async {
            let ledger = Ledger::open(world.places(), world.env()).await.unwrap();
            let found = recover(&ledger, &ann()).await.unwrap();
            let failed = found.iter().find(|r| !matches!(r, Recovered::Sealed { .. }));
            assert!(failed.is_none(), "{words}: {failed:?}");
            let size = ledger.size();
            assert!(recover(&ledger, &ann()).await.unwrap().is_empty(), "{words}: sealed twice");
            assert_eq!(ledger.size(), size, "{words}: the second look left an entry");
            assert_eq!(ledger.spooled().unwrap(), [], "{words}");
            let (report, recorded) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
            recorded.unwrap();
            assert_eq!(report.verdict(), Verdict::Intact, "{words}: {report:#?}");
            let frames = judge(&kept(&ledger).await.unwrap(), answers, words);
            ledger.close().await.unwrap();
            let cut_off = found.iter().filter(|r| matches!(r, Recovered::Sealed { is_cut_off: true, .. })).count();
            (frames, found.len(), cut_off)
        })
    };
    let (frames, _, cut_off) = again(&world);
    // What the recovery made is durable.
    let later = World::on(world.sim.crash_image(Survive::Nothing), world.rows.clone(), seed ^ 1, NOW_MS + 9_000_000);
    assert_eq!(again(&later), (frames, 0, 0), "{words}: after another crash");
    (frames, cut_off)
}

#[derive(Debug, Default)]
struct Tally {
    stages: BTreeMap<String, u64>,
    kinds: BTreeMap<Kind, u64>,
    codes: BTreeMap<Code, u64>,
    cases: u64,
    frames: u64,
    cut_off: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn take(&mut self, operation: &Operation, (frames, cut_off): (u64, usize)) {
        *self.stages.entry(operation.stage.clone()).or_default() += 1;
        *self.kinds.entry(operation.kind).or_default() += 1;
        (self.cases, self.frames, self.cut_off) = (self.cases + 1, self.frames + frames, self.cut_off + cut_off);
    }
}

/// How many operations the story has, and the numbers of those that are tried.
fn operations(base: &Base, goes_on: bool) -> (usize, Vec<usize>) {
    let (world, _) = base.machine(1);
    let answers = Answers::default();
    assert_eq!(lived(&world, &answers, OnStorageFailure::Stop, goes_on).unwrap(), []);
    let image = world.sim.crash_image(Survive::Nothing);
    let (frames, cut_off) = audit(image, copy_rows(&*world.rows), &answers, 3, "nothing happened");
    assert_eq!((frames, cut_off), (3 + 4 + 2 + 2, 0));
    let operations = world.sim.operations();
    (operations.len(), tried(&operations.iter().map(|o| o.stage.as_str()).collect::<Vec<_>>()))
}

/// Every so many, and around each stage that is so short that another telling, a few operations longer or shorter, would lie
/// between two of them.
fn tried(stages: &[&str]) -> Vec<usize> {
    let of = |stage: &str| stages.iter().filter(|other| **other == stage).count();
    let is_short = |number: usize| stages.get(number).is_some_and(|stage| of(stage) < 3 * stride());
    let near = |number: usize| (number.saturating_sub(3)..=number + 3).any(is_short);
    (0..stages.len()).filter(|number| number % stride() == 0 || near(*number)).collect()
}

const STAGES: [&str; 7] = ["open", "each", "flushed", "parts", "left", "recover", "seal"];

#[test]
fn recordings_stopped_at_every_operation() {
    let base = Base::with_tapes(1);
    let (operations, points) = operations(&base, false);
    let (told, tally) = (Points::of(operations), Mutex::new(Tally::default()));
    in_parallel(points.len() * 2, |n| {
        let (number, effect) = (points[n / 2], if n % 2 == 0 { Effect::Without } else { Effect::With });
        let (world, _) = base.machine(number as u64 + 2);
        let answers = Answers::default();
        world.sim.stop_at(number as u64, effect);
        let ended = lived(&world, &answers, OnStorageFailure::Stop, false);
        let Some(operation) = world.sim.operations().get(number).cloned() else {
            return told.is_past_the_end(number as u64, &world.sim);
        };
        assert!(ended.is_err(), "a stopped machine answered");
        let survive = match (effect, n / 2 % 4) {
            (Effect::Without, 0) => Survive::Everything,
            (Effect::Without, 1) => Survive::LastWriteFirstBytes(512),
            (Effect::Without, _) => Survive::Nothing,
            (_, 0) => Survive::Everything,
            (_, 1) => Survive::LastWriteSectors(0b10),
            (_, _) => Survive::Random(number as u64),
        };
        let words = format!("{operation:?} {effect:?}, {survive:?}");
        let (image, rows) = (world.sim.crash_image(survive), copy_rows(&*world.rows));
        match catch_unwind(AssertUnwindSafe(|| audit(image, rows, &answers, number as u64, &words))) {
            Ok(found) => tally.lock().unwrap().take(&operation, found),
            Err(_) => tally.lock().unwrap().wrong.push(words),
        }
    });
    let tally = tally.into_inner().unwrap();
    println!("{operations} operations, {} points: {tally:#?}", points.len());
    assert_eq!(tally.wrong, [""; 0]);
    told.assert_met();
    assert!(STAGES.iter().all(|stage| tally.stages.contains_key(*stage)), "{:?}", tally.stages);
    assert!(tally.cut_off > 10 && tally.frames > 100);
}

#[test]
fn every_operation_of_recordings_fails() {
    let base = Base::with_tapes(1);
    let (operations, points) = operations(&base, true);
    let (told, tally) = (Points::of(operations), Mutex::new(Tally::default()));
    in_parallel(points.len() * 2, |n| {
        let number = points[n / 2];
        let policy = if n % 2 == 0 { OnStorageFailure::Stop } else { OnStorageFailure::ContinueWithGap };
        let (kind, effect) = match n / 2 % 3 {
            0 => (ErrorKind::StorageFull, Effect::FirstBytes(512)),
            1 => (ErrorKind::Other, Effect::Without),
            _ => (ErrorKind::Other, Effect::With),
        };
        let (world, _) = base.machine(number as u64 + 2);
        let answers = Answers::default();
        world.sim.fail_at(number as u64, kind, effect);
        let errors = lived(&world, &answers, policy, true).unwrap();
        let Some(operation) = world.sim.operations().get(number).cloned() else {
            return told.is_past_the_end(number as u64, &world.sim);
        };
        assert_eq!(world.sim.faults_made(), 1);
        let words = format!("{operation:?} {kind:?} {effect:?}, {policy:?}, {errors:?}");
        // The power is cut; and the next process starts on the machine that went on.
        for image in [world.sim.crash_image(Survive::Nothing), world.sim.crash_image(Survive::Everything)] {
            let rows = copy_rows(&*world.rows);
            match catch_unwind(AssertUnwindSafe(|| audit(image, rows, &answers, number as u64, &words))) {
                Ok(found) => tally.lock().unwrap().take(&operation, found),
                Err(_) => tally.lock().unwrap().wrong.push(words.clone()),
            }
        }
        let mut tally = tally.lock().unwrap();
        errors.iter().for_each(|code| *tally.codes.entry(*code).or_default() += 1);
    });
    let tally = tally.into_inner().unwrap();
    println!("{operations} operations, {} points: {tally:#?}", points.len());
    assert_eq!(tally.wrong, [""; 0]);
    told.assert_met();
    assert!([Code::StoreFull, Code::Broken].iter().all(|code| tally.codes.contains_key(code)), "{:?}", tally.codes);
    assert_eq!(tally.stages.keys().filter(|s| STAGES.contains(&s.as_str())).collect::<BTreeSet<_>>().len(), 7);
}
