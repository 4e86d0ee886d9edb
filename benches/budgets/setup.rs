//! The plan of a run, ledgers to measure, and what the machine says about itself.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use immutape::codec::digest::Digest;
use immutape::keyring::OsRandom;
use immutape::ledger::{Environment, Event, Ledger, Observer, Places, Who};
use immutape::store::embedded::EmbeddedEngine;
use immutape::store::files::RealFiles;
use immutape::store::{Engine, Journal, Objects, Rows, Spool, Stores, Vault};
use immutape::time::SystemClock;

use super::quiet::Quiet;

/// How long and how often to measure.
pub struct Plan {
    pub quick: bool,
    pub rounds: usize,
    pub half_round: Duration,
    pub quiet: Quiet,
    only: Option<Vec<String>>,
}

impl Plan {
    pub fn from_env(quick: bool) -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<f64>().ok());
        let seconds = number("IMMUTAPE_BENCH_SECONDS").unwrap_or(if quick { 0.25 } else { 1.0 });
        let rounds = number("IMMUTAPE_BENCH_ROUNDS").unwrap_or(if quick { 3.0 } else { 7.0 });
        let patience = number("IMMUTAPE_BENCH_PATIENCE").unwrap_or(if quick { 0.0 } else { 120.0 });
        let quiet = Quiet::new(Duration::from_secs_f64(patience));
        let only = std::env::var("IMMUTAPE_BENCH_ONLY").ok();
        let only = only.map(|text| text.split(',').map(|part| part.trim().to_owned()).collect());
        Self { quick, rounds: (rounds as usize).max(1), half_round: Duration::from_secs_f64(seconds), quiet, only }
    }

    pub fn wants(&self, part: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|o| o == part))
    }

    /// One of two sizes.
    pub fn size<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rounds, {:.2} s for each half of one{}",
            self.rounds,
            self.half_round.as_secs_f64(),
            if self.quick { ", quick: sizes are smaller, figures are rough" } else { "" }
        )
    }
}

/// A folder on the disk that holds the build; a temporary folder may lie in memory.
pub fn folder() -> tempfile::TempDir {
    let base = std::env::var_os("IMMUTAPE_BENCH_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    std::fs::create_dir_all(&base).unwrap();
    tempfile::tempdir_in(base).unwrap()
}

/// Two workers, as the design counts them.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Counts what the writer makes durable.
#[derive(Default)]
pub struct Counter {
    groups: AtomicU64,
    entries: AtomicU64,
    bytes: AtomicU64,
    stored: AtomicU64,
}

/// Counts at one moment.
#[derive(Clone, Copy)]
pub struct Counted {
    pub groups: u64,
    pub entries: u64,
    pub bytes: u64,
    pub stored: u64,
}

impl Counter {
    pub fn now(&self) -> Counted {
        let load = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let (groups, entries, bytes, stored) = (&self.groups, &self.entries, &self.bytes, &self.stored);
        Counted { groups: load(groups), entries: load(entries), bytes: load(bytes), stored: load(stored) }
    }
}

impl Counted {
    pub fn since(self, before: Self) -> Self {
        Self {
            groups: self.groups - before.groups,
            entries: self.entries - before.entries,
            bytes: self.bytes - before.bytes,
            stored: self.stored - before.stored,
        }
    }

    pub fn entries_a_group(self) -> f64 {
        self.entries as f64 / self.groups.max(1) as f64
    }

    pub fn bytes_a_group(self) -> f64 {
        self.bytes as f64 / self.groups.max(1) as f64
    }
}

impl Observer for Counter {
    fn event(&self, event: Event) {
        match event {
            Event::Committed { entries, bytes } => {
                self.groups.fetch_add(1, Ordering::Relaxed);
                self.entries.fetch_add(entries, Ordering::Relaxed);
                self.bytes.fetch_add(bytes, Ordering::Relaxed);
            }
            Event::Saved { stored_bytes } => drop(self.stored.fetch_add(stored_bytes, Ordering::Relaxed)),
            _ => {}
        }
    }
}

/// The embedded engine, which knows the stores it opened last as long as somebody else holds them.
pub struct Watched {
    engine: EmbeddedEngine,
    last: Mutex<Option<Held>>,
}

struct Held {
    journal: Weak<dyn Journal>,
    objects: Weak<dyn Objects>,
    vault: Weak<dyn Vault>,
    rows: Weak<dyn Rows>,
    spool: Weak<dyn Spool>,
}

impl Watched {
    pub fn stores(&self) -> Stores {
        let last = self.last.lock().unwrap();
        let held = last.as_ref().unwrap();
        Stores {
            journal: held.journal.upgrade().unwrap(),
            objects: held.objects.upgrade().unwrap(),
            vault: held.vault.upgrade().unwrap(),
            rows: held.rows.upgrade().unwrap(),
            spool: held.spool.upgrade().unwrap(),
        }
    }
}

impl Engine for Watched {
    fn name(&self) -> &'static str {
        self.engine.name()
    }

    fn first_group(&self, ledger: &Path) -> immutape::Result<Option<Vec<u8>>> {
        self.engine.first_group(ledger)
    }

    fn open(&self, ledger: &Path, state: &Path, origin: Digest) -> immutape::Result<Stores> {
        let stores = self.engine.open(ledger, state, origin)?;
        *self.last.lock().unwrap() = Some(Held {
            journal: Arc::downgrade(&stores.journal),
            objects: Arc::downgrade(&stores.objects),
            vault: Arc::downgrade(&stores.vault),
            rows: Arc::downgrade(&stores.rows),
            spool: Arc::downgrade(&stores.spool),
        });
        Ok(stores)
    }
}

