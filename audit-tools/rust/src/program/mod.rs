//! The program around the core: files, command line, batch.

pub mod batch;
