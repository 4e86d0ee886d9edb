//! The packs under edits: a tape is hit when a record of it is, its header or its object.

use std::collections::BTreeSet;

use immutape::Code;
use immutape::codec::digest::{ObjectDigest, TapeId, sha256};
use immutape::store::embedded::packs::records::{RecordHeader, RecordType};
use immutape::store::{Protection, ProtectionMode};

use crate::support::tamper::base::Base;
use crate::support::tamper::dice::Dice;
use crate::support::tamper::edits::Kind::{self, *};
use crate::support::tamper::edits::{Edited, Step, Target, delete, put};
use crate::support::tamper::expect::{Case, Expect, Opened};
use crate::support::tamper::map::{Part, RecordSpan};
use crate::support::tamper::table::Wanted;

const PACK: &str = "ledger/packs/00000001.pack";
const PACK_HEADER: &str = "pack header";
const RECORD_HEADER: &str = "object record header";
const HEADER: &str = "sealed object: header";
const CHUNK: &str = "sealed object: chunk";
const MANIFEST: &str = "manifest";
const TAIL: &str = "pack unused tail";
const FILE: &str = "pack";
const SECOND: &str = "second pack";

pub const WANTED: Wanted = &[
    (PACK_HEADER, &[(Flip, 4), (ZeroRun, 2), (ZeroBlock, 1), (Truncate, 1), (Swap, 1), (Foreign, 1)]),
    (RECORD_HEADER, &[(Flip, 8), (ZeroRun, 3), (ZeroBlock, 2), (Truncate, 1), (Swap, 1), (Foreign, 1)]),
    (HEADER, &[(Flip, 5), (ZeroRun, 2), (ZeroBlock, 1), (Truncate, 1), (Swap, 2), (Foreign, 1)]),
    (CHUNK, &[(Flip, 6), (ZeroRun, 2), (ZeroBlock, 1), (Truncate, 1), (Swap, 3), (Foreign, 1)]),
    (MANIFEST, &[(Flip, 5), (ZeroRun, 2), (ZeroBlock, 1), (Truncate, 1), (Swap, 2), (Foreign, 1)]),
    (TAIL, &[(Flip, 5), (Truncate, 2), (Append, 1), (Foreign, 3)]),
    (FILE, &[(Truncate, 1), (Swap, 1), (Delete, 1), (Older, 1), (Foreign, 1), (Other, 3)]),
    (SECOND, &[(Flip, 9), (ZeroRun, 2), (ZeroBlock, 4), (Truncate, 4), (Swap, 1), (Other, 5)]),
];

pub fn cases(base: &Base, dice: &mut Dice) -> Vec<Case> {
    let mut out = Vec::new();
    let pack = Target::new(base, PACK);
    let other = std::fs::read(base.other.join(PACK)).unwrap();
    pack_header(base, dice, &pack, &other, &mut out);
    record_headers(base, dice, &pack, &other, &mut out);
    for (file, wanted) in [(HEADER, Part::Header), (CHUNK, Part::Chunk(1)), (MANIFEST, Part::Manifest)] {
        objects(base, dice, &pack, &other, file, wanted, &mut out);
    }
    second_chunk(base, dice, &pack, &mut out);
    tail(base, dice, &pack, &other, &mut out);
    whole_file(base, dice, &pack, &mut out);
    second(&pack.bytes, &other, &mut out);
    out
}

