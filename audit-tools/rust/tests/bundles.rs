//! Bundles: every check of 6.7 fails alone, and the right word comes out.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[path = "support/mod.rs"]
mod support;

use serde_json::{Value, json};
use support::maker::{self, CUSTODY, Files, Maker, bag, log_key, pem, tar, tar_file, witnesses};
use support::{Scratch, answers, hex, public};
use tapeaudit_core::cbor::Writer;

/// What batch mode says of a file.
fn judge_with(bytes: &[u8], more: Value) -> Value {
    let scratch = Scratch::new();
    let path = scratch.write("bundle.tar", bytes);
    let mut request = json!({"kind": "bundle", "path": path.to_str().unwrap()});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    answers(&[request]).remove(0)
}

/// What the command says with `--json`: findings and counts, too.
fn told_as_json(bytes: &[u8]) -> Value {
    let scratch = Scratch::new();
    let path = scratch.write("bundle.tar", bytes);
    let mut command = support::tapeaudit();
    for key in pins()["pub"].as_array().unwrap() {
        command.args(["--pub", key.as_str().unwrap()]);
    }
    for key in witnesses() {
        command.args(["--witness", &key.write()]);
    }
    let out = command.arg("--json").arg(&path).output().unwrap();
    serde_json::from_slice(&out.stdout).unwrap()
}

/// What is found, and where, in order.
fn findings(files: &Files) -> Vec<String> {
    let told = told_as_json(&tar(files));
    let line = |found: &Value| format!("{}: {}", found["place"].as_str().unwrap(), found["what"].as_str().unwrap());
    let mut lines: Vec<String> = told["findings"].as_array().unwrap().iter().map(line).collect();
    lines.sort();
    lines
}

fn pins() -> Value {
    let keys = witnesses().map(|key| key.write());
    json!({"pub": [log_key().write(), hex(public(&[2; 32]).bytes())], "witness": keys})
}

fn words(files: &Files) -> Vec<String> {
    words_of(&judge_with(&tar(files), pins()))
}

fn words_of(answer: &Value) -> Vec<String> {
    answer["words"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().into()).collect()
}

fn made(change: impl FnOnce(&mut Maker)) -> Vec<String> {
    let mut maker = Maker::new();
    change(&mut maker);
    words(&bag(&maker.make().files))
}

fn asked(change: impl FnOnce(&mut Maker)) -> Vec<String> {
    let mut maker = Maker::query();
    change(&mut maker);
    words(&bag(&maker.make().files))
}

/// The good bundle with one payload file changed, and the bag made anew around it.
fn changed(path: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<String> {
    let made = Maker::new().make();
    let mut files = made.files;
    let path = path.replace("TAPE", &hex(&made.tape));
    let before = files[&path].clone();
    change(files.get_mut(&path).unwrap());
    assert_ne!(files[&path], before);
    words(&bag(&files))
}

fn without(path: &str) -> Vec<String> {
    let made = Maker::new().make();
    let mut files = made.files;
    files.remove(&path.replace("TAPE", &hex(&made.tape))).unwrap();
    words(&bag(&files))
}

// Passed as it is where a file's bytes are changed.
#[allow(clippy::ptr_arg)]
fn flip(bytes: &mut Vec<u8>) {
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
}

#[test]
fn a_good_bundle_is_intact_as_file_and_as_folder() {
    let made = Maker::new().make();
    let all = bag(&made.files);
    let answer = judge_with(&tar(&all), pins());
    assert_eq!(
        (&answer["verdict"], &answer["exit"], &answer["words"]),
        (&json!("intact"), &json!(0), &json!(["intact"]))
    );
    assert_eq!(answer["ids"], json!([hex(&made.tape)]));
    let scratch = Scratch::new();
    all.iter().for_each(|(path, bytes)| drop(scratch.write(path, bytes)));
    let mut request = pins();
    request["kind"] = json!("bundle");
    request["path"] = json!(scratch.0.to_str().unwrap());
    assert_eq!(answers(std::slice::from_ref(&request)).remove(0)["words"], json!(["intact"]));
    std::fs::create_dir(scratch.0.join("data/empty")).unwrap();
    assert_eq!(answers(std::slice::from_ref(&request)).remove(0)["words"], json!(["altered"]));
    std::fs::remove_dir(scratch.0.join("data/empty")).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc/hostname", scratch.0.join("data/VERIFY.txt")).unwrap();
        assert_eq!(answers(&[request]).remove(0)["words"], json!(["altered"]));
    }
    assert_eq!(asked(|_| {}), ["intact"]);
}

