use std::sync::atomic::AtomicU64;

use super::super::writer::begin_part;
use super::*;
use crate::keyring::OsRandom;
use crate::ledger::{Environment, Ledger, Places};
use crate::store::files::RealFiles;
use crate::store::memory::MemoryEngine;
use crate::tape::Direction;
use crate::time::{Reading, Timestamp};

/// A clock that stands still until somebody turns it.
#[derive(Default)]
struct Hand(AtomicU64);

impl Hand {
    fn turn(&self, by: Duration) {
        self.0.fetch_add(by.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn read(&self) -> Reading {
        let monotonic_ns = self.0.load(Ordering::Relaxed);
        Reading {
            wall: Timestamp::from_ms(1_700_000_000_000_u64.saturating_add(monotonic_ns.wrapping_div(1_000_000))),
            monotonic_ns,
        }
    }

    fn boot_id(&self) -> [u8; 16] {
        [0; 16]
    }
}

struct World {
    ledger: Ledger,
    clock: Arc<Hand>,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(Hand::default()));
        let env =
            Environment::new(Arc::new(MemoryEngine::new()), Arc::new(RealFiles), clock.clone(), Arc::new(OsRandom));
        let ledger = Ledger::create(Places::beneath(folder.path()), env, "test", true).await.unwrap();
        Self { ledger, clock, _folder: folder }
    }

    async fn live(&self, options: &RecordingOptions) -> LiveTape {
        let ann = Who::os_user("ann");
        self.ledger.open_live(&ann, options.live(), options.header.clone()).await.unwrap()
    }

    /// A recording that no syncer looks after.
    async fn writing(&self, change: impl FnOnce(&mut RecordingOptions)) -> Arc<Writing> {
        let mut options = RecordingOptions::named("t");
        options.durability = Durability::Interval(Duration::from_secs(3_600));
        change(&mut options);
        let (access, live) = (LedgerAccess::open(self.ledger.clone()), self.live(&options).await);
        Arc::new(Writing::new(access, Who::os_user("ann"), options, self.clock.clone(), live))
    }
}

fn frame() -> Frame {
    Frame::message(0, Direction::Unknown, b"x".to_vec())
}

fn refused() -> Result<u64> {
    Err(Error::new(Code::Locked, "another process has it"))
}

#[tokio::test]
async fn a_mark_that_failed_is_tried_again_after_ten_seconds_and_not_before() {
    let world = World::new().await;
    let it = world.writing(|o| o.mark_frames = 1).await;
    it.take(frame()).unwrap();
    it.flush(true).unwrap();
    for _ in 0..3 {
        let (mark, turn) = it.due_mark(false).unwrap().unwrap();
        assert_eq!(mark.frames, 1);
        it.marked(&mark, &refused());
        drop(turn);
        assert!(it.due_mark(false).unwrap().is_none(), "not at once");
        world.clock.turn(AGAIN_AFTER.saturating_sub(Duration::from_nanos(1)));
        assert!(it.due_mark(false).unwrap().is_none(), "nor soon");
        assert!(it.due_mark(true).unwrap().is_some(), "but when somebody asks");
        world.clock.turn(Duration::from_nanos(1));
    }
    let (mark, turn) = it.due_mark(false).unwrap().unwrap();
    it.marked(&mark, &Ok(9));
    drop(turn);
    world.clock.turn(AGAIN_AFTER);
    assert!(it.due_mark(false).unwrap().is_none(), "the log has it");
}

#[tokio::test]
async fn a_mark_that_failed_forgets_none_that_was_made() {
    let world = World::new().await;
    let it = world.writing(|o| o.mark_frames = 3).await;
    let give = |count: u64| {
        for _ in 0..count {
            it.take(frame()).unwrap();
        }
        it.flush(true).unwrap();
    };
    give(1);
    let (mark, turn) = it.due_mark(true).unwrap().unwrap();
    it.marked(&mark, &Ok(9));
    drop(turn);
    give(2);
    let (mark, turn) = it.due_mark(true).unwrap().unwrap();
    it.marked(&mark, &refused());
    drop(turn);
    world.clock.turn(AGAIN_AFTER);
    assert!(it.due_mark(false).unwrap().is_none(), "two more frames since the mark that was made");
    give(1);
    assert_eq!(it.due_mark(false).unwrap().unwrap().0.frames, 4);
}

