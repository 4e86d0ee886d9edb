//! Which keys this log is read with: a small file in the state folder, so that a start need not walk the log for it. It says
//! nothing that the log does not say; rows and journal have the last word (`docs/format/store-embedded.md` section 5).

use std::path::Path;

use super::core::{Folders, Identity};
use super::rebuild::BEGINNING;
use super::{Environment, head_file};
use crate::catalog::Queries;
use crate::codec::cbor::{Reader, encode};
use crate::codec::extent::Group;
use crate::codec::limits::KEY_ROTATIONS_MAX;
use crate::error::{Code, Error, Result};
use crate::keyring::ConfigFolder;
use crate::log::{Body, CriticalBody, Entry, EntryKind, Genesis, HeadFile, KeyHistory, LogError};
use crate::store::Stores;
use crate::store::files::{Files, code_of, write_atomic};

const NAME: &str = "keys";
const FILE_BYTES_MAX: u64 = (KEY_ROTATIONS_MAX as u64) * 1_024;

/// Takes one entry in, if it changes keys.
fn take(history: &mut KeyHistory, public: &[u8]) -> Result<()> {
    let entry = Entry::decode(public)?;
    change(history, entry.index, entry.kind, entry.body)
}

fn change(history: &mut KeyHistory, index: u64, kind: EntryKind, body: &[u8]) -> Result<()> {
    if !matches!(kind, EntryKind::KEY_ROTATED | EntryKind::KEY_REVOKED) {
        return Ok(());
    }
    let fault = |fault| LogError::Body { index, kind: kind.number(), fault };
    if let Body::Critical(body) = Body::decode(kind, body).map_err(fault)? {
        history.apply(index, &body)?;
    }
    Ok(())
}

/// What the file says; without one, the keys of entry 0.
fn read(files: &dyn Files, state: &Path, genesis: &Genesis) -> Result<KeyHistory> {
    let mut history = KeyHistory::of(genesis)?;
    let bytes = match files.read(&state.join(NAME), FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(history),
        Err(e) => return Err(Error::new(Code::Io, "the file of known keys cannot be read").with_source(e)),
    };
    let damaged = |e| Error::from(LogError::Cbor(e));
    let mut rest = Reader::new(&bytes);
    while rest.end().is_err() {
        rest.array_of(3).map_err(damaged)?;
        let (index, kind) = (rest.uint().map_err(damaged)?, rest.uint_in().map_err(damaged)?);
        change(&mut history, index, EntryKind::from_number(kind), rest.any().map_err(damaged)?)?;
    }
    Ok(history)
}

/// Writes what the log says, durable on return. A crash before it leaves an older file, which the next start sees and mends.
pub(super) fn write(files: &dyn Files, state: &Path, keys: &KeyHistory) -> Result<()> {
    let one = |(index, body): &(u64, CriticalBody)| {
        encode(|w| {
            w.array(3);
            w.uint(*index);
            w.uint(u64::from(body.kind().number()));
            w.raw(&Body::Critical(body.clone()).encode());
        })
    };
    let bytes: Vec<u8> = keys.events().iter().flat_map(one).collect();
    let io = |e| Error::new(code_of(&e), "the file of known keys cannot be written").with_source(e);
    write_atomic(files, &state.join(NAME), &bytes).map_err(io)
}

/// Makes the file say what the log says. Failing to is no fault of the log: the next start walks it again.
pub(super) fn keep(files: &dyn Files, state: &Path, genesis: &Genesis, keys: &KeyHistory) {
    let is_kept = read(files, state, genesis).is_ok_and(|kept| kept == *keys);
    if !is_kept {
        let _next_time = write(files, state, keys);
    }
}

/// The history that the rows give.
pub(super) fn of_rows(queries: &Queries<'_>, genesis: &Genesis) -> Result<KeyHistory> {
    let mut indices = Vec::new();
    queries.criticals(&mut |index, kind| {
        if matches!(EntryKind::from_number(kind), EntryKind::KEY_ROTATED | EntryKind::KEY_REVOKED) {
            indices.push(index);
        }
        Ok(indices.len() <= KEY_ROTATIONS_MAX)
    })?;
    let mut history = KeyHistory::of(genesis)?;
    for index in indices {
        let missing = || Error::new(Code::RowsUnavailable, "an entry that changes a key is missing in sled");
        take(&mut history, &queries.entry(index)?.ok_or_else(missing)?.public)?;
    }
    Ok(history)
}

/// The history that the journal gives, as far as it can be read. Entries are believed here because none can name a key that
/// was not named before; whether they are the log's own is checked like all others.
fn of_journal(stores: &Stores, genesis: &Genesis) -> Result<KeyHistory> {
    let (mut history, mut at) = (KeyHistory::of(genesis)?, BEGINNING);
    while let Ok(Some((_, extent, next))) = stores.journal.read(at) {
        let group = Group::parse(&extent).map_err(LogError::from)?;
        for record in group.records() {
            let (public, _) = record.map_err(LogError::from)?;
            take(&mut history, public)?;
        }
        at = next;
    }
    Ok(history)
}

/// Completes an identity by the keys that replaced those of entry 0. Where the signed head or the key files do not fit what the file
/// says, or nothing is there to compare it with, the journal is asked: a file that is gone or older shuts nobody out.
pub(super) fn learn(identity: &mut Identity, folders: &Folders, env: &Environment, stores: &Stores) -> Result<()> {
    let files = &*env.files;
    let kept = read(files, &folders.state, &identity.genesis);
    let head = head_file::read(files, &folders.state).ok().flatten();
    let config = ConfigFolder::new(folders.config.clone());
    let is_told_apart = |keys: &KeyHistory| matches!(config.read(files, keys), Err(e) if matches!(e.code(), Code::KeyForeign | Code::LogRollback));
    let fits = |keys: &KeyHistory| {
        head.as_ref().is_some_and(|text| HeadFile::parse(text, keys).is_ok()) && !is_told_apart(keys)
    };
    let keys = match kept {
        Ok(keys) if fits(&keys) => keys,
        kept => {
            let found = of_journal(stores, &identity.genesis)?;
            match kept {
                // A copy that was put back has a journal that ends before the file does.
                Ok(keys) if keys.events().starts_with(found.events()) => keys,
                _ => found,
            }
        }
    };
    identity.set_keys(keys)
}
