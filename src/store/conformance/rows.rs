//! The clauses of [`Rows`].

use std::thread;

use super::clause::{Clause, Open, ok, refused, same};
use crate::codec::limits::{ROW_KEY_BYTES_MAX, ROW_VALUE_BYTES_MAX};
use crate::error::{Code, Error};
use crate::store::contracts::{Batch, Rows};

type Fresh<'a> = Open<'a, dyn Rows>;
type Verdict = Result<(), String>;
type Row = (Vec<u8>, Vec<u8>);

/// Clauses on engines that each begin empty.
pub const CLAUSES: &[Clause<dyn Rows>] = &[
    Clause { name: "apply: puts are there", check: puts_are_there },
    Clause { name: "apply: a put replaces", check: put_replaces },
    Clause { name: "apply: removes are gone", check: removes_are_gone },
    Clause { name: "apply: stores the position", check: position_is_stored },
    Clause { name: "apply: the longest key and value fit", check: longest_fit },
    Clause { name: "apply: a longer value is refused", check: longer_value_refused },
    Clause { name: "apply: a longer key is refused", check: longer_key_refused },
    Clause { name: "apply: all or nothing", check: all_or_nothing },
    Clause { name: "is_there: yes once something was applied", check: is_there_when_used },
    Clause { name: "is_there: asking makes nothing", check: asking_makes_nothing },
    Clause { name: "position: none at first", check: no_position },
    Clause { name: "get: none for another key", check: none_for_another },
    Clause { name: "scan: from <= key", check: scan_begins },
    Clause { name: "scan: key < to", check: scan_ends },
    Clause { name: "scan: ascending, each once", check: scan_ascends },
    Clause { name: "scan: stops at false", check: scan_stops },
    Clause { name: "scan: stops at the first error", check: scan_passes_errors },
    Clause { name: "scan: nothing between the wrong ends", check: scan_of_nothing },
    Clause { name: "floor: the greatest that is <= key", check: floor_is_greatest },
    Clause { name: "floor: and >= floor", check: floor_has_a_floor },
    Clause { name: "flush: changes nothing", check: flush_changes_nothing },
    Clause { name: "reset: empty and in use", check: reset_empties },
    Clause { name: "concurrent: a key is seen before or after a batch", check: readers_while_applying },
];

/// Clauses on one engine that is opened again: each call of the closure opens the same store, and the one before
/// is dropped first.
pub const LASTING: &[Clause<dyn Rows>] = &[
    Clause { name: "flush: what was applied lasts", check: flushed_lasts },
    Clause { name: "is_there: yes in the next run", check: is_there_later },
    Clause { name: "reset: the old rows are put aside, the new ones last", check: reset_lasts },
];

fn row(key: &str, value: &str) -> Row {
    (key.as_bytes().to_vec(), value.as_bytes().to_vec())
}

fn puts(puts: &[(&str, &str)]) -> Batch {
    Batch { puts: puts.iter().map(|(key, value)| row(key, value)).collect(), removes: vec![] }
}

fn all(rows: &dyn Rows, from: &[u8], to: &[u8]) -> Result<Vec<Row>, String> {
    let mut seen = Vec::new();
    let each = &mut |key: &[u8], value: &[u8]| {
        seen.push((key.to_vec(), value.to_vec()));
        Ok(true)
    };
    ok("scan", rows.scan(from, to, each))?;
    Ok(seen)
}

fn value(rows: &dyn Rows, key: &str) -> Result<Option<Vec<u8>>, String> {
    ok("get", rows.get(key.as_bytes()))
}

/// Five rows: `ta`, `tb`, `tbb`, `tc`, `u`; their values are their keys in capitals.
fn five(fresh: &Fresh<'_>) -> Result<Box<dyn Rows>, String> {
    let rows = fresh();
    // In no order, and over two batches.
    ok("apply", rows.apply(puts(&[("tc", "TC"), ("ta", "TA"), ("u", "U")]), b"1"))?;
    ok("apply", rows.apply(puts(&[("tbb", "TBB"), ("tb", "TB")]), b"2"))?;
    Ok(rows)
}

fn puts_are_there(fresh: &Fresh<'_>) -> Verdict {
    let rows = fresh();
    ok("apply", rows.apply(puts(&[("a", "1"), ("b", "")]), b"pos"))?;
    same("a", value(&*rows, "a")?, Some(b"1".to_vec()))?;
    same("an empty value", value(&*rows, "b")?, Some(vec![]))
}

