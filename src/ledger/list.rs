//! Listing: the set given out is committed in an entry before any line of it is opened.

use std::collections::HashSet;
use std::sync::atomic::Ordering;

use super::Who;
use super::acts::Act;
use super::core::Core;
use crate::catalog::{CatalogRow, Summary};
use crate::codec::digest::CustodyId;
use crate::codec::limits::PRIVATE_SET_BYTES_MAX;
use crate::codec::random::bytes;
use crate::error::{Code, Error, Result};
use crate::governance::Action;
use crate::log::{Body, set_commitment};

/// Custody ids written out in the private half; a longer list is named by the log size it was asked at.
const SET_MAX: usize = PRIVATE_SET_BYTES_MAX / 32;

/// One tape of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Index of the entry that saved it.
    pub entry: u64,
    /// Its custody id.
    pub custody: CustodyId,
    /// What the header says; `None` when its key or row is gone or damaged.
    pub summary: Option<Summary>,
    /// The class as listings show it.
    pub class_shown: String,
}

impl Core {
    /// Lists every tape, oldest first, with the index of the entry that records the listing.
    pub(super) async fn list(&self, who: &Who) -> Result<(Vec<Listing>, u64)> {
        self.permit(who, Action::List, None).await?;
        let (rows, size) = {
            let (queries, size) = self.settled_queries()?;
            let mut rows = Vec::new();
            let mut listed = HashSet::new();
            queries.catalog(&mut |row| {
                // A tape has one row. Were it shown twice, the set in the entry would be none. What is saved while this
                // runs is left out: a long list is known by `size` alone, and so is whose custody it belongs to.
                if row.index < size && listed.insert(row.custody) {
                    rows.push(row);
                }
                Ok(true)
            })?;
            (rows, size)
        };
        let mut ids: Vec<CustodyId> = rows.iter().map(|r| r.custody).collect();
        let salt = bytes(&*self.env.random)?;
        let set = set_commitment(&salt, &mut ids);
        let body = Body::Listed { set, count: ids.len() as u64, size };
        let draft = self.draft(&Act::about_ledger(who, body), |p| {
            p.query = Some(b"all".to_vec());
            p.set_salt = Some(salt);
            p.set = (1..=SET_MAX).contains(&ids.len()).then_some(ids);
        })?;
        let placed = self.append(vec![draft]).await?;
        let entry = placed.first().map_or(0, |p| p.index);
        Ok((rows.iter().map(|row| self.open_row(row)).collect(), entry))
    }

    fn open_row(&self, row: &CatalogRow) -> Listing {
        let summary = self.open_summary(row).ok();
        let class_shown = summary.as_ref().map_or_else(|| "unreadable".into(), |s| self.schedule.shown(&s.class));
        Listing { entry: row.index, custody: row.custody, summary, class_shown }
    }

    fn open_summary(&self, row: &CatalogRow) -> Result<Summary> {
        self.progress.list_unwraps.fetch_add(1, Ordering::Relaxed);
        let keys = self.unwrap_tape(&row.custody, &row.facts.epoch, row.facts.slot)?;
        let plain = keys.row_key().open(row.custody.as_ref(), &row.summary)?;
        Summary::decode(&plain)
            .map_err(|e| Error::new(Code::RowsUnavailable, "a row of the catalogue is damaged").with_source(e))
    }
}
