//! A hook for metrics. Observers hear counts and durations, never names or content.

/// Something worth counting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A group became durable.
    Committed {
        /// Entries in it.
        entries: u64,
        /// Bytes of its extent.
        bytes: u64,
    },
    /// A tape was kept.
    Saved {
        /// Bytes of its objects and manifest.
        stored_bytes: u64,
    },
    /// A recording was opened.
    Opened,
    /// A content was already kept.
    SavedAgain,
    /// An access was granted and its entry is durable.
    Granted,
    /// An access was refused.
    Refused,
    /// Rows caught up with the journal.
    RowsApplied {
        /// Entries applied in this batch.
        entries: u64,
    },
    /// Rows failed; queries answer from nothing until they are rebuilt.
    RowsFailed,
    /// A durable write failed; the handle is dead.
    Broken,
    /// A check has come so far with one of its parts. Heard from several threads at once, and not for each step.
    Checking {
        /// Name of the part.
        part: &'static str,
        /// How much of it is done.
        done: u64,
        /// How much there is of it; 0 where that is not known.
        total: u64,
        /// Both are bytes.
        is_bytes: bool,
    },
}

/// Hears events on the thread that caused them; must return quickly.
pub trait Observer: Send + Sync {
    /// Called once an event has happened.
    fn event(&self, event: Event);
}

/// Hears nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn event(&self, _: Event) {}
}
