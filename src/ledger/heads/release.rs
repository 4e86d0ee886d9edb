//! Signing a head that leaves the house.

use crate::error::{Code, Error, Result};
use crate::ledger::core::Core;
use crate::ledger::writer::{Request, Writer};
use crate::ledger::{Ledger, head_file};
use crate::log::{Checkpoint, HeadState};

/// A signed head whose entries are durable, and which the ledger's own head file knew before anybody else.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReleasedHead {
    /// Size and root.
    pub checkpoint: Checkpoint,
    /// The note with the log's signature alone.
    pub note: String,
}

impl Core {
    /// A log with witnesses signs nothing before they have said that it extends what they hold: after a restored
    /// backup it would sign a second history.
    pub(in crate::ledger) fn may_sign(&self) -> Result<()> {
        if let Some(error) = self.anchors.contradiction() {
            return Err(error);
        }
        if self.anchors.is_confirmed() {
            return Ok(());
        }
        Err(Error::new(
            Code::NotConfirmed,
            "too few witnesses have confirmed this log since it was opened, so no head is signed",
        )
        .with_hint("`immutape witness run` asks the witnesses of the policy now; entries are kept meanwhile"))
    }
}

impl Writer {
    /// The head over everything that is durable now. A crash behind the head file leaves a signed head that nobody
    /// else has, which is lawful: its entries cannot be taken back any more.
    pub(in crate::ledger) fn release(&mut self) -> Result<ReleasedHead> {
        self.core.may_sign()?;
        self.write_head(HeadState::Open)
    }

    /// Before the first group of a term the head file says that more may follow. Before a witness has spoken it goes on saying
    /// what it said: a file that is open already stays, since what was found behind its head may be another history, and a
    /// closed one is signed anew at its own size. A crash before the group leaves a log without it, which is lawful.
    pub(in crate::ledger) fn open_head_file(&mut self) -> Result<()> {
        if self.core.may_sign().is_err() && self.is_head_file_behind()? {
            return Ok(());
        }
        self.write_head(HeadState::Open).map(|_| ())
    }

    fn is_head_file_behind(&self) -> Result<bool> {
        let core = &self.core;
        let text =
            head_file::read(&*core.env.files, &core.folders.state)?.ok_or_else(crate::ledger::start::head_missing)?;
        let head = head_file::parse(&text, &core.identity.keys)?;
        Ok(head.state == HeadState::Open && head.checkpoint.size < self.chain.size())
    }
}

impl Ledger {
    /// Signs a head over all entries that are durable now.
    ///
    /// # Errors
    /// `E_NOT_CONFIRMED`; `E_LOG_ROLLBACK`, `E_LOG_FORK` once a witness has shown that; `E_STORE_FULL`, `E_IO`, `E_BROKEN`.
    ///
    /// ```no_run
    /// # async fn publish(ledger: &immutape::ledger::Ledger) -> immutape::error::Result<()> {
    /// let head = ledger.release_head().await?;
    /// print!("{}", head.note);
    /// # Ok(()) }
    /// ```
    pub async fn release_head(&self) -> Result<ReleasedHead> {
        self.core().ask(|answer| Request::Head { answer }).await
    }

    /// As [`Ledger::release_head`]; after a rotation of the checkpoint key signed by the old one, too, until a quorum of witnesses
    /// has seen both on one head.
    ///
    /// # Errors
    /// As [`Ledger::release_head`].
    pub async fn release_head_for_witnesses(&self) -> Result<ReleasedHead> {
        let head = self.release_head().await?;
        Ok(ReleasedHead { note: self.core().with_previous_line(head.note)?, ..head })
    }
}
