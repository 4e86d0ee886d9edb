//! Chunks of consecutive frames, and the sealed header that knows where each begins.

use zeroize::Zeroizing;

use super::{SealError, TapeKeys, open_object, seal_object};
use crate::codec::cbor::{Reader, Writer};
use crate::codec::digest::CustodyId;
use crate::codec::limits::{CHUNK_FRAMES_MAX, CHUNK_RAW_BYTES_TARGET, CHUNK_SPAN_NS_MAX, MANIFEST_OBJECTS_MAX};
use crate::tape::{Frame, FrameParts, Header, TapeError};

const LABEL: &str = "immutape/header/1";

/// Which frames one chunk holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkRange {
    /// First frame.
    pub first_seq: u64,
    /// Number of frames.
    pub frames: u64,
    /// Time of its earliest frame, nanoseconds since the start; 0 when none has one.
    pub first_t_ns: u64,
    /// Time of its latest frame.
    pub last_t_ns: u64,
}

/// Gathers frames until a chunk is full.
#[derive(Default)]
pub struct ChunkBuilder {
    raw: Zeroizing<Vec<u8>>,
    /// Bytes of this chunk that were taken as parts.
    taken: usize,
    range: Option<ChunkRange>,
    timed: bool,
}

impl ChunkBuilder {
    /// An empty chunk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Must the present chunk be closed before a frame of this length and time joins it?
    #[must_use]
    pub fn is_full_for(&self, encoded_bytes: usize, t_ns: Option<u64>) -> bool {
        let Some(range) = &self.range else { return false };
        let spans = t_ns.is_some_and(|t| self.timed && t.saturating_sub(range.first_t_ns) > CHUNK_SPAN_NS_MAX);
        range.frames >= CHUNK_FRAMES_MAX as u64
            || self.taken.saturating_add(self.raw.len()).saturating_add(encoded_bytes) > CHUNK_RAW_BYTES_TARGET
            || spans
    }

    /// Adds a frame with its time.
    pub fn push(&mut self, frame: &FrameParts<'_>, t_ns: Option<u64>) {
        let mut w = Writer::after(std::mem::take(&mut *self.raw));
        frame.write(&mut w);
        *self.raw = w.finish();
        let seq = frame.seq();
        let range = self.range.get_or_insert(ChunkRange { first_seq: seq, frames: 0, first_t_ns: 0, last_t_ns: 0 });
        range.frames = range.frames.saturating_add(1);
        if let Some(t) = t_ns {
            range.first_t_ns = if self.timed { range.first_t_ns.min(t) } else { t };
            range.last_t_ns = range.last_t_ns.max(t);
            self.timed = true;
        }
    }

    /// Nothing gathered?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.range.is_none()
    }

    /// Bytes gathered and not taken.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.raw.len()
    }

    /// What was gathered since the last part; the chunk goes on in `next`, an empty buffer.
    pub fn take_part(&mut self, mut next: Zeroizing<Vec<u8>>) -> Zeroizing<Vec<u8>> {
        self.taken = self.taken.saturating_add(self.raw.len());
        if next.capacity() == 0 {
            // As much room again: a buffer that grows copies what it holds, and leaves the copy behind.
            next.reserve_exact(self.raw.capacity().min(CHUNK_RAW_BYTES_TARGET));
        }
        std::mem::replace(&mut self.raw, next)
    }

    /// What was gathered and not taken, unsealed, with the range of the whole chunk; the next one is gathered in `next`.
    /// `None` when there is nothing.
    pub fn take_full(&mut self, next: Zeroizing<Vec<u8>>) -> Option<(ChunkRange, Zeroizing<Vec<u8>>)> {
        self.range?;
        let rest = self.take_part(next);
        self.close(rest)
    }

    /// As [`ChunkBuilder::take_full`], when no chunk follows.
    pub fn take(&mut self) -> Option<(ChunkRange, Zeroizing<Vec<u8>>)> {
        let rest = std::mem::take(&mut self.raw);
        self.close(rest)
    }

    fn close(&mut self, rest: Zeroizing<Vec<u8>>) -> Option<(ChunkRange, Zeroizing<Vec<u8>>)> {
        (self.timed, self.taken) = (false, 0);
        self.range.take().map(|range| (range, rest))
    }
}

/// Opens a chunk; its frames in order, checked against `range`.
///
/// # Errors
/// [`SealError`].
pub fn open_chunk(
    keys: &TapeKeys,
    custody: &CustodyId,
    position: u64,
    stored: &[u8],
    range: &ChunkRange,
) -> Result<Vec<Frame>, SealError> {
    let raw = open_object(keys, custody, position, stored)?;
    let mut r = Reader::new(&raw);
    let mut frames = Vec::new();
    let mut expected = range.first_seq;
    while !r.is_empty() {
        let frame = Frame::read(&mut r)?;
        if frame.seq != expected {
            return Err(TapeError::Sequence { expected, found: frame.seq }.into());
        }
        expected = expected.saturating_add(1);
        frames.push(frame);
    }
    let last = range.first_seq.saturating_add(range.frames);
    if expected != last {
        return Err(TapeError::Sequence { expected: last, found: expected }.into());
    }
    Ok(frames)
}

