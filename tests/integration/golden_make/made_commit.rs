//! Golden files of chapter 4 and of the journal's framing: entries, groups, private halves, notes, heads.

use base64::Engine as _;
use immutape::codec::cbor::encode;
use immutape::codec::digest::{CustodyId, Digest, GroupHash, RootHash, TapeId, Thumbprint, sha256};
use immutape::codec::extent::{SegmentHeader, push_record};
use immutape::log::{
    Actor, ActorKind, Authentication, Body, Checkpoint, ClaimRecord, ClockStamp, EntryKind, Founder, LogError, NoteKey,
    Outcome, Period, PrivateHalf, SignedNote, root_of,
};
use immutape::seal::{PrivateSealer as _, Signer as _};
use immutape::tape::Labels;
use immutape::time::Timestamp;

use super::inputs::{
    CHECKPOINT_SEED, CUSTODY, ORIGIN, OTHER_CUSTODY, PERSON_SEED, REQUEST, START_MS, named, public_key, signer,
};
use super::kit::{Accept, Chapter, Value, hex, text};
use super::made_log::{GoldenLog, Made, genesis, golden_log};
use super::{made_seal, refused_chain, refused_commit, refused_heads};

const ABOUT: &str = "Golden files of docs/format/4-commit.md and of the framing in docs/format/store-embedded.md.
All values are hexadecimal unless they are words or numbers. entry-NN-*.cbor are the entries of one log,
extents.bin is that log as its journal holds it: groups one after another, from offset 512 of segment 1.
A refused file is the accepted file `from` with `edits` made (offsets into the accepted file); where `refreshed`
names hashes or signatures, they were made anew around the one fault. `error` is the verdict of the library's reader.";

pub fn chapter() -> Chapter {
    let log = golden_log();
    let mut accepts: Vec<_> = log.entries.iter().map(entry).collect();
    accepts.push(genesis_successor());
    accepts.push(genesis_founders());
    accepts
        .extend(outside("numbers out of open lists that this program does not know", super::made_log::later_numbers()));
    accepts.extend(outside("a set of more than 512 tapes", super::made_log::long_sets()));
    accepts.extend(outside("about a recording", super::made_log::recordings()));
    accepts.extend(outside("about what others hold of the log", super::made_log::anchors()));
    accepts.extend(outside("that changes by which keys the log is read on", super::made_log::criticals()));
    accepts.extend(outside("about people", super::made_log::people()));
    accepts.extend(outside("about bundles", super::made_log::bundles()));
    accepts.extend(journal(&log));
    accepts.extend(private_halves());
    accepts.extend(heads(&log));
    let mut rejects = refused_commit::rejects(&accepts);
    rejects.extend(refused_chain::rejects(&accepts, &log));
    rejects.extend(refused_heads::rejects(&accepts));
    Chapter { name: "4-commit", about: ABOUT, inputs: named(), accepts, rejects }
}

fn file(name: &str, decoder: &'static str, cddl: Option<&'static str>, what: &str, bytes: Vec<u8>) -> Accept {
    Accept { file: name.into(), decoder, what: what.into(), cddl, bytes, values: Vec::new() }
}

pub fn private_map(half: &PrivateHalf) -> Vec<u8> {
    half.fields().map()
}

fn entry(made: &Made) -> Accept {
    let index = made.placed.index;
    let what = format!("entry {index}, kind {} ({})", made.draft.kind.number(), made.draft.kind);
    let values = vec![
        ("leaf_hash", hex(made.placed.leaf)),
        ("private_map", hex(private_map(&made.private))),
        ("private_salt", hex(made.salt)),
        ("sealed", hex(&made.draft.sealed)),
    ];
    let name = format!("entry-{index:02}-{}.cbor", made.name);
    Accept { values, ..file(&name, "entry", Some("entry"), &what, made.public.clone()) }
}

