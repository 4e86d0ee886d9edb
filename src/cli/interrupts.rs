//! Ctrl-C and its like while there is something to clear away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use crate::error::{Code, Error, Result};

/// From its making on the first signal is kept until [`Interrupts::pass_on`]; a second one ends the process at once.
pub(super) struct Interrupts {
    /// The signal that came; 0 before.
    came: Arc<AtomicUsize>,
}

impl Interrupts {
    /// Where signals cannot be caught, they do what they did before.
    pub(super) fn caught() -> Self {
        let (came, is_second) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        for (signal, number) in [(SIGINT, SIGINT.unsigned_abs()), (SIGTERM, SIGTERM.unsigned_abs())] {
            let number = usize::try_from(number).unwrap_or_default();
            // In this order: the first signal finds the flag down.
            let _uncaught = flag::register_conditional_default(signal, is_second.clone())
                .and_then(|_| flag::register(signal, is_second.clone()))
                .and_then(|_| flag::register_usize(signal, came.clone(), number));
        }
        Self { came }
    }

    /// Whether to go on.
    ///
    /// # Errors
    /// `E_IO` once a signal came; nobody is told of it, for the process ends by that signal.
    pub(super) fn check(&self) -> Result<()> {
        if self.came.load(Ordering::SeqCst) == 0 { Ok(()) } else { Err(Error::new(Code::Io, "interrupted")) }
    }

    /// Ends the process as the signal would have ended it, so that whoever started it sees which one it was.
    pub(super) fn pass_on(&self) {
        let signal = i32::try_from(self.came.load(Ordering::SeqCst)).unwrap_or_default();
        if signal != 0 {
            let _ends_here = low_level::emulate_default_handler(signal);
        }
    }
}
