//! The same ledgers on the real disk, with the real sled.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use immutape::codec::digest::Digest;
use immutape::keyring::SeededRandom;
use immutape::ledger::{Environment, Places};
use immutape::store::embedded::EmbeddedEngine;
use immutape::store::embedded::rows::SledRows;
use immutape::store::files::{Files, RealFiles};
use immutape::store::{Batch, Rows};

use super::world::{HandClock, Machine, folders_in};

/// A folder that goes away again, in memory where the system offers that: these tests ask what is written, not
/// how fast.
pub fn some_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir()
        && let Ok(folder) = tempfile::tempdir_in(memory)
    {
        return folder;
    }
    tempfile::tempdir().unwrap()
}

/// A machine beneath a folder of this one.
pub struct Disk {
    pub base: PathBuf,
    pub rows_are_damaged: bool,
    clock: Arc<HandClock>,
    random: Arc<SeededRandom>,
}

impl Disk {
    pub fn new(base: &Path, seed: u64, now_ms: u64) -> Self {
        let clock = Arc::new(HandClock::at(now_ms));
        Self { base: base.to_owned(), rows_are_damaged: false, clock, random: Arc::new(SeededRandom::new(seed)) }
    }

    /// As one whose rows the test damaged.
    pub fn with_damaged_rows(self) -> Self {
        Self { rows_are_damaged: true, ..self }
    }
}

impl Machine for Disk {
    fn rows_are_damaged(&self) -> bool {
        self.rows_are_damaged
    }

    fn stage(&self, _: &str) {
        self.clock.advance(1_000);
    }

    fn places(&self) -> Places {
        folders_in(&self.base)
    }

    fn env(&self) -> Environment {
        let files = Arc::new(RealFiles);
        Environment::new(Arc::new(EmbeddedEngine::new(files.clone())), files, self.clock.clone(), self.random.clone())
            .build(Digest::from_bytes([3; 32]))
    }
}

/// Writes a simulated disk out beneath `base`; files are for their owner alone, as key files must be.
pub fn put_on_disk(files: &dyn Files, base: &Path) {
    put(files, Path::new("."), Path::new(""), base);
    // The line by which a state folder names its ledger is a path of the machine it is on.
    for state in fs::read_dir(base.join("s")).into_iter().flatten() {
        let line = state.unwrap().path().join("ledger");
        if line.exists() {
            fs::write(line, format!("{}\n", base.join("l").display())).unwrap();
        }
    }
}

fn put(files: &dyn Files, folder: &Path, name: &Path, base: &Path) {
    fs::create_dir_all(base.join(name)).unwrap();
    for entry in files.list(folder).unwrap() {
        let path = name.join(&entry.name);
        if entry.is_dir {
            put(files, &path, &path, base);
        } else {
            let bytes = files.read(&path, 1 << 30).unwrap();
            write(&base.join(&path), &bytes);
        }
    }
}

fn write(path: &Path, bytes: &[u8]) {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap().write_all(bytes).unwrap();
}

/// Makes a sled database of these rows in `index`.
pub fn sled_of(rows: &dyn Rows, index: &Path) {
    let mut batch = Batch::default();
    let mut position = None;
    rows.scan(&[], &[0xff; 64], &mut |key, value| {
        if key == b"p" {
            position = Some(value.to_vec());
        } else {
            batch.puts.push((key.to_vec(), value.to_vec()));
        }
        Ok(true)
    })
    .unwrap();
    let sled = SledRows::open(Arc::new(RealFiles), index.to_owned(), index.with_file_name("quarantine")).unwrap();
    if let Some(position) = position {
        sled.apply(batch, &position).unwrap();
    }
    sled.flush().unwrap();
}

/// Copies a folder whole.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(|e| e.unwrap()) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Every file beneath a folder with its bytes, but for those beneath `except`.
pub fn every_byte(folder: &Path, except: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).into_iter().flatten().map(|e| e.unwrap()) {
        let path = entry.path();
        if entry.file_name() == except {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            found.extend(every_byte(&path, except));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}
