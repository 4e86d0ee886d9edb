//! A new signed head over the log as it stands. Only for a head that is missing or invalid: a journal behind its valid
//! head stays refused, since that is what a rollback looks like.

use super::begin::Begun;
use super::which::{Mended, RepairDone, compare_end, lost_its_end};
use super::{copies, journal};
use crate::error::{Code, Error, Result};
use crate::keyring::{ConfigFolder, VaultKeys};
use crate::ledger::core::{Folders, Identity};
use crate::ledger::{Environment, Places, Who, head_file, start};
use crate::log::{Body, Checkpoint, HeadFile, HeadState};
use crate::store::Stores;

/// Signs a new head, once every group of the log chains and carries the ledger's own code. Entries that only sled still
/// has are brought back first: a head over less would bury them.
pub(super) fn accept(places: &Places, env: &Environment, who: &Who) -> Result<Mended> {
    let Begun { identity, folders, stores } = Begun::new(places, env, who)?;
    let keys = ConfigFolder::new(folders.config.clone()).read(&*env.files, &identity.keys)?;
    let text = head_file::read(&*env.files, &folders.state);
    let reason = match &text {
        Ok(None) => 0,
        Ok(Some(text)) => match head_file::parse(text, &identity.keys) {
            Ok(head) => return still_valid(&head, &stores),
            Err(_) => 1,
        },
        Err(_) => 1,
    };
    let vault = start::read_vault(&identity, &folders, env, &stores)?;
    stores.journal.set_reopened(true);
    let mut entries = Vec::new();
    if let Some(brought_back) = complete(&identity, &folders, env, &stores, &vault)? {
        entries.push(brought_back);
    }
    let tail = stores.journal.acquire()?;
    let last = tail.last.ok_or_else(|| Error::new(Code::LogDamaged, "the journal is empty"))?;
    // With the turn taken nobody adds to it any more: what is signed is what was walked.
    let held = copies::journal(&stores, None, Some(&vault));
    if let Some(fault) = held.fault {
        return Err(fault);
    }
    if held.last != last.hash {
        return Err(Error::new(Code::Locked, "another process has just been at work on this ledger"));
    }
    let checkpoint = Checkpoint { origin: identity.genesis.origin.clone(), size: last.size_after(), root: last.root };
    stores.vault.sync()?;
    let version = head_file::vault_version(&*stores.vault)?;
    let head = head_file::durable(checkpoint);
    let text = HeadFile::sign(&head, version, HeadState::Closed, last.term, &keys.checkpoint)?;
    head_file::store(&*env.files, &folders, &text)?;
    let size = last.size_after();
    entries.push(Body::HeadFileRebuilt { reason, size });
    Ok(Mended { done: RepairDone::Head { size }, entries, rebuild_rows: false })
}

/// Brings back what only sled still has; the entry that tells of it.
fn complete(
    identity: &Identity,
    folders: &Folders,
    env: &Environment,
    stores: &Stores,
    vault: &VaultKeys,
) -> Result<Option<Body>> {
    let held = copies::journal(stores, None, Some(vault));
    if let Some(fault) = held.fault {
        return Err(fault);
    }
    match lost_its_end(&held, identity, folders, env, stores)? {
        None => Ok(None),
        Some(why) => {
            let (_, entry) = journal::bring_back(env, folders, stores, None, vault, &held, &why)?;
            Ok(Some(entry))
        }
    }
}

fn still_valid(head: &HeadFile, stores: &Stores) -> Result<Mended> {
    stores.journal.set_reopened(head.state == HeadState::Open);
    match compare_end(head, stores) {
        Ok(()) => Ok(Mended::nothing()),
        Err(e) if e.code() == Code::HeadStale => Err(e.with_hint("the head file is signed and older than an orderly close: put the newest state folder back; a valid head is never overruled")),
        Err(e) => Err(e),
    }
}
