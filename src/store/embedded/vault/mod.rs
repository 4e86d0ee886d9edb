//! Wrapped keys by epoch, in plain files outside the ledger folder. Layout: `docs/format/store-embedded.md` section 6.
//!
//! Beside the files named there, a generation that was rotated away leaves `generation.<n>` (its file, byte for byte)
//! and `generation.<n>.epochs` (the epochs that end with it) until it is destroyed.

mod engine;
mod fault;
mod files;
mod generation;
mod rotation;
mod slot;

#[cfg(test)]
mod tests;

pub use engine::EmbeddedVault;
pub(super) use files::{epoch_of, is_kept, is_name};
pub use generation::generation_file;
