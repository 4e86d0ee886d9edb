//! `delete`: refused, recorded, and the way named.

use crate::cli::args::OneTape;
use crate::cli::session::Session;
use crate::error::Result;

pub(in crate::cli) fn delete(s: &mut Session<'_>, args: &OneTape) -> Result<u8> {
    s.with_ledger(async |ledger, s| match ledger.delete(&s.parts.who, &args.id).await? {})
}
