//! What is said about a recording before it begins.

use std::time::Duration;

use crate::ledger::LiveOptions;
use crate::tape::{Header, TapeKind};

/// When frames are durable: the window is what a power cut may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Before a frame is acknowledged; a recorded program's lines before they are passed on. Nothing is lost that anybody
    /// saw a whole line of.
    Each,
    /// At least so often. As much as came within it is lost at most, and the time one sync takes: by a power cut, and by the end
    /// of the recorder itself, in whose memory frames wait until then.
    Interval(Duration),
    /// When the operating system sees fit. A killed recorder loses what came within its last half second; a power cut may
    /// take whatever the system had not written, half a minute as a rule.
    Os,
}

impl Default for Durability {
    fn default() -> Self {
        Self::Interval(Duration::from_millis(50))
    }
}

impl std::fmt::Display for Durability {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Each => f.write_str("each frame"),
            Self::Interval(every) => write!(f, "every {} ms", every.as_millis()),
            Self::Os => f.write_str("when the system sees fit"),
        }
    }
}

/// What happens when frames cannot be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnStorageFailure {
    /// The recording ends with an error, and so does what it records.
    #[default]
    Stop,
    /// The session goes on; frames that found no room are counted, and a gap says so where they would have been.
    ContinueWithGap,
}

/// How a session is recorded.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RecordingOptions {
    /// What is known of the session: labels, kind, transport, environment. Counts, times and end are filled in.
    pub header: Header,
    /// When frames are durable.
    pub durability: Durability,
    /// What happens when they cannot be stored.
    pub on_storage_failure: OnStorageFailure,
    /// A mark goes to the log after this long,
    pub mark_every: Duration,
    /// or after so many frames.
    pub mark_frames: u64,
    /// The recording is sealed and goes on in another after this long,
    pub part_every: Duration,
    /// or after so many bytes in the spool.
    pub part_bytes: u64,
    /// Frames without a time get the one at which they came. Otherwise they have none: who records afterwards knows it of no
    /// frame.
    pub fills_times: bool,
}

impl RecordingOptions {
    /// With what is usual: durable every 50 ms, marks every minute or 1,000 frames, parts of a day or 1 GiB, and an end with
    /// an error when frames cannot be stored.
    #[must_use]
    pub fn new(header: Header) -> Self {
        Self {
            header,
            durability: Durability::default(),
            on_storage_failure: OnStorageFailure::default(),
            mark_every: Duration::from_secs(60),
            mark_frames: 1_000,
            part_every: Duration::from_secs(24 * 60 * 60),
            part_bytes: 1 << 30,
            fills_times: true,
        }
    }

    /// Of the Model Context Protocol, with a name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let mut header = Header::new(TapeKind::Mcp);
        header.labels.name = Some(name.as_bytes().to_vec());
        Self::new(header)
    }

    pub(super) fn live(&self) -> LiveOptions {
        LiveOptions::new(&self.header.class, &self.header.namespace)
    }
}
