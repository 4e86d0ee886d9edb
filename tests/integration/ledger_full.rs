//! A disk that ends after any number of bytes, under a whole ledger: nothing answered is lost, nothing leaves without
//! its entry, `status` works, and a refusal finds the room that was set aside for it.
//!
//! The rows are in memory here: what sled does on a full disk is asked of the program itself (`cli::harm`).

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use immutape::Code;
use immutape::error::{Error, Result};
use immutape::evidence::Verdict;
use immutape::ledger::{CheckOptions, Checker, Ledger, is_in_use};
use immutape::log::EntryKind;

use crate::support::crash::{
    Case, Content, Diary, Machine, Material, World, audit, copy_rows, in_parallel, in_runtime,
};
use crate::support::ledgers::ann;
use crate::support::sim_files::Survive;
use crate::support::trials;

/// Entries with so many words fill a segment soon.
const WORDS_BYTES: usize = 50_000;
const SEED: u64 = 31;
/// A head file and the one that replaces it need less; with so much free nothing has to be set aside.
const HEAD_BYTES: u64 = 4 << 10;

/// Where the disk ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Never,
    /// After so many bytes, from the beginning.
    At(u64),
    /// Somebody else fills it: from the first beginning of this stage on so many more bytes find room.
    From(&'static str, u64),
}

/// Stages that surely need room. Those after them find the disk as it is by then.
const STAGES: [&str; 6] = ["init", "save", "read", "fill", "refuse", "close"];

/// Answers in order: the stage, the call and its code.
type Answers = Vec<(&'static str, &'static str, Result<(), Code>)>;

/// A machine whose disk ends somewhere, and what was answered on it.
struct Life {
    world: World,
    diary: Diary,
    end: End,
    stage: &'static str,
    answers: Answers,
    /// Refusals recorded after something had found no room.
    refusals: u64,
    /// Refusals for which neither a reserve nor room for a head file was there.
    unrecorded: u64,
}

fn code<T>(result: &Result<T>) -> Result<(), Code> {
    result.as_ref().map(|_| ()).map_err(Error::code)
}

/// What a full disk may be called, and what a handle says from then on whose durable write it cut off.
const fn is_typed(code: Code) -> bool {
    matches!(code, Code::StoreFull | Code::AuditUnavailable | Code::Broken | Code::InDoubt)
}

impl Life {
    fn on_a_disk_that_ends(end: End) -> Self {
        let (world, diary) = (World::new(SEED), Diary::default());
        if let End::At(bytes) = end {
            world.sim.set_room(Some(bytes));
        }
        let answers = Answers::new();
        let mut life = Self { world, diary, end, stage: "", answers, refusals: 0, unrecorded: 0 };
        in_runtime(life.live());
        life
    }

    fn begin(&mut self, stage: &'static str) {
        self.world.stage(stage);
        self.stage = stage;
        if let End::From(from, more) = self.end
            && from == stage
        {
            self.world.sim.set_room(Some(self.world.sim.used_bytes() + more));
            self.end = End::At(0);
        }
    }

    async fn live(&mut self) {
        self.begin("init");
        self.diary.begin(&[EntryKind::GENESIS]);
        let made = Ledger::create(self.world.places(), self.world.env(), "test", true).await;
        self.answers.push(("init", "create", code(&made)));
        if let Ok(ledger) = made {
            self.diary.set_created();
            self.work(&ledger, "save", &Material::get().small).await;
            self.fill(&ledger).await;
            self.work(&ledger, "save", &Material::get().together).await;
            self.refuse(&ledger).await;
            self.close(ledger).await;
        }
        // The next process finds the disk as it is.
        self.begin("open again");
        let opened = Ledger::open(self.world.places(), self.world.env()).await;
        if code(&opened) == Err(Code::NoLedger) && !self.diary.was_created() {
            return;
        }
        self.answers.push(("open again", "open", code(&opened)));
        if let Ok(ledger) = opened {
            self.diary.set_created();
            self.refuse(&ledger).await;
            self.work(&ledger, "save again", std::slice::from_ref(&Material::get().late)).await;
            self.refuse(&ledger).await;
            self.close(ledger).await;
        }
    }

