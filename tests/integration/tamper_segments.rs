//! A journal of several segments under edits: what binds one to the next, and one that is prepared and not begun.

use std::sync::Arc;

use immutape::Code;
use immutape::codec::digest::sha256;

use crate::support::tamper::base::{Base, long};
use crate::support::tamper::dice::{Dice, seed};
use crate::support::tamper::edits::Kind::*;
use crate::support::tamper::edits::{Edited, Step, Target, delete};
use crate::support::tamper::expect::{Case, Expect};
use crate::support::tamper::map::{groups, u64_at};
use crate::support::tamper::table::{self, Wanted};

const FIRST: &str = "ledger/journal/00000001.seg";
const SECOND: &str = "ledger/journal/00000002.seg";
const PREPARED: &str = "ledger/journal/00000003.seg";

const HEADER_2: &str = "header of segment 2";
const GROUPS_1: &str = "groups of segment 1 of 2";
const GROUPS_2: &str = "groups of segment 2 of 2";
const TAIL_1: &str = "tail of segment 1 of 2";
const EMPTY: &str = "prepared segment";
const FILES: &str = "segment files";

const WANTED: Wanted = &[
    (HEADER_2, &[(Flip, 2), (ZeroRun, 1), (Other, 11)]),
    (GROUPS_1, &[(Flip, 6), (ZeroRun, 1), (ZeroBlock, 1)]),
    (GROUPS_2, &[(Flip, 1), (ZeroRun, 1), (ZeroBlock, 1)]),
    (TAIL_1, &[(Flip, 3), (Foreign, 1)]),
    (EMPTY, &[(Flip, 3), (Truncate, 2), (Delete, 1), (Append, 1)]),
    (FILES, &[(Truncate, 3), (Swap, 2), (Delete, 3), (Older, 1), (Append, 1), (Foreign, 1)]),
];

#[test]
fn segments_under_edits() {
    let base = Arc::new(long());
    let seed = seed();
    let cases = Arc::new(cases(&base, &mut Dice::new(seed)));
    let gaps = table::gaps(&cases, WANTED);
    assert!(gaps.is_empty(), "{}", gaps.join("\n"));
    assert_eq!(table::not_told(&cases), [""; 0]);
    let (outcomes, wrong) = table::run(&base, &cases);
    println!("seed {seed}: {} edits of a journal of two segments\n{}", cases.len(), table::summary(&cases, &outcomes));
    assert!(wrong.is_empty(), "seed {seed}: {} came out otherwise:\n{}", wrong.len(), wrong.join("\n"));
}

fn cases(base: &Base, dice: &mut Dice) -> Vec<Case> {
    let mut out = Vec::new();
    let (first, second) = (Target::new(base, FIRST), Target::new(base, SECOND));
    let (end_1, end_2) = (end(&first.bytes), end(&second.bytes));
    let at = |offset: u64| format!("journal/00000001.seg offset {offset}");
    let broken = || Expect::refused(Code::LogDamaged, &["journal", "head"]);
    // What stands before the newest segment is not read at opening: a check finds it, and the rows serve.
    let found = || Expect::altered(&["journal", "head"]);

    for edit in [second.flip(dice, &(8..480)), second.flip(dice, &(480..512)), second.zero_run(dice, &(0..512))] {
        out.push(Case::of(HEADER_2, edit, broken().at(at(end_1))));
    }
    for (is_read_at_opening, edit) in headers(&second) {
        out.push(Case::of(HEADER_2, edit, if is_read_at_opening { broken() } else { found() }));
    }
    for _ in 0..3 {
        let group = dice.one(&base.map.groups[1..]);
        let range = group.extent.start..group.extent.start + 224;
        out.push(Case::of(GROUPS_1, first.flip(dice, &range), found().at(at(group.extent.start))));
        let entry = dice.one(&base.map.groups[1..]);
        out.push(Case::of(GROUPS_1, first.flip(dice, &entry.entries[0].sealed), found().at(at(entry.extent.start))));
    }
    let group = dice.one(&base.map.groups[1..]);
    out.push(Case::of(GROUPS_1, first.zero_run(dice, &group.entries[0].public), found().at(at(group.extent.start))));
    // The last group of segment 1, as a tear would leave it: segment 2 names no tear, so it is none.
    let last = base.map.groups.last().unwrap();
    out.push(Case::of(GROUPS_1, first.zero_all(ZeroBlock, &last.extent), found().at(at(last.extent.start))));
    for edit in [
        second.flip(dice, &(512..end_2)),
        second.zero_run(dice, &(600..end_2)),
        second.zero_block(dice, &(8192..end_2)),
    ] {
        out.push(Case::of(GROUPS_2, edit, broken().at("journal/00000002.seg offset")));
    }
    for edit in [first.flip_at(end_1, 0), first.flip(dice, &(end_1..1 << 20)), first.flip_at((1 << 20) - 1, 7)] {
        out.push(Case::of(TAIL_1, edit, found().at(at(end_1))));
    }
    let piece = first.bytes[512..1024].to_vec();
    out.push(Case::of(TAIL_1, first.overwrite(end_1, &piece, "the beginning of a group"), found().at(at(end_1))));
    prepared(base, dice, &mut out);
    files(base, dice, &first, &second, &mut out);
    out
}

