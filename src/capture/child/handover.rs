//! What the pumps and the recorder agree on, piece by piece.
//!
//! A piece is *offered*; the recorder *hears* every piece that was taken from a pump, and *answers* once it may pass (where
//! frames are durable one by one: when every line that ends in it is); only then it is *passed on*. Where it is refused it is
//! not passed on, and the recording counts its lines in a gap. There is no third way: nobody takes silence for a yes, and what
//! is offered too late is neither recorded nor passed on.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::time::Reading;

/// Pieces of up to 64 KiB that wait for the recorder, before the session waits too.
const HEARD_MAX: usize = 64;

/// Which pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From who started the recorder to the program.
    In,
    /// The program's answers.
    Out,
    /// What the program tells people.
    Err,
}

/// The program's own.
pub(super) const OUTPUTS: [Way; 2] = [Way::Out, Way::Err];

/// What was heard.
#[derive(Debug)]
pub(super) enum Heard {
    Bytes {
        way: Way,
        bytes: Vec<u8>,
        at: Reading,
    },
    /// Nothing more comes through this pipe; `undelivered` bytes of what was heard were not passed on.
    End {
        way: Way,
        undelivered: u64,
        at: Reading,
    },
    /// Something that happened to the program.
    Told {
        words: String,
        at: Reading,
    },
}

/// What the recorder is to do next.
pub(super) enum Next {
    Hear(Heard),
    /// The time it was to wait for is over.
    Late,
    /// Nothing comes any more.
    Over,
}

/// One pipe. Bytes are counted from its beginning.
#[derive(Default)]
pub(super) struct Hand {
    /// Taken by the recorder,
    pub offered: u64,
    /// and by who reads on the other side.
    pub passed: u64,
    /// A piece is on its way from the pipe to the recorder.
    pub is_reading: bool,
    /// A piece has no answer yet.
    is_asked: bool,
    pub is_over: bool,
}

impl Hand {
    const fn undelivered(&self) -> u64 {
        self.offered.saturating_sub(self.passed)
    }

    /// Is there a piece between the two ends?
    pub const fn is_full(&self) -> bool {
        !self.is_over && (self.is_reading || self.undelivered() > 0)
    }
}

#[derive(Default)]
pub(super) struct State {
    queue: VecDeque<Heard>,
    input: Hand,
    output: Hand,
    error: Hand,
    /// Rises with every piece that goes on.
    pub moves: u64,
    /// No piece is taken any more.
    pub is_closed: bool,
    /// And nothing else.
    is_finished: bool,
    /// Nothing may pass any more: it could not be recorded.
    pub has_failed: bool,
    why: Option<Error>,
}

impl State {
    pub const fn hand(&mut self, way: Way) -> &mut Hand {
        match way {
            Way::In => &mut self.input,
            Way::Out => &mut self.output,
            Way::Err => &mut self.error,
        }
    }

    /// Is there anybody whom it makes sense to wait for?
    pub const fn may_wait(&self) -> bool {
        !self.has_failed && !self.is_closed
    }

    pub fn is_owed(&mut self, owed: &[(Way, u64)]) -> bool {
        let is_short = |hand: &Hand, owed: u64| !hand.is_over && hand.passed < owed;
        owed.iter().any(|(way, owed)| is_short(self.hand(*way), *owed))
    }

    pub fn any_output(&mut self, is_so: impl Fn(&Hand) -> bool) -> bool {
        OUTPUTS.into_iter().any(|way| is_so(self.hand(way)))
    }
}

/// Where the pumps and the recorder meet.
#[derive(Default)]
pub(super) struct Handover {
    /// Is nothing passed on before it is durable?
    is_each: bool,
    state: Mutex<State>,
    /// For the recorder: there is something to hear.
    heard: Condvar,
    /// For the pumps: there is room, or an answer.
    pub(super) answered: Condvar,
    /// For who waits for the end: a piece went on, or a pipe ended.
    pub(super) moved: Condvar,
}

impl Handover {
    pub(super) fn new(is_each: bool) -> Self {
        Self { is_each, ..Self::default() }
    }

