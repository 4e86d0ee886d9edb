//! Entries of a bundle (6.4), and checks 3 to 6.

use super::completeness::Completeness;
use super::source::{Sequence, Source, has, whole};
use crate::anchors::{Anchor, cosigned, timestamped};
use crate::cbor::{Labelled, Reader};
use crate::digest::{Hash, hash};
use crate::entry::{Body, Entry, is_known_critical};
use crate::error::{Result, ensure, refuse};
use crate::keys::{Held, Keys, Role};
use crate::note::Head;
use crate::opened::Opened;
use crate::private;
use crate::report::{Report, Word, moment, shown};
use crate::sign::export_commitment;
use crate::succession::Succession;
use crate::tree::{self, SetWalk, consistent, path_root};
use crate::{entry, text};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

const PATH: &str = "data/entries.cbor";
const HEAD: &str = "data/log/checkpoint";
const PATHS: &str = "data/log/paths.cbor";
/// Most items of entries.cbor.
const MOST_ENTRIES: usize = 1 << 20;
/// Most bytes of an item: an entry, and what goes with it.
const MOST_ITEM: usize = 64 << 20;
/// Most hashes of a set proof.
pub const MOST_HASHES: u64 = 1 << 21;
/// Most bytes of a set proof.
pub const MOST_PATHS: u64 = MOST_HASHES * 34 + 5;

/// What is kept of an entry.
pub struct Fact {
    /// Its index.
    pub index: u64,
    /// Leaf hash.
    pub leaf: Hash,
    /// Time, ms.
    pub time: u64,
    /// Kind.
    pub kind: u16,
    /// Subject.
    pub subject: Hash,
    /// Bits of the private fields that stay closed; None when the private half stays closed as a whole.
    pub closed: Option<u64>,
    /// A membership is shown.
    pub member: bool,
}

/// What is kept of a `tape.saved`.
pub struct Saved {
    /// Index of the entry.
    pub index: u64,
    /// Its time.
    pub time: u64,
    /// Custody id.
    pub custody: Hash,
    /// Tape id.
    pub tape: Hash,
    /// Digest of the manifest.
    pub manifest: Hash,
    /// H of the statement.
    pub statement: Hash,
    /// Key that signed it.
    pub signer: Option<Hash>,
}

/// What a given tape's entries come to.
#[derive(Default)]
pub struct Chain {
    /// Next subject_seq that belongs.
    pub next: u64,
    /// One was left out.
    pub hole: bool,
    /// Index of the last entry about it here.
    pub last_index: u64,
    /// Leaf of the last.
    last: Hash,
    /// The last was an `evidence.made` of this bundle; its index and leaf.
    pub evidence: Option<(u64, Hash)>,
    /// Marks of its recording: frames, root, index.
    pub marks: Vec<(u64, Hash, u64)>,
    /// Frames that a `tape.truncated` says were left.
    pub truncated: Option<u64>,
}

/// A head that an entry keeps and that holds.
pub struct Kept {
    /// Index of the entry.
    pub index: u64,
    /// Size and root.
    pub head: (u64, Hash),
    /// The head with its lines, of kind 128.
    pub note: Option<Head>,
    /// Thumbprint of the key that signed.
    pub signer: Hash,
}

/// All that the entries of a bundle say.
#[derive(Default)]
pub struct Log {
    /// `entries.cbor` is in the bundle. What cannot be looked at for want of it adds no words.
    pub is_here: bool,
    /// In order of their indices.
    pub facts: Vec<Fact>,
    /// Keys of the log, once entry 0 is here.
    pub keys: Option<Keys>,
    /// Leaf hash of entry 0.
    pub ledger: Option<Hash>,
    /// Every `tape.saved` here.
    pub saved: Vec<Saved>,
    /// By custody id, of the given tapes.
    pub chains: BTreeMap<Hash, Chain>,
    /// Heads that entries keep.
    pub kept: Vec<Kept>,
    /// Indices of time-stamps, with H of note and of token.
    pub stamps: Vec<(u64, Hash, Hash)>,
    /// The head.
    pub head: Option<Head>,
    /// Witnesses that the verifier knows: no line of theirs may be wrong, wherever it stands.
    pub witnesses: Vec<crate::sign::VerifierKey>,
    /// A critical kind that is not known here stands among the entries.
    pub is_doubtful: bool,
    /// The key that is in force at its size signed it.
    pub head_holds: bool,
    /// Consistency paths: index of the entry, size and root of its head, the path.
    paths: Vec<(u64, (u64, Hash), Vec<Hash>)>,
    /// Indices of kinds 32768 to 32770.
    pub changes: BTreeSet<u64>,
    /// By subject, the last entry here.
    last_of: BTreeMap<Hash, (u64, Hash)>,
    before: Option<(u64, Hash, u64)>,
}

