//! Clauses about repair.

use super::material::{Draft, append, header, read_all};
use super::{FaultyStorage, Storage};
use crate::error::{Code, Error};
use crate::store::conformance::clause::{Open, ok, refused, same};
use crate::store::contracts::Position;

type Fresh<'a> = Open<'a, dyn Storage>;
type FreshFaulty<'a> = Open<'a, dyn FaultyStorage>;
type Verdict = Result<(), String>;
type Groups = Vec<Vec<u8>>;

/// Groups over more than one segment.
fn filled(storage: &dyn Storage) -> Result<Groups, String> {
    let journal = storage.open();
    ok("acquire", journal.acquire())?;
    let draft = |n| Draft { entry_bytes: 250_000, ..Draft::small(n) };
    (0..9).map(|n| ok("append", append(&*journal, &draft(n)))).collect()
}

fn unchanged(storage: &dyn Storage, groups: &Groups) -> Verdict {
    if ok("read", read_all(&*storage.open()))? != *groups {
        return Err("other groups are read than before".to_owned());
    }
    let tail = ok("acquire", storage.open().acquire())?;
    let last = groups.last().map(|extent| header(extent)).transpose()?;
    same("last group", tail.last, last)
}

fn replace(storage: &dyn Storage, from: u64, groups: Groups) -> Result<(), Error> {
    storage.open().replace(from, &mut groups.into_iter().map(Ok)).map(drop)
}

fn from_segment(groups: &Groups, number: u64) -> Result<Groups, String> {
    let mut out = Vec::new();
    for extent in groups {
        if header(extent)?.segment >= number {
            out.push(extent.clone());
        }
    }
    Ok(out)
}

pub(super) fn same_changes_nothing(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let groups = filled(&*storage)?;
    for number in [1, 2, 1] {
        ok("replace", replace(&*storage, number, from_segment(&groups, number)?))?;
        unchanged(&*storage, &groups)?;
    }
    Ok(())
}

pub(super) fn broken_chain(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let groups = filled(&*storage)?;
    let second = from_segment(&groups, 2)?;
    let without = |n: usize| {
        let mut groups = groups.clone();
        groups.remove(n);
        groups
    };
    let mut changed = groups.clone();
    changed.iter_mut().take(1).flat_map(|extent| extent.iter_mut().skip(300).take(1)).for_each(|byte| *byte ^= 1);
    for (what, from, extents) in [
        ("without the first group", 1, without(0)),
        ("without a group in between", 1, without(1)),
        ("with a changed group", 1, changed),
        ("from segment 0", 0, groups.clone()),
        ("of an earlier segment", 2, groups.clone()),
        ("of a later segment", 1, second),
    ] {
        refused(&format!("replace {what}"), replace(&*storage, from, extents), Code::Conflict)?;
        unchanged(&*storage, &groups)?;
    }
    let mut failing = std::iter::once(Err(Error::new(Code::NotFound, "the caller has no more")));
    refused("replace with an error", storage.open().replace(1, &mut failing), Code::NotFound)?;
    unchanged(&*storage, &groups)
}

pub(super) fn drops_nothing(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let groups = filled(&*storage)?;
    let all_but_the_last = groups.split_last().map(|(_, rest)| rest.to_vec()).unwrap_or_default();
    refused("replace without the last group", replace(&*storage, 1, all_but_the_last), Code::Conflict)?;
    unchanged(&*storage, &groups)
}

pub(super) fn not_while_writing(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let groups = filled(&*storage)?;
    let writer = storage.open();
    ok("acquire", writer.acquire())?;
    refused("replace beside a writer", replace(&*storage, 1, groups.clone()), Code::Locked)?;
    let own = writer.replace(1, &mut groups.clone().into_iter().map(Ok));
    refused("replace by a writer", own, Code::Conflict)?;
    drop(writer);
    unchanged(&*storage, &groups)
}

pub(super) fn makes_damage_good(fresh: &FreshFaulty<'_>) -> Verdict {
    let storage = fresh();
    let journal = storage.open();
    ok("acquire", journal.acquire())?;
    let draft = |n| Draft { entry_bytes: 250_000, ..Draft::small(n) };
    let groups: Groups = (0..9).map(|n| ok("append", append(&*journal, &draft(n)))).collect::<Result<_, _>>()?;
    drop(journal);
    for damaged in [0, 5] {
        let Some(extent) = groups.get(damaged) else { continue };
        let group = header(extent)?;
        storage.damage(Position { segment: group.segment, offset: group.offset });
        refused("read over damage", read_all(&*storage.open()), Code::LogDamaged)?;
        let mut extents = from_segment(&groups, group.segment)?.into_iter().map(Ok);
        ok("replace", storage.open().replace(group.segment, &mut extents))?;
        if ok("read", read_all(&*storage.open()))? != groups {
            return Err("other groups are read than before the damage".to_owned());
        }
    }
    Ok(())
}
