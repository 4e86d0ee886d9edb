//! The rows' thread: takes durable groups, packs them into batches every few milliseconds.
//! What it has not applied yet is in the journal; losing it costs a catch-up at the next start.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use super::core::Progress;
use super::observe::{Event, Observer};
use super::rows_queue::GroupForRows;
use crate::catalog::{Enrichment, Projector};
use crate::codec::digest::CustodyId;
use crate::codec::extent::Group;
use crate::codec::limits::ROWS_TAIL_BYTES_MAX;
use crate::error::Result;
use crate::log::{Entry, LogError};
use crate::store::Rows;

/// The writer's end.
pub(super) struct Applier {
    thread: Option<JoinHandle<()>>,
    progress: Arc<Progress>,
}

impl Applier {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system's error when no thread can be made.
    pub(super) fn start(
        rows: Arc<dyn Rows>,
        projector: Projector,
        progress: Arc<Progress>,
        observer: Arc<dyn Observer>,
    ) -> std::io::Result<Self> {
        let mut worker = Worker { rows, projector, progress: progress.clone(), observer, applied_entries: 0 };
        let thread = std::thread::Builder::new().name("immutape-rows".into()).spawn(move || worker.run())?;
        Ok(Self { thread: Some(thread), progress })
    }

    /// Hands a group over; waits when too much is on its way.
    pub(super) fn group(&self, group: GroupForRows) {
        let bytes = group.extent.len() as u64;
        let is_much = || self.progress.waiting_bytes.load(Ordering::Acquire) > ROWS_TAIL_BYTES_MAX as u64;
        while is_much() && !self.progress.rows_failed() {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Rows that failed take nothing any more: the journal has it, queries say E_ROWS_UNAVAILABLE.
        if self.progress.rows_failed() {
            return;
        }
        self.progress.waiting_bytes.fetch_add(bytes, Ordering::AcqRel);
        self.progress.to_rows.push(group);
    }

    /// Lets the thread apply what is left and waits for it.
    pub(super) fn finish(&mut self) {
        self.progress.to_rows.finish();
        if let Some(thread) = self.thread.take() {
            let _a_panic_there_was_reported_as_failed = thread.join();
        }
    }
}

impl Drop for Applier {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Nobody may wait for rows that a panic keeps from ever coming.
struct RowsFailOnPanic(Arc<Progress>);

impl Drop for RowsFailOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.set_rows_failed();
        }
    }
}

struct Worker {
    rows: Arc<dyn Rows>,
    projector: Projector,
    progress: Arc<Progress>,
    observer: Arc<dyn Observer>,
    applied_entries: u64,
}

impl Worker {
    fn run(&mut self) {
        let _guard = RowsFailOnPanic(self.progress.clone());
        self.applied_entries = self.projector.size();
        if self.work().is_err() {
            self.fail();
            // The journal has what still comes.
            while !self.progress.to_rows.take(|| true).is_last {}
        }
        // A damaged page shows itself only to who reads it, so the next start would find nothing wrong: rows in doubt
        // go aside now, and it builds them anew.
        if self.rows.flush().is_err() {
            let _the_next_doubt_tries_again = self.rows.reset();
        }
    }

    /// Applies what comes until nothing more can come.
    fn work(&mut self) -> Result<()> {
        loop {
            let taken = self.progress.to_rows.take(|| self.progress.wanted() > self.applied_entries);
            for group in taken.groups {
                self.project(group)?;
            }
            self.apply()?;
            self.progress.waiting_bytes.fetch_sub(taken.bytes, Ordering::AcqRel);
            if taken.is_last {
                return Ok(());
            }
        }
    }

    fn project(&mut self, group: GroupForRows) -> Result<()> {
        let mut known: HashMap<CustodyId, Enrichment> = group.enrichments.into_iter().collect();
        let mut enrich = |entry: &Entry<'_>, _: &_, _: &_| known.remove(&entry.subject).unwrap_or_default();
        let sealed = Group::of_sealed(group.header, &group.extent).map_err(LogError::from)?;
        self.projector.group(&*self.rows, group.place, &sealed, group.next, &group.leaves, &mut enrich)
    }

    fn apply(&mut self) -> Result<()> {
        if let Some((batch, position)) = self.projector.take(&*self.rows)? {
            self.rows.apply(batch, &position)?;
        }
        let size = self.projector.size();
        self.observer.event(Event::RowsApplied { entries: size.saturating_sub(self.applied_entries) });
        self.applied_entries = size;
        self.progress.set_applied(size);
        Ok(())
    }

    fn fail(&self) {
        self.progress.set_rows_failed();
        self.progress.waiting_bytes.store(0, Ordering::Release);
        self.observer.event(Event::RowsFailed);
    }
}
