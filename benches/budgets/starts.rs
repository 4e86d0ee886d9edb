//! Opening: a new process each time, after a clean close and after a kill; and what an idle one holds.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::checks::grow;
use super::report::{Budget, Row, Table};
use super::setup::{Plan, World, folder, runtime, somebody};

const CALLERS: usize = 64;
/// Entries of a term that ends with a kill.
const DIRTY_ENTRIES: u64 = 2_000;

pub fn all(plan: &Plan, table: &mut Table) {
    let sizes: [(u64, f64); 2] = plan.size([(20_000, 50.0), (100_000, 50.0)], [(100_000, 50.0), (1_000_000, 300.0)]);
    for (size, budget_ms) in sizes {
        let folder = folder();
        let place = folder.path().join("l");
        run("grow", &place, size);
        let (mut clean, mut killed, mut alone, mut resident) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..plan.rounds.min(5) {
            run("touch", &place, 0);
            let (ms, mb) = plan.quiet.round(|| opened(&place));
            clean.push(ms);
            resident.push(mb);
            killed.push(plan.quiet.round(|| {
                kill_after(&place, "dirty", DIRTY_ENTRIES);
                opened(&place).0
            }));
        }
        // Groups of one entry each: the most headers that a start can meet in the last segment.
        if !plan.quick && size == 100_000 {
            kill_after(&place, "alone", size + 30_000);
            alone.push(opened(&place).0);
        }
        let words = |how: &str| format!("open a ledger of {} entries, {how}", super::report::number(size as f64));
        table.add(Row::plain("f", &words("closed in order"), "ms", clean, Budget::AtMost(budget_ms)));
        table.add(Row::plain("f", &words("killed"), "ms", killed, Budget::AtMost(budget_ms)));
        if !alone.is_empty() {
            table.add(Row::plain(
                "f",
                &words("and of 30 000 more in groups of one, killed"),
                "ms",
                alone,
                Budget::None,
            ));
        }
        let job = format!("resident, idle, {} entries", super::report::number(size as f64));
        table.add(Row::plain("f", &job, "MB", resident, Budget::AtMost(48.0)));
    }
}

fn command(verb: &str, place: &Path, entries: u64) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("--child").arg(verb).arg(place).arg(entries.to_string());
    command
}

fn run(verb: &str, place: &Path, entries: u64) {
    assert!(command(verb, place, entries).status().unwrap().success());
}

/// Lets a process append until it said that it has enough, and kills it.
fn kill_after(place: &Path, verb: &str, entries: u64) {
    let mut child = command(verb, place, entries).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "enough\n");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Milliseconds to open, and megabytes resident a while later.
fn opened(place: &Path) -> (f64, f64) {
    let output = command("open", place, 0).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut figures = text.split_whitespace().map(|f| f.parse::<f64>().unwrap());
    (figures.next().expect("the child opened the ledger"), figures.next().unwrap())
}

/// What a child process does.
pub fn child(args: &[String]) {
    let [verb, place, entries] = args else { panic!("verb, place, entries") };
    let (place, entries) = (Path::new(place), entries.parse::<u64>().unwrap());
    let world = World::new();
    runtime().block_on(async {
        if verb == "grow" {
            let ledger = world.create(place).await;
            grow(&ledger, entries, CALLERS).await;
            return ledger.close().await.unwrap();
        }
        let start = Instant::now();
        let ledger = world.open(place).await;
        let ms = start.elapsed().as_secs_f64() * 1e3;
        match verb.as_str() {
            "touch" => {
                ledger.note_log_read(&somebody()).await.unwrap();
                ledger.close().await.unwrap();
            }
            "open" => {
                ledger.settle().await.unwrap();
                tokio::time::sleep(Duration::from_millis(300)).await;
                println!("{ms} {}", resident_mb());
                // Nothing was appended, so nothing is left unclean.
                std::process::exit(0);
            }
            "dirty" | "alone" => {
                let callers = if verb == "alone" { 1 } else { CALLERS };
                let enough = if verb == "alone" { entries } else { ledger.size() + entries };
                grow(&ledger, enough, callers).await;
                println!("enough");
                grow(&ledger, u64::MAX, callers).await;
            }
            other => panic!("no verb {other}"),
        }
    });
}

fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1e3
}
