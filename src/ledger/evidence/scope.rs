//! From what was asked to tapes: which are given, which are withheld, and which do not pass, with the field that shows it.

use std::sync::Arc;

use super::BUNDLE_TAPES_MAX;
use super::begin::{EvidenceOrder, Wanted};
use crate::catalog::{CatalogRow, Filter, Queries};
use crate::codec::digest::CustodyId;
use crate::codec::escape::visible_short;
use crate::error::{Code, Error, Result};
use crate::evidence::bundle::{Asked, AskedIds, AskedQuery, ENTRIES_MAX, OutOfScope, What, Withheld};
use crate::governance::Action;
use crate::ledger::Who;
use crate::ledger::core::Core;
use crate::ledger::list::Listing;
use crate::ledger::look_up::FoundTape;
use crate::ledger::search::{Found, Passed};
use crate::log::Entry;
use crate::time::Timestamp;

/// Most entries of one time: as many again are about its tapes.
const SPAN_ENTRIES_MAX: u64 = ENTRIES_MAX as u64 / 2;

/// The tapes of a bundle, and those that are not in it.
pub(super) struct InScope {
    pub asked: Asked,
    pub span: Option<(u64, u64)>,
    /// With the index of the entry that saved each.
    pub given: Vec<(FoundTape, u64)>,
    pub withheld: Vec<Withheld>,
    pub out: Vec<(OutOfScope, FoundTape)>,
}

impl Core {
    /// Finds what an order asks for, below `size`. Nothing leaves here.
    pub(super) async fn evidence_scope(
        self: &Arc<Self>,
        who: &Who,
        order: &EvidenceOrder,
        size: u64,
    ) -> Result<InScope> {
        let mut scope = match &order.wanted {
            Wanted::Ids(ids) => self.by_ids(who, ids, size).await?,
            Wanted::Query { filter, from, to } => {
                self.permit(who, Action::Evidence, None).await?;
                let span = self.span(*from, *to, size)?;
                let asked = AskedQuery { query: filter.to_text(), sealed_ms: (from.as_ms(), to.as_ms()) };
                self.by_query(who, filter, asked, (span, size)).await?
            }
        };
        self.leave_out(who, order, &mut scope).await?;
        scope.given.sort_by_key(|(found, _)| *found.facts.tape.as_bytes());
        match scope.given.len() {
            0 => Err(Error::new(Code::NotFound, "no tape is left that could be given").with_hint(
                "a bundle without a tape proves nothing; ask for other ids, another search or another time",
            )),
            n if n > BUNDLE_TAPES_MAX => Err(Error::new(
                Code::Limit,
                format!("{n} tapes are asked for, and one bundle has at most {BUNDLE_TAPES_MAX}"),
            )
            .with_hint("make several, each for a shorter time")),
            _ => Ok(scope),
        }
    }

    async fn by_ids(&self, who: &Who, ids: &[String], size: u64) -> Result<InScope> {
        let mut given: Vec<(FoundTape, u64)> = Vec::new();
        for id in ids {
            let found = self.look_up(who, Action::Evidence, id).await?;
            if !given.iter().any(|(other, _)| other.custody == found.custody) {
                let saved = self.saved(&found.custody)?;
                given.push((found, saved));
            }
        }
        if given.iter().any(|(_, saved)| *saved >= size) {
            return Err(Error::new(Code::RowsUnavailable, "a tape that was saved a moment ago is not in the rows yet"));
        }
        let asked = Asked::Ids(AskedIds { ids: given.iter().map(|(found, _)| found.facts.tape).collect() });
        Ok(InScope { asked, span: None, given, withheld: Vec::new(), out: Vec::new() })
    }

    fn saved(&self, custody: &CustodyId) -> Result<u64> {
        let missing = || Error::new(Code::RowsUnavailable, "the entry that saved a tape is missing in sled");
        self.queries().saved_index(custody)?.ok_or_else(missing)
    }

    /// Judges every tape of the time. It is a search like any other: what passed is recorded before anything comes of it, an
    /// error too.
    async fn by_query(
        self: &Arc<Self>,
        who: &Who,
        filter: &Filter,
        asked: AskedQuery,
        (span, size): ((u64, u64), u64),
    ) -> Result<InScope> {
        let [from, to] = [asked.sealed_ms.0, asked.sealed_ms.1].map(|ms| Timestamp::from_ms(ms).to_text());
        let words = format!("sealed:{from}..{to} {}", asked.query);
        let (scope, passed) = self.judged(filter, asked, span, size)?;
        let undecided = scope.withheld.len() as u64;
        self.tell(who, Action::Search, words.trim_end().to_owned(), Found::whole(passed, size, undecided)).await?;
        Ok(scope)
    }