#[test]
fn pins_and_witnesses_are_asked_for() {
    let file = tar(&bag(&Maker::new().make().files));
    let told = |more: Value| words_of(&judge_with(&file, more));
    let recorder = hex(public(&[2; 32]).bytes());
    let (log, keys) = (log_key().write(), witnesses().map(|key| key.write()));
    assert_eq!(told(json!({})), ["not anchored", "unpinned keys"]);
    assert_eq!(told(json!({"pub": [log], "witness": keys})), ["unpinned keys"]);
    assert_eq!(told(json!({"pub": [recorder], "witness": keys})), ["unpinned keys"]);
    assert_eq!(told(json!({"pub": [log, recorder]})), ["not anchored"]);
    assert_eq!(told(json!({"pub": [log, recorder], "witness": keys, "quorum": 3})), ["not anchored"]);
    assert_eq!(told(json!({"pub": [log, recorder], "witness": [keys[0]], "quorum": 1})), ["intact"]);
    let thumbprint = hex(&public(&[2; 32]).thumbprint());
    assert_eq!(told(json!({"pub": [log, thumbprint], "witness": keys})), ["intact"]);
    assert_eq!(told(json!({"pub": [log, pem(public(&[2; 32]).bytes())], "witness": keys})), ["intact"]);
    assert_eq!(told(json!({"pub": [log, recorder, hex(public(&[9; 32]).bytes())], "witness": keys})), ["altered"]);
    let other = log.replacen("audit", "other", 1);
    assert_eq!(told(json!({"pub": [other]})), ["cannot tell"]);
    assert_eq!(told(json!({"quorum": 0})), ["cannot tell"]);
    assert_eq!(told(json!({"pub": ["/"]})), ["cannot tell"]);
}

#[test]
fn anchored_is_the_last_time_of_the_earliest_quorum() {
    let scratch = Scratch::new();
    let path = scratch.write("b.tar", &tar(&bag(&Maker::new().make().files)));
    for (quorum, time) in [("1", 1_700_000_100_000_u64), ("2", 1_700_000_200_000)] {
        let mut command = support::tapeaudit();
        for key in witnesses() {
            command.args(["--witness", &key.write()]);
        }
        let out = command.args(["--quorum", quorum, "--json"]).arg(&path).output().unwrap();
        let told: Value = serde_json::from_slice(&out.stdout).unwrap();
        assert_eq!(told["anchored_ms"], time);
        assert_eq!((out.status.code(), &told["exit"]), (Some(10), &json!(10)));
    }
}

