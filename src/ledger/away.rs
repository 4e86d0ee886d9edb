//! Reading a tape while others have its ledger.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Who;
use super::acts::Act;
use super::core::died;
use super::facade::Ledger;
use super::read::kept_object;
use crate::codec::digest::{CustodyId, TapeId};
use crate::error::{Code, Error, Result};
use crate::log::Body;
use crate::seal::{SealedHeader, TapeKeys, open_chunk};
use crate::store::{ObjectRef, Objects};
use crate::tape::{Frame, Header};

/// A tape that is read slowly: to somebody's eyes, or at the pace of its session. It needs no open ledger: what it gives was
/// granted by an entry that is durable, and what is kept never changes. Dropped without [`Ledger::finish_away`] it leaves a
/// grant without completion, which reads "amount unknown".
pub struct TapeAway {
    pub(super) store: Arc<dyn Objects>,
    pub(super) grant: u64,
    pub(super) custody: CustodyId,
    /// Frames that the entry names; `None` = all.
    pub(super) range: Option<(u64, u64)>,
    pub(super) class: String,
    pub(super) tape: TapeId,
    pub(super) keys: Arc<TapeKeys>,
    pub(super) header: SealedHeader,
    /// The header and the chunks, by position.
    pub(super) objects: Vec<ObjectRef>,
    pub(super) given: AtomicU64,
}

impl std::fmt::Debug for TapeAway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TapeAway").field("tape", &self.tape).finish_non_exhaustive()
    }
}

impl TapeAway {
    /// The tape.
    #[must_use]
    pub const fn tape(&self) -> TapeId {
        self.tape
    }

    /// Its custody id.
    #[must_use]
    pub const fn custody(&self) -> CustodyId {
        self.custody
    }

    /// Index of the entry that granted this.
    #[must_use]
    pub const fn grant_index(&self) -> u64 {
        self.grant
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header.header
    }

    /// Number of frames.
    #[must_use]
    pub fn frames_total(&self) -> u64 {
        self.header.chunks.iter().map(|chunk| chunk.frames).fold(0, u64::saturating_add)
    }

    /// Bytes of payload given so far.
    #[must_use]
    pub fn bytes_given(&self) -> u64 {
        self.given.load(Ordering::Relaxed)
    }

    /// Gives the frames from `first` to `last` that there are and that were granted, in order, one chunk in memory at a time,
    /// each checked as by [`super::TapeReader::frames`]. Blocks on the disk.
    ///
    /// # Errors
    /// `E_TAPE_DAMAGED`, errors of `each`.
    pub fn frames(&self, first: u64, last: u64, each: &mut dyn FnMut(Frame) -> Result<()>) -> Result<()> {
        let (from, to) = self.range.unwrap_or((0, u64::MAX));
        let wanted = first.max(from)..=last.min(to);
        for (position, range) in (1u64..).zip(&self.header.chunks) {
            let end = range.first_seq.saturating_add(range.frames).saturating_sub(1);
            if *wanted.start() > end || *wanted.end() < range.first_seq {
                continue;
            }
            let missing = || Error::new(Code::TapeDamaged, "the manifest names fewer chunks than the header");
            let place = usize::try_from(position).unwrap_or(usize::MAX);
            let stored = kept_object(&*self.store, self.objects.get(place).ok_or_else(missing)?)?;
            for frame in open_chunk(&self.keys, &self.custody, position, &stored, range)? {
                if wanted.contains(&frame.seq) {
                    self.given.fetch_add(frame.payload.len() as u64, Ordering::Relaxed);
                    each(frame)?;
                }
            }
        }
        Ok(())
    }
}

impl Ledger {
    /// Records how much a tape gave that was read away from its ledger; durable on return.
    ///
    /// # Errors
    /// `E_STORE_FULL`, `E_AUDIT_UNAVAILABLE`, `E_BROKEN`.
    pub async fn finish_away(&self, who: &Who, away: TapeAway) -> Result<u64> {
        let body = Body::AccessCompleted { grant: away.grant };
        let act = Act::about_tape(who, away.custody, &away.class, body);
        let draft = self.core().draft(&act, |p| p.bytes = Some(away.bytes_given()))?;
        Ok(self.core().append(vec![draft]).await?.first().ok_or_else(died)?.index)
    }
}
