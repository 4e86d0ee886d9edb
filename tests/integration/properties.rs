//! Properties over generated values: what is written is read as the same, what is read is written as the same,
//! what is damaged is refused or is another whole thing, and nothing panics.

pub mod arbitrary;
mod arbitrary_log;
mod chains;
mod proofs;
mod sealed;

use arbitrary::{claims, damage, damaged, frame, header, manifest, tape_root};
use arbitrary_log::{body, draft, private_half};
use immutape::codec::Reader;
use immutape::codec::cbor::{self, encode};
use immutape::codec::digest::LeafHash;
use immutape::codec::extent::{Group, SegmentHeader};
use immutape::log::{Body, Entry, EntryDraft, NoteKey, PrivateHalf};
use immutape::seal::{Manifest, PrivateSealer as _, SealError, Signer as _, Statement, padme};
use immutape::tape::{Frame, Header, TapeRoot};
use immutape::time::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::golden_make::by_hand;
use crate::golden_make::kit::SeedSigner;

fn encode_frame(f: &Frame) -> Vec<u8> {
    f.parts().unwrap().encode()
}

fn encode_half(half: &PrivateHalf) -> Vec<u8> {
    half.fields().map()
}

fn place(d: &EntryDraft, e: &Entry<'_>) -> Vec<u8> {
    d.place(e.index, &e.previous, e.time, e.subject_seq, &e.subject_prev).unwrap().0
}

/// The draft that an entry was made from, but for its sealed half.
fn draft_of(e: &Entry<'_>) -> EntryDraft {
    EntryDraft {
        kind: e.kind,
        subject: e.subject,
        body: e.body.to_vec(),
        commitment: e.commitment,
        sealed_digest: e.sealed_digest,
        key_id: e.key_id,
        sealed: Vec::new(),
    }
}

/// A statement written anew from what was read of it; key 1 is kept as it is.
fn statement_again(bytes: &[u8], s: &Statement) -> Vec<u8> {
    let mut r = Reader::new(bytes);
    r.tag(18).unwrap();
    r.array_of(4).unwrap();
    let alg = Reader::new(&r.bytes().unwrap()[2..]).int().unwrap();
    let c = s.claims();
    let protected = encode(|w| {
        w.map(8);
        w.uint(1);
        w.int(alg);
        w.uint(4);
        w.bytes(s.key().as_ref());
        w.uint(15);
        w.map(2);
        w.uint(1);
        w.text(&c.origin);
        w.uint(2);
        w.text(&c.tape.to_text());
        w.uint(258);
        w.int(-16);
        w.uint(259);
        w.text("application/vnd.immutape.tape-root+cbor");
        for (name, id) in
            [("ledger", c.ledger.as_ref()), ("custody", c.custody.as_ref()), ("manifest", c.manifest.as_ref())]
        {
            w.text(name);
            w.bytes(id);
        }
    });
    encode(|w| {
        w.tag(18);
        w.array(4);
        w.bytes(&protected);
        w.map(0);
        w.bytes(c.tape.as_ref());
        w.bytes(&bytes[bytes.len() - 64..]);
    })
}

/// Reads `bytes` as everything; whatever takes them writes the same bytes again.
fn read_as_everything(bytes: &[u8]) -> Result<u32, TestCaseError> {
    let mut taken = 0;
    let mut same = |again: Vec<u8>| {
        taken += 1;
        prop_assert_eq!(hex::encode(again), hex::encode(bytes));
        Ok(())
    };
    // A frame with an empty list of extra fields (0d80) is taken and written without it: see `reader_gaps`.
    if let Ok(f) = Frame::decode(bytes).as_ref()
        && !bytes.ends_with(&[0x0d, 0x80])
    {
        same(encode_frame(f))?;
    }
    if let Ok(h) = Header::decode(bytes) {
        same(h.encode().unwrap())?;
    }
    if let Ok(r) = TapeRoot::decode(bytes) {
        same(r.encode())?;
    }
    if let Ok(m) = Manifest::decode(bytes) {
        same(m.encode().unwrap())?;
    }
    if let Ok(s) = Statement::decode(bytes) {
        same(statement_again(bytes, &s))?;
    }
    if let Ok(p) = PrivateHalf::decode(bytes) {
        same(encode_half(&p))?;
    }
    if let Ok(e) = Entry::decode(bytes) {
        same(place(&draft_of(&e), &e))?;
        if let Ok(b) = Body::decode(e.kind, e.body) {
            prop_assert_eq!(hex::encode(b.encode()), hex::encode(e.body));
        }
    }
    if let Ok(v) = cbor::value(bytes) {
        same(by_hand::cbor(&v))?;
    }
    Ok(taken)
}

