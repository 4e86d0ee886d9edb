//! A follower on a thread of its own while it waits for the disk.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Code, Error, Result};
use crate::ledger::LiveFollower;
use crate::tape::LiveRecord;

/// What lets go of a recording looks so often whether its thread is through.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// A follower that a thread may have while it waits for the disk.
#[derive(Clone)]
pub(super) struct Following(Arc<Mutex<LiveFollower>>);

impl Following {
    pub(super) fn new(follower: LiveFollower) -> Self {
        Self(Arc::new(Mutex::new(follower)))
    }

    pub(super) fn get(&self) -> MutexGuard<'_, LiveFollower> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next record. Who gives up waiting for it finds it at hand the next time.
    pub(super) async fn next_record(&self) -> Result<Option<LiveRecord>> {
        let has_durable = {
            let mut follower = self.get();
            if let Some(record) = follower.at_hand() {
                return Ok(Some(record));
            }
            follower.has_durable()
        };
        if has_durable {
            self.get().fetch()?;
        } else {
            let (own, died) = (self.clone(), |_| Error::new(Code::Broken, "a thread that follows a recording died"));
            tokio::task::spawn_blocking(move || own.get().fetch()).await.map_err(died)??;
        }
        Ok(self.get().at_hand())
    }

    /// Out of the hands of a thread that may still wait for the disk.
    pub(super) async fn into_inner(self) -> LiveFollower {
        let mut shared = self.0;
        loop {
            match Arc::try_unwrap(shared) {
                Ok(alone) => return alone.into_inner().unwrap_or_else(PoisonError::into_inner),
                Err(back) => shared = back,
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}
