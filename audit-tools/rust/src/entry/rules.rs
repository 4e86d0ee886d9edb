//! What 4.1 asks of an entry that can be seen in it alone.

use super::{Body, Entry, Subject, subject_rule};
use crate::digest::ZERO;
use crate::error::{Result, ensure};

/// Most bytes of a public half.
pub const MOST_BYTES: usize = 65_535;

pub(super) fn by_itself(entry: &Entry<'_>) -> Result<()> {
    ensure(
        (entry.index == 0) == (entry.kind == 0),
        "a genesis in another place than the first, or another entry there",
    )?;
    ensure(entry.index > 0 || entry.previous == ZERO, "an entry before the first")?;
    match subject_rule(entry.kind) {
        Subject::Ledger => ensure(entry.of_ledger(), "a subject where the ledger itself belongs")?,
        Subject::Tape => ensure(!entry.of_ledger(), "the ledger where a tape belongs")?,
        Subject::Any => {}
    }
    ensure(entry.seq > 0 || entry.subject_prev == ZERO, "an entry before the first of its subject")?;
    ensure(entry.seq <= entry.index, "more entries of the subject than of the log")?;
    if let Body::Saved(statement) = &entry.body {
        ensure(statement.custody == entry.subject, "a statement about another custody id")?;
    }
    Ok(())
}
