//! What stands in the pieces of a live recording, before it is a tape (`docs/format/store-embedded.md` 11).

use super::header_parts::EndState;
use super::kinds::GapReason;
use super::{Frame, Gap, Header, TapeError};
use crate::codec::cbor::{CborError, Reader, Writer};
use crate::codec::digest::{CustodyId, RootHash};

const LABEL: &str = "immutape/live/1";

/// One thing that happened in a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LiveRecord {
    /// It began: what is known of the session by then. The first record of every recording, and only that.
    Opened(Box<Header>),
    /// The next frame.
    Frame(Frame),
    /// The frames so far and the root over them; an entry of the log names both.
    Mark {
        /// Frames so far.
        frames: u64,
        /// RFC 6962 root over their leaves.
        root: RootHash,
        /// Wall clock.
        wall_ns: u64,
    },
    /// Something is missing here.
    Gap(Gap),
    /// Frames were not taken from here on.
    Paused {
        /// Wall clock.
        wall_ns: u64,
    },
    /// Frames were taken again.
    Resumed {
        /// Wall clock.
        wall_ns: u64,
    },
    /// It ended. The last record.
    Ended {
        /// How.
        state: EndState,
        /// Wall clock.
        wall_ns: u64,
        /// The recording that goes on from it.
        next: Option<CustodyId>,
    },
}

impl LiveRecord {
    fn number(&self) -> u64 {
        match self {
            Self::Opened(_) => 0,
            Self::Frame(_) => 1,
            Self::Mark { .. } => 2,
            Self::Gap(_) => 3,
            Self::Paused { .. } => 4,
            Self::Resumed { .. } => 5,
            Self::Ended { .. } => 6,
        }
    }

