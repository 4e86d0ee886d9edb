//! What an operator wants to know, limits included. Releases no content.

use super::core::Core;

/// Where the keys stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyState {
    /// The keys that may follow lie beside the ones in use.
    pub next_keys_beside: bool,
    /// Registered copies of the vault root beyond the one in use.
    pub root_copies: u64,
}

/// The state of an open ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it; units stand last")]
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

impl Core {
    /// The present state.
    pub(super) fn status(&self) -> crate::error::Result<Status> {
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
