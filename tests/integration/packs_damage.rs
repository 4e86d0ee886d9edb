//! Damage at every place of a pack: it is named, no other object is lost, nothing panics, and the
//! next run stores behind it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests; a panic is their verdict"
)]

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use immutape::codec::digest::{Digest, sha256};
use immutape::error::Code;
use immutape::store::conformance::objects::{digest_of, noise};
use immutape::store::contracts::Listed;
use immutape::store::embedded::packs::Packs;
use immutape::store::embedded::packs::records::{PackHeader, RecordHeader, RecordType};
use immutape::store::files::RealFiles;
use immutape::store::{Hint, NewObject, ObjectRef, Objects, Protection, ProtectionMode};

const ORIGIN: Digest = Digest::from_bytes([7; 32]);
const RAISED: Protection = Protection { mode: ProtectionMode::Retained, until_ms: 5 };

fn packs(folder: &Path) -> Packs {
    Packs::open(Arc::new(RealFiles), folder.to_owned(), ORIGIN).unwrap()
}

fn pack_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:08}.pack"))
}

/// A folder with one small pack: four objects, and after the second one a raised protection.
struct Small {
    folder: tempfile::TempDir,
    bytes: Vec<u8>,
    objects: Vec<(ObjectRef, Vec<u8>)>,
    /// Every record: what it names and the range it takes.
    records: Vec<(Option<usize>, Range<usize>)>,
}

impl Small {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bodies = [noise(1, 700), noise(2, 1_500), Vec::new(), noise(3, 333)];
        let mut objects = Vec::new();
        // Two runs, so that a pack that was continued is looked at as well.
        for run in [&bodies[..2], &bodies[2..]] {
            let store = packs(folder.path());
            for body in run {
                objects.push((store.put(NewObject::of(body), Protection::WORM).unwrap(), body.clone()));
            }
            if objects.len() == 2 {
                store.protect(&objects[0].0, RAISED).unwrap();
            }
            store.sync().unwrap();
        }
        let bytes = fs::read(pack_path(folder.path(), 1)).unwrap();
        let ends = [(None, 64), (Some(0), 764), (Some(1), 1_564), (None, 64), (Some(2), 64), (Some(3), 397)];
        let mut records = Vec::new();
        for (object, length) in ends {
            let start = records.last().map_or(0, |(_, range): &(_, Range<usize>)| range.end);
            records.push((object, start..start + length));
        }
        Self { folder, bytes, objects, records }
    }

    fn end(&self) -> usize {
        self.records[5].1.end
    }

    fn write(&self, bytes: &[u8]) {
        fs::write(pack_path(self.folder.path(), 1), bytes).unwrap();
    }

    /// What a fresh run says of each object (by its hint, and without one) and what it lists.
    fn verdict(&self) -> Verdict {
        let store = packs(self.folder.path());
        let mut verdict = Verdict::default();
        for (object, bytes) in &self.objects {
            let found = store.get(object);
            if let Err(e) = &found
                && e.code() == Code::TapeDamaged
            {
                assert!(e.message().contains("00000001.pack at byte "), "{e}");
                assert!(e.hint().is_some());
            }
            let lost = store.get(&ObjectRef { hint: Hint::default(), ..*object });
            assert_eq!(found.is_ok(), lost.is_ok(), "the hint changes nothing");
            verdict.objects.push(match found {
                Ok(found) if found == *bytes => None,
                Ok(_) => panic!("other bytes were given out"),
                Err(e) => Some(e.code()),
            });
        }
        store
            .list(&mut |found| {
                match found {
                    Listed::Object(object, protection) => _ = verdict.listed.insert(object.digest, protection),
                    Listed::Damaged { place, reason } => verdict.damages.push((place, reason)),
                }
                Ok(())
            })
            .unwrap();
        verdict
    }

    /// Whatever the damage, the next run can store and find what it stored.
    fn assert_goes_on(&self) {
        let store = packs(self.folder.path());
        let new = store.put(NewObject::of(b"new"), Protection::WORM).unwrap();
        store.sync().unwrap();
        assert_eq!(packs(self.folder.path()).get(&new).unwrap(), b"new");
        for entry in fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path != pack_path(self.folder.path(), 1) {
                fs::remove_file(path).unwrap();
            }
        }
    }
}

