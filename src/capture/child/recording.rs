//! The thread that makes frames of what was heard.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::handover::{Handover, Next, Way};
use super::run::spawn;
use super::signals::Running;
use super::ways::{Taker, Ways};
use crate::capture::StreamingTapeWriter;
use crate::error::{Code, Error, Result};
use crate::tape::Frame;
use crate::time::{Clock, Reading};

/// From the request to end, when nothing can be recorded any more, to the end by force.
const BEFORE_FORCE: Duration = Duration::from_secs(2);
/// What waits for the end of a long message through another pipe waits so long, counted from the first of it. Past that it is
/// taken where it came: nothing waits for a side that goes on for ever.
const APART: Duration = Duration::from_secs(1);

/// Raised when nothing can be recorded any more, whoever finds out: what cannot be recorded may not happen.
#[derive(Clone)]
pub(super) struct Alarm {
    pub handover: Arc<Handover>,
    pub running: Running,
}

impl Alarm {
    /// From here on nothing passes. The program is asked to end, and then made to.
    pub(super) fn raise(&self, why: Error) {
        if !self.handover.fail(why) {
            return;
        }
        self.running.send(Signal::TERM);
        let running = self.running.clone();
        let by_force = move || {
            std::thread::sleep(BEFORE_FORCE);
            running.send(Signal::KILL);
        };
        if spawn("immutape-end", by_force).is_err() {
            self.running.send(Signal::KILL);
        }
    }
}

/// The recorder of a session. Dropped before its end, it takes what came so far.
pub(super) struct Recorder {
    handover: Arc<Handover>,
    clock: Arc<dyn Clock>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    pub(super) fn begin(writer: Arc<StreamingTapeWriter>, alarm: Alarm, clock: Arc<dyn Clock>) -> Result<Self> {
        let handover = alarm.handover.clone();
        let thread = spawn("immutape-recorder", move || Recording::new(writer, alarm).run())?;
        Ok(Self { handover, clock, thread: Some(thread) })
    }

    /// Waits until everything that was heard is recorded.
    pub(super) fn finish(mut self, words: String) {
        self.handover.finish(words, self.clock.read());
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            let _told_by_the_alarm = thread.join();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.handover.abandon(self.clock.read());
        self.join();
    }
}

struct Recording {
    writer: Arc<StreamingTapeWriter>,
    alarm: Alarm,
    /// A frame was taken that is to be durable and is not yet.
    is_unsettled: bool,
    /// Pipes whose piece has no answer yet.
    unanswered: Vec<Way>,
}

impl Recording {
    const fn new(writer: Arc<StreamingTapeWriter>, alarm: Alarm) -> Self {
        Self { writer, alarm, is_unsettled: false, unanswered: Vec::new() }
    }

    fn run(mut self) {
        let handover = self.alarm.handover.clone();
        let mut ways = Ways::new(!handover.is_each());
        let mut since: Option<Instant> = None;
        loop {
            let until = since.and_then(|since| since.checked_add(APART));
            match handover.next(until) {
                Next::Hear(heard) => ways.hear(heard, &mut self),
                Next::Late => {}
                Next::Over => break,
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                ways.give_up(&mut self);
            }
            self.settle();
            since = if ways.waits() { since.or_else(|| Some(Instant::now())) } else { None };
        }
        ways.give_up(&mut self);
        self.settle();
    }

    /// Answers what was heard; where frames are durable one by one, when all that ended in it are, with one sync for a piece.
    fn settle(&mut self) {
        let is_unsettled = std::mem::take(&mut self.is_unsettled) && self.alarm.handover.is_each();
        if is_unsettled && let Err(e) = self.writer.settle_heard() {
            self.alarm.raise(e);
        }
        self.unanswered.drain(..).for_each(|way| self.alarm.handover.answer(way));
    }
}

impl Taker for Recording {
    /// Also after a failure: what is refused then is counted, for it may have passed before anybody knew.
    fn frame(&mut self, frame: Frame, at: Reading) {
        self.is_unsettled = true;
        if let Err(e) = self.writer.write_frame_heard(frame, at) {
            self.alarm.raise(e);
        }
    }

    fn heard(&mut self, way: Way) {
        self.unanswered.push(way);
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        // A thread that dies of a fault of ours hears nothing any more: nothing may pass, and nobody may wait for it.
        if std::thread::panicking() {
            self.alarm.raise(Error::new(Code::Internal, "the thread of the recorder died"));
            self.alarm.handover.close();
        }
    }
}
