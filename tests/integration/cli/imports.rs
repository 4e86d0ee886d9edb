//! `save` of foreign formats: the source is kept beside the frames byte for byte, from files and from standard input.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use immutape::ledger::Places;

use super::world::{Did, World};
use crate::interchange_packed::{gzip, zstd};
use crate::support::ledgers::{ann, real};

fn imports(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/imports").join(name)
}

/// The source that the library gives back of a tape that the program kept.
fn kept_source(world: &World, id: &str) -> Vec<u8> {
    let places = Places::beneath(&world.path("")).config(Some(world.path("keys")));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let ledger = immutape::ledger::Ledger::open(places, real()).await.unwrap();
        let reader = ledger.open_tape(&ann(), id, None).await.unwrap();
        let mut out = Vec::new();
        reader
            .source(&mut |piece| {
                out.extend_from_slice(piece);
                Ok(())
            })
            .unwrap();
        reader.finish().await.unwrap();
        ledger.close().await.unwrap();
        out
    })
}

fn id(did: &Did) -> String {
    did.out().trim().strip_prefix("sha256:").unwrap().to_owned()
}

fn save_stdin(world: &World, args: &[&str], input: &[u8]) -> Did {
    let mut child = world.command();
    child.args(["save", "-"]).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may end before it has read everything.
    let _refused = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().unwrap().into()
}

#[test]
fn foreign_sources_are_kept_byte_for_byte() {
    let world = World::new();
    let har = fs::read(imports("everything.har")).unwrap();
    let packed = zstd::encode_all(har.as_slice(), 3).unwrap();
    fs::write(world.path("packed.har.zst"), &packed).unwrap();
    let did = world.run(["save".as_ref(), imports("everything.har").as_os_str()]).exits(0);
    assert!(did.stderr.contains("note: 1 exchange is earlier"), "{}", did.stderr);
    assert_eq!(kept_source(&world, &id(&did)), har);
    let did = world.run(["save", "packed.har.zst"]).exits(0);
    assert_eq!(kept_source(&world, &id(&did)), packed, "as it was given, wrapper and all");
    let cast = fs::read(imports("approval.cast")).unwrap();
    let did = save_stdin(&world, &["--json"], &cast).exits(0);
    let document = &did.documents()[0];
    assert_eq!((document["format"].as_str(), document["frames"].as_u64()), (Some("asciicast"), Some(15)));
    let tape = document["tape"].as_str().unwrap().strip_prefix("sha256:").unwrap().to_owned();
    assert_eq!(kept_source(&world, &tape), cast);
    let shown = world.run(["show", &tape]).exits(0).out();
    assert!(shown.contains("Batch approval") && !shown.contains('\u{1b}'), "{shown}");
    world.run(["verify", "--quiet"]).exits(0);
}

#[test]
fn more_than_can_be_held_of_standard_input_is_refused() {
    let world = World::new();
    let mut input = b"{\"version\":2,\"width\":80,\"height\":24}\n".to_vec();
    let line = format!("[1,\"o\",\"{}\"]\n", "x".repeat(1 << 20));
    while input.len() <= 64 << 20 {
        input.extend_from_slice(line.as_bytes());
    }
    let did = save_stdin(&world, &[], &input).exits(1);
    assert!(did.stderr.contains("67108864 bytes") && did.stderr.contains("E_LIMIT"), "{}", did.stderr);
    assert!(did.stderr.contains("write it to a file first"), "{}", did.stderr);
    assert_eq!(world.run(["list", "-q"]).exits(0).out().lines().count(), 0, "nothing is kept");
}

#[test]
fn formats_are_told_or_forced() {
    let world = World::new();
    fs::write(world.path("words.txt"), "hello\nworld\n").unwrap();
    let did = world.run(["save", "words.txt"]).exits(1);
    assert!(did.stderr.contains("asciicast 2 and 3, and HAR"), "{}", did.stderr);
    let did = world.run(["save", "--format", "hat", "words.txt"]).exits(2);
    assert!(did.stderr.contains("tape-v2-jsonl, tape-json, jsonrpc-lines, asciicast, har"), "{}", did.stderr);
    let did = world.run(["save", "--format", "jsonrpc-lines", "words.txt"]).exits(0);
    assert_eq!(world.run(["cat", &id(&did)]).exits(0).stdout, b"hello\nworld\n");
}

#[test]
fn the_index_of_the_folder_is_compared() {
    let world = World::new();
    let tapes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tapes");
    fs::copy(tapes.join("sqlite-crash.jsonl"), world.path("a.jsonl")).unwrap();
    fs::write(
        world.path("index.json"),
        r#"{"tapes":[{"tape_id":"d1562bf4-a76c-51f9-a3b7-5be95fe7285b","frame_count":5}]}"#,
    )
    .unwrap();
    let did = world.run(["save", "a.jsonl"]).exits(0);
    assert!(
        did.stderr.contains("the index of the folder claims frame_count \"5\" (the tape gives 1)"),
        "{}",
        did.stderr
    );
    // Another program's file of that name says nothing about tapes.
    fs::write(world.path("index.json"), "[]").unwrap();
    let did = world.run(["save", "a.jsonl"]).exits(0);
    assert!(!did.stderr.contains("index"), "{}", did.stderr);
}

