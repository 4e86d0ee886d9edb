//! The one integration test binary. `support` holds the faulting file system and builders.

mod journal_real;
mod support;
