//! The same contracts kept in memory, for tests and short-lived ledgers. Nothing survives the process.

pub mod journal;
pub mod objects;
pub mod rows;
pub mod spool;
pub mod vault;

mod engine;
mod files;

pub use engine::MemoryEngine;
pub use files::MemoryFiles;