    async fn work(&mut self, ledger: &Ledger, stage: &'static str, contents: &[Arc<Content>]) {
        self.begin(stage);
        for content in contents {
            let was_full = self.is_full(ledger);
            let saved = self.diary.with(ledger).save(content).await;
            self.answer(ledger, was_full, "save", code(&saved));
        }
        self.begin("read");
        let kept = self.diary.kept();
        for kept in kept.iter().take(3) {
            let was_full = self.is_full(ledger);
            let read = self.diary.with(ledger).read(&kept.tape).await;
            assert!(read.as_ref().map_or(true, |frames| *frames == kept.content.frames));
            self.answer(ledger, was_full, "read", code(&read));
        }
        if let Some(kept) = kept.first() {
            let was_full = self.is_full(ledger);
            let told = self.diary.with(ledger).custody(kept).await;
            self.answer(ledger, was_full, "custody", code(&told));
        }
        let was_full = self.is_full(ledger);
        let report = self.diary.with(ledger).verify().await;
        self.answer(ledger, was_full, "verify", code(&report));
    }

    /// Acts until the second segment is begun, or the disk is full.
    async fn fill(&mut self, ledger: &Ledger) {
        self.begin("fill");
        for _ in 0..22 {
            let was_full = self.is_full(ledger);
            let mut wordy = self.diary.with(ledger);
            wordy.who.purpose = Some(vec![b'w'; WORDS_BYTES]);
            let listed = code(&wordy.list().await);
            self.answer(ledger, was_full, "list", listed);
            // As time goes, the disk is looked at again.
            self.world.clock.advance(1_000);
        }
    }

    fn is_full(&self, ledger: &Ledger) -> bool {
        ledger.status().unwrap().nearly_full
    }

    /// Notes an answer, and asks for the state. What is no refusal was refused if the disk was, and is, said to be full.
    fn answer(&mut self, ledger: &Ledger, was_full: bool, call: &'static str, answer: Result<(), Code>) {
        let status = ledger.status().unwrap();
        assert_eq!(status.entries, ledger.size());
        let is_dead = answer.is_err_and(|code| matches!(code, Code::Broken | Code::InDoubt));
        assert!(status.broken || !is_dead, "{} {call}", self.stage);
        let must_refuse = status.broken || (was_full && status.nearly_full);
        assert!(!must_refuse || answer.is_err(), "{} {call}: answered on a full disk", self.stage);
        self.answers.push((self.stage, call, answer));
    }

    /// A refusal is recorded as long as something was set aside for it, or the little that it needs is free.
    async fn refuse(&mut self, ledger: &Ledger) {
        self.begin("refuse");
        let free = self.world.sim.free_bytes().unwrap_or(u64::MAX);
        let has_room = free >= HEAD_BYTES || self.world.state_path("reserve").is_some();
        let (size, found_full) = (ledger.size(), self.world.sim.faults_made() > 0);
        let refused = match self.diary.kept().first() {
            Some(kept) => code(&self.diary.with(ledger).delete(kept).await),
            None => {
                self.diary.begin(&[EntryKind::REFUSED]);
                let refused = ledger.delete(&ann(), "00000000").await;
                code(&refused.map(|never| match never {}))
                    .or_else(|e| if e == Code::NotFound { Ok(()) } else { Err(e) })
            }
        };
        let recorded = refused.is_ok();
        assert!(recorded || !has_room || ledger.status().unwrap().broken, "a refusal found no room: {refused:?}");
        assert!(!recorded || ledger.size() > size, "a refusal was not recorded");
        self.refusals += u64::from(recorded && found_full);
        self.unrecorded += u64::from(!recorded);
        self.answer(ledger, false, "delete", refused);
    }

    /// Closes; `status` and a check from outside work whatever the room.
    async fn close(&mut self, ledger: Ledger) {
        self.begin("close");
        let closed = code(&ledger.close().await);
        self.answers.push(("close", "close", closed));
        assert!(!is_in_use(&self.world.places(), &self.world.env()).unwrap());
        let checker = Checker::open(&self.world.places(), &self.world.env()).unwrap();
        assert_eq!(checker.run(&CheckOptions::default()).verdict(), Verdict::Intact);
    }
}