#[derive(Debug, Default)]
struct Verdict {
    objects: Vec<Option<Code>>,
    listed: BTreeMap<immutape::codec::digest::ObjectDigest, Protection>,
    damages: Vec<(String, String)>,
}

impl Verdict {
    /// Objects that cannot be read.
    fn lost(&self) -> Vec<usize> {
        self.objects.iter().enumerate().filter(|(_, code)| code.is_some()).map(|(n, _)| n).collect()
    }

    fn is_named(&self) -> bool {
        self.objects.contains(&Some(Code::TapeDamaged)) || !self.damages.is_empty()
    }
}

#[test]
fn whole_pack_has_nothing_to_say() {
    let small = Small::new();
    let verdict = small.verdict();
    assert_eq!((verdict.lost(), verdict.damages.len(), verdict.listed.len()), (vec![], 0, 4));
    assert_eq!(verdict.listed[&small.objects[0].0.digest], RAISED);
    let used = packs(small.folder.path()).used_ranges().unwrap();
    let whole = 0..small.end() as u64;
    assert_eq!(used, [(pack_path(small.folder.path(), 1), Vec::from([whole]))]);
    assert_eq!(small.bytes.len(), 64 << 10);
}

#[test]
fn every_flipped_byte_is_named_and_costs_its_own_record_only() {
    let small = Small::new();
    let last = small.records.len() - 1;
    for (n, (object, range)) in small.records.iter().enumerate() {
        for at in range.clone() {
            let mut bytes = small.bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            small.write(&bytes);
            let verdict = small.verdict();
            let expected: Vec<usize> = object.iter().copied().collect();
            assert_eq!(verdict.lost(), expected, "byte {at} of record {n}");
            assert!(verdict.is_named(), "byte {at} of record {n}: {verdict:?}");
            if let Some(object) = object {
                let is_header = at - range.start < 64;
                let code = verdict.objects[*object];
                assert_eq!(code, Some(Code::TapeDamaged), "byte {at} of record {n}");
                assert_eq!(!verdict.damages.is_empty(), is_header);
            }
            // Whole records follow all but the last: no torn write explains a flip there.
            let excused = verdict.damages.iter().any(|(_, reason)| reason.starts_with("unused bytes"));
            assert_eq!(excused, n == last && at - range.start < 64, "byte {at}: {:?}", verdict.damages);
        }
        small.assert_goes_on();
    }
}

#[test]
fn flip_in_prepared_space_is_reported_as_unused_bytes() {
    let small = Small::new();
    let end = small.end();
    for at in (end..end + 600).chain([30_000, small.bytes.len() - 1]) {
        let mut bytes = small.bytes.clone();
        bytes[at] = 1;
        small.write(&bytes);
        let verdict = small.verdict();
        assert_eq!((verdict.lost(), verdict.listed.len()), (vec![], 4), "byte {at}");
        let [(place, reason)] = verdict.damages.as_slice() else { panic!("byte {at}: {verdict:?}") };
        assert!(place.ends_with(&format!("00000001.pack at byte {end}")), "{place}");
        assert!(reason.starts_with(&format!("unused bytes: {} ", at - end + 1)), "{reason}");
    }
    // The next run leaves them where they are and begins a new pack.
    let store = packs(small.folder.path());
    store.put(NewObject::of(b"new"), Protection::WORM).unwrap();
    assert!(pack_path(small.folder.path(), 2).exists());
}

#[test]
fn every_truncation_costs_what_it_cuts_only() {
    let small = Small::new();
    for cut in 0..=small.end() {
        small.write(&small.bytes[..cut]);
        let verdict = small.verdict();
        let whole = |record: &&(Option<usize>, Range<usize>)| record.1.end > cut;
        let expected: Vec<usize> = small.records.iter().filter(whole).filter_map(|(object, _)| *object).collect();
        assert_eq!(verdict.lost(), expected, "cut at {cut}");
        for (object, range) in &small.records {
            let Some(code) = object.and_then(|object| verdict.objects[object]) else { continue };
            // Where a part of the record is left it is damage; where nothing is left, nothing is there.
            let wanted = if range.start < cut { Code::TapeDamaged } else { Code::NotFound };
            assert_eq!(code, wanted, "cut at {cut}, record {range:?}");
        }
        if cut % 50 == 0 {
            small.assert_goes_on();
        }
    }
}

