//! Clauses about placing and appending.

use super::Storage;
use super::material::{Draft, append, header, read_all};
use crate::codec::digest::GroupHash;
use crate::codec::limits::GROUP_BYTES_MAX;
use crate::error::Code;
use crate::store::conformance::clause::{Open, ok, refused, same};
use crate::store::contracts::{Journal, Place};

/// The longest extent a journal takes.
const LARGEST: u64 = GROUP_BYTES_MAX as u64;

type Fresh<'a> = Open<'a, dyn Storage>;
type Verdict = Result<(), String>;

/// An acquired journal with two groups.
fn begun(storage: &dyn Storage) -> Result<(Box<dyn Journal>, Vec<Vec<u8>>), String> {
    let journal = storage.open();
    ok("acquire", journal.acquire())?;
    let groups = (0..2).map(|n| ok("append", append(&*journal, &Draft::small(n)))).collect::<Result<_, _>>()?;
    Ok((journal, groups))
}

pub(super) fn place_has_no_effect(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let (journal, groups) = begun(&*storage)?;
    let first = ok("place", journal.place(1024))?;
    for bytes in [512, 4096, LARGEST, 1024] {
        let _may_move_to_the_next_segment = ok("place", journal.place(bytes))?;
    }
    same("place again", ok("place", journal.place(1024))?, first)?;
    if ok("read", read_all(&*storage.open()))? != groups {
        return Err("placing changed what a reader sees".to_owned());
    }
    ok("append", append(&*journal, &Draft::small(2))).map(drop)
}

pub(super) fn place_is_right(fresh: &Fresh<'_>) -> Verdict {
    let journal = fresh().open();
    let term = ok("acquire", journal.acquire())?.term;
    let mut previous = GroupHash::from_bytes([0; 32]);
    let mut last = (0, 0);
    for n in 0..40 {
        let draft = Draft { entry_bytes: 60_000, ..Draft::small(n) };
        let place = ok("place", journal.place(draft.extent_bytes()))?;
        same("term and group before", (place.term, place.previous_group), (term, previous))?;
        if (place.segment, place.offset) <= last || place.segment == 0 || !place.offset.is_multiple_of(512) {
            return Err(format!("group {n} is placed at {place:?} after {last:?}"));
        }
        last = (place.segment, place.offset);
        let extent = draft.seal(&place);
        ok("append", journal.append(&extent))?;
        previous = header(&extent)?.hash;
    }
    Ok(())
}

pub(super) fn place_refuses_lengths(fresh: &Fresh<'_>) -> Verdict {
    let journal = fresh().open();
    ok("acquire", journal.acquire())?;
    for bytes in [0, 1, 511, 513, LARGEST.saturating_add(512), u64::MAX] {
        refused(&format!("place of {bytes} bytes"), journal.place(bytes), Code::Limit)?;
    }
    ok("place", journal.place(512)).map(drop)
}

pub(super) fn bytes_come_back(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let journal = storage.open();
    ok("acquire", journal.acquire())?;
    let mut groups = Vec::new();
    for (index, count, entry_bytes) in [(0, 1, 8), (1, 1, 204), (2, 1, 208), (3, 3, 500), (6, 1_000, 60), (1_006, 1, 9)]
    {
        groups.push(ok("append", append(&*journal, &Draft { count, entry_bytes, ..Draft::small(index) }))?);
        for (who, reader) in [("this handle", &*journal), ("another handle", &*storage.open())] {
            if ok("read", read_all(reader))? != groups {
                return Err(format!("{who} reads other groups than the {} that were appended", groups.len()));
            }
        }
    }
    Ok(())
}

pub(super) fn outlives_the_handle(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let mut groups = Vec::new();
    for n in 0..3 {
        let journal = storage.open();
        ok("acquire", journal.acquire())?;
        groups.push(ok("append", append(&*journal, &Draft { entry_bytes: 700, ..Draft::small(n) }))?);
        drop(journal);
        if ok("read", read_all(&*storage.open()))? != groups {
            return Err("a group that was appended is gone with its handle".to_owned());
        }
    }
    Ok(())
}

/// Changes a good place, and asks that the group which names it is refused without a trace.
fn refuses(fresh: &Fresh<'_>, what: &str, change: impl Fn(&mut Place)) -> Verdict {
    let storage = fresh();
    let (journal, mut groups) = begun(&*storage)?;
    let good = ok("place", journal.place(Draft::small(2).extent_bytes()))?;
    let mut bad = good;
    change(&mut bad);
    refused(what, journal.append(&Draft::small(2).seal(&bad)), Code::Conflict)?;
    goes_on(&*storage, &*journal, &mut groups)
}

