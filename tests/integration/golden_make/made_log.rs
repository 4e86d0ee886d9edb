//! The golden log: one entry of every kind that is written, and of kinds that are not known.

use immutape::codec::cbor::encode;
use immutape::codec::digest::{
    CustodyId, Digest, GroupHash, LeafHash, LedgerId, ObjectDigest, RootHash, Thumbprint, sha256,
};
use immutape::codec::extent::GroupHeader;
use immutape::log::{
    Actor, ActorKind, AnchorBody, Authentication, Body, ChainState, Checkpoint, ClockStamp, CriticalBody, EntryDraft,
    EntryKind, EvidenceBody, Genesis, GroupBuilder, GroupPlace, KeyRole, LogError, NoteKey, Outcome, PeopleBody,
    PlacedEntry, PrivateHalf, RoleFrom, SubjectTip, Succession, export_commitment, leaf_hash, rotate, set_commitment,
};
use immutape::seal::{PrivateAad, Signer as _, thumbprint};
use immutape::tape::Labels;
use immutape::time::Timestamp;

use super::inputs::{
    CHECKPOINT_SEED, CUSTODY, EPOCH_ID, ISSUER_SEED, NEXT_SEEDS, ORIGIN, OTHER_CUSTODY, RECORDER_SEED, REQUEST,
    START_MS, custody_key, journal_key, private_salt, public_key, signer,
};

/// What is told to the ledger.
pub struct Act {
    pub name: &'static str,
    pub subject: CustodyId,
    pub kind: EntryKind,
    pub body: Vec<u8>,
    pub private: PrivateHalf,
    /// The local clock.
    pub now: u64,
}

/// An entry in its place.
pub struct Made {
    pub name: &'static str,
    pub placed: PlacedEntry,
    pub public: Vec<u8>,
    pub draft: EntryDraft,
    pub private: PrivateHalf,
    pub salt: [u8; 32],
}

/// The whole log.
pub struct GoldenLog {
    pub entries: Vec<Made>,
    pub groups: Vec<(GroupHeader, Vec<u8>)>,
    pub state: ChainState,
}

/// How many entries each group holds; the last is the orderly end.
const GROUPS: [usize; 6] = [2, 1, 1, 3, 21, 1];

pub fn genesis() -> Genesis {
    Genesis {
        origin: ORIGIN.into(),
        keys: [CHECKPOINT_SEED, RECORDER_SEED, ISSUER_SEED].map(public_key),
        next: NEXT_SEEDS.map(|seed| thumbprint(&public_key(seed))),
        profile: "personal".into(),
        policy: "local-operator".into(),
        test: true,
        predecessor: None,
        founders: Vec::new(),
    }
}

/// Leaf hash of entry 0: the ledger id.
pub fn genesis_leaf() -> LeafHash {
    let act = written("genesis", CustodyId::LEDGER, Body::Genesis(Box::new(genesis())), 0);
    let zero = LeafHash::from_bytes([0; 32]);
    let (_, leaf) = draft(&act, 0).place(0, &zero, Timestamp::from_ms(act.now), 0, &zero).unwrap();
    leaf
}

fn written(name: &'static str, subject: CustodyId, body: Body, second: u64) -> Act {
    let private = {
        let mut half = PrivateHalf::default();
        half.actor =
            Some(Actor { kind: ActorKind::System, id: b"immutape".to_vec(), authentication: Authentication::Itself });
        half.outcome = Some(Outcome::Ok);
        half
    };
    let kind = body.kind().unwrap();
    Act { name, subject, kind, body: body.encode(), private, now: START_MS + 1_000 * second }
}

