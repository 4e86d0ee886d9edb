//! Checks of a whole ledger or one tape, against what is stored. Releases no content; works beside a running writer and
//! on a ledger that can no longer be opened. Changes nothing of its own: but sled writes into its folder when it is
//! opened, so a check that is not the writer's takes the ledger's lock while it compares the rows, and leaves the rows
//! alone while another has it. A writer that starts then waits no longer than the comparison; all else needs no lock.

mod ahead;
mod anchors;
mod catalog;
mod conditions;
mod ended;
mod group;
mod journal;
mod made;
mod opener;
mod record;
mod recordings;
mod rows;
mod rows_of_tape;
mod scrub;
mod scrub_names;
mod scrub_record;
mod set_lists;
mod stored;
mod tapes;
mod vault;

pub use conditions::{Condition, Health, examine};
use made::FAILURES_MAX;
pub(super) use made::Failure;
pub use made::{CheckMade, CheckSubject};
pub use scrub::{SCRUB_PARTS_MAX, ScrubPart, Scrubbed};

use std::sync::{Arc, OnceLock};

use super::core::{Core, Folders, Identity};
use super::heads::{Anchor, kept_heads, read_policy, time_roots};
use super::{Environment, Event, Observer, Places, engine_name, head_file, known_keys, repair, start, succeed};
use crate::codec::digest::IdPrefix;
use crate::error::{Code, Error, Result};
use crate::evidence::{Report, Severity, Verdict};
use crate::keyring::{ConfigFolder, PublicKeys, VaultKeys};
use crate::log::{
    Body, CriticalBody, Entry, EntryKind, HeadFile, HeadState, KeyHistory, KeyRole, LogError, ProvenSuccession,
};
use crate::proof::{Policy, TimeAnchors};
use crate::seal::Statement;
use crate::store::files::FileLock;
use crate::store::{Rows, Stores, Stray};

/// Names that do not belong are told one by one up to so many.
const STRAYS_MAX: usize = 100;

/// What to check.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CheckOptions {
    /// One tape by id or prefix; `None` = all.
    pub tape: Option<String>,
    /// Leave out what needs the vault: opening tapes and recomputing their roots. Rows made from headers are compared
    /// all the same where the vault opens.
    pub stored_only: bool,
    /// Entries durable when the check was asked for; what a running writer adds later is left out.
    pub size: Option<u64>,
}

impl CheckOptions {
    /// This tape alone, by its id or a prefix of at least four digits.
    #[must_use]
    pub fn tape(self, tape: impl Into<Option<String>>) -> Self {
        Self { tape: tape.into(), ..self }
    }

    /// Without what needs the vault?
    #[must_use]
    pub fn stored_only(self, stored_only: bool) -> Self {
        Self { stored_only, ..self }
    }

    /// No entry from this one on.
    #[must_use]
    pub fn size(self, size: impl Into<Option<u64>>) -> Self {
        Self { size: size.into(), ..self }
    }
}

/// Rows that may be asked. They are closed before the lock is given back.
struct AskedRows {
    rows: Arc<dyn Rows>,
    _turn: Option<Box<dyn FileLock>>,
}

/// Checks one ledger.
pub struct Checker {
    pub(super) identity: Identity,
    /// Their rows are asked through [`Checker::rows`] alone.
    stores: Stores,
    /// What opens the rows when this is not the check of an open ledger, which shares its own.
    alone: Option<(Environment, Folders)>,
    /// Whether a check alone waits for its turn with the rows.
    is_patient: bool,
    vault: Result<VaultKeys>,
    pinned: Result<Option<PublicKeys>>,
    /// Key files that are not the ledger's own, with what is wrong.
    wrong_keys: Vec<(String, Error)>,
    head: Result<Option<String>>,
    /// What the state folder says of where its ledger is, when it does not say that it is here.
    elsewhere: Option<&'static str>,
    /// What it says of the engine, when that is another.
    engine: Option<&'static str>,
    strays: Result<Vec<Stray>>,
    observer: Arc<dyn Observer>,
    /// Heads that others hold, as far as this machine knows.
    kept_heads: Result<Vec<Anchor>>,
    /// Whose witness counts.
    policy: Result<Option<Policy>>,
    /// The statement of a successor, where this log has one.
    ended: Result<Option<ProvenSuccession>>,
    /// What time-stamps are trusted from, where somebody said it.
    time_roots: Option<TimeAnchors>,
    /// The keys that a walk through the log found, where others were known before it.
    walked_keys: OnceLock<KeyHistory>,
}

