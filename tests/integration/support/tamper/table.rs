//! Runs the rows of the table two at a time, with a limit of time for each, and sums up.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use immutape::evidence::Verdict;

use super::base::Base;
use super::edits::Kind;
use super::expect::{Auditor, Case, Checked};
use super::folders::remove;
use super::judge::{self, Outcome};

/// A case that takes longer hangs.
const CASE_TIME_MAX: Duration = Duration::from_secs(30);
const WORKERS: usize = 2;

type Done = (usize, Result<Outcome, Vec<String>>);

/// Runs all cases; gives what each came to, in order, and every difference.
pub fn run(base: &Arc<Base>, cases: &Arc<Vec<Case>>) -> (Vec<Option<Outcome>>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (send, receive) = channel::<Done>();
    let next = Arc::new(AtomicUsize::new(0));
    let running: Arc<Mutex<BTreeMap<usize, Instant>>> = Arc::default();
    // Not scoped: one that hangs must not keep the test from failing.
    for _ in 0..WORKERS {
        let (base, cases, next, running) = (base.clone(), cases.clone(), next.clone(), running.clone());
        let (send, folder) = (send.clone(), folder.path().to_owned());
        std::thread::spawn(move || {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let Some(case) = cases.get(number) else { return };
                running.lock().unwrap_or_else(PoisonError::into_inner).insert(number, Instant::now());
                let root = folder.join(number.to_string());
                let result = catch_unwind(AssertUnwindSafe(|| judge::run(&base, case, &root)));
                running.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
                remove(&root);
                let result = result.unwrap_or_else(|_| Err(vec!["it panicked".to_owned()]));
                if send.send((number, result)).is_err() {
                    return;
                }
            }
        });
    }
    drop(send);
    let mut outcomes = vec![None; cases.len()];
    let mut wrong = Vec::new();
    loop {
        match receive.recv_timeout(Duration::from_millis(500)) {
            Ok((number, Ok(outcome))) => outcomes[number] = Some(outcome),
            Ok((number, Err(differences))) => {
                wrong.extend(differences.iter().map(|d| format!("{}\n    {d}", name(number, &cases[number]))))
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let running = running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((number, _)) = running.iter().find(|(_, since)| since.elapsed() > CASE_TIME_MAX) {
            panic!("{}\n    it hangs; differences so far:\n{}", name(*number, &cases[*number]), wrong.join("\n"));
        }
    }
    (outcomes, wrong)
}

fn name(number: usize, case: &Case) -> String {
    format!("case {number}, {} / {:?}: {}", case.file, case.kind, case.words)
}

/// File kind x edit kind x verdict, as text.
pub fn summary(cases: &[Case], outcomes: &[Option<Outcome>]) -> String {
    let mut rows: BTreeMap<(&str, Kind), BTreeMap<String, usize>> = BTreeMap::new();
    let mut totals: BTreeMap<String, usize> = BTreeMap::new();
    let (mut refused, mut accepted, mut blind) = (0, 0, 0);
    for (case, outcome) in cases.iter().zip(outcomes) {
        let Some(outcome) = outcome else { continue };
        let words = format!("{} / {}", outcome.verdict, outcome.opened);
        *rows.entry((case.file, case.kind)).or_default().entry(words).or_default() += 1;
        *totals.entry(outcome.verdict.clone()).or_default() += 1;
        match (outcome.auditor, case.expect.auditor) {
            (None, _) => {}
            (Some(_), Auditor::Blind) => blind += 1,
            (Some(0 | 10), _) => accepted += 1,
            (Some(_), _) => refused += 1,
        }
    }
    let mut out = String::new();
    for ((file, kind), verdicts) in rows {
        let verdicts: Vec<String> = verdicts.iter().map(|(words, n)| format!("{n} x {words}")).collect();
        out += &format!("{file:32} {:10} {}\n", format!("{kind:?}"), verdicts.join(", "));
    }
    out += &format!("verdicts: {totals:?}\n");
    out + &format!("auditor: refused {refused}, accepted {accepted}, cannot see without keys {blind}\n")
}

/// Kinds of files of which an edit may pass for intact, and that `docs/threats.md` does not name.
pub fn not_told(cases: &[Case]) -> Vec<String> {
    let threats = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/threats.md");
    let threats = std::fs::read_to_string(threats).unwrap();
    let passes = |case: &&Case| case.expect.check == Checked::Verdict(Verdict::Intact);
    let files: BTreeSet<&str> = cases.iter().filter(passes).map(|case| case.file).collect();
    let is_told = |file: &&str| threats.lines().any(|line| line.starts_with(&format!("| {file} |")));
    files.into_iter().filter(|file| !is_told(file)).map(|file| format!("not in docs/threats.md: {file}")).collect()
}

/// Kinds of files, or of parts of them, with the number of edits of each kind.
pub type Wanted = &'static [(&'static str, &'static [(Kind, usize)])];

/// Pairs of file kind and edit kind of which there are more or fewer edits than the table says.
pub fn gaps(cases: &[Case], wanted: &[(&'static str, &'static [(Kind, usize)])]) -> Vec<String> {
    let mut counts: BTreeMap<(&str, Kind), (usize, usize)> = BTreeMap::new();
    for (file, kinds) in wanted {
        for (kind, count) in *kinds {
            assert_eq!(counts.insert((file, *kind), (*count, 0)), None, "twice in the table: {file} / {kind:?}");
            assert!(*count > 0, "{file} / {kind:?}");
        }
    }
    for case in cases {
        counts.entry((case.file, case.kind)).or_default().1 += 1;
    }
    let differ = counts.iter().filter(|(_, (wanted, made))| wanted != made);
    differ
        .map(|((file, kind), (wanted, made))| format!("{file} / {kind:?}: {made} edits, the table says {wanted}"))
        .collect()
}

/// Kinds of files of which an edit may be seen by those alone who have keys, or sled: `docs/threats.md` tells of them.
const UNSEEN_WITHOUT_KEYS: &[&str] = &[
    "journal group code",
    "checkpoint.pem",
    "recorder.pem",
    "issuer.pem",
    "next keys",
    "vault-root key",
    "whole index folder",
    "whole config folder",
];

/// Edits that the ledger's check finds, and of which the table lets the auditor's program say nothing without a reason.
pub fn unseen(cases: &[Case]) -> Vec<String> {
    let passes = |case: &&Case| {
        let is_found = match case.expect.check {
            Checked::Verdict(verdict) => verdict == Verdict::Altered || !case.expect.parts.is_empty(),
            Checked::Refused(_) => true,
        };
        let is_seen = matches!(case.expect.auditor, Auditor::Refuses | Auditor::NoFolder);
        is_found && !is_seen && !UNSEEN_WITHOUT_KEYS.contains(&case.file)
    };
    let words = |case: &Case| format!("the auditor may pass {} / {:?}: {}", case.file, case.kind, case.words);
    cases.iter().filter(passes).map(words).collect()
}
