//! PROOF. What leaves the house, and checking it. Normative text: `docs/format/5-proof.md`.
//!
//! Pure. Paths in the tree (RFC 6962, verified by the algorithms of RFC 9162 2.1.3.2 and 2.1.4.2), proofs in files, receipts,
//! cosignatures, and the policy that says whose count.

mod cosignature;
mod error;
mod fork;
mod merkle;
mod policy;
mod receipt;
mod timestamp;
mod tlog_proof;
mod witness_request;

pub use cosignature::CosignerKey;
pub use error::ProofError;
pub use fork::{ForkProof, ProvenFork};
pub use merkle::{verify_consistency, verify_inclusion};
pub use policy::{CosignedHead, Policy, Trusted};
pub use receipt::Receipt;
pub use timestamp::{
    CheckedToken, TimeAnchors, TimestampError, TimestampRequest, check_response, check_token, read_token,
};
pub use tlog_proof::{ProvenEntry, TlogProof};
pub use witness_request::{WitnessRequest, read_cosignatures, read_size};
