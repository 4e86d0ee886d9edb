//! From a spool to a tape: read again from the disk, frame by frame, so that what is sealed is what was durable.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::Who;
use super::super::acts::Act;
use super::super::core::Core;
use super::super::facade::Ledger;
use super::super::save::{SaveOptions, SaveReceipt, TapeSaver};
use super::tape::LiveTape;
use crate::codec::digest::{CustodyId, Digest, RootHash, TapeId, sha256};
use crate::error::{Code, Error, Result};
use crate::governance::Action;
use crate::log::{Body, Entry, EntryDraft, EntryKind};
use crate::seal::{TapeKeys, TapeSecret, live_key_id, open_live};
use crate::store::files::FileLock;
use crate::store::{Spool, SpoolReader};
use crate::tape::{Frame, Header, LiveRecord, read_live_piece};

/// What a spool is called in an entry that says what failed a check.
pub(super) const SPOOL: u64 = 6;

/// Reads the records of one spool in order.
pub(in crate::ledger) struct Pieces {
    custody: CustodyId,
    keys: Arc<TapeKeys>,
    reader: Box<dyn SpoolReader>,
    number: u64,
    records: VecDeque<LiveRecord>,
    /// Length of a piece that was whole on the disk and did not open.
    refused_bytes: u64,
    /// Nothing is given that a power cut could still take.
    durable_only: bool,
}

impl Pieces {
    pub(in crate::ledger) fn new(custody: CustodyId, keys: Arc<TapeKeys>, reader: Box<dyn SpoolReader>) -> Self {
        Self { custody, keys, reader, number: 0, records: VecDeque::new(), refused_bytes: 0, durable_only: false }
    }

    /// For who shows what is recorded while it is: nothing is given that a power cut could still take.
    pub(super) fn durable(custody: CustodyId, keys: Arc<TapeKeys>, reader: Box<dyn SpoolReader>) -> Self {
        Self { durable_only: true, ..Self::new(custody, keys, reader) }
    }

    /// The next record; `None` while there is none. What follows a piece that does not open is never given: it would have
    /// a hole before it that nobody can measure.
    pub(in crate::ledger) fn next_record(&mut self) -> Result<Option<LiveRecord>> {
        self.fetch()?;
        Ok(self.at_hand())
    }

    /// Sees to it that the next record is at hand, if there is one. Waits for the disk where what is given must be durable.
    pub(super) fn fetch(&mut self) -> Result<()> {
        while self.records.is_empty() && self.refused_bytes == 0 {
            let piece = if self.durable_only { self.reader.next_durable_piece() } else { self.reader.next_piece() };
            let Some(sealed) = piece? else { return Ok(()) };
            let opened = open_live(&self.keys, &self.custody, self.number, &sealed).ok();
            match opened.and_then(|content| read_live_piece(&content, self.number).ok()) {
                Some(records) => {
                    self.number = self.number.saturating_add(1);
                    self.records = records.into();
                }
                None => self.refused_bytes = (sealed.len() as u64).max(1),
            }
        }
        Ok(())
    }

    /// The next record, if it is at hand.
    pub(super) fn at_hand(&mut self) -> Option<LiveRecord> {
        self.records.pop_front()
    }

    pub(in crate::ledger) fn is_damaged(&self) -> bool {
        self.refused_bytes > 0
    }

    pub(super) fn is_at_hand(&self) -> bool {
        !self.records.is_empty()
    }

    /// Would the next record take no wait for the disk?
    pub(super) fn has_durable(&self) -> bool {
        self.is_at_hand() || self.reader.has_durable()
    }

    pub(super) fn is_closed(&self) -> Result<bool> {
        self.reader.is_closed()
    }

    pub(super) fn is_held(&self) -> Result<bool> {
        self.reader.is_held()
    }

    /// Bytes that no record came out of.
    pub(super) fn unread_bytes(&self) -> Result<u64> {
        Ok(self.reader.bytes_behind()?.saturating_add(self.refused_bytes))
    }
}

/// What the log says of a recording that was not sealed.
pub(super) struct OpenedFacts {
    pub class: String,
    pub epoch: [u8; 16],
    pub entry: u64,
    /// The recording that it goes on from.
    pub continues: Option<CustodyId>,
    /// The newest mark: entry, frames, root.
    pub marked: Option<(u64, u64, RootHash)>,
}

