//! Keys and heads as they are given: as text, or as the file that holds it.

use super::folder::open_plain;
use std::io::Read;
use std::path::Path;
use tapeaudit_core::bundle::{Pins, read_pem};
use tapeaudit_core::note::Head;
use tapeaudit_core::sign::{KeyType, PublicKey, VerifierKey};
use tapeaudit_core::{Refused, Result, ensure, refuse, text};

/// Most bytes of a file that is given.
const MOST_BYTES: u64 = 64 * 1024;

/// A small file.
///
/// # Errors
/// What is no plain file, is empty, or is too long.
pub fn small_file(path: &Path) -> Result<Vec<u8>> {
    let (mut bytes, file) = (Vec::new(), open_plain(path)?);
    let read = file.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|_| Refused("a file that cannot be read"))?;
    ensure(!bytes.is_empty(), "an empty file")?;
    ensure(bytes.len() as u64 <= MOST_BYTES, "a file over 64 KiB")?;
    Ok(bytes)
}

enum Key {
    Verifier(VerifierKey),
    /// A key, or the thumbprint of one.
    Bytes([u8; 32]),
}

fn key(written: &str) -> Result<Key> {
    if let Some(found) = key_text(written)? {
        return Ok(found);
    }
    let bytes = small_file(Path::new(written))?;
    if let Ok(raw) = <[u8; 32]>::try_from(bytes.as_slice()) {
        return PublicKey::new(raw).map(|_| Key::Bytes(raw));
    }
    let Ok(inside) = String::from_utf8(bytes) else { return refuse("a file that holds no public key") };
    key_text(inside.strip_suffix('\n').unwrap_or(&inside))?
        .map_or_else(|| refuse("a file that holds no public key"), Ok)
}

/// None where it does not look like a key.
fn key_text(written: &str) -> Result<Option<Key>> {
    if written.starts_with("-----BEGIN ") {
        let pem = read_pem(&format!("{}\n", written.trim_end_matches('\n')))?;
        return PublicKey::new(pem).map(|_| Some(Key::Bytes(pem)));
    }
    if let Ok(bytes) = text::unhex_of::<32>(written) {
        return Ok(Some(Key::Bytes(bytes)));
    }
    if written.contains('+') && !written.contains('\n') && !Path::new(written).is_file() {
        return VerifierKey::read(written).map(|key| Some(Key::Verifier(key)));
    }
    Ok(None)
}

/// Reads what was given.
///
/// # Errors
/// The first thing that is not what it should be.
pub fn read(keys: &[String], witnesses: &[String], quorum: Option<u64>, heads: &[String]) -> Result<Pins> {
    let mut pins = Pins { quorum, ..Pins::default() };
    ensure(quorum != Some(0), "a quorum of nobody")?;
    for written in keys {
        match key(written)? {
            Key::Verifier(key) => {
                ensure(key.of == KeyType::Log, "a witness where the log belongs")?;
                pins.log.push(key);
            }
            Key::Bytes(bytes) => pins.bare.push(bytes),
        }
    }
    for written in witnesses {
        let Key::Verifier(key) = key(written)? else { return refuse("no verifier key of a witness") };
        ensure(key.of == KeyType::Witness, "a log where a witness belongs")?;
        ensure(pins.log.iter().all(|log| log.key != key.key), "one key as a log's and as a witness's")?;
        if !pins.witnesses.contains(&key) {
            pins.witnesses.push(key);
        }
    }
    for path in heads {
        pins.heads.push(Head::read(&first_note(small_file(Path::new(path))?))?);
    }
    Ok(pins)
}

/// The head in a file: a note, or the first of the two in a head file (store-embedded, section 5).
#[must_use]
pub fn first_note(bytes: Vec<u8>) -> Vec<u8> {
    let Ok(whole) = String::from_utf8(bytes.clone()) else { return bytes };
    let second = whole.find("\nimmutape/head/1\n").map(|at| at.saturating_add(1));
    second.and_then(|at| bytes.get(..at)).map_or_else(|| bytes.clone(), <[u8]>::to_vec)
}
