//! The same contracts kept in memory, for tests and short-lived ledgers. Nothing survives the process.

// One store of the engine each, for tests that look at it alone; they may change with any version.
#[doc(hidden)]
pub mod journal;
#[doc(hidden)]
pub mod objects;
#[doc(hidden)]
pub mod rows;
#[doc(hidden)]
pub mod spool;
#[doc(hidden)]
pub mod vault;

mod engine;
mod files;

pub use engine::MemoryEngine;
pub use files::MemoryFiles;
