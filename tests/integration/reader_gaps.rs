//! Where a reader takes what the format text refuses, or a writer makes what its reader refuses. Each test says what
//! ought to be and is ignored until it is; `cargo test -- --ignored reader_gaps` shows where it stands.

use immutape::codec::cbor::{self, CborError, encode};
use immutape::codec::digest::{CustodyId, Digest, LeafHash, RootHash, sha256};
use immutape::codec::extent::{ExtentError, Group, GroupHeader, SegmentHeader};
use immutape::log::{
    ChainState, Entry, EntryDraft, EntryKind, GroupBuilder, GroupPlace, HeadFile, LogError, NoteKey, PrivateHalf,
};
use immutape::proof::verify_consistency;
use immutape::seal::{JournalKey, SealError, Signer as _, TapeSecret, open_object};
use immutape::tape::{Direction, Frame, TapeError};
use immutape::time::Timestamp;

use crate::golden_make::by_hand;
use crate::golden_make::inputs::{CHECKPOINT_SEED, CUSTODY, TAPE_SECRET, signer};
use crate::golden_make::{folder, kit};

fn accepted(path: &str) -> Vec<u8> {
    let (chapter, file) = path.split_once('/').unwrap();
    std::fs::read(folder().join(chapter).join("accept").join(file)).unwrap()
}

#[test]
fn a_frame_with_an_empty_list() {
    let empty = kit::swap(&accepted("2-tape/frame-minimal.cbor"), &[("a500", "a600"), ("0600", "06000d80")]);
    assert_eq!(Frame::decode(&empty), Err(TapeError::Cbor(CborError::Length)));
}

#[test]
fn a_frame_with_a_long_envelope() {
    let mut frame = Frame::message(0, Direction::Unknown, Vec::new());
    frame.media_type = Some(vec![0; 1 << 10]);
    let short = frame.parts().unwrap().encode();
    let place = short.windows(4).position(|w| w == [0x07, 0x59, 0x04, 0x00]).unwrap();
    let mut long = short[..place].to_vec();
    long.extend([0x07, 0x5a, 0x00, 0x10, 0x00, 0x00]);
    long.extend(vec![0; 1 << 20]);
    assert!(matches!(Frame::decode(&long), Err(TapeError::Limit { .. })), "longer than 1 MiB");
}

#[test]
fn the_seventeenth_level_may_not_be_empty_either() {
    let mut bytes = vec![0x81; 16];
    bytes.push(0x80);
    assert_eq!(cbor::check(&bytes), Err(CborError::Depth));
}

fn unknown_kind(body: Vec<u8>) -> Vec<u8> {
    let draft = EntryDraft {
        kind: EntryKind::from_number(999),
        subject: CustodyId::LEDGER,
        body,
        commitment: Digest::from_bytes([0; 32]),
        sealed_digest: Digest::from_bytes([0; 32]),
        key_id: [0; 16],
        sealed: Vec::new(),
    };
    let zero = LeafHash::from_bytes([0; 32]);
    draft.place(1, &zero, Timestamp::from_ms(0), 0, &zero).unwrap().0
}

#[test]
fn an_entry_is_as_deep_as_any_item() {
    let mut body = vec![0xa1, 0x00];
    body.extend([0x81; 15]);
    body.push(0);
    let entry = unknown_kind(body);
    assert_eq!(cbor::check(&entry), Err(CborError::Depth), "seventeen levels");
    assert_eq!(Entry::decode(&entry), Err(LogError::Cbor(CborError::Depth)));
}

#[test]
fn keys_of_an_unknown_body_are_integers() {
    let entry = unknown_kind(vec![0xa1, 0x61, 0x61, 0x00]);
    assert_eq!(Entry::decode(&entry).map(drop), Err(LogError::Cbor(CborError::UnknownKey)));
}

#[test]
fn a_set_is_at_most_16_384_bytes() {
    let ids: Vec<u8> = (0..513u32).flat_map(|i| [vec![0; 28], i.to_be_bytes().to_vec()].concat()).collect();
    let half = encode(|w| {
        w.map(1);
        w.uint(19);
        w.bytes(&ids);
    });
    assert!(PrivateHalf::decode(&half).is_err());
}