impl Log {
    /// The entry of an index.
    pub fn fact(&self, index: u64) -> Option<&Fact> {
        let at = self.facts.binary_search_by_key(&index, |fact| fact.index).ok()?;
        self.facts.get(at)
    }

    /// The `tape.saved` of a custody id.
    pub fn saved_of(&self, custody: &Hash) -> Option<&Saved> {
        self.saved.iter().find(|saved| saved.custody == *custody)
    }

    /// The key of a role that was in force once and has this thumbprint.
    pub fn held(&self, role: Role, thumbprint: &Hash) -> Option<&Held> {
        self.keys.as_ref()?.of(role).find(|held| held.key.thumbprint() == *thumbprint)
    }
}

/// Reads head and entries; makes the checks that go with them.
pub fn read(source: &mut dyn Source, lists: Option<&Completeness>, report: &mut Report) -> Log {
    let mut log = Log::default();
    for given in lists.iter().flat_map(|lists| &lists.given) {
        log.chains.entry(given.custody).or_default();
    }
    log.head = match whole(source, HEAD, 64 * 1024) {
        None => {
            report.find(Word::Missing, HEAD, "a file that has to be there is missing");
            None
        }
        Some(bytes) => report.take("head", Word::Altered, HEAD, bytes.and_then(|bytes| Head::read(&bytes))),
    };
    log.is_here = has(source, PATH);
    if log.is_here {
        let read = entries(source, lists, &mut log, report);
        report.take("entries.cbor", Word::Altered, PATH, read);
    } else {
        report.find(Word::Missing, PATH, "a file that has to be there is missing");
        report.find(Word::Missing, "entry 0", "entry 0 is missing");
        return log;
    }
    if log.ledger.is_none() {
        report.find(Word::Missing, "entry 0", "entry 0 is missing, or is no genesis");
    }
    set_proof(source, &log, report);
    log
}

fn entries(source: &mut dyn Source, lists: Option<&Completeness>, log: &mut Log, report: &mut Report) -> Result<()> {
    let mut items = Sequence::new(source.open(PATH)?, MOST_ITEM);
    let mut count = 0_usize;
    while let Some(item) = items.next_item()? {
        count = count.saturating_add(1);
        ensure(count <= MOST_ENTRIES, "more than 2^20 entries")?;
        one(item, lists, log, report)?;
    }
    Ok(())
}

struct Beside<'a> {
    opened: Option<Opened<'a>>,
    members: Vec<(Hash, Hash, u64, Vec<Hash>)>,
    path: Option<Vec<Hash>>,
}

fn hashes(reader: &mut Reader<'_>, most: u64) -> Result<Vec<Hash>> {
    let n = reader.array()?;
    ensure(n <= most, "more hashes than a path has")?;
    let mut found = Vec::new();
    for _ in 0..n {
        found.push(reader.fixed()?);
    }
    Ok(found)
}

fn parts<'a>(item: &'a [u8]) -> Result<(&'a [u8], Beside<'a>)> {
    let mut reader = Reader::new(item);
    reader.array_of(3)?;
    let bytes = reader.bytes()?;
    let opened = reader.nullable(Opened::read)?;
    let (mut members, mut path) = (Vec::new(), None);
    reader.table(|key, value| match key {
        0 => value
            .some(|each| {
                each.array_of(4)?;
                members.push((each.fixed()?, each.fixed()?, each.uint()?, hashes(each, 64)?));
                Ok(())
            })
            .map(drop),
        1 => {
            path = Some(hashes(value, 128)?);
            Ok(())
        }
        _ => refuse("a key that no item of entries has"),
    })?;
    reader.end()?;
    Ok((bytes, Beside { opened, members, path }))
}

