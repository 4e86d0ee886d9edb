//! Exports that do not come to their end: a full disk, Ctrl-C, a kill, a terminal that must not get the bytes.

use std::fs;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::harm::SmallDisk;
use super::screens::screen;
use super::world::{Did, World};

/// Files of a folder, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Saves a session of so many frames of a kilobyte; its id.
fn saved(world: &World, frames: usize) -> String {
    let mut child =
        world.command().args(["-q", "save", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let words = "w".repeat(1_000);
    for n in 0..frames {
        writeln!(input, "{{\"jsonrpc\":\"2.0\",\"method\":\"m\",\"params\":[{n},\"{words}\"]}}").unwrap();
    }
    drop(input);
    let did = Did::from(child.wait_with_output().unwrap()).exits(0);
    did.out().trim().strip_prefix("sha256:").unwrap().to_owned()
}

fn kinds(world: &World, kind: &str) -> usize {
    let log = world.run(["log", "--all", "--json"]).exits(0).documents();
    log.iter().filter(|e| e["kind"] == kind).count()
}

#[test]
fn a_disk_that_is_full_is_told_as_one() {
    let world = World::new();
    let disk = world.path("disk");
    let Some(_small) = SmallDisk::mounted(&disk, "1m") else { return };
    let id = saved(&world, 3_000);
    for to in ["v2", "json", "cbor", "msgpack", "raw"] {
        let did = world.run(["export", &id, "--to", to, "--output", "disk/x", "--json"]).exits(11);
        let e = &did.documents()[0];
        assert_eq!((&e["code"], &e["message"]), (&"E_STORE_FULL".into(), &"disk/x cannot be written".into()), "{to}");
        assert!(e["hint"].as_str().unwrap().starts_with("the disk that it was to stand on is full"), "{to}: {e}");
        assert_eq!(names(&disk), [""; 0], "{to}");
    }
    assert_eq!((kinds(&world, "access.granted"), kinds(&world, "exported")), (5, 0));
    // A part has room there: it was the size.
    world.run(["-q", "export", &id, "--to", "json", "--output", "disk/x", "--frames", "0..9"]).exits(0);
    world.run(["-q", "verify"]).exits(0);
}

/// An export that is stopped half way; nothing has its name yet.
fn half_way(world: &World, id: &str) -> (Child, Pid) {
    let mut child = world
        .command()
        .args(["export", id, "--to", "json", "--output", "out/x"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let part = world.path(format!("out/.x.{}.part", child.id()));
    while !part.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it began");
        std::thread::yield_now();
    }
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::STOP).unwrap();
    let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().unwrap();
    assert!(status.stopped() && part.exists() && !world.path("out/x").exists(), "it is half way");
    (child, pid)
}

#[test]
fn who_ends_an_export_finds_nothing_of_it_there() {
    let world = World::new();
    let id = saved(&world, 60_000);
    fs::create_dir(world.path("out")).unwrap();
    for signal in [Signal::INT, Signal::TERM] {
        let (child, pid) = half_way(&world, &id);
        kill_process(pid, signal).unwrap();
        kill_process(pid, Signal::CONT).unwrap();
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.signal(), Some(signal.as_raw()), "who waits for it sees what ended it: {said}");
        assert!(said.starts_with("interrupted: nothing of this export is left") && done.stdout.is_empty(), "{said}");
        assert_eq!(names(&world.path("out")), [""; 0]);
    }
    assert_eq!(
        (kinds(&world, "access.granted"), kinds(&world, "access.completed"), kinds(&world, "exported")),
        (2, 2, 0)
    );
    assert!(!world.run(["log", "--all"]).exits(0).out().contains("unclean"), "the ledger was closed in order");

    // A kill leaves the half under a name that says so; the next export of that name clears it away.
    let (mut child, pid) = half_way(&world, &id);
    kill_process(pid, Signal::KILL).unwrap();
    child.wait().unwrap();
    assert_eq!(names(&world.path("out")), [format!(".x.{}.part", child.id())]);
    world.run(["-q", "export", &id, "--to", "json", "--output", "out/x"]).exits(0);
    assert_eq!(names(&world.path("out")), ["x"]);
}

#[test]
fn a_terminal_gets_no_bytes_that_are_no_text() {
    let world = World::new();
    fs::write(world.path("in"), "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\x7f\u{9b}owned\"}\n").unwrap();
    let id = world.run(["-q", "save", "in"]).exits(0).out().trim().to_owned();
    let words = [
        ("cbor", "this form is no text, and a terminal might obey it"),
        ("msgpack", "this form is no text, and a terminal might obey it"),
        ("raw", "this tape holds bytes that are no plain text"),
        ("v2", "this tape holds bytes that are no plain text"),
    ];
    for (number, (to, refusal)) in words.into_iter().enumerate() {
        let args = format!("export {id} --to {to} --output -; echo exit $?");
        let Some(lines) = screen(&world, (80, number), &args) else { return };
        let text = lines.join(" ");
        assert!(text.contains(refusal) && text.contains("E_USAGE") && text.ends_with("exit 2"), "{to}: {lines:#?}");
        assert!(!text.contains("owned"), "{to}: {lines:#?}");
        // Through a pipe it goes.
        assert!(!world.run(["-q", "export", &id, "--to", to, "--output", "-"]).exits(0).stdout.is_empty(), "{to}");
    }
    // JSON holds every byte as text.
    let lines = screen(&world, (80, words.len()), &format!("-q export {id} --to json --output -")).unwrap();
    assert!(lines.join("").contains(r"\u007f\u009bowned"), "{lines:#?}");
    assert_eq!(kinds(&world, "exported"), words.len() + 1);
}
