//! Recordings in lists.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::Who;
use super::super::acts::Act;
use super::super::core::{Core, died};
use super::super::facade::Ledger;
use super::seal::{OpenedFacts, Pieces};
use crate::codec::digest::CustodyId;
use crate::codec::limits::PRIVATE_SET_MAX;
use crate::codec::random::bytes;
use crate::error::{Code, Result};
use crate::governance::Action;
use crate::log::{Body, set_commitment};
use crate::seal::TapeKeys;
use crate::store::Spool;
use crate::store::SpoolReader;
use crate::tape::{Header, LiveRecord};

/// Spools of so many bytes in all are read to count frames for a list; of the others the newest mark says how many there were.
const COUNTED_BYTES_MAX: u64 = 4 << 20;

/// One recording of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LiveListing {
    /// Its custody id, which is all the id it has: a tape's comes from what was recorded in the end.
    pub custody: CustodyId,
    /// Index of the entry that opened it.
    pub entry: u64,
    /// What was known of the session then; `None` when its key or spool is damaged, or cannot be read.
    pub header: Option<Header>,
    /// Retention class.
    pub class: String,
    /// Frames, at least.
    pub frames: u64,
    /// There may be more of them.
    pub is_more: bool,
    /// Somebody records it now; otherwise its recorder is gone and the next start seals it.
    pub is_live: bool,
    /// Frames are not taken at the moment.
    pub is_paused: bool,
}

/// Recordings that are not tapes yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LiveCounts {
    /// Somebody records them now, and they are not known to be paused.
    pub running: u64,
    /// Somebody records them now, and frames are not taken at the moment. `None` where no key was there to look.
    pub paused: Option<u64>,
    /// Their recorder is gone: the next start seals them.
    pub left: u64,
}

impl LiveCounts {
    /// None at all?
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.running == 0 && self.left == 0 && self.paused.is_none_or(|paused| paused == 0)
    }

    /// From outside: by who holds which spool, without a key.
    pub(in crate::ledger) fn from_outside(spool: &dyn Spool) -> Result<Self> {
        let mut counts = Self::default();
        for custody in spool.recordings()? {
            let of = if spool.is_held(&custody)? { &mut counts.running } else { &mut counts.left };
            *of = of.saturating_add(1);
        }
        Ok(counts)
    }
}

impl Ledger {
    /// How many recordings there are that are not tapes yet. Releases nothing of them, and is not recorded. Whether a recording of
    /// more than 4 MiB is paused is not looked at.
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`, `E_IO`.
    pub fn live_counts(&self) -> Result<LiveCounts> {
        let core = self.core();
        let (mut counts, mut paused, mut left) = (LiveCounts::default(), 0u64, COUNTED_BYTES_MAX);
        for custody in core.stores.spool.recordings()? {
            let Some(facts) = core.opened_facts(&custody)? else { continue };
            let Some(line) = core.live_listing(custody, facts, &mut left)? else { continue };
            let of = match (line.is_live, line.is_paused) {
                (true, true) => &mut paused,
                (true, false) => &mut counts.running,
                (false, _) => &mut counts.left,
            };
            *of = of.saturating_add(1);
        }
        counts.paused = Some(paused);
        Ok(counts)
    }

    /// Lists the recordings that are not tapes yet, and the index of the entry that records this; none is written where there
    /// is nothing to list. An entry commits to so many of them at most: of more, further entries do, and the last is named.
    ///
    /// # Errors
    /// `E_NOT_PERMITTED` (recorded), `E_ROWS_UNAVAILABLE`, `E_IO`, `E_STORE_FULL`, `E_BROKEN`.
    pub async fn list_live(&self, who: &Who) -> Result<(Vec<LiveListing>, Option<u64>)> {
        let core = self.core();
        core.refuse_if_broken()?;
        core.permit(who, Action::List, None).await?;
        let mut found = Vec::new();
        for custody in core.stores.spool.recordings()? {
            if let Some(facts) = core.opened_facts(&custody)? {
                found.push((custody, facts));
            }
        }
        if found.is_empty() {
            return Ok((Vec::new(), None));
        }
        let mut last = 0;
        let at_most = usize::try_from(PRIVATE_SET_MAX).unwrap_or(usize::MAX);
        for some in found.chunks(at_most) {
            last = core.listed(who, some.iter().map(|(custody, _)| *custody).collect()).await?;
        }
        let mut left = COUNTED_BYTES_MAX;
        let lines =
            found.into_iter().filter_map(|(custody, facts)| core.live_listing(custody, facts, &mut left).transpose());
        Ok((lines.collect::<Result<_>>()?, Some(last)))
    }
}

impl LiveListing {
    /// Takes from the spool what the log does not know. Until all of it was read the newest mark counts.
    fn read(&mut self, reader: Box<dyn SpoolReader>, keys: Arc<TapeKeys>, left: &mut u64) -> Result<()> {
        let bytes = reader.bytes_behind()?;
        let mut pieces = Pieces::new(self.custody, keys, reader);
        if let Some(LiveRecord::Opened(header)) = pieces.next_record()? {
            self.header = Some(*header);
        }
        if bytes > *left {
            return Ok(());
        }
        *left = left.saturating_sub(bytes);
        let (mut frames, mut is_paused) = (0u64, false);
        while let Some(record) = pieces.next_record()? {
            match record {
                LiveRecord::Frame(_) => frames = frames.saturating_add(1),
                LiveRecord::Paused { .. } => is_paused = true,
                LiveRecord::Resumed { .. } => is_paused = false,
                _ => {}
            }
        }
        (self.frames, self.is_more, self.is_paused) = (frames, false, is_paused);
        Ok(())
    }
}

impl Core {
    /// The entry about recordings that are listed.
    async fn listed(&self, who: &Who, mut set: Vec<CustodyId>) -> Result<u64> {
        let salt = bytes(&*self.env.random)?;
        let commitment = set_commitment(&salt, &mut set);
        let (count, size) = (set.len() as u64, self.progress.durable().0);
        let body = Body::Listed { set: commitment, count, size, list: None };
        let draft = self.draft(&Act::about_ledger(who, body), |p| {
            p.set = Some(set);
            p.set_salt = Some(salt);
        })?;
        Ok(self.append(vec![draft]).await?.first().ok_or_else(died)?.index)
    }

    /// `None` for one that was sealed meanwhile. `left` says how much may still be read to count frames.
    fn live_listing(&self, custody: CustodyId, facts: OpenedFacts, left: &mut u64) -> Result<Option<LiveListing>> {
        self.progress.list_unwraps.fetch_add(1, Ordering::Relaxed);
        let marked = facts.marked.map_or(0, |(_, frames, _)| frames);
        let mut line = LiveListing {
            custody,
            entry: facts.entry,
            header: None,
            class: facts.class,
            frames: marked,
            is_more: true,
            is_live: false,
            is_paused: false,
        };
        let reader = match self.stores.spool.reader(&custody) {
            Ok(reader) => Some(reader),
            // Sealed meanwhile.
            Err(e) if e.code() == Code::NotFound => return Ok(None),
            // One that cannot be read is listed all the same, and hides none of the others: the log has it.
            Err(_) => None,
        };
        if let (Some(reader), Ok(secret)) = (reader, self.live_secret(&custody, &facts.epoch)) {
            let _what_cannot_be_read_stays_as_the_log_has_it = line.read(reader, Arc::new(secret.keys()), left);
        }
        line.is_live = self.stores.spool.is_held(&custody)?;
        Ok(Some(line))
    }
}
