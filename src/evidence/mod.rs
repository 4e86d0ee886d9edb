//! EVIDENCE. What checks find, and what happened to a tape, as plain values. Pure.

pub mod bundle;
mod custody;
mod verdict;

pub use custody::{CustodyEvent, CustodyReport};
pub use verdict::{Check, Finding, Report, Severity, Verdict};
