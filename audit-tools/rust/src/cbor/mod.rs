//! The CBOR profile of 1-bytes, section 1.1: a strict reader and the little writing that hashes need.

mod read;
mod write;

pub use read::{Key, Reader, whole_item};
pub use write::{Labelled, Writer};

/// Most items in an array, or pairs in a map.
pub const MOST_ITEMS: u64 = 1 << 24;
/// Deepest nesting of arrays and maps, the outermost counted.
pub const DEEPEST: u8 = 16;
