//! What the log says of bundles: the entry that ends one, and the list of all of them.

use std::collections::BTreeMap;

use super::contents::Evidence;
use crate::codec::digest::{CustodyId, Digest};
use crate::codec::random::bytes;
use crate::error::Result;
use crate::evidence::bundle::BundleDigest;
use crate::governance::Action;
use crate::ledger::acts::Act;
use crate::ledger::core::died;
use crate::ledger::{Ledger, Who};
use crate::log::{Body, EvidenceBody, export_commitment};
use crate::time::Timestamp;

/// What became of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BundleState {
    /// Its making was recorded, its end was not: parts of it may have left.
    Begun,
    /// It was written.
    Given,
    /// It was written, and is to be given back or destroyed by now.
    Expired,
}

impl BundleState {
    /// The word for people and `--json`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Given => "given",
            Self::Expired => "expired",
        }
    }
}

/// A bundle in the register.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RegisteredBundle {
    /// Its id.
    pub bundle: [u8; 16],
    /// When its making was recorded.
    pub made: Timestamp,
    /// Index of the first entry of its making.
    pub entry: u64,
    /// Index of the entry that says it was written.
    pub given_entry: Option<u64>,
    /// Tapes in it.
    pub tapes: Vec<CustodyId>,
    /// Whom it is for; `None` also where the custody key is gone.
    pub recipient: Option<Vec<u8>>,
    /// On whose authority.
    pub authority: Option<Vec<u8>>,
    /// When it is to be given back or destroyed, milliseconds since 1970.
    pub expires_ms: Option<u64>,
    /// SHA-256 of its tag manifest.
    pub digest: Option<Digest>,
    /// What became of it.
    pub state: BundleState,
}

impl Evidence {
    /// Records that the bundle was written, with its digest, and how much of each tape left; the index of the entry, durable on
    /// return.
    ///
    /// # Errors
    /// Those of an append; the bundle then stands in the register as begun.
    pub async fn finish(mut self, digest: &BundleDigest) -> Result<u64> {
        let core = self.draft.core.clone();
        let salt = bytes(&*core.env.random)?;
        let commitment = export_commitment(&salt, digest.digest());
        let body = EvidenceBody::Given { bundle: self.draft.completeness.bundle, commitment };
        let act = Act::about_ledger(self.who(), Body::Evidence(body));
        let completeness = &self.draft.completeness;
        let mut tapes: Vec<CustodyId> = completeness.given.iter().map(|given| given.custody).collect();
        tapes.sort_unstable();
        let given = core.draft(&act, |p| {
            p.case = Some(completeness.authority.clone().into_bytes());
            p.recipient = completeness.recipient.clone().map(String::into_bytes);
            p.exported = Some((salt, *digest.digest()));
            // More than fit stand in their own entries, which name the bundle.
            p.set = (tapes.len() as u64 <= crate::codec::limits::PRIVATE_SET_MAX).then_some(tapes);
            if let Some(expires_ms) = completeness.expires_ms {
                p.set_expires_ms(expires_ms);
            }
        })?;
        let mut drafts = vec![given];
        for tape in &mut self.draft.tapes {
            drafts.push(tape.reader.complete()?);
        }
        let placed = core.append(drafts).await?;
        Ok(placed.first().ok_or_else(died)?.index)
    }
}

impl Ledger {
    /// Every bundle that was made, oldest first. Asking is recorded as a reading of the log.
    ///
    /// # Errors
    /// `E_NOT_PERMITTED`, those of an append, `E_ROWS_UNAVAILABLE`.
    pub async fn evidence_register(&self, who: &Who) -> Result<Vec<RegisteredBundle>> {
        let core = self.core();
        core.permit(who, Action::ReadLog, None).await?;
        let (_, size) = core.settled_queries()?;
        let body = Body::LogRead { first: 0, last: size.saturating_sub(1) };
        let draft = core.draft(&Act::about_ledger(who, body), |_| {})?;
        core.append(vec![draft]).await?;
        let now = core.env.clock.read().wall.as_ms();
        let mut found: BTreeMap<[u8; 16], RegisteredBundle> = BTreeMap::new();
        core.queries().entries(0..size, &mut |_, stored| {
            if !crate::log::Entry::decode(&stored.public)?.kind.is_evidence() {
                return Ok(true);
            }
            let line = core.open_entry(&stored)?;
            let Body::Evidence(body) = &line.body else { return Ok(true) };
            let bundle = found.entry(*body.bundle()).or_insert_with(|| RegisteredBundle {
                bundle: *body.bundle(),
                made: line.time,
                entry: line.index,
                given_entry: None,
                tapes: Vec::new(),
                recipient: None,
                authority: None,
                expires_ms: None,
                digest: None,
                state: BundleState::Begun,
            });
            bundle.take(&line, now);
            Ok(true)
        })?;
        let mut all: Vec<_> = found.into_values().collect();
        all.sort_by_key(|bundle| bundle.entry);
        Ok(all)
    }
}

impl RegisteredBundle {
    fn take(&mut self, line: &crate::ledger::LogLine, now_ms: u64) {
        if let Some(private) = &line.private {
            self.recipient = self.recipient.take().or_else(|| private.recipient.clone());
            self.authority = self.authority.take().or_else(|| private.case.clone());
            self.expires_ms = self.expires_ms.or(private.expires_ms());
        }
        if let Body::Evidence(EvidenceBody::Given { .. }) = line.body {
            self.given_entry = Some(line.index);
            self.digest = line.private.as_ref().and_then(|p| p.exported).map(|(_, digest)| digest);
            let is_over = self.expires_ms.is_some_and(|expires_ms| expires_ms < now_ms);
            self.state = if is_over { BundleState::Expired } else { BundleState::Given };
        } else {
            self.tapes.push(line.subject);
        }
    }
}
