//! Mending one copy of the log from the other. Nothing is taken on trust: what is brought back must
//! chain, carry the ledger's own codes, and reach the signed head. Nothing is deleted: what is
//! replaced goes to `quarantine/`, and an entry says so.

use super::check::{CheckOptions, Checker};
use super::core::{Folders, Identity};
use super::head_file::{self, JournalEnd};
use super::rebuild::BEGINNING;
use super::{Environment, Places, create, start};
use crate::catalog::{Queries, pieces_to_extents};
use crate::codec::digest::{Digest, Hasher, sha256};
use crate::codec::extent::{Group, GroupHeader};
use crate::codec::limits::SEGMENT_BYTES_MAX;
use crate::error::{Code, Error, Result};
use crate::evidence::Verdict;
use crate::keyring::{ConfigFolder, VaultKeys};
use crate::log::{Body, Chain, Checkpoint, HeadFile, HeadState, LogError};
use crate::store::{Position, Stores};

/// What to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Journal from sled, or sled from the journal, whichever is in doubt.
    Log,
    /// Make a new signed head file from the journal as it stands, and log that it was done.
    AcceptHead,
}

/// What was mended.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// The entry that tells of a repair, written by who opens the ledger next.
pub(super) struct Mended {
    pub done: RepairDone,
    pub entry: Option<Body>,
    pub rebuild_rows: bool,
}

/// Mends what is asked for; the ledger is not open.
pub(super) fn repair(places: &Places, env: &Environment, what: Repair) -> Result<Mended> {
    match what {
        Repair::AcceptHead => accept_head(places, env),
        Repair::Log => log(places, env),
    }
}

fn log(places: &Places, env: &Environment) -> Result<Mended> {
    let found = match start::find(places, env) {
        Ok(found) => (found.identity, found.folders),
        // Not even entry 0 can be read from the journal: sled's copy says who this ledger is.
        Err(e) if matches!(e.code(), Code::LogDamaged | Code::LedgerMissing | Code::NewerFormat) => {
            from_rows(places, env).map_err(|_| e)?
        }
        Err(e) => return Err(e),
    };
    let (identity, folders) = found;
    let origin = Digest::from_bytes(sha256(identity.genesis.origin.as_bytes()));
    let stores = env.engine.open(&places.ledger, &folders.state, origin)?;
    let head = read_head(env, &folders, &identity)?;
    stores.journal.set_reopened(head.state == HeadState::Open);
    match walk_journal(&stores, &head) {
        Ok(()) => {
            // A head that the journal went past after its orderly close is nothing that either copy could mend.
            compare_end(&head, &stores)?;
            rows_or_nothing(places, env, stores)
        }
        Err(broken) => journal(env, &identity, &folders, &stores, &head, &broken),
    }
}

/// Where the journal stops holding.
struct Broken {
    at: Position,
    entries: u64,
    why: Error,
}

/// Chain and framing of the journal, and that it reaches its head.
fn walk_journal(stores: &Stores, head: &HeadFile) -> Result<(), Broken> {
    let mut chain = Chain::new();
    let (mut at, mut root_at_head) = (BEGINNING, None);
    loop {
        let step = stores.journal.read(at).and_then(|next| match next {
            None => Ok(None),
            Some((place, extent, next)) => {
                take_group(&mut chain, &extent)?;
                Ok(Some((place, next)))
            }
        });
        if chain.state().size() == head.checkpoint.size {
            root_at_head = Some(chain.state().frontier.root());
        }
        match step {
            Ok(Some((_, next))) => at = next,
            Ok(None) => break,
            Err(why) => return Err(Broken { at, entries: chain.state().size(), why }),
        }
    }
    let entries = chain.state().size();
    let broken = |why| Broken { at, entries, why };
    match root_at_head {
        Some(root) => head_file::same_root(head, &root).map_err(broken)?,
        None => return Err(broken(head_file::rollback(entries, head.checkpoint.size))),
    }
    stores.journal.survey().map(|_| ()).map_err(broken)
}

fn take_group(chain: &mut Chain, extent: &[u8]) -> Result<(), LogError> {
    let group = Group::parse(extent)?;
    for record in group.records() {
        let (public, sealed) = record?;
        chain.check(public, sealed)?;
    }
    if chain.state().frontier.root() != group.header().root {
        return Err(LogError::Root(group.header().size_after()));
    }
    Ok(())
}

fn rows_or_nothing(places: &Places, env: &Environment, stores: Stores) -> Result<Mended> {
    drop(stores);
    let checker = Checker::open(places, env)?;
    let report = checker.run(&CheckOptions { stored_only: true, ..CheckOptions::default() });
    let rows_wrong = report.findings.iter().any(|f| f.part == "rows");
    let entry = None;
    if rows_wrong {
        return Ok(Mended { done: RepairDone::Rows, entry, rebuild_rows: true });
    }
    if report.verdict() == Verdict::Altered {
        return Err(Error::new(
            Code::TapeDamaged,
            "the log holds in both copies; what is damaged cannot be made again from it",
        )
        .with_hint("`immutape verify --all` names it; put that file back from a copy"));
    }
    Ok(Mended { done: RepairDone::Nothing, entry, rebuild_rows: false })
}

