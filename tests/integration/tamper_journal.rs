//! The journal under edits. What must come of one follows from which group it reaches first, and from the tear rule.

use std::ops::Range;

use immutape::Code;

use crate::support::tamper::base::Base;
use crate::support::tamper::dice::Dice;
use crate::support::tamper::edits::Kind::*;
use crate::support::tamper::edits::{Edited, Target, delete, put};
use crate::support::tamper::expect::{Case, Expect};
use crate::support::tamper::map::{GroupSpan, u64_at};
use crate::support::tamper::table::Wanted;

const SEGMENT: &str = "ledger/journal/00000001.seg";
const SEGMENT_HEADER: &str = "journal segment header";
const GROUP_HEADER: &str = "journal group header";
const GROUP_CODE: &str = "journal group code";
const ENTRY: &str = "journal entry bytes";
const SEALED: &str = "journal sealed half";
const PADDING: &str = "journal padding";
const TAIL: &str = "journal unused tail";
const FILE: &str = "journal segment";

pub const WANTED: Wanted = &[
    (SEGMENT_HEADER, &[(Flip, 5), (ZeroRun, 2), (ZeroBlock, 1), (Truncate, 1), (Swap, 1), (Foreign, 1)]),
    (GROUP_HEADER, &[(Flip, 9), (ZeroRun, 3), (ZeroBlock, 5), (Truncate, 1), (Swap, 1), (Foreign, 1)]),
    (GROUP_CODE, &[(Flip, 3), (ZeroRun, 1), (Swap, 1), (Foreign, 1)]),
    (ENTRY, &[(Flip, 6), (ZeroRun, 2), (ZeroBlock, 1), (Truncate, 1), (Swap, 2), (Foreign, 1)]),
    (SEALED, &[(Flip, 6), (ZeroRun, 2), (ZeroBlock, 1), (Truncate, 1), (Swap, 2), (Foreign, 1)]),
    (PADDING, &[(Flip, 3), (Foreign, 1)]),
    (TAIL, &[(Flip, 5), (Truncate, 1), (Swap, 1), (Append, 2), (Foreign, 2)]),
    (FILE, &[(Truncate, 2), (Swap, 1), (Delete, 1), (Older, 1), (Append, 1), (Foreign, 1), (Other, 1)]),
];

const SECTOR: usize = 512;

pub fn cases(base: &Base, dice: &mut Dice) -> Vec<Case> {
    let mut out = Vec::new();
    let segment = Target::new(base, SEGMENT);
    let other = std::fs::read(base.other.join(SEGMENT)).unwrap();
    header(base, dice, &segment, &other, &mut out);
    groups(base, dice, &segment, &other, &mut out);
    codes(base, dice, &segment, &mut out);
    halves(base, dice, &segment, &other, &mut out);
    unused(base, dice, &segment, &other, &mut out);
    whole_file(base, dice, &segment, &mut out);
    out
}

fn header(base: &Base, dice: &mut Dice, segment: &Target, other: &[u8], out: &mut Vec<Case>) {
    let range = 0..SECTOR as u64;
    let mut edits = vec![segment.flip_at(7, 1), segment.flip_at(300, 0)];
    edits.extend((0..3).map(|_| segment.flip(dice, &range)));
    edits.extend((0..2).map(|_| segment.zero_run(dice, &range)));
    edits.push(segment.zero_block(dice, &range));
    edits.push(segment.swap(&(16..24), &(120..128)));
    edits.push(segment.overwrite(0, &other[..SECTOR], "the header of another ledger's segment"));
    out.extend(edits.into_iter().map(|e| case(base, SEGMENT_HEADER, e)));
    out.push(Case::of(SEGMENT_HEADER, segment.cut_within(dice, &range), unreadable(base, Code::LogDamaged)));
}

