//! What an operator wants to know, limits included. Releases no content.

use std::collections::{BTreeMap, HashMap};

use super::core::Core;
use super::{Environment, Places, start};
use crate::error::{Code, Error, Result};
use crate::governance::ClassStanding;

/// Where the keys stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyState {
    /// The keys that may follow lie beside the ones in use.
    pub next_keys_beside: bool,
    /// Registered copies of the vault root beyond the one in use.
    pub root_copies: u64,
}

/// The state of an open ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it; units stand last")]
#[non_exhaustive]
pub struct Status {
    pub ledger: String,
    pub origin: String,
    pub profile: String,
    pub policy: String,
    pub is_test: bool,
    pub entries: u64,
    pub root: Option<String>,
    pub term: u64,
    pub rows_entries: u64,
    pub rows_failed: bool,
    pub nearly_full: bool,
    pub broken: bool,
    pub vault_generation: u64,
    pub vault_revision: u64,
    pub epochs: u64,
    pub keys: KeyState,
    pub checkpoint_key: String,
    pub ledger_folder: String,
    pub state_folder: String,
    pub config_folder: String,
}

/// Tapes of one class.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassCount {
    /// The class.
    pub class: String,
    /// What it means under the schedule in force.
    pub standing: ClassStanding,
    /// How many tapes.
    pub tapes: u64,
}

/// Whether another process has this ledger open, told at once. Taking the lock for a moment changes nothing;
/// who wants it meanwhile tries again.
///
/// # Errors
/// As [`Checker::open`](super::Checker::open); `E_IO` when the lock file cannot be opened.
pub fn is_in_use(places: &Places, env: &Environment) -> Result<bool> {
    let lock = start::find(places, env)?.folders.state.join("lock");
    let io = |e| Error::new(Code::Io, "the lock file cannot be opened").with_source(e);
    Ok(env.files.exists(&lock).map_err(io)? && env.files.try_lock(&lock).map_err(io)?.is_none())
}

impl Core {
    /// Tapes by class. No tape is opened: the class is that of the custody key of its entries.
    pub(super) fn classes(&self) -> Result<Vec<ClassCount>> {
        let mut by_key: HashMap<[u8; 16], u64> = HashMap::new();
        self.settled_queries()?.0.catalog(&mut |row| {
            let tapes = by_key.entry(row.facts.class_key).or_default();
            *tapes = tapes.saturating_add(1);
            Ok(true)
        })?;
        let mut by_class: BTreeMap<String, u64> = BTreeMap::new();
        for (key, tapes) in by_key {
            let sum = by_class.entry(self.class_of(&key)?).or_default();
            *sum = sum.saturating_add(tapes);
        }
        let count =
            |(class, tapes): (String, u64)| ClassCount { standing: self.schedule.standing(&class), class, tapes };
        Ok(by_class.into_iter().map(count).collect())
    }

    /// The present state.
    pub(super) fn status(&self) -> Result<Status> {
        let shown = |p: &std::path::Path| crate::codec::escape::visible(p.as_os_str().as_encoded_bytes());
        let (entries, root) = self.progress.durable();
        let keys = self.vault_read()?;
        let (vault_generation, vault_revision) = keys.version();
        Ok(Status {
            ledger: self.identity.ledger.to_hex(),
            origin: self.origin().to_owned(),
            profile: self.identity.genesis.profile.clone(),
            policy: self.identity.genesis.policy.clone(),
            is_test: self.identity.genesis.test,
            entries,
            root: root.map(|r| r.to_hex()),
            term: self.term,
            rows_entries: self.progress.applied(),
            rows_failed: self.progress.rows_failed(),
            nearly_full: self.stores.journal.is_nearly_full(),
            broken: self.refuse_if_broken().is_err(),
            vault_generation,
            vault_revision,
            epochs: keys.epoch_ids().count() as u64,
            keys: KeyState { next_keys_beside: self.next_keys_beside, root_copies: 0 },
            checkpoint_key: self.identity.checkpoint.to_text(),
            ledger_folder: shown(&self.folders.places.ledger),
            state_folder: shown(&self.folders.state),
            config_folder: shown(&self.folders.config),
        })
    }
}
