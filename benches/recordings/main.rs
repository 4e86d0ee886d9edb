//! Recordings under load, beside what the same bytes cost without a ledger in the same run:
//! `cargo bench --bench recordings [-- --quick]`.
//!
//! `IMMUTAPE_BENCH_ONLY=a,c` picks parts; `IMMUTAPE_BENCH_RECORDINGS` says how many are made at once, `IMMUTAPE_BENCH_LOAD_SECONDS`
//! for how long, `IMMUTAPE_BENCH_SESSIONS` how many short ones follow each other, `IMMUTAPE_BENCH_MESSAGES` how many messages go
//! through each wrapper. Nothing here asserts a time: a miss is printed as a miss, and `docs/performance.md` carries its profile.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    reason = "a measurement may stop at the first surprise, and its figures are rounded anyway"
)]
#![allow(dead_code, reason = "the parts shared with the other benchmark hold more than this one needs")]

#[path = "../budgets/material.rs"]
mod material;
#[path = "../budgets/quiet.rs"]
mod quiet;
#[path = "../budgets/report.rs"]
mod report;
#[path = "../budgets/setup.rs"]
mod setup;

mod at_once;
mod bound;
mod one_by_one;
mod sessions;
mod spools;
mod wrapped;

use immutape::tape::Frame;

use material::{TAPES, captured, import};
use report::Table;
use setup::Plan;

/// What is measured, and how much of it.
pub struct Sizes {
    plan: Plan,
    recordings: usize,
    load_seconds: f64,
    sessions: usize,
    messages: usize,
}

impl Sizes {
    fn from_env(is_quick: bool) -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse::<f64>().ok());
        let either = |name: &str, quick: f64, full: f64| number(name).unwrap_or(if is_quick { quick } else { full });
        Self {
            plan: Plan::from_env(is_quick),
            recordings: either("IMMUTAPE_BENCH_RECORDINGS", 200.0, 200.0) as usize,
            load_seconds: either("IMMUTAPE_BENCH_LOAD_SECONDS", 3.0, 60.0),
            sessions: either("IMMUTAPE_BENCH_SESSIONS", 200.0, 2_000.0) as usize,
            messages: either("IMMUTAPE_BENCH_MESSAGES", 200.0, 2_000.0) as usize,
        }
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|a| a == "--child") {
        return at_once::child(&args[1..]);
    }
    let sizes = Sizes::from_env(args.iter().any(|a| a == "--quick"));
    let parts: [(&str, &str, fn(&Sizes, &mut Table)); 5] = [
        ("a", "recordings at once", at_once::all),
        ("b", "one frame after another", one_by_one::all),
        ("c", "short sessions", sessions::all),
        ("d", "a wrapper before a program", wrapped::all),
        ("e", "spools of others", spools::all),
    ];
    println!("{}", setup::machine());
    println!(
        "{} at once for {} s, {} short ones, {} messages a wrapper\n",
        sizes.recordings, sizes.load_seconds, sizes.sessions, sizes.messages
    );
    let mut table = Table::default();
    for (letter, subject, run) in parts {
        if sizes.plan.wants(letter) {
            println!("({letter}) {subject}");
            run(&sizes, &mut table);
            println!();
        }
    }
    println!("load at the end {}; {}\n\n{table}", setup::load(), sizes.plan.quiet);
}

/// Real messages, to be recorded again.
pub fn messages() -> Vec<Frame> {
    let frames = TAPES.iter().flat_map(|name| import(&captured(name)).frames);
    let fresh = |f: Frame| Frame { seq: 0, t_ns: None, wall_ns: None, flags: 0, ..f };
    frames.map(fresh).collect()
}

/// The figure below which so large a part of them lie.
pub fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = ((values.len() as f64 * part).ceil() as usize).saturating_sub(1);
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// Kilobytes that a process has in memory; zero when it is gone.
pub fn resident_kb(pid: &str) -> f64 {
    kilobytes(pid, "VmRSS:")
}

/// The most that this process ever had.
pub fn peak_kb() -> f64 {
    kilobytes("self", "VmHWM:")
}

fn kilobytes(pid: &str, what: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix(what)).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0.0)
}