/// Object 0: the header and the ranges of the chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedHeader {
    /// The header.
    pub header: Header,
    /// One range a chunk, in order of position (position 1 is the first).
    pub chunks: Vec<ChunkRange>,
}

impl SealedHeader {
    /// Seals it as object 0.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn seal(&self, keys: &TapeKeys, salt: [u8; 32], custody: &CustodyId) -> Result<Vec<u8>, SealError> {
        seal_object(keys, salt, custody, 0, &self.encode()?)
    }

    fn encode(&self) -> Result<Vec<u8>, SealError> {
        let header = self.header.encode()?;
        let mut w =
            Writer::with_capacity(header.len().saturating_add(self.chunks.len().saturating_mul(24)).saturating_add(64));
        w.array(3);
        w.text(LABEL);
        w.raw(&header);
        w.array(self.chunks.len());
        for c in &self.chunks {
            w.array(4);
            w.uint(c.first_seq);
            w.uint(c.frames);
            w.uint(c.first_t_ns);
            w.uint(c.last_t_ns);
        }
        Ok(w.finish())
    }

    /// Opens object 0.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open(keys: &TapeKeys, custody: &CustodyId, stored: &[u8]) -> Result<Self, SealError> {
        Self::decode(&open_object(keys, custody, 0, stored)?)
    }

    fn decode(raw: &[u8]) -> Result<Self, SealError> {
        let mut r = Reader::new(raw);
        r.array_of(3)?;
        r.label(LABEL)?;
        let header = Header::decode(r.any_within(1)?)?;
        let count = r.array()?;
        if count > MANIFEST_OBJECTS_MAX {
            return Err(crate::codec::CborError::Items.into());
        }
        let (mut chunks, mut next) = (Vec::with_capacity(count), 0u64);
        for _ in 0..count {
            r.array_of(4)?;
            let c = ChunkRange { first_seq: r.uint()?, frames: r.uint()?, first_t_ns: r.uint()?, last_t_ns: r.uint()? };
            if c.first_t_ns > c.last_t_ns {
                return Err(crate::codec::CborError::Range.into());
            }
            if c.first_seq != next || c.frames == 0 {
                return Err(TapeError::Sequence { expected: next, found: c.first_seq }.into());
            }
            next = next.saturating_add(c.frames);
            chunks.push(c);
        }
        r.end()?;
        if header.stats.frames != next {
            return Err(TapeError::Sequence { expected: header.stats.frames, found: next }.into());
        }
        Ok(Self { header, chunks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Direction;

    fn frame(seq: u64, bytes: usize, t_ns: Option<u64>) -> Frame {
        Frame { t_ns, ..Frame::message(seq, Direction::Unknown, vec![b'x'; bytes]) }
    }

    /// How many frames the first chunk takes.
    fn taken(frames: impl Iterator<Item = Frame>) -> u64 {
        let mut chunk = ChunkBuilder::new();
        for frame in frames {
            let parts = frame.parts().unwrap();
            if chunk.is_full_for(parts.encoded_bytes(), frame.t_ns) {
                break;
            }
            chunk.push(&parts, frame.t_ns);
        }
        chunk.take().unwrap().0.frames
    }

    #[test]
    fn a_chunk_closes_at_a_thousand_frames_a_mebibyte_and_a_minute() {
        const SECOND: u64 = 1_000_000_000;
        assert_eq!(taken((0..2_000).map(|n| frame(n, 8, None))), 1_000);
        let encoded = frame(100, 100_000, None).parts().unwrap().encoded_bytes();
        assert_eq!(taken((0..100).map(|n| frame(100 + n, 100_000, None))), ((1 << 20) / encoded) as u64);
        assert_eq!(taken([frame(0, 2 << 20, None), frame(1, 1, None)].into_iter()), 1, "a long frame stands alone");
        assert_eq!(
            taken((0..200).map(|n| frame(n, 8, Some(n * SECOND)))),
            61,
            "60 s lie between the first and the last"
        );
        // A frame without a time closes nothing, and the first time that is there begins the minute.
        let times = [None, Some(500 * SECOND), None, Some(560 * SECOND), Some(560 * SECOND + 1)];
        assert_eq!(taken((0..).zip(times).map(|(n, t)| frame(n, 8, t))), 4);
    }
}
