//! The power is cut under load: what was never synced is gone, and everything that was answered is there.
//!
//! In two ways. In process: concurrent callers over the simulated disk, which drops pages and names that no sync
//! covered. And a real process of the real code path, with a preloaded library beneath it that keeps of every
//! file what it held when it was last synced. The machine itself is never cut off.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use immutape::ledger::Ledger;

use crate::support::crash::child::{TASKS, Told, Worker, check_frames, check_told, run_if_asked, sleep_ms};
use crate::support::crash::{
    Base, Case, Content, Diary, Machine, NOW_MS, World, audit, copy_rows, in_runtime, some_folder,
};
use crate::support::power::{all_is_durable, cut, library};
use crate::support::sim_files::{Effect, Survive};

const SIMULATED_ROUNDS: u64 = 40;
const REAL_ROUNDS: u64 = 15;

/// The child; returns at once when nobody asked for one.
#[test]
fn child() {
    run_if_asked();
}

/// One machine whose power is cut again and again while six callers save, in process.
#[test]
fn forty_power_cuts_of_a_simulated_disk() {
    let base = Base::with_tapes(2);
    let (mut world, diary) = base.machine(3);
    let (mut cuts, mut acknowledged) = (0, 0);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_time().build().unwrap();
    for round in 0..SIMULATED_ROUNDS {
        let stop = 12 + round * 37 % 150;
        world.sim.stop_at(stop, if round % 2 == 0 { Effect::With } else { Effect::Without });
        let told = Arc::new(AtomicU64::new(0));
        runtime.block_on(async {
            let Ok(ledger) = Ledger::open(world.places(), world.env()).await else { return };
            let tasks: Vec<_> = (0..TASKS)
                .map(|task| tokio::spawn(save_until_cut(ledger.clone(), diary.clone(), round, task, told.clone())))
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        assert!(world.sim.has_stopped() && world.sim.faults_made() == 1, "round {round}");
        cuts += 1;
        acknowledged += told.load(Ordering::Relaxed);
        let survive =
            [Survive::Nothing, Survive::Random(round), Survive::LastWriteSectors(0b101)][(round % 3) as usize];
        let image = world.sim.crash_image(survive);
        let rows = copy_rows(&*world.rows);
        if round % 5 == 4 || round + 1 == SIMULATED_ROUNDS {
            let image = image.crash_image(Survive::Everything);
            let rows = copy_rows(&*rows);
            let words = format!("round {round}, {survive:?}");
            audit(Case { image, rows, diary: &diary, broken: &[], seed: round, words: &words });
        }
        world = World::on(image, rows, 100 + round, NOW_MS + 1_800_000 + round * 1_000);
    }
    println!("{cuts} power cuts, {acknowledged} tapes acknowledged, 0 lost");
    assert!(acknowledged > 2 * SIMULATED_ROUNDS);
}

async fn save_until_cut(ledger: Ledger, diary: Diary, round: u64, task: u64, told: Arc<AtomicU64>) {
    for n in 0.. {
        let content = Content::small(&format!("cut {round} {task} {n}"), "draft", 1, 60);
        if diary.with(&ledger).save(&content).await.is_err() {
            return;
        }
        told.fetch_add(1, Ordering::Relaxed);
    }
}

/// A real process; skipped, and said so, where no library can be preloaded.
#[test]
fn fifteen_power_cuts_of_a_real_process() {
    let tools = some_folder();
    let Some(library) = library(tools.path()) else {
        crate::support::skipped("no gcc or no preloading here; no power cut of a real process was modelled");
        return;
    };
    let place = some_folder();
    let (folder, shadow) = (place.path().join("machine"), place.path().join("shadow"));
    std::fs::create_dir(&folder).unwrap();
    let (mut told, mut before, mut lost_bytes) = (Vec::<Told>::new(), Vec::new(), 0);
    for round in 0..REAL_ROUNDS {
        all_is_durable(&folder, &shadow);
        let more = [("LD_PRELOAD", library.clone()), ("POWER_SHADOW", shadow.clone())];
        let worker = Worker::start("ledger_power::child", &folder, round, &more);
        assert!(worker.wait_until_ready(), "round {round}: the child did not come so far");
        sleep_ms(40 + round * 23 % 200);
        let new = worker.kill();
        let words = format!("round {round}");
        lost_bytes += cut(&folder, &shadow);
        told.extend(&new);
        check_told(&folder, &told, round + 1, &mut before, &words);
        let last: Vec<Told> = new.iter().rev().take(4).copied().collect();
        in_runtime(check_frames(&folder, &last, &words)).unwrap_or_else(|e| panic!("{words}: {e}"));
    }
    in_runtime(check_frames(&folder, &told, "at the end")).unwrap();
    let found = check_told(&folder, &told, REAL_ROUNDS, &mut before, "at the end");
    println!("{REAL_ROUNDS} power cuts, {lost_bytes} bytes never synced: 0 lost of {found:?}");
    assert!(found.acknowledged > REAL_ROUNDS);
    assert!(lost_bytes > 0, "the library took nothing away, so this showed nothing");
}

/// The model of the power cut takes away what it should: without a sync nothing is left.
#[test]
fn the_library_keeps_only_what_was_synced() {
    let tools = some_folder();
    let Some(library) = library(tools.path()) else {
        crate::support::skipped("no gcc or no preloading here");
        return;
    };
    let place = some_folder();
    let (folder, shadow) = (place.path().join("machine"), place.path().join("shadow"));
    std::fs::create_dir(&folder).unwrap();
    all_is_durable(&folder, &shadow);
    // Written, synced in part, and named durably or not.
    let script = "printf one > a; sync a; sync .; printf two >> a; printf x > b; printf three > c; sync c";
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", script]).current_dir(&folder).env("LD_PRELOAD", &library).env("POWER_SHADOW", &shadow);
    assert!(shell.status().unwrap().success());
    cut(&folder, &shadow);
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["a"], "the others have no durable name");
    assert_eq!(std::fs::read(folder.join("a")).unwrap(), b"one");
}
