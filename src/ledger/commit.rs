//! One commit: keys and objects durable, then the group durable (the commit point), then the answers.

use std::collections::HashSet;

use super::ReleasedHead;
use super::core::again;
use super::rows_queue::GroupForRows;
use super::sealing::{Stored, read_back};
use super::writer::{Answer, Request, Writer};
use crate::catalog::{Enrichment, ManifestPlace};
use crate::codec::digest::CustodyId;
use crate::codec::limits::EPOCH_TAPES_MAX;
use crate::error::{Code, Error, Result};
use crate::log::{Body, EntryDraft, FinishedGroup, GroupBuilder, GroupPlace, PlacedEntry};
use crate::seal::TapeSecret;
use crate::store::{Position, VaultRecord};

/// How long a full disk is believed to be full without another look.
const BETWEEN_LOOKS_FOR_ROOM_NS: u64 = 1_000_000_000;

/// A tape ready to be kept: its objects are put but not yet durable.
pub(super) struct SealedSave {
    pub custody: CustodyId,
    pub secret: TapeSecret,
    pub term: [u8; 32],
    /// Rows that had taken in so many entries did not know the term.
    pub unknown_at: u64,
    pub statement: Vec<u8>,
    /// The entry but for its body.
    pub draft: EntryDraft,
    /// Other entries of the same group: about a tape that this one amends, and what is to be said of a recording.
    pub beside: Vec<EntryDraft>,
    /// Entries about it stand in the log already, and it is kept whatever else says the same.
    pub is_live: bool,
    pub stored: Stored,
    pub summary: Vec<u8>,
}

/// What became of a save.
pub(super) enum SaveAnswer {
    /// Kept by this entry.
    Kept(PlacedEntry),
    /// The same content is kept already, under this custody id.
    AlreadyKept(CustodyId),
}

/// A save that passed its own checks, with its entry and what rows need to know.
struct ReadySave {
    drafts: Vec<EntryDraft>,
    term: [u8; 32],
    is_new: bool,
    enrichment: Enrichment,
    answer: Answer<SaveAnswer>,
}

/// A save and who waits for it.
type WaitingSave = (SealedSave, Answer<SaveAnswer>);

/// The key of a recording, and who waits for it.
type WaitingKey = (CustodyId, Box<TapeSecret>, Answer<[u8; 16]>);

/// What waits for the group being built.
enum Waiting {
    Append(Answer<Vec<PlacedEntry>>),
    Save(Answer<SaveAnswer>),
}

/// One answered unit of a batch.
struct Unit {
    drafts: Vec<EntryDraft>,
    /// The first draft is about a tape that no entry is about yet.
    is_new: bool,
    waiting: Waiting,
    term: Option<[u8; 32]>,
    enrichment: Option<Enrichment>,
}

impl ReadySave {
    /// The entry's body names the epoch that the key went to.
    fn new(save: SealedSave, answer: Answer<SaveAnswer>, (epoch, slot): ([u8; 16], u32)) -> Self {
        let SealedSave { term, statement, draft, beside, is_live, stored, summary, .. } = save;
        let enrichment = Enrichment {
            slot: Some(slot),
            manifest: Some(ManifestPlace { bytes: stored.manifest.bytes, hint: stored.manifest.hint }),
            hints: stored.objects.iter().map(|o| o.hint).collect(),
            dedupe: Some(term),
            summary,
        };
        let body = Body::TapeSaved { statement, epoch }.encode();
        let drafts = [EntryDraft { body, ..draft }].into_iter().chain(beside).collect();
        Self { drafts, term, is_new: !is_live, enrichment, answer }
    }
}

impl Writer {
    /// Commits a batch of requests; every one is answered.
    pub(super) fn commit(&mut self, batch: Vec<Request>) {
        if self.is_poisoned() {
            batch.into_iter().for_each(|r| r.fail(&super::core::broken()));
            return;
        }
        let now_ns = self.core.env.clock.read().monotonic_ns;
        let (heads, batch) = split_heads(batch);
        let (mut units, mut saves) = self.admit(batch, now_ns);
        loop {
            let (first, same) = first_of_each(saves);
            units.extend(self.keep_all(first).into_iter().map(|s| Unit {
                drafts: s.drafts,
                is_new: s.is_new,
                waiting: Waiting::Save(s.answer),
                term: Some(s.term),
                enrichment: Some(s.enrichment),
            }));
            self.commit_all(units);
            if same.is_empty() {
                break;
            }
            (units, saves) = (Vec::new(), same);
        }
        self.forget_applied();
        self.answer_heads(heads);
        if self.head_is_due(now_ns) && !self.is_poisoned() && self.core.may_sign().is_ok() {
            // The head file only narrows the window of a rollback; failing to write it is no reason to stop.
            let _next_try_in_a_second = self.write_head(crate::log::HeadState::Open);
        }
    }

