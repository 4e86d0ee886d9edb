//! A vault that lacks the keys of the newest tapes, taken as it is. Only on request: an older copy of the vault looks the
//! same, and where a newer one exists nothing need be lost.

use super::begin::permit;
use super::which::{Mended, RepairDone};
use crate::codec::digest::TapeId;
use crate::error::{Code, Error, Result};
use crate::ledger::acts::{Act, LEDGER_CLASS};
use crate::ledger::core::Core;
use crate::ledger::newest_key::{Lost, LostKey};
use crate::ledger::{Environment, Places, Who, start};
use crate::log::Body;

/// `what` of an `integrity.failed` entry about a key that was given up.
const KEY_GIVEN_UP: u64 = 8;
/// Entries appended at once: well within what one group holds, by number and by bytes.
const AT_ONCE: usize = 256;
/// Revisions of the lost vault that the log may not know of: keys that were made and sealed nothing.
const NEVER_USED_MAX: u64 = 8;

/// Asks the policy. Whether there is anything to accept is found by the opening, which makes every other comparison, too.
pub(super) fn accept(places: &Places, env: &Environment, who: &Who) -> Result<Mended> {
    let found = start::find(places, env)?;
    permit(&found.identity, &start::stores(&found, env)?, who)?;
    Ok(Mended { done: RepairDone::Vault { tapes: Vec::new() }, entries: Vec::new(), rebuild_rows: false })
}

impl Core {
    /// Records each tape whose key is lost, then ends the epoch that had it. In this order: a crash in between leaves a
    /// ledger that is still refused, never one that opens without the log saying why.
    pub(in crate::ledger) async fn accept_vault(&self, who: &Who, lost: &Lost) -> Result<RepairDone> {
        if lost.tapes.is_empty() {
            return Ok(RepairDone::Nothing);
        }
        let (mut drafts, mut tapes) = (Vec::with_capacity(lost.tapes.len()), Vec::with_capacity(lost.tapes.len()));
        for key in &lost.tapes {
            let (tape, class) = self.tape_and_class(key)?;
            let body = Body::IntegrityFailed { what: KEY_GIVEN_UP, at: key.entry, digest: None };
            let act = Act::about_tape(who, key.custody, &class, body);
            drafts.push(self.draft(&act, |p| p.tape_id = Some(tape))?);
            tapes.push((tape, key.entry));
        }
        let mut drafts = drafts.into_iter().peekable();
        while drafts.peek().is_some() {
            self.append(drafts.by_ref().take(AT_ONCE).collect()).await?;
        }
        // A copy that turns up later must not pass for a newer one: as a whole it lacks what comes from now on.
        self.outrun(lost.revisions.saturating_add(NEVER_USED_MAX))?;
        // The old epoch is not written to any more: another copy of its file may have the keys that this one lacks.
        self.begin_epoch()?;
        Ok(RepairDone::Vault { tapes })
    }

    fn tape_and_class(&self, key: &LostKey) -> Result<(TapeId, String)> {
        let missing = || Error::new(Code::RowsUnavailable, "the row of a tape is missing in sled");
        let facts = self.subject(&key.custody)?.and_then(|s| s.facts).ok_or_else(missing)?;
        // The key of its class may be lost with it; the entry is written all the same.
        Ok((facts.tape, self.class_of(&facts.class_key).unwrap_or_else(|_| LEDGER_CLASS.to_owned())))
    }
}
