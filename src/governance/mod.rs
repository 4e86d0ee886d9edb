//! The law: who may do what, how long a tape must live, and the one value that lets a store discard.
//! Pure: no I/O, no clock of its own.

mod access;
mod clearance;
mod retention;

pub use access::{Action, Decision, Policy, decide};
pub use clearance::DisposalClearance;
pub use retention::{ClassStanding, Schedule};
