//! A whole ledger stopped at every operation that changes a disk, with and without its effect, and with
//! every kind of loss of what was not synced: what was answered is there, and nothing else is but what
//! was asked for.
//!
//! The rows are in memory here, and every image is opened with the newest, with older ones and with none. `ledger_sled`
//! does the same to a part of the images with sled itself on a real disk, where bits of it are flipped too.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use immutape::Code;
use immutape::ledger::{Filter, Ledger};
use immutape::store::memory::rows::MemoryRows;
use immutape::time::Timestamp;

use crate::support::crash::{
    Base, Case, Diary, Machine as _, NOW_MS, Outcome, Points, STAGES, World, audit, continue_with, copy_rows,
    fingerprint, in_parallel, in_runtime, story,
};
use crate::support::sim_files::{Effect, Kind, Operation, SimFiles, Survive};

/// Seed of every generator; `IMMUTAPE_CRASH_SEED` gives another.
fn seed() -> u64 {
    std::env::var("IMMUTAPE_CRASH_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// A story that was stopped.
struct Stopped {
    world: World,
    diary: Diary,
    /// Copies of the rows at the beginning of each stage.
    snapshots: Vec<Arc<MemoryRows>>,
    operation: Operation,
}

/// Lives the story until it is stopped at an operation; `None` when it never came so far.
fn stopped(number: u64, effect: Effect, told: &Points) -> Option<Stopped> {
    let (world, diary, mut snapshots) = (World::new(seed()), Diary::default(), Vec::new());
    world.sim.stop_at(number, effect);
    let ended = in_runtime(story(&world, &diary, &mut snapshots));
    if !world.sim.has_stopped() {
        told.is_past_the_end(number, &world.sim);
        return None;
    }
    assert!(ended.is_err() && world.sim.faults_made() == 1, "a stopped machine answered");
    let operation = world.sim.operations().get(usize::try_from(number).unwrap()).cloned();
    operation.map(|operation| Stopped { world, diary, snapshots, operation })
}

/// What is left of the rows: they are not part of the promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum RowsLeft {
    Latest,
    None,
    Older,
}

/// A digest of a disk, and how much was asked for and answered before it was left: the same disk must hold more when
/// more was answered.
type Image = ([u8; 32], usize, usize);

impl Stopped {
    fn rows(&self, left: RowsLeft, turn: usize) -> Arc<MemoryRows> {
        match left {
            RowsLeft::Latest => copy_rows(&*self.world.rows),
            RowsLeft::None => Arc::new(MemoryRows::new()),
            RowsLeft::Older => copy_rows(&*self.snapshots[turn % self.snapshots.len()]),
        }
    }

    /// What the story itself had broken when it was stopped.
    fn broken(&self) -> &'static [Code] {
        match self.operation.stage.as_str() {
            "mend log" => &[Code::LogDamaged],
            "accept head" => &[Code::HeadInvalid, Code::HeadMissing],
            _ => &[],
        }
    }

    /// How many losses are tried at this crash point: few where a stage has many points that are alike.
    fn choices(&self) -> usize {
        match self.operation.stage.as_str() {
            "create" | "next segment" => 1,
            "save again" | "label" | "list" | "delete" | "custody" | "read log" | "verify" => 4,
            _ => 2,
        }
    }

    /// The n-th choice of losses for this crash point.
    fn choice(&self, effect: Effect, n: usize, turn: usize) -> Survive {
        let mut losses = vec![Survive::Everything, Survive::Random(turn as u64)];
        losses.extend([Survive::LastWriteSectors(!1), Survive::LastWriteSectors(0b10), Survive::First(1 + turn % 3)]);
        losses.extend([Survive::LastWriteFirstBytes(512), Survive::LastWriteSectors(0x5555_5555_5555_5555)]);
        losses.push(Survive::WithoutRenames);
        match (effect, n, self.operation.kind) {
            (Effect::Without, 0, _) => Survive::Nothing,
            (Effect::With, 0, Kind::Rename) | (Effect::Without, 1, Kind::SyncDir) => Survive::WithoutRenames,
            _ => losses[(turn + n) % losses.len()],
        }
    }

    /// The rows that an image is opened with.
    fn all_rows(&self) -> &'static [RowsLeft] {
        match self.operation.stage.as_str() {
            // Without the newest a broken journal cannot be mended.
            "mend log" => &[RowsLeft::Latest],
            _ => &[RowsLeft::Latest, RowsLeft::None, RowsLeft::Older],
        }
    }

    fn image(&self, survive: Survive) -> (SimFiles, Image) {
        let image = self.world.sim.crash_image(survive);
        let print = fingerprint(&image);
        (image, (print, self.diary.wanted().len(), self.diary.flying().len()))
    }
}

