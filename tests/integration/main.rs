//! The one integration test binary. `support` holds the faulting file system and builders.

mod support;

mod conformance_rows;
mod conformance_vault;
mod rows_damage;
mod vault_damage;
mod vectors;
