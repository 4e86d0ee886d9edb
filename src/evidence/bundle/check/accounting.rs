//! Check 10: nothing is unaccounted for.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{Asked, Completeness};
use super::entries::Log;
use super::report::{BundleReport, part};
use crate::codec::digest::{CustodyId, TapeId};
use crate::evidence::Verdict;

/// Compares the lists with what was asked, and with the log.
pub(super) fn check(completeness: &Completeness, log: &Log, report: &mut BundleReport) {
    if completeness.given.is_empty() {
        let what = "no tape is given, so nothing binds what is said here to the log";
        report.find(Verdict::CannotTell, part::ACCOUNTING, "COMPLETENESS.json", what);
    }
    let mut listed: BTreeMap<TapeId, u64> = BTreeMap::new();
    for (tape, ..) in completeness.accounted() {
        report.looked(part::ACCOUNTING, 1);
        let times = listed.entry(tape).or_default();
        *times = times.saturating_add(1);
    }
    for (tape, _) in listed.iter().filter(|(_, times)| **times > 1) {
        report.incomplete(part::ACCOUNTING, tape.to_text(), "it is accounted for twice");
    }
    match &completeness.asked {
        Asked::Ids(asked) => {
            for tape in asked.ids.iter().filter(|tape| !listed.contains_key(tape)) {
                report.incomplete(part::ACCOUNTING, tape.to_text(), "it was asked for and is not accounted for");
            }
        }
        Asked::Query(asked) => span(completeness, asked.sealed_ms, log, report),
    }
}

/// Everything of the span is here, it covers the time asked for, and its tapes are those of the lists.
fn span(completeness: &Completeness, (from, to): (u64, u64), log: &Log, report: &mut BundleReport) {
    // Without a search there is none, and the file does not read.
    let Some((first, last)) = completeness.span else { return };
    let place = format!("entries {first} to {last}");
    let mut wrong = |what: &str| report.incomplete(part::ACCOUNTING, place.as_str(), what);
    if last >= completeness.log_size {
        wrong("the span ends behind the log that was asked");
    }
    let within = log.facts.iter().filter(|fact| (first..=last).contains(&fact.index)).count() as u64;
    if last.checked_sub(first).and_then(|n| n.checked_add(1)) != Some(within) {
        wrong("not every entry of the span is here");
    }
    let time = |index: u64| log.at(index).map(|fact| fact.time_ms);
    if first != 0 && time(first).is_some_and(|time| time >= from) {
        wrong("the span begins behind the time that was asked for");
    }
    let is_last = last.checked_add(1) == Some(completeness.log_size);
    if !is_last && time(last).is_some_and(|time| time <= to) {
        wrong("the span ends before the time that was asked for does");
    }
    let in_time = |time_ms: u64| (from..=to).contains(&time_ms);
    let saved = log.said.saved.iter().filter(|s| (first..=last).contains(&s.entry) && in_time(s.time_ms));
    let saved: BTreeSet<(TapeId, CustodyId, u64)> =
        saved.map(|saved| (saved.tape, saved.custody, saved.entry)).collect();
    let listed: BTreeSet<(TapeId, CustodyId, u64)> = completeness.accounted().collect();
    for (tape, _, entry) in saved.difference(&listed) {
        let what = format!("entry {entry} saved it in the time that was asked for, and it is not accounted for");
        report.incomplete(part::ACCOUNTING, tape.to_text(), what);
    }
    for (tape, ..) in listed.difference(&saved) {
        let what = "it is accounted for, and no entry of the span saved it so in the time that was asked for";
        report.incomplete(part::ACCOUNTING, tape.to_text(), what);
    }
}
