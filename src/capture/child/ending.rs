//! When the outputs of a program that ended are over.

use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use super::handover::{Hand, Handover, OUTPUTS, State, Way, wait, wait_for};

/// How long others that hold the program's output open are waited for, once what it wrote itself is passed on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// After the last byte,
    pub quiet: Duration,
    /// and in any case.
    pub most: Duration,
}

impl Handover {
    /// Waits until the outputs of a program that ended are over. `unread` tells what stands in a pipe. False when others hold
    /// them open: no more is taken of those then.
    ///
    /// What the program itself wrote is passed on first, however slowly it is taken or recorded: it stood in the pipes when the
    /// program ended, and that many bytes are waited for. What comes behind them is of others, for whom there is a limit; a piece
    /// of theirs that was taken is passed on too.
    pub(super) fn outputs_end(&self, unread: &dyn Fn(Way) -> u64, patience: Patience) -> bool {
        let mut state = self.lock();
        let is_reading = |hand: &Hand| hand.is_reading;
        while state.any_output(is_reading) && state.may_wait() {
            state = wait(&self.moved, state);
        }
        let owed = OUTPUTS.map(|way| (way, state.hand(way).offered.saturating_add(unread(way))));
        while state.is_owed(&owed) && state.may_wait() {
            state = wait(&self.moved, state);
        }
        let (mut state, is_over) = self.others_end(state, patience);
        if is_over {
            return true;
        }
        state.is_closed = true;
        self.answered.notify_all();
        while state.any_output(Hand::is_full) && !state.has_failed {
            state = wait(&self.moved, state);
        }
        false
    }

    fn others_end<'a>(&'a self, mut state: MutexGuard<'a, State>, patience: Patience) -> (MutexGuard<'a, State>, bool) {
        let begun = Instant::now();
        let (mut since, mut moves) = (begun, state.moves);
        loop {
            if !state.any_output(|hand| !hand.is_over) {
                return (state, true);
            }
            let now = Instant::now();
            // A piece between the two ends is no silence.
            if moves != state.moves || (state.any_output(Hand::is_full) && !state.has_failed) {
                (since, moves) = (now, state.moves);
            }
            let quiet = patience.quiet.saturating_sub(now.saturating_duration_since(since));
            let left = quiet.min(patience.most.saturating_sub(now.saturating_duration_since(begun)));
            if left.is_zero() || state.is_closed {
                return (state, false);
            }
            state = wait_for(&self.moved, state, left);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;
    use crate::error::{Code, Error};
    use crate::time::{Reading, Timestamp};

    const NOW: Reading = Reading { wall: Timestamp::from_ms(5), monotonic_ns: 9 };
    const LITTLE: Patience = Patience { quiet: Duration::from_millis(1), most: Duration::from_millis(5) };
    /// Longer than that; what must not happen has time to.
    const A_WHILE: Duration = Duration::from_millis(60);

    fn nothing_unread(_: Way) -> u64 {
        0
    }

    /// Runs the wait for the end beside this; what it says.
    fn while_it_ends(handover: &Handover, unread: u64, beside: impl FnOnce(&dyn Fn() -> bool)) -> bool {
        std::thread::scope(|scope| {
            let (say, said) = sync_channel(1);
            let unread = move |way| if way == Way::Out { unread } else { 0 };
            scope.spawn(move || say.send(handover.outputs_end(&unread, LITTLE)));
            let early = std::cell::Cell::new(None);
            beside(&|| {
                early.set(said.recv_timeout(A_WHILE).ok());
                early.get().is_none()
            });
            early.get().unwrap_or_else(|| said.recv().unwrap())
        })
    }

    #[test]
    fn a_piece_that_is_taken_slowly_is_waited_for_and_others_are_not_blamed() {
        let handover = Handover::new(false);
        handover.over(Way::Err, NOW);
        assert!(handover.offer(Way::Out, b"abc", NOW));
        let is_over = while_it_ends(&handover, 2, |still_waits| {
            assert!(still_waits(), "a piece is between the two ends");
            assert!(handover.passed(Way::Out, 3));
            assert!(still_waits(), "two bytes stand in the pipe");
            handover.reading(Way::Out);
            assert!(handover.offer(Way::Out, b"de", NOW) && handover.passed(Way::Out, 2));
            handover.over(Way::Out, NOW);
        });
        assert!(is_over);
    }

    #[test]
    fn others_are_given_up_and_their_last_piece_is_passed_on() {
        let handover = Handover::new(false);
        handover.over(Way::Err, NOW);
        assert!(!handover.outputs_end(&nothing_unread, LITTLE), "silent, and open");
        let handover = Handover::new(false);
        handover.over(Way::Err, NOW);
        let is_over = while_it_ends(&handover, 1, |still_waits| {
            assert!(still_waits(), "owed");
            handover.reading(Way::Out);
            assert!(handover.offer(Way::Out, b"own, others", NOW) && handover.passed(Way::Out, 5));
            assert!(still_waits(), "a piece that was taken is passed on");
            assert!(!handover.offer(Way::Out, b"more", NOW), "and no other is taken");
            assert!(handover.passed(Way::Out, 6));
        });
        assert!(!is_over, "it was cut off");
    }

    #[test]
    fn a_failure_waits_for_nobody() {
        let handover = Handover::new(false);
        assert!(handover.offer(Way::Out, b"abc", NOW));
        handover.fail(Error::new(Code::Io, "gone"));
        assert!(!handover.outputs_end(&|_| 7, LITTLE));
    }
}
