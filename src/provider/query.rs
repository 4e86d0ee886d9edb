//! What is asked of a backend, and one page of its answer.

use std::num::NonZeroUsize;

use super::entry::TapeIndexEntry;
use crate::catalog::{Filter, Summary, Verdict};
use crate::error::{Code, Error, Result};
use crate::tape::Header;
use crate::time::Timestamp;

/// Conditions, and which page. The default asks for everything.
///
/// ```
/// use immutape::provider::Query;
/// use immutape::time::Timestamp;
/// let query = Query::parse("class:contracts tag:urgent \"late payment\"", Timestamp::from_ms(0))?.page(20, None);
/// assert_eq!(query.filter.tags, ["urgent"]);
/// assert!(Query::parse("no-such:thing", Timestamp::from_ms(0)).is_ok(), "that is text");
/// assert!(Query::parse("nosuch:thing", Timestamp::from_ms(0)).is_err());
/// # Ok::<(), immutape::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Query {
    /// Conditions that must all hold.
    pub filter: Filter,
    /// Most tapes on one page; without it, as many as the backend gives at once.
    pub limit: Option<NonZeroUsize>,
    /// [`Page::next`] of the page before.
    pub cursor: Option<String>,
}

impl Query {
    /// Everything.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Reads the words of a search (`docs/operating.md`): conditions like `name:x`, and text.
    ///
    /// # Errors
    /// `E_USAGE`, naming the word.
    pub fn parse(search: &str, now: Timestamp) -> Result<Self> {
        let filter = Filter::parse(search, now).map_err(|e| Error::new(Code::Usage, e.to_string()).with_source(e))?;
        Ok(Self { filter, ..Self::default() })
    }

    /// With at most so many tapes (0: no bound), going on where a page ended.
    #[must_use]
    pub fn page(self, limit: usize, cursor: Option<String>) -> Self {
        Self { limit: NonZeroUsize::new(limit), cursor, ..self }
    }

    /// Does a tape pass the conditions? For backends without an index of their own.
    #[must_use]
    pub fn passes(&self, entry: &TapeIndexEntry, header: &Header) -> bool {
        let summary = Summary::of(entry.id, header, entry.saved, entry.stored_bytes);
        match self.filter.judge(&summary, None) {
            Verdict::Passes => true,
            Verdict::Fails => false,
            Verdict::AskHeader => self.filter.passes(header, &summary, None),
        }
    }
}

/// One page of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Page {
    /// Tapes, in the order in which they were kept.
    pub tapes: Vec<TapeIndexEntry>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
    /// Tapes that could not be judged or shown, because something of them is lost or damaged; they are not on the page.
    pub undecided: u64,
}
