//! From the start of a program to its end.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_json::json;

use super::pump::{Heard, Pumps, Way};
use super::recording::Recording;
use super::signals::{Passing, Running};
use super::witness::{Witness, WitnessCommand};
use crate::capture::{Durability, StreamingTapeWriter};
use crate::error::{Code, Error, Result};
use crate::tape::EndState;
use crate::time::Clock;

/// Pieces of up to 64 KiB that wait for the recorder, before the session waits too.
const HEARD_MAX: usize = 64;
/// A program that ended may leave others that hold its output open: so long after the last byte it is given up,
const QUIET: Duration = Duration::from_millis(500);
/// and so long after its end in any case.
const QUIET_MAX: Duration = Duration::from_secs(10);

/// What is started.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ChildCommand {
    /// The program.
    pub program: OsString,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Leave out what differs each time: its process number.
    pub is_reproducible: bool,
    /// Tells signals that are sent to the whole process group, which reach the program by themselves. Without it every signal
    /// that is not the terminal's is passed on.
    pub witness: Option<WitnessCommand>,
}

impl ChildCommand {
    /// A program and its arguments.
    #[must_use]
    pub const fn new(program: OsString, args: Vec<OsString>) -> Self {
        Self { program, args, is_reproducible: false, witness: None }
    }

    /// As a session that is to give the same tape each time.
    #[must_use]
    pub fn reproducible(self) -> Self {
        Self { is_reproducible: true, ..self }
    }

    /// With a witness of signals.
    #[must_use]
    pub fn witness(self, witness: WitnessCommand) -> Self {
        Self { witness: Some(witness), ..self }
    }
}

/// The three streams of who started the recorder.
pub struct ChildStreams {
    /// Where the program's input comes from.
    pub input: Box<dyn Read + Send>,
    /// Where its output goes.
    pub output: Box<dyn Write + Send>,
    /// Where its errors go.
    pub error: Box<dyn Write + Send>,
    /// Called when the program takes no more input: who sends it is to learn of it.
    pub close_input: Box<dyn Fn() + Send>,
    /// Called with true before the program is started and with false behind it: what it inherits is to be what it would have
    /// without a recorder.
    pub inherit: Box<dyn Fn(bool) + Send>,
}

impl std::fmt::Debug for ChildStreams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChildStreams")
    }
}

/// How a program ended.
#[derive(Debug)]
#[non_exhaustive]
pub struct ChildEnd {
    /// Its exit code.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Why nothing could be recorded any more. The program was ended for it.
    pub failed: Option<Error>,
}

impl ChildEnd {
    /// The end of the tape.
    #[must_use]
    pub fn state(&self) -> EndState {
        match (&self.failed, self.code, self.signal) {
            (Some(e), ..) => EndState::Error(e.code().as_str().as_bytes().to_vec()),
            (None, Some(0), _) => EndState::Clean,
            (None, Some(code), _) => EndState::ChildExit(i64::from(code)),
            (None, None, Some(signal)) => EndState::Signal(u64::try_from(signal).unwrap_or_default()),
            (None, None, None) => EndState::Crashed(None),
        }
    }
}

/// Starts a program, records what goes through, and waits for its end. Blocks.
///
/// # Errors
/// `E_NOT_FOUND` when there is no such program, `E_NOT_PERMITTED` when it may not be run, `E_IO`.
pub fn run(
    command: &ChildCommand,
    streams: ChildStreams,
    writer: &Arc<StreamingTapeWriter>,
    clock: &Arc<dyn Clock>,
) -> Result<ChildEnd> {
    let running = Running::default();
    // Before the program runs: a signal that comes in between would end the recorder alone.
    let witness = command.witness.as_ref().and_then(Witness::start);
    let passing = Passing::begin(running.clone(), witness)
        .map_err(|e| Error::new(Code::Io, "signals cannot be listened to").with_source(e))?;
    (streams.inherit)(true);
    let started = start(command);
    (streams.inherit)(false);
    let mut child = started?;
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    running.is(pid);
    let (send, receive) = sync_channel(HEARD_MAX);
    let is_stopped = AtomicBool::new(false);
    let is_each = writer.durability() == Durability::Each;
    let (heard, copied) = (send.clone(), AtomicU64::new(0));
    let pumps = Arc::new(Pumps { clock: clock.clone(), heard, is_each, is_stopped, copied });
    let told = |words: String| Heard::Told { words, at: clock.read() };
    let number = Some(child.id()).filter(|_| !command.is_reproducible);
    let _first_of_all = send.send(told(json!({ "event": "started", "pid": number }).to_string()));
    let failed = Arc::new(Mutex::new(None));
    let recording =
        Recording { writer: writer.clone(), pumps: pumps.clone(), running: running.clone(), failed: failed.clone() };
    let recorder = spawn("immutape-recorder", move || recording.run(&receive))?;
    let ends = pump_all(&mut child, streams, &pumps)?;
    // Waited for without being reaped, so that its number is nobody else's before signals stop being sent to it.
    if let Some(pid) = pid {
        while waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
            .is_err_and(|e| e == rustix::io::Errno::INTR)
        {}
    }
    running.is(None);
    let status =
        child.wait().map_err(|e| Error::new(Code::Io, "the end of the program was not told").with_source(e))?;
    let is_held = !outputs_end(&ends, &pumps);
    if is_held {
        let words = json!({ "event": "output_held", "note": "another program holds its output open" });
        let _recorder_may_be_gone = send.send(told(words.to_string()));
    }
    let _recorder_may_be_gone = send.send(told(ended(status).to_string()));
    let _recorder_may_be_gone = send.send(Heard::Stop);
    let _told_by_failed = recorder.join();
    drop(passing);
    let failed = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
    Ok(ChildEnd { code: status.code(), signal: status.signal(), failed })
}

