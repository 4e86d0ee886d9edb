//! Refused files of chapter 3: sealed objects, what stands in them, manifests.

use super::inputs::{CUSTODY, OTHER_CUSTODY, TAPE_SECRET, object_salt};
use super::kit::{Accept, Refuse, Reject, append, flip, swap, unhex};
use super::made_seal::{header_raw, incompressible};
use super::made_tape::{encode_frame, two_frames};
use super::{by_hand, made_log};

pub fn rejects(accepts: &[Accept]) -> Vec<Reject> {
    let mut r = Refuse::new(accepts);
    objects(&mut r);
    plaintexts(&mut r);
    chunks(&mut r);
    sealed_headers(&mut r);
    manifests(&mut r);
    set_lists(&mut r);
    r.out
}

const AGAIN: &[&str] = &["ciphertext", "tag"];

/// Codec 0 at position 2: 40 bytes, a plaintext of 60.
const STORED: &str = "object-stored.bin";
const ZSTD: &str = "object-zstd.bin";

fn objects(r: &mut Refuse<'_>) {
    let base = r.base(STORED).to_vec();
    let mut put = |file: &str, error: &str, what: &str, bytes: Vec<u8>| {
        r.put(file, STORED, &format!("SealError::{error}"), what, bytes);
    };
    put("object-cut-31.bin", "Truncated", "shorter than a salt", base[..31].to_vec());
    put("object-cut-63.bin", "Truncated", "shorter than salt and commitment", base[..63].to_vec());
    put("object-cut-79.bin", "Truncated", "shorter than a tag after them", base[..79].to_vec());
    put("object-cut-last.bin", "Authentication", "the last byte is missing", base[..base.len() - 1].to_vec());
    put("object-byte-more.bin", "Authentication", "a byte after the tag", append(&base, &[0]));
    put("object-salt.bin", "KeyCommitment", "a bit of the salt", flip(&base, 0));
    put("object-commitment.bin", "KeyCommitment", "a bit of the key commitment", flip(&base, 32));
    put("object-ciphertext.bin", "Authentication", "a bit of the ciphertext", flip(&base, 64));
    put("object-tag.bin", "Authentication", "a bit of the tag", flip(&base, -1));
}

/// The ids of a set, sealed under a custody key.
fn set_lists(r: &mut Refuse<'_>) {
    let from = "set-list.bin";
    let base = r.base(from).to_vec();
    r.put("set-list-salt.bin", from, "SealError::KeyCommitment", "a bit of the salt", flip(&base, 0));
    r.put("set-list-ciphertext.bin", from, "SealError::Authentication", "a bit of the ciphertext", flip(&base, 64));
    let (salt, ids) = (made_log::SET_SALT, [CUSTODY, OTHER_CUSTODY].map(|id| *id.as_bytes()));
    let mut put = |file: &str, error: &str, what: &str, raw: &[&[u8]]| {
        let raw = raw.concat();
        let plain = by_hand::object_plain(0, raw.len() as u64, &raw);
        let bytes = by_hand::seal_set(&ids, &base[..32], &plain);
        r.put_refreshed(file, from, &format!("SealError::{error}"), what, AGAIN, bytes);
    };
    let [low, high] = if ids[0] < ids[1] { ids } else { [ids[1], ids[0]] };
    put("set-list-order.bin", "Cbor(KeyOrder)", "the greater id first", &[&salt, &high, &low]);
    put("set-list-twice.bin", "Cbor(KeyOrder)", "an id twice", &[&salt, &low, &low]);
    put("set-list-cut-id.bin", "Cbor(Length)", "the last id has 31 bytes", &[&salt, &low, &high[..31]]);
    put("set-list-no-salt.bin", "Truncated", "31 bytes of salt, no id", &[&salt[..31]]);
}