/// Private half of the access entry: what a person's read leaves behind.
pub fn access_private() -> PrivateHalf {
    {
        let mut half = PrivateHalf::default();
        half.actor =
            Some(Actor { kind: ActorKind::Human, id: b"ana".to_vec(), authentication: Authentication::OsUser });
        half.purpose = Some(b"incident 7".to_vec());
        half.origin = Some((b"host".to_vec(), 4_711, None));
        half.request_id = Some(REQUEST);
        half.range = Some((0, 1));
        half.clock = Some(ClockStamp {
            wall: Timestamp::from_ms(START_MS + 3_000),
            monotonic_ns: 3_000_000_000,
            boot_id: [0xb0; 16],
        });
        half.tool = Some(b"immutape".to_vec());
        half
    }
}

/// The acts in order of time.
pub fn acts() -> Vec<Act> {
    let mut acts = first_acts();
    acts.extend(reads());
    acts.extend(checks());
    acts.extend(unknown());
    acts.push(written("log-stopped", LEDGER, Body::LogStopped { term: 1, content_unwraps: 2, list_unwraps: 3 }, 40));
    acts
}

const LEDGER: CustodyId = CustodyId::LEDGER;
/// Salt of every set of the golden log.
pub const SET_SALT: [u8; 32] = [0x4e; 32];

fn first_acts() -> Vec<Act> {
    let set = set_commitment(&SET_SALT, &mut [CUSTODY]);
    let statement = super::made_seal::statement_bytes();
    let mut granted = written("access-granted", CUSTODY, Body::AccessGranted, 3);
    granted.private = access_private();
    let mut listed = written("listed", LEDGER, Body::Listed { set, count: 1, size: 5, list: None }, 5);
    listed.private.set = Some(vec![CUSTODY]);
    listed.private.set_salt = Some(SET_SALT);
    vec![
        written("genesis", LEDGER, Body::Genesis(Box::new(genesis())), 0),
        written("log-started", LEDGER, Body::LogStarted { term: 1 }, 1),
        written("tape-saved", CUSTODY, Body::TapeSaved { statement, epoch: EPOCH_ID }, 2),
        granted,
        written("access-completed", CUSTODY, Body::AccessCompleted { grant: 3 }, 4),
        listed,
        written("refused", CUSTODY, Body::Refused { act: 39, error: 50 }, 6),
    ]
}

/// New labels of the tape: name alone.
fn labels() -> ([u8; 32], Labels) {
    ([0x4c; 32], Labels { name: Some(b"pong".to_vec()), ..Labels::default() })
}

fn reads() -> Vec<Act> {
    let (mut two, digest) = ([OTHER_CUSTODY, CUSTODY], |byte| Digest::from_bytes([byte; 32]));
    let (salt, new) = labels();
    // Until the text says otherwise: H over the encoding of private field 27.
    let labels_digest = Digest::from_bytes(sha256(&encode(|w| {
        w.array(2);
        w.bytes(&salt);
        new.write(w);
    })));
    let mut labelled = written("labelled", CUSTODY, Body::Labelled { labels: labels_digest }, 8);
    labelled.private.labels = Some((salt, new));
    let (left, export_salt) = (digest(0x91), [0x4d; 32]);
    let commitment = export_commitment(&export_salt, &left);
    let mut exported = written("exported", CUSTODY, Body::Exported { commitment }, 14);
    exported.private.exported = Some((export_salt, left));
    let searched = Body::Searched { set: set_commitment(&SET_SALT, &mut two), count: 2, size: 10, list: None };
    vec![
        written("tape-saved-again", CUSTODY, Body::TapeSavedAgain, 7),
        labelled,
        written("amended", CUSTODY, Body::Amended { by: OTHER_CUSTODY }, 9),
        written("searched", LEDGER, searched, 10),
        written("metadata-read", CUSTODY, Body::MetadataRead, 11),
        written("log-read", LEDGER, Body::LogRead { first: 0, last: 11 }, 12),
        written("custody-read", CUSTODY, Body::CustodyRead { size: 13 }, 13),
        exported,
    ]
}

