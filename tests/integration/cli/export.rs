//! `export` and `diff` from outside: what lies there afterwards, what is on record, what a failure leaves.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;

use immutape::codec::digest::{Digest, sha256};
use immutape::interchange::file_list;
use immutape::ledger::{Ledger, Places, SaveOptions};
use immutape::tape::{Direction, Frame, Header, Provenance, TapeKind};

use super::world::{Did, World};
use crate::support::ledgers::{ann, real, tape_path};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn log(world: &World) -> Vec<serde_json::Value> {
    world.run(["log", "--all", "--json"]).exits(0).documents()
}

/// The entry of an export, and the entries of what was given for it.
fn entry(world: &World, index: &serde_json::Value) -> serde_json::Value {
    log(world).into_iter().find(|e| e["type"] == "entry" && e["index"] == *index).unwrap()
}

#[test]
fn what_left_is_on_record_and_can_be_named_by_hand() {
    let world = World::with_tapes(&["filesystem-payments"]);
    let id = world.run(["list", "--json"]).documents()[0]["tape"].as_str().unwrap().to_owned();
    fs::create_dir(world.path("out")).unwrap();
    let args = ["export", &id, "--to", "v2", "-o", "out/x.jsonl", "--recipient", "é", "--json"];
    let done = world.run(args).exits(0).documents().remove(0);
    assert_eq!(names(&world.path("out")), ["x.jsonl", "x.meta.json"]);
    assert_eq!(fs::read(world.path("out/x.jsonl")).unwrap(), fs::read(tape_path("filesystem-payments")).unwrap());
    let mode = fs::metadata(world.path("out/x.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "nobody else reads it");
    let digest = |name: &str| Digest::from_bytes(sha256(&fs::read(world.path("out").join(name)).unwrap()));
    let list = file_list(&[(b"x.meta.json".to_vec(), digest("x.meta.json")), (b"x.jsonl".to_vec(), digest("x.jsonl"))]);
    assert_eq!(done["sha256"], hex::encode(sha256(&list)));
    assert_eq!(
        (&done["frames"], &done["format"], &done["files"][1]["sha256"]),
        (&37.into(), &"tape-v2-jsonl".into(), &digest("x.jsonl").to_hex().into())
    );
    let by_hand = world
        .bare("/bin/sh".as_ref())
        .args(["-c", "cd out && LC_ALL=C sha256sum x.jsonl x.meta.json | sha256sum"])
        .output()
        .unwrap();
    assert!(Did::from(by_hand).exits(0).out().starts_with(done["sha256"].as_str().unwrap()));

    let exported = entry(&world, &done["entry"]);
    assert_eq!((&exported["kind"], &exported["query"]), (&"exported".into(), &"format:tape-v2-jsonl".into()));
    assert_eq!(exported["bytes_given"], done["bytes_given"]);
    assert_eq!(entry(&world, &done["read"])["kind"], "access.granted");
    assert!(done["read"].as_u64() < done["entry"].as_u64());
    assert_eq!(
        log(&world).iter().filter(|e| e["kind"] == "access.completed" && e["body"]["grant"] == done["read"]).count(),
        1
    );

    // An output of one file is named by its own digest, and standard output by that of what went there.
    let one = world.run(["export", &id, "--to", "cbor", "-o", "out/y", "--json"]).exits(0).documents().remove(0);
    assert_eq!(one["sha256"], digest("y").to_hex());
    let did = world.run(["export", &id, "--to", "json", "-o", "-", "--json"]).exits(0);
    let told: serde_json::Value = serde_json::from_str(did.stderr.trim()).unwrap();
    assert_eq!(told["sha256"], hex::encode(sha256(&did.stdout)));
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&did.stdout).unwrap()["frame_count"], 37);
}

