//! The one integration test binary. `support` holds the faulting file system and builders.

mod journal_real;
mod support;

mod conformance_objects;
mod conformance_spool;
mod packs_damage;
