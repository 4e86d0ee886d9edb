//! Clauses about the writer's turn.

use super::Storage;
use super::material::{Draft, append, header};
use crate::error::Code;
use crate::store::conformance::clause::{Open, ok, refused, same};
use crate::store::contracts::Place;

type Fresh<'a> = Open<'a, dyn Storage>;
type Verdict = Result<(), String>;

pub(super) fn empty(fresh: &Fresh<'_>) -> Verdict {
    let journal = fresh().open();
    let tail = ok("acquire", journal.acquire())?;
    same("last group", tail.last, None)?;
    same("tears", tail.tears, vec![])
}

pub(super) fn gives_the_last_group(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    for n in 0..3 {
        let journal = storage.open();
        ok("acquire", journal.acquire())?;
        let extent = ok("append", append(&*journal, &Draft::small(n)))?;
        drop(journal);
        let tail = ok("acquire", storage.open().acquire())?;
        same("last group", tail.last, Some(header(&extent)?))?;
        same("tears", tail.tears, vec![])?;
    }
    Ok(())
}

pub(super) fn one_holder(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let (first, second) = (storage.open(), storage.open());
    ok("acquire", first.acquire())?;
    refused("acquire by a second handle", second.acquire(), Code::Locked)?;
    ok("append by the first", append(&*first, &Draft::small(0)))?;
    refused("acquire by a second handle", second.acquire(), Code::Locked)?;
    drop(first);
    ok("acquire when the first is gone", second.acquire()).map(drop)
}

pub(super) fn terms_grow(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let mut last = 0;
    for n in 0..4 {
        let journal = storage.open();
        let term = ok("acquire", journal.acquire())?.term;
        if term <= last {
            return Err(format!("the term is {term} after a group of term {last}"));
        }
        ok("append", append(&*journal, &Draft::small(n)))?;
        last = term;
    }
    Ok(())
}

pub(super) fn again_is_a_new_term(fresh: &Fresh<'_>) -> Verdict {
    let journal = fresh().open();
    let first = ok("acquire", journal.acquire())?.term;
    let old = ok("place", journal.place(Draft::small(0).extent_bytes()))?;
    let second = ok("acquire again", journal.acquire())?.term;
    if second <= first {
        return Err(format!("the second turn has term {second}, the first had {first}"));
    }
    refused("append with a place of the first turn", journal.append(&Draft::small(0).seal(&old)), Code::Conflict)?;
    ok("append", append(&*journal, &Draft::small(0))).map(drop)
}

pub(super) fn survey_changes_nothing(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    same("last group of an empty journal", ok("survey", storage.open().survey())?.last, None)?;
    let writer = storage.open();
    ok("acquire", writer.acquire())?;
    for n in 0..3 {
        let place = ok("place", writer.place(Draft::small(n).extent_bytes()))?;
        let extent = Draft::small(n).seal(&place);
        let _before = ok("survey by another handle", storage.open().survey())?;
        ok("append at a place given before", writer.append(&extent))?;
        for tail in [ok("survey", storage.open().survey())?, ok("survey by the writer", writer.survey())?] {
            same("last group", tail.last, Some(header(&extent)?))?;
            same("term", tail.term, place.term)?;
            same("tears", tail.tears, vec![])?;
        }
    }
    Ok(())
}

pub(super) fn placing_needs_the_turn(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    refused("place", storage.open().place(512), Code::ReadOnly)?;
    let journal = storage.open();
    ok("acquire", journal.acquire())?;
    ok("place", journal.place(512))?;
    refused("place by a second handle", storage.open().place(512), Code::ReadOnly)
}

pub(super) fn appending_needs_the_turn(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let journal = storage.open();
    ok("acquire", journal.acquire())?;
    let place: Place = ok("place", journal.place(Draft::small(0).extent_bytes()))?;
    let extent = Draft::small(0).seal(&place);
    refused("append by a second handle", storage.open().append(&extent), Code::ReadOnly)?;
    ok("append by the first", journal.append(&extent))
}
