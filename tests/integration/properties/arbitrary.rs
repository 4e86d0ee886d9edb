//! Generated values of every structure of chapters 2 to 4.

use immutape::codec::cbor::encode;
use immutape::codec::digest::{CustodyId, Digest, LedgerId, ObjectDigest, RootHash, TapeId, Thumbprint};
use immutape::log::{
    Actor, ActorKind, AnchorBody, Authentication, Body, ClaimRecord, ClockStamp, EntryDraft, EntryKind, Genesis,
    Outcome, Period, PrivateHalf,
};
use immutape::seal::{Attachment, Manifest, ManifestObject, StatementClaims};
use immutape::tape::{
    Delimiter, Direction, EndState, Frame, FrameKind, Gap, GapReason, Header, Labels, Named, Provenance, RecorderInfo,
    Stats, TapeKind, TapeRoot, flags,
};
use immutape::time::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

pub fn bytes() -> impl Strategy<Value = Vec<u8>> + Clone {
    vec(any::<u8>(), 0..40)
}

fn some_bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
    option::of(bytes())
}

fn words() -> impl Strategy<Value = String> {
    "\\PC{0,12}"
}

fn class() -> impl Strategy<Value = String> {
    "\\PC{1,30}"
}

fn pairs() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>)>> {
    vec((bytes(), bytes()), 0..4)
}

macro_rules! ids {
    ($($name:ident $of:ident;)*) => {
        $(fn $name() -> impl Strategy<Value = $of> { any::<[u8; 32]>().prop_map($of::from_bytes) })*
    };
}

ids! {
    digest Digest;
    tape_id TapeId;
    custody CustodyId;
    ledger LedgerId;
    object ObjectDigest;
    root_hash RootHash;
    thumb Thumbprint;
}

/// Lengths of heads change at these numbers, so they come up often.
pub fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        0u64..30,
        Just(255),
        Just(256),
        Just(65_535),
        Just(65_536),
        Just(u64::from(u32::MAX)),
        Just(u64::from(u32::MAX) + 1),
        Just(u64::MAX),
        any::<u64>(),
    ]
}

pub fn frame() -> impl Strategy<Value = Frame> {
    let redactions = option::of(vec(bytes(), 1..3).prop_map(|items| {
        encode(|w| {
            w.array(items.len());
            items.iter().for_each(|i| {
                w.array(3);
                w.bytes(i);
                w.text("reason");
                w.bytes(&[9; 32]);
            });
        })
    }));
    let numbered = (0u64..=8, 0u64..=3, 0u64..=5, 0..=flags::ALL);
    let times = (number(), option::of(number()), option::of(number()));
    let texts = (some_bytes(), some_bytes(), some_bytes(), some_bytes());
    (times, numbered, vec(any::<u8>(), 0..300), texts, redactions, pairs()).prop_map(
        |((seq, t_ns, wall_ns), (kind, dir, delimiter, flags), payload, texts, redactions, extra)| {
            let (media_type, action, transport, correlation_id) = texts;
            Frame {
                seq,
                t_ns,
                wall_ns,
                kind: FrameKind::from_number(kind).unwrap(),
                direction: Direction::from_number(dir).unwrap(),
                payload,
                delimiter: Delimiter::from_number(delimiter).unwrap(),
                media_type,
                action,
                transport,
                correlation_id,
                flags,
                redactions,
                extra,
            }
        },
    )
}

fn labels() -> impl Strategy<Value = Labels> {
    (some_bytes(), some_bytes(), vec(bytes(), 0..4)).prop_map(|(name, description, tags)| Labels {
        name,
        description,
        tags,
    })
}

fn stats() -> impl Strategy<Value = Stats> {
    (any::<[u64; 10]>(), option::of(number())).prop_map(|(n, duration_ms)| Stats {
        frames: n[0],
        payload_bytes: n[1],
        client_to_server: n[2],
        server_to_client: n[3],
        errors: n[4],
        requests: n[5],
        responses: n[6],
        notifications: n[7],
        correlations: n[8],
        unanswered: n[9],
        duration_ms,
    })
}

