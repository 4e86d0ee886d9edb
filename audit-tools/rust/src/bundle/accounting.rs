//! Nothing unaccounted for: checks 10 and 11.

use super::completeness::{Asked, Completeness, Given, PATH, What, Withheld};
use super::facts::{Fact, Log};
use super::tapes::Judged;
use crate::digest::{Hash, ZERO};
use crate::report::{Report, Word};
use crate::text;
use crate::trust::Saved;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::vec::Vec;

const CHECK: &str = "accounting";

/// Checks 10 and 11.
pub fn check(lists: &Completeness, log: &Log, judged: &BTreeMap<Hash, Judged>, report: &mut Report) {
    asked(lists, report);
    if log.is_here {
        span(lists, log, report);
        private(lists, log, report);
        destroyed(lists, log, report);
    }
    let mut told = Told::new();
    for withheld in &lists.withheld {
        told.entry((withheld.tape, withheld.what)).or_default().push(withheld);
    }
    let mut first = BTreeSet::new();
    for given in lists.given.iter().filter(|given| first.insert(given.tape)) {
        if let Some(judged) = judged.get(&given.tape) {
            frames(lists, &told, given, judged, report);
        }
    }
    for withheld in &lists.withheld {
        about_given(lists, withheld, report);
    }
    for withheld in &lists.withheld {
        if matches!(withheld.what, What::Tape | What::Private) {
            report.find(Word::Gaps, format!("entry {}", withheld.entry), "something is withheld");
        }
    }
    for out in lists.out_of_scope.iter().filter(|out| out.field.is_none()) {
        report.find(
            Word::Gaps,
            format!("tape {}", text::hex(&out.tape)),
            "said to be out of scope, and nothing shows it",
        );
    }
}

/// Tape, custody id and entry of every tape in the four lists.
fn all(lists: &Completeness) -> impl Iterator<Item = (Hash, Hash, u64)> {
    let given = lists.given.iter().map(|given| (given.tape, given.custody, given.entry));
    let withheld = lists.withheld.iter().filter(|withheld| withheld.what == What::Tape);
    let withheld = withheld.map(|withheld| (withheld.tape, withheld.custody, withheld.entry));
    let elsewhere = lists.destroyed.iter().chain(&lists.out_of_scope);
    given.chain(withheld).chain(elsewhere.map(|tape| (tape.tape, tape.custody, tape.entry)))
}

fn asked(lists: &Completeness, report: &mut Report) {
    let mut listed = BTreeSet::new();
    for (tape, ..) in all(lists) {
        let first = listed.insert(tape);
        report.want(CHECK, first, Word::Incomplete, PATH, "a tape twice in the lists");
    }
    if let Asked::Ids(ids) = &lists.asked {
        for id in ids {
            report.want(CHECK, listed.contains(id), Word::Incomplete, PATH, "an id asked for is in none of the lists");
        }
    }
}

fn span(lists: &Completeness, log: &Log, report: &mut Report) {
    let (Some((first, last)), Asked::Query((from, to))) = (lists.span, &lists.asked) else { return };
    let here = log.facts.iter().filter(|fact| (first..=last).contains(&fact.index)).count() as u64;
    let whole = here == last.saturating_sub(first).saturating_add(1);
    report.want(CHECK, whole, Word::Incomplete, PATH, "an entry of the span is not here");
    report.want(CHECK, last < lists.log_size, Word::Incomplete, PATH, "a span past the size it was asked at");
    if let Some(fact) = log.fact(first) {
        let so = first == 0 || fact.time < *from;
        report.want(CHECK, so, Word::Incomplete, PATH, "a span that begins within the time asked for");
    }
    if let Some(fact) = log.fact(last) {
        let so = fact.time > *to || last.saturating_add(1) == lists.log_size;
        report.want(CHECK, so, Word::Incomplete, PATH, "a span that ends within the time asked for");
    }
    let within = |saved: &&Saved| (first..=last).contains(&saved.index) && (*from..=*to).contains(&saved.time);
    let saved: BTreeSet<_> =
        log.trust.saved.iter().filter(within).map(|saved| (saved.tape, saved.custody, saved.index)).collect();
    let listed: BTreeSet<_> = all(lists).collect();
    report.want(
        CHECK,
        saved == listed,
        Word::Incomplete,
        PATH,
        "other tapes in the lists than were saved in the time asked for",
    );
}

/// Rows of what is withheld of given tapes, by tape and by what. A hostile list has hundreds of thousands of both.
type Told<'a> = BTreeMap<(Hash, What), Vec<&'a Withheld>>;

