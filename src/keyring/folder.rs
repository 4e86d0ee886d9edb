//! The config folder: a ledger's own key files (`keys/README.md` tells the ceremony).

use std::path::{Path, PathBuf};

use super::files::{LocalSigner, read_root, read_signer, write_root, write_signer};
use crate::codec::digest::Thumbprint;
use crate::codec::random::Random;
use crate::error::{Code, Error, Result};
use crate::log::{KeyHistory, KeyRole, KeyTerm};
use crate::seal::{KeyEncryptionKey, PublicKey, Signer as _};
use crate::store::files::{Files, code_of, create_dir_durable, with_suffix};

/// Paths of the key files.
#[derive(Debug, Clone)]
pub struct ConfigFolder {
    folder: PathBuf,
}

/// The keys a writing ledger holds.
pub struct LedgerKeys {
    /// Signs heads.
    pub checkpoint: LocalSigner,
    /// Signs statements about tapes.
    pub recorder: LocalSigner,
    /// Signs receipts.
    pub issuer: LocalSigner,
    /// Signed heads until a rotation that no quorum of witnesses has seen yet: until then it signs beside the new one.
    pub previous_checkpoint: Option<LocalSigner>,
}

/// The public keys a checker needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKeys {
    /// Verifies heads.
    pub checkpoint: PublicKey,
    /// Verifies statements.
    pub recorder: PublicKey,
}

/// A key file as a person is told of it: no private byte.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyFile {
    /// What the key does.
    pub purpose: &'static str,
    /// Does it do so now, or may it follow?
    pub is_in_use: bool,
    /// Thumbprint that the log names; `None` for the vault root, which has no public half.
    pub thumbprint: Option<Thumbprint>,
    /// The public half, where the log holds it whole.
    pub public: Option<[u8; 32]>,
    /// Where the private half belongs.
    pub path: PathBuf,
    /// Whether it is there.
    pub state: KeyFileState,
    /// Its permission bits, where it is there and has any.
    pub mode: Option<u32>,
}

/// Whether a key file holds what it must.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFileState {
    /// It holds the key that the log names.
    Here,
    /// There is no such file.
    Absent,
    /// It holds another key.
    Foreign,
    /// It cannot be read, others may read it, or it holds no key.
    Unusable,
}

/// What the keys of [`NAMES`] do.
const PURPOSES: [(&str, &str); 3] = [
    ("signs heads", "may follow: heads"),
    ("signs tapes", "may follow: tapes"),
    ("signs receipts", "may follow: receipts"),
];

pub(super) const NAMES: [&str; 3] = ["checkpoint.pem", "recorder.pem", "issuer.pem"];
/// A key that is about to take its place, and one that has left it and still signs beside its successor.
pub(super) const COMING: &str = ".new";
pub(super) const LEAVING: &str = ".old";

impl ConfigFolder {
    /// The folder at `folder`.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Path of the vault root of a generation.
    #[must_use]
    pub fn root_path(&self, generation: u64) -> PathBuf {
        self.folder.join(format!("vault-root.{generation}.key"))
    }

    /// Path of the key file that signs heads, recordings or receipts.
    pub(super) fn key_path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Path of the key that may follow.
    pub(super) fn next_path(&self, name: &str) -> PathBuf {
        self.folder.join("next").join(name)
    }

    /// Are the keys that may follow still beside the ones in use?
    ///
    /// # Errors
    /// `E_IO`.
    pub fn next_keys_are_here(&self, files: &dyn Files) -> Result<bool> {
        files
            .exists(&self.folder.join("next").join(NAMES[0]))
            .map_err(|e| Error::new(Code::Io, "the config folder cannot be read").with_source(e))
    }

    /// Makes the keys of a new ledger, in memory.
    ///
    /// # Errors
    /// `E_NO_RANDOM`.
    pub fn generate(random: &dyn Random) -> Result<(LedgerKeys, [LocalSigner; 3], KeyEncryptionKey)> {
        let key = || LocalSigner::generate(random);
        let (checkpoint, recorder, issuer) = (key()?, key()?, key()?);
        let next = [key()?, key()?, key()?];
        let keys = LedgerKeys { checkpoint, recorder, issuer, previous_checkpoint: None };
        Ok((keys, next, KeyEncryptionKey::generate(random)?))
    }

