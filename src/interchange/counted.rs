//! Counts for who records a session himself: the same that an import makes.

use super::pairing::Pair;
use super::tally::Tally;
use crate::tape::{Frame, Header, Stats, TapeKind, flags};

/// A request and its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FramePair {
    /// Sequence number of the request.
    pub request_seq: u64,
    /// Sequence number of the answer.
    pub response_seq: u64,
    /// Milliseconds since the start.
    pub request_t_ms: Option<u64>,
    /// Milliseconds since the start.
    pub response_t_ms: Option<u64>,
    /// The answer is an error of the protocol.
    pub is_error: bool,
    /// Position of the answer in its batch, from 0; 0 where it stands alone.
    pub element: u64,
}

impl From<&Pair> for FramePair {
    fn from(pair: &Pair) -> Self {
        let Pair { request_seq, response_seq, request_t_ms, response_t_ms, error, element } = *pair;
        Self { request_seq, response_seq, request_t_ms, response_t_ms, is_error: error, element }
    }
}

impl FramePair {
    /// Milliseconds from request to answer; `None` when a frame has no time.
    #[must_use]
    pub fn rtt_ms(&self) -> Option<u64> {
        Some(self.response_t_ms?.saturating_sub(self.request_t_ms?))
    }
}

/// What a frame turned out to hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FrameSeen {
    /// JSON-RPC messages: one, the elements of a batch, or none.
    pub messages: u64,
    /// The requests that its answers closed, in the order of the answers.
    pub pairs: Vec<FramePair>,
    /// The last version of the Model Context Protocol that it names. What was seen in this frame, and no more: nothing says
    /// that later frames keep to it.
    pub version: Option<String>,
}

/// Counts over the frames of a recording, from the messages alone.
///
/// Messages are looked for in frames of the kinds `Message` and `HttpBody`: a line of standard error counts as a frame and as
/// nothing else, whatever it looks like. A message that goes on over several frames (`continued`) is not put together: its
/// frames count, it does not.
///
/// ```
/// use immutape::interchange::FrameCounts;
/// use immutape::tape::{Direction, Frame, Header, TapeKind, flags};
/// let mut counts = FrameCounts::default();
/// let mut frame = Frame::message(0, Direction::ClientToServer, br#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_vec());
/// counts.frame(&mut frame);
/// assert_eq!(frame.flags, flags::REQUIRES_RESPONSE);
/// let mut header = Header::new(TapeKind::Other);
/// counts.fill(&mut header);
/// assert_eq!((header.stats.requests, header.stats.unanswered), (1, 1));
/// assert_eq!(header.named.methods, [(b"ping".to_vec(), 1)]);
/// ```
#[derive(Default)]
pub struct FrameCounts(Tally);

impl std::fmt::Debug for FrameCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("FrameCounts").field(&self.0.stats).finish()
    }
}

impl FrameCounts {
    /// Waits for the answers to so many requests at most, where memory counts for more than who leaves thousands open: the
    /// oldest of them is given up then, and its answer closes nothing.
    #[must_use]
    pub fn bounded(open_requests_max: usize) -> Self {
        Self(Tally::bounded(open_requests_max))
    }

    /// Counts the next frame, and adds the flags that its message carries.
    pub fn frame(&mut self, frame: &mut Frame) {
        let _closed = self.frame_pairs(frame);
    }

    /// As [`FrameCounts::frame`]; the requests that its answers closed.
    pub fn frame_pairs(&mut self, frame: &mut Frame) -> Vec<FramePair> {
        self.frame_seen(frame).pairs
    }

    /// As [`FrameCounts::frame`]; what there is in the frame.
    pub fn frame_seen(&mut self, frame: &mut Frame) -> FrameSeen {
        let text = std::str::from_utf8(&frame.payload).ok();
        let not_utf8 = if text.is_none() { flags::NOT_UTF8 } else { 0 };
        let seen = self.0.frame(frame, text, frame.seq);
        frame.flags |= seen.flags | not_utf8;
        let pairs = seen.pairs.iter().map(FramePair::from).collect();
        FrameSeen { messages: seen.messages, pairs, version: seen.version }
    }

    /// Sequence numbers of the frames whose requests nobody answered so far, ascending; of a batch once for each request.
    #[must_use]
    pub fn unanswered(&self) -> Vec<u64> {
        self.0.waiting()
    }

    /// Unanswered requests that are not waited for any more, and not in that list: only so many are remembered.
    #[must_use]
    pub const fn given_up(&self) -> u64 {
        self.0.given_up()
    }

    /// The counts so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.0.stats
    }

    /// Nanoseconds from the start to the greatest time of a frame.
    #[must_use]
    pub const fn span_ns(&self) -> Option<u64> {
        self.0.span_ns()
    }

    /// The version of the protocol: agreed, or else asked for.
    #[must_use]
    pub fn protocol(&self) -> Option<Vec<u8>> {
        self.0.protocol()
    }

    /// Puts the counts into a header, and what it leaves open: protocol, times, and the kind where it is `Other`.
    pub fn fill(self, header: &mut Header) {
        header.protocol = header.protocol.take().or_else(|| self.0.protocol());
        header.span_ns = header.span_ns.or_else(|| self.0.span_ns());
        header.ended_wall_ns = header.ended_wall_ns.or_else(|| self.0.latest_wall_ns());
        if self.0.mcp && header.kind == TapeKind::Other {
            header.kind = TapeKind::Mcp;
        }
        header.stats = self.0.stats;
        header.named = self.0.named.finish();
    }
}
