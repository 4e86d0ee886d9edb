//! Which providers there are.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use serde_json::Value;

use super::backend::TapeStorageBackend;
use super::embedded::EmbeddedFactory;
use super::factory::StorageProviderFactory;
use super::memory::MemoryFactory;
use super::names::{check_name, check_version, instead};
use super::surroundings::Surroundings;
use crate::codec::escape::visible_short;
use crate::error::{Code, Error, Result};

type Factory = Arc<dyn StorageProviderFactory>;

/// Factories by name. The one of the process has those that come with this crate; one made with
/// [`StorageRegistry::over_global`] adds its own, which also stand in front of those with the same name.
///
/// ```
/// use std::sync::Arc;
/// use immutape::provider::{MemoryFactory, StorageRegistry};
/// let registry = StorageRegistry::over_global();
/// assert_eq!(registry.find("filesystem")?.name(), "embedded");
/// registry.register(Arc::new(MemoryFactory))?; // in front of the global one, here alone
/// assert!(registry.register(Arc::new(MemoryFactory)).is_err(), "not twice");
/// # Ok::<(), immutape::Error>(())
/// ```
#[derive(Default)]
pub struct StorageRegistry {
    own: RwLock<BTreeMap<String, Factory>>,
    beneath: Option<&'static StorageRegistry>,
}

impl std::fmt::Debug for StorageRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.all().iter().map(|f| f.name().to_owned())).finish()
    }
}

impl StorageRegistry {
    /// Without any provider.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The registry of the process.
    pub fn global() -> &'static Self {
        static GLOBAL: OnceLock<StorageRegistry> = OnceLock::new();
        GLOBAL.get_or_init(|| {
            let built_in: [Factory; 2] = [Arc::new(EmbeddedFactory), Arc::new(MemoryFactory)];
            let names =
                |f: &Factory| f.aliases().iter().map(|a| (*a).to_owned()).chain([f.name().to_owned()]).collect();
            let named = |f: Factory| {
                let names: Vec<String> = names(&f);
                names.into_iter().map(move |name| (name, f.clone()))
            };
            Self { own: RwLock::new(built_in.into_iter().flat_map(named).collect()), beneath: None }
        })
    }

    /// Everything that the registry of the process has, now and later, and what is added here.
    #[must_use]
    pub fn over_global() -> Self {
        Self { own: RwLock::default(), beneath: Some(Self::global()) }
    }

    /// Adds a provider under its name and its aliases.
    ///
    /// # Errors
    /// `E_USAGE` for a name or version that is none; `E_CONFLICT` for a name that is taken in this registry. Nothing was added.
    pub fn register(&self, factory: Factory) -> Result<()> {
        let names: Vec<&str> = [factory.name()].into_iter().chain(factory.aliases().iter().copied()).collect();
        names.iter().try_for_each(|name| check_name(name))?;
        check_version(factory.name(), factory.version())?;
        let mut own = self.own.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = names.iter().find(|name| own.contains_key(**name)) {
            return Err(Error::new(Code::Conflict, format!("there is a storage provider \"{taken}\" already"))
                .with_hint("give yours another name, or register it for one recorder alone"));
        }
        own.extend(names.iter().map(|name| ((*name).to_owned(), factory.clone())));
        Ok(())
    }

    /// The provider of this name or alias.
    ///
    /// # Errors
    /// `E_NOT_FOUND`, with the nearest name.
    pub fn find(&self, name: &str) -> Result<Factory> {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let found = own.or_else(|| self.beneath.and_then(|beneath| beneath.find(name).ok()));
        found.ok_or_else(|| {
            let names = self.names();
            let shown = visible_short(name.as_bytes(), 80);
            Error::new(Code::NotFound, format!("there is no storage provider \"{shown}\""))
                .with_hint(instead(name, names.iter().map(String::as_str)))
        })
    }

    /// Every provider once, by name.
    #[must_use]
    pub fn all(&self) -> Vec<Factory> {
        let names = self.names();
        let found = names.iter().filter_map(|name| self.find(name).ok().filter(|f| f.name() == name));
        found.collect()
    }

    /// Every name and alias, ascending.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<String> = own.keys().cloned().collect();
        names.extend(self.beneath.map(Self::names).unwrap_or_default());
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Makes a backend of the named provider. What its settings name is not touched yet.
    ///
    /// # Errors
    /// As [`StorageRegistry::find`] and [`StorageProviderFactory::create`].
    pub fn create(&self, name: &str, config: &Value, around: &Surroundings) -> Result<Box<dyn TapeStorageBackend>> {
        let factory = self.find(name)?;
        factory.validate(config)?;
        factory.create(config, around)
    }
}
