//! The one writer: gathers what callers ask for into groups, makes each durable, answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::ReleasedHead;
use super::applier::Applier;
use super::core::{Core, again, broken};
use super::gather::{BETWEEN_LOOKS, Gather, Wait};
use super::key_life::Turnover;
use crate::codec::digest::CustodyId;
use crate::codec::limits::{GROUP_ENTRIES_MAX, HEAD_FILE_INTERVAL_MS};
use crate::error::{Code, Error, Result};
use crate::log::{ChainState, EntryDraft, KeyHistory, PlacedEntry, SubjectTip};
use crate::seal::TapeSecret;

use super::commit::{SaveAnswer, SealedSave};

/// Where an answer goes.
pub(super) type Answer<T> = oneshot::Sender<Result<T>>;

/// What callers ask of the writer.
pub(super) enum Request {
    /// Append these drafts next to each other in one group.
    Append { drafts: Vec<EntryDraft>, is_refusal: bool, answer: Answer<Vec<PlacedEntry>> },
    /// Keep the key of a recording that is about to be opened; the answer is its epoch.
    Key { id: CustodyId, secret: Box<TapeSecret>, answer: Answer<[u8; 16]> },
    /// Keep a tape: key, objects, entry.
    Save { save: Box<SealedSave>, answer: Answer<SaveAnswer> },
    /// Sign a head over what is durable.
    Head { answer: Answer<ReleasedHead> },
    /// Append these drafts as the last group of this term and stop.
    Close { drafts: Vec<EntryDraft>, answer: Answer<()> },
    /// As a close, by which keys of the log change; the answer are those that it has then.
    TurnOver { turnover: Box<Turnover>, answer: Answer<KeyHistory> },
}

/// State that only the writer's thread touches.
pub(super) struct Writer {
    pub(super) core: Arc<Core>,
    pub(super) chain: ChainState,
    /// Tips of subjects whose newest entry may not be in rows yet.
    pub(super) tips: HashMap<CustodyId, (SubjectTip, u64)>,
    /// Terms of contents whose rows may not be there yet.
    pub(super) terms: HashMap<[u8; 32], (CustodyId, u64)>,
    /// Tips and terms of entries before this one may have been forgotten: rows know them.
    pub(super) forgotten: u64,
    /// Entries of the start, waiting to ride in the first group.
    pub(super) start: Vec<EntryDraft>,
    pub(super) applier: Applier,
    /// When the head file was last written, by the monotonic clock.
    pub(super) head_written_ns: Option<u64>,
    pub(super) epoch_used: u32,
    /// When a full disk was last looked at again, by the monotonic clock.
    pub(super) room_looked_for_ns: Option<u64>,
    gather: Gather,
    requests: mpsc::Receiver<Request>,
}

impl Writer {
    pub(super) fn new(
        core: Arc<Core>,
        chain: ChainState,
        start: Vec<EntryDraft>,
        applier: Applier,
        epoch_used: u32,
        requests: mpsc::Receiver<Request>,
    ) -> Self {
        Self {
            core,
            forgotten: chain.size(),
            chain,
            tips: HashMap::new(),
            terms: HashMap::new(),
            start,
            applier,
            head_written_ns: None,
            epoch_used,
            room_looked_for_ns: None,
            gather: Gather::default(),
            requests,
        }
    }

    /// Runs until the ledger is closed, dropped or broken.
    pub(super) fn run(mut self) {
        let _guard = super::core::PoisonOnPanic(self.core.progress.clone());
        while let Some(first) = self.requests.blocking_recv() {
            let batch = self.gather(first);
            let (batch, end) = split_end(batch);
            if !batch.is_empty() {
                self.commit(batch);
            }
            match end {
                None => {}
                Some(End::Close(drafts, answer)) => {
                    let result = self.close(drafts);
                    self.applier.finish();
                    let _caller_may_be_gone = answer.send(result);
                    return;
                }
                Some(End::TurnOver(turnover, answer)) => {
                    let result = self.close_with_other_keys(&turnover);
                    self.applier.finish();
                    let _caller_may_be_gone = answer.send(result);
                    return;
                }
            }
        }
        // Every handle was dropped without a close: the log says so at the next start.
        self.applier.finish();
    }

