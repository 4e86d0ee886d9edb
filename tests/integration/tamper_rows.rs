//! sled's files and the quarantine under edits. A map of the database tells what must come of an edit: rows that cannot be
//! read are put aside and built from the journal, and nothing else is hit by it.

use crate::support::tamper::base::Base;
use crate::support::tamper::dice::Dice;
use crate::support::tamper::edits::Kind::{self, *};
use crate::support::tamper::edits::{Edited, Step, Target, delete, put};
use crate::support::tamper::expect::{Case, Expect};
use crate::support::tamper::sled_map::{Left, SledMap};
use crate::support::tamper::table::Wanted;

const DB: &str = "sled db";
const CONF: &str = "sled conf";
const SNAP: &str = "sled snap";
const QUARANTINE: &str = "quarantine";

pub const WANTED: Wanted = &[
    (
        DB,
        &[
            (Flip, 18),
            (ZeroRun, 7),
            (ZeroBlock, 5),
            (Truncate, 7),
            (Swap, 4),
            (Delete, 1),
            (Older, 1),
            (Append, 1),
            (Foreign, 1),
        ],
    ),
    (CONF, &[(Flip, 5), (ZeroRun, 1), (ZeroBlock, 1), (Truncate, 3), (Swap, 2), (Delete, 1), (Append, 1)]),
    (
        SNAP,
        &[
            (Flip, 5),
            (ZeroRun, 1),
            (ZeroBlock, 1),
            (Truncate, 3),
            (Swap, 1),
            (Delete, 1),
            (Older, 2),
            (Append, 1),
            (Foreign, 1),
        ],
    ),
    (
        QUARANTINE,
        &[(Flip, 1), (ZeroRun, 1), (ZeroBlock, 1), (Truncate, 1), (Swap, 2), (Delete, 1), (Older, 1), (Append, 1)],
    ),
];

const DB_PATH: &str = "ledger/index/db";
const CONF_PATH: &str = "ledger/index/conf";
const ASIDE: &str = "ledger/quarantine/index-1";

pub fn cases(base: &Base, dice: &mut Dice) -> Vec<Case> {
    let mut out = Vec::new();
    let snap = snapshot(base);
    database(base, dice, &snap, &mut out);
    conf(base, dice, &mut out);
    snapshots(base, dice, &snap, &mut out);
    quarantine(base, dice, &mut out);
    out
}

/// sled's one snapshot.
fn snapshot(base: &Base) -> String {
    let mut paths = base.map.files.keys().map(|p| p.to_str().unwrap());
    paths.find(|p| p.starts_with("ledger/index/snap.")).expect("sled left a snapshot").to_owned()
}

fn database(base: &Base, dice: &mut Dice, snap: &str, out: &mut Vec<Case>) {
    let db = Target::new(base, DB_PATH);
    let map = SledMap::read(&db.bytes, snap.rsplit('/').next().unwrap());
    let all = 0..db.bytes.len() as u64;
    let tail = map.end..all.end;
    let mut edits =
        vec![db.flip(dice, &map.header), db.flip_at(3, 7), db.flip_at(map.end - 1, 0), db.flip_at(map.end, 0)];
    for of in [&map.used, &map.used, &map.used, &map.used, &map.past, &map.past] {
        let range = dice.one(of).clone();
        edits.push(db.flip(dice, &range));
        // The checksum, the kind, and how long it is.
        edits.push(db.flip_at(range.start + dice.below(6), dice.below(8)));
    }
    edits.extend((0..2).map(|_| db.flip(dice, &tail)));
    for of in [&map.used, &map.used, &map.past] {
        let range = dice.one(of).clone();
        edits.push(db.zero_run(dice, &range));
        let range = dice.one(of).clone();
        edits.push(db.zero_all(ZeroRun, &range));
    }
    for of in [&map.used, &map.used, &map.used, &map.past, &map.past] {
        let range = dice.one(of).clone();
        edits.push(db.zero_block(dice, &range));
    }
    edits.extend([db.cut(0), db.cut(1), db.cut(map.end - 1), db.cut(map.end), db.cut(all.end / 2)]);
    edits.extend([db.cut_within(dice, &(0..map.end)), db.cut_within(dice, &tail)]);
    for of in [&map.used, &map.past] {
        // Of one length, each would be whole in the other's place.
        let (a, b) = loop {
            let (a, b) = dice.two(of);
            if a.end - a.start != b.end - b.start {
                break (a, b);
            }
        };
        edits.push(db.swap(a, b));
    }
    edits.push(db.swap(&(0..4096), &(8192..12_288)));
    edits.push(db.append(dice.bytes(5000)));
    edits.push(db.zero_all(ZeroRun, &map.header));
    let case = |edit: Edited| {
        let expect = match map.left(&db.bytes, &edit.after) {
            Left::Whole => Expect::harmless(),
            Left::Passed => Expect::rows_that_fall_behind(),
            Left::Unreadable => Expect::unreadable_rows(),
        };
        Case::of(DB, edit, expect)
    };
    out.extend(edits.into_iter().map(case));
    for edit in [delete(DB_PATH), put(Older, &base.older, DB_PATH), put(Foreign, &base.other, DB_PATH)] {
        out.push(Case::whole(DB, edit, Expect::unreadable_rows()));
    }
    let exchange = Step::Exchange { a: DB_PATH.into(), b: snap.into() };
    let words = "the database and its snapshot changed places".to_owned();
    out.push(Case::whole(DB, (Swap, words, exchange), Expect::unreadable_rows()));
}

