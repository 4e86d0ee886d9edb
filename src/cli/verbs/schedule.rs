//! `schedule`: the jobs of the configuration, each when it is due.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{clock, publish, scrub, witness_run};
use crate::anchor::{Http, Transport};
use crate::cli::args::{Publish, ScheduleVerb};
use crate::cli::interrupts::Interrupts;
use crate::cli::jobs;
use crate::cli::rounds::LOOK;
use crate::cli::session::Session;
use crate::codec::digest::LedgerId;
use crate::error::{Code, Error, Result};
use crate::ledger::{Checker, Job, JobOutcome, JobPlan, JobRecord, is_set_up};

/// How often a waiting process looks at the clock: it may have been set.
const PAUSE: Duration = Duration::from_secs(1);

pub(in crate::cli) fn schedule(s: &mut Session<'_>, verb: ScheduleVerb) -> Result<u8> {
    let checker = Checker::open(&s.parts.places, &s.parts.env)?;
    s.out.test = checker.genesis().test;
    let ledger = checker.id();
    // The folders that it has open are for the jobs.
    drop(checker);
    match verb {
        ScheduleVerb::Show => show(s, ledger),
        ScheduleVerb::Run { once } => run(s, ledger, once),
    }
}

fn show(s: &mut Session<'_>, ledger: LedgerId) -> Result<u8> {
    let lines = jobs::look(&s.parts, ledger)?;
    if s.out.json {
        s.out.document(
            json!({ "type": "schedule", "jobs": lines.iter().map(jobs::JobLine::document).collect::<Vec<_>>() }),
        );
        return Ok(0);
    }
    if lines.is_empty() {
        s.out.prose("nothing is scheduled: the configuration has no [schedule] that names a job");
    }
    lines.iter().for_each(|line| s.out.prose(&line.words()));
    Ok(0)
}

/// The jobs of one ledger, while this process runs them.
struct Runner {
    plan: JobPlan,
    record: JobRecord,
    transport: Arc<dyn Transport>,
    config: std::path::PathBuf,
}

fn run(s: &mut Session<'_>, ledger: LedgerId, once: bool) -> Result<u8> {
    let settings = &s.parts.config.schedule;
    let plan = settings.plan(ledger);
    if plan.jobs().next().is_none() {
        return Err(Error::new(Code::NotFound, "the configuration names no job to be done").with_hint(
            "write [schedule] into immutape.toml, with witness_every = \"5m\"; `immutape schedule --help` says more",
        ));
    }
    let transport: Arc<dyn Transport> = Arc::new(Http::new(settings.allow_private(), None)?);
    let record = JobRecord::hold(s.parts.env.files.clone(), &s.parts.places.state_of(&ledger)?)?;
    let config = s.parts.places.config_of(&ledger)?;
    let runner = &mut Runner { plan, record, transport, config };
    let interrupts = Interrupts::caught();
    if once { runner.once(s, &interrupts) } else { runner.on_and_on(s, &interrupts) }
}

impl Runner {
    fn due(&self, s: &Session<'_>, may: impl Fn(Job) -> bool) -> Option<Job> {
        let (files, now) = (&*s.parts.env.files, s.parts.env.clock.read().wall);
        // What cannot be read is told by the job that needs it.
        let may = |job| may(job) && is_set_up(job, files, &self.config).unwrap_or(true);
        self.plan.due_among(self.record.runs(), now, may)
    }

    /// Each job that is due, once; the exit code of the last that did not do what it is for.
    fn once(&mut self, s: &mut Session<'_>, interrupts: &Interrupts) -> Result<u8> {
        let (mut seen, mut exit) = (BTreeSet::new(), 0);
        while let Some(job) = self.due(s, |job| !seen.contains(&job)).filter(|_| interrupts.check().is_ok()) {
            seen.insert(job);
            match self.job(s, job)? {
                0 => {}
                other => exit = other,
            }
        }
        interrupts.pass_on();
        Ok(exit)
    }

    /// To be interrupted is its lawful end.
    fn on_and_on(&mut self, s: &mut Session<'_>, interrupts: &Interrupts) -> Result<u8> {
        while interrupts.check().is_ok() {
            match self.due(s, |_| true) {
                Some(job) => {
                    self.job(s, job)?;
                }
                None => pause(interrupts),
            }
        }
        Ok(0)
    }

    /// Does one job and notes what came of it. Others that fail, or that have the ledger, are no reason to end; what shows that
    /// this ledger is not what it was is.
    fn job(&mut self, s: &mut Session<'_>, job: Job) -> Result<u8> {
        let done = self.act(s, job);
        let outcome = match &done {
            Ok((outcome, _)) => *outcome,
            Err(e) => JobOutcome::Failed(e.code()),
        };
        let now = s.parts.env.clock.read().wall;
        if let Err(e) = self.record.ended(job, now, outcome) {
            s.out.say(&format!("note: {} ({})", e.message(), e.code().as_str()));
        }
        let exit = match done {
            Ok((_, exit)) => exit,
            Err(e) if goes_on(e.code()) => {
                s.out.say(&format!("{}: not now: {} ({})", job.name(), e.message(), e.code().as_str()));
                e.kind().exit_code()
            }
            Err(e) => return Err(e),
        };
        self.tell(s, job, outcome);
        s.out.flush();
        Ok(exit)
    }

    fn act(&self, s: &mut Session<'_>, job: Job) -> Result<(JobOutcome, u8)> {
        let done = |exit: u8, short: JobOutcome| (if exit == 0 { JobOutcome::Done } else { short }, exit);
        Ok(match job {
            Job::Witness => done(witness_run::once(s, &self.transport)?, JobOutcome::Partly),
            Job::Time => done(clock::once(s, &self.transport)?, JobOutcome::Partly),
            Job::Publish => {
                let settings = &s.parts.config.schedule;
                let to = settings.publish_to().unwrap_or_else(|| std::path::Path::new("")).to_owned();
                let args = Publish { to, entries: settings.publish_entries(), allow_private: false };
                done(publish::once(s, &args, &self.transport)?, JobOutcome::Partly)
            }
            Job::Scrub => {
                let (made, recorded) = scrub::one(s, s.parts.config.schedule.scrub_parts())?;
                scrub::tell(s, &made, &recorded);
                recorded?;
                done(scrub::exit_code(&made), JobOutcome::Found)
            }
        })
    }

    fn tell(&self, s: &mut Session<'_>, job: Job, outcome: JobOutcome) {
        let next = self.plan.next(job, self.record.runs(), s.parts.env.clock.read().wall);
        if s.out.json {
            let next = next.map(|next| next.to_text());
            s.out.document(json!({ "type": "job", "job": job.name(), "outcome": outcome.word(), "next": next }));
        }
    }
}

/// Somebody else has the ledger, is away, or lies; or the disk may have room again.
const fn goes_on(code: Code) -> bool {
    matches!(code, Code::Locked | Code::Network | Code::NotConfirmed | Code::ProofInvalid | Code::StoreFull)
}

fn pause(interrupts: &Interrupts) {
    let until = Instant::now().checked_add(PAUSE);
    while interrupts.check().is_ok() && until.is_some_and(|until| Instant::now() < until) {
        std::thread::sleep(LOOK);
    }
}
