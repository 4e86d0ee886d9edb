//! Tampering: the ledger it is done to, the map of its bytes, the edits, and the judge.

pub mod after;
pub mod auditor;
pub mod base;
pub mod dice;
pub mod edits;
pub mod expect;
pub mod folders;
pub mod forge;
pub mod judge;
pub mod map;
pub mod shop;
pub mod sled_map;
pub mod sled_rows;
pub mod table;
