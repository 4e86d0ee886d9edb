//! The program around the core: files, command line, batch.

pub mod batch;
pub mod command;
mod folder;
mod judge;
mod ledger;
mod output;
mod pinned;
mod tar;
mod tree;
