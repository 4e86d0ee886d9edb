//! From an id to a tape. Who may not act learns nothing of what is there, and a question that is answered without a
//! tape, because none has the id or several have, is an entry like any other.

use super::acts::Act;
use super::core::Core;
use super::{Event, Who};
use crate::catalog::TapeFacts;
use crate::codec::digest::{CustodyId, IdPrefix, TapeId};
use crate::error::{Code, Error, Result};
use crate::governance::{Action, Decision};
use crate::log::{Body, EntryKind, Outcome};

/// Tapes that are named to who gave too few digits.
const CHOICES_MAX: usize = 16;

/// A tape found by its id.
#[derive(Clone)]
pub(super) struct FoundTape {
    pub custody: CustodyId,
    pub facts: TapeFacts,
    /// Class of the keys that seal entries about it.
    pub class: String,
}

/// What came of looking.
enum Looked {
    Found(CustodyId),
    /// The answer to give instead, and the tapes that it names.
    NotOne(Error, Vec<CustodyId>),
}

impl Core {
    /// Finds the tape that somebody wants to act on, by its id or a prefix of it; the policy is asked before anything is
    /// looked up. Of several tapes with one id the newest counts. Where no tape has such an id, the custody id counts: who has
    /// that of a recording finds the tape that came of it.
    pub(super) async fn look_up(&self, who: &Who, action: Action, id: &str) -> Result<FoundTape> {
        let prefix = parse(id)?;
        // That live tapes are never removed is told of a tape; it keeps nobody from asking which.
        if self.decide(who, action) != Decision::Refused(Code::DisposalRequired) {
            self.permit(who, action, Some(id)).await?;
        }
        match self.look(&prefix)? {
            Looked::Found(custody) => self.found(&prefix, custody),
            Looked::NotOne(answer, told) => Err(self.record_answer(who, action, Some(id), answer, told).await?),
        }
    }

    fn look(&self, prefix: &IdPrefix) -> Result<Looked> {
        let mut found = self.queries().by_prefix(prefix, CHOICES_MAX)?;
        if found.is_empty() {
            let (queries, _) = self.settled_queries()?;
            found = queries.by_prefix(prefix, CHOICES_MAX)?;
            if found.is_empty() {
                found = queries.by_custody_prefix(prefix, CHOICES_MAX)?;
            }
        }
        let Some((newest, custody)) = found.last().copied() else {
            let none = format!("no tape has an id that begins with {}", prefix.digits());
            let answer = Error::new(Code::NotFound, none).with_hint("`immutape list` shows the ids");
            return Ok(Looked::NotOne(answer, Vec::new()));
        };
        if found.iter().all(|(id, _)| *id == newest) {
            return Ok(Looked::Found(custody));
        }
        Ok(Looked::NotOne(several(prefix, &found), found.iter().map(|(_, custody)| *custody).collect()))
    }

    /// The entry of a look-up that led to no tape, durable before its answer is given; the answer.
    pub(super) async fn record_answer(
        &self,
        who: &Who,
        action: Action,
        asked: Option<&str>,
        answer: Error,
        mut told: Vec<CustodyId>,
    ) -> Result<Error> {
        let body = Body::Refused { act: action.kind().number(), error: answer.code().number() };
        let act = Act { kind: EntryKind::REFUSED, ..Act::about_ledger(who, body) };
        told.sort_unstable();
        told.dedup();
        let draft = self.draft(&act, |p| {
            p.outcome = Some(Outcome::Refused);
            p.error = Some((u64::from(answer.code().number()), answer.message().to_owned()));
            p.query = asked.map(|id| id.as_bytes().to_vec());
            p.set = Some(told).filter(|told| !told.is_empty());
        })?;
        self.append_refusal(draft).await?;
        self.env.observer.event(Event::Refused);
        Ok(answer)
    }

    fn found(&self, prefix: &IdPrefix, custody: CustodyId) -> Result<FoundTape> {
        let missing = || Error::new(Code::RowsUnavailable, "the row of a tape is missing in sled");
        let facts = self.subject(&custody)?.and_then(|s| s.facts).ok_or_else(missing)?;
        // Rows only say where to look: what is read must be what was asked for.
        if !prefix.matches(facts.tape.as_bytes()) && !prefix.matches(custody.as_bytes()) {
            return Err(Error::new(Code::RowsUnavailable, "the rows lead from this id to another tape")
                .with_hint("`immutape repair` builds the rows again from the journal"));
        }
        let class = self.class_of(&facts.class_key)?;
        Ok(FoundTape { custody, facts, class })
    }

    /// The class a custody key was made for.
    pub(super) fn class_of(&self, key: &[u8; 16]) -> Result<String> {
        let missing = || Error::new(Code::VaultDamaged, "the custody key of a tape is missing in the vault");
        self.vault_read()?.custody_label(key).map(|l| l.class.clone()).ok_or_else(missing)
    }
}

/// A malformed id asks nothing of the ledger: no entry tells of it.
fn parse(text: &str) -> Result<IdPrefix> {
    IdPrefix::parse(text).map_err(|e| {
        let shown = crate::codec::escape::visible_short(text.as_bytes(), 80);
        Error::new(Code::BadId, format!("\"{shown}\" is not a tape id"))
            .with_hint(format!("{e}; `immutape list` shows the ids"))
    })
}

fn several(prefix: &IdPrefix, found: &[(TapeId, CustodyId)]) -> Error {
    let ids: Vec<String> = found.iter().map(|(id, _)| id.to_hex().chars().take(16).collect()).collect();
    Error::new(Code::AmbiguousId, format!("several tapes have ids that begin with {}", prefix.digits()))
        .with_hint(format!("give more digits: {}", ids.join(", ")))
}
