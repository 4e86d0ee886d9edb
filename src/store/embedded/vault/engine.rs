//! The engine: handles, the fill of each epoch, and poison.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::fault;
use super::files::Folder;
use super::generation::generation_file;
use super::rotation;
use super::slot::{self, EPOCH_FILE_BYTES, SLOT_BYTES, Slot, Survey};
use crate::codec::digest::CustodyId;
use crate::codec::limits::EPOCH_TAPES_MAX;
use crate::error::{Code, Error, Result};
use crate::governance::DisposalClearance;
use crate::store::contracts::{Vault, VaultRecord};
use crate::store::files::{File, Files};

/// Most epoch files held open at once, those that wait for a sync not counted.
const HANDLES_MAX: usize = 128;

type EpochId = [u8; 16];

/// The vault in plain files. See [`Vault`] for the contract and `docs/format/store-embedded.md` section 6 for the bytes.
///
/// After a failed write or sync every call answers `E_BROKEN`: what the page cache shows then may not be on the disk.
#[derive(Debug)]
pub struct EmbeddedVault {
    folder: Folder,
    poisoned: AtomicBool,
    unwraps: AtomicU64,
    records_read: AtomicU64,
    /// Held by whoever writes, with the next slot of each epoch written so far. A scan of a whole
    /// epoch takes it too, so that it never meets a slot half written by this process.
    turn: Mutex<HashMap<EpochId, u32>>,
    handles: Mutex<Handles>,
    /// Held during a sync: a second caller must not be told "done" while the first still waits.
    syncing: Mutex<()>,
}

#[derive(Debug, Default)]
struct Handles {
    open: HashMap<EpochId, Handle>,
    dirty: BTreeSet<EpochId>,
}

#[derive(Debug, Clone)]
struct Handle {
    file: Arc<dyn File>,
    writable: bool,
}

impl EmbeddedVault {
    /// A vault in `folder`. Nothing is read, made or changed until a call needs it.
    ///
    /// # Errors
    /// None today.
    pub fn open(files: Arc<dyn Files>, folder: PathBuf) -> Result<Self> {
        Ok(Self {
            folder: Folder::new(files, folder),
            poisoned: AtomicBool::new(false),
            unwraps: AtomicU64::new(0),
            records_read: AtomicU64::new(0),
            turn: Mutex::default(),
            handles: Mutex::default(),
            syncing: Mutex::default(),
        })
    }

    /// How many times [`Vault::get`] gave out a wrapped key since opening.
    #[must_use]
    pub fn unwraps(&self) -> u64 {
        self.unwraps.load(Ordering::Relaxed)
    }

    /// How many records [`Vault::records`] gave out since opening: reading for lists, rebuilds and rotation.
    #[must_use]
    pub fn records_read(&self) -> u64 {
        self.records_read.load(Ordering::Relaxed)
    }

    fn usable(&self) -> Result<()> {
        if self.poisoned.load(Ordering::Acquire) { Err(fault::poisoned()) } else { Ok(()) }
    }

    /// Poisons the handle when the effect of a write is unknown.
    fn settle<T>(&self, result: Result<T>) -> Result<T> {
        if result.as_ref().is_err_and(|e| e.code() == Code::Broken) {
            self.poisoned.store(true, Ordering::Release);
        }
        result
    }

    /// Runs a write alone, and not at all once poisoned.
    fn write<T>(&self, job: impl FnOnce(&mut HashMap<EpochId, u32>) -> Result<T>) -> Result<T> {
        let mut turn = lock(&self.turn);
        self.usable()?;
        self.settle(job(&mut turn))
    }

    fn handle(&self, epoch: &EpochId, write: bool) -> Result<Arc<dyn File>> {
        if let Some(handle) = lock(&self.handles).open.get(epoch).filter(|h| h.writable || !write) {
            return Ok(Arc::clone(&handle.file));
        }
        let file = self.folder.open(epoch, write)?;
        let mut handles = lock(&self.handles);
        if handles.open.len() >= HANDLES_MAX {
            let Handles { open, dirty } = &mut *handles;
            // A dirty one must stay: an error of its writes is told to the descriptor that wrote.
            open.retain(|id, _| dirty.contains(id));
        }
        handles.open.insert(*epoch, Handle { file: Arc::clone(&file), writable: write });
        Ok(file)
    }

