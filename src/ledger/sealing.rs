//! Sealing the chunks of one tape: on the caller's thread while the tape is short, beside it from the first part of a
//! long chunk on, so that one part is hashed and compressed while the leaves of the next are made.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use zeroize::Zeroizing;

use super::core::{Core, died};
use super::source::KeptSource;
use crate::codec::digest::CustodyId;
use crate::error::{Code, Error, Result};
use crate::seal::{ChunkRange, Manifest, ManifestObject, Packer, TapeKeys, seal_object, seal_packed};
use crate::store::{NewObject, ObjectRef, Protection};
use crate::tape::{ContentDigest, TapeRoot};

/// Objects of a long tape are synced and read back after this many bytes, so that the end is quick.
const VERIFY_EVERY_BYTES: u64 = 32 << 20;
/// A chunk is handed on in parts of this length, so that neither thread waits for a whole one at the begin and the end.
/// Up to here a chunk stays in one piece, and has the level of its length.
pub(super) const PART_BYTES: usize = 256 << 10;
/// Parts that wait for the thread: with the one it works on and the one being gathered, a tape takes about 1 MiB.
const PARTS_WAITING: usize = 2;
/// Room that is kept for the next part; what a long frame took is given back.
const BUFFER_BYTES_MAX: usize = 4 * PART_BYTES;

/// Room for parts, used again: each anew would be mapped by the system, and erased byte by byte.
type Buffers = Arc<Mutex<Vec<Zeroizing<Vec<u8>>>>>;

/// The end of one chunk: all of it, or what follows its parts.
pub(super) struct Piece {
    pub range: ChunkRange,
    pub raw: Zeroizing<Vec<u8>>,
    pub salt: [u8; 32],
}

enum Given {
    Part(Zeroizing<Vec<u8>>),
    Full(Piece),
    Last(Piece),
}

impl Given {
    fn raw(&self) -> &[u8] {
        match self {
            Self::Part(raw) => raw,
            Self::Full(piece) | Self::Last(piece) => &piece.raw,
        }
    }
}

/// The sealed chunks of a tape, in order.
pub(super) struct Chunks {
    core: Arc<Core>,
    keys: Arc<TapeKeys>,
    custody: CustodyId,
    buffers: Buffers,
    /// Has the parts of the chunk that is being gathered.
    packer: Option<Packer>,
    pub ranges: Vec<ChunkRange>,
    pub objects: Vec<ObjectRef>,
    /// How many of the objects were read back from the disk.
    pub verified: usize,
    unverified_bytes: u64,
}

impl Chunks {
    /// Seals the next chunk; it is not put yet.
    fn sealed(&mut self, mut piece: Piece) -> Result<Vec<u8>> {
        self.pack_rest(&mut piece)?;
        let position = (self.ranges.len() as u64).saturating_add(1);
        let stored = match &mut self.packer {
            Some(packer) if !packer.is_empty() => seal_packed(&self.keys, piece.salt, &self.custody, position, packer)?,
            _ => seal_object(&self.keys, piece.salt, &self.custody, position, &piece.raw)?,
        };
        self.ranges.push(piece.range);
        Ok(stored)
    }

    fn seal(&mut self, piece: Piece) -> Result<()> {
        let stored = self.sealed(piece)?;
        let object = self.core.heed(self.core.stores.objects.put(NewObject::of(&stored), Protection::WORM))?;
        self.unverified_bytes = self.unverified_bytes.saturating_add(object.bytes);
        self.objects.push(object);
        if self.unverified_bytes > VERIFY_EVERY_BYTES {
            self.verify()?;
        }
        Ok(())
    }

    fn verify(&mut self) -> Result<()> {
        self.core.heed(self.core.stores.objects.sync())?;
        read_back(&self.core, self.objects.get(self.verified..).unwrap_or_default())?;
        self.verified = self.objects.len();
        self.unverified_bytes = 0;
        Ok(())
    }

    fn pack(&mut self, part: Zeroizing<Vec<u8>>) -> Result<()> {
        let packer = match &mut self.packer {
            Some(packer) => packer,
            none => none.insert(Packer::new()?),
        };
        packer.add(&part)?;
        self.give_back(part);
        Ok(())
    }

    fn give_back(&self, mut part: Zeroizing<Vec<u8>>) {
        part.clear();
        let mut buffers = self.buffers.lock().unwrap_or_else(PoisonError::into_inner);
        if part.capacity() <= BUFFER_BYTES_MAX && buffers.len() <= PARTS_WAITING {
            buffers.push(part);
        }
    }

