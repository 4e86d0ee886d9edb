//! Independent auditor of Immutape, the core: reads and checks bytes, without files, clock or network.
//!
//! Written from `docs/format` alone. Everything that reads takes hostile bytes and answers with a [`Refused`].
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod anchors;
pub mod bundle;
pub mod cbor;
pub mod cose;
pub mod digest;
pub mod entry;
mod error;
pub mod fork;
pub mod journal;
pub mod keys;
pub mod log;
pub mod note;
pub mod opened;
pub mod private;
pub mod proof;
pub mod receipt;
pub mod report;
pub mod sign;
pub mod statement;
pub mod succession;
pub mod tape;
pub mod text;
pub mod token;
pub mod tree;
pub mod trust;
pub mod vault;

pub use error::{CUT, Refused, Result, ensure, refuse};
