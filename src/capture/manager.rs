//! Many recordings and their readers, under one roof.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::access::LedgerAccess;
use super::options::RecordingOptions;
use super::reader::StreamingTapeReader;
use super::records::{TapeMetadata, TapeStatus};
use super::recover::{Recovered, recover};
use super::syncer::Syncer;
use super::writer::{FinishedRecording, StreamingTapeWriter};
use crate::codec::digest::CustodyId;
use crate::error::{Code, Error, Result};
use crate::ledger::Who;
use crate::tape::{EndState, Frame};
use crate::time::Clock;

/// Records many sessions at once over one ledger. Cheap to clone.
///
/// One thread makes the frames of all of them durable, so that a recording costs little more than what waits in it.
#[derive(Clone)]
pub struct TapeManager(Arc<Inner>);

struct Inner {
    access: LedgerAccess,
    who: Who,
    clock: Arc<dyn Clock>,
    syncer: Syncer,
    writers: Mutex<HashMap<CustodyId, Arc<StreamingTapeWriter>>>,
    readers: Mutex<HashMap<CustodyId, u64>>,
    started: AtomicU64,
    finished: AtomicU64,
}

/// How many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ManagerCounts {
    /// Recordings that take frames.
    pub recording: u64,
    /// Recordings that are paused.
    pub paused: u64,
    /// Recordings that failed and were not ended yet.
    pub failed: u64,
    /// Readers that were not let go of.
    pub readers: u64,
    /// Recordings begun here.
    pub started: u64,
    /// Recordings that became tapes here.
    pub finished: u64,
}

impl std::fmt::Debug for TapeManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TapeManager").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

impl TapeManager {
    /// Over a ledger, for somebody. What earlier recorders left is sealed first.
    ///
    /// # Errors
    /// As [`recover`] and [`LedgerAccess::with`].
    pub async fn start(access: LedgerAccess, who: Who, clock: Arc<dyn Clock>) -> Result<(Self, Vec<Recovered>)> {
        let recovered = access.with(async |ledger| recover(ledger, &who).await).await?;
        let inner = Inner {
            access,
            who,
            clock,
            syncer: Syncer::new(tokio::runtime::Handle::current()),
            writers: Mutex::default(),
            readers: Mutex::default(),
            started: AtomicU64::new(0),
            finished: AtomicU64::new(0),
        };
        Ok((Self(Arc::new(inner)), recovered))
    }

    /// Begins a recording; its custody id.
    ///
    /// # Errors
    /// As [`StreamingTapeWriter::create`].
    pub async fn start_recording(&self, options: RecordingOptions) -> Result<CustodyId> {
        let Inner { access, who, clock, syncer, .. } = &*self.0;
        let writer =
            StreamingTapeWriter::create_with(access.clone(), who.clone(), options, clock.clone(), syncer.clone())
                .await?;
        let custody = writer.custody();
        self.writers().insert(custody, Arc::new(writer));
        self.0.started.fetch_add(1, Ordering::Relaxed);
        Ok(custody)
    }

    /// Gives a recording its next frame.
    ///
    /// # Errors
    /// `E_NOT_FOUND`; as [`StreamingTapeWriter::write_frame`].
    pub async fn write_frame(&self, recording: &CustodyId, frame: Frame) -> Result<Option<u64>> {
        self.writer(recording)?.write_frame(frame).await
    }

    /// The writer of a recording, for who gives it many frames. To be let go of before the recording is ended.
    ///
    /// # Errors
    /// `E_NOT_FOUND`.
    pub fn writer(&self, recording: &CustodyId) -> Result<Arc<StreamingTapeWriter>> {
        self.writers()
            .get(recording)
            .cloned()
            .ok_or_else(|| Error::new(Code::NotFound, format!("nothing is recorded here as {}", recording.to_hex())))
    }

    /// Stops taking frames.
    ///
    /// # Errors
    /// `E_NOT_FOUND`; as [`StreamingTapeWriter::pause`].
    pub fn pause(&self, recording: &CustodyId) -> Result<()> {
        self.writer(recording)?.pause()
    }

