//! What became of jobs, as a text that one program writes and any reads.

use std::collections::BTreeMap;

use super::plan::Job;
use crate::error::Code;
use crate::time::Timestamp;

const FIRST_LINE: &str = "immutape/jobs/1";

/// What came of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobOutcome {
    /// It did what it is for.
    Done,
    /// Nothing is wrong, and not all was done: too few witnesses cosigned.
    Partly,
    /// It was done, and found something that is not what was stored.
    Found,
    /// It could not be done.
    Failed(Code),
}

impl JobOutcome {
    /// One word: `done`, `partly`, `found`, or the code of an error.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Partly => "partly",
            Self::Found => "found",
            Self::Failed(code) => code.as_str(),
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        let known = [Self::Done, Self::Partly, Self::Found].into_iter().find(|outcome| outcome.word() == word);
        known.or_else(|| Code::ALL.iter().find(|code| code.as_str() == word).map(|code| Self::Failed(*code)))
    }

    /// Is it to be tried again soon?
    const fn is_failure(self) -> bool {
        matches!(self, Self::Partly | Self::Failed(_))
    }
}

/// The last run of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobRun {
    /// When it ended, by the clock of the machine.
    pub at: Timestamp,
    /// What came of it.
    pub outcome: JobOutcome,
    /// So many runs one after another have failed by now.
    pub failures: u32,
}

/// The last run of every job that ever ran.
///
/// ```
/// use immutape::ledger::{Job, JobOutcome, JobRuns};
/// use immutape::time::Timestamp;
/// let mut runs = JobRuns::default();
/// runs.ended(Job::Scrub, Timestamp::from_ms(41), JobOutcome::Done);
/// assert_eq!(runs.to_text(), "immutape/jobs/1\nscrub 41 done 0\n");
/// assert_eq!(JobRuns::parse(&runs.to_text()), Some(runs));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobRuns(BTreeMap<Job, JobRun>);

impl JobRuns {
    /// The last run of a job.
    #[must_use]
    pub fn of(&self, job: Job) -> Option<&JobRun> {
        self.0.get(&job)
    }

    /// A run has ended.
    pub fn ended(&mut self, job: Job, at: Timestamp, outcome: JobOutcome) {
        let before = self.of(job).map_or(0, |run| run.failures);
        let failures = if outcome.is_failure() { before.saturating_add(1) } else { 0 };
        self.0.insert(job, JobRun { at, outcome, failures });
    }

    /// As text: a line for each job, `NAME MS OUTCOME FAILURES`.
    #[must_use]
    pub fn to_text(&self) -> String {
        let line = |(job, run): (&Job, &JobRun)| {
            format!("{} {} {} {}\n", job.name(), run.at.as_ms(), run.outcome.word(), run.failures)
        };
        format!("{FIRST_LINE}\n{}", self.0.iter().map(line).collect::<String>())
    }

    /// Reads such a text; `None` for any other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let lines = text.strip_prefix(FIRST_LINE)?.strip_prefix('\n')?;
        let runs = lines.lines().map(line).collect::<Option<BTreeMap<_, _>>>().map(Self)?;
        (runs.to_text() == text).then_some(runs)
    }
}

fn line(line: &str) -> Option<(Job, JobRun)> {
    let mut words = line.split(' ');
    let job = Job::from_name(words.next()?)?;
    let at = Timestamp::from_ms(words.next()?.parse().ok()?);
    let (outcome, failures) = (JobOutcome::from_word(words.next()?)?, words.next()?.parse().ok()?);
    words.next().is_none().then_some((job, JobRun { at, outcome, failures }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_is_a_word_and_comes_back() {
        let others = [JobOutcome::Done, JobOutcome::Partly, JobOutcome::Found];
        for outcome in Code::ALL.iter().map(|code| JobOutcome::Failed(*code)).chain(others) {
            let mut runs = JobRuns::default();
            runs.ended(Job::Time, Timestamp::from_ms(u64::MAX), outcome);
            runs.ended(Job::Publish, Timestamp::from_ms(0), outcome);
            runs.ended(Job::Publish, Timestamp::from_ms(1), outcome);
            assert_eq!(JobRuns::parse(&runs.to_text()), Some(runs.clone()), "{outcome:?}");
            let failures = runs.of(Job::Publish).unwrap().failures;
            assert_eq!(failures, if matches!(outcome, JobOutcome::Done | JobOutcome::Found) { 0 } else { 2 });
        }
        assert_eq!(JobRuns::parse("immutape/jobs/1\n"), Some(JobRuns::default()));
    }

    #[test]
    fn any_other_text_is_none() {
        let good = "immutape/jobs/1\nwitness 5 done 0\nscrub 7 E_LOCKED 2\n";
        assert!(JobRuns::parse(good).is_some());
        for (what, with) in [
            ("jobs/1", "jobs/2"),
            ("witness", "dispose"),
            ("5", "05"),
            ("5", "-5"),
            ("done", "Done"),
            ("E_LOCKED", "E_NOTHING"),
            (" 2\n", "\n"),
            (" 2\n", " 2 3\n"),
            (" 2\n", " 2"),
            (" 2\n", " 4294967296\n"),
            ("scrub", "witness"),
            ("witness 5 done 0\nscrub 7 E_LOCKED 2\n", "scrub 7 E_LOCKED 2\nwitness 5 done 0\n"),
            ("witness", "\nwitness"),
        ] {
            let bad = good.replacen(what, with, 1);
            assert_ne!(bad, good);
            assert_eq!(JobRuns::parse(&bad), None, "{bad}");
        }
    }
}
