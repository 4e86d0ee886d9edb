//! The vault under edits: the generation file as a whole, the slots one by one.

use std::collections::BTreeSet;

use immutape::Code;
use immutape::codec::digest::TapeId;

use crate::support::tamper::base::Base;
use crate::support::tamper::dice::Dice;
use crate::support::tamper::edits::Kind::*;
use crate::support::tamper::edits::{Edited, Step, Target, delete, put};
use crate::support::tamper::expect::{Case, Expect};
use crate::support::tamper::table::Wanted;

const GENERATION_PATH: &str = "state/vault/generation";
const GENERATION: &str = "vault generation";
const TAKEN: &str = "vault slot of a tape";
const FREE: &str = "vault free slot";
const EPOCH: &str = "vault epoch";

pub const WANTED: Wanted = &[
    (
        GENERATION,
        &[
            (Flip, 10),
            (ZeroRun, 2),
            (ZeroBlock, 1),
            (Truncate, 2),
            (Swap, 1),
            (Delete, 1),
            (Older, 1),
            (Append, 1),
            (Foreign, 1),
        ],
    ),
    (TAKEN, &[(Flip, 6), (ZeroRun, 6), (ZeroBlock, 1), (Truncate, 1), (Swap, 2), (Foreign, 1)]),
    (FREE, &[(Flip, 6), (Truncate, 1), (Foreign, 1)]),
    (EPOCH, &[(Truncate, 1), (Swap, 1), (Delete, 1), (Older, 1), (Append, 2), (Foreign, 1)]),
];

const SLOT: u64 = 144;

pub fn cases(base: &Base, dice: &mut Dice) -> Vec<Case> {
    let mut out = Vec::new();
    generation(base, dice, &mut out);
    let path = base.map.epoch.to_str().unwrap();
    let epoch = Target::new(base, path);
    taken(base, dice, &epoch, &mut out);
    free(base, dice, &epoch, &mut out);
    whole_epoch(base, dice, path, &epoch, &mut out);
    out
}

fn generation(base: &Base, dice: &mut Dice, out: &mut Vec<Case>) {
    let file = Target::new(base, GENERATION_PATH);
    let line_end = file.bytes.iter().position(|b| *b == b'\n').unwrap() as u64;
    assert!(file.bytes.starts_with(b"immutape vault 1 1 "), "one generation is expected");
    let all = 0..file.bytes.len() as u64;
    // The format's version, the generation, the revision: 1 to 3 and back to 0, 1 to 3, and another revision.
    let mut edits = vec![file.flip_at(15, 1), file.flip_at(15, 0), file.flip_at(17, 1), file.flip_at(19, 0)];
    edits.extend([file.flip(dice, &(0..14)), file.flip(dice, &(line_end..line_end + 40))]);
    edits.extend((0..3).map(|_| file.flip(dice, &all)));
    edits.push(file.flip(dice, &(all.end - 32..all.end)));
    edits.extend((0..2).map(|_| file.zero_run(dice, &all)));
    edits.push(file.zero_block(dice, &all));
    edits.push(file.swap_within(dice, &(line_end + 60..all.end)));
    edits.push(file.cut_within(dice, &all));
    edits.push(file.cut(0));
    edits.push(file.append(dice.bytes(40)));
    for edited in edits {
        let expect = Expect::refused(generation_code(&edited.after), &["vault"]);
        out.push(Case::of(GENERATION, edited, expect));
    }
    let code = |code: Code| Expect::refused(code, &["vault"]).at(code.as_str());
    out.push(Case::whole(GENERATION, delete(GENERATION_PATH), code(Code::VaultMissing)));
    out.push(Case::whole(GENERATION, put(Older, &base.older, GENERATION_PATH), code(Code::VaultRollback)));
    out.push(Case::whole(GENERATION, put(Foreign, &base.other, GENERATION_PATH), code(Code::VaultDamaged)));
}