fn put_replaces(fresh: &Fresh<'_>) -> Verdict {
    let rows = fresh();
    ok("apply", rows.apply(puts(&[("a", "1")]), b"1"))?;
    ok("apply", rows.apply(puts(&[("a", "2")]), b"2"))?;
    same("a", value(&*rows, "a")?, Some(b"2".to_vec()))
}

fn removes_are_gone(fresh: &Fresh<'_>) -> Verdict {
    let rows = five(fresh)?;
    let batch = Batch { puts: vec![row("new", "NEW")], removes: vec![b"tb".to_vec(), b"never there".to_vec()] };
    ok("apply", rows.apply(batch, b"3"))?;
    same("tb", value(&*rows, "tb")?, None)?;
    same("tbb", value(&*rows, "tbb")?, Some(b"TBB".to_vec()))?;
    same("new", value(&*rows, "new")?, Some(b"NEW".to_vec()))?;
    same("scan", all(&*rows, b"t", b"u")?, vec![row("ta", "TA"), row("tbb", "TBB"), row("tc", "TC")])
}

fn position_is_stored(fresh: &Fresh<'_>) -> Verdict {
    let rows = fresh();
    for position in [b"first".as_slice(), b"", b"third"] {
        ok("apply", rows.apply(Batch::default(), position))?;
        same("position", ok("position", rows.position())?, Some(position.to_vec()))?;
    }
    let forged = Batch { puts: vec![row("p", "forged")], removes: vec![b"p".to_vec()] };
    ok("apply", rows.apply(forged, b"true"))?;
    same("position", ok("position", rows.position())?, Some(b"true".to_vec()))
}

fn longest_fit(fresh: &Fresh<'_>) -> Verdict {
    let rows = fresh();
    let longest = (vec![b'k'; ROW_KEY_BYTES_MAX], vec![b'v'; ROW_VALUE_BYTES_MAX]);
    let batch = Batch { puts: vec![longest.clone()], removes: vec![vec![b'r'; ROW_KEY_BYTES_MAX]] };
    ok("apply", rows.apply(batch, &vec![b'p'; ROW_VALUE_BYTES_MAX]))?;
    same("get", ok("get", rows.get(&longest.0))?, Some(longest.1))
}

fn longer_value_refused(fresh: &Fresh<'_>) -> Verdict {
    let rows = fresh();
    let long = vec![0; ROW_VALUE_BYTES_MAX.saturating_add(1)];
    let batch = Batch { puts: vec![(b"a".to_vec(), long.clone())], removes: vec![] };
    refused("value", rows.apply(batch, b"1"), Code::Limit)?;
    refused("position", rows.apply(Batch::default(), &long), Code::Limit)?;
    same("position", ok("position", rows.position())?, None)
}

fn longer_key_refused(fresh: &Fresh<'_>) -> Verdict {
    let rows = fresh();
    let long = vec![0; ROW_KEY_BYTES_MAX.saturating_add(1)];
    let batch = Batch { puts: vec![(long.clone(), vec![])], removes: vec![] };
    refused("key of a put", rows.apply(batch, b"1"), Code::Limit)?;
    let batch = Batch { puts: vec![], removes: vec![long] };
    refused("key of a remove", rows.apply(batch, b"1"), Code::Limit)?;
    same("position", ok("position", rows.position())?, None)
}

fn all_or_nothing(fresh: &Fresh<'_>) -> Verdict {
    let rows = five(fresh)?;
    let long = vec![0; ROW_VALUE_BYTES_MAX.saturating_add(1)];
    let batch = Batch { puts: vec![row("ta", "changed"), (b"z".to_vec(), long)], removes: vec![b"tb".to_vec()] };
    refused("apply", rows.apply(batch, b"3"), Code::Limit)?;
    same("ta", value(&*rows, "ta")?, Some(b"TA".to_vec()))?;
    same("tb", value(&*rows, "tb")?, Some(b"TB".to_vec()))?;
    same("position", ok("position", rows.position())?, Some(b"2".to_vec()))?;
    ok("a refusal leaves the rows in use", rows.apply(puts(&[("ta", "later")]), b"4"))
}

