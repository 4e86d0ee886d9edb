//! What is kept of the entries of a bundle, for the checks that need several of them.

use super::custody::Chain;
use crate::digest::Hash;
use crate::keys::Times;
use crate::note::Head;
use crate::sign::VerifierKey;
use crate::trust::Trust;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What is kept of an entry.
pub struct Fact {
    /// Its index.
    pub index: u64,
    /// Leaf hash.
    pub leaf: Hash,
    /// Time, ms.
    pub time: u64,
    /// Kind.
    pub kind: u16,
    /// Subject.
    pub subject: Hash,
    /// Bits of the private fields that stay closed; None when the private half stays closed as a whole.
    pub closed: Option<u64>,
    /// A membership is shown.
    pub member: bool,
}

/// The consistency path of an entry that keeps a head.
pub struct Path {
    /// Index of the entry.
    pub index: u64,
    /// Size and root of the head that it keeps.
    pub old: (u64, Hash),
    /// From there to the head of the bundle.
    pub hashes: Vec<Hash>,
}

/// All that the entries of a bundle say.
#[derive(Default)]
pub struct Log {
    /// `entries.cbor` is in the bundle. What cannot be looked at for want of it adds no words.
    pub is_here: bool,
    /// In order of their indices.
    pub facts: Vec<Fact>,
    /// Keys of the log, and what stands on them.
    pub trust: Trust,
    /// By custody id, of the given tapes.
    pub chains: BTreeMap<Hash, Chain>,
    /// Indices of time-stamps, with H of note and of token.
    pub stamps: Vec<(u64, Hash, Hash)>,
    /// The head.
    pub head: Option<Head>,
    /// Cosignatures of known witnesses, where the key in force at its size signed it, no known line is wrong, and it counts.
    pub head_holds: Option<Times>,
    /// Consistency paths of heads that the log signed.
    pub paths: Vec<Path>,
    /// By subject, the last entry here: its number among those of the subject, and its leaf.
    pub last_of: BTreeMap<Hash, (u64, Hash)>,
    /// Index, leaf and time of the entry before.
    pub before: Option<(u64, Hash, u64)>,
}

impl Log {
    /// Nothing read yet; these witnesses are known.
    pub fn new(witnesses: &[VerifierKey]) -> Self {
        Self { trust: Trust::new(witnesses), ..Self::default() }
    }

    /// The entry of an index.
    pub fn fact(&self, index: u64) -> Option<&Fact> {
        let at = self.facts.binary_search_by_key(&index, |fact| fact.index).ok()?;
        self.facts.get(at)
    }
}
