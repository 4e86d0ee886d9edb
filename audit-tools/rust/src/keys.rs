//! Keys in force (4-commit, section 4.5), and the heads that they sign.

use crate::digest::Hash;
use crate::entry::{Genesis, Revoked, Rotated};
use crate::error::{Result, ensure, refuse};
use crate::note::Head;
use crate::receipt::rotation_message;
use crate::sign::{KeyType, PublicKey, VerifierKey, key_id};
use crate::succession::Succession;
use alloc::collections::BTreeMap;
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

/// Which key of a log: its role, and its place among the keys of that role.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Signer(Role, usize);

/// A key that was in force once, or is.
#[derive(Clone, Debug)]
pub struct Held {
    /// Which it is.
    pub id: Signer,
    /// Its role.
    pub role: Role,
    /// Index of the entry that brought it into force.
    pub since: u64,
    /// The key.
    pub key: PublicKey,
    /// Its thumbprint.
    pub thumbprint: Hash,
    /// Thumbprint of the one that may follow.
    next: Hash,
    /// Index of the rotation that ended it.
    pub until: Option<u64>,
    /// The revocation that counts: `from`, and the index of its entry.
    pub revoked: Option<(u64, u64)>,
}

impl Held {
    /// Whether what it signed counts at an index; of a head at its size less one.
    #[must_use]
    pub fn counts_at(&self, index: u64) -> bool {
        self.revoked.is_none_or(|(from, _)| index < from)
    }

    /// Whether a head that it signed counts.
    #[must_use]
    pub fn counts_for(&self, size: u64) -> bool {
        self.revoked.is_none_or(|(from, _)| size <= from)
    }
}

/// Cosignatures of known witnesses that hold: place in the list of witnesses, and time in seconds.
pub type Times = Vec<(usize, u64)>;

/// What the lines of a head come to, none of which that is known is wrong.
pub struct Lines {
    /// Keys of the log that signed it.
    pub signers: Vec<Signer>,
    /// Cosignatures of known witnesses.
    pub times: Times,
}

/// Most entries of kinds 32769 and 32770 that hold.
const MOST_CHANGES: u64 = 1024;

/// The keys of a log. A hostile one brings as many entries as it likes, so everything is looked up, and nothing searched for.
#[derive(Clone, Debug)]
pub struct Keys {
    origin: String,
    /// By role, in the order in which they came into force.
    held: [Vec<Held>; 3],
    by_thumbprint: BTreeMap<(Role, Hash), usize>,
    /// Checkpoint keys by the key id of their lines.
    by_line: BTreeMap<[u8; 4], Vec<usize>>,
    changes: u64,
    predecessor: Option<(String, Vec<u8>, u64, Option<u64>)>,
}

impl Keys {
    /// The keys of entry 0.
    ///
    /// # Errors
    /// A key that is none.
    pub fn new(genesis: &Genesis<'_>) -> Result<Self> {
        let before = genesis.predecessor.as_ref();
        let predecessor = before.map(|old| (old.origin.into(), old.note.to_vec(), old.first, old.last));
        let mut found = Self {
            origin: genesis.origin.into(),
            held: Default::default(),
            by_thumbprint: BTreeMap::new(),
            by_line: BTreeMap::new(),
            changes: 0,
            predecessor,
        };
        for ((role, key), next) in ROLES.into_iter().zip(genesis.keys).zip(genesis.next) {
            found.push(role, 0, PublicKey::new(key)?, next);
        }
        Ok(found)
    }

    fn list(&self, role: Role) -> &[Held] {
        let [checkpoint, recorder, issuer] = &self.held;
        match role {
            Role::Checkpoint => checkpoint,
            Role::Recorder => recorder,
            Role::Issuer => issuer,
        }
    }

    fn list_mut(&mut self, role: Role) -> &mut Vec<Held> {
        let [checkpoint, recorder, issuer] = &mut self.held;
        match role {
            Role::Checkpoint => checkpoint,
            Role::Recorder => recorder,
            Role::Issuer => issuer,
        }
    }

    fn push(&mut self, role: Role, since: u64, key: PublicKey, next: Hash) {
        let (at, thumbprint) = (self.list(role).len(), key.thumbprint());
        self.by_thumbprint.insert((role, thumbprint), at);
        if role == Role::Checkpoint {
            let id = key_id(&self.origin, KeyType::Log, key.bytes());
            self.by_line.entry(id).or_default().push(at);
        }
        let held = Held { id: Signer(role, at), role, since, key, thumbprint, next, until: None, revoked: None };
        self.list_mut(role).push(held);
    }

    /// Name of the log.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// All keys.
    pub fn all(&self) -> impl Iterator<Item = &Held> {
        self.held.iter().flatten()
    }

    /// Those of a role, in the order in which they came into force.
    pub fn of(&self, role: Role) -> impl Iterator<Item = &Held> {
        self.list(role).iter()
    }

    /// The key that signed something.
    #[must_use]
    pub fn get(&self, signer: Signer) -> Option<&Held> {
        self.list(signer.0).get(signer.1)
    }

    /// The key of a role that has a thumbprint.
    #[must_use]
    pub fn with(&self, role: Role, thumbprint: &Hash) -> Option<&Held> {
        self.list(role).get(*self.by_thumbprint.get(&(role, *thumbprint))?)
    }