fn end_state() -> impl Strategy<Value = EndState> {
    prop_oneof![
        Just(EndState::Clean),
        any::<i64>().prop_map(EndState::ChildExit),
        any::<u64>().prop_map(EndState::Signal),
        some_bytes().prop_map(EndState::Crashed),
        Just(EndState::Truncated),
        Just(EndState::Imported),
        bytes().prop_map(EndState::Error),
        Just(EndState::Continued),
    ]
}

fn recorder() -> impl Strategy<Value = RecorderInfo> {
    (option::of(thumb()), option::of(words()), option::of(digest())).prop_map(|(key, version, config)| RecorderInfo {
        key,
        version,
        config,
    })
}

fn provenance() -> impl Strategy<Value = Provenance> {
    let texts = (option::of(words()), option::of(words()), vec(words(), 0..3));
    let raw = (some_bytes(), some_bytes(), some_bytes());
    let hashes = (option::of(digest()), option::of(digest()), option::of(number()), option::of(number()));
    (texts, raw, hashes).prop_map(|((format, importer, losses), (source_name, host, companion), hashes)| Provenance {
        format,
        source_sha256: hashes.0,
        importer,
        losses,
        source_name,
        imported_ms: hashes.2,
        host,
        companion_sha256: hashes.1,
        companion,
        source_bytes: hashes.3,
    })
}

fn gap() -> impl Strategy<Value = Gap> {
    (number(), 0u64..=3, number()).prop_map(|(before_seq, reason, count)| Gap {
        before_seq,
        reason: GapReason::from_number(reason).unwrap(),
        count,
    })
}

fn named() -> impl Strategy<Value = Named> {
    let names = || btree_map(vec(any::<u8>(), 0..256), 1u64.., 0..4).prop_map(|m| m.into_iter().collect());
    let errors = btree_map(any::<i64>(), 1u64.., 0..4).prop_map(|m| m.into_iter().collect());
    (names(), names(), errors, number()).prop_map(|(methods, tools, errors, unlisted)| Named {
        methods,
        tools,
        errors,
        unlisted,
    })
}

pub fn header() -> impl Strategy<Value = Header> {
    let raw = (some_bytes(), some_bytes(), some_bytes(), some_bytes(), some_bytes());
    let numbers = (option::of(number()), option::of(number()), option::of(number()), option::of(number()));
    let parts = (labels(), stats(), end_state(), option::of(recorder()), option::of(provenance()));
    let ids = (option::of(digest()), option::of(tape_id()), option::of(tape_id()), option::of(tape_id()));
    let lists = (vec(gap(), 0..3), vec(any::<[u8; 32]>(), 0..3), pairs(), vec((number(), bytes()), 0..3));
    (0u64..=6, raw, numbers, parts, (class(), class()), ids, (lists, named())).prop_map(
        |(kind, raw, numbers, parts, (class, namespace), ids, (lists, named))| Header {
            kind: TapeKind::from_number(kind).unwrap(),
            session_id: raw.0,
            legacy_tape_id: raw.1,
            started_wall_ns: numbers.0,
            ended_wall_ns: numbers.1,
            span_ns: numbers.2,
            protocol: raw.2,
            transport: raw.3,
            environment: raw.4,
            labels: parts.0,
            stats: parts.1,
            end_state: parts.2,
            recorder: parts.3,
            provenance: parts.4,
            class,
            redaction_profile: ids.0,
            gaps: lists.0,
            amends: ids.1,
            continues: ids.2,
            derived_from: ids.3,
            declared_origin_ms: numbers.3,
            subject_tags: lists.1,
            namespace,
            extra: lists.2,
            unsaved_lines: lists.3,
            named,
        },
    )
}

pub fn tape_root() -> impl Strategy<Value = TapeRoot> {
    // A tape without frames has one root alone.
    (digest(), number(), root_hash()).prop_map(|(header, frames, tree)| TapeRoot {
        header,
        frames: frames.max(1),
        tree,
    })
}

