//! The file beside a version 2.0 tape (`.extra.jsonl`): what cannot stand in it, a JSON record a line.

use std::borrow::Cow;
use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::bytes::Base64;
use super::document::json;
use super::exporter::{Scope, failed};
use super::hashed::HashedWriter;
use super::shape::FrameShape;
use crate::codec::digest::{Digest, TapeId};
use crate::codec::limits::FRAME_PAYLOAD_BYTES_MAX;
use crate::error::{Code, Error, Result};
use crate::tape::{Delimiter, Direction, FLAGS, Frame, FrameKind, TapeError};

/// Writes records, the head before the first of them: a tape that fits leaves the file empty.
pub(super) struct Beside<'a> {
    out: HashedWriter<&'a mut dyn Write>,
    scope: Scope,
    records: u64,
}

/// What was written beside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    /// Records, the head not counted.
    pub records: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of them.
    pub sha256: Digest,
}

#[derive(Serialize)]
struct Head<'a> {
    r#type: &'a str,
    version: u64,
    tape: String,
    first_frame: u64,
    frame_count: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    r#type: &'a str,
    line: u64,
    bytes: Base64<'a>,
}

impl<'a> Beside<'a> {
    pub(super) fn new(out: &'a mut dyn Write, scope: Scope) -> Self {
        Self { out: HashedWriter::new(out), scope, records: 0 }
    }

    /// A frame with all that is known of it.
    pub(super) fn frame(&mut self, f: &Frame) -> Result<()> {
        self.record(&FrameShape::beside(f))
    }

    /// A line of the source that was no frame.
    pub(super) fn line(&mut self, line: u64, bytes: &[u8]) -> Result<()> {
        self.record(&Line { r#type: "extra_line", line, bytes: Base64(bytes) })
    }

    fn record(&mut self, record: &impl Serialize) -> Result<()> {
        if self.records == 0 {
            let Scope { tape, first, frames } = self.scope;
            self.put(&Head {
                r#type: "extra",
                version: 1,
                tape: tape.to_text(),
                first_frame: first,
                frame_count: frames,
            })?;
        }
        self.records = self.records.saturating_add(1);
        self.put(record)
    }

    fn put(&mut self, record: &impl Serialize) -> Result<()> {
        json(&mut self.out, record).and_then(|()| self.out.write_all(b"\n")).map_err(failed)
    }

    pub(super) fn finish(mut self) -> Result<Written> {
        self.out.flush().map_err(failed)?;
        let (_, bytes, sha256) = self.out.finish();
        Ok(Written { records: self.records, bytes, sha256 })
    }
}

/// A record of the file beside a version 2.0 tape.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BesideRecord {
    /// The first: which tape, the number of its first frame, and how many there are in both files together.
    Head(Scope),
    /// A frame, with its number in the tape.
    Frame(Box<Frame>),
    /// A line of the source that was no frame: its number there, and its bytes.
    Line(u64, Vec<u8>),
}

/// Reads one line of the file beside a version 2.0 tape. The frames of the tape are those of both files: each from here has
/// its number, and those of the other file take the numbers that are left, in their order.
///
/// ```
/// use immutape::interchange::{BesideRecord, read_beside};
/// let line = r#"{"type":"extra_frame","seq":4,"kind":"stderr","direction":"internal","payload":{"b64":"/w=="},"delimiter":"lf"}"#;
/// let BesideRecord::Frame(frame) = read_beside(line)? else { panic!("a frame") };
/// assert_eq!((frame.seq, frame.payload.as_slice()), (4, &b"\xff"[..]));
/// # Ok::<(), immutape::Error>(())
/// ```
///
/// # Errors
/// `E_NOT_A_TAPE` for anything else, `E_NEWER_FORMAT`, `E_LIMIT` for a frame that no tape can hold.
pub fn read_beside(line: &str) -> Result<BesideRecord> {
    let record: Record<'_> = serde_json::from_str(line).map_err(|e| not_one().with_source(e))?;
    match record.r#type.as_str() {
        "extra" => match (record.version, record.tape, record.first_frame, record.frame_count) {
            (Some(1), Some(tape), Some(first), Some(frames)) => {
                Ok(BesideRecord::Head(Scope { tape: id(&tape)?, first, frames }))
            }
            (Some(version), ..) if version > 1 => Err(Error::new(
                Code::NewerFormat,
                format!("this file beside a tape is of version {version}; this program reads version 1"),
            )),
            _ => Err(not_one()),
        },
        "extra_line" => {
            let (number, bytes) = record.line.zip(record.bytes).ok_or_else(not_one)?;
            Ok(BesideRecord::Line(number, bytes.read()?))
        }
        "extra_frame" => record.frame().map(|frame| BesideRecord::Frame(Box::new(frame))),
        _ => Err(not_one()),
    }
}

fn id(text: &str) -> Result<TapeId> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let bytes = hex::decode(digits).map_err(|e| not_one().with_source(e))?;
    TapeId::from_slice(&bytes).ok_or_else(not_one)
}

