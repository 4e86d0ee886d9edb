//! Mending one copy of the log from the other. Nothing is taken on trust: what is brought back must
//! chain, carry the ledger's own codes, and reach the signed head. Nothing is deleted: what is
//! replaced goes to `quarantine/`, and an entry says so.

mod copies;
mod head;
mod journal;
mod which;

pub(super) use journal::from_rows;
pub(super) use which::{Mended, repair};
pub use which::{Repair, RepairDone};