fn is_there_when_used(fresh: &Fresh<'_>) -> Verdict {
    let rows = five(fresh)?;
    same("after a batch", rows.is_there(), true)?;
    ok("flush", rows.flush())?;
    same("after a flush", rows.is_there(), true)?;
    ok("reset", rows.reset())?;
    ok("apply", rows.apply(puts(&[("a", "1")]), b"1"))?;
    same("after a reset and a batch", rows.is_there(), true)
}

fn asking_makes_nothing(fresh: &Fresh<'_>) -> Verdict {
    let rows = fresh();
    let first = rows.is_there();
    for _ in 0..3 {
        same("asked again", rows.is_there(), first)?;
    }
    same("position", ok("position", rows.position())?, None)
}

fn no_position(fresh: &Fresh<'_>) -> Verdict {
    same("position", ok("position", fresh().position())?, None)
}

fn none_for_another(fresh: &Fresh<'_>) -> Verdict {
    let rows = five(fresh)?;
    for key in ["", "t", "tbbb", "T"] {
        same(key, value(&*rows, key)?, None)?;
    }
    Ok(())
}

fn scan_begins(fresh: &Fresh<'_>) -> Verdict {
    let rows = five(fresh)?;
    let from = |from: &str| Ok::<_, String>(all(&*rows, from.as_bytes(), b"v")?.first().map(|(key, _)| key.clone()));
    same("at a key", from("tb")?, Some(b"tb".to_vec()))?;
    same("between keys", from("tba")?, Some(b"tbb".to_vec()))?;
    same("behind the last", from("ua")?, None)
}

fn scan_ends(fresh: &Fresh<'_>) -> Verdict {
    let rows = five(fresh)?;
    let to = |to: &str| Ok::<_, String>(all(&*rows, b"t", to.as_bytes())?.last().map(|(key, _)| key.clone()));
    same("before a key", to("tbb")?, Some(b"tb".to_vec()))?;
    same("between keys", to("tbc")?, Some(b"tbb".to_vec()))?;
    same("before the first", to("ta")?, None)
}

fn scan_ascends(fresh: &Fresh<'_>) -> Verdict {
    let rows = five(fresh)?;
    let wanted = vec![row("ta", "TA"), row("tb", "TB"), row("tbb", "TBB"), row("tc", "TC"), row("u", "U")];
    same("five", all(&*rows, b"t", b"v")?, wanted)?;
    let many = (0..2_000u32).rev().map(|n| (n.to_be_bytes().to_vec(), n.to_le_bytes().to_vec())).collect();
    ok("apply", rows.apply(Batch { puts: many, removes: vec![] }, b"3"))?;
    let wanted: Vec<Row> = (0..2_000u32).map(|n| (n.to_be_bytes().to_vec(), n.to_le_bytes().to_vec())).collect();
    same("many", all(&*rows, &[0], &[1])?, wanted)
}

fn scan_stops(fresh: &Fresh<'_>) -> Verdict {
    let rows = five(fresh)?;
    let mut seen = 0u32;
    let each = &mut |_: &[u8], _: &[u8]| {
        seen = seen.saturating_add(1);
        Ok(seen < 2)
    };
    ok("scan", rows.scan(b"t", b"v", each))?;
    same("rows seen", seen, 2)
}

fn scan_passes_errors(fresh: &Fresh<'_>) -> Verdict {
    let rows = five(fresh)?;
    let mut seen = 0u32;
    let each = &mut |_: &[u8], _: &[u8]| {
        seen = seen.saturating_add(1);
        Err(Error::new(Code::EmptyInput, "the caller's own"))
    };
    refused("scan", rows.scan(b"t", b"v", each), Code::EmptyInput)?;
    same("rows seen", seen, 1)?;
    same("a caller's error is no fault of the rows", value(&*rows, "ta")?, Some(b"TA".to_vec()))
}

fn scan_of_nothing(fresh: &Fresh<'_>) -> Verdict {
    let rows = five(fresh)?;
    same("from = to", all(&*rows, b"ta", b"ta")?, vec![])?;
    same("from > to", all(&*rows, b"u", b"ta")?, vec![])
}

fn floor_is_greatest(fresh: &Fresh<'_>) -> Verdict {
    let rows = five(fresh)?;
    let floor = |key: &str| ok("floor", rows.floor(b"t", key.as_bytes()));
    same("at a key", floor("tb")?, Some(row("tb", "TB")))?;
    same("between keys", floor("tba")?, Some(row("tb", "TB")))?;
    same("behind all", floor("zz")?, Some(row("u", "U")))?;
    same("before all", floor("t")?, None)
}

