//! What rows say of one tape beyond its entries, against what is stored: the sealed summary that lists show, and the
//! length of the manifest. Where the objects lie is help for finding them by their digests, and not compared.

use super::catalog::TapeRows;
use super::tapes::{Opened, Saved};
use crate::catalog::Summary;
use crate::seal::TapeKeys;
use crate::tape::Header;

/// Each difference: the place and what is wrong there.
pub(super) fn compare(rows: &TapeRows, saved: &Saved, opened: &Opened) -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    if let Some((keys, header)) = &opened.header
        && !summary_is_right(rows, saved, opened, keys, header)
    {
        let place = format!("index, catalogue row {}", saved.index);
        found.push((place, "the summary that lists show is not made from the header"));
    }
    if rows.manifest_bytes.is_some_and(|bytes| bytes != opened.manifest_bytes) {
        let place = format!("index, catalogue row {}", saved.index);
        found.push((place, "the manifest has another length than its row says"));
    }
    found
}

fn summary_is_right(rows: &TapeRows, saved: &Saved, opened: &Opened, keys: &TapeKeys, header: &Header) -> bool {
    let objects = opened.manifest.all_objects().map(|o| o.bytes).sum::<u64>();
    let stored_bytes = objects.saturating_add(opened.manifest_bytes);
    let plain = keys.row_key().open(saved.custody.as_ref(), &rows.summary).ok();
    plain.and_then(|plain| Summary::decode(&plain).ok()).is_some_and(|summary| {
        // The moment of saving is the clock's then, or after a rebuild the entry's: it may differ a little.
        summary == Summary::of(saved.statement.claims().tape, header, summary.saved, stored_bytes)
    })
}
