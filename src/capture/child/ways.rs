//! The order in which the frames of three pipes go onto the tape.

use std::collections::VecDeque;

use serde_json::json;

use super::handover::{Heard, Way};
use super::lines::Lines;
use crate::tape::{Direction, Frame, FrameKind};
use crate::time::Reading;

/// The frames of a message that is too long for one stand together: what comes from elsewhere meanwhile waits, up to so many
/// bytes,
const APART_BYTES_MAX: usize = 4 << 20;
/// of which each piece takes so many for itself.
const PIECE_BYTES: usize = 256;

/// Who takes the frames.
pub(super) trait Taker {
    fn frame(&mut self, frame: Frame, at: Reading);
    /// Every line that ends in the piece of this pipe was taken.
    fn heard(&mut self, way: Way);
}

/// The three pipes, and what waits until a long message is over.
pub(super) struct Ways {
    input: Lines,
    output: Lines,
    error: Lines,
    /// In the order in which it came.
    waiting: VecDeque<Heard>,
    waiting_bytes: usize,
    /// Does anything wait at all?
    is_apart: bool,
    /// Nothing waits for the message that is going on now.
    is_given_up: bool,
}

impl Ways {
    /// Where each piece is answered only when it is durable, nothing waits: whoever sent it waits for that answer.
    pub(super) const fn new(is_apart: bool) -> Self {
        Self {
            input: Lines::new(Direction::ClientToServer, FrameKind::Message),
            output: Lines::new(Direction::ServerToClient, FrameKind::Message),
            error: Lines::new(Direction::ServerToClient, FrameKind::Stderr),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            is_apart,
            is_given_up: false,
        }
    }

    /// Hears something, or lets it wait for the end of a long message that comes through another pipe.
    pub(super) fn hear(&mut self, heard: Heard, to: &mut dyn Taker) {
        self.waiting_bytes = self.waiting_bytes.saturating_add(weight(&heard));
        self.waiting.push_back(heard);
        self.settle(to);
        if self.waiting_bytes > APART_BYTES_MAX {
            self.give_up(to);
        }
    }

    /// Does anything wait?
    pub(super) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Takes what waited where it came.
    pub(super) fn give_up(&mut self, to: &mut dyn Taker) {
        self.is_given_up = true;
        self.settle(to);
    }

    fn settle(&mut self, to: &mut dyn Taker) {
        while let Some(at) = self.next()
            && let Some(heard) = self.waiting.remove(at)
        {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(weight(&heard));
            self.take(heard, at, to);
        }
        // The next long message has the same patience.
        self.is_given_up &= self.long().is_some();
    }

    /// Which of those that wait comes next.
    fn next(&self) -> Option<usize> {
        match self.long().filter(|_| self.is_apart && !self.is_given_up) {
            Some(long) => self.waiting.iter().position(|heard| way_of(heard) == Some(long)),
            None => Some(0).filter(|_| self.waits()),
        }
    }

    /// The pipe in the middle of a message that is longer than a frame.
    fn long(&self) -> Option<Way> {
        let ways = [(Way::In, &self.input), (Way::Out, &self.output), (Way::Err, &self.error)];
        ways.into_iter().find(|(_, lines)| lines.is_long()).map(|(way, _)| way)
    }

    const fn lines(&mut self, way: Way) -> &mut Lines {
        match way {
            Way::In => &mut self.input,
            Way::Out => &mut self.output,
            Way::Err => &mut self.error,
        }
    }

    fn take(&mut self, heard: Heard, place: usize, to: &mut dyn Taker) {
        match heard {
            Heard::Bytes { way, mut bytes, at } => {
                let rest = if place > 0 { behind_line_end(&mut bytes) } else { Vec::new() };
                self.lines(way).feed(&bytes, at, &mut |frame| to.frame(frame, at));
                if rest.is_empty() {
                    to.heard(way);
                    return;
                }
                // The long message ends in this piece. What waited for its end came before what stands behind it.
                let rest = Heard::Bytes { way, bytes: rest, at };
                self.waiting_bytes = self.waiting_bytes.saturating_add(weight(&rest));
                self.waiting.insert(place, rest);
            }
            Heard::End { way, undelivered, at } => {
                self.lines(way).end(at, &mut |frame| to.frame(frame, at));
                if undelivered > 0 {
                    let words = json!({ "event": "not_delivered", "bytes": undelivered, "pipe": way.word() });
                    to.frame(lifecycle(words.to_string(), at), at);
                }
            }
            Heard::Told { words, at } => to.frame(lifecycle(words, at), at),
        }
    }
}

/// What stands behind the first line end.
fn behind_line_end(bytes: &mut Vec<u8>) -> Vec<u8> {
    bytes.iter().position(|b| *b == b'\n').map_or_else(Vec::new, |end| bytes.split_off(end.saturating_add(1)))
}

const fn way_of(heard: &Heard) -> Option<Way> {
    match heard {
        Heard::Bytes { way, .. } | Heard::End { way, .. } => Some(*way),
        Heard::Told { .. } => None,
    }
}