fn one(item: &[u8], lists: Option<&Completeness>, log: &mut Log, report: &mut Report) -> Result<()> {
    let (bytes, beside) = parts(item)?;
    let after = log.before.map_or_else(|| String::from("first entry"), |(index, ..)| format!("entry after {index}"));
    let Some(entry) = report.take("entries", Word::Altered, &after, Entry::read(bytes)) else { return Ok(()) };
    let place = format!("entry {}", entry.index);
    if log.before.is_some_and(|(index, ..)| index >= entry.index) {
        report.find(Word::Altered, place, "an entry out of order, or twice");
        return Ok(());
    }
    if log.ledger.is_none() && entry.index == 0 {
        log.ledger = Some(entry.leaf);
        if let Body::Genesis(genesis) = &entry.body {
            log.keys = report.take("keys", Word::Altered, &place, Keys::new(genesis));
        }
    }
    neighbours(&entry, &place, log, report);
    bodies(&entry, &place, log, report);
    let closed = fields(&entry, &beside, &place, report);
    members(&entry, &beside, &place, report);
    consistency(&entry, &beside, &place, log, report);
    chain(&entry, &beside, lists, &place, log, report);
    log.facts.push(Fact {
        index: entry.index,
        leaf: entry.leaf,
        time: entry.time,
        kind: entry.kind,
        subject: entry.subject,
        closed,
        member: !beside.members.is_empty(),
    });
    Ok(())
}

/// Order, times and links to the entries before.
fn neighbours(entry: &Entry<'_>, place: &str, log: &mut Log, report: &mut Report) {
    if let Some((index, leaf, time)) = log.before {
        report.want("times", time <= entry.time, Word::Altered, place, "a time that falls");
        if index.saturating_add(1) == entry.index {
            report.want(
                "links",
                entry.previous == leaf,
                Word::Altered,
                place,
                "another entry before than the one here",
            );
        }
    }
    log.before = Some((entry.index, entry.leaf, entry.time));
    if let Some((seq, leaf)) = log.last_of.insert(entry.subject, (entry.seq, entry.leaf)) {
        let follows = seq.saturating_add(1) == entry.seq;
        let so = seq < entry.seq && (!follows || entry.subject_prev == leaf);
        report.want("subjects", so, Word::Altered, place, "another entry of the subject before than the one here");
    }
}

/// What kinds say about keys, tapes and anchors.
fn bodies(entry: &Entry<'_>, place: &str, log: &mut Log, report: &mut Report) {
    if entry.kind >= 32_768 {
        if is_known_critical(entry.kind) {
            log.changes.insert(entry.index);
        } else {
            log.is_doubtful = true;
            report.find(Word::CannotTell, place, "an entry of a critical kind that is not known here");
        }
    }
    let Some(keys) = &mut log.keys else {
        if let Body::Saved(statement) = &entry.body {
            log.saved.push(saved(entry, statement, None));
        }
        return;
    };
    match &entry.body {
        Body::Rotated(rotated) => {
            _ = report.take("changes of keys", Word::Altered, place, keys.rotate(entry.index, rotated))
        }
        Body::Revoked(revoked) => {
            _ = report.take("changes of keys", Word::Altered, place, keys.revoke(entry.index, revoked))
        }
        Body::Succession(note) => {
            let ledger = log.ledger;
            let checked = Succession::read(note).and_then(|found| {
                ensure(Some(found.ledger) == ledger, "a succession to another ledger")?;
                keys.successor(&found)
            });
            report.take("succession", Word::Altered, place, checked);
        }
        Body::Saved(statement) => {
            let signer = keys.in_force(Role::Recorder, entry.index).cloned();
            let checked = statement_holds(statement, signer.as_ref(), keys.origin(), log.ledger);
            report.take("statements", Word::Altered, place, checked);
            if log.saved_of(&entry.subject).is_some() {
                report.find(Word::Altered, place, "a tape that was saved before");
            }
            log.saved.push(saved(entry, statement, signer.map(|held| held.key.thumbprint())));
        }
        Body::Cosigned(anchor) => {
            let found = cosigned(entry.index, anchor, keys);
            keep(entry.index, found, true, place, log, report);
        }
        Body::Timestamped(anchor) => {
            log.stamps.push((entry.index, hash(anchor.note), hash(anchor.token)));
            let found = timestamped(entry.index, anchor, keys);
            keep(entry.index, found, false, place, log, report);
        }
        Body::Published(size, _) => {
            report.want(
                "published sizes",
                *size <= entry.index,
                Word::Altered,
                place,
                "a head past the index of its entry",
            );
        }
        Body::ForkFound(note) => {
            drop(report.take("anchors", Word::Altered, place, crate::anchors::fork_found(note, keys)));
        }
        _ => {}
    }
}

