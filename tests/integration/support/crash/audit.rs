//! What is left of a machine is opened again and looked at whole: nothing answered is lost, nothing is
//! invented, the log only grew, and work goes on.

use std::path::Path;
use std::sync::Arc;

use immutape::Code;
use immutape::error::Result;
use immutape::evidence::{Report, Severity, Verdict};
use immutape::ledger::{CheckOptions, Checker, Ledger, Repair};
use immutape::log::{Body, EntryKind};
use immutape::store::memory::rows::MemoryRows;

use super::content::Content;
use super::diary::Diary;
use super::log::{Line, check_terms, explain, journal_of, read_log};
use super::world::{Machine, NOW_MS, World, in_runtime};
use crate::support::ledgers::ann;
use crate::support::sim_files::{SimFiles, Survive};

/// One hour after any story ended.
const LATER_MS: u64 = NOW_MS + 3_600_000;

/// What is left, and what was done before.
pub struct Case<'a> {
    pub image: SimFiles,
    pub rows: Arc<MemoryRows>,
    pub diary: &'a Diary,
    /// What may have to be mended before it opens: the story had broken it on purpose.
    pub broken: &'a [Code],
    pub seed: u64,
    pub words: &'a str,
}

/// What a case showed, so that a sweep can say that it met every kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome {
    /// The ledger had to be made anew.
    pub made_anew: bool,
    /// It had to be mended first.
    pub mended: bool,
    /// Something was there that nobody had been told of.
    pub unanswered: bool,
    /// A tear was found, and an entry says so.
    pub torn: bool,
    /// The rows were built anew.
    pub rebuilt: bool,
}

/// Opens what is left and goes on with it: reads everything, saves once more, closes.
///
/// Ends at the first error, so that the machine may stop in here too.
pub async fn continue_with(world: &impl Machine, diary: &Diary, broken: &[Code], name: &str) -> Result<Outcome> {
    let places = || world.places();
    let mut outcome = Outcome::default();
    world.stage("recover");
    if broken.contains(&Code::LogDamaged) {
        // A start need not meet damage far from the end; who was about to mend it goes on with that.
        outcome.mended = true;
        diary.begin(&[EntryKind::INTEGRITY_REPAIRED]);
        Ledger::repair(places(), world.env(), Repair::Log, &ann()).await?;
    }
    let ledger = loop {
        match Ledger::open(places(), world.env()).await {
            Ok(ledger) => break ledger,
            Err(e) if e.code() == Code::NoLedger && !diary.was_created() => {
                outcome.made_anew = true;
                diary.begin(&[EntryKind::GENESIS]);
                break Ledger::create(places(), world.env(), "test", true).await?;
            }
            Err(e) if broken.contains(&e.code()) && !outcome.mended => {
                outcome.mended = true;
                diary.begin(&[EntryKind::HEAD_FILE_REBUILT]);
                Ledger::repair(places(), world.env(), Repair::AcceptHead, &ann()).await?;
            }
            Err(e) => return Err(e),
        }
    };
    diary.set_created();
    world.stage("go on");
    let work = diary.with(&ledger);
    for kept in diary.kept() {
        assert_eq!(work.read(&kept.tape).await?, kept.content.frames, "{name}: {}", kept.content.name);
    }
    let in_flight: Vec<Arc<Content>> = diary.flying().into_iter().filter_map(|flying| flying.content).collect();
    for line in work.list().await? {
        // Kept, though nobody was told: it must be one of those that were given.
        if !diary.was_saved(&line.custody) {
            let tape = line.summary.unwrap_or_else(|| panic!("{name}: a tape without a summary")).tape;
            let frames = work.read(&tape).await?;
            assert!(in_flight.iter().any(|content| content.frames == frames), "{name}: {tape:?} was never given");
        }
    }
    let receipt = work.save(&Content::small(name, "draft", 2, 60)).await?;
    assert!(!receipt.already_kept);
    let listed = work.list().await?;
    for kept in diary.kept() {
        let line = listed.iter().find(|line| line.custody == kept.custody);
        let line = line.unwrap_or_else(|| panic!("{name}: {} is not listed", kept.content.name));
        assert!(line.labelled >= diary.labelled(&kept.custody), "{name}: labels of {} are lost", kept.content.name);
        assert!(listed.iter().all(|line| line.summary.is_some()), "{name}: {listed:?}");
    }
    let report = work.verify().await?;
    assert_eq!(report.verdict(), Verdict::Intact, "{name}: {report:#?}");
    world.stage("end");
    ledger.close().await?;
    Ok(outcome)
}

