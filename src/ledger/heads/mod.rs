//! Heads that leave the house, and those of others: signing, paths under them, what was anchored, and what to do when
//! somebody holds more than we do.

mod anchors;
mod clock;
mod confirm;
mod prove;
mod publish;
mod release;

pub use anchors::{Anchor, WITNESS_POLICY_FILE};
pub(super) use anchors::{Anchors, compare_root, compare_size, kept_heads, read_policy};
pub use clock::{KeptTime, TIME_AUTHORITY_FILE, TIME_ROOTS_FILE, TimeAuthority, TimeChallenge};
pub(super) use clock::{asks_for_time, time_roots};
pub use confirm::Confirmed;
pub use prove::{ProofForm, Proven};
pub use release::ReleasedHead;
