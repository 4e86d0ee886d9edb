//! Which key signed what: the keys of entry 0, those that replaced them, and those that were revoked
//! (`docs/format/4-commit.md` 4.5).
//!
//! A key follows another only when entry 0, or the rotation before, named its thumbprint: who steals a key in use cannot name
//! its successor.

use super::body_critical::CriticalBody;
use super::{Checkpoint, Genesis, LogError, NoteKey};
use crate::codec::cbor::encode;
use crate::codec::digest::Thumbprint;
use crate::codec::limits::KEY_ROTATIONS_MAX;
use crate::seal::{PublicKey, Signature, Signer};

const LABEL: &str = "immutape/key/1";

/// What a key of a log does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum KeyRole {
    /// Signs heads.
    Checkpoint,
    /// Signs statements about tapes.
    Recorder,
    /// Signs receipts.
    Issuer,
}

impl KeyRole {
    /// Every role, in the order of entry 0.
    pub const ALL: [Self; 3] = [Self::Checkpoint, Self::Recorder, Self::Issuer];

    /// The number in an entry.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Checkpoint => 0,
            Self::Recorder => 1,
            Self::Issuer => 2,
        }
    }

    /// From the number in an entry.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.number() == number)
    }

    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoint",
            Self::Recorder => "recorder",
            Self::Issuer => "issuer",
        }
    }
}

impl std::fmt::Display for KeyRole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// One key while it was in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyTerm {
    /// What it does.
    pub role: KeyRole,
    /// The public half.
    pub key: PublicKey,
    /// Index of the entry that named it: 0, or that of a rotation. It signs heads of more entries, and statements in later ones.
    pub since: u64,
    /// Index of the rotation that replaced it.
    pub until: Option<u64>,
    /// Whether it was revoked.
    pub revoked: Option<Revocation>,
    /// Thumbprint of the key that may follow.
    pub next: Thumbprint,
}

/// A key that was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revocation {
    /// From this index on nothing counts that it signed.
    pub from: u64,
    /// Index of the entry that says so.
    pub at: u64,
}

/// A head that others hold, as an entry keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldHead {
    /// Index of the entry.
    pub entry: u64,
    /// Entries of the head.
    pub size: u64,
}

/// Who knows by which key a log signs its heads: one key, or a history of them.
pub trait HeadKeys {
    /// The name of the log.
    fn origin(&self) -> &str;
    /// The key that signs a head of so many entries.
    ///
    /// # Errors
    /// [`LogError::Revoked`] where that key counts no more for such a head.
    fn head_key(&self, size: u64) -> Result<&NoteKey, LogError>;
    /// Every key of the log that is known: no line of any of them may be wrong.
    fn known(&self) -> &[NoteKey];
}

impl HeadKeys for NoteKey {
    fn origin(&self) -> &str {
        self.name()
    }

    fn head_key(&self, _size: u64) -> Result<&NoteKey, LogError> {
        Ok(self)
    }

    fn known(&self) -> &[NoteKey] {
        std::slice::from_ref(self)
    }
}

impl<K: HeadKeys + ?Sized> HeadKeys for &K {
    fn origin(&self) -> &str {
        (**self).origin()
    }

    fn head_key(&self, size: u64) -> Result<&NoteKey, LogError> {
        (**self).head_key(size)
    }

    fn known(&self) -> &[NoteKey] {
        (**self).known()
    }
}

/// The keys of a log from entry 0 on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHistory {
    origin: String,
    /// Of each role in its order; the first of each is that of entry 0.
    terms: [Vec<KeyTerm>; 3],
    /// Checkpoint keys under the origin, beside their terms.
    heads: Vec<NoteKey>,
    /// Entries that were taken in: index and body.
    events: Vec<(u64, CriticalBody)>,
}

/// What a new key signs to show that it is there: the log, its role, itself and what may follow it.
#[must_use]
pub fn rotation_text(origin: &str, role: KeyRole, key: &[u8; 32], next: &Thumbprint) -> Vec<u8> {
    encode(|w| {
        w.array(5);
        w.text(LABEL);
        w.text(origin);
        w.uint(role.number());
        w.bytes(key);
        w.bytes(next.as_ref());
    })
}

/// The body of a rotation to the key of `signer`.
#[must_use]
pub fn rotate(origin: &str, role: KeyRole, signer: &dyn Signer, next: Thumbprint) -> CriticalBody {
    let key = signer.public_key().to_bytes();
    let proof: Signature = signer.sign(&rotation_text(origin, role, &key, &next));
    CriticalBody::Rotated { role, key, next, proof }
}

