//! What every repair of a log begins with: who this ledger is, who may mend it, and that nobody else is at it.

use super::journal;
use crate::error::{Code, Error, Result};
use crate::governance::{Action, Decision};
use crate::ledger::acts::refusal_words;
use crate::ledger::core::{Folders, Identity};
use crate::ledger::{Environment, Places, Who, head_file, known_keys, people, start, succeed};
use crate::log::{HeadFile, HeadState};
use crate::store::Stores;

/// A ledger that may be mended: the policy allows it, whoever had it is done, and it did not end.
pub(super) struct Begun {
    pub identity: Identity,
    pub folders: Folders,
    pub stores: Stores,
}

impl Begun {
    pub(super) fn new(places: &Places, env: &Environment, who: &Who) -> Result<Self> {
        // A journal that a repair had put aside when it was cut off is found by the rows.
        let (mut identity, folders) = find_in_either(places, env)?;
        // Whoever has the ledger may be about to be done, and what is read before that is out of date.
        start::wait_for_turn(&folders.state, env, start::end_of_patience())?;
        let stores = start::open_stores(&identity, &folders, env)?;
        known_keys::learn(&mut identity, &folders, env, &stores)?;
        permit(&identity, &stores, who)?;
        succeed::refuse_ended(&*env.files, &folders.state, &identity.keys)?;
        Ok(Self { identity, folders, stores })
    }

    /// The signed head, which a repair must reach. The journal is told whether the log was closed in order.
    pub(super) fn head(&self, env: &Environment) -> Result<HeadFile> {
        let text = head_file::read(&*env.files, &self.folders.state)?.ok_or_else(|| {
            Error::new(Code::HeadMissing, "the signed head file is missing, so nothing says what a repair must reach")
                .with_hint("`immutape repair --accept-head` makes a new one from the journal as it stands")
        })?;
        let head = head_file::parse(&text, &self.identity.keys)?;
        self.stores.journal.set_reopened(head.state == HeadState::Open);
        Ok(head)
    }
}

/// Asked before anything is changed. The ledger is not open, so a refusal is recorded by who asked, if it opens.
pub(super) fn permit(identity: &Identity, stores: &Stores, who: &Who) -> Result<()> {
    match people::permits(identity, stores, who, Action::Repair)? {
        Decision::Granted => Ok(()),
        Decision::Refused(code) => {
            let (words, hint) = refusal_words(code);
            Err(Error::new(code, words).with_hint(hint))
        }
    }
}

/// Who this ledger is: by entry 0 in the journal, or by sled's copy when not even that can be read.
fn find_in_either(places: &Places, env: &Environment) -> Result<(Identity, Folders)> {
    match start::find(places, env) {
        Ok(found) => Ok((found.identity, found.folders)),
        Err(e) if matches!(e.code(), Code::LogDamaged | Code::LedgerMissing | Code::NewerFormat) => {
            journal::from_rows(places, env).map_err(|_| e)
        }
        Err(e) => Err(e),
    }
}
