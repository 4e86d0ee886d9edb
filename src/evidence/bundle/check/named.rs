//! Check 9: `time/` and `keys/` are what the entries say; and files of tapes belong to tapes that have some.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Completeness, path};
use super::bag::{Payload, tape_of};
use super::entries::Log;
use super::pins::public_key_pem;
use super::report::{BundleReport, part};
use super::source::Paths;
use crate::codec::digest::{Digest, TapeId, sha256};
use crate::log::{KeyRole, NoteKey};

/// Compares the files of the two folders with those that entries call for.
pub(super) fn check(paths: &Paths<'_>, payload: &Payload, log: &Log, report: &mut BundleReport) {
    if !log.was_read {
        return;
    }
    let mut wanted: BTreeMap<String, Digest> = log.time_files.clone();
    wanted.extend(keys(log));
    for (file, digest) in &wanted {
        report.looked(part::FILES, 1);
        match payload.digest(file) {
            Some(found) if found == digest => {}
            Some(_) => report.altered(part::FILES, file.as_str(), "it is not what the entry says"),
            None if paths.has(file) => {}
            None => report.missing(part::FILES, file.as_str(), "an entry here calls for it"),
        }
    }
    for front in ["data/time/", "data/keys/"] {
        let called_for = |file: &str| wanted.contains_key(file) || file == path::ALLOWED_SIGNERS;
        for file in paths.below(front).into_iter().filter(|file| !called_for(file)) {
            report.altered(part::FILES, file, "no entry here calls for it");
        }
    }
}

fn keys(log: &Log) -> BTreeMap<String, Digest> {
    let mut files = BTreeMap::new();
    let Some(keys) = &log.keys else { return files };
    let digest = |text: String| Digest::from_bytes(sha256(text.as_bytes()));
    for (role, since, key) in keys.all() {
        files.insert(format!("data/keys/{}-{since}.pem", role.word()), digest(public_key_pem(key)));
        // An origin that no key can be named by has no verifier key; entry 0 with one does not hold.
        if let (KeyRole::Checkpoint, Ok(named)) = (role, NoteKey::new(&keys.genesis.origin, *key)) {
            files.insert(format!("data/keys/checkpoint-{since}.vkey"), digest(named.to_text() + "\n"));
        }
    }
    files
}

/// Tapes that have files here are given, or shown to be out of scope by a field.
pub(super) fn folders(paths: &Paths<'_>, completeness: &Completeness, report: &mut BundleReport) {
    let given: BTreeSet<TapeId> = completeness.given.iter().map(|given| given.tape).collect();
    let shown = completeness.out_of_scope.iter().filter(|tape| tape.field.is_some());
    let shown: BTreeSet<TapeId> = shown.map(|tape| tape.tape).collect();
    for file in paths.below("data/tapes/") {
        // What has no row at all was told with the bag.
        let Some((tape, name)) = tape_of(file).filter(|(_, name)| path::OF_TAPE.contains(name)) else { continue };
        let is_due = given.contains(&tape) || (shown.contains(&tape) && ["root.cbor", "header.cbor"].contains(&name));
        if !is_due {
            report.altered(part::TAPES, file, "the tape is not one that has this file here");
        }
    }
}