fn saved(entry: &Entry<'_>, statement: &entry::SavedStatement<'_>, signer: Option<Hash>) -> Saved {
    Saved {
        index: entry.index,
        time: entry.time,
        custody: entry.subject,
        tape: statement.tape,
        manifest: statement.manifest,
        statement: hash(statement.bytes),
        signer,
    }
}

/// The list in 3.3, as far as the log alone shows it.
pub fn statement_holds(
    statement: &entry::SavedStatement<'_>,
    signer: Option<&Held>,
    origin: &str,
    ledger: Option<Hash>,
) -> Result<()> {
    ensure(statement.issuer == origin, "a statement of another log")?;
    ensure(Some(statement.ledger) == ledger, "a statement about another ledger")?;
    match signer {
        Some(held) => statement.verify(&held.key),
        None => refuse("no recorder's key in force"),
    }
}

fn keep(index: u64, found: Result<Anchor>, cosigned: bool, place: &str, log: &mut Log, report: &mut Report) {
    let Some(anchor) = report.take("anchors", Word::Altered, place, found) else { return };
    let head = (anchor.head.size, anchor.head.root);
    log.kept.push(Kept { index, head, note: cosigned.then_some(anchor.head), signer: anchor.signer });
}

/// Opened private fields and the commitment. Gives the bits of fields that stay closed.
fn fields(entry: &Entry<'_>, beside: &Beside<'_>, place: &str, report: &mut Report) -> Option<u64> {
    let opened = beside.opened.as_ref()?;
    report.take("private fields", Word::Altered, place, check_fields(entry, opened));
    let bit = |n: &u64| 1_u64.checked_shl(u32::try_from(*n).unwrap_or(64)).unwrap_or(0);
    Some(opened.closed().iter().map(bit).fold(0, |all, bit| all | bit))
}

fn check_fields(entry: &Entry<'_>, opened: &Opened<'_>) -> Result<()> {
    let commitment = opened.commitment("immutape/private/1")?;
    ensure(commitment == entry.commitment, "fields that are not the ones committed to")?;
    ensure(opened.fields.iter().all(|(n, _)| *n <= private::LAST_FIELD), "a field that no private half has")?;
    for (n, _, value) in &opened.values {
        let mut reader = Reader::new(value);
        private::field(*n, &mut reader)?;
        reader.end()?;
    }
    Ok(())
}

/// Leaf hash of a tape in a set (4.3).
fn set_leaf(own_salt: &Hash, custody: &Hash) -> Hash {
    tree::leaf(&Labelled::new("immutape/set/1", 2).bytes(own_salt).bytes(custody).done())
}

fn members(entry: &Entry<'_>, beside: &Beside<'_>, place: &str, report: &mut Report) {
    for (custody, own_salt, position, path) in &beside.members {
        let checked = match &entry.body {
            Body::Set(set) => path_root(&set_leaf(own_salt, custody), *position, set.tapes, path)
                .and_then(|root| ensure(root == set.commitment, "a tape that was not in the set")),
            _ => refuse("a membership in something that is no set"),
        };
        report.take("memberships", Word::Altered, place, checked);
    }
}

fn consistency(entry: &Entry<'_>, beside: &Beside<'_>, place: &str, log: &mut Log, report: &mut Report) {
    let note = match &entry.body {
        Body::Cosigned(anchor) => Some(anchor.note),
        Body::Timestamped(anchor) => Some(anchor.note),
        _ => None,
    };
    match (note, &beside.path) {
        (None, None) => {}
        (Some(note), Some(path)) => {
            // Only a head that the log signed can be one of another history.
            if let (Ok(old), Some(keys)) = (Head::read(note), &log.keys)
                && head_signed(&old, keys).is_ok()
            {
                log.paths.push((entry.index, (old.size, old.root), path.clone()));
            }
        }
        _ => report.find(Word::Altered, place, "a path where none belongs, or none where one does"),
    }
}

