//! A program's hold on a storage backend, whichever it is.

use std::sync::Arc;

use serde_json::Value;

use super::backend::{Tape, TapeStorageBackend};
use super::config::Effective;
use super::factory::StorageProviderFactory;
use super::recording::Recording;
use super::registry::StorageRegistry;
use super::surroundings::Surroundings;
use crate::codec::digest::TapeId;
use crate::error::Result;
use crate::interchange::FrameCounts;
use crate::ledger::Who;
use crate::tape::TapeKind;

/// Records sessions into the backend that the configuration names. Cheap to clone.
///
/// Backends take `&self` and are shared as they are: a lock around one would only make readers wait for writers.
#[derive(Clone)]
pub struct TapeRecorder {
    storage: Arc<dyn TapeStorageBackend>,
    provider: String,
    warnings: Vec<String>,
}

impl std::fmt::Debug for TapeRecorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TapeRecorder").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl TapeRecorder {
    /// What to record into, and how.
    #[must_use]
    pub fn builder() -> TapeRecorderBuilder {
        TapeRecorderBuilder::default()
    }

    /// The backend.
    #[must_use]
    pub const fn storage(&self) -> &Arc<dyn TapeStorageBackend> {
        &self.storage
    }

    /// Name of the provider that made it.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// What the provider says that its user should know. To be shown to a person.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Begins a recording.
    ///
    /// # Errors
    /// As [`TapeStorageBackend::save`].
    pub async fn begin(&self, kind: TapeKind) -> Result<Recording> {
        self.begin_in(kind, "draft", "default").await
    }

    /// Begins a recording of a retention class, in a namespace.
    ///
    /// # Errors
    /// As [`TapeStorageBackend::save`].
    pub async fn begin_in(&self, kind: TapeKind, class: &str, namespace: &str) -> Result<Recording> {
        Recording::begin(self.storage.clone(), kind, class, namespace).await
    }

    /// Keeps a tape that is whole already. Its counts are made from its messages.
    ///
    /// # Errors
    /// As [`TapeStorageBackend::save`].
    pub async fn save(&self, mut tape: Tape) -> Result<TapeId> {
        let mut counts = FrameCounts::default();
        tape.frames.iter_mut().for_each(|frame| counts.frame(frame));
        counts.fill(&mut tape.header);
        self.storage.save(&tape).await
    }

    /// Ends the backend in order. Recordings that were not finished must be let go of; where they outlive their recorder the next
    /// start keeps them as tapes that were cut off, elsewhere nothing is left of them.
    ///
    /// # Errors
    /// As [`TapeStorageBackend::close`].
    pub async fn close(self) -> Result<()> {
        self.storage.close().await
    }
}

/// Puts a [`TapeRecorder`] together.
#[derive(Default)]
pub struct TapeRecorderBuilder {
    storage: Option<(String, Value)>,
    own: Vec<Arc<dyn StorageProviderFactory>>,
    around: Option<Surroundings>,
    who: Option<Who>,
    on_warning: Option<Box<dyn Fn(&str) + Send>>,
}

impl std::fmt::Debug for TapeRecorderBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Settings may hold secrets.
        let provider = self.storage.as_ref().map(|(name, _)| name);
        f.debug_struct("TapeRecorderBuilder").field("provider", &provider).finish_non_exhaustive()
    }
}

impl TapeRecorderBuilder {
    /// The provider, by its name, and its settings. Without it: `embedded`, in the folders of the home.
    #[must_use]
    pub fn with_storage(self, provider: &str, config: Value) -> Self {
        Self { storage: Some((provider.to_owned(), config)), ..self }
    }

    /// The provider and its settings as flags, environment and files say.
    #[must_use]
    pub fn with_configuration(self, effective: &Effective) -> Self {
        self.with_storage(effective.provider(), effective.config())
    }

    /// Adds a provider for this recorder alone, also in front of one with the same name.
    #[must_use]
    pub fn register_storage_provider(mut self, factory: Arc<dyn StorageProviderFactory>) -> Self {
        self.own.push(factory);
        self
    }

    /// Who stands behind every call. Without it: the user of this process.
    #[must_use]
    pub fn acting_as(self, who: Who) -> Self {
        Self { who: Some(who), ..self }
    }

    /// Other surroundings than those of this process.
    #[must_use]
    pub fn in_surroundings(self, around: Surroundings) -> Self {
        Self { around: Some(around), ..self }
    }

    /// Hears what the provider warns of, before anything is opened.
    #[must_use]
    pub fn on_warning(self, hear: impl Fn(&str) + Send + 'static) -> Self {
        Self { on_warning: Some(Box::new(hear)), ..self }
    }

    /// Makes the backend and opens it, so that what is wrong is told now.
    ///
    /// # Errors
    /// `E_NOT_FOUND` (no such provider), `E_USAGE` (its settings, or the name of a provider), `E_CONFLICT` (two with one name),
    /// and those of [`TapeStorageBackend::initialize`].
    pub async fn build(self) -> Result<TapeRecorder> {
        let registry = StorageRegistry::over_global();
        self.own.into_iter().try_for_each(|factory| registry.register(factory))?;
        let mut around = self.around.map_or_else(Surroundings::of_process, Ok)?;
        around.who = self.who.unwrap_or(around.who);
        let (name, config) = self.storage.unwrap_or_else(|| ("embedded".to_owned(), Value::Null));
        let factory = registry.find(&name)?;
        factory.validate(&config)?;
        let warnings = factory.warnings(&config);
        if let Some(hear) = &self.on_warning {
            warnings.iter().for_each(|warning| hear(warning));
        }
        let storage: Arc<dyn TapeStorageBackend> = Arc::from(factory.create(&config, &around)?);
        storage.initialize().await?;
        Ok(TapeRecorder { storage, provider: factory.name().to_owned(), warnings })
    }
}
