//! What around a ledger could stop it or give it away: folders, keys, vault, head, rows, lock, disk, clock. Asked from
//! outside, of a ledger in any state; it records nothing, opens no tape and changes nothing of its own.

use std::path::Path;

use super::Checker;
use crate::codec::escape::visible;
use crate::codec::extent::Group;
use crate::error::{Code, Error, Kind, Result};
use crate::keyring::{KeyFile, KeyFileState};
use crate::ledger::head_file::{self, JournalEnd};
use crate::ledger::{Environment, LiveCounts, Places, is_in_use, start};
use crate::log::{Entry, LogError};
use crate::store::Position;
use crate::store::files::{Files, refuse_linked_folder};
use crate::time::Timestamp;

/// Less free than this is soon too little.
const FREE_BYTES_LOW: u64 = 1 << 30;
/// Less free than this stops saves and reads.
const FREE_BYTES_NONE: u64 = 16 << 20;
/// How far behind the last entry a clock may be before it is told.
const BEHIND_MS_MAX: u64 = 2_000;
/// 2024-01-01: no clock that is right shows less.
const SANE_SINCE: Timestamp = Timestamp::from_ms(1_704_067_200_000);

/// How it is with something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// As it must be.
    Ok,
    /// It works, and should be looked at.
    Warning,
    /// It keeps the ledger from working, or from being believed.
    Wrong,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Condition {
    /// What was looked at.
    pub part: &'static str,
    /// How it is.
    pub health: Health,
    /// What was found, escaped.
    pub words: String,
    /// What to do.
    pub remedy: Option<String>,
    /// The error that it leads to, where it leads to one.
    pub code: Option<Code>,
}

impl Condition {
    /// As it must be.
    #[must_use]
    pub fn ok(part: &'static str, words: impl Into<String>) -> Self {
        Self { part, health: Health::Ok, words: words.into(), remedy: None, code: None }
    }

    /// To be looked at.
    #[must_use]
    pub fn warning(part: &'static str, words: impl Into<String>) -> Self {
        Self { health: Health::Warning, ..Self::ok(part, words) }
    }

    /// Wrong, with the error that it leads to and what that one says to do.
    #[must_use]
    pub fn wrong(part: &'static str, e: &Error) -> Self {
        let mut words = e.message().to_owned();
        if let Some(cause) = std::error::Error::source(e).map(|cause| visible(cause.to_string().as_bytes())) {
            words = if words.contains(&cause) { words } else { format!("{words}: {cause}") };
        }
        let remedy = e.hint().map(str::to_owned);
        Self { health: Health::Wrong, code: Some(e.code()), remedy, ..Self::ok(part, words) }
    }

    /// What to do about it.
    #[must_use]
    pub fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self { remedy: Some(remedy.into()), ..self }
    }
}