    /// Forgets a file that is about to be destroyed.
    pub(super) fn forget(&self, epoch: &EpochId) {
        let mut handles = lock(&self.handles);
        handles.open.remove(epoch);
        handles.dirty.remove(epoch);
    }

    /// Judges a whole epoch. The caller holds the turn. Of a file of a wrong length what is there is judged all
    /// the same: a key that stands whole in its slot is not lost with the rest.
    fn survey(&self, epoch: &EpochId, file: &dyn File) -> Result<Survey> {
        let path = self.folder.epoch_path(epoch);
        let failed = |e| fault::io("reading", &path, e);
        let bytes = file.len().map_err(failed)?;
        let mut content = vec![0; EPOCH_FILE_BYTES];
        let got = file.read_at(0, &mut content).map_err(failed)?;
        content.truncate(got);
        let mut found = slot::survey(epoch, &content);
        found.wrong_bytes = (bytes != EPOCH_FILE_BYTES as u64 || got != EPOCH_FILE_BYTES).then_some(bytes);
        Ok(found)
    }

    /// The whole epoch, if nothing in it is damaged.
    fn survey_whole(&self, epoch: &EpochId, file: &dyn File) -> Result<Survey> {
        let found = self.survey(epoch, file)?;
        match (found.wrong_bytes, found.damaged) {
            (Some(bytes), _) => Err(wrong_length(epoch, bytes)),
            (None, Some(slot)) => Err(damaged_slot(epoch, slot)),
            (None, None) => Ok(found),
        }
    }

    /// The record in `slot`, if it is there and is this tape's. Anything else is left to the scan.
    fn get_hinted(&self, epoch: &EpochId, custody_id: &CustodyId, slot: u32, file: &dyn File) -> Option<VaultRecord> {
        if slot >= EPOCH_TAPES_MAX {
            return None;
        }
        let mut bytes = [0; SLOT_BYTES];
        let got = file.read_at(slot::offset(slot), &mut bytes).ok()?;
        match slot::decode(epoch, slot, bytes.get(..got)?) {
            Slot::Record(record) if record.custody_id == *custody_id => Some(record),
            _ => None,
        }
    }

    fn get_by_scan(&self, epoch: &EpochId, custody_id: &CustodyId, file: &dyn File) -> Result<VaultRecord> {
        let _alone = lock(&self.turn);
        let found = self.survey(epoch, file)?;
        if let Some((_, record)) = found.records.iter().find(|(_, r)| r.custody_id == *custody_id) {
            return Ok(*record);
        }
        let name = fault::epoch_name(epoch);
        // Where a slot holds nothing that can be read, "not there" would claim too much.
        Err(match (found.damaged, found.void, found.wrong_bytes) {
            (Some(slot), ..) => fault::damaged(format!(
                "vault: slot {slot} of epoch {name} is damaged; the key sought may have been there"
            )),
            (None, Some(slot), _) => fault::damaged(format!(
                "vault: slot {slot} of epoch {name} was not written whole; the key sought may have been there"
            )),
            (None, None, Some(bytes)) => wrong_length(epoch, bytes),
            (None, None, None) => Error::new(Code::NotFound, format!("vault: epoch {name} holds no key for this tape")),
        })
    }

    fn slot_to_fill(&self, epoch: &EpochId, fills: &HashMap<EpochId, u32>, file: &dyn File) -> Result<u32> {
        if let Some(next) = fills.get(epoch) {
            return Ok(*next);
        }
        self.survey_whole(epoch, file).map(|found| found.next)
    }

    fn sync_dirty(&self) -> Result<()> {
        let dirty: Vec<(EpochId, Arc<dyn File>)> = {
            let mut handles = lock(&self.handles);
            let ids = std::mem::take(&mut handles.dirty);
            ids.into_iter().filter_map(|id| handles.open.get(&id).map(|h| (id, Arc::clone(&h.file)))).collect()
        };
        for (epoch, file) in dirty {
            file.sync_data().map_err(|e| fault::broken("syncing", &self.folder.epoch_path(&epoch), e))?;
        }
        Ok(())
    }
}

impl Vault for EmbeddedVault {
    fn generation(&self) -> Result<Option<(u64, u64, Vec<u8>)>> {
        self.usable()?;
        self.folder.generation()
    }

