//! What a recording does when its storage fails or its clock jumps: it ends with an error, or goes on and says how much is
//! missing and where.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use immutape::Code;
use immutape::capture::{
    Durability, LedgerAccess, OnStorageFailure, RecordingOptions, StreamingTapeReader, StreamingTapeWriter, TapeStatus,
    recover,
};
use immutape::evidence::Verdict;
use immutape::ledger::{CheckOptions, Ledger};
use immutape::log::EntryKind;
use immutape::store::conformance::objects::noise;
use immutape::tape::{Direction, EndState, Frame, GapReason};
use immutape::time::{Clock, Reading, Timestamp};

use crate::support::crash::{Base, Machine as _, World, copy_rows};
use crate::support::ledgers::ann;
use crate::support::recordings::{Answers, Recording, judge, kept, until};
use crate::support::sim_files::{Effect, Kind, Survive};

const HOUR: Duration = Duration::from_secs(3_600);
/// Longer than any of these tests: what is flushed is flushed by somebody.
const NEVER: Duration = Duration::from_secs(30);

async fn machine() -> (World, Ledger) {
    let (world, _) = Base::make(0).await.machine(5);
    let ledger = Ledger::open(world.places(), world.env()).await.unwrap();
    (world, ledger)
}

async fn begin<'a>(
    world: &World,
    ledger: &Ledger,
    answers: &'a Answers,
    change: impl FnOnce(&mut RecordingOptions),
) -> Recording<'a> {
    Recording::begin(LedgerAccess::open(ledger.clone()), answers, "it", world.clock.clone(), change).await.unwrap()
}

fn continued(options: &mut RecordingOptions) {
    options.on_storage_failure = OnStorageFailure::ContinueWithGap;
}

/// Fails the n-th operation from now on.
fn fail(world: &World, nth: u64, kind: ErrorKind) {
    world.sim.fail_at(world.sim.next_operation() + nth, kind, Effect::Without);
}

/// The ledger is intact and holds what was promised; the gaps of the parts of the one recording.
async fn checked(ledger: Ledger, answers: &Answers) -> Vec<Vec<(u64, GapReason, u64)>> {
    let tapes = kept(&ledger).await.unwrap();
    judge(&tapes, answers, "it");
    let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
    ledger.close().await.unwrap();
    let gaps = |t: &crate::support::recordings::Kept| {
        t.header.gaps.iter().map(|g| (g.before_seq, g.reason, g.count)).collect()
    };
    tapes["it"].iter().map(gaps).collect()
}

#[tokio::test]
async fn stop_ends_the_recording_and_what_was_durable_is_sealed() {
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        let (world, ledger) = machine().await;
        let answers = Answers::default();
        let it = begin(&world, &ledger, &answers, |_| {}).await;
        it.write().await.unwrap();
        it.write().await.unwrap();
        fail(&world, 0, kind);
        let expected = if kind == ErrorKind::StorageFull { Code::StoreFull } else { Code::Broken };
        assert_eq!(it.write().await.unwrap_err().code(), expected);
        assert_eq!(world.sim.faults_made(), 1);
        assert_eq!(it.write().await.unwrap_err().code(), expected, "for good");
        assert!(matches!(it.writer.status(), TapeStatus::Error(_)));
        // A handle that was poisoned can still be read, and what it had is sealed.
        let end = EndState::Error(b"E".to_vec());
        let finished = it.writer.finalize(end.clone()).await.unwrap();
        assert_eq!((finished.header.end_state, finished.receipt.frames >= 2), (end, true));
        // One was refused for good; the one before it found room in the end, or never did.
        let gap =
            if kind == ErrorKind::Other { (2, GapReason::StorageFailed, 2) } else { (3, GapReason::StorageFailed, 1) };
        assert_eq!(finished.header.gaps.iter().map(|g| (g.before_seq, g.reason, g.count)).collect::<Vec<_>>(), [gap]);
        ledger.close().await.unwrap();
        let ledger = Ledger::open(world.places(), world.env()).await.unwrap();
        assert!(recover(&ledger, &ann()).await.unwrap().is_empty());
        checked(ledger, &answers).await;
    }
}

