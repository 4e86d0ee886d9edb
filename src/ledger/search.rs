//! Listing and searching: what passes is found first, the set is committed in an entry, and only then is a line given out.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Who;
use super::acts::Act;
use super::core::{Core, died};
use super::list::Listing;
use super::look_up::FoundTape;
use super::read::OpenedTape;
use crate::catalog::{CatalogRow, Filter, Verdict};
use crate::codec::digest::{CustodyId, ObjectDigest, RootHash};
use crate::codec::limits::{PRIVATE_SET_MAX, SET_LIST_MAX};
use crate::codec::random::bytes;
use crate::error::{Code, Error, Result};
use crate::governance::Action;
use crate::log::{Body, set_commitment};

/// Rows judged together, on all cores.
const ROWS_TOGETHER: usize = 2_048;

/// Where a listing goes on. It names the size of the log that the first page was asked at, so that pages never shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    size: u64,
    after: u64,
}

impl Cursor {
    /// Reads the text of [`Cursor::to_text`].
    ///
    /// ```
    /// use immutape::ledger::Cursor;
    /// assert_eq!(Cursor::parse("1042.77").unwrap().to_text(), "1042.77");
    /// assert!(Cursor::parse("77.1042").is_none() && Cursor::parse("1042").is_none());
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (size, after) = text.split_once('.')?;
        let is_number = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        if !is_number(size) || !is_number(after) {
            return None;
        }
        let cursor = Self { size: size.parse().ok()?, after: after.parse().ok()? };
        (cursor.after < cursor.size).then_some(cursor)
    }

    /// Text for the next question.
    #[must_use]
    pub fn to_text(self) -> String {
        format!("{}.{}", self.size, self.after)
    }
}

/// What is asked for.
///
/// ```
/// use std::num::NonZeroUsize;
/// use immutape::ledger::{Filter, ListRequest};
/// use immutape::time::Timestamp;
/// let now = Timestamp::from_ms(1_795_169_821_416);
/// let request = ListRequest::new(Filter::parse("tool:read_file since:7d", now)?).limit(NonZeroUsize::new(50));
/// assert_eq!(request.limit.map(NonZeroUsize::get), Some(50));
/// # Ok::<(), immutape::ledger::FilterError>(())
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ListRequest {
    /// Conditions that must all hold.
    pub filter: Filter,
    /// Most tapes on one page; without it as many as one entry can record, 655,359.
    pub limit: Option<NonZeroUsize>,
    /// Where the page before ended.
    pub cursor: Option<Cursor>,
}

impl ListRequest {
    /// Every tape that these conditions let pass, on one page.
    #[must_use]
    pub fn new(filter: Filter) -> Self {
        Self { filter, ..Self::default() }
    }

    /// At most so many on a page.
    #[must_use]
    pub fn limit(self, limit: impl Into<Option<NonZeroUsize>>) -> Self {
        Self { limit: limit.into(), ..self }
    }

    /// From where the page before ended: its [`ListPage::next`].
    #[must_use]
    pub fn cursor(self, cursor: impl Into<Option<Cursor>>) -> Self {
        Self { cursor: cursor.into(), ..self }
    }
}

/// One page of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListPage {
    /// Tapes, in the order in which they were saved.
    pub tapes: Vec<Listing>,
    /// Index of the entry that records this page.
    pub entry: u64,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
    /// Tapes that could not be judged, because their key or row is gone or damaged; they are not on the page.
    pub undecided: u64,
}

/// What was found and not yet told.
pub(super) struct Found {
    tapes: Vec<Listing>,
    /// Size of the log that the set is of.
    size: u64,
    next: Option<Cursor>,
    undecided: u64,
    /// Every tape there is, asked for without any condition.
    is_all: bool,
}

impl Found {
    /// Tapes that pass, of a question that has no pages.
    pub(super) const fn whole(tapes: Vec<Listing>, size: u64, undecided: u64) -> Self {
        Self { tapes, size, next: None, undecided, is_all: false }
    }
}