pub fn manifest() -> impl Strategy<Value = Manifest> {
    let objects = vec((object(), number()).prop_map(|(digest, bytes)| ManifestObject { digest, bytes }), 1..6);
    let pieces = vec((object(), number()).prop_map(|(digest, bytes)| ManifestObject { digest, bytes }), 1..4);
    let attachment =
        (number(), number(), pieces).prop_map(|(kind, raw_bytes, objects)| Attachment { kind, raw_bytes, objects });
    (custody(), tape_root(), objects, vec(attachment, 0..3))
        .prop_map(|(custody, root, objects, attachments)| Manifest { custody, root, objects, attachments })
}

pub fn claims() -> impl Strategy<Value = StatementClaims> {
    (words(), ledger(), custody(), object(), tape_id()).prop_map(|(origin, ledger, custody, manifest, tape)| {
        StatementClaims { origin, ledger, custody, manifest, tape }
    })
}

fn genesis() -> impl Strategy<Value = Genesis> {
    let predecessor = option::of((words(), bytes(), number(), option::of(number())));
    let keys = (any::<[[u8; 32]; 3]>(), any::<[[u8; 32]; 3]>());
    ("[^\\s+\\pC]{1,12}/[0-9a-f]{32}", keys, words(), words(), any::<bool>(), predecessor).prop_map(
        |(origin, (keys, next), profile, policy, test, predecessor)| Genesis {
            origin,
            keys,
            next: next.map(Thumbprint::from_bytes),
            profile,
            policy,
            test,
            predecessor,
        },
    )
}

fn recording_body() -> impl Strategy<Value = Body> {
    let n = number;
    prop_oneof![
        (any::<[u8; 16]>(), option::of(custody())).prop_map(|(epoch, continues)| Body::TapeOpened { epoch, continues }),
        (n(), root_hash()).prop_map(|(frames, root)| Body::RecordingMark { frames, root }),
        (n(), n(), n()).prop_map(|(frames, marked, unread_bytes)| Body::TapeTruncated { frames, marked, unread_bytes }),
        n().prop_map(|first| Body::Followed { first }),
        n().prop_map(|how| Body::Replayed { how }),
    ]
}

fn anchor_body() -> impl Strategy<Value = AnchorBody> {
    let n = number;
    prop_oneof![
        (bytes(), vec(words(), 1..4), any::<bool>()).prop_map(|(note, keys, quorum)| AnchorBody::Cosigned {
            note,
            keys,
            quorum
        }),
        (bytes(), bytes(), n()).prop_map(|(note, token, time_ms)| AnchorBody::Timestamped { note, token, time_ms }),
        (n(), root_hash(), n()).prop_map(|(size, root, form)| AnchorBody::Published { size, root, form }),
        (n(), n(), n(), digest()).prop_map(|(form, size, index, file)| AnchorBody::ReceiptIssued {
            form,
            size,
            index,
            file
        }),
        (n(), bytes(), n(), root_hash()).prop_map(|(what, note, size, root)| AnchorBody::ForkFound {
            what,
            note,
            size,
            root
        }),
    ]
}

