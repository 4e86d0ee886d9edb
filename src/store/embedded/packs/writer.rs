//! Appending to the packs, and making what was appended durable.
//!
//! One lock orders the appends and is held while the bytes are written: the system serialises
//! writes to one file anyway, and so no unwritten hole ever lies before a whole record while the
//! process lives. Syncs run outside it; one sync covers every append that returned before it began.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::folder::{Folder, Place, broken, lock};
use super::index::Extent;
use super::room::State;
use crate::codec::digest::ObjectDigest;
use crate::error::{Code, Error, Result};
use crate::store::files::parent;

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

    /// Appends one record; where it stands. A record with a `digest` that this run stored already is not
    /// written again.
    ///
    /// A crash before the next sync leaves all, some sectors or none of it, after everything synced.
    pub fn append(&self, folder: &Folder, digest: Option<&ObjectDigest>, record: &[u8]) -> Result<Place> {
        let mut state = lock(&self.state)?;
        self.check()?;
        if let Some(place) = digest.and_then(|digest| state.recent.get(digest)) {
            return Ok(place);
        }
        let place = state.append(folder, record).map_err(|e| self.poison(e))?;
        if let Some(digest) = digest {
            state.recent.remember(*digest, place);
        }
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
