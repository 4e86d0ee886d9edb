//! A program while it runs.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::signals::Running;
use super::witness::WitnessCommand;
use crate::error::{Code, Error, Result};

/// What runs a file that is no program and names none: the system's own way to start programs by name does the same.
const SHELL: &str = "/bin/sh";

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
    /// Where the program was found, if it was looked for: a script that names no shell is given to one by this path.
    pub found: Option<PathBuf>,
    /// Tells signals that are sent to the whole process group, which reach the program by themselves. Without it every signal
    /// that is not the terminal's is passed on.
    pub witness: Option<WitnessCommand>,
}

impl ChildCommand {
    /// A program and its arguments.
    #[must_use]
    pub const fn new(program: OsString, args: Vec<OsString>) -> Self {
        Self { program, args, is_reproducible: false, found: None, witness: None }
    }

    /// As a session that is to give the same tape each time.
    #[must_use]
    pub fn reproducible(self) -> Self {
        Self { is_reproducible: true, ..self }
    }

    /// With the place where the program was found.
    #[must_use]
    pub fn found_at(self, place: PathBuf) -> Self {
        Self { found: Some(place), ..self }
    }

    /// With a witness of signals.
    #[must_use]
    pub fn witness(self, witness: WitnessCommand) -> Self {
        Self { witness: Some(witness), ..self }
    }
}

/// A program that was started. Dropped before its end was waited for, it is killed: nothing runs on unrecorded.
pub(super) struct Program {
    pub child: Child,
    running: Running,
}

impl Program {
    pub(super) fn start(command: &ChildCommand, running: &Running) -> Result<Self> {
        let bare = |program: OsString| {
            let mut bare = Command::new(program);
            bare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            bare
        };
        let started = bare(command.program.clone()).args(&command.args).spawn().or_else(|e| {
            if e.raw_os_error() != Some(Errno::NOEXEC.raw_os_error()) {
                return Err(e);
            }
            let script = command.found.clone().map_or_else(|| command.program.clone(), PathBuf::into_os_string);
            bare(SHELL.into()).arg(script).args(&command.args).spawn()
        });
        let child = started.map_err(|e| refused(command, e))?;
        let program = Self { child, running: running.clone() };
        program.running.is(program.pid());
        Ok(program)
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Waits for its end.
    pub(super) fn wait(&mut self) -> Result<ExitStatus> {
        // Without being reaped, so that its number is nobody else's before signals stop being sent to it.
        if let Some(pid) = self.pid() {
            while waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
                .is_err_and(|e| e == Errno::INTR)
            {}
        }
        self.running.is(None);
        self.child.wait().map_err(|e| Error::new(Code::Io, "the end of the program was not told").with_source(e))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.running.is(None);
        // Neither does anything to one whose end is known.
        let _it_may_have_ended = self.child.kill();
        let _it_may_have_ended = self.child.wait();
    }
}

/// Why it was not started: it is not there, it is nothing that may be run, or the system could not just now.
fn refused(command: &ChildCommand, e: std::io::Error) -> Error {
    let shown = crate::codec::escape::visible_short(command.program.as_encoded_bytes(), 200);
    let (code, words) = match e.kind() {
        // Also where what a script names in its first line is missing.
        ErrorKind::NotFound => (Code::NotFound, format!("there is no program \"{shown}\", or none that runs it")),
        ErrorKind::PermissionDenied
        | ErrorKind::ExecutableFileBusy
        | ErrorKind::ArgumentListTooLong
        | ErrorKind::IsADirectory
        | ErrorKind::NotADirectory => (Code::NotPermitted, format!("\"{shown}\" may not be run")),
        _ => (Code::Io, format!("\"{shown}\" cannot be started")),
    };
    Error::new(code, words).with_source(e)
}
