//! The one integration test binary. `support` holds the faulting file system and builders.

mod support;