fn journal(
    env: &Environment,
    identity: &Identity,
    folders: &Folders,
    stores: &Stores,
    head: &HeadFile,
    broken: &Broken,
) -> Result<Mended> {
    let vault = start::read_vault(identity, folders, env, stores)?;
    let from = broken.at.segment.max(1);
    let turn = start::turn_for_rows(&folders.state, env)?;
    // First the proof, then the change.
    let Proof { entries, newer } = prove(stores, head, &vault, broken)?;
    // The journal takes the lock itself, before it asks for the first extent. Who comes in between finds sled in use
    // and waits.
    drop(turn);
    let queries = Queries::new(&*stores.rows);
    let aside = std::thread::scope(|scope| {
        let (send, receive) = std::sync::mpsc::sync_channel::<Result<Vec<u8>>>(16);
        let (go, may_go) = std::sync::mpsc::sync_channel::<()>(1);
        scope.spawn(move || {
            if may_go.recv().is_err() {
                return;
            }
            let gone = || Error::new(Code::Internal, "the repair stopped listening");
            let sent = pieces_to_extents(&mut |each| queries.pieces(each), &mut |header, extent| {
                if header.segment >= from { send.send(Ok(extent)).map_err(|_| gone()) } else { Ok(()) }
            });
            let sent = sent.and_then(|()| newer.into_iter().try_for_each(|e| send.send(Ok(e)).map_err(|_| gone())));
            if let Err(e) = sent {
                let _receiver_may_be_gone = send.send(Err(e));
            }
        });
        let mut go = Some(go);
        let mut extents = std::iter::from_fn(|| {
            let _asked_for_the_first = go.take().map(|go| go.send(()));
            receive.recv().ok()
        });
        stores.journal.replace(from, &mut extents)
    })?;
    let entry = Body::IntegrityRepaired {
        what: 0,
        from: 2,
        old: hash_files(env, &aside),
        new: rows_digest(stores, from)?,
        entries,
    };
    Ok(Mended {
        done: RepairDone::Journal { from_segment: from, entries, aside },
        entry: Some(entry),
        rebuild_rows: false,
    })
}

/// What both copies together prove.
struct Proof {
    entries: u64,
    /// Groups that the journal still has after the last one in sled: after a kill sled is behind.
    newer: Vec<Vec<u8>>,
}

/// Walks sled's copy on its own, and from its end on what the journal still has: chain, codes, signed head.
fn prove(stores: &Stores, head: &HeadFile, vault: &VaultKeys, broken: &Broken) -> Result<Proof> {
    let mut chain = Chain::new();
    let (mut root_at_head, mut previous, mut entries, mut end) = (None, [0u8; 32], 0, BEGINNING);
    let mut take = |header: &GroupHeader, extent: &[u8]| -> Result<Position> {
        if *header.previous_group.as_bytes() != previous || !vault.journal.accepts(&header.hash, &header.mac) {
            return Err(LogError::Group(header.first_index).into());
        }
        take_group(&mut chain, extent)?;
        (previous, entries) = (*header.hash.as_bytes(), header.size_after());
        if entries == head.checkpoint.size {
            root_at_head = Some(header.root);
        }
        Ok(Position { segment: header.segment, offset: header.offset.saturating_add(header.extent_bytes()) })
    };
    let queries = Queries::new(&*stores.rows);
    let walked = pieces_to_extents(&mut |each| queries.pieces(each), &mut |header, extent| {
        end = take(&header, &extent)?;
        Ok(())
    });
    let mut newer = Vec::new();
    // Damage after sled's end is beyond both copies; the swap refuses to drop whatever can be read behind it.
    while let (true, Ok(Some((_, extent, _)))) = (walked.is_ok(), stores.journal.read(end)) {
        let taken = Group::parse(&extent).ok().map(|group| take(group.header(), &extent));
        let Some(Ok(next)) = taken else { break };
        end = next;
        newer.push(extent);
    }
    if walked.is_ok() && root_at_head == Some(head.checkpoint.root) && entries >= broken.entries {
        return Ok(Proof { entries, newer });
    }
    Err(Error::new(
        Code::LogDamaged,
        format!(
            "the journal breaks off at entry {} ({}), and sled's copy does not reach the signed head either",
            broken.entries,
            broken.why.message()
        ),
    )
    .with_hint("nothing was changed. Put the ledger folder back from a copy"))
}