/// The first line is read before any key is: another version is a newer format, another generation has another root.
fn generation_code(after: &[u8]) -> Code {
    let line = after.split(|b| *b == b'\n').next().filter(|line| line.len() < after.len());
    let words =
        line.and_then(|line| std::str::from_utf8(line).ok()).and_then(|line| line.strip_prefix("immutape vault "));
    let words: Vec<&str> = words.unwrap_or_default().split(' ').collect();
    let number = |text: &str| text.parse::<u64>().ok().filter(|n| *n > 0 && n.to_string() == text);
    match words.as_slice() {
        [version, ..] if number(version).is_some_and(|v| v > 1) => Code::NewerFormat,
        ["1", generation, revision] if number(generation).is_some_and(|g| g > 1) && number(revision).is_some() => {
            Code::KeyMissing
        }
        _ => Code::VaultDamaged,
    }
}

fn taken(base: &Base, dice: &mut Dice, epoch: &Target, out: &mut Vec<Case>) {
    let slots = &base.map.slots;
    let mut edits = Vec::new();
    // Custody id, wrapped key, dedupe term, check.
    for at in [0, 33, 85, 120] {
        edits.push(epoch.flip_at(dice.one(slots).bytes.start + at, dice.below(8)));
    }
    for slot in [&slots[0], &slots[slots.len() - 1]] {
        edits.push(epoch.flip(dice, &slot.bytes));
    }
    for _ in 0..3 {
        let range = dice.one(slots).bytes.clone();
        edits.push(epoch.zero_run(dice, &range));
    }
    // As a crash would leave it: a whole slot, and the part of one behind a sector's boundary.
    edits.push(epoch.zero_all(ZeroRun, &dice.one(&slots[..slots.len() - 1]).bytes));
    edits.push(epoch.zero_all(ZeroRun, &slots[slots.len() - 1].bytes));
    edits.push(epoch.zero_all(ZeroRun, &(512..4 * SLOT)));
    edits.push(epoch.zero_all(ZeroBlock, &(0..4096)));
    let (a, b) = dice.two(slots);
    edits.push(epoch.swap(&a.bytes, &b.bytes));
    let range = dice.one(slots).bytes.clone();
    edits.push(epoch.swap_within(dice, &range));
    let other = std::fs::read(base.other.join(&base.other_map.epoch)).unwrap();
    let place = dice.one(slots).bytes.start;
    let theirs = dice.one(&base.other_map.slots).bytes.start as usize;
    edits.push(epoch.overwrite(place, &other[theirs..theirs + SLOT as usize], "a slot of another ledger"));
    let range = dice.one(&slots[slots.len() / 2..]).bytes.clone();
    edits.push(epoch.cut_within(dice, &range));
    out.extend(edits.into_iter().map(|e| case(base, TAKEN, epoch, e)));
}

fn free(base: &Base, dice: &mut Dice, epoch: &Target, out: &mut Vec<Case>) {
    let (end, bytes) = (base.map.slots_end(), base.map.epoch_bytes);
    let mut edits = vec![epoch.flip_at(end, 0), epoch.flip_at(bytes - 1, 7)];
    // One slot that no boundary cuts, and one that a boundary cuts: a byte on one side of it is what a crash leaves.
    let first_free = end / SLOT;
    let is_cut = |slot: &u64| slot * SLOT / 512 != (slot * SLOT + SLOT - 1) / 512;
    let inside = (first_free..256).find(|slot| !is_cut(slot)).unwrap();
    let across = (first_free + 1..256).find(is_cut).unwrap();
    edits.push(epoch.flip_at(inside * SLOT + 7, 2));
    edits.push(epoch.flip_at(across * SLOT, 2));
    edits.extend((0..2).map(|_| epoch.flip(dice, &(end..bytes))));
    let other = std::fs::read(base.other.join(&base.other_map.epoch)).unwrap();
    edits.push(epoch.overwrite(end, &other[..SLOT as usize], "a slot of another ledger"));
    edits.push(epoch.cut_within(dice, &(end + 1..bytes)));
    out.extend(edits.into_iter().map(|e| case(base, FREE, epoch, e)));
}

