//! Bundles: the bag, what is given from elsewhere, and how the program is used. The other checks of 6.7 are in the files beside.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[path = "support/mod.rs"]
mod support;

use serde_json::{Value, json};
use support::judge::*;
use support::maker::{self, CUSTODY, Maker, bag, log_key, pem, tar, tar_file, witnesses};
use support::trees::publish;
use support::{Scratch, answers, hex, public};

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
    let tree = |name: &str, entries: &[Vec<u8>], bundles: bool| publish(&scratch, name, entries, bundles, 1);
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
    let bundle = scratch.0.join("gone/tile/entries/000.p/8");
    std::fs::rename(&bundle, bundle.with_file_name("7")).unwrap();
    assert_eq!(alone(path.clone()), ["not anchored", "unpinned keys", "missing"]);
    std::fs::remove_file(bundle.with_file_name("7")).unwrap();
    assert_eq!(alone(path), ["not anchored"], "an empty folder publishes nothing");
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
