//! Tapes piece by piece: what is too long for memory, or not over yet.

use async_trait::async_trait;

use crate::codec::digest::TapeId;
use crate::error::Result;
use crate::tape::{Frame, Header};

/// Which frames, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum FrameRange {
    /// All of them.
    #[default]
    All,
    /// From the first to the last, both included.
    Seq(u64, u64),
}

/// A backend that takes and gives tapes in pieces.
#[async_trait]
pub trait StreamingBackend: Send + Sync {
    /// Begins a tape of this class and namespace, which is not there before [`TapeAppender::finish`].
    ///
    /// # Errors
    /// As [`TapeStorageBackend::save`](super::TapeStorageBackend::save).
    async fn append_frames(&self, class: &str, namespace: &str) -> Result<Box<dyn TapeAppender>>;

    /// Begins a tape of a session that goes on now; `header` is what is known of it so far, with its class and namespace. Where
    /// [`Capabilities::records_live`](super::Capabilities::records_live) says so it outlives its recorder; elsewhere it is begun as by
    /// [`StreamingBackend::append_frames`], and there is nothing of it before its end.
    ///
    /// # Errors
    /// As [`StreamingBackend::append_frames`].
    async fn record(&self, header: Header) -> Result<Box<dyn TapeAppender>> {
        self.append_frames(&header.class, &header.namespace).await
    }

    /// Opens a tape to be read in order, some frames in memory at a time.
    ///
    /// # Errors
    /// As [`TapeStorageBackend::load`](super::TapeStorageBackend::load); `E_NO_FRAME` for a range that is not in the tape, here
    /// or from the first [`FrameStream::next`]; `E_USAGE` for one that ends before it begins.
    async fn stream_frames(&self, id: &TapeId, range: FrameRange) -> Result<Box<dyn FrameStream>>;
}

/// Takes the frames of one tape. Dropped before its end, it leaves no tape, but for one that
/// [`StreamingBackend::record`] began where recordings outlive their recorder: that is cut off then.
#[async_trait]
pub trait TapeAppender: Send {
    /// Adds the next frames, numbered on from those before.
    ///
    /// # Errors
    /// `E_USAGE` for a number out of turn; `E_LIMIT`, `E_STORE_FULL`, `E_IO`. The tape can then only be dropped.
    async fn append(&mut self, frames: Vec<Frame>) -> Result<()>;

    /// Frames so far.
    fn frames(&self) -> u64;

    /// Keeps the tape, as [`TapeStorageBackend::save`](super::TapeStorageBackend::save) does. Class and namespace are those
    /// that it was begun with, whatever the header says.
    ///
    /// # Errors
    /// As [`TapeStorageBackend::save`](super::TapeStorageBackend::save).
    async fn finish(self: Box<Self>, header: Header) -> Result<TapeId>;
}

/// Gives the frames of one tape.
#[async_trait]
pub trait FrameStream: Send {
    /// What is said of the session.
    fn header(&self) -> &Header;

    /// The next frame; `None` after the last.
    ///
    /// # Errors
    /// `E_TAPE_DAMAGED`, `E_IO`; nothing follows then.
    async fn next(&mut self) -> Result<Option<Frame>>;

    /// Ends the reading, and records how much was given where access is recorded. Dropping the stream does as much, as far
    /// as it can without waiting.
    ///
    /// # Errors
    /// `E_AUDIT_UNAVAILABLE`.
    async fn finish(self: Box<Self>) -> Result<()>;
}
