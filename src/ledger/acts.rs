//! From an act to a draft of its entry: the decision, the private half, the custody key.

use super::Who;
use super::core::{Core, died};
use super::who::itself;
use super::writer::{Answer, Request};
use crate::codec::digest::CustodyId;
use crate::codec::random::bytes;
use crate::error::{Code, Error, Result};
use crate::governance::{Action, Decision};
use crate::keyring::CustodyLabel;
use crate::log::{Body, ClockStamp, EntryDraft, EntryKind, Outcome, PlacedEntry, PrivateHalf};
use crate::seal::{PersonStatement, PrivateAad};
pub(super) use crate::tape::LEDGER_CLASS;
use crate::time::Timestamp;

/// What an act is about, before it becomes an entry.
pub(super) struct Act<'a> {
    pub who: Option<&'a Who>,
    pub kind: EntryKind,
    pub subject: CustodyId,
    pub class: &'a str,
    pub body: Body,
    pub range: Option<(u64, u64)>,
}

impl<'a> Act<'a> {
    /// The ledger's own act about itself.
    pub(super) fn own(body: Body) -> Act<'static> {
        let kind = body.kind().unwrap_or(EntryKind::LOG_STARTED);
        Act { who: None, kind, subject: CustodyId::LEDGER, class: LEDGER_CLASS, body, range: None }
    }

    /// Somebody's act about the ledger.
    pub(super) fn about_ledger(who: &'a Who, body: Body) -> Self {
        let kind = body.kind().unwrap_or(EntryKind::LOG_READ);
        Act { who: Some(who), kind, subject: CustodyId::LEDGER, class: LEDGER_CLASS, body, range: None }
    }

    /// Somebody's act about a tape of `class`.
    pub(super) fn about_tape(who: &'a Who, subject: CustodyId, class: &'a str, body: Body) -> Self {
        let kind = body.kind().unwrap_or(EntryKind::METADATA_READ);
        Act { who: Some(who), kind, subject, class, body, range: None }
    }
}

impl Core {
    /// Seals an act into a draft; `fill` adds what the kind needs to the private half.
    pub(super) fn draft(&self, act: &Act<'_>, fill: impl FnOnce(&mut PrivateHalf)) -> Result<EntryDraft> {
        let now = self.env.clock.read();
        // One question to the generator: each is a call into the system.
        let fresh = bytes::<48>(&*self.env.random)?;
        let (request_id, salt) = fresh.split_first_chunk::<16>().ok_or_else(died)?;
        let (request_id, salt) = (*request_id, salt.first_chunk::<32>().copied().ok_or_else(died)?);
        let (actor, roles, on_behalf_of) = match act.who {
            Some(who) => self.actor_of(who)?,
            None => (itself(), Vec::new(), None),
        };
        let mut private = PrivateHalf {
            actor: Some(actor),
            roles,
            on_behalf_of,
            request_id: Some(request_id),
            range: act.range,
            outcome: Some(Outcome::Ok),
            clock: Some(ClockStamp {
                wall: now.wall,
                monotonic_ns: now.monotonic_ns,
                boot_id: self.env.clock.boot_id(),
            }),
            policy_digest: Some(self.policy_digest),
            build_digest: Some(self.env.build),
            ..PrivateHalf::default()
        };
        if let Some(who) = act.who {
            private.origin = Some((who.host.clone(), who.pid, None));
            private.purpose.clone_from(&who.purpose);
            private.tool.clone_from(&who.tool);
            if let Some((_, signer)) = &who.person {
                let statement = PersonStatement {
                    ledger: self.identity.ledger,
                    action: act.kind.number(),
                    subject: act.subject,
                    range: act.range,
                    request: request_id,
                    time: now.wall,
                };
                private.person_statement = Some(statement.sign(&**signer));
                private.credential = Some(signer.public_key().thumbprint());
            }
        }
        fill(&mut private);
        self.seal_draft(act, &private, now.wall, salt)
    }

    fn seal_draft(&self, act: &Act<'_>, private: &PrivateHalf, now: Timestamp, salt: [u8; 32]) -> Result<EntryDraft> {
        let label = CustodyLabel { class: act.class.to_owned(), month: now.month_number() };
        let aad = PrivateAad { origin: self.origin(), kind: act.kind.number(), subject: &act.subject };
        loop {
            if let Some(key) = self.vault_read()?.custody_key_for(&label) {
                let sealed = key.seal(salt, aad, private)?;
                return Ok(EntryDraft::new(act.kind, act.subject, act.body.encode(), sealed));
            }
            self.add_custody_key(&label)?;
        }
    }

