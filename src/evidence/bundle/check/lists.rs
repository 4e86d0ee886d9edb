//! Check 11: what is given is what the lists say.

use std::collections::{HashMap, HashSet};

use super::super::{Completeness, Given, What, Withheld};
use super::bag::Payload;
use super::entries::{Fact, Log, Private};
use super::report::{BundleReport, part};
use super::source::Paths;
use super::tapes::{self, TapeHere};
use crate::codec::digest::{CustodyId, TapeId};
use crate::evidence::Verdict;
use crate::log::EntryKind;

/// Ids of other tapes in a list, and the salt of its set: they need not be told of.
const SET: u64 = 19;
const SET_SALT: u64 = 31;

/// Compares the lists with what is here.
pub(super) fn check(
    completeness: &Completeness,
    (paths, payload): (&Paths<'_>, &Payload),
    log: &Log,
    here: &HashMap<TapeId, TapeHere>,
    report: &mut BundleReport,
) {
    let mut withheld: HashMap<TapeId, Vec<&Withheld>> = HashMap::new();
    completeness.withheld.iter().for_each(|one| withheld.entry(one.tape).or_default().push(one));
    // What is listed twice was told with the accounting.
    let mut seen = HashSet::new();
    for given in completeness.given.iter().filter(|given| seen.insert(given.tape)) {
        report.looked(part::ACCOUNTING, 1);
        if let Some(here) = here.get(&given.tape) {
            let withheld = withheld.get(&given.tape).map(Vec::as_slice).unwrap_or_default();
            tape(completeness, given, (here, withheld), report);
        }
    }
    withheld_of_given(completeness, report);
    private(completeness, log, report);
    let mut seen = HashSet::new();
    for tape in completeness.out_of_scope.iter().filter(|tape| seen.insert(tape.tape)) {
        match tape.field {
            Some(field) => out_of_scope(&tape.tape, field, (paths, payload), report),
            None => gap(report, tape.tape.to_text(), "that it is out of scope is said, and not shown"),
        }
    }
    for tape in &completeness.destroyed {
        let by = log.at(tape.by).filter(|fact| fact.kind.destroys_tape() && fact.subject == tape.custody);
        if by.is_none() {
            let what = format!("entry {} does not say here that it was destroyed", tape.by);
            report.incomplete(part::ACCOUNTING, tape.tape.to_text(), what);
        }
    }
    let gaps = completeness.withheld.iter().filter(|w| matches!(w.what, What::Tape | What::Private));
    for withheld in gaps {
        let what = match withheld.what {
            What::Tape => "it is withheld".to_owned(),
            _ => format!("private fields of entry {} are withheld", withheld.entry),
        };
        gap(report, withheld.tape.to_text(), what);
    }
}

fn gap(report: &mut BundleReport, place: String, what: impl Into<String>) {
    report.find(Verdict::IntactWithGaps, part::ACCOUNTING, place, what);
}

/// The frames that one asked for, of so many.
fn due(asked: Option<(u64, u64)>, frames: u64) -> Option<(u64, u64)> {
    let last = frames.checked_sub(1)?;
    match asked {
        None => Some((0, last)),
        Some((first, _)) if first > last => None,
        Some((first, to)) => Some((first, to.min(last))),
    }
}

fn tape(
    completeness: &Completeness,
    given: &Given,
    (here, withheld): (&TapeHere, &[&Withheld]),
    report: &mut BundleReport,
) {
    let place = given.tape.to_text();
    let mut wrong = |what: &str| report.incomplete(part::ACCOUNTING, place.as_str(), what);
    let withheld = |what: What| withheld.iter().filter(move |w| w.what == what);
    if here.frames.is_some_and(|frames| frames != given.frames) {
        wrong("the tape has another number of frames than is said");
    }
    if let (Some(frames), Some(there)) = (here.frames, here.here) {
        let range = there.first.zip(there.last);
        if range != given.opened || there.has_hole {
            wrong("other frames are here than is said");
        }
        if due(completeness.frames, frames) != given.opened {
            wrong("frames that were asked for are not given, or others are");
        }
        let is_all = frames == 0 || range == Some((0, frames.saturating_sub(1))) && !there.has_hole;
        if withheld(What::Frames).count() != usize::from(!is_all) {
            wrong("what is withheld of its frames is not said rightly");
        }
        let is_as_said = if completeness.payloads { there.closed == 0 } else { there.open == 0 };
        if !is_as_said {
            wrong("payloads are open or closed in another way than is said");
        }
        if withheld(What::Payloads).count() != usize::from(there.closed > 0) {
            wrong("what is withheld of its payloads is not said rightly");
        }
    }
    if let Some(closed) = &here.closed_header {
        let said: Vec<&&Withheld> = withheld(What::Header).collect();
        let is_said = match said.as_slice() {
            [] => closed.is_empty(),
            [one] => !closed.is_empty() && one.fields == *closed,
            _ => false,
        };
        if !is_said {
            wrong("what is withheld of its header is not said rightly");
        }
    }
}

/// Parts are withheld of tapes that are given.
fn withheld_of_given(completeness: &Completeness, report: &mut BundleReport) {
    let given: HashSet<_> = completeness.given.iter().map(|g| (g.tape, g.custody, g.entry)).collect();
    for withheld in &completeness.withheld {
        let is_part = matches!(withheld.what, What::Frames | What::Payloads | What::Header);
        if is_part && !given.contains(&(withheld.tape, withheld.custody, withheld.entry)) {
            let what = "a part of it is withheld, and it is not given";
            report.incomplete(part::ACCOUNTING, withheld.tape.to_text(), what);
        }
    }
}

/// What is said to be closed of a private half, or is.
#[derive(Debug, PartialEq, Eq)]
enum Closed {
    Nothing,
    All,
    These(Vec<u64>),
}

impl Closed {
    fn of(mut fields: Vec<u64>, kind: EntryKind) -> Self {
        let is_list = matches!(kind, EntryKind::LISTED | EntryKind::SEARCHED | EntryKind::REFUSED);
        fields.retain(|field| !(is_list && [SET, SET_SALT].contains(field)));
        if fields.is_empty() { Self::Nothing } else { Self::These(fields) }
    }

    fn here(fact: &Fact) -> Self {
        match &fact.private {
            Private::Closed => Self::All,
            Private::Open(closed) => Self::of(closed.clone(), fact.kind),
        }
    }

    fn said(withheld: &Withheld, kind: EntryKind) -> Self {
        if withheld.fields.is_empty() { Self::All } else { Self::of(withheld.fields.clone(), kind) }
    }
}

fn private(completeness: &Completeness, log: &Log, report: &mut BundleReport) {
    let given: HashMap<CustodyId, TapeId> =
        completeness.given.iter().map(|given| (given.custody, given.tape)).collect();
    let mut said: HashMap<u64, Vec<&Withheld>> = HashMap::new();
    for withheld in completeness.withheld.iter().filter(|withheld| withheld.what == What::Private) {
        said.entry(withheld.entry).or_default().push(withheld);
        if log.at(withheld.entry).is_none() {
            let what = "its private half is withheld, and the entry is not here";
            report.incomplete(part::ACCOUNTING, format!("entry {}", withheld.entry), what);
        }
    }
    let in_span = |index: u64| completeness.span.is_some_and(|(first, last)| (first..=last).contains(&index));
    for fact in &log.facts {
        let is_due = given.contains_key(&fact.subject)
            || fact.has_member
            || (fact.kind == EntryKind::REFUSED && !in_span(fact.index));
        let here = Closed::here(fact);
        let is_said = match said.get(&fact.index).map(Vec::as_slice) {
            None => here == Closed::Nothing || !is_due,
            Some([one]) => Closed::said(one, fact.kind) == here && is_about(one, &fact.subject, &given),
            Some(_) => false,
        };
        if !is_said {
            let what = "what is withheld of its private half is not said rightly";
            report.incomplete(part::ACCOUNTING, format!("entry {}", fact.index), what);
        }
    }
}

/// A row that names another tape would put the gap into another tape's story.
fn is_about(withheld: &Withheld, subject: &CustodyId, given: &HashMap<CustodyId, TapeId>) -> bool {
    let is_of_tape = match given.get(subject) {
        Some(tape) => withheld.tape == *tape,
        None => *subject != CustodyId::LEDGER || withheld.tape.as_bytes() == &[0; 32],
    };
    withheld.custody == *subject && is_of_tape
}

/// The opened field shows it; whether what it says is out of scope is for people.
fn out_of_scope(tape: &TapeId, field: u64, (paths, payload): (&Paths<'_>, &Payload), report: &mut BundleReport) {
    report.looked(part::ACCOUNTING, 1);
    for name in ["root.cbor", "header.cbor"] {
        let file = super::super::path::of_tape(tape, name);
        if !paths.has(&file) {
            report.missing(part::ACCOUNTING, file, "a tape that is out of scope by a field has this file");
        }
    }
    let root = tapes::root(paths, payload, tape, report);
    let Some(header) = tapes::header(paths, tape, root.as_ref(), report) else { return };
    if !header.fields().iter().any(|opened| opened.number == field) {
        report.incomplete(part::ACCOUNTING, tape.to_text(), format!("header key {field} is not open"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_that_are_due() {
        for (asked, frames, wanted) in [
            (None, 0, None),
            (None, 3, Some((0, 2))),
            (Some((0, 0)), 3, Some((0, 0))),
            (Some((1, 9)), 3, Some((1, 2))),
            (Some((3, 9)), 3, None),
            (Some((0, 9)), 0, None),
            (Some((2, u64::MAX)), 3, Some((2, 2))),
        ] {
            assert_eq!(due(asked, frames), wanted, "{asked:?} of {frames}");
        }
    }

    #[test]
    fn ids_and_salt_of_a_list_need_not_be_told_of() {
        for (kind, fields, wanted) in [
            (EntryKind::LISTED, vec![19, 31], Closed::Nothing),
            (EntryKind::SEARCHED, vec![0, 19], Closed::These(vec![0])),
            (EntryKind::ACCESS_GRANTED, vec![19], Closed::These(vec![19])),
            (EntryKind::ACCESS_GRANTED, vec![], Closed::Nothing),
        ] {
            assert_eq!(Closed::of(fields, kind), wanted);
        }
    }

    #[test]
    fn a_private_half_that_is_withheld_names_the_tape_of_its_entry() {
        let (tape, other, zeros) =
            (TapeId::from_bytes([1; 32]), TapeId::from_bytes([2; 32]), TapeId::from_bytes([0; 32]));
        let (custody, elsewhere) = (CustodyId::from_bytes([3; 32]), CustodyId::from_bytes([4; 32]));
        let given = HashMap::from([(custody, tape)]);
        for (said, subject, wanted) in [
            ((tape, custody), custody, true),
            ((other, custody), custody, false),
            ((zeros, custody), custody, false),
            ((tape, elsewhere), custody, false),
            ((zeros, CustodyId::LEDGER), CustodyId::LEDGER, true),
            ((tape, CustodyId::LEDGER), CustodyId::LEDGER, false),
            ((other, elsewhere), elsewhere, true),
        ] {
            let (tape, custody) = said;
            let row = Withheld { what: What::Private, tape, custody, entry: 5, fields: vec![], why: "w".into() };
            assert_eq!(is_about(&row, &subject, &given), wanted, "{said:?} for {subject:?}");
        }
    }
}
