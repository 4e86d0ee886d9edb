//! Signals in front of a recorded program: each reaches it as often as without the recorder, whoever it was sent to.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};

use super::world::World;
use crate::support::{is_heeded, skipped};

/// Says each signal that it gets, at once: a shell that waits is interrupted by it. HUP ends it.
const COUNTS: &str =
    "trap 'echo one' USR1; trap 'echo two' USR2; trap 'echo term' TERM; trap 'echo int' INT; trap 'exit 9' HUP
echo ready; while :; do sleep 5 </dev/null >/dev/null 2>&1 & wait $!; done";

struct Session {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Session {
    /// In a process group of its own, as clients start servers that they want to end as a whole.
    fn begin(world: &World, recorded: bool) -> Self {
        let mut command = if recorded { world.command() } else { world.bare("/bin/sh".as_ref()) };
        if recorded {
            command.args(["record", "--", "/bin/sh"]);
        }
        command.args(["-c", COUNTS]).process_group(0);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut session = Self { child, out };
        assert_eq!(session.said(), "ready");
        session
    }

    fn said(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap()
    }

    fn to_all(&self, signal: Signal) {
        kill_process_group(self.pid(), signal).unwrap();
    }

    fn to_it(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }
}

impl Drop for Session {
    /// Nobody is left behind by a test that fails: all of the group go, if anything of it is still there.
    fn drop(&mut self) {
        let _it_may_be_gone = kill_process_group(self.pid(), Signal::KILL);
        let _it_may_be_gone = self.child.wait();
    }
}

/// Why the programs here would not notice their signals: no shell heeds what it was started to ignore.
fn unheeded() -> Option<&'static str> {
    let all = [Signal::HUP, Signal::INT, Signal::TERM, Signal::USR1, Signal::USR2];
    let ignored = all.iter().any(|signal| !is_heeded(signal.as_raw()));
    ignored.then_some("the tests were started to ignore signals, by nohup or in the background of a script")
}

#[test]
fn what_is_sent_to_the_group_reaches_the_program_once_and_so_does_what_is_sent_to_the_recorder() {
    if let Some(why) = unheeded() {
        return skipped(why);
    }
    let world = World::new();
    for recorded in [false, true] {
        let mut it = Session::begin(&world, recorded);
        for round in 0..12 {
            let words = format!("recorded: {recorded}, round {round}");
            it.to_all(Signal::USR1);
            assert_eq!(it.said(), "one", "{words}");
            // Whatever was sent before this one would be said before it.
            it.to_it(Signal::USR2);
            assert_eq!(it.said(), "two", "{words}");
        }
        it.to_all(Signal::TERM);
        assert_eq!(it.said(), "term", "recorded: {recorded}");
        it.to_all(Signal::INT);
        assert_eq!(it.said(), "int", "recorded: {recorded}");
        it.to_it(Signal::TERM);
        assert_eq!(it.said(), "term", "recorded: {recorded}");
        it.to_it(Signal::HUP);
        assert_eq!(it.said(), "", "recorded: {recorded}");
        assert_eq!(it.child.wait().unwrap().code(), Some(9), "recorded: {recorded}");
    }
    world.run(["verify"]).exits(0);
}

#[test]
fn the_group_is_ended_as_one_and_leaves_nobody() {
    if let Some(why) = unheeded() {
        return skipped(why);
    }
    let world = World::new();
    for signal in [Signal::KILL, Signal::HUP] {
        let mut it = Session::begin(&world, true);
        let children = std::fs::read_dir(format!("/proc/{}/task", it.child.id()));
        let Ok(threads) = children else { return skipped("the system does not name children") };
        let lists = threads.map(|t| std::fs::read_to_string(t.unwrap().path().join("children")).unwrap_or_default());
        let family: Vec<Pid> = lists
            .flat_map(|list| {
                list.split_whitespace().map(|n| Pid::from_raw(n.parse().unwrap()).unwrap()).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(family.len(), 2, "the program, and what notices signals");
        it.to_all(signal);
        let status = it.child.wait().unwrap();
        let expected = if signal == Signal::KILL { (None, Some(9)) } else { (Some(9), None) };
        assert_eq!((status.code(), status.signal()), expected);
        let is_there = |pid: &Pid| {
            let is_zombie = |s: String| s.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'));
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
            test_kill_process(*pid).is_ok() && !stat.is_ok_and(is_zombie)
        };
        for _ in 0..1_000 {
            if !family.iter().any(is_there) {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(!family.iter().any(is_there), "{signal:?}: somebody is left of {family:?}");
    }
    world.run(["record", "--recover"]).exits(0);
    world.run(["verify"]).exits(0);
}

/// A recorder that is killed alone takes what notices signals with it.
#[test]
fn what_notices_signals_ends_with_its_recorder() {
    let world = World::new();
    let mut it = Session::begin(&world, true);
    let Ok(threads) = std::fs::read_dir(format!("/proc/{}/task", it.child.id())) else {
        return skipped("the system does not name children");
    };
    let lists = threads.map(|t| std::fs::read_to_string(t.unwrap().path().join("children")).unwrap_or_default());
    let named = |pid: &str| std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let all: Vec<String> = lists.flat_map(|l| l.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
    let witness = all.iter().find(|pid| named(pid).starts_with(b"signal-witness")).expect("it was to be there").clone();
    it.child.kill().unwrap();
    it.child.wait().unwrap();
    for _ in 0..1_000 {
        if named(&witness).is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(named(&witness), b"", "it is still there");
    // The program is left behind with closed pipes, as a client leaves it that dies; it goes with its group.
    drop(it);
    world.run(["record", "--recover"]).exits(0);
}
