//! `save` of foreign formats: the source is kept beside the frames byte for byte, from files and from standard input.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use immutape::ledger::Places;

use super::world::{Did, World};
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
    assert!(did.stderr.contains("note: 1 exchanges are earlier"), "{}", did.stderr);
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