/// Where the groups of a segment end.
fn end(segment: &[u8]) -> u64 {
    groups(segment).last().unwrap().extent.end
}

/// Fields of the header changed, with a right hash: anybody can make one. An opening reads the newest segment alone, so
/// what only the one before contradicts is left to a check.
fn headers(segment: &Target) -> Vec<(bool, Edited)> {
    let number = |at: usize, change: i64| (at, (u64_at(&segment.bytes, at) as i64 + change).to_be_bytes().to_vec());
    let fields = [
        (true, "number", number(8, 1)),
        (true, "length", number(16, 1 << 20)),
        (true, "a later term", number(24, 1)),
        (false, "an earlier term", number(24, -1)),
        (true, "first index", number(32, 1)),
        (true, "previous group", (40, vec![7; 32])),
        (false, "previous end", number(72, 512)),
        (true, "hash of torn bytes", (80, vec![7; 32])),
        (false, "torn bytes", number(112, 512)),
        (true, "origin", (120, vec![7; 32])),
        (true, "reserved", (152, vec![1])),
    ];
    let forge = |(is_read, name, (at, bytes)): (bool, &str, (usize, Vec<u8>))| {
        let mut header = segment.bytes[..480].to_vec();
        header[at..at + bytes.len()].copy_from_slice(&bytes);
        let hash = sha256(&header);
        header.extend_from_slice(&hash);
        (is_read, segment.write(Other, format!("{name} changed, hash made right"), 0, header))
    };
    fields.into_iter().map(forge).collect()
}

fn prepared(base: &Base, dice: &mut Dice, out: &mut Vec<Case>) {
    let empty = Target::new(base, PREPARED);
    assert!(empty.bytes.iter().all(|b| *b == 0), "prepared and not begun");
    let damaged = || Expect::refused(Code::LogDamaged, &["journal"]);
    let all = 0..empty.bytes.len() as u64;
    out.push(Case::of(EMPTY, empty.flip_at(0, 0), damaged()));
    out.push(Case::of(EMPTY, empty.flip(dice, &all), damaged()));
    out.push(Case::of(EMPTY, empty.flip_at(all.end - 1, 0), damaged()));
    out.push(Case::of(EMPTY, empty.cut_within(dice, &(1..all.end / 2)), damaged()));
    out.push(Case::of(EMPTY, empty.append(vec![0; 9]), damaged()));
    // Another length that a segment may have, and none at all: nothing was in it.
    out.push(Case::of(EMPTY, empty.cut(1 << 20), Expect::harmless()));
    out.push(Case::whole(EMPTY, delete(PREPARED), Expect::harmless()));
}

fn files(base: &Base, dice: &mut Dice, first: &Target, second: &Target, out: &mut Vec<Case>) {
    let broken = || Expect::refused(Code::LogDamaged, &["journal", "head"]);
    out.push(Case::whole(FILES, delete(FIRST), broken()));
    out.push(Case::whole(FILES, delete(SECOND), broken()));
    let both = vec![Step::Remove { path: SECOND.into() }, Step::Remove { path: PREPARED.into() }];
    let rollback = Expect::refused(Code::LogRollback, &["rows", "head"]).at("E_LOG_ROLLBACK");
    let words = "segment 2 and the prepared one deleted".to_owned();
    out.push(Case { file: FILES, kind: Delete, words, steps: both, expect: rollback });
    let exchange = Step::Exchange { a: FIRST.into(), b: SECOND.into() };
    out.push(Case::whole(FILES, (Swap, "segments 1 and 2 changed places".into(), exchange), broken()));
    let exchange = Step::Exchange { a: SECOND.into(), b: PREPARED.into() };
    out.push(Case::whole(FILES, (Swap, "segment 2 and the prepared one changed places".into(), exchange), broken()));
    let older = Step::Put { path: FIRST.into(), from: base.older.join(FIRST) };
    out.push(Case::whole(
        FILES,
        (Older, "segment 1 replaced by its older copy".into(), older),
        Expect::altered(&["journal", "head"]),
    ));
    let foreign = Step::Put { path: SECOND.into(), from: base.other.join(FIRST) };
    out.push(Case::whole(
        FILES,
        (Foreign, "segment 2 replaced by segment 1 of another ledger".into(), foreign),
        broken(),
    ));
    for edit in
        [second.cut(1 << 20), second.cut(0), first.cut_within(dice, &(512..1 << 20)), second.append(dice.bytes(50))]
    {
        out.push(Case::of(FILES, edit, broken()));
    }
}