fn checks() -> Vec<Act> {
    let digest = |byte| Digest::from_bytes([byte; 32]);
    let verified = Body::Verified { scope: 0, verdict: 1, entries: 15, objects: 3, findings: 0 };
    let recovered = Body::Recovered { segment: 1, offset: 4_096, bytes: 512, hash: digest(0x92) };
    let repaired =
        Body::IntegrityRepaired { what: 0, from: 2, old: Some(digest(0x93)), new: digest(0x94), entries: 20 };
    // The clock goes back here: the entry keeps the time of the one before.
    let mut anomaly = written("clock-anomaly", LEDGER, Body::ClockAnomaly { behind_ms: 14_500 }, 0);
    anomaly.now += 500;
    vec![
        written("verified", LEDGER, verified, 15),
        anomaly,
        written("recovered", LEDGER, recovered, 17),
        written("rows-rebuilt", LEDGER, Body::RowsRebuilt { reason: 3, entries: 18 }, 18),
        written("head-file-rebuilt", LEDGER, Body::HeadFileRebuilt { reason: 0, size: 19 }, 19),
        written("object-failed", CUSTODY, Body::IntegrityFailed { what: 1, at: 1, digest: Some(digest(0x95)) }, 20),
        written("journal-failed", LEDGER, Body::IntegrityFailed { what: 0, at: 7, digest: None }, 21),
        written("integrity-repaired", LEDGER, repaired, 22),
        written("log-unclean-stop", LEDGER, Body::LogUncleanStop { term: 1 }, 23),
    ]
}

/// A search whose ids are an object, and such a list.
pub fn long_sets() -> Vec<Act> {
    let (set, list) = (RootHash::from_bytes([0x96; 32]), Some(ObjectDigest::from_bytes([0x97; 32])));
    vec![
        written("searched-513", LEDGER, Body::Searched { set, count: 513, size: 41, list }, 41),
        written("listed-655359", LEDGER, Body::Listed { set, count: 655_359, size: 41, list }, 41),
        written("listed-all-513", LEDGER, Body::Listed { set, count: 513, size: 41, list: None }, 41),
    ]
}

/// Bodies with numbers out of open lists that a later program may write, and a tape that was missing and is there again.
pub fn later_numbers() -> Vec<Act> {
    let new = Digest::from_bytes([0x94; 32]);
    let verified = Body::Verified { scope: 7, verdict: 12, entries: 1, objects: 0, findings: 0 };
    let repaired = Body::IntegrityRepaired { what: 9, from: 9, old: None, new, entries: 0 };
    vec![
        written("later-verified", CUSTODY, verified, 41),
        written("later-rebuilt", LEDGER, Body::RowsRebuilt { reason: 9, entries: 26 }, 41),
        written("later-accepted", LEDGER, Body::HeadFileRebuilt { reason: 9, size: 27 }, 41),
        written("later-failed", CUSTODY, Body::IntegrityFailed { what: 9, at: 0, digest: None }, 41),
        written("later-repaired", CUSTODY, repaired, 41),
    ]
}

/// Entries about recordings, and accesses to them.
pub fn recordings() -> Vec<Act> {
    let (epoch, before) = ([0xe1; 16], CustodyId::from_bytes([0x98; 32]));
    let mark = Body::RecordingMark { frames: 1_000, root: RootHash::from_bytes([0x99; 32]) };
    vec![
        written("tape-opened", CUSTODY, Body::TapeOpened { epoch, continues: None }, 41),
        written("tape-opened-part", CUSTODY, Body::TapeOpened { epoch, continues: Some(before) }, 41),
        written("recording-mark", CUSTODY, mark, 41),
        written("tape-truncated", CUSTODY, Body::TapeTruncated { frames: 900, marked: 1_000, unread_bytes: 7 }, 41),
        written("followed", CUSTODY, Body::Followed { first: 0 }, 41),
        written("replayed", CUSTODY, Body::Replayed { how: 1 }, 41),
    ]
}

