//! Framing of what the journal stores: segment headers and group extents, byte for byte
//! (`docs/format/store-embedded.md` sections 2 and 3). Integers are big-endian.
//!
//! The framing lies on the lowest floor because two rooms need it: `log` fills it with entries,
//! `store` recognises whole, torn and damaged extents without knowing what an entry is.

mod error;
mod fields;
mod group;
mod records;
mod segment;

pub use error::ExtentError;
pub use group::{FLAG_CLEAN_CLOSE, GROUP_HEADER_BYTES, GROUP_MAGIC, Group, GroupHeader, extent_bytes};
pub use records::{Records, push_record, record_head, split_record};
pub use segment::{SEGMENT_HEADER_BYTES, SEGMENT_MAGIC, SegmentHeader};
