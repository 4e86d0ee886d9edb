//! When a job is due. Pure: the last runs and the time are arguments.

use std::time::Duration;

use super::runs::{JobOutcome, JobRun, JobRuns};
use crate::codec::digest::{LedgerId, sha256};
use crate::time::Timestamp;

/// After a first failure a job is tried again so soon, after each further one twice as late, and never later than it would
/// have come anyway.
const RETRY_MS: u64 = 30_000;
/// Doublings of that.
const DOUBLINGS_MAX: u32 = 20;
/// Runs come so much later, at most, than asked for: many ledgers of one machine must not all ask one witness at once.
const SPREAD: u64 = 16;
/// A retry comes so much later, at most.
const SPREAD_OF_RETRY: u64 = 4;
/// Nothing is called overdue before so long.
const GRACE_MS: u64 = 60_000;

/// Something that is done again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Job {
    /// A round with the witnesses.
    Witness,
    /// A time-stamp over the head.
    Time,
    /// Bringing a published tree up to date.
    Publish,
    /// Reading a part of what is stored again.
    Scrub,
}

impl Job {
    /// Every job.
    pub const ALL: [Self; 4] = [Self::Witness, Self::Time, Self::Publish, Self::Scrub];

    /// Its name: in the configuration, in the record of runs, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Witness => "witness",
            Self::Time => "time",
            Self::Publish => "publish",
            Self::Scrub => "scrub",
        }
    }

    /// By its name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|job| job.name() == name)
    }
}

/// How it is with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobStanding {
    /// It ran when it should have, and did what it is for.
    OnTime,
    /// It ran when it should have, and did not do what it is for, or not all of it.
    Failing,
    /// It has never run, or its time is past by more than a whole interval: nobody runs it.
    Overdue,
}

impl JobStanding {
    /// For programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::OnTime => "on_time",
            Self::Failing => "failing",
            Self::Overdue => "overdue",
        }
    }
}

/// Which jobs are done, and how often.
///
/// ```
/// use std::time::Duration;
/// use immutape::codec::digest::LedgerId;
/// use immutape::ledger::{Job, JobPlan, JobRuns};
/// use immutape::time::Timestamp;
/// let plan = JobPlan::new(LedgerId::from_bytes([7; 32])).every(Job::Scrub, Duration::from_secs(3_600));
/// let (none, now) = (JobRuns::default(), Timestamp::from_ms(1_800_000_000_000));
/// assert_eq!(plan.due(&none, now), Some(Job::Scrub)); // it has never run
/// assert_eq!(plan.next(Job::Time, &none, now), None); // nobody asked for it
/// ```
#[derive(Debug, Clone)]
pub struct JobPlan {
    ledger: LedgerId,
    every: [Option<Duration>; Job::ALL.len()],
}

impl JobPlan {
    /// Nothing is done for this ledger yet. Who it is spreads the times of its jobs.
    #[must_use]
    pub const fn new(ledger: LedgerId) -> Self {
        Self { ledger, every: [None; Job::ALL.len()] }
    }

    /// And this job, so often.
    #[must_use]
    pub fn every(mut self, job: Job, every: impl Into<Option<Duration>>) -> Self {
        if let Some((_, slot)) = Job::ALL.iter().zip(&mut self.every).find(|(other, _)| **other == job) {
            *slot = every.into();
        }
        self
    }

    /// How often; `None` for a job that nobody asked for.
    #[must_use]
    pub fn interval(&self, job: Job) -> Option<Duration> {
        Job::ALL.iter().zip(self.every).find_map(|(other, every)| every.filter(|_| *other == job))
    }