#[test]
fn check_1_the_bag() {
    let made = Maker::new().make();
    // A digest.
    let mut payload = made.files.clone();
    payload.insert("data/VERIFY.txt".into(), b"x".to_vec());
    let mut files = bag(&payload);
    files.get_mut("data/VERIFY.txt").unwrap().push(0);
    assert_eq!(words(&files), ["altered"]);
    assert_eq!(
        findings(&files),
        [
            "bag-info.txt: an oxum that does not fit the payload",
            "data/VERIFY.txt: a file that has not the digest of the manifest"
        ]
    );
    let all = bag(&made.files);
    for name in maker::TAGS {
        let mut files = all.clone();
        files.remove(name);
        assert_eq!(words(&files), ["missing"], "{name}");
    }
    let info = |text: &str| {
        let mut files = all.clone();
        files.insert("bag-info.txt".into(), text.as_bytes().to_vec());
        maker::tags(&mut files);
        words(&files)
    };
    let oxum = String::from_utf8(all["bag-info.txt"].clone()).unwrap();
    assert_eq!(info(&format!("Note: \n{oxum}")), ["intact"]);
    for bad in [
        "Payload-Oxum: 1.1\n",
        "",
        &oxum.repeat(2),
        &format!("{oxum} go on\n"),
        oxum.trim_end(),
        &format!("a:b\n{oxum}"),
    ] {
        assert_eq!(info(bad), ["altered"], "{bad:?}");
    }
    let mut files = all.clone();
    files.insert("bagit.txt".into(), b"BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-8\n".to_vec());
    maker::tags(&mut files);
    assert_eq!(words(&files), ["altered"]);
    let mut files = all.clone();
    flip(files.get_mut("tagmanifest-sha256.txt").unwrap());
    assert_eq!(words(&files), ["altered"]);
    // A file that no row names, one that the manifest does not name, and one that it names and that is not there.
    let mut payload = made.files.clone();
    payload.insert("data/more".into(), b"x".to_vec());
    assert_eq!(words(&bag(&payload)), ["altered"]);
    payload.remove("data/more");
    payload.insert("data/VERIFY.txt".into(), b"x".to_vec());
    assert_eq!(words(&bag(&payload)), ["intact"]);
    let mut files = bag(&payload);
    files.insert("manifest-sha256.txt".into(), all["manifest-sha256.txt"].clone());
    maker::tags(&mut files);
    assert_eq!(words(&files), ["altered"]);
    let mut files = bag(&payload);
    files.remove("data/VERIFY.txt");
    files.insert("bag-info.txt".into(), all["bag-info.txt"].clone());
    maker::tags(&mut files);
    assert_eq!(words(&files), ["missing"]);
    // What cannot be checked for want of a file adds no words; without entry 0 there are no keys that could be pinned.
    for (name, wanted) in [
        ("COMPLETENESS.json", &["missing"][..]),
        ("entries.cbor", &["not anchored", "unpinned keys", "missing"]),
        ("log/checkpoint", &["not anchored", "missing"]),
        ("log/paths.cbor", &["missing"]),
    ] {
        let path = format!("data/{name}");
        assert_eq!(without(&path), wanted, "{name}");
        let mut files = Maker::query().make().files;
        files.remove(&path).unwrap();
        assert_eq!(words(&bag(&files)), wanted, "{name} of a query");
    }
    for name in [
        "root.cbor",
        "header.cbor",
        "manifest.cbor",
        "statement.cose",
        "frames.cbor",
        "frames-paths.cbor",
        "saved.tlog-proof",
    ] {
        assert_eq!(without(&format!("data/tapes/TAPE/{name}")), ["missing"], "{name}");
    }
    assert_eq!(without("data/tapes/TAPE/receipt.cose"), ["intact"]);
}

