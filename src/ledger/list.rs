//! One line of a listing.

use crate::catalog::{CatalogRow, Summary};
use crate::codec::digest::CustodyId;

/// One tape of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// Index of the entry that saved it.
    pub entry: u64,
    /// Its custody id.
    pub custody: CustodyId,
    /// What the header says, with the labels that it has now; `None` when its key or row is gone or damaged.
    pub summary: Option<Summary>,
    /// The class as listings show it.
    pub class_shown: String,
    /// Index of the entry that gave it the labels it has now; `None` when they are those of its header.
    pub labelled: Option<u64>,
}

impl Listing {
    pub(super) fn unreadable(row: &CatalogRow) -> Self {
        let class_shown = "unreadable".into();
        Self { entry: row.index, custody: row.custody, summary: None, class_shown, labelled: None }
    }
}
