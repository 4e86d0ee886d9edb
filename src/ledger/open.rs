//! From a locked ledger to one that serves: rows caught up, threads started.

use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use super::acts::Act;
use super::applier::Applier;
use super::core::{Core, Progress, died};
use super::heads::{Anchors, compare_root};
use super::newest_key::Lost;
use super::rebuild::{CaughtUp, Reason, RowsWork};
use super::start::{self, Found, Locked};
use super::writer::{Request, Writer};
use super::{Environment, Places, authentic, engine_name, head_file, known_keys, newest_key, succeed};
use crate::catalog::Queries;
use crate::codec::digest::{Digest, sha256};
use crate::codec::limits::QUEUE_REQUESTS_MAX;
use crate::error::{Code, Error, Result};
use crate::governance::{People, Policy, Profile, Schedule};
use crate::keyring::ConfigFolder;
use crate::log::{Body, Checkpoint, EntryDraft, EntryKind, HeadFile, HeadState, KeyHistory};
use crate::store::Stores;

/// How far behind the last entry the clock may be before that is an entry of its own.
const CLOCK_TOLERANCE_MS: u64 = 2_000;

/// An open ledger: its core, what keeps its writer running, and the writer's thread.
pub(super) struct Opened {
    pub core: Arc<Core>,
    pub alive: mpsc::Sender<Request>,
    pub thread: std::thread::JoinHandle<()>,
    /// What a vault lacks that is taken as it is.
    pub lost: Lost,
}

/// What a repair wants of an opening; every other opening wants nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wanted {
    pub rebuild_rows: bool,
    /// A vault that lacks the newest keys is no reason to refuse, so that an entry can tell of the repair. Its open
    /// epoch takes no more keys: those that are missing may stand in another copy of it.
    pub vault_as_it_is: bool,
}

/// Opens the ledger and starts its writer.
pub(super) fn open(places: &Places, env: &Environment, wanted: Wanted) -> Result<Opened> {
    let keys = match open_once(places, env, wanted, None)? {
        Ok(opened) => return Ok(opened),
        Err(keys) => keys,
    };
    open_once(places, env, wanted, Some(*keys))?
        .map_err(|_| Error::new(Code::RowsUnavailable, "sled and journal name other keys of this log, again and again"))
}

/// The keys that the log names, where they are not those that were known: to be opened with them once more.
fn open_once(
    places: &Places,
    env: &Environment,
    wanted: Wanted,
    known: Option<KeyHistory>,
) -> Result<std::result::Result<Opened, Box<KeyHistory>>> {
    let (found, stores, locked) = take_turn(places, env, known)?;
    if locked.last.size_after() > locked.head.checkpoint.size {
        authentic::since_head(&stores, &locked.vault, &locked.head, &locked.last.hash)?;
    }
    let size = locked.last.size_after();
    let lost = match newest_key::is_there(&found.identity.ledger, &stores, &locked.vault, &locked.head, size) {
        Err(e) if e.code() == Code::VaultRollback && wanted.vault_as_it_is => newest_key::lost(&stores, &locked.vault)?,
        checked => checked.map(|()| Lost::default())?,
    };
    head_file::keep_reserve(&*env.files, &found.folders.state);
    engine_name::keep(&*env.files, &found.folders.state, env.engine.name());
    let work = RowsWork {
        identity: &found.identity,
        stores: &stores,
        vault: &locked.vault,
        random: &*env.random,
        head: &locked.head,
    };
    let caught_up = if wanted.rebuild_rows { work.rebuild_all(Reason::AskedFor)? } else { work.catch_up(size)? };
    refuse_unknown_critical(&Queries::new(&*stores.rows))?;
    let keys = known_keys::of_rows(&Queries::new(&*stores.rows), &found.identity.genesis)?;
    if keys != found.identity.keys {
        sign_by_new_keys(&found, env, &stores, &locked, &keys)?;
        known_keys::keep(&*env.files, &found.folders.state, &found.identity.genesis, &keys);
        return Ok(Err(Box::new(keys)));
    }
    known_keys::keep(&*env.files, &found.folders.state, &found.identity.genesis, &keys);
    for anchor in &locked.anchors {
        compare_root(anchor, &*stores.rows)?;
    }
    serve(found, env, stores, (locked, lost), caught_up).map(Ok)
}

