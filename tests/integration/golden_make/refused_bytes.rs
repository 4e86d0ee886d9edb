//! Refused files of chapter 1: each a fault of the encoding alone.

use super::kit::{Accept, Refuse, Reject, append, unhex};

pub fn rejects(accepts: &[Accept]) -> Vec<Reject> {
    let mut r = Refuse::new(accepts);
    shortest(&mut r);
    forms(&mut r);
    maps(&mut r);
    ends(&mut r);
    r.out
}

const EXAMPLE: &str = "labelled-array.cbor";
const TYPES: &str = "every-type.cbor";
const ORDER: &str = "key-order.cbor";

fn shortest(r: &mut Refuse<'_>) {
    let mut put = |file: &str, what: &str, old: &str, new: &str| {
        r.swap(file, EXAMPLE, "CborError::NotShortest", what, &[(old, new)]);
    };
    put("integer-long.cbor", "500 in four bytes", "1901f4", "1a000001f4");
    put("integer-longest.cbor", "500 in eight bytes", "1901f4", "1b00000000000001f4");
    put("key-long.cbor", "key 1 in one byte more than it needs", "a201f5", "a21801f5");
    put("bytes-length-long.cbor", "length of a byte string", "420102", "58020102");
    put("text-length-long.cbor", "length of a text string", "6161f6", "780161f6");
    put("array-length-long.cbor", "length of an array", "8472", "980472");
    put("map-length-long.cbor", "length of a map", "a201f5", "b80201f5");
}

fn forms(r: &mut Refuse<'_>) {
    let mut put = |file: &str, error: &str, what: &str, swaps: &[(&str, &str)]| {
        r.swap(file, EXAMPLE, &format!("CborError::{error}"), what, swaps);
    };
    put("array-indefinite.cbor", "Indefinite", "an array without length", &[("8472", "9f72"), ("6161f6", "6161f6ff")]);
    put("map-indefinite.cbor", "Indefinite", "a map without length", &[("a201f5", "bf01f5"), ("6161f6", "6161f6ff")]);
    put("bytes-indefinite.cbor", "Indefinite", "a byte string in pieces", &[("420102", "5f410141 02ff")]);
    put("text-indefinite.cbor", "Indefinite", "a text string in pieces", &[("6161f6", "7f6161fff6")]);
    put("head-reserved.cbor", "Reserved", "additional information 28", &[("1901f4", "1c")]);
    put("break-alone.cbor", "Reserved", "a break outside of anything", &[("1901f4", "ff")]);
    put("integer-indefinite.cbor", "Reserved", "additional information 31 of an integer", &[("1901f4", "1f")]);
    put("float-half.cbor", "Simple", "500.0 in two bytes", &[("1901f4", "f95fd0")]);
    put("float-single.cbor", "Simple", "500.0 in four bytes", &[("1901f4", "fa43fa0000")]);
    put("float-double.cbor", "Simple", "500.0 in eight bytes", &[("1901f4", "fb407f400000000000")]);
    put("undefined.cbor", "Simple", "undefined instead of null", &[("6161f6", "6161f7")]);
    put("simple-unassigned.cbor", "Simple", "simple value 16", &[("6161f6", "6161f0")]);
    put("simple-extended.cbor", "Simple", "simple value 255 in two bytes", &[("6161f6", "6161f8ff")]);
    put("tag-epoch.cbor", "Tag", "500 tagged as a time", &[("1901f4", "c11901f4")]);
    put("tag-bignum.cbor", "Tag", "a byte string tagged as a number", &[("420102", "c2420102")]);
    put("tag-self-described.cbor", "Tag", "tag 55799 in front", &[("8472", "d9d9f78472")]);
    put("text-latin-1.cbor", "Utf8", "a byte that is no UTF-8", &[("6161f6", "61fcf6")]);
    put("text-surrogate.cbor", "Utf8", "half of a surrogate pair", &[("6161f6", "63eda080f6")]);
    put("text-overlong.cbor", "Utf8", "'/' in two bytes", &[("6161f6", "62c0aff6")]);
}

fn maps(r: &mut Refuse<'_>) {
    let mut put = |file: &str, from: &str, error: &str, what: &str, swaps: &[(&str, &str)]| {
        r.swap(file, from, &format!("CborError::{error}"), what, swaps);
    };
    put("key-twice.cbor", EXAMPLE, "DuplicateKey", "key 1 twice", &[("6161f6", "01f6")]);
    put("keys-descending.cbor", EXAMPLE, "KeyOrder", "\"a\" before 1", &[("01f56161f6", "6161f601f5")]);
    let shorter_first = [("0000 1701 181802 19010003 2004", "0000 1701 2004 181802 19010003")];
    put("keys-shorter-first.cbor", ORDER, "KeyOrder", "the order of RFC 7049: shorter keys first", &shorter_first);
    put("key-bytes.cbor", EXAMPLE, "Type", "a byte string as key", &[("6161f6", "4161f6")]);
    put("key-array.cbor", EXAMPLE, "Type", "an array as key", &[("6161f6", "80f6")]);
    put("key-bool.cbor", EXAMPLE, "Type", "true as key", &[("6161f6", "f5f6")]);
    put("key-tagged.cbor", EXAMPLE, "Tag", "a tag in front of a key", &[("6161f6", "c06161f6")]);
    put("key-past-63-bits.cbor", EXAMPLE, "Range", "key 2^63", &[("6161f6", "1b8000000000000000f6")]);
}

fn ends(r: &mut Refuse<'_>) {
    let base = r.base(EXAMPLE).to_vec();
    let put = |r: &mut Refuse<'_>, file: &str, error: &str, what: &str, bytes: Vec<u8>| {
        r.put(file, EXAMPLE, &format!("CborError::{error}"), what, bytes);
    };
    put(r, "byte-left-over.cbor", "Trailing", "a zero byte after the item", append(&base, &[0]));
    put(r, "item-twice.cbor", "Trailing", "the item twice", append(&base, &base));
    put(r, "cut-off.cbor", "Truncated", "the last byte is missing", base[..base.len() - 1].to_vec());
    put(r, "cut-in-head.cbor", "Truncated", "cut within the head of 500", base[..21].to_vec());
    put(r, "nothing.cbor", "Truncated", "no byte at all", Vec::new());
    let swaps = [("420102", "5affffffff0102")];
    r.swap("bytes-past-end.cbor", EXAMPLE, "CborError::Truncated", "a byte string of 4 GiB in 30 bytes", &swaps);
    let swaps = [("a201f5", "ba0100000001f5")];
    r.swap("map-past-end.cbor", EXAMPLE, "CborError::Truncated", "a map of 2^24 pairs in 30 bytes", &swaps);
    let swaps = [("8472", "9a0100000172")];
    r.swap("array-too-many.cbor", EXAMPLE, "CborError::Items", "an array of 2^24 + 1 items", &swaps);
    let swaps = [("a201f5", "bb000000010000000001f5")];
    r.swap("map-too-many.cbor", EXAMPLE, "CborError::Items", "a map of 2^32 pairs", &swaps);
    let swaps = [("1bffffffffffffffff", "1cffffffffffffffff")];
    r.swap("head-reserved-deep.cbor", TYPES, "CborError::Reserved", "additional information 28, deeper", &swaps);
    let deeper = [&unhex("81")[..], r.base("deepest.cbor")].concat();
    r.put("too-deep.cbor", "deepest.cbor", "CborError::Depth", "seventeen arrays, one in another", deeper);
}
