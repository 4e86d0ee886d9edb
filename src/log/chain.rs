//! How entries hang together: index, previous leaf, time, and each subject's own chain.

use std::collections::HashMap;

use super::{Body, Entry, EntryKind, Frontier, LogError, leaf_hash};
use crate::codec::digest::{CustodyId, Digest, LeafHash, sha256};
use crate::time::Timestamp;

/// The last entry about one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubjectTip {
    /// Its `subject_seq`.
    pub seq: u64,
    /// Its leaf hash.
    pub leaf: LeafHash,
}

/// Where the log stands: enough to append, or to check the next entry but for its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainState {
    /// Tree over all entries so far.
    pub frontier: Frontier,
    /// Leaf hash of the last entry; zero before the first.
    pub last_leaf: LeafHash,
    /// Time of the last entry.
    pub last_time: Timestamp,
}

impl Default for ChainState {
    fn default() -> Self {
        Self { frontier: Frontier::new(), last_leaf: LeafHash::from_bytes([0; 32]), last_time: Timestamp::from_ms(0) }
    }
}

impl ChainState {
    /// Index of the next entry.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.frontier.size()
    }

    /// Checks that `entry` with hash `leaf` is the next one, given the last entry about its subject,
    /// and moves past it.
    ///
    /// # Errors
    /// [`LogError`]; the state is then unchanged.
    pub fn advance(
        &mut self,
        entry: &Entry<'_>,
        leaf: LeafHash,
        tip: Option<&SubjectTip>,
    ) -> Result<SubjectTip, LogError> {
        self.advance_and_tell(entry, leaf, tip, |_, _| {})
    }

    /// As [`ChainState::advance`], with what [`Frontier::push_and_tell`] tells.
    ///
    /// # Errors
    /// As there.
    pub fn advance_and_tell(
        &mut self,
        entry: &Entry<'_>,
        leaf: LeafHash,
        tip: Option<&SubjectTip>,
        completed: impl FnMut(u32, &[u8; 32]),
    ) -> Result<SubjectTip, LogError> {
        let index = self.size();
        if entry.index != index {
            return Err(LogError::Index { expected: index, found: entry.index });
        }
        if entry.previous != self.last_leaf {
            return Err(LogError::Previous(index));
        }
        if entry.time < self.last_time {
            return Err(LogError::Time(index));
        }
        let is_genesis = entry.kind == EntryKind::GENESIS;
        if is_genesis != (index == 0) || (is_genesis && entry.subject != CustodyId::LEDGER) {
            return Err(LogError::Genesis(index));
        }
        if !entry.kind.can_be_about(entry.subject == CustodyId::LEDGER) {
            return Err(LogError::About { index, kind: entry.kind.number() });
        }
        let (seq, prev) = match tip {
            Some(tip) => (tip.seq.checked_add(1), tip.leaf),
            None => (Some(0), LeafHash::from_bytes([0; 32])),
        };
        if Some(entry.subject_seq) != seq || entry.subject_prev != prev {
            return Err(LogError::Subject(index));
        }
        self.frontier.push_and_tell(&leaf, completed);
        self.last_leaf = leaf;
        self.last_time = entry.time;
        Ok(SubjectTip { seq: entry.subject_seq, leaf })
    }
}

/// Checks an entry and its sealed half as far as they stand for themselves; [`ChainState::advance`] is the rest.
///
/// # Errors
/// [`LogError`], naming the index.
pub fn examine<'a>(public: &'a [u8], sealed: &[u8]) -> Result<(Entry<'a>, Body, LeafHash), LogError> {
    let entry = Entry::decode(public)?;
    if Digest::from_bytes(sha256(sealed)) != entry.sealed_digest {
        return Err(LogError::SealedDigest(entry.index));
    }
    let body = Body::decode(entry.kind, entry.body).map_err(|fault| LogError::Body {
        index: entry.index,
        kind: entry.kind.number(),
        fault,
    })?;
    Ok((entry, body, leaf_hash(public)))
}

/// A whole log under check, with the tip of every subject.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    state: ChainState,
    tips: HashMap<CustodyId, SubjectTip>,
}

impl Chain {
    /// Nothing checked yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks the next entry and its sealed half in every respect but what only keys can tell.
    ///
    /// # Errors
    /// [`LogError`], naming the index.
    pub fn check<'a>(&mut self, public: &'a [u8], sealed: &[u8]) -> Result<(Entry<'a>, LeafHash), LogError> {
        let (entry, _, leaf) = examine(public, sealed)?;
        let tip = self.state.advance(&entry, leaf, self.tips.get(&entry.subject))?;
        self.tips.insert(entry.subject, tip);
        Ok((entry, leaf))
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> &ChainState {
        &self.state
    }

    /// Subjects seen so far with the number of their entries.
    pub fn subjects(&self) -> impl Iterator<Item = (&CustodyId, u64)> {
        self.tips.iter().map(|(id, tip)| (id, tip.seq.saturating_add(1)))
    }
}
