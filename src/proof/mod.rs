//! PROOF. What leaves the house, and checking it.
//!
//! Pure. So far: RFC 6962 inclusion and consistency, verified by the algorithms of RFC 9162
//! 2.1.3.2 and 2.1.4.2. Making the paths is the log's business; this room only checks.

mod merkle;

pub use merkle::{verify_consistency, verify_inclusion};
