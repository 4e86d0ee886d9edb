//! Recordings while they happen: opened by an entry, kept encrypted in the spool, marked in the log as they grow, and at
//! the end sealed into a tape of the same custody id.
//!
//! A recording does not need the ledger open between these moments: [`LiveTape`] appends to the spool alone.

mod abandoned;
mod follow;
mod list;
mod open;
mod seal;
mod tape;

pub use abandoned::Abandoned;
pub use follow::LiveFollower;
pub use list::{LiveCounts, LiveListing};
pub use open::LiveOptions;
pub use seal::LiveSealer;
pub(super) use seal::Pieces;
pub use tape::{LiveMark, LiveTape};
