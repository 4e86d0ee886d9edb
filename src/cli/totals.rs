//! Sums over tapes, as `stats` shows them.

use std::collections::BTreeMap;

use crate::codec::escape::visible;
use crate::ledger::{Listing, Summary};
use crate::time::Timestamp;

/// Sums of some tapes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub tapes: u64,
    pub frames: u64,
    pub errors: u64,
    pub payload_bytes: u64,
    pub stored_bytes: u64,
}

impl Sum {
    fn add(&mut self, s: &Summary) {
        let more = [
            (&mut self.tapes, 1),
            (&mut self.frames, s.frames),
            (&mut self.errors, s.errors),
            (&mut self.payload_bytes, s.payload_bytes),
            (&mut self.stored_bytes, s.stored_bytes),
        ];
        more.into_iter().for_each(|(sum, n)| *sum = sum.saturating_add(n));
    }
}

/// Sums by name.
pub(super) type Groups = BTreeMap<String, Sum>;

/// Sums over a list of tapes.
#[derive(Debug, Clone, Default)]
pub(super) struct Totals {
    pub all: Sum,
    /// Tapes that are there and cannot be opened.
    pub unreadable: u64,
    /// Bytes of the files they were imported from, where known.
    pub source_bytes: u64,
    /// When the first session began; saved, where its start is not known.
    pub earliest: Option<Timestamp>,
    /// When the last one did.
    pub latest: Option<Timestamp>,
    pub namespaces: Groups,
    pub classes: Groups,
    pub kinds: Groups,
    /// By month of their beginning: `2026-11`.
    pub months: Groups,
}

impl Totals {
    /// Takes a tape in.
    pub(super) fn take(&mut self, tape: &Listing) {
        let Some(s) = &tape.summary else {
            self.unreadable = self.unreadable.saturating_add(1);
            return;
        };
        self.all.add(s);
        self.source_bytes = self.source_bytes.saturating_add(s.source_bytes.unwrap_or(0));
        let at = s.started.unwrap_or(s.saved);
        self.earliest = Some(self.earliest.map_or(at, |t| t.min(at)));
        self.latest = Some(self.latest.map_or(at, |t| t.max(at)));
        let month = at.to_text().get(..7).unwrap_or_default().to_owned();
        let groups = [
            (&mut self.namespaces, visible(s.namespace.as_bytes())),
            (&mut self.classes, visible(s.class.as_bytes())),
            (&mut self.kinds, s.kind.word().to_owned()),
            (&mut self.months, month),
        ];
        groups.into_iter().for_each(|(group, name)| group.entry(name).or_default().add(s));
    }
}