fn plaintexts(r: &mut Refuse<'_>) {
    let (raw, whole) = (incompressible(), by_hand::object_plain(0, 40, &incompressible()));
    let mut put = |from: &str, file: &str, error: &str, what: &str, plain: &[u8]| {
        let position = if from == STORED { 2 } else { 3 };
        let salt = object_salt(position);
        let bytes = by_hand::seal_object(&TAPE_SECRET, &salt, CUSTODY.as_ref(), position.into(), plain);
        r.put_refreshed(file, from, &format!("SealError::{error}"), what, AGAIN, bytes);
    };
    put(STORED, "object-padding.bin", "Padding", "a bit set in the padding", &flip(&whole, -1));
    put(STORED, "object-unpadded.bin", "Padding", "no padding", &whole[..57]);
    put(STORED, "object-overpadded.bin", "Padding", "more padding than Padme's", &append(&whole, &[0; 4]));
    put(STORED, "object-codec-2.bin", "Codec(2)", "codec 2", &[&[2], &whole[1..]].concat());
    let with = |raw_len: u64, body_len: u64| {
        let mut plain = whole.clone();
        plain[1..9].copy_from_slice(&raw_len.to_be_bytes());
        plain[9..17].copy_from_slice(&body_len.to_be_bytes());
        plain
    };
    put(STORED, "object-raw-length.bin", "Padding", "raw length 41 of a stored body of 40", &with(41, 40));
    put(STORED, "object-body-length.bin", "Padding", "body length 41, raw length 40", &with(40, 41));
    put(STORED, "object-body-past-end.bin", "Padding", "body length 44: past the plaintext", &with(44, 44));
    put(STORED, "object-body-huge.bin", "Padding", "body length 2^64 - 1", &with(40, u64::MAX));
    put(STORED, "object-short-head.bin", "Padding", "a plaintext of 16 bytes", &whole[..16]);
    put(STORED, "object-no-plaintext.bin", "Padding", "a plaintext of no bytes", &[]);
    let limit = "Limit { what: \"the content of an object\", found: 20971521, max: 20971520 }";
    put(STORED, "object-raw-limit.bin", limit, "raw length 20 MiB + 1", &with((20 << 20) + 1, 40));
    assert_eq!(raw.len(), 40);
    let body = zstd_body(2_000);
    put(
        ZSTD,
        "object-zstd-magic.bin",
        "Decompress",
        "the frame's magic",
        &by_hand::object_plain(1, 2_000, &flip(&body, 0)),
    );
    let short = by_hand::object_plain(1, 2_000, &body[..body.len() - 1]);
    put(ZSTD, "object-zstd-cut.bin", "Decompress", "the frame's last byte is missing", &short);
    put(
        ZSTD,
        "object-zstd-less.bin",
        "Decompress",
        "raw length 2,001 of 2,000",
        &by_hand::object_plain(1, 2_001, &body),
    );
    put(
        ZSTD,
        "object-zstd-more.bin",
        "Decompress",
        "raw length 1,999 of 2,000",
        &by_hand::object_plain(1, 1_999, &body),
    );
}

fn zstd_body(raw_len: usize) -> Vec<u8> {
    let body = unhex(super::made_seal::ZSTD_TAPES);
    assert_eq!(zstd::bulk::decompress(&body, raw_len).unwrap().len(), raw_len);
    body
}

fn chunks(r: &mut Refuse<'_>) {
    let [request, answer] = two_frames().map(|f| encode_frame(&f));
    let mut put = |file: &str, error: &str, what: &str, raw: Vec<u8>| {
        let plain = by_hand::object_plain(0, raw.len() as u64, &raw);
        let bytes = by_hand::seal_object(&TAPE_SECRET, &object_salt(1), CUSTODY.as_ref(), 1, &plain);
        r.put_refreshed(file, "chunk-stored.bin", &format!("SealError::Tape({error})"), what, AGAIN, bytes);
    };
    let sequence = |expected: u64, found: u64| format!("Sequence {{ expected: {expected}, found: {found} }}");
    let swapped = [&*answer, &*request].concat();
    put("chunk-swapped.bin", &sequence(0, 1), "frame 1 before frame 0", swapped);
    put("chunk-frame-missing.bin", &sequence(2, 1), "frame 1 is missing", request.clone());
    put("chunk-frame-twice.bin", &sequence(1, 0), "frame 0 twice", [&*request, &*request].concat());
    let mut third = two_frames()[1].clone();
    third.seq = 2;
    let three = [&*request, &*answer, &*encode_frame(&third)].concat();
    put("chunk-frame-more.bin", &sequence(2, 3), "a third frame", three);
    put("chunk-empty.bin", &sequence(2, 0), "no frame", Vec::new());
    let cut = [&*request, &answer[..answer.len() - 1]].concat();
    put("chunk-frame-cut.bin", "Cbor(Truncated)", "frame 1 is cut off", cut);
    let kind = [&*request, &*swap(&answer, &[("03000401", "03090401")])].concat();
    put("chunk-frame-kind.bin", "Value { field: \"frame kind\", value: 9 }", "kind 9 in frame 1", kind);
}

