//! The jobs of the configuration as people and programs see them: last run, what came of it, next run.

use std::time::Duration;

use serde_json::{Value, json};

use super::session::Parts;
use super::words;
use crate::codec::digest::LedgerId;
use crate::error::Result;
use crate::ledger::{Condition, Job, JobOutcome, JobPlan, JobRun, JobRuns, JobStanding, is_set_up, job_runs};
use crate::time::Timestamp;

/// One job.
pub(super) struct JobLine {
    pub job: Job,
    every: Duration,
    last: Option<JobRun>,
    /// `None` where nobody said whom it is to ask: it is not run.
    next: Option<Timestamp>,
    standing: JobStanding,
    now: Timestamp,
}

/// Every job that somebody asked for.
///
/// # Errors
/// `E_NO_HOME`, `E_IO`.
pub(super) fn look(parts: &Parts, ledger: LedgerId) -> Result<Vec<JobLine>> {
    let plan = parts.config.schedule.plan(ledger);
    let (files, now) = (&*parts.env.files, parts.env.clock.read().wall);
    let config = parts.places.config_of(&ledger)?;
    let runs = job_runs(files, &parts.places.state_of(&ledger)?)?;
    // A policy that cannot be read is told where it is used.
    let may = |job| is_set_up(job, files, &config).unwrap_or(true);
    Ok(plan.jobs().filter_map(|job| line(&plan, &runs, job, may(job), now)).collect())
}

fn line(plan: &JobPlan, runs: &JobRuns, job: Job, may: bool, now: Timestamp) -> Option<JobLine> {
    let next = plan.next(job, runs, now).filter(|_| may);
    let standing = plan.standing(job, runs, now)?;
    Some(JobLine { job, every: plan.interval(job)?, last: runs.of(job).copied(), next, standing, now })
}

impl JobLine {
    /// What its owner should look at, in a sentence.
    pub(super) fn complaint(&self) -> Option<String> {
        let name = self.job.name();
        let last = self.last.map_or_else(String::new, |run| format!(", last on {}", words::moment(run.at)));
        Some(match (self.next, self.standing) {
            (None, _) => format!("The job {name} is configured and not run: {}.", nobody(self.job)),
            (Some(_), JobStanding::Overdue) if self.last.is_none() => {
                format!("The job {name} has never run: is `immutape schedule run` running?")
            }
            (Some(next), JobStanding::Overdue) => format!(
                "The job {name} is overdue since {}{last}: is `immutape schedule run` running?",
                words::moment(next)
            ),
            (Some(_), JobStanding::Failing) => format!("The job {name}{last}: {}.", self.outcome()),
            (Some(_), _) => return None,
        })
    }

    /// A stable word for [`JobLine::complaint`].
    pub(super) const fn complaint_code(&self) -> &'static str {
        match (self.next, self.standing) {
            (None, _) => "job_not_set_up",
            (_, JobStanding::Overdue) => "job_overdue",
            _ => "job_failing",
        }
    }

    fn outcome(&self) -> String {
        let Some(run) = self.last else { return "never run".to_owned() };
        match run.outcome {
            JobOutcome::Done => "done".to_owned(),
            JobOutcome::Partly => format!("not the quorum, {}", times(run.failures)),
            JobOutcome::Found => "something is not what was stored".to_owned(),
            JobOutcome::Failed(code) => format!("failed with {}, {}", code.as_str(), times(run.failures)),
        }
    }

    /// For people.
    pub(super) fn words(&self) -> String {
        let last = self.last.map_or_else(String::new, |run| format!(" ({})", words::moment(run.at)));
        let next = match self.next {
            None => "not run: ".to_owned() + nobody(self.job),
            Some(next) if next <= self.now => "due now".to_owned(),
            Some(next) => format!("next {}", words::moment(next)),
        };
        format!("{} every {}: {}{last}; {next}", self.job.name(), every(self.every), self.outcome())
    }

    pub(super) fn document(&self) -> Value {
        json!({
            "job": self.job.name(), "every_s": self.every.as_secs(),
            "last": self.last.map(|run| run.at.to_text()), "outcome": self.last.map(|run| run.outcome.word()),
            "failures": self.last.map_or(0, |run| run.failures), "next": self.next.map(Timestamp::to_text),
            "standing": if self.next.is_none() { "not_set_up" } else { self.standing.word() },
        })
    }

    /// For `doctor`.
    pub(super) fn condition(&self) -> Condition {
        match self.complaint() {
            None => Condition::ok("jobs", self.words()),
            Some(complaint) => Condition::warning("jobs", complaint),
        }
    }
}

const fn nobody(job: Job) -> &'static str {
    match job {
        Job::Witness => "no policy names witnesses (`immutape witness set FILE`)",
        _ => "no authority can be asked (`immutape clock set --url URL --roots FILE`)",
    }
}

fn times(n: u32) -> String {
    format!("{} in a row", words::count(u64::from(n), "time"))
}

/// `5m`, in the largest unit that leaves nothing over.
fn every(time: Duration) -> String {
    let seconds = time.as_secs();
    let fits = [(86_400, "d"), (3_600, "h"), (60, "m")].into_iter().find(|(unit, _)| seconds.is_multiple_of(*unit));
    let (unit, name) = fits.unwrap_or((1, "s"));
    format!("{}{name}", seconds.checked_div(unit).unwrap_or(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn each_job_says_how_it_is() {
        let plan = JobPlan::new(LedgerId::from_bytes([0; 32])).every(Job::Time, Duration::from_secs(7_200));
        let at = Timestamp::from_ms(1_800_000_000_000);
        let said = |outcome: Option<JobOutcome>, may: bool, later_ms: u64| {
            let mut runs = JobRuns::default();
            outcome.into_iter().for_each(|outcome| runs.ended(Job::Time, at, outcome));
            let line = line(&plan, &runs, Job::Time, may, Timestamp::from_ms(at.as_ms() + later_ms)).unwrap();
            (line.complaint().map(|_| line.complaint_code()), line.complaint().unwrap_or_else(|| line.words()))
        };
        let (code, words) = said(Some(JobOutcome::Done), true, 0);
        assert!(code.is_none() && words.starts_with("time every 2h: done (2027"), "{words}");
        for (outcome, may, later_ms, code, part) in [
            (None, true, 0, "job_overdue", "never run"),
            (Some(JobOutcome::Done), true, 8 * 3_600_000, "job_overdue", "overdue since"),
            (Some(JobOutcome::Done), false, 0, "job_not_set_up", "clock set"),
            (Some(JobOutcome::Partly), true, 0, "job_failing", "not the quorum, 1 time in a row"),
            (Some(JobOutcome::Found), true, 0, "job_failing", "not what was stored"),
            (Some(JobOutcome::Failed(Code::Network)), true, 0, "job_failing", "E_NETWORK"),
        ] {
            let said = said(outcome, may, later_ms);
            assert!(said.0 == Some(code) && said.1.contains(part), "{said:?}");
        }
        for (seconds, words) in [(90, "90s"), (60, "1m"), (5_400, "90m"), (86_400, "1d"), (90_000, "25h")] {
            assert_eq!(every(Duration::from_secs(seconds)), words);
        }
    }
}