    /// Writes it: `[number, value, ..]`.
    ///
    /// # Errors
    /// [`TapeError`] for a frame or header over its limits.
    pub fn write(&self, w: &mut Writer) -> Result<(), TapeError> {
        let begin = |w: &mut Writer, values: usize| {
            w.array(values.saturating_add(1));
            w.uint(self.number());
        };
        match self {
            Self::Opened(header) => {
                let encoded = header.encode()?;
                begin(w, 1);
                w.raw(&encoded);
            }
            Self::Frame(frame) => {
                let parts = frame.parts()?;
                begin(w, 1);
                parts.write(w);
            }
            Self::Mark { frames, root, wall_ns } => {
                begin(w, 3);
                w.uint(*frames);
                w.bytes(root.as_ref());
                w.uint(*wall_ns);
            }
            Self::Gap(Gap { before_seq, reason, count }) => {
                begin(w, 3);
                [*before_seq, reason.number(), *count].iter().for_each(|n| w.uint(*n));
            }
            Self::Paused { wall_ns } | Self::Resumed { wall_ns } => {
                begin(w, 1);
                w.uint(*wall_ns);
            }
            Self::Ended { state, wall_ns, next } => {
                begin(w, 3);
                state.write(w);
                w.uint(*wall_ns);
                w.nullable(next.as_ref(), |w, next| w.bytes(next.as_ref()));
            }
        }
        Ok(())
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, TapeError> {
        let values = r.array()?;
        let number = r.uint()?;
        let record = match (number, values) {
            (0, 2) => Self::Opened(Box::new(Header::decode(r.any_within(2)?)?)),
            (1, 2) => Self::Frame(Frame::read(r)?),
            (2, 4) => Self::Mark { frames: r.uint()?, root: RootHash::from_bytes(r.bytes_n()?), wall_ns: r.uint()? },
            (3, 4) => {
                let (before_seq, reason) = (r.uint()?, GapReason::from_number(r.uint()?)?);
                Self::Gap(Gap { before_seq, reason, count: r.uint()? })
            }
            (4, 2) => Self::Paused { wall_ns: r.uint()? },
            (5, 2) => Self::Resumed { wall_ns: r.uint()? },
            (6, 4) => {
                let (state, wall_ns) = (EndState::read(r)?, r.uint()?);
                let next = if r.null_if_next() { None } else { Some(CustodyId::from_bytes(r.bytes_n()?)) };
                Self::Ended { state, wall_ns, next }
            }
            (0..=6, _) => return Err(CborError::Length.into()),
            (value, _) => return Err(TapeError::Value { field: "live record", value }),
        };
        Ok(record)
    }
}

/// The plain content of one piece: `["immutape/live/1", number, [* record]]`.
///
/// ```
/// use immutape::tape::{LiveRecord, live_piece, read_live_piece};
/// let piece = live_piece(7, &[LiveRecord::Paused { wall_ns: 1 }])?;
/// assert_eq!(read_live_piece(&piece, 7)?, [LiveRecord::Paused { wall_ns: 1 }]);
/// assert!(read_live_piece(&piece, 8).is_err());
/// # Ok::<(), immutape::tape::TapeError>(())
/// ```
///
/// # Errors
/// As [`LiveRecord::write`].
pub fn live_piece(number: u64, records: &[LiveRecord]) -> Result<Vec<u8>, TapeError> {
    let mut w = Writer::new();
    w.array(3);
    w.text(LABEL);
    w.uint(number);
    w.array(records.len());
    records.iter().try_for_each(|record| record.write(&mut w))?;
    Ok(w.finish())
}

/// Reads a piece, which must be the one of this number.
///
/// # Errors
/// [`TapeError`]: other bytes, or another number.
pub fn read_live_piece(bytes: &[u8], number: u64) -> Result<Vec<LiveRecord>, TapeError> {
    let mut r = Reader::new(bytes);
    r.array_of(3)?;
    r.label(LABEL)?;
    let found = r.uint()?;
    if found != number {
        return Err(TapeError::Sequence { expected: number, found });
    }
    let count = r.array()?;
    // An item takes at least two bytes: the count promises no more than there is.
    let mut records = Vec::with_capacity(count.min(bytes.len() / 2));
    for _ in 0..count {
        records.push(LiveRecord::read(&mut r)?);
    }
    r.end()?;
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::{Direction, TapeKind};

    fn all() -> Vec<LiveRecord> {
        let mut header = Header::new(TapeKind::Mcp);
        header.session_id = Some(b"s".to_vec());
        vec![
            LiveRecord::Opened(Box::new(header)),
            LiveRecord::Frame(Frame::message(0, Direction::ClientToServer, b"{}".to_vec())),
            LiveRecord::Mark { frames: 1, root: RootHash::from_bytes([7; 32]), wall_ns: 9 },
            LiveRecord::Gap(Gap { before_seq: 1, reason: GapReason::Paused, count: 3 }),
            LiveRecord::Paused { wall_ns: 10 },
            LiveRecord::Resumed { wall_ns: 11 },
            LiveRecord::Ended { state: EndState::ChildExit(-1), wall_ns: 12, next: None },
            LiveRecord::Ended { state: EndState::Continued, wall_ns: 13, next: Some(CustodyId::from_bytes([5; 32])) },
        ]
    }

    #[test]
    fn every_record_comes_back_and_no_cut_or_flip_is_taken_for_another() {
        let piece = live_piece(3, &all()).unwrap();
        assert_eq!(read_live_piece(&piece, 3).unwrap(), all());
        for cut in 0..piece.len() {
            assert!(read_live_piece(&piece[..cut], 3).is_err(), "cut at {cut}");
        }
        let mut longer = piece.clone();
        longer.push(0);
        assert!(read_live_piece(&longer, 3).is_err());
        let mut other = piece;
        let place = other.iter().position(|b| *b == b'1').unwrap();
        other[place] = b'2';
        assert!(read_live_piece(&other, 3).is_err(), "another label");
    }

    #[test]
    fn unknown_records_and_wrong_lengths_are_refused() {
        for record in [&[0x82, 0x07, 0x00][..], &[0x81, 0x04], &[0x83, 0x04, 0x01, 0x01], &[0x80]] {
            let mut w = Writer::new();
            w.array(3);
            w.text(LABEL);
            w.uint(0);
            w.array(1);
            w.raw(record);
            assert!(read_live_piece(w.as_slice(), 0).is_err(), "{record:02x?}");
        }
    }
}
