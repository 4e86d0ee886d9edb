//! What others hold of this log, compared with what is here.

use super::anchors::{self, Anchor, compare_root, compare_size};
use crate::catalog::{consistency, root_at};
use crate::error::{Code, Error, Result};
use crate::ledger::acts::Act;
use crate::ledger::core::Core;
use crate::ledger::{Ledger, head_file};
use crate::log::{AnchorBody, Body, Checkpoint};
use crate::proof::{ForkProof, Policy};

/// A log that extends what somebody else holds of it. Only [`Ledger::confirm`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    held: Option<u64>,
}

impl Confirmed {
    /// Entries of the head that was held; `None` when nobody held any.
    #[must_use]
    pub const fn held(&self) -> Option<u64> {
        self.held
    }
}

impl Core {
    fn confirm(&self, held: Option<&str>) -> Result<Confirmed> {
        let held = held.map(|note| self.compare_held(note)).transpose()?;
        if let Some(error) = self.anchors.contradiction() {
            return Err(error);
        }
        self.anchors.set_confirmed();
        Ok(Confirmed { held })
    }

    /// Entries of a head that somebody holds, if this log extends it.
    fn compare_held(&self, note: &str) -> Result<u64> {
        if let Some(error) = self.anchors.contradiction() {
            return Err(error);
        }
        let checkpoint = Checkpoint::from_note(note, &self.identity.keys).map_err(|e| {
            Error::new(Code::ProofInvalid, format!("the head that was shown is none of this log: {e}")).with_source(e)
        })?;
        let anchor = Anchor { checkpoint, note: note.to_owned() };
        self.compare(&anchor)?;
        Ok(anchor.checkpoint.size)
    }

    /// A head that this log signed must be one that it has not left, whoever shows it.
    fn compare(&self, anchor: &Anchor) -> Result<()> {
        let (_, size) = self.settled_queries()?;
        match compare_size(anchor, size).and_then(|()| compare_root(anchor, &*self.stores.rows)) {
            Err(e) if matches!(e.code(), Code::LogRollback | Code::LogFork) => Err(self.contradicted(anchor, e)),
            compared => compared,
        }
    }

    /// Keeps what was shown, and ends this handle: what it would write from now on is another history.
    fn contradicted(&self, anchor: &Anchor, error: Error) -> Error {
        let (files, state) = (&*self.env.files, &self.folders.state);
        let kept = anchors::keep_ahead(files, state, &anchor.note);
        let fork = if error.code() == Code::LogFork { self.fork_proof(anchor).ok().flatten() } else { None };
        let proof = fork.map(|fork| {
            let name = format!("fork-{}.txt", anchor.checkpoint.size);
            anchors::keep_file(files, state, &name, &fork.to_text())
        });
        let error = match (kept, proof) {
            (Err(e), _) | (Ok(()), Some(Err(e))) => {
                Error::new(error.code(), format!("{}; what shows it could not be kept: {e}", error.message()))
                    .with_hint(anchors::WAY_OUT)
            }
            (Ok(()), Some(Ok(path))) => {
                let words = format!("{}; the proof is {}", error.message(), path.display());
                Error::new(error.code(), words).with_hint(anchors::WAY_OUT)
            }
            (Ok(()), None) => error,
        };
        self.anchors.contradict(&error);
        self.poison();
        error
    }

    /// A proof for strangers needs a head of ours of at least as many entries, signed before; none is signed for it.
    fn fork_proof(&self, anchor: &Anchor) -> Result<Option<ForkProof>> {
        let Some(file) = head_file::read(&*self.env.files, &self.folders.state)? else { return Ok(None) };
        let ours = head_file::parse(&file, &self.identity.keys)?.checkpoint;
        let note = head_file::note_of(&file)?.to_owned();
        let held = &anchor.checkpoint;
        if ours.size < held.size {
            return Ok(None);
        }
        if ours.size == held.size {
            let fork = ForkProof { smaller: anchor.note.clone(), larger: note, other_root: None, path: Vec::new() };
            return Ok(Some(fork));
        }
        let rows = &*self.stores.rows;
        Ok(Some(ForkProof {
            smaller: anchor.note.clone(),
            larger: note,
            other_root: Some(root_at(rows, held.size)?),
            path: consistency(rows, held.size, ours.size)?,
        }))
    }
}

impl Ledger {
    /// Compares this log with a head of it that somebody else holds; `None` says that they hold none. From then on heads may be
    /// signed.
    ///
    /// # Errors
    /// `E_LOG_ROLLBACK`, `E_LOG_FORK`: this copy is not the log that others know. What shows it is kept in the state folder, this
    /// handle answers nothing more, and every later start refuses. `E_PROOF_INVALID` for a head that this log did not sign.
    pub async fn confirm(&self, held: Option<String>) -> Result<Confirmed> {
        let core = self.core().clone();
        crate::ledger::facade::blocking(move || core.confirm(held.as_deref())).await
    }

