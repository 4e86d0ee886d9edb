//! What a tape is made of for who reads it as a stream.

use crate::codec::digest::{CustodyId, RootHash, TapeId};
use crate::tape::{Direction, EndState, Frame, FrameKind, Header, LiveRecord, Stats};

/// One record of a recording or of the tape that came of it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum TapeRecord {
    /// The first of all.
    Init(Box<InitRecord>),
    /// A frame.
    Frame(FrameRecord),
    /// A request joined with its answer; it follows the answer.
    Correlation(CorrelationRecord),
    /// How far the recording had come.
    Checkpoint(CheckpointRecord),
}

/// What is known of a session when its recording begins.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct InitRecord {
    /// The recording, and later the tape.
    pub custody: CustodyId,
    /// What was known. Of a tape: its header.
    pub header: Header,
}

/// A frame as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FrameRecord {
    /// Frame.
    pub frame: Frame,
}

/// How a request was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CorrelationStatus {
    /// With a result.
    Success,
    /// Nobody answered in time; only who writes a correlation can know that.
    Timeout,
    /// With an error.
    Error,
}

impl CorrelationStatus {
    /// The word of the version 2.0 files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Timeout => "timeout",
            Self::Error => "error",
        }
    }
}

/// A request and its answer. Times are those of the frames.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CorrelationRecord {
    /// Sequence number of the request.
    pub request_seq: u64,
    /// Sequence number of the answer; that of the request when none came.
    pub response_seq: u64,
    /// Milliseconds since the start.
    pub request_t_ms: Option<u64>,
    /// Milliseconds since the start.
    pub response_t_ms: Option<u64>,
    /// How it was answered.
    pub status: CorrelationStatus,
}

impl CorrelationRecord {
    /// A pair of frames.
    #[must_use]
    pub const fn new(request_seq: u64, response_seq: u64, status: CorrelationStatus) -> Self {
        Self { request_seq, response_seq, request_t_ms: None, response_t_ms: None, status }
    }

    /// `corr-A-B`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("corr-{}-{}", self.request_seq, self.response_seq)
    }

    /// Milliseconds from request to answer; `None` when a frame has no time.
    #[must_use]
    pub fn rtt_ms(&self) -> Option<u64> {
        Some(self.response_t_ms?.saturating_sub(self.request_t_ms?))
    }
}

/// How far a recording had come.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckpointRecord {
    /// Wall clock, nanoseconds since 1970.
    pub wall_ns: u64,
    /// Frames by then.
    pub frames: u64,
    /// RFC 6962 root over them.
    pub root: RootHash,
}

/// How a recording fares.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TapeStatus {
    /// Frames are taken.
    Recording,
    /// They are not, until it is resumed.
    Paused,
    /// It is a tape.
    Finalized,
    /// It cannot go on, and why.
    Error(String),
}

impl TapeStatus {
    /// The word of the version 2.0 files.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Paused => "paused",
            Self::Finalized => "finalized",
            Self::Error(_) => "error",
        }
    }
}

/// Round trips and rates.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub struct PerformanceStats {
    /// Requests that were answered, with times on both.
    pub round_trips: u64,
    /// Mean round trip in milliseconds.
    pub avg_rtt_ms: f64,
    /// Longest.
    pub max_rtt_ms: u64,
    /// Shortest.
    pub min_rtt_ms: u64,
    /// Frames a second, from the first to the last.
    pub messages_per_second: f64,
}

impl PerformanceStats {
    pub(super) fn add(&mut self, rtt_ms: u64) {
        let sum = self.avg_rtt_ms * self.round_trips as f64 + rtt_ms as f64;
        self.min_rtt_ms = if self.round_trips == 0 { rtt_ms } else { self.min_rtt_ms.min(rtt_ms) };
        self.max_rtt_ms = self.max_rtt_ms.max(rtt_ms);
        self.round_trips = self.round_trips.saturating_add(1);
        self.avg_rtt_ms = sum / self.round_trips as f64;
    }

    pub(super) fn rate(&mut self, frames: u64, span_ns: u64) {
        self.messages_per_second = if span_ns == 0 { 0.0 } else { frames as f64 * 1e9 / span_ns as f64 };
    }
}

/// What is known of a recording or a tape at the moment.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TapeMetadata {
    /// The recording.
    pub custody: CustodyId,
    /// The tape that came of it.
    pub tape: Option<TapeId>,
    /// What was known when it began; of a tape its header.
    pub header: Header,
    /// How it fares.
    pub status: TapeStatus,
    /// Counts so far.
    pub stats: Stats,
    /// Frames that are durable.
    pub durable_frames: u64,
    /// Frames that found no room, or came while it was paused.
    pub lost_frames: u64,
    /// Marks in the log so far.
    pub checkpoints: u64,
    /// Bytes in the spool.
    pub spooled_bytes: u64,
    /// Round trips and rates.
    pub performance: PerformanceStats,
}

/// How a spool's record is told.
pub(super) fn told(record: LiveRecord, custody: CustodyId) -> Option<TapeRecord> {
    match record {
        LiveRecord::Opened(header) => Some(TapeRecord::Init(Box::new(InitRecord { custody, header: *header }))),
        LiveRecord::Frame(frame) => Some(TapeRecord::Frame(FrameRecord { frame })),
        LiveRecord::Mark { frames, root, wall_ns } => {
            Some(TapeRecord::Checkpoint(CheckpointRecord { wall_ns, frames, root }))
        }
        LiveRecord::Gap(_) | LiveRecord::Paused { .. } | LiveRecord::Resumed { .. } | LiveRecord::Ended { .. } => None,
    }
}

/// The status that the end of a tape stands for.
pub(super) fn finalized(state: &EndState) -> TapeStatus {
    match state {
        EndState::Error(words) => TapeStatus::Error(String::from_utf8_lossy(words).into_owned()),
        _ => TapeStatus::Finalized,
    }
}

/// The media type of a frame that joins two others by the word of who recorded.
pub(super) const CORRELATION_MEDIA_TYPE: &[u8] = b"application/vnd.immutape.correlation+json";

/// A correlation that the messages do not show, as a frame of its own: it is evidence like any other.
pub(super) fn marker(record: &CorrelationRecord) -> Frame {
    let json = serde_json::json!({
        "id": record.id(), "request_seq": record.request_seq, "response_seq": record.response_seq,
        "request_t_ms": record.request_t_ms, "response_t_ms": record.response_t_ms, "rtt_ms": record.rtt_ms(),
        "status": record.status.word(),
    });
    let mut frame = Frame::message(0, Direction::Internal, json.to_string().into_bytes());
    frame.kind = FrameKind::Marker;
    frame.media_type = Some(CORRELATION_MEDIA_TYPE.to_vec());
    frame
}

/// The correlation that such a frame holds.
pub(super) fn marked(frame: &Frame) -> Option<CorrelationRecord> {
    if frame.kind != FrameKind::Marker || frame.media_type.as_deref() != Some(CORRELATION_MEDIA_TYPE) {
        return None;
    }
    let json: serde_json::Value = serde_json::from_slice(&frame.payload).ok()?;
    let number = |key: &str| json.get(key).and_then(serde_json::Value::as_u64);
    let status = match json.get("status").and_then(serde_json::Value::as_str)? {
        "timeout" => CorrelationStatus::Timeout,
        "error" => CorrelationStatus::Error,
        _ => CorrelationStatus::Success,
    };
    Some(CorrelationRecord {
        request_seq: number("request_seq")?,
        response_seq: number("response_seq")?,
        request_t_ms: number("request_t_ms"),
        response_t_ms: number("response_t_ms"),
        status,
    })
}
