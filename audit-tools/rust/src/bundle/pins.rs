//! What the verifier was given from elsewhere: keys, witnesses, heads.

use super::completeness::Completeness;
use super::entries::{Kept, Log};
use crate::digest::Hash;
use crate::keys::{Keys, Role};
use crate::note::Head;
use crate::report::{Report, Word, moment, shown};
use crate::sign::VerifierKey;
use crate::text;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// What was given.
#[derive(Clone, Default)]
pub struct Pins {
    /// Verifier keys of the log.
    pub log: Vec<VerifierKey>,
    /// Keys of the recorder, or their thumbprints.
    pub recorder: Vec<[u8; 32]>,
    /// Verifier keys of witnesses.
    pub witnesses: Vec<VerifierKey>,
    /// How many of them are a quorum; all where none is said.
    pub quorum: Option<u64>,
    /// Heads that others kept.
    pub heads: Vec<Head>,
}

impl Pins {
    /// Number of cosignatures that are a quorum; None where nobody is asked.
    #[must_use]
    pub fn needed(&self) -> Option<usize> {
        if self.witnesses.is_empty() {
            return None;
        }
        let quorum = self.quorum.map_or(self.witnesses.len(), |n| usize::try_from(n).unwrap_or(usize::MAX));
        Some(quorum).filter(|n| *n > 0)
    }

    /// When the earliest quorum was complete that cosigned a head, in milliseconds.
    ///
    /// # Errors
    /// A line of a known witness that does not hold.
    pub fn anchored(&self, head: &Head, keys: Option<&Keys>) -> crate::Result<Option<u64>> {
        let mut times = Vec::new();
        for witness in &self.witnesses {
            let own = keys.is_some_and(|keys| keys.all().iter().any(|held| held.key == witness.key));
            if let Some(time) = head.note.cosigned_by(witness)?.filter(|_| !own) {
                times.push(time);
            }
        }
        times.sort_unstable();
        let last = self.needed().and_then(|n| times.get(n.saturating_sub(1)).copied());
        Ok(last.map(|seconds| seconds.saturating_mul(1000)))
    }
}

/// Pins of keys: the log's own ones are compared with what was given.
pub fn keys(pins: &Pins, keys: Option<&Keys>, report: &mut Report) -> (bool, bool) {
    let (mut checkpoint, mut recorder) = (false, false);
    let Some(keys) = keys else { return (false, false) };
    for pin in &pins.log {
        let so = pin.name == keys.origin() && keys.of(Role::Checkpoint).any(|held| held.key == pin.key);
        report.want("pinned keys", so, Word::Altered, "--pub", "a verifier key that is none of this log");
        checkpoint |= so;
    }
    for pin in &pins.recorder {
        let so = keys.of(Role::Recorder).any(|held| held.key.bytes() == pin || held.key.thumbprint() == *pin);
        report.want("pinned keys", so, Word::Altered, "--pub", "a recorder's key that is none of this log");
        recorder |= so;
    }
    (checkpoint, recorder)
}

/// Checks a bundle against what was given.
pub fn check(pins: &Pins, log: &Log, report: &mut Report) {
    let (checkpoint, recorder) = keys(pins, log.keys.as_ref(), report);
    report.pinned = checkpoint && recorder;
    if !report.pinned {
        report.find(Word::Unpinned, "keys", "the log vouches for its own keys");
    }
    anchor(pins, log, report);
    for head in &pins.heads {
        given_head(head, log, report);
    }
}

fn anchor(pins: &Pins, log: &Log, report: &mut Report) {
    if let Some(head) = log.head.as_ref().filter(|_| log.head_holds) {
        let found = pins.anchored(head, log.keys.as_ref());
        if !pins.witnesses.is_empty() {
            report.count("cosignatures");
        }
        match found {
            // What the log did not sign is no head of it, whoever vouches for it.
            Ok(time) => report.anchored_ms = time,
            Err(why) => report.find(Word::Altered, "data/log/checkpoint", why.0),
        }
    }
    if report.anchored_ms.is_none() {
        report.find(Word::NotAnchored, "data/log/checkpoint", "no quorum of known witnesses vouches for the head");
    }
}

fn given_head(head: &Head, log: &Log, report: &mut Report) {
    const PLACE: &str = "--head";
    let Some(keys) = &log.keys else { return };
    let here = log.head.as_ref().map(|head| (head.size, head.root));
    if !signed_by_log(head, keys, here.map_or(0, |(size, _)| size)) {
        report.find(Word::CannotTell, PLACE, "a head that the log did not sign");
        return;
    }
    let others = log.kept.iter().map(|kept| kept.head);
    let other = here.into_iter().chain(others).any(|(size, root)| size == head.size && root != head.root);
    report.want("given heads", !other, Word::Forked, PLACE, "a head of this size with another root");
}

/// Whether a head that somebody gave is signed by the log: under the key in force, or past its end by any key that it had.
#[must_use]
pub fn signed_by_log(head: &Head, keys: &Keys, size: u64) -> bool {
    if head.size <= size {
        return keys
            .in_force(Role::Checkpoint, head.size)
            .is_some_and(|held| head.verify(&keys.verifier(held)).is_ok());
    }
    keys.of(Role::Checkpoint).any(|held| head.verify(&keys.verifier(held)).is_ok())
}

/// Lines for people: what, by whom, at the latest when.
pub fn summary(lists: Option<&Completeness>, log: &Log, pins: &Pins, report: &mut Report) {
    let Some(lists) = lists else { return };
    let origin = log.keys.as_ref().map_or_else(|| String::from("(unknown)"), |keys| shown(keys.origin().as_bytes()));
    report.say(format!(
        "bundle {} of log {origin}, made on the authority of: {}",
        text::hex(&lists.bundle),
        shown(lists.authority.as_bytes())
    ));
    for given in &lists.given {
        let tape = text::hex(&given.tape);
        let Some(saved) = log.saved_of(&given.custody) else { continue };
        let links = log.facts.iter().filter(|fact| fact.subject == given.custody).count();
        let signer = saved.signer.map_or_else(|| String::from("nobody known"), |key: Hash| text::hex(&key));
        let at = moment(saved.time);
        report.say(format!("tape {tape}: {} frames, saved {at} by the log's clock, signed by recorder's key {signer}, {links} links of custody", given.frames));
        let first = |kept: &&Kept| kept.note.is_some() && kept.head.0 > saved.index;
        let anchor = log
            .kept
            .iter()
            .filter(first)
            .find_map(|kept| pins.anchored(kept.note.as_ref()?, log.keys.as_ref()).ok()?);
        if let Some(time) = anchor {
            report.say(format!(
                "tape {tape}: saved at the latest {} by the cosignatures of known witnesses",
                moment(time)
            ));
        }
    }
}