    fn set_generation(&self, generation: u64, revision: u64, bytes: &[u8]) -> Result<()> {
        self.write(|_| {
            let (number, next) = match self.folder.generation()? {
                None => (generation, 1),
                Some((number, revision, _)) => (number, revision.saturating_add(1)),
            };
            if generation == 0 || (generation, revision) != (number, next) {
                return Err(fault::conflict(format!(
                    "vault: generation {generation} revision {revision} does not follow; generation {number} revision {next} would"
                )));
            }
            self.folder.make()?;
            self.folder.replace(&self.folder.generation_path(), &generation_file(generation, revision, bytes))
        })
    }

    fn create_epoch(&self, epoch: &EpochId) -> Result<()> {
        self.write(|_| {
            self.folder.make()?;
            self.folder.place_epoch(epoch, &vec![0; EPOCH_FILE_BYTES])?;
            // Also when it was there: the process that made it may have ended before this.
            self.folder.sync()
        })
    }

    fn put(&self, epoch: &EpochId, record: &VaultRecord) -> Result<u32> {
        self.write(|fills| {
            let file = self.handle(epoch, true)?;
            let slot = self.slot_to_fill(epoch, fills, &*file)?;
            if slot >= EPOCH_TAPES_MAX {
                let words = format!("vault: epoch {} has no free slot left", fault::epoch_name(epoch));
                return Err(Error::new(Code::Limit, words).with_hint("begin a new epoch"));
            }
            file.write_at(slot::offset(slot), &slot::encode(epoch, slot, record))
                .map_err(|e| fault::broken("writing", &self.folder.epoch_path(epoch), e))?;
            fills.insert(*epoch, slot.saturating_add(1));
            let mut handles = lock(&self.handles);
            // The handle may have been dropped from the table since; the one that wrote must sync.
            handles.open.insert(*epoch, Handle { file, writable: true });
            handles.dirty.insert(*epoch);
            Ok(slot)
        })
    }

    fn sync(&self) -> Result<()> {
        let _alone = lock(&self.syncing);
        self.usable()?;
        self.settle(self.folder.sync_names_left().and_then(|()| self.sync_dirty()))
    }

    fn get(&self, epoch: &EpochId, custody_id: &CustodyId, slot: Option<u32>) -> Result<VaultRecord> {
        self.usable()?;
        let file = self.handle(epoch, false)?;
        let record = match slot.and_then(|s| self.get_hinted(epoch, custody_id, s, &*file)) {
            Some(record) => record,
            None => self.get_by_scan(epoch, custody_id, &*file)?,
        };
        self.unwraps.fetch_add(1, Ordering::Relaxed);
        Ok(record)
    }

    fn records(&self, epoch: &EpochId) -> Result<Vec<VaultRecord>> {
        self.usable()?;
        let file = self.handle(epoch, false)?;
        let found = {
            let _alone = lock(&self.turn);
            self.survey_whole(epoch, &*file)?
        };
        self.records_read.fetch_add(found.records.len() as u64, Ordering::Relaxed);
        Ok(found.records.into_iter().map(|(_, record)| record).collect())
    }

    fn next_slot(&self, epoch: &EpochId) -> Result<u32> {
        self.usable()?;
        let file = self.handle(epoch, false)?;
        let _alone = lock(&self.turn);
        self.survey_whole(epoch, &*file).map(|found| found.next)
    }

    fn rotate(&self, generation: u64, bytes: &[u8], survivors: &[(EpochId, Vec<VaultRecord>)]) -> Result<()> {
        self.write(|_| {
            // An epoch that survives under its own name must be durable before the new generation is.
            let _alone = lock(&self.syncing);
            self.sync_dirty()?;
            rotation::rotate(&self.folder, generation, bytes, survivors)
        })
    }

    fn destroy(&self, generation: u64, clearance: DisposalClearance) -> Result<String> {
        self.write(|fills| {
            rotation::destroy(&self.folder, generation, clearance, |epoch| {
                fills.remove(epoch);
                self.forget(epoch);
            })
        })
    }
}

fn wrong_length(epoch: &EpochId, bytes: u64) -> Error {
    let name = fault::epoch_name(epoch);
    fault::damaged(format!("vault: epoch {name} has {bytes} bytes and must have {EPOCH_FILE_BYTES}"))
}

fn damaged_slot(epoch: &EpochId, slot: u32) -> Error {
    fault::damaged(format!("vault: slot {slot} of epoch {} is damaged", fault::epoch_name(epoch)))
}

/// No invariant of the maps can be broken by a panic of another holder: each change is one insert.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
