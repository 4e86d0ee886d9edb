//! The journal in memory. Handles on one store share it, so that locks, turns and fencing work
//! between them as between processes.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::codec::digest::GroupHash;
use crate::codec::extent::{Group, GroupHeader};
use crate::codec::limits::{GROUP_BYTES_MAX, SECTOR_BYTES, SEGMENT_BYTES_MIN};
use crate::error::{Code, Error, Result};
use crate::store::contracts::{Journal, Place, Position, Tail};

/// Groups begin here in each segment, as in a file.
const FIRST_OFFSET: u64 = SECTOR_BYTES as u64;
/// A segment takes no more groups past this.
const SEGMENT_BYTES: u64 = SEGMENT_BYTES_MIN;

/// A handle on a journal in memory.
#[derive(Debug)]
pub struct MemoryJournal {
    store: Arc<Mutex<Store>>,
    own: Mutex<Handle>,
}

/// What all handles share: "the disk".
#[derive(Debug, Default)]
struct Store {
    groups: Vec<(Position, Vec<u8>)>,
    aside: Vec<Vec<u8>>,
    term: u64,
    /// Turns taken so far; the newest is the one that may write.
    turns: u64,
    held: bool,
    faults: Faults,
}

#[derive(Debug, Default, Clone, Copy)]
struct Faults {
    fail_next_append: bool,
    room_bytes: Option<u64>,
}

#[derive(Debug, Default)]
struct Handle {
    /// Number of this handle's turn; `None` before acquisition.
    turn: Option<u64>,
    term: u64,
    broken: bool,
    nearly_full: bool,
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryJournal {
    /// An empty journal.
    #[must_use]
    pub fn new() -> Self {
        Self { store: Arc::default(), own: Mutex::default() }
    }

    /// Another handle on the same groups, as another process would open it.
    #[must_use]
    pub fn another(&self) -> Self {
        Self { store: Arc::clone(&self.store), own: Mutex::default() }
    }

    /// Makes the next append answer `E_IN_DOUBT`, as after a failed sync; its group is kept.
    pub fn fail_next_append(&self) {
        self.store().faults.fail_next_append = true;
    }

    /// From now on only this many bytes of groups fit; `None` for no bound.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.store().faults.room_bytes = bytes;
    }

    /// Takes the lock from whoever holds it, as when the lock file is removed under a writer.
    pub fn break_lock(&self) {
        let mut store = self.store();
        store.held = false;
        store.turns = store.turns.saturating_add(1);
    }

    /// Changes one bit of the group at `position`; was there one?
    pub fn damage(&self, position: Position) -> bool {
        let mut store = self.store();
        let group = store.groups.iter_mut().find(|(at, _)| *at == position);
        let bit = group.and_then(|(_, extent)| extent.get_mut(300));
        bit.map(|byte| *byte ^= 1).is_some()
    }

    /// Groups that [`Journal::replace`] put aside.
    #[must_use]
    pub fn aside(&self) -> Vec<Vec<u8>> {
        self.store().aside.clone()
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn own(&self) -> Result<MutexGuard<'_, Handle>> {
        let own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        if own.broken { Err(error(Code::Broken, "an earlier append failed; open another handle")) } else { Ok(own) }
    }
}

impl Drop for MemoryJournal {
    fn drop(&mut self) {
        let own = self.own.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        if own.turn == Some(store.turns) {
            store.held = false;
        }
    }
}

impl Journal for MemoryJournal {
    fn survey(&self) -> Result<Tail> {
        let _refuses_if_broken = self.own()?;
        let last = self.store().last()?;
        Ok(Tail { term: last.map_or(0, |last| last.term), last, tears: Vec::new() })
    }

    fn acquire(&self) -> Result<Tail> {
        let mut own = self.own()?;
        let mut store = self.store();
        let mine = own.turn == Some(store.turns);
        if store.held && !mine {
            return Err(error(Code::Locked, "another handle has the writer's turn"));
        }
        let last = store.last()?;
        store.held = true;
        store.turns = store.turns.saturating_add(1);
        store.term = store.term.max(last.map_or(0, |last| last.term)).saturating_add(1);
        *own = Handle { turn: Some(store.turns), term: store.term, ..Handle::default() };
        Ok(Tail { term: own.term, last, tears: Vec::new() })
    }

    fn place(&self, extent_bytes: u64) -> Result<Place> {
        let mut own = self.own()?;
        let store = self.store();
        own.may_write(&store)?;
        if !extent_bytes.is_multiple_of(SECTOR_BYTES as u64)
            || extent_bytes == 0
            || extent_bytes > GROUP_BYTES_MAX as u64
        {
            return Err(error(Code::Limit, "no group has this length"));
        }
        own.nearly_full = store.is_half_full();
        if !store.has_room(extent_bytes) {
            return Err(error(Code::StoreFull, "there is no room for this group"));
        }
        store.place(own.term, extent_bytes)
    }