#[derive(Default)]
struct Tally {
    /// Operations, by their numbers, that were a crash point without and with their effect.
    points: BTreeSet<(u64, Effect)>,
    kinds: BTreeMap<(Kind, Effect), u64>,
    /// Each image once, however often it was opened; and how many there are of each stage.
    images: BTreeSet<[u8; 32]>,
    stages: BTreeMap<String, u64>,
    tried: BTreeSet<Image>,
    with_rows: BTreeMap<RowsLeft, u64>,
    lost_renames: u64,
    outcomes: BTreeMap<Outcome, u64>,
    cases: u64,
    wrong: Vec<String>,
}

impl Tally {
    /// Is this an image that was not tried yet? It is counted by its operation, effect and stage.
    fn is_new(&mut self, stopped: &Stopped, effect: Effect, image: Image) -> bool {
        let operation = &stopped.operation;
        if self.points.insert((operation.number, effect)) {
            *self.kinds.entry((operation.kind, effect)).or_default() += 1;
        }
        if self.images.insert(image.0) {
            *self.stages.entry(operation.stage.clone()).or_default() += 1;
        }
        self.tried.insert(image)
    }

    fn take(&mut self, left: RowsLeft, outcome: Outcome) {
        self.cases += 1;
        *self.with_rows.entry(left).or_default() += 1;
        *self.outcomes.entry(outcome).or_default() += 1;
    }

    fn met(&self, is_so: impl Fn(&Outcome) -> bool) -> u64 {
        self.outcomes.iter().filter(|(outcome, _)| is_so(outcome)).map(|(_, count)| count).sum()
    }
}

fn number_of_operations() -> usize {
    let (world, diary) = (World::new(seed()), Diary::default());
    in_runtime(story(&world, &diary, &mut Vec::new())).unwrap();
    assert_eq!(world.sim.faults_made(), 0);
    world.sim.operations().len()
}

#[test]
fn stopped_at_every_operation() {
    let operations = number_of_operations();
    println!("seed {}, {operations} operations", seed());
    let (told, tally) = (Points::of(operations), Mutex::new(Tally::default()));
    let stop_at = |(number, effect): (u64, Effect)| {
        if let Some(stopped) = stopped(number, effect, &told) {
            (0..stopped.choices()).for_each(|n| try_image(&stopped, effect, n, &tally));
        }
    };
    let both = |number: u64| [(number, Effect::Without), (number, Effect::With)];
    in_parallel(operations, |number| both(number as u64).into_iter().for_each(stop_at));
    // On a busy machine a story may be some groups shorter: the points that it did not come to are gone to again.
    for _ in 0..3 {
        let points = tally.lock().unwrap().points.clone();
        let missed: Vec<_> = (0..operations as u64).flat_map(both).filter(|point| !points.contains(point)).collect();
        in_parallel(missed.len(), |n| stop_at(missed[n]));
    }
    let tally = tally.into_inner().unwrap();
    println!("{} cases, {} distinct images, {} crash points", tally.cases, tally.images.len(), tally.points.len());
    for stage in STAGES {
        println!("  {stage}: {}", tally.stages.get(stage).copied().unwrap_or(0));
    }
    println!("{} lost renames, {:?}, {:?}", tally.lost_renames, tally.with_rows, tally.kinds);
    println!("{:#?}", tally.outcomes);
    assert!(tally.wrong.is_empty(), "{} cases: {:#?}", tally.wrong.len(), tally.wrong);
    // Every operation was a crash point, without and with its effect.
    told.assert_met();
    assert_eq!(tally.kinds.keys().map(|(kind, _)| kind).collect::<BTreeSet<_>>().len(), 7, "{:?}", tally.kinds);
    assert!(STAGES.iter().all(|stage| tally.stages.get(*stage).is_some_and(|count| *count >= 10)));
    assert!(tally.images.len() >= 500 && tally.lost_renames >= 10);
    assert!(tally.with_rows.values().all(|count| *count >= 500), "{:?}", tally.with_rows);
    let met = [
        tally.met(|o| o.made_anew),
        tally.met(|o| o.mended),
        tally.met(|o| o.unanswered),
        tally.met(|o| o.torn),
        tally.met(|o| o.rebuilt),
    ];
    assert!(met.iter().all(|count| *count >= 5), "every kind of end was met: {met:?}");
}

