//! What a storage backend does.

use async_trait::async_trait;

use super::query::{Page, Query};
use super::stats::StorageStats;
use super::streaming::StreamingBackend;
use crate::codec::digest::TapeId;
use crate::error::Result;
use crate::tape::{Direction, Frame, Header, TapeKind};

/// A whole recorded session in memory. Longer ones go through [`StreamingBackend`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tape {
    /// What is said of the session. A backend may add to it (who recorded, how many frames), and changes nothing else.
    pub header: Header,
    /// Frames in order, numbered from 0 without gaps.
    pub frames: Vec<Frame>,
}

impl Tape {
    /// What a backend reads back.
    #[must_use]
    pub const fn of(header: Header, frames: Vec<Frame>) -> Self {
        Self { header, frames }
    }

    /// A tape without frames.
    #[must_use]
    pub fn new(kind: TapeKind) -> Self {
        Self { header: Header::new(kind), frames: Vec::new() }
    }

    /// Adds a message behind the last frame.
    ///
    /// ```
    /// use immutape::provider::Tape;
    /// use immutape::tape::{Direction, TapeKind};
    /// let mut tape = Tape::new(TapeKind::Other);
    /// tape.push(Direction::ClientToServer, b"hello");
    /// tape.push(Direction::ServerToClient, b"world");
    /// assert_eq!(tape.frames[1].seq, 1);
    /// ```
    pub fn push(&mut self, direction: Direction, payload: &[u8]) {
        self.frames.push(Frame::message(self.frames.len() as u64, direction, payload.to_vec()));
    }
}

/// What a backend promises beyond the trait. `provider::conformance` (feature `conformance`) holds it to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Capabilities {
    /// What was acknowledged outlives the process, and is there for a backend made with the same settings.
    pub is_durable: bool,
    /// [`TapeStorageBackend::streaming`] gives something.
    pub streams: bool,
    /// Every list, search and read is on record before it gives anything, and [`StorageStats::entries`] counts them.
    pub records_access: bool,
    /// What [`StreamingBackend::record`] was given is durable a moment later, long before the end: a session whose recorder dies
    /// becomes a tape that says it was cut off, with the next backend on the same settings.
    pub records_live: bool,
}

impl Capabilities {
    /// None of them.
    #[must_use]
    pub const fn none() -> Self {
        Self { is_durable: false, streams: false, records_access: false, records_live: false }
    }

    /// With this said of durability.
    #[must_use]
    pub const fn durable(self, is_durable: bool) -> Self {
        Self { is_durable, ..self }
    }

    /// With this said of streaming.
    #[must_use]
    pub const fn streaming(self, streams: bool) -> Self {
        Self { streams, ..self }
    }

    /// With this said of the record of every access.
    #[must_use]
    pub const fn recording_access(self, records_access: bool) -> Self {
        Self { records_access, ..self }
    }

    /// With this said of recordings that are cut off.
    #[must_use]
    pub const fn recording_live(self, records_live: bool) -> Self {
        Self { records_live, ..self }
    }
}

/// A place that keeps tapes.
///
/// Every call may be made from several tasks at once. A call that fails has changed nothing that another call would see,
/// unless its error is `E_IN_DOUBT`. Errors are [`Error`](crate::Error)s with a stable code; a cause of the backend's own
/// goes along as the source. No call may wait for ever: a place that does not answer is `E_IO`.
///
/// ```
/// use immutape::provider::TapeStorageBackend;
/// fn whatever_it_is(storage: std::sync::Arc<dyn TapeStorageBackend>) -> bool {
///     storage.capabilities().is_durable
/// }
/// ```
#[async_trait]
pub trait TapeStorageBackend: Send + Sync {
    /// Makes ready what the settings name: opens it, or makes it where there is none. Doing it again does nothing; without
    /// it, the first call that needs it does it.
    ///
    /// # Errors
    /// Those of opening the place.
    async fn initialize(&self) -> Result<()>;

    /// Keeps a tape, durable on return where [`Capabilities::is_durable`] says so; its id. The same content kept twice may
    /// have one id or two; either id gives the tape.
    ///
    /// # Errors
    /// `E_USAGE` when the frames are not numbered from 0 without gaps; `E_LIMIT`, `E_STORE_FULL`, `E_IO`.
    async fn save(&self, tape: &Tape) -> Result<TapeId>;

    /// Gives a tape back: every frame as it was, byte for byte.
    ///
    /// # Errors
    /// `E_NOT_FOUND`; `E_TAPE_DAMAGED` when it is not what was kept.
    async fn load(&self, id: &TapeId) -> Result<Tape>;

    /// Asks to remove a tape. Of a live tape this never succeeds: the error names the way.
    ///
    /// # Errors
    /// `E_DISPOSAL_REQUIRED` for a live tape, `E_NOT_FOUND` where there is none.
    async fn delete(&self, id: &TapeId) -> Result<()>;

    /// Lists tapes in the order in which they were kept.
    ///
    /// # Errors
    /// `E_USAGE` for a cursor that this backend did not give.
    async fn list(&self, query: &Query) -> Result<Page>;

    /// As [`TapeStorageBackend::list`], for who looks for something: where access is recorded, it is recorded as a search.
    ///
    /// # Errors
    /// As [`TapeStorageBackend::list`].
    async fn search(&self, query: &Query) -> Result<Page>;

    /// Counts over everything that is kept.
    ///
    /// # Errors
    /// Those of [`TapeStorageBackend::list`].
    async fn stats(&self) -> Result<StorageStats>;

    /// Is there a tape with this id?
    ///
    /// # Errors
    /// Those of the place; that there is none is `false`.
    async fn exists(&self, id: &TapeId) -> Result<bool>;

    /// What this backend promises beyond this trait.
    fn capabilities(&self) -> Capabilities;

    /// Tapes piece by piece, where the backend can.
    fn streaming(&self) -> Option<&dyn StreamingBackend> {
        None
    }

    /// Ends in order. Nothing is answered after it. What was acknowledged is kept without it, too.
    ///
    /// # Errors
    /// `E_IO`, `E_BROKEN`.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