#[tokio::test]
async fn what_is_durable_already_is_not_synced_again() {
    let world = World::new().await;
    let it = world.writing(|_| {}).await;
    let syncs = || Counters::get(&it.counters.syncs);
    it.flush(true).unwrap();
    assert_eq!(syncs(), 0, "nothing was taken");
    it.take(frame()).unwrap();
    it.flush(false).unwrap();
    assert_eq!((syncs(), it.is_dirty()), (0, true));
    it.flush(true).unwrap();
    it.flush(true).unwrap();
    assert!(it.due_mark(true).unwrap().is_some());
    assert_eq!((syncs(), it.is_dirty()), (1, false));
    it.take(frame()).unwrap();
    assert_eq!(it.due_mark(true).unwrap().unwrap().0.frames, 2);
    assert_eq!(syncs(), 2, "a mark names nothing that is not durable");
}

#[tokio::test]
async fn another_part_begins_with_nothing_durable() {
    let world = World::new().await;
    let it = world.writing(|_| {}).await;
    for _ in 0..5 {
        it.take(frame()).unwrap();
    }
    it.flush(true).unwrap();
    let durable = || Counters::get(&it.counters.durable_frames);
    assert_eq!((durable(), it.look().stats.frames), (5, 5));
    let next = world.live(&it.options).await;
    assert!(it.next_part(next).unwrap().is_some());
    assert_eq!((durable(), it.look().stats.frames), (0, 0));
    it.take(frame()).unwrap();
    it.flush(true).unwrap();
    assert_eq!(durable(), 1);
}

#[tokio::test]
async fn a_change_of_parts_that_never_ran_is_none_that_goes_on() {
    let world = World::new().await;
    let it = world.writing(|o| o.part_bytes = 1).await;
    it.take(frame()).unwrap();
    it.flush(true).unwrap();
    // Nobody drives it: its tasks are dropped with it.
    let idle = tokio::runtime::Builder::new_current_thread().build().unwrap();
    begin_part(&it, idle.handle());
    assert!(it.parting.take().is_none(), "a part was to be begun");
    std::thread::spawn(move || drop(idle)).join().unwrap();
    assert!(it.parting.take().is_some(), "whoever ends the recording would wait for ever");
}

/// What is looked at with "more than" and with "at least" differs at one place: exactly at the limit.
#[tokio::test]
async fn a_part_is_over_with_the_last_byte_that_it_may_have_and_not_one_before() {
    let world = World::new().await;
    let mut it = world.writing(|_| ()).await;
    it.take(frame()).unwrap();
    it.flush(true).unwrap();
    let stored = it.look().spooled_bytes;
    assert!(stored > 1);
    for (limit, is_over) in [(stored.saturating_add(1), false), (stored, true), (stored.saturating_sub(1), true)] {
        Arc::get_mut(&mut it).unwrap().options.part_bytes = limit;
        assert_eq!(it.is_part_over(), is_over, "{stored} of {limit} bytes");
    }
    drop(it);
    world.ledger.close().await.unwrap();
}

#[tokio::test]
async fn frames_wait_up_to_the_last_byte_that_may_and_go_to_the_spool_with_one_more() {
    let world = World::new().await;
    let it = world.writing(|_| ()).await;
    it.take(Frame::message(0, Direction::Unknown, Vec::new())).unwrap();
    let record = it.waiting_bytes();
    it.flush(false).unwrap();
    assert_eq!(it.waiting_bytes(), 0);
    let fits = WAITING_BYTES_MAX.saturating_sub(record);
    for (more, waits) in [(0, WAITING_BYTES_MAX), (1, 0)] {
        it.take(Frame::message(0, Direction::Unknown, vec![b'x'; fits.saturating_add(more)])).unwrap();
        assert_eq!(it.waiting_bytes(), waits, "{more} more");
        it.flush(false).unwrap();
    }
    drop(it);
    world.ledger.close().await.unwrap();
}
