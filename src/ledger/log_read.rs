//! Reading the log: itself an entry, written once, with the range that was read.

use std::ops::Range;

use super::Who;
use super::acts::Act;
use super::core::Core;
use crate::catalog::StoredEntry;
use crate::codec::digest::{CustodyId, LeafHash};
use crate::error::{Code, Error, Result};
use crate::governance::Action;
use crate::log::{Body, Entry, EntryKind, LogError, PrivateHalf, leaf_hash};
use crate::seal::PrivateAad;
use crate::time::Timestamp;

/// One entry, opened as far as keys allow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLine {
    /// Index.
    pub index: u64,
    /// Leaf hash.
    pub leaf: LeafHash,
    /// When.
    pub time: Timestamp,
    /// What.
    pub kind: EntryKind,
    /// Whom it is about.
    pub subject: CustodyId,
    /// Position in the subject's chain.
    pub subject_seq: u64,
    /// Public facts.
    pub body: Body,
    /// Private half; `None` when its key is gone.
    pub private: Option<PrivateHalf>,
}

impl Core {
    /// Entries of a range, in order; the reading is recorded first.
    pub(super) async fn read_log(&self, who: &Who, range: Range<u64>) -> Result<(Vec<LogLine>, u64)> {
        self.permit(who, Action::ReadLog, None).await?;
        let (_, size) = self.settled_queries()?;
        let range = range.start.min(size)..range.end.min(size);
        let body = Body::LogRead { first: range.start, last: range.end.saturating_sub(1).max(range.start) };
        let draft = self.draft(&Act::about_ledger(who, body), |_| {})?;
        let placed = self.append(vec![draft]).await?;
        let mut lines = Vec::new();
        self.queries().entries(range, &mut |_, stored| {
            lines.push(self.open_entry(&stored)?);
            Ok(true)
        })?;
        Ok((lines, placed.first().map_or(0, |p| p.index)))
    }

    /// Opens both halves of an entry.
    pub(super) fn open_entry(&self, stored: &StoredEntry) -> Result<LogLine> {
        let entry = Entry::decode(&stored.public)?;
        let fault = |fault| LogError::Body { index: entry.index, kind: entry.kind.number(), fault };
        let body = Body::decode(entry.kind, entry.body).map_err(fault)?;
        let aad = PrivateAad { origin: self.origin(), kind: entry.kind.number(), subject: &entry.subject };
        let private = match self.vault_read()?.custody_key(&entry.key_id) {
            None => None,
            Some(key) => {
                let map = key.open(aad, &stored.sealed, &entry.commitment).map_err(|e| {
                    Error::new(Code::LogDamaged, format!("the private half of entry {} does not open", entry.index))
                        .with_source(e)
                })?;
                Some(PrivateHalf::decode(&map).map_err(LogError::from)?)
            }
        };
        Ok(LogLine {
            index: entry.index,
            leaf: leaf_hash(&stored.public),
            time: entry.time,
            kind: entry.kind,
            subject: entry.subject,
            subject_seq: entry.subject_seq,
            body,
            private,
        })
    }
}
