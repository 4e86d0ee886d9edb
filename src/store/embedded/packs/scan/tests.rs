//! Walks over single files, byte by byte.

use std::fs;

use super::super::records::{PackHeader, RecordError, RecordHeader, RecordType};
use super::{Cause, Found, Gap, Scan};
use crate::codec::digest::{Digest, ObjectDigest, sha256, sha256_parts};
use crate::store::contracts::Protection;
use crate::store::files::{Files, RealFiles};

const ORIGIN: Digest = Digest::from_bytes([7; 32]);

fn noise(seed: u64, bytes: usize) -> Vec<u8> {
    let blocks = (0_u64..).map(|n| sha256_parts(&[&seed.to_be_bytes(), &n.to_be_bytes()]));
    blocks.flatten().take(bytes).collect()
}

fn digest_of(bytes: &[u8]) -> ObjectDigest {
    ObjectDigest::from_bytes(sha256(bytes))
}

/// A pack of records as they stand, and what a walk over it finds.
fn walk(bytes: &[u8]) -> Vec<Found> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("p"), bytes).unwrap();
    let file = RealFiles.open(&folder.path().join("p"), false).unwrap();
    let mut scan = Scan::new(file.as_ref(), 0, bytes.len() as u64);
    let found: Vec<_> = std::iter::from_fn(|| scan.next().unwrap()).collect();
    assert_eq!(scan.next().unwrap(), None, "the end stays the end");
    found
}

fn object(seed: u64, bytes: usize) -> Vec<u8> {
    let body = noise(seed, bytes);
    let protection = Protection::WORM;
    RecordHeader { kind: RecordType::Object, protection, bytes: bytes as u64, digest: digest_of(&body) }
        .encode_with(&body)
}

fn pack(records: &[Vec<u8>]) -> Vec<u8> {
    [PackHeader { number: 1, origin: ORIGIN }.encode(), records.concat()].concat()
}

fn gaps(found: Vec<Found>) -> Vec<(std::ops::Range<u64>, Cause)> {
    let gap = |found| if let Found::Gap(Gap { range, cause }) = found { Some((range, cause)) } else { None };
    found.into_iter().filter_map(gap).collect()
}

#[test]
fn zeros_after_the_last_record_are_silent() {
    for zeros in [0, 1, 63, 64, 100_000] {
        let found = walk(&[pack(&[object(1, 300)]), vec![0; zeros]].concat());
        assert!(matches!(found.as_slice(), [Found::Pack(_), Found::Record(64, _)]), "{zeros}: {found:?}");
    }
    for zeros in [0, 1, 70_000] {
        assert_eq!(walk(&vec![0; zeros]), []);
    }
}

#[test]
fn tail_is_what_follows_the_last_whole_record() {
    let whole = pack(&[object(1, 300)]);
    let end = whole.len() as u64;
    let torn = object(2, 900);
    for cut in 1..torn.len() {
        // Cut by the end of the file.
        let found = gaps(walk(&[&whole, &torn[..cut]].concat()));
        let last = torn[..cut].iter().rposition(|b| *b != 0).unwrap() as u64;
        assert_eq!(found, [(end..end + last + 1, Cause::Tail)], "cut at {cut}");
    }
    // A header that never landed before bytes that did, in prepared space.
    let mut headless = torn.clone();
    headless[..64].fill(0);
    let found = gaps(walk(&[whole, headless, vec![0; 70_000]].concat()));
    assert_eq!(found, [(end..end + 964, Cause::Tail)]);
}

#[test]
fn sector_never_written_before_whole_records_is_torn_and_a_flip_is_damage() {
    let records = [object(1, 300), object(2, 2_000), object(3, 100)];
    let whole = pack(&records);
    let (start, next) = (64 + 364, 64 + 364 + 2_064);
    // The header of the second record lies in the first sector; sectors 1 to 3 are wholly its own.
    for sector in 0..4 {
        let mut bytes = whole.clone();
        bytes[(sector * 512).max(start)..(sector + 1) * 512].fill(0);
        let found = gaps(walk(&bytes));
        if sector == 0 {
            assert_eq!(found, [(start as u64..next as u64, Cause::Torn)]);
        } else {
            assert_eq!(found, [], "its header is right; the bytes are checked by who reads them");
        }
    }
    for at in start..start + 64 {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        let found = gaps(walk(&bytes));
        let [(range, Cause::Damaged(_))] = found.as_slice() else { panic!("byte {at}: {found:?}") };
        assert_eq!(*range, start as u64..next as u64);
    }
}

#[test]
fn next_record_is_found_across_window_ends() {
    for bytes in (65_300..65_700).step_by(1) {
        let mut damaged = pack(&[object(1, bytes), object(2, 10)]);
        damaged[64] = b'X';
        let found = walk(&damaged);
        let end = 128 + bytes as u64;
        assert!(matches!(&found[1], Found::Gap(gap) if gap.range == (64..end)), "{bytes}: {:?}", found[1]);
        assert!(matches!(found[2], Found::Record(at, _) if at == end));
    }
}

#[test]
fn magic_bytes_inside_an_object_are_no_record() {
    let mut bait = object(2, 500);
    // A header that looks right but declares more bytes than the file has, and bare magic bytes.
    let long = RecordHeader {
        kind: RecordType::Object,
        protection: Protection::WORM,
        bytes: u64::MAX,
        digest: digest_of(b""),
    };
    bait[100..164].copy_from_slice(&long.encode());
    bait[200..204].copy_from_slice(b"IMTO");
    bait[0] = b'X';
    let found = gaps(walk(&pack(&[bait, object(3, 10)])));
    assert_eq!(found, [(64..64 + 564, Cause::Damaged(RecordError::Magic))]);
}

#[test]
fn record_of_a_later_format_is_no_torn_write() {
    let mut newer = object(2, 0);
    newer[4] = 9;
    let check = sha256(&newer[..56]);
    newer[56..64].copy_from_slice(&check[..8]);
    let end = 64 + 364;
    let expected = [(end..end + 64, Cause::Damaged(RecordError::NewerFormat))];
    assert_eq!(gaps(walk(&pack(&[object(1, 300), newer.clone()]))), expected);
    assert_eq!(gaps(walk(&pack(&[object(1, 300), newer, object(3, 5)]))), expected);
}

#[test]
fn file_full_of_false_magics_is_walked_in_one_go() {
    let mut bytes = pack(&[object(1, 300)]);
    bytes.extend(b"IMTO".repeat(1 << 20));
    bytes.extend(object(2, 10));
    let found = walk(&bytes);
    assert_eq!(found.len(), 4);
    assert_eq!(gaps(found), [(428..428 + (4 << 20), Cause::Damaged(RecordError::Check))]);
}
