//! Keys that are replaced and revoked: the last act of a term, since everything after it is signed by other keys.

use super::acts::Act;
use super::core::{Core, died};
use super::writer::{Request, Writer};
use super::{Ledger, Who, known_keys};
use crate::codec::digest::Thumbprint;
use crate::error::{Code, Error, Result};
use crate::governance::Action;
use crate::keyring::{ConfigFolder, LocalSigner};
use crate::log::{Body, CriticalBody, EntryDraft, HeadState, KeyHistory, KeyRole, PlacedEntry, SignedNote, rotate};
use crate::proof::Policy;

/// Why a key is revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RevocationReason {
    /// It is lost, or whoever held it has left.
    Retired,
    /// It is, or may be, in wrong hands.
    Compromised,
}

impl RevocationReason {
    /// The number in an entry.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Retired => 0,
            Self::Compromised => 1,
        }
    }
}

/// Which key is revoked, and how far back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevokeKey {
    /// `None` is the key in use, which is replaced at the same moment.
    pub thumbprint: Option<Thumbprint>,
    /// The first index from which on nothing counts that it signed; `None` is the entry that says so.
    pub from: Option<u64>,
    /// Why.
    pub reason: RevocationReason,
}

/// A change of one key of a ledger.
pub struct KeyChange {
    /// Which key.
    pub role: KeyRole,
    /// The key that was named to follow, where it is not in the ledger's own `next` folder.
    pub key: Option<LocalSigner>,
    /// Whether a key is revoked; without this the key in use is replaced and all that it signed stays good.
    pub revoke: Option<RevokeKey>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyChanged {
    /// Keys of the log from now on.
    pub keys: KeyHistory,
    /// Index of the entry that replaced a key.
    pub rotated_as: Option<u64>,
    /// Index of the entry that revoked one.
    pub revoked_as: Option<u64>,
    /// Does the replaced checkpoint key still sign beside the new one, until a quorum of witnesses has seen both?
    pub waits_for_witnesses: bool,
}

/// What the writer needs for the end of a term that changes keys.
pub(super) struct Turnover {
    /// Behind each other in the last group, as bodies and as drafts.
    bodies: Vec<CriticalBody>,
    drafts: Vec<EntryDraft>,
    /// Signs heads from then on, where that is another key.
    head_signer: Option<LocalSigner>,
}

impl Turnover {
    pub(super) fn drafts(&self) -> &[EntryDraft] {
        &self.drafts
    }
}

impl Writer {
    /// What follows the group that changed keys. A crash before the head leaves one that says "closing", which the group lawfully
    /// follows, by the old key: the next start finds the change in the log, and signs it anew. A crash before the file of known keys
    /// leaves an older one, by which the head does not hold: the next start asks the journal.
    pub(super) fn turn_over(&mut self, turnover: &Turnover, placed: &[PlacedEntry]) -> Result<KeyHistory> {
        let mut keys = self.core.identity.keys.clone();
        for (body, placed) in turnover.bodies.iter().zip(placed) {
            keys.apply(placed.index, body)?;
        }
        let core = self.core.clone();
        self.write_head_by(HeadState::Closed, turnover.head_signer.as_ref().unwrap_or(&core.keys.checkpoint))?;
        // Behind the head: a file that names keys by which the head does not hold would shut the ledger out.
        known_keys::write(&*self.core.env.files, &self.core.folders.state, &keys)?;
        Ok(keys)
    }
}

impl Core {
    fn asks_for_witnesses(&self) -> bool {
        self.anchors.policy.as_ref().is_some_and(Policy::asks_for_witnesses)
    }

    /// The bodies of a change, and the key that signs heads after it. Both new keys are durable on return.
    fn changed(&self, change: KeyChange) -> Result<(Vec<CriticalBody>, Option<LocalSigner>)> {
        let KeyChange { role, key, revoke } = change;
        let keys = &self.identity.keys;
        let in_use = keys.in_force(role)?.key.thumbprint();
        let replaces = revoke.is_none_or(|revoke| revoke.thumbprint.is_none_or(|thumbprint| thumbprint == in_use));
        let (mut bodies, mut signer) = (Vec::new(), None);
        if replaces {
            let config = ConfigFolder::new(self.folders.config.clone());
            if role == KeyRole::Checkpoint && revoke.is_none() && config.waits_for_witnesses(&*self.env.files)? {
                let words = "the checkpoint key was replaced before, and no quorum of witnesses has seen both keys yet";
                return Err(Error::new(Code::NotConfirmed, words).with_hint("`immutape witness run` shows them both"));
            }
            let prepared = config.prepare_rotation(&*self.env.files, (role, key), keys, &*self.env.random)?;
            bodies.push(rotate(self.origin(), role, &prepared.signer, prepared.next));
            signer = Some(prepared.signer).filter(|_| role == KeyRole::Checkpoint);
        }
        if let Some(RevokeKey { thumbprint, from, reason }) = revoke {
            // The last entries of the term come before it, so what is durable now is never behind the entry itself.
            let from = from.unwrap_or_else(|| self.progress.durable().0);
            let thumbprint = thumbprint.unwrap_or(in_use);
            bodies.push(CriticalBody::Revoked { role, thumbprint, from, reason: reason.number() });
        }
        let mut tried = keys.clone();
        for (index, body) in (self.progress.durable().0.max(1)..).zip(&bodies) {
            tried.apply(index, body).map_err(|e| Error::new(Code::Usage, e.to_string()).with_source(e))?;
        }
        Ok((bodies, signer))
    }

