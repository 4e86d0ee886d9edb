//! A ledger in memory: every promise but durability.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::backend::{Capabilities, TapeStorageBackend};
use super::embedded::{CLASS, NAME, NAMESPACE};
use super::factory::StorageProviderFactory;
use super::ledger_backend::{LedgerBackend, LedgerParts};
use super::settings::{Setting, SettingKind};
use super::surroundings::Surroundings;
use crate::error::Result;
use crate::ledger::Places;
use crate::store::memory::{MemoryEngine, MemoryFiles};

/// `memory`, for tests. Each backend has a ledger of its own, which is gone with it.
#[derive(Debug, Clone, Copy, Default)]
pub struct MemoryFactory;

const SETTINGS: &[Setting] = &[
    Setting::new("testing", SettingKind::Flag, "this is a test: do not warn").default("false"),
    NAME,
    CLASS,
    NAMESPACE,
];

impl StorageProviderFactory for MemoryFactory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn version(&self) -> &'static str {
        env!("CARGO_PKG_VERSION")
    }

    fn about(&self) -> &'static str {
        "a ledger in memory, for tests: nothing outlives the process"
    }

    fn settings(&self) -> &[Setting] {
        SETTINGS
    }

    fn warnings(&self, config: &Value) -> Vec<String> {
        if config.get("testing").and_then(Value::as_bool) == Some(true) {
            return Vec::new();
        }
        vec!["The provider \"memory\" keeps nothing: tapes, log and keys are gone when this process ends. It is meant for tests; set testing = true there.".to_owned()]
    }

    fn create(&self, config: &Value, around: &Surroundings) -> Result<Box<dyn TapeStorageBackend>> {
        self.validate(config)?;
        // Keys and head lie in memory, too: nothing of it ever meets a disk.
        let around = Surroundings { files: Arc::new(MemoryFiles::new()), ..around.clone() };
        let places = Places::beneath(Path::new("/memory"));
        let parts = LedgerParts::with_places(config, &around, places, Arc::new(MemoryEngine::new()));
        let promises = Capabilities::none().durable(false).streaming(true).recording_access(true);
        Ok(Box::new(LedgerBackend::new(parts, promises)))
    }
}
