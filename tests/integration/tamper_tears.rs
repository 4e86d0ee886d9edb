//! What a crash leaves behind an orderly close and a reopening, and what only looks like it. The ledger's own check, an
//! opening and the auditor's program must agree, before the opening and after it named the tears.

use std::sync::Arc;

use immutape::Code;
use immutape::codec::digest::{GroupHash, LeafHash, RootHash};
use immutape::codec::extent::GroupHeader;

use crate::support::tamper::base::{Base, base};
use crate::support::tamper::dice::{Dice, seed};
use crate::support::tamper::edits::{Kind, Step};
use crate::support::tamper::expect::{Case, Expect};
use crate::support::tamper::folders::copy_tree;
use crate::support::tamper::forge::{self, Forge};
use crate::support::tamper::table;

const FIRST: &str = "ledger/journal/00000001.seg";
const SECOND: &str = "ledger/journal/00000002.seg";
const HEAD: &str = "state/head";
const SECTOR: usize = 512;

#[test]
fn tears_after_a_close() {
    let base = base();
    let seed = seed();
    let folder = tempfile::tempdir().unwrap();
    let opened_again = folder.path().join("opened-again");
    base.copy_to(&opened_again);
    let tip = Forge::read(&opened_again).write(&opened_again, None);
    forge::sign_head(&opened_again, &forge::signer(&opened_again, "checkpoint.pem"), &tip, "open");
    let head = Step::Put { path: HEAD.into(), from: folder.path().join("head") };
    copy_tree(&opened_again.join(HEAD), &folder.path().join("head"));
    let cases = Arc::new(cases(&base, &head, &mut Dice::new(seed)));
    assert_eq!(table::not_told(&cases), [""; 0]);
    let (outcomes, wrong) = table::run(&base, &cases);
    println!("seed {seed}\n{}", table::summary(&cases, &outcomes));
    assert!(wrong.is_empty(), "seed {seed}: {} tears came out otherwise:\n{}", wrong.len(), wrong.join("\n"));
}

/// The next group, of seven sectors, at a place.
fn next_group(base: &Base, dice: &mut Dice, segment: u64, offset: u64) -> Vec<u8> {
    let bytes = std::fs::read(base.root.join(FIRST)).unwrap();
    let last = base.map.groups.last().unwrap();
    let last = GroupHeader::parse(&bytes[last.extent.start as usize..last.extent.end as usize]).unwrap();
    assert!(last.clean_close());
    let header = GroupHeader {
        term: last.term + 1,
        segment,
        offset,
        first_index: last.size_after(),
        count: 1,
        flags: 0,
        body_bytes: 0,
        root: RootHash::from_bytes([7; 32]),
        previous_group: last.hash,
        last_leaf: LeafHash::from_bytes([8; 32]),
        hash: GroupHash::from_bytes([0; 32]),
        mac: [0; 32],
    };
    let records: Vec<u8> = dice.bytes(3200).iter().map(|b| b | 1).collect();
    let (_, extent) = header.seal(&records, |_| [9; 32]);
    assert_eq!(extent.len(), 7 * SECTOR);
    extent
}

fn lose(extent: &mut [u8], sectors: &[usize]) {
    sectors.iter().for_each(|n| extent[n * SECTOR..(n + 1) * SECTOR].fill(0));
}