    fn gather(&mut self, first: Request) -> Vec<Request> {
        let mut entries = first.entries();
        let mut batch = vec![first];
        let take_waiting = |batch: &mut Vec<Request>, entries: &mut usize, requests: &mut mpsc::Receiver<Request>| {
            while *entries < GROUP_ENTRIES_MAX {
                match requests.try_recv() {
                    Ok(r) => {
                        *entries = entries.saturating_add(r.entries());
                        batch.push(r);
                    }
                    Err(_) => break,
                }
            }
        };
        take_waiting(&mut batch, &mut entries, &mut self.requests);
        if let Some(goal) = self.gather.goal(entries) {
            let (mut wait, mut found) = (Wait::begin(), 1);
            while entries < goal && wait.goes_on(found) {
                std::thread::sleep(BETWEEN_LOOKS);
                let before = entries;
                take_waiting(&mut batch, &mut entries, &mut self.requests);
                found = entries.saturating_sub(before);
            }
        }
        self.gather.gathered(entries);
        batch
    }

    pub(super) fn is_poisoned(&self) -> bool {
        self.core.progress.broken.load(Ordering::Acquire)
    }

    /// The last entry about a subject, before the group being built.
    pub(super) fn tip(&self, custody: &CustodyId) -> Result<Option<SubjectTip>> {
        if let Some((tip, _)) = self.tips.get(custody) {
            return Ok(Some(*tip));
        }
        Ok(self.core.queries().subject(custody)?.map(|row| row.tip))
    }

    /// A tape that is only now kept has no entry: its custody id was drawn for it. Rows need not be asked; that the
    /// generator did not repeat itself is seen as far as it costs nothing.
    pub(super) fn no_tip(&self, custody: &CustodyId) -> Result<Option<SubjectTip>> {
        if self.tips.contains_key(custody) {
            return Err(Error::new(Code::Internal, "a new custody id is in use already"));
        }
        Ok(None)
    }

    /// Forgets tips and terms that rows know by now.
    pub(super) fn forget_applied(&mut self) {
        const KEPT_MAX: usize = 4_096;
        if self.tips.len() > KEPT_MAX || self.terms.len() > KEPT_MAX {
            let applied = self.core.progress.applied();
            self.tips.retain(|_, (_, index)| *index >= applied);
            self.terms.retain(|_, (_, index)| *index >= applied);
            self.forgotten = self.forgotten.max(applied);
        }
    }

    pub(super) fn head_is_due(&self, now_ns: u64) -> bool {
        let interval = Duration::from_millis(HEAD_FILE_INTERVAL_MS);
        self.head_written_ns.is_none_or(|then| Duration::from_nanos(now_ns.saturating_sub(then)) >= interval)
    }
}

impl Request {
    const fn entries(&self) -> usize {
        match self {
            Self::Append { drafts, .. } => drafts.len(),
            Self::Save { .. } => 1,
            Self::Key { .. } | Self::Head { .. } => 0,
            Self::Close { .. } | Self::TurnOver { .. } => 0,
        }
    }

    /// Answers with an error.
    pub(super) fn fail(self, e: &Error) {
        match self {
            Self::Append { answer, .. } => drop(answer.send(Err(again(e)))),
            Self::Save { answer, .. } => drop(answer.send(Err(again(e)))),
            Self::Key { answer, .. } => drop(answer.send(Err(again(e)))),
            Self::Head { answer } => drop(answer.send(Err(again(e)))),
            Self::Close { answer, .. } => drop(answer.send(Err(again(e)))),
            Self::TurnOver { answer, .. } => drop(answer.send(Err(again(e)))),
        }
    }
}

/// How a term ends.
enum End {
    Close(Vec<EntryDraft>, Answer<()>),
    TurnOver(Box<Turnover>, Answer<KeyHistory>),
}

/// An end is the last thing a batch does; what came after it is answered as to a closed ledger.
fn split_end(batch: Vec<Request>) -> (Vec<Request>, Option<End>) {
    let (mut before, mut end) = (Vec::with_capacity(batch.len()), None);
    for request in batch {
        match request {
            late if end.is_some() => late.fail(&broken()),
            Request::Close { drafts, answer } => end = Some(End::Close(drafts, answer)),
            Request::TurnOver { turnover, answer } => end = Some(End::TurnOver(turnover, answer)),
            request => before.push(request),
        }
    }
    (before, end)
}
