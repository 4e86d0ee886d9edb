//! Making a new ledger: a marker, keys, vault, entry 0, head, in this order.

use std::path::PathBuf;

use super::acts::LEDGER_CLASS;
use super::core::Folders;
use super::who::itself;
use super::{Environment, Places, head_file, start};
use crate::codec::digest::{CustodyId, Digest, LedgerId, sha256};
use crate::codec::random::{Random, bytes};
use crate::error::{Code, Error, Result};
use crate::governance::{ActorId, People, Policy, Profile, Role};
use crate::keyring::{ConfigFolder, CustodyLabel, LedgerKeys, VaultKeys};
use crate::log::{
    Body, ChainState, Checkpoint, ClockStamp, EntryDraft, EntryKind, FinishedGroup, Founder, Genesis, GroupBuilder,
    GroupPlace, HeadFile, HeadState, LogError, Outcome, PrivateHalf,
};
use crate::seal::{PrivateAad, PublicKey, Signer as _};
use crate::store::Stores;
use crate::store::files::{FileLock, Files, code_of, create_dir_durable, write_atomic};

/// Present in the state folder from before the first write to the journal until the head file is there; and in the ledger
/// folder, where it is a lock file, from before anything is made until the ledger is there.
pub(super) const CREATING: &str = "creating";

/// The turn of who makes a ledger in a folder. The ledger's own lock lies in a state folder that is named by its id, which
/// every maker would draw anew: two of them have nothing in common but the folder. A crash leaves a file that nobody holds.
struct Making<'a> {
    files: &'a dyn Files,
    path: PathBuf,
    lock: Box<dyn FileLock>,
}

impl<'a> Making<'a> {
    /// Waits a few seconds for another maker to be done.
    fn begin(places: &Places, env: &'a Environment) -> Result<Self> {
        let files = &*env.files;
        let io = |e| {
            Error::new(code_of(&e), "the ledger folder cannot be written")
                .with_hint("look at its owner, its mode and the disk")
                .with_source(e)
        };
        create_dir_durable(files, &places.ledger).map_err(io)?;
        let (path, until) = (places.ledger.join(CREATING), start::end_of_patience());
        loop {
            if let Some(lock) = files.try_lock(&path).map_err(io)? {
                return Ok(Self { files, path, lock });
            }
            if until.is_none_or(|until| std::time::Instant::now() >= until) {
                return Err(Error::new(Code::Locked, format!("another process makes a ledger in {}", places.shown()))
                    .with_hint("wait until it is done, then use that one"));
            }
            std::thread::sleep(start::BETWEEN_LOOKS);
        }
    }
}

impl Drop for Making<'_> {
    /// The name goes before the lock does: who waited for it takes another file, and looks what is there.
    fn drop(&mut self) {
        if self.lock.is_current() {
            let _empty_and_known_to_checks = self.files.remove_file(&self.path);
        }
    }
}

/// Makes the ledger; it is then opened like any other. A crash before the journal's first sync leaves
/// keys and a state folder that nothing refers to; a crash after it is completed by the next open.
pub(super) fn create(places: &Places, env: &Environment, new: NewLedger) -> Result<Folders> {
    create_as(places, env, new, None)
}

/// What a new ledger is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLedger {
    /// Name, in every checkpoint for everybody to see.
    pub name: String,
    /// Marked TEST, with all its output.
    pub test: bool,
    /// How much it asks of people.
    pub profile: Profile,
    /// Who is there from the beginning; nobody in a personal ledger.
    pub founders: Vec<NewFounder>,
}

impl Default for NewLedger {
    fn default() -> Self {
        Self { name: String::new(), test: false, profile: Profile::Personal, founders: Vec::new() }
    }
}

/// Somebody who is there from the beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFounder {
    /// Name; it stands in private halves alone.
    pub name: String,
    /// The key that signs.
    pub key: PublicKey,
    /// Roles, which count at once.
    pub roles: Vec<Role>,
    /// The id that this one had in the log before; a new one without it.
    pub id: Option<[u8; 16]>,
}

/// Founders as entry 0 has them, and their names.
fn founders(new: &NewLedger, random: &dyn Random) -> Result<(Vec<Founder>, Vec<([u8; 16], String)>)> {
    if !new.profile.has_people() {
        let words = "a personal ledger is one person's, and names nobody";
        let refused =
            || Error::new(Code::Usage, words).with_hint("--profile small-firm or regulated asks for founders");
        return if new.founders.is_empty() { Ok((Vec::new(), Vec::new())) } else { Err(refused()) };
    }
    let (mut found, mut names) = (Vec::new(), Vec::new());
    let mut people = People::none(new.profile);
    for founder in &new.founders {
        let id = founder.id.map_or_else(|| bytes::<16>(random), Ok)?;
        people
            .found(ActorId(id), &founder.name, founder.key, &founder.roles)
            .map_err(|e| super::people::law_refused(&e))?;
        let roles = founder.roles.iter().map(|role| role.number()).collect();
        found.push(Founder { id, key: founder.key.to_bytes(), roles });
        names.push((id, founder.name.clone()));
    }
    // Each enrolment takes one other, and those that decide about the end of tapes two: with fewer it never could be more.
    if !people.can_enrol() {
        let words = "a ledger of people begins with two founders who may enrol others, and who could not be one person";
        return Err(Error::new(Code::SecondPerson, words)
            .with_hint("for example --founder ann:administrator=ann.pub --founder ben:key-custodian=ben.pub"));
    }
    Ok((found, names))
}

