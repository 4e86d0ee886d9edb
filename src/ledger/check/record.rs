//! A check as entries: what was checked and what came of it, and one for each thing that is not what was stored.

use super::{CheckMade, Failure};
use crate::codec::digest::{CustodyId, IdPrefix};
use crate::error::{Code, Error, Result};
use crate::ledger::Who;
use crate::ledger::acts::{Act, LEDGER_CLASS};
use crate::ledger::core::{Core, died};
use crate::log::{Body, EntryDraft};

impl Core {
    /// Appends the entries next to each other; the index of the first, which tells of the check itself.
    pub(in crate::ledger) async fn record_check(&self, who: &Who, made: CheckMade) -> Result<u64> {
        let CheckMade { subject, body, failures } = made;
        if subject.ledger != self.identity.ledger {
            return Err(Error::new(Code::Usage, "what was checked is another ledger"));
        }
        let act = Act::about_tape(who, subject.custody, &subject.class, body);
        let check = self.draft(&act, |_| {})?;
        let failed = failures.iter().map(|failure| self.failed(who, failure));
        let drafts = [Ok(check)].into_iter().chain(failed).collect::<Result<Vec<_>>>()?;
        Ok(self.append(drafts).await?.first().ok_or_else(died)?.index)
    }

    pub(super) fn failed(&self, who: &Who, failure: &Failure) -> Result<EntryDraft> {
        // Rows in doubt lead to no tape: the entry is then about the ledger, and the tape stands in its private half.
        let (custody, class) = self.tape_hit(failure).unwrap_or_else(|| (CustodyId::LEDGER, LEDGER_CLASS.to_owned()));
        let body = Body::IntegrityFailed { what: failure.what, at: failure.at, digest: failure.digest };
        self.draft(&Act::about_tape(who, custody, &class, body), |p| p.tape_id = failure.tape)
    }

    fn tape_hit(&self, failure: &Failure) -> Option<(CustodyId, String)> {
        let prefix = IdPrefix::parse(&failure.tape?.to_hex()).ok()?;
        let (_, custody) = self.queries().by_prefix(&prefix, 1).ok()?.pop()?;
        let facts = self.queries().subject(&custody).ok()??.facts?;
        Some((custody, self.class_of(&facts.class_key).ok()?))
    }
}
