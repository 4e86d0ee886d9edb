//! One ordered frame: the payload bytes exactly as seen, and an envelope about them.

use super::TapeError;
use super::kinds::{Delimiter, Direction, FLAGS, FrameKind, flags};
use super::lists::{not_empty, read_pairs, write_pairs};
use crate::codec::cbor::{CborError, Key, Reader, Writer};
use crate::codec::limits::{FRAME_ENVELOPE_BYTES_MAX, FRAME_PAYLOAD_BYTES_MAX};

/// One frame of a tape.
///
/// ```
/// use immutape::tape::{Delimiter, Direction, Frame, FrameKind};
/// let mut frame = Frame::message(0, Direction::ClientToServer, br#"{"jsonrpc":"2.0","id":1}"#.to_vec());
/// frame.t_ns = Some(2_000_000);
/// frame.delimiter = Delimiter::Lf;
/// let bytes = frame.parts()?.encode();
/// assert_eq!(Frame::decode(&bytes)?, frame);
/// # Ok::<(), immutape::tape::TapeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Position in the tape, without gaps.
    pub seq: u64,
    /// Nanoseconds since the start of the session.
    pub t_ns: Option<u64>,
    /// Wall clock as claimed by the source, nanoseconds since 1970.
    pub wall_ns: Option<u64>,
    /// What it holds.
    pub kind: FrameKind,
    /// Which way it went.
    pub direction: Direction,
    /// Bytes exactly as seen, without the delimiter.
    pub payload: Vec<u8>,
    /// What followed the payload on the wire.
    pub delimiter: Delimiter,
    /// Media type as given.
    pub media_type: Option<Vec<u8>>,
    /// Interceptor action, JSON text as given.
    pub action: Option<Vec<u8>>,
    /// Transport metadata, JSON text as given.
    pub transport: Option<Vec<u8>>,
    /// Correlation id as given.
    pub correlation_id: Option<Vec<u8>>,
    /// Bits of the flags module; 0 = none.
    pub flags: u64,
    /// Reserved: encoded array, absent until redaction exists.
    pub redactions: Option<Vec<u8>>,
    /// Fields of the source's record that have no place here: name and JSON text, in source order.
    pub extra: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Frame {
    /// A message without times.
    #[must_use]
    pub const fn message(seq: u64, direction: Direction, payload: Vec<u8>) -> Self {
        Self {
            seq,
            t_ns: None,
            wall_ns: None,
            kind: FrameKind::Message,
            direction,
            payload,
            delimiter: Delimiter::None,
            media_type: None,
            action: None,
            transport: None,
            correlation_id: None,
            flags: 0,
            redactions: None,
            extra: Vec::new(),
        }
    }

    /// The frame as several, none with a payload that is too long: numbers go on from its own, and all but the last are
    /// flagged `continued`. Everything else that it says stands in each.
    ///
    /// ```
    /// use immutape::tape::{Direction, Frame, flags};
    /// let long = Frame::message(7, Direction::Unknown, vec![b'x'; (16 << 20) + 1]);
    /// let pieces: Vec<Frame> = long.pieces().collect();
    /// assert_eq!(pieces.iter().map(|p| (p.seq, p.payload.len(), p.flags)).collect::<Vec<_>>(), [(7, 16 << 20, flags::CONTINUED), (8, 1, 0)]);
    /// ```
    pub fn pieces(&self) -> impl Iterator<Item = Self> + '_ {
        let last = self.payload.len().div_ceil(FRAME_PAYLOAD_BYTES_MAX).saturating_sub(1) as u64;
        let parts = (0u64..).zip(self.payload.chunks(FRAME_PAYLOAD_BYTES_MAX));
        parts.map(move |(n, part)| Self {
            seq: self.seq.saturating_add(n),
            payload: part.to_vec(),
            flags: if n < last { self.flags | flags::CONTINUED } else { self.flags },
            ..self.without_payload()
        })
    }

    fn without_payload(&self) -> Self {
        Self {
            payload: Vec::new(),
            media_type: self.media_type.clone(),
            action: self.action.clone(),
            transport: self.transport.clone(),
            correlation_id: self.correlation_id.clone(),
            redactions: self.redactions.clone(),
            extra: self.extra.clone(),
            ..*self
        }
    }

    /// Encodes the envelope's two runs of fields once; everything else is put together from them.
    ///
    /// # Errors
    /// [`TapeError::Limit`] for a payload or envelope that is too long, [`TapeError::Value`] for unknown flags.
    pub fn parts(&self) -> Result<FrameParts<'_>, TapeError> {
        self.parts_in(Writer::with_capacity(64))
    }

    /// The same in a buffer that is used again: [`FrameParts::into_buffer`].
    ///
    /// # Errors
    /// As [`Frame::parts`].
    pub fn parts_in(&self, mut w: Writer) -> Result<FrameParts<'_>, TapeError> {
        w.clear();
        let limit = |what, found: usize, max: usize| {
            if found > max { Err(TapeError::Limit { what, found: found as u64, max: max as u64 }) } else { Ok(()) }
        };
        limit("the payload of a frame in bytes", self.payload.len(), FRAME_PAYLOAD_BYTES_MAX)?;
        if self.flags & !flags::ALL != 0 {
            return Err(TapeError::Value { field: "flags", value: self.flags });
        }
        let mut fields = 0usize;
        let mut uint = |w: &mut Writer, key: u64, value: Option<u64>| {
            if let Some(v) = value {
                w.uint(key);
                w.uint(v);
                fields = fields.saturating_add(1);
            }
        };
        uint(&mut w, 0, Some(self.seq));
        uint(&mut w, 1, self.t_ns);
        uint(&mut w, 2, self.wall_ns);
        uint(&mut w, 3, Some(self.kind.number()));
        uint(&mut w, 4, Some(self.direction.number()));
        let before_bytes = w.len();
        uint(&mut w, 6, Some(self.delimiter.number()));
        let texts = [(7, &self.media_type), (8, &self.action), (9, &self.transport), (10, &self.correlation_id)];
        for (key, value) in texts {
            if let Some(v) = value {
                w.uint(key);
                w.bytes(v);
                fields = fields.saturating_add(1);
            }
        }
        if self.flags != 0 {
            w.uint(11);
            w.uint(self.flags);
            fields = fields.saturating_add(1);
        }
        if let Some(encoded) = &self.redactions {
            w.uint(12);
            w.raw(encoded);
            fields = fields.saturating_add(1);
        }
        if !self.extra.is_empty() {
            w.uint(13);
            write_pairs(&mut w, &self.extra);
            fields = fields.saturating_add(1);
        }
        let parts = FrameParts { fields, encoded: w, before_bytes, seq: self.seq, payload: &self.payload };
        limit("the envelope of a frame in bytes", parts.envelope_bytes(), FRAME_ENVELOPE_BYTES_MAX)?;
        Ok(parts)
    }

    /// Reads one whole encoded frame.
    ///
    /// # Errors
    /// [`TapeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, TapeError> {
        let mut r = Reader::new(bytes);
        let frame = Self::read(&mut r)?;
        r.end()?;
        Ok(frame)
    }

    /// Puts a frame together from its envelope and its payload.
    ///
    /// # Errors
    /// [`TapeError`].
    pub fn of_parts(envelope: &[u8], payload: &[u8]) -> Result<Self, TapeError> {
        let mut r = Reader::new(envelope);
        let (mut frame, has_payload) = Self::read_fields(&mut r)?;
        r.end()?;
        if has_payload {
            return Err(CborError::UnknownKey.into());
        }
        frame.payload = payload.to_vec();
        frame.parts()?;
        Ok(frame)
    }

    /// Reads the next frame of a sequence.
    ///
    /// # Errors
    /// [`TapeError`].
    pub fn read(r: &mut Reader<'_>) -> Result<Self, TapeError> {
        match Self::read_fields(r)? {
            (frame, true) => Ok(frame),
            (_, false) => Err(CborError::MissingKey.into()),
        }
    }

    /// Reads the map of a frame or of an envelope; whether a payload was in it.
    fn read_fields(r: &mut Reader<'_>) -> Result<(Self, bool), TapeError> {
        let start = r.position();
        let mut f = Self::message(0, Direction::Unknown, Vec::new());
        let (mut seen, mut fault) = (0u16, None);
        r.map(|key, v| {
            let Key::Int(key) = key else { return Err(CborError::UnknownKey) };
            seen |= 1u16.checked_shl(u32::try_from(key).unwrap_or(u32::MAX)).unwrap_or(0);
            // Errors of the tables are kept aside: the map reader speaks of CBOR only.
            match f.read_field(key, v) {
                Err(TapeError::Cbor(e)) => Err(e),
                Err(e) => {
                    fault.get_or_insert(e);
                    Ok(())
                }
                Ok(()) => Ok(()),
            }
        })?;
        let envelope = r.position().saturating_sub(start).saturating_sub(f.payload.len());
        if envelope > FRAME_ENVELOPE_BYTES_MAX.saturating_add(PAYLOAD_KEY_AND_HEAD_BYTES_MAX) {
            // Only a frame far past the limit is refused before it is put together; the exact limit is that of `parts`.
            fault.get_or_insert(too_long_envelope(envelope));
        } else if fault.is_none() && envelope > FRAME_ENVELOPE_BYTES_MAX {
            f.parts()?;
        }
        const PAYLOAD: u16 = 1 << 5;
        const REQUIRED: u16 = 1 | 1 << 3 | 1 << 4 | 1 << 6;
        match fault {
            Some(fault) => Err(fault),
            None if seen & REQUIRED != REQUIRED => Err(CborError::MissingKey.into()),
            None => Ok((f, seen & PAYLOAD != 0)),
        }
    }

    fn read_field(&mut self, key: i64, v: &mut Reader<'_>) -> Result<(), TapeError> {
        let owned = |v: &mut Reader<'_>| v.bytes().map(<[u8]>::to_vec);
        match key {
            0 => self.seq = v.uint()?,
            1 => self.t_ns = Some(v.uint()?),
            2 => self.wall_ns = Some(v.uint()?),
            3 => self.kind = FrameKind::from_number(v.uint()?)?,
            4 => self.direction = Direction::from_number(v.uint()?)?,
            5 => {
                let payload = v.bytes()?;
                if payload.len() > FRAME_PAYLOAD_BYTES_MAX {
                    return Err(TapeError::Limit {
                        what: "the payload of a frame in bytes",
                        found: payload.len() as u64,
                        max: FRAME_PAYLOAD_BYTES_MAX as u64,
                    });
                }
                self.payload = payload.to_vec();
            }
            6 => self.delimiter = Delimiter::from_number(v.uint()?)?,
            7 => self.media_type = Some(owned(v)?),
            8 => self.action = Some(owned(v)?),
            9 => self.transport = Some(owned(v)?),
            10 => self.correlation_id = Some(owned(v)?),
            11 => {
                self.flags = v.uint()?;
                if self.flags == 0 || self.flags & !flags::ALL != 0 {
                    return Err(TapeError::Value { field: "flags", value: self.flags });
                }
            }
            12 => self.redactions = Some(read_redactions(v)?.to_vec()),
            13 => self.extra = not_empty(read_pairs(v)?)?,
            _ => return Err(CborError::UnknownKey.into()),
        }
        Ok(())
    }

    /// Is this flag bit set?
    #[must_use]
    pub const fn has(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    /// Names of the flags that are set.
    #[must_use]
    pub fn flag_names(&self) -> Vec<&'static str> {
        FLAGS.iter().enumerate().filter(|(bit, _)| self.flags >> bit & 1 == 1).map(|(_, name)| *name).collect()
    }
}

