//! Keys in force (4-commit, section 4.5).

use crate::digest::Hash;
use crate::entry::{Genesis, Revoked, Rotated};
use crate::error::{Result, ensure, refuse};
use crate::note::Head;
use crate::receipt::rotation_message;
use crate::sign::{KeyType, PublicKey, VerifierKey};
use crate::succession::Succession;
use alloc::string::String;
use alloc::vec::Vec;

/// What a key is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// Signs heads.
    Checkpoint,
    /// Signs statements.
    Recorder,
    /// Signs receipts.
    Issuer,
}

/// All roles in the order of their numbers.
pub const ROLES: [Role; 3] = [Role::Checkpoint, Role::Recorder, Role::Issuer];

impl Role {
    /// Its name in files of a bundle.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Role::Checkpoint => "checkpoint",
            Role::Recorder => "recorder",
            Role::Issuer => "issuer",
        }
    }

    fn of(number: u64) -> Result<Self> {
        usize::try_from(number).ok().and_then(|n| ROLES.get(n)).copied().map_or_else(|| refuse("no role"), Ok)
    }
}

/// A key that was in force once, or is.
#[derive(Clone, Debug)]
pub struct Held {
    /// Its role.
    pub role: Role,
    /// Index of the entry that brought it into force.
    pub since: u64,
    /// The key.
    pub key: PublicKey,
    /// Thumbprint of the one that may follow.
    next: Hash,
    /// Index of the rotation that ended it.
    pub until: Option<u64>,
    /// The revocation that counts: `from`, and the index of its entry.
    pub revoked: Option<(u64, u64)>,
}

/// Most entries of kinds 32769 and 32770 that hold.
const MOST_CHANGES: u64 = 1024;

/// The keys of a log.
#[derive(Clone, Debug)]
pub struct Keys {
    origin: String,
    held: Vec<Held>,
    changes: u64,
    predecessor: Option<(String, Vec<u8>, u64, Option<u64>)>,
}

impl Keys {
    /// The keys of entry 0.
    ///
    /// # Errors
    /// A key that is none.
    pub fn new(genesis: &Genesis<'_>) -> Result<Self> {
        let mut held = Vec::new();
        for ((role, key), next) in ROLES.into_iter().zip(genesis.keys).zip(genesis.next) {
            held.push(Held { role, since: 0, key: PublicKey::new(key)?, next, until: None, revoked: None });
        }
        let before = genesis.predecessor.as_ref();
        let predecessor = before.map(|old| (old.origin.into(), old.note.to_vec(), old.first, old.last));
        Ok(Self { origin: genesis.origin.into(), held, changes: 0, predecessor })
    }

    /// Name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// All keys, in the order in which they came into force.
    #[must_use]
    pub fn all(&self) -> &[Held] {
        &self.held
    }

    /// Those of a role.
    pub fn of(&self, role: Role) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(move |held| held.role == role)
    }

    fn newest(&mut self, role: Role) -> Result<&mut Held> {
        self.held.iter_mut().rev().find(|held| held.role == role).map_or_else(|| refuse("no key of the role"), Ok)
    }

    /// Takes a rotation at an index, if it holds.
    ///
    /// # Errors
    /// One that does not: it changes nothing.
    pub fn rotate(&mut self, index: u64, rotated: &Rotated) -> Result<()> {
        let role = Role::of(rotated.role)?;
        ensure(self.changes < MOST_CHANGES, "more than 1,024 changes of keys")?;
        let key = PublicKey::new(rotated.key)?;
        ensure(self.held.iter().all(|held| held.key != key), "a key that was one of this log before")?;
        let message = rotation_message(&self.origin, rotated.role, &rotated.key, &rotated.next);
        let before = self.newest(role)?;
        ensure(before.next == key.thumbprint(), "a key that was not the one to follow")?;
        key.verify(&message, &rotated.signature)?;
        before.until = Some(index);
        self.held.push(Held { role, since: index, key, next: rotated.next, until: None, revoked: None });
        self.changes = self.changes.saturating_add(1);
        Ok(())
    }

    /// Takes a revocation at an index, if it holds.
    ///
    /// # Errors
    /// One that does not: it changes nothing.
    pub fn revoke(&mut self, index: u64, revoked: &Revoked) -> Result<()> {
        let role = Role::of(revoked.role)?;
        ensure(self.changes < MOST_CHANGES, "more than 1,024 changes of keys")?;
        ensure(revoked.from <= index, "a revocation from an index that is to come")?;
        let named = self.held.iter_mut().find(|held| held.role == role && held.key.thumbprint() == revoked.key);
        let Some(held) = named else { return refuse("a revocation of a key that the log never had") };
        ensure(held.until.is_some(), "a revocation of a key in force")?;
        ensure(
            held.revoked.is_none_or(|(from, _)| revoked.from < from),
            "a revocation that is no earlier than one before",
        )?;
        held.revoked = Some((revoked.from, index));
        self.changes = self.changes.saturating_add(1);
        Ok(())
    }

    /// The key of a role at an index; `at` of a head is its size.
    #[must_use]
    pub fn in_force(&self, role: Role, at: u64) -> Option<&Held> {
        // A rotation at r is behind heads of up to r entries, and behind statements up to index r.
        self.of(role).filter(|held| held.since < at || held.since == 0).last()
    }

    /// Checks that a statement says what entry 0 says (4.6).
    ///
    /// # Errors
    /// An entry 0 that follows no log, or another.
    pub fn successor(&self, found: &Succession) -> Result<()> {
        let Some((origin, note, first, last)) = &self.predecessor else {
            return refuse("a succession in a log that follows none");
        };
        ensure(found.old.name == *origin, "a succession of another log than the one of entry 0")?;
        let head = Head::read(note)?;
        head.verify(&found.old)?;
        ensure(found.head == (head.size, head.root), "another head than the one of entry 0")?;
        ensure(found.lost == (*first, *last), "other lost entries than those of entry 0")?;
        let genesis = self.of(Role::Checkpoint).next();
        let own = genesis.is_some_and(|held| found.new == self.verifier(held));
        ensure(own, "another successor than this log")
    }

    /// The verifier key of a checkpoint key.
    #[must_use]
    pub fn verifier(&self, held: &Held) -> VerifierKey {
        VerifierKey { name: self.origin.clone(), of: KeyType::Log, key: held.key }
    }
}
