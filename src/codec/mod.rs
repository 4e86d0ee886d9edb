//! BYTES. Strict deterministic CBOR, labelled digests, typed ids, the framing of stored extents,
//! and every limit in one table. Normative text: `docs/format/1-bytes.md`.
//!
//! This room never does I/O, never reads a clock, and knows nothing of tapes.

pub mod cbor;
pub mod digest;
pub mod escape;
pub mod extent;
pub(crate) mod json;
pub mod limits;
pub mod random;

pub use cbor::{CborError, Reader, Writer};
pub use digest::{Digest, IdError};
