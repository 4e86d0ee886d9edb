//! The query rows in sled, and every precaution that sled needs. Layout: `docs/format/store-embedded.md` section 8.
//!
//! Nothing outside this folder names sled. What was measured and why each rule is here: `docs/decisions`.

mod aside;
mod engine;
mod guard;
mod opening;

#[cfg(test)]
mod tests;

pub use engine::SledRows;