impl Checker {
    /// Finds a ledger to check, whatever state it is in.
    ///
    /// # Errors
    /// `E_NO_LEDGER`, `E_LEDGER_MISSING`, `E_LOG_DAMAGED` when even entry 0 cannot be read, `E_NO_HOME`.
    pub fn open(places: &Places, env: &Environment) -> Result<Self> {
        let (mut identity, folders) = match start::find(places, env) {
            Ok(found) => (found.identity, found.folders),
            // The journal cannot say who this ledger is; sled's copy of entry 0 can, and the rest is checked all the same.
            Err(e) if matches!(e.code(), Code::LogDamaged | Code::NewerFormat) => {
                repair::from_rows(places, env).map_err(|_| e)?
            }
            Err(e) => return Err(e),
        };
        let stores = start::open_stores(&identity, &folders, env)?;
        known_keys::learn(&mut identity, &folders, env, &stores)?;
        let checker = Self::with(identity, &folders, env, stores);
        Ok(Self { alone: Some((env.clone(), folders)), ..checker })
    }

    /// Waits up to five seconds for its turn with the rows, where another process has the ledger just then.
    #[must_use]
    pub fn patient(self) -> Self {
        Self { is_patient: true, ..self }
    }

    pub(super) fn of(core: &Core) -> Result<Self> {
        let mut found = start::find(&core.folders.places, &core.env)?;
        found.identity.set_keys(core.identity.keys.clone())?;
        Ok(Self::with(found.identity, &found.folders, &core.env, core.stores.clone()))
    }

    fn with(identity: Identity, folders: &Folders, env: &Environment, stores: Stores) -> Self {
        let files = &*env.files;
        let config = ConfigFolder::new(folders.config.clone());
        // Before the vault: a running writer may make both newer in between, and a head that is older than its
        // vault is lawful.
        let head = head_file::read(files, &folders.state);
        let kept_heads = kept_heads(files, &folders.state, &identity.keys);
        let policy = read_policy(files, &folders.config);
        let ended = succeed::of_state(files, &folders.state, &identity.keys);
        let time_roots = time_roots(files, &folders.config);
        // Before it, too: an epoch that is made in between is one that the vault lists.
        let strays = env.engine.strays(&folders.places.ledger, &folders.state);
        let vault = start::read_vault(&identity, folders, env, &stores);
        let (pinned, wrong_keys) = (config.pinned(files), config.wrong_keys(files, &identity.keys));
        let elsewhere = folders.places.elsewhere(files, &folders.state);
        let observer = env.observer.clone();
        let engine = engine_name::other(files, &folders.state, env.engine.name());
        Self {
            identity,
            stores,
            alone: None,
            is_patient: false,
            vault,
            pinned,
            wrong_keys,
            head,
            elsewhere,
            engine,
            strays,
            observer,
            kept_heads,
            policy,
            ended,
            time_roots,
            walked_keys: OnceLock::new(),
        }
    }

    /// The rows, for as long as what is given back is held.
    ///
    /// # Errors
    /// `E_LOCKED` while another process has the ledger; `E_IO`.
    fn rows(&self) -> Result<AskedRows> {
        let Some((env, folders)) = &self.alone else {
            return Ok(AskedRows { rows: self.stores.rows.clone(), _turn: None });
        };
        if self.is_patient {
            start::wait_for_turn(&folders.state, env, start::end_of_patience())?;
        }
        let turn = start::turn_for_rows(&folders.state, env)?;
        let rows = start::open_stores(&self.identity, folders, env)?.rows;
        Ok(AskedRows { rows, _turn: Some(turn) })
    }

    /// Size of the log and of its signed head, for a status that records nothing.
    ///
    /// # Errors
    /// `E_LOG_DAMAGED`, `E_IO`.
    pub fn survey(&self) -> Result<(u64, Option<HeadFile>)> {
        let size = self.stores.journal.survey()?.last.map_or(0, |l| l.size_after());
        let text = self.head.as_ref().ok().and_then(Option::as_ref);
        Ok((size, text.and_then(|t| head_file::parse(t, self.known_keys()).ok())))
    }

