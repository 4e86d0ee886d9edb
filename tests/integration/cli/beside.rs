//! A long `verify` beside which others save: it is stopped by a signal in the middle of its checking, so that what happens
//! beside it surely does.

use std::fs;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::processes::holder;
use super::world::{Did, World};

/// So much that a check of it is met in the middle.
const LINES: u64 = 40_000;
const ATTEMPTS: usize = 40;

fn large() -> World {
    let world = World::new();
    let mut bytes = Vec::new();
    for n in 0..LINES {
        // Hardly compressible, so that there is something to read.
        let noise = immutape::codec::digest::sha256(&n.to_be_bytes());
        let noise: String = noise
            .iter()
            .cycle()
            .zip(0u64..400)
            .map(|(b, at)| format!("{:02x}", u64::from(*b) ^ ((at * n) & 0xff)))
            .collect();
        writeln!(bytes, "{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"{noise}\"}}").unwrap();
    }
    fs::write(world.path("large"), bytes).unwrap();
    world.run(["-q", "save", "large"]).exits(0);
    world
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status().unwrap();
    assert!(sent.success());
}

/// Is it stopped, with a pack open and without the ledger's lock?
fn is_checking(child: &Child) -> bool {
    let stat = || fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let state = || stat().rsplit(") ").next().unwrap().as_bytes()[0];
    while !b"TtZ".contains(&state()) {}
    let Ok(open) = fs::read_dir(format!("/proc/{}/fd", child.id())) else { return false };
    let open: Vec<_> = open.filter_map(|fd| fs::read_link(fd.ok()?.path()).ok()).collect();
    open.iter().any(|path| path.to_string_lossy().contains("/packs/"))
        && !open.iter().any(|path| path.ends_with("state/lock"))
}

/// A `verify` that stands still in the middle; `None` if it was over before.
fn stopped(world: &World) -> Option<Child> {
    let mut command = world.command();
    let mut child = command.args(["verify", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while child.try_wait().unwrap().is_none() {
        signal(&child, "STOP");
        if is_checking(&child) {
            return Some(child);
        }
        signal(&child, "CONT");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    None
}

fn finish(child: Child) -> (Did, Value) {
    signal(&child, "CONT");
    let did = Did::from(child.wait_with_output().unwrap());
    let report = did.documents().remove(0);
    assert_eq!(report["exit"], did.exit);
    (did, report)
}

fn entries(report: &Value) -> u64 {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == "journal").unwrap()["checked"].as_u64().unwrap()
}

fn size(world: &World) -> u64 {
    world.run(["status", "--json"]).exits(0).documents()[0]["entries"].as_u64().unwrap()
}

#[test]
fn a_save_beside_a_long_check_is_kept_and_both_are_on_record() {
    if !std::path::Path::new("/proc/self/fd").exists() {
        return crate::support::skipped("no /proc");
    }
    let world = large();
    for attempt in 0..ATTEMPTS {
        let before = size(&world);
        let Some(child) = stopped(&world) else { continue };
        let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{attempt},\"method\":\"ping\"}}\n");
        fs::write(world.path("small"), line).unwrap();
        let saved = world.run(["save", "--json", "small"]).exits(0).documents().remove(0);
        let after = size(&world);
        let (did, report) = finish(child);
        if entries(&report) != before {
            // Stopped before it had begun to check.
            continue;
        }
        assert_eq!((did.exit, &report["verdict"]), (0, &"intact".into()), "{}", did.all());
        let (kept, recorded) = (saved["entry"].as_u64().unwrap(), report["entry"].as_u64().unwrap());
        assert!(before < kept && kept < after && after <= recorded, "{before} {kept} {after} {recorded}");
        let log = world.run(["log", "--all", "--json"]).exits(0).documents();
        let kind = |index: u64| &log.iter().find(|line| line["index"] == index).unwrap()["kind"];
        assert_eq!((kind(kept), kind(recorded)), (&"tape.saved".into(), &"verified".into()));
        let body = &log.iter().find(|line| line["index"] == recorded).unwrap()["body"];
        assert_eq!(body["entries"], before, "what was checked, not what there is by now: {body}");
        world.run(["verify"]).exits(0);
        return;
    }
    panic!("no check was met in the middle");
}

#[test]
fn a_check_that_cannot_be_recorded_says_so_and_keeps_its_exit_code() {
    if !std::path::Path::new("/proc/self/fd").exists() {
        return crate::support::skipped("no /proc");
    }
    let world = large();
    let child = (0..ATTEMPTS).find_map(|_| stopped(&world)).expect("no check was met in the middle");
    let mut other = holder(&world);
    let (_, report) = finish(child);
    // Whether the rows could be looked at depends on where it was stopped.
    assert!([0, 10].contains(&report["exit"].as_u64().unwrap()), "{report}");
    assert_eq!(report["not_recorded"]["code"], "E_LOCKED");
    drop(other.stdin.take());
    assert_eq!(other.wait().unwrap().code(), Some(0));
    let log = world.run(["log", "--all", "--json"]).exits(0).documents();
    let has = |kind: &str| log.iter().any(|line| line["kind"] == kind);
    assert!(has("tape.saved") && !has("verified"), "{log:?}");
}
