//! Heads that others cosigned, kept beside the head file: what the next start compares the log with.
//!
//! Each also stands in the log (`anchor.cosigned`), which an older copy of the log would lack.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::catalog::root_at;
use crate::error::{Code, Error, Result};
use crate::log::{Checkpoint, KeyHistory, LogError};
use crate::proof::Policy;
use crate::store::Rows;
use crate::store::files::{Files, code_of, create_dir_durable, write_atomic};

use crate::codec::limits::NOTE_BYTES_MAX;

/// Name of the witness policy in a ledger's config folder: a C2SP tlog-policy.
pub const WITNESS_POLICY_FILE: &str = "witnesses.policy";
const POLICY_BYTES_MAX: u64 = 256 << 10;
/// The newest anchor; older ones stand in the log alone.
const NEWEST: &str = "newest.note";
/// A head that others hold and this log does not have: its name says that no start may pass it by.
const AHEAD: &str = "ahead.note";

/// What an open ledger knows of its witnesses.
pub(in crate::ledger) struct Anchors {
    pub policy: Option<Policy>,
    confirmed: AtomicBool,
    /// Why this log must not go on, once somebody has shown it.
    contradiction: OnceLock<(Code, String)>,
}

/// A cosigned head that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Anchor {
    /// Size and root.
    pub checkpoint: Checkpoint,
    /// The note with the log's signature and the cosignatures that held.
    pub note: String,
}

impl Anchor {
    /// A head as it would be kept, for comparisons.
    pub(in crate::ledger) const fn of(checkpoint: Checkpoint) -> Self {
        Self { checkpoint, note: String::new() }
    }
}

impl Anchors {
    /// Reads the policy of a ledger. Without one, or without a quorum in it, nobody needs to confirm anything.
    ///
    /// # Errors
    /// `E_USAGE` for a policy that does not hold, with its line; `E_IO`.
    pub(in crate::ledger) fn read(files: &dyn Files, config: &Path) -> Result<Self> {
        let policy = read_policy(files, config)?;
        let needs_nobody = policy.as_ref().is_none_or(|policy| !policy.asks_for_witnesses());
        Ok(Self { policy, confirmed: AtomicBool::new(needs_nobody), contradiction: OnceLock::new() })
    }

    /// May a head be signed?
    pub(in crate::ledger) fn is_confirmed(&self) -> bool {
        self.confirmed.load(Ordering::Acquire) && self.contradiction.get().is_none()
    }

    pub(in crate::ledger) fn set_confirmed(&self) {
        self.confirmed.store(true, Ordering::Release);
    }

    /// The first contradiction stays: later ones follow from it.
    pub(in crate::ledger) fn contradict(&self, error: &Error) {
        let _the_first_stays = self.contradiction.set((error.code(), error.message().to_owned()));
    }

    pub(in crate::ledger) fn contradiction(&self) -> Option<Error> {
        self.contradiction.get().map(|(code, words)| Error::new(*code, words.clone()).with_hint(WAY_OUT))
    }
}

/// What a person can do about a log that others know better.
pub(in crate::ledger) const WAY_OUT: &str = "nothing is read or written. Put the newest copy of the ledger, state and config folders back; where there is none, `immutape succeed --into FOLDER` opens a successor that says what was lost, and this one stays as it is, for it is evidence";

pub(in crate::ledger) fn read_policy(files: &dyn Files, config: &Path) -> Result<Option<Policy>> {
    let path = config.join(WITNESS_POLICY_FILE);
    let text = match files.read(&path, POLICY_BYTES_MAX) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| Error::new(Code::Usage, "the witness policy is not text"))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::new(Code::Io, "the witness policy cannot be read").with_source(e)),
    };
    let hint = "mend it with `immutape witness set FILE`; without a policy that can be read no head is signed";
    Policy::parse(&text).map(Some).map_err(|e| Error::from(e).with_hint(hint))
}

pub(super) fn folder(state: &Path) -> PathBuf {
    state.join("anchors")
}

pub(super) fn io(what: &'static str, e: std::io::Error) -> Error {
    Error::new(code_of(&e), what).with_source(e)
}

