//! `verify --bundle`, `--published` and `--batch`: what the program's own writer makes, on a machine without any ledger.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::world::{Did, World};
use crate::support::ledgers::tape_path;

/// A bundle as a tar file and one as a folder, a published tree, and the keys.
struct Given {
    world: World,
    log: String,
    recorder: String,
}

impl Given {
    fn new() -> Self {
        let world = World::with_tapes(&["sqlite-crash"]);
        let id = world.run(["list", "--json"]).documents()[0]["tape"].as_str().unwrap().to_owned();
        let made = world.run(["evidence", &id, "--to", "b.tar", "--authority", "exam", "--json"]).exits(0).documents();
        world.run(["evidence", &id, "--to", "folder", "--frames", "0..1", "--authority", "exam"]).exits(0);
        world.run(["publish", "tree", "--entries"]).exits(0);
        let key = |name: &str| made[0][name].as_str().unwrap().to_owned();
        Self { log: key("verifier"), recorder: key("recorder"), world }
    }

    /// The program with no home and no ledger.
    fn command(&self) -> Command {
        let mut command = self.world.bare(env!("CARGO_BIN_EXE_immutape").as_ref());
        command.env_remove("HOME");
        command
    }

    fn verify(&self, args: &[&str]) -> Did {
        let keys = ["--pub", &self.log, "--pub", &self.recorder];
        self.command().arg("verify").args(args).args(keys).output().unwrap().into()
    }
}

#[test]
fn a_bundle_is_checked_without_a_ledger() {
    let given = Given::new();
    for path in ["b.tar", "folder"] {
        let did = given.verify(&["--bundle", path]).exits(10);
        assert!(did.out().ends_with("NOT ANCHORED\n"), "{}", did.all());
        assert!(did.out().contains("by the ledger's claim"), "{}", did.all());
        let did: Did = given.command().args(["verify", "--bundle", path]).output().unwrap().into();
        assert!(did.exits(10).out().ends_with("UNPINNED KEYS (also: not anchored)\n"));
    }
    let did = given.verify(&["--bundle", "b.tar", "--tree", "tree", "--json"]).exits(10);
    let report = &did.documents()[0];
    assert_eq!((&report["verdict"], &report["whole_log"]), (&json!("not anchored"), &json!(true)), "{report}");
    let did = given.verify(&["--published", "tree"]).exits(10);
    assert!(did.out().contains("NOT ANCHORED"), "{}", did.all());

    let mut bytes = fs::read(given.world.path("b.tar")).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(given.world.path("b.tar"), bytes).unwrap();
    assert!(given.verify(&["--bundle", "b.tar"]).exits(3).out().contains("ALTERED"));
    fs::write(given.world.path("empty.tar"), "").unwrap();
    given.verify(&["--bundle", "empty.tar"]).exits(3);
    given.verify(&["--bundle", "nowhere"]).exits(1);
    std::os::unix::fs::symlink("/etc/passwd", given.world.path("folder/data/passwd")).unwrap();
    let did = given.verify(&["--bundle", "folder"]).exits(3);
    assert!(did.out().contains("data/passwd") && !did.all().contains("root:"), "{}", did.all());
}

#[test]
fn what_is_no_key_is_a_wrong_command_line() {
    let given = Given::new();
    fs::write(given.world.path("empty"), "").unwrap();
    fs::write(given.world.path("words"), "no key\n").unwrap();
    fs::write(given.world.path("log.vkey"), format!("{}\n", given.log)).unwrap();
    given.verify(&["--bundle", "b.tar", "--pub", "log.vkey"]).exits(10);
    for (flag, value) in [
        ("--pub", "empty"),
        ("--pub", "words"),
        ("--pub", "folder"),
        ("--pub", "nowhere"),
        ("--witness", "empty"),
        ("--witness", "log.vkey"),
        ("--head", "empty"),
        ("--head", "folder"),
        ("--head", "words"),
        ("--head", "nowhere"),
        ("--quorum", "0"),
    ] {
        let did = given.verify(&["--bundle", "b.tar", flag, value]).exits(2);
        assert!(did.stderr.starts_with("error: ") && did.stdout.is_empty(), "{flag} {value}: {}", did.all());
    }
    let did: Did = given.command().args(["verify", "--pub", &given.log]).output().unwrap().into();
    assert!(did.exits(2).stderr.contains("--bundle"));
    given.verify(&["--batch"]).exits(2);
}

fn ask(given: &Given, lines: &str) -> (i32, Vec<Value>) {
    let mut child =
        given.command().args(["verify", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let did: Did = child.wait_with_output().unwrap().into();
    (did.exit, did.documents())
}

#[test]
fn batches_of_pieces_and_bundles() {
    let given = Given::new();
    let bundle =
        json!({ "n": 7, "kind": "bundle", "path": "b.tar", "pub": [given.log, given.recorder], "tree": "tree" });
    let tree = json!({ "n": 8, "kind": "tree", "path": "tree", "pub": [given.log, given.recorder] });
    let (exit, said) =
        ask(&given, &format!("{bundle}\n{tree}\nno object\n{}\n", json!({ "n": 9, "kind": "cbor", "hex": "f7" })));
    assert_eq!((exit, said.len()), (2, 4));
    assert_eq!((&said[0]["words"], &said[0]["exit"]), (&json!(["not anchored"]), &json!(10)), "{}", said[0]);
    assert_eq!(said[0]["ids"].as_array().unwrap().len(), 1);
    assert_eq!((&said[1]["words"], &said[1]["ids"]), (&json!(["not anchored"]), &json!([])), "{}", said[1]);
    assert_eq!((&said[2]["n"], &said[3]["accept"]), (&Value::Null, &json!(false)));
    assert!(tape_path("sqlite-crash").exists());

    // Whoever closes standard input asks nothing.
    let did: Did = given.command().args(["verify", "--batch"]).stdin(Stdio::null()).output().unwrap().into();
    assert!(did.exits(0).stdout.is_empty());
    let closed = format!("exec '{}' verify --batch <&-", env!("CARGO_BIN_EXE_immutape"));
    let did: Did = given.world.bare("/bin/sh".as_ref()).args(["-c", &closed]).output().unwrap().into();
    assert!(did.exits(0).stdout.is_empty());
    // Whoever has read enough ends it, and that is no error.
    fs::write(given.world.path("many"), "{\"n\":1,\"kind\":\"cbor\",\"hex\":\"80\"}\n".repeat(20_000)).unwrap();
    let script = format!(
        "set -o pipefail; '{0}' verify --batch < many | head -1; echo ended ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_immutape")
    );
    let did: Did = given.world.bare("/bin/bash".as_ref()).args(["-c", &script]).output().unwrap().into();
    let out = did.out();
    assert_eq!((out.lines().count(), out.lines().last(), did.stderr.as_str()), (2, Some("ended 0"), ""));
}
