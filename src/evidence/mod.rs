//! EVIDENCE. What checks find, and what happened to a tape, as plain values. Pure.

pub mod bundle;
mod custody;
mod page;
mod verdict;

pub use custody::{CustodyEvent, CustodyReport};
pub use page::{BundlePage, PageEntry, PageTape, custody_html, custody_json, verify_text};
pub(crate) use verdict::part_of_ledger;
pub use verdict::{Check, Finding, Report, Severity, Verdict};