/// Keeps a cosigned head, durable on return; an older one than is kept changes nothing. A crash before it leaves the log's own
/// entry alone, or nothing.
pub(super) fn keep(files: &dyn Files, state: &Path, keys: &KeyHistory, note: &str) -> Result<()> {
    let checkpoint = Checkpoint::from_note(note, keys)?;
    if read_kept(files, state, NEWEST, keys)?.is_some_and(|kept| kept.checkpoint.size > checkpoint.size) {
        return Ok(());
    }
    let fault = |e| io("an anchor cannot be kept", e);
    create_dir_durable(files, &folder(state)).map_err(fault)?;
    write_atomic(files, &folder(state).join(NEWEST), note.as_bytes()).map_err(fault)
}

/// Keeps what shows that this log is not the newest, so that every later start refuses too, also one that reaches nobody.
pub(super) fn keep_ahead(files: &dyn Files, state: &Path, note: &str) -> Result<()> {
    let fault = |e| io("the head that others hold cannot be kept", e);
    create_dir_durable(files, &folder(state)).map_err(fault)?;
    write_atomic(files, &folder(state).join(AHEAD), note.as_bytes()).map_err(fault)
}

/// A file beside the anchors, such as a proof of a fork; its path.
pub(super) fn keep_file(files: &dyn Files, state: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let fault = |e| io("a file beside the anchors cannot be kept", e);
    create_dir_durable(files, &folder(state)).map_err(fault)?;
    let path = folder(state).join(name);
    write_atomic(files, &path, text.as_bytes()).map_err(fault)?;
    Ok(path)
}

/// A file that need not be there.
pub(super) fn read_limited(files: &dyn Files, path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>> {
    match files.read(path, bytes_max) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(io("a file about time or anchors cannot be read", e)),
    }
}

fn read_kept(files: &dyn Files, state: &Path, name: &str, keys: &KeyHistory) -> Result<Option<Anchor>> {
    let bytes = match files.read(&folder(state).join(name), NOTE_BYTES_MAX as u64) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io("an anchor cannot be read", e)),
    };
    let invalid = |e: &dyn std::fmt::Display| {
        Error::new(Code::HeadInvalid, format!("the kept anchor {name} does not hold: {e}"))
            .with_hint("put the state folder's anchors back from their copy; they say how long this log must be")
    };
    let note = String::from_utf8(bytes).map_err(|e| invalid(&e))?;
    match Checkpoint::from_note(&note, keys) {
        Ok(checkpoint) => Ok(Some(Anchor { checkpoint, note })),
        // Whoever took the key may have signed it: it says nothing of this log any more.
        Err(LogError::Revoked { .. }) => Ok(None),
        Err(e) => Err(invalid(&e)),
    }
}

/// The heads that others hold, as far as this machine knows: what agreed with this log, and what contradicted it. Neither may be
/// passed by, whichever is longer.
///
/// # Errors
/// `E_HEAD_INVALID` for a kept note that this log did not sign: somebody put it there, or it is damaged.
pub(in crate::ledger) fn kept_heads(files: &dyn Files, state: &Path, keys: &KeyHistory) -> Result<Vec<Anchor>> {
    let (newest, ahead) = (read_kept(files, state, NEWEST, keys)?, read_kept(files, state, AHEAD, keys)?);
    Ok(newest.into_iter().chain(ahead).collect())
}

/// The newest head that others cosigned and this log kept.
///
/// # Errors
/// As [`kept_heads`].
pub(super) fn newest_cosigned(files: &dyn Files, state: &Path, keys: &KeyHistory) -> Result<Option<Anchor>> {
    read_kept(files, state, NEWEST, keys)
}

/// Is the log as long as its newest anchor says?
///
/// # Errors
/// `E_LOG_ROLLBACK`.
pub(in crate::ledger) fn compare_size(anchor: &Anchor, size: u64) -> Result<()> {
    let held = anchor.checkpoint.size;
    if size >= held {
        return Ok(());
    }
    let words = format!(
        "the log has {size} entries, but others hold a head of {held} that it signed: this is an older copy of the ledger, or its end was lost"
    );
    Err(Error::new(Code::LogRollback, words).with_hint(WAY_OUT))
}

/// Does the log begin with what its newest anchor names?
///
/// # Errors
/// `E_LOG_FORK`.
pub(in crate::ledger) fn compare_root(anchor: &Anchor, rows: &dyn Rows) -> Result<()> {
    let Checkpoint { size, root, .. } = &anchor.checkpoint;
    if root_at(rows, *size)? == *root {
        return Ok(());
    }
    let words = format!("the first {size} entries of the log are not the ones that others hold a head of");
    Err(Error::new(Code::LogFork, words).with_hint(WAY_OUT))
}
