//! Counts over a whole backend.

use std::collections::BTreeMap;

use super::entry::TapeIndexEntry;
use crate::time::Timestamp;

/// Counts over everything that a backend keeps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct StorageStats {
    /// Tapes.
    pub tape_count: u64,
    /// Frames of all tapes.
    pub total_frames: u64,
    /// Bytes of all payloads.
    pub total_bytes: u64,
    /// Bytes that are stored for them.
    pub stored_bytes: u64,
    /// When the first tape was kept.
    pub earliest: Option<Timestamp>,
    /// When the last one was.
    pub latest: Option<Timestamp>,
    /// Tapes in each namespace.
    pub by_namespace: BTreeMap<String, u64>,
    /// Tapes kept in each month, `2026-11`.
    pub by_month: BTreeMap<String, u64>,
    /// Entries of the log, where access is recorded.
    pub entries: Option<u64>,
    /// Tapes that could not be counted, because something of them is lost or damaged.
    pub undecided: u64,
}

impl StorageStats {
    /// Counts one tape.
    ///
    /// ```
    /// use immutape::provider::{StorageStats, TapeIndexEntry};
    /// # use immutape::{codec::digest::TapeId, tape::{Header, TapeKind}, time::Timestamp};
    /// let header = Header::new(TapeKind::Mcp);
    /// let saved = Timestamp::from_ms(1_795_169_821_416);
    /// let mut stats = StorageStats::default();
    /// stats.count(&TapeIndexEntry::of(TapeId::from_bytes([1; 32]), &header, saved, 700));
    /// assert_eq!((stats.tape_count, stats.stored_bytes, stats.by_month["2026-11"]), (1, 700, 1));
    /// ```
    pub fn count(&mut self, tape: &TapeIndexEntry) {
        let add = |sum: &mut u64, n: u64| *sum = sum.saturating_add(n);
        add(&mut self.tape_count, 1);
        add(&mut self.total_frames, tape.frame_count);
        add(&mut self.total_bytes, tape.size_bytes);
        add(&mut self.stored_bytes, tape.stored_bytes);
        self.earliest = Some(self.earliest.map_or(tape.saved, |t| t.min(tape.saved)));
        self.latest = self.latest.max(Some(tape.saved));
        add(self.by_namespace.entry(tape.namespace.clone()).or_default(), 1);
        let month = tape.saved.to_text().chars().take(7).collect::<String>();
        add(self.by_month.entry(month).or_default(), 1);
    }
}
