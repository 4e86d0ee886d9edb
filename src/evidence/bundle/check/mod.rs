//! Checking a bundle: everything that `docs/format/6-evidence.md` 6.7 names, for a bundle of any size in bounded memory.
//!
//! Files come from a [`Source`] as streams. Of each entry some 150 bytes are held, of frames nothing but the tree above them; the
//! longest item of a sequence is in memory once.

mod accounting;
mod anchors;
mod bag;
mod entries;
mod entry;
mod frames;
mod keys;
mod lists;
mod named;
mod pieces;
mod pins;
mod report;
mod sequence;
mod source;
mod tapes;
mod tar_source;
mod tree;
mod walk;

use std::collections::{BTreeSet, HashMap, HashSet};

pub use entries::read_private;
pub use entry::PublicHalf;
pub use pieces::{Piece, PieceError, check_piece};
pub use pins::{PinError, Pins, public_key_pem};
pub use report::{BundleReport, Found, GivenTape};
pub use source::{MemorySource, Source, SourceFile};
pub use tapes::read_manifest;
pub use tar_source::{Blob, Part, TarError, TarSource};
pub use tree::check_published;

use super::{COMPLETENESS_BYTES_MAX, Completeness, path};
use crate::codec::digest::{CustodyId, Digest};
use entries::Log;
use report::part;
use source::Paths;

/// Checks a bundle with what the verifier has from elsewhere, and, where somebody has it, with a published tree of the log.
///
/// ```
/// use immutape::evidence::Verdict;
/// use immutape::evidence::bundle::{MemorySource, Pins, check_bundle};
/// let report = check_bundle(&MemorySource::default(), &Pins::default(), None);
/// assert_eq!(report.verdict(), Verdict::Missing);
/// ```
#[must_use]
pub fn check_bundle(source: &dyn Source, pins: &Pins, tree: Option<&dyn Source>) -> BundleReport {
    let mut report = BundleReport::default();
    let paths = Paths::of(source);
    let payload = bag::check(&paths, &mut report);
    let read = paths.parse(path::COMPLETENESS, COMPLETENESS_BYTES_MAX as u64, |bytes| {
        Completeness::parse(bytes).map_err(|e| e.to_string())
    });
    let completeness = match read {
        Some(Ok(completeness)) => Some(completeness),
        Some(Err(why)) => {
            report.altered(part::COMPLETENESS, path::COMPLETENESS, why);
            None
        }
        None => None,
    };
    let given = completeness.iter().flat_map(|completeness| &completeness.given);
    let given: BTreeSet<CustodyId> = given.map(|given| given.custody).collect();
    let later = tree.and_then(tree::keys);
    let log = entries::check(&paths, (pins, later.clone()), |custody| given.contains(custody), &mut report);
    named::check(&paths, &payload, &log, &mut report);
    if let Some(completeness) = &completeness {
        report.looked(part::COMPLETENESS, 1);
        about(completeness, &log, &mut report);
        tapes_and_lists(completeness, &paths, &payload, (&log, pins), &mut report);
    }
    report.completeness = completeness;
    pinned(&log, pins, &mut report);
    if let Some(tree) = tree {
        tree::compare((tree, later), &log, &given, pins, &mut report);
    }
    report
}

/// Check 2: the file is about this log.
fn about(completeness: &Completeness, log: &Log, report: &mut BundleReport) {
    let Some(keys) = &log.keys else { return };
    let is_same =
        completeness.origin == keys.genesis.origin && completeness.ledger.as_bytes() == keys.ledger.as_bytes();
    if !is_same {
        report.altered(part::COMPLETENESS, path::COMPLETENESS, "it is about another log");
    }
}

fn tapes_and_lists(
    completeness: &Completeness,
    paths: &Paths<'_>,
    payload: &bag::Payload,
    (log, pins): (&Log, &Pins),
    report: &mut BundleReport,
) {
    let digest = payload.digest(path::COMPLETENESS).copied().unwrap_or(Digest::from_bytes([0; 32]));
    let around = tapes::Around { paths, payload, log, pins, completeness, digest };
    let mut here = HashMap::new();
    // A tape that is listed twice is told as that, and read once.
    let mut seen = HashSet::new();
    for given in completeness.given.iter().filter(|given| seen.insert(given.tape)) {
        let (made, there) = tapes::check(&around, given, report);
        report.tapes.push(made);
        here.insert(given.tape, there);
    }
    report.tapes.sort_by_key(|tape| tape.tape);
    named::folders(paths, completeness, report);
    if log.was_read {
        accounting::check(completeness, log, report);
        lists::check(completeness, (paths, payload), log, &here, report);
    }
}

fn pinned(log: &Log, pins: &Pins, report: &mut BundleReport) {
    report.head.clone_from(&log.head);
    report.test = log.keys.as_ref().is_some_and(|keys| keys.genesis.test);
    pins.compare_keys(log.known_keys(), true, report);
    if let Some(keys) = log.known_keys() {
        let newest = log.head.as_ref().map_or(0, |head| head.size);
        let kept = log.said.heads.iter().filter(|head| head.holds);
        let origin = &keys.genesis.origin;
        let kept = kept.map(|head| crate::log::Checkpoint { origin: origin.clone(), size: head.size, root: head.root });
        let here: Vec<_> = log.head.iter().filter(|_| log.head_holds).cloned().chain(kept).collect();
        pins.compare_heads(keys, newest, &here, report);
    }
    report.anchored_ms = log.anchored_ms.filter(|_| log.head_holds);
    if report.anchored_ms.is_none() {
        let what = match pins.has_witnesses() {
            true => "no quorum of the given witnesses has cosigned the head",
            false => "no witness was given whose cosignature could count",
        };
        report.not_anchored(what);
    }
}
