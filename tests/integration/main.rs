//! The one integration test binary. `support` holds the faulting file system and builders.

mod conformance_journal;
mod journal_real;
mod journal_repair;
mod journal_space;
mod journal_sweep;
mod journal_tear;
mod sim_files_test;
mod support;