    /// The jobs that somebody asked for.
    pub fn jobs(&self) -> impl Iterator<Item = Job> + '_ {
        Job::ALL.into_iter().filter(|job| self.interval(*job).is_some())
    }

    /// When a job comes next; `now` or earlier means that it is due. A clock that was set back makes nobody wait longer than
    /// from one run to the next.
    #[must_use]
    pub fn next(&self, job: Job, runs: &JobRuns, now: Timestamp) -> Option<Timestamp> {
        let every_ms = ms(self.interval(job)?);
        let Some(run) = runs.of(job) else { return Some(now) };
        let wait_ms = self.wait_ms(job, run, every_ms);
        let from = run.at.min(now).as_ms();
        Some(Timestamp::from_ms(from.saturating_add(wait_ms)))
    }

    fn wait_ms(&self, job: Job, run: &JobRun, every_ms: u64) -> u64 {
        let (wait_ms, spread) = match run.failures {
            0 => (every_ms, SPREAD),
            failures => {
                let doublings = failures.saturating_sub(1).min(DOUBLINGS_MAX);
                (RETRY_MS.saturating_mul(1 << doublings).min(every_ms), SPREAD_OF_RETRY)
            }
        };
        let most = wait_ms.checked_div(spread).unwrap_or(0);
        wait_ms.saturating_add(self.lot(job, run.at).checked_rem(most.saturating_add(1)).unwrap_or(0))
    }

    /// A number that looks drawn by lot, and is the same for whoever asks again.
    fn lot(&self, job: Job, at: Timestamp) -> u64 {
        let drawn = [self.ledger.as_ref(), job.name().as_bytes(), &at.as_ms().to_be_bytes()].concat();
        sha256(&drawn).first_chunk::<8>().map_or(0, |first| u64::from_be_bytes(*first))
    }

    /// The job whose turn it is: of those that are due the one that waits longest.
    #[must_use]
    pub fn due(&self, runs: &JobRuns, now: Timestamp) -> Option<Job> {
        self.due_among(runs, now, |_| true)
    }

    /// As [`JobPlan::due`], of the jobs for which `may` says yes.
    #[must_use]
    pub fn due_among(&self, runs: &JobRuns, now: Timestamp, may: impl Fn(Job) -> bool) -> Option<Job> {
        let next = self.jobs().filter(|job| may(*job)).filter_map(|job| Some((self.next(job, runs, now)?, job)));
        // Those that never ran come before those whose time is now.
        let first = next.filter(|(at, _)| *at <= now).min_by_key(|(at, job)| (runs.of(*job).is_some(), *at, *job));
        first.map(|(_, job)| job)
    }

    /// How it is with a job; `None` for one that nobody asked for.
    #[must_use]
    pub fn standing(&self, job: Job, runs: &JobRuns, now: Timestamp) -> Option<JobStanding> {
        let every_ms = ms(self.interval(job)?);
        let Some(run) = runs.of(job) else { return Some(JobStanding::Overdue) };
        let late_ms = now.as_ms().saturating_sub(self.next(job, runs, now)?.as_ms());
        Some(if late_ms > every_ms.max(GRACE_MS) {
            JobStanding::Overdue
        } else if run.outcome == JobOutcome::Done {
            JobStanding::OnTime
        } else {
            JobStanding::Failing
        })
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    const HOUR_MS: u64 = 3_600_000;
    const START: u64 = 1_800_000_000_000;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(START.saturating_add(ms))
    }

    fn plan() -> JobPlan {
        JobPlan::new(LedgerId::from_bytes([1; 32]))
            .every(Job::Witness, Duration::from_secs(300))
            .every(Job::Scrub, Duration::from_secs(3_600))
    }

    #[test]
    fn what_nobody_asked_for_never_comes() {
        let (none, nobody) = (JobRuns::default(), JobPlan::new(LedgerId::from_bytes([1; 32])));
        for job in Job::ALL {
            assert_eq!((nobody.next(job, &none, at(0)), nobody.standing(job, &none, at(0))), (None, None));
            assert_eq!(Job::from_name(job.name()), Some(job));
        }
        assert_eq!((nobody.due(&none, at(0)), Job::from_name("dispose")), (None, None));
        let taken_back = plan().every(Job::Witness, None);
        assert_eq!(taken_back.jobs().collect::<Vec<_>>(), [Job::Scrub]);
    }

    #[test]
    fn each_comes_once_in_its_interval_and_a_little_later_for_each_ledger() {
        let (plan, mut runs) = (plan(), JobRuns::default());
        assert_eq!(plan.due(&runs, at(0)), Some(Job::Witness));
        runs.ended(Job::Witness, at(0), JobOutcome::Done);
        assert_eq!(plan.due(&runs, at(0)), Some(Job::Scrub), "the other has never run");
        assert_eq!(plan.standing(Job::Scrub, &runs, at(0)), Some(JobStanding::Overdue));
        runs.ended(Job::Scrub, at(5), JobOutcome::Done);
        assert_eq!((plan.due(&runs, at(5)), plan.due(&runs, at(299_999))), (None, None));
        let next = plan.next(Job::Witness, &runs, at(10)).unwrap().as_ms() - START;
        assert!((300_000..=318_750).contains(&next), "{next}");
        assert_eq!(plan.due(&runs, at(next)), Some(Job::Witness));
        assert_eq!(plan.due_among(&runs, at(next), |job| job != Job::Witness), None);
        // Other ledgers, and the same one another time, come elsewhere in that space; asked again, the answer is the same.
        let of = |ledger: u8, ran: u64| {
            let mut runs = JobRuns::default();
            runs.ended(Job::Witness, at(ran), JobOutcome::Done);
            let plan = JobPlan::new(LedgerId::from_bytes([ledger; 32])).every(Job::Witness, Duration::from_secs(300));
            plan.next(Job::Witness, &runs, at(ran)).unwrap().as_ms() - START - ran
        };
        let times: std::collections::BTreeSet<u64> =
            (0..50).map(|n| of(n, 0)).chain((1..50).map(|n| of(1, n))).collect();
        assert!(times.len() > 90 && times.iter().all(|t| (300_000..=318_750).contains(t)), "{times:?}");
        assert_eq!(of(3, 7), of(3, 7));
    }

    #[test]
    fn after_failures_it_waits_longer_each_time_and_never_longer_than_its_interval() {
        let (plan, mut runs) = (plan(), JobRuns::default());
        let mut waits = Vec::new();
        for _ in 0..40 {
            runs.ended(Job::Scrub, at(0), JobOutcome::Failed(Code::Locked));
            waits.push(plan.next(Job::Scrub, &runs, at(0)).unwrap().as_ms() - START);
        }
        for (n, wait) in waits.iter().enumerate() {
            let base = (30_000 << n.min(20)).min(HOUR_MS);
            assert!((base..=base + base / 4).contains(wait), "{n}: {wait}");
        }
        assert_eq!(plan.standing(Job::Scrub, &runs, at(1)), Some(JobStanding::Failing));
        runs.ended(Job::Scrub, at(0), JobOutcome::Done);
        assert!(plan.next(Job::Scrub, &runs, at(0)).unwrap() >= at(HOUR_MS));
        assert_eq!(plan.standing(Job::Scrub, &runs, at(1)), Some(JobStanding::OnTime));
        // One that comes more often than a retry does is not slowed down by failures.
        let quick = JobPlan::new(LedgerId::from_bytes([1; 32])).every(Job::Time, Duration::from_secs(1));
        (0..9).for_each(|_| runs.ended(Job::Time, at(0), JobOutcome::Partly));
        assert!(quick.next(Job::Time, &runs, at(0)).unwrap() <= at(1_250));
    }

    #[test]
    fn what_nobody_runs_is_overdue_after_an_interval() {
        let (plan, mut runs) = (plan(), JobRuns::default());
        runs.ended(Job::Scrub, at(0), JobOutcome::Found);
        let due = plan.next(Job::Scrub, &runs, at(0)).unwrap().as_ms() - START;
        let standing = |ms| plan.standing(Job::Scrub, &runs, at(ms)).unwrap();
        assert_eq!(standing(due), JobStanding::Failing, "what was found stays told until it is not found any more");
        assert_eq!(
            (standing(due + HOUR_MS), standing(due + HOUR_MS + 1)),
            (JobStanding::Failing, JobStanding::Overdue)
        );
        assert_eq!(JobStanding::Overdue.word(), "overdue");
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nobody_waiting_for_years() {
        let (plan, mut runs) = (plan(), JobRuns::default());
        runs.ended(Job::Scrub, at(1_000_000 * HOUR_MS), JobOutcome::Done);
        let next = plan.next(Job::Scrub, &runs, at(0)).unwrap();
        assert!(next >= at(HOUR_MS) && next <= at(HOUR_MS + HOUR_MS / 16), "{next:?}");
    }
}
