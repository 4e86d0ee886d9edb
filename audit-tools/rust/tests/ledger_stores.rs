//! Ledger folders, read without a key: packs, vault and spools.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[path = "support/mod.rs"]
mod support;

use support::hex;
use support::ledger::*;
use support::maker::{self, OBJECTS, Spec};
use tapeaudit_core::cbor::Writer;
use tapeaudit_core::digest::hash;

#[test]
fn objects_and_manifests_are_there() {
    let ledger = Ledger::new(|_| {});
    let manifest = ledger.maker.manifest();
    let told = |bytes: &[u8]| {
        ledger.put("l/packs/00000001.pack", bytes);
        ledger.words()
    };
    assert_eq!(told(&pack(&[OBJECTS[0], &manifest])), ["missing"]);
    assert_eq!(told(&pack(&[OBJECTS[0], OBJECTS[1]])), ["missing"]);
    let good = pack(&[OBJECTS[0], OBJECTS[1], &manifest]);
    let mut bytes = good.clone();
    bytes[64 + 64] ^= 1;
    assert_eq!(told(&bytes), ["altered"]);
    // The same object stands in it once more, as it is.
    let more = pack(&[OBJECTS[0]]);
    bytes.truncate(bytes.len() - 4096);
    bytes.extend(&more[64..]);
    assert_eq!(told(&bytes), ["intact"]);
    let mut bytes = good.clone();
    bytes[3] ^= 1;
    assert_eq!(told(&bytes), ["altered"], "the header, and nothing behind it");
    let mut bytes = good.clone();
    bytes[64] ^= 1;
    assert_eq!(told(&bytes), ["altered", "missing"], "a record that is none any more");
}

#[test]
fn what_stands_between_the_records_of_a_pack() {
    let ledger = Ledger::new(|_| {});
    let good = pack(&[OBJECTS[0], OBJECTS[1], &ledger.maker.manifest()]);
    let second = 64 + 64 + OBJECTS[0].len();
    let between = |bytes: &[u8]| {
        ledger.put("l/packs/00000001.pack", &[&good[..second], bytes, &good[second..]].concat());
        ledger.words()
    };
    let to_boundary = 512 - second % 512;
    assert_eq!(between(&[7; 100]), ["altered"], "no power cut leaves that");
    assert_eq!(between(&vec![0; to_boundary]), ["intact"], "zeros up to a sector");
    assert_eq!(
        between(&[&vec![7; to_boundary][..], &[0; 512], &[7; 9]].concat()),
        ["intact"],
        "a sector in the middle"
    );
    assert_eq!(between(&[&vec![7; to_boundary][..], &[0; 511], &[7; 9]].concat()), ["altered"], "less than a sector");
    // What a later program may have written is not known here: that is said, and not that it was passed over.
    for front in [b"\x04\x01\0\0", b"\x01\x03\0\0", b"\x01\x01\0\x01"] {
        assert_eq!(between(&record(front, 0, &[1; 32])), ["altered"], "{front:?}");
    }
    // An object that nothing names may have any bytes.
    assert_eq!(between(&[&record(b"\x01\x01\0\0", 5, &[1; 32])[..], b"bytes"].concat()), ["intact"]);
    // A record of a false length hides the next one, which is found at its own place. What is left of it is damage where
    // records follow, and else a tail.
    assert_eq!(between(&record(b"\x01\x01\0\0", 30, &[1; 32])), ["altered"]);
    assert_eq!(between(&record(b"\x01\x01\0\0", OBJECTS[1].len() + 70, &[1; 32])), ["intact"]);
    let end = good.len() - 4096;
    let behind = |bytes: &[u8]| {
        ledger.put("l/packs/00000001.pack", &[&good[..end], bytes].concat());
        ledger.words()
    };
    assert_eq!(behind(&[9; 1000]), ["intact"], "a write that was never finished");
    assert_eq!(behind(&record(b"\x01\x01\0\0", 1000, &[1; 32])), ["intact"], "the same, with its header");
    assert_eq!(behind(&record(b"\x09\x01\0\0", 0, &[1; 32])), ["altered"]);
    assert_eq!(behind(&record(b"\x03\x01\0\0", OBJECTS[0].len(), &hash(OBJECTS[0]))), ["missing"], "discarded");
}

