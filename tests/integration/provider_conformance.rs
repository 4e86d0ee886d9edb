//! Every provider keeps every clause, and providers that are broken on purpose are caught at the clause they break.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use immutape::codec::digest::TapeId;
use immutape::provider::conformance::{Outcome, Report, Subject, clauses, run};
use immutape::provider::{
    Capabilities, EmbeddedFactory, MemoryFactory, Page, Query, Setting, StorageProviderFactory, StorageStats,
    StreamingBackend, Surroundings, Tape, TapeStorageBackend, async_trait,
};
use immutape::{Code, Error, Result};
use serde_json::{Value, json};

/// Settings of folders beneath one, a new one for each number.
fn folders(root: PathBuf) -> impl Fn(usize) -> Value + Send + Sync {
    move |n| {
        let at = |part: &str| root.join(n.to_string()).join(part);
        json!({ "path": at("ledger"), "state_path": at("state"), "keys_path": at("keys") })
    }
}

fn all_kept(report: &Report, not_promised: &[&str]) {
    assert_eq!(report.violations(), [], "{report}");
    assert_eq!(report.not_promised(), not_promised, "{report}");
    assert_eq!(report.kept() + not_promised.len(), clauses().len());
    assert_eq!(clauses().len(), 26);
}

const DURABLE: &str = "what was acknowledged outlives the backend";
const RECORDED: &str = "every list, search, read and refusal is on record";
const LIVE: &str = "a recording whose recorder is gone is a tape that was cut off";
const STREAMS: &str = "it streams if and only if it says so";

#[test]
fn the_embedded_provider_keeps_every_clause() {
    let folder = tempfile::tempdir().unwrap();
    let subject = Subject::new(Arc::new(EmbeddedFactory), folders(folder.path().to_owned())).unwrap();
    all_kept(&run(&subject), &[]);
}

#[test]
fn the_memory_provider_keeps_every_clause_but_durability() {
    let subject = Subject::new(Arc::new(MemoryFactory), |_| json!({ "testing": true })).unwrap();
    all_kept(&run(&subject), &[DURABLE, LIVE]);
}

/// What tapes without a class or namespace get is for the settings to say.
#[test]
fn defaults_of_its_own_break_no_promise() {
    let settings = |_| json!({ "testing": true, "class": "kept", "namespace": "mine", "name": "example.com/own" });
    all_kept(&run(&Subject::new(Arc::new(MemoryFactory), settings).unwrap()), &[DURABLE, LIVE]);
}

#[test]
fn a_provider_of_somebody_else_keeps_every_clause() {
    let folder = tempfile::tempdir().unwrap();
    let factory = Arc::new(outside_provider::BoundedFactory);
    let subject = Subject::new(factory, folders(folder.path().to_owned())).unwrap();
    all_kept(&run(&subject), &[]);
}

#[test]
fn plain_files_keep_what_they_promise_and_no_more_is_said_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().to_owned();
    let factory = Arc::new(sample_program::plain::PlainFactory);
    let subject = Subject::new(factory, move |n| json!({ "path": root.join(n.to_string()) })).unwrap();
    let pieces = [
        "a tape appended in pieces is the same as one saved whole",
        "a tape that was not finished is none",
        "a recording is the tape that its frames and its header say",
        LIVE,
        "a range gives those frames and no others",
    ];
    all_kept(&run(&subject), &[&[RECORDED], &pieces[..]].concat());
}

/// What a provider does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Loading is an error.
    FailsToLoad,
    /// Listing never answers.
    Hangs,
    /// Listing keeps the thread, too.
    Blocks,
    /// Loading panics.
    Panics,
    /// Says that it streams.
    LiesAboutStreams,
    /// Says that it is durable.
    LiesAboutDurability,
    /// Says that it records access.
    LiesAboutRecords,
    /// Deletes what it is asked to.
    Deletes,
    /// Changes a byte of a payload.
    Alters,
    /// Forgets every second tape.
    Forgets,
    /// Takes any setting.
    TakesAnything,
    /// Has a name that is none.
    Name,
}