#[test]
fn every_zeroed_range_costs_what_it_touches_only() {
    let small = Small::new();
    let mut edges: Vec<usize> = (0..small.end()).step_by(512).collect();
    for (_, range) in &small.records {
        edges.extend([range.start, range.start + 4, range.start + 56, range.start + 64, range.end - 1, range.end]);
    }
    edges.sort_unstable();
    edges.dedup();
    for (n, from) in edges.iter().enumerate() {
        for to in &edges[n + 1..] {
            let mut bytes = small.bytes.clone();
            bytes[*from..*to].fill(0);
            small.write(&bytes);
            let verdict = small.verdict();
            let touched = |range: &Range<usize>| bytes[range.clone()] != small.bytes[range.clone()];
            let expected: Vec<usize> = small.records.iter().filter(|r| touched(&r.1)).filter_map(|r| r.0).collect();
            assert_eq!(verdict.lost(), expected, "{from}..{to}");
            // Zeros up to the end look like prepared space; what the log names is then not found.
            let is_all_gone = bytes[*from..].iter().all(|b| *b == 0);
            let is_said = verdict.is_named() || verdict.objects.contains(&Some(Code::NotFound));
            assert!(is_said || bytes == small.bytes || is_all_gone, "{from}..{to}: {verdict:?}");
        }
        small.assert_goes_on();
    }
}

#[test]
fn pages_swapped_within_a_pack_are_named() {
    let small = Small::new();
    for (a, b) in [(0, 512), (512, 1_024), (1_024, 2_048)] {
        let mut bytes = small.bytes.clone();
        bytes.copy_within(a..a + 512, b);
        small.write(&bytes);
        assert!(small.verdict().is_named(), "sector {a} over {b}");
        small.assert_goes_on();
    }
}

fn record(kind: RecordType, protection: Protection, body: &[u8]) -> RecordHeader {
    RecordHeader { kind, protection, bytes: body.len() as u64, digest: digest_of(body) }
}

/// A pack of these records, as the format says and not as our writer writes it.
fn write_pack(folder: &Path, number: u64, origin: Digest, records: &[Vec<u8>]) {
    let bytes = [PackHeader { number, origin }.encode(), records.concat()].concat();
    fs::write(pack_path(folder, number), bytes).unwrap();
}

/// Objects with their protection; damaged places with what is wrong.
type Findings = (Vec<(ObjectRef, Protection)>, Vec<(String, String)>);

fn findings(folder: &Path) -> Findings {
    let (mut objects, mut damages) = (Vec::new(), Vec::new());
    packs(folder)
        .list(&mut |found| {
            match found {
                Listed::Object(object, protection) => objects.push((object, protection)),
                Listed::Damaged { place, reason } => damages.push((place, reason)),
            }
            Ok(())
        })
        .unwrap();
    (objects, damages)
}

#[test]
fn hand_written_discard_record_holds_for_every_pack() {
    let folder = tempfile::tempdir().unwrap();
    let (gone, stays) = (noise(1, 300), noise(2, 300));
    let worm = Protection::WORM;
    let object = |body: &[u8]| record(RecordType::Object, worm, body).encode_with(body);
    let cleared = [record(RecordType::Object, worm, &gone).encode(), vec![0; 300]].concat();
    write_pack(folder.path(), 1, ORIGIN, &[object(&stays), cleared]);
    let discarded = record(RecordType::Discarded, worm, &gone).encode();
    let raised = record(RecordType::Raised, RAISED, &stays).encode();
    write_pack(folder.path(), 2, ORIGIN, &[discarded, raised]);
    let (objects, damages) = findings(folder.path());
    let hint = Hint([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 64]);
    let stays_ref = ObjectRef { digest: digest_of(&stays), bytes: 300, hint };
    assert_eq!((objects, damages), (vec![(stays_ref, RAISED)], vec![]));
    let hint = Hint([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 172]);
    for hint in [hint, Hint::default()] {
        let object = ObjectRef { digest: digest_of(&gone), bytes: 300, hint };
        assert_eq!(packs(folder.path()).get(&object).unwrap_err().code(), Code::NotFound);
    }
    assert_eq!(packs(folder.path()).get(&stays_ref).unwrap(), stays);
    // Its bytes and its own header mean nothing any more; the record that says so does.
    let used: Vec<_> = packs(folder.path()).used_ranges().unwrap().into_iter().map(|(_, ranges)| ranges).collect();
    assert_eq!(used.concat(), [0..428, 0..192]);
}

