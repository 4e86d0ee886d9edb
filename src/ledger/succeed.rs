//! Opening a successor, after entries of a log were lost for good: the old log ends where it is known to have been, the new one
//! says so in its first two entries, and nothing of the old one is changed but for a note beside its head.

mod agreed;

use agreed::founders;

use super::acts::Act;
use super::check::{CheckOptions, Checker};
use super::core::died;
use super::heads::{Anchor, compare_root, kept_heads};
use super::{Approvals, Environment, Ledger, Places, Who, create, head_file, known_keys, open, people, start};
use crate::codec::digest::LedgerId;
use crate::codec::limits::NOTE_BYTES_MAX;
use crate::error::{Code, Error, Result};
use crate::governance::{Action, People, Policy, Profile};
use crate::keyring::{ConfigFolder, LocalSigner};
use crate::log::{
    Body, Checkpoint, CriticalBody, Genesis, HeadKeys as _, KeyHistory, KeyRole, ProvenSuccession, SignedText,
    Succession,
};
use crate::seal::Signer;
use crate::store::files::{FileLock, Files, write_atomic};

/// Name of the note in the state folder of a log that ended.
const NAME: &str = "successor.note";

/// How a log goes on.
#[derive(Debug, Clone, Default)]
pub struct SuccessionRequest {
    /// Name of the new log, before its random part.
    pub name: String,
    /// A head of the old log that somebody else holds: a note from a witness, a published checkpoint.
    pub held: Option<String>,
    /// What a second person signed, where the profile has people.
    pub approvals: Approvals,
}

/// A successor that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Succeeded {
    /// What joins the two.
    pub proven: ProvenSuccession,
    /// The note, as both logs keep it.
    pub note: String,
    /// Index of its entry in the new log.
    pub entry: u64,
}

/// The note in a state folder, if its signatures hold and it is about this log.
///
/// # Errors
/// `E_HEAD_INVALID` for a note that does not hold; `E_IO`.
pub(super) fn of_state(
    files: &dyn Files,
    state: &std::path::Path,
    keys: &KeyHistory,
) -> Result<Option<ProvenSuccession>> {
    let bytes = match files.read(&state.join(NAME), NOTE_BYTES_MAX as u64) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::new(Code::Io, "the note of a successor cannot be read").with_source(e)),
    };
    let invalid = |why: &dyn std::fmt::Display| {
        Error::new(Code::HeadInvalid, format!("the note of a successor beside the head does not hold: {why}"))
            .with_hint("put `successor.note` in the state folder aside, and keep it: somebody wrote it")
    };
    let note = String::from_utf8(bytes).map_err(|e| invalid(&e))?;
    let proven = Succession::verify(&note).map_err(|e| invalid(&e))?;
    let terms = keys.terms(KeyRole::Checkpoint).iter().zip(keys.head_keys());
    let term = terms.into_iter().find(|(_, key)| **key == proven.succession().old).map(|(term, _)| term);
    match term {
        None => Err(invalid(&"it is about another log")),
        // Whoever took a key that was replaced or revoked could say as much.
        Some(term) if term.revoked.is_some() || term.until.is_some() => Ok(Some(proven.without_old())),
        Some(_) => Ok(Some(proven)),
    }
}

/// Refuses to write to a log that said itself that it ended. A note that it did not sign ends nothing.
///
/// # Errors
/// `E_LOG_ENDED`; as [`of_state`].
pub(super) fn refuse_ended(files: &dyn Files, state: &std::path::Path, keys: &KeyHistory) -> Result<()> {
    match of_state(files, state, keys)? {
        Some(proven) if proven.is_by_old() => Err(ended(&proven)),
        _ => Ok(()),
    }
}

fn ended(proven: &ProvenSuccession) -> Error {
    let of = proven.succession();
    let words = format!("this log ended by loss at {} entries and goes on as {}", of.head.size, of.new.name());
    Error::new(Code::LogEnded, words)
        .with_hint("use the successor; this one is kept for checks: `immutape verify --all`")
}

/// What is known of the log that ended.
struct Ended {
    ledger: LedgerId,
    genesis: Genesis,
    /// Who there is by what is left of it, where its policy asks for people.
    people: Option<People>,
    keys: KeyHistory,
    state: std::path::PathBuf,
    /// The key that signed its heads, where it is still there.
    signer: Option<LocalSigner>,
    /// The newest head that is known, and its note.
    head: (Checkpoint, String),
    first_lost: u64,
    last_lost: Option<u64>,
    /// A successor that it has already.
    already: Option<ProvenSuccession>,
    /// Nobody writes to it until both logs have the statement.
    _turn: Box<dyn FileLock>,
}