/// What a ledger under measurement is opened with.
pub struct World {
    pub env: Environment,
    pub counter: Arc<Counter>,
    pub engine: Arc<Watched>,
}

impl World {
    pub fn new() -> Self {
        Self::with(None)
    }

    /// With rows elsewhere than in sled.
    pub fn with(rows: Option<Arc<dyn Rows>>) -> Self {
        let files = Arc::new(RealFiles);
        let engine = EmbeddedEngine::new(files.clone());
        let engine = match rows {
            Some(rows) => engine.with_rows(rows),
            None => engine,
        };
        let engine = Arc::new(Watched { engine, last: Mutex::new(None) });
        let counter = Arc::new(Counter::default());
        let env = Environment::new(engine.clone(), files, Arc::new(SystemClock::new([7; 16])), Arc::new(OsRandom))
            .observer(counter.clone())
            .build(Digest::from_bytes([3; 32]));
        Self { env, counter, engine }
    }

    pub async fn create(&self, folder: &Path) -> Ledger {
        Ledger::create(Places::beneath(folder), self.env.clone(), "bench", false).await.unwrap()
    }

    pub async fn open(&self, folder: &Path) -> Ledger {
        Ledger::open(Places::beneath(folder), self.env.clone()).await.unwrap()
    }
}

/// Somebody on a machine with a purpose: what a real entry carries.
pub fn somebody() -> Who {
    Who::os_user("ann")
        .host(b"host".to_vec())
        .pid(4242)
        .purpose(Some(b"quarterly review".to_vec()))
        .tool(Some(b"immutape 0.1.0".to_vec()))
}

/// One durable entry.
pub async fn append(ledger: &Ledger, who: &Who) {
    assert!(ledger.note_log_read(who).await.unwrap() > 0);
}

/// Runs `callers` tasks that each call `job` again and again for `length`; how many calls came back.
pub async fn callers<F, Fut>(callers: usize, length: Duration, job: F) -> u64
where
    F: Fn(usize) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send,
{
    let until = Instant::now() + length;
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let job = job.clone();
            tokio::spawn(async move {
                let mut calls = 0u64;
                while Instant::now() < until {
                    job(caller).await;
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    let mut calls = 0;
    for task in tasks {
        calls += task.await.unwrap();
    }
    calls
}

/// Processor time of this process and of children that ended. Linux counts it in hundredths of a second for user space.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    (11..15).map(ticks).sum::<f64>() / 100.0
}

/// Load averages: figures taken on a busy machine are rough.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// Cores and processor; no names or paths.
pub fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|l| l.strip_prefix("model name")).unwrap_or("").trim_matches([':', '\t', ' ']);
    format!("{cores} cores, {model}; load at the start {}", load())
}
