//! Sled's copy against the journal, extent by extent; when the journal broke off, sled's copy on its own.

use super::journal::{Walk, Walked};
use super::tapes::SavedTapes;
use super::{CheckOptions, Checker, catalog};
use crate::catalog::{Queries, TilesCheck, pieces_to_extents};
use crate::codec::extent::Group;
use crate::error::{Code, Error, Result};
use crate::evidence::{Report, Severity};
use crate::ledger::head_file;
use crate::ledger::rebuild::BEGINNING;
use crate::log::{LogError, leaf_hash};
use crate::store::{Position, Rows};

/// Compares; gives what sled's copy proves by itself when the journal did not reach its own end.
pub(super) fn compare(
    checker: &Checker,
    options: &CheckOptions,
    journal: &Walked,
    saved: &mut SavedTapes,
    report: &mut Report,
) -> Option<Walked> {
    let asked = match checker.rows() {
        Ok(asked) => asked,
        Err(e) => {
            saved.anchors.compare(checker, options, journal, None, report);
            report.find(Severity::Gap, "rows", "index", format!("sled's copy was not looked at: {}", e.message()));
            report.skip("sled", "in use by another process, or its lock cannot be taken");
            return None;
        }
    };
    let rows = &*asked.rows;
    let (found, is_equal) = with_rows(checker, options, journal, rows, saved, report);
    saved.anchors.compare(checker, options, journal, is_equal.then_some(rows), report);
    found
}

/// What sled's copy proves by itself, as above, and whether it is the journal's, tree hashes and all.
fn with_rows(
    checker: &Checker,
    options: &CheckOptions,
    journal: &Walked,
    rows: &dyn Rows,
    saved: &mut SavedTapes,
    report: &mut Report,
) -> (Option<Walked>, bool) {
    let queries = Queries::new(rows);
    let Some(size) = size(checker, rows, &queries, report) else { return (None, false) };
    if journal.broken_at.is_some() {
        return (Some(alone(checker, &queries, saved, report)), false);
    }
    if options.size.is_none() && size > journal.entries {
        let what = format!(
            "sled's copy goes on after the journal's last entry, {}: the journal lost its end",
            journal.entries
        );
        report.find(Severity::Altered, "rows", "index", what);
        return (Some(alone(checker, &queries, saved, report)), false);
    }
    let mut tiles = Tiles::default();
    if !leaf_by_leaf(checker, options.size.unwrap_or(journal.entries), rows, &mut tiles, report) {
        return (None, false);
    }
    saved.rows = catalog::compare(checker, &queries, journal, saved, report);
    (None, tiles.finish(rows, options.size.is_some(), report))
}

/// How many entries the rows say they have; `None`, and why is told, when there is nothing to compare.
fn size(checker: &Checker, rows: &dyn Rows, queries: &Queries<'_>, report: &mut Report) -> Option<u64> {
    match if rows.is_there() { queries.position() } else { Ok(None) } {
        Ok(Some(position)) if position.ledger != checker.identity.ledger => {
            report.find(Severity::Altered, "rows", "index", "the rows in sled belong to another ledger");
            report.check("sled", 1, 1, "rows of another ledger");
            None
        }
        Ok(Some(position)) => Some(position.chain.size()),
        Ok(None) => {
            let what = "sled holds no copy of the log; the next opening builds it from the journal";
            report.find(Severity::Gap, "rows", "index", what);
            report.skip("sled", "empty");
            None
        }
        Err(e) => {
            let then = if e.code() == Code::Locked { "" } else { "; the next opening builds them from the journal" };
            report.find(Severity::Gap, "rows", "index", format!("{}{then}", e.message()));
            report.skip("sled", "unreadable, or in use by another process");
            None
        }
    }
}

/// Of so many entries, a power of two less one, one is told to who waits.
const ENTRIES_TOLD: u64 = 1_023;

