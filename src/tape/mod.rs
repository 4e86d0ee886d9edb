//! TAPE. A recorded session as data: frames in order, a header, and the commitments that name it.
//! Normative text: `docs/format/2-tape.md`.
//!
//! Pure: bytes and salts come in as arguments, nothing is encrypted, stored or timed here.

mod content;
mod error;
mod fields;
mod frame;
mod header;
mod header_parts;
mod kinds;
mod lists;
mod live;
mod named;
mod root;
mod stats;
mod tree;

pub use error::TapeError;
pub use fields::{FieldCommitment, Salts, commit, commitment_of, field_digest};
pub use frame::Frame;
pub use header::{Gap, Header, LEDGER_CLASS};
pub use header_parts::{EndState, Labels, Provenance, RecorderInfo};
pub use kinds::{Delimiter, Direction, FLAGS, FrameKind, GapReason, TapeKind, flags};
pub use live::{LiveRecord, live_piece, read_live_piece};
pub use named::Named;
pub use root::TapeRoot;
pub use stats::Stats;
pub use tree::{FrameSalt, frame_leaf, leaf_of_digests, salted_envelope, salted_payload};

// For the rooms above and their tests; nobody else has a use for it, so it may change with any version.
#[doc(hidden)]
pub use content::ContentDigest;
#[doc(hidden)]
pub use frame::FrameParts;
#[doc(hidden)]
pub use tree::write_frame_leaf;