fn frames(lists: &Completeness, told: &Told<'_>, given: &Given, judged: &Judged, report: &mut Report) {
    let told = |what| told.get(&(given.tape, what)).map(Vec::as_slice).unwrap_or_default();
    let place = format!("tape {}", text::hex(&given.tape));
    let mut want = |so: bool, what: &'static str| report.want(CHECK, so, Word::Incomplete, &place, what);
    if let Some(root) = judged.root {
        want(given.frames == root.frames, "another number of frames than the tape has");
        let last = root.frames.checked_sub(1);
        let asked = lists.frames.unwrap_or((0, u64::MAX));
        let expected = last.filter(|last| asked.0 <= *last).map(|last| (asked.0, asked.1.min(last)));
        want(given.opened == expected, "other frames than were asked for");
        let some_closed = root.frames > 0 && given.opened != last.map(|last| (0, last));
        want(
            told(What::Frames).len() == usize::from(some_closed),
            "frames that are not there, and not said to be withheld, or the other way round",
        );
    }
    if let Some(seen) = judged.frames {
        let count = seen.range.map_or(0, |(first, last)| last.saturating_sub(first).saturating_add(1));
        want(seen.range == given.opened && seen.count == count, "other frames are here than is said");
        let closed = seen.count.saturating_sub(seen.open);
        let fits = if lists.payloads { closed == 0 } else { seen.open == 0 };
        want(fits, "payloads that are not all open or all closed as is said");
        want(
            told(What::Payloads).len() == usize::from(closed > 0),
            "payloads that are closed, and not said to be withheld, or the other way round",
        );
    }
    if let Some(closed) = &judged.header_closed {
        let so = match told(What::Header) {
            [] => closed.is_empty(),
            [one] => !closed.is_empty() && one.fields == *closed,
            _ => false,
        };
        want(so, "other fields of the header stay closed than is said");
    }
}

/// Frames, payloads and headers are withheld of given tapes.
fn about_given(lists: &Completeness, withheld: &Withheld, report: &mut Report) {
    if matches!(withheld.what, What::Tape | What::Private) {
        return;
    }
    let so = lists
        .given_by_tape(&withheld.tape)
        .is_some_and(|given| (given.custody, given.entry) == (withheld.custody, withheld.entry));
    report.want(CHECK, so, Word::Incomplete, PATH, "something withheld of a tape that is not given");
}

/// Fields that a `withheld` of an entry need not name.
fn unneeded(kind: u16) -> u64 {
    if matches!(kind, 34 | 35 | 40) { 1 << 19 | 1 << 31 } else { 0 }
}

fn bits(fields: &[u64]) -> u64 {
    fields.iter().map(|n| 1_u64.checked_shl(u32::try_from(*n).unwrap_or(64)).unwrap_or(0)).fold(0, |all, bit| all | bit)
}

/// Whether an entry has to be open as a whole, or be named.
fn is_needed(lists: &Completeness, log: &Log, fact: &Fact) -> bool {
    let in_span = lists.span.is_some_and(|(first, last)| (first..=last).contains(&fact.index));
    match fact.kind {
        _ if log.chains.contains_key(&fact.subject) => true,
        34 | 35 => fact.member,
        40 => !in_span,
        _ => false,
    }
}

fn private(lists: &Completeness, log: &Log, report: &mut Report) {
    let mut named: BTreeMap<u64, Vec<&Withheld>> = BTreeMap::new();
    for withheld in lists.withheld.iter().filter(|withheld| withheld.what == What::Private) {
        named.entry(withheld.entry).or_default().push(withheld);
        let so = log.fact(withheld.entry).is_some_and(|fact| names_entry(lists, log, fact, withheld));
        report.want(
            CHECK,
            so,
            Word::Incomplete,
            PATH,
            "something withheld of an entry that is not here, or is about another tape",
        );
    }
    for fact in &log.facts {
        let over = unneeded(fact.kind);
        let told = named.get(&fact.index).map(Vec::as_slice).unwrap_or_default();
        if told.is_empty() && !is_needed(lists, log, fact) {
            continue;
        }
        let so = match (fact.closed, told) {
            (None, [one]) => one.fields.is_empty(),
            (Some(closed), []) => closed & !over == 0,
            (Some(closed), [one]) => {
                let fields = bits(&one.fields);
                let true_fields = fields & !closed == 0 && one.fields.iter().all(|n| *n < 64);
                !one.fields.is_empty() && true_fields && fields & !over == closed & !over
            }
            _ => false,
        };
        let place = format!("entry {}", fact.index);
        report.want(CHECK, so, Word::Incomplete, &place, "other private fields stay closed than is said");
    }
}

fn names_entry(lists: &Completeness, log: &Log, fact: &Fact, withheld: &Withheld) -> bool {
    let tape = lists.given_by_custody(&fact.subject).map(|given| given.tape);
    let tape = tape.or_else(|| log.trust.saved_of(&fact.subject).map(|saved| saved.tape));
    let tape = if fact.subject == ZERO { Some(ZERO) } else { tape };
    withheld.custody == fact.subject && tape.is_none_or(|tape| withheld.tape == tape)
}

fn destroyed(lists: &Completeness, log: &Log, report: &mut Report) {
    for tape in &lists.destroyed {
        let by = tape.field.and_then(|index| log.fact(index));
        let so = by.is_some_and(|fact| matches!(fact.kind, 86 | 88 | 90) && fact.subject == tape.custody);
        report.want(CHECK, so, Word::Incomplete, PATH, "a tape said to be destroyed, and no entry here says so");
    }
}
