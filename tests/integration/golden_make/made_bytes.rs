//! Golden files of chapter 1: items, a labelled digest, private fields.

use immutape::codec::cbor::encode;
use immutape::codec::digest::sha256;
use immutape::tape::{commit, field_digest};

use super::kit::{Accept, Chapter, hex};
use super::refused_bytes;

const ABOUT: &str =
    "Golden files of docs/format/1-bytes.md. All values are hexadecimal unless they are words or numbers.
A refused file is the accepted file `from` with `edits` made (offsets into the accepted file); `error` is the
verdict of the library's reader.";

pub fn chapter() -> Chapter {
    let accepts = accepts();
    let rejects = refused_bytes::rejects(&accepts);
    let inputs = vec![("salt_key", hex([0x5a; 32]), "salt key k of private-fields.cbor")];
    Chapter { name: "1-bytes", about: ABOUT, inputs, accepts, rejects }
}

fn accepts() -> Vec<Accept> {
    vec![
        item("labelled-array.cbor", "the array of 1.6; its SHA-256 is the labelled digest", labelled_array()),
        item("every-type.cbor", "every type and every length of head of the profile", every_type()),
        item("key-order.cbor", "keys in the bytewise order of their encodings, not shorter ones first", key_order()),
        item("deepest.cbor", "sixteen arrays, one in another, around 0", deepest()),
        private_fields(),
    ]
}

fn item(file: &str, what: &str, bytes: Vec<u8>) -> Accept {
    Accept { file: file.into(), decoder: "item", what: what.into(), cddl: Some("item"), bytes, values: Vec::new() }
}

fn labelled_array() -> Vec<u8> {
    encode(|w| {
        w.array(4);
        w.text("immutape/example/1");
        w.uint(500);
        w.bytes(&[1, 2]);
        w.map(2);
        w.uint(1);
        w.bool(true);
        w.text("a");
        w.null();
    })
}

fn every_type() -> Vec<u8> {
    encode(|w| {
        w.array(8);
        w.array(10);
        for v in [0, 23, 24, 255, 256, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            w.uint(v);
        }
        w.array(5);
        for v in [-1, -24, -25, -257, i64::MIN] {
            w.int(v);
        }
        w.array(4);
        for len in [0, 23, 24, 256] {
            w.bytes(&vec![0xb5; len]);
        }
        w.array(3);
        for words in ["", "Zeugnis \u{fc}ber \u{1f4fc}", "twenty-four bytes of text"] {
            w.text(words);
        }
        w.bool(false);
        w.bool(true);
        w.null();
        w.map(2);
        w.uint(0);
        w.array(0);
        w.text("");
        w.map(0);
    })
}

fn key_order() -> Vec<u8> {
    encode(|w| {
        w.map(7);
        for (place, key) in [0, 23, 24, 256].into_iter().enumerate() {
            w.uint(key);
            w.uint(place as u64);
        }
        // A shorter encoding, yet after the longer ones: 0x20 follows 0x19.
        w.int(-1);
        w.uint(4);
        w.text("b");
        w.uint(5);
        w.text("aa");
        w.uint(6);
    })
}

fn deepest() -> Vec<u8> {
    let mut out = vec![0x81; 16];
    out.push(0);
    out
}

/// The rule of 1.5 over two fields, with every intermediate value.
fn private_fields() -> Accept {
    let label = "immutape/golden/1";
    let salt = |number: u64| -> [u8; 32] { super::by_hand::stream(&[0x5a; 32], 32 * number, 32).try_into().unwrap() };
    let fields = [(1u64, encode(|w| w.bytes(b"one"))), (300, encode(|w| w.null()))];
    let made = commit(label, &salt, fields.iter().map(|(n, v)| (*n, v.as_slice())));
    let bytes = encode(|w| {
        w.array(3);
        w.text("immutape/golden/1/set");
        for (number, digest) in &made.digests {
            w.array(2);
            w.uint(*number);
            w.bytes(digest);
        }
    });
    assert_eq!(made.commitment.as_bytes(), &sha256(&bytes));
    Accept {
        file: "private-fields.cbor".into(),
        decoder: "item",
        what: "what a commitment by 1.5 is the SHA-256 of: label immutape/golden/1, fields 1 and 300".into(),
        cddl: Some("private-fields"),
        bytes,
        values: vec![
            ("value_1", hex(&fields[0].1)),
            ("salt_1", hex(salt(1))),
            ("field_1", hex(field_digest(label, 1, &salt(1), &fields[0].1))),
            ("value_300", hex(&fields[1].1)),
            ("salt_300", hex(salt(300))),
            ("field_300", hex(field_digest(label, 300, &salt(300), &fields[1].1))),
            ("commitment", hex(made.commitment)),
        ],
    }
}
