//! Bundles: every check of 6.7 about tapes and accounting fails alone, and the right word comes out.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[path = "support/mod.rs"]
mod support;

use serde_json::{Value, json};
use support::judge::*;
use support::maker::{CUSTODY, Maker, bag, pem, tar};
use support::{hex, public};
use tapeaudit_core::cbor::Writer;

#[test]
fn check_8_files_of_a_tape() {
    for name in [
        "root.cbor",
        "header.cbor",
        "manifest.cbor",
        "statement.cose",
        "saved.tlog-proof",
        "evidence.tlog-proof",
        "receipt.cose",
    ] {
        let told = changed(&format!("data/tapes/TAPE/{name}"), |bytes| {
            // Of a proof a byte of the entry: cosignatures of strangers may be there or not.
            let at = if name.ends_with("proof") { 40 } else { bytes.len() - 5 };
            bytes[at] ^= 1;
        });
        assert_eq!(told, ["altered"], "{name}");
    }
    // The payload of the last frame; frames that stop reading count up to there.
    assert_eq!(changed("data/tapes/TAPE/frames.cbor", flip), ["altered"]);
    assert_eq!(
        changed("data/tapes/TAPE/frames.cbor", |bytes| bytes.truncate(bytes.len() - 1)),
        ["altered", "incomplete"]
    );
    assert_eq!(
        changed("data/tapes/TAPE/frames-paths.cbor", |bytes| *bytes = [&[0x81, 0x58, 0x20][..], &[0; 32]].concat()),
        ["altered"]
    );
    assert_eq!(made(|maker| maker.mark_root = Some([1; 32])), ["altered"]);
    // A header that breaks 2.2: another number of frames, a key that is always there.
    assert_eq!(bad_header(|fields| drop(fields.remove(7))), ["altered"]);
    assert_eq!(bad_header(|fields| fields[4].1[2] = 4), ["altered"]);
}

/// A bundle about a tape with another header.
fn bad_header(change: fn(&mut Vec<(u64, Vec<u8>)>)) -> Vec<String> {
    made(|maker| {
        change(&mut maker.header.0);
        let tape = hex(&maker.tape());
        maker.lists["asked"] = json!({"ids": [tape]});
        maker.lists["given"][0]["tape"] = json!(tape);
    })
}

#[test]
fn check_9_time_and_keys() {
    for name in [
        "time/5.note",
        "time/5.tst",
        "keys/checkpoint-0.pem",
        "keys/checkpoint-0.vkey",
        "keys/recorder-0.pem",
        "keys/issuer-0.pem",
    ] {
        assert_eq!(changed(&format!("data/{name}"), flip), ["altered"], "{name}");
        assert_eq!(without(&format!("data/{name}")), ["missing"], "{name}");
    }
    let mut files = Maker::new().make().files;
    files.insert("data/keys/issuer-1.pem".into(), pem(public(&[9; 32]).bytes()).into_bytes());
    assert_eq!(words(&bag(&files)), ["altered"]);
}