fn cases(base: &Base, head: &Step, dice: &mut Dice) -> Vec<Case> {
    let end = base.map.journal_end();
    let segment_bytes = 1 << 20;
    let in_first = |bytes: Vec<u8>| Step::Write { path: FIRST.into(), at: end, bytes };
    let in_second = |extent: &[u8]| {
        let mut bytes = vec![0; SECTOR];
        bytes.extend_from_slice(extent);
        bytes.resize(segment_bytes, 0);
        Step::Plant { path: SECOND.into(), bytes }
    };
    let whole = next_group(base, dice, 1, end);
    let born = next_group(base, dice, 2, SECTOR as u64);
    let torn = |lost: &[usize]| {
        let mut bytes = whole.clone();
        lose(&mut bytes, lost);
        bytes
    };
    let at_end = format!("journal/00000001.seg offset {end}");
    let at_birth = "journal/00000002.seg offset 0".to_owned();
    let mut out = Vec::new();
    let mut lawful = |words: &str, place: &str, steps: Vec<Step>| {
        // Once the head says that it was opened again it is a tear; while it says "closed", never.
        let with_head: Vec<_> = std::iter::once(head.clone()).chain(steps.clone()).collect();
        out.push(case(words, with_head, Expect::harmless().at(place)));
        out.push(case(&format!("{words}, the head says closed"), steps, damaged()));
    };
    lawful("a group without its third sector", &at_end, vec![in_first(torn(&[2]))]);
    lawful("a group without its first sector", &at_end, vec![in_first(torn(&[0]))]);
    lawful("a group without its last sectors", &at_end, vec![in_first(torn(&[4, 5, 6]))]);
    lawful("nothing but the last sector of a group", &at_end, vec![in_first(torn(&[0, 1, 2, 3, 4, 5]))]);
    lawful("a segment without its header's sector", &at_birth, vec![in_second(&born)]);
    let mut half = born.clone();
    lose(&mut half, &[0, 3]);
    lawful("a segment without its header's sector and its group's", &at_birth, vec![in_second(&half)]);
    lawful("two crashes in a row", &at_end, vec![in_first(torn(&[2])), in_second(&half)]);
    lawful(
        "two crashes in a row, the second segment's group whole",
        &at_birth,
        vec![in_first(torn(&[1])), in_second(&born)],
    );

    let mut damage = |words: &str, steps: Vec<Step>| {
        let steps = std::iter::once(head.clone()).chain(steps).collect();
        out.push(case(words, steps, damaged()));
    };
    let edited = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = torn(&[2]);
        edit(&mut bytes);
        vec![in_first(bytes)]
    };
    damage("no sector missing, a byte flipped", vec![in_first([&whole[..2000], &[0], &whole[2001..]].concat())]);
    for (words, at) in [
        ("another version", 7),
        ("an earlier term", 15),
        ("another segment", 23),
        ("another place", 30),
        ("another first entry", 39),
        ("no entries", 43),
        ("unknown flags", 44),
        ("a longer extent", 53),
        ("another size", 63),
        ("another group before it", 100),
        ("reserved bytes", 170),
    ] {
        let edit = |bytes: &mut Vec<u8>| bytes[at] = if bytes[at] == 0 { 0x40 } else { 0 };
        damage(&format!("a torn group that says {words}"), edited(&edit));
    }
    damage("a byte behind a torn group", edited(&|bytes| bytes.extend([1])));
    damage("a byte far behind a torn group", edited(&|bytes| bytes.extend([vec![0; 9000], vec![1]].concat())));
    let later = next_group(base, dice, 1, end + SECTOR as u64);
    damage("a whole group behind a sector of zeros", vec![in_first([vec![0; SECTOR], later].concat())]);
    let mut other = born.clone();
    other[100] ^= 1;
    damage("a segment torn at its header, its group follows another", vec![in_second(&other)]);
    damage(
        "damage below a segment torn at its header",
        vec![edited(&|bytes| bytes[39] ^= 1).remove(0), in_second(&half)],
    );
    out
}

/// A group in a later format is refused as such, and is no less refused.
fn damaged() -> Expect {
    Expect::refused(Code::LogDamaged, &["journal"]).at("journal/00000001.seg")
}

fn case(words: &str, steps: Vec<Step>, mut expect: Expect) -> Case {
    if words.contains("another version") {
        expect = Expect::refused(Code::NewerFormat, &["journal"]);
    }
    Case { file: "tear", kind: Kind::Other, words: words.to_owned(), steps, expect }
}