/// Entries about what others hold of the log, and what was given out over it.
pub fn anchors() -> Vec<Act> {
    let note = |line: &str| format!("{ORIGIN}\n41\n{}\n\n{line}", "A".repeat(43) + "=").into_bytes();
    let (root, file) = (RootHash::from_bytes([0x9b; 32]), Digest::from_bytes([0x9c; 32]));
    let keys = vec!["witness.example/w1+00000000+BA==".to_owned(), "witness.example/w2+00000000+BA==".to_owned()];
    let anchored = |name, body| written(name, LEDGER, Body::Anchor(body), 41);
    let receipt = AnchorBody::ReceiptIssued { form: 0, size: 41, index: 3, file };
    vec![
        anchored("anchor-cosigned", AnchorBody::Cosigned { note: note("one, two"), keys, quorum: true }),
        anchored(
            "anchor-timestamped",
            AnchorBody::Timestamped { note: note("one"), token: vec![0x30, 0], time_ms: 41 },
        ),
        anchored("published", AnchorBody::Published { size: 41, root, form: 1 }),
        written("receipt-issued", CUSTODY, Body::Anchor(receipt), 41),
        anchored("consistency-issued", AnchorBody::ReceiptIssued { form: 2, size: 41, index: 7, file }),
        written(
            "scrubbed",
            LEDGER,
            Body::Scrubbed { part: 3, of: 30, objects: 7, bytes: 70_000, findings: 1, segments: 2, from_medium: true },
            41,
        ),
        anchored("fork-found", AnchorBody::ForkFound { what: 1, note: note("one"), size: 41, root }),
    ]
}

/// Entries that change by which keys the log is read on.
pub fn criticals() -> Vec<Act> {
    let recorder = signer(NEXT_SEEDS[1]);
    let (role, next) = (KeyRole::Recorder, Thumbprint::from_bytes([0x9d; 32]));
    let thumbprint = thumbprint(&public_key(RECORDER_SEED));
    let named = |name: &str, seed| NoteKey::new(name, signer(seed).public_key()).unwrap();
    let succession = Succession {
        old: named("old.example/00000000000000000000000000000000", NEXT_SEEDS[0]),
        head: Checkpoint { origin: String::new(), size: 41, root: RootHash::from_bytes([0x9e; 32]) },
        new: named(ORIGIN, CHECKPOINT_SEED),
        ledger: LedgerId::from_bytes([0x9f; 32]),
        first_lost: 40,
        last_lost: Some(40),
    };
    let (new, old) = (signer(CHECKPOINT_SEED), signer(NEXT_SEEDS[0]));
    let note = succession.sign(&new, Some(&old)).unwrap().into_bytes();
    let critical = |name, body| written(name, LEDGER, Body::Critical(body), 41);
    vec![
        critical("key-rotated", rotate(ORIGIN, role, &recorder, next)),
        critical("key-revoked", CriticalBody::Revoked { role, thumbprint, from: 40, reason: 1 }),
        critical("succession", CriticalBody::Succession { note }),
    ]
}

/// People who come, go, and get and lose roles.
pub fn people() -> Vec<Act> {
    let (ann, ben, cat) = ([0xaa; 16], [0xbb; 16], [0xcc; 16]);
    let people = |name, body| {
        let mut act = written(name, LEDGER, Body::People(body), 41);
        act.private.set_names(&[(cat, "cat".to_owned())]);
        act
    };
    let (key, agreed) = (public_key(RECORDER_SEED), vec![ann, ben]);
    let added = |kind, principal| PeopleBody::Added { id: cat, kind, key, agreed: vec![ann], principal };
    let granted = |from| PeopleBody::RoleGranted { id: cat, role: 4, agreed: agreed.clone(), from };
    vec![
        people("actor-added", added(0, None)),
        people("actor-added-agent", added(2, Some(ben))),
        people("actor-disabled", PeopleBody::Disabled { id: cat, agreed: vec![ann] }),
        people("actor-rotated", PeopleBody::Rotated { id: cat, key, agreed: agreed.clone() }),
        people("role-granted", granted(RoleFrom::Ms(START_MS))),
        people("role-granted-never", granted(RoleFrom::Never)),
        people("role-revoked", PeopleBody::RoleRevoked { id: cat, role: 0, agreed: vec![ben] }),
    ]
}

