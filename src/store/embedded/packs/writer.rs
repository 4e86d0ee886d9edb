//! Appending to the packs, and making what was appended durable.
//!
//! One lock orders the appends and is held while the bytes are written: the system serialises
//! writes to one file anyway, and so no unwritten hole ever lies before a whole record while the
//! process lives. Syncs run outside it; one sync covers every append that returned before it began.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::folder::{Folder, Place, broken, lock};
use super::index::Extent;
use super::records::{RECORD_HEADER_BYTES, RecordHeader, RecordType};
use super::room::State;
use crate::codec::digest::ObjectDigest;
use crate::error::{Code, Error, Result};
use crate::store::files::parent;
use crate::store::{NewObject, Protection};

/// Records of new objects, encoded one after another.
pub(super) struct NewRecords {
    bytes: Vec<u8>,
    records: Vec<(ObjectDigest, Range<usize>)>,
}

impl NewRecords {
    pub fn of(objects: &[NewObject<'_>], protection: Protection) -> Self {
        let length = |object: &NewObject<'_>| object.bytes().len().saturating_add(RECORD_HEADER_BYTES);
        let mut bytes = Vec::with_capacity(objects.iter().map(length).fold(0, usize::saturating_add));
        let mut records = Vec::with_capacity(objects.len());
        for object in objects {
            let (start, digest) = (bytes.len(), *object.digest());
            let length = object.bytes().len() as u64;
            let header = RecordHeader { kind: RecordType::Object, protection, bytes: length, digest };
            header.write_with(object.bytes(), &mut bytes);
            records.push((digest, start..bytes.len()));
        }
        Self { bytes, records }
    }

    fn each(&self) -> impl Iterator<Item = (ObjectDigest, &[u8])> {
        self.records.iter().map(|(digest, range)| (*digest, self.bytes.get(range.clone()).unwrap_or_default()))
    }

    /// Is one object among them twice? They are few.
    fn has_equals(&self) -> bool {
        let later = |n: usize| self.records.iter().skip(n.saturating_add(1));
        self.records.iter().enumerate().any(|(n, (digest, _))| later(n).any(|(other, _)| other == digest))
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    state: Mutex<State>,
    /// Number of appends that are durable. Held during a sync, so that those who wait share the next.
    synced: Mutex<u64>,
    broken: AtomicBool,
}

impl Writer {
    pub fn new() -> Self {
        Self { state: Mutex::default(), synced: Mutex::new(0), broken: AtomicBool::new(false) }
    }

    /// `E_BROKEN` from the first failed write or sync on.
    pub fn check(&self) -> Result<()> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(Error::new(
                Code::Broken,
                "a write to the packs failed before; nothing is read or stored any more",
            )
            .with_hint("look at the disk, then open the ledger again"));
        }
        Ok(())
    }

    /// Appends one record that is no object; where it stands.
    ///
    /// A crash before the next sync leaves all, some sectors or none of it, after everything synced.
    pub fn append(&self, folder: &Folder, record: &[u8]) -> Result<Place> {
        let mut state = lock(&self.state)?;
        self.check()?;
        state.append(folder, record).map_err(|e| self.poison(e))
    }

    /// Appends objects next to each other, in one write; where each stands. One that this run stored already is not
    /// written again.
    ///
    /// A crash before the next sync leaves all, some sectors or none of them, after everything synced.
    pub fn append_objects(&self, folder: &Folder, new: &NewRecords) -> Result<Vec<Place>> {
        let mut state = lock(&self.state)?;
        self.check()?;
        let State { recent, .. } = &*state;
        if new.records.iter().any(|(digest, _)| recent.get(digest).is_some()) || new.has_equals() {
            return new.each().map(|(digest, record)| self.append_object(&mut state, folder, digest, record)).collect();
        }
        let start = state.append(folder, &new.bytes).map_err(|e| self.poison(e))?;
        let mut places = Vec::with_capacity(new.records.len());
        for (digest, range) in &new.records {
            let place = Place { offset: start.offset.saturating_add(range.start as u64), ..start };
            state.recent.remember(*digest, place);
            places.push(place);
        }
        Ok(places)
    }

    fn append_object(&self, state: &mut State, folder: &Folder, digest: ObjectDigest, record: &[u8]) -> Result<Place> {
        if let Some(place) = state.recent.get(&digest) {
            return Ok(place);
        }
        let place = state.append(folder, record).map_err(|e| self.poison(e))?;
        state.recent.remember(digest, place);
        Ok(place)
    }

    /// Forgets a digest that was discarded; stored again, it is a new record.
    pub fn forget(&self, digest: &ObjectDigest) -> Result<()> {
        lock(&self.state)?.recent.forget(digest);
        Ok(())
    }

    /// Clears the bytes of a discarded object, durable with the next sync.
    pub fn clear(&self, folder: &Folder, at: Place, bytes: u64) -> Result<()> {
        let mut state = lock(&self.state)?;
        self.check()?;
        state.clear(folder, at, bytes).map_err(|e| self.poison(e))
    }

    /// Makes every append that returned before this call durable: one sync for all who wait.
    pub fn sync(&self, folder: &Folder) -> Result<()> {
        let wanted = lock(&self.state)?.appends;
        let mut synced = lock(&self.synced)?;
        self.check()?;
        if *synced >= wanted {
            return Ok(());
        }
        let mut state = lock(&self.state)?;
        let (through, unsynced) = (state.appends, state.take_unsynced());
        // Appends go on meanwhile; the next sync covers them.
        drop(state);
        for (number, file) in unsynced.files {
            file.sync_data().map_err(|e| self.poison(broken("sync", &folder.file_path(number), e)))?;
        }
        let names = unsynced.is_name_new.then_some(folder.path.as_path());
        let folders = unsynced.is_folder_new.then(|| parent(&folder.path));
        for path in names.into_iter().chain(folders) {
            folder.files.sync_dir(path).map_err(|e| self.poison(broken("sync", path, e)))?;
        }
        *synced = through;
        Ok(())
    }

    /// The packs that exist and how far each may be read while others append.
    pub fn extents(&self, folder: &Folder) -> Result<Vec<Extent>> {
        let mut state = lock(&self.state)?;
        let own = state.own_end(folder)?;
        // Listed before another thread may begin a pack and stand in the middle of a record there.
        let numbers = folder.numbers()?;
        drop(state);
        let mut extents = Vec::new();
        for pack in numbers {
            let end = own.filter(|(number, _)| *number == pack).map(|(_, end)| end);
            extents.push(Extent { pack, end });
        }
        Ok(extents)
    }

    /// Was the record at `place` written by this run, so that this run's syncs cover it?
    pub fn is_own(&self, place: Place) -> Result<bool> {
        Ok(lock(&self.state)?.is_own(place))
    }

    fn poison(&self, e: Error) -> Error {
        if e.code() == Code::Broken {
            self.broken.store(true, Ordering::SeqCst);
        }
        e
    }
}
