//! The clauses of [`Objects`].
//!
//! Not here: that `get` re-hashes and that `list` names damage (an engine's own tests damage its
//! storage), and what `discard` does: its clearance is made by the disposal workflow alone, so its clauses stand in
//! [`discard`](super::discard).

use std::collections::BTreeMap;
use std::thread;

use super::clause::{Clause, Open, ok, refused, same};
use crate::codec::digest::{ObjectDigest, sha256, sha256_parts};
use crate::error::{Code, Error, Result as Outcome};
use crate::store::NewObject;
use crate::store::contracts::{Hint, Listed, ObjectRef, Objects, Protection, ProtectionMode};

type Fresh<'a> = Open<'a, dyn Objects>;
type Verdict = Result<(), String>;

/// Clauses on engines that each begin empty.
pub const CLAUSES: &[Clause<dyn Objects>] = &[
    Clause { name: "put: any bytes come back", check: bytes_come_back },
    Clause { name: "put: the reference names digest and length", check: reference_is_right },
    Clause { name: "put: visible on return", check: visible_on_return },
    Clause { name: "put: many at once are as each alone", check: put_many },
    Clause { name: "put: again is a success and changes nothing", check: put_again },
    Clause { name: "sync: repeatable, changes nothing", check: sync_changes_nothing },
    Clause { name: "get: the hint is only a hint", check: hint_is_a_hint },
    Clause { name: "get: not found", check: get_not_found },
    Clause { name: "read back: whoever would not be given fails all", check: read_back_fails },
    Clause { name: "list: every object once with its protection", check: list_is_whole },
    Clause { name: "list: ends with the error of its caller", check: list_passes_errors },
    Clause { name: "protect: raises mode and date", check: protect_raises },
    Clause { name: "protect: never lowers", check: protect_never_lowers },
    Clause { name: "protect: again is a success", check: protect_again },
    Clause { name: "protect: not found", check: protect_not_found },
    Clause { name: "concurrent: any number of callers", check: many_callers },
];

/// Clauses on one engine that is opened again: each call of the closure opens the same store, empty at
/// the first, and the one before is dropped first.
pub const LASTING: &[Clause<dyn Objects>] = &[
    Clause { name: "sync: what was put lasts", check: puts_last },
    Clause { name: "sync: what was protected lasts", check: protections_last },
    Clause { name: "put: goes on behind what lasts", check: puts_go_on },
    Clause { name: "put: again in a later run is listed once", check: put_again_later },
];

const LATER_MS: u64 = 1_900_000_000_000;

/// Bytes without a pattern, a different row for each `seed`.
#[must_use]
pub fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let blocks = (0_u64..).map(|n| sha256_parts(&[&seed.to_be_bytes(), &n.to_be_bytes()]));
    blocks.flatten().take(bytes).collect()
}

/// The digest of `bytes`.
#[must_use]
pub fn digest_of(bytes: &[u8]) -> ObjectDigest {
    ObjectDigest::from_bytes(sha256(bytes))
}

/// Lengths around every boundary an engine may have, and contents that look like nothing or like headers.
fn objects() -> Vec<Vec<u8>> {
    let lengths = [0, 1, 2, 63, 64, 65, 448, 511, 512, 513, 4_095, 4_096, 65_472, 65_536, 70_001, 262_144, 1_100_000];
    let mut all: Vec<_> = lengths.iter().zip(1..).map(|(bytes, seed)| noise(seed, *bytes)).collect();
    all.extend([vec![0; 1], vec![0; 3_000], [noise(77, 100), vec![0; 900]].concat()]);
    all.extend([b"IMTO\x01\x01\0\0".repeat(40), b"IMTPAC\0\x01".to_vec()]);
    all
}

fn put(store: &dyn Objects, bytes: &[u8], protection: Protection) -> Result<ObjectRef, String> {
    ok("put", store.put(NewObject::of(bytes), protection))
}

fn listed(store: &dyn Objects) -> Result<BTreeMap<ObjectDigest, Vec<(u64, Protection)>>, String> {
    let (mut found, mut damage) = (BTreeMap::<_, Vec<_>>::new(), None);
    ok(
        "list",
        store.list(&mut |listed| {
            match listed {
                Listed::Object(object, protection) => {
                    found.entry(object.digest).or_default().push((object.bytes, protection));
                }
                Listed::Damaged { place, reason } => damage = Some(format!("{place}: {reason}")),
            }
            Ok(())
        }),
    )?;
    same("damage in a list", damage, None)?;
    Ok(found)
}