/// A body of every kind that is written.
pub fn body() -> impl Strategy<Value = Body> {
    let n = number;
    prop_oneof![
        genesis().prop_map(|g| Body::Genesis(Box::new(g))),
        n().prop_map(|term| Body::LogStarted { term }),
        (n(), n(), n()).prop_map(|(term, content_unwraps, list_unwraps)| Body::LogStopped {
            term,
            content_unwraps,
            list_unwraps
        }),
        n().prop_map(|term| Body::LogUncleanStop { term }),
        (n(), n(), n(), digest()).prop_map(|(segment, offset, bytes, hash)| Body::Recovered {
            segment,
            offset,
            bytes,
            hash
        }),
        (0u64..=3, n()).prop_map(|(reason, entries)| Body::RowsRebuilt { reason, entries }),
        (0u64..=1, n()).prop_map(|(reason, size)| Body::HeadFileRebuilt { reason, size }),
        (0u64..=5, n(), option::of(digest())).prop_map(|(what, at, digest)| Body::IntegrityFailed { what, at, digest }),
        (0u64..=5, 1u64..=4, digest(), digest(), n()).prop_map(|(what, from, old, new, entries)| {
            Body::IntegrityRepaired { what, from, old: (entries % 2 == 0).then_some(old), new, entries }
        }),
        (0u64..=1, 0u64..=3, n(), n(), n()).prop_map(|(scope, verdict, entries, objects, findings)| Body::Verified {
            scope,
            verdict,
            entries,
            objects,
            findings
        }),
        n().prop_map(|behind_ms| Body::ClockAnomaly { behind_ms }),
        (bytes(), any::<[u8; 16]>()).prop_map(|(statement, epoch)| Body::TapeSaved { statement, epoch }),
        Just(Body::TapeSavedAgain),
        digest().prop_map(|labels| Body::Labelled { labels }),
        custody().prop_map(|by| Body::Amended { by }),
        Just(Body::AccessGranted),
        n().prop_map(|grant| Body::AccessCompleted { grant }),
        (root_hash(), n(), n()).prop_map(|(set, count, size)| Body::Listed { set, count, size, list: None }),
        (root_hash(), 0u64..=512, n()).prop_map(|(set, count, size)| Body::Searched { set, count, size, list: None }),
        (root_hash(), 513u64..=655_359, n(), any::<[u8; 32]>(), any::<bool>()).prop_map(
            |(set, count, size, list, all)| {
                let list = Some(ObjectDigest::from_bytes(list));
                if all { Body::Listed { set, count, size, list } } else { Body::Searched { set, count, size, list } }
            }
        ),
        Just(Body::MetadataRead),
        (n(), n()).prop_map(|(first, last)| Body::LogRead { first, last }),
        n().prop_map(|size| Body::CustodyRead { size }),
        digest().prop_map(|commitment| Body::Exported { commitment }),
        any::<(u16, u16)>().prop_map(|(act, error)| Body::Refused { act, error }),
        recording_body(),
        anchor_body().prop_map(Body::Anchor),
        ([n(), n(), n(), n(), n(), n()], any::<bool>()).prop_map(
            |([part, of, objects, bytes, findings, segments], from_medium)| Body::Scrubbed {
                part,
                of,
                objects,
                bytes,
                findings,
                segments,
                from_medium,
            }
        ),
    ]
}

fn actor() -> impl Strategy<Value = Actor> {
    let kinds = [ActorKind::Human, ActorKind::Service, ActorKind::Agent, ActorKind::System, ActorKind::Later(4)];
    let ways = [
        Authentication::OsUser,
        Authentication::UnregisteredKey,
        Authentication::RegisteredKey,
        Authentication::Token,
        Authentication::Itself,
        Authentication::Later(u64::MAX),
    ];
    (proptest::sample::select(kinds.to_vec()), bytes(), proptest::sample::select(ways.to_vec()))
        .prop_map(|(kind, id, authentication)| Actor { kind, id, authentication })
}

fn clock() -> impl Strategy<Value = ClockStamp> {
    (number(), number(), any::<[u8; 16]>()).prop_map(|(ms, monotonic_ns, boot_id)| ClockStamp {
        wall: Timestamp::from_ms(ms),
        monotonic_ns,
        boot_id,
    })
}

fn claim() -> impl Strategy<Value = ClaimRecord> {
    let calendar = (number(), number(), number());
    let period = prop_oneof![
        number().prop_map(Period::Ms),
        calendar.prop_map(|(years, months, days)| Period::Calendar { years, months, days }),
    ];
    (0u64..=9, option::of(period), option::of(words()), option::of(number()), option::of(digest()))
        .prop_map(|(kind, period, event, end_ms, schedule)| ClaimRecord { kind, period, event, end_ms, schedule })
}

fn any_item() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![number().prop_map(|n| encode(|w| w.uint(n))), words().prop_map(|t| encode(|w| w.text(&t)))]
}

