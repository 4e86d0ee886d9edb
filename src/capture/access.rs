//! How a recording comes to its ledger.

use std::sync::Arc;

use crate::error::{Code, Result};
use crate::ledger::{Environment, Ledger, Places};

/// Tries to have the ledger to oneself, each of up to five seconds, before a visit is given up.
const TRIES_MAX: u32 = 12;

/// A ledger that is open all the time, or one that is opened for each act alone.
///
/// One process at a time has a ledger. Whoever records for hours does not keep others from it: between opening, marks
/// and sealing a recording needs its spool alone.
#[derive(Clone)]
pub struct LedgerAccess(Inner);

#[derive(Clone)]
enum Inner {
    Open(Ledger),
    Visits(Arc<(Places, Environment)>),
}

impl std::fmt::Debug for LedgerAccess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Inner::Open(_) => "LedgerAccess::open",
            Inner::Visits(_) => "LedgerAccess::visits",
        })
    }
}

impl LedgerAccess {
    /// Over a ledger that its owner keeps open, and closes.
    #[must_use]
    pub const fn open(ledger: Ledger) -> Self {
        Self(Inner::Open(ledger))
    }

    /// Over a ledger that is opened for each act and closed behind it.
    #[must_use]
    pub fn visits(places: Places, environment: Environment) -> Self {
        Self(Inner::Visits(Arc::new((places, environment))))
    }

    pub(super) const fn is_visits(&self) -> bool {
        matches!(self.0, Inner::Visits(_))
    }

    /// Does something with the ledger. Waits for other processes up to a minute.
    ///
    /// # Errors
    /// Those of [`Ledger::open`], of the act, and of [`Ledger::close`].
    pub async fn with<T>(&self, act: impl AsyncFnOnce(&Ledger) -> Result<T>) -> Result<T> {
        let (ledger, is_visit) = self.stay().await?;
        if !is_visit {
            return act(&ledger).await;
        }
        match act(&ledger).await {
            Ok(value) => ledger.close().await.map(|()| value),
            Err(e) => {
                let _the_first_error_says_more = ledger.close().await;
                Err(e)
            }
        }
    }

    /// The ledger, and whether it was opened for this and must be closed.
    async fn stay(&self) -> Result<(Ledger, bool)> {
        let (places, environment) = match &self.0 {
            Inner::Open(ledger) => return Ok((ledger.clone(), false)),
            Inner::Visits(of) => (&of.0, &of.1),
        };
        let mut tries = 1;
        loop {
            match Ledger::open(places.clone(), environment.clone()).await {
                Err(e) if e.code() == Code::Locked && tries < TRIES_MAX => tries = tries.saturating_add(1),
                opened => return opened.map(|ledger| (ledger, true)),
            }
        }
    }
}
