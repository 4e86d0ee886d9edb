//! Random histories against a small model: which contents are kept under which id, and which entries the log
//! must have, in order. After every step the log is the model's, entry by entry.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use immutape::codec::digest::{CustodyId, TapeId};
use immutape::evidence::Verdict;
use immutape::ledger::{CheckOptions, Checker, FrameSelection, Ledger, SaveOptions};
use immutape::log::EntryKind;
use immutape::store::memory::rows::MemoryRows;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::crash::{Content, Machine, NOW_MS, World, copy_rows, in_runtime, read_log};
use crate::support::ledgers::ann;
use crate::support::sim_files::Survive;
use crate::support::trials;

/// What callers do; each alone or several at once.
#[derive(Debug, Clone)]
enum Act {
    Save(usize),
    List,
    Read(usize),
    Custody(usize),
    Delete(usize),
    Log,
}

#[derive(Debug, Clone)]
enum Step {
    One(Act),
    AtOnce(Vec<Act>),
    CloseAndOpen,
    /// The power is cut while nobody waits for an answer; the rows are kept or lost.
    CrashAndOpen {
        keeps_rows: bool,
    },
}

const CONTENTS: usize = 6;

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0..CONTENTS).prop_map(Act::Save),
        2 => Just(Act::List),
        3 => (0..CONTENTS).prop_map(Act::Read),
        2 => (0..CONTENTS).prop_map(Act::Custody),
        1 => (0..CONTENTS).prop_map(Act::Delete),
        1 => Just(Act::Log),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => act().prop_map(Step::One),
        3 => vec(act(), 2..7).prop_map(Step::AtOnce),
        2 => Just(Step::CloseAndOpen),
        2 => any::<bool>().prop_map(|keeps_rows| Step::CrashAndOpen { keeps_rows }),
    ]
}

fn content(n: usize) -> Arc<Content> {
    let class = if n.is_multiple_of(3) { "sec-17a-4" } else { "draft" };
    Content::small(&format!("content {n}"), class, 1 + n as u64 % 4, 50 * n)
}

/// An entry: what, and about whom.
type Entry = (EntryKind, CustodyId);

/// What must be so.
#[derive(Default)]
struct Model {
    kept: BTreeMap<usize, (TapeId, CustodyId)>,
    log: Vec<Entry>,
    /// Something was appended in this term.
    started: bool,
    /// The last group says "closed in order".
    closed: bool,
    /// The rows were lost before this term, which says so at once if there was anything to lose.
    rows_lost: bool,
}

impl Model {
    /// What the ledger says itself before the first entry of a term.
    fn start(&mut self) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        let own = |kind| (kind, CustodyId::LEDGER);
        let has_more_than_its_genesis = self.log.len() > 1;
        self.log.push(own(EntryKind::LOG_STARTED));
        if !self.closed {
            self.log.push(own(EntryKind::LOG_UNCLEAN_STOP));
        }
        if self.rows_lost && has_more_than_its_genesis {
            self.log.push(own(EntryKind::ROWS_REBUILT));
        }
        self.closed = false;
    }

    fn stop(&mut self) {
        if std::mem::take(&mut self.started) {
            self.log.push((EntryKind::LOG_STOPPED, CustodyId::LEDGER));
            self.closed = true;
        }
        self.rows_lost = false;
    }
}

/// What an act came to: its entries, and what it kept.
struct Done {
    entries: Vec<Entry>,
    saved: Option<(usize, TapeId, CustodyId)>,
}

/// Does one act and checks what it answers against what is surely kept.
async fn perform(ledger: Ledger, act: Act, kept: BTreeMap<usize, (TapeId, CustodyId)>) -> immutape::Result<Done> {
    let who = ann();
    let (mut entries, mut saved) = (Vec::new(), None);
    let own = |kind| (kind, CustodyId::LEDGER);
    match act {
        Act::Save(n) => {
            let content = content(n);
            let options = SaveOptions::default().class(content.class.clone());
            let mut saver = ledger.begin_save(&who, options).await?;
            content.frames.iter().try_for_each(|frame| saver.frame(frame))?;
            let receipt = saver.finish(content.header.clone()).await?;
            if let Some(known) = kept.get(&n) {
                assert!(receipt.already_kept && *known == (receipt.tape, receipt.custody));
            }
            let kind = if receipt.already_kept { EntryKind::TAPE_SAVED_AGAIN } else { EntryKind::TAPE_SAVED };
            entries.push((kind, receipt.custody));
            saved = Some((n, receipt.tape, receipt.custody));
        }
        Act::List => {
            let (lines, _) = ledger.list(&who).await?;
            let listed: BTreeSet<_> = lines.iter().map(|line| line.custody).collect();
            assert!(listed.len() == lines.len() && kept.values().all(|(_, custody)| listed.contains(custody)));
            assert!(lines.iter().all(|line| line.summary.is_some()));
            entries.push(own(EntryKind::LISTED));
        }
        Act::Log => {
            let (lines, _) = ledger.log(&who, 0..u64::MAX).await?;
            assert!(lines.iter().all(|line| line.private.is_some()));
            entries.push(own(EntryKind::LOG_READ));
        }
        Act::Read(n) => {
            if let Some((tape, custody)) = kept.get(&n) {
                let reader = ledger.open_tape(&who, &tape.to_hex(), None).await?;
                assert_eq!(reader.collect(FrameSelection::All)?, content(n).frames);
                reader.finish().await?;
                entries = vec![(EntryKind::ACCESS_GRANTED, *custody), (EntryKind::ACCESS_COMPLETED, *custody)];
            }
        }
        Act::Custody(n) => {
            if let Some((tape, custody)) = kept.get(&n) {
                let (report, _) = ledger.custody(&who, &tape.to_hex()).await?;
                assert!(report.is_unbroken() && report.custody == *custody);
                entries.push((EntryKind::CUSTODY_READ, *custody));
            }
        }
        Act::Delete(n) => {
            if let Some((tape, custody)) = kept.get(&n) {
                let refused = ledger.delete(&who, &tape.to_hex()).await;
                assert_eq!(refused.err().map(|e| e.code()), Some(immutape::Code::DisposalRequired));
                entries.push((EntryKind::REFUSED, *custody));
            }
        }
    }
    Ok(Done { entries, saved })
}

