//! The recorder, the server and the client of a real session, each killed at moments that nobody chose.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::software::{Client, Server, Software};
use super::stage::{Stage, Tape, Tee};
use crate::support::trials;

/// Frames of an ordinary recording are durable within 50 ms. A machine that does much else gets another second, so this does not
/// show that they are no later: a test beside `capture/syncer.rs` does, in which nobody but the frame itself wakes the syncer.
const WINDOW: Duration = Duration::from_millis(1_050);
/// Long enough for anything to end that is going to.
const PATIENCE: Duration = Duration::from_secs(60);
const SEED: u64 = 0x4d43_5020_6b69_6c6c;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whom {
    Recorder,
    Server,
    Client,
}

/// splitmix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

fn wall_ns() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// Waits for a file of a tee.
fn told(tee: &Tee, what: &str) -> i32 {
    let start = std::time::Instant::now();
    loop {
        if let Some(said) = tee.said(what) {
            return said;
        }
        assert!(start.elapsed() < PATIENCE, "a process is still there");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whole lines of what came first.
fn whole_lines(bytes: &[u8]) -> &[u8] {
    bytes.iter().rposition(|b| *b == b'\n').map_or(&[], |end| &bytes[..=end])
}

/// Runs the client until somebody is killed; what it printed, each line with the id of an answer.
fn killed(stage: &Stage<'_>, client: &mut Child, whom: Whom, answers: u64, after: Duration) -> (Vec<u64>, u128) {
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut printed = Vec::new();
    let id = |line: &str| line.split(' ').next().unwrap().parse::<u64>().unwrap();
    printed.extend(lines.by_ref().take(usize::try_from(answers).unwrap()).map(|line| id(&line)));
    assert_eq!(printed.len() as u64, answers, "the session was under way");
    // Who prints must not wait for who reads while the moment comes.
    let rest = std::thread::spawn(move || lines.collect::<Vec<_>>());
    std::thread::sleep(after);
    let pid = match whom {
        Whom::Recorder => told(&stage.tee("outer"), "pid"),
        Whom::Server => told(&stage.tee("inner"), "pid"),
        Whom::Client => i32::try_from(client.id()).unwrap(),
    };
    let at = wall_ns();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    client.wait().unwrap();
    // The last line of a client that was killed may be half a line.
    printed.extend(rest.join().unwrap().iter().filter_map(|line| line.split_once(" {")?.0.parse::<u64>().ok()));
    told(&stage.tee("outer"), "end");
    told(&stage.tee("inner"), "end");
    (printed, at)
}

/// Ids that somebody answered, in order.
fn answered(bytes: &[u8]) -> Vec<u64> {
    let lines = bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty());
    let messages = lines.map(|line| serde_json::from_slice::<Value>(line).unwrap());
    messages.filter(|m| m.get("method").is_none()).filter_map(|m| m["id"].as_u64()).collect()
}

/// A recorder that was killed left all that was durable, in order, and nothing else; and says that it was cut off.
fn assert_cut_off(stage: &Stage<'_>, tape: &Tape, window: Duration, at: u128) {
    let (outer, inner) = (stage.tee("outer"), stage.tee("inner"));
    assert_eq!((&tape.header["end_state"], tape.header["gaps"].as_array().unwrap().len()), (&"truncated".into(), 1));
    assert_eq!(outer.said("end"), Some(-9), "it was killed indeed");
    let by = at.saturating_sub(window.as_nanos());
    // What went to the server was seen by the inner tee, what came to the client by the outer one.
    for (pipe, delivered) in [("in", &inner), ("out", &outer)] {
        let given = if pipe == "in" { outer.bytes(pipe) } else { inner.bytes(pipe) };
        let (on_tape, seen) = (tape.bytes(pipe), delivered.bytes(pipe));
        assert!(given.starts_with(&on_tape), "{pipe}: in order, and nothing invented");
        let durable = whole_lines(&seen[..delivered.by(pipe, by)]);
        assert!(!durable.is_empty(), "{pipe}: the session was longer than the window");
        assert!(on_tape.len() >= durable.len(), "{pipe}: {} of {} bytes", on_tape.len(), durable.len());
    }
}

/// A recorder that went on to the end has all that passed, and says how the server ended.
fn assert_whole(stage: &Stage<'_>, tape: &Tape, whom: Whom) {
    let (outer, inner) = (stage.tee("outer"), stage.tee("inner"));
    let end = match inner.said("end").unwrap() {
        0 => "clean",
        1.. => "child_exit",
        _ => "signal",
    };
    assert_eq!((&tape.header["end_state"], tape.header["gaps"].as_array().unwrap().len()), (&end.into(), 0));
    assert_eq!(end == "signal", whom == Whom::Server, "it was killed indeed");
    let (asked, got) = (tape.bytes("in"), tape.bytes("out"));
    assert!(outer.bytes("in").starts_with(&asked) && asked.starts_with(&inner.bytes("in")));
    assert!(inner.bytes("out").starts_with(&got) && got.starts_with(&outer.bytes("out")));
    assert!(tape.bytes("err") == inner.bytes("err"));
}

fn round(software: &Software, whom: Whom, is_each: bool, dice: &mut Dice) {
    let stage = Stage::new(software, Server::Filesystem);
    let client = Client::TypeScript("steady");
    let durability = if is_each { "each" } else { "interval" };
    let mut command = stage.recorded(client, &["--name", "steady", "--durability", durability]);
    let mut client = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // Where frames are durable in time, the session is longer than that time.
    let window = if is_each { Duration::ZERO } else { WINDOW };
    let after = window + Duration::from_micros(dice.below(if is_each { 20_000 } else { 400_000 }));
    let answers = 1 + dice.below(60);
    let (printed, at) = killed(&stage, &mut client, whom, answers, after);

    // The next start, whatever it is for, seals what was left.
    let next = stage.world.run(["list"]).exits(0);
    assert_eq!(next.stderr.contains("whose recorder is gone"), whom == Whom::Recorder, "{}", next.stderr);
    let tape = stage.tape();
    if whom == Whom::Recorder {
        assert_cut_off(&stage, &tape, window, at);
    } else {
        assert_whole(&stage, &tape, whom);
    }
    if is_each || whom != Whom::Recorder {
        let on_tape = answered(&tape.bytes("out"));
        assert!(printed.iter().all(|id| on_tape.contains(id)), "printed {:?}, on tape {on_tape:?}", printed.last());
    }
    stage.world.run(["verify"]).exits(0);
}

fn rounds(whom: Whom, seed: u64) {
    let Some(software) = Software::installed() else { return };
    let mut dice = Dice(SEED ^ seed);
    for n in 0..trials(2).min(100) {
        println!("{whom:?}, round {n} of seed {seed}");
        round(&software, whom, n % 2 == 0, &mut dice);
    }
}

#[test]
fn a_recorder_that_is_killed_loses_nothing_that_was_durable() {
    rounds(Whom::Recorder, 1);
}

#[test]
fn another_recorder_that_is_killed() {
    rounds(Whom::Recorder, 2);
}

#[test]
fn a_server_that_is_killed_is_on_the_tape_to_its_end() {
    rounds(Whom::Server, 3);
}

#[test]
fn a_client_that_is_killed_is_on_the_tape_to_its_end() {
    rounds(Whom::Client, 4);
}