/// The log before a new one: its origin, its newest known head, the first and the last entry that is lost.
pub(super) type Predecessor = (String, Vec<u8>, u64, Option<u64>);

/// As [`create`], as the successor of a log that ended.
pub(super) fn create_as(
    places: &Places,
    env: &Environment,
    new: NewLedger,
    predecessor: Option<Predecessor>,
) -> Result<Folders> {
    check_name(&new.name)?;
    // Where there is one already, or where one vanished, nothing is written: not even the lock of a making.
    refuse_if_kept(places, env).or_else(|e| if e.code() == Code::LedgerExists { Err(e) } else { Ok(()) })?;
    if env.files.exists(&places.ledger).is_ok_and(|there| !there) {
        refuse_if_missed(places, env)?;
    }
    let _turn = Making::begin(places, env)?;
    refuse_if_kept(places, env)?;
    refuse_if_missed(places, env)?;
    let random = &*env.random;
    let (founders, names) = founders(&new, random)?;
    let NewLedger { name, test, profile, .. } = new;
    let origin = format!("{name}/{}", hex::encode(bytes::<16>(random)?));
    let (keys, next, root) = ConfigFolder::generate(random)?;
    let genesis = Genesis {
        origin: origin.clone(),
        keys: [&keys.checkpoint, &keys.recorder, &keys.issuer].map(|k| k.public_key().to_bytes()),
        next: next.each_ref().map(|k| k.public_key().thumbprint()),
        profile: profile.name().into(),
        policy: if profile.has_people() { Policy::ByRoles } else { Policy::LocalOperator }.name().into(),
        test,
        predecessor,
        founders,
    };
    let root_copy = crate::seal::KeyEncryptionKey::from_bytes(root.expose());
    let mut vault = VaultKeys::create(&origin, root, random)?;
    let now = env.clock.read();
    vault.add_custody_key(CustodyLabel { class: LEDGER_CLASS.into(), month: now.wall.month_number() }, random)?;
    let draft = genesis_draft(env, &vault, genesis, &names)?;
    let mut group = GroupBuilder::new(&ChainState::default());
    let placed = group.push::<LogError>(&draft, now.wall, |_| Ok(None))?;
    let id = LedgerId::from_bytes(*placed.leaf.as_bytes());

    let folders = Folders { places: places.clone(), state: places.state_of(&id)?, config: places.config_of(&id)? };
    let files = &*env.files;
    let io = |e| {
        Error::new(code_of(&e), "the state folder cannot be written")
            .with_hint("look at its owner, its mode and the disk, or give another with --state-dir")
            .with_source(e)
    };
    create_dir_durable(files, &folders.state).map_err(io)?;
    // Before the keys: where the state cannot stand, none are left behind to be in the way of the next try.
    write_atomic(files, &folders.state.join(CREATING), b"").map_err(io)?;
    ConfigFolder::new(folders.config.clone()).write(files, &keys, &next, &root_copy)?;
    let mut line = places.ledger.as_os_str().as_encoded_bytes().to_vec();
    line.push(b'\n');
    write_atomic(files, &folders.state.join("ledger"), &line).map_err(io)?;

    let stores = env.engine.open(&places.ledger, &folders.state, Digest::from_bytes(sha256(origin.as_bytes())))?;
    let epoch = vault.open_epoch().ok_or_else(|| Error::new(Code::Internal, "a new vault has an open epoch"))?;
    stores.vault.create_epoch(&epoch)?;
    let (generation, revision, file) = vault.encode_next();
    stores.vault.set_generation(generation, revision, &file)?;
    let finished = first_group(&stores, group, &vault)?;
    first_head(env, &folders, &stores, &keys, &origin, &finished)?;
    Ok(folders)
}

fn first_group(stores: &Stores, group: GroupBuilder, vault: &VaultKeys) -> Result<FinishedGroup> {
    let tail = stores.journal.acquire()?;
    if tail.last.is_some() {
        return Err(Error::new(Code::LedgerExists, "another process made a ledger in this folder meanwhile"));
    }
    let place = stores.journal.place(group.extent_bytes())?;
    let place = GroupPlace {
        term: place.term,
        segment: place.segment,
        offset: place.offset,
        previous_group: place.previous_group,
    };
    let finished = group.finish(&place, true, &vault.journal);
    stores.journal.append(&finished.extent)?;
    Ok(finished)
}

