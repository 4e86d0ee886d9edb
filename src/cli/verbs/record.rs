//! `record -- COMMAND`: a program with the recorder in front of it.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal as _};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::capture::child::{ChildCommand, ChildEnd, ChildStreams, run};
use crate::capture::{FinishedRecording, LedgerAccess, RecordingOptions, Recovered, StreamingTapeWriter};
use crate::cli::args::Record;
use crate::cli::session::{Session, close};
use crate::cli::surroundings::variable;
use crate::cli::{errors, inherited, json as js, recording, words};
use crate::codec::escape::visible;
use crate::codec::random::bytes;
use crate::error::{Code, Error, Result};
use crate::keyring::{OsRandom, SeededRandom};
use crate::ledger::{Environment, Places};
use crate::store::files::TemporaryFolder;
use crate::tape::{EndState, GapReason, Header, Labels, TapeKind};
use crate::time::{Clock, Reading, Timestamp};

/// Exit codes of wrappers: the recorder's own failure, a program that may not be run, one that is not there.
const FAILED: u8 = 125;
const NOT_RUN: u8 = 126;
const NOT_FOUND: u8 = 127;
/// What the ids of ephemeral ledgers come from.
const EPHEMERAL_SEED: u64 = 1;

pub(in crate::cli) fn record(s: &mut Session<'_>, args: &Record) -> Result<u8> {
    if args.recover {
        return recover_all(s);
    }
    let Some((program, rest)) = args.command.split_first() else {
        return Err(Error::new(Code::Usage, "no program was given").with_hint("immutape record -- PROGRAM ARGUMENTS"));
    };
    // Nobody is recorded who never was there: the log stays as it is.
    let found = match find_program(program) {
        Ok(place) => place,
        Err((exit, words)) => {
            s.out.speak(&format!("error: {words}"));
            return Ok(exit);
        }
    };
    let temporary = if args.ephemeral { Some(temporary_folder()?) } else { None };
    if let Some(folder) = &temporary {
        s.parts.places = Places::beneath(folder.path());
        s.parts.env = ephemeral(&s.parts.env);
    }
    let command = ChildCommand::new(program.clone(), rest.to_vec()).found_at(found);
    let command = if args.ephemeral { command.reproducible() } else { command };
    let command = match super::signal_witness::command() {
        Some(witness) => command.witness(witness),
        None => command,
    };
    let done = s.wait(async |s| whole(s, args, command).await);
    drop(temporary);
    match done {
        Ok(Ended::Ran(end)) => leave_as(s, &end),
        Ok(Ended::Refused(e)) => {
            errors::print(s.out, &e);
            Ok(match e.code() {
                Code::NotFound => NOT_FOUND,
                Code::NotPermitted => NOT_RUN,
                _ => FAILED,
            })
        }
        Err(e) => {
            // What the recorder could not do is not the program's answer.
            errors::print(s.out, &e);
            Ok(FAILED)
        }
    }
}

