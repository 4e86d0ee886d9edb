//! Sealing the chunks of one tape: on the caller's thread while the tape is short, beside it from the first full
//! chunk on, so that one chunk is hashed and compressed while the leaves of the next are made.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use zeroize::Zeroizing;

use super::core::{Core, died};
use crate::codec::digest::{CustodyId, ObjectDigest, sha256};
use crate::error::{Code, Error, Result};
use crate::seal::{ChunkRange, TapeKeys, seal_object};
use crate::store::{ObjectRef, Protection};
use crate::tape::ContentDigest;

/// Objects of a long tape are synced and read back after this many bytes, so that the end is quick.
const VERIFY_EVERY_BYTES: u64 = 32 << 20;
/// Chunks that wait for the thread: with the one it seals and the one being gathered, a tape takes about 3 MiB.
const PIECES_WAITING: usize = 1;

/// Frames gathered into one chunk.
pub(super) struct Piece {
    pub range: ChunkRange,
    pub raw: Zeroizing<Vec<u8>>,
    pub salt: [u8; 32],
}

/// The sealed chunks of a tape, in order.
pub(super) struct Chunks {
    core: Arc<Core>,
    keys: Arc<TapeKeys>,
    custody: CustodyId,
    content: ContentDigest,
    pub ranges: Vec<ChunkRange>,
    pub objects: Vec<ObjectRef>,
    /// How many of the objects were read back from the disk.
    pub verified: usize,
    unverified_bytes: u64,
}

impl Chunks {
    fn seal(&mut self, piece: &Piece) -> Result<()> {
        let position = (self.ranges.len() as u64).saturating_add(1);
        let stored = seal_object(&self.keys, piece.salt, &self.custody, position, &piece.raw)?;
        let object = put(&self.core, &stored)?;
        self.unverified_bytes = self.unverified_bytes.saturating_add(object.bytes);
        self.ranges.push(piece.range);
        self.objects.push(object);
        if self.unverified_bytes > VERIFY_EVERY_BYTES {
            self.verify()?;
        }
        Ok(())
    }

    fn verify(&mut self) -> Result<()> {
        self.core.heed(self.core.stores.objects.sync())?;
        for object in self.objects.get(self.verified..).unwrap_or_default() {
            self.core.stores.objects.rehash(object).map_err(|e| {
                Error::new(Code::ReadbackMismatch, "what was written could not be read back; nothing was saved")
                    .with_source(e)
            })?;
        }
        self.verified = self.objects.len();
        self.unverified_bytes = 0;
        Ok(())
    }

    /// Adds to the content and seals.
    fn keep(&mut self, piece: &Piece) -> Result<()> {
        self.content.frames(&piece.raw);
        self.seal(piece)
    }

    fn keep_all(mut self, pieces: &Receiver<Piece>) -> Result<Self> {
        while let Ok(piece) = pieces.recv() {
            self.keep(&piece)?;
        }
        Ok(self)
    }
}

/// All chunks of a tape, the last perhaps not sealed yet: of a short tape that is kept already nothing is stored.
pub(super) struct Gathered {
    chunks: Chunks,
    unsealed: Option<Piece>,
}

impl Gathered {
    /// The digest of all frames, to be finished with the header.
    pub(super) fn content(&mut self) -> ContentDigest {
        std::mem::take(&mut self.chunks.content)
    }

    /// Seals what is not sealed yet.
    ///
    /// # Errors
    /// As [`Sealer::full`].
    pub(super) fn seal(mut self) -> Result<Chunks> {
        if let Some(piece) = &self.unsealed {
            self.chunks.seal(piece)?;
        }
        Ok(self.chunks)
    }
}

/// Stores the bytes of one object, visible but not yet durable.
pub(super) fn put(core: &Core, stored: &[u8]) -> Result<ObjectRef> {
    let digest = ObjectDigest::from_bytes(sha256(stored));
    core.heed(core.stores.objects.put(&digest, stored, Protection::WORM))
}

