//! One session while it is recorded.

use std::sync::Arc;

use super::backend::{Tape, TapeStorageBackend};
use super::streaming::TapeAppender;
use crate::codec::digest::TapeId;
use crate::error::Result;
use crate::interchange::FrameCounts;
use crate::tape::{Direction, Frame, Header, TapeKind};

/// Takes the frames of one session. Where [`Capabilities::records_live`](super::Capabilities::records_live) says so, frames are
/// durable a moment after they came, and a session that never comes to [`Recording::finish`] is kept as a tape that was cut off;
/// elsewhere nothing is kept before that.
pub struct Recording {
    /// What is said of the session; may be filled in at any time before its end.
    pub header: Header,
    counts: FrameCounts,
    frames: u64,
    into: Into,
}

enum Into {
    /// Piece by piece.
    Appender(Box<dyn TapeAppender>),
    /// The backend takes whole tapes only: they are in memory until then.
    Whole(Arc<dyn TapeStorageBackend>, Vec<Frame>),
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording").field("frames", &self.frames).finish_non_exhaustive()
    }
}

impl Recording {
    pub(super) async fn begin(
        storage: Arc<dyn TapeStorageBackend>,
        kind: TapeKind,
        class: &str,
        namespace: &str,
    ) -> Result<Self> {
        let (class, namespace) = (class.to_owned(), namespace.to_owned());
        let header = Header { class, namespace, ..Header::new(kind) };
        let appender = match storage.streaming() {
            Some(streams) => Some(streams.record(header.clone()).await?),
            None => None,
        };
        let into = appender.map_or_else(|| Into::Whole(storage, Vec::new()), Into::Appender);
        Ok(Self { header, counts: FrameCounts::default(), frames: 0, into })
    }

    /// Adds a message without a time.
    ///
    /// # Errors
    /// As [`Recording::frame`].
    pub async fn message(&mut self, direction: Direction, payload: &[u8]) -> Result<()> {
        self.frame(Frame::message(0, direction, payload.to_vec())).await
    }

    /// Adds the next frame; its number is given here.
    ///
    /// # Errors
    /// As [`TapeAppender::append`].
    pub async fn frame(&mut self, mut frame: Frame) -> Result<()> {
        frame.seq = self.frames;
        self.counts.frame(&mut frame);
        // A payload that is too long for one frame becomes several.
        let pieces: Vec<Frame> = if frame.payload.is_empty() { vec![frame] } else { frame.pieces().collect() };
        self.frames = self.frames.saturating_add(pieces.len() as u64);
        match &mut self.into {
            Into::Appender(appender) => appender.append(pieces).await,
            Into::Whole(_, frames) => {
                frames.extend(pieces);
                Ok(())
            }
        }
    }

    /// Frames so far.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.frames
    }

    /// Keeps the session as a tape.
    ///
    /// # Errors
    /// As [`TapeStorageBackend::save`].
    pub async fn finish(self) -> Result<TapeId> {
        let mut header = self.header;
        self.counts.fill(&mut header);
        header.stats.frames = self.frames;
        match self.into {
            Into::Appender(appender) => appender.finish(header).await,
            Into::Whole(storage, frames) => storage.save(&Tape { header, frames }).await,
        }
    }
}