impl Core {
    /// Finds what passes. Blocks on the rows, and opens what the conditions need; nothing leaves before it is recorded.
    pub(super) fn find(&self, request: &ListRequest) -> Result<Found> {
        let (queries, now) = self.settled_queries()?;
        let (size, mut from) = match request.cursor {
            None => (now, 0),
            Some(cursor) if cursor.size > now => {
                return Err(Error::new(Code::Usage, "this cursor is of another ledger, or of an older copy of it")
                    .with_hint("ask again without it"));
            }
            Some(cursor) => (cursor.size, cursor.after.saturating_add(1)),
        };
        let limit = request.limit.map_or(SET_LIST_MAX, |n| n.get() as u64).min(SET_LIST_MAX);
        // Without a condition each row is on the page, and one more says whether it goes on.
        let together = if request.filter.is_empty() { limit.saturating_add(1) } else { u64::MAX };
        let together = usize::try_from(together).unwrap_or(usize::MAX).min(ROWS_TOGETHER);
        let labelled = queries.labelled()?;
        let is_all = request.filter.is_empty() && request.limit.is_none() && request.cursor.is_none();
        let mut found = Found { tapes: Vec::new(), size, next: None, undecided: 0, is_all };
        let mut listed = HashSet::new();
        loop {
            let (mut rows, mut last) = (Vec::new(), None);
            queries.catalog_from(from, &mut |row| {
                // What is saved while this runs is left out: a long list is known by `size` alone.
                if row.index >= size {
                    return Ok(false);
                }
                // A block of rows may begin before the one that is wanted.
                if row.index >= from {
                    last = Some(row.index);
                    // A tape has one row. Were it shown twice, the set in the entry would be none.
                    if listed.insert(row.custody) {
                        rows.push(row);
                    }
                }
                Ok(rows.len() < together)
            })?;
            let Some(last) = last else { break };
            for judged in self.judge(rows, &request.filter, &labelled) {
                match judged {
                    Judged::Fails => {}
                    Judged::Undecided => found.undecided = found.undecided.saturating_add(1),
                    Judged::Passes(_) if found.tapes.len() as u64 >= limit => {
                        let after = found.tapes.last().map_or(0, |t| t.entry);
                        found.next = Some(Cursor { size, after });
                        found.is_all = false;
                        return Ok(found);
                    }
                    Judged::Passes(listing) => found.tapes.push(*listing),
                }
            }
            from = last.saturating_add(1);
        }
        Ok(found)
    }

    /// Records what was found; the page.
    pub(super) async fn tell(
        self: &Arc<Self>,
        who: &Who,
        action: Action,
        words: String,
        found: Found,
    ) -> Result<ListPage> {
        let mut ids: Vec<CustodyId> = found.tapes.iter().map(|t| t.custody).collect();
        let salt = bytes(&*self.env.random)?;
        let root = set_commitment(&salt, &mut ids);
        let count = ids.len() as u64;
        // A list of everything is named by the size it was asked at, once it is too long to be written out.
        let is_long = count > PRIVATE_SET_MAX;
        let needs_list = is_long && !(found.is_all && action == Action::List);
        let mut draft = self.draft(&Act::about_ledger(who, body(action, root, count, found.size, None)), |p| {
            p.query = Some(words.into_bytes());
            p.set_salt = Some(salt);
            p.set = (count > 0 && !is_long).then(|| ids.clone());
        })?;
        if needs_list {
            let list = self.put_long_set(&draft.key_id, &root, &salt, &ids)?;
            draft.body = body(action, root, count, found.size, Some(list)).encode();
        }
        let entry = self.append(vec![draft]).await?.first().ok_or_else(died)?.index;
        Ok(ListPage { tapes: found.tapes, entry, next: found.next, undecided: found.undecided })
    }

    /// Judges rows on all cores, in their order.
    fn judge(&self, rows: Vec<CatalogRow>, filter: &Filter, labelled: &HashMap<CustodyId, u64>) -> Vec<Judged> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = rows.len().div_ceil(threads).max(64);
        let one = |row: &CatalogRow| self.judge_one(row, filter, labelled.get(&row.custody).copied());
        let parts: Vec<&[CatalogRow]> = rows.chunks(share).collect();
        let Some((first, others)) = parts.split_first() else { return Vec::new() };
        std::thread::scope(|scope| {
            let others: Vec<_> =
                others.iter().map(|part| scope.spawn(move || part.iter().map(one).collect::<Vec<_>>())).collect();
            let first: Vec<Judged> = first.iter().map(one).collect();
            let others = others.into_iter().map(|t| t.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            [first].into_iter().chain(others).flatten().collect()
        })
    }

