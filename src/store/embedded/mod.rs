//! The default engine: plain files, and sled for the rows. Layout: `docs/format/store-embedded.md`.

pub mod journal;
pub mod packs;
pub mod rows;
pub mod spool;
pub mod vault;

mod engine;
#[cfg(test)]
pub(crate) mod faulty;
mod strays;

pub use engine::EmbeddedEngine;