    pub(super) const fn is_each(&self) -> bool {
        self.is_each
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A pump is about to read what there is. From here on the piece is its own: whoever waits for the end waits for it.
    pub(super) fn reading(&self, way: Way) {
        self.lock().hand(way).is_reading = true;
    }

    /// Gives a piece to the recorder, which hears it whatever happens from here on. When the recorder has fallen far behind this
    /// waits for it, and with it the session. False when no more is taken: the piece is then not to be passed on.
    pub(super) fn offer(&self, way: Way, bytes: &[u8], at: Reading) -> bool {
        let mut state = self.lock();
        while state.queue.len() >= HEARD_MAX && !state.is_closed {
            state = wait(&self.answered, state);
        }
        let is_taken = !state.is_closed;
        let hand = state.hand(way);
        hand.is_reading = false;
        if is_taken {
            hand.offered = hand.offered.saturating_add(bytes.len() as u64);
            hand.is_asked = true;
            state.queue.push_back(Heard::Bytes { way, bytes: bytes.to_vec(), at });
            state.moves = state.moves.wrapping_add(1);
            self.heard.notify_one();
        }
        self.moved.notify_all();
        is_taken
    }

    /// May the piece that was offered be passed on? Waits for the answer where frames are durable one by one.
    pub(super) fn may_pass(&self, way: Way) -> bool {
        let mut state = self.lock();
        while self.is_each && state.hand(way).is_asked && !state.has_failed && !state.is_finished {
            state = wait(&self.answered, state);
        }
        !state.has_failed && !state.is_finished
    }

    /// So many bytes of the piece were taken on the other side. False when no more of it is to follow: the tape says already
    /// that the rest was not delivered.
    pub(super) fn passed(&self, way: Way, bytes: usize) -> bool {
        let mut state = self.lock();
        state.moves = state.moves.wrapping_add(1);
        let hand = state.hand(way);
        hand.passed = hand.passed.saturating_add(bytes as u64);
        self.moved.notify_all();
        !state.is_finished
    }

    /// A pipe ended, or nobody takes what comes through it.
    pub(super) fn over(&self, way: Way, at: Reading) {
        let mut state = self.lock();
        end_way(&mut state, way, at);
        self.heard.notify_one();
        self.moved.notify_all();
    }

    /// Something happened to the program.
    pub(super) fn tell(&self, words: String, at: Reading) {
        self.lock().queue.push_back(Heard::Told { words, at });
        self.heard.notify_one();
    }

    /// What the recorder is to hear next, in the order in which it came. Waits for it, until then at most.
    pub(super) fn next(&self, until: Option<Instant>) -> Next {
        let mut state = self.lock();
        loop {
            if let Some(heard) = state.queue.pop_front() {
                self.answered.notify_all();
                return Next::Hear(heard);
            }
            if state.is_finished {
                return Next::Over;
            }
            let Some(until) = until else {
                state = wait(&self.heard, state);
                continue;
            };
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Next::Late;
            }
            state = wait_for(&self.heard, state, left);
        }
    }

    /// The piece of this pipe may pass.
    pub(super) fn answer(&self, way: Way) {
        self.lock().hand(way).is_asked = false;
        self.answered.notify_all();
    }

    /// Nothing can be recorded any more, so nothing passes any more. What is offered is still heard, and counted. True the first
    /// time.
    pub(super) fn fail(&self, why: Error) -> bool {
        let mut state = self.lock();
        let is_first = !std::mem::replace(&mut state.has_failed, true);
        if is_first {
            state.why = Some(why);
        }
        self.answered.notify_all();
        self.moved.notify_all();
        is_first
    }

    pub(super) fn take_failed(&self) -> Option<Error> {
        self.lock().why.take()
    }

    /// Nothing is heard any more: who heard is gone.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.answered.notify_all();
        self.moved.notify_all();
    }

    /// The end of the session. Of every pipe that is open still the tape says how much was not passed on, before these words.
    pub(super) fn finish(&self, words: String, at: Reading) {
        self.finish_with(Some(Heard::Told { words, at }), at);
    }

    /// The end without a word.
    pub(super) fn abandon(&self, at: Reading) {
        self.finish_with(None, at);
    }

    fn finish_with(&self, last: Option<Heard>, at: Reading) {
        let mut state = self.lock();
        if !state.is_finished {
            [Way::In, Way::Out, Way::Err].into_iter().for_each(|way| end_way(&mut state, way, at));
            state.queue.extend(last);
        }
        (state.is_closed, state.is_finished) = (true, true);
        self.heard.notify_all();
        self.answered.notify_all();
        self.moved.notify_all();
    }
}

fn end_way(state: &mut State, way: Way, at: Reading) {
    let hand = state.hand(way);
    hand.is_reading = false;
    let undelivered = hand.undelivered();
    if !std::mem::replace(&mut hand.is_over, true) && !state.is_finished {
        state.queue.push_back(Heard::End { way, undelivered, at });
    }
}

