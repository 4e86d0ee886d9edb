//! What the page is made of.

use crate::codec::digest::CustodyId;
use crate::evidence::bundle::{Completeness, Given};
use crate::log::{Body, Checkpoint, EntryKind, PrivateHalf};
use crate::tape::Header;
use crate::time::Timestamp;

/// One entry on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct PageEntry {
    pub index: u64,
    pub time: Timestamp,
    pub kind: EntryKind,
    pub subject: CustodyId,
    /// Tapes that were in the set of a list or search.
    pub members: Vec<CustodyId>,
    pub body: Body,
    pub private: Option<PrivateHalf>,
}

/// One tape on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct PageTape {
    pub given: Given,
    pub header: Header,
    /// Index of its `evidence.made`.
    pub made: u64,
}

/// Everything that the page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct BundlePage {
    pub completeness: Completeness,
    pub head: Checkpoint,
    pub note: String,
    pub tapes: Vec<PageTape>,
    /// Ascending by index.
    pub entries: Vec<PageEntry>,
}
