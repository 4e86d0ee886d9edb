#![allow(dead_code)]
//! Tampering: the ledger it is done to, the map of its bytes, the edits, and the judge.

pub mod base;
pub mod folders;
pub mod map;
