//! Evidence bundles: what is asked, which tapes that is, their entries and proofs, and the record of it
//! (`docs/format/6-evidence.md`).
//!
//! The entry `evidence.made` of every tape is durable before a byte of any of them can be read here, and is the last link
//! of the tape in its bundle: nothing that happened to it before is left out.

mod begin;
mod collect;
mod contents;
mod links;
mod register;
mod scope;

pub use begin::{EvidenceDraft, EvidenceOrder, Wanted};
pub use contents::{Evidence, EvidenceFile};
pub use register::{BundleState, RegisteredBundle};

/// Most tapes of one bundle: their entries stand in one group.
pub const BUNDLE_TAPES_MAX: usize = 1_000;
