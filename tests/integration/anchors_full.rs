//! A disk that is full while what others hold is kept: what was there stays, a later try works, and what contradicts the log does so
//! whether or not it could be kept.

use std::path::{Path, PathBuf};

use immutape::Code;
use immutape::ledger::{Ledger, WITNESS_POLICY_FILE};
use immutape::proof::ForkProof;
use immutape::store::files::{Files, write_atomic};

use crate::heads::{cosigned, grow, witness};
use crate::support::crash::{Machine, NOW_MS, World, copy_rows, in_runtime};
use crate::support::ledgers::ann;
use crate::support::sim_files::{Effect, Kind, Operation, Survive};

const SEED: u64 = 77;

async fn open(world: &World) -> Ledger {
    let ledger = Ledger::open(world.places(), world.env()).await.unwrap();
    ledger.confirm(None).await.unwrap();
    ledger
}

/// A closed ledger with a witness, and the head of it that is kept.
async fn town() -> (World, String) {
    let world = World::new(SEED);
    let ledger = Ledger::create(world.places(), world.env(), "test", true).await.unwrap();
    let config = world.places().config_of(&ledger.id()).unwrap();
    ledger.close().await.unwrap();
    let policy = format!("witness w1 {}\nquorum w1\n", witness().1.to_text());
    write_atomic(&world.sim, &config.join(WITNESS_POLICY_FILE), policy.as_bytes()).unwrap();
    let ledger = open(&world).await;
    grow(&ledger, 3).await;
    let first = cosigned(&ledger.release_head().await.unwrap().note, 1_700_000_000);
    ledger.keep_anchor(&first).await.unwrap();
    ledger.close().await.unwrap();
    (world, first)
}

/// The same machine once more, after a restart.
fn again(world: &World, lives: u64) -> World {
    let image = world.sim.crash_image(Survive::Everything);
    World::on(image, copy_rows(&*world.rows), SEED, NOW_MS + lives * 1_000_000)
}

/// Operations from `from` on, up to the first of the journal.
fn operations(world: &World, from: u64) -> Vec<Operation> {
    let all = world.sim.operations();
    let late = all.into_iter().skip(usize::try_from(from).unwrap());
    late.take_while(|op| !op.path.to_string_lossy().contains("journal")).collect()
}

/// How much of a failing operation happens: of a write any number of its bytes.
fn effects(op: &Operation) -> Vec<Effect> {
    match op.kind {
        Kind::Write => (0..usize::try_from(op.bytes).unwrap()).step_by(23).map(Effect::FirstBytes).collect(),
        _ => vec![Effect::Without],
    }
}

fn kept(ledger: &Ledger) -> String {
    ledger.newest_anchor().unwrap().unwrap().note
}

#[test]
fn an_anchor_that_finds_no_room_leaves_the_older_one() {
    in_runtime(async {
        let (base, first) = town().await;
        let make = async |lives: u64| {
            let world = again(&base, lives);
            let ledger = open(&world).await;
            grow(&ledger, 4).await;
            let second = cosigned(&ledger.release_head().await.unwrap().note, 1_700_000_001);
            (world, ledger, second)
        };
        let (world, ledger, second) = make(1).await;
        let from = world.sim.next_operation();
        ledger.keep_anchor(&second).await.unwrap();
        let ops = operations(&world, from);
        ledger.close().await.unwrap();
        assert!(ops.len() >= 5 && ops.iter().any(|op| op.kind == Kind::Rename), "{ops:?}");
        let mut faults = 0;
        for op in &ops {
            for effect in effects(op) {
                let (world, ledger, second) = make(2).await;
                let number = world.sim.next_operation() + (op.number - from);
                world.sim.fail_at(number, std::io::ErrorKind::StorageFull, effect);
                let size = ledger.size();
                let words = format!("{op:?} {effect:?}");
                let refused = ledger.keep_anchor(&second).await.unwrap_err();
                assert_eq!((refused.code(), world.sim.faults_made()), (Code::StoreFull, 1), "{words}");
                faults += 1;
                let is_renamed =
                    op.kind == Kind::SyncDir && op.number > ops.iter().find(|o| o.kind == Kind::Rename).unwrap().number;
                assert_eq!(kept(&ledger), if is_renamed { second.clone() } else { first.clone() }, "{words}");
                assert_eq!(ledger.size(), size, "no entry tells of what is not kept: {words}");
                // After a power cut right now one of the two is there, whole.
                let cut = World::on(
                    world.sim.crash_image(Survive::Nothing),
                    copy_rows(&*world.rows),
                    SEED,
                    NOW_MS + 9_000_000,
                );
                let found = Ledger::open(cut.places(), cut.env()).await.unwrap();
                assert!([&first, &second].contains(&&kept(&found)), "{words}");
                drop(found);
                // There is room again.
                ledger.keep_anchor(&second).await.unwrap();
                assert_eq!(kept(&ledger), second, "{words}");
                ledger.close().await.unwrap();
                let ledger = open(&world).await;
                assert_eq!(kept(&ledger), second, "{words}");
                ledger.close().await.unwrap();
            }
        }
        assert!(faults > 10, "{faults}");
    });
}