fn groups(base: &Base, dice: &mut Dice, segment: &Target, other: &[u8], out: &mut Vec<Case>) {
    let head = |g: &GroupSpan| g.extent.start..g.extent.start + 224;
    let all = &base.map.groups;
    let (first, last) = (&all[0], &all[all.len() - 1]);
    // Version, term, flags, root, previous group, reserved bytes, hash; of the first group, the last, and any.
    let mut edits: Vec<_> = [7, 15, 47, 64, 96, 160, 192]
        .iter()
        .map(|at| segment.flip_at(dice.one(all).extent.start + at, dice.below(8)))
        .collect();
    edits.push(segment.flip(dice, &head(first)));
    edits.push(segment.flip(dice, &head(last)));
    for _ in 0..3 {
        let range = head(dice.one(all));
        edits.push(segment.zero_run(dice, &range));
    }
    edits.extend((0..2).map(|_| segment.zero_block(dice, &(first.extent.end..last.extent.start))));
    // From the last group on: nothing is left of it, or one sector.
    edits.push(segment.zero_all(ZeroBlock, &last.extent));
    edits.push(segment.zero_all(ZeroBlock, &(last.extent.start..last.extent.start + SECTOR as u64)));
    edits.push(segment.zero_all(ZeroBlock, &(last.extent.start + SECTOR as u64..last.extent.end)));
    let (a, b) = dice.two(&all[1..]);
    edits.push(segment.swap(&head(a), &head(b)));
    let theirs = dice.one(&base.other_map.groups[1..]);
    let place = dice.one(&all[1..]).extent.start;
    let bytes = &other[theirs.extent.start as usize..theirs.extent.start as usize + 224];
    edits.push(segment.overwrite(place, bytes, "a group's header of another ledger"));
    out.extend(edits.into_iter().map(|e| case(base, GROUP_HEADER, e)));
    let cut = segment.cut_within(dice, &head(&all[all.len() / 2]));
    out.push(Case::of(GROUP_HEADER, cut, unreadable(base, Code::LogDamaged)));
}

/// The code stands under no hash: only the vault's journal key tells, and sled's copy differs from it.
fn codes(base: &Base, dice: &mut Dice, segment: &Target, out: &mut Vec<Case>) {
    let code = |g: &GroupSpan| g.extent.start + 224..g.extent.start + 256;
    let all = &base.map.groups;
    let mut hit = vec![&all[0], &all[all.len() - 1]];
    hit.push(dice.one(all));
    let mut edits: Vec<_> = hit.iter().map(|g| (segment.flip(dice, &code(g)), g.first_index)).collect();
    let group = dice.one(all);
    edits.push((segment.zero_run(dice, &code(group)), group.first_index));
    let group = dice.one(all);
    let noise = dice.bytes(32);
    edits.push((segment.overwrite(code(group).start, &noise, "a code under another key"), group.first_index));
    let (a, b) = dice.two(all);
    edits.push((segment.swap(&code(a), &code(b)), a.first_index.min(b.first_index)));
    for (edit, first_index) in edits {
        let expect = Expect::altered(&["journal", "rows"]).at(format!("entry {first_index}")).blind();
        out.push(Case::of(GROUP_CODE, edit, expect));
    }
}

