//! What comes out: exact bytes, closed pipes, full outputs, terminals.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::Stdio;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::world::{Did, World};
use crate::support::ledgers::{TAPES, tape_path};

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    env: Option<Envelope<'a>>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    message: &'a RawValue,
}

/// The messages of a version 2 file, each on a line, exactly as they stand in it.
fn messages(name: &str) -> String {
    let text = fs::read_to_string(tape_path(name)).unwrap();
    let records = text.lines().map(|line| serde_json::from_str::<Record<'_>>(line).unwrap());
    records.filter_map(|r| r.env).map(|e| format!("{}\n", e.message.get())).collect()
}

#[test]
fn cat_gives_every_message_of_the_six_sessions_back() {
    let world = World::new();
    for name in TAPES {
        let id = world.save(name);
        let did = world.run(["cat", &id]).exits(0);
        let expected = messages(name);
        assert!(!expected.is_empty());
        assert!(did.out() == expected, "{name}");
    }
    let report = world.run(["verify", "--json"]).exits(0).documents();
    assert_eq!(report[0]["verdict"], "intact");
}

#[test]
fn plain_messages_come_back_with_their_line_ends() {
    let world = World::new();
    let source = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\",\"method\":\"b\"}\r\n{\"jsonrpc\":\"2.0\", \"id\":1,\"result\":\"\xc3\xa9\"}\n{\"jsonrpc\":\"2.0\",\"method\":\"end\"}";
    let mut child =
        world.command().args(["-q", "save", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(source).unwrap();
    let did = Did::from(child.wait_with_output().unwrap()).exits(0);
    let id = did.out().trim().to_owned();
    assert_eq!(world.run(["cat", &id]).exits(0).stdout, source);
}

#[test]
fn a_reader_that_has_enough_ends_the_command_quietly() {
    let world = World::with_tapes(&["everything-stdio", "everything-http"]);
    let id = world.run(["list", "--json"]).documents()[0]["tape"].as_str().unwrap().to_owned();
    fs::create_dir(world.path("in")).unwrap();
    fs::copy(tape_path("sqlite-crash"), world.path("in/a.jsonl")).unwrap();
    for args in [
        &["cat", &id][..],
        &["show", &id, "--raw"],
        &["show", &id, "--json"],
        &["log", "--all"],
        &["log", "--all", "--json"],
        &["list"],
        &["list", "--json"],
        &["search", "class:draft"],
        &["search", "class:draft", "--json"],
        &["stats"],
        &["stats", "--json"],
        &["custody", &id, "--json"],
        &["custody", &id],
        &["verify"],
        &["status"],
        &["doctor"],
        &["key", "list"],
        &["config", "print"],
        &["completions", "zsh"],
        &["man"],
        &["man", "--output", "pages"],
        &["import", "in"],
        &["label", &id, "--tag", "t"],
        &["repair"],
        &["version"],
        &["--help"],
    ] {
        let mut child = world.command().args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{args:?}: {stderr}");
        assert!(!stderr.contains("error") && !stderr.contains("panic"), "{args:?}: {stderr}");
    }
    let first = messages("everything-stdio").lines().next().unwrap().to_owned();
    let mut shell = world.bare("/bin/sh".as_ref());
    shell.args(["-c", "\"$0\" -C ledger --state-dir state --config-dir keys cat \"$1\" | head -1"]);
    let did = Did::from(shell.arg(env!("CARGO_BIN_EXE_immutape")).arg(&id).output().unwrap()).exits(0);
    assert_eq!(did.out().trim_end(), first);
    // Nothing was left behind that a start would have to speak of.
    let log = world.run(["log", "--all"]).exits(0).out();
    assert!(!log.contains("unclean"), "{log}");
}

#[test]
fn an_output_that_is_full_is_an_error() {
    let world = World::with_tapes(&["sqlite-crash"]);
    for args in [&["list"][..], &["list", "--json"], &["log"], &["status"], &["version"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let did = Did::from(world.command().args(args).stdout(full).output().unwrap()).exits(1);
        assert!(did.stderr.contains("the output could not be written (E_IO)"), "{args:?}: {}", did.stderr);
    }
}

#[test]
fn the_demo_shows_every_catch() {
    let world = World::new();
    let did = world.run(["demo"]).exits(0);
    let out = did.out();
    for words in [
        "#19 +504ms -> tools/call read_text_file",
        "access.granted",
        "ALTERED object",
        "packs/00000001.pack",
        "E_LOG_ROLLBACK",
        "All 13 things happened as they must.",
    ] {
        assert!(out.contains(words), "{words}\n{out}");
    }
    assert!(!out.contains(world.path("").to_str().unwrap()), "paths of the temporary folder are left out\n{out}");
    assert_eq!(fs::read_dir(world.path("")).unwrap().count(), 0, "the temporary folder is gone");
    let document = &world.run(["demo", "--json"]).exits(0).documents()[0];
    assert_eq!((&document["ok"], document["steps"].as_array().unwrap().len()), (&true.into(), 13));
    assert!(!world.path("ledger").exists(), "no other ledger was touched");
}

/// Runs a command with a terminal on its output, where the system has `script`.
pub(super) fn on_a_terminal(world: &World, env: &[(&str, &str)], args: &str) -> Option<String> {
    let mut script = world.bare("/usr/bin/script".as_ref());
    if !std::path::Path::new("/usr/bin/script").exists() {
        crate::support::skipped("this system has no `script`");
        return None;
    }
    script.env_remove("NO_COLOR").env("TERM", "xterm").envs(env.iter().copied());
    let bin = env!("CARGO_BIN_EXE_immutape");
    let line = format!("stty cols 70; {bin} -C ledger --state-dir state --config-dir keys {args}");
    let out = script.args(["-qec", &line, "/dev/null"]).output().unwrap();
    Some(String::from_utf8(out.stdout).unwrap())
}

#[test]
fn terminals_get_colour_and_their_width_and_nothing_to_obey() {
    let world = World::with_tapes(&["filesystem-payments"]);
    fs::write(world.path("in"), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\x7f\u{9b}2J\"}\n").unwrap();
    world.run(["save", "in"]).exits(0);
    let Some(shown) = on_a_terminal(&world, &[], "verify") else { return };
    assert!(shown.contains("\x1b[32mINTACT\x1b[0m"), "{shown:?}");
    for env in [[("NO_COLOR", "1")], [("TERM", "dumb")]] {
        let shown = on_a_terminal(&world, &env, "verify").unwrap();
        assert!(shown.contains("INTACT") && !shown.contains('\x1b'), "{shown:?}");
    }
    let shown = on_a_terminal(&world, &[], "log").unwrap();
    let table: Vec<&str> = shown.lines().filter(|l| l.contains("20")).collect();
    assert!(!table.is_empty() && table.iter().all(|l| l.trim_end().chars().count() <= 70), "{shown}");

    let ids = world.run(["list", "--json"]).documents();
    let id = ids[1]["tape"].as_str().unwrap();
    let shown = on_a_terminal(&world, &[("NO_COLOR", "1")], &format!("cat {id}")).unwrap();
    let words = |shown: &str| shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&shown).contains("a terminal might obey") && !shown.contains('\u{9b}'), "{shown:?}");
    let shown = on_a_terminal(&world, &[("NO_COLOR", "1")], &format!("show {id}")).unwrap();
    assert!(shown.contains("\\x7f\\u{9b}2J") && !shown.contains('\u{9b}'), "{shown:?}");
    let text = on_a_terminal(&world, &[], &format!("cat {} --frames 4", ids[0]["tape"].as_str().unwrap())).unwrap();
    assert!(text.contains("notifications/initialized"), "{text:?}");
}