/// The id of a tape of a ledger, where a version 2.0 tape bears one.
pub(in crate::interchange) fn named_tape(text: &str) -> Option<TapeId> {
    text.strip_prefix("sha256:").and_then(|_| id(text).ok())
}

#[derive(Deserialize)]
struct Record<'a> {
    r#type: String,
    version: Option<u64>,
    tape: Option<String>,
    first_frame: Option<u64>,
    frame_count: Option<u64>,
    line: Option<u64>,
    #[serde(borrow)]
    bytes: Option<Given<'a>>,
    seq: Option<u64>,
    t_ns: Option<u64>,
    wall_ns: Option<u64>,
    kind: Option<String>,
    direction: Option<String>,
    #[serde(borrow)]
    payload: Option<Given<'a>>,
    delimiter: Option<String>,
    #[serde(borrow)]
    media_type: Option<Given<'a>>,
    #[serde(borrow)]
    action: Option<Given<'a>>,
    #[serde(borrow)]
    transport: Option<Given<'a>>,
    #[serde(borrow)]
    correlation_id: Option<Given<'a>>,
    #[serde(default)]
    flags: Vec<String>,
    redactions: Option<String>,
    #[serde(borrow, default)]
    extra: Vec<GivenExtra<'a>>,
}

/// Bytes in either of their spellings: a long payload is not held as text and as bytes besides its line.
#[derive(Deserialize)]
#[serde(untagged)]
enum Given<'a> {
    Text(#[serde(borrow)] Cow<'a, str>),
    Base64 {
        #[serde(borrow)]
        b64: Cow<'a, str>,
    },
}

#[derive(Deserialize)]
struct GivenExtra<'a> {
    #[serde(borrow)]
    name: Given<'a>,
    #[serde(borrow)]
    json: Given<'a>,
}

impl Given<'_> {
    fn read(self) -> Result<Vec<u8>> {
        match self {
            Self::Text(text) => Ok(text.into_owned().into_bytes()),
            Self::Base64 { b64 } => STANDARD.decode(b64.as_bytes()).map_err(|e| not_one().with_source(e)),
        }
    }

    fn read_some(given: Option<Self>) -> Result<Option<Vec<u8>>> {
        given.map(Self::read).transpose()
    }
}

impl Record<'_> {
    fn frame(self) -> Result<Frame> {
        let direction = by_word(self.direction, Direction::from_number, Direction::word)?;
        let payload = self.payload.ok_or_else(not_one)?.read()?;
        if payload.len() > FRAME_PAYLOAD_BYTES_MAX {
            return Err(too_long(payload.len()));
        }
        let mut flags = 0u64;
        for name in &self.flags {
            let bit = FLAGS.iter().position(|flag| flag == name).ok_or_else(not_one)?;
            flags |= 1u64.wrapping_shl(bit as u32);
        }
        let pairs = self.extra.into_iter().map(|e| Ok((e.name.read()?, e.json.read()?)));
        let frame = Frame {
            t_ns: self.t_ns,
            wall_ns: self.wall_ns,
            kind: by_word(self.kind, FrameKind::from_number, FrameKind::word)?,
            delimiter: by_word(self.delimiter, Delimiter::from_number, Delimiter::word)?,
            media_type: Given::read_some(self.media_type)?,
            action: Given::read_some(self.action)?,
            transport: Given::read_some(self.transport)?,
            correlation_id: Given::read_some(self.correlation_id)?,
            flags,
            redactions: self.redactions.map(hex::decode).transpose().map_err(|e| not_one().with_source(e))?,
            extra: pairs.collect::<Result<_>>()?,
            ..Frame::message(self.seq.ok_or_else(not_one)?, direction, Vec::new())
        };
        // What is no lawful frame is found here: its reserved parts are read by the format's own reader.
        let encoded = frame.parts().map_err(unlawful)?.encode();
        Ok(Frame { payload, ..Frame::decode(&encoded).map_err(unlawful)? })
    }
}

/// A member of one of the format's closed sets, by its word.
fn by_word<T: Copy>(
    given: Option<String>,
    from_number: impl Fn(u64) -> std::result::Result<T, TapeError>,
    word: impl Fn(T) -> &'static str,
) -> Result<T> {
    let given = given.ok_or_else(not_one)?;
    (0..).map_while(|n| from_number(n).ok()).find(|v| word(*v) == given).ok_or_else(not_one)
}

fn not_one() -> Error {
    Error::new(Code::NotATape, "this is no record of a file beside a version 2.0 tape")
}

fn too_long(bytes: usize) -> Error {
    Error::new(
        Code::Limit,
        format!("this frame has {bytes} bytes; one that stands alone has at most {FRAME_PAYLOAD_BYTES_MAX}"),
    )
}

fn unlawful(e: TapeError) -> Error {
    Error::new(Code::Limit, "this frame is none that a tape can hold").with_source(e)
}
