//! What leaves the house, and what that costs those who stay: `cargo bench --bench outside [-- --quick]`.
//!
//! `IMMUTAPE_BENCH_ONLY=a` picks parts; the other variables are those of `budgets`. Nothing here asserts a time: a miss is printed
//! as a miss, and `docs/performance.md` carries its profile.

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

#[path = "../budgets/quiet.rs"]
mod quiet;
#[path = "../budgets/report.rs"]
mod report;
#[path = "../budgets/setup.rs"]
mod setup;

mod proofs;
mod witnesses;

use report::Table;
use setup::Plan;

fn main() {
    let plan = Plan::from_env(std::env::args().any(|a| a == "--quick"));
    let parts: [(&str, &str, fn(&Plan, &mut Table)); 2] =
        [("a", "proofs", proofs::all), ("b", "entries beside rounds of witnesses", witnesses::all)];
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
