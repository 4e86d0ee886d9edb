//! One line of a listing, as the seeds have it.

use crate::catalog::{Summary, TapeState};
use crate::codec::digest::TapeId;
use crate::tape::{Header, TapeKind};
use crate::time::Timestamp;

/// What a listing shows of a tape. Text is what is readable as UTF-8 of the bytes that were recorded, and is not escaped.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TapeIndexEntry {
    /// The tape.
    pub id: TapeId,
    /// Its id in the program that recorded it.
    pub legacy_id: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Namespace.
    pub namespace: String,
    /// Retention class.
    pub class: String,
    /// What kind of session.
    pub kind: TapeKind,
    /// When the session started, where it says so.
    pub started: Option<Timestamp>,
    /// When the tape was kept.
    pub saved: Timestamp,
    /// How the session ended.
    pub status: String,
    /// Frames.
    pub frame_count: u64,
    /// Error answers among them.
    pub error_count: u64,
    /// From the first frame to the last.
    pub duration_ms: Option<u64>,
    /// Bytes of all payloads.
    pub size_bytes: u64,
    /// Bytes that are stored for it.
    pub stored_bytes: u64,
    /// Methods that its messages name.
    pub methods: Vec<String>,
    /// What became of it.
    pub state: TapeState,
}

impl TapeIndexEntry {
    /// The line of a tape with this header.
    #[must_use]
    pub fn of(id: TapeId, header: &Header, saved: Timestamp, stored_bytes: u64) -> Self {
        Self::from(&Summary::of(id, header, saved, stored_bytes))
    }
}

impl From<&Summary> for TapeIndexEntry {
    fn from(s: &Summary) -> Self {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        Self {
            id: s.tape,
            legacy_id: s.legacy_tape_id.as_ref().map(text),
            name: s.name.as_ref().map(text),
            tags: s.tags.iter().map(text).collect(),
            namespace: s.namespace.clone(),
            class: s.class.clone(),
            kind: s.kind,
            started: s.started,
            saved: s.saved,
            status: s.end_state.clone(),
            frame_count: s.frames,
            error_count: s.errors,
            duration_ms: s.duration_ms,
            size_bytes: s.payload_bytes,
            stored_bytes: s.stored_bytes,
            methods: s.methods.iter().map(text).collect(),
            state: TapeState::Live,
        }
    }
}
