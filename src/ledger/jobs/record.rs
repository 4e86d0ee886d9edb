//! The record of runs in the state folder, kept by the one process that runs them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::plan::Job;
use super::runs::{JobOutcome, JobRuns};
use crate::error::{Code, Error, Result};
use crate::ledger::heads::{Anchors, asks_for_time};
use crate::proof::Policy;
use crate::store::files::{FileLock, Files, code_of, write_atomic};
use crate::time::Timestamp;

const RECORD_BYTES_MAX: u64 = 4 << 10;

fn path(state: &Path) -> PathBuf {
    state.join("jobs")
}

/// What is known of the last runs in a state folder. A record that does not hold is as good as none: the jobs are then run once
/// more, which harms nothing.
///
/// # Errors
/// `E_IO`.
pub fn job_runs(files: &dyn Files, state: &Path) -> Result<JobRuns> {
    match files.read(&path(state), RECORD_BYTES_MAX) {
        Ok(bytes) => Ok(std::str::from_utf8(&bytes).ok().and_then(JobRuns::parse).unwrap_or_default()),
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::FileTooLarge) => {
            Ok(JobRuns::default())
        }
        Err(e) => Err(Error::new(Code::Io, "the record of the last runs cannot be read").with_source(e)),
    }
}

/// Has somebody said whom this job is to ask? Of a job that asks nobody: yes.
///
/// # Errors
/// `E_USAGE` for a policy or an authority that does not hold; `E_IO`.
pub fn is_set_up(job: Job, files: &dyn Files, config: &Path) -> Result<bool> {
    match job {
        Job::Witness => {
            let policy = Anchors::read(files, config)?.policy;
            Ok(policy.as_ref().is_some_and(Policy::asks_for_witnesses))
        }
        Job::Time => asks_for_time(files, config),
        Job::Publish | Job::Scrub => Ok(true),
    }
}

/// The record, held by who runs the jobs: two processes that did would do everything twice.
pub struct JobRecord {
    files: Arc<dyn Files>,
    state: PathBuf,
    runs: JobRuns,
    _only: Box<dyn FileLock>,
}

impl JobRecord {
    /// Holds the record of a state folder until it is dropped.
    ///
    /// # Errors
    /// `E_LOCKED` while another process does; `E_IO`.
    pub fn hold(files: Arc<dyn Files>, state: &Path) -> Result<Self> {
        let io = |e| Error::new(code_of(&e), "the record of the last runs cannot be held").with_source(e);
        let lock = files.try_lock(&state.join("jobs.lock")).map_err(io)?;
        let _only = lock.ok_or_else(|| {
            Error::new(Code::Locked, "another process runs the scheduled jobs of this ledger")
                .with_hint("`immutape schedule show` says what it does")
        })?;
        let runs = job_runs(&*files, state)?;
        Ok(Self { files, state: state.to_owned(), runs, _only })
    }

    /// What is known of the last runs.
    #[must_use]
    pub const fn runs(&self) -> &JobRuns {
        &self.runs
    }

    /// A run has ended. Durable on return; a crash before it leaves a run that is not told, so that it is made once more.
    ///
    /// # Errors
    /// `E_STORE_FULL`, `E_IO`: it is known to this value alone then.
    pub fn ended(&mut self, job: Job, at: Timestamp, outcome: JobOutcome) -> Result<()> {
        self.runs.ended(job, at, outcome);
        let fault = |e| Error::new(code_of(&e), "the record of the last runs cannot be stored").with_source(e);
        write_atomic(&*self.files, &path(&self.state), self.runs.to_text().as_bytes()).map_err(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::files::RealFiles;

    #[test]
    fn a_restart_knows_the_last_run_and_one_process_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let (files, state): (Arc<dyn Files>, _) = (Arc::new(RealFiles), folder.path());
        let mut record = JobRecord::hold(files.clone(), state).unwrap();
        assert_eq!(*record.runs(), JobRuns::default());
        record.ended(Job::Time, Timestamp::from_ms(9), JobOutcome::Failed(Code::Network)).unwrap();
        assert_eq!(JobRecord::hold(files.clone(), state).map(drop).unwrap_err().code(), Code::Locked);
        assert_eq!(job_runs(&RealFiles, state).unwrap(), *record.runs(), "who looks needs no turn");
        drop(record);
        let mut record = JobRecord::hold(files, state).unwrap();
        record.ended(Job::Time, Timestamp::from_ms(11), JobOutcome::Failed(Code::Network)).unwrap();
        assert_eq!(record.runs().of(Job::Time).map(|run| run.failures), Some(2));
        drop(record);
        for bad in [&b"immutape/jobs/1\ntime"[..], &[0xff], &[b'x'; 5_000]] {
            std::fs::write(state.join("jobs"), bad).unwrap();
            assert_eq!(job_runs(&RealFiles, state).unwrap(), JobRuns::default());
        }
        std::fs::remove_file(state.join("jobs")).unwrap();
        std::fs::create_dir(state.join("jobs")).unwrap();
        assert_eq!(job_runs(&RealFiles, state).unwrap_err().code(), Code::Io);
    }
}
