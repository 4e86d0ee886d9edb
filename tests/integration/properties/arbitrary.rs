//! Generated values of the structures of tapes and what seals them; entries are beside it.

use immutape::codec::cbor::encode;
use immutape::codec::digest::{CustodyId, Digest, LedgerId, ObjectDigest, RootHash, TapeId, Thumbprint};
use immutape::seal::{Attachment, Manifest, ManifestObject, StatementClaims};
use immutape::tape::{
    Delimiter, Direction, EndState, Frame, FrameKind, Gap, GapReason, Header, Labels, Named, Provenance, RecorderInfo,
    Stats, TapeKind, TapeRoot, flags,
};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;

pub fn bytes() -> impl Strategy<Value = Vec<u8>> + Clone {
    vec(any::<u8>(), 0..40)
}

pub fn some_bytes() -> impl Strategy<Value = Option<Vec<u8>>> {
    option::of(bytes())
}

pub fn words() -> impl Strategy<Value = String> {
    "\\PC{0,12}"
}

pub fn class() -> impl Strategy<Value = String> {
    "\\PC{1,30}"
}

pub fn pairs() -> impl Strategy<Value = Vec<(Vec<u8>, Vec<u8>)>> {
    vec((bytes(), bytes()), 0..4)
}

macro_rules! ids {
    ($($name:ident $of:ident;)*) => {
        $(pub fn $name() -> impl Strategy<Value = $of> { any::<[u8; 32]>().prop_map($of::from_bytes) })*
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

pub fn labels() -> impl Strategy<Value = Labels> {
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
