//! What is to be mended, and which copy is the better one.

use super::begin::Begun;
use super::copies::{self, Held};
use super::{head, journal, vault};
use crate::catalog::Queries;
use crate::codec::digest::TapeId;
use crate::error::{Code, Error, Result};
use crate::evidence::Verdict;
use crate::ledger::check::{CheckOptions, Checker};
use crate::ledger::core::{Folders, Identity};
use crate::ledger::head_file::{self, JournalEnd};
use crate::ledger::rebuild::rows_ahead;
use crate::ledger::{Environment, Places, Who, start};
use crate::log::{Body, HeadFile};
use crate::store::Stores;

/// What to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Repair {
    /// Journal from sled, or sled from the journal, whichever is in doubt.
    Log,
    /// Make a new signed head file from the journal as it stands, and log that it was done.
    AcceptHead,
    /// Take a vault as it is that lacks the keys of the newest tapes, give those tapes up, and log which. The last
    /// resort when no newer copy of the vault is to be found; a vault of an older revision is not accepted.
    AcceptVault,
}

/// What was mended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RepairDone {
    /// Both copies hold and agree.
    Nothing,
    /// The journal was brought back from sled.
    Journal {
        /// First segment that was written anew.
        from_segment: u64,
        /// Entries brought back.
        entries: u64,
        /// Where the old files went.
        aside: Vec<std::path::PathBuf>,
    },
    /// The rows were built anew from the journal.
    Rows,
    /// A new head file was signed at this size.
    Head {
        /// Entries it names.
        size: u64,
    },
    /// The vault was taken as it is; new keys go to a new epoch, so that nothing is written over.
    Vault {
        /// The tapes whose keys it lacks, each with the entry that saved it.
        tapes: Vec<(TapeId, u64)>,
    },
}

/// A repair, with the entries that tell of it: written by who opens the ledger next.
pub(in crate::ledger) struct Mended {
    pub done: RepairDone,
    pub entries: Vec<Body>,
    pub rebuild_rows: bool,
}

impl Mended {
    pub(super) const fn nothing() -> Self {
        Self { done: RepairDone::Nothing, entries: Vec::new(), rebuild_rows: false }
    }
}

/// Mends what is asked for; the ledger is not open.
pub(in crate::ledger) fn repair(places: &Places, env: &Environment, what: Repair, who: &Who) -> Result<Mended> {
    match what {
        Repair::AcceptHead => head::accept(places, env, who),
        Repair::AcceptVault => vault::accept(places, env, who),
        Repair::Log => log(places, env, who),
    }
}

fn log(places: &Places, env: &Environment, who: &Who) -> Result<Mended> {
    let begun = Begun::new(places, env, who)?;
    let head = begun.head(env)?;
    let Begun { identity, folders, stores } = begun;
    let held = copies::journal(&stores, Some(head.checkpoint.size), None);
    let broken = match breaks_off(&held, &head, &stores) {
        Some(why) => Some(why),
        None => lost_its_end(&held, &identity, &folders, env, &stores)?,
    };
    match broken {
        Some(why) => {
            let vault = start::read_vault(&identity, &folders, env, &stores)?;
            let (done, entry) = journal::bring_back(env, &folders, &stores, Some(&head), &vault, &held, &why)?;
            Ok(Mended { done, entries: vec![entry], rebuild_rows: false })
        }
        None => {
            // A head that the journal went past after its orderly close is nothing that either copy could mend.
            compare_end(&head, &stores)?;
            rows_or_nothing(places, env, stores)
        }
    }
}

/// Why the journal cannot stand as it is, if it cannot.
fn breaks_off(held: &Held, head: &HeadFile, stores: &Stores) -> Option<Error> {
    if let Some(why) = &held.fault {
        return Some(crate::ledger::core::again(why));
    }
    match held.root_at_mark {
        Some(root) => head_file::same_root(head, &root).err(),
        None => Some(head_file::rollback(held.entries, head.checkpoint.size)),
    }
    .or_else(|| stores.journal.survey().err())
}

/// Rows that go on after the journal's last entry: if sled's copy proves so much as one entry more, the journal lost
/// its end, and the rows are the only place where it still stands. Rows that merely claim it are built anew.
pub(super) fn lost_its_end(
    held: &Held,
    identity: &Identity,
    folders: &Folders,
    env: &Environment,
    stores: &Stores,
) -> Result<Option<Error>> {
    if !stores.rows.is_there() {
        return Ok(None);
    }
    let _turn = start::turn_for_rows(&folders.state, env)?;
    let position = Queries::new(&*stores.rows).position().ok().flatten();
    let claimed = position.filter(|p| p.ledger == identity.ledger).map_or(0, |p| p.chain.size());
    if claimed <= held.entries {
        return Ok(None);
    }
    let vault = start::read_vault(identity, folders, env, stores)?;
    let proved = copies::sled(stores, None, &vault).entries;
    Ok((proved > held.entries).then(|| rows_ahead(proved, held.entries)))
}

fn rows_or_nothing(places: &Places, env: &Environment, stores: Stores) -> Result<Mended> {
    drop(stores);
    let checker = Checker::open(places, env)?;
    let report = checker.run(&CheckOptions { stored_only: true, ..CheckOptions::default() });
    if report.findings.iter().any(|f| f.part == "rows") {
        return Ok(Mended { done: RepairDone::Rows, entries: Vec::new(), rebuild_rows: true });
    }
    if report.verdict() == Verdict::Altered {
        return Err(Error::new(
            Code::TapeDamaged,
            "the log holds in both copies; what is damaged cannot be made again from it",
        )
        .with_hint("`immutape verify --all` names it; put that file back from a copy"));
    }
    Ok(Mended::nothing())
}

/// Compares the head with the journal's end.
pub(super) fn compare_end(head: &HeadFile, stores: &Stores) -> Result<()> {
    let last = stores.journal.survey()?.last;
    let (size, clean_close) = last.map_or((0, false), |l| (l.size_after(), l.clean_close()));
    head_file::compare(head, JournalEnd { size, clean_close })
}