/// Edits of a small file.
fn small(dice: &mut Dice, target: &Target) -> Vec<Edited> {
    let all = 0..target.bytes.len() as u64;
    let mut edits: Vec<_> = (0..4).map(|_| target.flip(dice, &all)).collect();
    edits.push(target.zero_run(dice, &all));
    edits.push(target.zero_block(dice, &all));
    edits.push(target.swap(&(0..8), &(16..24)));
    edits.extend([target.cut(0), target.cut(all.end / 2), target.cut(all.end - 1), target.append(dice.bytes(9))]);
    edits
}

/// What sled was made with. Without it sled makes it anew, the same; of a wrong checksum, its last four bytes, it only warns.
fn conf(base: &Base, dice: &mut Dice, out: &mut Vec<Case>) {
    let target = Target::new(base, CONF_PATH);
    let meant = meaning(&target.bytes);
    assert_eq!(meant.as_ref().map(|lines| lines.len()), Some(3));
    let mut edits = small(dice, &target);
    edits.push(target.flip(dice, &(target.bytes.len() as u64 - 4..target.bytes.len() as u64)));
    for edit in edits {
        let is_same = edit.after.len() <= 8 || meaning(&edit.after) == meant;
        let expect = if is_same { Expect::harmless() } else { Expect::unreadable_rows() };
        out.push(Case::of(CONF, edit, expect));
    }
    out.push(Case::whole(CONF, delete(CONF_PATH), Expect::harmless()));
    let exchange = Step::Exchange { a: CONF_PATH.into(), b: DB_PATH.into() };
    let words = "what sled was made with and the database changed places".to_owned();
    out.push(Case::whole(CONF, (Swap, words, exchange), Expect::unreadable_rows()));
}

/// The lines of the file: a name, a value behind a colon. The last four bytes are a checksum.
fn meaning(conf: &[u8]) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(&conf[..conf.len() - 4]).ok()?;
    let line = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    text.lines().map(line).collect()
}

/// Where the pages are. Without it sled reads all that the database was, and comes to the same.
fn snapshots(base: &Base, dice: &mut Dice, snap: &str, out: &mut Vec<Case>) {
    let target = Target::new(base, snap);
    // Behind the pages stand their length, which nobody reads, and a checksum of them.
    let length = target.bytes.len() - 12..target.bytes.len() - 4;
    let mut edits = small(dice, &target);
    edits.push(target.flip(dice, &(length.start as u64..length.end as u64)));
    for edit in edits {
        let same = |range: std::ops::Range<usize>| edit.after[range.clone()] == target.bytes[range];
        let is_same =
            edit.after.len() == target.bytes.len() && same(0..length.start) && same(length.end..length.end + 4);
        let expect = if is_same { Expect::harmless() } else { Expect::unreadable_rows() };
        out.push(Case::of(SNAP, edit, expect));
    }
    out.push(Case::whole(SNAP, delete(snap), Expect::harmless()));
    let mut other = |kind: Kind, words: &str, step: Step, expect: Expect| {
        let steps = vec![Step::Remove { path: snap.to_owned() }, step];
        out.push(Case { file: SNAP, kind, words: words.to_owned(), steps, expect });
    };
    // From where it ends sled reads on in the database.
    let from = base.snapshot.clone().unwrap();
    let path = format!("ledger/index/{}", from.file_name().unwrap().to_str().unwrap());
    assert_ne!(path, snap, "rows came after it");
    let put = |path: &str| Step::Put { path: path.to_owned(), from: from.clone() };
    other(Older, "its older copy in its place", put(&path), Expect::harmless());
    other(Older, "its older copy under its name", put(snap), Expect::harmless());
    let theirs = std::fs::read(base.other.join(DB_PATH)).unwrap()[..69].to_vec();
    let plant = Step::Plant { path: snap.to_owned(), bytes: theirs };
    other(Foreign, "the beginning of another ledger's database", plant, Expect::unreadable_rows());
}

/// What was put aside is kept, never read.
fn quarantine(base: &Base, dice: &mut Dice, out: &mut Vec<Case>) {
    let path = format!("{ASIDE}/db");
    let db = Target::new(base, &path);
    let all = 0..db.bytes.len() as u64;
    let edits = [
        db.flip(dice, &all),
        db.zero_run(dice, &all),
        db.zero_block(dice, &all),
        db.cut_within(dice, &all),
        db.append(dice.bytes(77)),
    ];
    out.extend(edits.into_iter().map(|e| Case::of(QUARANTINE, e, Expect::harmless())));
    let exchange = Step::Exchange { a: path.clone(), b: format!("{ASIDE}/conf") };
    let whole = [
        (Swap, "two files changed places".to_owned(), exchange),
        (
            Swap,
            "exchanged with the rows' folder".to_owned(),
            Step::Exchange { a: ASIDE.into(), b: "ledger/index".into() },
        ),
        (Older, "an older database in it".to_owned(), Step::Put { path, from: base.older.join(DB_PATH) }),
        delete("ledger/quarantine"),
    ];
    for (kind, words, step) in whole {
        let hits_rows = words.contains("rows");
        let expect = if hits_rows { Expect::unreadable_rows() } else { Expect::harmless() };
        out.push(Case::whole(QUARANTINE, (kind, words, step), expect));
    }
}