#[test]
fn a_failed_export_leaves_no_file_and_stays_on_record() {
    let world = World::with_tapes(&["filesystem-payments"]);
    let id = world.run(["list", "--json"]).documents()[0]["tape"].as_str().unwrap().to_owned();
    let pack = world.path("ledger/packs/00000001.pack");
    let whole = fs::read(&pack).unwrap();
    // Behind the chunk of the frames stands the manifest alone, and behind that zeros.
    let end = whole.iter().rposition(|b| *b != 0).unwrap();
    let mut altered = whole.clone();
    altered[end - 1_000] ^= 1;
    fs::write(&pack, &altered).unwrap();
    let did = world.run(["-q", "export", &id, "--to", "v2", "-o", "x.jsonl"]).exits(3);
    assert!(did.stderr.contains("E_TAPE_DAMAGED"), "{}", did.stderr);
    assert!(!names(&world.path("")).iter().any(|n| n.contains("x.")), "{:?}", names(&world.path("")));
    let kinds = |kind: &str| log(&world).iter().filter(|e| e["kind"] == kind).count();
    assert_eq!((kinds("access.granted"), kinds("access.completed"), kinds("exported")), (1, 1, 0));

    fs::write(&pack, &whole).unwrap();
    fs::create_dir(world.path("shut")).unwrap();
    fs::set_permissions(world.path("shut"), fs::Permissions::from_mode(0o500)).unwrap();
    let did = world.run(["export", &id, "--to", "json", "-o", "shut"]);
    // Root may write anywhere.
    if did.exit != 0 {
        let did = did.exits(1);
        assert!(did.stderr.contains("cannot be written (E_IO)"), "{}", did.stderr);
        assert_eq!(names(&world.path("shut")), [] as [&str; 0]);
    }
}

#[test]
fn force_replaces_files_alone_and_leaves_nothing_stale() {
    let world = World::with_tapes(&["sqlite-crash"]);
    let id = world.run(["list", "--json"]).documents()[0]["tape"].as_str().unwrap().to_owned();
    for name in ["x.jsonl", "x.extra.jsonl"] {
        fs::write(world.path(name), "old").unwrap();
    }
    world.run(["-q", "export", &id, "--to", "v2", "-o", "x.jsonl"]).exits(2);
    assert_eq!(fs::read(world.path("x.jsonl")).unwrap(), b"old");
    world.run(["-q", "export", &id, "--to", "v2", "-o", "x.jsonl", "--force"]).exits(0);
    assert_eq!(fs::read(world.path("x.jsonl")).unwrap(), fs::read(tape_path("sqlite-crash")).unwrap());
    assert!(!world.path("x.extra.jsonl").exists(), "it would pass for a part of the new export");
    std::os::unix::fs::symlink("x.jsonl", world.path("link")).unwrap();
    for special in ["link", "/dev/null"] {
        let did = world.run(["export", &id, "--to", "raw", "-o", special, "--force"]).exits(2);
        assert!(did.stderr.contains("no plain file"), "{special}: {}", did.stderr);
    }
}