    fn judged(
        &self,
        filter: &Filter,
        asked: AskedQuery,
        span: (u64, u64),
        size: u64,
    ) -> Result<(InScope, Vec<Listing>)> {
        let queries = self.queries();
        let rows = self.rows_in(&queries, &asked, span, size)?;
        let labelled = queries.labelled()?;
        let mut scope = InScope {
            asked: Asked::Query(asked),
            span: Some(span),
            given: Vec::new(),
            withheld: Vec::new(),
            out: Vec::new(),
        };
        let mut passed = Vec::new();
        for row in rows {
            let found = self.of_row(&row)?;
            let (tape, custody, entry) = (row.facts.tape, row.custody, row.index);
            match self.passes(&row, filter, labelled.get(&custody).copied()) {
                Passed::Yes(listing) => {
                    scope.given.push((found, entry));
                    passed.push(*listing);
                }
                Passed::No { field, why } => {
                    scope.out.push((OutOfScope { tape, custody, entry, field, why }, found));
                }
                Passed::Unknown => {
                    let why = "nobody can tell whether it passes: its key or its row is lost or damaged".into();
                    let what = What::Tape;
                    scope.withheld.push(Withheld { what, tape, custody, entry, fields: Vec::new(), why });
                }
            }
        }
        Ok((scope, passed))
    }

    /// Rows of the tapes that entries of the span saved in the time that was asked for.
    fn rows_in(
        &self,
        queries: &Queries<'_>,
        asked: &AskedQuery,
        (first, last): (u64, u64),
        size: u64,
    ) -> Result<Vec<CatalogRow>> {
        let mut rows = Vec::new();
        queries.catalog_from(first, &mut |row| {
            if row.index > last || row.index >= size {
                return Ok(false);
            }
            if row.index >= first {
                rows.push(row);
            }
            Ok(true)
        })?;
        let (from, to) = asked.sealed_ms;
        let mut kept = Vec::with_capacity(rows.len());
        for row in rows {
            if (from..=to).contains(&self.time_of(row.index)?.as_ms()) {
                kept.push(row);
            }
        }
        Ok(kept)
    }

    fn of_row(&self, row: &CatalogRow) -> Result<FoundTape> {
        let class = self.class_of(&row.facts.class_key)?;
        Ok(FoundTape { custody: row.custody, facts: row.facts.clone(), class })
    }

    fn time_of(&self, index: u64) -> Result<Timestamp> {
        let missing = || Error::new(Code::RowsUnavailable, format!("entry {index} is missing in sled"));
        Ok(Entry::decode(&self.queries().entry(index)?.ok_or_else(missing)?.public)?.time)
    }

    /// The entries that show what was saved from `from` to `to`: with the one before, and the one behind.
    fn span(&self, from: Timestamp, to: Timestamp, size: u64) -> Result<(u64, u64)> {
        if from > to {
            return Err(Error::new(Code::Usage, "the time that is asked for ends before it begins"));
        }
        // Times never fall, so both ends are found by halving.
        let first_at = |wanted: &dyn Fn(Timestamp) -> bool| -> Result<u64> {
            let (mut low, mut high) = (0, size);
            while low < high {
                let middle = low.midpoint(high);
                if wanted(self.time_of(middle)?) { high = middle } else { low = middle.saturating_add(1) }
            }
            Ok(low)
        };
        let first = first_at(&|time| time >= from)?.saturating_sub(1);
        let last = first_at(&|time| time > to)?.min(size.saturating_sub(1));
        let count = last.saturating_sub(first);
        if count >= SPAN_ENTRIES_MAX {
            return Err(Error::new(Code::Limit, format!("{count} entries lie in this time, too many for one bundle"))
                .with_hint("make several, each for a shorter time"));
        }
        Ok((first, last))
    }

    async fn leave_out(&self, who: &Who, order: &EvidenceOrder, scope: &mut InScope) -> Result<()> {
        for (id, why) in &order.withhold {
            let found = self.look_up(who, Action::Evidence, id).await?;
            let Some(at) = scope.given.iter().position(|(other, _)| other.custody == found.custody) else {
                let shown = visible_short(id.as_bytes(), 80);
                return Err(Error::new(Code::Usage, format!("\"{shown}\" is withheld and was not asked for")));
            };
            let (found, entry) = scope.given.remove(at);
            let (tape, custody) = (found.facts.tape, found.custody);
            let why = why.clone();
            scope.withheld.push(Withheld { what: What::Tape, tape, custody, entry, fields: Vec::new(), why });
        }
        Ok(())
    }
}