/// The head of a ledger that was just made, or whose making was cut off after entry 0 was durable.
pub(super) fn first_head(
    env: &Environment,
    folders: &Folders,
    stores: &Stores,
    keys: &LedgerKeys,
    origin: &str,
    group: &FinishedGroup,
) -> Result<()> {
    let checkpoint = Checkpoint { origin: origin.to_owned(), size: 1, root: group.header.root };
    write_first_head(env, folders, stores, keys, checkpoint, group.header.term)
}

/// Signs the head at size 1 and ends the making.
pub(super) fn write_first_head(
    env: &Environment,
    folders: &Folders,
    stores: &Stores,
    keys: &LedgerKeys,
    checkpoint: Checkpoint,
    term: u64,
) -> Result<()> {
    let vault = head_file::vault_version(&*stores.vault)?;
    let text = HeadFile::sign(&head_file::durable(checkpoint), vault, HeadState::Closed, term, &keys.checkpoint)?;
    head_file::store(&*env.files, folders, &text)?;
    end_making(env, folders)
}

/// Takes the markers away, and last that of the state folder: while it is there, a ledger folder that vanishes is taken for
/// one that never was.
pub(super) fn end_making(env: &Environment, folders: &Folders) -> Result<()> {
    let _as_a_rule_not_there_any_more = env.files.remove_file(&folders.places.ledger.join(CREATING));
    let io = |e| Error::new(code_of(&e), "the state folder cannot be written").with_source(e);
    env.files.remove_file(&folders.state.join(CREATING)).map_err(io)?;
    env.files.sync_dir(&folders.state).map_err(io)
}

fn genesis_draft(
    env: &Environment,
    vault: &VaultKeys,
    genesis: Genesis,
    names: &[([u8; 16], String)],
) -> Result<EntryDraft> {
    let now = env.clock.read();
    let origin = genesis.origin.clone();
    let mut private = PrivateHalf {
        actor: Some(itself()),
        request_id: Some(bytes(&*env.random)?),
        outcome: Some(Outcome::Ok),
        clock: Some(ClockStamp { wall: now.wall, monotonic_ns: now.monotonic_ns, boot_id: env.clock.boot_id() }),
        policy_digest: Some(Digest::from_bytes(sha256(genesis.policy.as_bytes()))),
        build_digest: Some(env.build),
        ..PrivateHalf::default()
    };
    private.set_names(names);
    let label = CustodyLabel { class: LEDGER_CLASS.into(), month: now.wall.month_number() };
    let key = vault
        .custody_key_for(&label)
        .ok_or_else(|| Error::new(Code::Internal, "the first custody key was just made"))?;
    let aad = PrivateAad { origin: &origin, kind: EntryKind::GENESIS.number(), subject: &CustodyId::LEDGER };
    let sealed = key.seal(bytes(&*env.random)?, aad, &private)?;
    let body = Body::Genesis(Box::new(genesis)).encode();
    Ok(EntryDraft::new(EntryKind::GENESIS, CustodyId::LEDGER, body, sealed))
}

fn refuse_if_kept(places: &Places, env: &Environment) -> Result<()> {
    if env.engine.first_group(&places.ledger)?.is_some() {
        return Err(Error::new(Code::LedgerExists, format!("there is a ledger in {} already", places.shown()))
            .with_hint("use it as it is, or give another folder with -C"));
    }
    Ok(())
}

/// Looks for a ledger that was lost. Who makes one now would be taken for it, so nobody may.
fn refuse_if_missed(places: &Places, env: &Environment) -> Result<()> {
    if let Some(state) = places.state_that_names_us(&*env.files)? {
        // A making that was cut off before entry 0 was durable left its marker: nothing was lost, go on.
        let io = |e| Error::new(Code::Io, "the state folder cannot be read").with_source(e);
        if !env.files.exists(&state.join(CREATING)).map_err(io)? {
            return Err(ledger_missing(places));
        }
        if places.state.is_some() || places.config.is_some() {
            return Err(Error::new(Code::LedgerExists, "the given state folder holds the beginnings of another ledger")
                .with_hint("its making was cut off before anything was kept; remove that state folder and its config folder, or give others"));
        }
    }
    Ok(())
}

pub(super) fn ledger_missing(places: &Places) -> Error {
    Error::new(
        Code::LedgerMissing,
        format!("the ledger that was kept in {} is gone, but its state folder is still here", places.shown()),
    )
    .with_hint("put the ledger folder back from its copy; to begin a new one on purpose, give another folder: `immutape -C FOLDER init`, \
         or -C FOLDER with `save` or `record`")
}

/// Names stand in checkpoints and key names for everybody to see.
fn check_name(name: &str) -> Result<()> {
    let fits = !name.is_empty()
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '/'))
        && !name.starts_with('/');
    if fits {
        return Ok(());
    }
    Err(Error::new(Code::Usage, "a ledger name has 1 to 64 letters, digits, dots, dashes, underscores and slashes")
        .with_hint("it stands in every checkpoint, so choose nothing personal, for example --name example.com/audit"))
}
