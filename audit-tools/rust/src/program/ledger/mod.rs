//! A ledger folder, read without any key (store-embedded).

mod journal;
mod pack;
mod packs;
mod state;

use std::path::Path;
use tapeaudit_core::bundle::{Pins, pinned_keys};
use tapeaudit_core::log::given_heads;
use tapeaudit_core::report::{Report, Word};

/// Checks a ledger folder, and its state folder where it is given.
pub fn check(ledger: &Path, state: Option<&Path>, pins: &Pins, report: &mut Report) {
    let journal = journal::read(ledger, &pins.witnesses, report);
    let walk = &journal.walk;
    walk.finish(report);
    let (held, open) = state::check(state, &journal, report);
    if let Some(place) = journal.torn_after_close.as_ref().filter(|_| !open) {
        report.find(Word::Altered, place.clone(), "bytes behind a group that closed the log");
    }
    packs::check(ledger, walk, report);
    spool(ledger, walk, report);
    given_heads(walk, &pins.heads, report);
    let (checkpoint, recorder) = pinned_keys(pins, walk.trust.keys.as_ref(), report);
    report.pinned = checkpoint && recorder;
    if !report.pinned {
        report.find(Word::Unpinned, "keys", "the log vouches for its own keys");
    }
    if !pins.witnesses.is_empty() {
        let heads = held.iter().chain(walk.trust.cosigned());
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
        "the vault, its epochs and their slots",
        "the rows in index/",
        "records of a live recording in spool/",
        "which entries a term begins with, and names that do not belong in the folders",
        "signatures and certificates of time-stamps",
    ] {
        report.skip(what);
    }
}

fn spool(ledger: &Path, walk: &tapeaudit_core::log::Walk, report: &mut Report) {
    for custody in walk.unsealed() {
        let name = tapeaudit_core::text::hex(custody);
        let there = ledger.join("spool").join(&name).symlink_metadata().is_ok_and(|meta| meta.is_file());
        let place = format!("spool/{name}");
        if there {
            report.find(Word::UnsealedTail, place, "a recording was begun that is no tape yet");
        } else {
            report.find(Word::Altered, place, "a recording was begun, and is neither a tape nor in the spool");
        }
    }
}
