//! From one generation to the next, and the end of the old one.
//!
//! Crash states of [`rotate`] from generation n, in order of the steps:
//! 1. some epoch files of the new generation are there: nobody names them, n is present and whole; a later rotation
//!    lists them among the epochs that end with n;
//! 2. `generation.<n>.epochs` and then `generation.<n>` are there as well: both are written again by a later rotation;
//! 3. `generation` is replaced: n+1 is present, n stands whole beside it until it is destroyed.
//!
//! [`destroy`] wipes `generation.<n>` (the wrapped epoch keys), then each listed epoch, and the list last: while the
//! list is there, destroying again goes on where it ended.

use super::fault;
use super::files::Folder;
use super::generation::generation_file;
use super::slot::{self, EPOCH_FILE_BYTES};
use crate::codec::digest::sha256;
use crate::codec::limits::EPOCH_TAPES_MAX;
use crate::error::{Code, Error, Result};
use crate::governance::DisposalClearance;
use crate::store::contracts::VaultRecord;

type EpochId = [u8; 16];
type Survivors = [(EpochId, Vec<VaultRecord>)];

const LIST_LABEL: &str = "immutape vault-epochs 1";

/// Writes the new generation beside the old and makes it the present one.
pub(super) fn rotate(folder: &Folder, generation: u64, bytes: &[u8], survivors: &Survivors) -> Result<()> {
    let (old, revision, old_bytes) = folder
        .generation()?
        .ok_or_else(|| fault::conflict("vault: there is no generation to rotate away from".to_owned()))?;
    if old.checked_add(1) != Some(generation) {
        return Err(fault::conflict(format!("vault: generation {generation} does not follow generation {old}")));
    }
    check_survivors(folder, survivors)?;
    let doomed = doomed_with(folder, old, survivors)?;

    for (epoch, records) in survivors {
        folder.place_epoch(epoch, &epoch_file(epoch, records))?;
    }
    folder.sync()?;
    folder.replace(&folder.doomed_path(old), &list_file(old, &doomed))?;
    folder.replace(&folder.kept_path(old), &generation_file(old, revision, &old_bytes))?;
    folder.replace(&folder.generation_path(), &generation_file(generation, 1, bytes))
}

/// The old generation must stay whole: a survivor takes a new name, or is the very file that is there.
fn check_survivors(folder: &Folder, survivors: &Survivors) -> Result<()> {
    for (at, (epoch, records)) in survivors.iter().enumerate() {
        let name = fault::epoch_name(epoch);
        if records.len() > EPOCH_TAPES_MAX as usize {
            return Err(Error::new(
                Code::Limit,
                format!("vault: more than {EPOCH_TAPES_MAX} records for epoch {name}"),
            ));
        }
        if survivors.iter().take(at).any(|(earlier, _)| earlier == epoch) {
            return Err(fault::conflict(format!("vault: epoch {name} is named twice")));
        }
        let there = folder.read(&folder.epoch_path(epoch))?;
        if there.is_some_and(|content| content != epoch_file(epoch, records)) {
            return Err(fault::conflict(format!("vault: epoch {name} is there already with other records")));
        }
    }
    Ok(())
}

fn epoch_file(epoch: &EpochId, records: &[VaultRecord]) -> Vec<u8> {
    let mut out = Vec::with_capacity(EPOCH_FILE_BYTES);
    for (slot, record) in (0u32..).zip(records) {
        out.extend(slot::encode(epoch, slot, record));
    }
    out.resize(EPOCH_FILE_BYTES, 0);
    out
}

/// Every epoch that is there and neither survives nor ends with an older generation.
fn doomed_with(folder: &Folder, generation: u64, survivors: &Survivors) -> Result<Vec<EpochId>> {
    let listing = folder.list()?;
    let mut spared: Vec<EpochId> = survivors.iter().map(|(epoch, _)| *epoch).collect();
    for older in listing.kept.iter().filter(|n| **n < generation) {
        spared.extend(doomed(folder, *older)?.ok_or_else(|| no_list(folder, *older))?);
    }
    Ok(listing.epochs.into_iter().filter(|epoch| !spared.contains(epoch)).collect())
}

