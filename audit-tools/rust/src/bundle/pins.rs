//! What the verifier was given from elsewhere: keys, witnesses, heads.

use super::completeness::Completeness;
use super::facts::Log;
use super::heads;
use crate::error::Result;
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
    /// Keys without a name, or their thumbprints: they sign heads or tapes.
    pub bare: Vec<[u8; 32]>,
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
    #[must_use]
    pub fn anchored(&self, times: &[(usize, u64)], keys: Option<&Keys>) -> Option<u64> {
        // A key of the log vouches for nothing, whatever else it is called.
        let own = |at: usize| self.witnesses.get(at).is_none_or(|key| keys.is_some_and(|keys| keys.is_own(&key.key)));
        let mut times: Vec<u64> = times.iter().filter(|(at, _)| !own(*at)).map(|(_, time)| *time).collect();
        times.sort_unstable();
        let last = times.get(self.needed()?.saturating_sub(1))?;
        Some(last.saturating_mul(1000))
    }
}

/// Pins of keys: the log's own ones, by all that is there of it, are compared with what was given.
pub fn keys(pins: &Pins, keys: &[&Keys], report: &mut Report) -> (bool, bool) {
    let (mut checkpoint, mut recorder) = (false, false);
    if keys.is_empty() {
        return (false, false);
    }
    for pin in &pins.log {
        let mut known = keys.iter().filter(|keys| pin.name == keys.origin()).flat_map(|keys| keys.of(Role::Checkpoint));
        let so = known.any(|held| held.key == pin.key);
        report.want("pinned keys", so, Word::Altered, "--pub", "a verifier key that is none of this log");
        checkpoint |= so;
    }
    for pin in &pins.bare {
        let had = |role: Role| {
            let mut known = keys.iter().flat_map(|keys| keys.of(role));
            known.any(|held| held.key.bytes() == pin || held.thumbprint == *pin)
        };
        let (heads, tapes) = (had(Role::Checkpoint), had(Role::Recorder));
        report.want("pinned keys", heads || tapes, Word::Altered, "--pub", "a key that is none of this log");
        (checkpoint, recorder) = (checkpoint || heads, recorder || tapes);
    }
    (checkpoint, recorder)
}

/// Checks a bundle against what was given. `later` are the keys of its log by a published tree: a key may have come after
/// the bundle.
pub fn check(pins: &Pins, log: &Log, later: Option<&Keys>, report: &mut Report) {
    let known: Vec<&Keys> = log.trust.keys.iter().chain(later).collect();
    let (checkpoint, recorder) = keys(pins, &known, report);
    report.pinned = checkpoint && recorder;
    if !report.pinned {
        report.find(Word::Unpinned, "keys", "the log vouches for its own keys");
    }
    anchor(pins, log, report);
    for head in &pins.heads {
        given_head(pins, head, log, later, report);
    }
}

fn anchor(pins: &Pins, log: &Log, report: &mut Report) {
    // What the log did not sign is no head of it, whoever vouches for it.
    if let Some(times) = &log.head_holds {
        if !pins.witnesses.is_empty() {
            report.count("cosignatures");
        }
        report.anchored_ms = pins.anchored(times, log.trust.keys.as_ref());
    }
    if report.anchored_ms.is_none() {
        report.find(Word::NotAnchored, heads::PATH, "no quorum of known witnesses vouches for the head");
    }
}

/// Whether the log signed a head: under the key in force where the bundle reaches, past that by any key that is known.
/// No line of any of them may be wrong.
fn log_signed(head: &Head, size: u64, keys: &Keys, later: Option<&Keys>, witnesses: &[VerifierKey]) -> Result<bool> {
    let lines = keys.lines(head, witnesses)?;
    let later = later.map(|later| later.lines(head, witnesses)).transpose()?;
    if head.size <= size {
        return Ok(keys.signer(head, &lines).is_some());
    }
    Ok(!lines.signers.is_empty() || later.is_some_and(|lines| !lines.signers.is_empty()))
}

fn given_head(pins: &Pins, head: &Head, log: &Log, later: Option<&Keys>, report: &mut Report) {
    const PLACE: &str = "--head";
    let Some(keys) = &log.trust.keys else { return };
    let here = log.head.as_ref().map(|head| (head.size, head.root));
    let size = here.map_or(0, |(size, _)| size);
    if log_signed(head, size, keys, later, &pins.witnesses) != Ok(true) {
        report.find(Word::CannotTell, PLACE, "a head that the log did not sign");
        return;
    }
    let others = log.trust.kept.iter().map(|kept| kept.head);
    let other = here.into_iter().chain(others).any(|(size, root)| size == head.size && root != head.root);
    report.want("given heads", !other, Word::Forked, PLACE, "a head of this size with another root");
}

/// Heads of kind 128 that a quorum of known witnesses cosigned, each larger than all before it: size, and when.
fn vouching(log: &Log, pins: &Pins) -> Vec<(u64, u64)> {
    let mut found: Vec<(u64, u64)> = Vec::new();
    for kept in log.trust.counting() {
        let time = kept.cosigned.as_ref().and_then(|times| pins.anchored(times, log.trust.keys.as_ref()));
        if let Some(time) = time.filter(|_| found.last().is_none_or(|(size, _)| *size < kept.head.0)) {
            found.push((kept.head.0, time));
        }
    }
    found
}

/// Lines for people: what, by whom, at the latest when.
pub fn summary(lists: Option<&Completeness>, log: &Log, pins: &Pins, report: &mut Report) {
    let Some(lists) = lists else { return };
    let keys = log.trust.keys.as_ref();
    let origin = keys.map_or_else(|| String::from("(unknown)"), |keys| shown(keys.origin().as_bytes()));
    report.say(format!(
        "bundle {} of log {origin}, made on the authority of: {}",
        text::hex(&lists.bundle),
        shown(lists.authority.as_bytes())
    ));
    let vouching = vouching(log, pins);
    for given in &lists.given {
        let tape = text::hex(&given.tape);
        let Some(saved) = log.trust.saved_of(&given.custody) else { continue };
        let links = log.chains.get(&given.custody).map_or(0, |chain| chain.links);
        let signer = saved.signer.and_then(|signer| keys?.get(signer));
        let signer = signer.map_or_else(|| String::from("nobody known"), |held| text::hex(&held.thumbprint));
        let at = moment(saved.time);
        report.say(format!("tape {tape}: {} frames, saved {at} by the log's clock, signed by recorder's key {signer}, {links} links of custody", given.frames));
        // The first head over it: they stand in ascending order.
        let first = vouching.partition_point(|(size, _)| *size <= saved.index);
        if let Some((_, time)) = vouching.get(first) {
            report.say(format!(
                "tape {tape}: saved at the latest {} by the cosignatures of known witnesses",
                moment(*time)
            ));
        }
    }
}
