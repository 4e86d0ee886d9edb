//! What every act shares: identity, keys, stores, the way to the writer, and how far things have come.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::mpsc;

use super::rows_queue::RowsQueue;
use super::writer::Request;
use super::{Environment, Places};
use crate::catalog::{Queries, SubjectRow};
use crate::codec::digest::{CustodyId, Digest, LedgerId, RootHash};
use crate::error::{Code, Error, Result};
use crate::governance::{People, Policy, Schedule};
use crate::keyring::{LedgerKeys, VaultKeys};
use crate::log::{Genesis, KeyHistory, KeyRole, NoteKey};
use crate::seal::PublicKey;
use crate::store::Stores;

/// How long a query waits for rows that are known to be on their way.
const ROWS_WAIT: Duration = Duration::from_secs(30);

/// Who this ledger is: entry 0, checked.
pub(super) struct Identity {
    pub ledger: LedgerId,
    pub genesis: Genesis,
    /// The key that signs heads now.
    pub checkpoint: NoteKey,
    /// Every key that signed or signs.
    pub keys: KeyHistory,
}

impl Identity {
    /// By the keys of entry 0 alone; see [`super::known_keys::learn`].
    pub(super) fn of(ledger: LedgerId, genesis: Genesis) -> Result<Self> {
        let keys = KeyHistory::of(&genesis)?;
        Ok(Self { ledger, checkpoint: keys.newest_head_key()?.clone(), genesis, keys })
    }

    pub(super) fn set_keys(&mut self, keys: KeyHistory) -> Result<()> {
        self.checkpoint = keys.newest_head_key()?.clone();
        self.keys = keys;
        Ok(())
    }

    /// The key that signs the statement of the entry at `index`.
    pub(super) fn recorder_at(&self, index: u64) -> Result<PublicKey> {
        Ok(self.keys.at(KeyRole::Recorder, index)?.key)
    }
}

/// Folders with the ledger's id worked in.
#[derive(Clone)]
pub(super) struct Folders {
    pub places: Places,
    pub state: std::path::PathBuf,
    pub config: std::path::PathBuf,
}

/// How far the ledger has come. Written by the writer and the applier, read by everybody.
#[derive(Default)]
pub(super) struct Progress {
    durable: Mutex<(u64, Option<RootHash>)>,
    applied: Mutex<Applied>,
    moved: Condvar,
    /// Somebody waits for rows up to this size: groups are not gathered any longer than that takes.
    wanted: AtomicU64,
    /// Groups on their way into rows.
    pub to_rows: RowsQueue,
    pub broken: AtomicBool,
    /// Bytes handed to the applier and not yet in rows.
    pub waiting_bytes: AtomicU64,
    pub content_unwraps: AtomicU64,
    pub list_unwraps: AtomicU64,
}

#[derive(Default)]
struct Applied {
    size: u64,
    failed: bool,
}

pub(super) struct Core {
    pub folders: Folders,
    pub env: Environment,
    pub stores: Stores,
    pub identity: Identity,
    pub keys: LedgerKeys,
    pub anchors: super::heads::Anchors,
    pub vault: RwLock<VaultKeys>,
    /// Held by whoever adds a key, until the vault has it or not: taken before `vault`.
    pub vault_change: Mutex<()>,
    pub policy: Option<Policy>,
    /// Who there is, as the log tells it.
    pub people: RwLock<People>,
    /// Held by whoever changes it, until the entry is durable.
    pub people_turn: tokio::sync::Mutex<()>,
    /// SHA-256 of the policy's name, for every private half.
    pub policy_digest: Digest,
    pub schedule: Schedule,
    pub term: u64,
    /// Weak, because the writer itself holds the core: it must end when the last handle is dropped.
    pub queue: mpsc::WeakSender<Request>,
    pub progress: Arc<Progress>,
    pub next_keys_beside: bool,
    /// Threads that seal chunks now.
    pub sealing: Arc<AtomicUsize>,
}

impl Core {
    pub(super) fn origin(&self) -> &str {
        &self.identity.genesis.origin
    }

