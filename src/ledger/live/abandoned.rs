//! Recordings whose recorder is gone.

use super::super::Who;
use super::super::acts::Act;
use super::super::facade::Ledger;
use super::seal::{LiveSealer, SPOOL};
use crate::codec::digest::CustodyId;
use crate::error::Result;
use crate::governance::Action;
use crate::log::Body;

/// What was found of a recording in the spool.
pub enum Abandoned {
    /// Somebody records it now.
    Live,
    /// It is to be sealed.
    Sealer(Box<LiveSealer>),
    /// A tape came of it, or nothing was ever recorded: its spool was closed, or put aside where the log says that it was not what
    /// it should have been.
    Closed,
    /// Its spool is not what the log says, or the log does not know it though there are frames: it was put aside, where it
    /// says.
    PutAside(String),
}

impl std::fmt::Debug for Abandoned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Live => "Live",
            Self::Sealer(_) => "Sealer",
            Self::Closed => "Closed",
            Self::PutAside(_) => "PutAside",
        })
    }
}

impl Ledger {
    /// Every recording that has a spool, live ones too.
    ///
    /// # Errors
    /// `E_IO`, `E_BROKEN`.
    pub fn spooled(&self) -> Result<Vec<CustodyId>> {
        self.core().stores.spool.recordings()
    }

    /// Takes over a recording whose recorder is gone. A spool that no entry of the log opened holds at most what was known of
    /// the session before its first frame, and is removed; with more in it, an entry says so and it is put aside. One of which
    /// the log says that it was put aside, though a crash or the disk kept it where it was, is put aside now.
    ///
    /// # Errors
    /// `E_NOT_PERMITTED` (recorded), `E_VAULT_DAMAGED`, `E_ROWS_UNAVAILABLE`, `E_IO`, `E_BROKEN`.
    pub async fn take_over(&self, who: &Who, custody: &CustodyId) -> Result<Abandoned> {
        let (core, spool) = (self.core(), &self.core().stores.spool);
        let Some(hold) = spool.hold(custody)? else { return Ok(Abandoned::Live) };
        if let Some(facts) = core.opened_facts(custody)? {
            core.permit(who, Action::Record, None).await?;
            // The namespace stands in the first record; whoever seals gives it back with the header.
            let sealer = self.sealer(who, *custody, "default".into(), facts, hold)?;
            return Ok(Abandoned::Sealer(Box::new(sealer)));
        }
        if core.tape_of(custody)?.is_some() {
            if core.spool_was_wrong(custody)? {
                return spool.put_aside(custody).map(Abandoned::PutAside);
            }
            spool.close(custody)?;
            return Ok(Abandoned::Closed);
        }
        let mut reader = spool.reader(custody)?;
        let pieces = std::iter::from_fn(|| reader.next_piece().transpose()).take(2).collect::<Result<Vec<_>>>()?;
        if pieces.len() < 2 {
            spool.close(custody)?;
            return Ok(Abandoned::Closed);
        }
        // The entry first: a crash between the two leaves the spool where the next start finds it again, and never in
        // quarantine without a word.
        let digest = Some(core.spool_digest(custody)?);
        let body = Body::IntegrityFailed { what: SPOOL, at: 0, digest };
        let words =
            format!("the spool {} belongs to no recording that the log opened, and is put aside", custody.to_hex());
        let draft = core.draft(&Act::about_ledger(who, body), |p| p.words = Some(words.into_bytes()))?;
        core.append(vec![draft]).await?;
        spool.put_aside(custody).map(Abandoned::PutAside)
    }
}
