//! Writing the signed head file, and comparing it with the journal at start.

use std::path::Path;

use super::ReleasedHead;
use super::core::{Core, Folders};
use super::writer::Writer;
use crate::codec::digest::{Digest, RootHash, sha256};
use crate::error::{Code, Error, Result};
use crate::keyring::LocalSigner;
use crate::log::{Checkpoint, DurableHead, HeadFile, HeadState, KeyHistory};
use crate::store::Vault;
use crate::store::files::{Files, code_of, with_suffix, write_atomic};

/// A head file is two short notes.
const HEAD_BYTES_MAX: u64 = 64 << 10;

impl Writer {
    /// Signs and stores the head of what is durable. Called after the sync of the chain's last group
    /// returned; a crash before the rename leaves the older head, which is lawful.
    pub(super) fn write_head(&mut self, state: HeadState) -> Result<ReleasedHead> {
        let core = self.core.clone();
        self.write_head_by(state, &core.keys.checkpoint)
    }

    /// As [`Writer::write_head`], by the key that is in force after the chain's last group.
    pub(super) fn write_head_by(&mut self, state: HeadState, signer: &LocalSigner) -> Result<ReleasedHead> {
        let checkpoint = Checkpoint {
            origin: self.core.origin().to_owned(),
            size: self.chain.size(),
            root: self.chain.frontier.root(),
        };
        let head = DurableHead::after_sync(checkpoint);
        let text = write(&self.core, &head, state, signer)?;
        self.head_written_ns = Some(self.core.env.clock.read().monotonic_ns);
        Ok(ReleasedHead { checkpoint: head.checkpoint().clone(), note: note_of(&text)?.to_owned() })
    }
}

fn write(core: &Core, head: &DurableHead, state: HeadState, signer: &LocalSigner) -> Result<String> {
    let vault = vault_version(&*core.stores.vault)?;
    let text = HeadFile::sign(head, vault, state, core.term, signer)?;
    store(&*core.env.files, &core.folders, &text)?;
    Ok(text)
}

/// The checkpoint note of a head file, as it was signed.
pub(super) fn note_of(file: &str) -> Result<&str> {
    HeadFile::split(file).map(|(note, _)| note).map_err(Error::from)
}

/// Stores the text of a head file. On a full disk the reserve is given up for it, so that a start can still
/// record that it refused.
pub(super) fn store(files: &dyn Files, folders: &Folders, text: &str) -> Result<()> {
    let path = folders.state.join("head");
    match write_atomic(files, &path, text.as_bytes()) {
        Err(e) if code_of(&e) == Code::StoreFull && give_up_reserve(files, &folders.state) => {
            write_atomic(files, &path, text.as_bytes())
        }
        other => other,
    }
    .map_err(|e| Error::new(code_of(&e), "the signed head file cannot be written").with_source(e))
}

/// Bytes set aside in the state folder for the head files of a full disk.
const RESERVE_BYTES: usize = 16 << 10;

/// Sets the reserve aside if it is not there. Failing to is no fault: there is just none then, and the part of it that
/// found room gives that room back, which is the last that head files have.
pub(super) fn keep_reserve(files: &dyn Files, state: &Path) {
    let path = state.join("reserve");
    if files.exists(&path).is_ok_and(|there| !there) && write_atomic(files, &path, &[0xa5; RESERVE_BYTES]).is_err() {
        let _nothing_left_to_remove = files.remove_file(&with_suffix(&path, ".tmp"));
    }
}

fn give_up_reserve(files: &dyn Files, state: &Path) -> bool {
    files.remove_file(&state.join("reserve")).and_then(|()| files.sync_dir(state)).is_ok()
}

/// Generation, revision and digest of the vault's file.
pub(super) fn vault_version(vault: &dyn Vault) -> Result<(u64, u64, Digest)> {
    let (generation, revision, file) = vault.generation()?.ok_or_else(vault_missing)?;
    Ok((generation, revision, Digest::from_bytes(sha256(&file))))
}

pub(super) fn vault_missing() -> Error {
    Error::new(Code::VaultMissing, "the vault is missing although the ledger has entries")
        .with_hint("put the state folder back from its copy; a new vault is never made over a ledger that has entries")
}

/// Reads the head file; `None` when it is absent.
pub(super) fn read(files: &dyn Files, state: &Path) -> Result<Option<String>> {
    let path = state.join("head");
    match files.read(&path, HEAD_BYTES_MAX) {
        Ok(bytes) => String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| Error::new(Code::HeadInvalid, "the signed head file is not text").with_hint(HEAD_HINT)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::new(Code::Io, "the signed head file cannot be read").with_source(e)),
    }
}

pub(super) const HEAD_HINT: &str = "look at `immutape status`; `immutape repair --accept-head` makes a new head file from the journal and logs that it did";

/// Reads and verifies a head file.
pub(super) fn parse(text: &str, keys: &KeyHistory) -> Result<HeadFile> {
    HeadFile::parse(text, keys).map_err(|e| {
        Error::new(Code::HeadInvalid, format!("the signed head file does not hold: {e}"))
            .with_hint(HEAD_HINT)
            .with_source(e)
    })
}

/// What the journal's end says, for the comparison.
#[derive(Debug, Clone, Copy)]
pub(super) struct JournalEnd {
    pub size: u64,
    pub clean_close: bool,
}

/// Compares head file and journal (`docs/format/store-embedded.md` section 5). The root is compared
/// where both are at hand.
pub(super) fn compare(head: &HeadFile, end: JournalEnd) -> Result<()> {
    let m = head.checkpoint.size;
    if end.size < m {
        return Err(rollback(end.size, m));
    }
    let moved = end.size > m;
    let stale = match head.state {
        HeadState::Closed => moved,
        HeadState::Open => moved && end.clean_close,
        HeadState::Closing => moved && !end.clean_close,
    };
    if stale {
        return Err(Error::new(
            Code::HeadStale,
            format!("the signed head file stands at {m} entries, but the journal was closed in order at {}", end.size),
        )
        .with_hint(HEAD_HINT));
    }
    Ok(())
}

pub(super) fn rollback(size: u64, head: u64) -> Error {
    Error::new(
        Code::LogRollback,
        format!("the journal has {size} entries, but its signed head file names {head}: this is an older copy of the ledger, or its end was lost"),
    )
    .with_hint("nothing was changed or read. Put the newest copy of the ledger folder back; `immutape verify --all` still runs")
}

pub(super) fn same_root(head: &HeadFile, root: &RootHash) -> Result<()> {
    if head.checkpoint.root == *root {
        return Ok(());
    }
    let size = head.checkpoint.size;
    Err(Error::new(
        Code::LogFork,
        format!("the journal's first {size} entries are not the ones its signed head file names"),
    )
    .with_hint("nothing was changed or read. Keep both; the head file is signed, so the journal was replaced"))
}

/// A fresh head for a size and root that are durable in the journal, for creation and repair.
pub(super) fn durable(checkpoint: Checkpoint) -> DurableHead {
    DurableHead::after_sync(checkpoint)
}