fn floor_has_a_floor(fresh: &Fresh<'_>) -> Verdict {
    let rows = five(fresh)?;
    let floor = |floor: &str, key: &str| ok("floor", rows.floor(floor.as_bytes(), key.as_bytes()));
    same("at the floor", floor("tb", "tba")?, Some(row("tb", "TB")))?;
    same("below it", floor("tba", "tba")?, None)?;
    same("upside down", floor("u", "tc")?, None)
}

fn flush_changes_nothing(fresh: &Fresh<'_>) -> Verdict {
    let rows = five(fresh)?;
    let before = all(&*rows, b"", b"\xff")?;
    ok("flush", rows.flush())?;
    ok("flush again", rows.flush())?;
    same("rows", all(&*rows, b"", b"\xff")?, before)
}

fn reset_empties(fresh: &Fresh<'_>) -> Verdict {
    let rows = five(fresh)?;
    ok("reset", rows.reset())?;
    same("rows", all(&*rows, b"", b"\xff")?, vec![])?;
    same("position", ok("position", rows.position())?, None)?;
    ok("apply", rows.apply(puts(&[("a", "1")]), b"1"))?;
    ok("reset again", rows.reset())?;
    same("a", value(&*rows, "a")?, None)
}

fn readers_while_applying(fresh: &Fresh<'_>) -> Verdict {
    let rows = fresh();
    let long = |n: u8| vec![n; 1_000];
    ok("apply", rows.apply(Batch { puts: vec![(b"k".to_vec(), long(0))], removes: vec![] }, &[0]))?;
    let rows = &*rows;
    thread::scope(|scope| {
        let read = || -> Verdict {
            let mut last = 0;
            for _ in 0..500 {
                let seen = ok("get while applying", rows.get(b"k"))?.unwrap_or_default();
                let n = seen.first().copied().unwrap_or_default();
                same("a value in one piece", seen, long(n))?;
                same("values never go back", n >= last, true)?;
                last = n;
            }
            Ok(())
        };
        let readers = [scope.spawn(read), scope.spawn(read)];
        for n in 1..=100u8 {
            ok(
                "apply while reading",
                rows.apply(Batch { puts: vec![(b"k".to_vec(), long(n))], removes: vec![] }, &[n]),
            )?;
        }
        readers.into_iter().try_for_each(|r| r.join().unwrap_or_else(|_| Err("a reader panicked".to_owned())))
    })
}

fn flushed_lasts(again: &Fresh<'_>) -> Verdict {
    for round in 0..3u8 {
        let rows = again();
        let batch = Batch { puts: vec![(vec![b't', round], vec![round; 700])], removes: vec![] };
        ok("apply", rows.apply(batch, &[round]))?;
        ok("flush", rows.flush())?;
        drop(rows);
        let rows = again();
        same("position", ok("position", rows.position())?, Some(vec![round]))?;
        let wanted = (0..=round).map(|n| (vec![b't', n], vec![n; 700])).collect();
        same("rows", all(&*rows, b"t", b"u")?, wanted)?;
    }
    Ok(())
}

fn is_there_later(again: &Fresh<'_>) -> Verdict {
    let rows = again();
    ok("apply", rows.apply(puts(&[("a", "1")]), b"1"))?;
    ok("flush", rows.flush())?;
    drop(rows);
    // Before anything else was asked of it, and afterwards.
    let rows = again();
    same("before it was opened", rows.is_there(), true)?;
    same("a", value(&*rows, "a")?, Some(b"1".to_vec()))?;
    same("after it was opened", rows.is_there(), true)
}

fn reset_lasts(again: &Fresh<'_>) -> Verdict {
    let rows = again();
    ok("apply", rows.apply(puts(&[("old", "OLD")]), b"old"))?;
    let aside = ok("reset", rows.reset())?;
    same("the old rows are somewhere", aside.is_some(), true)?;
    ok("apply", rows.apply(puts(&[("new", "NEW")]), b"new"))?;
    ok("flush", rows.flush())?;
    drop(rows);
    let rows = again();
    same("old", value(&*rows, "old")?, None)?;
    same("new", value(&*rows, "new")?, Some(b"NEW".to_vec()))
}
