//! Spools of live recordings in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::codec::digest::CustodyId;
use crate::error::{Code, Error, Result};
use crate::store::contracts::{Spool, SpoolReader};
use crate::store::files::FileLock;

/// Spools that live as long as this value.
#[derive(Debug, Default)]
pub struct MemorySpool {
    state: Mutex<State>,
    held: Arc<Mutex<BTreeSet<CustodyId>>>,
}

#[derive(Debug, Default)]
struct State {
    live: BTreeMap<CustodyId, Arc<Mutex<Pieces>>>,
    aside: Vec<(CustodyId, Arc<Mutex<Pieces>>)>,
}

#[derive(Debug, Default)]
struct Pieces {
    all: Vec<Vec<u8>>,
    is_closed: bool,
}

impl MemorySpool {
    /// Without recordings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

fn lock<T>(of: &Mutex<T>) -> Result<MutexGuard<'_, T>> {
    of.lock().map_err(|_| Error::new(Code::Broken, "a thread failed while it changed a spool in memory"))
}

fn not_found(recording: &CustodyId) -> Error {
    Error::new(Code::NotFound, format!("there is no spool of a recording {}", recording.to_hex()))
}

impl Spool for MemorySpool {
    fn append(&self, recording: &CustodyId, sealed: &[u8]) -> Result<()> {
        let pieces = lock(&self.state)?.live.entry(*recording).or_default().clone();
        lock(&pieces)?.all.push(sealed.to_vec());
        Ok(())
    }

    fn sync(&self, _recording: &CustodyId) -> Result<()> {
        lock(&self.state).map(|_| ())
    }

    fn reader(&self, recording: &CustodyId) -> Result<Box<dyn SpoolReader>> {
        let pieces = lock(&self.state)?.live.get(recording).cloned().ok_or_else(|| not_found(recording))?;
        Ok(Box::new(Reader { pieces, next: 0, held: self.held.clone(), recording: *recording }))
    }

    fn hold(&self, recording: &CustodyId) -> Result<Option<Box<dyn FileLock>>> {
        let is_free = lock(&self.held)?.insert(*recording);
        if is_free {
            lock(&self.state)?.live.entry(*recording).or_default();
        }
        Ok(is_free.then(|| Box::new(Hold { held: self.held.clone(), recording: *recording }) as Box<dyn FileLock>))
    }

    fn recordings(&self) -> Result<Vec<CustodyId>> {
        Ok(lock(&self.state)?.live.keys().copied().collect())
    }

    fn close(&self, recording: &CustodyId) -> Result<()> {
        if let Some(pieces) = lock(&self.state)?.live.remove(recording) {
            lock(&pieces)?.is_closed = true;
        }
        Ok(())
    }

    fn put_aside(&self, recording: &CustodyId) -> Result<String> {
        let mut state = lock(&self.state)?;
        let pieces = state.live.remove(recording).ok_or_else(|| not_found(recording))?;
        lock(&pieces)?.is_closed = true;
        state.aside.push((*recording, pieces));
        Ok(format!("memory, number {}", state.aside.len()))
    }
}

struct Reader {
    pieces: Arc<Mutex<Pieces>>,
    next: usize,
    held: Arc<Mutex<BTreeSet<CustodyId>>>,
    recording: CustodyId,
}

impl SpoolReader for Reader {
    fn next_piece(&mut self) -> Result<Option<Vec<u8>>> {
        let piece = lock(&self.pieces)?.all.get(self.next).cloned();
        self.next = self.next.saturating_add(usize::from(piece.is_some()));
        Ok(piece)
    }

    fn next_durable_piece(&mut self) -> Result<Option<Vec<u8>>> {
        self.next_piece()
    }

    fn has_durable(&self) -> bool {
        self.pieces.lock().is_ok_and(|pieces| pieces.all.len() > self.next)
    }

    fn bytes_behind(&self) -> Result<u64> {
        Ok(lock(&self.pieces)?.all.iter().skip(self.next).map(|piece| piece.len() as u64).sum())
    }

    fn is_closed(&self) -> Result<bool> {
        Ok(lock(&self.pieces)?.is_closed)
    }

    fn is_held(&self) -> Result<bool> {
        Ok(lock(&self.held)?.contains(&self.recording))
    }
}

#[derive(Debug)]
struct Hold {
    held: Arc<Mutex<BTreeSet<CustodyId>>>,
    recording: CustodyId,
}

impl FileLock for Hold {
    fn is_current(&self) -> bool {
        true
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.recording);
    }
}
