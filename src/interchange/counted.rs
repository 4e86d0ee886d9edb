//! Counts for who records a session himself: the same that an import makes.

use super::tally::Tally;
use crate::tape::{Frame, Header, TapeKind, flags};

/// Counts over the frames of a recording, from the messages alone.
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
    /// Counts the next frame, and adds the flags that its message carries.
    pub fn frame(&mut self, frame: &mut Frame) {
        let text = std::str::from_utf8(&frame.payload).ok();
        let not_utf8 = if text.is_none() { flags::NOT_UTF8 } else { 0 };
        frame.flags |= self.0.frame(frame, text, frame.seq).flags | not_utf8;
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