#[test]
fn an_anchor_fits_whole_or_not_at_all_whatever_byte_the_disk_ends_at() {
    in_runtime(async {
        let (base, first) = town().await;
        let world = again(&base, 1);
        let ledger = open(&world).await;
        grow(&ledger, 4).await;
        let second = cosigned(&ledger.release_head().await.unwrap().note, 1_700_000_001);
        let used = world.sim.used_bytes();
        for more in 0..second.len() as u64 {
            world.sim.set_room(Some(used + more));
            assert_eq!(ledger.keep_anchor(&second).await.unwrap_err().code(), Code::StoreFull, "{more} bytes");
            assert_eq!(kept(&ledger), first, "{more} bytes");
        }
        assert_eq!(world.sim.faults_made(), second.len() as u64);
        world.sim.set_room(Some(used + second.len() as u64));
        ledger.keep_anchor(&second).await.unwrap();
        assert_eq!(kept(&ledger), second);
        world.sim.set_room(None);
        ledger.close().await.unwrap();
    });
}

fn anchors(world: &World, file: &str) -> Option<Vec<u8>> {
    let path = world.state_path("anchors")?.join(file);
    Files::read(&world.sim, &path, 1 << 20).ok()
}

/// What shows that this log is another cannot be kept: it is refused all the same, by this handle for ever, and by the next one as
/// soon as it is shown again.
#[test]
fn a_contradiction_that_finds_no_room_stays_one() {
    in_runtime(async {
        let (base, first) = town().await;
        let newer = again(&base, 1);
        let ledger = open(&newer).await;
        grow(&ledger, 12).await;
        let held = cosigned(&ledger.release_head().await.unwrap().note, 1_700_000_002);
        let (size, key) = (ledger.size(), ledger.checkpoint_key().clone());
        ledger.close().await.unwrap();
        let mut faults = 0;
        for (more, wanted) in [(1, Code::LogRollback), (40, Code::LogFork)] {
            let make = async |lives: u64| {
                let world = again(&base, lives);
                let ledger = open(&world).await;
                grow(&ledger, more).await;
                ledger.release_head().await.unwrap();
                (world, ledger)
            };
            let (world, ledger) = make(2).await;
            let from = world.sim.next_operation();
            assert_eq!(ledger.confirm(Some(held.clone())).await.unwrap_err().code(), wanted);
            let ops: Vec<Operation> = world.sim.operations().into_iter().skip(usize::try_from(from).unwrap()).collect();
            drop(ledger);
            let proofs: Vec<PathBuf> = ops.iter().map(|op| op.path.clone()).filter(|path| is_proof(path)).collect();
            assert_eq!(proofs.is_empty(), wanted == Code::LogRollback, "{proofs:?}");
            for op in &ops {
                for effect in effects(op) {
                    let (world, ledger) = make(3).await;
                    let number = world.sim.next_operation() + (op.number - from);
                    world.sim.fail_at(number, std::io::ErrorKind::StorageFull, effect);
                    let words = format!("{op:?} {effect:?}");
                    let shown = ledger.confirm(Some(held.clone())).await.unwrap_err();
                    assert_eq!((shown.code(), world.sim.faults_made()), (wanted, 1), "{words}");
                    assert!(shown.message().contains("could not be kept"), "{words}: {shown}");
                    faults += 1;
                    for refused in [
                        ledger.confirm(None).await.map(drop),
                        ledger.confirm(Some(first.clone())).await.map(drop),
                        ledger.keep_anchor(&first).await.map(drop),
                        ledger.release_head().await.map(drop),
                        ledger.note_log_read(&ann()).await.map(drop),
                    ] {
                        assert_eq!(refused.unwrap_err().code(), wanted, "{words}");
                    }
                    assert_eq!(anchors(&world, "newest.note"), Some(first.clone().into_bytes()), "{words}");
                    drop(ledger);
                    // The next start refuses by itself where it was kept, else as soon as it is shown again.
                    let next = again(&world, 5);
                    match Ledger::open(next.places(), next.env()).await {
                        Err(e) => assert_eq!(e.code(), wanted, "{words}"),
                        Ok(ledger) => {
                            assert_eq!(ledger.confirm(Some(held.clone())).await.unwrap_err().code(), wanted, "{words}");
                            drop(ledger);
                            let last = again(&next, 6);
                            let refused = Ledger::open(last.places(), last.env()).await.map(drop).unwrap_err();
                            assert_eq!(refused.code(), wanted, "{words}");
                            if let Some(proof) = anchors(&next, &format!("fork-{}.txt", size_of(&held))) {
                                let proof = ForkProof::parse(std::str::from_utf8(&proof).unwrap()).unwrap();
                                assert_eq!(proof.verify(&key).unwrap().heads().0.size, size_of(&held));
                            }
                        }
                    }
                }
            }
        }
        assert!(faults > 20 && size > 12, "{faults}");
    });
}

fn is_proof(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("fork-"))
}

fn size_of(note: &str) -> u64 {
    note.lines().nth(1).unwrap().parse().unwrap()
}
