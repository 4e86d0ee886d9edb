//! One at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Who waits for a turn looks so often.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// Something of a recording that is done by one at a time: marks, and changes of parts.
#[derive(Debug, Default)]
pub(super) struct Turns(Arc<AtomicBool>);

/// Let go of when it is dropped: also by a task that panicked, or that its runtime never ran.
#[derive(Debug)]
pub(super) struct Turn(Arc<AtomicBool>);

impl Turns {
    /// `None` while somebody else has it.
    pub(super) fn take(&self) -> Option<Turn> {
        (!self.0.swap(true, Ordering::AcqRel)).then(|| Turn(self.0.clone()))
    }

    /// Waits until it is free.
    pub(super) async fn wait(&self) -> Turn {
        loop {
            if let Some(turn) = self.take() {
                return turn;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}
