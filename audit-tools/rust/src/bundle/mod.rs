//! Evidence bundles (6-evidence).

mod accounting;
mod bag;
mod completeness;
mod custody;
mod entries;
mod extras;
mod facts;
mod frames;
mod halves;
mod heads;
mod json;
mod pins;
mod source;
mod tapes;
mod whole;

pub use bag::{TAG_FILES, is_path};
pub use completeness::{Asked, Completeness, Given, What, Withheld};
pub use extras::read_pem;
pub use facts::{Fact, Log};
pub use pins::{Pins, keys as pinned_keys};
pub use source::{Listed, Source, Stream, digest, has, whole};
pub use whole::{Outside, compare};

use crate::report::{Report, Word};
use alloc::collections::{BTreeMap, BTreeSet};

/// Checks a bundle. `outside` are the log's public halves, where somebody has them.
pub fn check(source: &mut dyn Source, pins: &Pins, outside: Option<&mut dyn Outside>, report: &mut Report) {
    bag::check(source, report);
    let completeness = completeness::read(source, report);
    let mut log = entries::read(source, completeness.as_ref(), &pins.witnesses, report);
    let later = outside.as_deref().and_then(|outside| whole::learn(outside, &mut log));
    log.judge(completeness.as_ref(), report);
    if let Some(lists) = &completeness {
        report.tapes = lists.ids();
        // A tape that stands in the lists twice is told there; its files are read once, however often it is named.
        let mut judged = BTreeMap::new();
        for given in &lists.given {
            judged.entry(given.tape).or_insert_with(|| tapes::check(source, given, &log, report));
        }
        let mut looked_at = BTreeSet::new();
        for out in lists.out_of_scope.iter().filter(|out| out.field.is_some()) {
            if looked_at.insert(out.tape) {
                tapes::check_out_of_scope(source, out, report);
            }
        }
        accounting::check(lists, &log, &judged, report);
    }
    extras::check(source, completeness.as_ref(), &log, report);
    pins::check(pins, &log, later.as_ref(), report);
    pins::summary(completeness.as_ref(), &log, pins, report);
    match outside {
        Some(outside) => compare(outside, completeness.as_ref(), &log, report),
        None => report.skip("the whole log: complete up to the last entry by the ledger's claim (no --tree)"),
    }
    report.skip("signatures and certificates of time-stamps (openssl ts -verify)");
    report.skip("personal statements in private halves");
    report.skip("whether an opened field puts a tape out of the scope of the query");
    report.skip("custody.html, custody.json, VERIFY.txt and witnesses: claims for people");
    if completeness.is_none() {
        report.skip("tapes and accounting: COMPLETENESS.json does not read");
    } else if completeness.is_some_and(|lists| lists.given.is_empty()) {
        report.find(Word::CannotTell, "data/COMPLETENESS.json", "nothing is given, so nothing binds this to the log");
    }
}
