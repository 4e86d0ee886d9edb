//! The thread that makes frames of what was heard.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use super::lines::Lines;
use super::pump::{Heard, Pumps, Way};
use super::run::spawn;
use super::signals::Running;
use crate::capture::StreamingTapeWriter;
use crate::error::Error;
use crate::tape::{Direction, Frame, FrameKind};
use crate::time::Reading;

/// From the request to end, when nothing can be recorded any more, to the end by force.
const BEFORE_FORCE: Duration = Duration::from_secs(2);
/// The frames of a message that is too long for one stand together: what comes from elsewhere meanwhile waits so long
const APART: Duration = Duration::from_secs(1);
/// and up to so many bytes. Past either it is taken where it came: nothing waits for a side that has stopped.
const APART_BYTES_MAX: usize = 4 << 20;

/// What the thread needs.
pub(super) struct Recording {
    pub writer: Arc<StreamingTapeWriter>,
    pub pumps: Arc<Pumps>,
    pub running: Running,
    pub failed: Arc<Mutex<Option<Error>>>,
}

/// The three pipes, and what waits until a long message is over.
struct Ways {
    lines: [Lines; 3],
    waiting: VecDeque<Heard>,
    waiting_bytes: usize,
    /// Nothing waits for the message that is going on now.
    is_given_up: bool,
    at: Reading,
}

impl Recording {
    pub(super) fn run(self, heard: &Receiver<Heard>) {
        let mut ways = Ways {
            lines: [
                Lines::new(Direction::ClientToServer, FrameKind::Message),
                Lines::new(Direction::ServerToClient, FrameKind::Message),
                Lines::new(Direction::ServerToClient, FrameKind::Stderr),
            ],
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            is_given_up: false,
            at: self.pumps.clock.read(),
        };
        loop {
            let next = if ways.waiting.is_empty() {
                heard.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                heard.recv_timeout(APART)
            };
            match next {
                Ok(Heard::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => ways.is_given_up = true,
                Ok(heard) => ways.wait_or(heard, |ways, heard| self.hear(ways, heard)),
            }
            while let Some(heard) = ways.next_that_waited() {
                self.hear(&mut ways, heard);
            }
        }
        ways.is_given_up = true;
        while let Some(heard) = ways.next_that_waited() {
            self.hear(&mut ways, heard);
        }
        // What stood behind a last line end in a pipe that nobody ended.
        let at = ways.at;
        ways.lines.iter_mut().for_each(|lines| lines.end(at, &mut |frame| self.take(frame)));
    }

    fn hear(&self, ways: &mut Ways, heard: Heard) {
        match heard {
            Heard::Bytes { way, bytes, at, durable } => {
                if let Some(lines) = ways.lines.get_mut(way as usize) {
                    lines.feed(&bytes, at, &mut |frame| self.take(frame));
                }
                drop(durable);
            }
            Heard::End { way, undelivered, at } => {
                if let Some(lines) = ways.lines.get_mut(way as usize) {
                    lines.end(at, &mut |frame| self.take(frame));
                }
                if undelivered > 0 {
                    let words = json!({ "event": "not_delivered", "bytes": undelivered, "pipe": way.word() });
                    self.take(lifecycle(words.to_string(), at));
                }
            }
            Heard::Told { words, at } => {
                ways.at = at;
                self.take(lifecycle(words, at));
            }
            Heard::Stop => {}
        }
    }

    fn take(&self, frame: Frame) {
        if self.pumps.is_stopped.load(Ordering::Acquire) {
            return;
        }
        if let Err(e) = self.writer.write_frame_blocking(frame) {
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(e);
            self.pumps.is_stopped.store(true, Ordering::Release);
            self.end_program();
        }
    }

    /// What cannot be recorded may not happen: the program is asked to end, and then made to.
    fn end_program(&self) {
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

impl Ways {
    /// The pipe in the middle of a message that is longer than a frame.
    fn long(&self) -> Option<usize> {
        self.lines.iter().position(Lines::is_long)
    }

    /// Hears something, or lets it wait for the end of a long message that comes through another pipe.
    fn wait_or(&mut self, heard: Heard, hear: impl FnOnce(&mut Self, Heard)) {
        let (from, bytes) = match &heard {
            Heard::Bytes { way, bytes, .. } => (Some(*way as usize), bytes.len()),
            Heard::End { way, .. } => (Some(*way as usize), 0),
            Heard::Told { .. } | Heard::Stop => (None, 0),
        };
        match self.long() {
            Some(long) if !self.is_given_up && from != Some(long) => {
                self.waiting_bytes = self.waiting_bytes.saturating_add(bytes);
                self.is_given_up = self.waiting_bytes > APART_BYTES_MAX;
                self.waiting.push_back(heard);
            }
            _ => hear(self, heard),
        }
    }

    /// What waited and need not wait any longer.
    fn next_that_waited(&mut self) -> Option<Heard> {
        if self.long().is_none() {
            // The next long message has the same patience.
            self.is_given_up &= !self.waiting.is_empty();
        } else if !self.is_given_up {
            return None;
        }
        let heard = self.waiting.pop_front();
        if heard.is_none() {
            self.waiting_bytes = 0;
        }
        heard
    }
}

impl Way {
    const fn word(self) -> &'static str {
        match self {
            Self::In => "stdin",
            Self::Out => "stdout",
            Self::Err => "stderr",
        }
    }
}

fn lifecycle(words: String, at: Reading) -> Frame {
    let mut frame = Frame::message(0, Direction::Internal, words.into_bytes());
    frame.kind = FrameKind::Lifecycle;
    frame.wall_ns = Some(at.wall.as_ms().saturating_mul(1_000_000));
    frame
}