/// Text: a line with number and count, a line for each epoch, and the digest of the lines before.
fn list_file(generation: u64, epochs: &[EpochId]) -> Vec<u8> {
    let mut text = format!("{LIST_LABEL} {generation} {}\n", epochs.len());
    for epoch in epochs {
        text.push_str(&hex::encode(epoch));
        text.push('\n');
    }
    let digest = hex::encode(sha256(text.as_bytes()));
    text.push_str(&digest);
    text.push('\n');
    text.into_bytes()
}

/// The epochs that end with a generation; `None` without a list. The list decides what is destroyed,
/// so it is taken only if writing it again gives the same bytes.
fn doomed(folder: &Folder, generation: u64) -> Result<Option<Vec<EpochId>>> {
    let path = folder.doomed_path(generation);
    let Some(file) = folder.read(&path)? else { return Ok(None) };
    let lines = file.split(|b| *b == b'\n').skip(1);
    let epochs: Vec<EpochId> = lines.filter_map(|line| hex::decode(line).ok()?.try_into().ok()).collect();
    if list_file(generation, &epochs) != file {
        return Err(fault::damaged(format!("vault: {} is damaged", fault::shown(&path))));
    }
    Ok(Some(epochs))
}

/// Overwrites and removes what ends with an old generation. `forget` is called before each epoch goes.
pub(super) fn destroy(
    folder: &Folder,
    generation: u64,
    clearance: DisposalClearance,
    mut forget: impl FnMut(&EpochId),
) -> Result<String> {
    let cleared_for = clearance.subject().to_hex();
    let present = folder.generation()?;
    let Some((_, _, present_bytes)) = present.filter(|(number, ..)| generation < *number) else {
        return Err(fault::conflict(format!("vault: generation {generation} is not an old one")));
    };
    let listing = folder.list()?;
    if let Some(older) = listing.kept.iter().find(|n| **n < generation) {
        // They may share epochs, and an old generation stays whole until its own end.
        return Err(fault::conflict(format!("vault: generation {older} must be destroyed before {generation}")));
    }
    let epochs = condemned(folder, generation, &present_bytes)?;

    folder.clear_temporaries()?;
    let mut total = folder.wipe(&folder.kept_path(generation))?.unwrap_or(0);
    let mut wiped = 0u64;
    for epoch in &epochs {
        forget(epoch);
        if let Some(bytes) = folder.wipe(&folder.epoch_path(epoch))? {
            (total, wiped) = (total.saturating_add(bytes), wiped.saturating_add(1));
        }
    }
    folder.sync()?;
    // The list holds names and no keys: removed in one step, it is whole or gone after a crash.
    folder.remove(&folder.doomed_path(generation))?;
    folder.sync()?;
    Ok(format!(
        "vault generation {generation}: {wiped} epochs and the generation file overwritten with zeros and removed, \
         {total} bytes; clearance for {cleared_for}"
    ))
}

/// The epochs to destroy; none when nothing of the generation is left.
fn condemned(folder: &Folder, generation: u64, present_bytes: &[u8]) -> Result<Vec<EpochId>> {
    let Some(epochs) = doomed(folder, generation)? else {
        let kept = folder.kept_path(generation);
        // The list is written before the copy and goes after it, so a copy alone has lost its list.
        return match folder.exists(&kept)? {
            true => Err(no_list(folder, generation)),
            false => Ok(Vec::new()),
        };
    };
    // A last look, for nothing brings an epoch back: ids are random, so these bytes stand in the
    // present generation only if it names the epoch.
    let named = |epoch: &&EpochId| present_bytes.windows(epoch.len()).any(|part| part == *epoch);
    match epochs.iter().find(named) {
        Some(epoch) => {
            Err(fault::conflict(format!("vault: the present generation names epoch {}", fault::epoch_name(epoch))))
        }
        None => Ok(epochs),
    }
}

fn no_list(folder: &Folder, generation: u64) -> Error {
    fault::damaged(format!("vault: {} has no list of its epochs", fault::shown(&folder.kept_path(generation))))
}