/// Looks at everything around a ledger.
///
/// ```
/// # use std::sync::Arc;
/// # use immutape::keyring::OsRandom;
/// # use immutape::ledger::{Environment, Health, Places, examine};
/// # use immutape::store::{embedded::EmbeddedEngine, files::RealFiles};
/// # use immutape::time::SystemClock;
/// # let files = Arc::new(RealFiles);
/// # let engine = Arc::new(EmbeddedEngine::new(files.clone()));
/// # let environment = Environment::new(engine, files, Arc::new(SystemClock::new([0; 16])), Arc::new(OsRandom));
/// # let folder = tempfile::tempdir().unwrap();
/// let conditions = examine(&Places::beneath(folder.path()), &environment);
/// assert!(conditions.iter().any(|c| c.part == "ledger" && c.health == Health::Wrong)); // there is none
/// ```
#[must_use]
pub fn examine(places: &Places, env: &Environment) -> Vec<Condition> {
    let mut found = Vec::new();
    let checker = match Checker::open(places, env) {
        Ok(checker) => checker,
        Err(e) => {
            found.push(Condition::wrong("ledger", &e));
            found.extend(disk(&*env.files, "disk", &places.ledger));
            return found;
        }
    };
    let test = if checker.genesis().test { ", TEST: its keys protect nothing" } else { "" };
    found.push(Condition::ok("ledger", format!("{} in {}{test}", checker.id().to_hex(), places.shown())));
    let Some((_, folders)) = &checker.alone else { return found };
    for (part, folder) in [("ledger", &folders.places.ledger), ("state", &folders.state), ("keys", &folders.config)] {
        found.push(folder_of(&*env.files, part, folder));
    }
    found.extend(checker.keys_here());
    found.push(checker.vault_opens());
    let end = checker.end();
    found.extend(checker.has_ended());
    found.push(checker.head_holds(&end));
    found.push(clock(env, &end));
    let in_use = is_in_use(places, env);
    found.push(lock(&in_use));
    found.extend(recordings(&checker.live_counts()));
    found.push(checker.rows_open(&in_use, &end));
    let space = |folder: &Path| env.files.space(folder).ok().flatten().map(|(_, all)| all);
    found.extend(disk(&*env.files, "disk", &folders.places.ledger));
    // Two folders on one disk are one thing to look at.
    if space(&folders.state) != space(&folders.places.ledger) {
        found.extend(disk(&*env.files, "disk", &folders.state));
    }
    found
}

/// The end of the journal: how many entries, the time of the last, and whether it was closed in order.
struct End {
    size: u64,
    time: Timestamp,
    clean_close: bool,
}

impl Checker {
    /// Every key file of this ledger. Of a ledger that is open: none, it has them in hand.
    #[must_use]
    pub fn key_files(&self) -> Vec<KeyFile> {
        let Some((env, folders)) = &self.alone else { return Vec::new() };
        let generation = self.stores.vault.generation().ok().flatten().map_or(1, |(generation, _, _)| generation);
        let config = crate::keyring::ConfigFolder::new(folders.config.clone());
        config.key_files(&*env.files, &self.identity.keys, generation)
    }

    /// The key that verifies this ledger's heads, as text.
    #[must_use]
    pub fn checkpoint_key(&self) -> String {
        self.identity.checkpoint.to_text()
    }

    /// The keys of the log, as far as they are known without a walk through it.
    #[must_use]
    pub fn key_history(&self) -> &crate::log::KeyHistory {
        self.known_keys()
    }

    /// How many recordings there are that are not tapes yet, seen from outside.
    ///
    /// # Errors
    /// `E_IO`.
    pub fn live_counts(&self) -> Result<LiveCounts> {
        LiveCounts::from_outside(&*self.stores.spool)
    }

    fn keys_here(&self) -> Vec<Condition> {
        let files = self.key_files();
        let mut found: Vec<_> = self.wrong_keys.iter().map(|(_, e)| Condition::wrong("keys", e)).collect();
        let used = || files.iter().filter(|key| key.is_in_use);
        if let Some(root) = used().find(|key| key.thumbprint.is_none() && key.state != KeyFileState::Here) {
            let why = if root.state == KeyFileState::Absent { "is missing" } else { "cannot be used" };
            let words =
                format!("{} {why}: nothing kept can be read", visible(root.path.as_os_str().as_encoded_bytes()));
            let e = Error::new(Code::KeyMissing, words).with_hint("put it back from its copy");
            found.push(Condition::wrong("keys", &e));
        }
        if found.is_empty() {
            let count = used().count();
            found.push(Condition::ok("keys", format!("{count} in use, as the log names them, for their owner alone")));
        }
        found
    }

    fn vault_opens(&self) -> Condition {
        match &self.vault {
            Ok(vault) => {
                let (generation, revision) = vault.version();
                Condition::ok("vault", format!("opens, revision {generation}.{revision}"))
            }
            Err(e) => Condition::wrong("vault", e),
        }
    }