#[test]
fn a_reader_that_has_enough_ends_it_quietly_and_on_record() {
    let world = World::with_tapes(&["everything-stdio"]);
    let id = world.run(["list", "--json"]).documents()[0]["tape"].as_str().unwrap().to_owned();
    for to in ["v2", "json", "cbor", "raw"] {
        let before = log(&world).len();
        let mut child = world
            .command()
            .args(["export", &id, "--to", to, "-o", "-"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((child.wait().unwrap().code(), stderr.contains("error")), (Some(0), false), "{to}: {stderr}");
        let log = log(&world);
        let new = || log.iter().skip(before - 1);
        assert_eq!(new().filter(|e| e["kind"] == "access.completed").count(), 1, "{to}");
        assert_eq!(new().filter(|e| e["kind"] == "exported").count(), 0, "{to}: not all of it was taken");
    }
    let mut child =
        world.command().args(["-q", "export", &id, "--to", "v2", "-o", "-"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(first.starts_with(r#"{"type":"init""#), "{first}");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let did =
        Did::from(world.command().args(["export", &id, "--to", "json", "-o", "-"]).stdout(full).output().unwrap());
    assert!(did.exits(1).stderr.contains("the output could not be written (E_IO)"));
    assert!(!log(&world).iter().any(|e| e["kind"] == "exported" && e["query"] == "format:tape-json"));
}

#[tokio::test]
async fn the_source_leaves_byte_for_byte() {
    let world = World::new();
    let places = Places::beneath(&world.path(""))
        .ledger(world.path("ledger"))
        .state(Some(world.path("state")))
        .config(Some(world.path("keys")));
    let ledger = Ledger::create(places, real(), "test", false).await.unwrap();
    let source: Vec<u8> = (0..5_000_000u32).map(|n| (n / 7) as u8).collect();
    let named = Digest::from_bytes(sha256(&source));
    let provenance = Provenance { source_sha256: Some(named), ..Provenance::default() };
    let mut saver = ledger.begin_save(&ann(), SaveOptions::default()).await.unwrap();
    saver.frame(&Frame::message(0, Direction::Unknown, b"\x1b[2J".to_vec())).unwrap();
    let header = Header { provenance: Some(provenance), ..Header::new(TapeKind::Other) };
    let receipt = saver.finish_with(header, Some(&mut source.as_slice())).await.unwrap();
    ledger.close().await.unwrap();
    let id = receipt.tape.to_hex();
    let done = world.run(["export", &id, "--to", "source", "-o", "s", "--json"]).exits(0).documents().remove(0);
    assert!(fs::read(world.path("s")).unwrap() == source);
    assert_eq!((&done["sha256"], &done["format"]), (&named.to_hex().into(), &"source".into()));
    assert!(world.run(["-q", "export", &id, "--to", "source", "-o", "-"]).exits(0).stdout == source);
}

#[test]
fn diff_names_every_difference_in_documents_too() {
    let world = World::new();
    let save = |name: &str, text: &str| {
        fs::write(world.path(name), text).unwrap();
        world.run(["-q", "save", name]).exits(0).out().trim().to_owned()
    };
    let line = |n: u32, what: &str| format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"{what}\"}}\n");
    let long = "x".repeat(3_000);
    let a = save("a", &[line(0, "a"), line(1, &format!("{long}A")), line(2, "c")].concat());
    let b = save(
        "b",
        &[line(0, "a"), line(1, &format!("{long}\u{202e}")), line(2, "c").replace('\n', "\r\n"), line(3, "d")].concat(),
    );
    let did = world.run(["diff", &a, &b]).exits(1);
    let out = did.out();
    for words in [
        "header  stats.frames  3 -> 4",
        "#1  payload differs from byte 3034 on",
        "\\u{202e}",
        "#2  delimiter \"lf\" -> \"crlf\"",
        "in b alone: #3 - -- d",
        "Different: 8 fields of the header; 1 frame the same, 2 different, 1 in b alone; the first is #1.",
    ] {
        assert!(out.contains(words), "{words}\n{out}");
    }
    assert!(!out.contains('\u{202e}') && out.lines().all(|l| l.chars().count() <= 240), "{out}");

    let documents = world.run(["diff", &a, &b, "--json"]).exits(1).documents();
    let frames: Vec<_> = documents.iter().filter(|d| d["part"] == "frame").collect();
    assert_eq!(frames.iter().map(|d| d["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(frames[0]["payload_differs_at"], 3_034);
    assert!(frames[0]["a_payload"]["shown"].as_str().unwrap().len() < 500);
    assert_eq!((&frames[1]["a"]["delimiter"], &frames[1]["b"]["delimiter"]), (&"lf".into(), &"crlf".into()));
    assert_eq!(frames[2]["only_in"], "b");
    let last = documents.last().unwrap();
    assert_eq!((&last["type"], &last["same"], &last["first_difference"]), (&"diff".into(), &false.into(), &1.into()));
    // Both reads are on record, with all that was read.
    for side in ["a", "b"] {
        let grant = &last[side]["entry"];
        let log = log(&world);
        let completed = log.iter().find(|e| e["kind"] == "access.completed" && e["body"]["grant"] == *grant).unwrap();
        assert_eq!(completed["bytes_given"], last[side]["bytes_given"], "{side}");
    }
    let same = world.run(["diff", &a, &a, "--json"]).exits(0).documents();
    assert_eq!((same.len(), &same[0]["same"], &same[0]["frames_same"]), (1, &true.into(), &3.into()));
    let backwards = world.run(["diff", &b, &a]).exits(1).out();
    assert!(backwards.contains("in a alone: #3"), "{backwards}");
}