fn bytes_come_back(fresh: &Fresh<'_>) -> Verdict {
    let store = fresh();
    let mut put_before = Vec::new();
    for bytes in objects() {
        put_before.push((put(&*store, &bytes, Protection::WORM)?, bytes));
    }
    ok("sync", store.sync())?;
    for (object, bytes) in put_before {
        if ok("get", store.get(&object))? != bytes {
            return Err(format!("an object of {} bytes came back different", bytes.len()));
        }
        same("rehash", ok("rehash", store.rehash(&object))?, bytes.len() as u64)?;
    }
    Ok(())
}

fn reference_is_right(fresh: &Fresh<'_>) -> Verdict {
    let store = fresh();
    for bytes in objects() {
        let object = put(&*store, &bytes, Protection::WORM)?;
        same("reference", (object.digest, object.bytes), (digest_of(&bytes), bytes.len() as u64))?;
    }
    Ok(())
}

fn visible_on_return(fresh: &Fresh<'_>) -> Verdict {
    let store = fresh();
    let object = put(&*store, b"not synced yet", Protection::WORM)?;
    same("get before sync", ok("get before sync", store.get(&object))?, b"not synced yet".to_vec())
}

/// Some of them there already, some of them equal.
fn put_many(fresh: &Fresh<'_>) -> Verdict {
    let store = fresh();
    let known = put(&*store, b"known", Protection::WORM)?;
    let bodies = [objects(), vec![b"known".to_vec(), noise(1, 0), noise(5, 64)]].concat();
    let new: Vec<_> = bodies.iter().map(|bytes| NewObject::of(bytes)).collect();
    let all = ok("put", store.put_all(&new, Protection::WORM))?;
    let named: Vec<_> = all.iter().map(|o| (o.digest, o.bytes)).collect();
    let wanted: Vec<_> = bodies.iter().map(|bytes| (digest_of(bytes), bytes.len() as u64)).collect();
    same("references", named, wanted)?;
    for (object, bytes) in all.iter().zip(&bodies) {
        same("get", ok("get", store.get(object))? == *bytes, true)?;
    }
    ok("read back", store.read_back(&all))?;
    ok("read back of nothing", store.read_back(&[]))?;
    ok(
        "read back in another order",
        store.read_back(&[all.as_slice(), &[known]].concat().into_iter().rev().collect::<Vec<_>>()),
    )?;
    let places = listed(&*store)?;
    same("objects", places.len(), objects().len().saturating_add(1))?;
    same("objects listed once", places.values().all(|places| places.len() == 1), true)
}

fn read_back_fails(fresh: &Fresh<'_>) -> Verdict {
    let store = fresh();
    let bodies: Vec<_> = (0..5).map(|n| noise(n, 700)).collect();
    let new: Vec<_> = bodies.iter().map(|bytes| NewObject::of(bytes)).collect();
    let all = ok("put", store.put_all(&new, Protection::WORM))?;
    let never = ObjectRef { digest: digest_of(b"never put"), bytes: 700, hint: Hint::default() };
    for at in [0, 2, 5] {
        let mut some = all.clone();
        some.insert(at, never);
        refused("read back", store.read_back(&some), Code::NotFound)?;
        // The reference of one with the place of another.
        if let (Some(one), Some(hint)) = (some.get_mut(at), all.get(1).map(|o| o.hint)) {
            one.hint = hint;
        }
        refused("read back", store.read_back(&some), Code::NotFound)?;
    }
    let lost: Vec<_> = all.iter().map(|o| ObjectRef { hint: Hint::default(), ..*o }).collect();
    ok("read back without hints", store.read_back(&lost))
}

fn put_again(fresh: &Fresh<'_>) -> Verdict {
    let store = fresh();
    let first = put(&*store, b"twice", Protection::WORM)?;
    let stricter = Protection { mode: ProtectionMode::Retained, until_ms: LATER_MS };
    let second = put(&*store, b"twice", stricter)?;
    for object in [first, second] {
        same("get", ok("get", store.get(&object))?, b"twice".to_vec())?;
    }
    same("listed", listed(&*store)?, BTreeMap::from([(first.digest, vec![(5, Protection::WORM)])]))
}

fn sync_changes_nothing(fresh: &Fresh<'_>) -> Verdict {
    let store = fresh();
    ok("sync of an empty store", store.sync())?;
    let object = put(&*store, b"synced", Protection::WORM)?;
    for _ in 0..3 {
        ok("sync", store.sync())?;
        same("get after sync", ok("get after sync", store.get(&object))?, b"synced".to_vec())?;
        same("listed after sync", listed(&*store)?.len(), 1)?;
    }
    Ok(())
}

