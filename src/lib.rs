//! A tamper-evident ledger for recorded sessions.
//!
//! `bytes -> tape -> seal -> commit -> proof -> evidence`: the rooms below stand in this order.

pub mod codec;
pub mod evidence;
pub mod log;
pub mod proof;
pub mod seal;
pub mod tape;

pub mod governance;
pub mod store;

pub mod catalog;
pub mod keyring;
pub mod ledger;

pub mod interchange;

pub mod cli;

pub mod error;
pub mod time;

pub use error::{Code, Error, Kind, Result};
