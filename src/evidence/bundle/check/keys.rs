//! The first walk through entries: entry 0 and what changes keys. By what they say all later ones are judged.

use super::entry::PublicHalf;
use super::report::{BundleReport, part};
use crate::codec::digest::LedgerId;
use crate::log::{Body, CriticalBody, Genesis, HeadKeys as _, KeyHistory, KeyRole, Succession};
use crate::seal::PublicKey;

/// Who the log is, and its keys from entry 0 on.
#[derive(Debug, Clone)]
pub(super) struct LogKeys {
    pub genesis: Genesis,
    pub ledger: LedgerId,
    pub history: KeyHistory,
    /// A critical kind that is not known here stands among the entries: by which key later heads were signed nobody can tell.
    pub is_doubtful: bool,
    /// Entries that change keys against the rules.
    faults: Vec<(u64, String)>,
}

impl LogKeys {
    /// Takes in one entry after another.
    pub(super) fn take(keys: &mut Option<Self>, half: &PublicHalf<'_>) {
        match (&half.body, keys) {
            (Body::Genesis(genesis), keys @ None) => {
                // Keys that are none: entry 0 does not hold, and the log has no keys.
                *keys = KeyHistory::of(genesis).ok().map(|history| Self {
                    genesis: (**genesis).clone(),
                    ledger: LedgerId::from_bytes(*half.leaf.as_bytes()),
                    history,
                    is_doubtful: false,
                    faults: Vec::new(),
                });
            }
            (Body::Other(_), Some(keys)) if half.entry.kind.is_critical() => keys.is_doubtful = true,
            (Body::Critical(critical), Some(keys)) => keys.critical(half.entry.index, critical),
            _ => {}
        }
    }

    fn critical(&mut self, index: u64, body: &CriticalBody) {
        let done = match body {
            CriticalBody::Succession { note } => match self.history.known().first() {
                Some(first) => Succession::verify_in(note, &self.genesis, self.ledger, first),
                None => Ok(()),
            },
            body => self.history.apply(index, body).map_err(|e| e.to_string()),
        };
        if let Err(what) = done {
            self.faults.push((index, what));
        }
    }

    /// Are these the keys of the same log at a later moment, with everything that changed them until then?
    pub(super) fn goes_on(&self, before: &Self) -> bool {
        self.ledger == before.ledger
            && !self.is_doubtful
            && self.faults.is_empty()
            && self.history.events().starts_with(before.history.events())
    }

    /// Tells what breaks 4.5 and 4.6.
    pub(super) fn tell(&self, report: &mut BundleReport) {
        for (index, what) in &self.faults {
            report.altered(part::ENTRIES, format!("entry {index}"), what.as_str());
        }
    }

    /// Every key with its role and the index of the entry that brought it into force.
    pub(super) fn all(&self) -> impl Iterator<Item = (KeyRole, u64, &PublicKey)> {
        let of = |role: KeyRole| self.history.terms(role).iter().map(move |term| (role, term.since, &term.key));
        KeyRole::ALL.into_iter().flat_map(of)
    }
}