fn halves(base: &Base, dice: &mut Dice, segment: &Target, other: &[u8], out: &mut Vec<Case>) {
    let entries: Vec<_> = base.map.groups.iter().flat_map(|g| &g.entries).collect();
    let theirs: Vec<_> = base.other_map.groups.iter().flat_map(|g| &g.entries).collect();
    let last_group = base.map.groups.last().unwrap().extent.start;
    for (file, of) in [(ENTRY, false), (SEALED, true)] {
        let half = |n: usize| if of { entries[n].sealed.clone() } else { entries[n].public.clone() };
        let any = |dice: &mut Dice| half(dice.below(entries.len() as u64) as usize);
        let mut edits = vec![segment.flip(dice, &half(0)), segment.flip(dice, &half(entries.len() - 1))];
        for _ in 0..4 {
            let range = any(dice);
            edits.push(segment.flip(dice, &range));
        }
        for _ in 0..2 {
            let range = any(dice);
            edits.push(segment.zero_run(dice, &range));
        }
        let range = any(dice);
        edits.push(segment.zero_block(dice, &range));
        let range = any(dice);
        edits.push(segment.swap_within(dice, &range));
        let (a, b) = (half(5), half(9));
        edits.push(segment.swap(&a, &b));
        let place = half(1 + dice.below(entries.len() as u64 - 1) as usize);
        let source = dice.one(&theirs[1..]);
        let source = if of { &source.sealed } else { &source.public };
        let length = (source.end - source.start).min(place.end - place.start);
        let bytes = &other[source.start as usize..(source.start + length) as usize];
        edits.push(segment.overwrite(place.start, bytes, "the same of another ledger"));
        out.extend(edits.into_iter().map(|e| case(base, file, e)));
        let range = any(dice);
        out.push(Case::of(file, segment.cut_within(dice, &range), unreadable(base, Code::LogDamaged)));
        assert!(half(entries.len() - 1).start > last_group);
    }
}

fn unused(base: &Base, dice: &mut Dice, segment: &Target, other: &[u8], out: &mut Vec<Case>) {
    let paddings: Vec<_> = base.map.groups.iter().map(|g| g.padding.clone()).filter(|p| !p.is_empty()).collect();
    for _ in 0..3 {
        let range = dice.one(&paddings).clone();
        out.push(case(base, PADDING, segment.flip(dice, &range)));
    }
    let range = dice.one(&paddings).clone();
    let noise = dice.bytes((range.end - range.start) as usize);
    out.push(case(base, PADDING, segment.overwrite(range.start, &noise, "noise")));

    // No group lies here, but the last one says "closed in order": nothing may follow it.
    let end = base.map.journal_end();
    let tail = end..base.map.segment_bytes;
    let mut edits = vec![segment.flip_at(end, 0), segment.flip_at(base.map.segment_bytes - 1, 7)];
    edits.extend((0..3).map(|_| segment.flip(dice, &tail)));
    let last = &base.map.groups.last().unwrap().extent;
    edits.push(segment.swap(last, &(end..end + last.end - last.start)));
    let group = &base.other_map.groups[1].extent;
    edits.push(segment.overwrite(end, &other[group.start as usize..group.end as usize], "a group of another ledger"));
    let noise = dice.bytes(4096);
    edits.push(segment.overwrite(end / 4096 * 4096 + 8192, &noise, "noise"));
    out.extend(edits.into_iter().map(|e| case(base, TAIL, e)));
    for edit in [segment.cut_within(dice, &tail), segment.append(dice.bytes(100)), segment.append(vec![0; 1 << 20])] {
        out.push(Case::of(TAIL, edit, unreadable(base, Code::LogDamaged)));
    }
}

fn whole_file(base: &Base, dice: &mut Dice, segment: &Target, out: &mut Vec<Case>) {
    let damaged = || unreadable(base, Code::LogDamaged);
    out.push(Case::of(FILE, segment.cut(0), damaged()));
    out.push(Case::of(FILE, segment.cut(base.map.segment_bytes / 2), damaged()));
    out.push(Case::of(FILE, segment.append(dice.bytes(1)), damaged()));
    out.push(Case::whole(FILE, delete(SEGMENT), Expect { place: Some("journal".into()), ..damaged() }));
    let rollback = Expect::refused(Code::LogRollback, &["rows", "head"]).at("E_LOG_ROLLBACK");
    out.push(Case::whole(FILE, put(Older, &base.older, SEGMENT), rollback));
    out.push(Case::whole(FILE, put(Foreign, &base.other, SEGMENT), foreign(base)));
    let step =
        crate::support::tamper::edits::Step::Exchange { a: SEGMENT.into(), b: "ledger/packs/00000001.pack".into() };
    let mut swapped = damaged();
    swapped.parts.insert("object");
    swapped.named = base.every_tape();
    out.push(Case::whole(FILE, (Swap, "segment and pack changed places".into(), step), swapped));
    let step = crate::support::tamper::edits::Step::Link { path: SEGMENT.into() };
    out.push(Case::whole(FILE, (Other, "segment replaced by a link to it".into(), step), Expect::gone(Code::Io)));
}

