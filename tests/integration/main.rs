//! The one integration test binary. `support` holds the faulting file system and builders.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod support;

mod cddl;
mod docs_examples;
mod error_variants;
mod golden;
mod golden_make;
mod golden_stranger;
mod properties;
mod reader_gaps;
mod vectors_log;
mod vectors_oracles;