    /// Entries that the signed head names, when it holds.
    pub(super) fn head_size(&self) -> Option<u64> {
        let text = self.head.as_ref().ok().and_then(Option::as_ref)?;
        head_file::parse(text, self.known_keys()).ok().map(|head| head.checkpoint.size)
    }

    /// Entry 0 of the ledger.
    #[must_use]
    pub const fn genesis(&self) -> &crate::log::Genesis {
        &self.identity.genesis
    }

    /// Who the ledger is.
    #[must_use]
    pub const fn id(&self) -> crate::codec::digest::LedgerId {
        self.identity.ledger
    }

    /// Makes every check asked for. Never fails: what cannot be checked is a finding.
    #[must_use]
    pub fn run(&self, options: &CheckOptions) -> Report {
        let once = || std::thread::scope(|scope| self.run_with(stored::begin(scope, self, options), options));
        match once() {
            (report, None) => report,
            // Heads and statements were judged by keys that are not those of the log: once more, by the right ones.
            (_, Some(keys)) => {
                let _the_first_time_only = self.walked_keys.set(keys);
                once().0
            }
        }
    }

    /// The keys that the log is read with.
    fn known_keys(&self) -> &KeyHistory {
        self.walked_keys.get().unwrap_or(&self.identity.keys)
    }

    /// Checks what the policy allowed to check, up to the size that is durable now: what others add meanwhile is left out.
    ///
    /// # Errors
    /// `E_USAGE` when the subject is of another ledger.
    pub fn run_for(&self, subject: CheckSubject, stored_only: bool) -> Result<(Report, CheckMade)> {
        if subject.ledger != self.identity.ledger {
            return Err(Error::new(Code::Usage, "what is to be checked belongs to another ledger"));
        }
        let size = self.survey().ok().map(|(size, _)| size);
        let report = self.run(&CheckOptions { tape: subject.tape.map(|tape| tape.to_hex()), stored_only, size });
        let made = CheckMade::new(subject, &report);
        Ok((report, made))
    }

    /// The report, and the keys that the log names where they are not the known ones.
    fn run_with(&self, stored: stored::Ahead<'_>, options: &CheckOptions) -> (Report, Option<KeyHistory>) {
        let mut report = Report::default();
        self.keys(&mut report);
        for (place, words) in [("ledger", self.elsewhere), ("engine", self.engine)] {
            if let Some(words) = words {
                report.find(Severity::Note, "state", place, words);
            }
        }
        self.strays(&mut report);
        let head = self.head(&mut report);
        self.stores.journal.set_reopened(head.as_ref().is_some_and(|h| h.state == HeadState::Open));
        let mut saved = tapes::SavedTapes::default();
        let journal = journal::walk(self, options, head.as_ref(), &mut saved, &mut report);
        self.succession(&journal, &mut report);
        let rows = rows::compare(self, options, &journal, &mut saved, &mut report);
        journal::compare_head(self, head.as_ref(), &journal, rows, &mut report);
        anchors::vouched(self, &mut report);
        vault::check(self, options, head.as_ref(), &mut report);
        tapes::check(self, options, saved, stored, &mut report);
        // A walk that ended early has seen the beginning of what is known.
        // Past its end a file may know of rotations, which prove themselves; a revocation does not.
        let mut keys = journal.keys;
        for (index, body) in self.known_keys().events().iter().filter(|(index, _)| *index >= journal.entries) {
            if matches!(body, CriticalBody::Rotated { .. }) && keys.apply(*index, body).is_err() {
                break;
            }
        }
        let is_known = keys.events() == self.known_keys().events();
        (report, (!is_known && self.walked_keys.get().is_none()).then_some(keys))
    }

