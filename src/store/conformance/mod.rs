//! One suite for every engine.

mod clause;
pub mod discard;
pub mod files;
pub mod journal;
pub mod objects;
pub mod rows;
pub mod spool;
pub mod vault;

pub use clause::{Clause, Open, run};

/// A clause of a contract that an engine does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The clause, as the suite names it.
    pub clause: &'static str,
    /// What was seen and what was to be seen.
    pub detail: String,
}
