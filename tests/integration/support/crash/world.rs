//! A machine with one ledger on it: simulated files, rows in memory, a clock set by hand, a seeded generator.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use immutape::codec::digest::{Digest, Hasher};
use immutape::keyring::SeededRandom;
use immutape::ledger::{Environment, Places};
use immutape::store::embedded::EmbeddedEngine;
use immutape::store::files::Files;
use immutape::store::memory::rows::MemoryRows;
use immutape::store::{Batch, Rows};
use immutape::time::{Clock, Reading, Timestamp};

use crate::support::sim_files::SimFiles;

/// Where the clock stands when a story begins: far from the end of a month.
pub const NOW_MS: u64 = 1_794_000_000_000;
const FILE_BYTES_MAX: u64 = 1 << 30;

/// A clock that moves when told to.
pub struct HandClock(AtomicU64);

impl HandClock {
    pub fn at(ms: u64) -> Self {
        Self(AtomicU64::new(ms))
    }

    pub fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for HandClock {
    fn read(&self) -> Reading {
        let ms = self.0.load(Ordering::Relaxed);
        Reading { wall: Timestamp::from_ms(ms), monotonic_ns: ms * 1_000_000 }
    }

    fn boot_id(&self) -> [u8; 16] {
        [9; 16]
    }
}

/// A machine with a place for one ledger.
pub trait Machine {
    /// Names what is being done, where operations are logged; a second passes.
    fn stage(&self, stage: &str);
    fn places(&self) -> Places;
    /// As a new process would have it.
    fn env(&self) -> Environment;
    /// Did the test damage the rows?
    fn rows_are_damaged(&self) -> bool {
        false
    }
}

/// The three folders beneath `base`, those of state and config named after the ledger's id.
pub fn folders_in(base: &Path) -> Places {
    Places::new(base.join("l")).state_base(Some(base.join("s"))).config_base(Some(base.join("c")))
}

impl Machine for World {
    fn stage(&self, stage: &str) {
        self.sim.set_stage(stage);
        self.clock.advance(1_000);
    }

    fn places(&self) -> Places {
        Self::folders()
    }

    fn env(&self) -> Environment {
        self.env_with(self.sim.shared())
    }
}

/// A simulated machine.
pub struct World {
    pub sim: SimFiles,
    pub rows: Arc<MemoryRows>,
    pub clock: Arc<HandClock>,
    random: Arc<SeededRandom>,
}

impl World {
    /// A new machine.
    pub fn new(seed: u64) -> Self {
        Self::on(SimFiles::new(), Arc::new(MemoryRows::new()), seed, NOW_MS)
    }

    /// The machine after a restart: its disk, the rows that are left, a generator that repeats nothing.
    pub fn on(sim: SimFiles, rows: Arc<MemoryRows>, seed: u64, now_ms: u64) -> Self {
        let clock = Arc::new(HandClock::at(now_ms));
        // Lives of one machine begin at different times: equal seeds must not give a second tape the id of the first.
        let random = Arc::new(SeededRandom::new(seed ^ now_ms.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        Self { sim, rows, clock, random }
    }

    /// Folders named after the ledger's id, as a person without flags has them.
    pub fn folders() -> Places {
        folders_in(Path::new(""))
    }

    /// The environment over other files than the simulated ones themselves, with the same rows.
    pub fn env_with(&self, files: Arc<dyn Files>) -> Environment {
        Environment::new(
            Arc::new(EmbeddedEngine::new(files.clone()).with_rows(self.rows.clone())),
            files,
            self.clock.clone(),
            self.random.clone(),
        )
        .build(Digest::from_bytes([3; 32]))
    }

    /// Path of a file of the state folder, once there is a ledger.
    pub fn state_path(&self, name: &str) -> Option<std::path::PathBuf> {
        let folders = Files::list(&self.sim, "s".as_ref()).ok()?;
        folders
            .iter()
            .map(|folder| Path::new("s").join(&folder.name).join(name))
            .find(|path| Files::exists(&self.sim, path).is_ok_and(|is_there| is_there))
    }
}

/// All rows as they are now.
pub fn copy_rows(rows: &dyn Rows) -> Arc<MemoryRows> {
    let copy = MemoryRows::new();
    let mut batch = Batch::default();
    rows.scan(&[], &[0xff; 64], &mut |key, value| {
        batch.puts.push((key.to_vec(), value.to_vec()));
        Ok(true)
    })
    .unwrap();
    let position = batch.puts.iter().position(|(key, _)| key == b"p");
    if let Some(position) = position {
        let (_, position) = batch.puts.swap_remove(position);
        copy.apply(batch, &position).unwrap();
    }
    Arc::new(copy)
}

/// A digest of every name and byte of a disk.
pub fn fingerprint(files: &dyn Files) -> [u8; 32] {
    let mut hasher = Hasher::new();
    take_in(files, Path::new("."), Path::new(""), &mut hasher);
    hasher.finish()
}

fn take_in(files: &dyn Files, folder: &Path, name: &Path, hasher: &mut Hasher) {
    for entry in files.list(folder).unwrap() {
        let path = name.join(&entry.name);
        hasher.update(path.as_os_str().as_encoded_bytes());
        if entry.is_dir {
            hasher.update(b"/");
            take_in(files, &path, &path, hasher);
        } else {
            hasher.update(&entry.bytes.to_be_bytes());
            hasher.update(&files.read(&path, FILE_BYTES_MAX).unwrap());
        }
    }
}

/// Runs a ledger's future on this thread.
pub fn in_runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// Runs `job` for every number below `count`, on two threads.
pub fn in_parallel(count: usize, job: impl Fn(usize) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(n) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < count) {
                    job(n);
                }
            });
        }
    });
}
