//! Live numbers of one recording.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that any thread may read.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub frames: AtomicU64,
    pub durable_frames: AtomicU64,
    pub syncs: AtomicU64,
    pub marks: AtomicU64,
    pub parts: AtomicU64,
}

impl Counters {
    pub fn get(of: &AtomicU64) -> u64 {
        of.load(Ordering::Relaxed)
    }

    pub fn add(of: &AtomicU64, n: u64) {
        of.fetch_add(n, Ordering::Relaxed);
    }
}
