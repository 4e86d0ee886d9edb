//! Key files while a key is replaced (`keys/README.md`): each step leaves the key in force readable, whatever a crash takes.
//!
//! Before the entry that replaces a key, both new keys are durable beside their places; after it they take them. A crash
//! before the entry leaves two files that the next try uses; after it, the next opening ends what was begun.

use std::path::Path;

use super::ConfigFolder;
use super::files::{LocalSigner, read_signer, write_signer};
use super::folder::{COMING, LEAVING, NAMES};
use crate::codec::digest::Thumbprint;
use crate::codec::random::Random;
use crate::error::{Code, Error, Result};
use crate::log::{KeyHistory, KeyRole, KeyTerm};
use crate::seal::{PublicKey, Signer as _};
use crate::store::files::{Files, code_of, create_dir_durable, parent, with_suffix};

/// The key that is about to be in force, and the thumbprint of the one that may follow it. Both are durable.
#[doc(hidden)]
pub struct Prepared {
    /// Signs from the rotation on.
    pub signer: LocalSigner,
    /// What the rotation names.
    pub next: Thumbprint,
}

const fn name_of(role: KeyRole) -> &'static str {
    match role {
        KeyRole::Checkpoint => NAMES[0],
        KeyRole::Recorder => NAMES[1],
        KeyRole::Issuer => NAMES[2],
    }
}

fn io(e: std::io::Error) -> Error {
    Error::new(code_of(&e), "the config folder cannot be written")
        .with_hint("look at its owner, its mode and the disk")
        .with_source(e)
}

impl ConfigFolder {
    /// Makes ready what a rotation of this role needs: the key that was named to follow, `given` or from the folder, and a new one
    /// to follow it.
    ///
    /// # Errors
    /// `E_KEY_MISSING` when the key that was named is not here; `E_KEY_FOREIGN` when another was given; `E_IO`, `E_STORE_FULL`.
    pub fn prepare_rotation(
        &self,
        files: &dyn Files,
        (role, given): (KeyRole, Option<LocalSigner>),
        keys: &KeyHistory,
        random: &dyn Random,
    ) -> Result<Prepared> {
        let (name, term) = (name_of(role), keys.in_force(role)?);
        let coming = with_suffix(&self.key_path(name), COMING);
        let signer = match given {
            Some(key) => key,
            None => self.named_key(files, name, &coming, term)?,
        };
        if signer.public_key().thumbprint() != term.next {
            let words = format!("this is not the key that entry {} named to follow the {role} key", term.since);
            return Err(Error::new(Code::KeyForeign, words).with_hint("give the one from the ledger's `next` folder"));
        }
        // What stands where the next key will go must be the one that takes its place: anything else would be in the way for ever.
        match read_signer(files, &self.next_path(name)) {
            Ok(there) if there.public_key() == signer.public_key() => {}
            Err(e) if e.code() == Code::KeyMissing => {}
            Ok(_) => {
                let words = format!("next/{name} holds another key than the one that was named to follow");
                return Err(Error::new(Code::KeyForeign, words).with_hint("move that file away"));
            }
            Err(e) => return Err(e),
        }
        ready(files, &coming, &signer)?;
        let after = with_suffix(&self.next_path(name), COMING);
        create_dir_durable(files, parent(&after)).map_err(io)?;
        let next = match read_signer(files, &after) {
            // Of a try that was cut off; it was never named.
            Ok(key) => key,
            Err(e) if e.code() == Code::KeyMissing => {
                let key = LocalSigner::generate(random)?;
                write_signer(files, &after, &key)?;
                key
            }
            Err(e) => return Err(e),
        };
        Ok(Prepared { signer, next: next.public_key().thumbprint() })
    }

    fn named_key(&self, files: &dyn Files, name: &str, coming: &Path, term: &KeyTerm) -> Result<LocalSigner> {
        match read_signer(files, &self.next_path(name)) {
            Err(e) if e.code() == Code::KeyMissing => match read_signer(files, coming) {
                Ok(key) if key.public_key().thumbprint() == term.next => Ok(key),
                _ => Err(Error::new(
                    Code::KeyMissing,
                    format!("next/{name} is not here, as it should be kept elsewhere"),
                )
                .with_hint("give the file with --with FILE")),
            },
            read => read,
        }
    }

