//! Providers by name: what can be registered, what is found, and that nothing is touched before it is needed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use immutape::Code;
use immutape::Result;
use immutape::provider::{
    MemoryFactory, Setting, StorageProviderFactory, StorageRegistry, Surroundings, TapeRecorder, TapeStorageBackend,
};
use serde_json::{Value, json};

struct Named {
    name: String,
    version: &'static str,
    aliases: Vec<&'static str>,
}

impl StorageProviderFactory for Named {
    fn name(&self) -> &str {
        &self.name
    }
    fn version(&self) -> &str {
        self.version
    }
    fn aliases(&self) -> &[&str] {
        &self.aliases
    }
    fn about(&self) -> &str {
        "memory under another name"
    }
    fn settings(&self) -> &[Setting] {
        MemoryFactory.settings()
    }
    fn create(&self, config: &Value, around: &Surroundings) -> Result<Box<dyn TapeStorageBackend>> {
        MemoryFactory.create(config, around)
    }
}

fn named(name: &str, aliases: &[&'static str]) -> Arc<Named> {
    Arc::new(Named { name: name.into(), version: "1.2.3", aliases: aliases.to_vec() })
}

#[test]
fn a_name_is_taken_once_also_as_an_alias_and_nothing_is_added_halfway() {
    let registry = StorageRegistry::empty();
    registry.register(named("cold", &["frozen"])).unwrap();
    for taken in [named("cold", &[]), named("frozen", &[]), named("ice", &["cold"])] {
        let error = registry.register(taken).unwrap_err();
        assert_eq!(error.code(), Code::Conflict);
        assert!(error.message().contains("already"), "{error}");
    }
    assert_eq!(registry.names(), ["cold", "frozen"]);
    assert_eq!(registry.find("frozen").unwrap().name(), "cold");
    assert_eq!(registry.all().len(), 1);
    for (wrong, version) in [("Cold", "1.0.0"), ("warm", "1"), ("", "1.0.0")] {
        let factory = Arc::new(Named { name: wrong.into(), version, aliases: Vec::new() });
        assert_eq!(registry.register(factory).unwrap_err().code(), Code::Usage, "{wrong} {version}");
    }
    assert_eq!(registry.names(), ["cold", "frozen"]);
}

#[test]
fn an_own_registry_stands_in_front_of_the_global_one_and_leaves_it_alone() {
    let own = StorageRegistry::over_global();
    assert_eq!(own.names(), ["embedded", "filesystem", "memory"]);
    own.register(named("memory", &[])).unwrap();
    assert_eq!(own.find("memory").unwrap().version(), "1.2.3");
    assert_eq!(StorageRegistry::global().find("memory").unwrap().version(), env!("CARGO_PKG_VERSION"));
    assert_eq!(own.find("filesystem").unwrap().name(), "embedded");
    // What the process learns later is there, too.
    StorageRegistry::global().register(named("late", &[])).unwrap();
    assert_eq!(own.find("late").unwrap().name(), "late");
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    let error = StorageRegistry::global().find("embeded").err().unwrap();
    assert_eq!(error.code(), Code::NotFound);
    assert!(error.hint().unwrap().starts_with("did you mean \"embedded\"?"), "{:?}", error.hint());
    let error = StorageRegistry::global().find("x\u{1b}[2J").err().unwrap();
    assert!(!error.message().contains('\u{1b}'), "{error}");
}

/// The bound of the seeds is 1 ms a look-up; a thousand of them in the time of one is no close call.
#[test]
fn a_look_up_among_a_thousand_takes_far_less_than_a_millisecond() {
    let registry = StorageRegistry::over_global();
    for n in 0..1_000 {
        registry.register(named(&format!("provider-{n}"), &[])).unwrap();
    }
    let started = Instant::now();
    for n in 0..1_000 {
        assert!(registry.find(&format!("provider-{n}")).is_ok());
    }
    assert!(started.elapsed() < Duration::from_secs(1), "{:?} for a thousand", started.elapsed());
}

#[tokio::test]
async fn nothing_is_touched_before_it_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |part: &str| folder.path().join(part);
    let settings = json!({ "path": at("l"), "state_path": at("s"), "keys_path": at("k") });
    let around = Surroundings::of_process().unwrap();
    let backend = StorageRegistry::global().create("embedded", &settings, &around).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "making a backend made a file");
    backend.stats().await.unwrap();
    assert!(at("l").is_dir() && at("s").is_dir() && at("k").is_dir(), "the first call needs them");
    backend.close().await.unwrap();
    let wrong = json!({ "path": 7 });
    assert_eq!(StorageRegistry::global().create("embedded", &wrong, &around).err().unwrap().code(), Code::Usage);
}

#[tokio::test]
async fn a_recorder_may_have_providers_of_its_own() {
    let build = |provider: &str| {
        let builder = TapeRecorder::builder().register_storage_provider(named("mine", &[]));
        builder.with_storage(provider, json!({ "testing": true })).build()
    };
    assert_eq!(build("mine").await.unwrap().provider(), "mine");
    let builder = TapeRecorder::builder().with_storage("mine", Value::Null);
    assert_eq!(builder.build().await.unwrap_err().code(), Code::NotFound, "others know nothing of it");
    let twice = TapeRecorder::builder()
        .register_storage_provider(named("mine", &[]))
        .register_storage_provider(named("mine", &[]));
    assert_eq!(twice.build().await.unwrap_err().code(), Code::Conflict);
}
