//! The vault in memory.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::codec::digest::CustodyId;
use crate::codec::limits::EPOCH_TAPES_MAX;
use crate::error::{Code, Error, Result};
use crate::governance::DisposalClearance;
use crate::store::contracts::{Vault, VaultRecord};

type EpochId = [u8; 16];

/// Wrapped keys in memory, gone with the process. Never fails but where the contract says so.
#[derive(Debug, Default)]
pub struct MemoryVault {
    state: Mutex<State>,
    unwraps: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    present: Option<(u64, u64, Vec<u8>)>,
    /// Generations rotated away, with the epochs that end with them.
    old: BTreeMap<u64, Vec<EpochId>>,
    epochs: BTreeMap<EpochId, Vec<VaultRecord>>,
}

impl MemoryVault {
    /// An empty vault.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many times [`Vault::get`] gave out a wrapped key.
    #[must_use]
    pub fn unwraps(&self) -> u64 {
        self.unwraps.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn records(&self, epoch: &EpochId) -> Result<&Vec<VaultRecord>> {
        self.epochs.get(epoch).ok_or_else(|| no_epoch(epoch))
    }

    fn check_survivors(&self, survivors: &[(EpochId, Vec<VaultRecord>)]) -> Result<()> {
        for (at, (epoch, records)) in survivors.iter().enumerate() {
            if records.len() > EPOCH_TAPES_MAX as usize {
                return Err(Error::new(Code::Limit, "vault: too many records for one epoch"));
            }
            let twice = survivors.iter().take(at).any(|(earlier, _)| earlier == epoch);
            if twice || self.epochs.get(epoch).is_some_and(|there| there != records) {
                return Err(Error::new(Code::Conflict, "vault: a survivor's epoch is there already"));
            }
        }
        Ok(())
    }
}

impl Vault for MemoryVault {
    fn generation(&self) -> Result<Option<(u64, u64, Vec<u8>)>> {
        Ok(self.state().present.clone())
    }

    fn set_generation(&self, generation: u64, revision: u64, bytes: &[u8]) -> Result<()> {
        let mut state = self.state();
        let wanted = match &state.present {
            None => (generation, 1),
            Some((number, revision, _)) => (*number, revision.saturating_add(1)),
        };
        if generation == 0 || (generation, revision) != wanted {
            return Err(Error::new(Code::Conflict, "vault: this is not the next revision"));
        }
        state.present = Some((generation, revision, bytes.to_vec()));
        Ok(())
    }

    fn create_epoch(&self, epoch: &EpochId) -> Result<()> {
        self.state().epochs.entry(*epoch).or_default();
        Ok(())
    }

    fn put(&self, epoch: &EpochId, record: &VaultRecord) -> Result<u32> {
        let mut state = self.state();
        let records = state.epochs.get_mut(epoch).ok_or_else(|| no_epoch(epoch))?;
        let slot = u32::try_from(records.len()).unwrap_or(u32::MAX);
        if slot >= EPOCH_TAPES_MAX {
            return Err(
                Error::new(Code::Limit, "vault: the epoch has no free slot left").with_hint("begin a new epoch")
            );
        }
        records.push(*record);
        Ok(slot)
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn get(&self, epoch: &EpochId, custody_id: &CustodyId, _slot: Option<u32>) -> Result<VaultRecord> {
        let state = self.state();
        let found = state.records(epoch)?.iter().find(|r| r.custody_id == *custody_id).copied();
        let record = found.ok_or_else(|| Error::new(Code::NotFound, "vault: the epoch holds no key for this tape"))?;
        self.unwraps.fetch_add(1, Ordering::Relaxed);
        Ok(record)
    }

    fn records(&self, epoch: &EpochId) -> Result<Vec<VaultRecord>> {
        self.state().records(epoch).cloned()
    }

    fn rotate(&self, generation: u64, bytes: &[u8], survivors: &[(EpochId, Vec<VaultRecord>)]) -> Result<()> {
        let mut state = self.state();
        let old = match &state.present {
            Some((old, ..)) if old.checked_add(1) == Some(generation) => *old,
            _ => return Err(Error::new(Code::Conflict, "vault: this is not the next generation")),
        };
        state.check_survivors(survivors)?;
        let spared = |epoch: &EpochId| {
            survivors.iter().any(|(id, _)| id == epoch) || state.old.values().any(|ends| ends.contains(epoch))
        };
        let ends: Vec<EpochId> = state.epochs.keys().filter(|epoch| !spared(epoch)).copied().collect();
        state.old.insert(old, ends);
        state.epochs.extend(survivors.iter().cloned());
        state.present = Some((generation, 1, bytes.to_vec()));
        Ok(())
    }

    fn destroy(&self, generation: u64, clearance: DisposalClearance) -> Result<String> {
        let mut state = self.state();
        let is_old = state.present.as_ref().is_some_and(|(present, ..)| generation < *present);
        let older_first = state.old.keys().any(|n| *n < generation);
        if !is_old || older_first {
            return Err(Error::new(Code::Conflict, "vault: this is not the oldest of the old generations"));
        }
        let ends = state.old.remove(&generation).unwrap_or_default();
        for epoch in &ends {
            state.epochs.remove(epoch);
        }
        let (count, cleared_for) = (ends.len(), clearance.subject().to_hex());
        Ok(format!("vault generation {generation}: {count} epochs dropped from memory; clearance for {cleared_for}"))
    }
}

fn no_epoch(epoch: &EpochId) -> Error {
    Error::new(Code::NotFound, format!("vault: there is no epoch {}", hex::encode(epoch)))
}