    fn end(&self) -> Result<End> {
        let gone = || Error::new(Code::LogDamaged, "the journal has no whole group");
        let last = self.stores.journal.survey()?.last.ok_or_else(gone)?;
        let place = Position { segment: last.segment, offset: last.offset };
        let (_, extent, _) = self.stores.journal.read(place)?.ok_or_else(gone)?;
        let group = Group::parse(&extent).map_err(LogError::from)?;
        let record = group.records().last().ok_or_else(gone)?;
        let (public, _) = record.map_err(LogError::from)?;
        let time = Entry::decode(public)?.time;
        Ok(End { size: last.size_after(), time, clean_close: last.clean_close() })
    }

    fn head_holds(&self, end: &Result<End>) -> Condition {
        let end = match end {
            Ok(end) => end,
            Err(e) => return Condition::wrong("log", e),
        };
        let text = match &self.head {
            Ok(Some(text)) => text,
            Ok(None) => return Condition::wrong("head", &start::head_missing()),
            Err(e) => return Condition::wrong("head", e),
        };
        let held = head_file::parse(text, self.known_keys()).and_then(|head| {
            // A running writer signs once a second.
            head_file::compare(&head, JournalEnd { size: end.size, clean_close: end.clean_close }).map(|()| head)
        });
        match held {
            Ok(head) => Condition::ok("head", format!("signed at {} of {} entries", head.checkpoint.size, end.size)),
            Err(e) => self.excused(&e, text).unwrap_or_else(|| Condition::wrong("head", &e)),
        }
    }

    /// A head that names more entries than there are, in a log that says itself that it lost them.
    fn excused(&self, e: &Error, text: &str) -> Option<Condition> {
        let size = head_file::parse(text, self.known_keys()).ok()?.checkpoint.size;
        let is_stated = self.loss_is(e.code(), size) < crate::evidence::Severity::Altered;
        is_stated.then(|| Condition::warning("head", e.message().to_owned()))
    }

    /// A log that goes on as another.
    fn has_ended(&self) -> Option<Condition> {
        let of = self.ended.as_ref().ok()?.as_ref()?.succession();
        let words =
            format!("ended by loss at {} entries, goes on as {}", of.head.size, visible(of.new.name().as_bytes()));
        Some(Condition::warning("log", words).with_remedy("use the successor; this one is kept for checks"))
    }

    fn rows_open(&self, in_use: &Result<bool>, end: &Result<End>) -> Condition {
        if !matches!(in_use, Ok(false)) {
            return Condition::warning("rows", "not looked at: another process has the ledger open");
        }
        let size = end.as_ref().map_or(0, |end| end.size);
        match self.rows().and_then(|asked| asked.rows.position()) {
            Ok(Some(bytes)) => match crate::catalog::RowsPosition::decode(&bytes) {
                Ok(at) if at.chain.size() == size => Condition::ok("rows", "open, up to date"),
                Ok(at) => {
                    let words = format!("at entry {} of {size}", at.chain.size());
                    Condition::ok("rows", format!("{words}; the next opening catches up"))
                }
                Err(_) => rows_anew("their position cannot be read"),
            },
            Ok(None) => rows_anew("there are none"),
            Err(e) if e.kind() == Kind::Locked => Condition::warning("rows", "another process has sled open"),
            Err(e) => rows_anew(e.message()),
        }
    }
}

fn rows_anew(why: &str) -> Condition {
    Condition::warning("rows", why)
        .with_remedy("nothing: the next command builds them from the journal, and logs that it did")
}

