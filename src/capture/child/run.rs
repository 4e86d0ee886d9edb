//! From the start of a program to its end.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::json;

use super::ending::Patience;
use super::handover::{Handover, Way};
use super::program::{ChildCommand, Program};
use super::pump::{Pump, Source};
use super::recording::{Alarm, Recorder};
use super::signals::{Passing, Running};
use super::witness::Witness;
use crate::capture::{Durability, StreamingTapeWriter};
use crate::error::{Code, Error, Result};
use crate::tape::EndState;
use crate::time::Clock;

/// A program that ended may leave others that hold its output open.
const PATIENCE: Patience = Patience { quiet: Duration::from_millis(500), most: Duration::from_secs(10) };

/// The three streams of who started the recorder.
pub struct ChildStreams {
    /// Where the program's input comes from.
    pub input: Box<dyn Read + Send>,
    /// Where its output goes. What it takes counts as delivered, so it keeps nothing back.
    pub output: Box<dyn Write + Send>,
    /// Where its errors go; as there.
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
/// `E_NOT_FOUND` when there is no such program, `E_NOT_PERMITTED` when it may not be run: it never ran. `E_IO`: it runs no more.
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
    let end = session(command, streams, writer, clock, (&running, PATIENCE));
    drop(passing);
    end
}

/// An error on any way out leaves no program behind, and no thread that records.
fn session(
    command: &ChildCommand,
    streams: ChildStreams,
    writer: &Arc<StreamingTapeWriter>,
    clock: &Arc<dyn Clock>,
    (running, patience): (&Running, Patience),
) -> Result<ChildEnd> {
    let handover = Arc::new(Handover::new(writer.durability() == Durability::Each));
    let alarm = Alarm { handover: handover.clone(), running: running.clone() };
    let raised = alarm.clone();
    writer.on_failure(move |why| raised.raise(why));
    let recorder = Recorder::begin(writer.clone(), alarm, clock.clone())?;
    (streams.inherit)(true);
    let started = Program::start(command, running);
    (streams.inherit)(false);
    let mut program = started?;
    let number = Some(program.child.id()).filter(|_| !command.is_reproducible);
    handover.tell(json!({ "event": "started", "pid": number }).to_string(), clock.read());
    let outputs = pump_all(&mut program, streams, &handover, clock)?;
    let status = program.wait()?;
    if !handover.outputs_end(&|way| outputs.unread(way), patience) {
        let words = json!({ "event": "output_held", "note": "another program holds its output open" });
        handover.tell(words.to_string(), clock.read());
    }
    recorder.finish(ended(status).to_string());
    Ok(ChildEnd { code: status.code(), signal: status.signal(), failed: handover.take_failed() })
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

/// The program's outputs, for as long as their pumps have them open.
struct Outputs {
    output: Weak<OwnedFd>,
    error: Weak<OwnedFd>,
}

impl Outputs {
    /// Bytes that stand in a pipe.
    fn unread(&self, way: Way) -> u64 {
        let pipe = match way {
            Way::Out => self.output.upgrade(),
            Way::Err => self.error.upgrade(),
            Way::In => None,
        };
        pipe.and_then(|pipe| rustix::io::ioctl_fionread(&*pipe).ok()).unwrap_or_default()
    }
}

/// Starts the pumps.
fn pump_all(
    program: &mut Program,
    streams: ChildStreams,
    handover: &Arc<Handover>,
    clock: &Arc<dyn Clock>,
) -> Result<Outputs> {
    let missing = || Error::new(Code::Internal, "a pipe of the program is missing");
    let child = &mut program.child;
    let mut stdin = child.stdin.take().ok_or_else(missing)?;
    let stdout: Arc<OwnedFd> = Arc::new(child.stdout.take().ok_or_else(missing)?.into());
    let stderr: Arc<OwnedFd> = Arc::new(child.stderr.take().ok_or_else(missing)?.into());
    let outputs = Outputs { output: Arc::downgrade(&stdout), error: Arc::downgrade(&stderr) };
    let ChildStreams { input, output, error, close_input, .. } = streams;
    let pump = |way| Pump { way, handover: handover.clone(), clock: clock.clone() };
    let p = pump(Way::In);
    // Not waited for: who sends may never end.
    spawn("immutape-in", move || {
        p.copy(&mut Source::Given(input), &mut stdin);
        drop(stdin);
        close_input();
    })?;
    for (name, way, pipe, mut to) in
        [("immutape-out", Way::Out, stdout, output), ("immutape-err", Way::Err, stderr, error)]
    {
        let p = pump(way);
        // The pipe is closed behind it. The program learns that nobody reads: its next write fails, as it would without a
        // recorder.
        spawn(name, move || p.copy(&mut Source::Output(pipe), &mut *to))?;
    }
    Ok(outputs)
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Mutex, PoisonError};

    use super::*;
    use crate::capture::testing::Stage;
    use crate::tape::{Delimiter, FrameKind};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn streams(output: Sink, inherit: Box<dyn Fn(bool) + Send>) -> ChildStreams {
        let (input, error) = (Box::new(std::io::empty()), Box::new(std::io::sink()));
        ChildStreams { input, output: Box::new(output), error, close_input: Box::new(|| {}), inherit }
    }

    fn shell(script: &str) -> ChildCommand {
        ChildCommand::new("sh".into(), vec!["-c".into(), script.into()])
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn what_others_write_on_and_on_is_on_the_tape_or_is_not_passed_on() {
        let patience = Patience { quiet: Duration::from_secs(60), most: Duration::from_millis(200) };
        let script = "(i=0; while :; do i=$((i+1)); echo $i; done) & exit 3";
        for durability in [Durability::Each, Durability::Interval(Duration::from_millis(50))] {
            let stage = Stage::new().await;
            let writer = stage.writer(durability).await;
            let (sink, running, clock) = (Sink::default(), Running::default(), stage.clock());
            let end = tokio::task::block_in_place(|| {
                let streams = streams(sink.clone(), Box::new(|_| {}));
                session(&shell(script), streams, &writer, &clock, (&running, patience))
            });
            assert_eq!(end.unwrap().code, Some(3));
            let frames = stage.frames(writer).await;
            let told = |event: &[u8]| frames.iter().any(|f| f.payload.windows(event.len()).any(|w| w == event));
            assert!(told(b"output_held"), "it was cut off");
            let mut on_tape = Vec::new();
            for frame in frames.iter().filter(|frame| frame.kind == FrameKind::Message) {
                on_tape.extend_from_slice(&frame.payload);
                on_tape.extend((frame.delimiter == Delimiter::Lf).then_some(b'\n'));
            }
            let got = sink.0.lock().unwrap().clone();
            assert!(got.len() > 1_000, "others wrote while it waited: {} bytes", got.len());
            assert!(got == on_tape, "{durability:?}: {} bytes came, {} are on the tape", got.len(), on_tape.len());
            stage.close().await;
        }
    }

    /// Is there a process with this argument?
    fn is_running(argument: &str) -> bool {
        let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
        lines.into_iter().any(|line| line.split(|b| *b == 0).any(|word| word == argument.as_bytes()))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_failure_behind_the_start_leaves_no_program_behind() {
        if !std::path::Path::new("/proc/self/cmdline").exists() {
            return;
        }
        let stage = Stage::new().await;
        let writer = stage.writer(Durability::Os).await;
        let (running, clock) = (Running::default(), stage.clock());
        // An argument that no other process has.
        let argument = format!("86400.{}", std::process::id());
        let (was_running, sought) = (Arc::new(AtomicBool::new(false)), argument.clone());
        let seen = was_running.clone();
        let fails_behind_the_start = Box::new(move |is_before: bool| {
            if !is_before {
                // Its arguments are told a moment after it was started.
                let is_seen = (0..10_000).any(|_| {
                    std::thread::sleep(Duration::from_millis(1));
                    is_running(&sought)
                });
                seen.store(is_seen, Ordering::Relaxed);
                panic!("as planned");
            }
        });
        let command = ChildCommand::new("sleep".into(), vec![argument.clone().into()]);
        let ended = tokio::task::block_in_place(|| {
            catch_unwind(AssertUnwindSafe(|| {
                let streams = streams(Sink::default(), fails_behind_the_start);
                session(&command, streams, &writer, &clock, (&running, PATIENCE))
            }))
        });
        assert!(ended.is_err() && was_running.load(Ordering::Relaxed), "it ran, and the session failed");
        assert!(!is_running(&argument), "it runs on, unrecorded");
        assert_eq!(stage.frames(writer).await, [], "nothing was said");
        stage.close().await;
    }
}
