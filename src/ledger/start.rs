//! Opening: journal tail, rows' position, signed head and vault are compared before anything is served.

use std::time::{Duration, Instant};

use super::core::{Folders, Identity};
use super::head_file::{self, JournalEnd};
use super::heads::{Anchor, compare_size, kept_heads};
use super::{Environment, Places, create};
use crate::codec::digest::{Digest, LedgerId, sha256};
use crate::codec::extent::{Group, GroupHeader};
use crate::codec::limits::LOCK_WAIT_MS;
use crate::error::{Code, Error, Result};
use crate::keyring::{ConfigFolder, LedgerKeys, VaultKeys};
use crate::log::{Body, Checkpoint, Entry, EntryKind, HeadFile, HeadState, LogError, leaf_hash};
use crate::store::files::FileLock;
use crate::store::{Stores, Tail};

/// How often a waiting process looks whether its turn has come.
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// A ledger found and identified by entry 0; nothing is locked yet.
pub(super) struct Found {
    pub identity: Identity,
    pub folders: Folders,
    pub first: GroupHeader,
}

/// Finds the ledger and reads entry 0.
pub(super) fn find(places: &Places, env: &Environment) -> Result<Found> {
    let extent = match env.engine.first_group(&places.ledger)? {
        Some(extent) => extent,
        None => {
            let none = not_there(places, env)?;
            // A ledger whose making ended between the two looks is there now, and only its state was seen.
            env.engine.first_group(&places.ledger)?.ok_or(none)?
        }
    };
    let group = Group::parse(&extent).map_err(LogError::from)?;
    let identity = identity(&group)?;
    let folders = Folders {
        places: places.clone(),
        state: places.state_of(&identity.ledger)?,
        config: places.config_of(&identity.ledger)?,
    };
    Ok(Found { identity, folders, first: *group.header() })
}

/// What is said where no journal is.
fn not_there(places: &Places, env: &Environment) -> Result<Error> {
    let index = env.files.exists(&places.ledger.join("index")).unwrap_or(false);
    Ok(match places.state_that_names_us(&*env.files)? {
        Some(state) if index && !creating(env, &state)? => Error::new(
            Code::LogDamaged,
            format!("the journal in {} is gone; sled's copy of the log is still there", places.shown()),
        )
        .with_hint("`immutape repair` brings the journal back from sled, byte for byte, if it reaches the signed head"),
        Some(state) if !creating(env, &state)? => create::ledger_missing(places),
        _ => Error::new(Code::NoLedger, format!("there is no ledger in {}", places.shown()))
            .with_hint("make one with `immutape init`; the first `immutape save FILE` or `immutape record -- PROGRAM` makes one too"),
    })
}

/// The identity that a first group gives.
pub(super) fn identity(group: &Group<'_>) -> Result<Identity> {
    let record = group.records().next().ok_or(LogError::Genesis(0))?;
    let (public, _) = record.map_err(LogError::from)?;
    let entry = Entry::decode(public)?;
    if entry.index != 0 || entry.kind != EntryKind::GENESIS {
        return Err(LogError::Genesis(entry.index).into());
    }
    let fault = |fault| LogError::Body { index: 0, kind: 0, fault };
    let Body::Genesis(genesis) = Body::decode(entry.kind, entry.body).map_err(fault)? else {
        return Err(LogError::Genesis(0).into());
    };
    Identity::of(LedgerId::from_bytes(*leaf_hash(public).as_bytes()), *genesis)
}

fn creating(env: &Environment, state: &std::path::Path) -> Result<bool> {
    env.files.exists(&state.join(create::CREATING)).map_err(|e| io("the state folder cannot be read", e))
}

fn io(what: &'static str, e: std::io::Error) -> Error {
    Error::new(Code::Io, what).with_source(e)
}

/// Opens the stores of a found ledger.
pub(super) fn stores(found: &Found, env: &Environment) -> Result<Stores> {
    open_stores(&found.identity, &found.folders, env)
}

/// As [`stores`], when the ledger was found another way.
pub(super) fn open_stores(identity: &Identity, folders: &Folders, env: &Environment) -> Result<Stores> {
    let origin = Digest::from_bytes(sha256(identity.genesis.origin.as_bytes()));
    env.engine.open(&folders.places.ledger, &folders.state, origin)
}

/// Reads the vault's keys. `E_VAULT_MISSING` when there is no vault.
pub(super) fn vault_keys(found: &Found, env: &Environment, stores: &Stores) -> Result<VaultKeys> {
    read_vault(&found.identity, &found.folders, env, stores)
}

/// As [`vault_keys`], when the ledger was found another way.
pub(super) fn read_vault(
    identity: &Identity,
    folders: &Folders,
    env: &Environment,
    stores: &Stores,
) -> Result<VaultKeys> {
    let (generation, revision, file) = stores.vault.generation()?.ok_or_else(head_file::vault_missing)?;
    let root = ConfigFolder::new(folders.config.clone()).read_root(&*env.files, generation)?;
    let keys = VaultKeys::decode(&file, &identity.genesis.origin, root)?;
    // The numbers before the body stand under no code; the store goes by them when it writes the next revision.
    if keys.version() != (generation, revision) {
        return Err(Error::new(
            Code::VaultDamaged,
            "the first line of the vault's generation file names another revision than its body",
        )
        .with_hint("put the vault's generation file back from its copy"));
    }
    Ok(keys)
}

/// A ledger that may write: locked, its tail and head compared.
pub(super) struct Locked {
    pub keys: LedgerKeys,
    pub vault: VaultKeys,
    pub head: HeadFile,
    pub tail: Tail,
    pub last: GroupHeader,
    /// Heads that others hold, as far as they are kept.
    pub anchors: Vec<Anchor>,
}

