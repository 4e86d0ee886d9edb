//! Mending one copy of the log from the other. Nothing is taken on trust: what is brought back must
//! chain, carry the ledger's own codes, and reach the signed head. Nothing is deleted: what is
//! replaced goes to `quarantine/`, and an entry says so. What nothing can bring back (a head, keys of the newest tapes) is
//! done without only when a person asks for it by name.

mod begin;
mod copies;
mod from_copy;
mod head;
mod journal;
mod vault;
mod which;

pub(super) use from_copy::from_copy;
pub(super) use journal::from_rows;
pub(super) use which::{Mended, repair};
pub use which::{Repair, RepairDone};