/// A pack of objects that no tape names: what is wrong with its own bytes must be said all the same.
fn second(pack: &[u8], other: &[u8], out: &mut Vec<Case>) {
    const PATH: &str = "ledger/packs/00000002.pack";
    let mut header = pack[..64].to_vec();
    header[8..16].copy_from_slice(&2u64.to_be_bytes());
    let check = sha256(&header[..48]);
    header[48..64].copy_from_slice(&check[..16]);
    let record = |bytes: u64| {
        let object: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8 + 1).collect();
        let (kind, digest) = (RecordType::Object, ObjectDigest::from_bytes(sha256(&object)));
        let protection = Protection { mode: ProtectionMode::Worm, until_ms: 0 };
        RecordHeader { kind, protection, bytes, digest }.encode_with(&object)
    };
    let [a, b, c] = [700, 3000, 800].map(record);
    let (end_a, end_b) = (64 + a.len(), 64 + a.len() + b.len());
    let whole = [header, a, b, c].concat();
    let mut plant = |kind: Kind, words: &str, edit: &dyn Fn(&mut Vec<u8>), expect: Expect| {
        let mut bytes = whole.clone();
        edit(&mut bytes);
        let step = Step::Plant { path: PATH.into(), bytes };
        out.push(Case::whole(SECOND, (kind, format!("a second pack, {words}"), step), expect));
    };
    let unused = || Expect::harmless().at("packs");
    let damage = |at: usize| Expect::altered(&["object"]).at(format!("00000002.pack at byte {at}"));
    plant(Other, "right, of objects that nothing names", &|_| {}, unused());
    for at in [0, 7, 15, 20, 40, 50, 63] {
        plant(Flip, &format!("byte {at} of its header flipped"), &|p| p[at] ^= 4, damage(0));
    }
    plant(ZeroRun, "its header zero, the rest of that sector not", &|p| p[..64].fill(0), damage(0));
    plant(ZeroBlock, "its first sector zero, as a crash leaves it", &|p| p[..512].fill(0), unused());
    // Neither zero nor right is no crash, however torn what follows it is.
    plant(
        ZeroBlock,
        "its header flipped, all up to the third sector's end zero",
        &|p| {
            p[20] ^= 1;
            p[64..1536].fill(0)
        },
        damage(0),
    );
    plant(Swap, "with the header of the first", &|p| p[..64].copy_from_slice(&pack[..64]), damage(0));
    plant(Other, "with a header of another ledger", &|p| p[..64].copy_from_slice(&other[..64]), damage(0));
    plant(Truncate, "shorter than a header", &|p| p.truncate(30), Expect::harmless().at("00000002.pack at byte 0"));
    plant(Truncate, "nothing but a header", &|p| p.truncate(64), Expect::harmless());
    plant(
        Truncate,
        "nothing but a header that is flipped",
        &|p| {
            p.truncate(64);
            p[9] ^= 1
        },
        damage(0),
    );
    plant(Flip, "a record's header flipped", &|p| p[end_a + 9] ^= 1, damage(end_a));
    let sector = end_a.next_multiple_of(512);
    let gap = || Expect::harmless().at(format!("00000002.pack at byte {end_a}"));
    plant(ZeroBlock, "a record's header and a sector torn away", &|p| p[end_a..sector + 512].fill(0), gap());
    plant(ZeroRun, "a record's header zero, up to no sector's end", &|p| p[end_a..sector - 1].fill(0), damage(end_a));
    plant(ZeroBlock, "a sector of an object zero", &|p| p[sector..sector + 512].fill(0), unused());
    plant(Flip, "an object flipped", &|p| p[end_a + 100] ^= 1, unused());
    let unknown = |p: &mut Vec<u8>| {
        p[end_a + 4] = 9;
        let check = sha256(&p[end_a..end_a + 56]);
        p[end_a + 56..end_a + 64].copy_from_slice(&check[..8]);
    };
    plant(Other, "a record of a type that is not known", &unknown, damage(end_a));
    plant(
        Other,
        "such a record, a sector of it zero",
        &|p| {
            unknown(p);
            p[sector..sector + 512].fill(0)
        },
        damage(end_a),
    );
    plant(
        Other,
        "such a record, the last",
        &|p| {
            unknown(p);
            p.truncate(end_b)
        },
        damage(end_a),
    );
    let cut = || Expect::harmless().at(format!("00000002.pack at byte {end_a}"));
    plant(Truncate, "cut within a record", &|p| p.truncate(end_b - 9), cut());
}

fn pack_header(base: &Base, dice: &mut Dice, pack: &Target, other: &[u8], out: &mut Vec<Case>) {
    let range = 0..64;
    let mut edits = vec![pack.flip_at(7, 1)];
    edits.extend((0..3).map(|_| pack.flip(dice, &range)));
    edits.extend((0..2).map(|_| pack.zero_run(dice, &range)));
    edits.push(pack.zero_block(dice, &range));
    edits.push(pack.swap(&(8..16), &(48..56)));
    edits.push(pack.overwrite(0, &other[..64], "the header of another ledger's pack"));
    edits.push(pack.cut_within(dice, &range));
    out.extend(edits.into_iter().map(|e| case(base, PACK_HEADER, e)));
}

