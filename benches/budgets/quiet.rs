//! A machine is seldom alone. Rounds wait for a quiet moment and are made again when other processes took
//! much of the cores meanwhile; patience is limited, and what was put up with is printed.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::setup::cpu_seconds;

/// A round counts when others took no more than this part of the cores.
const OTHERS_MAX: f64 = 0.12;
const LOOK: Duration = Duration::from_millis(40);

pub struct Quiet {
    patience: Cell<Duration>,
    worst: Cell<f64>,
    again: Cell<u32>,
}

impl Quiet {
    /// Waits and repeats for `patience` in all.
    pub const fn new(patience: Duration) -> Self {
        Self { patience: Cell::new(patience), worst: Cell::new(0.0), again: Cell::new(0) }
    }

    /// Runs one round, in quiet if that can be had.
    pub fn round<T>(&self, mut run: impl FnMut() -> T) -> T {
        loop {
            self.wait();
            let before = Look::now();
            let result = run();
            let others = before.others_since();
            let took = before.at.elapsed();
            if others <= OTHERS_MAX || self.patience.get().is_zero() {
                self.worst.set(self.worst.get().max(others));
                return result;
            }
            self.again.set(self.again.get() + 1);
            self.patience.set(self.patience.get().saturating_sub(took));
        }
    }

    fn wait(&self) {
        while !self.patience.get().is_zero() {
            let look = Look::now();
            std::thread::sleep(LOOK);
            if look.others_since() <= OTHERS_MAX {
                return;
            }
            self.patience.set(self.patience.get().saturating_sub(LOOK));
        }
    }
}

impl std::fmt::Display for Quiet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (worst, again) = (self.worst.get() * 100.0, self.again.get());
        write!(
            f,
            "other processes took up to {worst:.0} % of the cores in a round that counts; {again} rounds were made again"
        )
    }
}

struct Look {
    at: Instant,
    busy: f64,
    own: f64,
}

impl Look {
    fn now() -> Self {
        Self { at: Instant::now(), busy: busy_seconds(), own: cpu_seconds() }
    }

    /// Part of all cores that other processes took since.
    fn others_since(&self) -> f64 {
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let theirs = (busy_seconds() - self.busy) - (cpu_seconds() - self.own);
        (theirs / (self.at.elapsed().as_secs_f64() * cores)).max(0.0)
    }
}

/// Seconds that all cores together were busy: everything but idle and waiting for a disk.
fn busy_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let fields: Vec<f64> = line.split_whitespace().skip(1).map(|f| f.parse().unwrap_or(0.0)).collect();
    let busy: f64 = fields.iter().enumerate().filter(|(n, _)| ![3, 4, 8, 9].contains(n)).map(|(_, v)| v).sum();
    busy / 100.0
}