    /// Writes the key files of a new ledger; each durable on return.
    ///
    /// # Errors
    /// `E_IO`, `E_STORE_FULL`; `E_LEDGER_EXISTS` when one is there.
    pub fn write(
        &self,
        files: &dyn Files,
        keys: &LedgerKeys,
        next: &[LocalSigner; 3],
        root: &KeyEncryptionKey,
    ) -> Result<()> {
        let next_folder = self.folder.join("next");
        let io = |e| {
            Error::new(code_of(&e), "the config folder cannot be written")
                .with_hint("look at its owner, its mode and the disk, or give another with --config-dir")
                .with_source(e)
        };
        // A folder whose own name a power cut takes away takes the keys with it.
        create_dir_durable(files, &next_folder).map_err(io)?;
        for (name, key) in NAMES.iter().zip([&keys.checkpoint, &keys.recorder, &keys.issuer]) {
            write_signer(files, &self.key_path(name), key)?;
        }
        for (name, key) in NAMES.iter().zip(next) {
            write_signer(files, &next_folder.join(name), key)?;
        }
        write_root(files, &self.root_path(1), root)?;
        files.sync_dir(&self.folder).map_err(io)
    }

    /// Reads the keys and compares them with the ones that are in force. One that a rotation has not put into its place yet
    /// is read from where it waits.
    ///
    /// # Errors
    /// `E_KEY_MISSING`, `E_KEY_UNREADABLE`, `E_KEY_MALFORMED`, `E_KEY_FOREIGN`; `E_LOG_ROLLBACK` when the folder holds the key that
    /// follows: this log is one from before a rotation.
    pub fn read(&self, files: &dyn Files, keys: &KeyHistory) -> Result<LedgerKeys> {
        let read = |role: KeyRole, name| self.read_in_force(files, keys.in_force(role)?, name);
        let [checkpoint, recorder, issuer] = NAMES;
        Ok(LedgerKeys {
            checkpoint: read(KeyRole::Checkpoint, checkpoint)?,
            recorder: read(KeyRole::Recorder, recorder)?,
            issuer: read(KeyRole::Issuer, issuer)?,
            previous_checkpoint: self.read_leaving(files, keys)?,
        })
    }

    fn read_in_force(&self, files: &dyn Files, term: &KeyTerm, name: &str) -> Result<LocalSigner> {
        let path = self.key_path(name);
        let here = read_signer(files, &path);
        if let Ok(key) = &here
            && key.public_key() == term.key
        {
            return here;
        }
        if let Ok(coming) = read_signer(files, &with_suffix(&path, COMING))
            && coming.public_key() == term.key
        {
            return Ok(coming);
        }
        let found = here?.public_key();
        if found.thumbprint() == term.next && self.has_rotated_past(files, term, name) {
            let words = format!(
                "{name} is the key that follows the one that this log names: this is a copy of the ledger from before a rotation"
            );
            return Err(Error::new(Code::LogRollback, words)
                .with_hint("nothing was changed or read. Put the newest copy of the ledger and state folders back"));
        }
        Err(foreign(term, name).with_hint("give the config folder of this ledger with --config-dir"))
    }

    /// Does the key that may follow belong to a later rotation than the log knows? Where it is kept elsewhere nobody can tell a
    /// file that was put here by hand from an older log.
    fn has_rotated_past(&self, files: &dyn Files, term: &KeyTerm, name: &str) -> bool {
        read_signer(files, &self.next_path(name)).is_ok_and(|next| next.public_key().thumbprint() != term.next)
    }

    /// The key that signed heads before the last rotation, as long as it is kept.
    fn read_leaving(&self, files: &dyn Files, keys: &KeyHistory) -> Result<Option<LocalSigner>> {
        let terms = keys.terms(KeyRole::Checkpoint);
        let before = terms.len().checked_sub(2).and_then(|at| terms.get(at));
        let Some(before) = before.filter(|term| term.revoked.is_none()) else { return Ok(None) };
        match read_signer(files, &with_suffix(&self.key_path(NAMES[0]), LEAVING)) {
            Ok(key) => Ok(Some(key).filter(|key| key.public_key() == before.key)),
            // One that cannot be read signs nothing any more, and is no reason to stay shut.
            Err(_) => Ok(None),
        }
    }

    /// The key that signs heads now, where it is here.
    #[must_use]
    pub fn checkpoint_in_force(&self, files: &dyn Files, keys: &KeyHistory) -> Option<LocalSigner> {
        self.read_in_force(files, keys.in_force(KeyRole::Checkpoint).ok()?, NAMES[0]).ok()
    }

