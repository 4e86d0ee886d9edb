//! What is done for a ledger again and again: which of it is due, and what became of it the last time.
//!
//! Nothing here runs anything: doors do, by what the plan says.

mod plan;
mod record;
mod runs;

pub use plan::{Job, JobPlan, JobStanding};
pub use record::{JobRecord, is_set_up, job_runs};
pub use runs::{JobOutcome, JobRun, JobRuns};