/// Entries about bundles.
pub fn bundles() -> Vec<Act> {
    let (bundle, commitment) = ([0xb7; 16], Digest::from_bytes([0x9a; 32]));
    let evidence = |name, subject, body| written(name, subject, Body::Evidence(body), 41);
    vec![
        evidence("evidence-made", CUSTODY, EvidenceBody::Made { bundle, commitment, tapes: 2 }),
        evidence("evidence-given", LEDGER, EvidenceBody::Given { bundle, commitment }),
    ]
}

/// Kinds that this program does not write: they verify like all others.
fn unknown() -> Vec<Act> {
    let other = |name, number, second| {
        let body = encode(|w| {
            w.map(2);
            w.uint(0);
            w.text("later");
            w.uint(7);
            w.array(0);
        });
        let kind = EntryKind::from_number(number);
        Act { kind, body, ..written(name, CUSTODY, Body::MetadataRead, second) }
    };
    vec![
        other("reserved-kind-64", 64, 30),
        other("unknown-kind-999", 999, 31),
        other("critical-kind-40000", 40_000, 32),
        other("critical-kind-65535", 65_535, 33),
    ]
}

pub fn draft(act: &Act, index: u64) -> EntryDraft {
    let aad = PrivateAad { origin: ORIGIN, kind: act.kind.number(), subject: &act.subject };
    let sealed = custody_key().seal(private_salt(index), aad, &act.private).unwrap();
    EntryDraft::new(act.kind, act.subject, act.body.clone(), sealed)
}

/// Places all acts, group by group.
pub fn golden_log() -> GoldenLog {
    let mut log = GoldenLog { entries: Vec::new(), groups: Vec::new(), state: ChainState::default() };
    let mut tips = std::collections::HashMap::<CustodyId, SubjectTip>::new();
    let (mut acts, mut offset, mut previous_group) = (acts().into_iter(), 512, GroupHash::from_bytes([0; 32]));
    for (number, count) in GROUPS.into_iter().enumerate() {
        let mut group = GroupBuilder::new(&log.state);
        for act in acts.by_ref().take(count) {
            let draft = draft(&act, group.next_index());
            let tip = |subject: &CustodyId| Ok::<_, LogError>(tips.get(subject).copied());
            let placed = group.push(&draft, Timestamp::from_ms(act.now), tip).unwrap();
            let salt = private_salt(placed.index);
            log.entries.push(Made { name: act.name, placed, public: Vec::new(), draft, private: act.private, salt });
        }
        let place = GroupPlace { term: 1, segment: 1, offset, previous_group };
        let done = group.finish(&place, number + 1 == GROUPS.len(), &journal_key());
        offset += done.header.extent_bytes();
        previous_group = done.header.hash;
        tips.extend(done.tips);
        log.state = done.state;
        log.groups.push((done.header, done.extent));
    }
    assert!(acts.next().is_none(), "every act has its group");
    fill_public(&mut log);
    log
}

/// Takes the entries out of the groups, where a reader finds them.
fn fill_public(log: &mut GoldenLog) {
    let mut made = log.entries.iter_mut();
    for (_, extent) in &log.groups {
        let group = immutape::codec::extent::Group::parse(extent).unwrap();
        for record in group.records() {
            let (public, sealed) = record.unwrap();
            let entry = made.next().unwrap();
            assert_eq!(sealed, entry.draft.sealed);
            assert_eq!(leaf_hash(public), entry.placed.leaf);
            entry.public = public.to_vec();
        }
    }
}
