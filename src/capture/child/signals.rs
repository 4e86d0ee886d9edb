//! Signals that are meant for the program behind the recorder.

use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::Cause;

use super::witness::Witness;

/// Signals that are passed on.
pub(super) const PASSED: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];

/// The running program; `None` once it ended, so that no signal reaches another that got its number.
#[derive(Clone, Default)]
pub(super) struct Running(Arc<Mutex<Option<Pid>>>);

impl Running {
    pub(super) fn is(&self, pid: Option<Pid>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = pid;
    }

    pub(super) fn send(&self, signal: Signal) {
        if let Some(pid) = *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            let _it_may_have_ended = kill_process(pid, signal);
        }
    }
}

/// Passes signals on for as long as this lives.
pub(super) struct Passing(signal_hook::iterator::Handle);

impl Passing {
    /// From here on the recorder dies of none of them: it ends when the program does, and seals what there is.
    ///
    /// A signal of the terminal reaches the program by itself, being of the same group, and so does one that somebody sent to
    /// the group, which the witness knows; only those that were sent to the recorder are passed on.
    pub(super) fn begin(running: Running, mut witness: Option<Witness>) -> std::io::Result<Self> {
        let mut signals = SignalsInfo::<WithOrigin>::new(PASSED)?;
        let handle = signals.handle();
        std::thread::Builder::new().name("immutape-signals".into()).spawn(move || {
            for origin in signals.forever() {
                // Asked in any case: what the terminal sent came to the witness as well, and is not to be taken for the next.
                let is_of_group = witness.as_mut().is_some_and(|witness| witness.saw(origin.signal));
                let is_passed = origin.cause != Cause::Kernel && !is_of_group;
                if let Some(signal) = Signal::from_named_raw(origin.signal).filter(|_| is_passed) {
                    running.send(signal);
                }
            }
        })?;
        Ok(Self(handle))
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        self.0.close();
    }
}