/// Seals what recorders left. One that could not be sealed was not: the first of these is how this ends.
fn recover_all(s: &mut Session<'_>) -> Result<u8> {
    let found = s.wait(async |s| s.seal_abandoned().await)??;
    let (mut sealed, mut aside, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for one in &found {
        match one {
            Recovered::Sealed { receipt, .. } => sealed.push(receipt.tape.to_text()),
            Recovered::PutAside { custody, .. } => aside.push(custody.to_hex()),
            Recovered::Failed { custody, error } => {
                failed.push(json!({ "custody": custody.to_hex(), "code": error.code().as_str() }));
            }
        }
    }
    if s.out.json {
        let document = json!({ "type": "recovered_all", "sealed": sealed, "aside": aside, "failed": failed });
        s.out.document(document);
    }
    match found.into_iter().find_map(|one| if let Recovered::Failed { error, .. } = one { Some(error) } else { None }) {
        Some(error) => Err(error),
        None => Ok(0),
    }
}

/// What came of a program.
enum Ended {
    Ran(ChildEnd),
    /// The system would not start it, or what is needed around it; it does not run.
    Refused(Error),
}

/// From the opening to the tape. An error means that there was no recording, and that the program never ran.
async fn whole(s: &mut Session<'_>, args: &Record, command: ChildCommand) -> Result<Ended> {
    let is_watched = io::stderr().is_terminal() && !s.out.quiet && !s.out.json;
    let access = LedgerAccess::visits(s.parts.places.clone(), s.parts.env.clone());
    let options = options(s, args, &command);
    let writer = Arc::new(open(s, access, options, args.ephemeral, is_watched).await?);
    let custody = writer.custody();
    if is_watched {
        s.out.say(&format!(
            "recording {}  stdio  (the same words go into your client's \"command\")",
            words::short(&custody.to_hex())
        ));
        s.out.say(&recording::window(writer.durability()));
        s.out.flush();
    }
    let (recording, clock) = (writer.clone(), s.parts.env.clock.clone());
    let ran = tokio::task::spawn_blocking(move || run(&command, streams(), &recording, &clock)).await;
    let ran = ran.unwrap_or_else(|_| Err(Error::new(Code::Internal, "the thread of the recorder died")));
    let state = match &ran {
        Ok(end) => end.state(),
        Err(e) => EndState::Error(e.message().as_bytes().to_vec()),
    };
    let shared = || Error::new(Code::Internal, "the recording is still written to");
    let sealed = match Arc::try_unwrap(writer) {
        Ok(writer) => writer.finalize(state).await,
        Err(_) => Err(shared()),
    };
    match (&sealed, &ran) {
        (Ok(finished), Ok(end)) => {
            tell_lost(s, finished);
            tell(s, finished, end, is_watched || args.ephemeral);
        }
        (Ok(_), Err(_)) => {}
        (Err(e), _) => {
            // Nothing is lost by it, and the program's own end is still what its caller is to learn.
            errors::print(s.out, e);
            s.out.speak(
                "The recording is in the spool and is sealed by the next start, or by `immutape record --recover`.",
            );
        }
    }
    Ok(ran.map_or_else(Ended::Refused, Ended::Ran))
}

/// Opens the ledger once for all that comes before the program: what is left of others, and the entry of this recording.
async fn open(
    s: &mut Session<'_>,
    access: LedgerAccess,
    options: RecordingOptions,
    is_ephemeral: bool,
    is_watched: bool,
) -> Result<StreamingTapeWriter> {
    let ledger = s.open_or_make(is_ephemeral, (is_watched, true)).await?;
    let (who, clock) = (s.parts.who.clone(), s.parts.env.clock.clone());
    let opened = StreamingTapeWriter::create_in(&ledger, access, who, options, clock).await;
    close(ledger, opened.map(|writer| (writer, None))).await
}

fn options(s: &Session<'_>, args: &Record, command: &ChildCommand) -> RecordingOptions {
    let mut header = Header::new(TapeKind::Other);
    let bytes = |text: &OsString| text.as_encoded_bytes().to_vec();
    let file_name = Path::new(&command.program).file_name().unwrap_or(&command.program);
    header.labels = Labels {
        name: Some(args.name.as_ref().map_or_else(|| file_name.as_encoded_bytes().to_vec(), bytes)),
        description: args.description.as_ref().map(bytes),
        tags: args.tag.iter().map(bytes).collect(),
    };
    (header.class, header.namespace) = s.parts.class_and_namespace(args.class.as_ref(), args.namespace.as_ref());
    let shown = |text: &OsStr| js::text(text.as_encoded_bytes());
    let list: Vec<Value> = command.args.iter().map(|arg| shown(arg)).collect();
    let transport = json!({ "type": "stdio", "command": shown(&command.program), "args": list });
    header.transport = Some(transport.to_string().into_bytes());
    if !args.ephemeral {
        let environment = json!({
            "platform": std::env::consts::OS, "host": js::text(&s.parts.who.host), "user": js::text(&s.parts.who.os_user),
            "tool": concat!("immutape ", env!("CARGO_PKG_VERSION")),
        });
        header.environment = Some(environment.to_string().into_bytes());
    }
    recording::told(RecordingOptions::new(header), args, &s.parts.config.capture)
}

fn streams() -> ChildStreams {
    ChildStreams {
        input: Box::new(io::stdin()),
        output: Box::new(Unbuffered(rustix::stdio::stdout())),
        error: Box::new(Unbuffered(rustix::stdio::stderr())),
        inherit: Box::new(inherited::as_before),
        close_input: Box::new(|| {
            // Standard input cannot be closed; the end of a pipe that nobody writes to stands in its place, and who wrote to
            // ours finds it closed.
            if let Ok((read, _dropped)) = rustix::pipe::pipe() {
                let _stays_open_then = rustix::stdio::dup2_stdin(read);
            }
        }),
    }
}

/// A stream of ours that keeps nothing back: what it took is delivered.
struct Unbuffered(BorrowedFd<'static>);

impl io::Write for Unbuffered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self.0, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Looks where the system would look.
fn find_program(program: &OsStr) -> std::result::Result<PathBuf, (u8, String)> {
    let shown = visible(program.as_encoded_bytes());
    let is_path = program.as_encoded_bytes().contains(&b'/');
    let places: Vec<PathBuf> = if is_path {
        vec![PathBuf::from(program)]
    } else {
        let path = variable("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
        std::env::split_paths(&path).map(|folder| folder.join(program)).collect()
    };
    let mut found = None;
    for place in places.iter().filter(|place| place.exists()) {
        if place.is_file() && rustix::fs::access(place, rustix::fs::Access::EXEC_OK).is_ok() {
            return Ok(place.clone());
        }
        found = Some(place);
    }
    match found {
        Some(place) => Err((NOT_RUN, format!("\"{}\" may not be run", visible(place.as_os_str().as_encoded_bytes())))),
        None => Err((NOT_FOUND, format!("there is no program \"{shown}\""))),
    }
}

/// Frames that found no room are told to whoever reads, also where nothing else is: the tape has a hole.
fn tell_lost(s: &mut Session<'_>, finished: &FinishedRecording) {
    let gaps = finished.header.gaps.iter().filter(|gap| gap.reason == GapReason::StorageFailed);
    let lost: u64 = gaps.map(|gap| gap.count).fold(0, u64::saturating_add);
    if lost > 0 {
        let frames = words::count(lost, "frame");
        s.out.speak(&format!("{frames} could not be stored and are not on the tape, which says so."));
    }
}

/// What the session came to, on a terminal and in documents; a client that started us sees nothing.
fn tell(s: &mut Session<'_>, finished: &FinishedRecording, end: &ChildEnd, is_told: bool) {
    let FinishedRecording { receipt, header, parts, marks, .. } = finished;
    if s.out.json {
        // Standard output was the program's.
        s.out.raw = true;
        s.out.document(json!({
            "type": "sealed", "tape": receipt.tape.to_text(), "custody": receipt.custody.to_hex(), "entry": receipt.entry,
            "frames": receipt.frames, "stored_bytes": receipt.stored_bytes, "errors": header.stats.errors,
            "unanswered": header.stats.unanswered, "end_state": header.end_state.word(), "exit_code": end.code,
            "signal": end.signal, "marks": marks, "gaps": header.gaps.len(),
            "parts": parts.iter().map(|p| p.tape.to_text()).collect::<Vec<_>>(),
        }));
        return;
    }
    if !is_told {
        return;
    }
    let stats = &header.stats;
    let how = match (end.code, end.signal) {
        (Some(code), _) => format!("exited {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    };
    s.out.say(&format!(
        "the program {how}: {} ({} ->, {} <-), {}, {} unanswered",
        words::count(stats.frames, "frame"),
        stats.client_to_server,
        stats.server_to_client,
        words::count(stats.errors, "error"),
        stats.unanswered,
    ));
    s.out.say(&format!(
        "sealed {}  {} stored, entry #{}",
        receipt.tape.to_text(),
        words::bytes(receipt.stored_bytes),
        receipt.entry
    ));
}

/// Ends as the program did.
fn leave_as(s: &mut Session<'_>, end: &ChildEnd) -> Result<u8> {
    if let Some(e) = &end.failed {
        errors::print(s.out, e);
        s.out.speak("The program was ended: what happens is recorded, or does not happen.");
        return Ok(FAILED);
    }
    if let Some(code) = end.code {
        return Ok(u8::try_from(code & 0xff).unwrap_or(FAILED));
    }
    Ok(signalled(s, end.signal.unwrap_or_default()))
}

/// Ends this process by a signal where that may be done; else the exit code that stands for it.
pub(super) fn signalled(s: &mut Session<'_>, signal: i32) -> u8 {
    s.out.flush();
    // Who waits for us sees the same end, whichever signal it was. Those that leave a core file leave none of ours.
    inherited::never_dumped();
    let _not_every_signal_is_known_there = signal_hook::low_level::emulate_default_handler(signal);
    let _told_by_the_code = signal_hook::low_level::raise(signal);
    u8::try_from(signal.saturating_add(128)).unwrap_or(FAILED)
}

fn temporary_folder() -> Result<TemporaryFolder> {
    let base = variable("TMPDIR").map(PathBuf::from).filter(|p| p.is_absolute()).unwrap_or_else(|| "/tmp".into());
    let name = format!("immutape-record-{}", hex::encode(bytes::<8>(&OsRandom)?));
    TemporaryFolder::create(&base, &name).map_err(|e| {
        Error::new(Code::Io, "no temporary folder can be made")
            .with_hint("set TMPDIR to a folder that you may write to")
            .with_source(e)
    })
}

/// Ids from a number and a clock that stands still: the same session gives the same tape.
fn ephemeral(env: &Environment) -> Environment {
    Environment { random: Arc::new(SeededRandom::new(EPHEMERAL_SEED)), clock: Arc::new(StillClock), ..env.clone() }
}

struct StillClock;

impl Clock for StillClock {
    fn read(&self) -> Reading {
        // 2000-01-01.
        Reading { wall: Timestamp::from_ms(946_684_800_000), monotonic_ns: 0 }
    }

    fn boot_id(&self) -> [u8; 16] {
        [0; 16]
    }
}
