//! Room for the next record: beginning, continuing and extending packs. All under the writer's lock.
//!
//! Space is prepared by writing zeros in steps, so that an append overwrites blocks the file has
//! already and its sync moves no metadata. A disk that fills up is met while zeros are written,
//! before a record has a place: nothing is half stored, and the handle stays good.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::sync::Arc;

use super::folder::{Folder, Place, broken, io_error, is_full};
use super::records::{PACK_HEADER_BYTES, PackHeader};
use super::tail::Tail;
use crate::codec::digest::ObjectDigest;
use crate::codec::limits::{PACK_BYTES_TARGET, PACK_STEP_BYTES_MAX};
use crate::error::{Code, Error, Result};
use crate::store::files::File;

/// The first step by which a run prepares space.
const STEP_BYTES_MIN: u64 = 64 << 10;
/// A record from this length on extends the file by being written: zeros first would be a second copy.
const LARGE_BYTES: u64 = 256 << 10;
/// Digests of this run that are remembered, so that equal bytes are stored once; an older one is
/// stored a second time, which costs space and nothing else.
const RECENT_PUTS_MAX: usize = 65_536;

#[derive(Debug, Default)]
pub(super) struct State {
    /// What the folder looked like before this run's first append.
    tail: Option<Tail>,
    active: Option<Active>,
    /// Where this run's first record stands.
    first: Option<Place>,
    /// Number of writes so far; a sync names how many it covers.
    pub appends: u64,
    unsynced: Unsynced,
    pub recent: Recent,
}

/// What the next sync has to cover.
#[derive(Debug, Default)]
pub(super) struct Unsynced {
    pub files: BTreeMap<u64, Arc<dyn File>>,
    pub is_name_new: bool,
    pub is_folder_new: bool,
}

/// The pack this run appends to.
#[derive(Debug)]
struct Active {
    number: u64,
    file: Arc<dyn File>,
    /// End of the last record.
    end: u64,
    /// End of the zeros prepared for the next.
    prepared: u64,
    step: u64,
}

impl State {
    /// Writes one record after the last. `E_STORE_FULL` and `E_IO` leave the packs as they were,
    /// but for zeros; `E_BROKEN` leaves them unknown.
    pub fn append(&mut self, folder: &Folder, record: &[u8]) -> Result<Place> {
        let bytes = record.len() as u64;
        let active = self.active_with_room(folder, bytes)?;
        active.prepare(folder, bytes)?;
        let place = Place { pack: active.number, offset: active.end };
        active.write(folder, record)?;
        let (number, file) = (active.number, Arc::clone(&active.file));
        self.unsynced.files.insert(number, file);
        self.appends = self.appends.saturating_add(1);
        self.first.get_or_insert(place);
        Ok(place)
    }

    /// Gives the blocks of a discarded object back, or fills them with zeros.
    pub fn clear(&mut self, folder: &Folder, at: Place, bytes: u64) -> Result<()> {
        if bytes == 0 {
            return Ok(());
        }
        let path = folder.file_path(at.pack);
        let own = self.active.as_ref().filter(|a| a.number == at.pack).map(|a| Arc::clone(&a.file));
        let file = own.map_or_else(|| folder.files.open(&path, true), Ok).map_err(|e| io_error("open", &path, e))?;
        self.unsynced.files.insert(at.pack, Arc::clone(&file));
        self.appends = self.appends.saturating_add(1);
        match file.punch(at.offset, bytes) {
            Err(e) if e.kind() == io::ErrorKind::Unsupported => {
                let end = at.offset.saturating_add(bytes);
                write_zeros(file.as_ref(), at.offset, end).map_err(|e| broken("clear a discarded object in", &path, e))
            }
            other => other.map_err(|e| io_error("clear a discarded object in", &path, e)),
        }
    }

    pub fn take_unsynced(&mut self) -> Unsynced {
        std::mem::take(&mut self.unsynced)
    }

    /// The pack this run appends to, or will, and the end of its last record.
    pub fn own_end(&mut self, folder: &Folder) -> Result<Option<(u64, u64)>> {
        if let Some(active) = &self.active {
            return Ok(Some((active.number, active.end)));
        }
        Ok(match self.survey(folder)? {
            Tail::Continue { number, end, .. } => Some((number, end)),
            Tail::New => None,
        })
    }

