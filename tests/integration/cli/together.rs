//! What `export --to v2` wrote goes in again, with the file beside it, as the same tape.

use std::fs;
use std::path::{Path, PathBuf};

use super::world::{Did, World};
use crate::support::{ledgers::TAPES, skipped};

/// Every session of a folder.
fn sessions(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut files: Vec<_> = files.filter(|p| p.extension().is_some_and(|e| e == "jsonl")).collect();
    files.sort();
    files
}

fn id(did: Did) -> String {
    did.exits(0).out().trim().to_owned()
}

/// Exports under the same name into a new folder, and imports that folder: the ids, before and after.
fn around(world: &World, name: &str, tape: &str, folder: &str) -> (String, String) {
    fs::create_dir(world.path(folder)).unwrap();
    let file = format!("{folder}/{name}");
    world.run(["-q", "export", tape, "--to", "v2", "-o", &file]).exits(0);
    let done = world.run(["import", folder, "--json"]).exits(0).documents();
    assert_eq!(done.len(), 2, "one session, whatever lies beside it: {done:?}");
    (tape.to_owned(), done[0]["tape"].as_str().unwrap().to_owned())
}

#[test]
fn captured_tapes_come_back_as_the_same_tapes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = root.join("../shared/tapes");
    let mut sources = sessions(&root.join("tests/data/tapes"));
    assert!(sources.len() >= TAPES.len());
    if shared.is_dir() {
        sources.extend(sessions(&shared));
    } else {
        skipped("no folder ../shared/tapes: its tapes are not exported and imported again");
    }
    let world = World::new();
    for (n, source) in sources.iter().enumerate() {
        let name = source.file_name().unwrap().to_str().unwrap();
        let tape = id(world.run(["-q".as_ref(), "save".as_ref(), source.as_os_str()]));
        let (before, after) = around(&world, name, &tape, &format!("out{n}"));
        assert_eq!(before, after, "{name}");
    }
}

/// A session of which most payloads can stand on no line.
fn odd(world: &World) -> String {
    let lines = [
        &br#"{"jsonrpc":"2.0","id":1,"method":"a"}"#[..],
        b"\x00\xff\x1b[2J binary",
        br#"{"jsonrpc":"2.0","id":1,"result":{"text":"ok"}}"#,
        b"no json",
        b"",
        b" {} ",
    ];
    fs::write(world.path("odd.rpc"), [lines.join(&b'\n'), b"\n".to_vec()].concat()).unwrap();
    id(world.run(["-q", "save", "--format", "jsonrpc-lines", "odd.rpc"]))
}

#[test]
fn binary_payloads_come_back_and_stay_the_same_tape() {
    let world = World::new();
    let tape = odd(&world);
    // In the form of a version 2.0 tape it is another tape, and that one stays what it is.
    let (first, second) = around(&world, "x.jsonl", &tape, "one");
    assert!(world.path("one/x.extra.jsonl").exists() && first != second);
    assert_eq!(world.run(["cat", &second]).exits(0).stdout, world.run(["cat", &first]).exits(0).stdout);
    let (second, third) = around(&world, "x.jsonl", &second, "two");
    assert_eq!(second, third);
    for file in ["x.jsonl", "x.extra.jsonl", "x.meta.json"] {
        let read = |folder: &str| fs::read_to_string(world.path(folder).join(file)).unwrap();
        assert_eq!(read("one"), read("two"), "{file}");
    }
    world.run(["verify", "--quiet"]).exits(0);
}

#[test]
fn a_file_beside_that_is_not_whole_stops_its_own_tape_alone() {
    let world = World::new();
    let tape = odd(&world);
    fs::create_dir(world.path("in")).unwrap();
    for name in ["cut", "foreign", "gone", "whole"] {
        world.run(["-q", "export", &tape, "--to", "v2", "-o", &format!("in/{name}.jsonl")]).exits(0);
    }
    let beside = fs::read(world.path("in/cut.extra.jsonl")).unwrap();
    fs::write(world.path("in/cut.extra.jsonl"), &beside[..beside.len() - 9]).unwrap();
    fs::write(world.path("in/foreign.extra.jsonl"), "{\"jsonrpc\":\"2.0\",\"method\":\"x\"}\n").unwrap();
    fs::remove_file(world.path("in/gone.extra.jsonl")).unwrap();
    fs::write(world.path("in/stray.extra.jsonl"), &beside).unwrap();
    let did = world.run(["import", "in"]).exits(1);
    let said: Vec<String> = did
        .out()
        .lines()
        .map(|l| {
            l.split_whitespace().filter(|w| !w.chars().all(|c| c.is_ascii_hexdigit())).collect::<Vec<_>>().join(" ")
        })
        .collect();
    assert_eq!(
        said,
        [
            "left out - in/stray.extra.jsonl",
            "failed E_TRUNCATED_INPUT in/cut.jsonl",
            "failed E_NOT_A_TAPE in/foreign.jsonl",
            "kept in/gone.jsonl",
            "kept in/whole.jsonl",
        ]
    );
    for words in [
        "in/stray.extra.jsonl: it stands beside a tape that is not here",
        "in/cut.jsonl: line 5 of the file beside it (.extra.jsonl) is the last and stops in the middle (E_TRUNCATED_INPUT)",
        "in/foreign.jsonl: line 1 of the file beside it (.extra.jsonl): this is no record",
        "note: the companion metadata tells of a file beside it (.extra.jsonl) with 4 records, which was not given",
        "note: 4 frames come from the file beside it (.extra.jsonl)",
        "Imported: 2 sessions kept, 2 failed, 1 left out.",
    ] {
        assert!(did.stderr.contains(words), "{words}\n{}", did.stderr);
    }
}

#[test]
fn the_file_beside_can_be_named() {
    let world = World::new();
    let tape = odd(&world);
    world.run(["-q", "export", &tape, "--to", "v2", "-o", "x.jsonl"]).exits(0);
    fs::rename(world.path("x.extra.jsonl"), world.path("elsewhere")).unwrap();
    let did = world.run(["save", "x.jsonl", "--extra", "elsewhere"]).exits(0);
    assert!(did.stderr.contains("x.jsonl: 6 frames kept"), "{}", did.stderr);
    let did = world.run(["save", "odd.rpc", "--format", "jsonrpc-lines", "--extra", "elsewhere"]).exits(2);
    assert!(did.stderr.contains("--extra goes with a version 2.0 tape, and this is jsonrpc-lines"), "{}", did.stderr);
    world.run(["save", "x.jsonl", "--extra", "nowhere"]).exits(1);
    let did = world.run(["save", "elsewhere"]).exits(1);
    assert!(did.stderr.contains("it stands beside a version 2.0 tape"), "{}", did.stderr);
}
