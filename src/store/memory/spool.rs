//! Spools of live recordings in memory.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use crate::codec::digest::CustodyId;
use crate::error::{Code, Error, Result};
use crate::store::contracts::Spool;

/// Spools that live as long as this value.
#[derive(Debug, Default)]
pub struct MemorySpool {
    pieces: Mutex<BTreeMap<CustodyId, Vec<Vec<u8>>>>,
}

impl MemorySpool {
    /// Without recordings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> Result<MutexGuard<'_, BTreeMap<CustodyId, Vec<Vec<u8>>>>> {
        self.pieces.lock().map_err(|_| Error::new(Code::Broken, "a thread failed while it changed a spool in memory"))
    }
}

impl Spool for MemorySpool {
    fn append(&self, recording: &CustodyId, sealed: &[u8]) -> Result<()> {
        self.lock()?.entry(*recording).or_default().push(sealed.to_vec());
        Ok(())
    }

    fn sync(&self, _recording: &CustodyId) -> Result<()> {
        self.lock().map(|_| ())
    }

    fn pieces(&self, recording: &CustodyId) -> Result<Vec<Vec<u8>>> {
        let pieces = self.lock()?;
        pieces.get(recording).cloned().ok_or_else(|| {
            Error::new(Code::NotFound, format!("there is no spool of a recording {}", recording.to_hex()))
        })
    }

    fn recordings(&self) -> Result<Vec<CustodyId>> {
        Ok(self.lock()?.keys().copied().collect())
    }

    fn close(&self, recording: &CustodyId) -> Result<()> {
        self.lock()?.remove(recording);
        Ok(())
    }
}
