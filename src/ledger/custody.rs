//! The custody of one tape: its own chain, and the ledger's entries that touched it.

use super::Who;
use super::acts::Act;
use super::core::Core;
use super::log_read::LogLine;
use crate::codec::digest::{CustodyId, IdPrefix, TapeId};
use crate::error::{Code, Error, Result};
use crate::evidence::{CustodyEvent, CustodyReport};
use crate::governance::Action;
use crate::log::{Body, PrivateHalf};

/// One link as the ledger found it.
pub type CustodyLink = CustodyEvent;

impl Core {
    /// The custody of a tape; asking is recorded first and is part of the next report.
    pub(super) async fn custody(&self, who: &Who, id: &str) -> Result<(CustodyReport, u64)> {
        let found = self.look_up(who, Action::ReadCustody, id).await?;
        let (_, size) = self.settled_queries()?;
        let act = Act::about_tape(who, found.custody, &found.class, Body::CustodyRead { size });
        let tape = found.facts.tape;
        let draft = self.draft(&act, |p| p.tape_id = Some(tape))?;
        let placed = self.append(vec![draft]).await?;
        let mut events = self.links(&found.custody, size)?;
        let saved_at = events.first().map_or(0, |e| e.index);
        let of_ledger = self.links(&CustodyId::LEDGER, size)?.into_iter();
        for event in of_ledger {
            if self.reach(&event, saved_at)?.has((&found.custody, &tape), saved_at) {
                events.push(event);
            }
        }
        events.sort_by_key(|e| e.index);
        let report = CustodyReport { tape, custody: found.custody, size, events };
        if !report.is_unbroken() {
            return Err(Error::new(Code::LogDamaged, "the chain of entries about this tape has a hole in sled")
                .with_hint("`immutape verify --all` names it, `immutape repair` mends it from the journal"));
        }
        Ok((report, placed.first().map_or(0, |p| p.index)))
    }

    pub(super) fn links(&self, custody: &CustodyId, size: u64) -> Result<Vec<CustodyEvent>> {
        let queries = self.queries();
        let mut events = Vec::new();
        for index in queries.postings(custody)?.into_iter().filter(|i| *i < size) {
            let missing = || Error::new(Code::RowsUnavailable, format!("entry {index} is missing in sled"));
            let line = self.open_entry(&queries.entry(index)?.ok_or_else(missing)?)?;
            events.push(event(line, *custody == CustodyId::LEDGER));
        }
        Ok(events)
    }

    /// Of which tapes this entry of the ledger's own chain gave something out, or refused to. Of tapes that were saved at
    /// `saved_at` or later; a long list that is older than all of them is not opened.
    pub(super) fn reach<'e>(&self, e: &'e CustodyEvent, saved_at: u64) -> Result<Reach<'e>> {
        let set = e.private.as_ref().and_then(|p: &PrivateHalf| p.set.as_ref());
        Ok(match (&e.body, set) {
            (Body::Listed { .. } | Body::Searched { .. } | Body::Refused { .. }, Some(set)) => Reach::Set(set),
            (Body::Listed { list: Some(_), .. } | Body::Searched { list: Some(_), .. }, None) if saved_at < e.index => {
                Reach::LongSet(self.long_set(e.index)?)
            }
            (Body::Listed { list: None, size, .. }, None) => Reach::Before(*size),
            (Body::Refused { .. }, None) => asked(e).map_or(Reach::Nothing, |prefix| Reach::Asked(prefix, e.index)),
            _ => Reach::Nothing,
        })
    }
}

/// The tapes that an entry of the ledger's own chain is about.
pub(super) enum Reach<'e> {
    /// Those that it names.
    Set(&'e [CustodyId]),
    /// Those of the sealed list that it names.
    LongSet(Vec<CustodyId>),
    /// A list of everything that is too long to be written out names the log size it was asked at: all tapes saved before it.
    Before(u64),
    /// Nothing was looked up for who was refused: the digits that were asked for tell whose they were, of those that were there.
    Asked(IdPrefix, u64),
    Nothing,
}

impl Reach<'_> {
    pub(super) fn has(&self, (custody, tape): (&CustodyId, &TapeId), saved_at: u64) -> bool {
        match self {
            Self::Set(set) => set.binary_search(custody).is_ok(),
            Self::LongSet(set) => set.binary_search(custody).is_ok(),
            Self::Before(size) => saved_at < *size,
            Self::Asked(prefix, index) => saved_at < *index && prefix.matches(tape.as_bytes()),
            Self::Nothing => false,
        }
    }
}

fn event(line: LogLine, about_ledger: bool) -> CustodyEvent {
    CustodyEvent {
        index: line.index,
        time: line.time,
        kind: line.kind,
        subject_seq: line.subject_seq,
        body: line.body,
        private: line.private,
        about_ledger,
    }
}

fn asked(e: &CustodyEvent) -> Option<IdPrefix> {
    let query = e.private.as_ref()?.query.as_ref()?;
    IdPrefix::parse(std::str::from_utf8(query).ok()?).ok()
}