    /// Commits these in as many groups as they need; none once a durable write failed.
    fn commit_all(&mut self, mut units: Vec<Unit>) {
        while !units.is_empty() {
            if self.is_poisoned() {
                return answer_all(units, &super::core::broken());
            }
            units = self.commit_some(units);
        }
    }

    /// One head for all who asked; it covers what was committed in the same turn.
    fn answer_heads(&mut self, heads: Vec<Answer<ReleasedHead>>) {
        if heads.is_empty() {
            return;
        }
        let head = if self.is_poisoned() { Err(super::core::broken()) } else { self.release() };
        for answer in heads {
            drop(answer.send(head.as_ref().cloned().map_err(again)));
        }
    }

    /// On a nearly full disk only refusals are let in, so that they can still be recorded.
    fn admit(&mut self, batch: Vec<Request>, now_ns: u64) -> (Vec<Unit>, Vec<WaitingSave>) {
        let is_full = self.is_full(now_ns);
        let (mut appends, mut saves, mut keys) = (Vec::new(), Vec::new(), Vec::new());
        for request in batch {
            match request {
                Request::Key { .. } if is_full => request.fail(&full()),
                Request::Key { id, secret, answer } => keys.push((id, secret, answer)),
                Request::Append { is_refusal: false, .. } if is_full => request.fail(&unrecordable()),
                Request::Save { .. } if is_full => request.fail(&full()),
                Request::Append { drafts, answer, .. } => {
                    let waiting = Waiting::Append(answer);
                    appends.push(Unit { waiting, drafts, is_new: false, term: None, enrichment: None });
                }
                Request::Save { save, answer } => saves.push((*save, answer)),
                Request::Head { .. } | Request::Close { .. } | Request::TurnOver { .. } => {
                    request.fail(&super::core::died());
                }
            }
        }
        self.keep_keys(keys);
        (appends, saves)
    }

    /// Makes the keys of recordings durable that are about to be opened. A crash after it leaves keys without a use.
    fn keep_keys(&mut self, keys: Vec<WaitingKey>) {
        let mut put = Vec::with_capacity(keys.len());
        for (id, secret, answer) in keys {
            match self.put_key((&id, &secret, [0; 32]), true) {
                Ok((epoch, _)) => put.push((epoch, answer)),
                Err(e) => drop(answer.send(Err(e))),
            }
        }
        if put.is_empty() {
            return;
        }
        let synced = self.core.heed(self.core.stores.vault.sync());
        for (epoch, answer) in put {
            drop(answer.send(synced.as_ref().map(|()| epoch).map_err(again)));
        }
    }

    /// Is the disk full, as far as is known now? Nothing that is refused for it would ever ask the journal for a place,
    /// so the journal is told to look again: at most once a second, for each look may write until the disk is full.
    fn is_full(&mut self, now_ns: u64) -> bool {
        let journal = &self.core.stores.journal;
        if !journal.is_nearly_full() {
            return false;
        }
        if self.room_looked_for_ns.is_none_or(|then| now_ns.saturating_sub(then) >= BETWEEN_LOOKS_FOR_ROOM_NS) {
            self.room_looked_for_ns = Some(now_ns);
            journal.look_for_room();
        }
        journal.is_nearly_full()
    }

    /// Makes keys and objects of all saves durable, two syncs for all; answers the ones that fail or are kept already.
    fn keep_all(&mut self, saves: Vec<WaitingSave>) -> Vec<ReadySave> {
        let mut ready = Vec::with_capacity(saves.len());
        for (save, answer) in saves {
            if self.is_poisoned() {
                drop(answer.send(Err(super::core::broken())));
                continue;
            }
            match self.known(&save) {
                Ok(Some(custody)) => drop(answer.send(Ok(SaveAnswer::AlreadyKept(custody)))),
                Ok(None) => match self.put_key((&save.custody, &save.secret, save.term), true) {
                    Ok((epoch, slot)) => ready.push((save, answer, epoch, slot)),
                    Err(e) => drop(answer.send(Err(e))),
                },
                Err(e) => drop(answer.send(Err(e))),
            }
        }
        if ready.is_empty() {
            return Vec::new();
        }
        // A crash here leaves keys of tapes that no entry names, and objects that no manifest in the log
        // names: orphans, counted by checks, never acknowledged.
        let synced = self.core.stores.objects.sync().and_then(|()| self.core.stores.vault.sync());
        if let Err(e) = synced {
            self.core.poison();
            ready.into_iter().for_each(|(_, answer, ..)| drop(answer.send(Err(again(&e)))));
            return Vec::new();
        }
        // Neighbours are read together. If something is wrong with one of them, each save learns whether it is its own.
        let unread: Vec<_> = ready.iter().flat_map(|(save, ..)| &save.stored.unread).copied().collect();
        let all_stand = read_back(&self.core, &unread).is_ok();
        let mut kept = Vec::with_capacity(ready.len());
        for (save, answer, epoch, slot) in ready {
            let stands = if all_stand { Ok(()) } else { read_back(&self.core, &save.stored.unread) };
            match stands {
                Ok(()) => kept.push(ReadySave::new(save, answer, (epoch, slot))),
                Err(e) => drop(answer.send(Err(e))),
            }
        }
        kept
    }

