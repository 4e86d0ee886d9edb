//! Groups for the suite: right in every byte that a store may look at, meaningless otherwise.

use crate::codec::digest::{GroupHash, LeafHash, RootHash, sha256};
use crate::codec::extent::{FLAG_CLEAN_CLOSE, Group, GroupHeader, extent_bytes, push_record};
use crate::error::Result;
use crate::store::contracts::{Journal, Place, Position};

/// A group to be made.
#[derive(Debug, Clone, Copy)]
pub struct Draft {
    /// Index of its first entry.
    pub first_index: u64,
    /// Number of entries.
    pub count: u32,
    /// Length of each entry's public half in bytes; at least 8.
    pub entry_bytes: usize,
    /// Does it say "closed in order"?
    pub closed: bool,
}

impl Draft {
    /// One short entry.
    #[must_use]
    pub const fn small(first_index: u64) -> Self {
        Self { first_index, count: 1, entry_bytes: 100, closed: false }
    }

    /// Length of the extent this makes.
    #[must_use]
    pub const fn extent_bytes(&self) -> u64 {
        let record = RECORD_BYTES.saturating_add(self.entry_bytes as u64);
        extent_bytes(record.saturating_mul(self.count as u64))
    }

    /// The whole extent, for `place`.
    #[must_use]
    pub fn seal(&self, place: &Place) -> Vec<u8> {
        let mut records = Vec::new();
        for n in 0..u64::from(self.count) {
            let index = self.first_index.saturating_add(n);
            push_record(&mut records, &filler(index, self.entry_bytes), &filler(!index, SEALED_BYTES));
        }
        let header = GroupHeader {
            term: place.term,
            segment: place.segment,
            offset: place.offset,
            first_index: self.first_index,
            count: self.count,
            flags: if self.closed { FLAG_CLEAN_CLOSE } else { 0 },
            body_bytes: 0,
            root: RootHash::from_bytes(sha256(&self.first_index.to_be_bytes())),
            previous_group: place.previous_group,
            last_leaf: LeafHash::from_bytes([1; 32]),
            hash: GroupHash::from_bytes([0; 32]),
            mac: [0; 32],
        };
        header.seal(&records, |hash| sha256(hash.as_ref())).1
    }
}

const SEALED_BYTES: usize = 40;
/// Two lengths and the sealed half.
const RECORD_BYTES: u64 = 8 + SEALED_BYTES as u64;

/// Bytes that look like nothing and hold no zero, so that every missing sector shows.
fn filler(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut out = Vec::with_capacity(bytes.saturating_add(8));
    while out.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&(state | 0x0101_0101_0101_0101).to_be_bytes());
    }
    out.truncate(bytes);
    out
}

/// Places, makes and appends one group; its extent.
///
/// # Errors
/// Those of the journal.
pub fn append(journal: &dyn Journal, draft: &Draft) -> Result<Vec<u8>> {
    let place = journal.place(draft.extent_bytes())?;
    let extent = draft.seal(&place);
    journal.append(&extent).map(|()| extent)
}

/// The header of a group that was read or made.
pub(super) fn header(extent: &[u8]) -> std::result::Result<GroupHeader, String> {
    Group::parse(extent).map(|group| *group.header()).map_err(|e| format!("a group is not whole: {e}"))
}

/// Every group from the beginning.
///
/// # Errors
/// Those of the journal.
pub fn read_all(journal: &dyn Journal) -> Result<Vec<Vec<u8>>> {
    let mut out = Vec::new();
    let mut at = Position { segment: 1, offset: 0 };
    while let Some((_, extent, next)) = journal.read(at)? {
        out.push(extent);
        at = next;
    }
    Ok(out)
}
