//! The order of a bundle, and its first step: what it will hold is written down and bound to the log before anything leaves.

use std::sync::Arc;

use super::links::TapeLinks;
use super::scope::InScope;
use crate::codec::digest::{Digest, sha256};
use crate::codec::random::bytes;
use crate::error::{Code, Error, Result};
use crate::evidence::bundle::{Completeness, Given, OutOfScope, What, Withheld};
use crate::ledger::acts::Act;
use crate::ledger::core::{Core, died};
use crate::ledger::label::checked_words;
use crate::ledger::look_up::FoundTape;
use crate::ledger::read::{DurableGrant, TapeReader};
use crate::ledger::{Event, Filter, Ledger, Who};
use crate::log::{Body, EvidenceBody, export_commitment};
use crate::time::Timestamp;

const NUMBER_MAX: u64 = (1 << 53) - 1;

/// Which tapes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Wanted {
    /// These, by ids or their beginnings.
    Ids(Vec<String>),
    /// Those that pass, of the tapes saved in a time.
    Query {
        /// The conditions.
        filter: Box<Filter>,
        /// The first moment.
        from: Timestamp,
        /// The last moment, included.
        to: Timestamp,
    },
}

/// What a bundle is to hold.
///
/// ```
/// use immutape::ledger::{EvidenceOrder, Wanted};
/// let order = EvidenceOrder::new(Wanted::Ids(vec!["f0e9dc0c".into()]), "exam 2026-123").frames((0, 9)).closed_payloads();
/// assert_eq!((order.frames, order.payloads), (Some((0, 9)), false));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EvidenceOrder {
    /// Which tapes.
    pub wanted: Wanted,
    /// On whose authority it is made.
    pub authority: String,
    /// Whom it is for.
    pub recipient: Option<String>,
    /// When it is to be given back or destroyed.
    pub expires: Option<Timestamp>,
    /// First and last frame of each tape; all without it.
    pub frames: Option<(u64, u64)>,
    /// Do payloads leave, or their digests alone?
    pub payloads: bool,
    /// Tapes that were asked for and are not given, with the reason.
    pub withhold: Vec<(String, String)>,
}

impl EvidenceOrder {
    /// All frames of these tapes.
    #[must_use]
    pub fn new(wanted: Wanted, authority: impl Into<String>) -> Self {
        let (recipient, expires, frames) = (None, None, None);
        Self { wanted, authority: authority.into(), recipient, expires, frames, payloads: true, withhold: Vec::new() }
    }

    /// For this recipient.
    #[must_use]
    pub fn recipient(self, recipient: impl Into<Option<String>>) -> Self {
        Self { recipient: recipient.into(), ..self }
    }

    /// To be given back or destroyed then.
    #[must_use]
    pub fn expires(self, expires: impl Into<Option<Timestamp>>) -> Self {
        Self { expires: expires.into(), ..self }
    }

    /// These frames alone, both included.
    #[must_use]
    pub fn frames(self, frames: impl Into<Option<(u64, u64)>>) -> Self {
        Self { frames: frames.into(), ..self }
    }

    /// Payloads stay closed.
    #[must_use]
    pub fn closed_payloads(self) -> Self {
        Self { payloads: false, ..self }
    }

    /// Leaves a tape out that was asked for.
    #[must_use]
    pub fn withhold(mut self, id: impl Into<String>, why: impl Into<String>) -> Self {
        self.withhold.push((id.into(), why.into()));
        self
    }

    fn check(&self) -> Result<()> {
        let texts = [Some(self.authority.as_str()), self.recipient.as_deref()];
        for text in texts.into_iter().flatten().chain(self.withhold.iter().map(|(_, why)| why.as_str())) {
            checked_words(Some(text))?;
        }
        if self.authority.trim().is_empty() {
            return Err(Error::new(Code::Usage, "no authority: say on whose authority the bundle is made"));
        }
        if self.frames.is_some_and(|(first, last)| first > last || first > NUMBER_MAX) {
            return Err(Error::new(Code::Usage, "the range of frames ends before it begins"));
        }
        Ok(())
    }
}

