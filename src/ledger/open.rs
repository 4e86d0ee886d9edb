//! From a locked ledger to one that serves: rows caught up, threads started.

use std::sync::{Arc, RwLock};

use tokio::sync::mpsc;

use super::acts::Act;
use super::applier::Applier;
use super::core::{Core, Progress};
use super::rebuild::{CaughtUp, Reason, RowsWork};
use super::start::{self, Found, Locked};
use super::writer::Writer;
use super::{Environment, Places};
use crate::catalog::Queries;
use crate::codec::digest::{Digest, sha256};
use crate::codec::limits::QUEUE_REQUESTS_MAX;
use crate::error::{Code, Error, Result};
use crate::governance::{Policy, Schedule};
use crate::keyring::ConfigFolder;
use crate::log::{Body, EntryDraft};

/// How far behind the last entry the clock may be before that is an entry of its own.
const CLOCK_TOLERANCE_MS: u64 = 2_000;

/// Opens the ledger and starts its writer.
pub(super) fn open(
    places: &Places,
    env: &Environment,
    rebuild_rows: bool,
) -> Result<(Arc<Core>, std::thread::JoinHandle<()>)> {
    let found = start::find(places, env)?;
    let stores = start::stores(&found, env)?;
    let locked = start::lock(&found, env, &stores)?;
    let work = RowsWork {
        identity: &found.identity,
        stores: &stores,
        vault: &locked.vault,
        random: &*env.random,
        head: &locked.head,
    };
    let caught_up =
        if rebuild_rows { work.rebuild_all(Reason::AskedFor)? } else { work.catch_up(locked.last.size_after())? };
    refuse_unknown_critical(&Queries::new(&*stores.rows))?;
    serve(found, env, stores, locked, caught_up)
}

fn serve(
    found: Found,
    env: &Environment,
    stores: crate::store::Stores,
    locked: Locked,
    caught_up: CaughtUp,
) -> Result<(Arc<Core>, std::thread::JoinHandle<()>)> {
    let (queue, requests) = mpsc::channel(QUEUE_REQUESTS_MAX);
    let config = ConfigFolder::new(found.folders.config.clone());
    let epoch_used = match locked.vault.open_epoch() {
        Some(epoch) => u32::try_from(stores.vault.records(&epoch)?.len()).unwrap_or(u32::MAX),
        None => u32::MAX,
    };
    let chain = caught_up.projector.chain().clone();
    let core = Arc::new(Core {
        policy: Policy::from_name(&found.identity.genesis.policy),
        policy_digest: Digest::from_bytes(sha256(found.identity.genesis.policy.as_bytes())),
        schedule: Schedule,
        next_keys_beside: config.next_keys_are_here(&*env.files)?,
        folders: found.folders,
        env: env.clone(),
        stores,
        identity: found.identity,
        keys: locked.keys,
        vault: RwLock::new(locked.vault),
        term: locked.tail.term,
        queue,
        progress: Arc::new(Progress::default()),
    });
    core.progress.set_durable(chain.size(), chain.frontier.root());
    core.progress.set_applied(chain.size());
    let start = start_drafts(&core, &locked.tail, &locked.last, &caught_up, chain.last_time)?;
    let no_thread = |e| Error::new(Code::Io, "a thread cannot be started").with_source(e);
    let rows = core.stores.rows.clone();
    let applier =
        Applier::start(rows, caught_up.projector, core.progress.clone(), env.observer.clone()).map_err(no_thread)?;
    let writer = Writer::new(core.clone(), chain, start, applier, epoch_used, requests);
    let thread =
        std::thread::Builder::new().name("immutape-writer".into()).spawn(move || writer.run()).map_err(no_thread)?;
    Ok((core, thread))
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
    for tear in &tail.tears {
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
