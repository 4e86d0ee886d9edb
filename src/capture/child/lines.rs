//! Bytes of a pipe parted into messages, one a line. What was sent is kept to the byte: a frame's payload and delimiter
//! together are the line.

use crate::codec::limits::FRAME_PAYLOAD_BYTES_MAX;
use crate::tape::{Delimiter, Direction, Frame, FrameKind, flags};
use crate::time::Reading;

/// One direction of a session.
pub(super) struct Lines {
    direction: Direction,
    kind: FrameKind,
    /// What came since the last line end.
    partial: Vec<u8>,
    /// A part of this line is a frame already.
    is_long: bool,
}

impl Lines {
    pub(super) const fn new(direction: Direction, kind: FrameKind) -> Self {
        Self { direction, kind, partial: Vec::new(), is_long: false }
    }

    /// Takes the next bytes; every line that they end is given, with the time at which its end came.
    pub(super) fn feed(&mut self, mut bytes: &[u8], at: Reading, each: &mut dyn FnMut(Frame)) {
        while let Some(end) = bytes.iter().position(|b| *b == b'\n') {
            let (line, rest) = bytes.split_at(end);
            bytes = rest.get(1..).unwrap_or_default();
            self.grow(line, at, each);
            let delimiter = if self.partial.last() == Some(&b'\r') {
                self.partial.pop();
                Delimiter::CrLf
            } else {
                Delimiter::Lf
            };
            let frame = self.frame(0, at);
            self.is_long = false;
            each(Frame { delimiter, ..frame });
        }
        self.grow(bytes, at, each);
    }

    /// The pipe ended: what stands behind the last line end is a frame too.
    pub(super) fn end(&mut self, at: Reading, each: &mut dyn FnMut(Frame)) {
        self.is_long = false;
        if !self.partial.is_empty() {
            each(self.frame(flags::WAS_PARTIAL, at));
        }
    }

    /// Is it in the middle of a line of which a part is a frame already?
    pub(super) const fn is_long(&self) -> bool {
        self.is_long
    }

    /// A line that is too long for one frame goes on in the next: memory does not grow with it.
    fn grow(&mut self, bytes: &[u8], at: Reading, each: &mut dyn FnMut(Frame)) {
        self.partial.extend_from_slice(bytes);
        while self.partial.len() > FRAME_PAYLOAD_BYTES_MAX {
            let rest = self.partial.split_off(FRAME_PAYLOAD_BYTES_MAX);
            each(self.frame(flags::CONTINUED, at));
            (self.partial, self.is_long) = (rest, true);
        }
    }

    fn frame(&mut self, flags: u64, at: Reading) -> Frame {
        let mut frame = Frame::message(0, self.direction, std::mem::take(&mut self.partial));
        frame.kind = self.kind;
        frame.flags = flags;
        frame.wall_ns = Some(at.wall.as_ms().saturating_mul(1_000_000));
        frame.delimiter = Delimiter::None;
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    const NOW: Reading = Reading { wall: Timestamp::from_ms(5), monotonic_ns: 9 };

    fn parted(pieces: &[&[u8]]) -> Vec<(Vec<u8>, Delimiter, u64)> {
        let mut lines = Lines::new(Direction::ClientToServer, FrameKind::Message);
        let mut out = Vec::new();
        let mut each = |f: Frame| out.push((f.payload, f.delimiter, f.flags));
        pieces.iter().for_each(|piece| lines.feed(piece, NOW, &mut each));
        lines.end(NOW, &mut each);
        out
    }

    #[test]
    fn lines_come_whole_however_they_were_cut() {
        let text = b"{\"a\":1}\n\r\n[]\r\n\nrest";
        let expected = vec![
            (b"{\"a\":1}".to_vec(), Delimiter::Lf, 0),
            (Vec::new(), Delimiter::CrLf, 0),
            (b"[]".to_vec(), Delimiter::CrLf, 0),
            (Vec::new(), Delimiter::Lf, 0),
            (b"rest".to_vec(), Delimiter::None, flags::WAS_PARTIAL),
        ];
        assert_eq!(parted(&[text]), expected);
        for cut in 0..text.len() {
            assert_eq!(parted(&[&text[..cut], &text[cut..]]), expected, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(parted(&bytes), expected);
        assert_eq!(parted(&[]), vec![]);
    }

    /// The limit of a line holds while it comes, not once it is in memory.
    #[test]
    fn a_line_that_never_ends_is_held_as_far_as_one_frame_goes_and_no_further() {
        let mut lines = Lines::new(Direction::ServerToClient, FrameKind::Message);
        let piece = vec![b'x'; 1 << 20];
        let mut given = 0_usize;
        for n in 1..=50_usize {
            lines.feed(&piece, NOW, &mut |frame| {
                assert_eq!((frame.payload.len(), frame.flags), (FRAME_PAYLOAD_BYTES_MAX, flags::CONTINUED));
                given = given.saturating_add(frame.payload.len());
            });
            assert!(lines.partial.len() <= FRAME_PAYLOAD_BYTES_MAX);
            assert_eq!(given.saturating_add(lines.partial.len()), n.saturating_mul(piece.len()));
        }
        assert_eq!(given, FRAME_PAYLOAD_BYTES_MAX.saturating_mul(3), "and it comes while the line goes on");
    }

    #[test]
    fn a_line_that_is_too_long_goes_on_and_loses_nothing() {
        let long = vec![b'x'; FRAME_PAYLOAD_BYTES_MAX * 2];
        let out = parted(&[&long, b"yz\n", &long, b"\n"]);
        let shape: Vec<_> = out.iter().map(|(p, d, f)| (p.len(), *d, *f)).collect();
        assert_eq!(
            shape,
            [
                (FRAME_PAYLOAD_BYTES_MAX, Delimiter::None, flags::CONTINUED),
                (FRAME_PAYLOAD_BYTES_MAX, Delimiter::None, flags::CONTINUED),
                (2, Delimiter::Lf, 0),
                (FRAME_PAYLOAD_BYTES_MAX, Delimiter::None, flags::CONTINUED),
                (FRAME_PAYLOAD_BYTES_MAX, Delimiter::Lf, 0),
            ]
        );
    }
}