impl KeyHistory {
    /// The keys that entry 0 names.
    ///
    /// # Errors
    /// [`LogError::Seal`] for a key that is none, [`LogError::Note`] for an origin that no key can have.
    pub fn of(genesis: &Genesis) -> Result<Self, LogError> {
        let first = |role: KeyRole, key: &[u8; 32], next: &Thumbprint| {
            let key = PublicKey::from_bytes(key)?;
            Ok::<_, LogError>(KeyTerm { role, key, since: 0, until: None, revoked: None, next: *next })
        };
        let ([checkpoint, recorder, issuer], [a, b, c]) = (&genesis.keys, &genesis.next);
        let checkpoint = first(KeyRole::Checkpoint, checkpoint, a)?;
        Ok(Self {
            origin: genesis.origin.clone(),
            heads: vec![NoteKey::new(&genesis.origin, checkpoint.key)?],
            terms: [
                vec![checkpoint],
                vec![first(KeyRole::Recorder, recorder, b)?],
                vec![first(KeyRole::Issuer, issuer, c)?],
            ],
            events: Vec::new(),
        })
    }

    /// The keys as entry 0 alone names them.
    #[must_use]
    pub fn of_entry_0(&self) -> Self {
        let first =
            |terms: &[KeyTerm]| terms.iter().take(1).map(|t| KeyTerm { until: None, revoked: None, ..*t }).collect();
        Self {
            origin: self.origin.clone(),
            terms: self.terms.each_ref().map(|terms| first(terms)),
            heads: self.heads.iter().take(1).cloned().collect(),
            events: Vec::new(),
        }
    }

    /// Takes in the entry at `index`. What does not follow the rules changes nothing.
    ///
    /// # Errors
    /// [`LogError::Key`].
    pub fn apply(&mut self, index: u64, body: &CriticalBody) -> Result<(), LogError> {
        let fault = |fault| LogError::Key { index, fault };
        if self.events.last().is_some_and(|(last, _)| *last >= index) || index == 0 {
            return Err(fault("it does not stand behind the one before it"));
        }
        if self.events.len() >= KEY_ROTATIONS_MAX {
            return Err(fault("more changes of keys than a log may have"));
        }
        match body {
            CriticalBody::Rotated { role, key, next, proof } => self.rotated(index, *role, key, next, proof)?,
            CriticalBody::Revoked { role, thumbprint, from, .. } => self.revoked(index, *role, thumbprint, *from)?,
            CriticalBody::Succession { .. } => return Ok(()),
        }
        self.events.push((index, body.clone()));
        Ok(())
    }

    fn rotated(
        &mut self,
        index: u64,
        role: KeyRole,
        key: &[u8; 32],
        next: &Thumbprint,
        proof: &Signature,
    ) -> Result<(), LogError> {
        let fault = |fault| LogError::Key { index, fault };
        let text = rotation_text(&self.origin, role, key, next);
        let key = PublicKey::from_bytes(key).map_err(|_| fault("the new key is none"))?;
        key.verify(&text, proof).map_err(|_| fault("the new key has not signed for itself"))?;
        let is_known = KeyRole::ALL.into_iter().flat_map(|role| self.terms(role)).any(|term| term.key == key);
        if is_known {
            return Err(fault("the new key was one of this log already"));
        }
        let name = NoteKey::new(&self.origin, key)?;
        let terms = self.terms_mut(role);
        let last = terms.last_mut().ok_or(fault("a role without a key"))?;
        if last.next != key.thumbprint() {
            return Err(fault("the new key is not the one that was named to follow"));
        }
        last.until = Some(index);
        terms.push(KeyTerm { role, key, since: index, until: None, revoked: None, next: *next });
        if role == KeyRole::Checkpoint {
            self.heads.push(name);
        }
        Ok(())
    }

    fn revoked(&mut self, index: u64, role: KeyRole, thumbprint: &Thumbprint, from: u64) -> Result<(), LogError> {
        let fault = |fault| LogError::Key { index, fault };
        let terms = self.terms_mut(role);
        let term = terms.iter_mut().find(|term| term.key.thumbprint() == *thumbprint);
        let term = term.ok_or(fault("the key that is revoked was never one of this log"))?;
        if term.until.is_none() {
            return Err(fault("a key in use is revoked, and none has replaced it"));
        }
        if from > index {
            return Err(fault("a key is revoked from an entry on that is not there yet"));
        }
        // A later finding may reach further back, never forward.
        if term.revoked.is_some_and(|earlier| earlier.from <= from) {
            return Err(fault("the key is revoked from an earlier entry on already"));
        }
        term.revoked = Some(Revocation { from, at: index });
        Ok(())
    }

