//! What rows say of one tape beyond its entries, against what is stored: the sealed summary that lists show, and the
//! length of the manifest.

use super::Checker;
use super::tapes::{Opened, Saved};
use crate::catalog::{CatalogRow, Queries, Summary};
use crate::error::Result;
use crate::seal::TapeKeys;
use crate::tape::Header;

/// Each difference: the place and what is wrong there.
pub(super) fn compare(checker: &Checker, saved: &Saved, opened: &Opened) -> Vec<(String, &'static str)> {
    let queries = Queries::new(&*checker.stores.rows);
    let mut found = Vec::new();
    let mut find = |place: String, same: Result<bool>, what| match same {
        Ok(true) => {}
        Ok(false) | Err(_) => found.push((place, what)),
    };
    if let Some((keys, header)) = &opened.header {
        let same = queries.catalog_row(saved.index).map(|row| {
            // That it is missing is told by the comparison with the log.
            row.is_none_or(|row| summary_is_right(&row, saved, opened, keys, header))
        });
        find(
            format!("index, catalogue row {}", saved.index),
            same,
            "the summary that lists show is not made from the header",
        );
    }
    find(
        format!("index, subject {}", saved.custody.to_hex()),
        length_is_right(&queries, saved, opened),
        "the manifest has another length than its row says",
    );
    found
}

fn summary_is_right(row: &CatalogRow, saved: &Saved, opened: &Opened, keys: &TapeKeys, header: &Header) -> bool {
    let objects = opened.manifest.objects.iter().map(|o| o.bytes).sum::<u64>();
    let stored_bytes = objects.saturating_add(opened.manifest_bytes);
    let plain = keys.row_key().open(saved.custody.as_ref(), &row.summary).ok();
    plain.and_then(|plain| Summary::decode(&plain).ok()).is_some_and(|summary| {
        // The moment of saving is the clock's then, or after a rebuild the entry's: it may differ a little.
        summary == Summary::of(saved.statement.claims().tape, header, summary.saved, stored_bytes)
    })
}

/// Where the objects lie is help for finding them by their digests, and not compared.
fn length_is_right(queries: &Queries<'_>, saved: &Saved, opened: &Opened) -> Result<bool> {
    let facts = queries.subject(&saved.custody)?.and_then(|row| row.facts);
    Ok(facts.and_then(|f| f.manifest).is_none_or(|m| m.bytes == opened.manifest_bytes))
}