/// Audits what one choice of losses leaves, with every kind of rows; nothing that was tried before.
fn try_image(stopped: &Stopped, effect: Effect, n: usize, tally: &Mutex<Tally>) {
    let turn = usize::try_from(stopped.operation.number).unwrap();
    let survive = stopped.choice(effect, n, turn);
    let (image, print) = stopped.image(survive);
    if !tally.lock().unwrap().is_new(stopped, effect, print) {
        return;
    }
    if survive == Survive::WithoutRenames && stopped.image(Survive::Everything).1 != print {
        tally.lock().unwrap().lost_renames += 1;
    }
    for left in stopped.all_rows() {
        let words = format!("{:?} {effect:?}, {survive:?}, rows {left:?}", stopped.operation);
        let (image, rows) = (image.crash_image(Survive::Everything), stopped.rows(*left, turn));
        let (diary, broken) = (&stopped.diary, stopped.broken());
        let case = Case { image, rows, diary, broken, seed: stopped.operation.number, words: &words };
        match catch_unwind(AssertUnwindSafe(|| audit(case))) {
            Ok(outcome) => tally.lock().unwrap().take(*left, outcome),
            Err(_) => tally.lock().unwrap().wrong.push(words),
        }
    }
}

/// A list of so many tapes that its ids are an object: the entry never stands without it. There is one bound, that of the
/// format, so this has a ledger of its own.
#[test]
fn stopped_while_a_long_set_is_kept() {
    let base = Base::with_tapes(513);
    let long = |world: &World, diary: &Diary| {
        world.sim.set_stage("open");
        in_runtime(async {
            let ledger = Ledger::open(world.places(), world.env()).await?;
            world.sim.set_stage("search");
            let filter = Filter::parse("kind:mcp", Timestamp::from_ms(NOW_MS)).unwrap();
            assert_eq!(diary.with(&ledger).search(filter).await?, 513);
            world.sim.set_stage("close");
            ledger.close().await
        })
    };
    let (world, diary) = base.machine(1);
    long(&world, &diary).unwrap();
    let points: Vec<u64> = world.sim.operations().iter().filter(|o| o.stage == "search").map(|o| o.number).collect();
    assert!(points.len() >= 4, "{:#?}", world.sim.operations());
    let stopped = AtomicUsize::new(0);
    in_parallel(points.len() * 2, |n| {
        let effect = if n % 2 == 0 { Effect::Without } else { Effect::With };
        let (world, diary) = base.machine(1);
        world.sim.stop_at(points[n / 2], effect);
        let ended = long(&world, &diary);
        stopped.fetch_add(usize::from(world.sim.has_stopped()), Ordering::Relaxed);
        assert!(ended.is_err() || !world.sim.has_stopped(), "a stopped machine answered");
        let survive = [Survive::Nothing, Survive::Everything, Survive::Random(n as u64)][n % 3];
        let words = format!("{:?} {effect:?}, {survive:?}", world.sim.operations().last());
        let (image, rows) = (world.sim.crash_image(survive), copy_rows(&*world.rows));
        audit(Case { image, rows, diary: &diary, broken: &[], seed: n as u64, words: &words });
    });
    assert!(stopped.into_inner() * 4 >= points.len() * 2 * 3);
}

