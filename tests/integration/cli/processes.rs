//! More than one process, and processes that are killed.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};

use super::world::{Did, World};

const LINE: &[u8] = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n";

/// A save that has the ledger open and waits for more input.
pub(super) fn holder(world: &World) -> Child {
    let mut child = world.command();
    let mut child =
        child.args(["save", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(LINE).unwrap();
    child.stdin.as_mut().unwrap().flush().unwrap();
    // It has the ledger once status says so.
    while !world.run(["status"]).exits(0).out().contains("in use by another process") {}
    child
}

#[test]
fn the_second_process_waits_and_then_says_who_is_in_the_way() {
    let world = World::with_tapes(&["sqlite-crash"]);
    let mut first = holder(&world);

    let before = world.run(["status", "--json"]).exits(0).documents();
    assert_eq!((&before[0]["state"], &before[0]["entries"]), (&"in use".into(), &4.into()));
    let did = world.run(["list", "--json"]).exits(7);
    assert_eq!(did.documents()[0]["code"], "E_LOCKED");
    // A check runs all the same, and keeps its own exit code: 10, for sled cannot be looked at.
    let did = world.run(["verify"]).exits(10);
    assert!(did.stderr.contains("This check was not recorded"), "{}", did.stderr);
    assert!(did.out().contains("journal 0..3 ok"), "{}", did.out());

    drop(first.stdin.take());
    assert_eq!(first.wait().unwrap().code(), Some(0));
    let did = world.run(["list", "--json"]).exits(0);
    assert_eq!(did.documents().len(), 3);
}

#[test]
fn who_has_waited_sees_what_the_other_did() {
    let world = World::with_tapes(&["sqlite-crash"]);
    let mut first = holder(&world);
    let mut second = world.command();
    let mut second = second.args(["list", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Its turn can come only after the first is done.
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(second.try_wait().unwrap().is_none(), "the second does not wait");
    drop(first.stdin.take());
    assert_eq!(first.wait().unwrap().code(), Some(0));
    let did = Did::from(second.wait_with_output().unwrap()).exits(0);
    assert_eq!(did.documents().len(), 3, "both tapes and the record");
    let log = world.run(["log", "--all"]).exits(0).out();
    assert!(!log.contains("rows.rebuilt") && !world.path("ledger/quarantine").exists(), "{log}");
}

#[test]
fn many_at_once_lose_nothing() {
    let world = World::with_tapes(&["sqlite-crash"]);
    let saved: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let world = &world;
                scope.spawn(move || {
                    let save = |n: u32| {
                        let name = format!("{worker}-{n}");
                        let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":\"{name}\",\"method\":\"ping\"}}\n");
                        fs::write(world.path(&name), line).unwrap();
                        world.run(["-q", "save", &name]).exits(0).out().trim().to_owned()
                    };
                    (0..5).map(save).collect::<Vec<_>>()
                })
            })
            .collect();
        workers.into_iter().flat_map(|w| w.join().unwrap()).collect()
    });
    let listed = world.run(["list", "--json"]).exits(0).documents();
    for tape in &saved {
        assert!(listed.iter().any(|d| d["tape"] == *tape), "{tape}");
    }
    assert_eq!(listed.len(), 22);
    world.run(["verify"]).exits(0);
}

#[test]
fn a_killed_process_loses_only_what_it_had_not_acknowledged() {
    let world = World::with_tapes(&["sqlite-crash"]);
    let mut first = world.command();
    fs::write(world.path("one"), LINE).unwrap();
    let mut first = first.args(["save", "one", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut acknowledged = String::new();
    BufReader::new(first.stdout.take().unwrap()).read_line(&mut acknowledged).unwrap();
    first.kill().unwrap();
    first.wait().unwrap();
    let listed = world.run(["list", "--json"]).exits(0).documents();
    assert!(listed.iter().any(|d| d["tape"] == acknowledged.trim()), "{acknowledged}");
    let log = world.run(["log"]).exits(0).out();
    assert!(log.contains("log.unclean_stop"), "{log}");
    world.run(["verify"]).exits(0);
}

#[test]
fn an_id_that_fits_several_tapes_is_refused_with_more_digits() {
    let world = World::new();
    let mut ids: Vec<String> = Vec::new();
    for round in 0..12 {
        let names: Vec<String> = (0..150).map(|n| format!("{round}-{n}")).collect();
        for name in &names {
            let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":\"{name}\",\"method\":\"ping\"}}\n");
            fs::write(world.path(name), line).unwrap();
        }
        let did = world.run([&["-q".to_owned(), "save".to_owned()][..], &names].concat()).exits(0);
        ids.extend(did.out().lines().map(|l| l.strip_prefix("sha256:").unwrap().to_owned()));
        ids.sort();
        let Some(pair) = ids.windows(2).find(|p| p[0][..4] == p[1][..4]) else { continue };
        let did = world.run(["show", &pair[0][..4], "--json"]).exits(4);
        assert_eq!(did.documents()[0]["code"], "E_AMBIGUOUS_ID");
        let hint = did.documents()[0]["hint"].as_str().unwrap().to_owned();
        assert!(hint.contains(&pair[0][..16]) && hint.contains(&pair[1][..16]), "{hint}");
        world.run(["show", &pair[0][..16]]).exits(0);
        return;
    }
    panic!("{} tapes and no two ids begin alike", ids.len());
}