impl Ended {
    fn find(places: &Places, env: &Environment, held: Option<&str>) -> Result<Self> {
        let mut found = start::find(places, env)?;
        let stores = start::stores(&found, env)?;
        known_keys::learn(&mut found.identity, &found.folders, env, &stores)?;
        let (files, folders, identity) = (&*env.files, &found.folders, &found.identity);
        // Who has it open may bring it on: what is lost is said of a log that nobody writes to.
        start::wait_for_turn(&folders.state, env, start::end_of_patience())?;
        let keys = &identity.keys;
        let mut heads = Vec::new();
        if let Some(note) = held {
            let head = Checkpoint::from_note(note, keys).map_err(|e| {
                Error::new(Code::ProofInvalid, format!("the head that was given is none of this log: {e}"))
            })?;
            heads.push((head, note.to_owned()));
        }
        let anchors = kept_heads(files, &folders.state, keys)?;
        heads.extend(anchors.into_iter().map(|anchor| (anchor.checkpoint, anchor.note)));
        if let Some(text) = head_file::read(files, &folders.state)? {
            let head = head_file::parse(&text, keys)?;
            heads.push((head.checkpoint, head_file::note_of(&text)?.to_owned()));
        }
        let newest = heads.into_iter().max_by_key(|(head, _)| head.size);
        let head = newest.ok_or_else(start::head_missing)?;
        let checker = Checker::open(places, env)?;
        let kept = checker.run(&CheckOptions { stored_only: true, ..CheckOptions::default() });
        let kept = kept.checks.iter().find(|check| check.name == "journal").map_or(0, |check| check.checked);
        let turn = start::turn_for_rows(&folders.state, env)?;
        let (first_lost, last_lost) = lost(&head.0, kept, &*stores.rows)?;
        let signer = ConfigFolder::new(folders.config.clone()).checkpoint_in_force(files, keys);
        // The statement is by the key that signed the head: where that was replaced since, nobody can say it for the old log.
        let of_head = *keys.head_key(head.0.size)?.key();
        let signer = signer.filter(|signer| signer.public_key() == of_head);
        let already = of_state(files, &folders.state, keys)?.filter(ProvenSuccession::is_by_old);
        let (genesis, keys, state) = (identity.genesis.clone(), identity.keys.clone(), folders.state.clone());
        let people = match Policy::in_force(&genesis.profile, &genesis.policy) {
            // Where the vault is lost, too, people are called by their ids.
            Some(Policy::ByRoles) => {
                let vault = start::read_vault(identity, folders, env, &stores).ok();
                Some(people::of_journal(&stores, &genesis, vault.as_ref())?)
            }
            _ => None,
        };
        Ok(Self {
            ledger: identity.ledger,
            genesis,
            people,
            keys,
            state,
            signer,
            head,
            first_lost,
            last_lost,
            already,
            _turn: turn,
        })
    }

    /// Entry 0 of the new log tells what the statement tells.
    fn predecessor(&self) -> create::Predecessor {
        (self.genesis.origin.clone(), self.head.1.clone().into_bytes(), self.first_lost, self.last_lost)
    }
}

/// The range of entries that are lost, of a log whose first `kept` entries hold.
fn lost(head: &Checkpoint, kept: u64, rows: &dyn crate::store::Rows) -> Result<(u64, Option<u64>)> {
    let anchor = Anchor::of(head.clone());
    match compare_root(&anchor, rows) {
        // Sled may reach further than the journal: then nothing is lost either.
        Ok(()) => Err(Error::new(Code::NothingLost, "this log has every entry of its newest known head: nothing was lost")
            .with_hint("where a witness holds more, give its head with --head FILE; what only needs mending, `immutape repair` mends")),
        Err(_) if kept < head.size => Ok((kept, head.size.checked_sub(1))),
        // Another history: how far both are the same nobody can say here, so nothing is claimed to be kept.
        Err(e) if e.code() == Code::LogFork => Ok((0, head.size.checked_sub(1))),
        Err(e) => Err(e),
    }
}

impl Ledger {
    /// Opens the successor of a log that lost entries: a new ledger, whose entry 0 names the old log, its newest known head and the lost range,
    /// and whose next entries hold the statement that joins them, signed by the new log and, where its key is still there, by
    /// the old one. The old ledger is left as it is but for that note: it opens no more, and can be checked for ever. A call that was cut
    /// off is gone on with by the next one.
    ///
    /// # Errors
    /// `E_NOTHING_LOST`; `E_NOT_PERMITTED`, `E_SECOND_PERSON`, `E_CASE_INVALID`, `E_ACTOR_UNKNOWN` under a profile that has people; `E_LEDGER_EXISTS` when another
    /// ledger stands in the new folder; `E_LOCKED` while somebody has the old one open; `E_PROOF_INVALID` for a head that the old log did
    /// not sign; those of [`Ledger::create`].
    pub async fn succeed(
        old: Places,
        new: Places,
        env: Environment,
        who: &Who,
        request: SuccessionRequest,
    ) -> Result<Succeeded> {
        let (from, with, held) = (old, env.clone(), request.held.clone());
        let ended = super::facade::blocking(move || Ended::find(&from, &with, held.as_deref())).await?;
        let agreed = ended.agreed(who, &request, env.clock.read().wall)?;
        let ledger = open_or_make(new, env, &request.name, &ended, agreed.people.as_ref()).await?;
        if let Some(already) = ended.already.as_ref().filter(|of| of.succession().ledger != ledger.id()) {
            let _a_ledger_that_nothing_joins = ledger.close().await;
            return Err(self::ended(already));
        }
        let succeeded = ledger.join(who, &ended, &agreed.signed).await;
        let closed = ledger.close().await;
        let succeeded = succeeded?;
        closed?;
        Ok(succeeded)
    }

