//! The thread that makes frames durable in time, for any number of recordings.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::options::Durability;
use super::writer::{begin_mark, begin_part};
use super::writing::Writing;
use crate::error::{Code, Error, Result};

/// How often a recording without new frames is looked at, for its marks and its age.
const IDLE_LOOK: Duration = Duration::from_millis(500);
/// Syncs at once. File systems make many of them durable together when they come together, and one after another each
/// waits for its own turn of the disk: of 200 files a tenth of the time or less.
pub(super) const SYNCS_ABREAST: usize = 8;

/// Shared by every recording of a manager.
#[derive(Clone)]
pub(super) struct Syncer(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    woken: Condvar,
    idle_look: Duration,
    runtime: tokio::runtime::Handle,
    /// Of who waits for the disk himself: each of them takes a thread of the runtime, and a thread takes memory.
    turns: Semaphore,
    spawn: Spawn,
}

/// Starts the thread.
type Spawn = fn(Box<dyn FnOnce() + Send>) -> std::io::Result<()>;

fn thread(work: Box<dyn FnOnce() + Send>) -> std::io::Result<()> {
    std::thread::Builder::new().name("immutape-syncer".into()).spawn(work).map(drop)
}

#[derive(Default)]
struct State {
    recordings: Vec<Weak<Writing>>,
    /// Recordings that are being opened.
    places: usize,
    is_dirty: bool,
    is_urgent: bool,
    is_running: bool,
    every: Option<Duration>,
}

impl Syncer {
    pub(super) fn new(runtime: tokio::runtime::Handle) -> Self {
        Self::with((IDLE_LOOK, thread), runtime)
    }

    pub(super) fn with((idle_look, spawn): (Duration, Spawn), runtime: tokio::runtime::Handle) -> Self {
        let turns = Semaphore::new(SYNCS_ABREAST);
        Self(Arc::new(Inner { state: Mutex::default(), woken: Condvar::new(), idle_look, runtime, turns, spawn }))
    }

    /// Waits for the turn of somebody who makes frames durable himself. `None` never comes: nobody closes this.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.0.turns.acquire().await.ok()
    }

    /// A place for a recording that is to be opened. The thread runs then: a recording that nobody makes durable, marks or parts
    /// is not begun.
    ///
    /// # Errors
    /// `E_IO` when the system gives no thread.
    pub(super) fn place(&self) -> Result<SyncerPlace> {
        let mut state = self.0.state();
        if !state.is_running {
            let inner = self.0.clone();
            (self.0.spawn)(Box::new(move || inner.run())).map_err(|e| {
                Error::new(Code::Io, "no thread can be started that makes frames durable, so nothing is recorded")
                    .with_hint("look at the limits on threads and memory")
                    .with_source(e)
            })?;
            state.is_running = true;
        }
        state.places = state.places.saturating_add(1);
        drop(state);
        Ok(SyncerPlace(self.clone()))
    }

    /// Something was taken.
    pub(super) fn wake(&self, is_urgent: bool) {
        let mut state = self.0.state();
        state.is_urgent |= is_urgent;
        if !std::mem::replace(&mut state.is_dirty, true) || is_urgent {
            self.0.woken.notify_one();
        }
    }
}

/// Keeps the thread running until a recording is opened, or was not.
pub(super) struct SyncerPlace(Syncer);

impl SyncerPlace {
    /// Looks after a recording until it is dropped. The thread ends with the last of them.
    pub(super) fn look_after(self, writing: &Arc<Writing>) -> Syncer {
        let mut state = self.0.0.state();
        state.recordings.push(Arc::downgrade(writing));
        if let Durability::Interval(every) = writing.options.durability {
            state.every = Some(state.every.map_or(every, |least| least.min(every)));
        }
        drop(state);
        self.0.clone()
    }
}

