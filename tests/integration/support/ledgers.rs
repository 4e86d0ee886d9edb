//! Ledgers for tests: on the disk in a temporary folder, with the seeded generator where asked for.

use std::path::Path;
use std::sync::{Arc, Mutex};

use immutape::codec::digest::Digest;
use immutape::interchange::{ImportOptions, Importer};
use immutape::keyring::{OsRandom, SeededRandom};
use immutape::ledger::{Environment, Event, Ledger, Observer, Places, SaveOptions, SaveReceipt, Who};
use immutape::store::embedded::EmbeddedEngine;
use immutape::store::files::RealFiles;
use immutape::time::SystemClock;

/// An environment on the real disk.
pub fn real() -> Environment {
    let files = Arc::new(RealFiles);
    Environment::new(
        Arc::new(EmbeddedEngine::new(files.clone())),
        files,
        Arc::new(SystemClock::new([7; 16])),
        Arc::new(OsRandom),
    )
    .build(Digest::from_bytes([3; 32]))
}

/// As [`real`], with keys and ids from a seed.
pub fn seeded(seed: u64) -> Environment {
    real().random(Arc::new(SeededRandom::new(seed)))
}

/// Somebody.
pub fn ann() -> Who {
    Who::os_user("ann")
}

/// A new ledger beneath `folder`.
pub async fn create(folder: &Path) -> Ledger {
    Ledger::create(Places::beneath(folder), real(), "test", false).await.unwrap()
}

/// Opens it again.
pub async fn open(folder: &Path) -> immutape::Result<Ledger> {
    Ledger::open(Places::beneath(folder), real()).await
}

/// Path of a captured tape.
pub fn tape_path(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tapes").join(format!("{name}.jsonl"))
}

/// The six captured sessions.
pub const TAPES: [&str; 6] =
    ["everything-stdio", "everything-http", "filesystem-payments", "sqlite-claims", "sqlite-crash", "git-policies"];

/// Imports and saves one captured session with its companion file.
pub async fn save_tape(ledger: &Ledger, name: &str) -> immutape::Result<SaveReceipt> {
    let path = tape_path(name);
    let options = ImportOptions::default()
        .companion(std::fs::read(path.with_extension("meta.json")).ok())
        .source_name(Some(name.as_bytes().to_vec()));
    save_bytes(ledger, &std::fs::read(path).unwrap(), options, SaveOptions::default()).await
}

/// Imports and saves bytes.
pub async fn save_bytes(
    ledger: &Ledger,
    bytes: &[u8],
    options: ImportOptions,
    save: SaveOptions,
) -> immutape::Result<SaveReceipt> {
    let mut importer = Importer::open(bytes, options)?;
    let mut saver = ledger.begin_save(&ann(), save).await?;
    while let Some(frame) = importer.next_frame()? {
        saver.frame(&frame)?;
    }
    saver.finish(importer.finish()?).await
}

/// An observer that remembers.
#[derive(Default)]
pub struct Heard(pub Mutex<Vec<Event>>);

impl Observer for Heard {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}