/// A crash came between the group that changed keys and its head: what was signed before may count no more by the keys that
/// are in force now. The head held by the older ones, and its group lawfully follows it, or this is not reached. A crash in here
/// leaves the older head, or the new one without the file of known keys, which the journal makes anew.
fn sign_by_new_keys(
    found: &Found,
    env: &Environment,
    stores: &Stores,
    locked: &Locked,
    keys: &KeyHistory,
) -> Result<()> {
    let text = head_file::read(&*env.files, &found.folders.state)?.ok_or_else(start::head_missing)?;
    if head_file::parse(&text, keys).is_ok() {
        return Ok(());
    }
    let signer = ConfigFolder::new(found.folders.config.clone()).read(&*env.files, keys)?.checkpoint;
    let (last, version) = (&locked.last, head_file::vault_version(&*stores.vault)?);
    let origin = found.identity.genesis.origin.clone();
    let head = head_file::durable(Checkpoint { origin, size: last.size_after(), root: last.root });
    let state = if last.clean_close() { HeadState::Closed } else { HeadState::Open };
    let text = HeadFile::sign(&head, version, state, last.term, &signer)?;
    head_file::store(&*env.files, &found.folders, &text)
}

/// Waits a few seconds for another process to be done, and looks at everything afresh when it was.
fn take_turn(places: &Places, env: &Environment, known: Option<KeyHistory>) -> Result<(Found, Stores, Locked)> {
    let until = start::end_of_patience();
    loop {
        let mut found = start::find(places, env)?;
        engine_name::compare(&*env.files, &found.folders.state, env.engine.name())?;
        start::wait_for_turn(&found.folders.state, env, until)?;
        let stores = start::stores(&found, env)?;
        match &known {
            Some(keys) => found.identity.set_keys(keys.clone())?,
            None => known_keys::learn(&mut found.identity, &found.folders, env, &stores)?,
        }
        succeed::refuse_ended(&*env.files, &found.folders.state, &found.identity.keys)?;
        let locked = start::lock(&found, env, &stores).and_then(|locked| match stores.rows.position() {
            // Somebody has sled open without the ledger's lock. Its rows are healthy, and not to be put aside.
            Err(e) if e.code() == Code::Locked => Err(e),
            _ => Ok(locked),
        });
        match locked {
            Err(e) if e.code() == Code::Locked && until.is_some_and(|u| Instant::now() < u) => {}
            locked => return locked.map(|locked| (found, stores, locked)),
        }
    }
}

fn serve(
    found: Found,
    env: &Environment,
    stores: Stores,
    (locked, lost): (Locked, Lost),
    caught_up: CaughtUp,
) -> Result<Opened> {
    let (queue, requests) = mpsc::channel(QUEUE_REQUESTS_MAX);
    let config = ConfigFolder::new(found.folders.config.clone());
    let anchors = Anchors::read(&*env.files, &found.folders.config)?;
    config.finish_rotation(
        &*env.files,
        &found.identity.keys,
        anchors.policy.as_ref().is_some_and(crate::proof::Policy::asks_for_witnesses),
    )?;
    let epoch_used = if lost.tapes.is_empty() { epoch_used(&locked, &stores)? } else { u32::MAX };
    let chain = caught_up.projector.chain().clone();
    let core = Arc::new(Core {
        policy: Policy::in_force(&found.identity.genesis.profile, &found.identity.genesis.policy),
        people: RwLock::new(People::none(Profile::Personal)),
        people_turn: tokio::sync::Mutex::default(),
        policy_digest: Digest::from_bytes(sha256(found.identity.genesis.policy.as_bytes())),
        schedule: Schedule,
        next_keys_beside: config.next_keys_are_here(&*env.files)?,
        folders: found.folders,
        env: env.clone(),
        stores,
        identity: found.identity,
        keys: locked.keys,
        anchors,
        vault: RwLock::new(locked.vault),
        vault_change: Mutex::new(()),
        term: locked.tail.term,
        queue: queue.downgrade(),
        progress: Arc::new(Progress::default()),
        sealing: Arc::default(),
    });
    core.progress.set_durable(chain.size(), chain.frontier.root());
    core.progress.set_applied(chain.size());
    *core.people.write().map_err(|_| died())? = core.read_people()?;
    let start = start_drafts(&core, &locked.tail, &locked.last, &caught_up, chain.last_time)?;
    let no_thread = |e| Error::new(Code::Io, "a thread cannot be started").with_source(e);
    let rows = core.stores.rows.clone();
    let applier =
        Applier::start(rows, caught_up.projector, core.progress.clone(), env.observer.clone()).map_err(no_thread)?;
    let told_at_once = start.iter().any(must_be_told);
    let writer = Writer::new(core.clone(), chain, start, applier, epoch_used, requests);
    let thread =
        std::thread::Builder::new().name("immutape-writer".into()).spawn(move || writer.run()).map_err(no_thread)?;
    if told_at_once {
        tell(&queue);
    }
    Ok(Opened { core, alive: queue, thread, lost })
}

