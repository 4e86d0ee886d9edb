//! `record` between sides that are slow, silent or endless: nothing that passed is missing, and nothing waits for ever.

use std::io::{BufReader, Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::harm::SmallDisk;
use super::record::{frames, line, payloads, recorded, tape};
use super::world::{Did, World};

/// Long enough for anything to end that is going to.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for the end of a recorder; one that goes on for ever is a failure, and is ended.
#[track_caller]
fn ended(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("the recorder goes on for ever");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a file is there; what is in it.
#[track_caller]
fn told(world: &World, file: &str) -> String {
    let start = Instant::now();
    loop {
        match std::fs::read_to_string(world.path(file)) {
            Ok(text) if text.ends_with('\n') => return text.trim().to_owned(),
            _ => assert!(start.elapsed() < PATIENCE, "{file} never came"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What the program writes is more than the client's pipe holds, and the client reads only after the program has been gone for
/// longer than others that hold its output open are waited for.
#[test]
fn a_client_that_reads_late_gets_everything() {
    let world = World::new();
    let mut child = recorded(&world, &[], &["sh", "-c", "seq 1 20000; echo over >over"]).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    told(&world, "over");
    std::thread::sleep(Duration::from_millis(1_200));
    assert_eq!(child.try_wait().unwrap(), None, "it waits for the client");
    let mut got = Vec::new();
    out.read_to_end(&mut got).unwrap();
    assert_eq!(ended(&mut child).code(), Some(0));
    let expected: String = (1..=20_000).map(|n| format!("{n}\n")).collect();
    assert!(got == expected.as_bytes(), "{} of {} bytes came", got.len(), expected.len());
    let frames = frames(&world);
    assert_eq!(payloads(&frames, "server_to_client").len(), 20_000);
    let events = frames.iter().filter(|f| f["kind"] == "lifecycle").map(|f| f["payload"].to_string());
    let events: Vec<String> = events.collect();
    assert!(!events.iter().any(|event| event.contains("output_held")), "nobody held it: {events:?}");
}

/// The line of the program goes on until a follower has seen the question.
#[test]
fn a_question_does_not_wait_for_a_line_that_never_ends() {
    for durability in ["each", "interval"] {
        let world = World::new();
        let script = "head -c 17000000 /dev/zero | tr '\\0' x; echo begun >&2; \
            while [ ! -e seen ]; do printf ' '; sleep 0.05; done; echo; cat >got";
        let mut child = recorded(&world, &["--durability", durability], &["sh", "-c", script]).spawn().unwrap();
        let (mut stdin, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let reading = std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()).unwrap());
        assert_eq!(line(&mut err), "begun\n");
        stdin.write_all(b"question\n").unwrap();
        let listed = world.run(["list", "--json"]).exits(0).documents();
        let live = listed.iter().find(|d| d["type"] == "recording").unwrap();
        let id = live["custody"].as_str().unwrap()[..12].to_owned();
        let mut follower = world.command();
        let mut follower = follower.args(["tail", "-f", "--json", &id]).stdout(Stdio::piped()).spawn().unwrap();
        let seen = follower.stdout.take().unwrap();
        let (say, said) = std::sync::mpsc::channel();
        let following = std::thread::spawn(move || {
            let mut seen = BufReader::new(seen);
            loop {
                let line = line(&mut seen);
                if line.is_empty() || line.contains("question") {
                    let _nobody_may_wait = say.send(line.contains("question"));
                    return;
                }
            }
        });
        let was_seen = said.recv_timeout(PATIENCE);
        std::fs::write(world.path("seen"), "").unwrap();
        drop(stdin);
        assert_eq!(ended(&mut child).code(), Some(0));
        follower.wait().unwrap();
        following.join().unwrap();
        assert_eq!(was_seen, Ok(true), "{durability}: it waited for the end of the line");
        assert!(reading.join().unwrap() > 17_000_000, "the line went on");
        let shown = frames(&world);
        let place = |what: &str| shown.iter().position(|f| f["payload"].as_str().unwrap().ends_with(what)).unwrap();
        assert!(place("question") < place(" "), "{durability}: it stands where it came");
        assert_eq!(std::fs::read_to_string(world.path("got")).unwrap(), "question\n");
    }
}

/// Bytes that do not compress, as one line.
fn noise(lines: u32) -> String {
    let digest = |n: u32| hex::encode(immutape::codec::digest::sha256(&n.to_be_bytes()));
    (0..lines).map(digest).collect()
}

/// The message passes, and its frame finds no room a moment later; nobody says anything after that.
#[test]
fn a_program_that_says_nothing_is_ended_when_nothing_can_be_recorded() {
    let world = World::new();
    let disk = world.path("disk");
    let Some(_small) = SmallDisk::mounted(&disk, "4m") else { return };
    let ledger = disk.join("ledger");
    let run = |args: &[&str]| -> Did {
        let mut command = world.command();
        command.env("IMMUTAPE_DIR", &ledger).args(args).output().unwrap().into()
    };
    let mut command = recorded(&world, &["--name", "idle"], &["sh", "-c", "cat >got"]);
    let mut child = command.env("IMMUTAPE_DIR", &ledger).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"before\n").unwrap();
    assert_eq!(told(&world, "got"), "before");
    // Whatever room there is, is taken.
    let mut filler = std::fs::File::create(disk.join("filler")).unwrap();
    while filler.write_all(&[b'f'; 4_096]).is_ok() {}
    // A failure may come while the last of it is passed on.
    let _may_be_refused = stdin.write_all(format!("{}\n", noise(8_000)).as_bytes());
    // Neither side says anything more or closes anything: it ends by the failure, or never.
    let status = ended(&mut child);
    drop(stdin);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(125), "{said}");
    assert!(said.contains("E_STORE_FULL") && said.contains("The program was ended"), "{said}");
    drop(filler);
    std::fs::remove_file(disk.join("filler")).unwrap();
    let room = ["-o", "remount,size=32m"];
    assert!(Command::new("mount").args(room).arg(&disk).status().unwrap().success());
    run(&["record", "--recover"]).exits(0);
    run(&["verify"]).exits(0);
    let listed = run(&["list", "--json"]).exits(0).documents();
    let tape = listed.iter().find(|d| d["name"] == "idle").unwrap();
    assert_ne!(tape["end_state"], "clean", "{tape}");
    // What the program got is on the tape, or the tape says that something is missing.
    let got = std::fs::read_to_string(world.path("got")).unwrap();
    let shown = run(&["show", "--json", tape["tape"].as_str().unwrap()]).exits(0).documents();
    let shown: Vec<_> = shown.into_iter().filter(|d| d["type"] == "frame").collect();
    let is_whole = got.lines().all(|line| payloads(&shown, "client_to_server").iter().any(|on_tape| on_tape == line));
    assert!(is_whole || tape["gaps"].as_u64().unwrap() > 0, "{tape}");
}

/// The terminal of a recorder that leads its session hangs up: the system tells the leader alone.
#[test]
fn a_hang_up_reaches_the_program_of_a_recorder_that_leads_its_session() {
    if !std::path::Path::new("/usr/bin/script").exists() {
        return crate::support::skipped("this system has no `script`");
    }
    let world = World::new();
    let program = "trap 'echo hup >heard; exit 5' HUP; echo ready >ready; while :; do sleep 0.05; done";
    std::fs::write(world.path("program"), program).unwrap();
    let recorder = recorded(&world, &["--name", "hung"], &["sh", "program"]);
    let words: Vec<_> = std::iter::once(recorder.get_program()).chain(recorder.get_args()).collect();
    let words: Vec<_> = words.iter().map(|word| word.to_str().unwrap()).collect();
    let mut script = world.bare("/usr/bin/script".as_ref());
    script.envs(recorder.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let line = format!("exec {}", words.join(" "));
    let mut terminal = script.args(["-qec", &line, "/dev/null"]).stdout(Stdio::null()).spawn().unwrap();
    told(&world, "ready");
    terminal.kill().unwrap();
    terminal.wait().unwrap();
    assert_eq!(told(&world, "heard"), "hup");
    let start = Instant::now();
    while world.run(["list", "--json"]).exits(0).documents().iter().all(|d| d["type"] != "tape") {
        assert!(start.elapsed() < PATIENCE, "it was never sealed");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(tape(&world)["end_state"], "child_exit", "it ended as the program did");
}
