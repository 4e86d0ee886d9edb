//! sled's files and the quarantine under edits. Whatever sled makes of them, the log is served whole: what it cannot
//! read is built again from the journal, and afterwards a check finds nothing.

use crate::support::tamper::base::Base;
use crate::support::tamper::dice::Dice;
use crate::support::tamper::edits::Kind::{self, *};
use crate::support::tamper::edits::{Step, Target, delete, put};
use crate::support::tamper::expect::{Case, Expect};

const DB: &str = "sled db";
const CONF: &str = "sled conf";
const SNAP: &str = "sled snap";
const QUARANTINE: &str = "quarantine";

pub const WANTED: &[(&str, &[Kind])] = &[
    (DB, &[Flip, ZeroRun, ZeroBlock, Truncate, Swap, Delete, Older, Append, Foreign]),
    (CONF, &[Flip, ZeroRun, Truncate, Swap, Delete, Append]),
    (SNAP, &[Flip, ZeroRun, Truncate, Swap, Delete, Append, Foreign]),
    (QUARANTINE, &[Flip, Truncate, Delete, Append]),
];

const DB_PATH: &str = "ledger/index/db";
const CONF_PATH: &str = "ledger/index/conf";

pub fn cases(base: &Base, dice: &mut Dice) -> Vec<Case> {
    let mut out = Vec::new();
    let snap = base.map.files.keys().map(|p| p.to_str().unwrap()).find(|p| p.starts_with("ledger/index/snap."));
    let snap = snap.expect("sled left a snapshot").to_owned();
    database(base, dice, &mut out);
    for (file, path) in [(CONF, CONF_PATH), (SNAP, snap.as_str())] {
        small(base, dice, file, path, &mut out);
    }
    let theirs = std::fs::read(base.other.join(DB_PATH)).unwrap();
    let snapshot =
        vec![Step::Remove { path: snap.clone() }, Step::Plant { path: snap.clone(), bytes: theirs[..69].to_vec() }];
    let words = "the snapshot is the beginning of another ledger's database".to_owned();
    out.push(Case { file: SNAP, kind: Foreign, words, steps: snapshot, expect: Expect::rows() });
    quarantine(base, dice, &mut out);
    out
}

fn database(base: &Base, dice: &mut Dice, out: &mut Vec<Case>) {
    let db = Target::new(base, DB_PATH);
    let all = 0..db.bytes.len() as u64;
    let used: Vec<u64> = (0..all.end).filter(|at| db.bytes[*at as usize] != 0).collect();
    let around = |at: u64| at..(at + 1).min(all.end);
    let mut edits = Vec::new();
    for _ in 0..8 {
        let at = *dice.one(&used);
        edits.push(db.flip(dice, &around(at)));
    }
    edits.extend((0..2).map(|_| db.flip(dice, &all)));
    for _ in 0..4 {
        let at = *dice.one(&used);
        edits.push(db.zero_run(dice, &(at..(at + 64).min(all.end))));
    }
    for _ in 0..5 {
        let at = *dice.one(&used);
        edits.push(db.zero_block(dice, &around(at)));
    }
    edits.extend([db.cut(0), db.cut(1), db.cut(all.end / 2), db.cut_within(dice, &all)]);
    for _ in 0..2 {
        let (a, b) = (dice.one(&used) / 4096 * 4096, dice.one(&used) / 4096 * 4096);
        if a != b {
            edits.push(db.swap(&(a..a + 4096), &(b..b + 4096)));
        }
    }
    edits.push(db.swap(&(0..4096), &(8192..12_288)));
    edits.push(db.append(dice.bytes(5000)));
    out.extend(edits.into_iter().map(|e| Case::of(DB, e, Expect::rows())));
    out.push(Case::whole(DB, delete(DB_PATH), Expect::rows()));
    out.push(Case::whole(DB, put(Older, &base.older, DB_PATH), Expect::rows()));
    out.push(Case::whole(DB, put(Foreign, &base.other, DB_PATH), Expect::rows()));
}

fn small(base: &Base, dice: &mut Dice, file: &'static str, path: &str, out: &mut Vec<Case>) {
    let target = Target::new(base, path);
    let all = 0..target.bytes.len() as u64;
    let mut edits: Vec<_> = (0..4).map(|_| target.flip(dice, &all)).collect();
    edits.push(target.zero_run(dice, &all));
    edits.push(target.swap(&(0..8), &(16..24)));
    edits.extend([target.cut(0), target.cut(all.end / 2), target.append(dice.bytes(9))]);
    out.extend(edits.into_iter().map(|e| Case::of(file, e, Expect::rows())));
    out.push(Case::whole(file, delete(path), Expect::rows()));
}

/// What was put aside is kept, never read.
fn quarantine(base: &Base, dice: &mut Dice, out: &mut Vec<Case>) {
    let path = "ledger/quarantine/index-1/db";
    let db = Target::new(base, path);
    let all = 0..db.bytes.len() as u64;
    let edits = [db.flip(dice, &all), db.cut_within(dice, &all), db.append(dice.bytes(77))];
    out.extend(edits.into_iter().map(|e| Case::of(QUARANTINE, e, Expect::harmless())));
    out.push(Case::whole(QUARANTINE, delete("ledger/quarantine"), Expect::harmless()));
}
