//! The thread that makes frames durable in time, for any number of recordings.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::options::Durability;
use super::writer::{begin_mark, begin_part};
use super::writing::Writing;

/// How often a recording without new frames is looked at, for its marks and its age.
const IDLE_LOOK: Duration = Duration::from_millis(500);
/// Syncs at once. File systems make many of them durable together when they come together, and one after another each
/// waits for its own turn of the disk: of 200 files a tenth of the time or less.
const SYNCS_ABREAST: usize = 8;

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
}

#[derive(Default)]
struct State {
    recordings: Vec<Weak<Writing>>,
    is_dirty: bool,
    is_urgent: bool,
    is_running: bool,
    every: Option<Duration>,
}

impl Syncer {
    pub(super) fn new(runtime: tokio::runtime::Handle) -> Self {
        Self::looking_every(IDLE_LOOK, runtime)
    }

    fn looking_every(idle_look: Duration, runtime: tokio::runtime::Handle) -> Self {
        let turns = Semaphore::new(SYNCS_ABREAST);
        Self(Arc::new(Inner { state: Mutex::default(), woken: Condvar::new(), idle_look, runtime, turns }))
    }

    /// Waits for the turn of somebody who makes frames durable himself. `None` never comes: nobody closes this.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        self.0.turns.acquire().await.ok()
    }

    /// Looks after a recording until it is dropped. The thread ends with the last of them.
    pub(super) fn look_after(&self, writing: &Arc<Writing>) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.recordings.push(Arc::downgrade(writing));
        if let Durability::Interval(every) = writing.options.durability {
            state.every = Some(state.every.map_or(every, |least| least.min(every)));
        }
        if !std::mem::replace(&mut state.is_running, true) {
            let inner = self.0.clone();
            let thread = std::thread::Builder::new().name("immutape-syncer".into());
            // Without a thread nothing would be durable before the end: who records then does it himself, frame by frame.
            state.is_running = thread.spawn(move || inner.run()).is_ok();
        }
    }

    /// Something was taken.
    pub(super) fn wake(&self, is_urgent: bool) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_urgent |= is_urgent;
        if !std::mem::replace(&mut state.is_dirty, true) || is_urgent {
            self.0.woken.notify_one();
        }
    }
}

impl Inner {
    fn run(self: Arc<Self>) {
        loop {
            let Some(recordings) = self.wait() else { return };
            let waiting: Vec<_> = recordings.iter().filter(|w| w.is_dirty()).collect();
            flush_all(&waiting);
            for writing in &recordings {
                begin_mark(writing, &self.runtime);
                begin_part(writing, &self.runtime);
            }
        }
    }

    /// Waits until it is time; the recordings there are. `None` when there are none left.
    fn wait(&self) -> Option<Vec<Arc<Writing>>> {
        let lock = |e: PoisonError<_>| e.into_inner();
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, _) = self.woken.wait_timeout_while(state, self.idle_look, |s| !s.is_dirty).unwrap_or_else(lock);
        let every = state.every.unwrap_or(self.idle_look);
        let (mut state, _) = self.woken.wait_timeout_while(state, every, |s| !s.is_urgent).unwrap_or_else(lock);
        (state.is_dirty, state.is_urgent) = (false, false);
        state.recordings.retain(|r| r.strong_count() > 0);
        if state.recordings.is_empty() {
            (state.is_running, state.every) = (false, None);
            return None;
        }
        Some(state.recordings.iter().filter_map(Weak::upgrade).collect())
    }
}

/// Flushes all of these, several at a time where there are many.
fn flush_all(waiting: &[&Arc<Writing>]) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(writing) = waiting.get(next.fetch_add(1, Ordering::Relaxed)) {
            // Told by the status, and to who gives the next frame.
            let _noted = writing.flush(writing.options.durability != Durability::Os);
        }
    };
    let threads = waiting.len().div_ceil(SYNCS_ABREAST).min(SYNCS_ABREAST);
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
        let syncer = Syncer::looking_every(Duration::from_secs(3_600), tokio::runtime::Handle::current());
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
