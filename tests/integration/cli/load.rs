//! The real program under load: killed with SIGKILL a hundred times, and fed more than it may hold in memory.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Stdio};
use std::time::Duration;

use super::world::World;
use crate::support::{TRIALS_VARIABLE, trials};

const KILLS_MIN: u64 = 100;
/// Files of one round: more than a round has time for.
const FILES: u64 = 60;

#[test]
fn a_hundred_kills_of_the_program_lose_nothing() {
    let world = World::with_tapes(&["sqlite-crash"]);
    let kills = trials(KILLS_MIN).max(KILLS_MIN);
    let (mut acknowledged, mut killed_at_work) = (BTreeSet::new(), 0);
    for round in 0..kills {
        let names: Vec<String> = (0..FILES).map(|n| format!("{round}-{n}")).collect();
        for name in &names {
            let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":\"{name}\",\"method\":\"ping\"}}\n");
            fs::write(world.path(name), line).unwrap();
        }
        let mut child = world.command();
        let mut child = child.arg("save").args(&names).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        // Every fifth while it is still opening; the others after their first answers.
        let mut said = String::new();
        if round % 5 > 0 {
            out.read_line(&mut said).unwrap();
            std::thread::sleep(Duration::from_millis(round * 7 % 40));
        } else {
            std::thread::sleep(Duration::from_millis(round / 5 % 12));
        }
        killed_at_work += u64::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
        out.read_to_string(&mut said).unwrap();
        // A line that the kill cut in two was never a whole answer.
        let whole = said.rsplit_once('\n').map_or("", |(whole, _)| whole);
        acknowledged.extend(whole.lines().map(str::to_owned));
        names.iter().for_each(|name| fs::remove_file(world.path(name)).unwrap());
        if round % 10 == 9 {
            let kept = kept(&world);
            let lost: Vec<_> = acknowledged.difference(&kept).collect();
            assert!(lost.is_empty(), "round {round}: lost {lost:?}");
            world.run(["verify", "--quiet"]).exits(0);
        }
    }
    println!("{kills} kills, {killed_at_work} of them at work: 0 lost of {}", acknowledged.len());
    assert!(killed_at_work * 10 >= kills * 9 && acknowledged.len() as u64 > kills / 2);
    let log = world.run(["log", "--all"]).exits(0).out();
    assert!(log.matches("unclean").count() as u64 > kills / 4, "the log tells of the kills");
}

fn kept(world: &World) -> BTreeSet<String> {
    let listed = world.run(["list", "--json"]).exits(0).documents();
    listed.iter().filter_map(|d| d["tape"].as_str().map(str::to_owned)).collect()
}

/// The most memory a process had, in KiB; `None` where the system does not tell.
fn peak_kib(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Gigabytes of the session, where somebody asks for another length.
const GIGABYTES_VARIABLE: &str = "IMMUTAPE_TEST_GB";

/// A gigabyte in long runs, a part of it else; as many as asked for.
#[test]
fn a_session_larger_than_memory_goes_in() {
    let asked: Option<u64> = std::env::var(GIGABYTES_VARIABLE).ok().map(|n| n.parse().unwrap());
    let usual = if std::env::var_os(TRIALS_VARIABLE).is_some() { 1 << 30 } else { 200 << 20 };
    let bytes = asked.map_or(usual, |gigabytes| gigabytes << 30);
    let world = World::new();
    let mut child = world.command();
    let mut child =
        child.args(["save", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let (mut sent, mut frames, mut peak) = (0, 0u64, None);
    while sent < bytes {
        // Words that differ from line to line, so that nothing is saved by packing them.
        let words: String =
            (0..40).map(|n| format!("{:x} ", (frames * 40 + n).wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        let line =
            format!("{{\"jsonrpc\":\"2.0\",\"method\":\"log\",\"params\":{{\"n\":{frames},\"words\":\"{words}\"}}}}\n");
        input.write_all(line.as_bytes()).unwrap();
        sent += line.len() as u64;
        frames += 1;
        if frames == 1_000 && cfg!(target_os = "linux") {
            // What it holds in memory must not reach a disk by a crash.
            let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
            let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
            assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "core dumps are off");
        }
        if frames.is_multiple_of(1_000) {
            peak = peak.max(peak_kib(&child));
        }
    }
    drop(input);
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(peak_kib(&child));
        std::thread::sleep(Duration::from_millis(1));
    }
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success() && said.contains(&format!("{frames} frames kept")), "{said}");
    match peak {
        Some(kib) => assert!(kib < 64 << 10, "peak of {kib} KiB for {sent} bytes"),
        None => println!("peak memory is not known on this system: not checked"),
    }
    println!("{sent} bytes in {frames} frames, peak {peak:?} KiB");
    world.run(["verify", "--quiet"]).exits(0);
}
