//! `status`: where the ledger stands, and what it cannot promise. Recorded nowhere, releases no content.

use serde_json::json;

use crate::cli::session::Session;
use crate::cli::words;
use crate::error::{Error, Kind, Result};
use crate::ledger::{Checker, Status};

pub(in crate::cli) fn status(s: &mut Session<'_>) -> Result<u8> {
    let mut opened = false;
    let done = s.with_ledger(async |ledger, s| {
        opened = true;
        ledger.settle().await.ok();
        print(s, &ledger.status()?);
        Ok(0)
    });
    match done {
        Ok(exit) => Ok(exit),
        Err(e) if opened || matches!(e.kind(), Kind::NoLedger | Kind::Usage) => Err(e),
        Err(e) => survey(s, e),
    }
}

fn print(s: &mut Session<'_>, status: &Status) {
    let limits = limits(status);
    if s.out.json {
        s.out.document(json!({ "type": "status", "entries": status.entries, "limits": limits }));
        return;
    }
    s.out.line(&format!("ledger   {}", status.ledger));
    s.out.line(&format!("entries  {}", status.entries));
    for limit in limits {
        s.out.line(&format!("  - {limit}"));
    }
    let _ = words::count(0, "");
}

fn limits(_status: &Status) -> Vec<String> {
    Vec::new()
}

fn survey(s: &mut Session<'_>, why: Error) -> Result<u8> {
    let Ok(checker) = Checker::open(&s.parts.places, &s.parts.env) else { return Err(why) };
    let (size, _) = checker.survey()?;
    s.out.line(&format!("entries  {size}"));
    Err(why)
}