    /// Nothing reads what does not belong, so it harms nothing; who put it there may still be asked.
    fn strays(&self, report: &mut Report) {
        let strays = match &self.strays {
            Ok(strays) => strays,
            Err(e) => {
                report.find_error(Severity::Gap, "folders", "ledger and state folder", e);
                return;
            }
        };
        let is_listed = |epoch: &[u8; 16]| self.vault().is_none_or(|v| v.epoch_ids().any(|known| known == epoch));
        let strays = strays.iter().filter(|stray| !stray.epoch.as_ref().is_some_and(is_listed));
        for stray in strays.clone().take(STRAYS_MAX) {
            report.find(Severity::Note, "folders", stray.place.clone(), stray.what);
        }
        let more = strays.count().saturating_sub(STRAYS_MAX);
        if more > 0 {
            report.find(Severity::Note, "folders", "ledger and state folder", format!("{more} more such names"));
        }
    }

    fn keys(&self, report: &mut Report) {
        for (name, e) in &self.wrong_keys {
            let severity = if e.code() == Code::KeyMissing { Severity::Gap } else { Severity::Altered };
            report.find_error(severity, "keys", name.clone(), e);
        }
        match &self.pinned {
            Ok(Some(pinned)) => {
                // An older key vouches for those that followed it: each was named before it was used.
                let knows = |role, key| self.known_keys().terms(role).iter().any(|term| term.key == key);
                let same = knows(KeyRole::Checkpoint, pinned.checkpoint) && knows(KeyRole::Recorder, pinned.recorder);
                if !same {
                    report.find(Severity::Altered, "keys", "entry 0", "the keys of this ledger are not the ones in the config folder: another ledger stands in its place");
                }
                report.check("keys", 2, u64::from(!same), "pinned by the config folder");
            }
            Ok(None) => {
                let what = "no public keys are pinned: entry 0 vouches for itself";
                report.find(Severity::Gap, "keys", "config folder", what).word = Some(Verdict::UnpinnedKeys);
                report.skip("keys", "unpinned: no config folder");
            }
            // Named above, file by file.
            Err(_) => report.check("keys", 1, 1, "unreadable"),
        }
    }

    fn head(&self, report: &mut Report) -> Option<HeadFile> {
        let text = match &self.head {
            Ok(Some(text)) => text,
            Ok(None) => {
                let what = "the signed head file is missing: nothing says how long the log must be";
                report.find(Severity::Altered, "head", "head", what).word = Some(Verdict::Missing);
                report.check("head", 1, 1, "missing");
                return None;
            }
            Err(e) => {
                report.find_error(Severity::Altered, "head", "head", e);
                report.check("head", 1, 1, "unreadable");
                return None;
            }
        };
        match head_file::parse(text, self.known_keys()) {
            Ok(head) => Some(head),
            Err(e) => {
                report.find_error(Severity::Altered, "head", "head", &e);
                report.check("head", 1, 1, "does not hold");
                None
            }
        }
    }

    /// Tells whoever listens how far a part of the check has come.
    fn came_to(&self, part: &'static str, done: u64, total: u64, is_bytes: bool) {
        self.observer.event(Event::Checking { part, done, total, is_bytes });
    }

    pub(super) fn vault(&self) -> Option<&VaultKeys> {
        self.vault.as_ref().ok()
    }

    pub(super) fn vault_error(&self) -> Option<&Error> {
        self.vault.as_ref().err()
    }
}

/// The statement of a `tape.saved` entry; `None` for other kinds.
pub(super) fn saved_statement(public: &[u8]) -> Result<Option<Statement>> {
    saved_statement_bytes(public)?.map(|bytes| Ok(Statement::decode(&bytes)?)).transpose()
}

/// The statement in a `tape.saved`, as it was signed.
pub(super) fn saved_statement_bytes(public: &[u8]) -> Result<Option<Vec<u8>>> {
    let entry = Entry::decode(public)?;
    if entry.kind != EntryKind::TAPE_SAVED {
        return Ok(None);
    }
    let fault = |fault| LogError::Body { index: entry.index, kind: entry.kind.number(), fault };
    match Body::decode(entry.kind, entry.body).map_err(fault)? {
        Body::TapeSaved { statement, .. } => Ok(Some(statement)),
        _ => Ok(None),
    }
}

/// Does this tape belong to the check?
fn wanted(options: &CheckOptions) -> Result<Option<IdPrefix>> {
    options.tape.as_deref().map(IdPrefix::parse).transpose().map_err(|e| Error::new(Code::BadId, e.to_string()))
}
