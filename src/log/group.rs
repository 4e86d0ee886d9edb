//! Entries gathered into one durable group: drafts in, an extent ready for the journal out.

use std::collections::HashMap;

use super::{ChainState, EntryDraft, LogError, SubjectTip};
use crate::codec::digest::{CustodyId, GroupHash, LeafHash};
use crate::codec::extent::{FLAG_CLEAN_CLOSE, Group, GroupHeader, extent_bytes, push_record};
use crate::codec::limits::{GROUP_BYTES_MAX, GROUP_ENTRIES_MAX};
use crate::seal::JournalKey;
use crate::time::Timestamp;

/// Where a group goes; filled from the journal's answer.
#[derive(Debug, Clone, Copy)]
pub struct GroupPlace {
    /// Term of the writer.
    pub term: u64,
    /// Segment.
    pub segment: u64,
    /// Offset.
    pub offset: u64,
    /// Hash of the group before.
    pub previous_group: GroupHash,
}

/// What one draft became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlacedEntry {
    /// Index.
    pub index: u64,
    /// Leaf hash.
    pub leaf: LeafHash,
    /// Time in the entry.
    pub time: Timestamp,
}

/// A group under construction over a copy of the chain's state; nothing outside changes until it is durable.
pub struct GroupBuilder {
    state: ChainState,
    first_index: u64,
    tips: HashMap<CustodyId, SubjectTip>,
    records: Vec<u8>,
    placed: Vec<PlacedEntry>,
}

/// A finished group.
pub struct FinishedGroup {
    /// Header with hash and code.
    pub header: GroupHeader,
    /// The bytes for the journal.
    pub extent: Vec<u8>,
    /// The chain after it.
    pub state: ChainState,
    /// Tips of the subjects it touched.
    pub tips: HashMap<CustodyId, SubjectTip>,
    /// Its entries in order.
    pub placed: Vec<PlacedEntry>,
}

impl GroupBuilder {
    /// Starts a group after `state`.
    #[must_use]
    pub fn new(state: &ChainState) -> Self {
        Self {
            first_index: state.size(),
            state: state.clone(),
            tips: HashMap::new(),
            records: Vec::new(),
            placed: Vec::new(),
        }
    }

    /// Is there room for `draft`?
    #[must_use]
    pub fn has_room_for(&self, drafts: &[EntryDraft]) -> bool {
        let bytes = |d: &EntryDraft| d.body.len().saturating_add(d.sealed.len()).saturating_add(512);
        let more = drafts.iter().map(bytes).fold(0, usize::saturating_add);
        self.placed.len().saturating_add(drafts.len()) <= GROUP_ENTRIES_MAX
            && extent_bytes(self.records.len().saturating_add(more) as u64) <= GROUP_BYTES_MAX as u64
    }

    /// Index the next draft will get.
    #[must_use]
    pub const fn next_index(&self) -> u64 {
        self.state.size()
    }

    /// Adds a draft. `tip_of` looks up the last entry about a subject before this group.
    ///
    /// # Errors
    /// [`LogError::TooLong`], or the look-up's error; the group is then unchanged.
    pub fn push<E: From<LogError>>(
        &mut self,
        draft: &EntryDraft,
        now: Timestamp,
        tip_of: impl FnOnce(&CustodyId) -> Result<Option<SubjectTip>, E>,
    ) -> Result<PlacedEntry, E> {
        let tip = match self.tips.get(&draft.subject) {
            Some(tip) => Some(*tip),
            None => tip_of(&draft.subject)?,
        };
        let (seq, prev) = tip.map_or((0, LeafHash::from_bytes([0; 32])), |t| (t.seq.saturating_add(1), t.leaf));
        let index = self.state.size();
        let time = now.max(self.state.last_time);
        let (bytes, leaf) = draft.place(index, &self.state.last_leaf, time, seq, &prev)?;
        push_record(&mut self.records, &bytes, &draft.sealed);
        self.state.frontier.push(&leaf);
        self.state.last_leaf = leaf;
        self.state.last_time = time;
        self.tips.insert(draft.subject, SubjectTip { seq, leaf });
        let placed = PlacedEntry { index, leaf, time };
        self.placed.push(placed);
        Ok(placed)
    }

    /// Nothing in it?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.placed.is_empty()
    }

    /// Length of the extent it will take.
    #[must_use]
    pub const fn extent_bytes(&self) -> u64 {
        extent_bytes(self.records.len() as u64)
    }

    /// Seals the group for its place.
    #[must_use]
    pub fn finish(self, place: &GroupPlace, clean_close: bool, key: &JournalKey) -> FinishedGroup {
        let header = GroupHeader {
            term: place.term,
            segment: place.segment,
            offset: place.offset,
            first_index: self.first_index,
            count: u32::try_from(self.placed.len()).unwrap_or(u32::MAX),
            flags: if clean_close { FLAG_CLEAN_CLOSE } else { 0 },
            body_bytes: 0,
            root: self.state.frontier.root(),
            previous_group: place.previous_group,
            last_leaf: self.state.last_leaf,
            hash: GroupHash::from_bytes([0; 32]),
            mac: [0; 32],
        };
        let (header, extent) = header.seal(&self.records, |hash| key.code(hash));
        FinishedGroup { header, extent, state: self.state, tips: self.tips, placed: self.placed }
    }
}

/// Public and sealed halves of a group's entries, in order.
///
/// # Errors
/// [`LogError::Extent`].
pub fn group_entries<'a>(group: &Group<'a>) -> Result<Vec<(&'a [u8], &'a [u8])>, LogError> {
    group.records().collect::<Result<_, _>>().map_err(Into::into)
}
