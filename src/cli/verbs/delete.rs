//! `delete`: refused, recorded, and the way named.

use crate::cli::args::OneTape;
use crate::cli::session::Session;
use crate::error::{Code, Result};

pub(in crate::cli) fn delete(s: &mut Session<'_>, args: &OneTape) -> Result<u8> {
    s.with_ledger(async |ledger, s| match ledger.delete(&s.parts.who, &args.id).await {
        Ok(never) => match never {},
        Err(e) => {
            if e.code() == Code::DisposalRequired {
                s.out.say("Nothing was removed. That this was asked for and refused stands in the log now.");
            }
            Err(e)
        }
    })
}
