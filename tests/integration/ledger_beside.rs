//! Questions answered while somebody writes: a check calls nothing altered that is only new, and a list tells of the
//! log size that its entry names.

use std::sync::{Arc, Mutex};

use immutape::Code;
use immutape::error::Result;
use immutape::evidence::{Severity, Verdict};
use immutape::ledger::{CheckOptions, Checker, Ledger, Places};
use immutape::log::Body;
use immutape::store::embedded::EmbeddedEngine;
use immutape::store::files::Files as _;
use immutape::store::{Batch, Rows};

use crate::support::crash::{Base, Content, Diary, Machine, Watched, in_runtime};
use crate::support::ledgers::{ann, create, real};

#[test]
fn a_vault_that_grows_during_a_check_is_not_damaged() {
    let (world, diary) = Base::with_tapes(2).machine(1);
    in_runtime(async {
        let ledger = Ledger::open(world.places(), world.env()).await.unwrap();
        diary.with(&ledger).save(&Content::small("before", "draft", 2, 40)).await.unwrap();
        world.stage("the head names the vault as it is");
        diary.with(&ledger).save(&Content::small("before, too", "draft", 2, 40)).await.unwrap();
        let vault = world.state_path("vault/generation").unwrap();
        let read = || world.sim.read(&vault, 1 << 26).unwrap();
        let before = read();
        let checker = Checker::open(&world.places(), &world.env()).unwrap();
        // Between the reading of head and keys and the end of the check.
        diary.with(&ledger).save(&Content::small("of a new class", "mifid", 2, 40)).await.unwrap();
        ledger.settle().await.unwrap();
        assert!(before != read(), "a custody key was added");
        let report = checker.run(&CheckOptions::default());
        // The writer has the rows to itself; all else is compared.
        assert!(report.findings.iter().all(|f| f.severity != Severity::Altered), "{report:#?}");
        assert!(report.checks.iter().any(|c| c.name == "vault" && c.checked > 0), "{report:#?}");
        ledger.close().await.unwrap();
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_is_written_during_a_check_is_no_rollback() {
    let (world, diary) = Base::make(2).await.machine(2);
    let watched = Watched::over(&world.sim);
    let ledger = Ledger::open(world.places(), world.env_with(Arc::new(watched.clone()))).await.unwrap();
    ledger.list(&ann()).await.unwrap();
    let (other, clock, runtime) = (ledger.clone(), world.clock.clone(), tokio::runtime::Handle::current());
    watched.before_reading("head", move || {
        clock.advance(5_000);
        let saved = std::thread::spawn(move || {
            runtime.block_on(async {
                let work = diary.with(&other);
                for n in 0..3 {
                    work.save(&Content::small(&format!("meanwhile {n}"), "draft", 2, 40)).await.unwrap();
                    clock.advance(5_000);
                }
            });
        });
        saved.join().unwrap();
    });
    let size = ledger.size();
    let (report, recorded) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert!(watched.has_happened());
    let signed = report.checks.iter().find(|c| c.name == "head").unwrap().detail.clone();
    assert_ne!(signed, format!("signed at {size} entries"), "a newer head was read");
    assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
    assert!(report.findings.iter().all(|f| f.severity == Severity::Note), "{report:#?}");
    recorded.unwrap();
    ledger.close().await.unwrap();
}

/// Rows before whose next scan of the catalogue something happens.
struct Meanwhile {
    rows: Arc<dyn Rows>,
    happens: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Rows for Meanwhile {
    fn apply(&self, batch: Batch, position: &[u8]) -> Result<()> {
        self.rows.apply(batch, position)
    }
    fn position(&self) -> Result<Option<Vec<u8>>> {
        self.rows.position()
    }
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.rows.get(key)
    }
    fn scan(&self, from: &[u8], to: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> Result<bool>) -> Result<()> {
        let happens = self.happens.lock().unwrap().take_if(|_| from.starts_with(b"c"));
        happens.into_iter().for_each(|happens| happens());
        self.rows.scan(from, to, each)
    }
    fn floor(&self, floor: &[u8], key: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        self.rows.floor(floor, key)
    }
    fn flush(&self) -> Result<()> {
        self.rows.flush()
    }
    fn reset(&self) -> Result<Option<std::path::PathBuf>> {
        self.rows.reset()
    }
}

/// A list too long to be written out names the log size it was asked at, and custody reports go by that.
#[test]
fn a_tape_saved_during_a_listing_is_not_listed() {
    let (world, diary) = Base::with_tapes(3).machine(3);
    let rows = Arc::new(Meanwhile { rows: world.rows.clone(), happens: Mutex::new(None) });
    let engine = EmbeddedEngine::new(world.sim.shared()).with_rows(rows.clone());
    let env = world.env().engine(Arc::new(engine));
    let ledger = in_runtime(Ledger::open(world.places(), env)).unwrap();
    let other = ledger.clone();
    *rows.happens.lock().unwrap() = Some(Box::new(move || {
        let save = move || {
            in_runtime(async {
                let diary = Diary::default();
                diary.with(&other).save(&Content::small("meanwhile", "draft", 2, 40)).await.unwrap();
                other.settle().await.unwrap();
            });
        };
        std::thread::spawn(save).join().unwrap();
    }));
    in_runtime(async {
        let (lines, entry) = ledger.list(&ann()).await.unwrap();
        assert!(rows.happens.lock().unwrap().is_none());
        let (log, _) = ledger.log(&ann(), entry..entry + 1).await.unwrap();
        let Body::Listed { count, size, .. } = log[0].body else { panic!("{log:#?}") };
        assert!(size < entry, "something was saved meanwhile");
        assert_eq!((count, lines.len()), (3, 3));
        assert!(lines.iter().all(|line| line.entry < size), "listed, and the entry does not say so: {lines:#?}");
        assert_eq!(ledger.list(&ann()).await.unwrap().0.len(), 4);
        assert_eq!(diary.kept().len(), 3);
        ledger.close().await.unwrap();
    });
}

#[tokio::test]
async fn a_check_of_one_ledger_is_no_other_ledgers() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [one, other] = [create(folders[0].path()).await, create(folders[1].path()).await];
    let checker = |n: usize| Checker::open(&Places::beneath(folders[n].path()), &real()).unwrap();
    let subject = one.begin_check(&ann(), None).await.unwrap();
    let refused = checker(1).run_for(subject.clone(), false).map(|_| ()).map_err(|e| e.code());
    assert_eq!(refused, Err(Code::Usage));
    let made = || checker(0).run_for(subject.clone(), false).unwrap().1;
    assert_eq!(other.record_check(&ann(), made()).await.map_err(|e| e.code()), Err(Code::Usage));
    assert_eq!(other.size(), 1, "nothing was recorded");
    one.record_check(&ann(), made()).await.unwrap();
    one.close().await.unwrap();
}