/// A tape of a bundle: its keys are open, since the entry that says so is durable.
pub(super) struct BundledTape {
    pub reader: TapeReader,
    pub given: Given,
    /// Index of its `evidence.made`.
    pub made: u64,
}

/// A bundle that was begun: its entries are durable, and no head is over them yet.
pub struct EvidenceDraft {
    pub(super) core: Arc<Core>,
    pub(super) who: Who,
    pub(super) completeness: Completeness,
    pub(super) tapes: Vec<BundledTape>,
    pub(super) out: Vec<(OutOfScope, FoundTape)>,
    pub(super) links: TapeLinks,
}

impl EvidenceDraft {
    /// What was asked and what is given.
    #[must_use]
    pub const fn completeness(&self) -> &Completeness {
        &self.completeness
    }

    /// A head over so many entries and more is over all that the bundle holds.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.tapes.iter().map(|tape| tape.made.saturating_add(1)).max().unwrap_or(0)
    }
}

impl Ledger {
    /// Begins a bundle: finds the tapes, writes down what is given and what is not, and records it about each tape. On return
    /// the entries are durable; a crash from here on leaves them without completion, as reads whose amount is not known.
    ///
    /// # Errors
    /// `E_USAGE`, `E_LIMIT`; `E_NOT_FOUND` when no tape is left; those of a look-up, of opening a tape, and of an append.
    pub async fn begin_evidence(&self, who: &Who, order: &EvidenceOrder) -> Result<EvidenceDraft> {
        order.check()?;
        let core = self.core();
        let (_, size) = core.settled_queries()?;
        let scope = core.evidence_scope(who, order, size).await?;
        let links = core.tape_links(&scope.given, size)?;
        let bundle = bytes(&*core.env.random)?;
        let mut completeness = core.completeness(order, &scope, bundle, size);
        core.list_given(order, &scope, &links, &mut completeness)?;
        core.refuse_too_large(&completeness, &links, size)?;
        let salt = bytes(&*core.env.random)?;
        let made = core.record_evidence(who, order, &completeness, (&scope, salt)).await?;
        let mut tapes = Vec::with_capacity(made.len());
        for (((found, _), given), index) in scope.given.into_iter().zip(completeness.given.clone()).zip(made) {
            core.env.observer.event(Event::Granted);
            let range = order.frames.map(|asked| given.opened.unwrap_or(asked));
            let grant = DurableGrant::of(index, found.custody, range);
            let reader = TapeReader::with_grant(core.clone(), who.clone(), found, grant)?;
            tapes.push(BundledTape { reader, given, made: index });
        }
        Ok(EvidenceDraft { core: core.clone(), who: who.clone(), completeness, tapes, out: scope.out, links })
    }
}

impl Core {
    fn completeness(&self, order: &EvidenceOrder, scope: &InScope, bundle: [u8; 16], size: u64) -> Completeness {
        Completeness {
            format: Completeness::format_name(),
            bundle,
            origin: self.origin().to_owned(),
            ledger: Digest::from_bytes(*self.identity.ledger.as_bytes()),
            made_ms: self.env.clock.read().wall.as_ms(),
            log_size: size,
            authority: order.authority.clone(),
            recipient: order.recipient.clone(),
            expires_ms: order.expires.map(Timestamp::as_ms),
            asked: scope.asked.clone(),
            // An open end is the largest number that every reader of JSON takes.
            frames: order.frames.map(|(first, last)| (first, last.min(NUMBER_MAX))),
            payloads: order.payloads,
            span: scope.span,
            given: Vec::new(),
            withheld: scope.withheld.clone(),
            destroyed: Vec::new(),
            out_of_scope: scope.out.iter().map(|(out, _)| out.clone()).collect(),
        }
    }