#[test]
fn tar_files_in_any_other_form() {
    let all = bag(&Maker::new().make().files);
    let good = tar(&all);
    let told = |bytes: &[u8]| words_of(&judge_with(bytes, pins()));
    let whole = ["not anchored", "unpinned keys", "altered"];
    for (at, value, what) in [
        (100, &b"0000600\0"[..], "mode"),
        (108, b"0000001\0", "owner"),
        (156, b"2", "a link"),
        (156, b"x", "PAX"),
        (157, b"/etc/passwd", "where a link leads"),
        (257, b"ustar  \0", "GNU"),
        (265, b"root", "a name of the owner"),
        (345, b"..\0", "a prefix"),
        (0, b"/etc/passwd\0", "an absolute path"),
        (0, b"../bagit.txt\0", "a path upwards"),
        (124, b"77777777777\0", "a length"),
        (136, b"14524450741\0", "a moment"),
        (500, b"x", "bytes at the end"),
        (124, b"\x80\0\0\0\0\0\0\0\0\0\0\x36", "a length in base 256"),
    ] {
        let mut bytes = good.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        maker::seal(&mut bytes);
        assert_eq!(told(&bytes), whole, "{what}");
    }
    let mut bytes = good.clone();
    bytes[512 + 54] = 1;
    assert_eq!(told(&bytes), whole, "padding");
    for cut in [0, 1, 511, 512, 600, good.len() - 512, good.len() - 1] {
        assert_eq!(told(&good[..cut]), whole, "{cut}");
    }
    assert_eq!(told(&[&good[..], &[0; 512]].concat()), whole);
    let twice = [&tar_file("bagit.txt", &all["bagit.txt"])[..], &good].concat();
    assert_eq!(told(&twice), whole);
    let (first, second) = (tar_file("bagit.txt", &all["bagit.txt"]), tar_file("bag-info.txt", &all["bag-info.txt"]));
    let swapped = [&second[..], &first, &good[first.len() + second.len()..]].concat();
    assert_eq!(told(&swapped), ["altered"]);
    assert_eq!(told(b"age-encryption.org/v1\n"), ["not anchored", "unpinned keys", "cannot tell"]);
}

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

#[test]
fn gaps_are_told_where_nothing_is_wrong() {
    let out = json!([{"tape": "11".repeat(32), "custody": "22".repeat(32), "entry": 50, "field": null, "why": "w"}]);
    assert_eq!(made(|maker| maker.lists["out_of_scope"] = out.clone()), ["intact with gaps"]);
    assert_eq!(
        made(|maker| {
            maker.lists["out_of_scope"] = out.clone();
            maker.statement_seed = 9;
        }),
        ["altered"]
    );
    // A mark that is not fulfilled, beside an entry that says that fewer frames were left.
    let told = made(|maker| {
        maker.mark_root = Some([1; 32]);
        let private = maker.specs[3].private.clone();
        let spec =
            maker::Spec { kind: 20, subject: CUSTODY, private, closed: Some(Vec::new()), member: false, absent: false };
        maker.specs.insert(4, spec);
        maker.lists["log_size"] = json!(8);
    });
    assert_eq!(told, ["intact with gaps"]);
}

