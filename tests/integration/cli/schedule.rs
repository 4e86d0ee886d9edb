//! What is done again and again: by the configuration alone, told by `status`, and known after a restart.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use super::witness::Running;
use super::world::World;
use crate::support::ledgers::tape_path;

fn document(world: &World, args: &[&str]) -> Value {
    let did = world.run(args.iter().copied().chain(["--json"]));
    serde_json::from_str(did.out().lines().next().unwrap_or_else(|| panic!("{}", did.all()))).unwrap()
}

/// A job as `schedule show` has it.
fn job(world: &World, name: &str) -> Value {
    let jobs = document(world, &["schedule", "show"])["jobs"].clone();
    let found = jobs.as_array().unwrap().iter().find(|job| job["job"] == name).cloned();
    found.unwrap_or_else(|| panic!("{name}: {jobs}"))
}

fn limits(world: &World) -> Vec<(String, String)> {
    let status = document(world, &["status"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let limits = status["limits"].as_array().unwrap().iter();
    limits.map(|limit| (text(&limit["code"]), text(&limit["message"]))).collect()
}

fn told(world: &World, code: &str) -> Vec<String> {
    limits(world).into_iter().filter(|(found, _)| found == code).map(|(_, message)| message).collect()
}

fn configure(world: &World, lines: &str) {
    fs::write(world.path("immutape.toml"), format!("[schedule]\n{lines}")).unwrap();
}

/// A ledger with a tape, and a witness for it that its policy names.
fn witnessed() -> (World, Running) {
    let world = World::with_tapes(&["git-policies"]);
    let verifier = document(&world, &["checkpoint"])["verifier"].as_str().unwrap().to_owned();
    fs::write(world.path("logs"), format!("log {verifier}\nquorum none\n")).unwrap();
    let witness = Running::new(&world, "w1");
    fs::write(world.path("policy"), witness.policy()).unwrap();
    (world, witness)
}

/// The record as if every run in it were long ago.
fn long_ago(world: &World) {
    let record = fs::read_to_string(world.path("state/jobs")).unwrap();
    let lines = record.lines().map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
        [job, _, outcome, failures] => format!("{job} 1000 {outcome} {failures}\n"),
        _ => format!("{line}\n"),
    });
    fs::write(world.path("state/jobs"), lines.collect::<String>()).unwrap();
}

#[test]
fn nothing_runs_that_nobody_configured() {
    let world = World::with_tapes(&["git-policies"]);
    let size = document(&world, &["status"])["entries"].clone();
    for args in [&["schedule", "run"][..], &["schedule", "run", "--once"]] {
        let refused = world.run(args);
        assert!(refused.exit == 4 && refused.stderr.contains("E_NOT_FOUND"), "{}", refused.all());
    }
    assert!(world.run(["schedule", "show"]).exits(0).out().contains("nothing is scheduled"));
    assert_eq!(document(&world, &["status"])["jobs"], Value::Array(Vec::new()));
    assert!(!world.path("state/jobs").exists());
    // What has no address to ask is not run either.
    configure(&world, "witness_every = '1s'\ntime_every = '1s'\n");
    world.run(["schedule", "run", "--once"]).exits(0);
    assert!(!world.path("state/jobs").exists());
    assert_eq!((told(&world, "job_not_set_up").len(), told(&world, "job_overdue").len()), (2, 0));
    assert_eq!(job(&world, "time")["standing"], "not_set_up");
    assert_eq!(document(&world, &["status"])["entries"], size, "no entry was written");
}

