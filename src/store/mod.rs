//! The shelf: contracts of the stores and the engines that keep them.
//!
//! A store gets ready bytes and digests. It knows nothing of tapes, entries or keys, makes no
//! signature and no code, and changes nothing it was given. Of the pure rooms it uses codec, time,
//! error and one name: [`DisposalClearance`](crate::governance::DisposalClearance).

pub mod contracts;
pub mod embedded;
pub mod files;
pub mod memory;
mod objects;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;

pub use contracts::{
    Batch, Engine, Hint, Journal, NewObject, ObjectRef, Objects, Place, Position, Protection, ProtectionMode, Rows,
    Spool, SpoolReader, Stores, Stray, Tail, Tear, Vault, VaultRecord,
};
