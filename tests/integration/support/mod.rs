//! Shared helpers of the integration tests.

pub mod crash;
pub mod failing;
pub mod journals;
pub mod ledgers;
pub mod power;
pub mod sim_files;
pub mod tamper;