#[test]
fn packs_are_numbered_without_gaps() {
    let ledger = Ledger::new(|_| {});
    let path = |n: u64| ledger.scratch.0.join(format!("l/packs/{n:08}.pack"));
    std::fs::write(path(3), b"").unwrap();
    assert_eq!(ledger.words(), ["missing"]);
    std::fs::write(path(2), b"").unwrap();
    assert_eq!(ledger.words(), ["intact"], "files that are shorter than a header");
    std::fs::remove_file(path(3)).unwrap();
    std::fs::remove_file(path(2)).unwrap();
    std::fs::write(ledger.scratch.0.join("l/packs/99999999.pack"), b"").unwrap();
    assert_eq!(ledger.words(), ["missing"], "however wide the gap is, it is one");
    std::fs::remove_file(ledger.scratch.0.join("l/packs/99999999.pack")).unwrap();
    std::fs::rename(path(1), path(2)).unwrap();
    assert_eq!(ledger.words(), ["altered", "missing"], "its number is another, and its objects count");
    std::fs::rename(path(2), path(1)).unwrap();
    std::fs::create_dir(path(2)).unwrap();
    assert_eq!(ledger.words(), ["cannot tell"], "a folder in its place");
}

#[test]
fn the_vault_has_its_shape_and_the_keys_of_all_tapes() {
    let ledger = Ledger::new(|_| {});
    let path = format!("s/vault/{}", hex(&EPOCH));
    let told = |name: &str, bytes: &[u8]| {
        ledger.write();
        ledger.put(name, bytes);
        ledger.words()
    };
    let key = slot(0, &maker::CUSTODY);
    // A free slot before a written one, and one that a crash cut: slot 3 lies on both sides of byte 512.
    let mut cut = slot(3, &[7; 32]);
    cut[80..].fill(0);
    assert_eq!(told(&path, &epoch(&[vec![0; 144], slot(1, &maker::CUSTODY), vec![0; 144], cut.clone()])), ["intact"]);
    cut[143] = 1;
    assert_eq!(told(&path, &epoch(&[key.clone(), vec![0; 288], cut])), ["altered"]);
    assert_eq!(told(&path, &epoch(&[vec![0; 144], key.clone()])), ["altered", "missing"], "a slot of another number");
    assert_eq!(told(&path, &epoch(&[])), ["missing"]);
    assert_eq!(told(&path, &epoch(std::slice::from_ref(&key))[144..]), ["altered", "missing"], "another length");
    assert_eq!(told("s/vault/generation", &generation(1, 1)), ["rolled back"]);
    assert_eq!(told("s/vault/generation", &generation(1, 3)), ["intact"], "the head is written after the vault");
    let good = generation(1, 2);
    let mut other = good.clone();
    *other.last_mut().unwrap() ^= 1;
    assert_eq!(told("s/vault/generation", &other), ["altered"], "another code than the head file names");
    for (at, what) in [(19, "the line"), (21, "the item"), (60, "the origin")] {
        let mut other = good.clone();
        other[at] ^= 1;
        assert_eq!(told("s/vault/generation", &other), ["altered"], "{what}");
    }
    ledger.write();
    std::fs::remove_file(ledger.scratch.0.join(&path)).unwrap();
    assert_eq!(ledger.words(), ["missing"]);
    std::fs::remove_dir_all(ledger.scratch.0.join("s/vault")).unwrap();
    assert_eq!(ledger.words(), ["missing"]);
}

#[test]
fn recordings_that_are_no_tape_yet() {
    let ledger = Ledger::new(|maker| {
        let private = maker.specs[3].private.clone();
        maker.specs.push(Spec { kind: 18, subject: maker::OTHER, private, closed: None, member: false, absent: false });
        maker.entry = Box::new(|parts| {
            if parts.kind == 18 {
                parts.body = Writer::new().map(1).uint(0).bytes(&[1; 16]).done();
            }
        });
    });
    let spool = format!("l/spool/{}", hex(&maker::OTHER));
    assert_eq!(ledger.words(), ["altered", "missing"], "neither spool nor key");
    let id = hash(&Writer::new().array(2).text("immutape/live-key-id/1").bytes(&maker::OTHER).done());
    let keys = epoch(&[slot(0, &maker::CUSTODY), slot(1, &id)]);
    ledger.put(&format!("s/vault/{}", hex(&EPOCH)), &keys);
    assert_eq!(ledger.words(), ["altered"]);
    let mut piece = [&5_u32.to_be_bytes()[..], b"piece"].concat();
    let check = hash(&piece);
    piece.extend(&check[..8]);
    ledger.put(&spool, &piece);
    assert_eq!(ledger.words(), ["unsealed tail"]);
    ledger.put(&spool, &[&piece[..], &piece[..9]].concat());
    assert_eq!(ledger.words(), ["unsealed tail"], "what follows the last whole piece is ignored");
    piece[5] ^= 1;
    ledger.put(&spool, &piece);
    assert_eq!(ledger.words(), ["altered"], "no piece is whole");
}