fn folder_of(files: &dyn Files, part: &'static str, folder: &Path) -> Condition {
    let shown = visible(folder.as_os_str().as_encoded_bytes());
    let io = |e: std::io::Error| Error::new(Code::Io, format!("the folder {shown} cannot be used")).with_source(e);
    let looked = || -> std::io::Result<(bool, u32)> {
        files.list(folder)?;
        refuse_linked_folder(files, folder)?;
        Ok((files.may_write(folder)?, files.shared_mode(folder)?))
    };
    match looked() {
        Err(e) => Condition::wrong(part, &io(e).with_hint("look at its owner, its mode and the disk")),
        Ok((false, _)) => {
            let e = Error::new(Code::AuditUnavailable, format!("the folder {shown} cannot be written to"));
            Condition::wrong(
                part,
                &e.with_hint("look at its owner, its mode and the disk: without an entry nothing is read"),
            )
        }
        Ok((true, 0)) => Condition::ok(part, format!("folder {shown}, for its owner alone")),
        Ok((true, shared)) => {
            Condition::warning(part, format!("folder {shown} is open to others (mode ..{shared:02o})"))
                .with_remedy(format!("chmod go= {shown}"))
        }
    }
}

fn lock(in_use: &Result<bool>) -> Condition {
    match in_use {
        Ok(false) => Condition::ok("lock", "free"),
        Ok(true) => Condition::warning("lock", "another process has this ledger open")
            .with_remedy("wait until it is done, or end it if it hangs; the lock ends with it"),
        Err(e) => Condition::wrong("lock", e),
    }
}

/// Of recordings nothing is said where there are none.
fn recordings(counts: &Result<LiveCounts>) -> Option<Condition> {
    const PART: &str = "recordings";
    let counts = match counts {
        Ok(counts) if counts.is_none() => return None,
        Ok(counts) => counts,
        Err(e) => return Some(Condition::wrong(PART, e)),
    };
    let running = format!("{} recorded now", counts.running);
    Some(match counts.left {
        0 => Condition::ok(PART, running),
        left => Condition::warning(PART, format!("{left} left by a recorder that is gone, {running}")).with_remedy(
            "immutape record --recover, or any command that opens the ledger, seals what is there as a tape",
        ),
    })
}

fn clock(env: &Environment, end: &Result<End>) -> Condition {
    let now = env.clock.read().wall;
    if now < SANE_SINCE {
        return Condition::warning("clock", format!("shows {}, which cannot be", now.to_text()))
            .with_remedy("set the clock: times of entries are those of this machine");
    }
    match end {
        Ok(end) if end.time.as_ms().saturating_sub(now.as_ms()) > BEHIND_MS_MAX => {
            let words = format!("shows {}, but the last entry is of {}", now.to_text(), end.time.to_text());
            Condition::warning("clock", words)
                .with_remedy("set the clock; until it is past that, entries take the time of the last one, and say so")
        }
        Ok(end) => {
            Condition::ok("clock", format!("{}, not behind the last entry ({})", now.to_text(), end.time.to_text()))
        }
        Err(_) => Condition::ok("clock", now.to_text()),
    }
}

/// The disk beneath a folder, or beneath the nearest one above it that is there.
fn disk(files: &dyn Files, part: &'static str, folder: &Path) -> Option<Condition> {
    let there = folder.ancestors().find(|path| files.exists(path).unwrap_or(false))?;
    let shown = visible(there.as_os_str().as_encoded_bytes());
    let (free, all) = match files.space(there) {
        Ok(space) => space?,
        Err(e) => {
            return Some(Condition::wrong(
                part,
                &Error::new(Code::Io, format!("the disk beneath {shown} does not answer")).with_source(e),
            ));
        }
    };
    let words = format!("{} MB free of {} MB beneath {shown}", free >> 20, all >> 20);
    Some(match free {
        0..FREE_BYTES_NONE => {
            let e = Error::new(Code::StoreFull, words).with_hint("make room: reads and saves are refused meanwhile");
            Condition::wrong(part, &e)
        }
        FREE_BYTES_NONE..FREE_BYTES_LOW => Condition::warning(part, words).with_remedy("make room before it is full"),
        _ => Condition::ok(part, words),
    })
}
