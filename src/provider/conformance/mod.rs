//! One suite for every storage provider. An author runs [`run`] on his factory; each clause that it does not keep comes back
//! by name, with what was seen. A clause that does not answer in time is a violation, too.
//!
//! ```
//! use std::sync::Arc;
//! use immutape::provider::{MemoryFactory, conformance};
//! let settings = |_place: usize| serde_json::json!({ "testing": true });
//! let report = conformance::run(&conformance::Subject::new(Arc::new(MemoryFactory), settings)?);
//! assert!(report.violations().is_empty(), "{report}");
//! # Ok::<(), immutape::Error>(())
//! ```

mod access;
mod clause;
mod finding;
mod keeping;
mod material;
mod naming;
mod report;
mod streams;

pub use clause::{Clause, PATIENCE, Subject};
pub use report::{Outcome, Report};

/// Every clause of the suite.
#[must_use]
pub fn clauses() -> Vec<Clause> {
    [naming::CLAUSES, keeping::CLAUSES, finding::CLAUSES, access::CLAUSES, streams::CLAUSES].concat()
}

/// Checks every clause, each on a place of its own.
#[must_use]
pub fn run(subject: &Subject) -> Report {
    Report { outcomes: clauses().iter().map(|clause| (clause.name, clause.check(subject))).collect() }
}
