//! A writer's turn: from acquisition, over placing and appending, to the first failure.

use std::sync::Arc;

use super::prepare::{Preparation, STEP_BYTES, next_length};
use super::segment::{FIRST_OFFSET, Next, Segment, is_zero};
use super::shelf::{Shelf, damaged, failed};
use super::tail::{Begun, Found};
use crate::codec::digest::Digest;
use crate::codec::extent::{Group, GroupHeader, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::codec::limits::{GROUP_BYTES_MAX, SECTOR_BYTES};
use crate::error::{Code, Error, Result};
use crate::store::contracts::{Place, Position};
use crate::store::files::{File, FileLock};

/// After a failed preparation this many placements pass at most before the next attempt.
const PATIENCE_MAX: u32 = 1_024;

/// The state of the one writer.
#[derive(Debug)]
pub(super) struct Turn {
    lock: Box<dyn FileLock>,
    term: u64,
    next: Next,
    /// The segment that takes groups; `None` when the newest holds a tear, or none was begun.
    current: Option<Current>,
    /// What the header of the next segment will say of the newest.
    newest: Newest,
    prepared: Option<Segment>,
    /// Was the prepared segment made or read through in this turn?
    prepared_is_checked: bool,
    preparing: Option<Preparation>,
    nearly_full: bool,
    patience: u32,
    placements_until_attempt: u32,
}

#[derive(Debug)]
struct Current {
    file: Arc<dyn File>,
    bytes: u64,
}

#[derive(Debug, Clone, Copy)]
struct Newest {
    number: u64,
    bytes: u64,
    dropped_hash: Digest,
    dropped_bytes: u64,
}

/// Where a group goes.
enum Spot {
    Current,
    Prepared,
    Nowhere,
}

impl Turn {
    /// Begins a turn at the end that was found: the end is written again, then it counts.
    ///
    /// A failed sync can leave pages that look written and are not on the disk. Whatever the next
    /// group will build on (the last whole group, the headers of segments begun after it, the torn
    /// bytes that the next header names by their hash) is therefore written once more, byte for
    /// byte, and synced. A crash in here leaves what stood there before.
    ///
    /// # Errors
    /// `E_IO`; the handle must then be given up.
    pub fn begin(shelf: &Shelf, lock: Box<dyn FileLock>, term: u64, found: Found) -> Result<Self> {
        let mut current = None;
        for begun in &found.begun {
            let file = write_again(shelf, begun)?;
            let takes_groups = begun.segment.header.is_some() && begun.tear.is_none();
            current = takes_groups.then_some(Current { file, bytes: begun.segment.bytes });
        }
        // The name of a prepared segment may not be durable: a crash may have come before its sync.
        let prepared = match found.prepared {
            Some(segment) => Segment::open(shelf, segment.number, true)?,
            None => None,
        };
        shelf.files.sync_dir(&shelf.folder).map_err(|e| failed("sync", &shelf.folder, e))?;
        let newest = found.begun.last();
        let tear = newest.and_then(|begun| begun.tear);
        let newest = Newest {
            number: newest.map_or(0, |begun| begun.segment.number),
            bytes: newest.map_or(0, |begun| begun.segment.bytes),
            dropped_hash: tear.map_or(Digest::from_bytes([0; 32]), |tear| tear.hash),
            dropped_bytes: tear.map_or(0, |tear| tear.bytes),
        };
        Ok(Self {
            lock,
            term,
            next: found.next,
            current,
            newest,
            prepared,
            prepared_is_checked: false,
            preparing: None,
            nearly_full: false,
            patience: 1,
            placements_until_attempt: 0,
        })
    }

    pub const fn term(&self) -> u64 {
        self.term
    }

    pub const fn is_nearly_full(&self) -> bool {
        self.nearly_full
    }

    /// Where the groups end.
    pub const fn end(&self) -> Position {
        Position { segment: self.next.segment, offset: self.next.offset }
    }

    pub fn into_lock(self) -> Box<dyn FileLock> {
        self.lock
    }

    /// See [`crate::store::Journal::place`].
    pub fn place(&mut self, shelf: &Shelf, extent_bytes: u64) -> Result<Place> {
        self.refuse_if_fenced()?;
        let whole_sectors = extent_bytes.is_multiple_of(SECTOR_BYTES as u64) && extent_bytes > 0;
        if !whole_sectors || extent_bytes > GROUP_BYTES_MAX as u64 {
            return Err(Error::new(Code::Limit, format!("a group of {extent_bytes} bytes cannot be stored")));
        }
        match self.spot(extent_bytes) {
            Spot::Current => self.prepare_ahead(shelf, extent_bytes),
            Spot::Prepared => self.check_prepared(shelf)?,
            Spot::Nowhere => self.prepare_next(shelf, extent_bytes, u64::MAX)?,
        }
        Ok(self.place_at(self.position(extent_bytes)))
    }

    /// Writes the group and syncs it; the new end.
    ///
    /// # Errors
    /// [`Failure::Refused`] before anything was written; [`Failure::InDoubt`] after.
    pub fn append(&mut self, shelf: &Shelf, extent: &[u8]) -> Result<Position, Failure> {
        self.refuse_if_fenced()?;
        let group = self.following_group(extent)?;
        match self.spot(extent.len() as u64) {
            Spot::Current => self.append_to_current(shelf, extent)?,
            Spot::Prepared => self.begin_prepared(shelf, &group, extent)?,
            Spot::Nowhere => return Err(Failure::Refused(full(None))),
        }
        self.next = Next::after(&group);
        Ok(self.end())
    }

    fn refuse_if_fenced(&self) -> Result<()> {
        if self.lock.is_current() { Ok(()) } else { Err(fenced()) }
    }

    fn spot(&self, extent_bytes: u64) -> Spot {
        let end = self.next.offset.saturating_add(extent_bytes);
        if self.current.as_ref().is_some_and(|current| end <= current.bytes) {
            return Spot::Current;
        }
        let end = FIRST_OFFSET.saturating_add(extent_bytes);
        match &self.prepared {
            Some(prepared) if end <= prepared.bytes => Spot::Prepared,
            _ => Spot::Nowhere,
        }
    }

    fn position(&self, extent_bytes: u64) -> Position {
        match self.spot(extent_bytes) {
            Spot::Current => self.end(),
            _ => Position { segment: self.newest.number.saturating_add(1), offset: FIRST_OFFSET },
        }
    }

    const fn place_at(&self, position: Position) -> Place {
        Place {
            term: self.term,
            segment: position.segment,
            offset: position.offset,
            previous_group: self.next.previous,
        }
    }

    /// Prepares the next segment, of twice the length, while between an eighth and a half of this one
    /// is used: a full disk shows itself while there is still room to write down what was refused.
    fn prepare_ahead(&mut self, shelf: &Shelf, extent_bytes: u64) {
        let used = self.next.offset.saturating_add(extent_bytes);
        let is_time = self.current.as_ref().is_some_and(|current| used > current.bytes / 8);
        if !is_time || self.prepared.is_some() {
            return;
        }
        // Every attempt writes until the disk is full; tried at each group it would slow all of them.
        if self.placements_until_attempt > 0 {
            self.placements_until_attempt = self.placements_until_attempt.saturating_sub(1);
            return;
        }
        // Two lengths within three eighths: more than five bytes for each byte of a group.
        let step = extent_bytes.saturating_mul(6).max(STEP_BYTES as u64);
        // There is room in the current segment, so a failure is remembered, not returned.
        let _remembered = self.prepare_next(shelf, SECTOR_BYTES as u64, step);
    }

    /// Tries at once what a full disk prevented. In one piece: nothing is let in until it is done, so nobody is held up.
    pub fn look_for_room(&mut self, shelf: &Shelf) {
        if self.nearly_full && self.lock.is_current() {
            let _remembered = self.prepare_next(shelf, SECTOR_BYTES as u64, u64::MAX);
        }
    }

    /// Prepares `step` bytes more of the next segment; with [`u64::MAX`], all of it.
    fn prepare_next(&mut self, shelf: &Shelf, extent_bytes: u64, step: u64) -> Result<()> {
        match self.try_prepare(shelf, extent_bytes, step) {
            Ok(()) => {
                if self.prepared.is_some() {
                    self.nearly_full = false;
                    (self.patience, self.placements_until_attempt) = (1, 0);
                }
                Ok(())
            }
            Err(e) => {
                // A disk that fails in another way is no reason to refuse what still finds room.
                self.nearly_full |= e.code() == Code::StoreFull;
                self.placements_until_attempt = self.patience;
                self.patience = self.patience.saturating_mul(2).min(PATIENCE_MAX);
                Err(if e.code() == Code::StoreFull { full(Some(e)) } else { e })
            }
        }
    }

    fn try_prepare(&mut self, shelf: &Shelf, extent_bytes: u64, step: u64) -> Result<()> {
        let mut preparation = match self.preparing.take() {
            Some(begun) if begun.fits(extent_bytes) => begun,
            _ => self.begin_preparation(shelf, extent_bytes)?,
        };
        match preparation.advance(step) {
            Ok(true) => {
                // A smaller one that stands there serves until this line; after it, it may be gone.
                self.prepared = None;
                self.prepared = Some(preparation.put_in_place(shelf)?);
                self.prepared_is_checked = true;
                Ok(())
            }
            Ok(false) => {
                self.preparing = Some(preparation);
                Ok(())
            }
            Err(e) => {
                preparation.give_up(shelf);
                Err(e)
            }
        }
    }

    fn begin_preparation(&self, shelf: &Shelf, extent_bytes: u64) -> Result<Preparation> {
        // A segment that a crash cut short says nothing of how fast this journal grows.
        let is_torn = self.newest.dropped_bytes > 0;
        let length = if is_torn { self.newest.bytes / 2 } else { self.newest.bytes };
        Preparation::begin(shelf, self.newest.number.saturating_add(1), next_length(length, extent_bytes))
    }

    /// A segment that an earlier process prepared was looked at only as far as a torn write reaches;
    /// before it is begun, the rest of it is.
    fn check_prepared(&mut self, shelf: &Shelf) -> Result<()> {
        if let Some(prepared) = self.prepared.as_ref().filter(|_| !self.prepared_is_checked)
            && let Some((first, _)) = prepared.nonzero(shelf, 0, prepared.bytes)?
        {
            return Err(damaged(prepared.number, first, "a segment that was not begun holds bytes"));
        }
        self.prepared_is_checked = true;
        Ok(())
    }

    /// The group in `extent`, if it is whole and is the one that may come now.
    fn following_group(&self, extent: &[u8]) -> Result<GroupHeader> {
        let conflict = |why: String| Error::new(Code::Conflict, format!("the group was not stored: {why}"));
        let group = *Group::parse(extent).map_err(|e| conflict(e.to_string()))?.header();
        if group.extent_bytes() != extent.len() as u64 {
            return Err(conflict("bytes follow its end".to_owned()));
        }
        let place = self.place_at(self.position(extent.len() as u64));
        let named = Place {
            term: group.term,
            segment: group.segment,
            offset: group.offset,
            previous_group: group.previous_group,
        };
        if named != place {
            return Err(conflict(format!("it names the place {named:?}, the next is {place:?}")));
        }
        if group.first_index != self.next.index {
            let why = format!("its first entry is number {}, the next is {}", group.first_index, self.next.index);
            return Err(conflict(why));
        }
        Ok(group)
    }

    /// Bytes where the group goes were written by somebody who took the turn without our noticing.
    fn refuse_if_taken(&self, shelf: &Shelf, spot: (u64, &Arc<dyn File>, u64)) -> Result<()> {
        let ahead = self.prepared.as_ref().map(|prepared| (prepared.number, &prepared.file, 0));
        for (number, file, offset) in [Some(spot), ahead].into_iter().flatten() {
            let mut sector = [0; SECTOR_BYTES];
            file.read_at(offset, &mut sector).map_err(|e| shelf.io("read", number, e))?;
            if !is_zero(&sector) {
                return Err(fenced());
            }
        }
        Ok(())
    }

    fn append_to_current(&self, shelf: &Shelf, extent: &[u8]) -> Result<(), Failure> {
        let Some(current) = &self.current else { return Err(Failure::Refused(full(None))) };
        self.refuse_if_taken(shelf, (self.next.segment, &current.file, self.next.offset))?;
        write_and_sync(shelf, self.next.segment, &current.file, self.next.offset, extent)
    }

    /// Header and first group go in one write: a crash leaves both, or a tear that begins with either.
    fn begin_prepared(&mut self, shelf: &Shelf, group: &GroupHeader, extent: &[u8]) -> Result<(), Failure> {
        self.check_prepared(shelf)?;
        let Some(prepared) = &self.prepared else { return Err(Failure::Refused(full(None))) };
        self.refuse_if_taken(shelf, (prepared.number, &prepared.file, 0))?;
        let header = SegmentHeader {
            segment: prepared.number,
            file_bytes: prepared.bytes,
            term: self.term,
            first_index: group.first_index,
            previous_group: self.next.previous,
            previous_end: self.next.offset,
            dropped_hash: self.newest.dropped_hash,
            dropped_bytes: self.newest.dropped_bytes,
            origin: shelf.origin.unwrap_or(Digest::from_bytes([0; 32])),
        };
        let mut bytes = header.encode();
        bytes.extend_from_slice(extent);
        write_and_sync(shelf, prepared.number, &prepared.file, 0, &bytes)?;
        self.newest = Newest {
            number: prepared.number,
            bytes: prepared.bytes,
            dropped_hash: Digest::from_bytes([0; 32]),
            dropped_bytes: 0,
        };
        self.current = self.prepared.take().map(|segment| Current { file: segment.file, bytes: segment.bytes });
        Ok(())
    }
}

/// Why an append gave no group.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing was written.
    Refused(Error),
    /// Some or all of it may be on the disk.
    InDoubt(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// Neither the write nor the sync is tried again: after a failure the cache may claim what the disk
/// does not have, and only a new acquisition, which writes it all again, can tell.
fn write_and_sync(shelf: &Shelf, number: u64, file: &Arc<dyn File>, offset: u64, bytes: &[u8]) -> Result<(), Failure> {
    let in_doubt = |cause: Error| {
        let message = format!("it is unknown whether the last entries were stored: {}", cause.message());
        Failure::InDoubt(
            Error::new(Code::InDoubt, message)
                .with_hint("stop, check the disk, and open the ledger again: it finds out")
                .with_source(cause),
        )
    };
    file.write_at(offset, bytes).map_err(|e| in_doubt(shelf.io("write", number, e)))?;
    file.sync_data().map_err(|e| in_doubt(shelf.io("sync", number, e)))
}

/// Writes header, last group and tear of a segment again, as they are read, and syncs them.
fn write_again(shelf: &Shelf, begun: &Begun) -> Result<Arc<dyn File>> {
    let segment = &begun.segment;
    let gone = || damaged(segment.number, 0, "the segment file is gone");
    let file = Segment::open(shelf, segment.number, true)?.ok_or_else(gone)?.file;
    let last = begun.last.map(|group| (group.offset, group.extent_bytes()));
    let header = segment.header.map(|_| (0, SEGMENT_HEADER_BYTES as u64));
    let tear = begun.tear.map(|tear| (tear.position.offset, tear.bytes));
    for (offset, length) in [header, last, tear].into_iter().flatten() {
        let bytes = segment.read(shelf, offset, usize::try_from(length).unwrap_or(usize::MAX))?;
        file.write_at(offset, &bytes).map_err(|e| shelf.io("write", segment.number, e))?;
    }
    file.sync_data().map_err(|e| shelf.io("sync", segment.number, e))?;
    Ok(file)
}

fn fenced() -> Error {
    Error::new(Code::Fenced, "another process has taken over this ledger; nothing was written")
        .with_hint("open the ledger again")
}

fn full(cause: Option<Error>) -> Error {
    let error = Error::new(Code::StoreFull, "the disk has no room for the next journal segment; nothing is lost")
        .with_hint("make room on the disk of the ledger folder, then try again");
    match cause {
        Some(cause) => error.with_source(cause),
        None => error,
    }
}
