//! The end of a log brought back from a copy of its folder, such as a backup. Heads that others hold say whether the copy is the
//! right one; the copy itself is only read.

use std::path::Path;

use super::begin::Begun;
use super::copies::{self, Held};
use super::journal::{hash_files, rows_digest};
use super::which::{Mended, RepairDone};
use crate::codec::digest::{Digest, ObjectDigest, sha256};
use crate::error::{Code, Error, Result};
use crate::keyring::VaultKeys;
use crate::ledger::core::Identity;
use crate::ledger::{Environment, Places, Who, head_file, start};
use crate::log::{Body, Checkpoint};
use crate::store::contracts::Listed;
use crate::store::{NewObject, Position, Stores};

/// `from` of an `integrity.repaired` entry.
const FROM_BACKUP: u64 = 4;

/// Brings back what `copy` has beyond the place where this ledger's journal stops holding. `held` is a head that somebody else
/// holds, such as a published one: the copy must have it, too.
pub(in crate::ledger) fn from_copy(
    places: &Places,
    env: &Environment,
    (copy, held): (&Path, Option<&str>),
    who: &Who,
) -> Result<Mended> {
    let begun = Begun::new(places, env, who)?;
    let head = begun.head(env)?;
    let Begun { identity, folders, stores } = begun;
    let vault = start::read_vault(&identity, &folders, env, &stores)?;
    let ours = copies::journal(&stores, Some(head.checkpoint.size), Some(&vault));
    let is_whole = ours.fault.is_none() && ours.root_at_mark == Some(head.checkpoint.root);
    if is_whole && held.is_none() {
        return Ok(Mended::nothing());
    }
    let other = open_copy(env, copy, &identity, &folders.state)?;
    let theirs = judge(&other, &vault, &head.checkpoint)?;
    if let Some(note) = held {
        let held = Checkpoint::from_note(note, &identity.keys)
            .map_err(|e| Error::new(Code::ProofInvalid, format!("the head that was given is none of this log: {e}")))?;
        judge(&other, &vault, &held)?;
    }
    if is_whole && theirs.entries <= ours.entries {
        return Ok(Mended::nothing());
    }
    if theirs.entries < ours.entries {
        let words = format!(
            "the copy ends at {} entries, and {} of the journal hold before it breaks off",
            theirs.entries, ours.entries
        );
        return Err(Error::new(Code::LogDamaged, words)
            .with_hint("nothing was changed. Put the newest copy of the ledger folder back as a whole"));
    }
    // Objects first: an entry that is brought back must find what it names. A crash in between leaves objects that nothing names.
    bring_objects(&stores, &other)?;
    // Entries of another history are not gone on from.
    let is_other = ours.root_at_mark.is_some_and(|root| root != head.checkpoint.root);
    let from = if is_other { 1 } else { ours.end.segment.max(1) };
    let mut at = Position { segment: from, offset: 0 };
    let mut extents = std::iter::from_fn(|| match other.journal.read(at) {
        Ok(Some((_, extent, next))) => {
            at = next;
            Some(Ok(extent))
        }
        Ok(None) => None,
        Err(e) => Some(Err(e)),
    });
    let aside = stores.journal.replace(from, &mut extents)?;
    let entry = Body::IntegrityRepaired {
        what: 0,
        from: FROM_BACKUP,
        old: (!aside.is_empty()).then(|| hash_files(env, &aside)),
        new: rows_digest(&stores, from)?,
        entries: theirs.entries,
    };
    let done = RepairDone::Journal { from_segment: from, entries: theirs.entries, aside };
    Ok(Mended { done, entries: vec![entry], rebuild_rows: false })
}

/// The copy over our own vault: it is a ledger folder, and of this ledger.
fn open_copy(env: &Environment, copy: &Path, identity: &Identity, state: &Path) -> Result<Stores> {
    let of_another = || {
        Error::new(Code::Usage, "this folder is no copy of this ledger")
            .with_hint("give a copy of the ledger folder, with `journal` in it")
    };
    let places = Places::new(copy);
    let first = env.engine.first_group(&places.ledger)?.ok_or_else(of_another)?;
    let group = crate::codec::extent::Group::parse(&first).map_err(crate::log::LogError::from)?;
    if start::identity(&group)?.ledger != identity.ledger {
        return Err(of_another());
    }
    env.engine.open(&places.ledger, state, Digest::from_bytes(sha256(identity.genesis.origin.as_bytes())))
}

/// Walks all of the copy: it must hold by itself, carry this ledger's codes, and have the head.
fn judge(other: &Stores, vault: &VaultKeys, head: &Checkpoint) -> Result<Held> {
    let theirs = copies::journal(other, Some(head.size), Some(vault));
    if let Some(fault) = theirs.fault {
        return Err(fault.with_hint("this copy does not hold either; nothing was changed"));
    }
    match theirs.root_at_mark {
        Some(root) if root == head.root => Ok(theirs),
        Some(_) => Err(Error::new(Code::LogFork, format!("the first {} entries of this copy are not those of the signed head", head.size))
            .with_hint("nothing was changed. Keep all of them: one of the two histories was signed by this log and the other was not")),
        None => Err(head_file::rollback(theirs.entries, head.size)
            .with_hint("this copy does not reach the signed head either; nothing was changed. `immutape succeed` is the way on where there is no newer one")),
    }
}

/// Objects that the copy has and we have not.
fn bring_objects(stores: &Stores, other: &Stores) -> Result<()> {
    let (mut known, mut missing) = (std::collections::HashSet::<ObjectDigest>::new(), Vec::new());
    stores.objects.list(&mut |listed| {
        if let Listed::Object(object, _) = listed {
            known.insert(object.digest);
        }
        Ok(())
    })?;
    other.objects.list(&mut |listed| {
        if let Listed::Object(object, protection) = listed
            && !known.contains(&object.digest)
        {
            missing.push((object, protection));
        }
        Ok(())
    })?;
    let mut brought = false;
    for (object, protection) in missing {
        // One that is damaged in the copy is not brought; the check of the mended ledger names what is missing.
        let Ok(bytes) = other.objects.get(&object) else { continue };
        stores.objects.put(NewObject::of(&bytes), protection)?;
        brought = true;
    }
    if brought { stores.objects.sync() } else { Ok(()) }
}
