//! Entries of every kind: bodies, private halves, drafts.

use immutape::codec::cbor::encode;
use immutape::codec::digest::{CustodyId, Digest, ObjectDigest, Thumbprint};
use immutape::log::{
    Actor, ActorKind, AnchorBody, Authentication, Body, ClaimRecord, ClockStamp, CriticalBody, EntryDraft, EntryKind,
    EvidenceBody, Founder, Genesis, KeyRole, Outcome, PeopleBody, Period, PrivateHalf, RoleFrom,
};
use immutape::time::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::arbitrary::{bytes, custody, digest, labels, number, root_hash, some_bytes, tape_id, thumb, words};

fn genesis() -> impl Strategy<Value = Genesis> {
    let predecessor = option::of((words(), bytes(), number(), option::of(number())));
    let keys = (any::<[[u8; 32]; 3]>(), any::<[[u8; 32]; 3]>());
    ("[^\\s+\\pC]{1,12}/[0-9a-f]{32}", keys, words(), words(), any::<bool>(), predecessor, founders()).prop_map(
        |(origin, (keys, next), profile, policy, test, predecessor, founders)| Genesis {
            origin,
            keys,
            next: next.map(Thumbprint::from_bytes),
            profile,
            policy,
            test,
            predecessor,
            founders,
        },
    )
}

/// Each id and each key once.
fn founders() -> impl Strategy<Value = Vec<Founder>> {
    let roles = vec(vec(number(), 1..4), 0..4);
    (any::<[u8; 8]>(), roles).prop_map(|(seed, roles)| {
        let part =
            |n: usize, len: usize| [&seed[..], &[n as u8]].concat().into_iter().cycle().take(len).collect::<Vec<_>>();
        let one = |(n, roles): (usize, Vec<u64>)| Founder {
            id: part(n, 16).try_into().unwrap(),
            key: part(n, 32).try_into().unwrap(),
            roles,
        };
        roles.into_iter().enumerate().map(one).collect()
    })
}

fn people_body() -> impl Strategy<Value = PeopleBody> {
    let id = any::<[u8; 16]>;
    let agreed = || proptest::collection::hash_set(id(), 1..9).prop_map(|ids| ids.into_iter().collect::<Vec<_>>());
    let from = prop_oneof![number().prop_map(RoleFrom::Ms), Just(RoleFrom::Never)];
    prop_oneof![
        (id(), number(), any::<[u8; 32]>(), agreed(), option::of(id()))
            .prop_map(|(id, kind, key, agreed, principal)| PeopleBody::Added { id, kind, key, agreed, principal }),
        (id(), agreed()).prop_map(|(id, agreed)| PeopleBody::Disabled { id, agreed }),
        (id(), any::<[u8; 32]>(), agreed()).prop_map(|(id, key, agreed)| PeopleBody::Rotated { id, key, agreed }),
        (id(), number(), agreed(), from).prop_map(|(id, role, agreed, from)| PeopleBody::RoleGranted {
            id,
            role,
            agreed,
            from
        }),
        (id(), number(), agreed()).prop_map(|(id, role, agreed)| PeopleBody::RoleRevoked { id, role, agreed }),
    ]
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

fn critical_body() -> impl Strategy<Value = CriticalBody> {
    let role = || proptest::sample::select(KeyRole::ALL.to_vec());
    let thumbprint = || any::<[u8; 32]>().prop_map(Thumbprint::from_bytes);
    let proof = (any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|halves| {
        let mut proof = [0; 64];
        proof[..32].copy_from_slice(&halves.0);
        proof[32..].copy_from_slice(&halves.1);
        proof
    });
    prop_oneof![
        bytes().prop_map(|note| CriticalBody::Succession { note }),
        (role(), any::<[u8; 32]>(), thumbprint(), proof).prop_map(|(role, key, next, proof)| CriticalBody::Rotated {
            role,
            key,
            next,
            proof
        }),
        (role(), thumbprint(), number(), number()).prop_map(|(role, thumbprint, from, reason)| CriticalBody::Revoked {
            role,
            thumbprint,
            from,
            reason
        }),
    ]
}

fn evidence_body() -> impl Strategy<Value = EvidenceBody> {
    prop_oneof![
        (any::<[u8; 16]>(), digest(), number()).prop_map(|(bundle, commitment, tapes)| EvidenceBody::Made {
            bundle,
            commitment,
            tapes
        }),
        (any::<[u8; 16]>(), digest()).prop_map(|(bundle, commitment)| EvidenceBody::Given { bundle, commitment }),
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
        critical_body().prop_map(Body::Critical),
        evidence_body().prop_map(Body::Evidence),
        people_body().prop_map(Body::People),
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
    // A kind that is written has its own body, and is refused with another.
    let later = (41u16..=u16::MAX).prop_filter("a written kind", |kind| !EntryKind::from_number(*kind).is_written());
    let other = (later, vec(number(), 0..3)).prop_map(|(kind, values)| {
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
