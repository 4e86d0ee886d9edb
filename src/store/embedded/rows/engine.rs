//! The engine: one database, in use or in doubt.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, RwLock, RwLockWriteGuard, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::aside::put_aside;
use super::guard::{Lost, guarded};
use super::opening::{self, Live, Opener, open_sled, told, words};
use crate::codec::limits::{ROW_KEY_BYTES_MAX, ROW_VALUE_BYTES_MAX, ROWS_OPEN_WAIT_MS};
use crate::error::{Code, Error, Result};
use crate::store::contracts::{Batch, Rows};
use crate::store::files::Files;

/// Key of the position row.
const POSITION: &[u8] = b"p";

/// The rows in sled 0.34. See [`Rows`] for the contract.
///
/// Any panic, error or silence of sled puts the rows *in doubt*: from then on every call answers
/// `E_ROWS_UNAVAILABLE` with the cause, until [`Rows::reset`] has put the folder aside and begun an empty one.
/// A database that cannot be opened is in doubt from the start; [`SledRows::open`] itself is no failure then. One that
/// somebody else has open is not in doubt: every call answers `E_LOCKED`, and a reset puts nothing aside.
///
/// Writes and everything that waits inside sled run on a thread of their own with a time limit. Reads run on the
/// caller's thread. sled's panic message still appears on stderr: only a hook for the whole process could silence it.
pub struct SledRows {
    files: Arc<dyn Files>,
    folder: PathBuf,
    quarantine: PathBuf,
    opener: Opener,
    limit: Duration,
    live: RwLock<Option<Live>>,
    in_doubt: AtomicBool,
    doubt: Mutex<Doubt>,
    opened: Once,
}

#[derive(Default)]
struct Doubt {
    cause: String,
    /// Somebody else has the database open.
    is_busy: bool,
    /// A thread that hangs in sled. While it runs it may write into the folder by name.
    stuck: Option<JoinHandle<()>>,
}

/// What can go wrong in a call on an open database.
enum Trouble {
    /// With sled; the words say what.
    Sled(String),
    /// With the caller's own closure.
    Caller(Error),
}

impl From<Lost> for Trouble {
    fn from(lost: Lost) -> Self {
        Self::Sled(words(&lost))
    }
}

impl From<sled::Error> for Trouble {
    fn from(error: sled::Error) -> Self {
        Self::Sled(told(&error))
    }
}

impl std::fmt::Debug for SledRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SledRows")
            .field("folder", &self.folder)
            .field("in_doubt", &self.in_doubt)
            .finish_non_exhaustive()
    }
}

impl SledRows {
    /// Opens the database in `folder`, making it if need be; `quarantine` receives what is put aside.
    ///
    /// # Errors
    /// None today: what cannot be opened is in doubt (see the type).
    pub fn open(files: Arc<dyn Files>, folder: PathBuf, quarantine: PathBuf) -> Result<Self> {
        let rows = Self::at(files, folder, quarantine);
        rows.begin();
        Ok(rows)
    }

    /// As [`SledRows::open`], at the first call that asks for rows: until then nothing is touched. sled is to be
    /// opened only by who has the ledger's lock, and the stores are put together before it is taken.
    #[must_use]
    pub fn at(files: Arc<dyn Files>, folder: PathBuf, quarantine: PathBuf) -> Self {
        Self::unopened(files, folder, quarantine, Arc::new(open_sled), Duration::from_millis(ROWS_OPEN_WAIT_MS))
    }

    #[cfg(test)]
    pub(super) fn open_with(
        files: Arc<dyn Files>,
        folder: PathBuf,
        quarantine: PathBuf,
        opener: Opener,
        limit: Duration,
    ) -> Self {
        let rows = Self::unopened(files, folder, quarantine, opener, limit);
        rows.begin();
        rows
    }

    fn unopened(files: Arc<dyn Files>, folder: PathBuf, quarantine: PathBuf, opener: Opener, limit: Duration) -> Self {
        Self {
            files,
            folder,
            quarantine,
            opener,
            limit,
            live: RwLock::new(None),
            in_doubt: AtomicBool::new(true),
            doubt: Mutex::default(),
            opened: Once::new(),
        }
    }

    /// Opens the database if nobody has asked for rows before.
    fn begin(&self) {
        self.opened.call_once(|| self.start(&mut self.live.write().unwrap_or_else(PoisonError::into_inner)));
    }

    /// Opens into `live`, or says in `doubt` why not.
    fn start(&self, live: &mut Option<Live>) {
        match opening::open(&*self.files, &self.folder, &self.opener, self.limit) {
            Ok(opened) => {
                *live = Some(opened);
                *self.doubt() = Doubt::default();
                self.in_doubt.store(false, Ordering::Release);
            }
            Err(not) => {
                *self.doubt() = Doubt { cause: not.cause, is_busy: not.is_busy, stuck: not.stuck };
                self.in_doubt.store(true, Ordering::Release);
            }
        }
    }

    fn doubt(&self) -> MutexGuard<'_, Doubt> {
        self.doubt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unavailable(&self) -> Error {
        let doubt = self.doubt();
        if doubt.is_busy {
            return Error::new(Code::Locked, "another process has sled's copy of this ledger open")
                .with_hint("wait until it is done");
        }
        let words = format!("the query rows cannot be used: {}", doubt.cause);
        Error::new(Code::RowsUnavailable, words).with_hint("nothing is lost: the rows are rebuilt from the journal")
    }

