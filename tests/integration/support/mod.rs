//! Shared helpers of the integration tests.

pub mod journals;
pub mod sim_files;