    /// The tape that holds this content by now. Rows are asked again only if a term may have come and been forgotten
    /// since the caller asked them.
    fn known(&self, save: &SealedSave) -> Result<Option<CustodyId>> {
        match self.terms.get(&save.term) {
            _ if save.is_live => Ok(None),
            Some((custody, _)) => Ok(Some(*custody)),
            None if save.unknown_at >= self.forgotten => Ok(None),
            None => self.core.kept_already(&save.term),
        }
    }

    fn put_key(
        &mut self,
        (custody, secret, dedupe): (&CustodyId, &TapeSecret, [u8; 32]),
        may_begin_anew: bool,
    ) -> Result<([u8; 16], u32)> {
        let epoch = self.epoch_with_room()?;
        let wrapped = {
            let keys = self.core.vault_read()?;
            let missing = || Error::new(Code::Internal, "the open epoch has no key");
            let key = keys.epoch(&epoch).ok_or_else(missing)?;
            key.wrap_tape(self.core.origin(), custody, secret)?
        };
        let record = VaultRecord { custody_id: *custody, wrapped, dedupe };
        let slot = match self.core.heed(self.core.stores.vault.put(&epoch, &record)) {
            // A power cut may leave slots that are neither free nor taken: the epoch is given up early.
            Err(e) if may_begin_anew && matches!(e.code(), Code::Limit | Code::VaultDamaged) => {
                self.epoch_used = EPOCH_TAPES_MAX;
                return self.put_key((custody, secret, dedupe), false);
            }
            other => other?,
        };
        self.epoch_used = slot.saturating_add(1);
        Ok((epoch, slot))
    }

    /// The open epoch, or a new one when it is full.
    fn epoch_with_room(&mut self) -> Result<[u8; 16]> {
        if self.epoch_used < EPOCH_TAPES_MAX
            && let Some(epoch) = self.core.vault_read()?.open_epoch()
        {
            return Ok(epoch);
        }
        let epoch = self.core.begin_epoch()?;
        self.epoch_used = 0;
        Ok(epoch)
    }

    /// Commits as many units as one group holds; the rest is given back.
    fn commit_some(&mut self, units: Vec<Unit>) -> Vec<Unit> {
        let first_in_term = !self.start.is_empty();
        if first_in_term && let Err(e) = self.open_head_file() {
            answer_all(units, &without_head(e));
            return Vec::new();
        }
        let mut group = GroupBuilder::new(&self.chain);
        let now = self.core.env.clock.read().wall;
        for draft in &self.start {
            if let Err(e) = group.push(draft, now, |c| self.tip(c)) {
                answer_all(units, &e);
                return Vec::new();
            }
        }
        let (mut taken, mut rest) = (Vec::new(), Vec::new());
        for unit in units {
            let fits = rest.is_empty() && group.has_room_for(&unit.drafts);
            if !fits && !taken.is_empty() {
                rest.push(unit);
                continue;
            }
            let is_new = unit.is_new;
            // Of a save only the first entry is about the new tape; another may be about one that it amends.
            let tip = |custody: &CustodyId, n| if is_new && n == 0 { self.no_tip(custody) } else { self.tip(custody) };
            let drafts = unit.drafts.iter().enumerate();
            let pushed: Result<Vec<PlacedEntry>> =
                drafts.map(|(n, draft)| group.push(draft, now, |custody| tip(custody, n))).collect();
            match pushed {
                Ok(placed) => taken.push((unit, placed)),
                // Part of the unit may be in the builder: the whole group is given up, nothing was written.
                Err(e) => {
                    answer_all(taken.into_iter().map(|(u, _)| u).chain([unit]).collect(), &e);
                    return rest;
                }
            }
        }
        match self.write_group(group, false) {
            Ok(finished) => self.answer_group(finished, taken),
            Err(e) => answer_all(taken.into_iter().map(|(u, _)| u).collect(), &e),
        }
        rest
    }

