//! Stored objects: where each one is and, while the log is walked, on all cores whether its bytes have its digest.

use std::collections::{HashMap, HashSet};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::{Scope, ScopedJoinHandle};

use super::{CheckOptions, Checker};
use crate::codec::digest::ObjectDigest;
use crate::evidence::{Finding, Report, Severity, Verdict};
use crate::ledger::rebuild::by_digest;
use crate::store::contracts::Listed;
use crate::store::{Hint, ObjectRef};

/// Shorter objects are mostly headers and manifests, which are read for what they say: hashed ahead, they would be
/// read twice.
const AHEAD_BYTES_MIN: u64 = 16 << 10;

/// One object as the store lists it.
struct Place {
    hint: Hint,
    bytes: u64,
    /// Its length, once its bytes were read during this check and have its digest.
    whole: Option<u64>,
}

/// Every stored object, and places of the store that are damaged.
#[derive(Default)]
pub(super) struct Stored {
    places: HashMap<ObjectDigest, Place>,
    findings: Vec<Finding>,
}

/// Work that goes on beside the walk through the log.
pub(super) struct Ahead<'scope>(ScopedJoinHandle<'scope, Stored>);

impl Ahead<'_> {
    /// What it came to; damaged places become findings now.
    pub(super) fn finish(self, report: &mut Report) -> Stored {
        let mut stored = self.0.join().unwrap_or_else(|panic| resume_unwind(panic));
        report.findings.append(&mut stored.findings);
        stored
    }
}

/// Begins to list the objects, and to hash them where the check needs no more of them than that.
///
/// What is saved from now on is not in the list, and is found by its digest instead.
pub(super) fn begin<'scope>(
    scope: &'scope Scope<'scope, '_>,
    checker: &'scope Checker,
    options: &'scope CheckOptions,
) -> Ahead<'scope> {
    Ahead(scope.spawn(|| {
        let mut stored = Stored::list(checker, options);
        // Chunks that will be opened are hashed when they are read for it.
        if options.tape.is_none() && (options.stored_only || checker.vault().is_none()) {
            stored.hash(checker);
        }
        stored
    }))
}

impl Stored {
    pub(super) fn list(checker: &Checker, options: &CheckOptions) -> Self {
        let (mut stored, mut report) = (Self::default(), Report::default());
        let listed = checker.stores.objects.list(&mut |found| {
            match found {
                Listed::Object(object, _) => {
                    let place = Place { hint: object.hint, bytes: object.bytes, whole: None };
                    stored.places.insert(object.digest, place);
                }
                Listed::Damaged { place, reason } if options.tape.is_none() => {
                    let severity = if reason.starts_with("unused bytes") { Severity::Note } else { Severity::Altered };
                    let is_gone = reason.starts_with("this pack is missing");
                    report.find(severity, "object", place, reason).word = is_gone.then_some(Verdict::Missing);
                }
                Listed::Damaged { .. } => {}
            }
            Ok(())
        });
        if let Err(e) = listed {
            report.find_error(Severity::Altered, "object", "packs", &e);
        }
        stored.findings = report.findings;
        stored
    }

    /// Hashes the longer objects, in the order in which they lie.
    fn hash(&mut self, checker: &Checker) {
        let mut objects = self.in_order();
        objects.retain(|object| object.bytes >= AHEAD_BYTES_MIN);
        let total = self.bytes();
        let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
        let hash_some = || {
            let mut whole = Vec::new();
            while let Some(object) = objects.get(next.fetch_add(1, Ordering::Relaxed)) {
                // Why one is not whole is said with the tape it belongs to.
                if let Ok(bytes) = checker.stores.objects.rehash(object) {
                    whole.push((object.digest, bytes));
                }
                let done = done.fetch_add(object.bytes, Ordering::Relaxed).saturating_add(object.bytes);
                checker.came_to("stored bytes", done, total, true);
            }
            whole
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(objects.len());
        let whole: Vec<Vec<(ObjectDigest, u64)>> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(hash_some)).collect();
            let own = hash_some();
            let others = others.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
            others.chain([own]).collect()
        });
        for (digest, bytes) in whole.into_iter().flatten() {
            if let Some(place) = self.places.get_mut(&digest) {
                place.whole = Some(bytes);
            }
        }
    }

    /// Every object, in the order in which they lie.
    pub(super) fn in_order(&self) -> Vec<ObjectRef> {
        let mut objects: Vec<ObjectRef> = self.places.iter().map(|(digest, place)| place.object(*digest)).collect();
        objects.sort_unstable_by_key(|object| object.hint.0);
        objects
    }

    /// Is it among them?
    pub(super) fn has(&self, digest: &ObjectDigest) -> bool {
        self.places.contains_key(digest)
    }

    /// Damaged places.
    pub(super) fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// Bytes of all objects together.
    pub(super) fn bytes(&self) -> u64 {
        self.places.values().map(|place| place.bytes).fold(0, u64::saturating_add)
    }

    /// How to ask for an object, `bytes` long or 0 where nobody said.
    pub(super) fn object(&self, digest: ObjectDigest, bytes: u64) -> ObjectRef {
        self.places.get(&digest).map_or_else(|| by_digest(digest, bytes), |place| place.object(digest))
    }

    /// The length of an object that this check hashed already.
    pub(super) fn whole_bytes(&self, digest: &ObjectDigest) -> Option<u64> {
        self.places.get(digest).and_then(|place| place.whole)
    }

    /// Objects that no manifest in the log names: left by a crash or a save that was given up.
    pub(super) fn orphans(&self, checker: &Checker, used: &HashSet<ObjectDigest>, report: &mut Report) {
        let mut count = 0u64;
        for (digest, place) in self.places.iter().filter(|(digest, _)| !used.contains(*digest)) {
            count = count.saturating_add(1);
            if place.whole.is_some() {
                continue;
            }
            if let Err(e) = checker.stores.objects.rehash(&place.object(*digest)) {
                let what = format!("an object of no tape is damaged: {}", e.message());
                report.find(Severity::Note, "object", digest.to_hex(), what);
            }
        }
        if count > 0 {
            let what = format!("{count} stored objects belong to no tape: saves that were never acknowledged");
            report.find(Severity::Note, "object", "packs", what);
        }
    }
}

impl Place {
    const fn object(&self, digest: ObjectDigest) -> ObjectRef {
        ObjectRef { digest, bytes: self.bytes, hint: self.hint }
    }
}
