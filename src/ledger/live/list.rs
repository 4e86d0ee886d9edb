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
use crate::error::Result;
use crate::governance::Action;
use crate::log::{Body, set_commitment};
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
    /// What was known of the session then; `None` when its key or spool is damaged.
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

impl Ledger {
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
        let Ok(reader) = self.stores.spool.reader(&custody) else { return Ok(None) };
        let bytes = reader.bytes_behind()?;
        let is_short = bytes <= *left;
        if is_short {
            *left = left.saturating_sub(bytes);
        }
        if let Ok(secret) = self.live_secret(&custody, &facts.epoch) {
            let mut pieces = Pieces::new(custody, Arc::new(secret.keys()), reader);
            if let Some(LiveRecord::Opened(header)) = pieces.next_record()? {
                line.header = Some(*header);
            }
            if is_short {
                (line.frames, line.is_more) = (0, false);
                while let Some(record) = pieces.next_record()? {
                    match record {
                        LiveRecord::Frame(_) => line.frames = line.frames.saturating_add(1),
                        LiveRecord::Paused { .. } => line.is_paused = true,
                        LiveRecord::Resumed { .. } => line.is_paused = false,
                        _ => {}
                    }
                }
            }
        }
        line.is_live = self.stores.spool.hold(&custody)?.is_none();
        Ok(Some(line))
    }
}