fn whole_epoch(base: &Base, dice: &mut Dice, path: &str, epoch: &Target, out: &mut Vec<Case>) {
    let name = format!("epoch {}", path.rsplit('/').next().unwrap());
    let losing = |tapes| Expect::altered(&["vault"]).losing(tapes, Code::VaultDamaged).at(name.clone());
    out.push(case(base, EPOCH, epoch, epoch.cut(0)));
    out.push(case(base, EPOCH, epoch, epoch.append(dice.bytes(144))));
    out.push(case(base, EPOCH, epoch, epoch.append(vec![0])));
    out.push(Case::whole(EPOCH, delete(path), losing(base.every_tape())));
    // The generation file stays: only the log tells that the newest keys are missing.
    let mut older = Expect::refused(Code::VaultRollback, &["vault"]);
    older.named = base.late_tapes();
    out.push(Case::whole(EPOCH, put(Older, &base.older, path), older));
    let exchange = Step::Exchange { a: path.into(), b: GENERATION_PATH.into() };
    let words = "the epoch's file and the generation file changed places".to_owned();
    out.push(Case::whole(EPOCH, (Swap, words, exchange), Expect::refused(Code::VaultDamaged, &["vault"])));
    // Slots are bound to their epoch, so another one's file under this name holds nothing.
    let other = base.other_map.epoch.to_str().unwrap();
    let (kind, words, _) = put(Foreign, &base.other, other);
    let step = Step::Put { path: path.into(), from: base.other.join(other) };
    out.push(Case::whole(EPOCH, (kind, words, step), losing(base.every_tape())));
}

/// What the format says of each slot: free, right, cut by a crash, or damaged.
fn case(base: &Base, file: &'static str, epoch: &Target, edited: Edited) -> Case {
    let slot = |bytes: &[u8], n: u64| bytes.get((n * SLOT) as usize..((n + 1) * SLOT) as usize).map(<[u8]>::to_vec);
    let mut lost: BTreeSet<TapeId> = BTreeSet::new();
    let mut is_damaged = edited.after.len() as u64 != base.map.epoch_bytes;
    for n in 0..256 {
        let (before, after) = (slot(&epoch.bytes, n).unwrap(), slot(&edited.after, n));
        if Some(&before) == after.as_ref() {
            continue;
        }
        if let Some(taken) = base.map.slots.get(n as usize) {
            lost.insert(base.tape_of(&taken.custody).id);
        }
        is_damaged |= !after.is_some_and(|after| is_lawful(n, &after));
    }
    // Without the last key, and nothing else to see, the file is what it was one save earlier.
    let newest = base.map.slots.len() as u64 - 1;
    let ends_earlier = (newest..256).all(|n| slot(&edited.after, n).is_some_and(|s| s.iter().all(|b| *b == 0)));
    let has_holes = (0..newest).any(|n| !is_damaged && slot(&edited.after, n) != slot(&epoch.bytes, n));
    if ends_earlier && !is_damaged && !has_holes {
        let refused = Expect { named: lost, ..Expect::refused(Code::VaultRollback, &["vault"]) };
        return Case::of(file, edited, refused);
    }
    let expect = if lost.is_empty() && !is_damaged { Expect::harmless() } else { Expect::altered(&["vault"]) };
    Case::of(file, edited, expect.losing(lost, Code::VaultDamaged))
}

/// Free, or zero on exactly one side of a sector's boundary that it straddles.
fn is_lawful(slot: u64, bytes: &[u8]) -> bool {
    let zero = |bytes: &[u8]| bytes.iter().all(|b| *b == 0);
    let boundary = (512 - slot * SLOT % 512) as usize;
    zero(bytes) || bytes.len() > boundary && zero(&bytes[..boundary]) != zero(&bytes[boundary..])
}