    pub fn is_own(&self, place: Place) -> bool {
        self.first.is_some_and(|first| place >= first)
    }

    fn survey(&mut self, folder: &Folder) -> Result<Tail> {
        let tail = self.tail.map_or_else(|| Tail::survey(folder), Ok)?;
        self.tail = Some(tail);
        Ok(tail)
    }

    fn active_with_room(&mut self, folder: &Folder, bytes: u64) -> Result<&mut Active> {
        let next = match &self.active {
            Some(active) if active.takes(bytes) => None,
            Some(_) => Some(self.create(folder)?),
            None => Some(match self.survey(folder)? {
                Tail::Continue { number, end, file_bytes } => self.carry_on(folder, number, end, file_bytes)?,
                Tail::New => self.create(folder)?,
            }),
        };
        if next.is_some() {
            self.active = next;
        }
        self.active.as_mut().ok_or_else(|| Error::new(Code::Internal, "no pack is open for writing"))
    }

    /// Begins the next pack. Its name is durable with the next sync. A crash before leaves no file, or
    /// one without a record; one that is all zero holds nothing and is passed over in silence.
    fn create(&mut self, folder: &Folder) -> Result<Active> {
        self.sync_names(folder)?;
        if !folder.files.exists(&folder.path).map_err(|e| io_error("look at", &folder.path, e))? {
            folder.files.create_dir_all(&folder.path).map_err(|e| io_error("make the folder", &folder.path, e))?;
        }
        // Once by each run: the one that made the folder may have ended before it had anything to sync.
        self.unsynced.is_folder_new |= self.active.is_none();
        let number = folder.numbers()?.last().copied().unwrap_or(0).saturating_add(1);
        let path = folder.file_path(number);
        let file = folder.files.create_new(&path).map_err(|e| io_error("make", &path, e))?;
        let mut start = PackHeader { number, origin: folder.origin }.encode();
        start.resize(usize::try_from(STEP_BYTES_MIN).unwrap_or(PACK_HEADER_BYTES), 0);
        if let Err(e) = file.write_at(0, &start) {
            // If it cannot be removed either, the next pack takes the next number.
            let _left_behind = folder.files.remove_file(&path);
            return Err(io_error("make", &path, e));
        }
        self.unsynced.is_name_new = true;
        self.unsynced.files.insert(number, Arc::clone(&file));
        let step = STEP_BYTES_MIN.saturating_mul(2);
        Ok(Active { number, file, end: PACK_HEADER_BYTES as u64, prepared: start.len() as u64, step })
    }

    /// Goes on in a pack of an earlier run, of which only what is read back is known: that run may have
    /// died before its sync, or its sync failed and left pages that look clean and are not on the disk. So
    /// the names are synced again and the header is written again, byte for byte; a record that
    /// was never acknowledged may still turn to zeros in a power cut.
    fn carry_on(&mut self, folder: &Folder, number: u64, end: u64, prepared: u64) -> Result<Active> {
        let path = folder.file_path(number);
        let file = folder.files.open(&path, true).map_err(|e| io_error("open", &path, e))?;
        let header = PackHeader { number, origin: folder.origin }.encode();
        file.write_at(0, &header).map_err(|e| broken("write to", &path, e))?;
        self.unsynced.is_name_new = true;
        self.unsynced.is_folder_new = true;
        self.unsynced.files.insert(number, Arc::clone(&file));
        Ok(Active { number, file, end, prepared, step: STEP_BYTES_MIN })
    }

    /// Names become durable in order: a hole in the numbers is then never the work of a crash.
    fn sync_names(&mut self, folder: &Folder) -> Result<()> {
        if self.unsynced.is_name_new {
            folder.files.sync_dir(&folder.path).map_err(|e| broken("sync", &folder.path, e))?;
            self.unsynced.is_name_new = false;
        }
        Ok(())
    }
}