    /// Reads the vault root of a generation.
    ///
    /// # Errors
    /// As [`ConfigFolder::read`].
    pub fn read_root(&self, files: &dyn Files, generation: u64) -> Result<KeyEncryptionKey> {
        read_root(files, &self.root_path(generation))
    }

    /// Key files that are not the ones the log names, or hold no key, or are missing: their names and what is wrong.
    /// Those that may follow are compared by their thumbprints, and may be kept elsewhere.
    #[must_use]
    pub fn wrong_keys(&self, files: &dyn Files, keys: &KeyHistory) -> Vec<(String, Error)> {
        let mut wrong = Vec::new();
        for (name, term) in NAMES.iter().zip(in_force(keys)) {
            if let Err(e) = self.read_in_force(files, term, name) {
                wrong.push(((*name).to_owned(), e));
            }
            let next = format!("next/{name}");
            match read_signer(files, &self.next_path(name)).map(|key| key.public_key()) {
                Ok(key) if key.thumbprint() == term.next => {}
                // Between a rotation and its last step it is the one in force.
                Ok(key) if key == term.key && term.since > 0 => {}
                Ok(_) => wrong.push((next.clone(), foreign(term, &next))),
                Err(e) if e.code() == Code::KeyMissing => {}
                Err(e) => wrong.push((next, e)),
            }
        }
        wrong
    }

    /// Every key file that a ledger has, in its order: keys in use, those that may follow, the vault root.
    #[must_use]
    pub fn key_files(&self, files: &dyn Files, keys: &KeyHistory, generation: u64) -> Vec<KeyFile> {
        let (mut used, mut following) = (Vec::new(), Vec::new());
        for ((name, (purpose, next)), term) in NAMES.iter().zip(PURPOSES).zip(in_force(keys)) {
            let (own, public) = (term.key.thumbprint(), term.key.to_bytes());
            for (list, purpose, path, is_in_use, thumbprint, public) in [
                (&mut used, purpose, self.key_path(name), true, own, Some(public)),
                (&mut following, next, self.next_path(name), false, term.next, None),
            ] {
                let read = read_signer(files, &path).map(|key| key.public_key().thumbprint() == thumbprint);
                let (state, mode) = (state_of(read), mode_of(files, &path));
                let thumbprint = Some(thumbprint);
                list.push(KeyFile { purpose, is_in_use, thumbprint, public, path, state, mode });
            }
        }
        let path = self.root_path(generation);
        let state = state_of(read_root(files, &path).map(|_| true));
        let (purpose, mode) = ("opens the vault", mode_of(files, &path));
        let root = KeyFile { purpose, is_in_use: true, thumbprint: None, public: None, path, state, mode };
        used.into_iter().chain([root]).chain(following).collect()
    }

    /// Public keys pinned by this folder, for checks that need no secret. `None` when a file is absent.
    ///
    /// # Errors
    /// `E_KEY_UNREADABLE`, `E_KEY_MALFORMED`.
    pub fn pinned(&self, files: &dyn Files) -> Result<Option<PublicKeys>> {
        let read = |name| match read_signer(files, &self.key_path(name)) {
            Ok(key) => Ok(Some(key.public_key())),
            Err(e) if e.code() == Code::KeyMissing => Ok(None),
            Err(e) => Err(e),
        };
        Ok(read(NAMES[0])?.zip(read(NAMES[1])?).map(|(checkpoint, recorder)| PublicKeys { checkpoint, recorder }))
    }
}

/// The keys that are in force, in the order of [`NAMES`].
fn in_force(keys: &KeyHistory) -> impl Iterator<Item = &KeyTerm> {
    KeyRole::ALL.into_iter().filter_map(|role| keys.in_force(role).ok())
}

fn foreign(term: &KeyTerm, name: &str) -> Error {
    Error::new(Code::KeyForeign, format!("{name} is not the key that entry {} of this ledger names", term.since))
}

fn state_of(is_ours: Result<bool>) -> KeyFileState {
    match is_ours {
        Ok(true) => KeyFileState::Here,
        Ok(false) => KeyFileState::Foreign,
        Err(e) if e.code() == Code::KeyMissing => KeyFileState::Absent,
        Err(_) => KeyFileState::Unusable,
    }
}

fn mode_of(files: &dyn Files, path: &Path) -> Option<u32> {
    files.mode(path).ok().flatten()
}
