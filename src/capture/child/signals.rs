//! Signals that are meant for the program behind the recorder.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, getpid, getsid, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::Cause;

use super::witness::Witness;

/// Signals that are passed on.
pub(super) const PASSED: [i32; 6] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2];
/// More than a process's status takes.
const STATUS_BYTES_MAX: usize = 16 << 10;

/// Where the program is that signals are for.
enum Stage {
    /// There is none yet: what came for it.
    Starts(Vec<Signal>),
    Runs(Pid),
    /// It ended, and no signal may reach another that got its number.
    Ended,
}

/// The running program.
#[derive(Clone)]
pub(super) struct Running(Arc<Mutex<Stage>>);

impl Default for Running {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Stage::Starts(Vec::new()))))
    }
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The program runs from here on, and gets the signals that came before; or it ended.
    pub(super) fn is(&self, pid: Option<Pid>) {
        let mut stage = self.lock();
        let before = std::mem::replace(&mut *stage, pid.map_or(Stage::Ended, Stage::Runs));
        if let (Some(pid), Stage::Starts(kept)) = (pid, before) {
            kept.into_iter().for_each(|signal| pass(pid, signal));
        }
    }

    pub(super) fn send(&self, signal: Signal) {
        match &mut *self.lock() {
            Stage::Starts(kept) if !kept.contains(&signal) => kept.push(signal),
            Stage::Starts(_) | Stage::Ended => {}
            Stage::Runs(pid) => pass(*pid, signal),
        }
    }

    fn starts(&self) -> bool {
        matches!(*self.lock(), Stage::Starts(_))
    }
}

fn pass(pid: Pid, signal: Signal) {
    let _it_may_have_ended = kill_process(pid, signal);
}

/// Passes signals on for as long as this lives.
pub(super) struct Passing(signal_hook::iterator::Handle);

impl Passing {
    /// From here on the recorder dies of none of them: it ends when the program does, and seals what there is. A signal that is
    /// ignored stays so: the program inherits that, and is deaf to it as it would be without a recorder.
    ///
    /// A signal of the terminal reaches the program by itself, being of the same group, and so does one that somebody sent to
    /// the group, which the witness knows; only those that were sent to the recorder are passed on. Of the others, too, what
    /// came before the program did, and what is told to the leader of the session alone.
    pub(super) fn begin(running: Running, mut witness: Option<Witness>) -> std::io::Result<Self> {
        let ignored = ignored();
        let heard = PASSED.into_iter().filter(|signal| !is_in(ignored, *signal));
        let mut signals = SignalsInfo::<WithOrigin>::new(heard)?;
        let handle = signals.handle();
        std::thread::Builder::new().name("immutape-signals".into()).spawn(move || {
            for origin in signals.forever() {
                // Before the witness is asked, which takes a moment: the program may have begun by then, and has not got it.
                let starts = running.starts();
                // Asked in any case: what the terminal sent came to the witness as well, and is not to be taken for the next.
                let is_of_group = witness.as_mut().is_some_and(|witness| witness.saw(origin.signal));
                let is_of_terminal = origin.cause == Cause::Kernel && !is_for_leader(origin.signal);
                let comes_by_itself = !starts && (is_of_group || is_of_terminal);
                if let Some(signal) = Signal::from_named_raw(origin.signal).filter(|_| !comes_by_itself) {
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

/// A terminal that hangs up tells the leader of its session, which tells the others or, by its end, has the system do it.
fn is_for_leader(signal: i32) -> bool {
    signal == SIGHUP && getsid(None).is_ok_and(|leader| leader == getpid())
}

/// The signals that this process ignores, a bit each; none where the system does not tell.
fn ignored() -> u64 {
    let Ok(status) = rustix::fs::open("/proc/self/status", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) else {
        return 0;
    };
    let (mut text, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(read) = rustix::io::read(&status, &mut piece)
        && read > 0
        && text.len() < STATUS_BYTES_MAX
    {
        text.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
    ignored_in(&String::from_utf8_lossy(&text))
}

fn ignored_in(status: &str) -> u64 {
    let bits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or_default()
}

/// Signal 1 is the lowest bit.
fn is_in(bits: u64, signal: i32) -> bool {
    let place = u32::try_from(signal).ok().and_then(|signal| signal.checked_sub(1));
    place.and_then(|place| bits.checked_shr(place)).is_some_and(|bits| bits & 1 == 1)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Child, Command};

    use super::*;

    fn program() -> (Child, Pid) {
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        (child, pid)
    }

    #[test]
    fn a_signal_that_came_before_the_program_reaches_it() {
        let running = Running::default();
        assert!(running.starts());
        running.send(Signal::TERM);
        let (mut child, pid) = program();
        running.is(Some(pid));
        assert_eq!(child.wait().unwrap().signal(), Some(SIGTERM));
    }

    #[test]
    fn a_signal_that_comes_after_its_end_reaches_nobody() {
        let (mut other, pid) = program();
        let running = Running::default();
        running.is(Some(pid));
        running.is(None);
        running.send(Signal::TERM);
        assert_eq!(other.try_wait().unwrap(), None, "whoever has that number now");
        other.kill().unwrap();
        assert_eq!(other.wait().unwrap().signal(), Some(9));
    }

    #[test]
    fn what_the_system_says_is_ignored_is_read() {
        let bits = ignored_in("Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n");
        let which: Vec<i32> = (0..70).filter(|signal| is_in(bits, *signal)).collect();
        assert_eq!(which, [1, 13]);
        assert_eq!(ignored_in("no such line"), 0);
    }
}
