//! Durable groups on their way to the rows' thread, which sleeps while they gather: a wake-up for each group would cost
//! as much as the group.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::catalog::Enrichment;
use crate::codec::digest::{CustodyId, LeafHash};
use crate::codec::extent::GroupHeader;
use crate::store::Position;

/// How long groups gather before they become one batch.
const BATCH_WAIT: Duration = Duration::from_millis(25);
/// A batch is taken at once past this many bytes of groups.
const BATCH_BYTES: u64 = 4 << 20;

/// A durable group on its way into rows.
pub(super) struct GroupForRows {
    pub place: Position,
    pub next: Position,
    pub header: GroupHeader,
    pub extent: Vec<u8>,
    /// Hashes of its entries: whoever builds a group has made them.
    pub leaves: Vec<LeafHash>,
    pub enrichments: Vec<(CustodyId, Enrichment)>,
}

/// The queue. One thread fills it, one takes from it, anybody may hurry that one.
#[derive(Default)]
pub(super) struct RowsQueue {
    waiting: Mutex<Waiting>,
    moved: Condvar,
}

#[derive(Default)]
struct Waiting {
    groups: Vec<GroupForRows>,
    bytes: u64,
    /// Nothing comes any more.
    is_last: bool,
    /// The taker has nothing and must hear of the first group.
    is_idle: bool,
}

/// What was taken.
pub(super) struct Taken {
    pub groups: Vec<GroupForRows>,
    /// Length of their extents.
    pub bytes: u64,
    /// Nothing comes after these.
    pub is_last: bool,
}

impl RowsQueue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a group.
    pub(super) fn push(&self, group: GroupForRows) {
        let mut waiting = self.lock();
        waiting.bytes = waiting.bytes.saturating_add(group.extent.len() as u64);
        waiting.groups.push(group);
        if waiting.is_idle || waiting.bytes >= BATCH_BYTES {
            self.moved.notify_all();
        }
    }

    /// Has the taker look whether somebody waits.
    pub(super) fn hurry(&self) {
        // Under the lock, or the taker could fall asleep between its look and this.
        let _held = self.lock();
        self.moved.notify_all();
    }

    /// Says that nothing comes any more.
    pub(super) fn finish(&self) {
        self.lock().is_last = true;
        self.moved.notify_all();
    }

    /// Waits for a group, and then for more of them as long as nobody is in a hurry.
    pub(super) fn take(&self, is_hurried: impl Fn() -> bool) -> Taken {
        let mut waiting = self.lock();
        waiting.is_idle = true;
        let nothing = |w: &mut Waiting| w.groups.is_empty() && !w.is_last;
        let mut waiting = self.moved.wait_while(waiting, nothing).unwrap_or_else(PoisonError::into_inner);
        waiting.is_idle = false;
        let can_wait = |w: &mut Waiting| !w.is_last && w.bytes < BATCH_BYTES && !is_hurried();
        let waited = self.moved.wait_timeout_while(waiting, BATCH_WAIT, can_wait);
        let (mut waiting, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let is_last = waiting.is_last;
        Taken { groups: std::mem::take(&mut waiting.groups), bytes: std::mem::take(&mut waiting.bytes), is_last }
    }
}