/// The memory provider with one fault. `met` counts how often the fault was really met.
struct Broken {
    fault: Fault,
    met: Arc<AtomicUsize>,
}

struct BrokenBackend {
    within: Box<dyn TapeStorageBackend>,
    fault: Fault,
    met: Arc<AtomicUsize>,
    saves: AtomicUsize,
}

impl StorageProviderFactory for Broken {
    fn name(&self) -> &str {
        if self.fault == Fault::Name { "Broken Provider" } else { "broken" }
    }
    fn version(&self) -> &str {
        "1.0.0"
    }
    fn about(&self) -> &str {
        "broken on purpose"
    }
    fn settings(&self) -> &[Setting] {
        MemoryFactory.settings()
    }
    fn validate(&self, config: &Value) -> Result<()> {
        if self.fault == Fault::TakesAnything {
            self.met.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        }
        MemoryFactory.validate(config)
    }
    fn create(&self, config: &Value, around: &Surroundings) -> Result<Box<dyn TapeStorageBackend>> {
        let within = MemoryFactory.create(config, around)?;
        Ok(Box::new(BrokenBackend { within, fault: self.fault, met: self.met.clone(), saves: AtomicUsize::new(0) }))
    }
}

impl BrokenBackend {
    fn meets(&self, fault: Fault) -> bool {
        let meets = self.fault == fault;
        self.met.fetch_add(usize::from(meets), Ordering::SeqCst);
        meets
    }
}

#[async_trait]
impl TapeStorageBackend for BrokenBackend {
    async fn initialize(&self) -> Result<()> {
        self.within.initialize().await
    }
    async fn save(&self, tape: &Tape) -> Result<TapeId> {
        if self.fault == Fault::Forgets
            && self.saves.fetch_add(1, Ordering::SeqCst) % 2 == 1
            && self.meets(Fault::Forgets)
        {
            return Ok(TapeId::from_bytes([9; 32]));
        }
        self.within.save(tape).await
    }
    async fn load(&self, id: &TapeId) -> Result<Tape> {
        if self.meets(Fault::FailsToLoad) {
            return Err(Error::new(Code::Io, "the other side is away"));
        }
        assert!(!self.meets(Fault::Panics), "on purpose");
        let mut tape = self.within.load(id).await?;
        if let Some(byte) = tape.frames.iter_mut().find_map(|f| f.payload.first_mut())
            && self.meets(Fault::Alters)
        {
            *byte ^= 1;
        }
        Ok(tape)
    }
    async fn delete(&self, id: &TapeId) -> Result<()> {
        if self.within.exists(id).await? && self.meets(Fault::Deletes) {
            return Ok(());
        }
        self.within.delete(id).await
    }
    async fn list(&self, query: &Query) -> Result<Page> {
        if self.meets(Fault::Hangs) {
            std::future::pending::<()>().await;
        }
        if self.meets(Fault::Blocks) {
            loop {
                std::thread::park();
            }
        }
        self.within.list(query).await
    }
    async fn search(&self, query: &Query) -> Result<Page> {
        self.within.search(query).await
    }
    async fn stats(&self) -> Result<StorageStats> {
        let mut stats = self.within.stats().await?;
        if self.meets(Fault::LiesAboutRecords) {
            stats.entries = Some(5);
        }
        Ok(stats)
    }
    async fn exists(&self, id: &TapeId) -> Result<bool> {
        self.within.exists(id).await
    }
    fn capabilities(&self) -> Capabilities {
        let said = self.within.capabilities();
        if self.meets(Fault::LiesAboutDurability) { said.durable(true) } else { said }
    }
    fn streaming(&self) -> Option<&dyn StreamingBackend> {
        if self.meets(Fault::LiesAboutStreams) { None } else { self.within.streaming() }
    }
    async fn close(&self) -> Result<()> {
        self.within.close().await
    }
}