fn record_headers(base: &Base, dice: &mut Dice, pack: &Target, other: &[u8], out: &mut Vec<Case>) {
    let all = &base.map.records;
    let last = &all[all.len() - 1];
    // Type, mode, until, length, digest, check bytes; of the first record and the last.
    let mut edits: Vec<_> =
        [4, 5, 8, 16, 30, 60].iter().map(|at| pack.flip_at(dice.one(all).header.start + at, dice.below(8))).collect();
    edits.push(pack.flip(dice, &all[0].header));
    edits.push(pack.flip(dice, &last.header));
    for _ in 0..3 {
        let range = dice.one(all).header.clone();
        edits.push(pack.zero_run(dice, &range));
    }
    for _ in 0..2 {
        let range = dice.one(all).header.clone();
        edits.push(pack.zero_block(dice, &range));
    }
    let (a, b) = dice.two(all);
    edits.push(pack.swap(&a.header, &b.header));
    let theirs = dice.one(&base.other_map.records).header.start as usize;
    let place = dice.one(all).header.start;
    edits.push(pack.overwrite(place, &other[theirs..theirs + 64], "a record's header of another ledger"));
    edits.push(pack.cut_within(dice, &all[all.len() / 2].header));
    out.extend(edits.into_iter().map(|e| case(base, RECORD_HEADER, e)));
}

fn objects(
    base: &Base,
    dice: &mut Dice,
    pack: &Target,
    other: &[u8],
    file: &'static str,
    wanted: Part,
    out: &mut Vec<Case>,
) {
    let of =
        |records: &[RecordSpan]| -> Vec<RecordSpan> { records.iter().filter(|r| r.part == wanted).cloned().collect() };
    let (ours, theirs) = (of(&base.map.records), of(&base.other_map.records));
    let mut edits = Vec::new();
    for _ in 0..5 {
        let range = dice.one(&ours).body.clone();
        edits.push(pack.flip(dice, &range));
    }
    for _ in 0..2 {
        let range = dice.one(&ours).body.clone();
        edits.push(pack.zero_run(dice, &range));
    }
    let range = dice.one(&ours).body.clone();
    edits.push(pack.zero_block(dice, &range));
    let range = dice.one(&ours).body.clone();
    edits.push(pack.swap_within(dice, &range));
    // The object of one tape in the place of another's.
    let (a, b) = dice.two(&ours);
    edits.push(pack.swap(&a.body, &b.body));
    let (place, source) = (dice.one(&ours).body.clone(), dice.one(&theirs).body.clone());
    let length = (place.end - place.start).min(source.end - source.start);
    let bytes = &other[source.start as usize..(source.start + length) as usize];
    edits.push(pack.overwrite(place.start, bytes, "the same of another ledger"));
    let range = dice.one(&ours[ours.len() / 2..]).body.clone();
    edits.push(pack.cut_within(dice, &range));
    out.extend(edits.into_iter().map(|e| case(base, file, e)));
}

/// A tape of two chunks: the first is whole, the second is not; the whole tape counts as damaged.
fn second_chunk(base: &Base, dice: &mut Dice, pack: &Target, out: &mut Vec<Case>) {
    let second = base.map.records.iter().find(|r| r.part == Part::Chunk(2)).expect("a tape has two chunks");
    let first = base.map.records.iter().find(|r| r.part == Part::Chunk(1) && r.tape == second.tape).unwrap();
    out.push(case(base, CHUNK, pack.flip(dice, &second.body)));
    out.push(case(base, CHUNK, pack.swap(&first.body, &second.body)));
}

