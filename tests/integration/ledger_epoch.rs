//! The vault begins a new epoch, and every operation of that fails or is the machine's last.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use immutape::codec::limits::EPOCH_TAPES_MAX;
use immutape::error::Result;
use immutape::ledger::Ledger;

use crate::support::crash::{Base, Case, Content, Diary, Machine, World, audit, copy_rows, in_parallel, in_runtime};
use crate::support::sim_files::{Effect, Survive};

/// Fills the open epoch, goes on into the next, and makes a key for another class; ends early only in errors that
/// end the handle.
async fn session(world: &World, diary: &Diary) -> Result<()> {
    world.stage("open");
    let ledger = Ledger::open(world.places(), world.env()).await?;
    let work = diary.with(&ledger);
    work.save(&Content::small("the last of its epoch", "draft", 1, 20)).await?;
    world.stage("roll");
    let first = work.save(&Content::small("the first of the next", "draft", 1, 20)).await;
    let second = work.save(&Content::small("of another class", "mifid", 1, 20)).await;
    let third = work.save(&Content::small("after them", "draft", 1, 20)).await;
    world.stage("close");
    first.and(second).and(third)?;
    ledger.close().await
}

#[test]
fn a_new_epoch_begins_while_things_fail() {
    let base = Base::with_tapes(EPOCH_TAPES_MAX as usize - 1);
    let (world, diary) = base.machine(1);
    in_runtime(session(&world, &diary)).unwrap();
    let rolled = world.sim.operations();
    assert!(
        rolled.iter().any(|o| o.stage == "roll" && o.path.to_string_lossy().contains("/vault/") && o.bytes > 30_000)
    );
    let points: Vec<_> = rolled.into_iter().filter(|o| o.stage == "roll").collect();

    let (cases, wrong) = (Mutex::new(0), Mutex::new(Vec::new()));
    in_parallel(points.len(), |n| {
        let number = points[n].number;
        let effect = if n % 2 == 0 { Effect::With } else { Effect::Without };
        let kind = if n % 3 == 0 { ErrorKind::StorageFull } else { ErrorKind::TimedOut };
        for stops in [false, true] {
            let (world, diary) = base.machine(number);
            if stops {
                world.sim.stop_at(number, effect);
            } else {
                world.sim.fail_at(number, kind, effect);
            }
            let ended = in_runtime(session(&world, &diary)).map_err(|e| e.code());
            assert_eq!(world.sim.faults_made(), 1);
            let words = format!("{:?} {effect:?}, stops: {stops}, {ended:?}", points[n]);
            let survive = if n % 2 == 0 { Survive::Nothing } else { Survive::Random(number) };
            let (image, rows) = (world.sim.crash_image(survive), copy_rows(&*world.rows));
            let case = Case { image, rows, diary: &diary, broken: &[], seed: number, words: &words };
            if catch_unwind(AssertUnwindSafe(|| audit(case))).is_err() {
                wrong.lock().unwrap().push(words);
            }
            *cases.lock().unwrap() += 1;
        }
    });
    let (cases, wrong) = (cases.into_inner().unwrap(), wrong.into_inner().unwrap());
    println!("{cases} cases");
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(cases >= 50);
}