    /// Makes the custody key of a class and month. A crash after the vault took it leaves a key that
    /// nothing uses yet.
    fn add_custody_key(&self, label: &CustodyLabel) -> Result<()> {
        let _alone = self.vault_change.lock().map_err(|_| died())?;
        let mut keys = self.vault.write().map_err(|_| died())?;
        if keys.custody_key_for(label).is_none() {
            let id = keys.add_custody_key(label.clone(), &*self.env.random)?;
            let (generation, revision, file) = keys.encode_next();
            if let Err(e) = self.heed(self.stores.vault.set_generation(generation, revision, &file)) {
                keys.take_back_custody_key(&id);
                return Err(e);
            }
            keys.stored(revision);
        }
        Ok(())
    }

    /// Begins a new epoch of the vault. A crash after its file was made and before the generation names it leaves an
    /// empty file that nothing refers to.
    pub(super) fn begin_epoch(&self) -> Result<[u8; 16]> {
        let _alone = self.vault_change.lock().map_err(|_| died())?;
        // Callers go on reading keys while the vault takes the new epoch: nobody but who asked for it uses the open one.
        let keys = || self.vault.write().map_err(|_| died());
        let (epoch, (generation, revision, file)) = {
            let mut keys = keys()?;
            (keys.add_epoch(&*self.env.random)?, keys.encode_next())
        };
        let vault = &self.stores.vault;
        let stored = vault.create_epoch(&epoch).and_then(|()| vault.set_generation(generation, revision, &file));
        if let Err(e) = self.heed(stored) {
            keys()?.take_back_epoch(&epoch);
            return Err(e);
        }
        keys()?.stored(revision);
        Ok(epoch)
    }

    /// Stores the vault so many times more, as it is: its revision is then past that of any copy with fewer.
    pub(super) fn outrun(&self, revisions: u64) -> Result<()> {
        let _alone = self.vault_change.lock().map_err(|_| died())?;
        let mut keys = self.vault.write().map_err(|_| died())?;
        for _ in 0..revisions {
            let (generation, revision, file) = keys.encode_next();
            self.heed(self.stores.vault.set_generation(generation, revision, &file))?;
            keys.stored(revision);
        }
        Ok(())
    }

    /// The request that records a refusal about a tape of a class, and the error to give when it is durable. Who is
    /// refused before anything was looked up is refused about the ledger, and `asked` says what for.
    pub(super) fn refusal(
        &self,
        who: &Who,
        action: Action,
        (subject, class): (CustodyId, &str),
        asked: Option<&str>,
        code: Code,
    ) -> Result<(EntryDraft, Error)> {
        let body = Body::Refused { act: action.kind().number(), error: code.number() };
        let act = Act { who: Some(who), kind: EntryKind::REFUSED, subject, class, body, range: None };
        let (words, hint) = match self.why_denied(who, action) {
            Some(why) if code == Code::NotPermitted => why,
            _ => {
                let (words, hint) = refusal_words(code);
                (words, hint.to_owned())
            }
        };
        let draft = self.draft(&act, |p| {
            p.outcome = Some(Outcome::Refused);
            p.error = Some((u64::from(code.number()), words.to_owned()));
            p.query = asked.map(|id| id.as_bytes().to_vec());
        })?;
        Ok((draft, Error::new(code, words).with_hint(hint)))
    }

    /// Hands a request to the writer and waits for its answer.
    pub(super) async fn ask<T>(&self, make: impl FnOnce(Answer<T>) -> Request) -> Result<T> {
        self.refuse_if_broken()?;
        let (answer, wait) = tokio::sync::oneshot::channel();
        self.stay_alive()?.send(make(answer)).await.map_err(|_| died())?;
        wait.await.map_err(|_| died())?
    }

    /// Appends drafts in one group, durable on return.
    pub(super) async fn append(&self, drafts: Vec<EntryDraft>) -> Result<Vec<PlacedEntry>> {
        self.ask(|answer| Request::Append { drafts, is_refusal: false, answer }).await
    }

    /// Appends a refusal: there is room for these even when the disk is nearly full.
    pub(super) async fn append_refusal(&self, draft: EntryDraft) -> Result<Vec<PlacedEntry>> {
        self.ask(|answer| Request::Append { drafts: vec![draft], is_refusal: true, answer }).await
    }

    /// Asks the policy, and on a refusal records it and gives the error. `asked` is the id that somebody gave.
    pub(super) async fn permit(&self, who: &Who, action: Action, asked: Option<&str>) -> Result<()> {
        match self.decide(who, action) {
            Decision::Granted => Ok(()),
            Decision::Refused(code) => {
                let (draft, error) = self.refusal(who, action, (CustodyId::LEDGER, LEDGER_CLASS), asked, code)?;
                self.append_refusal(draft).await?;
                self.env.observer.event(super::Event::Refused);
                Err(error)
            }
        }
    }
}

pub(super) fn refusal_words(code: Code) -> (&'static str, &'static str) {
    match code {
        Code::DisposalRequired => (
            "a kept tape is never deleted outright; it ends only through the disposal workflow, and nothing was removed",
            "the disposal workflow (request, approval, cool-off, destruction of its key) is not part of this version",
        ),
        _ => {
            ("the policy of this ledger does not permit this", "ask who operates the ledger; the refusal is on record")
        }
    }
}