fn hint_is_a_hint(fresh: &Fresh<'_>) -> Verdict {
    let store = fresh();
    let one = put(&*store, &noise(1, 700), Protection::WORM)?;
    let two = put(&*store, &noise(2, 900), Protection::WORM)?;
    let wrong = [Hint::default(), Hint([0xff; 16]), one.hint, Hint([7; 16])];
    for hint in wrong {
        for bytes in [two.bytes, 0, u64::MAX] {
            let lost = ObjectRef { hint, bytes, ..two };
            same("get with a wrong hint or length", ok("get", store.get(&lost))?, noise(2, 900))?;
        }
    }
    Ok(())
}

fn get_not_found(fresh: &Fresh<'_>) -> Verdict {
    let store = fresh();
    let absent = ObjectRef { digest: digest_of(b"absent"), bytes: 6, hint: Hint::default() };
    refused("get from an empty store", store.get(&absent).map(|_| ()), Code::NotFound)?;
    let there = put(&*store, b"there", Protection::WORM)?;
    for hint in [Hint::default(), there.hint, Hint([0xff; 16])] {
        refused("get", store.get(&ObjectRef { hint, ..absent }).map(|_| ()), Code::NotFound)?;
        refused("rehash", store.rehash(&ObjectRef { hint, ..absent }).map(|_| ()), Code::NotFound)?;
    }
    Ok(())
}

fn list_is_whole(fresh: &Fresh<'_>) -> Verdict {
    let store = fresh();
    same("list of an empty store", listed(&*store)?.len(), 0)?;
    let mut wanted = BTreeMap::new();
    for (bytes, until_ms) in objects().iter().zip(0..) {
        let mode = if until_ms % 2 == 0 { ProtectionMode::Worm } else { ProtectionMode::Retained };
        let protection = Protection { mode, until_ms };
        put(&*store, bytes, protection)?;
        wanted.insert(digest_of(bytes), vec![(bytes.len() as u64, protection)]);
    }
    same("listed", listed(&*store)?, wanted)
}

fn list_passes_errors(fresh: &Fresh<'_>) -> Verdict {
    let store = fresh();
    for n in 0..4 {
        put(&*store, &noise(n, 40), Protection::WORM)?;
    }
    let mut calls = 0_u32;
    let result = store.list(&mut |_| {
        calls = calls.saturating_add(1);
        if calls == 2 { Err(Error::new(Code::Limit, "enough")) } else { Ok(()) }
    });
    refused("list", result, Code::Limit)?;
    same("calls", calls, 2)
}

fn protection_of(store: &dyn Objects, object: &ObjectRef) -> Result<Vec<(u64, Protection)>, String> {
    Ok(listed(store)?.remove(&object.digest).unwrap_or_default())
}

fn protect_raises(fresh: &Fresh<'_>) -> Verdict {
    let store = fresh();
    let object = put(&*store, b"kept", Protection::WORM)?;
    let other = put(&*store, b"other", Protection::WORM)?;
    for (mode, until_ms) in
        [(ProtectionMode::Worm, 5), (ProtectionMode::Retained, 5), (ProtectionMode::Retained, LATER_MS)]
    {
        let protection = Protection { mode, until_ms };
        ok("protect", store.protect(&object, protection))?;
        same("protection", protection_of(&*store, &object)?, vec![(4, protection)])?;
    }
    same("protection of another", protection_of(&*store, &other)?, vec![(5, Protection::WORM)])?;
    same("get", ok("get", store.get(&object))?, b"kept".to_vec())
}

fn protect_never_lowers(fresh: &Fresh<'_>) -> Verdict {
    let store = fresh();
    let strong = Protection { mode: ProtectionMode::Retained, until_ms: LATER_MS };
    let object = put(&*store, b"kept", strong)?;
    let weaker = [
        Protection { mode: ProtectionMode::Worm, ..strong },
        Protection { until_ms: LATER_MS.saturating_sub(1), ..strong },
        Protection { until_ms: 0, ..strong },
        Protection { mode: ProtectionMode::Worm, until_ms: u64::MAX },
    ];
    for protection in weaker {
        refused("protect", store.protect(&object, protection), Code::RetentionShorten)?;
        same("protection", protection_of(&*store, &object)?, vec![(4, strong)])?;
    }
    Ok(())
}