#[test]
fn check_10_accounting() {
    assert_eq!(
        made(|maker| maker.lists["asked"]["ids"] = json!([hex(&maker.tape()), "11".repeat(32)])),
        ["incomplete"]
    );
    let out = |tape: &str| json!([{"tape": tape, "custody": "22".repeat(32), "entry": 1, "field": null, "why": "w"}]);
    let told = made(|maker| {
        maker.lists["asked"]["ids"] = json!([hex(&maker.tape()), "11".repeat(32)]);
        maker.lists["out_of_scope"] = out(&"11".repeat(32));
    });
    assert_eq!(told, ["intact with gaps"], "out of scope is said and not shown");
    assert_eq!(
        made(|maker| {
            let given = maker.lists["given"][0].clone();
            maker.lists["given"] = json!([given, given]);
        }),
        ["incomplete"]
    );
    // A second row may say anything of the tape: it is one too many, and nothing is looked at for its sake.
    assert_eq!(
        made(|maker| {
            let (given, mut other) = (maker.lists["given"][0].clone(), maker.lists["given"][0].clone());
            (other["custody"], other["entry"]) = (json!("22".repeat(32)), json!(2));
            maker.lists["given"] = json!([given, other]);
        }),
        ["incomplete"]
    );
    // However often it is named, its files are read once.
    let mut maker = Maker::new();
    let given = maker.lists["given"][0].clone();
    maker.lists["given"] = json!(vec![given; 5]);
    let told = told_as_json(&tar(&bag(&maker.make().files)));
    for check in ["manifests", "headers", "tape roots", "frames.cbor", "receipts"] {
        assert_eq!(told["checks"][check], 1, "{check}");
    }
    assert_eq!(asked(|maker| maker.specs[1].absent = true), ["incomplete"]);
    let time = |from: u64, to: u64| {
        asked(|maker| maker.lists["asked"]["sealed_ms"] = json!([1_700_000_000_000 + from, 1_700_000_000_000 + to]))
    };
    assert_eq!(time(0, 9), ["intact"]);
    assert_eq!(time(4, 5), ["incomplete"], "the tape is outside the time");
    let span = |first: u64, last: u64| asked(|maker| maker.lists["span"] = json!([first, last]));
    assert_eq!(span(2, 6), ["intact"]);
    assert_eq!(span(3, 6), ["incomplete"], "it begins within the time");
    assert_eq!(span(0, 4), ["incomplete"], "it ends within the time");
    assert_eq!(span(0, 7), ["incomplete"], "it is past the size that was asked at");
    // Nothing is given: nothing binds the lists to the log, and the files of the tape have no row.
    assert_eq!(made(|maker| maker.lists["given"] = json!([])), ["cannot tell", "altered", "incomplete"]);
}