    /// The text that a second person signs before a successor may be opened. It counts for 14 days. Nothing is changed, and nothing is
    /// recorded.
    ///
    /// # Errors
    /// As [`Ledger::succeed`], without those of what is made.
    pub async fn succession_case(old: Places, env: Environment, request: SuccessionRequest) -> Result<String> {
        super::facade::blocking(move || Ended::find(&old, &env, request.held.as_deref())?.case(&request.name, &env))
            .await
    }

    /// Writes the statement, unless it stands in the log already, and puts it beside the old head.
    async fn join(&self, who: &Who, ended: &Ended, signed: &[SignedText]) -> Result<Succeeded> {
        let core = self.core();
        core.permit(who, Action::Succeed, None).await?;
        let (note, entry) = match self.succession()? {
            Some(found) => found,
            None => {
                let succession = Succession {
                    old: ended.keys.head_key(ended.head.0.size)?.clone(),
                    head: ended.head.0.clone(),
                    new: core.identity.checkpoint.clone(),
                    ledger: core.identity.ledger,
                    first_lost: ended.first_lost,
                    last_lost: ended.last_lost,
                };
                let old = ended.signer.as_ref().map(|signer| signer as &dyn Signer);
                let note = succession.sign(&core.keys.checkpoint, old)?;
                let body = Body::Critical(CriticalBody::Succession { note: note.clone().into_bytes() });
                let draft = core.draft(&Act::about_ledger(who, body), |p| p.set_signed_texts(signed))?;
                (note, core.append(vec![draft]).await?.first().ok_or_else(died)?.index)
            }
        };
        let proven = Succession::verify(&note)?;
        // From here on the old log opens no more. A crash before it leaves a successor that its own entries name, and an old log
        // that is still refused for what it lost.
        let io = |e| {
            Error::new(crate::store::files::code_of(&e), "the old log cannot be told of its successor").with_source(e)
        };
        write_atomic(&*core.env.files, &ended.state.join(NAME), note.as_bytes()).map_err(io)?;
        Ok(Succeeded { proven, note, entry })
    }

    /// The statement that joins this log to the one before it, and its entry.
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`.
    pub fn succession(&self) -> Result<Option<(String, u64)>> {
        let (queries, size) = self.core().settled_queries()?;
        let mut found = None;
        queries.criticals(&mut |index, kind| {
            found = found.or((kind == crate::log::EntryKind::SUCCESSION.number()).then_some(index));
            Ok(found.is_none())
        })?;
        let Some(index) = found.filter(|index| *index < size) else { return Ok(None) };
        let missing = || Error::new(Code::RowsUnavailable, "the entry of the succession is missing in sled");
        let stored = queries.entry(index)?.ok_or_else(missing)?;
        let entry = crate::log::Entry::decode(&stored.public)?;
        let fault = |fault| crate::log::LogError::Body { index, kind: entry.kind.number(), fault };
        match Body::decode(entry.kind, entry.body).map_err(fault)? {
            Body::Critical(CriticalBody::Succession { note }) => {
                Ok(Some((String::from_utf8_lossy(&note).into_owned(), index)))
            }
            _ => Err(missing()),
        }
    }
}

/// The new ledger; one that a call which was cut off has made is taken as it is.
async fn open_or_make(
    places: Places,
    env: Environment,
    name: &str,
    ended: &Ended,
    people: Option<&People>,
) -> Result<Ledger> {
    let (at, with, called) = (places.clone(), env.clone(), name.to_owned());
    let (test, predecessor) = (ended.genesis.test, ended.predecessor());
    let founders = people.map(founders).unwrap_or_default();
    let profile = Profile::from_name(&ended.genesis.profile).unwrap_or(Profile::Personal);
    let made = super::facade::blocking(move || {
        let new = create::NewLedger { name: called, test, profile, founders };
        create::create_as(&at, &with, new, Some(predecessor))?;
        open::open(&at, &with, open::Wanted::default())
    });
    match made.await.map(Ledger::from_parts) {
        Err(e) if e.code() == Code::LedgerExists => {
            let there = Ledger::open(places, env).await?;
            let named = there.core().identity.genesis.predecessor.clone();
            // The rest of what a call that was cut off began, with the same words.
            if named == Some(ended.predecessor()) {
                return Ok(there);
            }
            let _another_one = there.close().await;
            Err(e)
        }
        made => made,
    }
}
