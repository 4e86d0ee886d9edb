//! The one integration test binary. `support` holds the faulting file system and builders.

mod support;

mod interchange_bad;
mod interchange_lines;
mod interchange_real;
mod interchange_records;
mod interchange_stream;
