//! What a ledger is opened with.

use std::sync::Arc;

use super::{NoObserver, Observer};
use crate::codec::digest::Digest;
use crate::codec::random::Random;
use crate::store::Engine;
use crate::store::files::Files;
use crate::time::Clock;

/// What a ledger is opened with; everything it would otherwise have to ask the world for.
///
/// ```
/// use std::sync::Arc;
/// use immutape::keyring::OsRandom;
/// use immutape::ledger::Environment;
/// use immutape::store::{embedded::EmbeddedEngine, files::RealFiles};
/// use immutape::time::SystemClock;
/// let engine = Arc::new(EmbeddedEngine::new(Arc::new(RealFiles)));
/// let environment =
///     Environment::new(engine, Arc::new(RealFiles), Arc::new(SystemClock::new([0; 16])), Arc::new(OsRandom));
/// assert_eq!(environment.engine.name(), "embedded");
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Environment {
    /// Opens the stores.
    pub engine: Arc<dyn Engine>,
    /// The files of the config and state folders.
    pub files: Arc<dyn Files>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives randomness.
    pub random: Arc<dyn Random>,
    /// Hears what happens, for metrics.
    pub observer: Arc<dyn Observer>,
    /// Digest of the program, written into every private half.
    pub build: Digest,
}

impl Environment {
    /// These, with nobody who hears what happens, and a program of no known digest.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>, files: Arc<dyn Files>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { engine, files, clock, random, observer: Arc::new(NoObserver), build: Digest::from_bytes([0; 32]) }
    }

    /// With this engine.
    #[must_use]
    pub fn engine(self, engine: Arc<dyn Engine>) -> Self {
        Self { engine, ..self }
    }

    /// With these files.
    #[must_use]
    pub fn files(self, files: Arc<dyn Files>) -> Self {
        Self { files, ..self }
    }

    /// With this clock.
    #[must_use]
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self }
    }

    /// With this source of randomness.
    #[must_use]
    pub fn random(self, random: Arc<dyn Random>) -> Self {
        Self { random, ..self }
    }

    /// With this listener.
    #[must_use]
    pub fn observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// As a program of this digest.
    #[must_use]
    pub fn build(self, build: Digest) -> Self {
        Self { build, ..self }
    }
}
