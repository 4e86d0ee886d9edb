//! What a clause is, and how it is checked in bounded time.

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde_json::Value;

use super::report::Outcome;
use crate::error::{Code, Result};
use crate::provider::{StorageProviderFactory, Surroundings, TapeStorageBackend};

/// How long a clause may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What is put to the test.
#[derive(Clone)]
pub struct Subject {
    pub(super) factory: Arc<dyn StorageProviderFactory>,
    pub(super) around: Surroundings,
    settings: Arc<dyn Fn(usize) -> Value + Send + Sync>,
    places: Arc<AtomicUsize>,
    patience: Duration,
}

impl Subject {
    /// A provider, and settings for as many places as there are numbers: each number must give one that holds nothing yet.
    ///
    /// # Errors
    /// As [`Surroundings::of_process`].
    pub fn new(
        factory: Arc<dyn StorageProviderFactory>,
        settings: impl Fn(usize) -> Value + Send + Sync + 'static,
    ) -> Result<Self> {
        Ok(Self {
            factory,
            around: Surroundings::of_process()?,
            settings: Arc::new(settings),
            places: Arc::default(),
            patience: PATIENCE,
        })
    }

    /// With another time for each clause than [`PATIENCE`].
    #[must_use]
    pub fn patient_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Settings of a place that holds nothing.
    pub(super) fn fresh(&self) -> Value {
        (self.settings)(self.places.fetch_add(1, Ordering::Relaxed))
    }

    /// A backend on it.
    pub(super) async fn open(&self, settings: &Value) -> Checked<Box<dyn TapeStorageBackend>> {
        ok("validate", self.factory.validate(settings))?;
        let backend = ok("create", self.factory.create(settings, &self.around))?;
        ok("initialize", backend.initialize().await)?;
        Ok(backend)
    }

    /// A backend on a place that holds nothing.
    pub(super) async fn empty(&self) -> Checked<Box<dyn TapeStorageBackend>> {
        self.open(&self.fresh()).await
    }
}

/// Why a clause says nothing good of a provider.
pub(super) enum Not {
    /// It is broken.
    Kept(String),
    /// The provider does not promise it.
    Promised(&'static str),
}

impl From<String> for Not {
    fn from(detail: String) -> Self {
        Self::Kept(detail)
    }
}

pub(super) type Checked<T> = Result<T, Not>;
type Check = fn(Subject) -> Pin<Box<dyn Future<Output = Checked<()>> + Send>>;

/// One clause of the contract.
#[derive(Clone, Copy)]
pub struct Clause {
    /// What is promised.
    pub name: &'static str,
    check: Check,
}

impl Debug for Clause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl Clause {
    pub(super) const fn new(name: &'static str, check: Check) -> Self {
        Self { name, check }
    }

    /// Checks it on a thread of its own: whoever hangs, asleep or at work, is left behind there.
    #[must_use]
    pub fn check(&self, subject: &Subject) -> Outcome {
        let (tell, told) = mpsc::channel();
        let (job, own) = (self.check, subject.clone());
        let started = std::thread::Builder::new().name("conformance".into()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let checked = runtime.map_err(|e| Not::Kept(format!("no runtime: {e}"))).and_then(|r| r.block_on(job(own)));
            let _nobody_waits_any_more = tell.send(checked);
        });
        if let Err(e) = started {
            return Outcome::Violated(format!("no thread to check it on: {e}"));
        }
        match told.recv_timeout(subject.patience) {
            Ok(Ok(())) => Outcome::Kept,
            Ok(Err(Not::Kept(detail))) => Outcome::Violated(detail),
            Ok(Err(Not::Promised(what))) => Outcome::NotPromised(what),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                Outcome::Violated(format!("no answer within {} ms", subject.patience.as_millis()))
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => Outcome::Violated("it panicked".into()),
        }
    }
}

/// The value of a call that must succeed.
pub(super) fn ok<T>(what: &str, result: Result<T>) -> Checked<T> {
    result.map_err(|e| Not::Kept(format!("{what}: {} ({e})", e.code().as_str())))
}

/// A call that must be refused with this code.
pub(super) fn refused<T>(what: &str, result: Result<T>, code: Code) -> Checked<()> {
    match result {
        Err(e) if e.code() == code => Ok(()),
        Err(e) => Err(Not::Kept(format!("{what}: {} instead of {}", e.code().as_str(), code.as_str()))),
        Ok(_) => Err(Not::Kept(format!("{what}: succeeded instead of {}", code.as_str()))),
    }
}

/// Two values that must be equal.
pub(super) fn same<T: PartialEq + Debug>(what: &str, got: T, wanted: T) -> Checked<()> {
    if got == wanted { Ok(()) } else { Err(Not::Kept(format!("{what}: {got:?} instead of {wanted:?}"))) }
}

/// Something that must hold.
pub(super) fn holds(what: &str, holds: bool) -> Checked<()> {
    if holds { Ok(()) } else { Err(Not::Kept(what.to_owned())) }
}
