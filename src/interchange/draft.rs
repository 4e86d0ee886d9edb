//! What every import gathers on its way, whatever the format.

use super::losses::{KeptLines, Losses};
use super::tally::Tally;

/// Gathered so far.
#[derive(Default)]
pub(super) struct Draft {
    /// Counts.
    pub(super) tally: Tally,
    /// What did not fit.
    pub(super) losses: Losses,
    /// Lines kept whole.
    pub(super) kept: KeptLines,
}
