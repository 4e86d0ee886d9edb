//! Proofs and receipts over released heads. Each is an entry before anybody has it.

use crate::catalog::{consistency, inclusion};
use crate::codec::digest::{Digest, TapeId, sha256};
use crate::error::{Code, Error, Result};
use crate::governance::Action;
use crate::ledger::acts::Act;
use crate::ledger::core::{Core, died};
use crate::ledger::{Ledger, Who};
use crate::log::{AnchorBody, Body, Checkpoint, SignedNote};
use crate::proof::{Receipt, TlogProof};

/// What is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProofForm {
    /// C2SP tlog-proof, with the entry itself as extra data.
    TlogProof,
    /// COSE receipt, RFC 9942.
    Receipt,
}

/// A proof that was made, and the entry that tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Proven {
    /// Bytes of the file.
    pub file: Vec<u8>,
    /// The tape.
    pub tape: TapeId,
    /// Public half of the entry that is proved.
    pub entry: Vec<u8>,
    /// Index of that entry.
    pub index: u64,
    /// The head it is proved under.
    pub head: Checkpoint,
    /// Index of the entry that records this.
    pub recorded_as: u64,
}

impl Core {
    /// The newest anchored head over entry `index`, or else one that is signed now.
    async fn head_over(&self, ledger: &Ledger, index: u64) -> Result<(Checkpoint, String)> {
        let anchor = ledger.newest_anchor()?.filter(|anchor| anchor.checkpoint.size > index.max(1));
        match anchor {
            Some(anchor) => Ok((anchor.checkpoint, anchor.note)),
            None => {
                let head = ledger.release_head().await?;
                Ok((head.checkpoint, head.note))
            }
        }
    }
}

impl Ledger {
    /// Proves that the entry which saved a tape is in the log.
    ///
    /// # Errors
    /// Those of a look-up, of [`Ledger::release_head`] when no anchor covers it, and of an append.
    pub async fn prove(&self, who: &Who, id: &str, form: ProofForm) -> Result<Proven> {
        let core = self.core();
        let found = core.look_up(who, Action::Prove, id).await?;
        let missing = || Error::new(Code::RowsUnavailable, "the entry that saved this tape is missing in sled");
        let (queries, _) = core.settled_queries()?;
        let index = queries.saved_index(&found.custody)?.ok_or_else(missing)?;
        let entry = queries.entry(index)?.ok_or_else(missing)?.public;
        let (head, note) = core.head_over(self, index).await?;
        core.progress.wait_for_rows(head.size)?;
        let path = inclusion(&*core.stores.rows, index, head.size)?;
        let (number, file) = match form {
            ProofForm::TlogProof => {
                (0, TlogProof { extra: Some(entry.clone()), index, path, note }.to_text().into_bytes())
            }
            ProofForm::Receipt => {
                let subject = found.custody.to_hex();
                (1, Receipt::sign(&head, &subject, index, &path, &core.keys.issuer)?)
            }
        };
        let body = receipt_body(number, head.size, index, &file);
        let act = Act::about_tape(who, found.custody, &found.class, body);
        let draft = core.draft(&act, |p| p.tape_id = Some(found.facts.tape))?;
        let placed = core.append(vec![draft]).await?;
        let recorded_as = placed.first().ok_or_else(died)?.index;
        Ok(Proven { file, tape: found.facts.tape, entry, index, head, recorded_as })
    }

    /// Proves that the log of `new` entries extends that of `old`; the hashes of the path, and the index of the entry that
    /// records it. `new` may be any size that the log has had.
    ///
    /// # Errors
    /// `E_USAGE` for sizes that are none of this log, and those of an append.
    pub async fn prove_consistency(&self, who: &Who, old: u64, new: u64) -> Result<(Vec<[u8; 32]>, u64)> {
        let core = self.core();
        core.permit(who, Action::Prove, None).await?;
        let (_, size) = core.settled_queries()?;
        if old == 0 || old > new || new > size {
            let words = format!("the sizes must be 1 to {size}, the older one first");
            return Err(Error::new(Code::Usage, words));
        }
        let path = consistency(&*core.stores.rows, old, new)?;
        let draft = core.draft(&Act::about_ledger(who, receipt_body(2, new, old, &path.concat())), |_| {})?;
        let placed = core.append(vec![draft]).await?;
        Ok((path, placed.first().ok_or_else(died)?.index))
    }

    /// Paths for witnesses and publication, which disclose hashes alone.
    ///
    /// # Errors
    /// `E_USAGE` for sizes that are none of this log, `E_ROWS_UNAVAILABLE`.
    pub fn consistency_path(&self, old: u64, new: u64) -> Result<Vec<[u8; 32]>> {
        let core = self.core();
        let (size, _) = core.progress.durable();
        if old > new || new > size {
            return Err(Error::new(Code::Usage, "a size that this log has not had"));
        }
        core.progress.wait_for_rows(new)?;
        consistency(&*core.stores.rows, old, new)
    }

    /// Keeps a checked RFC 3161 token over the note of a head with exactly the log's signature line; the index of its entry.
    ///
    /// # Errors
    /// `E_PROOF_INVALID` for a note of another log; those of an append.
    pub async fn keep_time_stamp(&self, note: &str, token: &[u8], time_ms: u64) -> Result<u64> {
        let core = self.core();
        let parsed = SignedNote::parse(note)?;
        let checkpoint = Checkpoint::from_note(note, &core.identity.keys)?;
        if parsed.signatures().len() != 1 || checkpoint.size > core.progress.durable().0 {
            return Err(Error::new(Code::ProofInvalid, "not a head of this log with its signature alone"));
        }
        let (ours, head, shown) = (core.clone(), checkpoint, note.to_owned());
        crate::ledger::facade::blocking(move || ours.check_ours(&head, &shown)).await?;
        let note = note.as_bytes().to_vec();
        let body = AnchorBody::Timestamped { note, token: token.to_vec(), time_ms };
        let draft = core.draft(&Act::own(Body::Anchor(body)), |_| {})?;
        let placed = core.append(vec![draft]).await?;
        Ok(placed.first().ok_or_else(died)?.index)
    }
}

fn receipt_body(form: u64, size: u64, index: u64, file: &[u8]) -> Body {
    Body::Anchor(AnchorBody::ReceiptIssued { form, size, index, file: Digest::from_bytes(sha256(file)) })
}