/// The chains of given tapes, and what their entries say for check 7.
fn chain(
    entry: &Entry<'_>,
    beside: &Beside<'_>,
    lists: Option<&Completeness>,
    place: &str,
    log: &mut Log,
    report: &mut Report,
) {
    let (Some(chain), Some(lists)) = (log.chains.get_mut(&entry.subject), lists) else { return };
    // Where one is left out, the next one names an entry that is not here: that alone is no alteration.
    if entry.seq != chain.next {
        chain.hole = true;
    } else if entry.seq > 0 {
        report.want(
            "chains",
            entry.subject_prev == chain.last,
            Word::Altered,
            place,
            "another entry of the tape before",
        );
    }
    chain.next = entry.seq.saturating_add(1);
    chain.last = entry.leaf;
    chain.last_index = entry.index;
    chain.evidence = None;
    match &entry.body {
        Body::Mark(frames, root) => {
            let falls = chain.marks.last().is_some_and(|(before, ..)| before > frames);
            report.want("order of marks", !falls, Word::Altered, place, "frames of a recording that fall");
            chain.marks.push((*frames, *root, entry.index));
        }
        Body::Truncated(left) => chain.truncated = Some(chain.truncated.map_or(*left, |before| before.min(*left))),
        Body::EvidenceMade(id, commitment, tapes) if *id == lists.bundle => {
            chain.evidence = Some((entry.index, entry.leaf));
            report.take("evidence.made", Word::Altered, place, evidence(beside, commitment, &lists.digest));
            let fits = *tapes == lists.given.len() as u64;
            report.want("evidence.made", fits, Word::Incomplete, place, "another number of tapes than are given");
        }
        _ => {}
    }
    access(entry, beside, place, report);
}

fn evidence(beside: &Beside<'_>, commitment: &Hash, digest: &Hash) -> Result<()> {
    let Some(value) = beside.opened.as_ref().and_then(|opened| opened.value(30)) else {
        return refuse("field 30 of an evidence.made stays closed");
    };
    let mut reader = Reader::new(value);
    let (salt, what) = private::exported(&mut reader)?;
    reader.end()?;
    ensure(what == *digest, "evidence of another COMPLETENESS.json")?;
    ensure(export_commitment(&salt, &what) == *commitment, "an export commitment that does not open")
}

/// A line for people about an access.
fn access(entry: &Entry<'_>, beside: &Beside<'_>, place: &str, report: &mut Report) {
    if !matches!(entry.kind, 32 | 36 | 38 | 39 | 41 | 42 | 163) {
        return;
    }
    let value = |n| beside.opened.as_ref().and_then(|opened| opened.value(n));
    let who = value(0).and_then(|value| private::actor_of(&mut Reader::new(value)).ok());
    let who = who.map_or_else(|| String::from("(closed)"), |(_, id, _)| shown(id));
    let why = value(3).and_then(|value| Reader::new(value).bytes().ok()).map(shown);
    let why = why.map(|why| format!(", purpose {why}")).unwrap_or_default();
    let custody = text::hex(&entry.subject);
    let custody = custody.get(..12).unwrap_or_default();
    let kind = entry::name(entry.kind).unwrap_or("?");
    report.say(format!("{place}: {kind} of tape {custody} by {who} at {}{why}", moment(entry.time)));
}

/// Check 5.
fn set_proof(source: &mut dyn Source, log: &Log, report: &mut Report) {
    let Some(bytes) = whole(source, PATHS, MOST_PATHS) else {
        report.find(Word::Missing, PATHS, "a file that has to be there is missing");
        return;
    };
    let Some(list) = report.take("set proof", Word::Altered, PATHS, bytes.and_then(|bytes| read_hashes(&bytes))) else {
        return;
    };
    let Some(head) = &log.head else { return };
    let mut walk = SetWalk::new(head.size, list.into_iter());
    let root = log.facts.iter().try_for_each(|fact| walk.leaf(fact.index, fact.leaf)).and_then(|()| walk.finish());
    let root = root.and_then(|root| ensure(root == head.root, "entries that do not lead to the root of the head"));
    report.take("set proof", Word::Altered, PATHS, root);
}

/// Reads `[* hash]`.
pub fn read_hashes(bytes: &[u8]) -> Result<Vec<Hash>> {
    let mut reader = Reader::new(bytes);
    let list = hashes(&mut reader, MOST_HASHES)?;
    reader.end()?;
    Ok(list)
}