/// A genesis that continues a lost log; no part of the golden log.
fn genesis_successor() -> Accept {
    let mut g = genesis();
    let note = super::by_hand::note("lost.example/ff\n9\n", "lost.example/ff", CHECKPOINT_SEED);
    g.predecessor = Some(("lost.example/ff".into(), note.into_bytes(), 9, None));
    let act = super::made_log::Act {
        name: "genesis",
        subject: CustodyId::LEDGER,
        kind: EntryKind::GENESIS,
        body: Body::Genesis(Box::new(g)).encode(),
        private: PrivateHalf::default(),
        now: START_MS,
    };
    let zero = immutape::codec::digest::LeafHash::from_bytes([0; 32]);
    let draft = super::made_log::draft(&act, 60);
    let (bytes, _) = draft.place(0, &zero, Timestamp::from_ms(START_MS), 0, &zero).unwrap();
    file("genesis-successor.cbor", "entry", Some("entry"), "a genesis that names its predecessor", bytes)
}

/// A genesis of a ledger of people; no part of the golden log.
fn genesis_founders() -> Accept {
    let mut g = genesis();
    (g.profile, g.policy) = ("regulated".into(), "by-roles".into());
    let founder = |byte, roles: &[u64]| Founder { id: [byte; 16], key: [byte; 32], roles: roles.to_vec() };
    g.founders = vec![founder(0xaa, &[2, 7]), founder(0xbb, &[5])];
    let mut private = PrivateHalf::default();
    private.set_names(&[([0xaa; 16], "ann".to_owned()), ([0xbb; 16], "ben".to_owned())]);
    let act = super::made_log::Act {
        name: "genesis",
        subject: CustodyId::LEDGER,
        kind: EntryKind::GENESIS,
        body: Body::Genesis(Box::new(g)).encode(),
        private,
        now: START_MS,
    };
    let zero = immutape::codec::digest::LeafHash::from_bytes([0; 32]);
    let draft = super::made_log::draft(&act, 60);
    let (bytes, _) = draft.place(0, &zero, Timestamp::from_ms(START_MS), 0, &zero).unwrap();
    file("genesis-founders.cbor", "entry", Some("entry"), "a genesis that names people", bytes)
}

/// Entries that are no part of the golden log.
fn outside(what: &'static str, acts: Vec<super::made_log::Act>) -> Vec<Accept> {
    let zero = immutape::codec::digest::LeafHash::from_bytes([0; 32]);
    let entry = |act: super::made_log::Act| {
        let draft = super::made_log::draft(&act, 61);
        let (bytes, _) = draft.place(61, &zero, Timestamp::from_ms(act.now), 0, &zero).unwrap();
        file(&format!("{}.cbor", act.name), "entry", Some("entry"), what, bytes)
    };
    acts.into_iter().map(entry).collect()
}

fn journal(log: &GoldenLog) -> Vec<Accept> {
    let extents: Vec<u8> = log.groups.iter().flat_map(|(_, extent)| extent.clone()).collect();
    let root = log.state.frontier.root();
    let offsets: Vec<_> = log.groups.iter().map(|(h, _)| h.offset.to_string()).collect();
    let mut first = Vec::new();
    log.entries.iter().take(8).for_each(|e| push_record(&mut first, &e.public, &e.draft.sealed));
    let mut genesis = Vec::new();
    push_record(&mut genesis, &log.entries[0].public, &log.entries[0].draft.sealed);
    let group = &log.groups[3];
    vec![
        Accept {
            values: vec![
                ("opened", hex(root)),
                ("size", Value::Int(log.state.size())),
                ("offsets", text(offsets.join(" "))),
                ("last_leaf", hex(log.state.last_leaf)),
            ],
            ..file(
                "extents.bin",
                "extents",
                Some("entry"),
                "the whole log in six groups; `opened` is its tree root",
                extents,
            )
        },
        Accept {
            values: vec![("group_hash", hex(group.0.hash)), ("group_code", hex(group.0.mac))],
            ..file("group.bin", "group", Some("entry"), "the fourth group: entries 4 to 6", group.1.clone())
        },
        file("records.bin", "records", Some("entry"), "records of entries 0 to 7, as in a group", first),
        file("record-genesis.bin", "records", Some("entry"), "the record of entry 0 alone", genesis),
        file("segment-first.bin", "segment", None, "header of segment 1", segment_first().encode()),
        file("segment-after-tear.bin", "segment", None, "header of segment 2 after a tear", segment_torn().encode()),
    ]
}

