//! Verbs beside recorders, and recorders beside each other: nobody has the ledger for longer than a moment.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use super::world::{Did, World};

const FIRST: usize = 4;

fn line(out: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    line
}

/// A recorder in front of `cat` that has a line behind it.
fn recorder(world: &World) -> (Child, BufReader<ChildStdout>) {
    let mut command = world.command();
    command.args(["record", "--durability", "each", "--", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    child.stdin.as_mut().unwrap().write_all(b"line\n").unwrap();
    assert_eq!(line(&mut out), "line\n");
    (child, out)
}

/// Waits for a child that ends by itself; one that does not is a failure, and no hang.
fn ended(child: &mut Child) -> i32 {
    let until = Instant::now() + Duration::from_secs(100);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap();
        }
        if Instant::now() > until {
            child.kill().unwrap();
            panic!("it never ended");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn recorders_that_come_first_together_share_the_ledger_that_one_of_them_makes() {
    for is_at_home in [true, false] {
        for _ in 0..3 {
            let world = World::new();
            let command = || if is_at_home { world.at_home() } else { world.command() };
            let start = |_| {
                let mut command = command();
                command.args(["record", "--", "cat"]).stdin(Stdio::piped());
                command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            };
            let mut recorders: Vec<Child> = (0..FIRST).map(start).collect();
            for child in &mut recorders {
                child.stdin.take().unwrap().write_all(b"hi\n").unwrap();
            }
            for child in recorders {
                let did = Did::from(child.wait_with_output().unwrap()).exits(0);
                assert_eq!(did.out(), "hi\n");
            }
            let listed = Did::from(command().args(["list", "--json"]).output().unwrap()).exits(0).documents();
            assert_eq!(listed.iter().filter(|d| d["type"] == "tape").count(), FIRST);
            Did::from(command().arg("verify").output().unwrap()).exits(0);
        }
    }
}

#[test]
fn a_replay_that_waits_keeps_nobody_from_the_ledger() {
    let world = World::new();
    world.run(["record", "--", "sh", "-c", "echo one; sleep 1; echo two"]).exits(0);
    let listed = world.run(["list", "--json"]).exits(0).documents();
    let id = listed[0]["tape"].as_str().unwrap().to_owned();
    // The second of the session is as long as a wait may be.
    let mut command = world.command();
    let command = command.args(["replay", &id, "--speed", "0.01"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut replay = command.spawn().unwrap();
    let mut out = BufReader::new(replay.stdout.take().unwrap());
    while !line(&mut out).contains("one") {}
    world.run(["list"]).exits(0);
    world.run(["record", "--", "true"]).exits(0);
    assert!(replay.try_wait().unwrap().is_none(), "it waits still");
    replay.kill().unwrap();
    replay.wait().unwrap();
    // One that comes to its end says how much it gave.
    world.run(["replay", &id, "--speed", "0"]).exits(0);
    let log = world.run(["log", "--all", "--json"]).exits(0).documents();
    let kinds: Vec<_> = log.iter().filter_map(|d| d["kind_name"].as_str().or(d["kind"].as_str())).collect();
    let count = |kind: &str| kinds.iter().filter(|k| **k == kind).count();
    assert_eq!((count("replayed"), count("access.completed")), (2, 1), "{kinds:?}");
}

#[test]
fn recovering_ends_with_the_error_of_what_it_could_not_seal() {
    let world = World::new();
    let (mut child, _out) = recorder(&world);
    let spool = world.path("ledger/spool");
    let known = fs::read_dir(&spool).unwrap().next().unwrap().unwrap().path();
    let unknown = "ab".repeat(32);
    fs::copy(&known, spool.join(&unknown)).unwrap();
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    // No name is left under which it could be put aside.
    let quarantine = world.path("ledger/quarantine");
    fs::create_dir_all(&quarantine).unwrap();
    (0..1_000).for_each(|n| fs::write(quarantine.join(format!("spool-{unknown}.{n}")), b"").unwrap());
    let did = world.run(["record", "--recover"]).exits(1);
    assert!(did.stderr.contains("stays in the spool") && did.stderr.contains("E_IO"), "{}", did.all());
    let did = world.run(["record", "--recover", "--json"]).exits(1);
    let document = did.documents().into_iter().find(|d| d["type"] == "recovered_all").unwrap();
    assert_eq!(
        (&document["failed"][0]["custody"], &document["failed"][0]["code"]),
        (&unknown.as_str().into(), &"E_IO".into())
    );
    // Other verbs tell of it, and do what they came for.
    let listed = world.run(["list"]).exits(0);
    assert!(listed.stderr.contains("stays in the spool"), "{}", listed.all());
    fs::remove_dir_all(&quarantine).unwrap();
    let document = world.run(["record", "--recover", "--json"]).exits(0).documents().remove(0);
    assert_eq!((&document["aside"][0], &document["failed"]), (&unknown.as_str().into(), &serde_json::json!([])));
    assert!(!spool.join(&unknown).exists());
}

#[test]
fn a_follower_of_a_recorder_that_was_killed_ends_by_itself_and_seals_what_is_there() {
    let world = World::new();
    let (mut child, _out) = recorder(&world);
    let listed = world.run(["list", "--json"]).exits(0).documents();
    let id = listed[0]["custody"].as_str().unwrap().to_owned();
    let mut command = world.command();
    let command = command.args(["tail", "-f", &id]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut follower = command.spawn().unwrap();
    let mut out = BufReader::new(follower.stdout.take().unwrap());
    while !line(&mut out).contains("line") {}
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(ended(&mut follower), 0);
    let mut said = String::new();
    follower.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("Its recorder is gone.") && said.contains("was sealed as"), "{said}");
    let listed = world.run(["list", "--json"]).exits(0).documents();
    assert_eq!((&listed[0]["type"], &listed[0]["custody"]), (&"tape".into(), &id.as_str().into()));
    // The id of the recording finds the tape.
    let shown = world.run(["tail", &id[..12]]).exits(0);
    assert!(shown.out().contains("line"), "{}", shown.all());
}