/// Takes the writer's turn and makes every comparison that needs no walk through the log.
pub(super) fn lock(found: &Found, env: &Environment, stores: &Stores) -> Result<Locked> {
    let config = ConfigFolder::new(found.folders.config.clone());
    let keys = config.read(&*env.files, &found.identity.keys)?;
    let head_text = head_file::read(&*env.files, &found.folders.state)?;
    let head = head_text.as_ref().map(|t| head_file::parse(t, &found.identity.keys)).transpose()?;
    let state = &found.folders.state;
    if !env.files.exists(state).map_err(|e| io("the state folder cannot be read", e))? {
        return Err(head_missing());
    }
    stores.journal.set_reopened(head.as_ref().is_some_and(|h| h.state == HeadState::Open));
    let tail = stores.journal.acquire();
    // Whoever had the turn until now may have moved on after the head file, and the rows, were looked at: nothing
    // is judged by a head that another process has replaced meanwhile.
    if head_file::read(&*env.files, state)? != head_text {
        return Err(Error::new(Code::Locked, "another process has just been at work on this ledger"));
    }
    let tail = tail?;
    // The keys that the next entries are sealed under must outlive a power cut as surely as the entries.
    stores.vault.sync()?;
    let vault = vault_keys(found, env, stores)?;
    let last =
        tail.last.ok_or_else(|| Error::new(Code::LogDamaged, "the journal lost its last group while it was opened"))?;
    let head = match head {
        Some(head) => {
            // The making was cut off between its head and its end.
            if creating(env, &found.folders.state)? {
                create::end_making(env, &found.folders)?;
            }
            head
        }
        None if last.size_after() == 1 && creating(env, &found.folders.state)? => {
            let checkpoint =
                Checkpoint { origin: found.identity.genesis.origin.clone(), size: 1, root: found.first.root };
            create::write_first_head(env, &found.folders, stores, &keys, checkpoint, found.first.term)?;
            let text = head_file::read(&*env.files, &found.folders.state)?.ok_or_else(head_missing)?;
            head_file::parse(&text, &found.identity.keys)?
        }
        None => return Err(head_missing()),
    };
    head_file::compare(&head, JournalEnd { size: last.size_after(), clean_close: last.clean_close() })?;
    if head.checkpoint.size == last.size_after() {
        head_file::same_root(&head, &last.root)?;
    }
    compare_vault(&head, &vault)?;
    let anchors = kept_heads(&*env.files, state, &found.identity.keys)?;
    anchors.iter().try_for_each(|anchor| compare_size(anchor, last.size_after()))?;
    Ok(Locked { keys, vault, head, tail, last, anchors })
}

/// When who waits for another process gives up.
pub(super) fn end_of_patience() -> Option<Instant> {
    Instant::now().checked_add(Duration::from_millis(LOCK_WAIT_MS))
}

/// Waits until nobody has the turn. The stores are opened only after that: what they read before would be
/// out of date, and sled cannot be opened twice. Who can take the lock for a moment may still lose the race.
///
/// # Errors
/// `E_LOCKED` when `until` has come.
pub(super) fn wait_for_turn(state: &std::path::Path, env: &Environment, until: Option<Instant>) -> Result<()> {
    let lock = state.join("lock");
    // Any error of the lock is the acquisition's to tell.
    while env.files.exists(&lock).unwrap_or(false) && matches!(env.files.try_lock(&lock), Ok(None)) {
        if until.is_none_or(|until| Instant::now() >= until) {
            return Err(Error::new(Code::Locked, "another process has this ledger open")
                .with_hint("wait until it is done; `immutape status` works meanwhile"));
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    Ok(())
}

/// The ledger's lock, for who asks the rows without being the writer: sled has one user at a time, and writes into
/// its folder from its opening on. To be dropped after the rows, and soon: a writer waits for it.
///
/// # Errors
/// `E_LOCKED` while another process has it; `E_IO`.
pub(super) fn turn_for_rows(state: &std::path::Path, env: &Environment) -> Result<Box<dyn FileLock>> {
    let lock = env.files.try_lock(&state.join("lock"));
    let lock = lock.map_err(|e| Error::new(Code::Io, "the ledger's lock cannot be taken").with_source(e))?;
    lock.ok_or_else(|| Error::new(Code::Locked, "another process has this ledger open"))
}

pub(super) fn head_missing() -> Error {
    Error::new(Code::HeadMissing, "the signed head file is missing, so nothing says how long this log must be")
        .with_hint(head_file::HEAD_HINT)
}

/// Compares the vault, as it was read, with what the signed head says of it. A newer one is lawful: its head may not
/// have been written. The file itself is not looked at again: a writer may have made it newer meanwhile.
pub(super) fn compare_vault(head: &HeadFile, vault: &VaultKeys) -> Result<()> {
    let (generation, revision, digest) = head.vault;
    let (now_generation, now_revision) = vault.version();
    if (now_generation, now_revision) < (generation, revision) {
        return Err(Error::new(
            Code::VaultRollback,
            format!("the vault is at revision {now_generation}.{now_revision}, but the signed head file names {generation}.{revision}: an older copy of the vault"),
        )
        .with_hint("put the newest copy of the state folder's vault back; keys of newer tapes and entries are missing in this one. Of a copy from before `immutape repair --accept-vault` put back the files of epochs alone; that command accepts no older revision"));
    }
    if (now_generation, now_revision) == (generation, revision) && vault.read_from() != Some(digest) {
        return Err(Error::new(
            Code::VaultDamaged,
            "the vault's generation file is not the one the signed head file names",
        ));
    }
    Ok(())
}
