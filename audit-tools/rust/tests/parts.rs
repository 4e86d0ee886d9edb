//! Parts of entries by themselves: tokens of time-stamps, notes.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[path = "support/mod.rs"]
mod support;

use serde_json::json;
use support::maker::{self, Maker, Parts, ZERO};
use support::{answers, hex};
use tapeaudit_core::cbor::Writer;
use tapeaudit_core::token::Token;

const TIME: &str = "20231114221400.5Z";

#[test]
fn of_a_token_no_more_is_read_than_without_roots() {
    let read = |after_time: &[u8], after_content: &[u8]| {
        let bytes = maker::token_with(&[7; 32], TIME, after_time, after_content);
        Token::read(&bytes).map(|token| (token.imprint, token.time))
    };
    let good = Ok(([7; 32], 1_700_000_040_500));
    assert_eq!(read(&[], &[]), good);
    // A length that is not in the form of DER, a tag of two bytes, a value that is cut off.
    for other in [&[0x30, 0x80][..], &[0x1f, 0x81, 0x01, 0x00], &[0x31, 0x7f, 1], &[0xff]] {
        assert_eq!(read(other, &[]), good, "behind the time: {other:x?}");
        assert_eq!(read(&[], other), good, "behind the content: {other:x?}");
    }
    assert!(Token::read(&[&maker::token(&[7; 32], TIME)[..], &[5, 0]].concat()).is_err());
    for bad in ["20231114221400.50Z", "20231114221400.Z", "20230229000000Z", "19691231235959Z", "20231114221460Z"] {
        assert!(Token::read(&maker::token(&[7; 32], bad)).is_err(), "{bad}");
    }
    assert!(Token::read(&maker::token_with(&[7; 32], TIME, &vec![0; 32 * 1024], &[])).is_err());
}

fn genesis(note: usize) -> Vec<u8> {
    let before = Writer::new().array(4).text("old").bytes(&vec![b'x'; note]).uint(0).null().done();
    let body = Maker::genesis_body(Some(&before));
    let parts = Parts {
        index: 0,
        previous: ZERO,
        time: 1,
        kind: 0,
        subject: ZERO,
        seq: 0,
        subject_prev: ZERO,
        commitment: ZERO,
        body,
    };
    parts.encode()
}

#[test]
fn a_note_in_an_entry_has_at_most_65000_bytes() {
    // The head of the log before, in entry 0: the entry itself has room for a little more.
    assert!(genesis(65_001).len() <= 65_535);
    for (length, good) in [(65_000, true), (65_001, false)] {
        let answer = answers(&[json!({"kind": "entry", "hex": hex(&genesis(length))})]).remove(0);
        assert_eq!(answer["accept"], good, "{length}");
    }
}