/// Compares the two copies of the first `until` entries. Are they all there, and equal?
fn leaf_by_leaf(checker: &Checker, until: u64, rows: &dyn Rows, tiles: &mut Tiles, report: &mut Report) -> bool {
    let queries = Queries::new(rows);
    let (mut at, mut entries, mut wrong) = (BEGINNING, 0u64, None);
    let scanned = pieces_to_extents(&mut |each| queries.pieces(each), &mut |header, extent| {
        if entries >= until {
            return Ok(());
        }
        match checker.stores.journal.read(at)? {
            Some((_, theirs, next)) if theirs == extent => {
                at = next;
                entries = header.size_after();
                if header.first_index & ENTRIES_TOLD < u64::from(header.count) {
                    checker.came_to("sled's copy", entries, until, false);
                }
                tiles.take(rows, &extent)
            }
            _ => {
                wrong.get_or_insert(header.first_index);
                Err(Error::new(Code::RowsUnavailable, "sled's copy differs from the journal"))
            }
        }
    });
    if let (Err(e), None) = (&scanned, wrong) {
        wrong = Some(entries);
        report.find_error(Severity::Altered, "rows", format!("index, entry {entries}"), e);
    } else if let Some(index) = wrong {
        let what = "sled's copy differs from the journal";
        report.find(Severity::Altered, "rows", format!("index, entry {index}"), what).entry = Some(index);
    } else if entries < until {
        let what = format!("sled ends at entry {entries}, the journal at {until}; the next opening catches up");
        report.find(Severity::Gap, "rows", "index", what);
    }
    let detail = format!("entries 0..{}, equal leaf by leaf", entries.saturating_sub(1));
    report.check("sled", entries, u64::from(wrong.is_some()), detail);
    wrong.is_none() && entries == until
}

/// The tree hashes in rows, which heads and proofs are made from.
#[derive(Default)]
struct Tiles {
    check: TilesCheck,
    wrong: bool,
}

impl Tiles {
    fn take(&mut self, rows: &dyn Rows, extent: &[u8]) -> Result<()> {
        let group = Group::parse(extent).map_err(LogError::from)?;
        for record in group.records() {
            let (public, _) = record.map_err(LogError::from)?;
            // A wrong one is enough: what follows is not looked at.
            self.wrong = self.wrong || !self.check.push(rows, &leaf_hash(public)).unwrap_or(false);
        }
        Ok(())
    }

    /// Are they right?
    fn finish(self, rows: &dyn Rows, may_go_on: bool, report: &mut Report) -> bool {
        if !self.wrong && self.check.finish(rows, may_go_on).unwrap_or(false) {
            return true;
        }
        report.find(Severity::Altered, "rows", "index, tree hashes", "they are not those of the log's entries");
        if let Some(check) = report.checks.iter_mut().find(|c| c.name == "rows") {
            check.wrong = check.wrong.saturating_add(1);
        }
        false
    }
}

/// Sled's copy walked as the journal would be.
fn alone(checker: &Checker, queries: &Queries<'_>, saved: &mut SavedTapes, report: &mut Report) -> Walked {
    let head = checker.head.as_ref().ok().and_then(Option::as_ref);
    let head = head.and_then(|text| head_file::parse(text, checker.known_keys()).ok());
    let mut walk = Walk::new(checker, head.as_ref(), "rows");
    *saved = SavedTapes::default();
    let walked: Result<()> = pieces_to_extents(&mut |each| queries.pieces(each), &mut |_, extent| {
        walk.group(&extent, saved, report).map_err(Error::from)
    });
    let mut result = walk.finish();
    if let Err(e) = &walked {
        report.find_error(Severity::Altered, "rows", format!("index, entry {}", result.entries), e);
        result.broken_at = Some(Position { segment: 0, offset: 0 });
    }
    let detail = format!("entries 0..{}, checked on their own", result.entries.saturating_sub(1));
    report.check("sled", result.entries, u64::from(walked.is_err()), detail);
    result
}
