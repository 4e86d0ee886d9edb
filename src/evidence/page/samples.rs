//! Pages for tests: one as from a real ledger, and one in which everything recorded is hostile.

use super::{BundlePage, PageEntry, PageTape};
use crate::codec::digest::{CustodyId, Digest, RootHash, TapeId, Thumbprint, sha256};
use crate::evidence::bundle::{Asked, AskedQuery, Completeness, Given, OutOfScope, What, Withheld};
use crate::log::{
    Actor, ActorKind, AnchorBody, Authentication, Body, Checkpoint, CriticalBody, EntryKind, EvidenceBody, Genesis,
    KeyRole, Outcome, PrivateHalf,
};
use crate::tape::{EndState, Gap, GapReason, Header, Labels, Provenance, RecorderInfo, TapeKind};
use crate::time::Timestamp;

pub(super) const BUNDLE: [u8; 16] = [0xb7; 16];
const DAY: u64 = 86_400_000;
/// 2026-09-14 08:12:03 UTC.
const BEGIN: u64 = 1_789_373_523_000;

pub(super) fn id(seed: &str) -> [u8; 32] {
    sha256(seed.as_bytes())
}

/// Recorded values: what a real ledger would hold, or what an attacker would put there.
pub(super) struct Texts(Option<&'static [u8]>);

pub(super) const PLAIN: Texts = Texts(None);
pub(super) const HOSTILE: &[u8] =
    "</style></title><script>alert(1)</script><img src=x onerror=\"a()\">'\"&lt;\u{202e}\u{200b}\u{2066}\x1b[2J\0\r\n\u{e0041}é"
        .as_bytes();

impl Texts {
    pub(super) const fn all(value: &'static [u8]) -> Self {
        Self(Some(value))
    }

    fn bytes(&self, plain: &str) -> Vec<u8> {
        self.0.map_or_else(|| plain.as_bytes().to_vec(), <[u8]>::to_vec)
    }

    fn text(&self, plain: &str) -> String {
        String::from_utf8_lossy(&self.bytes(plain)).into_owned()
    }
}

fn half(t: &Texts, name: &str, authentication: Authentication) -> PrivateHalf {
    let mut p = PrivateHalf {
        actor: Some(Actor { kind: ActorKind::Human, id: t.bytes(name), authentication }),
        roles: vec![t.text("compliance")],
        purpose: Some(t.bytes("quarterly review of order routing")),
        origin: Some((t.bytes("lon-rec-02"), 48_211, Some(t.bytes("10.20.4.17")))),
        request_id: Some([9; 16]),
        outcome: Some(Outcome::Ok),
        tool: Some(t.bytes("immutape 0.1.0")),
        ..PrivateHalf::default()
    };
    if authentication == Authentication::UnregisteredKey {
        p.credential = Some(Thumbprint::from_bytes(id(name)));
        p.on_behalf_of = Some(t.bytes("internal audit"));
    }
    p
}

struct Entries {
    list: Vec<PageEntry>,
}

impl Entries {
    fn add(&mut self, index: u64, ms: u64, subject: CustodyId, body: Body, private: Option<PrivateHalf>) {
        let kind = body.kind().unwrap_or(EntryKind::HOLD_PLACED);
        let time = Timestamp::from_ms(BEGIN + ms);
        self.list.push(PageEntry { index, time, kind, subject, members: Vec::new(), body, private });
    }
}

fn header(t: &Texts) -> Header {
    let mut header = Header::new(TapeKind::Mcp);
    header.class = t.text("trades");
    header.namespace = t.text("desk-equities");
    header.labels = Labels {
        name: Some(t.bytes("order agent, morning session")),
        description: Some(t.bytes("routing decisions before the opening auction")),
        tags: vec![t.bytes("q3"), t.bytes("order-routing")],
    };
    header.session_id = Some(t.bytes("0d9f6f3e-5e0c-4c3e-a6a1-2f4c7a2d9d10"));
    header.started_wall_ns = Some((BEGIN - 2 * 3_600_000) * 1_000_000);
    header.ended_wall_ns = Some((BEGIN - 60_000) * 1_000_000);
    header.protocol = Some(t.bytes("2025-06-18"));
    header.transport = Some(t.bytes("stdio"));
    header.end_state = EndState::ChildExit(0);
    header.stats.frames = 1_204;
    header.stats.payload_bytes = 4_118_220;
    header.recorder = Some(RecorderInfo {
        key: Some(Thumbprint::from_bytes(id("recorder"))),
        version: Some(t.text("0.1.0")),
        config: None,
    });
    header.provenance = Some(Provenance {
        source_name: Some(t.bytes("session.jsonl")),
        losses: vec![t.text("2 lines without an end")],
        ..Provenance::default()
    });
    header.gaps = vec![
        Gap { before_seq: 611, reason: GapReason::SequenceJumped, count: 3 },
        Gap { before_seq: 1_204, reason: GapReason::RecorderStopped, count: 0 },
    ];
    header
}

/// Two tapes that were saved, read in every way, listed, checked and given; with 33 links of the first.
pub(super) fn page(t: &Texts) -> BundlePage {
    let tapes = [TapeId::from_bytes(id("tape a")), TapeId::from_bytes(id("tape b"))];
    let custody = [CustodyId::from_bytes(id("custody a")), CustodyId::from_bytes(id("custody b"))];
    let mut e = Entries { list: Vec::new() };
    ledger_entries(&mut e, t);
    life(&mut e, t, (10, 0), custody[0], tapes[0]);
    life(&mut e, t, (100, DAY / 2), custody[1], tapes[1]);
    let mut set = half(t, "mkeller", Authentication::OsUser);
    set.set = Some(vec![custody[1], CustodyId::from_bytes(id("another tape"))]);
    set.query = Some(t.bytes("class:trades since:30d \"late payment\""));
    let body = Body::Searched { set: RootHash::from_bytes([1; 32]), count: 2, size: 150, list: None };
    e.add(160, 60 * DAY, CustodyId::LEDGER, body, Some(set));
    let all = half(t, "mkeller", Authentication::OsUser);
    let body = Body::Listed { set: RootHash::from_bytes([1; 32]), count: 40, size: 150, list: None };
    e.add(161, 60 * DAY + 9_000, CustodyId::LEDGER, body, Some(all));
    for (n, index) in [(0, 170), (1, 171)] {
        let body = EvidenceBody::Made { bundle: BUNDLE, commitment: Digest::from_bytes([5; 32]), tapes: 2 };
        let mut p = half(t, "a.okafor", Authentication::UnregisteredKey);
        p.case = Some(t.bytes("FCA request 2026-0417"));
        p.recipient = Some(t.bytes("Financial Conduct Authority"));
        p.set_expires_ms(BEGIN + 160 * DAY);
        e.add(index, 75 * DAY, custody[n], Body::Evidence(body), Some(p));
    }
    e.list.sort_by_key(|entry| entry.index);
    let given = |n: usize, entry| Given {
        tape: tapes[n],
        custody: custody[n],
        entry,
        frames: 1_204,
        opened: Some((0, 1_203 - 200 * n as u64)),
    };
    let given = vec![given(0, 10), given(1, 100)];
    let page_tape = |n: usize, made| PageTape { given: given[n].clone(), header: header(t), made };
    BundlePage {
        tapes: vec![page_tape(0, 170), page_tape(1, 171)],
        completeness: completeness(t, given.clone()),
        head: Checkpoint {
            origin: "tapes.example/000102030405060708090a0b0c0d0e0f".into(),
            size: 180,
            root: RootHash::from_bytes(id("root")),
        },
        note: note(),
        entries: e.list,
    }
}

fn note() -> String {
    use base64::Engine as _;
    let cosigned: Vec<u8> =
        [vec![1, 2, 3, 4], (BEGIN / 1_000 + 6_480_100).to_be_bytes().to_vec(), vec![7; 64]].concat();
    let encoded = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    format!(
        "tapes.example/000102030405060708090a0b0c0d0e0f\n180\n{}\n\n— tapes.example/000102030405060708090a0b0c0d0e0f {}\n— witness.example/w1 {}\n",
        encoded(&id("root")),
        encoded(&[3; 68]),
        encoded(&cosigned),
    )
}

fn completeness(t: &Texts, given: Vec<Given>) -> Completeness {
    let (tape, custody) = (TapeId::from_bytes(id("tape c")), CustodyId::from_bytes(id("custody c")));
    Completeness {
        format: Completeness::format_name(),
        bundle: BUNDLE,
        origin: "tapes.example/000102030405060708090a0b0c0d0e0f".into(),
        ledger: Digest::from_bytes(id("ledger")),
        made_ms: BEGIN + 75 * DAY,
        log_size: 170,
        authority: t.text("FCA request 2026-0417, approved by the general counsel"),
        recipient: Some(t.text("Financial Conduct Authority")),
        expires_ms: Some(BEGIN + 160 * DAY),
        asked: Asked::Query(AskedQuery {
            query: t.text("class:trades tag:q3"),
            sealed_ms: (BEGIN - DAY, BEGIN + 20 * DAY),
        }),
        frames: Some((0, 1_203)),
        payloads: true,
        span: Some((0, 160)),
        withheld: vec![
            Withheld {
                what: What::Tape,
                tape,
                custody,
                entry: 44,
                fields: vec![],
                why: t.text("legal privilege, opinion of 2 October 2026"),
            },
            Withheld {
                what: What::Frames,
                tape: given[1].tape,
                custody: given[1].custody,
                entry: 100,
                fields: vec![],
                why: t.text("other frames were asked for"),
            },
            Withheld {
                what: What::Private,
                tape: TapeId::from_bytes([0; 32]),
                custody: CustodyId::LEDGER,
                entry: 161,
                fields: vec![3, 5],
                why: t.text("names of staff outside the inquiry"),
            },
        ],
        destroyed: vec![],
        out_of_scope: vec![OutOfScope {
            tape: TapeId::from_bytes(id("tape d")),
            custody,
            entry: 52,
            field: Some(10),
            why: t.text("no tag q3"),
        }],
        given,
    }
}

fn ledger_entries(e: &mut Entries, t: &Texts) {
    let ledger = CustodyId::LEDGER;
    let genesis = Genesis {
        origin: "tapes.example/000102030405060708090a0b0c0d0e0f".into(),
        keys: [[1; 32]; 3],
        next: [Thumbprint::from_bytes([2; 32]); 3],
        profile: t.text("default"),
        policy: t.text("everybody"),
        test: false,
        predecessor: None,
        founders: Vec::new(),
    };
    e.add(0, 0, ledger, Body::Genesis(Box::new(genesis)), None);
    let rotated = CriticalBody::Rotated {
        role: KeyRole::Checkpoint,
        key: [3; 32],
        next: Thumbprint::from_bytes([4; 32]),
        proof: [0; 64],
    };
    e.add(60, 20 * DAY, ledger, Body::Critical(rotated), None);
    let cosigned = AnchorBody::Cosigned { note: t.bytes("note"), keys: vec![t.text("w1+01020304+key")], quorum: true };
    e.add(70, 21 * DAY, ledger, Body::Anchor(cosigned), None);
    let stamped = AnchorBody::Timestamped { note: t.bytes("note"), token: vec![0x30], time_ms: BEGIN + 22 * DAY };
    e.add(71, 22 * DAY, ledger, Body::Anchor(stamped), None);
}

/// What happens to a tape from its saving on.
fn life(e: &mut Entries, t: &Texts, (first, later): (u64, u64), custody: CustodyId, tape: TapeId) {
    let who = |name: &str| half(t, name, Authentication::OsUser);
    let mut saved = who("recorder-svc");
    (saved.class, saved.namespace) = (Some(t.text("trades")), Some(t.text("desk-equities")));
    saved.tape_id = Some(tape);
    let mut index = first;
    let mut add = |ms: u64, body: Body, private: Option<PrivateHalf>| {
        e.add(index, ms + later, custody, body, private);
        index += 1;
        index - 1
    };
    add(0, Body::TapeSaved { statement: vec![], epoch: [0; 16] }, Some(saved));
    let mut labelled = who("recorder-svc");
    labelled.labels = Some((
        [0; 32],
        Labels { name: Some(t.bytes("reviewed: order agent")), description: None, tags: vec![t.bytes("q3")] },
    ));
    add(90_000, Body::Labelled { labels: Digest::from_bytes([1; 32]) }, Some(labelled));
    for n in 0..6 {
        let mut read = half(
            t,
            ["jlindqvist", "mkeller"][n as usize % 2],
            [Authentication::OsUser, Authentication::UnregisteredKey][n as usize % 2],
        );
        read.range = Some((n * 20, if n == 3 { u64::MAX } else { n * 20 + 19 }));
        let grant = add((3 + 9 * n) * DAY, Body::AccessGranted, Some(read));
        if n != 4 {
            let mut ended = who("system");
            ended.actor = Some(Actor {
                kind: ActorKind::System,
                id: b"immutape".to_vec(),
                authentication: Authentication::Itself,
            });
            ended.bytes = Some(18_400 + n);
            add((3 + 9 * n) * DAY + 1_200, Body::AccessCompleted { grant }, Some(ended));
        }
    }
    let mut exported = who("jlindqvist");
    exported.exported = Some(([0; 32], Digest::from_bytes(id("export"))));
    exported.recipient = Some(t.bytes("external counsel"));
    exported.query = Some(t.bytes("format:cbor"));
    exported.bytes = Some(4_118_220);
    add(56 * DAY, Body::Exported { commitment: Digest::from_bytes([2; 32]) }, Some(exported));
    add(
        57 * DAY,
        Body::Verified { scope: 1, verdict: 0, entries: 90, objects: 4, findings: 0 },
        Some(who("scheduler")),
    );
    let mut refused = who("contractor7");
    refused.outcome = Some(Outcome::Refused);
    refused.error = Some((50, t.text("the policy does not permit this")));
    add(58 * DAY, Body::Refused { act: 32, error: 50 }, Some(refused));
    add(58 * DAY + 5_000, Body::MetadataRead, None);
    add(58 * DAY + 6_000, Body::CustodyRead { size: 90 }, Some(who("mkeller")));
    add(59 * DAY, Body::Other(vec![0xa0]), Some(who("legal-hold")));
}