#[test]
fn flipped_discard_record_is_named_and_never_brings_bytes_back() {
    let folder = tempfile::tempdir().unwrap();
    let gone = noise(1, 300);
    let cleared = [record(RecordType::Object, Protection::WORM, &gone).encode(), vec![0; 300]].concat();
    let discarded = record(RecordType::Discarded, Protection::WORM, &gone).encode();
    let after = record(RecordType::Object, Protection::WORM, b"after").encode_with(b"after");
    for at in 0..64 {
        let mut flipped = discarded.clone();
        flipped[at] ^= 2;
        write_pack(folder.path(), 1, ORIGIN, &[cleared.clone(), flipped, after.clone()]);
        let (objects, damages) = findings(folder.path());
        assert_eq!((objects.len(), damages.len()), (2, 1), "byte {at}");
        assert!(!damages[0].1.starts_with("unused bytes"), "byte {at}: {damages:?}");
        let object = ObjectRef { digest: digest_of(&gone), bytes: 300, hint: Hint::default() };
        assert_eq!(packs(folder.path()).get(&object).unwrap_err().code(), Code::TapeDamaged);
    }
}

#[test]
fn packs_that_are_not_ours_are_named() {
    let body = noise(1, 100);
    let object = record(RecordType::Object, Protection::WORM, &body).encode_with(&body);
    let only_damage = |folder: &Path| {
        let (objects, damages) = findings(folder);
        assert_eq!(damages.len(), 1, "{damages:?}");
        (objects.len(), damages[0].1.clone())
    };

    let foreign = tempfile::tempdir().unwrap();
    write_pack(foreign.path(), 1, Digest::from_bytes([8; 32]), std::slice::from_ref(&object));
    assert_eq!(only_damage(foreign.path()), (1, "this pack belongs to another ledger".to_owned()));

    let renamed = tempfile::tempdir().unwrap();
    write_pack(renamed.path(), 1, ORIGIN, std::slice::from_ref(&object));
    write_pack(renamed.path(), 2, ORIGIN, &[]);
    fs::rename(pack_path(renamed.path(), 1), pack_path(renamed.path(), 2)).unwrap();
    let (objects, damages) = findings(renamed.path());
    let reasons: Vec<_> = damages.iter().map(|(_, reason)| reason.as_str()).collect();
    assert_eq!(
        (objects.len(), reasons),
        (1, vec!["this pack was written as number 1", "this pack is missing although pack 2 is there"])
    );

    // Neither is appended to.
    for folder in [foreign.path(), renamed.path()] {
        let before = findings(folder).0.len();
        let store = packs(folder);
        let new = store.put(NewObject::of(b"new"), Protection::WORM).unwrap();
        assert!(new.hint.0[7] > 1, "a new pack");
        assert_eq!(findings(folder).0.len(), before + 1);
    }

    let linked = tempfile::tempdir().unwrap();
    write_pack(foreign.path(), 7, ORIGIN, &[object]);
    std::os::unix::fs::symlink(pack_path(foreign.path(), 7), pack_path(linked.path(), 1)).unwrap();
    fs::create_dir(pack_path(linked.path(), 2)).unwrap();
    let (objects, damages) = findings(linked.path());
    assert_eq!((objects.len(), damages.len()), (0, 2));
    assert!(damages.iter().all(|(_, reason)| reason.starts_with("cannot be read: ")), "{damages:?}");
    let store = packs(linked.path());
    store.put(NewObject::of(b"new"), Protection::WORM).unwrap();
    assert!(pack_path(linked.path(), 3).exists(), "a new pack");
}