fn segment_first() -> SegmentHeader {
    SegmentHeader {
        segment: 1,
        file_bytes: 1 << 20,
        term: 1,
        first_index: 0,
        previous_group: GroupHash::from_bytes([0; 32]),
        previous_end: 0,
        dropped_hash: Digest::from_bytes([0; 32]),
        dropped_bytes: 0,
        origin: Digest::from_bytes(sha256(ORIGIN.as_bytes())),
    }
}

fn segment_torn() -> SegmentHeader {
    SegmentHeader {
        segment: 2,
        file_bytes: 2 << 20,
        term: 2,
        first_index: 29,
        previous_group: GroupHash::from_bytes([0x97; 32]),
        previous_end: 20_480,
        dropped_hash: Digest::from_bytes([0x98; 32]),
        dropped_bytes: 512,
        ..segment_first()
    }
}

fn private_halves() -> Vec<Accept> {
    let half = |name: &str, what: &str, half: &PrivateHalf| {
        file(name, "private-half", Some("private-half"), what, private_map(half))
    };
    vec![
        half("private-half-empty.cbor", "no field", &PrivateHalf::default()),
        half("private-half-full.cbor", "every field", &private_full()),
        half("private-half-set.cbor", "a list's set of tapes", &{
            let mut half = PrivateHalf::default();
            half.set = Some(vec![CUSTODY, OTHER_CUSTODY]);
            half
        }),
    ]
}

fn private_full() -> PrivateHalf {
    let digest = |byte| Some(Digest::from_bytes([byte; 32]));
    let claim = |kind, period, event: Option<&str>| ClaimRecord {
        kind,
        period,
        event: event.map(Into::into),
        end_ms: None,
        schedule: None,
    };
    let six_years = Period::Calendar { years: 6, months: 0, days: 0 };
    {
        let mut half = PrivateHalf::default();
        half.actor =
            Some(Actor { kind: ActorKind::Agent, id: b"bot".to_vec(), authentication: Authentication::RegisteredKey });
        half.roles = vec!["auditor".into(), "operator".into()];
        half.on_behalf_of = Some(b"ana".to_vec());
        half.purpose = Some(b"incident 7".to_vec());
        half.case = Some(b"C-1".to_vec());
        half.origin = Some((b"host".to_vec(), 4_711, Some(b"192.0.2.1".to_vec())));
        half.request_id = Some(REQUEST);
        half.tape_id = Some(TapeId::from_bytes([0x71; 32]));
        half.range = Some((0, u64::MAX));
        half.bytes = Some(65_536);
        half.outcome = Some(Outcome::Refused);
        half.error = Some((50, "not permitted".into()));
        half.clock = Some(ClockStamp { wall: Timestamp::from_ms(START_MS), monotonic_ns: 1, boot_id: [0xb0; 16] });
        half.clock_interval = Some((Some(START_MS), None));
        half.policy_digest = digest(0x72);
        half.build_digest = digest(0x73);
        half.words = Some("w\u{f6}rter".as_bytes().to_vec());
        half.person_statement = Some(made_seal::person_statement(None).sign(&signer(PERSON_SEED)));
        half.query = Some(b"class:contracts".to_vec());
        half.set = Some(vec![CUSTODY]);
        half.attachment = digest(0x74);
        half.class = Some("contracts".into());
        half.claims = vec![
            claim(0, Some(Period::Ms(86_400_000)), None),
            claim(1, Some(six_years), Some("contract ends")),
            claim(2, None, None),
            // A kind that a later program writes.
            ClaimRecord { end_ms: Some(START_MS), schedule: digest(0x77), ..claim(3, None, None) },
        ];
        half.namespace = Some("trading".into());
        half.recipient = Some(b"court".to_vec());
        half.tool = Some(b"immutape".to_vec());
        half.detail = Some(encode(|w| w.text("any item")));
        half.labels = Some(([0x75; 32], Labels { tags: vec![b"t".to_vec()], ..Labels::default() }));
        half.previous_value = Some(encode(|w| w.null()));
        half.credential = Some(Thumbprint::from_bytes([0x76; 32]));
        half.exported = Some(([0x78; 32], Digest::from_bytes([0x79; 32])));
        half.set_salt = Some([0x7a; 32]);
        half.later = vec![(32, encode(|w| w.text("later"))), (63, encode(|w| w.array(0)))];
        half
    }
}