/// Audits what is left.
///
/// # Panics
/// When anything is lost, invented, changed or refused.
pub fn audit(case: Case<'_>) -> Outcome {
    let Case { image, rows, diary, broken, seed, words } = case;
    let diary = diary.copy();
    let world = World::on(image, rows, seed, LATER_MS);
    let (outcome, log) = audit_machine(&world, &diary, broken, seed, words);
    check_marker(&world, words);

    // The recovery itself is durable.
    let later = World::on(world.sim.crash_image(Survive::Nothing), world.rows.clone(), seed ^ 1, LATER_MS + 60_000);
    let folder = World::folders().ledger;
    assert_eq!(read_log(&later.env(), &folder).unwrap(), log, "{words}: what came after the crash is lost");
    let report = check(&later);
    assert_eq!(report.verdict(), Verdict::Intact, "{words}: {report:#?}");
    outcome
}

/// The part of the audit that any machine can be given: opened, read whole, worked with, and every entry explained.
pub fn audit_machine(
    machine: &impl Machine,
    diary: &Diary,
    broken: &[Code],
    seed: u64,
    words: &str,
) -> (Outcome, Vec<Line>) {
    let folder = machine.places().ledger;
    check_untouched(machine, diary, broken, words);
    let before = match read_log(&machine.env(), &folder) {
        Ok(log) => Some(log),
        Err(e) if broken.contains(&e.code()) => None,
        Err(e) => panic!("{words}: reading the log: {e}"),
    };
    let continued = in_runtime(continue_with(machine, diary, broken, &format!("after the crash {seed}")));
    let mut outcome = continued.unwrap_or_else(|e| panic!("{words}: {}: {e} ({:?})", e.code().as_str(), e.hint()));
    let log = read_log(&machine.env(), &folder).unwrap();
    if let Some(before) = before.filter(|_| !outcome.made_anew) {
        assert!(log.starts_with(&before), "{words}: the log did not only grow");
    }
    check_log(machine, &log, diary, &mut outcome, words);
    (outcome, log)
}

/// A check before anything was opened finds nothing altered but what the story itself broke.
fn check_untouched(machine: &impl Machine, diary: &Diary, broken: &[Code], words: &str) {
    let report = match Checker::open(&machine.places(), &machine.env()) {
        Ok(checker) => checker.run(&CheckOptions::default()),
        Err(e) if e.code() == Code::NoLedger && !diary.was_created() => return,
        Err(e) if broken.contains(&e.code()) => return,
        Err(e) => panic!("{words}: a check cannot begin: {e}"),
    };
    let is_lawful = |severity, part| match severity {
        Severity::Note => true,
        // Rows that were lost or are behind.
        Severity::Gap => part == "rows",
        Severity::Altered => {
            !broken.is_empty()
                || (!diary.was_created() && part == "head")
                || (machine.rows_are_damaged() && part == "rows")
        }
        _ => false,
    };
    let wrong: Vec<_> = report.findings.iter().filter(|f| !is_lawful(f.severity, f.part)).collect();
    assert!(wrong.is_empty(), "{words}: {wrong:#?}");
}

/// The ledger's own state folder no longer says that the ledger is being made; only then is its loss noticed.
fn check_marker(world: &World, words: &str) {
    let files = world.sim.shared();
    let is_there = |path: &Path| files.exists(path).unwrap();
    for folder in files.list("s".as_ref()).unwrap() {
        let state = Path::new("s").join(folder.name);
        if is_there(&state.join("head")) {
            assert!(!is_there(&state.join("creating")), "{words}: the marker of the making was left");
        }
    }
    let gone = World::on(world.sim.crash_image(Survive::Everything), Arc::new(MemoryRows::new()), 1, LATER_MS);
    gone.sim.shared().rename_replace("l/journal".as_ref(), "l/lost".as_ref()).unwrap();
    let opened = in_runtime(Ledger::open(gone.places(), gone.env()));
    assert_eq!(opened.err().map(|e| e.code()), Some(Code::LedgerMissing), "{words}: its loss would not be noticed");
}

fn check(machine: &impl Machine) -> Report {
    Checker::open(&machine.places(), &machine.env()).unwrap().run(&CheckOptions::default())
}

/// Everything answered is there, nothing is invented, and every tear has its entry.
fn check_log(machine: &impl Machine, log: &[Line], diary: &Diary, outcome: &mut Outcome, words: &str) {
    check_terms(log, words);
    let unanswered = explain(log, diary, words);
    outcome.unanswered = !unanswered.is_empty();
    let recovered: Vec<_> = log
        .iter()
        .filter_map(|line| match line.body {
            Body::Recovered { segment, offset, bytes, hash } => Some((segment, offset, bytes, hash)),
            _ => None,
        })
        .collect();
    let journal = journal_of(&machine.env(), &machine.places().ledger).unwrap().unwrap();
    let tears = journal.survey().unwrap().tears;
    let tears: Vec<_> = tears.iter().map(|t| (t.position.segment, t.position.offset, t.bytes, t.hash)).collect();
    assert_eq!(recovered, tears, "{words}: tears, and entries that tell of them");
    outcome.torn = !tears.is_empty();
    outcome.rebuilt = log.iter().any(|line| line.kind == EntryKind::ROWS_REBUILT);
}