    /// As [`Ledger::confirm`], for one of several who are asked: that this log extends what it holds confirms nothing yet.
    pub(crate) async fn compare_held(&self, note: String) -> Result<u64> {
        let core = self.core().clone();
        crate::ledger::facade::blocking(move || core.compare_held(&note)).await
    }

    /// Does this log begin with what a head names? Whatever the answer, nothing follows from it.
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`.
    pub async fn has_head(&self, head: Checkpoint) -> Result<bool> {
        let core = self.core().clone();
        crate::ledger::facade::blocking(move || {
            let (anchor, (_, size)) = (Anchor::of(head), core.settled_queries()?);
            match compare_size(&anchor, size).and_then(|()| compare_root(&anchor, &*core.stores.rows)) {
                Ok(()) => Ok(true),
                Err(e) if matches!(e.code(), Code::LogRollback | Code::LogFork) => Ok(false),
                Err(e) => Err(e),
            }
        })
        .await
    }

    /// The policy of its witnesses, if there is one.
    #[must_use]
    pub fn witness_policy(&self) -> Option<&Policy> {
        self.core().anchors.policy.as_ref()
    }

    /// Has a witness confirmed this log since it was opened, or is none asked for?
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.core().anchors.is_confirmed()
    }

    /// The last head that was signed, as the head file has it: it can be shown without signing anything anew.
    ///
    /// # Errors
    /// `E_HEAD_MISSING`, `E_HEAD_INVALID`, `E_IO`.
    pub fn last_signed_head(&self) -> Result<Anchor> {
        let core = self.core();
        let file =
            head_file::read(&*core.env.files, &core.folders.state)?.ok_or_else(crate::ledger::start::head_missing)?;
        let checkpoint = head_file::parse(&file, &core.identity.keys)?.checkpoint;
        Ok(Anchor { checkpoint, note: head_file::note_of(&file)?.to_owned() })
    }

    /// The newest head that others cosigned, as far as it is kept here.
    ///
    /// # Errors
    /// `E_HEAD_INVALID`, `E_IO`.
    pub fn newest_anchor(&self) -> Result<Option<Anchor>> {
        let core = self.core();
        anchors::newest_cosigned(&*core.env.files, &core.folders.state, &core.identity.keys)
    }

    /// Keeps a cosigned head, beside the head file and in the log; the index of its entry. The cosignatures are checked once
    /// more under the policy; lines of others are left out.
    ///
    /// # Errors
    /// `E_NOT_FOUND` without a policy, `E_PROOF_INVALID`, `E_STORE_FULL`, `E_IO`, and those of an append; `E_LOG_ROLLBACK`,
    /// `E_LOG_FORK` as [`Ledger::confirm`] for a head of more entries than there are, or of others.
    pub async fn keep_anchor(&self, note: &str) -> Result<u64> {
        let core = self.core();
        // A log that was shown to be another keeps nothing more of what others hold.
        core.refuse_if_broken()?;
        let policy = core.anchors.policy.as_ref();
        let policy = policy.ok_or_else(|| Error::new(Code::NotFound, "this ledger has no witness policy"))?;
        let log = &core.identity.keys;
        let head = policy.check(note, log)?;
        if head.cosigned().is_empty() {
            return Err(Error::new(Code::ProofInvalid, "no witness of the policy has cosigned this head"));
        }
        let parsed = crate::log::SignedNote::parse(note)?;
        let witnesses = policy.witnesses();
        let ours = |line: &crate::log::NoteSignature| log.head_keys().iter().any(|key| key.is_of(line));
        let known = |line: &crate::log::NoteSignature| ours(line) || witnesses.iter().any(|w| w.key.is_of(line));
        let note = parsed.with_only(known);
        let lines = parsed.signatures().iter();
        let keys: Vec<_> = lines.filter_map(|line| witnesses.iter().find(|w| w.key.is_of(line))).collect();
        let keys = keys.iter().map(|witness| witness.key.to_text()).collect();
        let (compared, anchor) = (core.clone(), Anchor { checkpoint: head.checkpoint().clone(), note: note.clone() });
        crate::ledger::facade::blocking(move || compared.compare(&anchor)).await?;
        anchors::keep(&*core.env.files, &core.folders.state, log, &note)?;
        let body = AnchorBody::Cosigned { note: note.into_bytes(), keys, quorum: head.is_quorum() };
        let draft = core.draft(&Act::own(Body::Anchor(body)), |_| {})?;
        let placed = core.append(vec![draft]).await?;
        let index = placed.first().ok_or_else(crate::ledger::core::died)?.index;
        core.previous_key_was_seen(&parsed, head.is_quorum())?;
        Ok(index)
    }
}
