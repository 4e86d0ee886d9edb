//! Is the vault as new as the log? Slots of an epoch fill up without the vault's revision moving, so an older copy of
//! it can have the very generation file that the signed head names. The log tells: a tape that it names has its key.
//!
//! The key of the newest tape of the open epoch is enough. One writer puts keys into slots in the order in which their
//! entries go into the log, and an entry is written only after its key was synced: so a copy that lacks the key of any
//! entry lacks those of all later ones. Later slots without an entry are lawful (a save that never became durable), and
//! nothing is lost with them. Earlier epochs take no more keys once the revision has moved on to the open one.

use std::collections::BTreeSet;

use super::authentic;
use super::rebuild::BEGINNING;
use crate::catalog::Queries;
use crate::codec::digest::{CustodyId, LedgerId};
use crate::codec::extent::Group;
use crate::error::{Code, Error, Result};
use crate::keyring::VaultKeys;
use crate::log::{Body, Entry, EntryKind, HeadFile, LogError};
use crate::store::{Position, Stores};

/// Refuses a vault that lacks it, before anything is written. A vault that is damaged is no older copy: tapes whose keys
/// are hit cannot be read, the others can, and new keys go to a new epoch.
///
/// # Errors
/// `E_VAULT_ROLLBACK`; what the journal answers when rows speak against the vault.
pub(super) fn is_there(
    ledger: &LedgerId,
    stores: &Stores,
    vault: &VaultKeys,
    head: &HeadFile,
    size: u64,
) -> Result<()> {
    let Some(epoch) = vault.open_epoch() else { return Ok(()) };
    let records = match stores.vault.records(&epoch) {
        Err(e) if matches!(e.code(), Code::VaultDamaged | Code::NotFound) => return Ok(()),
        records => records?,
    };
    let has = |custody: &CustodyId| records.iter().any(|record| record.custody_id == *custody);
    let by_rows = by_rows(ledger, stores, vault, &epoch, size);
    if by_rows.is_some_and(|newest| newest.is_none_or(|(custody, _)| has(&custody))) {
        return Ok(());
    }
    // Rows that are gone say nothing, and rows that lead astray accuse nobody: the whole journal has the last word.
    let newest = match newest_from(stores, BEGINNING, &epoch) {
        // Who builds the rows anew says what is wrong with the journal.
        Err(_) if by_rows.is_none() => return Ok(()),
        newest => newest?,
    };
    let Some(custody) = newest.filter(|custody| !has(custody)) else { return Ok(()) };
    let slot = by_rows.flatten().filter(|(known, _)| *known == custody).and_then(|(_, slot)| slot);
    let is_damaged = match slot {
        // Something was written at its place or behind it: the copy is not from before.
        Some(slot) => stores.vault.next_slot(&epoch)? > slot,
        None => stores.vault.get(&epoch, &custody, None).is_err_and(|e| e.code() == Code::VaultDamaged),
    };
    if is_damaged {
        return Ok(());
    }
    authentic::all(stores, vault, head)?;
    Err(Error::new(Code::VaultRollback, "the vault lacks the key of the newest tape: an older copy of the vault")
        .with_hint("nothing was changed. Put the newest copy of the state folder's vault back: keys of newer tapes are missing in this one, and new ones would take their places. Only if there is no such copy: `immutape repair --accept-vault` gives those tapes up, and logs which"))
}

/// A tape whose key is gone.
#[derive(Debug, Clone, Copy)]
pub(super) struct LostKey {
    pub custody: CustodyId,
    /// The entry that saved it.
    pub entry: u64,
}

/// What a vault that is behind lacks.
#[derive(Debug, Clone, Default)]
pub(super) struct Lost {
    pub tapes: Vec<LostKey>,
    /// Keys of epochs and of entries that the log names and the vault does not know: each was a revision of the vault.
    pub revisions: u64,
}

/// What the vault lacks, once [`is_there`] has refused it: the whole journal is read.
///
/// # Errors
/// Those of the journal and of the vault.
pub(super) fn lost(stores: &Stores, vault: &VaultKeys) -> Result<Lost> {
    let open = vault.open_epoch();
    let records = open.map_or_else(|| Ok(Vec::new()), |epoch| stores.vault.records(&epoch))?;
    let has = |custody: &CustodyId| records.iter().any(|record| record.custody_id == *custody);
    let (mut tapes, mut unknown) = (Vec::new(), BTreeSet::new());
    each_entry(stores, BEGINNING, &mut |entry, epoch| {
        if vault.custody_key(&entry.key_id).is_none() {
            unknown.insert(entry.key_id);
        }
        let Some(epoch) = epoch else { return };
        let is_known = vault.epoch(&epoch).is_some();
        if !is_known {
            unknown.insert(epoch);
        }
        if !is_known || (open == Some(epoch) && !has(&entry.subject)) {
            tapes.push(LostKey { custody: entry.subject, entry: entry.index });
        }
    })?;
    Ok(Lost { tapes, revisions: unknown.len() as u64 })
}

/// The newest tape of the epoch by the rows and the groups that they have not taken in, with its slot where that is
/// known; `None` when they cannot tell.
fn by_rows(
    ledger: &LedgerId,
    stores: &Stores,
    vault: &VaultKeys,
    epoch: &[u8; 16],
    size: u64,
) -> Option<Option<(CustodyId, Option<u32>)>> {
    let queries = Queries::new(&*stores.rows);
    let position = queries.position().ok()??;
    if position.ledger != *ledger || position.chain.size() > size {
        return None;
    }
    if let Some(later) = newest_from(stores, position.next, epoch).ok()? {
        return Some(Some((later, None)));
    }
    let last = queries.last_saved().ok()?;
    // Of an epoch that the vault has never heard of: the newest of the open one stands before it in the log.
    if last.as_ref().is_some_and(|row| vault.epoch(&row.facts.epoch).is_none()) {
        return None;
    }
    Some(last.filter(|row| row.facts.epoch == *epoch).map(|row| (row.custody, row.facts.slot)))
}

/// The last tape saved in the epoch by the groups from `at` on.
fn newest_from(stores: &Stores, at: Position, epoch: &[u8; 16]) -> Result<Option<CustodyId>> {
    let mut newest = None;
    each_entry(stores, at, &mut |entry, of| {
        if of == Some(*epoch) {
            newest = Some(entry.subject);
        }
    })?;
    Ok(newest)
}

/// The entries of the groups from `at` on, those that saved a tape with its epoch.
fn each_entry(stores: &Stores, mut at: Position, each: &mut dyn FnMut(&Entry<'_>, Option<[u8; 16]>)) -> Result<()> {
    while let Some((_, extent, next)) = stores.journal.read(at)? {
        for record in Group::parse(&extent).map_err(LogError::from)?.records() {
            let (public, _) = record.map_err(LogError::from)?;
            let entry = Entry::decode(public)?;
            let epoch = match (entry.kind == EntryKind::TAPE_SAVED).then(|| Body::decode(entry.kind, entry.body)) {
                Some(Ok(Body::TapeSaved { epoch, .. })) => Some(epoch),
                _ => None,
            };
            each(&entry, epoch);
        }
        at = next;
    }
    Ok(())
}
