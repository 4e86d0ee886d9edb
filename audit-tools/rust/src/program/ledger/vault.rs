//! The vault as far as it can be looked at without its root: its shape, that it is not older than the head file says, and
//! that the key of every tape that lives is there.

use super::super::folder::open_plain;
use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;
use tapeaudit_core::cbor::Writer;
use tapeaudit_core::digest::{Hash, hash};
use tapeaudit_core::log::Walk;
use tapeaudit_core::report::{Report, Word};
use tapeaudit_core::vault::{EPOCH, Generation, MOST_GENERATION, slots};
use tapeaudit_core::{Refused, Result, ensure, text};

/// The line of the vault in a head file: generation and revision, and H of the generation body.
pub type InHead = ((u64, u64), Hash);

fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = open_plain(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|_| Refused("a file that cannot be read"))?;
    Ok(bytes)
}

/// A file of the vault; what is wrong with it is told.
fn file(folder: &Path, name: &str, most: u64, report: &mut Report) -> Option<Vec<u8>> {
    let (path, place) = (folder.join(name), format!("vault/{name}"));
    if path.symlink_metadata().is_err() {
        report.find(Word::Missing, place, "a file of the vault is missing");
        return None;
    }
    report.take("vault", Word::CannotTell, &place, read(&path, most))
}

/// Checks it.
pub fn check(state: &Path, head: Option<&InHead>, walk: &Walk, report: &mut Report) {
    let folder = state.join("vault");
    let Some(generation) = generation(&folder, head, walk, report) else { return };
    let mut keys = BTreeSet::new();
    for epoch in &generation.epochs {
        let name = text::hex(epoch);
        let Some(bytes) = file(&folder, &name, EPOCH, report) else { continue };
        let place = format!("vault/{name}");
        let so = bytes.len() as u64 == EPOCH;
        if !report.want("vault", so, Word::Altered, &place, "an epoch of another length") {
            continue;
        }
        let found = slots(epoch, &bytes);
        for number in &found.damaged {
            let at = format!("{place}: slot {number}");
            report.find(Word::Altered, at, "a slot that is neither free nor right, nor cut by a crash");
        }
        if found.cut > 0 {
            report.say(format!("{place}: {} slots that a crash cut", found.cut));
        }
        keys.extend(found.keys.into_keys());
    }
    for saved in walk.trust.saved.iter().filter(|saved| !walk.is_destroyed(&saved.custody)) {
        let place = format!("tape {}", text::hex(&saved.tape));
        let so = keys.contains(&saved.custody);
        report.want("keys of tapes", so, Word::Missing, &place, "its key is in no epoch of the vault");
    }
    // The key of a recording was made durable before the entry that opened it (section 11).
    for custody in walk.unsealed() {
        let so = keys.contains(&live_key_id(custody));
        let place = format!("recording {}", text::hex(custody));
        report.want("keys of recordings", so, Word::Missing, &place, "its key is in no epoch of the vault");
    }
}

/// Under what the vault keeps the key of a recording that is no tape yet (section 11).
fn live_key_id(custody: &Hash) -> Hash {
    hash(&Writer::new().array(2).text("immutape/live-key-id/1").bytes(custody).done())
}

fn generation(folder: &Path, head: Option<&InHead>, walk: &Walk, report: &mut Report) -> Option<Generation> {
    const PLACE: &str = "vault/generation";
    let bytes = file(folder, "generation", MOST_GENERATION, report)?;
    let read = ensure(bytes.len() as u64 <= MOST_GENERATION, "a generation file over 64 MiB")
        .and_then(|()| Generation::read(&bytes));
    let found = report.take("vault", Word::Altered, PLACE, read)?;
    if let Some(keys) = &walk.trust.keys {
        let own = found.origin == keys.origin();
        report.want("vault", own, Word::Altered, PLACE, "a vault of another log");
    }
    if let Some((number, digest)) = head {
        // Newer it may be: the head is written after the vault.
        let so = found.number >= *number;
        report.want("vault", so, Word::RolledBack, PLACE, "a vault that is older than the head file says");
        let same = found.number != *number || found.digest == *digest;
        report.want("vault", same, Word::Altered, PLACE, "another vault of the revision that the head file names");
    }
    Some(found)
}