fn start(command: &ChildCommand) -> Result<Child> {
    let started = Command::new(&command.program)
        .args(&command.args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    started.map_err(|e| {
        let shown = crate::codec::escape::visible_short(command.program.as_encoded_bytes(), 200);
        let (code, words) = match e.kind() {
            std::io::ErrorKind::NotFound => (Code::NotFound, format!("there is no program \"{shown}\"")),
            std::io::ErrorKind::PermissionDenied => (Code::NotPermitted, format!("\"{shown}\" may not be run")),
            _ => (Code::Io, format!("\"{shown}\" cannot be started")),
        };
        Error::new(code, words).with_source(e)
    })
}

fn ended(status: ExitStatus) -> serde_json::Value {
    match (status.code(), status.signal()) {
        (Some(code), _) => json!({ "event": "exited", "code": code }),
        (None, signal) => json!({ "event": "killed", "signal": signal, "core": status.core_dumped() }),
    }
}

pub(super) fn spawn<T: Send + 'static>(
    name: &str,
    f: impl FnOnce() -> T + Send + 'static,
) -> Result<std::thread::JoinHandle<T>> {
    let thread = std::thread::Builder::new().name(name.into()).spawn(f);
    thread.map_err(|e| Error::new(Code::Io, "no thread can be started").with_source(e))
}

/// Starts the pumps; hears when one of the outputs ended.
fn pump_all(child: &mut Child, streams: ChildStreams, pumps: &Arc<Pumps>) -> Result<Receiver<()>> {
    let missing = || Error::new(Code::Internal, "a pipe of the program is missing");
    let (mut stdin, mut stdout, mut stderr) = (
        child.stdin.take().ok_or_else(missing)?,
        child.stdout.take().ok_or_else(missing)?,
        child.stderr.take().ok_or_else(missing)?,
    );
    let ChildStreams { mut input, mut output, mut error, close_input, .. } = streams;
    let (done, ends) = sync_channel(2);
    let p = pumps.clone();
    // Not waited for: who sends may never end.
    spawn("immutape-in", move || {
        p.copy(Way::In, &mut *input, &mut stdin);
        drop(stdin);
        close_input();
    })?;
    let (p, d) = (pumps.clone(), done.clone());
    spawn("immutape-out", move || {
        p.copy(Way::Out, &mut stdout, &mut *output);
        // The program learns that nobody reads: its next write fails, as it would without a recorder.
        drop(stdout);
        let _may_be_gone = d.send(());
    })?;
    let p = pumps.clone();
    spawn("immutape-err", move || {
        p.copy(Way::Err, &mut stderr, &mut *error);
        drop(stderr);
        let _may_be_gone = done.send(());
    })?;
    Ok(ends)
}

/// Waits for what the program wrote before it ended. False when others hold its output open, and say nothing.
fn outputs_end(ends: &Receiver<()>, pumps: &Pumps) -> bool {
    let (mut left, mut waited, mut copied) = (2u8, Duration::ZERO, pumps.copied.load(Ordering::Relaxed));
    while left > 0 {
        match ends.recv_timeout(QUIET) {
            Ok(()) => left = left.saturating_sub(1),
            Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => {
                waited = waited.saturating_add(QUIET);
                let now = pumps.copied.load(Ordering::Relaxed);
                if now == copied || waited >= QUIET_MAX {
                    return false;
                }
                copied = now;
            }
        }
    }
    true
}
