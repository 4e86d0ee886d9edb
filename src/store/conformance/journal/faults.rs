//! Clauses about what storage does to a journal.

use super::FaultyStorage;
use super::material::{Draft, append, header, read_all};
use crate::error::Code;
use crate::store::conformance::clause::{Open, ok, refused, same};
use crate::store::contracts::{Journal, Position};

type Fresh<'a> = Open<'a, dyn FaultyStorage>;
type Verdict = Result<(), String>;

/// An acquired journal with two groups, and the next one ready.
struct Begun {
    journal: Box<dyn Journal>,
    groups: Vec<Vec<u8>>,
    ready: Vec<u8>,
}

fn begun(storage: &dyn FaultyStorage) -> Result<Begun, String> {
    let journal = storage.open();
    ok("acquire", journal.acquire())?;
    let groups = (0..2).map(|n| ok("append", append(&*journal, &Draft::small(n)))).collect::<Result<_, _>>()?;
    let ready = Draft::small(2).seal(&ok("place", journal.place(Draft::small(2).extent_bytes()))?);
    Ok(Begun { journal, groups, ready })
}

fn in_doubt(storage: &dyn FaultyStorage) -> Result<Begun, String> {
    let begun = begun(storage)?;
    storage.fail_next_sync();
    refused("append with a failing sync", begun.journal.append(&begun.ready), Code::InDoubt)?;
    Ok(begun)
}

pub(super) fn durable_on_return(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let mut groups = Vec::new();
    for n in 0..6 {
        let journal = storage.open();
        ok("acquire", journal.acquire())?;
        groups.push(ok("append", append(&*journal, &Draft { entry_bytes: 250_000, ..Draft::small(n) }))?);
        drop(journal);
        storage.cut_power();
        if ok("read", read_all(&*storage.open()))? != groups {
            return Err(format!("group {n} is not there after a power cut"));
        }
    }
    Ok(())
}

pub(super) fn failed_sync_is_in_doubt(fresh: &Fresh<'_>) -> Verdict {
    in_doubt(&*fresh()).map(drop)
}

pub(super) fn broken_for_ever(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let Begun { journal, ready, .. } = in_doubt(&*storage)?;
    for _ in 0..2 {
        refused("append", journal.append(&ready), Code::Broken)?;
        refused("place", journal.place(512), Code::Broken)?;
        refused("read", journal.read(Position { segment: 1, offset: 0 }), Code::Broken)?;
        refused("acquire", journal.acquire(), Code::Broken)?;
        refused("survey", journal.survey(), Code::Broken)?;
        refused("replace", journal.replace(1, &mut std::iter::empty()), Code::Broken)?;
    }
    Ok(())
}

pub(super) fn next_turn_decides(fresh: &Fresh<'_>) -> Verdict {
    for power_cut in [false, true] {
        let storage = fresh();
        let Begun { journal, mut groups, ready } = in_doubt(&*storage)?;
        drop(journal);
        if power_cut {
            storage.cut_power();
        }
        let journal = storage.open();
        let size = ok("acquire", journal.acquire())?.last.map(|last| last.size_after());
        if size == Some(3) {
            groups.push(ready);
        }
        same("entries after the decision", size, Some(groups.len() as u64))?;
        groups.push(ok("append", append(&*journal, &Draft::small(groups.len() as u64)))?);
        drop(journal);
        storage.cut_power();
        same("groups after a power cut", ok("read", read_all(&*storage.open()))?, groups)?;
    }
    Ok(())
}

pub(super) fn placing_is_fenced(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let Begun { journal, .. } = begun(&*storage)?;
    storage.break_lock();
    refused("place without the lock", journal.place(512), Code::Fenced)?;
    let other = storage.open();
    ok("acquire by another", other.acquire())?;
    ok("append by another", append(&*other, &Draft::small(2)))?;
    refused("place after another wrote", journal.place(512), Code::Fenced)
}

