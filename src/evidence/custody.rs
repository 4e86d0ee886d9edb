//! The custody view of one tape: its entries in order, and the ledger's own entries that touched it.

use crate::codec::digest::{CustodyId, TapeId};
use crate::log::{Body, EntryKind, PrivateHalf};
use crate::time::Timestamp;

/// One link of the chain of custody.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CustodyEvent {
    /// Index in the log.
    pub index: u64,
    /// When, by the log.
    pub time: Timestamp,
    /// What.
    pub kind: EntryKind,
    /// Position in the subject's own chain.
    pub subject_seq: u64,
    /// The public facts.
    pub body: Body,
    /// Who, how, how much; `None` when the custody key is gone or missing.
    pub private: Option<PrivateHalf>,
    /// About the whole ledger (a list), not this tape alone.
    pub about_ledger: bool,
}

/// What happened to a tape.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CustodyReport {
    /// The tape.
    pub tape: TapeId,
    /// Its custody id.
    pub custody: CustodyId,
    /// Size of the log it was made at.
    pub size: u64,
    /// Links in order of the log.
    pub events: Vec<CustodyEvent>,
}

impl CustodyReport {
    /// Are the tape's own links 0, 1, 2, .. without one missing?
    #[must_use]
    pub fn is_unbroken(&self) -> bool {
        let own = self.events.iter().filter(|e| !e.about_ledger).map(|e| e.subject_seq);
        own.eq(0..self.events.iter().filter(|e| !e.about_ledger).count() as u64)
    }

    /// Bytes given out by a grant: known when a completion names it, else unknown, up to the range.
    #[must_use]
    pub fn given(&self, grant: u64) -> Option<u64> {
        let completion = |e: &&CustodyEvent| matches!(e.body, Body::AccessCompleted { grant: g } if g == grant);
        self.events.iter().find(completion).and_then(|e| e.private.as_ref()).and_then(|p| p.bytes)
    }
}
