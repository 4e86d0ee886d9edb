//! Calls that may panic or never come back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crate::codec::escape::visible;

/// Why a guarded call gave no result.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// It panicked, with these words.
    Panicked(String),
    /// It did not come back within its time; it may still be running.
    Stuck,
    /// There is no thread to run it on.
    NoThread,
}

/// Runs `job` and turns a panic into words. What `job` touched must not be used afterwards.
pub(super) fn guarded<T>(job: impl FnOnce() -> T) -> Result<T, Lost> {
    catch_unwind(AssertUnwindSafe(job)).map_err(|payload| {
        let words = payload.downcast_ref::<&str>().copied().map(str::to_owned);
        let words = words.or_else(|| payload.downcast_ref::<String>().cloned());
        Lost::Panicked(visible(words.unwrap_or_else(|| "no words".to_owned()).as_bytes()))
    })
}

type Job = Box<dyn FnOnce() + Send>;

/// A thread of its own for calls that may hang. A hung one is left behind with all it holds: no
/// thread can be stopped from outside.
#[derive(Debug)]
pub(super) struct Worker {
    jobs: Sender<Job>,
    thread: JoinHandle<()>,
}

impl Worker {
    pub(super) fn start() -> Result<Self, Lost> {
        let (jobs, queue): (Sender<Job>, Receiver<Job>) = channel();
        let serve = move || queue.into_iter().for_each(|job| job());
        let thread = Builder::new().name("rows".to_owned()).spawn(serve).map_err(|_| Lost::NoThread)?;
        Ok(Self { jobs, thread })
    }

    /// Runs `job` there and waits for it at most `limit`.
    pub(super) fn run<T: Send + 'static>(
        &self,
        limit: Duration,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Lost> {
        let (reply, answer) = channel();
        let guarded_job = move || {
            if let Err(late) = reply.send(guarded(job)) {
                // Nobody waits any more, and dropping what came may panic as well.
                let _dropped = guarded(|| drop(late));
            }
        };
        self.jobs.send(Box::new(guarded_job)).map_err(|_| Lost::NoThread)?;
        match answer.recv_timeout(limit) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Timeout) => Err(Lost::Stuck),
            Err(RecvTimeoutError::Disconnected) => Err(Lost::NoThread),
        }
    }

    /// Takes no more jobs; the handle says when the last one has ended.
    pub(super) fn finish(self) -> JoinHandle<()> {
        self.thread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_panic_becomes_words_and_the_thread_goes_on() {
        let worker = Worker::start().unwrap();
        let lost = worker.run(LONG, || -> u8 { panic!("sled \x1b said {}", 7) });
        assert_eq!(lost, Err(Lost::Panicked("sled \\x1b said 7".to_owned())));
        assert_eq!(worker.run(LONG, || 5), Ok(5));
    }

    #[test]
    fn a_call_that_hangs_is_left_behind() {
        let worker = Worker::start().unwrap();
        let (release, held) = channel::<()>();
        let lost = worker.run(Duration::from_millis(10), move || held.recv());
        assert!(matches!(lost, Err(Lost::Stuck)));
        let thread = worker.finish();
        assert!(!thread.is_finished());
        drop(release);
        thread.join().unwrap();
    }
}
