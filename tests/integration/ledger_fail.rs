//! An operation fails and the machine goes on: the call says so, what was answered stays, and after a
//! failed durable write nothing is answered and no content leaves.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

use immutape::Code;
use immutape::error::Result;
use immutape::ledger::{FrameSelection, Ledger, TapeReader};
use immutape::log::EntryKind;

use crate::support::crash::{
    Base, Case, Content, Diary, Machine, Material, World, audit, copy_rows, in_parallel, in_runtime,
};
use crate::support::ledgers::ann;
use crate::support::sim_files::{Effect, Kind, Survive};

/// Answers of a session: the call and its code.
type Answers = Vec<(&'static str, Result<(), Code>)>;

fn code<T>(result: Result<T>) -> Result<(), Code> {
    result.map(|_| ()).map_err(|e| e.code())
}

const fn is_dead(code: Code) -> bool {
    matches!(code, Code::Broken | Code::InDoubt)
}

/// One session that goes on after errors.
async fn session(world: &World, diary: &Diary) -> Answers {
    let mut answers = Vec::new();
    world.stage("open");
    let ledger = match Ledger::open(world.places(), world.env()).await {
        Ok(ledger) => ledger,
        Err(e) => return vec![("open", Err(e.code()))],
    };
    let work = diary.with(&ledger);
    let kept = diary.kept();
    let mut answer = |name, result: Result<(), Code>| answers.push((name, result));
    world.stage("read");
    let early = work.open_tape(&kept[1].tape).await;
    answer("open_tape", early.as_ref().map(|_| ()).map_err(immutape::Error::code));
    let early = early.ok();
    // It is dropped at the end, which may be recorded.
    diary.begin(&[EntryKind::ACCESS_COMPLETED]);
    answer("read", code(work.read(&kept[0].tape).await));
    world.stage("save");
    answer("save", code(work.save(&Material::get().small[2]).await));
    answer("save", code(work.save(&Material::get().small[2]).await));
    answer("save", code(work.save(&Material::get().captured[1]).await));
    world.stage("save, new class");
    answer("save", code(work.save(&Content::small("fresh", "mifid", 2, 80)).await));
    answer("save", code(work.save(&Content::small("fresh again", "mifid", 2, 80)).await));
    world.stage("others");
    answer("list", code(work.list().await));
    answer("delete", code(work.delete(&kept[0]).await));
    answer("custody", code(work.custody(&kept[0]).await));
    answer("log", code(work.read_log().await));
    let size = ledger.size();
    answer("read and leave", code(work.read_and_leave(&kept[2].tape).await));
    until_recorded(&ledger, size + 2).await;
    answer("read", code(work.read(&kept[0].tape).await));
    if answers.iter().any(|(_, answer)| answer.is_err_and(is_dead)) {
        nothing_is_answered(&ledger, diary, early.as_ref()).await;
    }
    world.stage("close");
    drop(early);
    answers.push(("close", code(ledger.close().await)));
    answers
}

/// The end of a dropped reader is recorded by itself: in a group of its own, if the next call waits for it. Else the
/// number of operations would be another each time.
async fn until_recorded(ledger: &Ledger, size: u64) {
    for _ in 0..2_000 {
        if ledger.size() >= size || ledger.status().is_ok_and(|status| status.broken) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Every call of a dead handle says that it is dead, and not a frame is given.
async fn nothing_is_answered(ledger: &Ledger, diary: &Diary, early: Option<&TapeReader>) {
    let work = diary.with(ledger);
    let kept = diary.kept();
    let dead = Err(Code::Broken);
    assert_eq!(code(work.list().await), dead);
    assert_eq!(code(work.open_tape(&kept[0].tape).await), dead);
    assert_eq!(code(ledger.open_tape(&ann(), "00000000", None).await), dead);
    assert_eq!(code(work.custody(&kept[0]).await), dead);
    assert_eq!(code(work.read_log().await), dead);
    assert_eq!(code(work.delete(&kept[0]).await), dead);
    assert_eq!(code(work.save(&Material::get().late).await), dead);
    assert_eq!(code(work.save(&Material::get().small[0]).await), dead);
    let (_, recorded) = ledger.verify(&ann(), Default::default()).await.unwrap();
    assert_eq!(code(recorded), dead, "a check may run, but not be recorded");
    assert!(ledger.status().unwrap().broken);
    if let Some(early) = early {
        let mut given = 0;
        let frames = early.frames(FrameSelection::All, &mut |_| {
            given += 1;
            Ok(())
        });
        assert_eq!((code(frames), given), (dead, 0), "a reader made before gives nothing more");
    }
}

/// What a sweep met.
#[derive(Debug, Default)]
struct Met {
    answers: BTreeMap<(&'static str, Code), u64>,
    stages: BTreeMap<String, u64>,
    cases: u64,
    wrong: Vec<String>,
}

#[test]
fn every_operation_of_a_session_fails() {
    let base = Base::with_tapes(4);
    let (world, diary) = base.machine(1);
    let whole = in_runtime(session(&world, &diary));
    assert!(whole.iter().all(|(_, answer)| answer.is_ok()), "{whole:?}");
    let operations = world.sim.operations();
    println!("{} operations", operations.len());

    let met = Mutex::new(Met::default());
    in_parallel(operations.len(), |n| {
        let faults = [
            (Effect::Without, ErrorKind::TimedOut),
            (Effect::With, if n % 2 == 0 { ErrorKind::StorageFull } else { ErrorKind::TimedOut }),
            (Effect::FirstBytes(512), ErrorKind::StorageFull),
        ];
        for (effect, kind) in faults {
            if matches!(effect, Effect::FirstBytes(_)) && operations[n].kind != Kind::Write {
                continue;
            }
            let words = format!("{:?} {effect:?} {kind:?}", operations[n]);
            let tried = catch_unwind(AssertUnwindSafe(|| fail_once(&base, n as u64, effect, kind, &words, &met)));
            if tried.is_err() {
                met.lock().unwrap().wrong.push(words);
            }
        }
    });
    let met = met.into_inner().unwrap();
    println!("{met:#?}");
    assert!(met.wrong.is_empty());
    assert!(met.stages.len() == 6 && met.stages.values().all(|count| *count >= 10));
    for code in [Code::Io, Code::StoreFull, Code::Broken, Code::InDoubt] {
        assert!(met.answers.keys().any(|(_, met)| *met == code), "{code:?} was never met");
    }
}

/// One fault; then the power is cut, and then, on the machine that went on, the next process starts.
fn fail_once(base: &Base, number: u64, effect: Effect, kind: ErrorKind, words: &str, met: &Mutex<Met>) {
    let (world, diary) = base.machine(number + 2);
    world.sim.fail_at(number, kind, effect);
    let answers = in_runtime(session(&world, &diary));
    assert_eq!(world.sim.faults_made(), 1, "{words}");
    let words = format!("{words}: {answers:?}");
    let dead = answers.iter().position(|(_, answer)| answer.is_err_and(is_dead));
    for (_, answer) in answers.iter().skip(dead.map_or(usize::MAX, |n| n + 1)) {
        assert_eq!(*answer, Err(Code::Broken), "{words}: answered after its death");
    }
    {
        let mut met = met.lock().unwrap();
        met.cases += 1;
        let stage = world.sim.operations()[usize::try_from(number).unwrap()].stage.clone();
        *met.stages.entry(stage).or_default() += 1;
        for (name, answer) in &answers {
            if let Err(code) = answer {
                let is_refused = matches!(code, Code::Io | Code::StoreFull | Code::AuditUnavailable);
                assert!(is_refused || is_dead(*code), "{words}");
                *met.answers.entry((name, *code)).or_default() += 1;
            }
        }
    }
    let image = world.sim.crash_image(Survive::Nothing);
    let rows = copy_rows(&*world.rows);
    audit(Case { image, rows, diary: &diary, broken: &[], seed: number, words: &format!("{words}, power cut") });
    let rows = copy_rows(&*world.rows);
    let image = world.sim.clone();
    audit(Case { image, rows, diary: &diary, broken: &[], seed: number + 1, words: &words });
}
