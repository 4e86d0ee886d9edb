//! The entries that tell what happened to tapes: their own chains, and what the ledger's own chain says of them.

use std::collections::BTreeSet;

use super::scope::InScope;
use crate::codec::digest::{CustodyId, TapeId};
use crate::error::{Code, Error, Result};
use crate::evidence::CustodyEvent;
use crate::evidence::bundle::{What, Withheld};
use crate::ledger::core::Core;
use crate::ledger::look_up::FoundTape;
use crate::ledger::read::read_manifest;
use crate::log::{AnchorBody, Body, Checkpoint, Entry, SignedNote};

/// Entries of the ledger's own chain that a bundle needs, by their indices.
pub(super) struct TapeLinks {
    /// Lists, searches and refusals that gave out or refused something about a tape, with the tapes.
    pub touched: Vec<(u64, Vec<CustodyId>)>,
    /// Heads that others hold.
    pub anchors: BTreeSet<u64>,
}

impl Core {
    /// Number of frames of a tape, from its manifest, which is no content.
    pub(super) fn frames_of(&self, found: &FoundTape) -> Result<u64> {
        Ok(read_manifest(self, &found.custody, &found.facts)?.root.frames)
    }

    /// Walks the ledger's own chain once for all tapes.
    pub(super) fn tape_links(&self, given: &[(FoundTape, u64)], size: u64) -> Result<TapeLinks> {
        let (mut touched, mut anchors) = (Vec::new(), Anchored::default());
        let oldest = given.iter().map(|(_, saved)| *saved).min().unwrap_or(u64::MAX);
        for event in self.links(&CustodyId::LEDGER, size)? {
            let reach = self.reach(&event, oldest)?;
            let has = |(found, saved): &&(FoundTape, u64)| reach.has((&found.custody, &found.facts.tape), *saved);
            let tapes: Vec<CustodyId> = given.iter().filter(has).map(|(found, _)| found.custody).collect();
            if !tapes.is_empty() {
                touched.push((event.index, tapes));
            }
            anchors.see(&event);
        }
        let saved: Vec<u64> = given.iter().map(|(_, saved)| *saved).collect();
        Ok(TapeLinks { touched, anchors: anchors.chosen(&saved) })
    }

    /// Entries whose private half cannot be opened, since the key of their class and month is gone.
    pub(super) fn closed_halves(&self, scope: &InScope, links: &TapeLinks) -> Result<Vec<Withheld>> {
        let mut closed = Vec::new();
        let why = || "the custody key that sealed it has ended".to_owned();
        let what = What::Private;
        for (found, _) in &scope.given {
            for entry in self.queries().postings(&found.custody)? {
                if !self.can_open(entry)? {
                    let (tape, custody, fields) = (found.facts.tape, found.custody, Vec::new());
                    closed.push(Withheld { what, tape, custody, entry, fields, why: why() });
                }
            }
        }
        for (entry, _) in &links.touched {
            if !self.can_open(*entry)? {
                let (tape, custody) = (TapeId::from_bytes([0; 32]), CustodyId::LEDGER);
                closed.push(Withheld { what, tape, custody, entry: *entry, fields: Vec::new(), why: why() });
            }
        }
        Ok(closed)
    }

    fn can_open(&self, index: u64) -> Result<bool> {
        let missing = || Error::new(Code::RowsUnavailable, format!("entry {index} is missing in sled"));
        let stored = self.queries().entry(index)?.ok_or_else(missing)?;
        let entry = Entry::decode(&stored.public)?;
        Ok(self.vault_read()?.custody_key(&entry.key_id).is_some())
    }
}

/// Heads that others hold, by kind: index of the entry and size of the head.
#[derive(Default)]
struct Anchored {
    cosigned: Vec<(u64, u64)>,
    timed: Vec<(u64, u64)>,
}

impl Anchored {
    fn see(&mut self, event: &CustodyEvent) {
        let (list, note) = match &event.body {
            Body::Anchor(AnchorBody::Cosigned { note, .. }) => (&mut self.cosigned, note),
            Body::Anchor(AnchorBody::Timestamped { note, .. }) => (&mut self.timed, note),
            _ => return,
        };
        let note = std::str::from_utf8(note).ok().and_then(|note| SignedNote::parse(note).ok());
        if let Some(head) = note.and_then(|note| Checkpoint::parse(note.text()).ok()) {
            list.push((event.index, head.size));
        }
    }

    /// The first over each tape, and the newest.
    fn chosen(&self, saved: &[u64]) -> BTreeSet<u64> {
        let mut chosen = BTreeSet::new();
        for list in [&self.cosigned, &self.timed] {
            chosen.extend(list.last().map(|(index, _)| *index));
            for saved in saved {
                chosen.extend(list.iter().find(|(_, size)| size > saved).map(|(index, _)| *index));
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_head_over_each_tape_and_the_newest() {
        let anchored = Anchored { cosigned: vec![(5, 4), (9, 8), (12, 11), (15, 14)], timed: vec![(10, 8)] };
        assert_eq!(anchored.chosen(&[2, 7, 13]).into_iter().collect::<Vec<_>>(), [5, 9, 10, 15]);
        assert_eq!(anchored.chosen(&[20]).into_iter().collect::<Vec<_>>(), [10, 15]);
    }
}
