//! The one integration test binary. `support` holds the faulting file system and builders.

mod journal_real;
mod journal_repair;
mod journal_space;
mod journal_sweep;
mod journal_tear;
mod sim_files_test;
mod support;

mod conformance_objects;
mod conformance_spool;
mod packs_crash;
mod packs_damage;
mod packs_faults;
mod spool_damage;
