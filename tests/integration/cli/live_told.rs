//! What people and programs are told of recordings: which entry a reading is, whose clock it was, how many there are, and what to
//! type where there is no ledger.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Stdio};

use serde_json::Value;

use super::record::run;
use super::streams::on_a_terminal;
use super::world::{Did, World};

/// A recorder of `cat` that has passed one line on.
struct Live {
    child: Child,
    stdin: ChildStdin,
}

impl Live {
    fn begin(world: &World, name: &str) -> Self {
        let mut command = world.command();
        command.args(["record", "--name", name, "--durability", "each", "--", "cat"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stdin, mut line) = (child.stdin.take().unwrap(), String::new());
        stdin.write_all(b"{\"id\":1,\"method\":\"x\"}\n").unwrap();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("\"x\""), "{line}");
        Self { child, stdin }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn end(self) {
        drop(self.stdin);
        assert!(self.child.wait_with_output().unwrap().status.success());
    }
}

fn of_type(did: &Did, kind: &str) -> Vec<Value> {
    did.documents().into_iter().filter(|d| d["type"] == kind).collect()
}

fn tape(world: &World) -> String {
    let listed = of_type(&world.run(["list", "--json"]).exits(0), "tape");
    listed[0]["tape"].as_str().unwrap().to_owned()
}

/// The entry that these words name, and what the log says it is.
fn entry_in_log(world: &World, words: &str) -> String {
    let number = words.rsplit("entry #").next().unwrap().trim().trim_end_matches('.');
    let log = of_type(&world.run(["log", "--json"]).exits(0), "entry");
    let number: u64 = number.parse().unwrap_or_else(|e| panic!("{e}: {words}"));
    log.iter().find(|e| e["index"] == number).unwrap()["kind"].as_str().unwrap().to_owned()
}

#[test]
fn each_way_to_read_names_its_entry() {
    let world = World::new();
    let live = Live::begin(&world, "seen");
    let recording = of_type(&world.run(["list", "--json"]).exits(0), "recording");
    let custody = recording[0]["custody"].as_str().unwrap().to_owned();
    // A recording that goes on, looked at once.
    let looked = world.run(["tail", &custody]).exits(0);
    assert_eq!(entry_in_log(&world, &looked.stderr), "followed", "{}", looked.all());
    live.end();
    let id = tape(&world);
    for args in [&["tail", &id][..], &["tail", "-f", &id], &["show", &id], &["cat", "--frames", "1", &id]] {
        let did = world.run(args).exits(0);
        assert!(did.stderr.contains("This read was recorded as entry #"), "{args:?}: {}", did.all());
        assert_eq!(entry_in_log(&world, &did.stderr), "access.granted", "{args:?}");
    }
    for args in [&["tail", "--json", &id][..], &["tail", "-f", "--json", &id], &["show", "--json", &id]] {
        let did = world.run(args).exits(0);
        let recorded = of_type(&did, "recorded");
        assert_eq!(recorded.len(), 1, "{args:?}");
        let words = format!("entry #{}", recorded[0]["entry"]);
        assert_eq!(entry_in_log(&world, &words), "access.granted", "{args:?}");
    }
}

#[test]
fn a_time_is_told_with_the_clock_that_it_is_of() {
    let world = World::new();
    let saved = world.save("filesystem-payments");
    let shown = world.run(["show", &saved]).exits(0).out();
    assert!(shown.contains("Z (says the source)"), "{shown}");
    Live::begin(&world, "ours").end();
    let listed = of_type(&world.run(["list", "--json"]).exits(0), "tape");
    let ours = listed.iter().find(|t| t["name"] == "ours").unwrap()["tape"].as_str().unwrap().to_owned();
    let shown = world.run(["show", &ours]).exits(0).out();
    assert!(shown.contains("Z (by the recorder's clock)") && !shown.contains("says the source"), "{shown}");
}

/// Where there is no ledger, what is to be typed is told word for word, and works.
#[test]
fn the_first_minute_without_a_ledger() {
    let world = World::new();
    let said = world.run(["-C", "else where", "--purpose", "audit", "list"]).exits(8);
    let command = |verb: &str| format!("`immutape -C 'else where' --purpose audit {verb}`");
    for verb in ["init", "save FILE", "record -- PROGRAM"] {
        assert!(said.stderr.contains(&command(verb)), "{verb}: {}", said.stderr);
    }
    for args in [&["tail", "abcd"][..], &["replay", "abcd"], &["record", "--recover"], &["status"]] {
        let said = world.run(args).exits(8);
        assert!(said.stderr.contains("`immutape record -- PROGRAM` makes one too"), "{args:?}: {}", said.stderr);
    }
    // None may be made in passing: the program is not started, and who started us sees why.
    let said = world.run(["--set", "create=false", "record", "--", "touch", "ran"]).exits(125);
    assert!(said.stderr.contains("E_NO_LEDGER") && said.stderr.contains("create=false init`"), "{}", said.stderr);
    assert!(!world.path("ran").exists() && !world.path("ledger").exists());
    // And `record` makes one by itself, without a word where nobody watches.
    let did = world.run(["record", "--", "echo", "hello"]).exits(0);
    assert_eq!((did.out().as_str(), did.stderr.as_str()), ("hello\n", ""));
    assert_eq!(of_type(&world.run(["list", "--json"]).exits(0), "tape").len(), 1);
    // One that was there and is gone is not made anew.
    fs::rename(world.path("ledger"), world.path("away")).unwrap();
    let said = world.run(["record", "--", "touch", "ran"]).exits(125);
    assert!(
        said.stderr.contains("E_LEDGER_MISSING") && said.stderr.contains("`immutape -C FOLDER init`"),
        "{}",
        said.stderr
    );
    assert!(!world.path("ran").exists() && !world.path("ledger").exists());
}

#[test]
fn recordings_are_counted_and_what_a_dead_recorder_left_is_told() {
    let world = World::new();
    let (stays, dies) = (Live::begin(&world, "stays"), Live::begin(&world, "dies"));
    let counted = |world: &World| world.run(["status", "--json"]).exits(0).documents()[0]["recordings"].clone();
    assert_eq!(counted(&world), serde_json::json!({ "running": 2, "paused": 0, "left": 0 }));
    let said = world.run(["status"]).exits(0).out();
    assert!(said.contains("live     2 recordings now\n"), "{said}");
    dies.kill();
    // The doctor looks from outside, and seals nothing.
    for _ in 0..2 {
        let said = world.run(["doctor"]).exits(10);
        let line = said.out().lines().find(|l| l.starts_with("recordings")).map(str::to_owned);
        assert_eq!(line.as_deref(), Some("recordings warning  1 left by a recorder that is gone, 1 recorded now"));
        assert!(said.out().contains("immutape record --recover"), "{}", said.out());
    }
    let said = world.run(["record", "--recover"]).exits(0);
    assert!(said.stderr.contains("(dies, cut off,"), "{}", said.stderr);
    let said = world.run(["doctor"]).exits(0).out();
    assert!(said.contains("recordings ok  1 recorded now"), "{said}");
    stays.end();
    let said = world.run(["doctor"]).exits(0).out();
    assert!(!said.contains("recordings"), "{said}");
    assert_eq!(counted(&world), serde_json::json!({ "running": 0, "paused": 0, "left": 0 }));
    assert!(!world.run(["status"]).exits(0).out().contains("live "));
}

/// Who starts a recorder by hand sees what it is, what may be lost and what became of it, around what the program says.
#[test]
fn a_recorder_on_a_terminal_says_what_it_begins_and_what_came_of_it() {
    let world = World::new();
    // On one stream: two have no order.
    let script = "'echo out err; exit 3'";
    let of = |args: &str| on_a_terminal(&world, &[("NO_COLOR", "1")], args);
    // Wherever the width of the screen parts the words.
    let words_of = |args: &str| of(args).map(|shown| shown.split_whitespace().collect::<Vec<_>>().join(" "));
    let Some(shown) = words_of(&format!("record -- sh -c {script}")) else { return };
    let words = [
        "recording ",
        " stdio (the same words go into your client's \"command\")",
        "durable every 50 ms: the last 50 ms may be lost in a power cut",
        " out err ",
        "the program exited 3: 3 frames (0 ->, 1 <-), 0 errors, 0 unanswered",
        "sealed sha256:",
        " stored, entry #",
    ];
    let mut rest = shown.as_str();
    for words in words {
        let (_, behind) = rest.split_once(words).unwrap_or_else(|| panic!("no {words:?}, or not there, in {shown}"));
        rest = behind;
    }
    let shown = words_of("record --durability each -- sh -c 'kill -9 $$'").unwrap();
    assert!(shown.contains("durable before it is passed on: a power cut takes none of them"), "{shown}");
    assert!(shown.contains("the program was ended by signal 9: 2 frames (0 ->, 0 <-)"), "{shown}");
    let shown = words_of("record --durability os -- true").unwrap();
    assert!(shown.contains("the last half minute may be lost in a power cut"), "{shown}");
    // Not to who asked for quiet, nor to a client, whose terminal it is not.
    assert_eq!(of(&format!("-q record -- sh -c {script}")).unwrap().replace("\r\n", "\n"), "out err\n");
    let did = run(&world, &[], &["sh", "-c", script.trim_matches('\'')], b"").exits(3);
    assert_eq!((did.out().as_str(), did.stderr.as_str()), ("out err\n", ""));
    assert_eq!(of_type(&world.run(["list", "--json"]).exits(0), "tape").len(), 5, "they were all recorded");
}
