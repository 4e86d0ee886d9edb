//! Sealed objects in append-only pack files (`docs/format/store-embedded.md` section 7).
//!
//! A pack is a header and then records; a record is found by its place (the hint), or by walking the
//! record headers of every pack. Nothing that was synced is ever written again, except the bytes of
//! an object that was discarded.

mod back;
mod engine;
mod folder;
mod index;
mod near;
mod pieces;
pub mod records;
mod room;
mod scan;
mod strays;
mod tail;
mod used;
mod writer;

pub use engine::Packs;
pub(super) use folder::is_name;