    /// The frames of each tape that are given, and everything about it that is not.
    fn list_given(
        &self,
        order: &EvidenceOrder,
        scope: &InScope,
        links: &TapeLinks,
        completeness: &mut Completeness,
    ) -> Result<()> {
        for (found, entry) in &scope.given {
            let (tape, custody, entry) = (found.facts.tape, found.custody, *entry);
            let frames = self.frames_of(found)?;
            let opened = opened(order.frames, frames);
            completeness.given.push(Given { tape, custody, entry, frames, opened });
            let fields = Vec::new;
            let whole = frames.checked_sub(1).map(|last| (0, last));
            if opened != whole {
                let why = "other frames were asked for".into();
                let what = What::Frames;
                completeness.withheld.push(Withheld { what, tape, custody, entry, fields: fields(), why });
            }
            if !order.payloads && opened.is_some() {
                let why = "it was asked for without payloads".into();
                let what = What::Payloads;
                completeness.withheld.push(Withheld { what, tape, custody, entry, fields: fields(), why });
            }
        }
        completeness.withheld.extend(self.closed_halves(scope, links)?);
        Ok(())
    }

    /// One `evidence.made` about each tape, in one group: all of them are there, or none.
    async fn record_evidence(
        &self,
        who: &Who,
        order: &EvidenceOrder,
        completeness: &Completeness,
        (scope, salt): (&InScope, [u8; 32]),
    ) -> Result<Vec<u64>> {
        let digest = Digest::from_bytes(sha256(completeness.to_json().as_bytes()));
        let tapes = scope.given.len() as u64;
        let mut drafts = Vec::with_capacity(scope.given.len());
        for ((found, _), given) in scope.given.iter().zip(&completeness.given) {
            let commitment = export_commitment(&salt, &digest);
            let body = EvidenceBody::Made { bundle: completeness.bundle, commitment, tapes };
            let act = Act::about_tape(who, found.custody, &found.class, Body::Evidence(body));
            let act = Act { range: order.frames.map(|asked| given.opened.unwrap_or(asked)), ..act };
            drafts.push(self.draft(&act, |p| {
                p.tape_id = Some(found.facts.tape);
                p.case = Some(order.authority.clone().into_bytes());
                p.recipient = order.recipient.clone().map(String::into_bytes);
                p.exported = Some((salt, digest));
                if let Some(expires) = order.expires {
                    p.set_expires_ms(expires.as_ms());
                }
            })?);
        }
        let placed = self.append(drafts).await?;
        if placed.len() == scope.given.len() { Ok(placed.iter().map(|p| p.index).collect()) } else { Err(died()) }
    }
}

/// What is given of so many frames, of those that were asked for.
fn opened(asked: Option<(u64, u64)>, frames: u64) -> Option<(u64, u64)> {
    let last = frames.checked_sub(1)?;
    match asked {
        None => Some((0, last)),
        Some((first, _)) if first > last => None,
        Some((first, to)) => Some((first, to.min(last))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_are_asked_for_and_there() {
        assert_eq!(opened(None, 0), None);
        assert_eq!(opened(None, 5), Some((0, 4)));
        assert_eq!(opened(Some((1, 2)), 5), Some((1, 2)));
        assert_eq!(opened(Some((3, u64::MAX)), 5), Some((3, 4)));
        assert_eq!(opened(Some((5, 9)), 5), None);
        assert_eq!(opened(Some((0, 0)), 0), None);
    }

    #[test]
    fn orders_that_are_none() {
        let order = || EvidenceOrder::new(Wanted::Ids(vec!["ab".into()]), "exam");
        assert!(order().check().is_ok());
        assert_eq!(EvidenceOrder { authority: " ".into(), ..order() }.check().unwrap_err().code(), Code::Usage);
        assert_eq!(order().frames((2, 1)).check().unwrap_err().code(), Code::Usage);
        let long = "x".repeat(9_000);
        assert_eq!(order().recipient(long.clone()).check().unwrap_err().code(), Code::Limit);
        assert_eq!(order().withhold("ab", long).check().unwrap_err().code(), Code::Limit);
    }
}
