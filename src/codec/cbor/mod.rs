//! Deterministic CBOR (RFC 8949 section 4.2.1) and nothing else.
//!
//! The reader makes one pass and refuses every encoding but the one the writer makes: heads not in
//! shortest form, indefinite lengths, floats, undefined, duplicate or unsorted map keys, tags the
//! schema does not name, and bytes left over. ciborium is its differential oracle in the tests.

mod error;
mod reader;
mod writer;

pub use error::CborError;
pub use reader::{Key, Reader, check, value};
pub use writer::{Writer, encode};
