//! The real program under load: killed with SIGKILL a hundred times, and fed more than it may hold in memory.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Stdio};
use std::time::Duration;

use super::world::World;
use crate::interchange_packed::{gzip, zstd};
use crate::support::{TRIALS_VARIABLE, skipped, trials};

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

/// The most it had until its end.
fn peak_until_end(child: &mut Child) -> Option<u64> {
    let mut peak = None;
    while child.try_wait().unwrap().is_none() {
        peak = peak.max(peak_kib(child));
        std::thread::sleep(Duration::from_millis(1));
    }
    peak
}

/// What `docs/operating.md` states: for a session in lines, whatever its length, and for an import of 10,000 tapes.
const SESSION_KIB: u64 = 64 << 10;
const IMPORT_KIB: u64 = 96 << 10;

fn check_peak(peak: Option<u64>, most_kib: u64, what: &str) {
    match peak {
        Some(kib) => assert!(kib > 1_000 && kib < most_kib, "peak of {kib} KiB for {what}"),
        None => skipped("peak memory is not known on this system"),
    }
    println!("{what}: peak {peak:?} KiB");
}

/// Tapes of the import, where somebody asks for another number.
const TAPES_VARIABLE: &str = "IMMUTAPE_TEST_TAPES";

#[test]
fn an_import_of_many_tapes_stays_within_its_memory() {
    let asked: Option<u64> = std::env::var(TAPES_VARIABLE).ok().map(|n| n.parse().unwrap());
    let tapes = asked.unwrap_or(1_000);
    let world = World::new();
    fs::create_dir(world.path("in")).unwrap();
    for n in 0..tapes {
        let line =
            |k: u64| format!("{{\"jsonrpc\":\"2.0\",\"id\":{k},\"method\":\"m{}\",\"params\":[{n},{k}]}}\n", k % 7);
        fs::write(world.path(format!("in/{n:05}.jsonl")), (0..40).map(line).collect::<String>()).unwrap();
    }
    let mut command = world.command();
    let out = fs::File::create(world.path("out")).unwrap();
    let mut child = command.args(["import", "in"]).stdout(out).stderr(Stdio::piped()).spawn().unwrap();
    let peak = peak_until_end(&mut child);
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let lines = fs::read_to_string(world.path("out")).unwrap();
    let names: Vec<&str> = lines.lines().filter_map(|l| l.strip_prefix("kept ")?.split_whitespace().last()).collect();
    let wanted: Vec<String> = (0..tapes).map(|n| format!("in/{n:05}.jsonl")).collect();
    assert!(names == wanted, "each is kept, and told in the order of the files");
    check_peak(peak, if tapes > 1_000 { IMPORT_KIB } else { SESSION_KIB }, &format!("{tapes} tapes"));
    world.run(["verify", "--quiet"]).exits(0);
}

/// A long session out of a compressed stream: all of it passes through, none of it is held.
#[test]
fn a_compressed_session_larger_than_memory_goes_in() {
    let bytes = if std::env::var_os(TRIALS_VARIABLE).is_some() { 256 << 20 } else { 96 << 20 };
    let mut block = String::new();
    let mut frames = 0u64;
    while block.len() < 4 << 20 {
        let words: String =
            (0..40u64).map(|n| format!("{:x} ", (frames * 40 + n).wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        block.push_str(&format!("{{\"jsonrpc\":\"2.0\",\"method\":\"log\",\"params\":\"{words}\"}}\n"));
        frames += 1;
    }
    let blocks = bytes / block.len() + 1;
    // Streams of several parts are one stream: a part packed once is enough.
    for (name, part) in [("a.gz", gzip(block.as_bytes())), ("b.zst", zstd(block.as_bytes()))] {
        let world = World::new();
        fs::write(world.path(name), part.repeat(blocks)).unwrap();
        let mut command = world.command();
        let mut child = command.args(["save", name]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let peak = peak_until_end(&mut child);
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(said.contains(&format!("{} frames kept", frames * blocks as u64)), "{said}");
        check_peak(peak, SESSION_KIB, &format!("{name}, {} bytes inflated", block.len() * blocks));
    }
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
    peak = peak.max(peak_until_end(&mut child));
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success() && said.contains(&format!("{frames} frames kept")), "{said}");
    check_peak(peak, SESSION_KIB, &format!("{sent} bytes in {frames} frames"));
    world.run(["verify", "--quiet"]).exits(0);
}
