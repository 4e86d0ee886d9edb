//! One person, service or agent: its keys, and which of its roles count at a moment.

use std::collections::BTreeMap;

use super::clock::Interval;
use super::holds::ActorId;
use super::roles::Role;
use crate::log::ActorKind;
use crate::seal::PublicKey;
use crate::time::Timestamp;

/// Somebody, or a program, that was enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Person, service or agent.
    pub kind: ActorKind,
    /// As it was given; of two that look alike neither is the other.
    pub name: String,
    /// On whose behalf an agent acts.
    pub principal: Option<ActorId>,
    /// Every key it ever had, the one in use last.
    pub(super) keys: Vec<PublicKey>,
    pub(super) roles: BTreeMap<Role, Term>,
    pub(super) is_disabled: bool,
}

/// Since when a role counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Term {
    /// From entry 0, or where nothing has to wait.
    Now,
    /// Once the lower bound of the clock has passed this.
    From(Timestamp),
    /// Nobody outside vouched for the time when it was granted: it waits until somebody grants it again.
    Unknown,
}

impl Person {
    /// The key that signs for it now.
    #[must_use]
    pub fn key(&self) -> Option<&PublicKey> {
        self.keys.last().filter(|_| !self.is_disabled)
    }

    /// May it still act?
    #[must_use]
    pub const fn is_disabled(&self) -> bool {
        self.is_disabled
    }

    /// Roles that were granted, whether they count yet or not.
    #[must_use]
    pub fn granted(&self) -> Vec<Role> {
        self.roles.keys().copied().collect()
    }

    /// Roles that count at a moment.
    #[must_use]
    pub fn roles(&self, now: Interval) -> Vec<Role> {
        let counts = |term: &Term| match term {
            Term::Now => true,
            Term::From(at) => now.lo >= *at,
            Term::Unknown => false,
        };
        let roles = self.roles.iter().filter(|(_, term)| counts(term) && !self.is_disabled);
        roles.map(|(role, _)| *role).collect()
    }
}