impl Drop for SyncerPlace {
    fn drop(&mut self) {
        let mut state = self.0.0.state();
        state.places = state.places.saturating_sub(1);
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(self: Arc<Self>) {
        loop {
            let Some(recordings) = self.wait() else { return };
            // First everything that is to be durable in time, then marks: each of them may wait for a disk too, and those of many
            // recordings that began together fall due together.
            let waiting: Vec<_> = recordings.iter().filter(|w| w.is_dirty()).collect();
            for_all(&waiting, |writing| {
                // Told by the status, and to who gives the next frame.
                let _noted = writing.flush(writing.options.durability != Durability::Os);
            });
            for_all(&recordings, |writing| begin_mark(writing, &self.runtime));
            for writing in &recordings {
                begin_part(writing, &self.runtime);
            }
        }
    }

    /// Waits until it is time; the recordings there are. `None` when there are none left.
    fn wait(&self) -> Option<Vec<Arc<Writing>>> {
        let lock = |e: PoisonError<_>| e.into_inner();
        let state = self.state();
        let (state, _) = self.woken.wait_timeout_while(state, self.idle_look, |s| !s.is_dirty).unwrap_or_else(lock);
        let every = state.every.unwrap_or(self.idle_look);
        let (mut state, _) = self.woken.wait_timeout_while(state, every, |s| !s.is_urgent).unwrap_or_else(lock);
        (state.is_dirty, state.is_urgent) = (false, false);
        state.recordings.retain(|r| r.strong_count() > 0);
        if state.recordings.is_empty() && state.places == 0 {
            (state.is_running, state.every) = (false, None);
            return None;
        }
        Some(state.recordings.iter().filter_map(Weak::upgrade).collect())
    }
}

/// Does this with all of them, several at a time where there are many.
fn for_all<T: Sync>(recordings: &[T], act: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(writing) = recordings.get(next.fetch_add(1, Ordering::Relaxed)) {
            act(writing);
        }
    };
    let threads = recordings.len().div_ceil(SYNCS_ABREAST).min(SYNCS_ABREAST);
    std::thread::scope(|scope| {
        for _ in 1..threads {
            let thread = std::thread::Builder::new().name("immutape-syncs".into());
            // Without more threads it takes longer, and is done all the same.
            let _may_be_missing = thread.spawn_scoped(scope, work);
        }
        work();
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing::Stage;
    use crate::capture::{RecordingOptions, StreamingTapeWriter};
    use crate::tape::{Direction, Frame};

    #[test]
    fn many_are_done_several_at_a_time_and_each_of_them_once() {
        let all: Vec<AtomicUsize> =
            (0..SYNCS_ABREAST.saturating_mul(SYNCS_ABREAST)).map(|_| AtomicUsize::new(0)).collect();
        let (here, came) = (Mutex::new((0usize, false)), Condvar::new());
        for_all(&all, |one| {
            one.fetch_add(1, Ordering::Relaxed);
            // Each waits until all that may be here are; who waits in vain says so, and the others do not wait again.
            let mut now = here.lock().unwrap();
            now.0 = now.0.saturating_add(1);
            came.notify_all();
            let is_missed = |now: &mut (usize, bool)| now.0 < SYNCS_ABREAST && !now.1;
            let (mut now, waited) = came.wait_timeout_while(now, Duration::from_secs(20), is_missed).unwrap();
            now.1 |= waited.timed_out();
        });
        assert!(!here.lock().unwrap().1, "one after another");
        assert!(all.iter().all(|one| one.load(Ordering::Relaxed) == 1));
    }

    /// Waits until something is so; gives up after half a minute.
    async fn until(is_so: impl Fn() -> bool) -> bool {
        for _ in 0..30_000 {
            if is_so() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        false
    }

    /// Nobody looks by itself within this test: what becomes durable does so because a frame came.
    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_frame_wakes_who_makes_it_durable_also_when_more_than_may_wait_came_at_once() {
        let stage = Stage::new().await;
        let syncer = Syncer::with((Duration::from_secs(3_600), thread), tokio::runtime::Handle::current());
        let waker = syncer.clone();
        let mut options = RecordingOptions::named("woken");
        options.durability = Durability::Interval(Duration::from_millis(5));
        let (access, who, clock) = (stage.access(), stage.who(), stage.clock());
        let writer = StreamingTapeWriter::create_with(access, who, options, clock, syncer).await.unwrap();
        // The second is appended by who gives it, and has yet to be synced.
        for (frames, bytes) in [(1, 10), (2, 2 << 20)] {
            let frame = Frame::message(0, Direction::ServerToClient, vec![b'x'; bytes]);
            writer.write_frame_blocking(frame).unwrap();
            assert!(until(|| writer.metadata().durable_frames == frames).await, "{bytes} bytes were never synced");
        }
        drop(writer);
        // So that its thread sees that nobody is left.
        waker.wake(true);
        stage.close().await;
    }
}