    fn judge_one(&self, row: &CatalogRow, filter: &Filter, labelled: Option<u64>) -> Judged {
        let Ok(mut summary) = self.open_summary(row) else {
            // Who asks for everything is shown that it is there; of a condition nobody can tell.
            let passes = || Judged::Passes(Box::new(Listing::unreadable(row)));
            return if filter.is_empty() { passes() } else { Judged::Undecided };
        };
        let labels = match labelled.map(|index| self.labels_at(index)) {
            None => None,
            Some(Ok(labels)) => Some(labels),
            Some(Err(_)) if filter.is_empty() => None,
            Some(Err(_)) => return Judged::Undecided,
        };
        let passes = match filter.judge(&summary, labels.as_ref()) {
            Verdict::Passes => true,
            Verdict::Fails => false,
            Verdict::AskHeader => {
                let found = FoundTape { custody: row.custody, facts: row.facts.clone(), class: summary.class.clone() };
                match self.header_for_list(&found) {
                    Ok(opened) => filter.passes(&opened.header.header, &summary, labels.as_ref()),
                    Err(_) => return Judged::Undecided,
                }
            }
        };
        if !passes {
            return Judged::Fails;
        }
        if let Some(labels) = labels {
            summary.relabel(&labels);
        }
        let class_shown = self.schedule.shown(&summary.class);
        let (entry, custody) = (row.index, row.custody);
        Judged::Passes(Box::new(Listing { entry, custody, summary: Some(summary), class_shown, labelled }))
    }

    /// Does a tape pass, and if not, which field of its header shows that?
    pub(super) fn passes(&self, row: &CatalogRow, filter: &Filter, labelled: Option<u64>) -> Passed {
        match self.judge_one(row, filter, labelled) {
            Judged::Passes(listing) if listing.summary.is_some() => Passed::Yes(listing),
            Judged::Fails => self.why_not(row, filter, labelled).unwrap_or(Passed::Unknown),
            _ => Passed::Unknown,
        }
    }

    fn why_not(&self, row: &CatalogRow, filter: &Filter, labelled: Option<u64>) -> Result<Passed> {
        let labels = labelled.map(|index| self.labels_at(index)).transpose()?;
        let summary = self.open_summary(row)?;
        let found = FoundTape { custody: row.custody, facts: row.facts.clone(), class: summary.class.clone() };
        let header = self.header_for_list(&found)?.header.header;
        let (field, why) = filter.shown_by(&header, &summary, labels.as_ref());
        Ok(Passed::No { field, why })
    }

    /// A header that is looked at to judge a tape.
    pub(super) fn header_for_list(&self, found: &FoundTape) -> Result<OpenedTape> {
        self.progress.list_unwraps.fetch_add(1, Ordering::Relaxed);
        self.open_header(found)
    }

    fn open_summary(&self, row: &CatalogRow) -> Result<crate::catalog::Summary> {
        self.progress.list_unwraps.fetch_add(1, Ordering::Relaxed);
        let key = self.unwrap_row_key(&row.custody, &row.facts.epoch, row.facts.slot)?;
        let plain = key.open(row.custody.as_ref(), &row.summary)?;
        crate::catalog::Summary::decode(&plain)
            .map_err(|e| Error::new(Code::RowsUnavailable, "a row of the catalogue is damaged").with_source(e))
    }
}

/// Whether a tape passes a search.
pub(super) enum Passed {
    Yes(Box<Listing>),
    /// With the key of the header that shows it, where one does, and the condition that does not hold.
    No {
        field: Option<u64>,
        why: String,
    },
    Unknown,
}

enum Judged {
    Passes(Box<Listing>),
    Fails,
    Undecided,
}

fn body(action: Action, set: RootHash, count: u64, size: u64, list: Option<ObjectDigest>) -> Body {
    match action {
        Action::Search => Body::Searched { set, count, size, list },
        _ => Body::Listed { set, count, size, list },
    }
}

/// What was asked, in one spelling.
pub(super) fn query_text(request: &ListRequest) -> String {
    let filter = Some(request.filter.to_text()).filter(|text| !text.is_empty());
    let limit = request.limit.map(|n| format!("limit:{n}"));
    let cursor = request.cursor.map(|c| format!("cursor:{}", c.to_text()));
    let parts: Vec<String> = [filter, limit, cursor].into_iter().flatten().collect();
    if parts.is_empty() { "all".into() } else { parts.join(" ") }
}