impl Active {
    /// A record goes to this pack unless it would grow past its length; the first one always does.
    const fn takes(&self, bytes: u64) -> bool {
        self.end.saturating_add(bytes) <= PACK_BYTES_TARGET || self.end <= PACK_HEADER_BYTES as u64
    }

    fn prepare(&mut self, folder: &Folder, bytes: u64) -> Result<()> {
        let needed = self.end.saturating_add(bytes);
        if needed <= self.prepared || bytes >= LARGE_BYTES {
            return Ok(());
        }
        let wanted = self.prepared.saturating_add(self.step).max(needed);
        let mut result = write_zeros(self.file.as_ref(), self.prepared, wanted).map(|()| wanted);
        if result.as_ref().is_err_and(is_full) {
            result = write_zeros(self.file.as_ref(), self.prepared, needed).map(|()| needed);
        }
        self.prepared = result.map_err(|e| self.refused_or_broken(folder, e))?;
        self.step = self.step.saturating_mul(2).min(PACK_STEP_BYTES_MAX);
        Ok(())
    }

    fn write(&mut self, folder: &Folder, record: &[u8]) -> Result<()> {
        let needed = self.end.saturating_add(record.len() as u64);
        if let Err(e) = self.file.write_at(self.end, record) {
            return Err(self.take_back(folder, needed, e));
        }
        self.end = needed;
        self.prepared = self.prepared.max(needed);
        Ok(())
    }

    /// The disk filled up inside a record. Zeros over the part that was written: it has no place yet.
    fn take_back(&self, folder: &Folder, needed: u64, e: io::Error) -> Error {
        let written = self.file.len().map(|bytes| bytes.min(needed));
        let undone = written.and_then(|end| write_zeros(self.file.as_ref(), self.end, end));
        match undone {
            Ok(()) => self.refused_or_broken(folder, e),
            Err(undo) => broken("write to", &folder.file_path(self.number), undo),
        }
    }

    fn refused_or_broken(&self, folder: &Folder, e: io::Error) -> Error {
        let path = folder.file_path(self.number);
        if is_full(&e) { io_error("store an object in", &path, e) } else { broken("write to", &path, e) }
    }
}

/// The newest digests of this run and where they stand.
#[derive(Debug, Default)]
pub(super) struct Recent {
    places: HashMap<ObjectDigest, Place>,
    order: VecDeque<ObjectDigest>,
}

impl Recent {
    pub fn get(&self, digest: &ObjectDigest) -> Option<Place> {
        self.places.get(digest).copied()
    }

    pub fn remember(&mut self, digest: ObjectDigest, place: Place) {
        if self.order.len() >= RECENT_PUTS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.places.remove(&oldest);
        }
        self.places.insert(digest, place);
        self.order.push_back(digest);
    }

    pub fn forget(&mut self, digest: &ObjectDigest) {
        self.places.remove(digest);
    }
}

fn write_zeros(file: &dyn File, from: u64, to: u64) -> io::Result<()> {
    let longest = 1 << 20;
    let zeros = vec![0; usize::try_from(to.saturating_sub(from)).unwrap_or(longest).min(longest)];
    let mut at = from;
    while at < to {
        let piece = zeros.get(..usize::try_from(to.saturating_sub(at)).unwrap_or(longest)).unwrap_or(&zeros);
        file.write_at(at, piece)?;
        at = at.saturating_add(piece.len() as u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::digest::sha256;

    #[test]
    fn only_the_newest_digests_are_remembered() {
        let digest = |n: u64| ObjectDigest::from_bytes(sha256(&n.to_be_bytes()));
        let mut recent = Recent::default();
        let many = RECENT_PUTS_MAX as u64 + 10;
        for n in 0..many {
            recent.remember(digest(n), Place { pack: 1, offset: n });
        }
        assert_eq!((recent.places.len(), recent.order.len()), (RECENT_PUTS_MAX, RECENT_PUTS_MAX));
        assert_eq!(recent.get(&digest(9)), None);
        assert_eq!(recent.get(&digest(10)), Some(Place { pack: 1, offset: 10 }));
        recent.forget(&digest(many - 1));
        assert_eq!(recent.get(&digest(many - 1)), None);
    }
}