#[test]
fn each_job_is_done_when_it_is_due_and_status_tells_of_it() {
    let (world, witness) = witnessed();
    let tree = world.path("tree");
    configure(
        &world,
        &format!(
            "witness_every = '1h'\npublish_every = '2h'\npublish_to = '{}'\nscrub_every = '1d'\nscrub_parts = 2\nallow_private = true\n",
            tree.display()
        ),
    );
    world.run(["witness", "set", "policy"]).exits(0);
    assert_eq!(told(&world, "job_overdue").len(), 3);
    assert!(world.run(["status"]).exits(0).out().contains("job      scrub every 1d: never run; due now"));
    let doctor = world.run(["doctor"]);
    assert!(doctor.exit == 10 && doctor.all().contains("never run"), "{}", doctor.all());
    let said = world.run(["schedule", "run", "--once", "--json"]).exits(0).documents();
    let jobs = said.iter().filter(|d| d["type"] == "job");
    let outcomes: Vec<String> = jobs.map(|d| format!("{} {}", d["job"], d["outcome"]).replace('"', "")).collect();
    assert_eq!(outcomes, ["witness done", "publish done", "scrub done"]);
    assert!(tree.join("checkpoint").exists());
    let scrubbed = said.iter().find(|d| d["type"] == "scrubbed").unwrap();
    assert_eq!((&scrubbed["part"], &scrubbed["of"]), (&1.into(), &2.into()));
    assert_eq!((told(&world, "job_overdue").len(), job(&world, "publish")["standing"].as_str()), (0, Some("on_time")));
    // Nothing is due: nothing is done.
    let size = document(&world, &["status"])["entries"].clone();
    assert!(world.run(["schedule", "run", "--once", "--json"]).exits(0).documents().is_empty());
    assert_eq!(document(&world, &["status"])["entries"], size);
    // Nobody ran them for a while, and then the witness is away: that one fails, the others are done.
    long_ago(&world);
    assert_eq!(told(&world, "job_overdue").len(), 3);
    drop(witness);
    let later = world.run(["schedule", "run", "--once", "--json"]);
    assert_eq!(later.exit, 1, "{}", later.all());
    let said = later.documents();
    let of = |name: &str| said.iter().find(|d| d["type"] == "job" && d["job"] == name).unwrap()["outcome"].clone();
    assert_eq!((of("witness"), of("scrub")), ("E_NOT_CONFIRMED".into(), "done".into()));
    // Publication signs a head, which nobody confirmed.
    assert_eq!(of("publish"), "E_NOT_CONFIRMED");
    let failing = told(&world, "job_failing");
    assert!(failing.len() == 2 && failing[0].contains("E_NOT_CONFIRMED, 1 time in a row"), "{failing:?}");
    assert_eq!(job(&world, "witness")["failures"], 1);
    let scrubbed = said.iter().find(|d| d["type"] == "scrubbed").unwrap();
    assert_eq!(scrubbed["part"], 2, "the round goes on where it was");
    // A record that does not hold: the jobs run once more.
    fs::write(world.path("state/jobs"), "immutape/jobs/1\nscrub").unwrap();
    assert_eq!(job(&world, "scrub")["last"], Value::Null);
    world.run(["verify"]).exits(0);
}

