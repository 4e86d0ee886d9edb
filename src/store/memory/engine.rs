//! The memory stores put together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::journal::MemoryJournal;
use super::objects::MemoryObjects;
use super::rows::MemoryRows;
use super::spool::MemorySpool;
use super::vault::MemoryVault;
use crate::codec::digest::Digest;
use crate::error::Result;
use crate::store::{Engine, Journal as _, Position, Stores};

/// Ledgers in memory, one for each folder that is named, though nothing is written there. Opened again on the same value
/// a ledger is the same; with the last clone of it everything is gone.
#[derive(Debug, Clone, Default)]
pub struct MemoryEngine {
    kept: Arc<Mutex<BTreeMap<PathBuf, Arc<Kept>>>>,
}

/// What stands for the disk of one ledger.
#[derive(Debug, Default)]
struct Kept {
    journal: MemoryJournal,
    objects: Arc<MemoryObjects>,
    vault: Arc<MemoryVault>,
    rows: Arc<MemoryRows>,
    spool: Arc<MemorySpool>,
}

impl MemoryEngine {
    /// Without ledgers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn of(&self, ledger: &Path) -> Arc<Kept> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entry(ledger.to_owned()).or_default().clone()
    }
}

impl Engine for MemoryEngine {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn first_group(&self, ledger: &Path) -> Result<Option<Vec<u8>>> {
        let first = self.of(ledger).journal.another().read(Position { segment: 1, offset: 0 })?;
        Ok(first.map(|(_, extent, _)| extent))
    }

    fn open(&self, ledger: &Path, _state: &Path, _origin: Digest) -> Result<Stores> {
        let kept = self.of(ledger);
        Ok(Stores {
            journal: Arc::new(kept.journal.another()),
            objects: kept.objects.clone(),
            vault: kept.vault.clone(),
            rows: kept.rows.clone(),
            spool: kept.spool.clone(),
        })
    }
}