#[test]
fn padding_of_a_group_is_zero() {
    let mut group = accepted("4-commit/group.bin");
    *group.last_mut().unwrap() = 1;
    group[192..256].fill(0);
    let hash = sha256(&group);
    group[192..224].copy_from_slice(&hash);
    assert!(Group::parse(&group).is_err());
}

#[test]
fn the_largest_group_is_read_back() {
    let draft = |sealed: usize| EntryDraft {
        kind: EntryKind::from_number(999),
        subject: CustodyId::LEDGER,
        body: vec![0xa0],
        commitment: Digest::from_bytes([0; 32]),
        sealed_digest: Digest::from_bytes([0; 32]),
        key_id: [0; 16],
        sealed: vec![0; sealed],
    };
    let mut group = GroupBuilder::new(&ChainState::default());
    let push = |group: &mut GroupBuilder, sealed: usize| {
        let draft = draft(sealed);
        let fits = group.has_room_for(std::slice::from_ref(&draft));
        if fits {
            group.push::<LogError>(&draft, Timestamp::from_ms(0), |_| Ok(None)).unwrap();
        }
        fits
    };
    while push(&mut group, 65_000) {}
    // Then ever shorter ones, until not even the shortest fits.
    for sealed in (0..65_000).rev() {
        while push(&mut group, sealed) {}
    }
    let place = GroupPlace {
        term: 1,
        segment: 1,
        offset: 512,
        previous_group: GroupHeader::parse(&accepted("4-commit/group.bin")).unwrap().previous_group,
    };
    let done = group.finish(&place, false, &JournalKey::from_bytes(&[0; 32]));
    assert_eq!(Group::parse(&done.extent).map(|g| g.header().count), Ok(done.header.count));
}

#[test]
fn a_segment_is_a_power_of_two_long() {
    let mut header = SegmentHeader::parse(&accepted("4-commit/segment-first.bin")).unwrap();
    for bytes in [512, 3 << 20, 128 << 20] {
        header.file_bytes = bytes;
        assert_eq!(SegmentHeader::parse(&header.encode()), Err(ExtentError::Bounds), "{bytes}");
    }
}

#[test]
fn an_empty_tree_has_one_root() {
    let (other, new) = (RootHash::from_bytes([1; 32]), RootHash::from_bytes([2; 32]));
    assert_eq!(verify_consistency(0, 0, &[], &other, &other), Err(LogError::Proof));
    assert_eq!(verify_consistency(0, 5, &[], &other, &new), Err(LogError::Proof));
    assert_eq!(verify_consistency(0, 5, &[], &RootHash::from_bytes(sha256(b"")), &new), Ok(()));
}

#[test]
fn a_body_is_one_zstandard_frame() {
    let custody = CUSTODY;
    let keys = TapeSecret::from_bytes(&TAPE_SECRET).keys();
    let frame = |raw: &[u8]| zstd::bulk::compress(raw, 1).unwrap();
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0][..], b"hide"].concat();
    for body in [[frame(b"one "), frame(b"two ")].concat(), [frame(b"one two "), skippable].concat()] {
        let plain = by_hand::object_plain(1, 8, &body);
        let stored = by_hand::seal_object(&TAPE_SECRET, &[9; 32], custody.as_ref(), 1, &plain);
        assert_eq!(open_object(&keys, &custody, 1, &stored).map(|raw| raw.to_vec()), Err(SealError::Decompress));
    }
}

#[test]
fn an_origin_may_hold_the_label_of_heads() {
    let origin = "immutape/head/1/000102030405060708090a0b0c0d0e0f";
    let key = NoteKey::new(origin, signer(CHECKPOINT_SEED).public_key()).unwrap();
    let file = String::from_utf8(accepted("4-commit/head-open.txt")).unwrap();
    let at = file.find("immutape/head/1").unwrap();
    let texts = [&file[..at], &file[at..]].map(|note| note.split_once("\n\n").unwrap().0.to_owned() + "\n");
    let notes =
        texts.map(|t| by_hand::note(&t.replace(crate::golden_make::inputs::ORIGIN, origin), origin, CHECKPOINT_SEED));
    assert_eq!(HeadFile::parse(&notes.concat(), &key).map(|h| h.checkpoint.origin), Ok(origin.to_owned()));
}
