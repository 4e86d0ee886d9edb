//! The law: who may do what, how long a tape must live, and the one value that lets a store discard.
//! Pure: no I/O, no clock of its own.

mod access;
mod clearance;
mod retention;

pub use clearance::DisposalClearance;
pub use retention::{ClassStanding, Schedule};

// For the rooms above and their tests; nobody else has a use for it, so it may change with any version.
#[doc(hidden)]
pub use access::{Action, Decision, Policy, decide};