/// Takes the chunks of one tape as they fill. Dropped early, what is sealed already lies in the packs without a key.
pub(super) struct Sealer {
    core: Arc<Core>,
    work: Work,
}

enum Work {
    Here(Box<Chunks>),
    There {
        pieces: SyncSender<Piece>,
        thread: JoinHandle<Result<Chunks>>,
    },
    /// After an error, which was given to the caller.
    Over,
}

impl Sealer {
    pub(super) fn new(core: Arc<Core>, keys: Arc<TapeKeys>, custody: CustodyId) -> Self {
        let chunks = Chunks {
            core: core.clone(),
            keys,
            custody,
            content: ContentDigest::new(),
            ranges: Vec::new(),
            objects: Vec::new(),
            verified: 0,
            unverified_bytes: 0,
        };
        Self { core, work: Work::Here(Box::new(chunks)) }
    }

    /// Seals a full chunk that is not the tape's last. The error may be that of an earlier chunk.
    ///
    /// # Errors
    /// `E_LIMIT`, `E_STORE_FULL`, `E_BROKEN`, `E_IO`, `E_READBACK_MISMATCH`.
    pub(super) fn full(&mut self, piece: Piece) -> Result<()> {
        self.work = match std::mem::replace(&mut self.work, Work::Over) {
            Work::Here(chunks) => self.go_beside(*chunks)?,
            other => other,
        };
        match &mut self.work {
            Work::Here(chunks) => chunks.keep(&piece),
            Work::There { pieces, .. } if pieces.send(piece).is_ok() => Ok(()),
            // The thread takes nothing more: it ended with an error.
            Work::There { .. } | Work::Over => self.end().and_then(|_| Err(died())),
        }
    }

    /// Takes the last chunk and gives all of them.
    ///
    /// # Errors
    /// As [`Sealer::full`].
    pub(super) fn last(&mut self, piece: Option<Piece>) -> Result<Gathered> {
        let unsealed = match (&mut self.work, piece) {
            (Work::Here(chunks), Some(piece)) => {
                chunks.content.frames(&piece.raw);
                Some(piece)
            }
            (Work::There { pieces, .. }, Some(piece)) => {
                let _its_error_is_given_below = pieces.send(piece);
                None
            }
            _ => None,
        };
        Ok(Gathered { chunks: self.end()?, unsealed })
    }

    fn end(&mut self) -> Result<Chunks> {
        match std::mem::replace(&mut self.work, Work::Over) {
            Work::Here(chunks) => Ok(*chunks),
            Work::There { pieces, thread } => {
                drop(pieces);
                thread.join().map_err(|_| died())?
            }
            Work::Over => Err(died()),
        }
    }

    /// A thread for the chunks, unless as many are at work as there are cores: more would only wait for each other.
    fn go_beside(&self, chunks: Chunks) -> Result<Work> {
        let Some(seat) = Seat::take(&self.core) else { return Ok(Work::Here(Box::new(chunks))) };
        let (pieces, queue) = sync_channel(PIECES_WAITING);
        let seal = move || {
            let _until_the_end = seat;
            chunks.keep_all(&queue)
        };
        let thread = std::thread::Builder::new().name("immutape-seal".into()).spawn(seal);
        let thread = thread.map_err(|e| Error::new(Code::Io, "a thread cannot be started").with_source(e))?;
        Ok(Work::There { pieces, thread })
    }
}

/// Leave for one sealing thread of a ledger.
struct Seat(Arc<AtomicUsize>);

impl Seat {
    fn take(core: &Core) -> Option<Self> {
        let seats = std::thread::available_parallelism().map_or(1, usize::from);
        let more = |taken: usize| taken.checked_add(1).filter(|now| *now <= seats);
        core.sealing.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).ok()?;
        Some(Self(core.sealing.clone()))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}
