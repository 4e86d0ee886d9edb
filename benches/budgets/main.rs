//! Every budget of the design, measured against its bound in the same run on the same machine
//! (`docs/decisions/0005-bounds-of-the-budgets.md`).
//!
//! `cargo bench --bench budgets [-- --quick]`; `IMMUTAPE_BENCH_ONLY=a,c` picks parts,
//! `IMMUTAPE_BENCH_SECONDS` sets the length of one half of a round, `IMMUTAPE_BENCH_ROUNDS` their number,
//! `IMMUTAPE_BENCH_PATIENCE` how many seconds in all are waited for a quiet machine.
//! Nothing here asserts: a miss is printed as a miss, and `docs/performance.md` carries its profile.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    reason = "a measurement may stop at the first surprise, and its figures are rounded anyway"
)]

mod bare;
mod checks;
mod entries;
mod format;
mod lists;
mod material;
mod quiet;
mod raw;
mod reads;
mod report;
mod saves;
mod setup;
mod sizes;
mod starts;

use report::Table;
use setup::Plan;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.first().is_some_and(|a| a == "--child") {
        return starts::child(&args[1..]);
    }
    let plan = Plan::from_env(args.iter().any(|a| a == "--quick"));
    let parts: [(&str, &str, fn(&Plan, &mut Table)); 9] = [
        ("a", "durable entries", entries::throughput),
        ("b", "durable entry, one caller", entries::latency),
        ("c", "tapes of 10 KB", saves::small),
        ("d", "tapes of 5 MB", saves::big),
        ("e", "checks", checks::all),
        ("f", "opening", starts::all),
        ("g", "stored size", sizes::all),
        ("h", "reads", reads::all),
        ("i", "lists", lists::all),
    ];
    println!("{}", setup::machine());
    println!("{plan}\n");
    let mut table = Table::default();
    for (letter, subject, run) in parts {
        if plan.wants(letter) {
            println!("({letter}) {subject}");
            run(&plan, &mut table);
            println!();
        }
    }
    println!("load at the end {}; {}\n\n{table}", setup::load(), plan.quiet);
}
