//! The signed head file under edits: no byte of it may change, and an older one is known by the journal.

use immutape::Code;

use crate::support::tamper::base::Base;
use crate::support::tamper::dice::Dice;
use crate::support::tamper::edits::Kind::{self, *};
use crate::support::tamper::edits::{Step, Target, delete, put};
use crate::support::tamper::expect::{Case, Expect};
use crate::support::tamper::table::Wanted;

const HEAD: &str = "state/head";
const NOTE_1: &str = "head note 1";
const NOTE_2: &str = "head note 2";
const FILE: &str = "head";

pub const WANTED: Wanted = &[
    (NOTE_1, &[(Flip, 8), (ZeroRun, 2), (Truncate, 1), (Swap, 1), (Older, 1), (Foreign, 1)]),
    (NOTE_2, &[(Flip, 8), (ZeroRun, 2), (Truncate, 1), (Swap, 1), (Older, 1), (Foreign, 1)]),
    (FILE, &[(ZeroBlock, 1), (Truncate, 1), (Swap, 1), (Delete, 1), (Older, 1), (Append, 3), (Foreign, 1)]),
];

/// Where the second note begins.
pub fn second_note(head: &[u8]) -> usize {
    let label = b"immutape/head/1\n";
    head.windows(label.len()).position(|w| w == label).unwrap()
}

pub fn cases(base: &Base, dice: &mut Dice) -> Vec<Case> {
    let mut out = Vec::new();
    let head = Target::new(base, HEAD);
    let (older, other) = (std::fs::read(base.older.join(HEAD)).unwrap(), std::fs::read(base.other.join(HEAD)).unwrap());
    let at = second_note(&head.bytes);
    let invalid = || Expect::refused(Code::HeadInvalid, &["head"]).at("head");
    for (file, range) in [(NOTE_1, 0..at as u64), (NOTE_2, at as u64..head.bytes.len() as u64)] {
        let mut edits: Vec<_> = (0..6).map(|_| head.flip(dice, &range)).collect();
        // The line's end, and the last digit of the signature.
        edits.push(head.flip_at(range.end - 1, 0));
        edits.push(head.flip_at(range.end - 3, 0));
        edits.extend((0..2).map(|_| head.zero_run(dice, &range)));
        edits.push(head.swap_within(dice, &range));
        edits.push(head.cut_within(dice, &(range.start..range.end - 1)));
        out.extend(edits.into_iter().map(|e| Case::of(file, e, invalid())));
    }
    // One note of another file beside one of ours.
    for (kind, theirs, whose) in [(Older, &older, "the older copy's"), (Foreign, &other, "another ledger's")] {
        let (first, second) = theirs.split_at(second_note(theirs));
        for (file, bytes) in
            [(NOTE_1, [first, &head.bytes[at..]].concat()), (NOTE_2, [&head.bytes[..at], second].concat())]
        {
            out.push(rewritten(file, kind, &format!("{file} is {whose}"), bytes, invalid()));
        }
    }
    let exchanged = [&head.bytes[at..], &head.bytes[..at]].concat();
    out.push(rewritten(FILE, Swap, "the notes changed places", exchanged, invalid()));
    out.push(Case::of(FILE, head.zero_block(dice, &(0..head.bytes.len() as u64)), invalid()));
    out.push(Case::of(FILE, head.cut(0), invalid()));
    out.push(Case::of(FILE, head.append(dice.bytes(60)), invalid()));
    out.push(Case::of(FILE, head.append(b"one more line\n".to_vec()), invalid()));
    out.push(Case::whole(FILE, delete(HEAD), Expect::refused(Code::HeadMissing, &["head"])));
    let stale = Expect::refused(Code::HeadStale, &["head"]).at("E_HEAD_STALE");
    out.push(Case::whole(FILE, put(Older, &base.older, HEAD), stale));
    out.push(Case::whole(FILE, put(Foreign, &base.other, HEAD), invalid()));
    // A signature line of a key that nobody here knows is no fault: cosignatures look like this.
    let line = b"\xe2\x80\x94 witness.example/w AAAAAAECAwQFBgcICQ==\n".to_vec();
    out.push(Case::of(FILE, head.append(line), Expect::harmless()));
    out
}

fn rewritten(file: &'static str, kind: Kind, words: &str, bytes: Vec<u8>, expect: Expect) -> Case {
    let steps = vec![Step::Remove { path: HEAD.into() }, Step::Plant { path: HEAD.into(), bytes }];
    Case { file, kind, words: words.to_owned(), steps, expect }
}