    pub(super) fn queries(&self) -> Queries<'_> {
        Queries::new(&*self.stores.rows)
    }

    /// Queries over rows that have taken in everything durable now.
    pub(super) fn settled_queries(&self) -> Result<(Queries<'_>, u64)> {
        let (size, _) = self.progress.durable();
        self.progress.wait_for_rows(size)?;
        Ok((self.queries(), size))
    }

    /// The row of a subject; waits for the rows only when it is not there yet.
    pub(super) fn subject(&self, custody: &CustodyId) -> Result<Option<SubjectRow>> {
        if let Some(row) = self.queries().subject(custody)? {
            return Ok(Some(row));
        }
        self.settled_queries()?.0.subject(custody)
    }

    pub(super) fn vault_read(&self) -> Result<std::sync::RwLockReadGuard<'_, VaultKeys>> {
        self.vault.read().map_err(|_| died())
    }

    /// Keeps the writer running as long as it is held.
    pub(super) fn stay_alive(&self) -> Result<mpsc::Sender<Request>> {
        self.queue.upgrade().ok_or_else(closed)
    }

    /// A failed durable write: nothing is answered by this handle again.
    pub(super) fn poison(&self) {
        if !self.progress.broken.swap(true, Ordering::AcqRel) {
            self.env.observer.event(super::Event::Broken);
        }
    }

    /// Passes on what a store said. A store that broke lost sight of its disk, and the whole handle dies with
    /// it: the others may still be whole, but no act needs only one of them.
    pub(super) fn heed<T>(&self, said: Result<T>) -> Result<T> {
        if said.as_ref().is_err_and(|e| matches!(e.code(), Code::Broken | Code::InDoubt)) {
            self.poison();
        }
        said
    }

    /// A dead handle answers nothing, not even what it could.
    pub(super) fn refuse_if_broken(&self) -> Result<()> {
        match self.anchors.contradiction() {
            Some(error) => Err(error),
            None if self.progress.broken.load(Ordering::Acquire) => Err(broken()),
            None => Ok(()),
        }
    }
}

impl Progress {
    pub(super) fn durable(&self) -> (u64, Option<RootHash>) {
        *self.durable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_durable(&self, size: u64, root: RootHash) {
        *self.durable.lock().unwrap_or_else(PoisonError::into_inner) = (size, Some(root));
    }

    pub(super) fn applied(&self) -> u64 {
        self.applied.lock().unwrap_or_else(PoisonError::into_inner).size
    }

    pub(super) fn rows_failed(&self) -> bool {
        self.applied.lock().unwrap_or_else(PoisonError::into_inner).failed
    }

    pub(super) fn set_applied(&self, size: u64) {
        self.applied.lock().unwrap_or_else(PoisonError::into_inner).size = size;
        self.moved.notify_all();
    }

    pub(super) fn set_rows_failed(&self) {
        self.applied.lock().unwrap_or_else(PoisonError::into_inner).failed = true;
        self.moved.notify_all();
    }

    /// Size up to which rows are waited for.
    pub(super) fn wanted(&self) -> u64 {
        self.wanted.load(Ordering::Acquire)
    }

    pub(super) fn wait_for_rows(&self, size: u64) -> Result<()> {
        if self.applied() < size {
            self.wanted.fetch_max(size, Ordering::AcqRel);
            self.to_rows.hurry();
        }
        let applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = self.moved.wait_timeout_while(applied, ROWS_WAIT, |a| a.size < size && !a.failed);
        let (applied, _) = wait.unwrap_or_else(PoisonError::into_inner);
        if applied.size >= size { Ok(()) } else { Err(rows_unavailable()) }
    }
}

pub(super) fn broken() -> Error {
    Error::new(Code::Broken, "a durable write failed; this ledger handle answers nothing any more")
        .with_hint("look at the disk, then open the ledger again: it checks what is really there")
}

pub(super) fn closed() -> Error {
    Error::new(Code::Broken, "this ledger handle was closed").with_hint("open the ledger again")
}

/// Marks the handle dead when the thread it lives on panics: nobody may wait for answers that never come.
pub(super) struct PoisonOnPanic(pub Arc<Progress>);

impl Drop for PoisonOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.store(true, Ordering::Release);
            self.0.set_rows_failed();
        }
    }
}

pub(super) fn died() -> Error {
    Error::new(Code::Broken, "a thread of the ledger died; open the ledger again")
}

pub(super) fn rows_unavailable() -> Error {
    Error::new(Code::RowsUnavailable, "the query rows cannot be used")
        .with_hint("nothing is lost: they are rebuilt from the journal when the ledger is opened again")
}

/// The same error for one more waiter.
pub(super) fn again(e: &Error) -> Error {
    let copy = Error::new(e.code(), e.message().to_owned());
    match e.hint() {
        Some(hint) => copy.with_hint(hint.to_owned()),
        None => copy,
    }
}
