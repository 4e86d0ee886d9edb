//! `immutape record -- cat` beside bare `cat`: what a client notices.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::report::{Budget, Row, Table};
use super::setup::{World, append, folder, runtime, somebody};
use super::{Sizes, messages, quantile, resident_kb};

/// Wrappers at once.
const ABREAST: usize = 8;
/// A client thinks between two messages.
const PAUSE: Duration = Duration::from_millis(2);
const STARTS: usize = 15;
const CALLERS: u64 = 64;

pub fn all(sizes: &Sizes, table: &mut Table) {
    let folder = folder();
    make(folder.path(), 0);
    starts(folder.path(), "a new ledger", table);
    let (mut bare, mut recorded, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    // Halves of rounds beside each other: other work falls on both.
    for _ in 0..sizes.plan.rounds.min(4) {
        let messages = (sizes.messages / 4).max(10);
        bare.extend(clients(|| cat(folder.path()), messages).0);
        let (took, resident) = clients(|| record(folder.path()), messages);
        recorded.extend(took);
        memory.extend(resident);
    }
    let mut row = |job: &str, unit: &str, figure: f64, budget| {
        table.add(Row::plain("d", job, unit, vec![figure], budget));
    };
    for (name, part) in [("p50", 0.5), ("p99", 0.99)] {
        let (with, without) = (quantile(&mut recorded, part), quantile(&mut bare, part));
        row(&format!("round trip through 8 bare `cat`, {name}"), "us", without * 1e3, Budget::None);
        row(&format!("round trip through 8 recorded `cat`, {name}"), "us", with * 1e3, Budget::None);
        row(&format!("added by the recorder, {name}"), "us", (with - without) * 1e3, Budget::AtMost(10_000.0));
    }
    row("memory of one wrapper", "KB", quantile(&mut memory, 0.5), Budget::None);
    let entries = sizes.plan.size(10_000, 100_000);
    make(folder.path(), entries);
    starts(folder.path(), &format!("{entries} entries"), table);
}

/// Makes the ledger that wrappers record into, or lets it grow.
fn make(folder: &Path, entries: u64) {
    runtime().block_on(async {
        let world = World::new();
        if entries == 0 {
            return world.create(folder).await.close().await.unwrap();
        }
        let ledger = world.open(folder).await;
        let tasks: Vec<_> = (0..CALLERS)
            .map(|_| {
                let ledger = ledger.clone();
                tokio::spawn(async move {
                    while ledger.size() < entries {
                        append(&ledger, &somebody()).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        ledger.close().await.unwrap();
    });
}

fn starts(folder: &Path, how: &str, table: &mut Table) {
    let (mut bare, mut recorded, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let (first, _) = once(cat(folder));
        bare.push(first);
        let (first, end) = once(record(folder));
        recorded.push(first);
        ends.push(end);
    }
    let mut row = |job: &str, figure: f64| {
        table.add(Row::plain("d", &format!("{how}: {job}"), "ms", vec![figure], Budget::None));
    };
    row("start of bare `cat` to its first message, p50", quantile(&mut bare, 0.5));
    row("start of a recorded `cat` to its first message, p50", quantile(&mut recorded, 0.5));
    row("the same, p90", quantile(&mut recorded, 0.9));
    row("from the end of input to the end of the recorder, p50", quantile(&mut ends, 0.5));
}

fn cat(_folder: &Path) -> Command {
    Command::new("cat")
}

fn record(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_immutape"));
    command.env("IMMUTAPE_DIR", folder.join("ledger")).env("IMMUTAPE_STATE_DIR", folder.join("state"));
    command.env("IMMUTAPE_CONFIG_DIR", folder.join("config")).args(["record", "--", "cat"]);
    command
}

fn start(mut command: Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
}

/// Milliseconds to the first message that came through, and from the end of input to the end.
fn once(command: Command) -> (f64, f64) {
    let begun = Instant::now();
    let mut child = start(command);
    let (mut input, mut output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut line = String::new();
    input.write_all(b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n").unwrap();
    output.read_line(&mut line).unwrap();
    let first = begun.elapsed().as_secs_f64() * 1e3;
    let ending = Instant::now();
    drop(input);
    assert!(child.wait().unwrap().success());
    (first, ending.elapsed().as_secs_f64() * 1e3)
}

/// Clients at once, each with its own program: milliseconds of every round trip, and what each program holds.
fn clients(command: impl Fn() -> Command, messages: usize) -> (Vec<f64>, Vec<f64>) {
    let clients: Vec<_> = (0..ABREAST).map(|n| (start(command()), n)).collect();
    let threads: Vec<_> =
        clients.into_iter().map(|(child, n)| std::thread::spawn(move || client(child, n, messages))).collect();
    let (mut took, mut resident) = (Vec::new(), Vec::new());
    for thread in threads {
        let (of_one, kb) = thread.join().unwrap();
        took.extend(of_one);
        resident.push(kb);
    }
    (took, resident)
}

fn client(mut child: Child, n: usize, count: usize) -> (Vec<f64>, f64) {
    let (mut input, mut output) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let messages = messages();
    let (mut took, mut line) = (Vec::new(), Vec::new());
    for k in 0..=count {
        let mut message = messages[(n * 37 + k) % messages.len()].payload.clone();
        message.push(b'\n');
        let start = Instant::now();
        input.write_all(&message).unwrap();
        line.clear();
        output.read_until(b'\n', &mut line).unwrap();
        // The first waits for the start.
        if k > 0 {
            took.push(start.elapsed().as_secs_f64() * 1e3);
        }
        assert_eq!(line, message);
        std::thread::sleep(PAUSE);
    }
    let resident = resident_kb(&child.id().to_string());
    drop(input);
    assert!(child.wait().unwrap().success());
    (took, resident)
}