/// After a refusal nothing has changed and the turn goes on.
fn goes_on(storage: &dyn Storage, journal: &dyn Journal, groups: &mut Vec<Vec<u8>>) -> Verdict {
    if ok("read", read_all(&*storage.open()))? != *groups {
        return Err("a refused group left something behind".to_owned());
    }
    groups.push(ok("append after a refusal", append(journal, &Draft::small(2)))?);
    if ok("read", read_all(&*storage.open()))? == *groups {
        Ok(())
    } else {
        Err("the next group is not there".to_owned())
    }
}

pub(super) fn refuses_another_term(fresh: &Fresh<'_>) -> Verdict {
    refuses(fresh, "append with a later term", |place| place.term = place.term.saturating_add(1))?;
    refuses(fresh, "append with an earlier term", |place| place.term = place.term.saturating_sub(1))
}

pub(super) fn refuses_another_place(fresh: &Fresh<'_>) -> Verdict {
    refuses(fresh, "append further on", |place| place.offset = place.offset.saturating_add(512))?;
    refuses(fresh, "append over the group before", |place| place.offset = place.offset.saturating_sub(512))?;
    refuses(fresh, "append to another segment", |place| place.segment = place.segment.saturating_add(1))
}

pub(super) fn refuses_another_previous(fresh: &Fresh<'_>) -> Verdict {
    refuses(fresh, "append after a group that is not there", |place| {
        place.previous_group = GroupHash::from_bytes([9; 32]);
    })?;
    refuses(fresh, "append as if it were the first", |place| place.previous_group = GroupHash::from_bytes([0; 32]))
}

pub(super) fn refuses_a_gap(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let (journal, mut groups) = begun(&*storage)?;
    for first_index in [0, 1, 3, u64::MAX - 1] {
        let place = ok("place", journal.place(Draft::small(first_index).extent_bytes()))?;
        let extent = Draft::small(first_index).seal(&place);
        refused(&format!("append of entry {first_index} after entry 1"), journal.append(&extent), Code::Conflict)?;
    }
    goes_on(&*storage, &*journal, &mut groups)
}

pub(super) fn refuses_what_is_not_whole(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let (journal, mut groups) = begun(&*storage)?;
    let place = ok("place", journal.place(Draft::small(2).extent_bytes()))?;
    let good = Draft::small(2).seal(&place);
    let mut flipped = good.clone();
    flipped.iter_mut().skip(300).take(1).for_each(|byte| *byte ^= 1);
    let longer = [good.clone(), vec![0; 512]].concat();
    let shorter = good.get(..good.len().saturating_sub(1)).unwrap_or_default().to_vec();
    for (what, extent) in [("changed", flipped), ("too long", longer), ("too short", shorter), ("empty", Vec::new())] {
        refused(&format!("append of an extent that is {what}"), journal.append(&extent), Code::Conflict)?;
    }
    goes_on(&*storage, &*journal, &mut groups)
}

pub(super) fn longest_group_fits(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let (journal, mut groups) = begun(&*storage)?;
    // The header takes 256 bytes and a record 48 more than its entry; the last 512 are left to rounding.
    let draft = Draft { entry_bytes: GROUP_BYTES_MAX - 1024, ..Draft::small(2) };
    groups.push(ok("append of the longest group", append(&*journal, &draft))?);
    groups.push(ok("append after it", append(&*journal, &Draft::small(3)))?);
    if ok("read", read_all(&*storage.open()))? == groups { Ok(()) } else { Err("they do not come back".to_owned()) }
}

pub(super) fn closing_flag_lasts(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    for (n, closed) in [(0, false), (1, true), (2, true), (3, false)] {
        let journal = storage.open();
        ok("acquire", journal.acquire())?;
        ok("append", append(&*journal, &Draft { closed, ..Draft::small(n) }))?;
        drop(journal);
        let last = ok("acquire", storage.open().acquire())?.last;
        same("closed in order", last.map(|last| last.clean_close()), Some(closed))?;
    }
    Ok(())
}

pub(super) fn not_full_at_first(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    same("nearly full before acquisition", storage.open().is_nearly_full(), false)?;
    let (journal, _) = begun(&*storage)?;
    for n in 2..30 {
        same("nearly full", journal.is_nearly_full(), false)?;
        ok("append", append(&*journal, &Draft { entry_bytes: 60_000, ..Draft::small(n) }))?;
    }
    Ok(())
}
