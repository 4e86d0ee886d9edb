//! Asking the witnesses before something is signed: each command is an opening of its own, and none of them signs before a witness
//! has said what it holds.

use std::sync::Arc;

use crate::anchor::{Http, Transport, confirm};
use crate::error::Result;
use crate::ledger::Ledger;

/// Asks those of the policy, unless the ledger needs nobody to confirm it, or was confirmed in this opening.
///
/// # Errors
/// Those of [`confirm`].
pub(super) async fn confirmed(ledger: &Ledger, allow_private: bool) -> Result<()> {
    if ledger.is_confirmed() {
        return Ok(());
    }
    let transport: Arc<dyn Transport> = Arc::new(Http::new(allow_private, None)?);
    confirm(ledger, &transport).await
}
