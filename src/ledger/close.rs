//! The end of a term, in order: head says closing, last group, head says closed.

use super::acts::Act;
use super::core::Core;
use super::key_life::Turnover;
use super::writer::{Request, Writer};
use crate::error::Result;
use crate::log::{Body, EntryDraft, GroupBuilder, HeadState, KeyHistory, PlacedEntry};
use std::sync::atomic::Ordering;

impl Writer {
    /// Commits the last group. A crash after the first head leaves `closing` with or without the last
    /// group: both lawful. A term in which nothing was appended leaves no trace.
    pub(super) fn close(&mut self, drafts: Vec<EntryDraft>) -> Result<()> {
        if self.is_poisoned() {
            return Err(super::core::broken());
        }
        // The start rides in the first group; if it still waits, nothing was done in this term.
        if !self.start.is_empty() && drafts.is_empty() {
            return Ok(());
        }
        if self.core.may_sign().is_err() {
            return self.close_unsigned(&drafts);
        }
        self.last_group(&drafts)?;
        self.write_head(HeadState::Closed).map(|_| ())
    }

    /// As [`Writer::close`], with entries that change keys: what is signed after the group is signed by the new ones.
    pub(super) fn close_with_other_keys(&mut self, turnover: &Turnover) -> Result<KeyHistory> {
        if self.is_poisoned() {
            return Err(super::core::broken());
        }
        self.core.may_sign()?;
        let placed = self.last_group(turnover.drafts())?;
        self.turn_over(turnover, &placed)
    }

    /// Commits the last group of the term; where its drafts stand in the log.
    fn last_group(&mut self, drafts: &[EntryDraft]) -> Result<Vec<PlacedEntry>> {
        self.say_start()?;
        let stopped = self.core.stopped_draft()?;
        self.write_head(HeadState::Closing)?;
        let mut group = GroupBuilder::new(&self.chain);
        let now = self.core.env.clock.read().wall;
        let placed = drafts.iter().map(|draft| group.push(draft, now, |c| self.tip(c))).collect::<Result<Vec<_>>>()?;
        group.push(&stopped, now, |c| self.tip(c))?;
        let finished = self.write_group(group, true)?;
        self.hand_to_rows(finished, Vec::new());
        Ok(placed)
    }

    /// Commits what the start has to say, where nothing was done in this term yet. It has a group of its own: behind a group that says
    /// "closed in order" a tear is only lawful while the head says that the ledger is open again.
    fn say_start(&mut self) -> Result<()> {
        if self.start.is_empty() {
            return Ok(());
        }
        self.write_head(HeadState::Open)?;
        let mut group = GroupBuilder::new(&self.chain);
        let now = self.core.env.clock.read().wall;
        let start = self.start.clone();
        for draft in &start {
            group.push(draft, now, |c| self.tip(c))?;
        }
        let finished = self.write_group(group, false)?;
        self.hand_to_rows(finished, Vec::new());
        Ok(())
    }

    /// A log whose witnesses said nothing may sign no head, so it cannot say that it was closed in order either: the next start
    /// records an unclean stop. Everything that was answered is in the journal.
    fn close_unsigned(&mut self, drafts: &[EntryDraft]) -> Result<()> {
        let mut group = GroupBuilder::new(&self.chain);
        let now = self.core.env.clock.read().wall;
        for draft in self.start.iter().chain(drafts) {
            group.push(draft, now, |c| self.tip(c))?;
        }
        if !self.start.is_empty() || !drafts.is_empty() {
            let finished = self.write_group(group, false)?;
            self.hand_to_rows(finished, Vec::new());
        }
        Ok(())
    }
}

impl Core {
    fn stopped_draft(&self) -> Result<EntryDraft> {
        let body = Body::LogStopped {
            term: self.term,
            content_unwraps: self.progress.content_unwraps.load(Ordering::Relaxed),
            list_unwraps: self.progress.list_unwraps.load(Ordering::Relaxed),
        };
        self.draft(&Act::own(body), |_| {})
    }

    /// Closes with these last entries (completions of reads).
    pub(super) async fn close(&self, drafts: Vec<EntryDraft>) -> Result<()> {
        self.ask(|answer| Request::Close { drafts, answer }).await
    }
}