#[test]
fn later_formats_are_named_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let body = noise(1, 100);
    let mut newer = record(RecordType::Object, Protection::WORM, &body).encode();
    newer[4] = 9;
    let check = sha256(&newer[..56]);
    newer[56..64].copy_from_slice(&check[..8]);
    let after = record(RecordType::Object, Protection::WORM, b"after").encode_with(b"after");
    write_pack(folder.path(), 1, ORIGIN, &[[newer, body.clone()].concat(), after]);
    let hint = Hint([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 64]);
    let object = ObjectRef { digest: digest_of(&body), bytes: 100, hint };
    assert_eq!(packs(folder.path()).get(&object).unwrap_err().code(), Code::NewerFormat);
    assert_eq!(findings(folder.path()).0.len(), 1);

    let mut bytes = fs::read(pack_path(folder.path(), 1)).unwrap();
    bytes[7] = 2;
    let check = sha256(&bytes[..48]);
    bytes[48..64].copy_from_slice(&check[..16]);
    bytes[64] = b'X';
    fs::write(pack_path(folder.path(), 1), bytes).unwrap();
    assert_eq!(packs(folder.path()).get(&object).unwrap_err().code(), Code::NewerFormat);
    let (objects, damages) = findings(folder.path());
    assert_eq!(objects.len(), 0);
    assert_eq!(damages[0].1, "this pack was written in a newer format");
}

#[test]
fn damaged_copy_is_made_good_by_another() {
    let folder = tempfile::tempdir().unwrap();
    let body = noise(1, 100);
    let object = record(RecordType::Object, Protection::WORM, &body).encode_with(&body);
    write_pack(folder.path(), 1, ORIGIN, &[object.clone(), object]);
    for (first, second) in [(true, false), (false, true), (true, true)] {
        let mut bytes = fs::read(pack_path(folder.path(), 1)).unwrap();
        let (a, b) = (64 + 70, 64 + 164 + 70);
        bytes[a] ^= u8::from(first);
        bytes[b] ^= u8::from(second);
        fs::write(pack_path(folder.path(), 1), &bytes).unwrap();
        for offset in [64, 228] {
            let hint = Hint((u128::from(1_u8) << 64 | offset).to_be_bytes());
            let found = packs(folder.path()).get(&ObjectRef { digest: digest_of(&body), bytes: 100, hint });
            match found {
                Ok(found) => assert!(found == body && !(first && second)),
                Err(e) => assert!(e.code() == Code::TapeDamaged && first && second),
            }
        }
        bytes[a] ^= u8::from(first);
        bytes[b] ^= u8::from(second);
        fs::write(pack_path(folder.path(), 1), &bytes).unwrap();
    }
}

#[test]
fn pack_whose_last_object_is_torn_is_not_continued() {
    let folder = tempfile::tempdir().unwrap();
    let body = noise(1, 2_000);
    let whole = record(RecordType::Object, Protection::WORM, &body).encode_with(&body);
    for (from, expected) in [(whole.len(), 1), (whole.len() - 1, 2), (64 + 512, 2), (64, 2)] {
        let mut torn = whole.clone();
        torn[from..].fill(0);
        write_pack(folder.path(), 1, ORIGIN, &[torn, vec![0; 1_000]]);
        let new = packs(folder.path()).put(NewObject::of(b"new"), Protection::WORM).unwrap();
        assert_eq!(new.hint.0[7], expected, "zeros from byte {from} of the record on");
        let _not_there_the_first_time = fs::remove_file(pack_path(folder.path(), 2));
    }
}

#[test]
fn second_copy_can_only_strengthen_the_protection() {
    for (first, second) in [(Protection::WORM, RAISED), (RAISED, Protection::WORM)] {
        let folder = tempfile::tempdir().unwrap();
        for protection in [first, second] {
            let store = packs(folder.path());
            store.put(NewObject::of(b"twice"), protection).unwrap();
            store.sync().unwrap();
        }
        let (objects, damages) = findings(folder.path());
        assert_eq!((objects.len(), objects[0].1, damages.len()), (1, RAISED, 0));
        // The bytes of the second copy are needed only where the first is damaged.
        let used = packs(folder.path()).used_ranges().unwrap().remove(0).1;
        assert_eq!((used.len(), used[0].clone()), (1, 0..64 + 69));
    }
}