/// What the next start could not find out again must not wait for a first act that may never come.
fn must_be_told(draft: &EntryDraft) -> bool {
    matches!(draft.kind, EntryKind::ROWS_REBUILT | EntryKind::CLOCK_ANOMALY)
}

/// Commits what the start has to say, or leaves it for the first act when it cannot be committed now.
fn tell(queue: &mpsc::Sender<Request>) {
    let (answer, told) = oneshot::channel();
    if queue.try_send(Request::Append { drafts: Vec::new(), is_refusal: true, answer }).is_ok() {
        let _left_for_the_first_act = told.blocking_recv();
    }
}

/// Slots taken in the open epoch. One that is damaged or gone takes no more keys: the next save begins another,
/// and whose key is whole stays readable.
fn epoch_used(locked: &Locked, stores: &crate::store::Stores) -> Result<u32> {
    let Some(epoch) = locked.vault.open_epoch() else { return Ok(u32::MAX) };
    match stores.vault.records(&epoch) {
        Ok(records) => Ok(u32::try_from(records.len()).unwrap_or(u32::MAX)),
        Err(e) if matches!(e.code(), Code::VaultDamaged | Code::NotFound) => Ok(u32::MAX),
        Err(e) => Err(e),
    }
}

/// What the first group of this term says before anything else.
fn start_drafts(
    core: &Core,
    tail: &crate::store::Tail,
    last: &crate::codec::extent::GroupHeader,
    rows: &CaughtUp,
    last_time: crate::time::Timestamp,
) -> Result<Vec<EntryDraft>> {
    let mut bodies = vec![Body::LogStarted { term: tail.term }];
    if !last.clean_close() {
        bodies.push(Body::LogUncleanStop { term: last.term });
    }
    // A making that was cut off can leave tears before entry 0, which stands alone in its group; the first start tells of
    // them, as the acquisition that met them could not.
    let before_all = if last.size_after() == 1 { core.stores.journal.survey()?.tears } else { Vec::new() };
    let tears = if before_all.is_empty() { &tail.tears } else { &before_all };
    for tear in tears {
        let at = tear.position;
        bodies.push(Body::Recovered { segment: at.segment, offset: at.offset, bytes: tear.bytes, hash: tear.hash });
    }
    if let Some(reason) = rows.rebuilt.filter(|_| last.size_after() > 1) {
        bodies.push(Body::RowsRebuilt { reason: reason as u64, entries: last.size_after() });
    }
    let behind_ms = last_time.as_ms().saturating_sub(core.env.clock.read().wall.as_ms());
    if behind_ms > CLOCK_TOLERANCE_MS {
        bodies.push(Body::ClockAnomaly { behind_ms });
    }
    bodies.into_iter().map(|body| core.draft(&Act::own(body), |_| {})).collect()
}

fn refuse_unknown_critical(queries: &Queries<'_>) -> Result<()> {
    match queries.first_critical()? {
        None => Ok(()),
        Some((index, kind)) => Err(Error::new(
            Code::CriticalUnknown,
            format!("entry {index} is of the critical kind {kind}, which this program does not know"),
        )
        .with_hint("use the version that wrote it; this one may only check")),
    }
}
