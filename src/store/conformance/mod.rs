//! One suite for every engine.

pub mod journal;
pub mod objects;
pub mod rows;
pub mod spool;
pub mod vault;