/// Every number of bytes at which an operation of the whole life begins or ends, one less and one more; numbers from
/// a seed in between; and a disk that somebody else fills up in the middle, for each stage.
fn ends_of_disks(whole: &Life) -> Vec<End> {
    let operations = whole.world.sim.operations();
    let bounds: BTreeSet<u64> = operations.iter().map(|o| o.used).chain([whole.world.sim.used_bytes()]).collect();
    let most = *bounds.last().unwrap();
    let mut ends: BTreeSet<End> =
        bounds.iter().flat_map(|n| [n.saturating_sub(1), *n, n + 1]).filter(|n| *n < most).map(End::At).collect();
    let mut random = SEED;
    for _ in 0..trials(60) {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ends.insert(End::At((random >> 16) % most));
    }
    // Close to each other: the stages that write little must be met, too, wherever groups happen to be cut.
    let more = [0, 1, 120, 250, 500, 1_000, 1_500, 2_500, 4_000, 5_000, 9_000, 17_000, 40_000, 70_000];
    ends.extend(STAGES.iter().flat_map(|stage| more.map(|more| End::From(stage, more))));
    ends.into_iter().collect()
}

/// What a sweep met.
#[derive(Debug, Default)]
struct Met {
    answers: BTreeMap<(&'static str, &'static str, Code), u64>,
    /// Disks by the stage in which they were found to be full.
    stages: BTreeMap<String, u64>,
    full: u64,
    refusals: u64,
    unrecorded: u64,
    wrong: Vec<String>,
}

#[test]
fn a_disk_that_ends_anywhere() {
    let whole = Life::on_a_disk_that_ends(End::Never);
    assert!(whole.answers.iter().all(|(.., answer)| answer.is_ok()), "{:?}", whole.answers);
    let ends = ends_of_disks(&whole);
    let met = Mutex::new(Met::default());
    in_parallel(ends.len(), |n| {
        if catch_unwind(AssertUnwindSafe(|| live_and_audit(ends[n], n as u64, &met))).is_err() {
            met.lock().unwrap().wrong.push(format!("{:?}", ends[n]));
        }
    });
    let met = met.into_inner().unwrap();
    println!("{} disks: {met:#?}", ends.len());
    assert!(met.wrong.is_empty());
    let refused = |call| met.answers.iter().filter(|((_, c, _), _)| *c == call).map(|(_, count)| count).sum::<u64>();
    for (call, least) in [("create", 40), ("open", 1), ("save", 100), ("read", 100), ("list", 100), ("verify", 40)] {
        assert!(refused(call) >= least, "{call} met a full disk {} times", refused(call));
    }
    assert!(met.full >= 120 && STAGES.iter().all(|stage| met.stages.contains_key(*stage)), "{met:?}");
    // Only where the last few bytes were gone before anything could be set aside.
    assert!(met.refusals >= 150 && met.unrecorded * 8 <= met.refusals, "{met:?}");
}

/// One disk; then there is room again, after a power cut and without one, and everything answered is there.
fn live_and_audit(end: End, seed: u64, met: &Mutex<Met>) {
    let Life { world, diary, answers, refusals, unrecorded, .. } = Life::on_a_disk_that_ends(end);
    let words = format!("{end:?}: {answers:?}");
    let faults = world.sim.faults_made();
    assert!(faults > 0 || !matches!(end, End::At(_)), "{words}: it was never full");
    {
        let mut met = met.lock().unwrap();
        met.full += u64::from(faults > 0);
        met.refusals += refusals;
        met.unrecorded += unrecorded;
        if let Some(stage) = world.sim.first_fault() {
            *met.stages.entry(stage).or_default() += 1;
        }
        for (stage, call, answer) in &answers {
            if let Err(code) = answer {
                *met.answers.entry((stage, call, *code)).or_default() += 1;
                assert!(is_typed(*code), "{words}");
            }
        }
    }
    world.sim.set_room(None);
    for image in [world.sim.crash_image(Survive::Nothing), world.sim.clone()] {
        let rows = copy_rows(&*world.rows);
        audit(Case { image, rows, diary: &diary, broken: &[], seed, words: &words });
    }
}