    /// The commit point: when this returns, the group is durable.
    pub(super) fn write_group(&mut self, group: GroupBuilder, clean_close: bool) -> Result<FinishedGroup> {
        let place = self.core.stores.journal.place(group.extent_bytes())?;
        let place = GroupPlace {
            term: place.term,
            segment: place.segment,
            offset: place.offset,
            previous_group: place.previous_group,
        };
        let finished = {
            let keys = self.core.vault_read()?;
            group.finish(&place, clean_close, &keys.journal)
        };
        if let Err(e) = self.core.stores.journal.append(&finished.extent) {
            self.core.poison();
            return Err(e);
        }
        self.start.clear();
        self.chain = finished.state.clone();
        for (custody, tip) in &finished.tips {
            self.tips.insert(*custody, (*tip, self.chain.size()));
        }
        self.core.progress.set_durable(self.chain.size(), finished.header.root);
        let (entries, bytes) = (finished.placed.len() as u64, finished.extent.len() as u64);
        self.core.env.observer.event(super::Event::Committed { entries, bytes });
        Ok(finished)
    }

    fn answer_group(&mut self, finished: FinishedGroup, taken: Vec<(Unit, Vec<PlacedEntry>)>) {
        let mut enrichments = Vec::new();
        let mut answers = Vec::with_capacity(taken.len());
        for (unit, placed) in taken {
            if let (Some(enrichment), Some(draft)) = (unit.enrichment, unit.drafts.first()) {
                enrichments.push((draft.subject, enrichment));
                if let Some(term) = unit.term {
                    self.terms.insert(term, (draft.subject, self.chain.size()));
                }
            }
            answers.push((unit.waiting, placed));
        }
        for (waiting, placed) in answers {
            match waiting {
                Waiting::Append(answer) => drop(answer.send(Ok(placed))),
                Waiting::Save(answer) => {
                    let kept = placed.first().copied().map(SaveAnswer::Kept).ok_or_else(super::core::died);
                    drop(answer.send(kept));
                }
            }
        }
        // After the answers: rows may take their time, and a query that comes before them waits for them.
        self.hand_to_rows(finished, enrichments);
    }

    /// Hands a durable group to the applier.
    pub(super) fn hand_to_rows(&mut self, finished: FinishedGroup, enrichments: Vec<(CustodyId, Enrichment)>) {
        let place = Position { segment: finished.header.segment, offset: finished.header.offset };
        let next = Position { offset: place.offset.saturating_add(finished.extent.len() as u64), ..place };
        let leaves = finished.placed.iter().map(|placed| placed.leaf).collect();
        let (header, extent) = (finished.header, finished.extent);
        self.applier.group(GroupForRows { place, next, header, extent, leaves, enrichments });
    }
}

/// Of equal contents the first is kept now. The others wait until it is known what became of it: told of a tape
/// that is not in the log yet, they would find no row of it, and none ever if it failed.
fn first_of_each(saves: Vec<WaitingSave>) -> (Vec<WaitingSave>, Vec<WaitingSave>) {
    let mut seen = HashSet::new();
    saves.into_iter().partition(|(save, _)| seen.insert(save.term))
}

fn answer_all(units: Vec<Unit>, e: &Error) {
    for unit in units {
        match unit.waiting {
            Waiting::Append(answer) => drop(answer.send(Err(again(e)))),
            Waiting::Save(answer) => drop(answer.send(Err(again(e)))),
        }
    }
}

/// Nothing of a term is recorded before its head says that it is open.
fn without_head(e: Error) -> Error {
    if e.code() != Code::Io {
        return e;
    }
    let cause = std::error::Error::source(&e).map_or_else(String::new, |cause| format!(" ({cause})"));
    let words =
        format!("the signed head file cannot be written{cause}: nothing could be recorded, so nothing was given out");
    Error::new(Code::AuditUnavailable, words)
        .with_hint("look at the state folder's owner, its mode and the disk; `immutape verify` checks all the same")
}

fn unrecordable() -> Error {
    Error::new(Code::AuditUnavailable, "the disk is full: this could not be recorded, so nothing was given out")
        .with_hint("make room on the file system of the ledger folder; checks and `status` work meanwhile")
}

fn full() -> Error {
    Error::new(Code::StoreFull, "the disk is full: only refusals are still recorded, so nothing was saved")
        .with_hint("make room on the file system of the ledger folder; nothing kept so far is lost")
}

/// Who wants a head is answered behind everything else of the turn.
fn split_heads(batch: Vec<Request>) -> (Vec<Answer<ReleasedHead>>, Vec<Request>) {
    let (mut heads, mut others) = (Vec::new(), Vec::with_capacity(batch.len()));
    for request in batch {
        match request {
            Request::Head { answer } => heads.push(answer),
            other => others.push(other),
        }
    }
    (heads, others)
}