#[tokio::test]
async fn frames_that_find_no_room_are_counted_where_they_would_have_been() {
    let (world, ledger) = machine().await;
    let big = |n: u64| {
        let frame = Frame::message(0, Direction::ServerToClient, noise(n, 90_000));
        let with = |frame: Frame| Frame { media_type: Some(n.to_string().into_bytes()), ..frame };
        with(frame)
    };
    let mut options = RecordingOptions::named("base: not by number");
    continued(&mut options);
    options.durability = Durability::Interval(NEVER);
    let access = LedgerAccess::open(ledger.clone());
    let writer = StreamingTapeWriter::create(access, ann(), options, world.clock.clone()).await.unwrap();
    let (mut given, mut lost) = (0u64, Vec::new());
    let mut give = async |count: u64| {
        for n in given..given + count {
            if writer.write_frame(big(n)).await.unwrap().is_none() {
                lost.push(n);
            }
        }
        given += count;
    };
    for _ in 0..2 {
        give(3).await;
        writer.flush().await.unwrap();
        world.sim.set_room(Some(world.sim.used_bytes() + 2_000));
        assert_eq!(writer.flush().await.map_err(|e| e.code()), Ok(()), "nothing waits");
        give(30).await;
        assert!(world.sim.faults_made() > 0);
        world.sim.set_room(None);
        // Whoever comes first behind the loss stands behind the gap.
        assert_eq!(writer.flush().await.map_err(|e| e.code()), Ok(()), "there is room again");
        give(2).await;
    }
    assert!(!lost.is_empty() && writer.metadata().lost_frames == lost.len() as u64, "{lost:?}");
    let finished = writer.finalize(EndState::Clean).await.unwrap();
    let reader = ledger.open_tape(&ann(), &finished.receipt.tape.to_text(), None).await.unwrap();
    let frames = reader.collect(immutape::ledger::FrameSelection::All).unwrap();
    reader.finish().await.unwrap();
    let number = |f: &Frame| String::from_utf8(f.media_type.clone().unwrap()).unwrap().parse::<u64>().unwrap();
    assert_eq!(frames.len() + lost.len(), given as usize);
    let mut found = Vec::new();
    for gap in &finished.header.gaps {
        assert_eq!(gap.reason, GapReason::StorageFailed);
        let before = number(&frames[usize::try_from(gap.before_seq).unwrap()]);
        found.extend(before - gap.count..before);
    }
    assert_eq!(found, lost, "the gaps stand where the frames were lost");
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn a_handle_that_failed_loses_what_comes_and_the_tape_says_how_much() {
    let (world, ledger) = machine().await;
    let answers = Answers::default();
    let it = begin(&world, &ledger, &answers, continued).await;
    it.write().await.unwrap();
    // The write passes, its sync does not.
    fail(&world, 1, ErrorKind::Other);
    assert_eq!(it.write().await.unwrap(), None, "not said to be durable");
    assert_eq!(world.sim.faults_made(), 1);
    for _ in 0..5 {
        assert_eq!(it.write().await.unwrap(), None);
    }
    it.writer.pause().unwrap();
    assert_eq!(it.write().await.unwrap(), None);
    it.writer.resume().unwrap();
    assert!(matches!(it.writer.status(), TapeStatus::Error(_)));
    let finished = it.finish(EndState::ChildExit(3)).await.unwrap();
    assert_eq!(finished.header.end_state, EndState::ChildExit(3), "the session ended in order");
    let ledger_gaps = checked(ledger, &answers).await;
    assert_eq!(ledger_gaps, [[(2, GapReason::Paused, 1), (2, GapReason::StorageFailed, 5)]]);
}

#[tokio::test]
async fn a_recorder_that_visits_goes_on_in_another_part_when_its_handle_failed() {
    let (world, ledger) = machine().await;
    ledger.close().await.unwrap();
    let answers = Answers::default();
    let access = LedgerAccess::visits(world.places(), world.env());
    let it = Recording::begin(access, &answers, "it", world.clock.clone(), continued).await.unwrap();
    it.write().await.unwrap();
    fail(&world, 1, ErrorKind::Other);
    assert_eq!(it.write().await.unwrap(), None);
    assert_eq!(world.sim.faults_made(), 1);
    it.write().await.unwrap();
    assert!(until(|| it.writer.status() == TapeStatus::Recording).await, "another part was to be begun");
    assert_eq!(it.write().await.unwrap(), Some(0), "durable again, in a part of its own");
    let finished = it.finish(EndState::Clean).await.unwrap();
    assert_eq!(finished.parts.len(), 1);
    assert_eq!(finished.header.continues, Some(finished.parts[0].tape));
    let ledger = Ledger::open(world.places(), world.env()).await.unwrap();
    let gaps = checked(ledger, &answers).await;
    assert_eq!(gaps, [vec![(2, GapReason::StorageFailed, 1)], vec![]]);
}

#[tokio::test]
async fn an_end_that_finds_no_room_is_not_taken_for_a_whole_session() {
    for waiting in [0u64, 2] {
        let (world, ledger) = machine().await;
        let answers = Answers::default();
        let it = begin(&world, &ledger, &answers, |o| o.durability = Durability::Interval(NEVER)).await;
        for _ in 0..3 {
            it.write().await.unwrap();
        }
        it.flush().await.unwrap();
        for _ in 0..waiting {
            it.write().await.unwrap();
        }
        fail(&world, 0, ErrorKind::StorageFull);
        let finished = it.finish(EndState::Clean).await.unwrap();
        let failed: Vec<_> = world.sim.operations().into_iter().filter(|o| o.path.starts_with("l/spool")).collect();
        assert!(world.sim.faults_made() == 1 && failed.iter().any(|o| o.kind == Kind::Write));
        assert_eq!((finished.receipt.frames, &finished.header.end_state), (3, &EndState::Clean));
        let expected = if waiting == 0 { vec![] } else { vec![(3, GapReason::StorageFailed, waiting)] };
        assert_eq!(checked(ledger, &answers).await, [expected]);
    }
}

#[tokio::test]
async fn a_spool_that_cannot_be_removed_is_no_failure_of_the_tape() {
    let (world, ledger) = machine().await;
    let answers = Answers::default();
    // Where the removal stands is known from a life without a fault.
    let removal = {
        let (world, ledger) = machine().await;
        let (answers, begun) = (Answers::default(), world.sim.next_operation());
        begin(&world, &ledger, &answers, |_| {}).await.finish(EndState::Clean).await.unwrap();
        let removed =
            world.sim.operations().into_iter().find(|o| o.kind == Kind::Remove && o.path.starts_with("l/spool"));
        removed.unwrap().number - begun
    };
    fail(&world, removal, ErrorKind::Other);
    let it = begin(&world, &ledger, &answers, |_| {}).await;
    it.finish(EndState::Clean).await.unwrap();
    assert_eq!(world.sim.faults_made(), 1);
    assert_eq!(ledger.spooled().unwrap().len(), 1, "it is still there");
    assert!(recover(&ledger, &ann()).await.unwrap().is_empty(), "and is nothing to be sealed again");
    assert_eq!(ledger.spooled().unwrap(), []);
    assert_eq!(checked(ledger, &answers).await, [[]]);
}

/// A clock that goes back and forth, walls and all.
struct Jumping(AtomicU64);

impl Clock for Jumping {
    fn read(&self) -> Reading {
        let n = self.0.fetch_add(1, Ordering::Relaxed);
        let jump = [0, 9_000_000_000, 10, 50_000_000_000, 0, 1][usize::try_from(n % 6).unwrap()];
        Reading { wall: Timestamp::from_ms(1_794_000_000_000 + jump / 1_000), monotonic_ns: 1_000_000_000 + n + jump }
    }

    fn boot_id(&self) -> [u8; 16] {
        [9; 16]
    }
}

#[tokio::test]
async fn a_clock_that_jumps_makes_no_frame_older_than_the_one_before() {
    let (world, ledger) = machine().await;
    let answers = Answers::default();
    let access = LedgerAccess::open(ledger.clone());
    let clock = Arc::new(Jumping(AtomicU64::new(0)));
    let it = Recording::begin(access, &answers, "it", clock.clone(), |_| {}).await.unwrap();
    let before: Vec<u64> = (0..6).map(|_| clock.read().monotonic_ns).collect();
    assert!(!before.is_sorted(), "the clock was to jump");
    for n in 0..24 {
        it.write().await.unwrap();
        if n % 9 == 0 {
            it.checkpoint().await.unwrap();
        }
    }
    it.finish(EndState::Clean).await.unwrap();
    let tapes = kept(&ledger).await.unwrap();
    let times: Vec<_> = tapes["it"].iter().flat_map(|t| t.times.clone()).collect();
    assert!(times.len() == 24 && times.iter().all(Option::is_some) && times.is_sorted(), "{times:?}");
    drop(world);
    assert_eq!(checked(ledger, &answers).await, [[]]);
}

/// More than may wait is appended at once; it must be synced all the same, though nothing waits any more.
#[tokio::test]
async fn a_burst_is_durable_within_the_interval_and_without_another_frame() {
    let (world, ledger) = machine().await;
    let mut options = RecordingOptions::named("base: burst");
    options.durability = Durability::Interval(Duration::from_millis(5));
    let access = LedgerAccess::open(ledger.clone());
    let writer = StreamingTapeWriter::create(access, ann(), options, world.clock.clone()).await.unwrap();
    let frame = Frame::message(0, Direction::ServerToClient, noise(1, 2 << 20));
    writer.write_frame(frame).await.unwrap();
    assert!(until(|| writer.metadata().durable_frames == 1).await, "it was never synced");
    let later = World::on(world.sim.crash_image(Survive::Nothing), copy_rows(&*world.rows), 8, 1_795_000_000_000);
    drop(writer);
    ledger.close().await.unwrap();
    let ledger = Ledger::open(later.places(), later.env()).await.unwrap();
    let found = recover(&ledger, &ann()).await.unwrap();
    assert!(format!("{found:?}").contains("frames: 1"), "{found:?}");
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn hours_of_silence_leave_no_marks_and_end_no_part_early() {
    let (world, ledger) = machine().await;
    let answers = Answers::default();
    let it = begin(&world, &ledger, &answers, |_| {}).await;
    it.write().await.unwrap();
    it.checkpoint().await.unwrap().unwrap();
    for _ in 0..12 {
        world.clock.advance(u64::try_from(HOUR.as_millis()).unwrap());
        assert_eq!(it.checkpoint().await.unwrap(), None, "nothing came, nothing is marked");
    }
    it.write().await.unwrap();
    assert!(until(|| it.writer.metadata().checkpoints == 2).await, "the next frame is marked soon");
    // A day after its beginning a part is over.
    world.clock.advance(13 * 3_600_000);
    assert!(until(|| it.writer.metadata().stats.frames == 0).await, "another part was to be begun");
    it.write().await.unwrap();
    let finished = it.finish(EndState::Clean).await.unwrap();
    assert_eq!((finished.parts.len(), finished.marks), (1, 2));
    let (log, _) = ledger.log(&ann(), 0..u64::MAX).await.unwrap();
    let count = |kind| log.iter().filter(|line| line.kind == kind).count();
    assert_eq!((count(EntryKind::RECORDING_MARK), count(EntryKind::TAPE_OPENED)), (2, 2));
    assert_eq!(checked(ledger, &answers).await, [[], []]);
}

#[tokio::test]
async fn a_slow_follower_sees_all_of_it_also_of_a_writer_that_died() {
    let (world, ledger) = machine().await;
    let answers = Answers::default();
    let it = begin(&world, &ledger, &answers, |_| {}).await;
    it.write().await.unwrap();
    let access = LedgerAccess::open(ledger.clone());
    let mut reader = StreamingTapeReader::open(access, ann(), &it.writer.custody().to_hex()).await.unwrap();
    for _ in 0..300 {
        it.write().await.unwrap();
    }
    drop(it);
    // The writer is gone, and its spool is not sealed: what there is can be read, and more may come of it.
    for n in 0..150 {
        assert_eq!(crate::support::recordings::number(&reader.next_frame().await.unwrap().unwrap()), n);
    }
    assert!(reader.is_live());
    assert_eq!(recover(&ledger, &ann()).await.unwrap().len(), 1);
    let mut next = 150;
    while let Some(record) = reader.follow().await.unwrap() {
        if let immutape::capture::TapeRecord::Frame(record) = record {
            assert_eq!(crate::support::recordings::number(&record.frame), next);
            next += 1;
        }
    }
    assert_eq!((next, reader.is_live()), (301, false));
    reader.close().await.unwrap();
    drop(world);
    checked(ledger, &answers).await;
}