pub fn private_half() -> impl Strategy<Value = PrivateHalf> {
    let who = (option::of(actor()), vec(words(), 0..3), some_bytes(), some_bytes(), some_bytes());
    let place = option::of((bytes(), number(), some_bytes()));
    let what =
        (option::of(any::<[u8; 16]>()), option::of(tape_id()), option::of((number(), number())), option::of(number()));
    let outcomes = proptest::sample::select(vec![Outcome::Ok, Outcome::Refused, Outcome::Failed, Outcome::Later(3)]);
    let ending = (option::of(outcomes), option::of((number(), words())), option::of(clock()));
    let interval = option::of((option::of(number()), option::of(number())));
    let hashes = (option::of(digest()), option::of(digest()), option::of(digest()), option::of(thumb()));
    let said = (some_bytes(), some_bytes(), some_bytes(), some_bytes(), some_bytes());
    let set = option::of(proptest::collection::btree_set(any::<[u8; 32]>(), 0..4));
    let class = (option::of(words()), vec(claim(), 0..3), option::of(words()));
    let items = (option::of(any_item()), option::of(any_item()), option::of((any::<[u8; 32]>(), labels())));
    let later = proptest::collection::btree_map(32u64..=63, any_item(), 0..3);
    let salted = (option::of((any::<[u8; 32]>(), digest())), option::of(any::<[u8; 32]>()), later);
    ((who, place, what, ending, interval), (hashes, said, set, class, items), salted).prop_map(
        |((who, origin, what, ending, clock_interval), (hashes, said, set, class, items), salted)| {
            let mut half = PrivateHalf::default();
            half.exported = salted.0;
            half.set_salt = salted.1;
            half.later = salted.2.into_iter().collect();
            half.actor = who.0;
            half.roles = who.1;
            half.on_behalf_of = who.2;
            half.purpose = who.3;
            half.case = who.4;
            half.origin = origin;
            half.request_id = what.0;
            half.tape_id = what.1;
            half.range = what.2;
            half.bytes = what.3;
            half.outcome = ending.0;
            half.error = ending.1;
            half.clock = ending.2;
            half.clock_interval = clock_interval;
            half.policy_digest = hashes.0;
            half.build_digest = hashes.1;
            half.words = said.0;
            half.person_statement = said.1;
            half.query = said.2;
            half.set = set.map(|s| s.into_iter().map(CustodyId::from_bytes).collect());
            half.attachment = hashes.2;
            half.class = class.0;
            half.claims = class.1;
            half.namespace = class.2;
            half.recipient = said.3;
            half.tool = said.4;
            half.detail = items.0;
            half.labels = items.2;
            half.previous_value = items.1;
            half.credential = hashes.3;
            half
        },
    )
}

/// A draft of any kind: written ones with their body, others with a map.
pub fn draft() -> impl Strategy<Value = EntryDraft> {
    let written = body().prop_map(|b| (b.kind().unwrap(), b.encode()));
    let other = (41u16..=u16::MAX, vec(number(), 0..3)).prop_map(|(kind, values)| {
        let body = encode(|w| {
            w.map(values.len());
            for (key, v) in (0u64..).zip(&values) {
                w.uint(key);
                w.uint(*v);
            }
        });
        (EntryKind::from_number(kind), body)
    });
    let kind_and_body = prop_oneof![3 => written, 1 => other];
    (kind_and_body, custody(), digest(), any::<[u8; 16]>(), bytes()).prop_map(
        |((kind, body), subject, commitment, key_id, sealed)| EntryDraft {
            kind,
            subject,
            body,
            commitment,
            sealed_digest: Digest::from_bytes(immutape::codec::digest::sha256(&sealed)),
            key_id,
            sealed,
        },
    )
}

/// One to three small damages.
pub fn damage() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, u8)>> {
    vec((any::<prop::sample::Index>(), 0u8..6, any::<u8>()), 1..4)
}

/// `bytes` after the damages: a byte set, a bit flipped, inserted, removed, a piece doubled, the end cut.
pub fn damaged(bytes: &[u8], damages: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for (place, how, byte) in damages {
        if out.is_empty() {
            out.push(*byte);
        }
        let at = place.index(out.len());
        match how {
            0 => out[at] = *byte,
            1 => out[at] ^= 1 << (byte & 7),
            2 => out.insert(at, *byte),
            3 => drop(out.remove(at)),
            4 => {
                let piece = out[at..out.len().min(at + 1 + usize::from(*byte))].to_vec();
                out.splice(at..at, piece);
            }
            _ => out.truncate(at),
        }
    }
    out
}
