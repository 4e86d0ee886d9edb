//! The journal in plain files: preallocated segments of groups, one sync a group.
//! Layout and tear rule: `docs/format/store-embedded.md` sections 2 to 4.

mod beginnings;
mod old_file;
mod prepare;
mod reader;
mod replace;
mod segment;
mod shelf;
mod survey;
mod tail;
mod tear;
mod turn;

pub use survey::Survey;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::codec::digest::Digest;
use crate::error::{Code, Error, Result};
use crate::store::contracts::{Journal, Place, Position, Tail};
use crate::store::files::{FileLock, Files, create_dir_durable, parent};
use reader::Readers;
use shelf::{Shelf, failed};
use turn::{Failure, Turn};

/// Is this the name of a segment?
pub(super) fn is_name(name: &str) -> bool {
    shelf::number_of(name).is_some()
}

/// The journal of one ledger folder. See [`Journal`] for what each call promises.
///
/// The lock is held from the first acquisition until the handle is dropped, also when it is broken:
/// who wants to go on must drop it and open another.
pub struct EmbeddedJournal {
    shelf: Shelf,
    turn: Mutex<Option<Turn>>,
    /// Where durable groups end, for readers that must not wait for a sync; `None` before acquisition.
    end: Mutex<Option<Position>>,
    readers: Readers,
    broken: AtomicBool,
    nearly_full: AtomicBool,
    reopened: AtomicBool,
}

impl EmbeddedJournal {
    /// A handle on the journal in `folder`. Touches nothing on the disk.
    ///
    /// `quarantine` is where [`Journal::replace`] puts files aside, `lock_path` the lock file,
    /// `origin` = H(origin), which every segment names.
    #[must_use]
    pub fn open(
        files: Arc<dyn Files>,
        folder: PathBuf,
        quarantine: PathBuf,
        lock_path: PathBuf,
        origin: Digest,
    ) -> Self {
        Self {
            shelf: Shelf { files, folder, quarantine, lock_path, origin: Some(origin) },
            turn: Mutex::new(None),
            end: Mutex::new(None),
            readers: Readers::default(),
            broken: AtomicBool::new(false),
            nearly_full: AtomicBool::new(false),
            reopened: AtomicBool::new(false),
        }
    }

    /// The extent of the first group in `folder`, before anybody knows whose journal it is;
    /// `None` when there is none.
    ///
    /// # Errors
    /// As [`Journal::read`].
    pub fn first_group(files: Arc<dyn Files>, folder: &Path) -> Result<Option<Vec<u8>>> {
        let (folder, nowhere) = (folder.to_owned(), PathBuf::new());
        let shelf = Shelf { files, folder, quarantine: nowhere.clone(), lock_path: nowhere, origin: None };
        let first = Readers::default().read(&shelf, None, true, Position { segment: 1, offset: 0 })?;
        Ok(first.map(|(_, extent, _)| extent))
    }

    /// Says whether the ledger is known to have been opened again after its last orderly close (the
    /// signed head file says `open`). Only then can a tear follow a group that says "closed in
    /// order"; until this is said such bytes are damage.
    pub fn set_reopened(&self, reopened: bool) {
        self.reopened.store(reopened, Ordering::Release);
    }

    /// Size of the journal and the tears in it. Needs no acquisition.
    ///
    /// # Errors
    /// `E_LOG_DAMAGED`, `E_NEWER_FORMAT`, `E_IO`.
    pub fn survey(&self) -> Result<Survey> {
        self.refuse_if_broken()?;
        survey::survey(&self.shelf, self.reopened())
    }

    fn reopened(&self) -> bool {
        self.reopened.load(Ordering::Acquire)
    }

    fn refuse_if_broken(&self) -> Result<()> {
        if self.broken.load(Ordering::Acquire) { Err(broken()) } else { Ok(()) }
    }

    /// The writer's state. A thread that died in the middle of a write leaves a broken handle.
    fn turn(&self) -> Result<MutexGuard<'_, Option<Turn>>> {
        let guard = self.turn.lock().map_err(|_| broken())?;
        self.refuse_if_broken()?;
        Ok(guard)
    }

    fn publish(&self, turn: &Turn) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = Some(turn.end());
        self.nearly_full.store(turn.is_nearly_full(), Ordering::Release);
    }

    /// Takes the lock, making the folders first when there is no journal at all yet.
    fn lock(&self) -> Result<Box<dyn FileLock>> {
        let Shelf { files, folder, lock_path, .. } = &self.shelf;
        if self.shelf.numbers_present()?.is_empty() {
            for path in [folder.as_path(), parent(lock_path)] {
                create_dir_durable(files.as_ref(), path).map_err(|e| failed("create", path, e))?;
            }
        }
        let lock = files.try_lock(lock_path).map_err(|e| failed("lock", lock_path, e))?;
        lock.ok_or_else(|| {
            Error::new(Code::Locked, "another process has this ledger open")
                .with_hint("wait until it is done; `immutape status` works meanwhile")
        })
    }
}

