//! The journal's contract as a suite.

pub mod material;
