//! What a follower was shown is on the tape, wherever the power was cut.

use std::io::ErrorKind;
use std::sync::Arc;

use immutape::Code;
use immutape::capture::{
    Durability, LedgerAccess, RecordingOptions, StreamingTapeReader, StreamingTapeWriter, TapeRecord, recover,
};
use immutape::evidence::Verdict;
use immutape::ledger::{CheckOptions, Ledger};

use crate::support::crash::{Base, Machine as _, NOW_MS, World, copy_rows};
use crate::support::ledgers::ann;
use crate::support::recordings::{frame, kept, number, until};
use crate::support::sim_files::{Effect, Kind, Survive};

async fn machine() -> (World, Ledger) {
    let (world, _) = Base::make(0).await.machine(5);
    let ledger = Ledger::open(world.places(), world.env()).await.unwrap();
    (world, ledger)
}

/// A recording that is written and never synced by its recorder.
async fn unsynced(world: &World, ledger: &Ledger, name: &str, frames: u64) -> StreamingTapeWriter {
    let mut options = RecordingOptions::named(name);
    options.durability = Durability::Os;
    let access = LedgerAccess::open(ledger.clone());
    let writer = StreamingTapeWriter::create(access, ann(), options, world.clock.clone()).await.unwrap();
    let before = writer.metadata().spooled_bytes;
    for n in 0..frames {
        writer.write_frame(frame(n)).await.unwrap();
    }
    assert!(until(|| writer.metadata().spooled_bytes > before).await, "the frames are in the spool");
    assert_eq!(writer.metadata().durable_frames, 0, "and its recorder did not make them durable");
    writer
}

async fn follower(ledger: &Ledger, writer: &StreamingTapeWriter) -> StreamingTapeReader {
    let id = writer.custody().to_hex();
    StreamingTapeReader::open(LedgerAccess::open(ledger.clone()), ann(), &id).await.unwrap()
}

/// Syncs of the one spool that this recording has.
fn syncs(world: &World, writer: &StreamingTapeWriter) -> usize {
    let name = writer.custody().to_hex();
    let of_it = |o: &&crate::support::sim_files::Operation| o.kind == Kind::Sync && o.path.ends_with(&name);
    world.sim.operations().iter().filter(of_it).count()
}

/// The tapes after a power cut that takes whatever it may.
async fn after_power_cut(world: &World) -> std::collections::BTreeMap<String, Vec<crate::support::recordings::Kept>> {
    let rows = copy_rows(&*world.rows);
    let later = World::on(world.sim.crash_image(Survive::Nothing), rows, 9, NOW_MS + 3_600_000);
    let ledger = Ledger::open(later.places(), later.env()).await.unwrap();
    recover(&ledger, &ann()).await.unwrap();
    let tapes = kept(&ledger).await.unwrap();
    let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
    ledger.close().await.unwrap();
    tapes
}

#[tokio::test]
async fn what_a_follower_was_shown_outlives_a_power_cut_that_takes_what_nobody_saw() {
    let (world, ledger) = machine().await;
    let seen = unsynced(&world, &ledger, "seen", 7).await;
    let unseen = unsynced(&world, &ledger, "unseen", 7).await;
    let before = syncs(&world, &seen);
    let mut follower = follower(&ledger, &seen).await;
    let mut shown = Vec::new();
    while shown.len() < 7 {
        match follower.follow().await.unwrap() {
            Some(TapeRecord::Frame(record)) => {
                shown.push(number(&record.frame));
                // At the very moment in which somebody sees it.
                let tapes = after_power_cut(&world).await;
                assert_eq!(tapes["seen"][0].numbers.get(..shown.len()), Some(shown.as_slice()));
                assert_eq!(tapes["unseen"][0].numbers, [0; 0], "this power cut takes what was not synced");
            }
            Some(_) => {}
            None => panic!("the recording ended"),
        }
    }
    assert_eq!(follower.metadata().durable_frames, 7);
    assert_eq!(seen.metadata().durable_frames, 0, "the recorder knows nothing of it, and claims nothing");
    assert!(syncs(&world, &seen) <= before + 2, "what comes together is made durable together");
    follower.close().await.unwrap();
    drop((seen, unseen));
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_follower_whose_sync_fails_shows_nothing_of_it_then_or_later() {
    let (world, ledger) = machine().await;
    let writer = Arc::new(unsynced(&world, &ledger, "it", 3).await);
    let id = writer.custody();
    // Nothing else is written now: the next operation of this machine is the follower's.
    let mut live = ledger.follow_live(&ann(), &id).await.unwrap();
    world.sim.fail_at(world.sim.next_operation(), ErrorKind::Other, Effect::Without);
    for _ in 0..2 {
        let refused = live.next_record().map(|record| record.is_some());
        assert_eq!(refused.map_err(|e| e.code()), Err(Code::Broken));
    }
    assert_eq!(world.sim.faults_made(), 1, "it was not tried again");
    assert_eq!(live.bytes_given(), 0);
    ledger.finish_follow(&ann(), live).await.unwrap();
    // The recorder is not concerned.
    writer.write_frame(frame(3)).await.unwrap();
    writer.flush().await.unwrap();
    assert_eq!(writer.metadata().durable_frames, 4);
    drop(writer);
    ledger.close().await.unwrap();
}

/// Whoever waits for a frame and for something else at once gives up waiting again and again.
#[tokio::test]
async fn a_follower_that_is_not_waited_for_loses_nothing() {
    let (world, ledger) = machine().await;
    let writer = unsynced(&world, &ledger, "it", 3).await;
    let mut follower = follower(&ledger, &writer).await;
    let (mut seen, mut given_up) = (Vec::new(), 0);
    while seen.len() < 40 {
        if let Ok(record) = tokio::time::timeout(std::time::Duration::from_millis(1), follower.follow()).await {
            if let Some(TapeRecord::Frame(record)) = record.unwrap() {
                seen.push(number(&record.frame));
            }
        } else {
            given_up += 1;
            let next = writer.metadata().stats.frames;
            if next < 40 {
                writer.write_frame(frame(next)).await.unwrap();
                writer.flush().await.unwrap();
            }
        }
    }
    assert_eq!(seen, (0..40).collect::<Vec<_>>());
    assert!(given_up >= 37, "nothing was given up: {given_up}");
    follower.close().await.unwrap();
    drop(writer);
    ledger.close().await.unwrap();
}