const fn weight(heard: &Heard) -> usize {
    match heard {
        Heard::Bytes { bytes, .. } => bytes.len().saturating_add(PIECE_BYTES),
        Heard::End { .. } | Heard::Told { .. } => PIECE_BYTES,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::limits::FRAME_PAYLOAD_BYTES_MAX;
    use crate::time::Timestamp;

    /// Frames by pipe and last bytes, and answers.
    #[derive(Default)]
    struct Taken {
        frames: Vec<String>,
        times: Vec<u64>,
        heard: Vec<Way>,
    }

    impl Taker for Taken {
        fn frame(&mut self, frame: Frame, at: Reading) {
            let tail = &frame.payload[frame.payload.len().saturating_sub(12)..];
            self.frames.push(String::from_utf8_lossy(tail).into_owned());
            self.times.push(at.monotonic_ns);
        }

        fn heard(&mut self, way: Way) {
            self.heard.push(way);
        }
    }

    struct Stage {
        ways: Ways,
        taken: Taken,
        now: u64,
    }

    impl Stage {
        /// In the middle of a long line of the program.
        fn in_a_long_line(is_apart: bool) -> Self {
            let mut stage = Self { ways: Ways::new(is_apart), taken: Taken::default(), now: 0 };
            stage.bytes(Way::Out, &vec![b'x'; FRAME_PAYLOAD_BYTES_MAX + 1]);
            assert_eq!(stage.taken.frames, ["xxxxxxxxxxxx"]);
            stage
        }

        fn bytes(&mut self, way: Way, bytes: &[u8]) {
            self.now = self.now.saturating_add(1);
            let at = Reading { wall: Timestamp::from_ms(0), monotonic_ns: self.now };
            self.ways.hear(Heard::Bytes { way, bytes: bytes.to_vec(), at }, &mut self.taken);
        }

        fn since(&self) -> Vec<&str> {
            self.taken.frames.iter().skip(1).map(String::as_str).collect()
        }
    }

    #[test]
    fn a_question_that_waited_stands_before_its_answer_in_the_piece_that_ends_the_long_line() {
        let mut stage = Stage::in_a_long_line(true);
        stage.bytes(Way::In, b"question\n");
        stage.bytes(Way::Err, b"note\n");
        assert_eq!(stage.since(), [""; 0]);
        stage.bytes(Way::Out, b"tail\nanswer\nhalf");
        assert_eq!(stage.since(), ["xtail", "question", "note", "answer"]);
        assert_eq!(stage.taken.heard, [Way::Out, Way::In, Way::Err, Way::Out]);
        assert_eq!(stage.taken.times[1..], [4, 2, 3, 4], "each has the time at which it came");
        assert_eq!((stage.ways.waits(), stage.ways.waiting_bytes), (false, 0));
    }

    #[test]
    fn nothing_waits_where_each_piece_is_answered_when_it_is_durable() {
        let mut stage = Stage::in_a_long_line(false);
        stage.bytes(Way::In, b"question\n");
        assert_eq!((stage.since(), stage.taken.heard.last()), (vec!["question"], Some(&Way::In)));
        assert!(!stage.ways.waits());
    }

    #[test]
    fn what_waits_is_bounded_in_bytes_also_where_it_comes_byte_by_byte() {
        let mut stage = Stage::in_a_long_line(true);
        let most = APART_BYTES_MAX / PIECE_BYTES;
        let came = (0..=most).take_while(|_| {
            stage.bytes(Way::In, b"\n");
            stage.ways.waits()
        });
        assert!(came.count() < most, "more than the limit waits");
        stage.bytes(Way::In, b"at once\n");
        assert_eq!(stage.since().last(), Some(&"at once"));
        // The next long message has its patience again.
        stage.bytes(Way::Out, b"\n");
        stage.bytes(Way::Out, &vec![b'y'; FRAME_PAYLOAD_BYTES_MAX + 1]);
        stage.bytes(Way::In, b"later\n");
        assert!(stage.ways.waits());
        stage.ways.give_up(&mut stage.taken);
        assert_eq!(stage.since().last(), Some(&"later"));
    }

    #[test]
    fn a_pipe_whose_own_line_grows_long_while_it_waits_keeps_its_order() {
        let mut stage = Stage::in_a_long_line(true);
        stage.bytes(Way::Out, b"\n");
        stage.bytes(Way::In, &vec![b'a'; FRAME_PAYLOAD_BYTES_MAX]);
        stage.bytes(Way::Out, &vec![b'x'; FRAME_PAYLOAD_BYTES_MAX + 1]);
        stage.bytes(Way::In, b"b");
        stage.bytes(Way::Err, b"note\n");
        stage.bytes(Way::In, b"c");
        stage.bytes(Way::Out, b"end\n");
        stage.bytes(Way::In, b"d\n");
        assert_eq!(stage.since()[2..], ["xend", "aaaaaaaaaaaa", "bcd", "note"]);
    }
}