#[test]
fn heads_and_trees_from_elsewhere() {
    let made = Maker::new().make();
    let scratch = Scratch::new();
    let file = tar(&bag(&made.files));
    let told = |name: &str, value: Value| {
        let mut more = pins();
        more[name] = value;
        words_of(&judge_with(&file, more))
    };
    let head = |size: u64, root: &[u8; 32], seed: u8| {
        let path = scratch.write(&format!("head-{size}-{seed}-{}", root[0]), &maker::head(size, root, seed, &[]));
        json!([path.to_str().unwrap()])
    };
    let root = |size| made.levels.root_at(size).unwrap();
    assert_eq!(told("head", head(8, &root(8), 1)), ["intact"]);
    assert_eq!(told("head", head(4, &root(4), 1)), ["intact"]);
    assert_eq!(told("head", head(8, &[1; 32], 1)), ["forked"]);
    assert_eq!(told("head", head(4, &[2; 32], 1)), ["forked"]);
    assert_eq!(told("head", head(90, &[1; 32], 1)), ["intact"]);
    assert_eq!(told("head", head(8, &root(8), 9)), ["cannot tell"]);
    let tree = |name: &str, entries: &[Vec<u8>], bundles: bool| {
        let mut levels = tapeaudit_core::log::Levels::default();
        entries.iter().for_each(|entry| levels.push(tapeaudit_core::tree::leaf(entry)));
        let n = entries.len() as u64;
        let hashes: Vec<u8> = (0..n).flat_map(|at| levels.leaf(at).unwrap()).collect();
        scratch.write(&format!("{name}/tile/0/000.p/{n}"), &hashes);
        if bundles {
            let bundle: Vec<u8> =
                entries.iter().flat_map(|entry| [&(entry.len() as u16).to_be_bytes()[..], entry].concat()).collect();
            scratch.write(&format!("{name}/tile/entries/000.p/{n}"), &bundle);
        }
        scratch.write(&format!("{name}/checkpoint"), &maker::head(n, &levels.root_at(n).unwrap(), 1, &[]));
        json!(scratch.0.join(name).to_str().unwrap())
    };
    assert_eq!(told("tree", tree("same", &made.entries, true)), ["intact"]);
    assert_eq!(told("tree", tree("hashes", &made.entries, false)), ["intact"]);
    assert_eq!(told("tree", tree("smaller", &made.entries[..7], true)), ["cannot tell"]);
    let other = {
        let mut maker = Maker::new();
        maker.entry = Box::new(|parts| {
            if parts.index == 1 {
                parts.body[2] = 7
            }
        });
        maker.make()
    };
    assert_eq!(told("tree", tree("other", &other.entries, true)), ["forked"]);
    assert_eq!(told("tree", tree("other-hashes", &other.entries, false)), ["forked"]);
    // The ledger leaves out an entry about the tape, and numbers the rest so that nothing seems to be missing.
    let hidden = |parts: &mut maker::Parts| match parts.index {
        3 => {
            parts.seq = 0;
            parts.subject_prev = [0; 32];
        }
        7 => parts.seq = 1,
        _ => {}
    };
    let mut maker = Maker::new();
    maker.entry = Box::new(hidden);
    maker.specs[2].absent = true;
    let liar = maker.make();
    let file = tar(&bag(&liar.files));
    assert_eq!(words_of(&judge_with(&file, pins())), ["intact"]);
    let mut more = pins();
    more["tree"] = tree("whole", &liar.entries, true);
    assert_eq!(words_of(&judge_with(&file, more)), ["altered", "incomplete"]);
    // Trees by themselves.
    let alone = |path: Value| {
        let mut request = pins();
        request["kind"] = json!("tree");
        request["path"] = path;
        words_of(&answers(&[request]).remove(0))
    };
    assert_eq!(alone(tree("alone", &made.entries, true)), ["not anchored"]);
    assert_eq!(alone(tree("alone-hashes", &made.entries, false)), ["not anchored"]);
    let path = tree("bit", &made.entries, true);
    let mut tile = std::fs::read(scratch.0.join("bit/tile/0/000.p/8")).unwrap();
    flip(&mut tile);
    scratch.write("bit/tile/0/000.p/8", &tile);
    assert_eq!(alone(path), ["not anchored", "altered"]);
    let path = tree("gone", &made.entries, true);
    std::fs::remove_file(scratch.0.join("gone/tile/entries/000.p/8")).unwrap();
    assert_eq!(alone(path), ["not anchored", "unpinned keys", "missing"]);
    let path = tree("none", &made.entries, false);
    let request = json!({"kind": "tree", "path": path});
    assert_eq!(words_of(&answers(&[request]).remove(0)), ["not anchored", "unpinned keys", "cannot tell"]);
}

#[test]
fn the_command_line_ends_quietly_and_tells_its_usage() {
    let scratch = Scratch::new();
    let path = scratch.write("b.tar", &tar(&bag(&Maker::new().make().files)));
    let run = |arguments: &[&str]| support::tapeaudit().args(arguments).output().unwrap();
    let out = run(&[path.to_str().unwrap()]);
    assert_eq!(out.status.code(), Some(10));
    assert_eq!(String::from_utf8(out.stdout).unwrap().lines().last(), Some("unpinned keys"));
    for (arguments, code) in [
        (&["--nothing"][..], 2),
        (&[], 2),
        (&["--quorum", "x", "a"], 2),
        (&["--pub", "/", "a"], 2),
        (&["/nowhere"], 1),
        (&["--help"], 0),
    ] {
        assert_eq!(run(arguments).status.code(), Some(code), "{arguments:?}");
    }
    let mut child = support::tapeaudit()
        .arg(&path)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let out = child.wait_with_output().unwrap();
    assert_eq!((out.status.code(), out.stderr.as_slice()), (Some(10), &b""[..]));
}
