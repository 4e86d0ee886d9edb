//! The clauses of [`Objects::discard`].
//!
//! Each call costs a clearance. No function makes one yet: the disposal workflow will be the only place that does, and
//! what it made is used up by one call. So this list is not open to engines outside: it is run, with the two engines
//! and with broken ones, by the unit tests of the room that can make a clearance for itself.

use super::Violation;
use super::clause::{Open, ok, refused, same};
use super::objects::{digest_of, noise};
use super::vault::Mint;
use crate::codec::digest::CustodyId;
use crate::error::{Code, Result as Outcome};
use crate::store::NewObject;
use crate::store::contracts::{Hint, Listed, ObjectRef, Objects, Protection, ProtectionMode};

type Fresh<'a> = Open<'a, dyn Objects>;
type Verdict = Result<(), String>;
type DiscardClause = (&'static str, fn(&Fresh<'_>, &Mint<'_>) -> Verdict);

/// Clauses on engines that each begin empty.
const CLAUSES: &[DiscardClause] = &[
    ("discard: it is given and listed no more", discarded_is_gone),
    ("discard: nothing else goes", others_stay),
    ("discard: not before its date", not_before_its_date),
    ("discard: not found", discard_not_found),
    ("discard: again brings nothing back", discard_again),
    ("discard: the same bytes put later are a new object", put_later),
];

/// Clauses on one engine that is opened again: each call of the closure opens the same store, and the one before is
/// dropped first.
const LASTING: &[DiscardClause] = &[("discard: lasts after a sync", discarding_lasts)];

/// Checks [`Objects::discard`] on engines that each begin empty; the violations.
#[must_use]
pub fn run_discard(fresh: &Fresh<'_>, mint: &Mint<'_>) -> Vec<Violation> {
    run(CLAUSES, fresh, mint)
}

/// Checks that what was discarded stays so, on one engine that is opened again and empty at the first; the violations.
#[must_use]
pub fn run_discard_lasting(again: &Fresh<'_>, mint: &Mint<'_>) -> Vec<Violation> {
    run(LASTING, again, mint)
}

fn run(clauses: &[DiscardClause], open: &Fresh<'_>, mint: &Mint<'_>) -> Vec<Violation> {
    let check = |(clause, check): &DiscardClause| check(open, mint).err().map(|detail| Violation { clause, detail });
    clauses.iter().filter_map(check).collect()
}

const TAPE: CustodyId = CustodyId::from_bytes([0xd1; 32]);
const LATER_MS: u64 = 1_900_000_000_000;

fn put(store: &dyn Objects, bytes: &[u8], until_ms: u64) -> Result<ObjectRef, String> {
    let mode = if until_ms == 0 { ProtectionMode::Worm } else { ProtectionMode::Retained };
    let object = ok("put", store.put(NewObject::of(bytes), Protection { mode, until_ms }))?;
    ok("sync", store.sync()).map(|()| object)
}

fn listed(store: &dyn Objects) -> Result<Vec<ObjectRef>, String> {
    let mut all = Vec::new();
    let each = &mut |found| -> Outcome<()> {
        if let Listed::Object(object, _) = found {
            all.push(ObjectRef { hint: Hint::default(), ..object });
        }
        Ok(())
    };
    ok("list", store.list(each))?;
    all.sort_by_key(|object| object.digest);
    Ok(all)
}

/// With the hint it was put under, and without.
fn both_ways(object: ObjectRef) -> [ObjectRef; 2] {
    [object, ObjectRef { hint: Hint::default(), ..object }]
}

fn is_gone(store: &dyn Objects, object: ObjectRef) -> Verdict {
    for object in both_ways(object) {
        refused("get", store.get(&object).map(drop), Code::NotFound)?;
        refused("rehash", store.rehash(&object), Code::NotFound)?;
        refused("protect", store.protect(&object, Protection::WORM), Code::NotFound)?;
    }
    same("it is listed", listed(store)?.iter().any(|other| other.digest == object.digest), false)
}

fn is_whole(store: &dyn Objects, object: ObjectRef, bytes: &[u8]) -> Verdict {
    for object in both_ways(object) {
        same("the bytes come back", ok("get", store.get(&object))? == bytes, true)?;
    }
    same("it is listed", listed(store)?.iter().any(|other| other.digest == object.digest), true)
}

fn discarded_is_gone(fresh: &Fresh<'_>, mint: &Mint<'_>) -> Verdict {
    let store = fresh();
    for (bytes, seed) in [0, 1, 700, 70_000].into_iter().zip(1..) {
        let object = put(&*store, &noise(seed, bytes), 0)?;
        is_whole(&*store, object, &noise(seed, bytes))?;
        ok("discard", store.discard(&object, 0, mint(TAPE)))?;
        is_gone(&*store, object)?;
        ok("sync", store.sync())?;
        is_gone(&*store, object)?;
    }
    Ok(())
}

fn others_stay(fresh: &Fresh<'_>, mint: &Mint<'_>) -> Verdict {
    let store = fresh();
    let before = put(&*store, &noise(1, 900), 0)?;
    let object = put(&*store, &noise(2, 900), 0)?;
    let after = put(&*store, &noise(3, 900), LATER_MS)?;
    ok("discard", store.discard(&object, 0, mint(TAPE)))?;
    is_whole(&*store, before, &noise(1, 900))?;
    is_whole(&*store, after, &noise(3, 900))?;
    same("objects", listed(&*store)?.len(), 2)
}

fn not_before_its_date(fresh: &Fresh<'_>, mint: &Mint<'_>) -> Verdict {
    let store = fresh();
    let object = put(&*store, b"kept until then", 1_000)?;
    refused("discard", store.discard(&object, 999, mint(TAPE)), Code::RetentionShorten)?;
    let later = Protection { mode: ProtectionMode::Retained, until_ms: 2_000 };
    ok("protect", store.protect(&object, later))?;
    for now_ms in [0, 1_000, 1_999] {
        refused("discard", store.discard(&object, now_ms, mint(TAPE)), Code::RetentionShorten)?;
        is_whole(&*store, object, b"kept until then")?;
    }
    ok("discard on its date", store.discard(&object, 2_000, mint(TAPE)))?;
    is_gone(&*store, object)
}

fn discard_not_found(fresh: &Fresh<'_>, mint: &Mint<'_>) -> Verdict {
    let store = fresh();
    let absent = ObjectRef { digest: digest_of(b"absent"), bytes: 6, hint: Hint::default() };
    refused("discard from an empty store", store.discard(&absent, 0, mint(TAPE)), Code::NotFound)?;
    let there = put(&*store, b"there", 0)?;
    for hint in [Hint::default(), there.hint] {
        refused("discard", store.discard(&ObjectRef { hint, ..absent }, 0, mint(TAPE)), Code::NotFound)?;
    }
    is_whole(&*store, there, b"there")
}

fn discard_again(fresh: &Fresh<'_>, mint: &Mint<'_>) -> Verdict {
    let store = fresh();
    let object = put(&*store, &noise(1, 3_000), 0)?;
    ok("discard", store.discard(&object, 0, mint(TAPE)))?;
    for object in both_ways(object) {
        match store.discard(&object, 0, mint(TAPE)) {
            Err(e) if e.code() == Code::NotFound => {}
            done => ok("discard again", done)?,
        }
        is_gone(&*store, object)?;
    }
    Ok(())
}

fn put_later(fresh: &Fresh<'_>, mint: &Mint<'_>) -> Verdict {
    let store = fresh();
    let object = put(&*store, b"the same bytes", 5)?;
    ok("discard", store.discard(&object, 5, mint(TAPE)))?;
    let again = put(&*store, b"the same bytes", 0)?;
    is_whole(&*store, again, b"the same bytes")?;
    // Nothing of the old protection is left on it.
    ok("discard", store.discard(&again, 0, mint(TAPE)))?;
    is_gone(&*store, again)
}

fn discarding_lasts(again: &Fresh<'_>, mint: &Mint<'_>) -> Verdict {
    let (gone, stays) = {
        let store = again();
        let gone = put(&*store, &noise(1, 900), 0)?;
        (gone, put(&*store, &noise(2, 900), 0)?)
    };
    {
        let store = again();
        ok("discard in the next run", store.discard(&gone, 0, mint(TAPE)))?;
        ok("sync", store.sync())?;
    }
    let store = again();
    is_gone(&*store, gone)?;
    is_whole(&*store, stays, &noise(2, 900))
}

#[cfg(test)]
mod tests;