/// A frame's fields before and after the payload, encoded once.
#[derive(Debug)]
pub struct FrameParts<'a> {
    fields: usize,
    encoded: Writer,
    /// So many bytes of them stand before the payload.
    before_bytes: usize,
    pub(super) seq: u64,
    pub(super) payload: &'a [u8],
}

impl FrameParts<'_> {
    /// Position in the tape.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// The buffer they were made in.
    #[must_use]
    pub fn into_buffer(self) -> Writer {
        self.encoded
    }

    /// The whole frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(self.encoded_bytes());
        self.write(&mut w);
        w.finish()
    }

    /// Writes the whole frame.
    pub fn write(&self, w: &mut Writer) {
        let (before, after) = self.encoded.as_slice().split_at_checked(self.before_bytes).unwrap_or_default();
        w.map(self.fields.saturating_add(1));
        w.raw(before);
        w.uint(5);
        w.bytes(self.payload);
        w.raw(after);
    }

    /// Length of the whole frame; at most 14 fields, so its head takes one byte, as key 5 does.
    #[must_use]
    pub fn encoded_bytes(&self) -> usize {
        let head = match self.payload.len() {
            0..=23 => 1,
            24..=0xff => 2,
            0x100..=0xffff => 3,
            // A payload has at most 16 MiB.
            _ => 5usize,
        };
        self.envelope_bytes().saturating_add(1).saturating_add(head).saturating_add(self.payload.len())
    }

    /// The envelope: the frame without its payload.
    #[must_use]
    pub fn envelope(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(self.envelope_bytes());
        self.write_envelope(&mut w);
        w.finish()
    }

    /// Writes the envelope.
    pub(super) fn write_envelope(&self, w: &mut Writer) {
        w.map(self.fields);
        w.raw(self.encoded.as_slice());
    }

    /// Length of the envelope; at most 13 fields, so its head takes one byte.
    #[must_use]
    pub const fn envelope_bytes(&self) -> usize {
        self.encoded.len().saturating_add(1)
    }
}

/// Key 5 and the longest head of its byte string.
const PAYLOAD_KEY_AND_HEAD_BYTES_MAX: usize = 10;

const fn too_long_envelope(found: usize) -> TapeError {
    TapeError::Limit {
        what: "the envelope of a frame in bytes",
        found: found as u64,
        max: FRAME_ENVELOPE_BYTES_MAX as u64,
    }
}

/// The reserved list of redactions, checked for its shape; its bytes.
fn read_redactions<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], CborError> {
    let mut shape = r.clone();
    let n = shape.array()?;
    if n == 0 {
        return Err(CborError::Length);
    }
    for _ in 0..n {
        shape.array_of(3)?;
        shape.bytes()?;
        shape.text()?;
        shape.bytes_n::<32>()?;
    }
    r.any_within(1)
}
