//! A real process is killed with SIGKILL under load, a hundred times, on the real disk: everything it was told
//! is there.

use immutape::evidence::{Severity, Verdict};
use immutape::ledger::{CheckOptions, Checker};

use crate::support::crash::child::{Told, Worker, check_frames, check_told, run_if_asked, sleep_ms};
use crate::support::crash::{folders_in, in_runtime};
use crate::support::ledgers::real;
use crate::support::trials;

/// Kills; the least, where another number is asked for.
const ROUNDS_MIN: u64 = 100;

/// The child; returns at once when nobody asked for one.
#[test]
fn child() {
    run_if_asked();
}

/// splitmix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 11) % limit
    }
}

#[test]
fn a_hundred_kills_lose_nothing() {
    let rounds = trials(ROUNDS_MIN).max(ROUNDS_MIN);
    let folder = tempfile::tempdir().unwrap();
    let mut dice = Dice(std::env::var("IMMUTAPE_CRASH_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(7));
    println!("seed {}", dice.0);
    let (mut told, mut before, mut in_opening) = (Vec::<Told>::new(), Vec::new(), 0);
    for round in 0..rounds {
        let worker = Worker::start("ledger_kill::child", folder.path(), round, &[]);
        // Now and then while it is still opening; the first rounds must make the ledger.
        if round > 4 && dice.below(5) == 0 {
            sleep_ms(dice.below(40));
            in_opening += 1;
        } else {
            assert!(worker.wait_until_ready(), "round {round}: the child did not come so far");
            sleep_ms(dice.below(120));
        }
        let new = worker.kill();
        let words = format!("round {round}");
        told.extend(&new);
        check_told(folder.path(), &told, round + 1, &mut before, &words);
        let last: Vec<Told> = new.iter().rev().take(2).copied().collect();
        // Every other round the next child finds what the kill left; else it is this process.
        if round % 2 == 0 {
            in_runtime(check_frames(folder.path(), &last, &words)).unwrap_or_else(|e| panic!("{words}: {e}"));
        }
        if round % 10 == 9 || round + 1 == rounds {
            verify(folder.path(), &words);
        }
    }
    in_runtime(check_frames(folder.path(), &told, "at the end")).unwrap();
    let found = check_told(folder.path(), &told, rounds, &mut before, "at the end");
    verify(folder.path(), "at the end");
    println!("{rounds} kills, {in_opening} of them while opening: 0 lost of {found:?}");
    assert!(found.entries > found.acknowledged + found.reads);
    assert!(found.acknowledged > rounds && found.reads > 0 && in_opening > 5);
}

fn verify(folder: &std::path::Path, words: &str) {
    let report = Checker::open(&folders_in(folder), &real()).unwrap().run(&CheckOptions::default());
    // Rows may be behind what a kill left; the next start catches up. Torn bytes and orphans are notes.
    let wrong = report.findings.iter().find(|f| f.severity > Severity::Note && f.part != "rows");
    let told = matches!(report.verdict(), Verdict::Intact | Verdict::IntactWithGaps);
    assert!(told && wrong.is_none(), "{words}: {report:#?}");
}
