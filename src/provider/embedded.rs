//! The default provider: a ledger in folders of this machine.

use std::sync::Arc;

use serde_json::Value;

use super::backend::{Capabilities, TapeStorageBackend};
use super::factory::StorageProviderFactory;
use super::ledger_backend::{LedgerBackend, LedgerParts};
use super::settings::{Setting, SettingKind};
use super::surroundings::Surroundings;
use crate::error::Result;
use crate::store::embedded::EmbeddedEngine;

/// `embedded`, also called `filesystem`.
#[derive(Debug, Clone, Copy, Default)]
pub struct EmbeddedFactory;

const SETTINGS: &[Setting] = &[
    Setting::new("path", SettingKind::Path, "folder of the ledger")
        .default("$XDG_DATA_HOME/immutape/default")
        .variable("IMMUTAPE_DIR"),
    Setting::new("state_path", SettingKind::Path, "folder of its wrapped keys and signed head")
        .default("$XDG_STATE_HOME/immutape/<ledger id>")
        .variable("IMMUTAPE_STATE_DIR"),
    Setting::new("keys_path", SettingKind::Path, "folder of its private keys")
        .default("$XDG_CONFIG_HOME/immutape/<ledger id>")
        .variable("IMMUTAPE_CONFIG_DIR"),
    CREATE,
    NAME,
    CLASS,
    NAMESPACE,
];

/// Name of a log that nobody named. It stands in every checkpoint, so it says nothing about anybody.
pub(super) const DEFAULT_NAME: &str = "immutape";

/// Settings that every provider over a ledger has.
pub(super) const CREATE: Setting =
    Setting::new("create", SettingKind::Flag, "make a ledger where there is none").default("true");
/// The same.
pub(super) const NAME: Setting =
    Setting::new("name", SettingKind::Text, "name of a new ledger, for everybody to see").default(DEFAULT_NAME);
/// The same.
pub(super) const CLASS: Setting =
    Setting::new("class", SettingKind::Text, "retention class of tapes that name none").default("draft");
/// The same.
pub(super) const NAMESPACE: Setting =
    Setting::new("namespace", SettingKind::Text, "namespace of tapes that name none").default("default");

impl StorageProviderFactory for EmbeddedFactory {
    fn name(&self) -> &'static str {
        "embedded"
    }

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    fn aliases(&self) -> &[&str] {
        &["filesystem"]
    }

    fn about(&self) -> &'static str {
        "a ledger in folders of this machine"
    }

    fn settings(&self) -> &[Setting] {
        SETTINGS
    }

    fn create(&self, config: &Value, around: &Surroundings) -> Result<Box<dyn TapeStorageBackend>> {
        self.validate(config)?;
        let engine = Arc::new(EmbeddedEngine::new(around.files.clone()));
        let parts = LedgerParts::from_config(config, around, engine)?;
        let promises = Capabilities::none().durable(true).streaming(true).recording_access(true);
        Ok(Box::new(LedgerBackend::new(parts, promises)))
    }
}
