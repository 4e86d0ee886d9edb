//! `record` in front of programs: they and their callers notice nothing, and the tape has every byte.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};

use super::world::{Did, World};
use crate::support::is_heeded;

pub(super) fn recorded(world: &World, flags: &[&str], program: &[&str]) -> Command {
    let mut command = world.command();
    command.arg("record").args(flags).arg("--").args(program);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a program behind the recorder with this input.
pub(super) fn run(world: &World, flags: &[&str], program: &[&str], input: &[u8]) -> Did {
    let mut child = recorded(world, flags, program).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that reads nothing closes its end.
    let writing = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let did = child.wait_with_output().unwrap().into();
    writing.join().unwrap();
    did
}

/// The only tape there is.
pub(super) fn tape(world: &World) -> serde_json::Value {
    let listed = world.run(["list", "--json"]).exits(0).documents();
    let tapes: Vec<_> = listed.into_iter().filter(|d| d["type"] == "tape").collect();
    assert_eq!(tapes.len(), 1, "{tapes:?}");
    tapes.into_iter().next().unwrap()
}

pub(super) fn frames(world: &World) -> Vec<serde_json::Value> {
    let id = tape(world)["tape"].as_str().unwrap().to_owned();
    let shown = world.run(["show", "--json", &id]).exits(0).documents();
    shown.into_iter().filter(|d| d["type"] == "frame").collect()
}

pub(super) fn payloads(frames: &[serde_json::Value], direction: &str) -> Vec<String> {
    let of = frames.iter().filter(|f| f["direction"] == direction && f["kind"] == "message");
    of.map(|f| f["payload"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_echo_is_as_it_is_without_a_recorder_and_on_the_tape_twice() {
    let world = World::new();
    let input =
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\r\nnot json\n\n\u{fc}ber \u{1b}[31m\nhalf a line";
    let bare = {
        let mut child = world.bare("/bin/cat".as_ref()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let did = run(&world, &["--name", "echo"], &["cat"], input.as_bytes()).exits(0);
    assert_eq!((&did.stdout, did.stderr.as_str()), (&bare.stdout, ""), "nothing of ours is seen");
    let frames = frames(&world);
    let asked = payloads(&frames, "client_to_server");
    assert_eq!(asked, payloads(&frames, "server_to_client"));
    assert_eq!(asked.len(), 5);
    let partial = frames.iter().filter(|f| f["flags"].to_string().contains("was_partial")).count();
    assert_eq!(partial, 2);
    let events: Vec<String> =
        frames.iter().filter(|f| f["kind"] == "lifecycle").map(|f| f["payload"].as_str().unwrap().to_owned()).collect();
    assert!(events[0].contains("started") && events[1].contains(r#""code":0"#), "{events:?}");
    let tape = tape(&world);
    assert_eq!((&tape["name"], &tape["end_state"], &tape["kind"]), (&"echo".into(), &"clean".into(), &"mcp".into()));
    world.run(["verify"]).exits(0);
}

#[test]
fn exit_codes_and_signals_are_those_of_the_program() {
    let world = World::new();
    for code in [0, 1, 7, 255] {
        run(&world, &[], &["sh", "-c", &format!("echo out; echo err >&2; exit {code}")], b"").exits(code);
    }
    let did = run(&world, &[], &["sh", "-c", "echo out; echo err >&2"], b"").exits(0);
    assert_eq!((did.out().as_str(), did.stderr.as_str()), ("out\n", "err\n"));
    // Also those that leave a core file, and one that has no name.
    let signals: Vec<i32> =
        [1, 2, 3, 4, 6, 8, 9, 10, 11, 13, 14, 15, 40].into_iter().filter(|s| is_heeded(*s)).collect();
    for signal in signals.iter().copied() {
        let mut child = recorded(&world, &[], &["sh", "-c", &format!("kill -{signal} $$")]).spawn().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(signal));
    }
    let states: Vec<_> = world.run(["list", "--json"]).documents().iter().map(|d| d["end_state"].clone()).collect();
    assert_eq!(states.iter().filter(|s| **s == "signal").count(), signals.len(), "{states:?}");
    assert_eq!(states.iter().filter(|s| **s == "child_exit").count(), 3);
    world.run(["verify"]).exits(0);
}

#[test]
fn a_program_inherits_what_it_would_without_a_recorder() {
    let world = World::new();
    let script = "umask; ulimit -c; ulimit -Hc; pwd; echo $IMMUTAPE_DIR";
    for before in ["umask 022; ulimit -Sc 0", "umask 007", "umask 000"] {
        let bare = format!("{before}; sh -c '{script}'");
        let recorded = format!("{before}; {} record -- sh -c '{script}'", env!("CARGO_BIN_EXE_immutape"));
        let said = |line: &str| {
            let mut command = world.command();
            let environment: Vec<_> = command.get_envs().map(|(k, v)| (k.to_owned(), v.unwrap().to_owned())).collect();
            command = Command::new("sh");
            command.env_clear().envs(environment).current_dir(world.path("")).args(["-c", line]);
            Did::from(command.output().unwrap()).exits(0).out()
        };
        assert_eq!(said(&bare), said(&recorded), "{before}");
    }
}

#[test]
fn a_program_that_is_not_there_leaves_no_trace() {
    let world = World::new();
    let none = run(&world, &[], &["no-such-program-here"], b"");
    assert!(none.stderr.contains("there is no program \"no-such-program-here\""), "{}", none.stderr);
    none.exits(127);
    fs::write(world.path("plain"), "text").unwrap();
    run(&world, &[], &["./plain"], b"").exits(126);
    run(&world, &[], &["/"], b"").exits(126);
    assert!(!world.path("ledger").exists(), "no ledger was made for it");
    world.run(["record"]).exits(2);
    world.run(["record", "--recover", "--", "cat"]).exits(2);
    world.run(["record", "--sync-ms", "0", "--", "cat"]).exits(2);
    world.run(["record", "--durability", "sometimes", "--", "cat"]).exits(2);
}

pub(super) fn line(child: &mut BufReader<impl std::io::Read>) -> String {
    let mut line = String::new();
    child.read_line(&mut line).unwrap();
    line
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn signals_that_somebody_sends_reach_the_program() {
    let world = World::new();
    let script = "trap 'echo term; exit 9' TERM; trap 'echo usr' USR1; echo ready; while :; do sleep 0.05; done";
    let mut child = recorded(&world, &[], &["sh", "-c", script]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    assert_eq!(line(&mut out), "ready\n");
    signal(&child, rustix::process::Signal::USR1);
    assert_eq!(line(&mut out), "usr\n");
    signal(&child, rustix::process::Signal::TERM);
    assert_eq!(line(&mut out), "term\n");
    assert_eq!(child.wait().unwrap().code(), Some(9));
    assert_eq!(payloads(&frames(&world), "server_to_client"), ["ready", "usr", "term"]);
}

#[test]
fn a_recorder_that_is_killed_leaves_an_honest_tape() {
    let world = World::new();
    let mut child = recorded(&world, &["--durability", "each"], &["cat"]).spawn().unwrap();
    let (mut stdin, mut out) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    for n in 0..20 {
        writeln!(stdin, "line {n}").unwrap();
        assert_eq!(line(&mut out), format!("line {n}\n"));
    }
    // Live, and in lists.
    let live = world.run(["list"]).exits(0);
    assert!(live.out().contains("live"), "{}", live.all());
    std::thread::sleep(std::time::Duration::from_millis(100));
    child.kill().unwrap();
    child.wait().unwrap();
    let said = world.run(["record", "--recover"]).exits(0);
    assert!(said.stderr.contains("whose recorder is gone"), "{}", said.all());
    let frames = frames(&world);
    let asked = payloads(&frames, "client_to_server");
    assert_eq!(asked, (0..20).map(|n| format!("line {n}")).collect::<Vec<_>>());
    assert_eq!((&tape(&world)["end_state"], &tape(&world)["gaps"]), (&"truncated".into(), &1.into()));
    world.run(["verify"]).exits(0);
}

#[test]
fn a_program_that_takes_no_input_is_told_to_who_sends_it() {
    let world = World::new();
    let mut child = recorded(&world, &[], &["sh", "-c", "exec 0<&-; echo closed; sleep 2; exit 3"]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    assert_eq!(line(&mut out), "closed\n");
    let mut stdin = child.stdin.take().unwrap();
    let refused = (0..200).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        stdin.write_all(&[b'x'; 4_096]).err()
    });
    assert_eq!(refused.unwrap().kind(), std::io::ErrorKind::BrokenPipe);
    assert_eq!(child.wait().unwrap().code(), Some(3));
    let told = frames(&world).iter().any(|f| f["payload"].as_str().unwrap().contains("not_delivered"));
    assert!(told, "what was not delivered is on the tape as such");
}

#[test]
fn others_that_hold_the_output_open_do_not_hold_the_recorder() {
    let world = World::new();
    let mut child = recorded(&world, &[], &["sh", "-c", "sleep 60 & echo $!; exit 4"]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let grandchild = line(&mut out).trim().to_owned();
    assert_eq!(child.wait().unwrap().code(), Some(4));
    let events = frames(&world);
    assert!(events.iter().any(|f| f["payload"].as_str().unwrap().contains("output_held")), "{events:?}");
    Command::new("kill").arg(grandchild).status().unwrap();
}

#[test]
fn two_recorders_and_a_follower_share_one_ledger() {
    let world = World::new();
    let start = |name: &str| {
        let mut child = recorded(&world, &["--name", name], &["cat"]).spawn().unwrap();
        let (mut stdin, mut out) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        stdin.write_all(b"first\n").unwrap();
        assert_eq!(line(&mut out), "first\n");
        (child, stdin, out)
    };
    let (mut a, mut a_in, mut a_out) = start("a");
    let (mut b, b_in, _b_out) = start("b");
    let listed = world.run(["list", "--json"]).exits(0).documents();
    let live: Vec<_> = listed.iter().filter(|d| d["type"] == "recording").collect();
    assert_eq!(live.len(), 2, "{listed:?}");
    let id = live.iter().find(|d| d["name"] == "a").unwrap()["custody"].as_str().unwrap()[..12].to_owned();
    let mut follower = world.command();
    let follower = follower.args(["tail", "-f", "--json", &id]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut follower = follower.spawn().unwrap();
    let mut seen = BufReader::new(follower.stdout.take().unwrap());
    // A record that came before the follower, and one that comes after.
    while !line(&mut seen).contains("first") {}
    a_in.write_all(b"second\n").unwrap();
    assert_eq!(line(&mut a_out), "second\n");
    while !line(&mut seen).contains("second") {}
    drop((a_in, b_in));
    assert_eq!(a.wait().unwrap().code(), Some(0));
    assert_eq!(b.wait().unwrap().code(), Some(0));
    let mut rest = String::new();
    seen.read_to_string(&mut rest).unwrap();
    assert!(rest.lines().last().unwrap().contains("\"status\":\"finalized\""), "{rest}");
    assert_eq!(follower.wait().unwrap().code(), Some(0));
    let listed = world.run(["list", "--json"]).exits(0).documents();
    assert_eq!(listed.iter().filter(|d| d["type"] == "tape").count(), 2);
    let log = world.run(["log"]).exits(0).out();
    assert!(log.contains("followed") && log.contains("tape.opened"), "{log}");
    world.run(["verify"]).exits(0);
}

#[test]
fn ephemeral_sessions_have_the_same_id_and_are_gone() {
    let world = World::new();
    let ids: Vec<String> = (0..2)
        .map(|_| {
            let did = run(&world, &["--ephemeral", "--name", "t"], &["cat"], b"{\"id\":1,\"method\":\"x\"}\n").exits(0);
            let sealed =
                did.stderr.lines().find(|l| l.contains("sealed sha256:")).unwrap_or_else(|| panic!("{}", did.stderr));
            sealed.split_whitespace().nth(1).unwrap().to_owned()
        })
        .collect();
    assert_eq!(ids[0], ids[1]);
    let left: Vec<_> = fs::read_dir(world.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, Vec::<std::ffi::OsString>::new(), "nothing is left");
}

#[test]
fn a_recorded_server_answers_again() {
    let world = World::new();
    let id = world.save("filesystem-payments");
    let mut child = world.command();
    let child = child.args(["replay", &id, "--as-server"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let (mut stdin, mut out) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    writeln!(stdin, r#"{{"jsonrpc":"2.0","id":"q","method":"tools/list"}}"#).unwrap();
    let answer: serde_json::Value = serde_json::from_str(&line(&mut out)).unwrap();
    assert_eq!(answer["id"], "q");
    assert!(answer["result"]["tools"].as_array().unwrap().len() > 5);
    writeln!(stdin, r#"{{"jsonrpc":"2.0","id":8,"method":"tools/call","params":{{"name":"never"}}}}"#).unwrap();
    assert!(line(&mut out).contains("is not on the tape"));
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let log = world.run(["log"]).exits(0).out();
    assert!(log.contains("replayed"), "{log}");
    let played = world.run(["replay", &id, "--speed", "0"]).exits(0).out();
    assert_eq!(played.lines().count(), 37);
    world.run(["replay", &id, "--speed", "-1"]).exits(2);
    world.run(["replay", &id, "--speed", "2", "--as-server"]).exits(2);
}

#[test]
fn the_frames_of_a_long_message_stand_together() {
    let world = World::new();
    let script = "head -c 17000000 >/dev/null; echo note >&2; sleep 0.2; cat >/dev/null";
    let mut child = recorded(&world, &[], &["sh", "-c", script]).spawn().unwrap();
    let (mut stdin, mut err) = (child.stdin.take().unwrap(), BufReader::new(child.stderr.take().unwrap()));
    stdin.write_all(&vec![b'x'; 18_000_000]).unwrap();
    // It has been passed on while the message goes on.
    assert_eq!(line(&mut err), "note\n");
    stdin.write_all(b"the end\n").unwrap();
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let frames = frames(&world);
    let first = frames.iter().position(|f| f["flags"].to_string().contains("continued")).unwrap();
    let (part, rest) = (&frames[first], &frames[first + 1]);
    assert_eq!((part["delimiter"].as_str(), rest["delimiter"].as_str()), (Some("none"), Some("lf")));
    assert!(rest["payload"].as_str().unwrap().ends_with("xthe end"), "the message goes on in the very next frame");
    let note = frames.iter().position(|f| f["kind"] == "stderr").unwrap();
    assert!(note > first + 1, "what came meanwhile stands behind it");
    world.run(["verify"]).exits(0);
}