    /// Puts keys that are in force into their places. Done again, it changes nothing. With `keeps_head_key` the checkpoint key
    /// that was replaced stays, under a name of its own; others are removed: a private key that signs no more is only a risk.
    ///
    /// # Errors
    /// `E_IO`, `E_STORE_FULL`.
    pub fn finish_rotation(&self, files: &dyn Files, keys: &KeyHistory, keeps_head_key: bool) -> Result<()> {
        for role in KeyRole::ALL {
            let (term, name) = (keys.in_force(role)?, name_of(role));
            if term.since == 0 {
                continue;
            }
            let before = keys.terms(role).iter().rev().nth(1);
            let is_revoked = before.is_some_and(|before| before.revoked.is_some());
            let place = self.key_path(name);
            let is =
                |path: &Path, key: &PublicKey| read_signer(files, path).is_ok_and(|read| read.public_key() == *key);
            if is(&with_suffix(&place, COMING), &term.key) && !is(&place, &term.key) {
                let keeps = keeps_head_key && role == KeyRole::Checkpoint && !is_revoked;
                leave(files, &place, keeps).map_err(io)?;
                files.rename_noreplace(&with_suffix(&place, COMING), &place).map_err(io)?;
                files.sync_dir(parent(&place)).map_err(io)?;
            }
            if is_revoked && files.exists(&with_suffix(&place, LEAVING)).map_err(io)? {
                files.remove_file(&with_suffix(&place, LEAVING)).map_err(io)?;
                files.sync_dir(parent(&place)).map_err(io)?;
            }
            let next = self.next_path(name);
            let waiting = with_suffix(&next, COMING);
            if read_signer(files, &waiting).is_ok_and(|key| key.public_key().thumbprint() == term.next) {
                // What stands there is the key in force, which has its own place by now.
                if is(&next, &term.key) {
                    files.remove_file(&next).map_err(io)?;
                }
                files.rename_noreplace(&waiting, &next).map_err(io)?;
                files.sync_dir(parent(&next)).map_err(io)?;
            }
        }
        Ok(())
    }

    /// Does a checkpoint key that was replaced still wait for witnesses to see it beside its successor?
    ///
    /// # Errors
    /// `E_IO`.
    pub fn waits_for_witnesses(&self, files: &dyn Files) -> Result<bool> {
        files.exists(&with_suffix(&self.key_path(NAMES[0]), LEAVING)).map_err(io)
    }

    /// Removes the checkpoint key that a rotation replaced: a quorum of witnesses has seen both keys sign one head.
    ///
    /// # Errors
    /// `E_IO`.
    pub fn forget_previous_checkpoint(&self, files: &dyn Files) -> Result<()> {
        let path = with_suffix(&self.key_path(NAMES[0]), LEAVING);
        match files.remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(io(e)),
            _ => files.sync_dir(parent(&path)).map_err(io),
        }
    }
}

/// Puts a key beside its place; one that is there already must be the same.
fn ready(files: &dyn Files, path: &Path, signer: &LocalSigner) -> Result<()> {
    match read_signer(files, path) {
        Ok(there) if there.public_key() == signer.public_key() => Ok(()),
        // It was never in force: a key in force stands in its place before another is made ready.
        Ok(_) => {
            files.remove_file(path).map_err(io)?;
            write_signer(files, path, signer)
        }
        Err(e) if e.code() == Code::KeyMissing => write_signer(files, path, signer),
        Err(e) => Err(e),
    }
}

fn leave(files: &dyn Files, place: &Path, keeps: bool) -> std::io::Result<()> {
    if !files.exists(place)? {
        // A crash came between the two names, and what was to be kept is.
        return Ok(());
    }
    let old = with_suffix(place, LEAVING);
    if files.exists(&old)? {
        files.remove_file(&old)?;
    }
    if keeps { files.rename_noreplace(place, &old) } else { files.remove_file(place) }
}