pub(super) fn appending_is_fenced(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let Begun { journal, mut groups, ready } = begun(&*storage)?;
    storage.break_lock();
    refused("append without the lock", journal.append(&ready), Code::Fenced)?;
    let other = storage.open();
    ok("acquire by another", other.acquire())?;
    refused("append while another has the turn", journal.append(&ready), Code::Fenced)?;
    groups.push(ok("append by another", append(&*other, &Draft::small(2)))?);
    refused("append after another wrote", journal.append(&ready), Code::Fenced)?;
    same("groups", ok("read", read_all(&*storage.open()))?, groups)
}

/// Appends until the disk is full; the groups, and how often the journal said so before.
fn fill_up(storage: &dyn FaultyStorage) -> Result<(Begun, u64), String> {
    const GROUPS_MAX: u64 = 4_000;
    let mut begun = begun(storage)?;
    storage.fill(true);
    let mut said = 0u64;
    for n in 2..GROUPS_MAX {
        let draft = Draft { entry_bytes: 60_000, ..Draft::small(n) };
        said = said.saturating_add(u64::from(begun.journal.is_nearly_full()));
        match append(&*begun.journal, &draft) {
            Ok(extent) => begun.groups.push(extent),
            Err(e) if e.code() == Code::StoreFull => return Ok((begun, said)),
            Err(e) => return Err(format!("append to a full disk: {} ({e})", e.code().as_str())),
        }
    }
    Err("the disk was said to be full and never was".to_owned())
}

pub(super) fn full_disk(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let (begun, _) = fill_up(&*storage)?;
    same("read on a full disk", ok("read", read_all(&*begun.journal))?.len(), begun.groups.len())?;
    drop(begun.journal);
    storage.cut_power();
    same("groups after a power cut", ok("read", read_all(&*storage.open()))?, begun.groups)
}

pub(super) fn nearly_full(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let (begun, said) = fill_up(&*storage)?;
    same("nearly full on a full disk", begun.journal.is_nearly_full(), true)?;
    if said == 0 { Err("nothing was said before the disk was full".to_owned()) } else { Ok(()) }
}

pub(super) fn room_again(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let (mut begun, _) = fill_up(&*storage)?;
    storage.fill(false);
    let next = Draft { entry_bytes: 60_000, ..Draft::small(begun.groups.len() as u64) };
    begun.groups.push(ok("append when there is room again", append(&*begun.journal, &next))?);
    same("nearly full when there is room again", begun.journal.is_nearly_full(), false)?;
    same("groups", ok("read", read_all(&*storage.open()))?, begun.groups)
}

pub(super) fn room_is_found(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let (begun, _) = fill_up(&*storage)?;
    begun.journal.look_for_room();
    same("nearly full while there is no room", begun.journal.is_nearly_full(), true)?;
    storage.fill(false);
    begun.journal.look_for_room();
    same("nearly full after room was found", begun.journal.is_nearly_full(), false)?;
    same("groups", ok("read", read_all(&*storage.open()))?, begun.groups)
}

pub(super) fn damage_is_named(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let Begun { journal, groups, .. } = begun(&*storage)?;
    drop(journal);
    let Some(second) = groups.get(1) else { return Ok(()) };
    let group = header(second)?;
    storage.damage(Position { segment: group.segment, offset: group.offset });
    let reader = storage.open();
    let first = ok("read before the damage", reader.read(Position { segment: 1, offset: 0 }))?;
    let Some((_, extent, next)) = first else { return Err("the group before the damage is gone".to_owned()) };
    same("group before the damage", Some(&extent), groups.first())?;
    match reader.read(next) {
        Err(e) if e.code() == Code::LogDamaged => {
            let named = [group.segment, group.offset].iter().all(|n| e.message().contains(&n.to_string()));
            if named { Ok(()) } else { Err(format!("the error names no segment and offset: {e}")) }
        }
        other => refused("read of the damage", other.map(|found| found.map(|_| ())), Code::LogDamaged),
    }
}