/// The journal of another ledger in the place of ours: its entry 0 is not signed for by our keys, and nothing else fits.
pub fn foreign(base: &Base) -> Expect {
    let mut expect = Expect::refused(Code::KeyForeign, &["keys", "head", "rows", "vault", "object"]);
    expect.named = base.other_tapes.iter().map(|t| t.id).collect();
    expect.at("entry 0")
}

/// Not even entry 0 can be read: sled's copy says who the ledger is.
fn unreadable(_base: &Base, code: Code) -> Expect {
    Expect::refused(code, &["journal", "head"]).at("journal/00000001.seg offset 0")
}

fn case(base: &Base, file: &'static str, edited: Edited) -> Case {
    let expect = judge(base, &edited.touched, &edited.after);
    Case::of(file, edited, expect)
}

/// What the format says of a segment whose bytes changed in place.
fn judge(base: &Base, touched: &Range<u64>, after: &[u8]) -> Expect {
    let all = &base.map.groups;
    let Some(number) = all.iter().position(|g| touched.start < g.extent.end) else {
        let end = base.map.journal_end();
        return Expect::refused(Code::LogDamaged, &["journal"]).at(format!("journal/00000001.seg offset {end}"));
    };
    if touched.start < SECTOR as u64 {
        let newer = after[..6] == *b"IMTSEG" && after[6..8] != [0, 1];
        return unreadable(base, if newer { Code::NewerFormat } else { Code::LogDamaged });
    }
    let group = &all[number];
    let start = group.extent.start as usize;
    if is_end(after, group, number > 0 && all[number - 1].closes) {
        return Expect::refused(Code::LogRollback, &["rows", "head"]).at("E_LOG_ROLLBACK");
    }
    let newer = after[start..start + 6] == *b"IMTGRP" && after[start + 6..start + 8] != [0, 1];
    let code = if newer { Code::NewerFormat } else { Code::LogDamaged };
    let at = if number == 0 { 0 } else { start };
    Expect::refused(code, &["journal", "head"]).at(format!("journal/00000001.seg offset {at}"))
}

/// Section 4: does the journal end before this group, by zeros or by a tear? Then it ends before its signed head.
fn is_end(after: &[u8], group: &GroupSpan, closed_before: bool) -> bool {
    let start = group.extent.start as usize;
    let Some(last) = after[start..].iter().rposition(|b| *b != 0).map(|at| start + at + 1) else { return true };
    if closed_before {
        return false;
    }
    let head = &after[start..start + SECTOR];
    let end = if head.iter().all(|b| *b == 0) { last } else { group.extent.end as usize };
    let whole_header = end == last && head.iter().all(|b| *b == 0) || after[start..start + 48] == header_of(group);
    let missing = after[start..end].chunks(SECTOR).any(|sector| sector.iter().all(|b| *b == 0));
    // A group that stands where it says it stands.
    let follows = (start + SECTOR..end)
        .step_by(SECTOR)
        .any(|at| after[at..at + 8] == *b"IMTGRP\x00\x01" && u64_at(after, at + 24) == at as u64);
    whole_header && missing && last <= end && !follows
}

/// The first fields of a group's header: magic, term, segment, offset, first index, count and flags.
fn header_of(group: &GroupSpan) -> Vec<u8> {
    let mut out = b"IMTGRP\x00\x01".to_vec();
    for v in [group.term, 1, group.extent.start, group.first_index] {
        out.extend(v.to_be_bytes());
    }
    out.extend((group.entries.len() as u32).to_be_bytes());
    out.extend(u32::from(group.closes).to_be_bytes());
    out
}
