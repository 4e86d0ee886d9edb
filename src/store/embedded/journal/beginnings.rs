//! What a making left that was cut off inside its first write: the header of a segment without any group.
//!
//! That header names an origin which no ledger has. The next making draws another, and would take the segment for one
//! of another ledger.

use super::shelf::Shelf;
use super::tail;
use crate::error::Result;

/// Puts the only segment aside if another ledger's making began it and no group in it was ever whole. A ledger that
/// keeps anything has its entry 0 there, and one that lost it is refused before its journal is acquired. A crash in
/// here leaves the segment, or none.
///
/// # Errors
/// `E_IO`, `E_STORE_FULL`.
pub(super) fn clear(shelf: &Shelf) -> Result<()> {
    if shelf.origin.is_none() || shelf.numbers_present()? != [1] {
        return Ok(());
    }
    let of_anybody = Shelf { origin: None, ..shelf.clone() };
    // Anything else that is wrong is for the acquisition to say.
    let Ok(found) = tail::find_fast(&of_anybody, true) else { return Ok(()) };
    let header = found.begun.first().and_then(|begun| begun.segment.header);
    if found.last().is_some() || header.is_none_or(|header| Some(header.origin) == shelf.origin) {
        return Ok(());
    }
    shelf.put_aside(1).map(|_aside| ())
}
