//! How far the rows have come: stored in the same batch as the rows themselves.

use crate::codec::CborError;
use crate::codec::cbor::{Reader, encode};
use crate::codec::digest::{GroupHash, LeafHash, LedgerId};
use crate::log::{ChainState, Frontier};
use crate::store::Position;
use crate::time::Timestamp;

const LABEL: &str = "immutape/rows/3";

/// Position of the rows in the journal, with all that is needed to go on from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowsPosition {
    /// The ledger they belong to.
    pub ledger: LedgerId,
    /// The chain up to here.
    pub chain: ChainState,
    /// Hash of the last group taken in.
    pub last_group: GroupHash,
    /// Where that group starts.
    pub last_place: Position,
    /// Where to go on reading.
    pub next: Position,
}

impl RowsPosition {
    /// Encodes it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(|w| {
            w.array(11);
            w.text(LABEL);
            w.bytes(self.ledger.as_ref());
            w.uint(self.chain.size());
            w.array(self.chain.frontier.subtrees().len());
            self.chain.frontier.subtrees().iter().for_each(|h| w.bytes(h));
            w.bytes(self.chain.last_leaf.as_ref());
            w.bytes(self.last_group.as_ref());
            w.uint(self.next.segment);
            w.uint(self.next.offset);
            w.uint(self.chain.last_time.as_ms());
            w.uint(self.last_place.segment);
            w.uint(self.last_place.offset);
        })
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        let mut r = Reader::new(bytes);
        r.array_of(11)?;
        r.label(LABEL)?;
        let ledger = LedgerId::from_bytes(r.bytes_n()?);
        let size = r.uint()?;
        let subtrees = (0..r.array()?).map(|_| r.bytes_n()).collect::<Result<Vec<_>, _>>()?;
        let frontier = Frontier::from_parts(size, subtrees).ok_or(CborError::Length)?;
        let last_leaf = LeafHash::from_bytes(r.bytes_n()?);
        let last_group = GroupHash::from_bytes(r.bytes_n()?);
        let next = Position { segment: r.uint()?, offset: r.uint()? };
        let last_time = Timestamp::from_ms(r.uint()?);
        let last_place = Position { segment: r.uint()?, offset: r.uint()? };
        r.end()?;
        Ok(Self { ledger, chain: ChainState { frontier, last_leaf, last_time }, last_group, last_place, next })
    }
}