fn protect_again(fresh: &Fresh<'_>) -> Verdict {
    let store = fresh();
    let object = put(&*store, b"kept", Protection::WORM)?;
    let protection = Protection { mode: ProtectionMode::Retained, until_ms: LATER_MS };
    for _ in 0..3 {
        ok("protect", store.protect(&object, protection))?;
        same("protection", protection_of(&*store, &object)?, vec![(4, protection)])?;
    }
    Ok(())
}

fn protect_not_found(fresh: &Fresh<'_>) -> Verdict {
    let store = fresh();
    put(&*store, b"there", Protection::WORM)?;
    let absent = ObjectRef { digest: digest_of(b"absent"), bytes: 6, hint: Hint::default() };
    refused("protect", store.protect(&absent, Protection::WORM), Code::NotFound)?;
    same("listed", listed(&*store)?.len(), 1)
}

fn many_callers(fresh: &Fresh<'_>) -> Verdict {
    const CALLERS: u64 = 8;
    const EACH: u64 = 24;
    let store = fresh();
    let shared = noise(u64::MAX, 5_000);
    let caller = |caller: u64| -> Verdict {
        for n in 0..EACH {
            let own = noise(caller.saturating_mul(EACH).saturating_add(n), 700);
            let object = put(&*store, &own, Protection::WORM)?;
            let common = put(&*store, &shared, Protection::WORM)?;
            if n % 8 == 0 {
                ok("sync", store.sync())?;
                listed(&*store)?;
            }
            same("get", ok("get", store.get(&object))?, own)?;
            same("get of what all put", ok("get of what all put", store.get(&common))? == shared, true)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..CALLERS).map(|n| scope.spawn(move || caller(n))).collect();
        running.into_iter().try_for_each(|r| r.join().unwrap_or_else(|_| Err("a caller panicked".to_owned())))
    })?;
    let all = listed(&*store)?;
    same("objects", all.len() as u64, CALLERS.saturating_mul(EACH).saturating_add(1))?;
    same("objects listed once", all.values().all(|places| places.len() == 1), true)
}

fn puts_last(place: &Fresh<'_>) -> Verdict {
    let put_before: Vec<_> = {
        let store = place();
        let all: Outcome<Vec<_>> = objects()
            .into_iter()
            .map(|bytes| Ok((store.put(NewObject::of(&bytes), Protection::WORM)?, bytes)))
            .collect();
        ok("sync", store.sync())?;
        ok("put", all)?
    };
    let store = place();
    for (object, bytes) in &put_before {
        let lost = ObjectRef { hint: Hint::default(), ..*object };
        for object in [object, &lost] {
            if ok("get in the next run", store.get(object))? != *bytes {
                return Err(format!("an object of {} bytes came back different", bytes.len()));
            }
        }
    }
    same("listed in the next run", listed(&*store)?.len(), put_before.len())
}

fn protections_last(place: &Fresh<'_>) -> Verdict {
    let protection = Protection { mode: ProtectionMode::Retained, until_ms: LATER_MS };
    let object = {
        let store = place();
        let object = put(&*store, b"kept", Protection::WORM)?;
        ok("sync", store.sync())?;
        object
    };
    {
        let store = place();
        ok("protect in the next run", store.protect(&object, protection))?;
        ok("sync", store.sync())?;
    }
    let store = place();
    same("protection in the run after", protection_of(&*store, &object)?, vec![(4, protection)])?;
    refused("protect", store.protect(&object, Protection::WORM), Code::RetentionShorten)
}

fn puts_go_on(place: &Fresh<'_>) -> Verdict {
    let mut all = Vec::new();
    for run in 0..5_u64 {
        let store = place();
        for n in 0..3 {
            let bytes = noise(run.saturating_mul(100).saturating_add(n), 2_500);
            all.push((put(&*store, &bytes, Protection::WORM)?, bytes));
        }
        ok("sync", store.sync())?;
        for (object, bytes) in &all {
            same("get", ok("get", store.get(object))? == *bytes, true)?;
        }
        same("listed", listed(&*store)?.len(), all.len())?;
    }
    Ok(())
}

fn put_again_later(place: &Fresh<'_>) -> Verdict {
    for _ in 0..3 {
        let store = place();
        let object = put(&*store, b"every run", Protection::WORM)?;
        ok("sync", store.sync())?;
        same("get", ok("get", store.get(&object))?, b"every run".to_vec())?;
        same("listed", listed(&*store)?, BTreeMap::from([(object.digest, vec![(9, Protection::WORM)])]))?;
    }
    Ok(())
}