#[test]
fn a_process_that_runs_them_lets_others_in_and_ends_when_it_is_interrupted() {
    let (world, _witness) = witnessed();
    configure(&world, "witness_every = '1s'\nallow_private = true\n");
    world.run(["witness", "set", "policy"]).exits(0);
    let start = || {
        let mut command = world.command();
        command.args(["schedule", "run", "--quiet"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let mut running = start();
    let last = || job(&world, "witness")["last"].as_str().map(str::to_owned);
    let after = |before: &Option<String>| {
        let found = (0..600).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            last().filter(|last| Some(last) != before.as_ref())
        });
        found.expect("the job was to run again")
    };
    let first = after(&None);
    let second = after(&Some(first));
    // One process runs them, others use the ledger meanwhile.
    let beside = world.run(["schedule", "run"]);
    assert!(beside.exit == 7 && beside.stderr.contains("E_LOCKED"), "{}", beside.all());
    world.run(["-q".as_ref(), "save".as_ref(), tape_path("sqlite-claims").as_os_str()]).exits(0);
    after(&Some(second));
    let pid = rustix::process::Pid::from_child(&running);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(running.wait().unwrap().code(), Some(0));
    let before = last();
    // Killed while it may be at it: the next one knows the last run, and the ledger opens.
    let mut running = start();
    after(&before);
    running.kill().unwrap();
    running.wait().unwrap();
    world.run(["schedule", "run", "--once"]).exits(0);
    world.run(["verify"]).exits(0);
    assert_eq!(job(&world, "witness")["outcome"], "done");
}

#[test]
fn a_scrub_names_what_decayed_and_the_job_says_so() {
    let world = World::with_tapes(&["git-policies", "sqlite-claims"]);
    configure(&world, "scrub_every = '1d'\nscrub_parts = 3\n");
    let whole = document(&world, &["scrub", "--parts", "1"]);
    assert!(whole["objects"].as_u64() > Some(5) && whole["findings"].as_array().unwrap().is_empty(), "{whole}");
    let pack = world.path("ledger/packs/00000001.pack");
    let good = fs::read(&pack).unwrap();
    let mut bad = good.clone();
    bad[2_000] ^= 4;
    fs::write(&pack, bad).unwrap();
    let parts: Vec<i32> = (0..3).map(|_| world.run(["scrub"]).exit).collect();
    let mut sorted = parts.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 0, 3], "{parts:?}");
    let caught = world.run(["scrub", "--parts", "1"]);
    assert!(
        caught.exit == 3 && caught.out().contains("ALTERED object") && caught.out().contains("tape sha256:"),
        "{}",
        caught.all()
    );
    let log = world.run(["log", "--json"]).exits(0).documents();
    let failed: Vec<_> = log.iter().filter(|d| d["kind"] == "integrity.failed").collect();
    assert!(failed.len() == 2 && failed[0]["body"]["sha256"] == failed[1]["body"]["sha256"], "{failed:?}");
    // By the schedule, too.
    configure(&world, "scrub_every = '1d'\nscrub_parts = 1\n");
    assert_eq!(world.run(["schedule", "run", "--once"]).exit, 3);
    assert!(told(&world, "job_failing")[0].contains("not what was stored"));
    // What cannot be recorded is told all the same.
    fs::remove_file(world.path("state/head")).unwrap();
    let alone = document(&world, &["scrub", "--parts", "1"]);
    assert_eq!(
        (&alone["not_recorded"]["code"], alone["findings"].as_array().map(Vec::len)),
        (&"E_HEAD_MISSING".into(), Some(1))
    );
    fs::write(&pack, good).unwrap();
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_line() {
    let world = World::new();
    for (lines, wanted) in [
        ("witnes_every = '5m'\n", "immutape.toml:2: [schedule] has no key \"witnes_every\""),
        ("\nwitness_every = 'often'\n", "immutape.toml:3: \"witness_every\" takes a time from 1s to 30d"),
        ("time_every = '0s'\n", "immutape.toml:2: \"time_every\" takes a time"),
        ("time_every = '31d'\n", "immutape.toml:2: \"time_every\" takes a time"),
        ("time_every = '+5m'\n", "immutape.toml:2: \"time_every\" takes a time"),
        ("time_every = 300\n", "immutape.toml:2: \"time_every\" takes a time"),
        ("scrub_parts = 0\n", "immutape.toml:2: \"scrub_parts\" takes a whole number from 1 to 65536"),
        ("publish_every = '1h'\n", "immutape.toml:2: \"publish_every\" needs \"publish_to\""),
        ("publish_to = 'tree'\npublish_every = '1h'\n", "immutape.toml:2: \"publish_to\" must begin with /"),
        ("publish_entries = 'yes'\n", "immutape.toml:2: \"publish_entries\" takes true or false"),
        ("allow_private = 1\n", "immutape.toml:2: \"allow_private\" takes true or false"),
    ] {
        configure(&world, lines);
        let refused = world.run(["schedule", "show"]);
        assert!(refused.exit == 2 && refused.stderr.contains(wanted), "{lines}: {}", refused.all());
    }
    configure(&world, "scrub_every = '1d'\n");
    let mut command = world.command();
    let refused = command.env("IMMUTAPE_SCHEDULE_SCRUB_EVERY", "soon").args(["config", "print"]).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("IMMUTAPE_SCHEDULE_SCRUB_EVERY: \"scrub_every\" takes a time"), "{said}");
    let mut command = world.command();
    let given =
        command.env("IMMUTAPE_SCHEDULE_SCRUB_EVERY", "7d").args(["config", "get", "schedule.scrub_every"]).output();
    assert_eq!(String::from_utf8(given.unwrap().stdout).unwrap(), "7d\n", "a variable goes before a file");
    assert_eq!(world.run(["config", "get", "schedule.scrub_parts"]).exits(0).out(), "30\n");
}
