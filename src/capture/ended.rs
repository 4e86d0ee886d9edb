//! What is left of a recording, or of a part of it, when it ended.

use crate::codec::digest::CustodyId;
use crate::ledger::{LiveTape, SaveReceipt};
use crate::tape::LiveRecord;

/// Earlier parts of the session.
#[derive(Default)]
pub(super) struct Parts {
    pub sealed: Vec<SaveReceipt>,
    /// Those that could not be sealed when they ended.
    pub left: Vec<CustodyId>,
}

/// What is left of a recording that ended, or of a part.
pub(super) struct Ended {
    pub live: LiveTape,
    /// What found no place in its spool, in order.
    pub left_out: LeftOut,
}

/// What a recorder had taken and could not append.
#[derive(Default)]
pub(super) struct LeftOut {
    /// In order.
    pub records: Vec<LiveRecord>,
    /// So many records were appended before them. A spool that holds more has the first of these too: that append failed when it
    /// had done its work.
    pub behind: u64,
}

impl Ended {
    pub(super) fn of(live: LiveTape, records: Vec<LiveRecord>) -> Self {
        let behind = live.records();
        Self { live, left_out: LeftOut { records, behind } }
    }
}