/// Head of the golden log's first `size` entries.
pub fn checkpoint_of(log: &GoldenLog, size: usize) -> Checkpoint {
    let leaves: Vec<_> = log.entries.iter().take(size).map(|e| e.placed.leaf).collect();
    Checkpoint { origin: ORIGIN.into(), size: size as u64, root: root_of(&leaves) }
}

pub fn sign(text: &str, name: &str, seed: u8) -> Result<String, LogError> {
    SignedNote::sign(text, name, &signer(seed))
}

/// Text of the second note of a head file (`store-embedded` 5).
pub fn head_text(c: &Checkpoint, state: &str, term: u64) -> String {
    let base64 = |b: &[u8]| base64::engine::general_purpose::STANDARD.encode(b);
    let (root, vault) = (base64(c.root.as_ref()), base64(&VAULT_DIGEST));
    format!("immutape/head/1\n{}\n{} {root}\nvault 1 2 {vault}\nstate {state}\nterm {term}\n", c.origin, c.size)
}

const VAULT_DIGEST: [u8; 32] = [0x9a; 32];

fn head_file(c: &Checkpoint, state: &'static str, term: u64) -> Accept {
    let notes = [c.text(), head_text(c, state, term)].map(|t| sign(&t, ORIGIN, CHECKPOINT_SEED).unwrap());
    let values = vec![
        ("opened", hex(c.text())),
        ("state", text(state)),
        ("term", Value::Int(term)),
        ("vault_generation", Value::Int(1)),
        ("vault_revision", Value::Int(2)),
        ("vault_digest", hex(VAULT_DIGEST)),
    ];
    let what = format!("head file at size {}, {state}", c.size);
    Accept { values, ..file(&format!("head-{state}.txt"), "head", None, &what, notes.concat().into_bytes()) }
}

fn heads(log: &GoldenLog) -> Vec<Accept> {
    let note = |name: &str, what: &str, c: &Checkpoint, more: &str| {
        let bytes = format!("{}{more}", sign(&c.text(), ORIGIN, CHECKPOINT_SEED).unwrap()).into_bytes();
        Accept { values: vec![("opened", hex(c.text()))], ..file(name, "checkpoint", None, what, bytes) }
    };
    let (early, whole) = (checkpoint_of(log, 7), checkpoint_of(log, log.entries.len()));
    let before_stop = checkpoint_of(log, log.entries.len() - 1);
    let none = Checkpoint { origin: ORIGIN.into(), size: 0, root: RootHash::from_bytes(sha256(b"")) };
    let other = sign(&early.text(), "witness.example/w1", PERSON_SEED).unwrap();
    let other_line = other.rsplit_once("\n\n").unwrap().1.to_owned();
    let key = NoteKey::new(ORIGIN, signer(CHECKPOINT_SEED).public_key()).unwrap();
    let values = vec![("checkpoint_key", hex(public_key(CHECKPOINT_SEED)))];
    let key_file = file("verifier-key.txt", "note-key", None, "the checkpoint key as C2SP text", key.to_text().into());
    vec![
        Accept { values, ..key_file },
        note("checkpoint-07.note", "head of the first seven entries", &early, ""),
        note("checkpoint-whole.note", "head of the whole log", &whole, ""),
        note("checkpoint-empty.note", "head of a log without entries", &none, ""),
        note("checkpoint-cosigned.note", "with a line by somebody else", &early, &other_line),
        head_file(&before_stop, "open", 1),
        head_file(&before_stop, "closing", 1),
        head_file(&whole, "closed", 1),
    ]
}