    /// Where parts came before, the end of the chunk is one more.
    fn pack_rest(&mut self, piece: &mut Piece) -> Result<()> {
        if self.packer.as_ref().is_none_or(Packer::is_empty) || piece.raw.is_empty() {
            return Ok(());
        }
        self.pack(std::mem::take(&mut piece.raw))
    }

    /// Takes a part, and seals the chunk when it is full. The last one is given back: whether it is stored is
    /// not known yet.
    fn keep(&mut self, given: Given) -> Result<Option<Piece>> {
        match given {
            Given::Part(part) => self.pack(part)?,
            Given::Full(piece) => self.seal(piece)?,
            Given::Last(mut piece) => {
                self.pack_rest(&mut piece)?;
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }

    fn keep_all(mut self, given: &Receiver<Given>) -> Result<Gathered> {
        let mut unsealed = None;
        while let Ok(given) = given.recv() {
            unsealed = self.keep(given)?;
        }
        Ok(Gathered { chunks: self, unsealed })
    }
}

/// All chunks of a tape, the last perhaps not sealed yet: of a short tape that is kept already nothing is stored.
pub(super) struct Gathered {
    chunks: Chunks,
    unsealed: Option<Piece>,
}

impl Gathered {
    /// Seals what is not sealed yet: the last chunk of a short tape, which is put with what is made of all chunks.
    ///
    /// # Errors
    /// As [`Sealer::full`].
    pub(super) fn seal(mut self) -> Result<(Chunks, Option<Vec<u8>>)> {
        let last = self.unsealed.map(|piece| self.chunks.sealed(piece)).transpose()?;
        Ok((self.chunks, last))
    }
}

/// Everything of one tape in the store, visible but not yet durable.
pub(super) struct Stored {
    pub manifest: ObjectRef,
    /// Header, chunks and pieces of attachments in order.
    pub objects: Vec<ObjectRef>,
    /// Those that nobody has read back yet, the manifest among them.
    pub unread: Vec<ObjectRef>,
}

impl Stored {
    /// Length of all of it.
    pub(super) fn bytes(&self) -> u64 {
        self.objects.iter().fold(self.manifest.bytes, |sum, o| sum.saturating_add(o.bytes))
    }
}

impl Chunks {
    /// Puts the header, the last chunk if it was not put yet, and the manifest of all objects: next to each other, so that
    /// they are written and read back at once.
    pub(super) fn put_with(
        self,
        last: Option<&[u8]>,
        header: &[u8],
        root: TapeRoot,
        source: Option<KeptSource>,
    ) -> Result<Stored> {
        let Self { core, custody, objects: chunks, verified, .. } = self;
        let ends: Vec<_> = [header].into_iter().chain(last).map(NewObject::of).collect();
        let (header, last) = ends.split_first().ok_or_else(died)?;
        let kept = |o: &ObjectRef| ManifestObject { digest: o.digest, bytes: o.bytes };
        let new = |o: &NewObject<'_>| ManifestObject { digest: *o.digest(), bytes: o.bytes().len() as u64 };
        let listed = [new(header)].into_iter().chain(chunks.iter().map(kept)).chain(last.iter().map(new)).collect();
        let (attachments, source) = source.map(|s| (s.attachment, s.objects)).unzip();
        let attachments = attachments.into_iter().collect();
        let manifest = Manifest { custody, root, objects: listed, attachments }.encode()?;
        let all: Vec<_> = ends.iter().copied().chain([NewObject::of(&manifest)]).collect();
        let mut put = core.heed(core.stores.objects.put_all(&all, Protection::WORM))?;
        let unverified = chunks.get(verified..).unwrap_or_default();
        let unread = put.iter().chain(unverified).copied().collect();
        let manifest = put.pop().ok_or_else(died)?;
        let (header, last) = put.split_first().ok_or_else(died)?;
        let source = source.iter().flatten();
        let objects = [header].into_iter().chain(&chunks).chain(last).chain(source).copied().collect();
        Ok(Stored { manifest, objects, unread })
    }
}

/// Reads objects back and hashes them, before an entry may speak of them.
pub(super) fn read_back(core: &Core, objects: &[ObjectRef]) -> Result<()> {
    core.stores.objects.read_back(objects).map_err(|e| {
        Error::new(Code::ReadbackMismatch, "what was written could not be read back; nothing was saved")
            .with_hint("check the disk, then save again")
            .with_source(e)
    })
}

/// Takes the chunks of one tape as they fill. Dropped early, what is sealed already lies in the packs without a key.
pub(super) struct Sealer {
    core: Arc<Core>,
    /// Made on the caller's thread: the leaves and this take as long as compressing and encrypting do on the other.
    content: ContentDigest,
    buffers: Buffers,
    work: Work,
}

enum Work {
    Here(Box<Chunks>),
    There {
        given: SyncSender<Given>,
        thread: JoinHandle<Result<Gathered>>,
    },
    /// After an error, which was given to the caller.
    Over,
}

impl Sealer {
    pub(super) fn new(core: Arc<Core>, keys: Arc<TapeKeys>, custody: CustodyId) -> Self {
        let buffers = Buffers::default();
        let chunks = Chunks {
            core: core.clone(),
            keys,
            custody,
            buffers: buffers.clone(),
            packer: None,
            ranges: Vec::new(),
            objects: Vec::new(),
            verified: 0,
            unverified_bytes: 0,
        };
        Self { core, content: ContentDigest::new(), buffers, work: Work::Here(Box::new(chunks)) }
    }

    /// The digest of all frames, to be finished with the header.
    pub(super) fn content(&mut self) -> ContentDigest {
        std::mem::take(&mut self.content)
    }

    /// Room for the next part.
    pub(super) fn buffer(&self) -> Zeroizing<Vec<u8>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Takes a part of a chunk. The error may be that of an earlier one.
    ///
    /// # Errors
    /// `E_LIMIT`, `E_STORE_FULL`, `E_BROKEN`, `E_IO`, `E_READBACK_MISMATCH`.
    pub(super) fn part(&mut self, part: Zeroizing<Vec<u8>>) -> Result<()> {
        self.give(Given::Part(part))
    }

    /// Takes the end of a full chunk that is not the tape's last. The error may be that of an earlier chunk.
    ///
    /// # Errors
    /// As [`Sealer::part`].
    pub(super) fn full(&mut self, piece: Piece) -> Result<()> {
        self.give(Given::Full(piece))
    }

    fn give(&mut self, what: Given) -> Result<()> {
        self.content.frames(what.raw());
        self.work = match std::mem::replace(&mut self.work, Work::Over) {
            Work::Here(chunks) => self.go_beside(*chunks)?,
            other => other,
        };
        match &mut self.work {
            Work::Here(chunks) => chunks.keep(what).map(drop),
            Work::There { given, .. } if given.send(what).is_ok() => Ok(()),
            // The thread takes nothing more: it ended with an error.
            Work::There { .. } | Work::Over => self.end().and_then(|_| Err(died())),
        }
    }

    /// Takes the last chunk, or its end, and gives all of them.
    ///
    /// # Errors
    /// As [`Sealer::part`].
    pub(super) fn last(&mut self, piece: Option<Piece>) -> Result<Gathered> {
        self.content.frames(piece.as_ref().map_or(&[], |piece| &piece.raw));
        let unsealed = match (&mut self.work, piece) {
            (Work::Here(chunks), Some(piece)) => chunks.keep(Given::Last(piece))?,
            (Work::There { given, .. }, Some(piece)) => {
                let _its_error_is_given_below = given.send(Given::Last(piece));
                None
            }
            _ => None,
        };
        let gathered = self.end()?;
        Ok(Gathered { unsealed: unsealed.or(gathered.unsealed), ..gathered })
    }

    fn end(&mut self) -> Result<Gathered> {
        match std::mem::replace(&mut self.work, Work::Over) {
            Work::Here(chunks) => Ok(Gathered { chunks: *chunks, unsealed: None }),
            Work::There { given, thread } => {
                drop(given);
                thread.join().map_err(|_| died())?
            }
            Work::Over => Err(died()),
        }
    }

    /// A thread for the chunks, unless as many are at work as there are cores: more would only wait for each other.
    fn go_beside(&self, chunks: Chunks) -> Result<Work> {
        let Some(seat) = Seat::take(&self.core) else { return Ok(Work::Here(Box::new(chunks))) };
        let (given, queue) = sync_channel(PARTS_WAITING);
        let seal = move || {
            let _until_the_end = seat;
            chunks.keep_all(&queue)
        };
        let thread = std::thread::Builder::new().name("immutape-seal".into()).spawn(seal);
        let thread = thread.map_err(|e| Error::new(Code::Io, "a thread cannot be started").with_source(e))?;
        Ok(Work::There { given, thread })
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
