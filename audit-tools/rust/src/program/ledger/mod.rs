//! A ledger folder, read without any key (store-embedded).

mod journal;
mod pack;
mod packs;
mod state;
mod vault;

use super::folder::open_plain;
use std::io::{BufReader, Read};
use std::path::Path;
use tapeaudit_core::bundle::{Pins, pinned_keys};
use tapeaudit_core::digest::Hasher;
use tapeaudit_core::log::{Walk, given_heads};
use tapeaudit_core::report::{Report, Word};
use tapeaudit_core::{Refused, Result, text};

/// Checks a ledger folder, and its state folder where it is given.
pub fn check(ledger: &Path, state: Option<&Path>, pins: &Pins, report: &mut Report) {
    let journal = journal::read(ledger, &pins.witnesses, report);
    let walk = &journal.walk;
    walk.finish(report);
    let state = state::check(state, &journal, report);
    if let Some(place) = journal.torn_after_close.as_ref().filter(|_| !state.is_open) {
        report.find(Word::Altered, place.clone(), "bytes behind a group that closed the log");
    }
    packs::check(ledger, walk, report);
    spool(ledger, walk, report);
    given_heads(walk, &pins.heads, report);
    let keys: Vec<_> = walk.trust.keys.iter().collect();
    let (checkpoint, recorder) = pinned_keys(pins, &keys, report);
    report.pinned = checkpoint && recorder;
    if !report.pinned {
        report.find(Word::Unpinned, "keys", "the log vouches for its own keys");
    }
    if !pins.witnesses.is_empty() {
        let heads = state.held.iter().chain(walk.trust.cosigned());
        report.anchored_ms = heads.filter_map(|times| pins.anchored(times, walk.trust.keys.as_ref())).max();
        if report.anchored_ms.is_none() {
            report.find(Word::NotAnchored, "log", "no quorum of known witnesses vouches for a head");
        }
    }
    report.whole_log = true;
    report.say(format!("log {}: {} entries, {} tapes", walk.origin(), walk.levels.size(), walk.trust.saved.len()));
    for what in [
        "codes of groups (they need the journal key)",
        "private halves and contents of tapes (they need the vault)",
        "whether the keys in the vault open (that needs its root), and generations that were rotated away",
        "the rows in index/",
        "what the pieces of a live recording in spool/ hold",
        "names that do not belong in the folders",
        "signatures and certificates of time-stamps",
    ] {
        report.skip(what);
    }
}

/// Recordings that are no tape yet: each has its spool, whose first piece was durable before the entry that opened it.
fn spool(ledger: &Path, walk: &Walk, report: &mut Report) {
    for custody in walk.unsealed() {
        let name = text::hex(custody);
        let (path, place) = (ledger.join("spool").join(&name), format!("spool/{name}"));
        if path.symlink_metadata().is_err() {
            report.find(Word::Altered, place, "a recording was begun, and is neither a tape nor in the spool");
            continue;
        }
        let Some(whole) = report.take("spools", Word::CannotTell, &place, pieces(&path)) else { continue };
        if report.want("spools", whole > 0, Word::Altered, &place, "a spool without a whole piece") {
            report.find(Word::UnsealedTail, place, "a recording was begun that is no tape yet");
        }
    }
}

/// How many whole pieces a spool begins with (section 1); what follows the last one is ignored.
fn pieces(path: &Path) -> Result<u64> {
    const UNREADABLE: Refused = Refused("a file that cannot be read");
    let file = open_plain(path)?;
    let mut left = file.metadata().map_err(|_| UNREADABLE)?.len();
    let (mut file, mut count) = (BufReader::new(file), 0_u64);
    loop {
        let mut length = [0; 4];
        if left < 4 {
            return Ok(count);
        }
        file.read_exact(&mut length).map_err(|_| UNREADABLE)?;
        let behind = u64::from(u32::from_be_bytes(length)).saturating_add(8);
        left = left.saturating_sub(4);
        let Some(rest) = left.checked_sub(behind) else { return Ok(count) };
        left = rest;
        let mut piece = vec![0; usize::try_from(behind).map_err(|_| UNREADABLE)?];
        file.read_exact(&mut piece).map_err(|_| UNREADABLE)?;
        let Some((piece, check)) = piece.split_last_chunk::<8>() else { return Ok(count) };
        let mut hasher = Hasher::new();
        hasher.add(&length);
        hasher.add(piece);
        if !hasher.done().starts_with(check) {
            return Ok(count);
        }
        count = count.saturating_add(1);
    }
}