fn hash_files(env: &Environment, paths: &[std::path::PathBuf]) -> Digest {
    let mut hasher = Hasher::new();
    for path in paths {
        if let Ok(bytes) = env.files.read(path, SEGMENT_BYTES_MAX) {
            hasher.update(&bytes);
        }
    }
    Digest::from_bytes(hasher.finish())
}

fn rows_digest(stores: &Stores, from: u64) -> Result<Digest> {
    let (mut hasher, mut at) = (Hasher::new(), Position { segment: from, offset: 0 });
    while let Some((_, extent, next)) = stores.journal.read(at)? {
        hasher.update(&extent);
        at = next;
    }
    Ok(Digest::from_bytes(hasher.finish()))
}

fn read_head(env: &Environment, folders: &Folders, identity: &Identity) -> Result<HeadFile> {
    let text = head_file::read(&*env.files, &folders.state)?.ok_or_else(|| {
        Error::new(Code::HeadMissing, "the signed head file is missing, so nothing says what a repair must reach")
            .with_hint("`immutape repair --accept-head` makes a new one from the journal as it stands")
    })?;
    head_file::parse(&text, &identity.checkpoint)
}

/// The identity in sled's copy, when the journal is gone.
pub(super) fn from_rows(places: &Places, env: &Environment) -> Result<(Identity, Folders)> {
    let gone = || create::ledger_missing(places);
    let state = places.state_that_names_us(&*env.files)?.ok_or_else(gone)?;
    // Opening the stores where nothing is left of the ledger would make an empty one.
    let is_there = |part| env.files.exists(&places.ledger.join(part)).unwrap_or(false);
    if !is_there("index") && !is_there("journal") {
        return Err(gone());
    }
    // Dropped after the stores, and sled with them.
    let _turn = start::turn_for_rows(&state, env)?;
    let stores = env.engine.open(&places.ledger, &state, Digest::from_bytes([0; 32]))?;
    if !stores.rows.is_there() {
        return Err(gone());
    }
    let queries = Queries::new(&*stores.rows);
    let mut first = None;
    let _stopped_after_the_first = pieces_to_extents(&mut |each| queries.pieces(each), &mut |_, extent| {
        first = Some(extent);
        Err(gone())
    });
    let extent = first.ok_or_else(gone)?;
    let identity = start::identity(&Group::parse(&extent).map_err(LogError::from)?)?;
    let folders = Folders { places: places.clone(), state, config: places.config_of(&identity.ledger)? };
    Ok((identity, folders))
}

/// Signs a new head over the journal as it stands. Only for a head that is missing or invalid: a
/// journal behind its valid head stays refused, since that is what a rollback looks like.
fn accept_head(places: &Places, env: &Environment) -> Result<Mended> {
    let found = start::find(places, env)?;
    let stores = start::stores(&found, env)?;
    let keys = ConfigFolder::new(found.folders.config.clone()).read(&*env.files, &found.identity.genesis)?;
    let text = head_file::read(&*env.files, &found.folders.state);
    let reason = match &text {
        Ok(None) => 0,
        Ok(Some(text)) => match head_file::parse(text, &found.identity.checkpoint) {
            Ok(head) => return still_valid(&head, &stores),
            Err(_) => 1,
        },
        Err(_) => 1,
    };
    stores.journal.set_reopened(true);
    let tail = stores.journal.acquire()?;
    let last = tail.last.ok_or_else(|| Error::new(Code::LogDamaged, "the journal is empty"))?;
    let checkpoint =
        Checkpoint { origin: found.identity.genesis.origin.clone(), size: last.size_after(), root: last.root };
    stores.vault.sync()?;
    let vault = head_file::vault_version(&*stores.vault)?;
    let head = head_file::durable(checkpoint);
    let text = HeadFile::sign(&head, vault, HeadState::Closed, last.term, &keys.checkpoint)?;
    head_file::store(&*env.files, &found.folders, &text)?;
    let size = last.size_after();
    Ok(Mended {
        done: RepairDone::Head { size },
        entry: Some(Body::HeadFileRebuilt { reason, size }),
        rebuild_rows: false,
    })
}

fn compare_end(head: &HeadFile, stores: &Stores) -> Result<()> {
    let last = stores.journal.survey()?.last;
    let (size, clean_close) = last.map_or((0, false), |l| (l.size_after(), l.clean_close()));
    head_file::compare(head, JournalEnd { size, clean_close })
}

fn still_valid(head: &HeadFile, stores: &Stores) -> Result<Mended> {
    match compare_end(head, stores) {
        Ok(()) => Ok(Mended { done: RepairDone::Nothing, entry: None, rebuild_rows: false }),
        Err(e) if e.code() == Code::HeadStale => Err(e.with_hint("the head file is signed and older than an orderly close: put the newest state folder back; a valid head is never overruled")),
        Err(e) => Err(e),
    }
}
