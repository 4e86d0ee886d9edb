//! An append that is told to have failed when it had done its work: what it wrote is on the tape, and is not counted as missing
//! beside that. Nobody but who seals can know, for nothing is written through a handle that failed.

use std::io::ErrorKind;
use std::time::Duration;

use immutape::capture::{Durability, FinishedRecording, LedgerAccess, OnStorageFailure, RecordingOptions};
use immutape::evidence::Verdict;
use immutape::ledger::{CheckOptions, Ledger};
use immutape::store::conformance::objects::noise;
use immutape::tape::{Direction, EndState, Frame, GapReason};

use crate::support::crash::{Base, Machine as _, World};
use crate::support::ledgers::ann;
use crate::support::recordings::{Answers, Recording, judge, kept};
use crate::support::sim_files::{Effect, Kind};

/// Longer than any of these tests: what is flushed is flushed by somebody.
const NEVER: Duration = Duration::from_secs(30);

async fn machine() -> (World, Ledger) {
    let (world, _) = Base::make(0).await.machine(5);
    let ledger = Ledger::open(world.places(), world.env()).await.unwrap();
    (world, ledger)
}

/// In one process with its ledger, so that the spool that failed is the one that is sealed.
async fn begin<'a>(world: &World, ledger: &Ledger, answers: &'a Answers) -> Recording<'a> {
    let goes_on = |o: &mut RecordingOptions| {
        (o.on_storage_failure, o.durability) = (OnStorageFailure::ContinueWithGap, Durability::Interval(NEVER));
    };
    let access = LedgerAccess::open(ledger.clone());
    Recording::begin(access, answers, "it", world.clock.clone(), goes_on).await.unwrap()
}

/// The next operation, which is to be an append to the spool, does its work and is told to have failed.
fn written_and_failed(world: &World, kind: ErrorKind) -> impl Fn() + use<'_> {
    let number = world.sim.next_operation();
    world.sim.fail_at(number, kind, Effect::With);
    move || {
        let failed = &world.sim.operations()[usize::try_from(number).unwrap()];
        assert!(failed.kind == Kind::Write && failed.path.starts_with("l/spool") && failed.bytes > 0, "{failed:?}");
        assert!(world.sim.faults_made() > 0);
    }
}

fn gaps(finished: &FinishedRecording) -> Vec<(u64, GapReason, u64)> {
    finished.header.gaps.iter().map(|g| (g.before_seq, g.reason, g.count)).collect()
}

async fn is_intact(ledger: Ledger) {
    let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
    ledger.close().await.unwrap();
}

/// What a pause left out stands in a gap of its own: in the piece that failed, and in what waited for it.
#[tokio::test]
async fn the_gap_of_a_pause_that_was_written_is_counted_once() {
    for kind in [ErrorKind::Other, ErrorKind::StorageFull] {
        let (world, ledger) = machine().await;
        let answers = Answers::default();
        let it = begin(&world, &ledger, &answers).await;
        it.write().await.unwrap();
        it.write().await.unwrap();
        it.flush().await.unwrap();
        it.write().await.unwrap();
        it.writer.pause().unwrap();
        for _ in 0..4 {
            assert_eq!(it.write().await.unwrap(), None, "counted only");
        }
        it.writer.resume().unwrap();
        it.write().await.unwrap();
        let struck = written_and_failed(&world, kind);
        if kind == ErrorKind::Other {
            // Through this handle nothing is written again; what comes is counted.
            it.flush().await.unwrap_err();
            for _ in 0..2 {
                assert_eq!(it.write().await.unwrap(), None);
            }
        }
        // Where only room is missing, the last of all appends is the one.
        let finished = it.finish(EndState::ChildExit(3)).await.unwrap();
        struck();
        assert_eq!((finished.receipt.frames, &finished.header.end_state), (4, &EndState::ChildExit(3)));
        let expected = match kind {
            ErrorKind::Other => vec![(3, GapReason::Paused, 4), (4, GapReason::StorageFailed, 2)],
            _ => vec![(3, GapReason::Paused, 4)],
        };
        assert_eq!(gaps(&finished), expected, "{kind:?}");
        judge(&kept(&ledger).await.unwrap(), &answers, "it");
        is_intact(ledger).await;
    }
}

/// Frames that found no room are told of in a gap, which is written, told to have failed, and left to be told again.
#[tokio::test]
async fn the_gap_of_a_full_disk_that_was_written_is_counted_once() {
    let (world, ledger) = machine().await;
    let answers = Answers::default();
    let it = begin(&world, &ledger, &answers).await;
    let big = |n: u64| Frame::message(0, Direction::ServerToClient, noise(n, 90_000));
    let (mut taken, mut lost) = (0u64, 0u64);
    world.sim.set_room(Some(world.sim.used_bytes() + 2_000));
    for n in 0..40 {
        match it.writer.write_frame(big(n)).await.unwrap() {
            Some(_) => taken += 1,
            None => lost += 1,
        }
    }
    assert!(taken > 3 && lost > 3 && world.sim.faults_made() > 0, "{taken} taken, {lost} lost");
    world.sim.set_room(None);
    it.writer.flush().await.unwrap();
    let before = it.writer.metadata().durable_frames;
    assert_eq!(before, taken);
    // This one stands behind the gap, in one piece with it.
    let last = Frame::message(0, Direction::ServerToClient, b"the last".to_vec());
    assert_eq!(it.writer.write_frame(last).await.unwrap(), Some(taken));
    let struck = written_and_failed(&world, ErrorKind::Other);
    it.writer.flush().await.unwrap_err();
    let finished = it.writer.finalize(EndState::Clean).await.unwrap();
    struck();
    assert_eq!((finished.receipt.frames, &finished.header.end_state), (taken + 1, &EndState::Clean));
    assert_eq!(gaps(&finished), [(taken, GapReason::StorageFailed, lost)]);
    is_intact(ledger).await;
}

/// The other side: an append that failed and wrote nothing, or half, is missing, and counted.
#[tokio::test]
async fn what_was_not_written_is_counted_as_missing() {
    for effect in [Effect::Without, Effect::FirstBytes(40)] {
        let (world, ledger) = machine().await;
        let answers = Answers::default();
        let it = begin(&world, &ledger, &answers).await;
        it.write().await.unwrap();
        it.flush().await.unwrap();
        it.writer.pause().unwrap();
        it.write().await.unwrap();
        it.writer.resume().unwrap();
        it.write().await.unwrap();
        world.sim.fail_at(world.sim.next_operation(), ErrorKind::Other, effect);
        it.flush().await.unwrap_err();
        let finished = it.finish(EndState::Clean).await.unwrap();
        assert_eq!((world.sim.faults_made(), finished.receipt.frames), (1, 1));
        let expected = [(1, GapReason::Paused, 1), (1, GapReason::StorageFailed, 1)];
        assert_eq!(gaps(&finished), expected, "{effect:?}");
        judge(&kept(&ledger).await.unwrap(), &answers, "it");
        is_intact(ledger).await;
    }
}