    fn append(&self, extent: &[u8]) -> Result<()> {
        let mut own = self.own()?;
        let mut store = self.store();
        own.may_write(&store)?;
        let group = *Group::parse(extent).map_err(|e| error(Code::Conflict, e.to_string()))?.header();
        let place = store.place(own.term, extent.len() as u64)?;
        let position = Position { segment: place.segment, offset: place.offset };
        let named = (group.term, group.segment, group.offset, group.previous_group);
        let next_index = store.last()?.map_or(0, |last| last.size_after());
        let follows = named == (place.term, place.segment, place.offset, place.previous_group)
            && group.first_index == next_index
            && group.extent_bytes() == extent.len() as u64;
        if !follows {
            return Err(error(Code::Conflict, "the group does not follow the head"));
        }
        if !store.has_room(extent.len() as u64) {
            return Err(error(Code::StoreFull, "there is no room for this group"));
        }
        store.groups.push((position, extent.to_vec()));
        if std::mem::take(&mut store.faults.fail_next_append) {
            own.broken = true;
            return Err(error(Code::InDoubt, "the append failed on purpose"));
        }
        Ok(())
    }

    fn is_nearly_full(&self) -> bool {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).nearly_full
    }

    fn look_for_room(&self) {
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.nearly_full = own.nearly_full && self.store().is_half_full();
    }

    fn read(&self, position: Position) -> Result<Option<(Position, Vec<u8>, Position)>> {
        drop(self.own()?);
        let store = self.store();
        let first = store.groups.partition_point(|(at, _)| *at < position);
        let Some((at, extent)) = store.groups.get(first) else { return Ok(None) };
        if Group::parse(extent).is_err() {
            return Err(damaged(*at));
        }
        Ok(Some((*at, extent.clone(), after(*at, extent))))
    }

    fn replace(&self, from: u64, extents: &mut dyn Iterator<Item = Result<Vec<u8>>>) -> Result<Vec<PathBuf>> {
        if self.own()?.turn.is_some() {
            return Err(error(Code::Conflict, "this handle has the writer's turn"));
        }
        let mut store = self.store();
        if store.held {
            return Err(error(Code::Locked, "another handle has the writer's turn"));
        }
        if from == 0 {
            return Err(error(Code::Conflict, "segments are numbered from 1"));
        }
        let kept: Vec<_> = store.groups.iter().filter(|(at, _)| at.segment < from).cloned().collect();
        let mut fresh = kept;
        for extent in extents {
            let extent = extent?;
            let last = fresh.last().map(|(_, bytes)| header(bytes)).transpose()?;
            let group = header(&extent)?;
            let follows = group.segment >= from
                && group.previous_group == last.map_or(GroupHash::from_bytes([0; 32]), |last| last.hash)
                && group.first_index == last.map_or(0, |last| last.size_after());
            if !follows {
                return Err(error(Code::Conflict, "the extents form no chain"));
            }
            fresh.push((Position { segment: group.segment, offset: group.offset }, extent));
        }
        let lost = store.groups.len() > fresh.len();
        if lost {
            return Err(error(Code::Conflict, "the extents end before the last group"));
        }
        let aside: Vec<_> = store.groups.iter().filter(|old| !fresh.contains(old)).map(|(_, e)| e.clone()).collect();
        store.aside.extend(aside);
        store.groups = fresh;
        Ok(Vec::new())
    }
}

impl Handle {
    fn may_write(&self, store: &Store) -> Result<()> {
        match self.turn {
            None => Err(error(Code::ReadOnly, "nothing was acquired")),
            Some(turn) if turn == store.turns => Ok(()),
            Some(_) => Err(error(Code::Fenced, "another handle has taken over")),
        }
    }
}

impl Store {
    fn last(&self) -> Result<Option<GroupHeader>> {
        let Some((at, extent)) = self.groups.last() else { return Ok(None) };
        header(extent).map(Some).map_err(|_| damaged(*at))
    }

    fn place(&self, term: u64, extent_bytes: u64) -> Result<Place> {
        let end = self.groups.last().map(|(at, extent)| after(*at, extent));
        let end = end.unwrap_or(Position { segment: 1, offset: FIRST_OFFSET });
        let fits = end.offset.saturating_add(extent_bytes) <= SEGMENT_BYTES || end.offset == FIRST_OFFSET;
        let fresh = Position { segment: end.segment.saturating_add(1), offset: FIRST_OFFSET };
        let Position { segment, offset } = if fits { end } else { fresh };
        let previous_group = self.last()?.map_or(GroupHash::from_bytes([0; 32]), |last| last.hash);
        Ok(Place { term, segment, offset, previous_group })
    }

    fn used_bytes(&self) -> u64 {
        self.groups.iter().fold(0, |sum, (_, extent)| sum.saturating_add(extent.len() as u64))
    }

    fn has_room(&self, extent_bytes: u64) -> bool {
        self.faults.room_bytes.is_none_or(|room| self.used_bytes().saturating_add(extent_bytes) <= room)
    }

    fn is_half_full(&self) -> bool {
        self.faults.room_bytes.is_some_and(|room| self.used_bytes() >= room / 2)
    }
}

fn header(extent: &[u8]) -> Result<GroupHeader> {
    let group = Group::parse(extent).map_err(|e| error(Code::Conflict, e.to_string()))?;
    Ok(*group.header())
}

fn after(at: Position, extent: &[u8]) -> Position {
    Position { offset: at.offset.saturating_add(extent.len() as u64), ..at }
}

fn damaged(at: Position) -> Error {
    error(Code::LogDamaged, format!("journal segment {}, byte {}: the group is damaged", at.segment, at.offset))
}

fn error(code: Code, message: impl Into<String>) -> Error {
    Error::new(code, message.into())
}
