//! Bundles: every check of 6.7 about entries and heads fails alone, and the right word comes out.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[path = "support/mod.rs"]
mod support;

use serde_json::{Value, json};
use support::judge::*;
use support::maker::{self, CUSTODY, Maker, bag, tar, witnesses};
use support::{hex, public};
use tapeaudit_core::cbor::Writer;

#[test]
fn check_2_completeness() {
    let lists = |name: &str, value: Value| made(|maker| maker.lists[name] = value);
    assert_eq!(lists("origin", json!("other.example/000102030405060708090a0b0c0d0e0f")), ["altered"]);
    assert_eq!(lists("ledger", json!("00".repeat(32))), ["altered"]);
    for (name, value) in [
        ("format", json!("immutape/completeness/2")),
        ("made_ms", json!(1.5)),
        ("made_ms", json!(-1)),
        ("made_ms", json!(1_u64 << 53)),
        ("more", json!(1)),
        ("frames", json!([2, 1])),
        ("span", json!([0, 6])),
        ("bundle", json!("B0".repeat(16))),
        ("asked", json!({"ids": []})),
    ] {
        let mut maker = Maker::new();
        maker.lists[name] = value.clone();
        let files = bag(&maker.make().files);
        // The file does not read: nothing of what it says is looked at.
        assert_eq!(words(&files), ["altered"], "{name} {value}");
        let found = findings(&files);
        assert!(found.len() == 1 && found[0].starts_with("data/COMPLETENESS.json: "), "{name} {value}: {found:?}");
    }
    let text = |change: &dyn Fn(String) -> String| {
        changed("data/COMPLETENESS.json", |bytes| {
            *bytes = change(String::from_utf8(bytes.clone()).unwrap()).into_bytes()
        })
    };
    for told in [
        text(&|text| text.replacen("\"made_ms\"", "\"made_ms\":1,\"made_ms\"", 1)),
        text(&|text| text.replacen("order 1", "\\ud800", 1)),
        text(&|text| format!("{text}x")),
        text(&|text| format!("\u{feff}{text}")),
        text(&|text| text.replacen("\"frames\":null", "\"frames\":[[[[[[[[[]]]]]]]]]", 1)),
    ] {
        assert_eq!(told, ["altered"]);
    }
}

#[test]
fn check_3_entries() {
    let entry = |change: fn(&mut maker::Parts)| made(|maker| maker.entry = Box::new(change));
    assert_eq!(
        entry(|parts| if parts.index == 6 {
            parts.time = 1_700_000_000_000
        }),
        ["altered"]
    );
    assert_eq!(
        entry(|parts| if parts.index == 5 {
            parts.previous = [1; 32]
        }),
        ["altered"]
    );
    assert_eq!(
        entry(|parts| if parts.index == 1 {
            parts.subject_prev = [1; 32]
        }),
        ["altered"]
    );
    // An entry that breaks 4.1 by itself, and one of an unknown critical kind.
    assert_eq!(
        entry(|parts| if parts.index == 1 {
            parts.body = vec![0xa0]
        }),
        ["altered"]
    );
    assert_eq!(
        entry(|parts| if parts.index == 1 {
            parts.kind = 40_000
        }),
        ["cannot tell"]
    );
    assert_eq!(made(|maker| maker.specs[0].absent = true), ["not anchored", "unpinned keys", "missing"]);
}

fn rotation(change: fn(&mut Vec<u8>)) -> Vec<String> {
    made(|maker| {
        let (key, next) = (public(&[5; 32]), public(&[0x25; 32]).thumbprint());
        let message = Writer::new()
            .array(5)
            .text("immutape/key/1")
            .text(maker::ORIGIN)
            .uint(1)
            .bytes(key.bytes())
            .bytes(&next)
            .done();
        let signature = support::pair(&[5; 32]).sign(&message).to_bytes();
        let mut body = Writer::new()
            .map(4)
            .uint(0)
            .uint(1)
            .uint(1)
            .bytes(key.bytes())
            .uint(2)
            .bytes(&next)
            .uint(3)
            .bytes(&signature)
            .done();
        change(&mut body);
        maker.rotation = Some(body);
        let mut spec = maker::Spec {
            kind: 32_769,
            subject: maker::ZERO,
            private: maker::header(),
            closed: None,
            member: false,
            absent: false,
        };
        spec.private.0.clear();
        maker.specs.insert(6, spec);
    })
}

#[test]
fn check_3_changes_of_keys() {
    assert_eq!(rotation(|_| {}), ["intact"]);
    // The signature: the key changes nothing, and its file has no row then.
    assert_eq!(rotation(flip), ["altered"]);
}

#[test]
fn check_4_head() {
    assert_eq!(made(|maker| maker.head_seed = 4), ["not anchored", "altered"]);
    let told = changed("data/log/checkpoint", |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        *bytes = text.split_inclusive('\n').take(5).collect::<String>().into_bytes();
    });
    assert_eq!(told, ["not anchored"]);
}

