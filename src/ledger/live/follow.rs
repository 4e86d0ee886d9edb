//! Reading a recording while it happens: an entry first, then frame by frame as they come to the spool.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::acts::Act;
use super::super::core::died;
use super::super::facade::Ledger;
use super::super::read::TapeReader;
use super::super::{Event, Who};
use super::seal::Pieces;
use crate::codec::digest::{CustodyId, IdPrefix, TapeId};
use crate::error::{Code, Error, Result};
use crate::governance::Action;
use crate::log::{Body, Entry, EntryKind};
use crate::tape::LiveRecord;

/// Entries that are looked through at once for the next part of a session.
const ENTRIES_TOGETHER: u64 = 256;

/// Follows one recording. It needs no open ledger: what it gives was granted by an entry that is durable. It never makes
/// the recorder wait, however slow it is.
pub struct LiveFollower {
    custody: CustodyId,
    class: String,
    grant: u64,
    pieces: Pieces,
    given_bytes: u64,
    is_over: bool,
}

impl std::fmt::Debug for LiveFollower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveFollower").field("custody", &self.custody).finish_non_exhaustive()
    }
}

impl LiveFollower {
    /// The recording's custody id, which is also that of the tape that comes of it.
    #[must_use]
    pub const fn custody(&self) -> CustodyId {
        self.custody
    }

    /// Index of the entry that granted this.
    #[must_use]
    pub const fn grant_index(&self) -> u64 {
        self.grant
    }

    /// The next record, each once and in order, and none that a power cut could still take: what the recorder has written and not
    /// made durable yet is made so first, whatever durability the recording has. Only who calls this waits for that. `None` while there is none, and for ever once [`LiveFollower::is_over`]. A
    /// piece that is being written is waited for, and those of a spool that was closed meanwhile are given to the last.
    ///
    /// # Errors
    /// `E_IO`; `E_BROKEN` when the disk failed to make it durable; `E_TAPE_DAMAGED` when the spool was altered.
    pub fn next_record(&mut self) -> Result<Option<LiveRecord>> {
        if let Some(record) = self.at_hand() {
            return Ok(Some(record));
        }
        self.fetch()?;
        Ok(self.at_hand())
    }

    /// What [`LiveFollower::next_record`] does before it gives something, which may wait for the disk: on a thread for that, so that
    /// nobody else waits. What it finds stays at hand, whatever becomes of who asked for it.
    ///
    /// # Errors
    /// As there.
    pub fn fetch(&mut self) -> Result<()> {
        if self.is_over {
            return Ok(());
        }
        // Asked first: what is appended before the close is then found below.
        let is_closed = self.pieces.is_closed()?;
        self.pieces.fetch()?;
        if self.pieces.is_at_hand() {
            return Ok(());
        }
        if self.pieces.is_damaged() {
            return Err(Error::new(Code::TapeDamaged, "a piece of this recording does not open")
                .with_hint("`immutape verify` names what else was altered"));
        }
        self.is_over = is_closed;
        Ok(())
    }

    /// The next record, if it is at hand.
    pub fn at_hand(&mut self) -> Option<LiveRecord> {
        let record = self.pieces.at_hand()?;
        if let LiveRecord::Frame(frame) = &record {
            self.given_bytes = self.given_bytes.saturating_add(frame.payload.len() as u64);
        }
        self.is_over = matches!(record, LiveRecord::Ended { .. });
        Some(record)
    }

    /// Would the next record take no wait for the disk?
    #[must_use]
    pub fn has_durable(&self) -> bool {
        self.pieces.has_durable()
    }

    /// Nothing more will come: the recording ended, or was sealed for a recorder that is gone.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Is nobody there any more who records it, or seals it? What it holds then is all there will be, and is given all the
    /// same; the next start seals it.
    ///
    /// # Errors
    /// `E_IO`.
    pub fn is_abandoned(&self) -> Result<bool> {
        Ok(!self.is_over && !self.pieces.is_held()? && !self.pieces.is_closed()?)
    }

    /// Bytes of payload given so far.
    #[must_use]
    pub const fn bytes_given(&self) -> u64 {
        self.given_bytes
    }
}

impl Ledger {
    /// The recording whose custody id begins with `id`, if one that is not a tape yet has such an id.
    ///
    /// # Errors
    /// `E_BAD_ID`, `E_AMBIGUOUS_ID`, `E_IO`.
    pub fn find_live(&self, id: &str) -> Result<Option<CustodyId>> {
        let prefix = IdPrefix::parse(id).map_err(|e| {
            let shown = crate::codec::escape::visible_short(id.as_bytes(), 80);
            Error::new(Code::BadId, format!("\"{shown}\" is no id")).with_hint(e.to_string())
        })?;
        let mut found: Vec<CustodyId> = self.spooled()?;
        found.retain(|custody| prefix.matches(custody.as_bytes()));
        match found.as_slice() {
            [] => Ok(None),
            [one] => Ok(self.core().opened_facts(one)?.map(|_| *one)),
            _ => Err(Error::new(
                Code::AmbiguousId,
                format!("several recordings have ids that begin with {}", prefix.digits()),
            )
            .with_hint("give more digits")),
        }
    }