#[test]
fn check_11_what_is_given_is_what_is_said() {
    let withheld = |what: &str, fields: Value, entry: u64| {
        let mut maker = Maker::new();
        let tape = hex(&maker.tape());
        maker.lists["withheld"] = json!([{"what": what, "tape": tape, "custody": hex(&CUSTODY), "entry": entry, "fields": fields, "why": "w"}]);
        maker
    };
    let told = |mut maker: Maker| words(&bag(&maker.make().files));
    // Frames.
    assert_eq!(made(|maker| maker.frames_here = vec![0, 1]), ["incomplete"]);
    assert_eq!(made(|maker| maker.lists["given"][0]["frames"] = json!(4)), ["incomplete"]);
    let part = |maker: &mut Maker| {
        maker.frames_here = vec![1, 2];
        maker.lists["frames"] = json!([1, 9]);
        maker.lists["given"][0]["opened"] = json!([1, 2]);
    };
    let mut maker = withheld("frames", json!([]), 3);
    part(&mut maker);
    assert_eq!(told(maker), ["intact"]);
    assert_eq!(made(part), ["incomplete"]);
    assert_eq!(told(withheld("frames", json!([]), 3)), ["incomplete"]);
    // Payloads.
    let close = |maker: &mut Maker| {
        maker.payloads = false;
        maker.lists["payloads"] = json!(false);
    };
    let mut maker = withheld("payloads", json!([]), 3);
    close(&mut maker);
    assert_eq!(told(maker), ["intact"]);
    assert_eq!(made(close), ["incomplete"]);
    assert_eq!(made(|maker| maker.lists["payloads"] = json!(false)), ["incomplete"]);
    // Header.
    let mut maker = withheld("header", json!([2]), 3);
    maker.header_closed = vec![2];
    assert_eq!(told(maker), ["intact"]);
    let mut maker = withheld("header", json!([10]), 3);
    maker.header_closed = vec![2];
    assert_eq!(told(maker), ["incomplete"]);
    assert_eq!(made(|maker| maker.header_closed = vec![2]), ["incomplete"]);
    // Fields stand each once, in any order: a list with one twice does not read, one of too many reads and does not fit.
    for (fields, wanted) in [
        (json!([10, 2]), ["intact"]),
        (json!([2, 10, 2]), ["altered"]),
        (json!([2, 2]), ["altered"]),
        (json!((0..65).collect::<Vec<u64>>()), ["incomplete"]),
    ] {
        let mut maker = withheld("header", fields.clone(), 3);
        maker.header_closed = vec![2, 10];
        assert_eq!(told(maker), wanted, "{fields}");
    }
    let mut maker = withheld("private", json!([0, 0]), 2);
    maker.specs[2].closed = Some(vec![0]);
    assert_eq!(told(maker), ["altered"]);
    // Private halves.
    let mut maker = withheld("private", json!([]), 2);
    maker.specs[2].closed = None;
    assert_eq!(told(maker), ["intact with gaps"]);
    assert_eq!(made(|maker| maker.specs[2].closed = None), ["incomplete"]);
    assert_eq!(made(|maker| maker.specs[6].closed = None), ["incomplete"]);
    assert_eq!(made(|maker| maker.specs[1].closed = None), ["intact"]);
    assert_eq!(told(withheld("private", json!([]), 2)), ["incomplete"]);
    assert_eq!(told(withheld("private", json!([]), 99)), ["incomplete"]);
    assert_eq!(
        made(|maker| {
            maker.specs[1].kind = 40;
            maker.specs[1].closed = None;
        }),
        ["incomplete"]
    );
    assert_eq!(
        asked(|maker| {
            maker.specs[1].kind = 40;
            maker.specs[1].closed = None;
        }),
        ["intact"]
    );
    let refused = |maker: &mut Maker| {
        maker.specs[1].kind = 40;
        maker.specs[1].subject = [0x77; 32];
        maker.specs[1].closed = None;
    };
    assert_eq!(asked(refused), ["intact"]);
    assert_eq!(made(refused), ["incomplete"]);
    // What need not be told is told rightly or not at all.
    let mut maker = withheld("private", json!([3]), 1);
    maker.lists["withheld"][0]["tape"] = json!("00".repeat(32));
    maker.lists["withheld"][0]["custody"] = json!("00".repeat(32));
    maker.specs[1].closed = None;
    assert_eq!(told(maker), ["incomplete"]);
    // Tapes that are somewhere else.
    let mut maker = withheld("frames", json!([]), 3);
    maker.lists["withheld"][0]["tape"] = json!("11".repeat(32));
    assert_eq!(told(maker), ["incomplete"]);
    let gone = |by: u64| {
        made(|maker| {
            maker.lists["destroyed"] =
                json!([{"tape": "11".repeat(32), "custody": "22".repeat(32), "entry": 50, "by": by}])
        })
    };
    assert_eq!(gone(1), ["incomplete"]);
}

#[test]
fn check_11_a_field_that_puts_a_tape_out_of_scope() {
    let told = |field: u64, with_header: bool| {
        let mut other = Maker::new();
        other.header.0[2].1 = Writer::new().bytes(b"another session").done();
        let tape = hex(&other.tape());
        let mut maker = Maker::new();
        maker.lists["out_of_scope"] =
            json!([{"tape": tape, "custody": "22".repeat(32), "entry": 50, "field": field, "why": "w"}]);
        let mut files = maker.make().files;
        files.insert(format!("data/tapes/{tape}/root.cbor"), other.root_file());
        if with_header {
            let header = other.header.opened("immutape/header/1", &[10]);
            files.insert(format!("data/tapes/{tape}/header.cbor"), header);
        }
        words(&bag(&files))
    };
    assert_eq!(told(2, true), ["intact"]);
    assert_eq!(told(10, true), ["incomplete"], "a field that stays closed");
    assert_eq!(told(3, true), ["incomplete"], "a field that this header does not have");
    assert_eq!(told(99, true), ["incomplete"], "a field that no header has");
    assert_eq!(told(2, false), ["missing"]);
}
