//! Tapes (2-tape) and their manifests (3-seal, section 3.2).

mod frame;
mod header;
mod manifest;
mod root;

pub use frame::{MOST_ENVELOPE, MOST_PAYLOAD, envelope, frame};
pub use header::{STARRED, header, header_field, labels};
pub use manifest::Manifest;
pub use root::{Root, envelope_digest, frame_leaf, payload_digest};