pub(super) fn wait<'a>(on: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    on.wait(state).unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn wait_for<'a>(on: &Condvar, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
    on.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{RecvTimeoutError, sync_channel};

    use super::*;
    use crate::error::Code;
    use crate::time::Timestamp;

    const NOW: Reading = Reading { wall: Timestamp::from_ms(5), monotonic_ns: 9 };
    /// What must not happen has time to.
    const A_WHILE: Duration = Duration::from_millis(60);

    fn is_dropped(handover: &Handover) -> bool {
        matches!(handover.next(Some(Instant::now())), Next::Late | Next::Over)
    }

    #[test]
    fn silence_is_no_answer_and_what_comes_too_late_is_not_passed_on() {
        let handover = Handover::new(true);
        assert!(handover.offer(Way::Out, b"heard\n", NOW));
        handover.finish("ended".into(), NOW);
        assert!(!handover.may_pass(Way::Out), "nobody said that it is durable");
        assert!(!handover.offer(Way::Err, b"too late\n", NOW));
        // All that was taken is heard, and what became of it.
        assert!(matches!(handover.next(None), Next::Hear(Heard::Bytes { bytes, .. }) if bytes == b"heard\n"));
        let ends: Vec<_> = std::iter::from_fn(|| match handover.next(None) {
            Next::Hear(Heard::End { way, undelivered, .. }) => Some((way, undelivered)),
            _ => None,
        })
        .collect();
        assert_eq!(ends, [(Way::In, 0), (Way::Out, 6), (Way::Err, 0)]);
        assert!(is_dropped(&handover), "the piece that came too late is nowhere");
        assert!(matches!(handover.next(None), Next::Over));
    }

    #[test]
    fn who_offers_waits_while_as_much_is_held_as_may_be_and_goes_on_when_something_is_taken() {
        let handover = Handover::new(false);
        let pieces: Vec<String> = (0..=HEARD_MAX).map(|n| n.to_string()).collect();
        let (last, held) = pieces.split_last().unwrap();
        assert!(held.iter().all(|piece| handover.offer(Way::Out, piece.as_bytes(), NOW)));
        let queued = || handover.lock().queue.len();
        let mut taken = Vec::new();
        let mut take = || match handover.next(Some(Instant::now())) {
            Next::Hear(Heard::Bytes { bytes, .. }) => taken.push(String::from_utf8(bytes).unwrap()),
            _ => panic!("a piece is missing"),
        };
        std::thread::scope(|scope| {
            let h = &handover;
            let offered = |way, piece: &str| {
                let (say, said) = sync_channel(1);
                let piece = piece.to_owned();
                scope.spawn(move || say.send(h.offer(way, piece.as_bytes(), NOW)));
                assert_eq!(said.recv_timeout(A_WHILE), Err(RecvTimeoutError::Timeout), "it did not wait");
                assert_eq!(queued(), HEARD_MAX, "more is held than may be");
                said
            };
            let said = offered(Way::Out, last);
            take();
            assert_eq!((said.recv(), queued()), (Ok(true), HEARD_MAX));
            // Nobody waits for one who is gone, and what comes then is not held either.
            let said = offered(Way::In, "too late");
            handover.close();
            assert_eq!((said.recv(), queued()), (Ok(false), HEARD_MAX));
        });
        (0..HEARD_MAX).for_each(|_| take());
        assert_eq!(taken, pieces, "in the order in which they came, and each once");
        assert!(is_dropped(&handover));
    }

    #[test]
    fn an_answer_lets_its_own_piece_pass_and_a_failure_none() {
        let handover = Handover::new(true);
        assert!(handover.offer(Way::In, b"a\n", NOW));
        handover.answer(Way::Out);
        std::thread::scope(|scope| {
            let (say, said) = sync_channel(1);
            let h = &handover;
            scope.spawn(move || say.send(h.may_pass(Way::In)));
            assert_eq!(said.recv_timeout(A_WHILE), Err(RecvTimeoutError::Timeout), "another's answer is not its own");
            handover.answer(Way::In);
            assert_eq!(said.recv(), Ok(true));
        });
        assert!(handover.fail(Error::new(Code::StoreFull, "full")) && !handover.fail(Error::new(Code::Io, "again")));
        assert!(handover.offer(Way::In, b"b\n", NOW), "it is heard, so that it is counted");
        assert!(!handover.may_pass(Way::In));
        assert_eq!(handover.take_failed().unwrap().code(), Code::StoreFull);
    }
}
