//! The default engine: plain files, and sled for the rows. Layout: `docs/format/store-embedded.md`.

// One store of the engine each, for tests that look at it alone; they may change with any version.
#[doc(hidden)]
pub mod journal;
#[doc(hidden)]
pub mod packs;
#[doc(hidden)]
pub mod rows;
#[doc(hidden)]
pub mod spool;
#[doc(hidden)]
pub mod vault;

mod engine;
#[cfg(test)]
pub(crate) mod faulty;
mod strays;

pub use engine::EmbeddedEngine;
