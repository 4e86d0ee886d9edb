//! Clauses about reading.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::Storage;
use super::material::{Draft, append, header, read_all};
use crate::store::conformance::clause::{Open, ok, same};
use crate::store::contracts::{Journal, Position};

type Fresh<'a> = Open<'a, dyn Storage>;
type Verdict = Result<(), String>;

const START: Position = Position { segment: 1, offset: 0 };

/// Groups enough for several segments of the smallest length.
fn filled(storage: &dyn Storage) -> Result<Vec<Vec<u8>>, String> {
    let journal = storage.open();
    ok("acquire", journal.acquire())?;
    let draft = |n| Draft { entry_bytes: if n % 3 == 0 { 300_000 } else { 500 }, ..Draft::small(n) };
    (0..30).map(|n| ok("append", append(&*journal, &draft(n)))).collect()
}

pub(super) fn needs_no_turn(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    same("read of an empty journal", ok("read", storage.open().read(START))?, None)?;
    let writer = storage.open();
    ok("acquire", writer.acquire())?;
    let extent = ok("append", append(&*writer, &Draft::small(0)))?;
    let found = ok("read without the turn", read_all(&*storage.open()))?;
    same("groups while another writes", found, vec![extent.clone()])?;
    drop(writer);
    same("groups afterwards", ok("read without the turn", read_all(&*storage.open()))?, vec![extent])
}

pub(super) fn every_group_in_order(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let groups = filled(&*storage)?;
    let found = ok("read", read_all(&*storage.open()))?;
    same("number of groups", found.len(), groups.len())?;
    match found.iter().zip(&groups).position(|(found, written)| found != written) {
        Some(number) => Err(format!("group {number} is not the one that was written")),
        None => Ok(()),
    }
}

pub(super) fn goes_on_from_anywhere(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let groups = filled(&*storage)?;
    let mut asked = Vec::new();
    let (reader, mut at) = (storage.open(), START);
    while let Some((position, extent, next)) = ok("read", reader.read(at))? {
        let group = header(&extent)?;
        let stands = Position { segment: group.segment, offset: group.offset };
        same("position", position, stands)?;
        asked.push((at, position));
        at = next;
    }
    // Backwards, and by a handle that has read nothing, so that nothing is remembered.
    let reader = storage.open();
    for ((at, position), wanted) in asked.into_iter().zip(&groups).rev() {
        for from in [at, position] {
            match ok("read", reader.read(from))? {
                Some((found, extent, _)) if found == position && extent == *wanted => {}
                _ => return Err(format!("another group than before is read from {from:?}")),
            }
        }
    }
    Ok(())
}

pub(super) fn ends_and_goes_on(fresh: &Fresh<'_>) -> Verdict {
    let storage = fresh();
    let (writer, reader) = (storage.open(), storage.open());
    ok("acquire", writer.acquire())?;
    let mut at = START;
    for n in 0..12 {
        same("read at the end", ok("read", reader.read(at))?.map(|(at, _, _)| at), None)?;
        same("read at the end again", ok("read", reader.read(at))?.map(|(at, _, _)| at), None)?;
        let extent = ok("append", append(&*writer, &Draft { entry_bytes: 200_000, ..Draft::small(n) }))?;
        match ok("read", reader.read(at))? {
            Some((_, found, next)) if found == extent => at = next,
            _ => return Err(format!("group {n} is not read at what was the end before")),
        }
    }
    Ok(())
}

pub(super) fn many_readers(fresh: &Fresh<'_>) -> Verdict {
    const GROUPS: u64 = 40;
    let storage = fresh();
    let writer = storage.open();
    ok("acquire", writer.acquire())?;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let own = (0..2).map(|_| scope.spawn(|| follow(&*writer, &done)));
        let others = (0..2).map(|_| scope.spawn(|| follow(&*storage.open(), &done)));
        let readers: Vec<_> = own.chain(others).collect();
        let written = (0..GROUPS).try_for_each(|n| {
            let entry_bytes = if n % 7 == 0 { 200_000 } else { 900 };
            ok("append", append(&*writer, &Draft { entry_bytes, ..Draft::small(n) })).map(drop)
        });
        done.store(true, Ordering::Release);
        let counts: Vec<_> =
            readers.into_iter().map(|r| r.join().map_err(|_| "a reader panicked".to_owned())).collect();
        written?;
        for count in counts {
            same("groups that a reader saw", count??, GROUPS)?;
        }
        Ok(())
    })
}

/// Reads what comes until the writer is done; the groups, which must be in order and whole.
fn follow(journal: &dyn Journal, done: &AtomicBool) -> Result<u64, String> {
    let (mut at, mut count) = (START, 0);
    loop {
        let was_done = done.load(Ordering::Acquire);
        while let Some((_, extent, next)) = ok("read while another writes", journal.read(at))? {
            same("first entry", header(&extent)?.first_index, count)?;
            count = count.saturating_add(1);
            at = next;
        }
        if was_done {
            return Ok(count);
        }
        thread::yield_now();
    }
}
