//! Sealed objects, the journal's framing, and every limit that a writer or reader keeps.

use immutape::codec::cbor::{CborError, encode};
use immutape::codec::digest::{CustodyId, Digest, GroupHash, LeafHash, RootHash};
use immutape::codec::extent::{ExtentError, Group, GroupHeader, SegmentHeader, push_record};
use immutape::log::{Entry, EntryDraft, EntryKind, LogError};
use immutape::seal::{SealError, TapeSecret, open_object, padme, seal_object};
use immutape::tape::{Frame, Header, TapeError};
use immutape::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

use super::encode_frame;

fn group_header(first_index: u64, offset: u64, count: u32, flags: u32, hashes: [[u8; 32]; 3]) -> GroupHeader {
    GroupHeader {
        term: first_index % 7,
        segment: offset % 5,
        offset: offset * 512,
        first_index,
        count,
        flags,
        body_bytes: 0,
        root: RootHash::from_bytes(hashes[0]),
        previous_group: GroupHash::from_bytes(hashes[1]),
        last_leaf: LeafHash::from_bytes(hashes[2]),
        hash: GroupHash::from_bytes([0; 32]),
        mac: [0; 32],
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn groups_come_back(
        records in vec((vec(any::<u8>(), 0..300), vec(any::<u8>(), 0..200)), 1..8),
        numbers in (0u64..1 << 40, 0u64..1 << 20, 0u32..2),
        hashes: [[u8; 32]; 3],
        byte: prop::sample::Index,
    ) {
        let mut body = Vec::new();
        records.iter().for_each(|(public, sealed)| push_record(&mut body, public, sealed));
        let header = group_header(numbers.0, numbers.1, records.len() as u32, numbers.2, hashes);
        let (header, extent) = header.seal(&body, |hash| *hash.as_bytes());
        prop_assert_eq!(GroupHeader::parse(&extent), Ok(header));
        prop_assert_eq!(extent.len() as u64, header.extent_bytes());
        let group = Group::parse(&extent).unwrap();
        let found: Vec<_> = group.records().map(|r| r.map(|(a, b)| (a.to_vec(), b.to_vec())).unwrap()).collect();
        prop_assert_eq!(found, records);
        let at = byte.index(extent.len());
        let mut bad = extent.clone();
        bad[at] ^= 0x10;
        // The code alone lies outside the hash.
        prop_assert_eq!(Group::parse(&bad).is_ok(), (224..256).contains(&at));
        prop_assert_eq!(Group::parse(&extent[..extent.len() - 1]).unwrap_err(), ExtentError::Truncated);
    }

    #[test]
    fn segment_headers_come_back(numbers: [u32; 6], hashes: [[u8; 32]; 3]) {
        let [segment, file, term, first, end, dropped] = numbers.map(u64::from);
        let header = SegmentHeader {
            segment: segment + 1,
            file_bytes: 1 << (20 + file % 7),
            term,
            first_index: first,
            previous_group: GroupHash::from_bytes(hashes[0]),
            previous_end: end,
            dropped_hash: Digest::from_bytes(hashes[1]),
            dropped_bytes: dropped,
            origin: Digest::from_bytes(hashes[2]),
        };
        prop_assert_eq!(SegmentHeader::parse(&header.encode()), Ok(header));
    }
}

/// Content that compresses a little, somewhat or not at all.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let len = prop_oneof![0usize..300, 0usize..20_000, 100_000usize..200_000];
    (len, any::<u8>(), 1u32..4, any::<u32>()).prop_map(|(len, byte, kind, mut state)| {
        let mut next = move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        // All the same, one in three by chance, all by chance.
        let plain = |i: usize| kind == 1 || (kind == 2 && !i.is_multiple_of(3));
        (0..len).map(|i| if plain(i) { byte } else { next() }).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn objects_open_where_they_belong_and_nowhere_else(
        raw in content(),
        secret: [u8; 32],
        salt: [u8; 32],
        custody: [u8; 32],
        position in 0u64..1 << 20,
        flips in vec((any::<prop::sample::Index>(), 0u8..8), 20),
    ) {
        let (keys, custody) = (TapeSecret::from_bytes(&secret).keys(), CustodyId::from_bytes(custody));
        let stored = seal_object(&keys, salt, &custody, position, &raw).unwrap();
        prop_assert!(stored.len() as u64 <= padme(raw.len() as u64 + 17) + 80);
        prop_assert!(*open_object(&keys, &custody, position, &stored).unwrap() == raw);
        for (place, bit) in flips {
            let mut bad = stored.clone();
            let at = place.index(bad.len());
            bad[at] ^= 1 << bit;
            let wanted = if at < 64 { SealError::KeyCommitment } else { SealError::Authentication };
            prop_assert_eq!(open_object(&keys, &custody, position, &bad).map(drop), Err(wanted));
        }
        let refused = |keys, custody: &CustodyId, position| open_object(keys, custody, position, &stored).map(drop);
        prop_assert_eq!(refused(&keys, &custody, position + 1), Err(SealError::Authentication));
        let mut other = *custody.as_bytes();
        other[31] ^= 1;
        prop_assert_eq!(refused(&keys, &CustodyId::from_bytes(other), position), Err(SealError::Authentication));
        let mut secret = secret;
        secret[0] ^= 1;
        let keys = TapeSecret::from_bytes(&secret).keys();
        prop_assert_eq!(refused(&keys, &custody, position), Err(SealError::KeyCommitment));
    }
}

/// Every byte of one small object, every bit.
#[test]
fn no_bit_of_a_sealed_object_is_free() {
    let (keys, custody) = (TapeSecret::from_bytes(&[3; 32]).keys(), CustodyId::from_bytes([4; 32]));
    let stored = seal_object(&keys, [5; 32], &custody, 1, b"content of one object").unwrap();
    for at in 0..stored.len() {
        for bit in 0..8 {
            let mut bad = stored.clone();
            bad[at] ^= 1 << bit;
            assert!(open_object(&keys, &custody, 1, &bad).is_err(), "bit {bit} of byte {at}");
        }
    }
}

#[test]
fn limits_are_refused_on_both_sides() {
    let mut f = Frame::message(0, immutape::tape::Direction::Unknown, vec![0; (16 << 20) + 1]);
    let long = |what, found, max| TapeError::Limit { what, found, max };
    let payload = long("the payload of a frame in bytes", (16 << 20) + 1, 16 << 20);
    assert_eq!(f.parts().map(drop), Err(payload.clone()));
    f.payload.pop();
    let whole = encode_frame(&f);
    assert!(Frame::decode(&whole).is_ok(), "16 MiB are allowed");
    let mut more = whole[..11].to_vec();
    assert_eq!(more[7..], [0x05, 0x5a, 0x01, 0x00], "the payload's head");
    more.extend([0, 1]);
    more.extend(vec![0; (16 << 20) + 1]);
    more.extend([0x06, 0x00]);
    assert_eq!(Frame::decode(&more), Err(payload));
    f.payload.clear();
    f.media_type = Some(vec![0; 1 << 20]);
    let envelope = long("the envelope of a frame in bytes", (1 << 20) + 15, 1 << 20);
    assert_eq!(f.parts().map(drop), Err(envelope));
    f.media_type = None;
    f.flags = 1 << 13;
    assert_eq!(f.parts().map(drop), Err(TapeError::Value { field: "flags", value: 1 << 13 }));
}

#[test]
fn long_headers_labels_and_entries_are_refused() {
    let mut h = Header::new(immutape::tape::TapeKind::Mcp);
    h.labels.tags = vec![Vec::new(); 1_025];
    let tags = TapeError::Limit { what: "the number of tags", found: 1_025, max: 1_024 };
    assert_eq!(h.encode(), Err(tags));
    h.labels.tags = vec![vec![0; 4_097]];
    let label = TapeError::Limit { what: "a label in bytes", found: 4_097, max: 4_096 };
    assert_eq!(h.encode(), Err(label));
    h.labels.tags.clear();
    h.session_id = Some(vec![0; 8 << 20]);
    assert!(matches!(h.encode(), Err(TapeError::Limit { what: "the header of a tape in bytes", .. })));
    let bytes = vec![0; (8 << 20) + 1];
    assert!(matches!(Header::decode(&bytes), Err(TapeError::Limit { what: "the header of a tape in bytes", .. })));
    let draft = EntryDraft {
        kind: EntryKind::from_number(999),
        subject: CustodyId::LEDGER,
        body: encode(|w| {
            w.map(1);
            w.uint(0);
            w.bytes(&[0; 65_535]);
        }),
        commitment: Digest::from_bytes([0; 32]),
        sealed_digest: Digest::from_bytes([0; 32]),
        key_id: [0; 16],
        sealed: Vec::new(),
    };
    let zero = LeafHash::from_bytes([0; 32]);
    let placed = draft.place(1, &zero, Timestamp::from_ms(0), 0, &zero);
    let Err(LogError::TooLong(len)) = placed else { panic!("{placed:?}") };
    assert!(len > 65_535);
    assert_eq!(Entry::decode(&[0x8c; 65_536]), Err(LogError::TooLong(65_536)));
    assert_eq!(Entry::decode(&[0x8c; 65_535]), Err(LogError::Cbor(CborError::Type)));
}
