//! The journal written anew from sled's copy.

use super::copies::{Held, Walk};
use super::which::RepairDone;
use crate::catalog::{Queries, pieces_to_extents};
use crate::codec::digest::{Digest, Hasher};
use crate::codec::extent::Group;
use crate::codec::limits::SEGMENT_BYTES_MAX;
use crate::error::{Code, Error, Result};
use crate::keyring::VaultKeys;
use crate::ledger::core::{Folders, Identity};
use crate::ledger::{Environment, Places, create, start};
use crate::log::{Body, HeadFile, LogError};
use crate::store::{Position, Stores};

/// Brings the journal back from where it stops holding; what was there goes to quarantine. First the proof, then the
/// change: nothing is touched when sled's copy does not reach the signed head, if there is one, and the journal's end.
pub(super) fn bring_back(
    env: &Environment,
    folders: &Folders,
    stores: &Stores,
    head: Option<&HeadFile>,
    vault: &VaultKeys,
    journal: &Held,
    why: &Error,
) -> Result<(RepairDone, Body)> {
    let from = journal.end.segment.max(1);
    let turn = start::turn_for_rows(&folders.state, env)?;
    let Proof { entries, newer } = prove(stores, head, vault, journal, why)?;
    // The journal takes the lock itself, before it asks for the first extent. Who comes in between finds sled in use
    // and waits.
    drop(turn);
    let queries = Queries::new(&*stores.rows);
    let aside = std::thread::scope(|scope| {
        let (send, receive) = std::sync::mpsc::sync_channel::<Result<Vec<u8>>>(16);
        let (go, may_go) = std::sync::mpsc::sync_channel::<()>(1);
        scope.spawn(move || {
            if may_go.recv().is_err() {
                return;
            }
            let gone = || Error::new(Code::Internal, "the repair stopped listening");
            let sent = pieces_to_extents(&mut |each| queries.pieces(each), &mut |header, extent| {
                if header.segment >= from { send.send(Ok(extent)).map_err(|_| gone()) } else { Ok(()) }
            });
            let sent = sent.and_then(|()| newer.into_iter().try_for_each(|e| send.send(Ok(e)).map_err(|_| gone())));
            if let Err(e) = sent {
                let _receiver_may_be_gone = send.send(Err(e));
            }
        });
        let mut go = Some(go);
        let mut extents = std::iter::from_fn(|| {
            let _asked_for_the_first = go.take().map(|go| go.send(()));
            receive.recv().ok()
        });
        stores.journal.replace(from, &mut extents)
    })?;
    let entry = Body::IntegrityRepaired {
        what: 0,
        from: 2,
        // A journal that is gone leaves nothing to put aside.
        old: (!aside.is_empty()).then(|| hash_files(env, &aside)),
        new: rows_digest(stores, from)?,
        entries,
    };
    Ok((RepairDone::Journal { from_segment: from, entries, aside }, entry))
}

/// What both copies together prove.
struct Proof {
    entries: u64,
    /// Groups that the journal still has after the last one in sled: after a kill sled is behind.
    newer: Vec<Vec<u8>>,
}

/// Walks sled's copy on its own, and from its end on what the journal still has: chain, codes, signed head.
fn prove(stores: &Stores, head: Option<&HeadFile>, vault: &VaultKeys, journal: &Held, why: &Error) -> Result<Proof> {
    let mut walk = Walk::new(head.map(|head| head.checkpoint.size), Some(vault));
    let mut newer = Vec::new();
    let walked = walk.sled(stores);
    if walked.is_ok() {
        // Damage after sled's end is beyond both copies; the swap refuses to drop whatever can be read behind it.
        let _what_comes_before_it_holds = walk.journal(stores, &mut |extent| newer.push(extent));
    }
    let held = walk.held(walked);
    let reaches_head = head.is_none_or(|head| held.root_at_mark == Some(head.checkpoint.root));
    if held.fault.is_none() && reaches_head && held.entries >= journal.entries {
        return Ok(Proof { entries: held.entries, newer });
    }
    let message = format!(
        "the journal breaks off at entry {} ({}), and sled's copy does not reach the signed head either",
        journal.entries,
        why.message()
    );
    Err(Error::new(Code::LogDamaged, message).with_hint("nothing was changed. Put the ledger folder back from a copy"))
}
pub(super) fn hash_files(env: &Environment, paths: &[std::path::PathBuf]) -> Digest {
    let mut hasher = Hasher::new();
    for path in paths {
        if let Ok(bytes) = env.files.read(path, SEGMENT_BYTES_MAX) {
            hasher.update(&bytes);
        }
    }
    Digest::from_bytes(hasher.finish())
}

pub(super) fn rows_digest(stores: &Stores, from: u64) -> Result<Digest> {
    let (mut hasher, mut at) = (Hasher::new(), Position { segment: from, offset: 0 });
    while let Some((_, extent, next)) = stores.journal.read(at)? {
        hasher.update(&extent);
        at = next;
    }
    Ok(Digest::from_bytes(hasher.finish()))
}

/// The identity in sled's copy, when the journal is gone.
pub(in crate::ledger) fn from_rows(places: &Places, env: &Environment) -> Result<(Identity, Folders)> {
    let gone = || create::ledger_missing(places);
    let state = places.state_that_names_us(&*env.files)?.ok_or_else(gone)?;
    // Opening the stores where nothing is left of the ledger would make an empty one.
    let is_there = |part| env.files.exists(&places.ledger.join(part)).unwrap_or(false);
    if !is_there("index") && !is_there("journal") {
        return Err(gone());
    }
    start::wait_for_turn(&state, env, start::end_of_patience())?;
    // Dropped after the stores, and sled with them.
    let _turn = start::turn_for_rows(&state, env)?;
    let stores = env.engine.open(&places.ledger, &state, Digest::from_bytes([0; 32]))?;
    if !stores.rows.is_there() {
        return Err(gone());
    }
    let queries = Queries::new(&*stores.rows);
    let mut first = None;
    let _stopped_after_the_first = pieces_to_extents(&mut |each| queries.pieces(each), &mut |_, extent| {
        first = Some(extent);
        Err(gone())
    });
    let extent = first.ok_or_else(gone)?;
    let identity = start::identity(&Group::parse(&extent).map_err(LogError::from)?)?;
    let folders = Folders { places: places.clone(), state, config: places.config_of(&identity.ledger)? };
    Ok((identity, folders))
}