fn sealed_headers(r: &mut Refuse<'_>) {
    let raw = header_raw();
    let mut put = |file: &str, error: &str, what: &str, swaps: &[(&str, &str)]| {
        let raw = swap(&raw, swaps);
        let plain = by_hand::object_plain(0, raw.len() as u64, &raw);
        let bytes = by_hand::seal_object(&TAPE_SECRET, &object_salt(0), CUSTODY.as_ref(), 0, &plain);
        r.put_refreshed(file, "header-two-frames.bin", &format!("SealError::{error}"), what, AGAIN, bytes);
    };
    let sequence = |expected: u64, found: u64| format!("Tape(Sequence {{ expected: {expected}, found: {found} }})");
    put("object-0-label.bin", "Cbor(Label)", "label immutape/header/2", &[("6865616465722f31", "6865616465722f32")]);
    put("object-0-format.bin", "Tape(NewerFormat(2))", "header format 2", &[("2f31ab0001", "2f31ab0002")]);
    // The one range is [0, 2, 0, 1250000].
    let range = "81840002001a001312d0";
    put("object-0-first-seq.bin", &sequence(0, 1), "the first chunk begins at 1", &[(range, "81840102001a001312d0")]);
    put(
        "object-0-count.bin",
        &sequence(2, 3),
        "three frames in chunks, two in stats",
        &[(range, "81840003001a001312d0")],
    );
    put("object-0-no-chunks.bin", &sequence(2, 0), "no chunk", &[(range, "80")]);
    put("object-0-chunk-empty.bin", &sequence(0, 0), "a chunk without frames", &[(range, "81840000001a001312d0")]);
    put("object-0-times.bin", "Cbor(Range)", "the last time before the first", &[(range, "818400021a001312d000")]);
    put("object-0-range-three.bin", "Cbor(Length)", "a range of three items", &[(range, "818300021a001312d0")]);
    put("object-0-trailing.bin", "Cbor(Trailing)", "a byte after it", &[(range, "81840002001a001312d000")]);
}

fn manifests(r: &mut Refuse<'_>) {
    let from = "manifest-two-frames.cbor";
    let base = r.base(from);
    let list = hex::encode(&base[base.len() - 75..]);
    assert_eq!(&list[..8], "82825820", "two objects of 37 bytes each at the end");
    let mut put = |file: &str, error: &str, what: &str, swaps: &[(&str, &str)]| {
        r.swap(file, from, &format!("SealError::{error}"), what, swaps);
    };
    put("manifest-label.cbor", "Cbor(Label)", "label immutape/manifest/2", &[("6e69666573742f31", "6e69666573742f32")]);
    put("manifest-no-objects.cbor", "Cbor(Items)", "no object, not even the header", &[(&list, "80")]);
    let five = format!("{list}80");
    put(
        "manifest-no-attachment.cbor",
        "Cbor(Items)",
        "a list of no attachments",
        &[("8473696d", "8573696d"), (&list, &five)],
    );
    let six = format!("{list}8000");
    put("manifest-six-items.cbor", "Cbor(Length)", "a sixth item", &[("8473696d", "8673696d"), (&list, &six)]);
    let bare = format!("{list}8183000080");
    put(
        "manifest-attachment-empty.cbor",
        "Cbor(Items)",
        "an attachment of no pieces",
        &[("8473696d", "8573696d"), (&list, &bare)],
    );
    let pair = format!("{list}81820080");
    put(
        "manifest-attachment-two.cbor",
        "Cbor(Length)",
        "an attachment of two items",
        &[("8473696d", "8573696d"), (&list, &pair)],
    );
    let custody = "c1".repeat(32);
    let short = format!("581f{}", "c1".repeat(31));
    put("manifest-custody-31.cbor", "Cbor(Length)", "a custody id of 31 bytes", &[(&format!("5820{custody}"), &short)]);
    put(
        "manifest-root-label.cbor",
        "Tape(Cbor(Label))",
        "in it, label immutape/tape/2",
        &[("746170652f31", "746170652f32")],
    );
    put(
        "manifest-object-three.cbor",
        "Cbor(Length)",
        "three items for an object",
        &[(&list, &format!("8283{}", &list[4..]))],
    );
    put("manifest-trailing.cbor", "Cbor(Trailing)", "a byte after it", &[(&list, &format!("{list}00"))]);
    put(
        "manifest-objects-past-end.cbor",
        "Cbor(Truncated)",
        "three objects said, two there",
        &[(&list, &format!("83{}", &list[2..]))],
    );
}
