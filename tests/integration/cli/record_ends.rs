//! `record` and its program and its client killed at any moment, and on a disk that is full: the tape is honest.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use immutape::codec::digest::sha256;

use super::harm::SmallDisk;
use super::world::{Did, World};
use crate::support::{skipped, trials};

/// Gives back line by line, and does nothing else.
const ECHO: &str = env!("CARGO_BIN_EXE_echo-lines");

fn recording(world: &World, flags: &[&str], program: &[&str]) -> Command {
    let mut command = world.command();
    command.arg("record").args(flags).arg("--").args(program);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn recorder(world: &World, flags: &[&str], program: &[&str]) -> Child {
    recording(world, flags, program).spawn().unwrap()
}

/// Every tape there is.
struct Tapes(Vec<serde_json::Value>);

impl Tapes {
    fn of(world: &World) -> Self {
        let listed = world.run(["list", "--json"]).exits(0).documents();
        Self(listed.into_iter().filter(|d| d["type"] == "tape").collect())
    }

    fn named(&self, name: &str) -> &serde_json::Value {
        self.0.iter().find(|d| d["name"] == name).unwrap_or_else(|| panic!("no tape {name}"))
    }

    /// What was asked, and what was answered.
    fn messages(&self, world: &World, name: &str) -> [Vec<String>; 2] {
        let id = self.named(name)["tape"].as_str().unwrap().to_owned();
        let shown = world.run(["show", "--json", &id]).exits(0).documents();
        ["client_to_server", "server_to_client"].map(|direction| messages(&shown, direction))
    }
}

/// Sends lines and waits for the echo of each, until nobody answers. How many came back, and how many were sent.
fn talk(mut stdin: ChildStdin, out: std::process::ChildStdout, round: u64, until: Instant) -> (u64, u64) {
    let mut out = BufReader::new(out);
    let (mut echoed, mut sent) = (0, 0);
    // One write for a line, so that no half of one is sent.
    while Instant::now() < until && stdin.write_all(format!("round {round} line {sent}\n").as_bytes()).is_ok() {
        sent += 1;
        let mut line = String::new();
        if out.read_line(&mut line).unwrap_or(0) == 0 || !line.ends_with('\n') {
            break;
        }
        assert_eq!(line, format!("round {round} line {echoed}\n"));
        echoed += 1;
    }
    (echoed, sent)
}

/// The number of the program behind a recorder, whichever of its threads started it.
fn program_of(recorder: &Child, program: &str) -> Option<String> {
    let threads = std::fs::read_dir(format!("/proc/{}/task", recorder.id())).ok()?;
    let children = threads.filter_map(|t| std::fs::read_to_string(t.ok()?.path().join("children")).ok());
    let is_it = |pid: &String| {
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(program.as_bytes()))
    };
    children.flat_map(|list| list.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).find(is_it)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Recorder,
    Program,
    Client,
}