proptest! {
    #[test]
    fn frames_come_back(f in frame()) {
        let bytes = encode_frame(&f);
        prop_assert_eq!(Frame::decode(&bytes), Ok(f));
        prop_assert_eq!(cbor::check(&bytes), Ok(()));
    }

    #[test]
    fn headers_come_back(h in header()) {
        let bytes = h.encode().unwrap();
        prop_assert_eq!(Header::decode(&bytes), Ok(h));
        prop_assert_eq!(cbor::check(&bytes), Ok(()));
    }

    #[test]
    fn roots_and_manifests_come_back(m in manifest()) {
        prop_assert_eq!(Manifest::decode(&m.encode().unwrap()), Ok(m.clone()));
        prop_assert_eq!(TapeRoot::decode(&m.root.encode()), Ok(m.root));
    }

    #[test]
    fn private_halves_come_back(p in private_half()) {
        let bytes = encode_half(&p);
        prop_assert_eq!(PrivateHalf::decode(&bytes), Ok(p));
        prop_assert_eq!(cbor::check(&bytes), Ok(()));
    }

    #[test]
    fn bodies_come_back(b in body()) {
        let bytes = b.encode();
        prop_assert_eq!(Body::decode(b.kind().unwrap(), &bytes), Ok(b));
        prop_assert_eq!(cbor::check(&bytes), Ok(()));
    }

    #[test]
    fn entries_come_back(d in draft(), index: u64, ms: u64, seq: u64, prev: [u8; 32]) {
        let prev = LeafHash::from_bytes(prev);
        let (bytes, leaf) = d.place(index, &prev, Timestamp::from_ms(ms), seq, &prev).unwrap();
        let e = Entry::decode(&bytes).unwrap();
        prop_assert_eq!((e.index, e.time.as_ms(), e.subject_seq), (index, ms, seq));
        prop_assert_eq!((e.previous, e.subject_prev, e.kind, e.subject), (prev, prev, d.kind, d.subject));
        prop_assert_eq!(&EntryDraft { sealed: d.sealed.clone(), ..draft_of(&e) }, &d);
        prop_assert_eq!(leaf, immutape::log::leaf_hash(&bytes));
    }

    #[test]
    fn statements_come_back(c in claims(), seed: [u8; 32]) {
        let signer = SeedSigner::from_seed(&seed);
        let bytes = Statement::sign(&c, &signer);
        let s = Statement::decode(&bytes).unwrap();
        prop_assert_eq!(s.claims(), &c);
        prop_assert_eq!(s.verify(&signer.public_key()), Ok(()));
        prop_assert_eq!(statement_again(&bytes, &s), bytes);
        prop_assert_eq!(s.verify(&SeedSigner::new(0x77).public_key()), Err(SealError::WrongKey));
    }

    #[test]
    fn damaged_frames(f in frame(), d in damage()) {
        read_as_everything(&damaged(&encode_frame(&f), &d))?;
    }

    #[test]
    fn damaged_headers(h in header(), d in damage()) {
        read_as_everything(&damaged(&h.encode().unwrap(), &d))?;
    }

    #[test]
    fn damaged_roots_and_manifests(r in tape_root(), m in manifest(), d in damage()) {
        read_as_everything(&damaged(&r.encode(), &d))?;
        read_as_everything(&damaged(&m.encode().unwrap(), &d))?;
    }

    #[test]
    fn damaged_entries_and_halves(e in draft(), p in private_half(), d in damage()) {
        let zero = LeafHash::from_bytes([0; 32]);
        let (entry, _) = e.place(7, &zero, Timestamp::from_ms(1), 2, &zero).unwrap();
        read_as_everything(&damaged(&entry, &d))?;
        read_as_everything(&damaged(&encode_half(&p), &d))?;
    }

    #[test]
    fn damaged_statements(c in claims(), d in damage()) {
        let signer = SeedSigner::new(8);
        let (bytes, key) = (Statement::sign(&c, &signer), signer.public_key());
        let bad = damaged(&bytes, &d);
        read_as_everything(&bad)?;
        if bad != bytes {
            prop_assert!(Statement::decode(&bad).and_then(|s| s.verify(&key)).is_err());
        }
    }

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        read_as_everything(&bytes)?;
        let _either = (Group::parse(&bytes).is_ok(), SegmentHeader::parse(&bytes).is_ok());
    }

    #[test]
    fn padded_lengths(len in 1u64..(1 << 40), more in 0u64..5_000) {
        let padded = padme(len);
        prop_assert!(padded >= len);
        prop_assert!((padded - len) * 100 <= len * 12, "{len} becomes {padded}");
        prop_assert!(padme(len + more) >= padded);
        prop_assert_eq!(padme(padded), padded);
        prop_assert_eq!(padded, by_hand::padme(len));
    }

    #[test]
    fn verifier_keys_come_back(seed: [u8; 32], name in "[a-z0-9./_-]{1,40}") {
        let key = NoteKey::new(&name, SeedSigner::from_seed(&seed).public_key()).unwrap();
        prop_assert_eq!(NoteKey::parse(&key.to_text()), Ok(key));
    }
}

#[test]
fn small_paddings_never_shrink() {
    for len in 0..100_000u64 {
        assert!(padme(len + 1) >= padme(len) && padme(len) >= len, "{len}");
        assert!((padme(len) - len) * 100 <= len * 12, "{len} becomes {}", padme(len));
    }
}