impl Journal for EmbeddedJournal {
    fn survey(&self) -> Result<Tail> {
        let found = Self::survey(self)?;
        Ok(Tail { term: found.last.map_or(0, |last| last.term), last: found.last, tears: found.tears })
    }

    fn set_reopened(&self, reopened: bool) {
        Self::set_reopened(self, reopened);
    }

    fn acquire(&self) -> Result<Tail> {
        let mut guard = self.turn()?;
        let (lock, past_term) = match guard.take() {
            Some(turn) => {
                let term = turn.term();
                (Some(turn.into_lock()).filter(|lock| lock.is_current()), term)
            }
            None => (None, 0),
        };
        let lock = match lock {
            Some(lock) => lock,
            None => self.lock()?,
        };
        beginnings::clear(&self.shelf)?;
        let found = tail::find_fast(&self.shelf, self.reopened())?;
        let (last, tears) = (found.last(), found.tears());
        let term = found.next.term.max(past_term).saturating_add(1);
        let turn = Turn::begin(&self.shelf, lock, term, found).inspect_err(|_| {
            self.broken.store(true, Ordering::Release);
        })?;
        self.publish(&turn);
        *guard = Some(turn);
        Ok(Tail { term, last, tears })
    }

    fn place(&self, extent_bytes: u64) -> Result<Place> {
        let mut guard = self.turn()?;
        let turn = guard.as_mut().ok_or_else(not_acquired)?;
        let place = turn.place(&self.shelf, extent_bytes);
        self.nearly_full.store(turn.is_nearly_full(), Ordering::Release);
        place
    }

    fn append(&self, extent: &[u8]) -> Result<()> {
        let mut guard = self.turn()?;
        let turn = guard.as_mut().ok_or_else(not_acquired)?;
        match turn.append(&self.shelf, extent) {
            Ok(_) => {
                self.publish(turn);
                Ok(())
            }
            Err(Failure::Refused(e)) => Err(e),
            Err(Failure::InDoubt(e)) => {
                self.broken.store(true, Ordering::Release);
                Err(e)
            }
        }
    }

    fn is_nearly_full(&self) -> bool {
        self.nearly_full.load(Ordering::Acquire)
    }

    fn look_for_room(&self) {
        // A handle that is broken or has no turn finds no room, whatever the disk has.
        if let Ok(mut guard) = self.turn()
            && let Some(turn) = guard.as_mut()
        {
            turn.look_for_room(&self.shelf);
            self.nearly_full.store(turn.is_nearly_full(), Ordering::Release);
        }
    }

    fn read(&self, position: Position) -> Result<Option<(Position, Vec<u8>, Position)>> {
        self.refuse_if_broken()?;
        let bound = *self.end.lock().unwrap_or_else(PoisonError::into_inner);
        self.readers.read(&self.shelf, bound, self.reopened(), position)
    }

    fn drop_cached(&self, segment: u64) -> Result<bool> {
        let shelf = &self.shelf;
        let file = shelf.files.open(&shelf.path(segment), false).map_err(|e| shelf.io("open", segment, e))?;
        let dropped = file.len().and_then(|bytes| file.drop_cached(0, bytes));
        // Readers hold pieces of their own.
        self.readers.forget();
        dropped.map_err(|e| shelf.io("read", segment, e))
    }

    fn replace(&self, from: u64, extents: &mut dyn Iterator<Item = Result<Vec<u8>>>) -> Result<Vec<PathBuf>> {
        let guard = self.turn()?;
        if guard.is_some() {
            let message = "the journal is open for writing; repair works on a handle that did not acquire it";
            return Err(Error::new(Code::Conflict, message));
        }
        let _lock = self.lock()?;
        let replaced = replace::replace(&self.shelf, from, extents);
        self.readers.forget();
        replaced
    }
}

impl fmt::Debug for EmbeddedJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedJournal").field("folder", &self.shelf.folder).finish_non_exhaustive()
    }
}

fn broken() -> Error {
    Error::new(Code::Broken, "an earlier write to the journal failed; this handle answers nothing any more")
        .with_hint("open the ledger again; it finds out what was stored")
}

fn not_acquired() -> Error {
    Error::new(Code::ReadOnly, "the journal was opened for reading; nothing was acquired")
}