fn broken(fault: Fault) -> (Subject, Arc<AtomicUsize>) {
    let met = Arc::new(AtomicUsize::new(0));
    let factory = Arc::new(Broken { fault, met: met.clone() });
    (Subject::new(factory, |_| json!({ "testing": true })).unwrap(), met)
}

/// What came of one clause.
fn outcome(subject: &Subject, clause: &str) -> Outcome {
    clauses().iter().find(|c| c.name == clause).unwrap().check(subject)
}

fn violation(fault: Fault, clause: &str) -> String {
    let (subject, met) = broken(fault);
    let outcome = outcome(&subject, clause);
    assert!(fault == Fault::Name || met.load(Ordering::SeqCst) > 0, "{fault:?} was never met");
    match outcome {
        Outcome::Violated(detail) => detail,
        other => panic!("{fault:?}: {clause}: {other:?}"),
    }
}

#[test]
fn a_provider_that_answers_with_errors_is_caught() {
    let detail = violation(Fault::FailsToLoad, "a tape comes out as it went in, byte for byte");
    assert_eq!(detail, "load: E_IO (the other side is away)");
    assert_eq!(violation(Fault::Panics, "a tape comes out as it went in, byte for byte"), "it panicked");
}

#[test]
fn a_provider_that_hangs_is_caught_asleep_or_at_work() {
    for fault in [Fault::Hangs, Fault::Blocks] {
        let (subject, met) = broken(fault);
        let subject = subject.patient_for(Duration::from_millis(1_500));
        let came = outcome(&subject, "a list has every tape once, in the order of saving");
        assert_eq!(came, Outcome::Violated("no answer within 1500 ms".into()), "{fault:?}");
        assert_eq!(met.load(Ordering::SeqCst), 1, "{fault:?}");
    }
}

#[test]
fn a_provider_that_lies_about_what_it_can_is_caught() {
    assert_eq!(
        violation(Fault::LiesAboutStreams, STREAMS),
        "what the capabilities say, and what is there: true instead of false"
    );
    let forgot = violation(Fault::LiesAboutDurability, DURABLE);
    assert!(forgot.starts_with("load: E_NOT_FOUND"), "{forgot}");
    assert_eq!(violation(Fault::LiesAboutRecords, RECORDED), "load left no entry");
}

#[test]
fn a_provider_that_loses_or_changes_tapes_is_caught() {
    let deleted = violation(Fault::Deletes, "a live tape is never deleted");
    assert_eq!(deleted, "delete: succeeded instead of E_DISPOSAL_REQUIRED");
    let altered = violation(Fault::Alters, "a tape comes out as it went in, byte for byte");
    assert_eq!(altered, "load: frame 0 came back as another");
    let lost = violation(Fault::Forgets, "tapes saved at the same time are all kept");
    assert!(lost.contains("E_NOT_FOUND"), "{lost}");
    let listed = violation(Fault::Forgets, "a list has every tape once, in the order of saving");
    assert!(listed.contains("[\"alpha\", \"gamma\", \"epsilon\"] instead of"), "{listed}");
}

#[test]
fn a_factory_with_a_wrong_name_or_without_checks_is_caught() {
    let named = violation(Fault::Name, "its name, aliases and version are lawful");
    assert!(named.contains("\"Broken Provider\" is no name"), "{named}");
    let taken = violation(Fault::TakesAnything, "a setting that it does not know is refused");
    assert_eq!(taken, "validate: succeeded instead of E_USAGE");
    let wrong = violation(Fault::TakesAnything, "a value that a setting does not take is refused");
    assert!(wrong.contains("succeeded instead of E_USAGE"), "{wrong}");
}

/// The suite as a whole tells a broken provider by exactly the clauses that it breaks.
#[test]
fn a_run_names_the_broken_clause_and_no_other() {
    let (subject, _) = broken(Fault::Deletes);
    let report = run(&subject);
    let names: Vec<_> = report.violations().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["a live tape is never deleted"], "{report}");
    assert!(report.to_string().ends_with("26 clauses: 23 kept, 1 violated, 2 not promised\n"), "{report}");
}