/// Seals one recording: its records are read with [`LiveSealer::next_record`], its frames given back with
/// [`LiveSealer::frame`], and [`LiveSealer::finish`] makes it a tape.
pub struct LiveSealer {
    core: Arc<Core>,
    who: Who,
    custody: CustodyId,
    facts: OpenedFacts,
    /// Frames and root at the newest mark, as the spool has them.
    at_mark: Option<RootHash>,
    /// It begins with its beginning, which was durable before the log opened the recording.
    has_beginning: bool,
    pieces: Pieces,
    saver: TapeSaver,
    spool: Arc<dyn Spool>,
    /// Nobody else may touch the spool before it is closed.
    _hold: Box<dyn FileLock>,
}

impl Ledger {
    /// Seals a recording that ended.
    ///
    /// # Errors
    /// `E_NOT_PERMITTED` (recorded), `E_VAULT_DAMAGED`, `E_ROWS_UNAVAILABLE`, `E_IO`, `E_BROKEN`. The recording then stays in
    /// the spool, and the next start seals it.
    pub async fn seal_live(&self, who: &Who, live: LiveTape) -> Result<LiveSealer> {
        self.core().permit(who, Action::Record, None).await?;
        let LiveTape { custody, namespace, hold, .. } = live;
        let facts = self.core().opened_facts(&custody)?.ok_or_else(|| not_opened(&custody))?;
        self.sealer(who, custody, namespace, facts, hold)
    }

    pub(super) fn sealer(
        &self,
        who: &Who,
        custody: CustodyId,
        namespace: String,
        facts: OpenedFacts,
        hold: Box<dyn FileLock>,
    ) -> Result<LiveSealer> {
        let core = self.core().clone();
        let secret = core.live_secret(&custody, &facts.epoch)?;
        let spool = core.stores.spool.clone();
        let pieces = Pieces::new(custody, Arc::new(secret.keys()), spool.reader(&custody)?);
        let options = SaveOptions { class: facts.class.clone(), namespace, ..SaveOptions::default() };
        let saver = TapeSaver::of_live(core.clone(), core.stay_alive()?, who.clone(), options, (custody, secret))?;
        Ok(LiveSealer {
            core,
            who: who.clone(),
            custody,
            facts,
            at_mark: None,
            has_beginning: false,
            pieces,
            saver,
            spool,
            _hold: hold,
        })
    }
}

impl LiveSealer {
    /// The custody id.
    #[must_use]
    pub const fn custody(&self) -> CustodyId {
        self.custody
    }

