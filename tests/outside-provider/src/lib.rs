//! A provider as somebody else would write it: `bounded` keeps tapes as `embedded` does, and takes no more of them once
//! they have so many bytes. It wraps one of the five contracts of an engine; everything else, and every promise, comes
//! from the ledger. Nothing is ever removed to make room.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use immutape::codec::digest::Digest;
use immutape::governance::DisposalClearance;
use immutape::provider::{
    Capabilities, LedgerBackend, LedgerParts, Setting, SettingKind, StorageProviderFactory, Surroundings,
    TapeStorageBackend,
};
use immutape::store::contracts::Listed;
use immutape::store::embedded::EmbeddedEngine;
use immutape::store::{Engine, NewObject, ObjectRef, Objects, Protection, Stores, Stray};
use immutape::{Code, Error, Result};
use serde_json::Value;

const SETTINGS: &[Setting] = &[
    Setting::new("path", SettingKind::Path, "folder of the ledger"),
    Setting::new("state_path", SettingKind::Path, "folder of its wrapped keys and signed head"),
    Setting::new("keys_path", SettingKind::Path, "folder of its private keys"),
    Setting::new("create", SettingKind::Flag, "make a ledger where there is none").default("true"),
    Setting::new("room_bytes", SettingKind::Count(1, u64::MAX), "most bytes of sealed objects").default("1 GiB"),
];
const ROOM_BYTES: u64 = 1 << 30;

/// Makes backends of the provider `bounded`.
#[derive(Debug, Clone, Copy, Default)]
pub struct BoundedFactory;

impl StorageProviderFactory for BoundedFactory {
    fn name(&self) -> &str {
        "bounded"
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    fn about(&self) -> &str {
        "a ledger in folders of this machine, with a bound"
    }

    fn settings(&self) -> &[Setting] {
        SETTINGS
    }

    fn create(&self, config: &Value, around: &Surroundings) -> Result<Box<dyn TapeStorageBackend>> {
        self.validate(config)?;
        let room_bytes = config.get("room_bytes").and_then(Value::as_u64).unwrap_or(ROOM_BYTES);
        let engine = BoundedEngine { within: EmbeddedEngine::new(around.files.clone()), room_bytes };
        let parts = LedgerParts::from_config(config, around, Arc::new(engine))?;
        Ok(Box::new(LedgerBackend::new(parts, Capabilities::none().durable(true))))
    }
}

struct BoundedEngine {
    within: EmbeddedEngine,
    room_bytes: u64,
}

impl Engine for BoundedEngine {
    /// Written beside the data: `embedded` alone will not open these folders, so that nobody loses the bound by mistake.
    fn name(&self) -> &'static str {
        "bounded"
    }

    fn first_group(&self, ledger: &Path) -> Result<Option<Vec<u8>>> {
        self.within.first_group(ledger)
    }

    fn strays(&self, ledger: &Path, state: &Path) -> Result<Vec<Stray>> {
        self.within.strays(ledger, state)
    }

    fn open(&self, ledger: &Path, state: &Path, origin: Digest) -> Result<Stores> {
        let stores = self.within.open(ledger, state, origin)?;
        let mut used = 0u64;
        stores.objects.list(&mut |found| {
            if let Listed::Object(object, _) = found {
                used = used.saturating_add(object.bytes);
            }
            Ok(())
        })?;
        let bounded = BoundedObjects { within: stores.objects, used: used.into(), room_bytes: self.room_bytes };
        Ok(Stores { objects: Arc::new(bounded), ..stores })
    }
}

struct BoundedObjects {
    within: Arc<dyn Objects>,
    used: AtomicU64,
    room_bytes: u64,
}

impl Objects for BoundedObjects {
    fn put_all(&self, objects: &[NewObject<'_>], protection: Protection) -> Result<Vec<ObjectRef>> {
        let bytes: u64 = objects.iter().map(|object| object.bytes().len() as u64).sum();
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.room_bytes);
        // Taken before it is used: two callers cannot both have the last of it.
        self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits).map_err(|used| {
            Error::new(Code::StoreFull, format!("{used} of {} bytes are used, and {bytes} do not fit", self.room_bytes))
                .with_hint("raise room_bytes; what is kept is never removed to make room")
        })?;
        self.within.put_all(objects, protection)
    }

    fn sync(&self) -> Result<()> {
        self.within.sync()
    }

    fn get(&self, object: &ObjectRef) -> Result<Vec<u8>> {
        self.within.get(object)
    }

    fn rehash(&self, object: &ObjectRef) -> Result<u64> {
        self.within.rehash(object)
    }

    fn read_back(&self, objects: &[ObjectRef]) -> Result<()> {
        self.within.read_back(objects)
    }

    fn list(&self, each: &mut dyn FnMut(Listed) -> Result<()>) -> Result<()> {
        self.within.list(each)
    }

    fn protect(&self, object: &ObjectRef, protection: Protection) -> Result<()> {
        self.within.protect(object, protection)
    }

    fn discard(&self, object: &ObjectRef, now_ms: u64, clearance: DisposalClearance) -> Result<()> {
        self.within.discard(object, now_ms, clearance)
    }
}
