//! Shared helpers of the integration tests.

pub mod crash;
pub mod failing;
pub mod journals;
pub mod ledgers;
pub mod power;
pub mod sim_files;
pub mod tamper;

/// Says how many trials each sweep makes instead of its own number: for long runs.
pub const TRIALS_VARIABLE: &str = "IMMUTAPE_TEST_TRIALS";

/// How many trials to make where nothing else is said.
pub fn trials(usual: u64) -> u64 {
    std::env::var(TRIALS_VARIABLE).ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}