    /// The tape that this recording goes on from. Parts are sealed in order; one that could not be is named by the entry of
    /// the opening alone. Waits for query rows.
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`.
    pub fn continues(&self) -> Result<Option<TapeId>> {
        self.facts.continues.map_or(Ok(None), |before| self.core.tape_of(&before))
    }

    /// Index of the entry that opened it.
    #[must_use]
    pub const fn entry(&self) -> u64 {
        self.facts.entry
    }

    /// The next record of the spool; `None` at its end.
    ///
    /// # Errors
    /// `E_IO`.
    pub fn next_record(&mut self) -> Result<Option<LiveRecord>> {
        let record = self.pieces.next_record()?;
        self.has_beginning |= matches!(record, Some(LiveRecord::Opened(_)));
        Ok(record)
    }

    /// Takes the next frame into the tape. Blocks as [`TapeSaver::frame`] does.
    ///
    /// # Errors
    /// As [`TapeSaver::frame`].
    pub fn frame(&mut self, frame: &Frame) -> Result<()> {
        self.note_mark();
        self.saver.frame(frame)
    }

    /// Frames so far.
    #[must_use]
    pub const fn frames(&self) -> u64 {
        self.saver.frames()
    }

    fn note_mark(&mut self) {
        if let Some((_, frames, _)) = self.facts.marked
            && frames == self.saver.frames()
            && self.at_mark.is_none()
        {
            self.at_mark = Some(self.saver.tree_root());
        }
    }

    /// Does the spool hold less than the log says was durable, or something else? Asked when every record was read.
    #[must_use]
    pub fn falls_short(&self) -> bool {
        let marked = self.facts.marked.is_some_and(|(_, frames, root)| {
            let stands = if frames == self.saver.frames() { Some(self.saver.tree_root()) } else { self.at_mark };
            stands != Some(root)
        });
        marked || !self.has_beginning || self.pieces.is_damaged()
    }

    /// Commits the tape; durable on return, and only then the spool is closed. `is_cut_off` says that the recording did
    /// not end in order, which is an entry of its own beside the tape's. A spool that holds less than was durable is put
    /// aside instead of closed, and an entry says so.
    ///
    /// A crash after the commit leaves the spool of a tape that is kept, and so does a disk that does not let it be removed:
    /// the next start closes it, or puts it aside where that entry stands.
    ///
    /// # Errors
    /// As [`TapeSaver::finish`].
    pub async fn finish(self, header: Header, is_cut_off: bool) -> Result<SaveReceipt> {
        let (falls_short, frames) = (self.falls_short(), self.saver.frames());
        let Self { core, who, custody, facts, pieces, saver, spool, _hold, .. } = self;
        let mut beside = Vec::new();
        if is_cut_off {
            let marked = facts.marked.map_or(0, |(_, frames, _)| frames);
            let body = Body::TapeTruncated { frames, marked, unread_bytes: pieces.unread_bytes()? };
            beside.push(core.draft(&Act::about_tape(&who, custody, &facts.class, body), |_| {})?);
        }
        if falls_short {
            beside.push(core.spool_failed(&who, &custody, &facts)?);
        }
        let receipt = saver.finish_live(header, beside).await?;
        // The tape is kept, whatever becomes of its spool now: the next start does the same with what is left of it.
        let _is_tried_again = if falls_short { spool.put_aside(&custody).map(drop) } else { spool.close(&custody) };
        Ok(receipt)
    }
}

impl Core {
    /// The entry about a spool that is not what the log says.
    fn spool_failed(&self, who: &Who, custody: &CustodyId, facts: &OpenedFacts) -> Result<EntryDraft> {
        let at = facts.marked.map_or(facts.entry, |(entry, ..)| entry);
        let body = Body::IntegrityFailed { what: SPOOL, at, digest: Some(self.spool_digest(custody)?) };
        self.draft(&Act::about_tape(who, *custody, &facts.class, body), |_| {})
    }

    /// `H` of the `H` of each whole piece of a spool: what an entry about it names it by.
    pub(super) fn spool_digest(&self, custody: &CustodyId) -> Result<Digest> {
        let mut reader = self.stores.spool.reader(custody)?;
        let mut hashes = Vec::new();
        while let Some(piece) = reader.next_piece()? {
            hashes.extend_from_slice(&sha256(&piece));
        }
        Ok(Digest::from_bytes(sha256(&hashes)))
    }

    /// Does an entry say that this recording's spool is not what the log says of it?
    pub(super) fn spool_was_wrong(&self, custody: &CustodyId) -> Result<bool> {
        let (queries, _) = self.settled_queries()?;
        let Some(row) = queries.subject(custody)? else { return Ok(false) };
        for index in queries.postings_of(custody, &row)? {
            let stored = queries.entry(index)?.ok_or_else(missing_row)?;
            let entry = Entry::decode(&stored.public)?;
            if entry.kind == EntryKind::INTEGRITY_FAILED
                && let Ok(Body::IntegrityFailed { what: SPOOL, .. }) = Body::decode(entry.kind, entry.body)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The tape that came of a recording. Rows that know the recording may not know that yet: they are waited for.
    pub(super) fn tape_of(&self, custody: &CustodyId) -> Result<Option<TapeId>> {
        Ok(self.settled_queries()?.0.subject(custody)?.and_then(|row| row.facts).map(|facts| facts.tape))
    }

    pub(super) fn live_secret(&self, custody: &CustodyId, epoch: &[u8; 16]) -> Result<TapeSecret> {
        self.unwrap_secret(&live_key_id(custody), epoch, None)
    }

    /// What the log says of a recording; `None` when it opened none of this id, or a tape came of it already.
    pub(super) fn opened_facts(&self, custody: &CustodyId) -> Result<Option<OpenedFacts>> {
        let (queries, _) = self.settled_queries()?;
        let Some(row) = queries.subject(custody)?.filter(|row| row.facts.is_none()) else { return Ok(None) };
        let first = queries.entry(row.first_index)?.ok_or_else(missing_row)?;
        let entry = Entry::decode(&first.public)?;
        let Ok(Body::TapeOpened { epoch, continues }) = Body::decode(entry.kind, entry.body) else { return Ok(None) };
        let class = self.class_of(&entry.key_id)?;
        let mut marked = None;
        for index in queries.postings_of(custody, &row)?.into_iter().rev() {
            let stored = queries.entry(index)?.ok_or_else(missing_row)?;
            let entry = Entry::decode(&stored.public)?;
            if entry.kind == EntryKind::RECORDING_MARK
                && let Ok(Body::RecordingMark { frames, root }) = Body::decode(entry.kind, entry.body)
            {
                marked = Some((index, frames, root));
                break;
            }
        }
        Ok(Some(OpenedFacts { class, epoch, entry: row.first_index, continues, marked }))
    }
}

fn missing_row() -> Error {
    Error::new(Code::RowsUnavailable, "an entry about a recording is missing in sled")
}

pub(super) fn not_opened(custody: &CustodyId) -> Error {
    let words = format!("the log has no open recording {}", custody.to_hex());
    Error::new(Code::NotFound, words).with_hint("`immutape list` shows what is recorded now")
}