#[test]
fn heads_hold_with_every_line_that_is_known() {
    // The checkpoint key changed, and heads are signed by the old one, too, for witnesses that do not know the new one.
    let rotated = |place: Option<u64>, good: bool| {
        made(|maker| {
            maker.rotate(1, 0, 4);
            (maker.head_seed, maker.note_seed) = (4, 4);
            maker.specs[6].kind = 133;
            maker.specs[6].member = false;
            maker.specs[6].closed = Some(Vec::new());
            maker.note = Box::new(move |kind, note| maker::signed_too(note, 1, good || kind != place));
        })
    };
    assert_eq!(rotated(None, true), ["intact"]);
    assert_eq!(rotated(None, false), ["not anchored", "altered"]);
    for kind in [128, 133] {
        assert_eq!(rotated(Some(kind), false), ["altered"], "{kind}");
    }
    // A witness that the verifier knows, whether the entry names it or not; a stranger's line is none to it.
    let witnessed = |place: Option<u64>, good: bool, known: bool| {
        let mut maker = Maker::new();
        maker.cosigned = vec![(0x15, 1_700_000_100)];
        maker.specs[6].kind = 133;
        maker.specs[6].member = false;
        maker.specs[6].closed = Some(Vec::new());
        maker.note = Box::new(move |kind, note| maker::cosigned_too(note, good || kind != place));
        let file = tar(&bag(&maker.make().files));
        let mut more = pins();
        if !known {
            more["witness"] = json!([witnesses()[0].write()]);
        }
        words_of(&judge_with(&file, more))
    };
    assert_eq!(witnessed(None, true, true), ["intact"]);
    assert_eq!(witnessed(None, false, true), ["not anchored", "altered"]);
    assert_eq!(witnessed(None, false, false), ["intact"]);
    for kind in [128, 133] {
        assert_eq!(witnessed(Some(kind), false, true), ["altered"], "{kind}");
        assert_eq!(witnessed(Some(kind), false, false), ["intact"], "{kind}");
    }
}

#[test]
fn check_5_set_proof() {
    // Entry 1 is in no way needed: without it its hash stands in the proof.
    assert_eq!(made(|maker| maker.specs[1].absent = true), ["intact"]);
    let mut maker = Maker::new();
    maker.specs[1].absent = true;
    let mut files = maker.make().files;
    flip(files.get_mut("data/log/paths.cbor").unwrap());
    assert_eq!(words(&bag(&files)), ["altered"]);
    assert_eq!(changed("data/log/paths.cbor", |bytes| *bytes = vec![0x81, 0x41, 0]), ["altered"]);
}

#[test]
fn check_6_private_fields_memberships_and_anchors() {
    let rest = |kind: fn(u64, &mut Vec<u8>)| made(|maker| maker.rest = Box::new(kind));
    assert_eq!(
        rest(|index, rest| if index == 4 {
            flip(rest)
        }),
        ["forked"]
    );
    assert_eq!(
        rest(|index, rest| if index == 5 {
            *rest = vec![0xa0]
        }),
        ["altered"]
    );
    assert_eq!(
        rest(|index, rest| if index == 6 {
            flip(rest)
        }),
        ["altered"]
    );
    assert_eq!(
        rest(|index, rest| if index == 1 {
            *rest = vec![0xa1, 1, 0x80]
        }),
        ["altered"]
    );
    // A field of another value than was committed to, and one that breaks 4.4.
    assert_eq!(made(|maker| maker.specs[1].private.0[1].1 = vec![0x40]), ["altered"]);
    let commitment = |parts: &mut maker::Parts| {
        if parts.index == 1 {
            parts.commitment = [3; 32]
        }
    };
    assert_eq!(made(|maker| maker.entry = Box::new(commitment)), ["altered"]);
    assert_eq!(made(|maker| maker.note_seed = 4), ["altered"]);
    assert_eq!(made(|maker| maker.token_time = "20231114221400Z".into()), ["altered"]);
}

#[test]
fn check_7_entries_of_a_tape() {
    assert_eq!(made(|maker| maker.specs[2].absent = true), ["incomplete"]);
    let prev = |parts: &mut maker::Parts| {
        if parts.index == 3 {
            parts.subject_prev = [3; 32]
        }
    };
    assert_eq!(made(|maker| maker.entry = Box::new(prev)), ["altered"]);
    assert_eq!(made(|maker| maker.statement_seed = 9), ["altered"]);
    assert_eq!(made(|maker| maker.statement_issuer = "other.example/0".into()), ["altered"]);
    assert_eq!(made(|maker| maker.evidence_salt = 1), ["altered"]);
    // Another bundle's id; the evidence closed; another number of tapes.
    let other = |parts: &mut maker::Parts| {
        if parts.kind == 163 {
            parts.body[3] = 0
        }
    };
    assert_eq!(made(|maker| maker.entry = Box::new(other)), ["incomplete"]);
    let told = made(|maker| {
        maker.specs[7].closed = Some(vec![30]);
        let tape = hex(&maker.tape());
        maker.lists["withheld"] = json!([{"what": "private", "tape": tape, "custody": hex(&CUSTODY), "entry": 7, "fields": [30], "why": "w"}]);
    });
    assert_eq!(told, ["altered"]);
    let number = |parts: &mut maker::Parts| {
        if parts.kind == 163 {
            *parts.body.last_mut().unwrap() = 2
        }
    };
    assert_eq!(made(|maker| maker.entry = Box::new(number)), ["incomplete"]);
    assert_eq!(made(|maker| maker.lists["given"][0]["entry"] = json!(2)), ["altered"]);
}