/// With every line durable before it is passed on, no line that came back is missing, whoever is killed and whenever.
#[test]
fn no_echoed_line_is_lost_when_recorder_program_or_client_are_killed() {
    let world = World::new();
    let rounds = trials(15).min(100);
    let mut told = Vec::new();
    for round in 0..rounds {
        let victim = [Victim::Recorder, Victim::Recorder, Victim::Program, Victim::Recorder, Victim::Client]
            [usize::try_from(round % 5).unwrap()];
        let name = format!("r{round}");
        let mut child = recorder(&world, &["--durability", "each", "--name", &name], &[ECHO]);
        let (mut stdin, out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        // It runs once the first line came back.
        let mut out = BufReader::new(out);
        writeln!(stdin, "begin").unwrap();
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        assert_eq!(line, "begin\n");
        let moment = Duration::from_micros(u64::from(sha256(&round.to_be_bytes())[0]) * 500);
        let far = Instant::now() + Duration::from_secs(20);
        let until = if victim == Victim::Client { Instant::now() + moment } else { far };
        let talking = std::thread::spawn(move || talk(stdin, out.into_inner(), round, until));
        std::thread::sleep(moment);
        match victim {
            Victim::Recorder => child.kill().unwrap(),
            Victim::Program => {
                let Some(echo) = program_of(&child, ECHO) else {
                    child.kill().unwrap();
                    child.wait().unwrap();
                    return skipped("the system does not name children");
                };
                assert!(Command::new("kill").args(["-9", &echo]).status().unwrap().success());
            }
            Victim::Client => {}
        }
        let (echoed, sent) = talking.join().unwrap();
        child.wait().unwrap();
        told.push((name, victim, echoed, sent));
    }
    world.run(["record", "--recover"]).exits(0);
    let tapes = Tapes::of(&world);
    let mut lines = 0;
    for (round, (name, victim, echoed, sent)) in told.iter().enumerate() {
        let words = format!("{name}, {victim:?}, {echoed} of {sent} came back");
        let given = |count: usize| -> Vec<String> {
            let lines = (0..count.saturating_sub(1)).map(|n| format!("round {round} line {n}"));
            std::iter::once("begin".to_owned()).chain(lines).take(count).collect()
        };
        let [asked, answered] = tapes.messages(&world, name);
        assert_eq!(asked, given(asked.len()), "{words}: something was invented");
        assert_eq!(answered, given(answered.len()), "{words}: something was invented");
        assert!(answered.len() as u64 > *echoed, "{words}: {} are on the tape", answered.len());
        assert!(asked.len() >= answered.len() && asked.len() as u64 <= sent + 1, "{words}: {}", asked.len());
        let tape = tapes.named(name);
        let expected = match victim {
            Victim::Recorder => ("truncated", 1),
            Victim::Program => ("signal", 0),
            Victim::Client => ("clean", 0),
        };
        assert_eq!(
            (tape["end_state"].as_str(), tape["gaps"].as_u64()),
            (Some(expected.0), Some(expected.1)),
            "{words}"
        );
        lines += echoed;
    }
    println!("{rounds} rounds, {lines} lines came back: 0 lost");
    assert!(lines > rounds, "hardly anything was said");
    world.run(["verify"]).exits(0);
}

/// Lines that do not compress.
fn noise(n: u32) -> String {
    (0..900u32).map(|i| hex::encode(sha256(&[n, i].map(u32::to_be_bytes).concat()))).collect()
}

/// A recorder whose ledger is on a small disk, and what happens when that is full. `None` where there can be no such disk.
fn on_a_full_disk(policy: &str) -> Option<(Did, u32, Vec<serde_json::Value>)> {
    let world = World::new();
    let disk = world.path("disk");
    let _small = SmallDisk::mounted(&disk, "4m")?;
    let ledger = disk.join("ledger");
    let mut command = world.command();
    command.env("IMMUTAPE_DIR", &ledger);
    command.args(["record", "--durability", "each", "--name", "full", "--on-storage-failure", policy, "--"]);
    command.args(["sh", "-c", "cat; exit 7"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut stdin, out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    // Whole lines: the beginning of one that is longer than a piece may pass before its end is durable.
    let echoing = std::thread::spawn(move || {
        let (mut out, mut line, mut whole) = (BufReader::new(out), Vec::new(), 0usize);
        while out.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            whole += usize::from(line.ends_with(b"\n"));
            line.clear();
        }
        whole
    });
    let mut sent = 0;
    while sent < 90 && writeln!(stdin, "{}", noise(sent)).is_ok() {
        sent += 1;
    }
    if policy == "continue-with-gap" {
        assert_eq!(sent, 90, "the session goes on");
        let room = ["-o", "remount,size=32m"];
        assert!(Command::new("mount").args(room).arg(&disk).status().unwrap().success());
    }
    drop(stdin);
    let echoed = u32::try_from(echoing.join().unwrap()).unwrap();
    let did = Did::from(child.wait_with_output().unwrap());
    let room = ["-o", "remount,size=32m"];
    assert!(Command::new("mount").args(room).arg(&disk).status().unwrap().success());
    let run = |args: &[&str]| -> Did {
        let mut command = world.command();
        command.env("IMMUTAPE_DIR", &ledger).args(args).output().unwrap().into()
    };
    run(&["record", "--recover"]).exits(0);
    run(&["verify"]).exits(0);
    let listed = run(&["list", "--json"]).exits(0).documents();
    let tape = listed.iter().find(|d| d["name"] == "full").expect("it was sealed")["tape"].as_str().unwrap().to_owned();
    let shown = run(&["show", "--json", &tape]).exits(0).documents();
    Some((did, echoed, shown))
}

fn messages(shown: &[serde_json::Value], direction: &str) -> Vec<String> {
    let of = shown.iter().filter(|d| d["type"] == "frame" && d["kind"] == "message" && d["direction"] == direction);
    of.map(|d| d["payload"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_full_disk_ends_the_program_and_what_was_durable_is_kept() {
    let Some((did, echoed, shown)) = on_a_full_disk("stop") else { return };
    assert!(did.stderr.contains("E_STORE_FULL") && did.stderr.contains("The program was ended"), "{}", did.stderr);
    let did = did.exits(125);
    let answered = messages(&shown, "server_to_client");
    assert!(echoed > 3 && answered.len() as u32 >= echoed, "{echoed} came back, {}: {}", answered.len(), did.stderr);
    let expected: Vec<String> = (0..answered.len()).map(|n| noise(u32::try_from(n).unwrap())).collect();
    assert_eq!(answered, expected, "nothing is missing in between");
}

#[test]
fn a_full_disk_lets_the_session_go_on_and_the_tape_says_what_is_missing() {
    let Some((did, echoed, shown)) = on_a_full_disk("continue-with-gap") else { return };
    assert!(did.stderr.contains("could not be stored and are not on the tape"), "{}", did.stderr);
    did.exits(7);
    assert_eq!(echoed, 90, "the client noticed nothing");
    let header = shown.iter().find(|d| d["type"] == "tape").unwrap();
    let gaps = header["gaps"].as_array().unwrap();
    let counted: u64 = gaps.iter().map(|g| g["count"].as_u64().unwrap()).sum();
    let frames = shown.iter().filter(|d| d["type"] == "frame").count() as u64;
    // Every line twice, and the start and the end of the program.
    assert_eq!((frames + counted, counted > 0), (90 * 2 + 2, true), "{gaps:?}");
    assert!(gaps.iter().all(|g| g["before_seq"].as_u64().unwrap() > 3), "{gaps:?}");
    assert_eq!(header["end_state"], "child_exit", "{header}");
}

/// The most memory a process had, in KiB.
pub(super) fn peak_kib(child: &Child) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.split_whitespace().next()?.parse().ok()
}

/// A recorder that keeps what it holds and nothing more: the C library would otherwise keep for each thread what was given back
/// to it, and that hides what grows.
pub(super) fn frugal(world: &World, flags: &[&str], program: &[&str]) -> Child {
    recording(world, flags, program).env("MALLOC_MMAP_THRESHOLD_", "131072").spawn().unwrap()
}

/// The lines that came out of it, and the most memory that it had meanwhile.
fn heard(mut child: Child) -> (usize, Option<u64>) {
    let out = child.stdout.take().unwrap();
    drop(child.stdin.take());
    let lines = std::thread::spawn(move || BufReader::new(out).lines().count());
    let mut peak = None;
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(peak_kib(&child));
        std::thread::sleep(Duration::from_millis(1));
    }
    (lines.join().unwrap(), peak)
}

/// What a recorder holds does not depend on how long it records: four megabytes on their way to it, one that waits for the spool
/// and as much that is being stored, and a ledger opened beside for a mark, above what the shortest session takes.
#[test]
fn a_flood_of_tiny_frames_is_recorded_in_bounded_memory() {
    const MORE_KIB: u64 = 16 << 10;
    let world = World::new();
    let count = if trials(1) > 1 { 1_000_000 } else { 50_000 };
    let (lines, least) = heard(frugal(&world, &["--name", "a line"], &["sh", "-c", "yes | head -n 1; sleep 0.1"]));
    assert_eq!(lines, 1);
    let script = format!("yes | head -n {count}");
    let (lines, peak) = heard(frugal(&world, &["--name", "flood"], &["sh", "-c", &script]));
    assert_eq!(lines, count);
    assert_eq!(Tapes::of(&world).named("flood")["frames"].as_u64(), Some(count as u64 + 2));
    match least.zip(peak) {
        Some((least, peak)) => {
            assert!(
                least > 1_000 && peak < 64 << 10 && peak < least + MORE_KIB,
                "{peak} KiB, and {least} KiB for a line"
            );
        }
        None => skipped("peak memory is not known on this system"),
    }
    println!("{count} frames, peak {peak:?} KiB, of a line {least:?} KiB");
    world.run(["verify", "--quiet"]).exits(0);
}

#[test]
fn lists_and_checks_run_beside_two_recorders() {
    let world = World::new();
    world.run(["init"]).exits(0);
    let flags = |name| ["--durability", "each", "--name", name];
    let mut both = [recorder(&world, &flags("a"), &["cat"]), recorder(&world, &flags("b"), &["cat"])];
    let talks: Vec<_> = both
        .iter_mut()
        .zip(0u64..)
        .map(|(child, n)| {
            let (stdin, out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
            std::thread::spawn(move || talk(stdin, out, n, Instant::now() + Duration::from_millis(1_200)))
        })
        .collect();
    while talks.iter().any(|t| !t.is_finished()) {
        world.run(["list"]).exits(0);
        let checked = world.run(["verify", "--json"]);
        assert!([0, 10].contains(&checked.exit), "{}", checked.all());
        // A recorder had the ledger at that moment: the copy in sled is all that this may keep a check from.
        let documents = checked.documents();
        let findings = documents[0]["findings"].as_array().unwrap();
        let gaps: Vec<_> = findings.iter().filter(|f| f["severity"] != "note").collect();
        let is_turn =
            |f: &serde_json::Value| f["part"] == "rows" && f["what"].as_str().unwrap().contains("another process has");
        assert!(gaps.iter().all(|f| is_turn(f)), "{gaps:?}");
        // What is not sealed yet is told, and is no gap.
        let is_open = findings.iter().any(|f| f["word"] == "unsealed tail");
        assert_eq!(gaps.is_empty() && !is_open, checked.exit == 0, "{findings:?}");
    }
    let said: Vec<_> = talks.into_iter().map(|t| t.join().unwrap()).collect();
    both.iter_mut().for_each(|child| assert_eq!(child.wait().unwrap().code(), Some(0)));
    let tapes = Tapes::of(&world);
    for (name, (echoed, _)) in ["a", "b"].into_iter().zip(said) {
        assert!(echoed > 0);
        let [_, answered] = tapes.messages(&world, name);
        assert_eq!(answered.len() as u64, echoed);
    }
    world.run(["verify"]).exits(0);
}
