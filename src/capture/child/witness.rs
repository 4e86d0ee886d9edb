//! Did a signal go to the whole process group, or to the recorder alone? Of a group the program has got it by itself, and is not to
//! get it twice; the system says nothing of it to who gets a signal. So a small process stands in the same group and does
//! nothing but notice signals: what came to it too was sent to the group.
//!
//! Wrappers that put the program into a group of its own need none, and keep from it what is sent to the group with
//! SIGKILL, and what a terminal does. Those that pass on everything tell it twice.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;

use super::run::spawn;
use super::signals::PASSED;

/// Who signals a group tells its members one after the other.
const TOLD_ALL: Duration = Duration::from_millis(2);
/// A witness that has not answered by then is of no use.
const PATIENCE: Duration = Duration::from_secs(1);
/// What it noticed and was not asked for by then.
const FORGOTTEN: Duration = Duration::from_secs(1);

/// What is run as the witness: a program that calls [`stand_witness`] over its standard input and output.
#[derive(Debug, Clone)]
pub struct WitnessCommand {
    /// The program.
    pub program: OsString,
    /// What it is called as (`argv[0]`), which is all that it is told. Nobody who ends recorders by their name should end it.
    pub name: OsString,
}

/// A process that notices signals. Without one, or when it was ended, every signal counts as sent to the recorder alone.
pub(super) struct Witness {
    child: Child,
    /// `None` once it is of no use.
    ask: Option<ChildStdin>,
    answers: Receiver<bool>,
}

impl Witness {
    /// A witness that listens: one that a signal met before would be ended by it, and the next signals would count as sent to
    /// the recorder alone. `None` where it cannot be started.
    pub(super) fn start(command: &WitnessCommand) -> Option<Self> {
        let mut witness = Command::new(&command.program);
        witness.arg0(&command.name).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = witness.spawn().ok()?;
        let (ask, mut told) = (child.stdin.take(), child.stdout.take()?);
        let (send, answers) = sync_channel(1);
        let hear = move || {
            let mut answer = [0];
            while told.read_exact(&mut answer).is_ok() && send.send(answer == [1]).is_ok() {}
        };
        let witness = Self { child, ask, answers };
        spawn("immutape-witness", hear).ok()?;
        witness.answers.recv_timeout(PATIENCE).ok().map(|_listens| witness)
    }

    /// Did this signal come to it too, once more than it said so?
    pub(super) fn saw(&mut self, signal: i32) -> bool {
        std::thread::sleep(TOLD_ALL);
        let Some(ask) = &mut self.ask else { return false };
        let is_asked = u8::try_from(signal).is_ok_and(|number| ask.write_all(&[number]).is_ok());
        if is_asked && let Ok(saw) = self.answers.recv_timeout(PATIENCE) {
            return saw;
        }
        // Ended by somebody, or in nobody's hands: what comes from now on counts as sent to the recorder alone.
        self.ask = None;
        let _it_may_have_ended = self.child.kill();
        let _nothing_is_left_of_it = self.child.wait();
        false
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        let _it_may_have_ended = self.child.kill();
        let _nothing_is_left_of_it = self.child.wait();
    }
}

/// Notices signals, until nobody asks any more. It says 0 once it listens; then each byte that is read is the number of a signal, and is answered with 1 if
/// that signal came once more than it was answered so, else with 0. A recorder that is killed closes the pipe, which ends this
/// too.
///
/// # Errors
/// When signals cannot be listened to, or a pipe breaks.
pub fn stand_witness(asked: &mut dyn Read, answers: &mut dyn Write) -> io::Result<()> {
    let mut signals = SignalsInfo::<WithOrigin>::new(PASSED)?;
    answers.write_all(&[0])?;
    answers.flush()?;
    let mut seen = Vec::<(i32, Instant)>::new();
    let mut number = [0];
    loop {
        match asked.read(&mut number) {
            Ok(0) => return Ok(()),
            Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
            Err(_) => continue,
            Ok(_) => {}
        }
        let now = Instant::now();
        // Two of a kind that came at once are one for the recorder where the system told it slower: what nobody asks for is
        // forgotten, before it keeps another from the program.
        seen.retain(|(_, at)| now.saturating_duration_since(*at) < FORGOTTEN);
        seen.extend(signals.pending().map(|origin| (origin.signal, now)));
        let it = seen.iter().position(|(signal, _)| number.map(i32::from) == [*signal]);
        let saw = it.map(|at| seen.remove(at)).is_some();
        answers.write_all(&[u8::from(saw)])?;
        answers.flush()?;
    }
}
