//! What a check was about, and what it came to, as entries tell of it.

use crate::codec::digest::{CustodyId, Digest, LedgerId, TapeId};
use crate::evidence::{Finding, Report, Severity};
use crate::log::Body;

/// A check's own entry says how many things it found; so many of them have entries of their own.
pub(super) const FAILURES_MAX: usize = 64;

/// What a check is about, once the policy allows it: see [`crate::ledger::Ledger::begin_check`].
#[derive(Debug, Clone)]
pub struct CheckSubject {
    pub(in crate::ledger) ledger: LedgerId,
    pub(in crate::ledger) custody: CustodyId,
    /// Class of the keys that seal entries about it.
    pub(in crate::ledger) class: String,
    /// The tape, if not the whole ledger is checked.
    pub(in crate::ledger) tape: Option<TapeId>,
}

/// A check that was made, for [`crate::ledger::Ledger::record_check`]. Only [`super::Checker::run_for`] makes one, so that no entry tells
/// of a check that nobody made.
#[derive(Debug)]
pub struct CheckMade {
    pub(in crate::ledger) subject: CheckSubject,
    pub(in crate::ledger) body: Body,
    /// What is not what was stored, each once, at most [`FAILURES_MAX`].
    pub(in crate::ledger) failures: Vec<Failure>,
}

/// Something that is not what was stored, as an entry names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::ledger) struct Failure {
    /// The part: numbers of `docs/format/4-commit.md`, kind 7.
    pub what: u64,
    /// The entry it was found at, 0 where none is known.
    pub at: u64,
    /// The tape that is hit.
    pub tape: Option<TapeId>,
    /// The object that is hit, where the check is of objects alone.
    pub digest: Option<Digest>,
}

impl Failure {
    pub(super) fn of(finding: &Finding) -> Self {
        let what = match finding.part {
            "object" | "tape" => 1,
            "rows" => 2,
            "head" => 3,
            "anchors" => 7,
            "vault" => 4,
            "keys" => 5,
            _ => 0,
        };
        Self { what, at: finding.entry.unwrap_or(0), tape: finding.tape, digest: None }
    }
}

impl CheckMade {
    pub(in crate::ledger) fn new(subject: CheckSubject, report: &Report) -> Self {
        let count = |name: &str| report.checks.iter().filter(|c| c.name == name).map(|c| c.checked).sum::<u64>();
        let body = Body::Verified {
            scope: u64::from(subject.tape.is_some()),
            verdict: report.verdict().number(),
            entries: count("journal"),
            objects: count("stored objects"),
            findings: report.findings.len() as u64,
        };
        let altered = report.findings.iter().filter(|f| f.severity == Severity::Altered);
        let mut failures: Vec<_> = altered.map(Failure::of).collect();
        failures.sort_unstable();
        failures.dedup();
        failures.truncate(FAILURES_MAX);
        Self { subject, body, failures }
    }
}
