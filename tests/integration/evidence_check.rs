//! Chapter 6.7 check by check: a bundle that is whole, and one thing wrong in it at a time, signed and hashed again wherever its
//! maker could, so that no other check stands before the one that is meant.

mod bag;
mod entries;
mod lists;
mod pins;
mod tapes;

use std::collections::BTreeMap;

use immutape::evidence::Verdict;
use immutape::evidence::bundle::{Completeness, EvidenceEntry, OutOfScope, check_bundle};
use immutape::log::Entry;

use crate::support::evidence::{Change, Log, Tape, make, pins};

const ALTERED: &[Verdict] = &[Verdict::Altered];
const NOT_WHOLE: &[Verdict] = &[Verdict::Altered, Verdict::Incomplete];
const MISSING: &[Verdict] = &[Verdict::Missing];
const INCOMPLETE: &[Verdict] = &[Verdict::Incomplete];
const FORKED: &[Verdict] = &[Verdict::Forked];
const GAPS: &[Verdict] = &[Verdict::IntactWithGaps];
const INTACT: &[Verdict] = &[Verdict::Intact];
const CANNOT_TELL: &[Verdict] = &[Verdict::CannotTell];

/// The whole bundle, with one change, comes to these words and no others.
#[track_caller]
fn gives(change: &Change<'_>, words: &[Verdict]) {
    let report = check_bundle(&make(change).source(), &pins(), None);
    assert_eq!(report.words(), words, "{:#?}", report.findings);
}

/// As [`gives`], where the payload is changed and the manifests are made anew.
#[track_caller]
fn files(change: &dyn Fn(&mut BTreeMap<String, Vec<u8>>), words: &[Verdict]) {
    gives(&Change { files: change, ..Change::NONE }, words);
}

#[track_caller]
fn asked(change: &dyn Fn(&mut Completeness, &Log), words: &[Verdict]) {
    gives(&Change { asked: change, ..Change::NONE }, words);
}

#[track_caller]
fn items(change: &dyn Fn(&mut Vec<EvidenceEntry>), words: &[Verdict]) {
    gives(&Change { items: change, ..Change::NONE }, words);
}

#[track_caller]
fn log(change: &dyn Fn(&mut Log, &[Tape]), words: &[Verdict]) {
    gives(&Change { log: change, ..Change::NONE }, words);
}

fn at(items: &mut [EvidenceEntry], index: u64) -> &mut EvidenceEntry {
    items.iter_mut().find(|item| Entry::decode(&item.public).unwrap().index == index).unwrap()
}

fn without(items: &mut Vec<EvidenceEntry>, index: u64) {
    let before = items.len();
    items.retain(|item| Entry::decode(&item.public).unwrap().index != index);
    assert_eq!(items.len() + 1, before);
}

/// A file of the given tape.
fn of_tape(files: &BTreeMap<String, Vec<u8>>, name: &str) -> String {
    files.keys().find(|path| path.ends_with(&format!("/{name}"))).unwrap().clone()
}

fn flip(files: &mut BTreeMap<String, Vec<u8>>, name: &str, at: usize) {
    let path = if name.starts_with("data/") { name.to_owned() } else { of_tape(files, name) };
    files.get_mut(&path).unwrap()[at] ^= 1;
}

fn other(log: &Log) -> OutOfScope {
    let tape = Tape::new(0xb2, 1);
    assert!(log.size() > 3);
    OutOfScope { tape: tape.id(), custody: tape.custody, entry: 3, field: None, why: "no tag x".into() }
}