impl Log {
    /// What can be said only when all entries are read: the head, and what revoked keys signed.
    pub fn judge(&mut self, lists: Option<&Completeness>, report: &mut Report) {
        self.judge_origin(lists, report);
        let Some(keys) = &self.keys else { return };
        self.head_holds = self.head.as_ref().is_some_and(|head| head_signed(head, keys).is_ok());
        self.judge_heads(keys, report);
        self.judge_statements(lists, report);
    }

    fn judge_origin(&self, lists: Option<&Completeness>, report: &mut Report) {
        let Some(lists) = lists else { return };
        if let Some(keys) = &self.keys {
            let so = lists.origin == keys.origin();
            report.want(
                "COMPLETENESS.json",
                so,
                Word::Altered,
                super::completeness::PATH,
                "it is about another origin",
            );
        }
        if let Some(ledger) = self.ledger {
            let so = lists.ledger == ledger;
            report.want(
                "COMPLETENESS.json",
                so,
                Word::Altered,
                super::completeness::PATH,
                "it is about another ledger",
            );
        }
    }

    fn judge_heads(&self, keys: &Keys, report: &mut Report) {
        for kept in &self.kept {
            let Some((from, by)) = self.held(Role::Checkpoint, &kept.signer).and_then(|held| held.revoked) else {
                continue;
            };
            if kept.head.0 <= from {
                continue;
            }
            let place = format!("entry {}", kept.index);
            let word = if kept.index < by { Word::Gaps } else { Word::Altered };
            report.find(word, place, "a head that a revoked key signed");
        }
        let Some(head) = &self.head else { return };
        let held = head_holds(head, keys);
        // Which key signs behind a critical entry that is not known nobody can tell.
        if !(self.is_doubtful && is_unsigned(head, keys)) {
            report.take("head", Word::Altered, HEAD, held);
        }
        for (index, old, path) in self.paths.iter().filter(|_| self.head_holds) {
            let checked = consistent((old.0, &old.1), (head.size, &head.root), path);
            report.take("consistency paths", Word::Forked, &format!("entry {index}"), checked);
        }
        let so = self.facts.last().is_none_or(|fact| fact.index < head.size);
        report.want("head", so, Word::Altered, HEAD, "a head of fewer entries than are here");
    }

    fn judge_statements(&self, lists: Option<&Completeness>, report: &mut Report) {
        for saved in &self.saved {
            let held = saved.signer.and_then(|signer| self.held(Role::Recorder, &signer));
            let Some((from, by)) = held.and_then(|held| held.revoked) else { continue };
            let place = format!("entry {}", saved.index);
            if saved.index >= from {
                report.find(Word::Altered, place, "a statement that a revoked key signed when it counted no more");
                continue;
            }
            let given = lists.is_some_and(|lists| lists.given_by_custody(&saved.custody).is_some());
            let vouched = self.kept.iter().any(|kept| {
                let range = saved.index.saturating_add(1)..=from;
                let revoked = self.held(Role::Checkpoint, &kept.signer).and_then(|held| held.revoked);
                let counts = revoked.is_none_or(|(from, _)| kept.head.0 <= from);
                kept.note.is_some() && kept.index < by && range.contains(&kept.head.0) && counts
            });
            if given && !vouched {
                report.find(Word::Gaps, place, "a statement of a revoked key that no anchor of before shows");
            }
        }
    }
}

/// No line of the key in force, and none that is wrong.
pub fn is_unsigned(head: &Head, keys: &Keys) -> bool {
    keys.in_force(Role::Checkpoint, head.size)
        .is_some_and(|held| matches!(head.note.signed_by(&keys.verifier(held)), Ok(false)))
}

/// Whether the key in force at the size of a head signed it.
fn head_signed(head: &Head, keys: &Keys) -> Result<()> {
    let Some(held) = keys.in_force(Role::Checkpoint, head.size) else { return refuse("no key in force") };
    head.verify(&keys.verifier(held))
}

/// Whether a head holds under the key in force at its size.
///
/// # Errors
/// When it does not.
pub fn head_holds(head: &Head, keys: &Keys) -> Result<()> {
    let Some(held) = keys.in_force(Role::Checkpoint, head.size) else { return refuse("no key in force") };
    head.verify(&keys.verifier(held))?;
    ensure(held.revoked.is_none_or(|(from, _)| head.size <= from), "a head of a revoked key")
}