    /// Removes the checkpoint key that was replaced, once a quorum has seen it sign a head beside its successor.
    pub(super) fn previous_key_was_seen(&self, note: &SignedNote, is_quorum: bool) -> Result<()> {
        let keys = &self.identity.keys;
        let heads = keys.head_keys();
        let before = heads.len().checked_sub(2).and_then(|at| heads.get(at));
        let both = before.is_some_and(|key| note.verify(key).is_ok());
        if !(is_quorum && both) {
            return Ok(());
        }
        ConfigFolder::new(self.folders.config.clone()).forget_previous_checkpoint(&*self.env.files)
    }

    /// The note with the line of the checkpoint key that was replaced, as long as that is kept: witnesses that know only the old
    /// key take the head, and learn from it that the new one follows.
    pub(super) fn with_previous_line(&self, note: String) -> Result<String> {
        let Some(previous) = &self.keys.previous_checkpoint else { return Ok(note) };
        let parsed = SignedNote::parse(&note)?;
        let signed = SignedNote::sign(parsed.text(), self.origin(), previous)?;
        let lines: String = SignedNote::parse(&signed)?.signatures().iter().map(|line| line.to_line()).collect();
        Ok(format!("{note}{lines}"))
    }
}

impl Ledger {
    /// Every key of this log, with where each begins and ends.
    #[must_use]
    pub fn keys(&self) -> &KeyHistory {
        &self.core().identity.keys
    }

    /// Replaces a key by the one that was named to follow it, or revokes one, and closes the ledger: whatever comes after is signed by
    /// other keys. Only the key whose thumbprint entry 0, or the last rotation, holds may follow. A key in use that is revoked is
    /// replaced at the same moment.
    ///
    /// # Errors
    /// `E_NOT_PERMITTED` (recorded); `E_NOT_CONFIRMED` while too few witnesses have confirmed this log; `E_KEY_MISSING`, `E_KEY_FOREIGN` for the
    /// key that follows; `E_USAGE` for a key that this log never had or an index that is not there; those of [`Ledger::close`]. After an
    /// error before the commit the ledger is as it was, and closed.
    pub async fn change_key(self, who: &Who, change: KeyChange) -> Result<KeyChanged> {
        let core = self.core().clone();
        let prepared = async {
            core.permit(who, Action::ChangeKeys, None).await?;
            core.may_sign()?;
            let (bodies, head_signer) = core.changed(change)?;
            let draft = |body: &CriticalBody| core.draft(&Act::about_ledger(who, Body::Critical(body.clone())), |_| {});
            let drafts = bodies.iter().map(draft).collect::<Result<Vec<_>>>()?;
            Ok((bodies, drafts, head_signer))
        };
        let (bodies, drafts, head_signer) = match prepared.await {
            Ok(prepared) => prepared,
            Err(e) => {
                let _the_first_error_counts = self.close().await;
                return Err(e);
            }
        };
        let is_revoked = bodies.iter().any(|body| matches!(body, CriticalBody::Revoked { .. }));
        let is_rotated = bodies.iter().any(|body| matches!(body, CriticalBody::Rotated { .. }));
        let is_head = head_signer.is_some();
        let turnover = Box::new(Turnover { bodies, drafts, head_signer });
        let keys = core.ask(|answer| Request::TurnOver { turnover, answer }).await?;
        self.ended().await?;
        let waits_for_witnesses = is_head && core.asks_for_witnesses() && !is_revoked;
        ConfigFolder::new(core.folders.config.clone()).finish_rotation(&*core.env.files, &keys, waits_for_witnesses)?;
        let mut indices = keys.events().iter().rev().map(|(index, _)| *index);
        let revoked_as = if is_revoked { indices.next() } else { None };
        let rotated_as = if is_rotated { indices.next() } else { None };
        if rotated_as.is_none() && revoked_as.is_none() {
            return Err(died());
        }
        Ok(KeyChanged { keys, rotated_as, revoked_as, waits_for_witnesses })
    }
}