    /// The tape that came of a recording, by the custody id that both have.
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`.
    pub fn tape_of(&self, custody: &CustodyId) -> Result<Option<TapeId>> {
        self.core().tape_of(custody)
    }

    /// The part of a session that goes on from a tape which ended `continued`. It was opened before that tape was saved, as the
    /// last that names it: one before it was given up, without a frame.
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`.
    pub fn part_after(&self, custody: &CustodyId) -> Result<Option<CustodyId>> {
        let (queries, _) = self.core().settled_queries()?;
        let Some(row) = queries.subject(custody)? else { return Ok(None) };
        let first = row.first_index.saturating_add(1);
        let mut end = queries.saved_index(custody)?.unwrap_or(0);
        while end > first {
            let begin = end.saturating_sub(ENTRIES_TOGETHER).max(first);
            let mut found = None;
            queries.entries(begin..end, &mut |_, stored| {
                let entry = Entry::decode(&stored.public)?;
                if entry.kind == EntryKind::TAPE_OPENED
                    && let Ok(Body::TapeOpened { continues, .. }) = Body::decode(entry.kind, entry.body)
                    && continues == Some(*custody)
                {
                    found = Some(entry.subject);
                }
                Ok(true)
            })?;
            if found.is_some() {
                return Ok(found);
            }
            end = begin;
        }
        Ok(None)
    }

    /// Follows a recording from its first record on. The access entry is durable before this returns.
    ///
    /// # Errors
    /// `E_NOT_PERMITTED` (recorded), `E_NOT_FOUND` when it is no recording any more, `E_VAULT_DAMAGED`, `E_ROWS_UNAVAILABLE`, `E_IO`,
    /// `E_STORE_FULL`, `E_BROKEN`.
    pub async fn follow_live(&self, who: &Who, custody: &CustodyId) -> Result<LiveFollower> {
        let core = self.core();
        core.refuse_if_broken()?;
        core.permit(who, Action::Follow, Some(&custody.to_hex())).await?;
        let facts = core.opened_facts(custody)?.ok_or_else(|| super::seal::not_opened(custody))?;
        // Opened before the entry, so that a recording that is sealed meanwhile can still be followed to its end.
        let reader = core.stores.spool.reader(custody)?;
        let draft = core.draft(&Act::about_tape(who, *custody, &facts.class, Body::Followed { first: 0 }), |_| {})?;
        let grant = core.append(vec![draft]).await?.first().ok_or_else(died)?.index;
        core.env.observer.event(Event::Granted);
        core.progress.content_unwraps.fetch_add(1, Ordering::Relaxed);
        let keys = Arc::new(core.live_secret(custody, &facts.epoch)?.keys());
        let pieces = Pieces::durable(*custody, keys, reader);
        Ok(LiveFollower { custody: *custody, class: facts.class, grant, pieces, given_bytes: 0, is_over: false })
    }

    /// Opens a tape to be played back: `as_server` says that a program will be answered from it. Recorded as a replay, durable before
    /// this returns; how much was given is recorded as of any read.
    ///
    /// # Errors
    /// As [`Ledger::open_tape`].
    pub async fn open_replay(&self, who: &Who, id: &str, as_server: bool) -> Result<TapeReader> {
        self.core().refuse_if_broken()?;
        let as_what = (Action::Replay, Body::Replayed { how: u64::from(as_server) });
        TapeReader::open_as(self.core().clone(), who.clone(), id, None, as_what).await
    }

    /// Records how much a follower was given; durable on return. A follower that never comes to this leaves a grant without
    /// completion, which reads "amount unknown".
    ///
    /// # Errors
    /// `E_STORE_FULL`, `E_AUDIT_UNAVAILABLE`, `E_BROKEN`.
    pub async fn finish_follow(&self, who: &Who, follower: LiveFollower) -> Result<u64> {
        let body = Body::AccessCompleted { grant: follower.grant };
        let act = Act::about_tape(who, follower.custody, &follower.class, body);
        let draft = self.core().draft(&act, |p| p.bytes = Some(follower.given_bytes))?;
        Ok(self.core().append(vec![draft]).await?.first().ok_or_else(died)?.index)
    }
}