    /// Whether a key was one of this log, in any role.
    #[must_use]
    pub fn is_own(&self, key: &PublicKey) -> bool {
        let thumbprint = key.thumbprint();
        ROLES.into_iter().any(|role| self.by_thumbprint.contains_key(&(role, thumbprint)))
    }

    /// Takes a rotation at an index, if it holds.
    ///
    /// # Errors
    /// One that does not: it changes nothing.
    pub fn rotate(&mut self, index: u64, rotated: &Rotated) -> Result<()> {
        let role = Role::of(rotated.role)?;
        ensure(self.changes < MOST_CHANGES, "more than 1,024 changes of keys")?;
        let key = PublicKey::new(rotated.key)?;
        ensure(!self.is_own(&key), "a key that was one of this log before")?;
        let message = rotation_message(&self.origin, rotated.role, &rotated.key, &rotated.next);
        let Some(before) = self.list_mut(role).last_mut() else { return refuse("no key of the role") };
        ensure(before.next == key.thumbprint(), "a key that was not the one to follow")?;
        key.verify(&message, &rotated.signature)?;
        before.until = Some(index);
        self.push(role, index, key, rotated.next);
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
        let at = self.by_thumbprint.get(&(role, revoked.key)).copied();
        let Some(held) = at.and_then(|at| self.list_mut(role).get_mut(at)) else {
            return refuse("a revocation of a key that the log never had");
        };
        ensure(held.until.is_some(), "a revocation of a key in force")?;
        ensure(
            held.revoked.is_none_or(|(from, _)| revoked.from < from),
            "a revocation that is no earlier than one before",
        )?;
        held.revoked = Some((revoked.from, index));
        self.changes = self.changes.saturating_add(1);
        Ok(())
    }

    /// Takes over what a longer piece of the same log says of these keys behind so many entries: that they were revoked.
    /// Which of them was in force when stays as it is, for no rotation out there reaches back.
    pub fn revoke_behind(&mut self, size: u64, longer: &Keys) {
        for held in self.held.iter_mut().flatten() {
            let found = longer.with(held.role, &held.thumbprint).and_then(|held| held.revoked);
            if let Some((from, by)) = found.filter(|(_, by)| *by >= size) {
                held.revoked = Some((from, by));
            }
        }
    }

    /// The key of a role at an index; `at` of a head is its size.
    #[must_use]
    pub fn in_force(&self, role: Role, at: u64) -> Option<&Held> {
        // A rotation at r is behind heads of up to r entries, and behind statements up to index r.
        let list = self.list(role);
        let begun = list.partition_point(|held| held.since < at || held.since == 0);
        list.get(begun.checked_sub(1)?)
    }

    /// Verifies every line of a head whose key is known here: those of any checkpoint key that the log had, since a head
    /// may bear two of them (4.5, *Witnesses that know the old key*), and those of known witnesses.
    ///
    /// # Errors
    /// Another origin, a known line that does not hold: the whole note is refused for it (5.1).
    pub fn lines(&self, head: &Head, witnesses: &[VerifierKey]) -> Result<Lines> {
        ensure(head.origin == self.origin, "a head of another log")?;
        let mut signers = Vec::new();
        for line in head.note.lines.iter().filter(|line| line.name == self.origin) {
            let Some((id, signature)) = line.bytes.split_first_chunk::<4>() else { continue };
            for at in self.by_line.get(id).into_iter().flatten() {
                let Some(held) = self.list(Role::Checkpoint).get(*at) else { continue };
                head.note.signature_holds(&held.key, signature)?;
                signers.push(held.id);
            }
        }
        Ok(Lines { signers, times: head.note.cosigned_by_any(witnesses)? })
    }

    /// The key in force at the size of a head, if it signed the head.
    #[must_use]
    pub fn signer(&self, head: &Head, lines: &Lines) -> Option<&Held> {
        self.in_force(Role::Checkpoint, head.size).filter(|held| lines.signers.contains(&held.id))
    }

    /// Verifies a head of this log: under the key in force at its size, and no other known line of it is wrong. This is
    /// the one way in which heads are verified, wherever they stand; whether a revoked key's head counts is asked apart.
    ///
    /// # Errors
    /// As [`Keys::lines`], and a head that the key in force did not sign.
    pub fn head(&self, head: &Head, witnesses: &[VerifierKey]) -> Result<(&Held, Times)> {
        let lines = self.lines(head, witnesses)?;
        let Some(held) = self.signer(head, &lines) else { return refuse("no signature of the key in force") };
        Ok((held, lines.times))
    }

    /// The newest key of the log that signed a head, in force at its size or not: past the end of a log nobody knows which
    /// of its keys was.
    ///
    /// # Errors
    /// As [`Keys::lines`], and a head that no key of the log signed.
    pub fn any_signer(&self, head: &Head, witnesses: &[VerifierKey]) -> Result<(&Held, Times)> {
        let lines = self.lines(head, witnesses)?;
        let newest = lines.signers.iter().max().and_then(|signer| self.get(*signer));
        newest.map_or_else(|| refuse("a head that the log did not sign"), |held| Ok((held, lines.times)))
    }

    /// Whether a head that somebody gave is one of a log of so many entries: under the key in force, or past its end by any
    /// key that it had.
    ///
    /// # Errors
    /// One that is not.
    pub fn given_head(&self, head: &Head, size: u64, witnesses: &[VerifierKey]) -> Result<(&Held, Times)> {
        if head.size <= size { self.head(head, witnesses) } else { self.any_signer(head, witnesses) }
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