/// Several acts at once: each has its entries in its own order, and together they are the new end of the log.
async fn at_once(ledger: &Ledger, model: &mut Model, acts: Vec<Act>) -> immutape::Result<Vec<Done>> {
    let tasks: Vec<_> =
        acts.into_iter().map(|act| tokio::spawn(perform(ledger.clone(), act, model.kept.clone()))).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap()?);
    }
    Ok(done)
}

/// Takes what was done into the model; of what was done at once the log itself tells the order.
fn take_in(model: &mut Model, done: Vec<Done>, found: &[Entry]) {
    if done.iter().all(|d| d.entries.is_empty()) {
        return;
    }
    model.start();
    let new = &found[model.log.len().min(found.len())..];
    let mut wanted: Vec<Entry> = done.iter().flat_map(|d| d.entries.iter().copied()).collect();
    let mut sorted = new.to_vec();
    wanted.sort_unstable();
    sorted.sort_unstable();
    assert_eq!(sorted, wanted, "the new entries are those that were asked for");
    for one in &done {
        let mut rest = new.iter();
        assert!(one.entries.iter().all(|entry| rest.any(|e| e == entry)), "the entries of one act stand in its order");
    }
    model.log.extend(new);
    for (n, tape, custody) in done.into_iter().filter_map(|d| d.saved) {
        let known = model.kept.entry(n).or_insert((tape, custody));
        assert_eq!(*known, (tape, custody), "a content is kept once");
    }
}

fn entries_in(world: &World) -> Vec<Entry> {
    let log = read_log(&world.env(), &world.places().ledger).unwrap();
    log.iter().map(|line| (line.kind, line.subject)).collect()
}

fn live(steps: Vec<Step>) {
    let mut world = World::new(5);
    let mut model = Model { log: vec![(EntryKind::GENESIS, CustodyId::LEDGER)], closed: true, ..Model::default() };
    let mut ledger = Some(in_runtime(Ledger::create(world.places(), world.env(), "model", true)).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    for (n, step) in steps.into_iter().enumerate() {
        let open = ledger.take().unwrap();
        let next = match step {
            Step::One(act) => {
                let done = runtime.block_on(perform(open.clone(), act, model.kept.clone())).unwrap();
                take_in(&mut model, vec![done], &entries_in(&world));
                open
            }
            Step::AtOnce(acts) => {
                let done = runtime.block_on(at_once(&open, &mut model, acts)).unwrap();
                take_in(&mut model, done, &entries_in(&world));
                open
            }
            Step::CloseAndOpen => {
                runtime.block_on(open.close()).unwrap();
                model.stop();
                runtime.block_on(Ledger::open(world.places(), world.env())).unwrap()
            }
            Step::CrashAndOpen { keeps_rows } => {
                // Rows that never took anything in would be no different from lost ones.
                runtime.block_on(open.settle()).unwrap();
                let rows = if keeps_rows { copy_rows(&*world.rows) } else { Arc::new(MemoryRows::new()) };
                let image = world.sim.crash_image(Survive::Nothing);
                drop(open);
                model.rows_lost = !keeps_rows;
                model.started = false;
                world = World::on(image, rows, 50 + n as u64, NOW_MS + 1_000 * n as u64);
                let opened = runtime.block_on(Ledger::open(world.places(), world.env())).unwrap();
                if model.rows_lost && model.log.len() > 1 {
                    model.start();
                }
                opened
            }
        };
        assert_eq!(entries_in(&world), model.log, "after step {n}");
        ledger = Some(next);
    }
    runtime.block_on(ledger.unwrap().close()).unwrap();
    model.stop();
    assert_eq!(entries_in(&world), model.log);
    let report = Checker::open(&world.places(), &world.env()).unwrap().run(&CheckOptions::default());
    let is_wrong = report.verdict() != Verdict::Intact;
    // Rows that were lost just before the end are built at the next start that appends.
    assert!(!is_wrong || report.findings.iter().all(|f| f.part == "rows"), "{report:#?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: u32::try_from(trials(64)).unwrap(), max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn every_history_is_the_models(steps in vec(step(), 15..35)) {
        live(steps);
    }
}
