//! Which files have a row in 6.2, and what `time/` and `keys/` hold (check 9).

use super::completeness::Completeness;
use super::facts::Log;
use super::source::{Source, has, whole};
use super::{bag::TAG_FILES, tapes};
use crate::digest::{Hash, hash};
use crate::error::{Result, ensure, refuse};
use crate::keys::{Held, Keys, Role};
use crate::report::{Report, Word};
use crate::text;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Files that have a row whatever is given.
const ROWS: [&str; 10] = [
    "data/COMPLETENESS.json",
    "data/entries.cbor",
    "data/log/checkpoint",
    "data/log/paths.cbor",
    "data/witnesses",
    "data/custody.html",
    "data/custody.json",
    "data/VERIFY.txt",
    "data/COMPLETENESS.json.sig",
    "data/keys/allowed_signers",
];

/// DER in front of the 32 bytes of an Ed25519 key.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];

/// Check 9, and the rows of check 1.
pub fn check(source: &mut dyn Source, lists: Option<&Completeness>, log: &Log, report: &mut Report) {
    let mut wanted: BTreeMap<String, Wanted> = BTreeMap::new();
    for (index, note, token) in &log.stamps {
        wanted.insert(format!("data/time/{index}.note"), Wanted::Digest(*note));
        wanted.insert(format!("data/time/{index}.tst"), Wanted::Digest(*token));
    }
    if let Some(keys) = &log.trust.keys {
        for held in keys.all() {
            key_files(keys, held, &mut wanted);
        }
    }
    let tapes = tape_files(lists);
    let files: Vec<String> = source.files().iter().map(|listed| listed.path.clone()).collect();
    for path in &files {
        let known = TAG_FILES.contains(&path.as_str()) || ROWS.contains(&path.as_str());
        // Without the lists nobody knows whose files may be here.
        let of_tape = tapes.as_ref().map_or_else(|| is_tape_file(path), |tapes| tapes.contains(path));
        let extra = wanted.contains_key(path) || log.trust.keys.is_none() && is_extra(path);
        if !known && !of_tape && !extra {
            report.find(Word::Altered, path.clone(), "a file that has no row");
        }
    }
    for (path, content) in wanted {
        if !has(source, &path) {
            report.find(Word::Missing, path, "a file that an entry calls for is missing");
            continue;
        }
        let so = whole(source, &path, 128 * 1024).is_some_and(|bytes| bytes.is_ok_and(|bytes| content.is(&bytes)));
        report.want("time and keys", so, Word::Altered, &path, "a file that is not what the entry says");
    }
}

enum Wanted {
    Digest(Hash),
    Bytes(String),
}

impl Wanted {
    fn is(&self, bytes: &[u8]) -> bool {
        match self {
            Wanted::Digest(digest) => hash(bytes) == *digest,
            Wanted::Bytes(text) => text.as_bytes() == bytes,
        }
    }
}

fn key_files(keys: &Keys, held: &Held, wanted: &mut BTreeMap<String, Wanted>) {
    let mut der = SPKI.to_vec();
    der.extend_from_slice(held.key.bytes());
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", text::base64(&der));
    wanted.insert(format!("data/keys/{}-{}.pem", held.role.name(), held.since), Wanted::Bytes(pem));
    if held.role == Role::Checkpoint {
        let line = format!("{}\n", keys.verifier(held).write());
        wanted.insert(format!("data/keys/checkpoint-{}.vkey", held.since), Wanted::Bytes(line));
    }
}

/// Files that the listed tapes may have.
fn tape_files(lists: Option<&Completeness>) -> Option<BTreeSet<String>> {
    let lists = lists?;
    let mut paths = BTreeSet::new();
    for given in &lists.given {
        paths.extend(tapes::FILES.iter().map(|(file, _)| tapes::path(&given.tape, file)));
    }
    for out in lists.out_of_scope.iter().filter(|out| out.field.is_some()) {
        paths.extend(["root.cbor", "header.cbor"].map(|file| tapes::path(&out.tape, file)));
    }
    Some(paths)
}

fn is_tape_file(path: &str) -> bool {
    let Some((tape, file)) = path.strip_prefix("data/tapes/").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    text::unhex_of::<32>(tape).is_ok() && tapes::FILES.iter().any(|(known, _)| *known == file)
}

/// A name of `time/` or `keys/` in the right form.
fn is_extra(path: &str) -> bool {
    if let Some(name) = path.strip_prefix("data/time/") {
        let index = name.strip_suffix(".note").or_else(|| name.strip_suffix(".tst"));
        return index.is_some_and(|index| text::decimal(index).is_ok());
    }
    let Some(name) = path.strip_prefix("data/keys/") else { return false };
    let Some((role, rest)) = name.split_once('-') else { return false };
    let vkey = rest.strip_suffix(".vkey").filter(|_| role == "checkpoint");
    let index = rest.strip_suffix(".pem").or(vkey);
    matches!(role, "checkpoint" | "recorder" | "issuer") && index.is_some_and(|index| text::decimal(index).is_ok())
}

/// Reads an Ed25519 key out of SPKI PEM as OpenSSL writes it.
///
/// # Errors
/// Anything else.
pub fn read_pem(text: &str) -> Result<[u8; 32]> {
    let body = text.strip_prefix("-----BEGIN PUBLIC KEY-----\n").and_then(|rest| rest.strip_suffix('\n'));
    let Some(body) = body.and_then(|rest| rest.strip_suffix("\n-----END PUBLIC KEY-----")) else {
        return refuse("no PEM of a public key");
    };
    let der = text::unbase64_of::<44>(body)?;
    let Some((front, key)) = der.split_first_chunk::<12>() else { return refuse("no PEM of a public key") };
    ensure(*front == SPKI, "a public key of another algorithm")?;
    key.try_into().map_or_else(|_| refuse("no PEM of a public key"), Ok)
}