/// What `import` says of each file: the first word, and the code of those that failed.
fn verdicts(did: &Did) -> Vec<(String, String)> {
    let lines = String::from_utf8(did.stdout.clone()).unwrap();
    let words = |l: &str| l.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    lines
        .lines()
        .map(words)
        .map(|w| (if w[0] == "failed" { w[1].clone() } else { w[0].clone() }, w.last().unwrap().clone()))
        .collect()
}

#[test]
fn a_bad_file_fails_alone_whatever_is_wrong_with_it() {
    let world = World::new();
    fs::create_dir(world.path("in")).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(world.path("in").join(name), bytes).unwrap();
    let line = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";
    // Lines first, so that the fault is met when half of it is read.
    let lines: Vec<u8> = (0..9_000u32)
        .flat_map(|n| format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"a\"}}\n").into_bytes())
        .collect();
    let bomb = [lines.clone(), vec![b' '; 100 << 20]].concat();
    let (gz, zst) = (gzip(&lines), zstd(&lines));
    write("a-cut.gz", &gz[..gz.len() / 2]);
    write("b-cut.zst", &zst[..zst.len() - 2]);
    write("c-bomb.gz", &gzip(&bomb));
    write("d-bomb.zst", &zstd(&bomb));
    write("e-half.har", b"{\"log\":{\"version\":\"1.2\",\"entries\":[{\"sta");
    write("f-newer.jsonl", b"{\"type\":\"init\",\"version\":\"3.0\"}\n");
    // A file with a hole: no disk is filled with it.
    fs::write(world.path("in/g-long.json"), b"{\"frames\":[").unwrap();
    let long = fs::OpenOptions::new().write(true).open(world.path("in/g-long.json")).unwrap();
    long.set_len((256 << 20) + 1).unwrap();
    write("h-empty", b"");
    write("i-nine.cast", b"{\"version\":9,\"width\":80,\"height\":24}\n");
    write("j-good.gz", &gzip(line));
    write("k-none.har", b"{\"log\":{\"version\":\"1.2\"}}");
    write("l-words.txt", b"hello\n");
    let did = world.run(["import", "in"]).exits(1);
    let said = verdicts(&did);
    let said: Vec<(&str, &str)> = said.iter().map(|(what, file)| (what.as_str(), &file[3..4])).collect();
    let wanted = [
        ("E_TRUNCATED_INPUT", "a"),
        ("E_TRUNCATED_INPUT", "b"),
        ("E_LIMIT", "c"),
        ("E_LIMIT", "d"),
        ("E_TRUNCATED_INPUT", "e"),
        ("E_NEWER_FORMAT", "f"),
        ("E_LIMIT", "g"),
        ("E_EMPTY_INPUT", "h"),
        ("E_NEWER_FORMAT", "i"),
        ("kept", "j"),
        ("left", "k"),
        ("left", "l"),
    ];
    assert_eq!(said, wanted, "{}", did.all());
    assert!(did.stderr.contains("more than 268435456 bytes"), "{}", did.stderr);
    assert_eq!(world.run(["list", "--json"]).exits(0).documents().iter().filter(|d| d["type"] == "tape").count(), 1);
    world.run(["verify", "--quiet"]).exits(0);
}

#[test]
fn files_of_any_name_are_found_and_shown_harmless() {
    let world = World::new();
    fs::create_dir(world.path("in")).unwrap();
    let names: [&[u8]; 4] = [b"new\nline", b"red\x1b[31m", b"\xff\xfe.jsonl", "\u{202e}lnosj".as_bytes()];
    for (n, name) in names.iter().enumerate() {
        let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"ping\"}}\n");
        fs::write(world.path("in").join(OsStr::from_bytes(name)), line).unwrap();
    }
    let did = world.run(["import", "in"]).exits(0);
    assert_eq!((did.out().lines().count(), verdicts(&did).iter().filter(|(what, _)| what == "kept").count()), (4, 4));
    for shown in ["in/new\\nline", "in/red\\x1b[31m", "in/\\xff\\xfe.jsonl", "in/\\u{202e}lnosj"] {
        assert!(did.out().contains(shown), "{shown}: {}", did.out());
    }
    let did = world.run(["import", "in", "--json"]).exits(0);
    assert!(did.out().contains("{\"b64\":\"aW4v//4uanNvbmw=\"}"), "{}", did.out());
    assert_eq!(did.documents().last().unwrap()["again"], 4);
}

#[test]
fn copies_in_one_import_are_kept_once_and_entries_follow_the_files() {
    let world = World::new();
    fs::create_dir(world.path("in")).unwrap();
    for n in 0..40u32 {
        let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}}\n", n / 2);
        fs::create_dir(world.path(format!("in/{n:02}"))).unwrap();
        fs::write(world.path(format!("in/{n:02}/x")), line).unwrap();
    }
    let documents = world.run(["import", "in", "--json"]).exits(0).documents();
    let saved: Vec<_> = documents.iter().filter(|d| d["type"] == "saved").collect();
    assert_eq!(saved.len(), 40);
    for pair in saved.chunks(2) {
        assert_eq!((&pair[0]["already_kept"], &pair[1]["already_kept"]), (&false.into(), &true.into()));
        assert_eq!(pair[0]["tape"], pair[1]["tape"]);
    }
    let kept: Vec<u64> = saved.iter().step_by(2).map(|d| d["entry"].as_u64().unwrap()).collect();
    assert!(kept.is_sorted(), "{kept:?}");
    world.run(["verify", "--quiet"]).exits(0);
}