    /// Runs a call on the open database; trouble with sled puts the rows in doubt.
    fn with<T>(&self, job: impl FnOnce(&Live) -> Result<T, Trouble>) -> Result<T> {
        self.begin();
        if self.in_doubt.load(Ordering::Acquire) {
            return Err(self.unavailable());
        }
        let guard = self.live.read().unwrap_or_else(PoisonError::into_inner);
        let live = guard.as_ref().ok_or_else(|| self.unavailable())?;
        match job(live) {
            Ok(value) => Ok(value),
            Err(Trouble::Caller(error)) => Err(error),
            Err(Trouble::Sled(cause)) => {
                self.doubt().cause = cause;
                self.in_doubt.store(true, Ordering::Release);
                Err(self.unavailable())
            }
        }
    }

    /// The database to itself. Tried again and again instead of queueing: a queued writer would block
    /// a reader whose closure reads once more.
    fn alone(&self) -> Option<RwLockWriteGuard<'_, Option<Live>>> {
        let since = Instant::now();
        loop {
            match self.live.try_write() {
                Ok(guard) => return Some(guard),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) if since.elapsed() < self.limit => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(TryLockError::WouldBlock) => return None,
            }
        }
    }

    /// Is a thread still hanging in the old database?
    fn is_stuck(&self) -> bool {
        let mut doubt = self.doubt();
        doubt.stuck = doubt.stuck.take().filter(|thread| !thread.is_finished());
        doubt.stuck.is_some()
    }
}

impl Drop for SledRows {
    fn drop(&mut self) {
        if let Some(live) = self.live.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            // A thread that hangs here ends with the process.
            let _stuck = live.close(self.limit);
        }
    }
}

/// Refuses what the format has no room for, before anything is applied.
fn check_sizes(batch: &Batch, position: &[u8]) -> Result<()> {
    let keys = batch.puts.iter().map(|(key, _)| key).chain(&batch.removes);
    if let Some(key) = keys.into_iter().find(|key| key.len() > ROW_KEY_BYTES_MAX) {
        let words = format!("a row's key has {} bytes; the limit is {ROW_KEY_BYTES_MAX}", key.len());
        return Err(Error::new(Code::Limit, words));
    }
    let values = batch.puts.iter().map(|(_, value)| value.len());
    if let Some(bytes) = values.chain([position.len()]).find(|bytes| *bytes > ROW_VALUE_BYTES_MAX) {
        let words = format!("a row's value has {bytes} bytes; the limit is {ROW_VALUE_BYTES_MAX}");
        return Err(Error::new(Code::Limit, words));
    }
    Ok(())
}

impl Rows for SledRows {
    fn is_there(&self) -> bool {
        self.files.exists(&self.folder).unwrap_or(true)
    }

    fn apply(&self, batch: Batch, position: &[u8]) -> Result<()> {
        check_sizes(&batch, position)?;
        let mut together = sled::Batch::default();
        for key in batch.removes {
            together.remove(key);
        }
        for (key, value) in batch.puts {
            together.insert(key, value);
        }
        // Last, so that no row of the batch can stand in its place. One tree holds all: a batch is
        // atomic only within one.
        together.insert(POSITION, position);
        self.with(|live| {
            let db = live.db.clone();
            Ok(live.worker.run(self.limit, move || db.apply_batch(together))??)
        })
    }

    fn position(&self) -> Result<Option<Vec<u8>>> {
        self.get(POSITION)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        self.with(|live| Ok(guarded(|| live.db.get(key).map(|found| found.map(|value| value.to_vec())))??))
    }

    fn scan(&self, from: &[u8], to: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> Result<bool>) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        self.with(|live| {
            let mut rows = guarded(|| live.db.range(from..to))?;
            // The first error ends it: over damage sled's iterator goes on giving errors for ever.
            while let Some(row) = guarded(|| rows.next())? {
                let (key, value) = row?;
                if !each(&key, &value).map_err(Trouble::Caller)? {
                    break;
                }
            }
            Ok(())
        })
    }

    fn floor(&self, floor: &[u8], key: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        self.with(|live| {
            let last = guarded(|| live.db.range(..=key).next_back())?.transpose()?;
            Ok(last.filter(|(found, _)| **found >= *floor).map(|(found, value)| (found.to_vec(), value.to_vec())))
        })
    }

    fn flush(&self) -> Result<()> {
        self.with(|live| live.flush(&*self.files, self.limit).map_err(Trouble::Sled))
    }

    fn reset(&self) -> Result<Option<PathBuf>> {
        self.begin();
        if self.doubt().is_busy {
            // Its user goes on writing into the folder, wherever it is moved.
            return Err(self.unavailable());
        }
        self.in_doubt.store(true, Ordering::Release);
        let Some(mut live) = self.alone() else {
            self.doubt().cause = "a reader has not come back from sled".to_owned();
            return Err(self.unavailable());
        };
        if let Some(old) = live.take() {
            // Closed before the folder moves: sled writes its files by name.
            let stuck = old.close(self.limit);
            self.doubt().stuck = stuck;
        }
        let aside = put_aside(&*self.files, &self.folder, &self.quarantine).map_err(|e| {
            self.doubt().cause = format!("the folder cannot be put aside: {e}");
            self.unavailable()
        })?;
        if self.is_stuck() {
            // An empty database begun now could get a snapshot of the old one from that thread.
            self.doubt().cause = "a call into sled has not come back; start the program again".to_owned();
            return Err(self.unavailable());
        }
        self.start(&mut live);
        if live.is_none() { Err(self.unavailable()) } else { Ok(aside) }
    }
}
