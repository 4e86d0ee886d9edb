//! Both copies of the log, walked from the beginning: how far does each hold by itself?

use crate::catalog::{Queries, pieces_to_extents};
use crate::codec::digest::{GroupHash, RootHash};
use crate::codec::extent::Group;
use crate::error::{Error, Result};
use crate::keyring::VaultKeys;
use crate::ledger::rebuild::{BEGINNING, foreign_group};
use crate::log::{Chain, LogError};
use crate::store::{Position, Stores};

/// How far a copy holds.
pub(super) struct Held {
    /// Entries of whole groups that chain.
    pub entries: u64,
    /// Where the next group would stand.
    pub end: Position,
    /// Hash of the last of these groups; zero before the first.
    pub last: GroupHash,
    /// The root where the copy has as many entries as were asked about.
    pub root_at_mark: Option<RootHash>,
    /// Why it ends there, if not because it is over.
    pub fault: Option<Error>,
}

/// Takes groups in order.
pub(super) struct Walk<'a> {
    chain: Chain,
    held: Held,
    mark: Option<u64>,
    keys: Option<&'a VaultKeys>,
}

impl<'a> Walk<'a> {
    /// Notes the root at `mark` entries; with `keys`, each group must carry the ledger's own code.
    pub(super) fn new(mark: Option<u64>, keys: Option<&'a VaultKeys>) -> Self {
        let last = GroupHash::from_bytes([0; 32]);
        let held = Held { entries: 0, end: BEGINNING, last, root_at_mark: None, fault: None };
        Self { chain: Chain::new(), held, mark, keys }
    }

    /// Takes the next group in; on an error what came before still holds.
    pub(super) fn take(&mut self, extent: &[u8]) -> Result<()> {
        let group = Group::parse(extent).map_err(LogError::from)?;
        let header = group.header();
        if header.previous_group != self.held.last {
            return Err(LogError::Group(header.first_index).into());
        }
        if self.keys.is_some_and(|keys| !keys.journal.accepts(&header.hash, &header.mac)) {
            return Err(foreign_group(header.first_index));
        }
        for record in group.records() {
            let (public, sealed) = record.map_err(LogError::from)?;
            self.chain.check(public, sealed)?;
        }
        if self.chain.state().frontier.root() != header.root {
            return Err(LogError::Root(header.size_after()).into());
        }
        self.held.entries = header.size_after();
        self.held.last = header.hash;
        self.held.end =
            Position { segment: header.segment, offset: header.offset.saturating_add(header.extent_bytes()) };
        if self.mark == Some(self.held.entries) {
            self.held.root_at_mark = Some(header.root);
        }
        Ok(())
    }

    /// Goes on with what the journal has, until it ends or does not hold; the groups taken are given to `each`.
    pub(super) fn journal(&mut self, stores: &Stores, each: &mut dyn FnMut(Vec<u8>)) -> Result<()> {
        while let Some((_, extent, next)) = stores.journal.read(self.held.end)? {
            self.take(&extent)?;
            self.held.end = next;
            each(extent);
        }
        Ok(())
    }

    /// Takes in all of sled's copy.
    pub(super) fn sled(&mut self, stores: &Stores) -> Result<()> {
        let queries = Queries::new(&*stores.rows);
        pieces_to_extents(&mut |each| queries.pieces(each), &mut |_, extent| self.take(&extent))
    }

    pub(super) fn held(self, walked: Result<()>) -> Held {
        Held { fault: walked.err(), ..self.held }
    }
}

/// The journal.
pub(super) fn journal(stores: &Stores, mark: Option<u64>, keys: Option<&VaultKeys>) -> Held {
    let mut walk = Walk::new(mark, keys);
    let walked = walk.journal(stores, &mut |_| {});
    walk.held(walked)
}

/// Sled's copy.
pub(super) fn sled(stores: &Stores, mark: Option<u64>, keys: &VaultKeys) -> Held {
    let mut walk = Walk::new(mark, Some(keys));
    let walked = walk.sled(stores);
    walk.held(walked)
}