fn tail(base: &Base, dice: &mut Dice, pack: &Target, other: &[u8], out: &mut Vec<Case>) {
    let tail = base.map.pack_tail.clone();
    assert!(pack.bytes[tail.start as usize..].iter().all(|b| *b == 0), "prepared space is zero");
    let noted = || Expect::harmless().at(format!("at byte {}", tail.start));
    let mut edits = vec![pack.flip_at(tail.start, 3), pack.flip_at(tail.end - 1, 0)];
    edits.extend((0..3).map(|_| pack.flip(dice, &tail)));
    let noise = dice.bytes(600);
    edits.push(pack.overwrite(tail.start + 700, &noise, "noise"));
    edits.push(pack.append(dice.bytes(100)));
    // The first half of a record: a write that was never finished, as far as anybody can tell.
    let theirs = dice.one(&base.other_map.records);
    let half = &other[theirs.header.start as usize..theirs.body.end as usize - 9];
    out.extend(edits.into_iter().map(|e| Case::of(TAIL, e, noted())));
    // Its header is right and zeros follow, so it is a record, of an object that nothing names.
    let cut = pack.overwrite(tail.start, half, "a cut record of another ledger");
    out.push(Case::of(TAIL, cut, Expect::harmless().at("packs")));
    // A whole record of an object that nothing names.
    let whole = &other[theirs.header.start as usize..theirs.body.end as usize];
    let orphan = pack.overwrite(tail.start, whole, "a whole record of another ledger");
    out.push(Case::of(TAIL, orphan, Expect::harmless().at("packs")));
    for bytes in [tail.start, dice.within(&tail)] {
        out.push(Case::of(TAIL, pack.cut(bytes), Expect::harmless()));
    }
}

fn whole_file(base: &Base, dice: &mut Dice, pack: &Target, out: &mut Vec<Case>) {
    let all = || Expect::altered(&["object"]).losing(base.every_tape(), Code::TapeDamaged);
    out.push(Case::of(FILE, pack.cut(0), all()));
    out.push(Case::whole(FILE, delete(PACK), all()));
    let late = Expect::altered(&["object"]).losing(base.late_tapes(), Code::TapeDamaged);
    out.push(Case::whole(FILE, put(Older, &base.older, PACK), late));
    out.push(Case::whole(FILE, put(Foreign, &base.other, PACK), all().at("00000001.pack at byte 0")));
    let exchange = Step::Exchange { a: PACK.into(), b: "ledger/index/db".into() };
    let expect = all().at("00000001.pack at byte 0").opening(Opened::Rebuilt(1));
    out.push(Case::whole(FILE, (Swap, "pack and sled's database changed places".into(), exchange), expect));
    let planted = Step::Plant { path: "ledger/packs/00000002.pack".into(), bytes: dice.bytes(500) };
    let named = Expect::altered(&["object"]).at("00000002.pack");
    out.push(Case::whole(FILE, (Other, "a second pack of noise".into(), planted), named));
    let begun = Step::Plant { path: "ledger/packs/00000002.pack".into(), bytes: vec![0; 4096] };
    out.push(Case::whole(FILE, (Other, "a second pack, not begun".into(), begun), Expect::harmless()));
    let hole = Step::Plant { path: "ledger/packs/00000003.pack".into(), bytes: Vec::new() };
    let named = Expect::altered(&["object"]).at("00000002.pack");
    out.push(Case::whole(FILE, (Other, "an empty pack after a hole in the numbers".into(), hole), named));
}

fn case(base: &Base, file: &'static str, edited: Edited) -> Case {
    let lost = lost(base, &edited);
    let mut expect = Expect::altered(&["object"]).losing(lost, Code::TapeDamaged);
    if edited.touched.start < 64 && edited.touched.end <= 64 {
        expect = expect.at("00000001.pack at byte 0");
    }
    Case::of(file, edited, expect)
}

/// Tapes with a record that is not as it was, byte for byte.
fn lost(base: &Base, edited: &Edited) -> BTreeSet<TapeId> {
    let before = std::fs::read(base.root.join(PACK)).unwrap();
    let is_whole = |r: &RecordSpan| {
        let range = r.header.start as usize..r.body.end as usize;
        edited.after.get(range.clone()) == Some(&before[range])
    };
    base.map.records.iter().filter(|r| !is_whole(r)).map(|r| r.tape).collect()
}
