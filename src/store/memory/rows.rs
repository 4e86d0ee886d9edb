//! The rows in memory.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use crate::codec::limits::{ROW_KEY_BYTES_MAX, ROW_VALUE_BYTES_MAX};
use crate::error::{Code, Error, Result};
use crate::store::contracts::{Batch, Rows};

const POSITION: &[u8] = b"p";

type Map = BTreeMap<Vec<u8>, Vec<u8>>;

/// Rows in a sorted map, gone with the process.
#[derive(Debug, Default)]
pub struct MemoryRows {
    map: RwLock<Map>,
}

impl MemoryRows {
    /// No rows.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn read(&self) -> RwLockReadGuard<'_, Map> {
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows for MemoryRows {
    fn apply(&self, batch: Batch, position: &[u8]) -> Result<()> {
        let keys = batch.puts.iter().map(|(key, _)| key).chain(&batch.removes);
        let values = batch.puts.iter().map(|(_, value)| value.as_slice()).chain([position]);
        if keys.map(Vec::len).any(|bytes| bytes > ROW_KEY_BYTES_MAX)
            || values.map(<[u8]>::len).any(|bytes| bytes > ROW_VALUE_BYTES_MAX)
        {
            return Err(Error::new(Code::Limit, "a row's key or value is too long"));
        }
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        for key in batch.removes {
            map.remove(&key);
        }
        map.extend(batch.puts);
        map.insert(POSITION.to_vec(), position.to_vec());
        Ok(())
    }

    fn position(&self) -> Result<Option<Vec<u8>>> {
        self.get(POSITION)
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>> {
        Ok(self.read().get(key).cloned())
    }

    fn scan(&self, from: &[u8], to: &[u8], each: &mut dyn FnMut(&[u8], &[u8]) -> Result<bool>) -> Result<()> {
        if from >= to {
            return Ok(());
        }
        // Copied out, so that the closure may apply or read without meeting our lock.
        let rows: Vec<_> = {
            let map = self.read();
            map.range(from.to_vec()..to.to_vec()).map(|(key, value)| (key.clone(), value.clone())).collect()
        };
        for (key, value) in rows {
            if !each(&key, &value)? {
                break;
            }
        }
        Ok(())
    }

    fn floor(&self, floor: &[u8], key: &[u8]) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
        let map = self.read();
        let last = map.range(..=key.to_vec()).next_back();
        Ok(last.filter(|(found, _)| found.as_slice() >= floor).map(|(found, value)| (found.clone(), value.clone())))
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn reset(&self) -> Result<Option<PathBuf>> {
        self.map.write().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(None)
    }
}
