//! A ledger's tapes piece by piece.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::ledger_backend::blocking;
use super::streaming::{FrameStream, TapeAppender};
use crate::capture::{LedgerAccess, RecordingOptions, StreamingTapeWriter};
use crate::codec::digest::TapeId;
use crate::error::{Code, Error, Result};
use crate::ledger::{FrameSelection, Ledger, TapeReader, TapeSaver, Who};
use crate::tape::{Frame, Header};
use crate::time::Clock;

/// Frames read ahead of who asks for them.
const FRAMES_AHEAD: usize = 16;

/// Takes frames into a saver, which is away while a thread seals what it was given.
pub(super) struct LedgerAppender {
    saver: Option<TapeSaver>,
    frames: u64,
}

impl LedgerAppender {
    pub(super) const fn new(saver: TapeSaver) -> Self {
        Self { saver: Some(saver), frames: 0 }
    }
}

fn failed_before() -> Error {
    Error::new(Code::Usage, "this tape failed before, and can only be dropped")
}

#[async_trait]
impl TapeAppender for LedgerAppender {
    async fn append(&mut self, frames: Vec<Frame>) -> Result<()> {
        let mut saver = self.saver.take().ok_or_else(failed_before)?;
        let (saver, done) = blocking(move || {
            let done = frames.iter().try_for_each(|frame| saver.frame(frame));
            (saver, done)
        })
        .await?;
        self.frames = saver.frames();
        done?;
        self.saver = Some(saver);
        Ok(())
    }

    fn frames(&self) -> u64 {
        self.frames
    }

    async fn finish(self: Box<Self>, header: Header) -> Result<TapeId> {
        let saver = self.saver.ok_or_else(failed_before)?;
        Ok(saver.finish(header).await?.tape)
    }
}

/// Takes frames as a recording: an entry opens it, and its frames are durable within 50 ms. Dropped, it is left to the next start.
pub(super) struct LiveAppender {
    writer: Option<StreamingTapeWriter>,
    frames: u64,
}

impl LiveAppender {
    /// Frames keep the times that they have, and get no others. A session is one tape, however long: this API knows no parts.
    pub(super) async fn begin(ledger: Ledger, who: Who, header: Header, clock: Arc<dyn Clock>) -> Result<Self> {
        let mut options = RecordingOptions::new(header);
        (options.fills_times, options.part_bytes, options.part_every) = (false, u64::MAX, Duration::MAX);
        let writer = StreamingTapeWriter::create(LedgerAccess::open(ledger), who, options, clock).await?;
        Ok(Self { writer: Some(writer), frames: 0 })
    }
}

#[async_trait]
impl TapeAppender for LiveAppender {
    async fn append(&mut self, frames: Vec<Frame>) -> Result<()> {
        // Taken until all is well: what failed can only be dropped.
        let writer = self.writer.take().ok_or_else(failed_before)?;
        for frame in frames {
            if frame.seq != self.frames {
                let words = format!("frame {} was given where frame {} belongs", frame.seq, self.frames);
                return Err(Error::new(Code::Usage, words));
            }
            writer.write_frame(frame).await?;
            self.frames = self.frames.saturating_add(1);
        }
        self.writer = Some(writer);
        Ok(())
    }

    fn frames(&self) -> u64 {
        self.frames
    }

    async fn finish(self: Box<Self>, header: Header) -> Result<TapeId> {
        let writer = self.writer.ok_or_else(failed_before)?;
        Ok(writer.finalize_as(header).await?.receipt.tape)
    }
}

/// A thread reads, checks and opens chunk by chunk, and waits while enough is read ahead.
pub(super) struct LedgerStream {
    header: Header,
    frames: Option<mpsc::Receiver<Frame>>,
    reading: Option<JoinHandle<(TapeReader, Result<()>)>>,
    /// The reader, once its thread is done.
    done: Option<TapeReader>,
}

impl LedgerStream {
    /// Must be made within a runtime.
    pub(super) fn new(reader: TapeReader, range: Option<(u64, u64)>) -> Self {
        let header = reader.header().clone();
        let selection = range.map_or(FrameSelection::All, |(first, last)| FrameSelection::Seq(first, last));
        let (give, frames) = mpsc::channel(FRAMES_AHEAD);
        let reading = tokio::task::spawn_blocking(move || {
            let read = reader.frames(selection, &mut |frame| give.blocking_send(frame).map_err(|_| stopped()));
            (reader, read)
        });
        Self { header, frames: Some(frames), reading: Some(reading), done: None }
    }

    /// Waits for the thread; what it ended with.
    async fn ended(&mut self) -> Result<()> {
        self.frames = None;
        let Some(reading) = self.reading.take() else { return Ok(()) };
        let died = |_| Error::new(Code::Broken, "the thread that read a tape died");
        let (reader, read) = reading.await.map_err(died)?;
        self.done = Some(reader);
        read
    }
}

/// Nobody asks for more.
fn stopped() -> Error {
    Error::new(Code::Conflict, "the reading was ended before the tape")
}

#[async_trait]
impl FrameStream for LedgerStream {
    fn header(&self) -> &Header {
        &self.header
    }

    async fn next(&mut self) -> Result<Option<Frame>> {
        if let Some(frames) = &mut self.frames
            && let Some(frame) = frames.recv().await
        {
            return Ok(Some(frame));
        }
        self.ended().await.map(|()| None)
    }

    async fn finish(mut self: Box<Self>) -> Result<()> {
        let ended = self.ended().await;
        if let Some(reader) = self.done.take() {
            reader.finish().await?;
        }
        match ended {
            Err(e) if e.code() == Code::Conflict => Ok(()),
            ended => ended,
        }
    }
}
