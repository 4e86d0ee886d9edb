//! The record of every access.

use super::clause::{Checked, Clause, Not, Subject, holds, ok};
use super::material::tape;
use crate::codec::digest::TapeId;
use crate::provider::{Query, TapeStorageBackend};

pub(super) const CLAUSES: &[Clause] =
    &[Clause::new("every list, search, read and refusal is on record", |s| Box::pin(on_record(s)))];

/// Entries so far, without the one that asking for them makes.
async fn entries(backend: &dyn TapeStorageBackend) -> Checked<u64> {
    let entries = ok("stats", backend.stats().await)?.entries;
    entries.ok_or_else(|| Not::Kept("stats: access is said to be recorded, but no entries are counted".into()))
}

async fn on_record(s: Subject) -> Checked<()> {
    let backend = s.empty().await?;
    let id = ok("save", backend.save(&tape("one", 0)).await)?;
    if !backend.capabilities().records_access {
        return Err(Not::Promised("access is not said to be recorded"));
    }
    let mut before = entries(&*backend).await?;
    let asking = entries(&*backend).await?.saturating_sub(before);
    before = before.saturating_add(asking);
    for act in ["load", "list", "search", "exists", "delete", "load of nothing"] {
        match act {
            "load" => _ = ok(act, backend.load(&id).await)?,
            "list" => _ = ok(act, backend.list(&Query::all()).await)?,
            "search" => _ = ok(act, backend.search(&Query::all()).await)?,
            "exists" => _ = ok(act, backend.exists(&id).await)?,
            "delete" => _ = backend.delete(&id).await,
            _ => _ = backend.load(&TapeId::from_bytes([7; 32])).await,
        }
        let after = entries(&*backend).await?;
        holds(&format!("{act} left no entry"), after > before.saturating_add(asking))?;
        before = after;
    }
    Ok(())
}