/// A crash while the crash is being mended, and another while that one is.
#[test]
fn stopped_again_while_starting() {
    let operations = number_of_operations();
    let points: Vec<u64> = (0..operations as u64).step_by(operations / 12).collect();
    let told = Points::of(operations);
    let tally = Mutex::new(BTreeMap::<(usize, Outcome), u64>::new());
    in_parallel(points.len(), |n| {
        let Some(first) = stopped(points[n], Effect::With, &told) else { return };
        let survive = first.choice(Effect::With, n, n);
        let all = first.all_rows();
        let rows = first.rows(all[n % all.len()], n);
        deeper(&first, first.world.sim.crash_image(survive), &rows, &first.diary, 1, &tally, &format!("{survive:?}"));
    });
    let tally = tally.into_inner().unwrap();
    println!("{tally:#?}");
    for depth in [1, 2] {
        let cases: u64 = tally.iter().filter(|((d, _), _)| *d == depth).map(|(_, count)| count).sum();
        assert!(cases >= 50, "{cases} cases {depth} deep");
    }
    told.assert_met();
}

/// Stops the recovery of `image` at a sample of its operations, and audits what that leaves.
fn deeper(
    first: &Stopped,
    image: SimFiles,
    rows: &Arc<MemoryRows>,
    diary: &Diary,
    depth: usize,
    tally: &Mutex<BTreeMap<(usize, Outcome), u64>>,
    words: &str,
) {
    let again = |stop: Option<(u64, Effect)>| {
        let sim = image.crash_image(Survive::Everything);
        if let Some((number, effect)) = stop {
            sim.stop_at(number, effect);
        }
        let world = World::on(sim, copy_rows(&**rows), depth as u64, crate::support::crash::NOW_MS + 1_800_000);
        let diary = diary.copy();
        let ended = in_runtime(continue_with(&world, &diary, first.broken(), &format!("depth {depth}")));
        assert_eq!(ended.is_err(), world.sim.has_stopped(), "{words}: {ended:?}");
        (world, diary)
    };
    let operations = again(None).0.sim.next_operation();
    let step = usize::try_from(operations / 6 + 1).unwrap();
    for (turn, number) in (0..operations).step_by(step).enumerate() {
        let effect = if turn % 2 == 0 { Effect::With } else { Effect::Without };
        let (world, diary) = again(Some((number, effect)));
        if !world.sim.has_stopped() {
            continue;
        }
        let survive = first.choice(effect, turn, turn + depth);
        let words = format!("{words}; then {:?} {effect:?}, {survive:?}", world.sim.operations().last());
        let image = world.sim.crash_image(survive);
        let case = Case {
            image: image.crash_image(Survive::Everything),
            rows: copy_rows(&*world.rows),
            diary: &diary,
            broken: first.broken(),
            seed: number,
            words: &words,
        };
        let outcome = audit(case);
        *tally.lock().unwrap().entry((depth, outcome)).or_default() += 1;
        if depth < 2 && turn % 2 == 0 {
            deeper(first, image, &copy_rows(&*world.rows), &diary, depth + 1, tally, &words);
        }
    }
}

/// A sync that lies is beyond any program. This shows that the audit above would notice a missing one.
#[test]
fn a_sync_that_lied_is_noticed() {
    let world = World::new(seed());
    in_runtime(story(&world, &Diary::default(), &mut Vec::new())).unwrap();
    // Those of the journal answer somebody; many others are covered by a later one before anybody is answered.
    let is_meant = |o: &Operation| o.path.extension().is_some_and(|e| e == "seg") && o.stage != "create";
    let syncs = world.sim.operations().iter().filter(|o| o.kind == Kind::Sync && is_meant(o)).count();
    let noticed = AtomicUsize::new(0);
    in_parallel(syncs, |n| {
        let (world, diary) = (World::new(seed()), Diary::default());
        world.sim.lie_at(n, is_meant);
        let _stopped = in_runtime(story(&world, &diary, &mut Vec::new()));
        let (image, rows) = (world.sim.crash_image(Survive::Nothing), copy_rows(&*world.rows));
        let case = Case { image, rows, diary: &diary, broken: &[], seed: n as u64, words: "a sync lied" };
        noticed.fetch_add(usize::from(catch_unwind(AssertUnwindSafe(|| audit(case))).is_err()), Ordering::Relaxed);
    });
    let noticed = noticed.into_inner();
    println!("{noticed} of {syncs} lies were noticed");
    // The last ones cover nothing that anybody was told.
    assert!(noticed * 4 >= syncs * 3, "{noticed} of {syncs}");
}