    /// Takes frames again.
    ///
    /// # Errors
    /// As [`TapeManager::pause`].
    pub fn resume(&self, recording: &CustodyId) -> Result<()> {
        self.writer(recording)?.resume()
    }

    /// How a recording fares.
    ///
    /// # Errors
    /// `E_NOT_FOUND`.
    pub fn metadata(&self, recording: &CustodyId) -> Result<TapeMetadata> {
        self.writer(recording).map(|writer| writer.metadata())
    }

    /// Ends a recording and seals it.
    ///
    /// # Errors
    /// `E_NOT_FOUND`; `E_CONFLICT` while somebody has its writer (it goes on then); as [`StreamingTapeWriter::finalize`].
    pub async fn stop_recording(&self, recording: &CustodyId, end: EndState) -> Result<FinishedRecording> {
        let writer = {
            let mut writers = self.writers();
            let writer = writers.remove(recording).ok_or_else(|| {
                Error::new(Code::NotFound, format!("nothing is recorded here as {}", recording.to_hex()))
            })?;
            match Arc::try_unwrap(writer) {
                Ok(writer) => writer,
                Err(shared) => {
                    writers.insert(*recording, shared);
                    return Err(Error::new(Code::Conflict, "somebody still writes to this recording"));
                }
            }
        };
        let finished = writer.finalize(end).await?;
        self.0.finished.fetch_add(1, Ordering::Relaxed);
        Ok(finished)
    }

    /// Opens a recording or a tape for reading. To be let go of with [`TapeManager::close_reader`].
    ///
    /// # Errors
    /// As [`StreamingTapeReader::open`].
    pub async fn open_for_reading(&self, id: &str) -> Result<StreamingTapeReader> {
        let reader = StreamingTapeReader::open(self.0.access.clone(), self.0.who.clone(), id).await?;
        let mut readers = self.0.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let count = readers.entry(reader.first()).or_default();
        *count = count.saturating_add(1);
        Ok(reader)
    }

    /// Opens a recording from its beginning, to be followed to its end, through all its parts: [`StreamingTapeReader::follow`]. By
    /// the id that [`TapeManager::start_recording`] gave, however far it has come since.
    ///
    /// # Errors
    /// As [`StreamingTapeReader::open`].
    pub async fn follow_tape(&self, recording: &CustodyId) -> Result<StreamingTapeReader> {
        self.open_for_reading(&recording.to_hex()).await
    }

    /// Lets go of a reader; how much it read is recorded.
    ///
    /// # Errors
    /// As [`StreamingTapeReader::close`].
    pub async fn close_reader(&self, reader: StreamingTapeReader) -> Result<()> {
        {
            // By what it was opened as: it may have gone on into other parts of the session since.
            let mut readers = self.0.readers.lock().unwrap_or_else(PoisonError::into_inner);
            if let Entry::Occupied(mut count) = readers.entry(reader.first()) {
                *count.get_mut() = count.get().saturating_sub(1);
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
        reader.close().await
    }

    /// Readers of one recording or tape that were not let go of.
    #[must_use]
    pub fn reader_count(&self, recording: &CustodyId) -> u64 {
        self.0.readers.lock().unwrap_or_else(PoisonError::into_inner).get(recording).copied().unwrap_or(0)
    }

    /// How many there are of everything.
    #[must_use]
    pub fn counts(&self) -> ManagerCounts {
        let mut counts = ManagerCounts {
            readers: self.0.readers.lock().unwrap_or_else(PoisonError::into_inner).values().sum(),
            started: self.0.started.load(Ordering::Relaxed),
            finished: self.0.finished.load(Ordering::Relaxed),
            ..ManagerCounts::default()
        };
        for writer in self.writers().values() {
            let count = match writer.status() {
                TapeStatus::Paused => &mut counts.paused,
                TapeStatus::Error(_) => &mut counts.failed,
                _ => &mut counts.recording,
            };
            *count = count.saturating_add(1);
        }
        counts
    }

    fn writers(&self) -> std::sync::MutexGuard<'_, HashMap<CustodyId, Arc<StreamingTapeWriter>>> {
        self.0.writers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
