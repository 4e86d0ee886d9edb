//! What makes backends.

use serde_json::Value;

use super::backend::TapeStorageBackend;
use super::settings::{Setting, check_all};
use super::surroundings::Surroundings;
use crate::error::Result;

/// Makes the backends of one provider. Held by a [`StorageRegistry`](super::StorageRegistry) under its name.
///
/// ```
/// use immutape::provider::{MemoryFactory, StorageProviderFactory as _};
/// use serde_json::json;
/// assert_eq!(MemoryFactory.name(), "memory");
/// assert!(MemoryFactory.validate(&json!({ "tseting": true })).is_err());
/// ```
pub trait StorageProviderFactory: Send + Sync {
    /// Its name: lowercase letters, digits and single hyphens, a letter first.
    fn name(&self) -> &str;

    /// Its semantic version.
    fn version(&self) -> &str;

    /// Other names that it answers to.
    fn aliases(&self) -> &[&str] {
        &[]
    }

    /// What it keeps tapes in, in a few words.
    fn about(&self) -> &str;

    /// The settings that it knows.
    fn settings(&self) -> &[Setting];

    /// Checks settings without touching what they name.
    ///
    /// # Errors
    /// `E_USAGE` for a setting that it does not know, and for a value that a setting does not take.
    fn validate(&self, config: &Value) -> Result<()> {
        check_all(self.name(), self.settings(), config)
    }

    /// What who uses it should know before, in whole sentences.
    fn warnings(&self, config: &Value) -> Vec<String> {
        let _nothing_to_say = config;
        Vec::new()
    }

    /// Makes a backend, without touching what the settings name: that is for
    /// [`TapeStorageBackend::initialize`], or the first call that needs it.
    ///
    /// # Errors
    /// As [`StorageProviderFactory::validate`]; `E_NO_HOME` when nothing says where the data goes.
    fn create(&self, config: &Value, around: &Surroundings) -> Result<Box<dyn TapeStorageBackend>>;
}