    /// Every key of a role, in the order in which they were in force.
    #[must_use]
    pub fn terms(&self, role: KeyRole) -> &[KeyTerm] {
        let [checkpoint, recorder, issuer] = &self.terms;
        match role {
            KeyRole::Checkpoint => checkpoint,
            KeyRole::Recorder => recorder,
            KeyRole::Issuer => issuer,
        }
    }

    fn terms_mut(&mut self, role: KeyRole) -> &mut Vec<KeyTerm> {
        let [checkpoint, recorder, issuer] = &mut self.terms;
        match role {
            KeyRole::Checkpoint => checkpoint,
            KeyRole::Recorder => recorder,
            KeyRole::Issuer => issuer,
        }
    }

    /// The key of a role that is in force now.
    ///
    /// # Errors
    /// [`LogError::Unsigned`] never happens: each role has the key of entry 0.
    pub fn in_force(&self, role: KeyRole) -> Result<&KeyTerm, LogError> {
        self.terms(role).last().ok_or(LogError::Unsigned)
    }

    /// The key of a role that was in force for the entry at `index`.
    ///
    /// # Errors
    /// As [`KeyHistory::in_force`].
    pub fn at(&self, role: KeyRole, index: u64) -> Result<&KeyTerm, LogError> {
        let terms = self.terms(role);
        terms.iter().rev().find(|term| term.since < index || term.since == 0).ok_or(LogError::Unsigned)
    }

    /// The key that signs heads now, under the log's name.
    ///
    /// # Errors
    /// As [`KeyHistory::in_force`].
    pub fn newest_head_key(&self) -> Result<&NoteKey, LogError> {
        self.heads.last().ok_or(LogError::Unsigned)
    }

    /// Every key that has ever signed heads, under the log's name.
    #[must_use]
    pub fn head_keys(&self) -> &[NoteKey] {
        &self.heads
    }

    /// Entries that changed keys, with their indices.
    #[must_use]
    pub fn events(&self) -> &[(u64, CriticalBody)] {
        &self.events
    }
}

impl KeyTerm {
    /// Does a signature of this key in the entry at `index` count, as far as revocation goes? Others must have held the entry
    /// before the key was in wrong hands, and the log must have known of that before it revoked the key.
    #[must_use]
    pub fn counts(&self, index: u64, held: &[HeldHead]) -> Counts {
        let Some(Revocation { from, at }) = self.revoked else { return Counts::Fully };
        let is_older = |head: &HeldHead| index < head.size && head.size <= from && head.entry < at;
        match index {
            index if index >= from => Counts::Never,
            _ if held.iter().any(is_older) => Counts::Anchored,
            _ => Counts::Unproved,
        }
    }
}

/// What a signature is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Counts {
    /// The key was never revoked.
    Fully,
    /// The key was revoked later, and others held the entry before.
    Anchored,
    /// The key was revoked later, and nobody held the entry before: its holder may have made it up.
    Unproved,
    /// The key was revoked when it signed.
    Never,
}

impl HeadKeys for KeyHistory {
    fn origin(&self) -> &str {
        &self.origin
    }

    fn head_key(&self, size: u64) -> Result<&NoteKey, LogError> {
        let terms = self.terms(KeyRole::Checkpoint).iter().zip(&self.heads).rev();
        let found = terms.into_iter().find(|(term, _)| term.since < size || term.since == 0);
        let (term, key) = found.ok_or(LogError::Unsigned)?;
        match term.revoked {
            Some(Revocation { from, at }) if size > from => Err(LogError::Revoked { from, at }),
            _ => Ok(key),
        }
    }

    fn known(&self) -> &[NoteKey] {
        &self.heads
    }
}

impl Checkpoint {
    /// Reads and verifies a whole note under the key that signs heads of its size.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn from_note(note: &str, keys: &(impl HeadKeys + ?Sized)) -> Result<Self, LogError> {
        let note = super::SignedNote::parse(note)?;
        // Nothing of the text is believed but which key must have signed it.
        let size = Self::parse(note.text()).map_or(0, |head| head.size);
        let is_signed_by = |key: &NoteKey| match note.verify(key) {
            Err(LogError::Unsigned) => Ok(false),
            verified => verified.map(|()| true),
        };
        let mut signed = 0usize;
        for key in keys.known() {
            signed = signed.saturating_add(usize::from(is_signed_by(key)?));
        }
        if signed == 0 {
            return Err(LogError::Unsigned);
        }
        note.verify(keys.head_key(size)?)?;
        let checkpoint = Self::parse(note.text())?;
        if checkpoint.origin == keys.origin() { Ok(checkpoint) } else { Err(LogError::Checkpoint("another origin")) }
    }
}

#[cfg(test)]
mod tests;
