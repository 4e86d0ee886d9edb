//! `replay ID`: a tape at the pace of its session, or as the server that it recorded.

use std::io::{self, BufRead as _, Read as _, Write as _};
use std::time::Duration;

use serde_json::json;

use crate::capture::{self, LedgerAccess};
use crate::cli::args::Replay;
use crate::cli::session::Session;
use crate::cli::terminal::cut;
use crate::cli::{frames, words};
use crate::error::{Code, Error, Result};
use crate::ledger::{FrameSelection, TapeAway, TapeReader};
use crate::tape::EndState;

use super::record::signalled;

/// Longest line that is read from a client.
const LINE_BYTES_MAX: u64 = 64 << 20;
/// Longest wait between two frames: nobody looks at nothing for longer, and a time that somebody imported may be any.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Columns of a line where nothing says how many there are.
const COLUMNS: usize = 240;

pub(in crate::cli) fn replay(s: &mut Session<'_>, args: &Replay) -> Result<u8> {
    if args.as_server { as_server(s, args) } else { at_pace(s, args) }
}

/// The ledger is open to begin and to end, and not while somebody looks: others record meanwhile.
fn at_pace(s: &mut Session<'_>, args: &Replay) -> Result<u8> {
    let tape = s.with_ledger(async |ledger, s| {
        ledger.open_replay(&s.parts.who, &args.id, false).await.and_then(TapeReader::into_away)
    })?;
    let shown = play(s, args, &tape);
    let (entry, frames) = (tape.grant_index(), tape.frames_total());
    // How much was given is recorded also where the screen did not take all of it.
    let access = LedgerAccess::visits(s.parts.places.clone(), s.parts.env.clone());
    let ended = s.wait(async |s| access.with(async |ledger| ledger.finish_away(&s.parts.who, tape).await).await);
    shown?;
    ended?;
    if s.out.json {
        s.out.document(json!({ "type": "recorded", "entry": entry, "frames": frames }));
    }
    s.out.say(&format!("This replay was recorded as entry #{entry}."));
    Ok(0)
}

fn play(s: &mut Session<'_>, args: &Replay, tape: &TapeAway) -> Result<()> {
    let mut last_ns = 0u64;
    tape.frames(0, u64::MAX, &mut |frame| {
        let now_ns = frame.t_ns.unwrap_or(last_ns).max(last_ns);
        std::thread::sleep(pause(now_ns.saturating_sub(last_ns), args.speed));
        last_ns = now_ns;
        if s.out.is_stopped() {
            return Err(Error::new(Code::Io, "the output was closed"));
        }
        if s.out.json {
            s.out.document(super::show::frame_document(&frame));
        } else {
            s.out.line(&cut(&frames::line(&frame, false), s.out.look.columns.unwrap_or(COLUMNS)));
        }
        s.out.flush();
        Ok(())
    })
}

/// How long nothing is shown.
fn pause(ns: u64, speed: f64) -> Duration {
    if speed <= 0.0 {
        return Duration::ZERO;
    }
    Duration::from_nanos((ns as f64 / speed) as u64).min(PAUSE_MAX)
}

/// The ledger is open while the tape is read, and not while its answers are given.
fn as_server(s: &mut Session<'_>, args: &Replay) -> Result<u8> {
    let (mut server, end) = s.reading(async |ledger, s| {
        let reader = ledger.open_replay(&s.parts.who, &args.id, true).await?;
        let mut server = capture::Replay::default();
        reader.frames(FrameSelection::All, &mut |frame| server.take(&frame))?;
        let end = reader.header().end_state.clone();
        server.ended(&end);
        Ok(((server, end), Some(reader)))
    })?;
    if server.requests() == 0 {
        return Err(Error::new(
            Code::NotATape,
            "nobody asks anything on this tape, so there is nothing to answer with",
        ));
    }
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    let (mut answered, mut unknown, mut is_over) = (0u64, 0u64, false);
    while !is_over {
        let mut line = Vec::new();
        let read = input.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(no_input)?;
        if read == 0 {
            break;
        }
        if read as u64 == LINE_BYTES_MAX && line.last() != Some(&b'\n') {
            return Err(Error::new(Code::Limit, "a message of the client is longer than 64 MiB"));
        }
        let answer = server.answer(&line);
        is_over = answer.is_over;
        unknown = unknown.saturating_add(u64::from(answer.is_unknown));
        answered = answered.saturating_add(u64::from(!answer.messages.is_empty()));
        for (message, wait) in answer.messages.into_iter().zip(answer.waits) {
            std::thread::sleep(wait);
            let written =
                output.write_all(&message).and_then(|()| output.write_all(b"\n")).and_then(|()| output.flush());
            match written {
                Err(e) if e.kind() == io::ErrorKind::BrokenPipe => return Ok(0),
                Err(e) => return Err(Error::new(Code::Io, "the client cannot be answered").with_source(e)),
                Ok(()) => {}
            }
        }
    }
    // A client that started us sees its protocol and nothing else; people see how it went.
    if io::IsTerminal::is_terminal(&io::stderr()) {
        let known = words::count(answered.saturating_sub(unknown), "request");
        s.out.say(&format!("{known} answered from the tape, {unknown} not on it."));
        if is_over {
            s.out.say("The recorded server ended here.");
        }
    }
    Ok(match end {
        // Whoever ended it with a signal did not mean this one, unless it ended over what was asked.
        EndState::Signal(signal) if is_over => signalled(s, i32::try_from(signal).unwrap_or_default()),
        EndState::ChildExit(code) if is_over || server.is_all_said() => exit_of(code),
        _ => 0,
    })
}

/// The code that a caller sees of a program's exit.
fn exit_of(code: i64) -> u8 {
    u8::try_from(code & 0xff).unwrap_or(1)
}

fn no_input(e: io::Error) -> Error {
    Error::new(Code::Io, "the client cannot be read").with_source(e)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_that_of_the_session_and_has_a_limit() {
        let second = 1_000_000_000;
        assert_eq!(pause(second, 1.0), Duration::from_secs(1));
        assert_eq!(pause(second, 4.0), Duration::from_millis(250));
        assert_eq!(pause(second, 0.5), Duration::from_secs(2));
        assert_eq!(pause(u64::MAX, 0.0), Duration::ZERO, "0 does not wait at all");
        for speed in [1e-9, 1.0, 1_000_000.0] {
            assert_eq!(pause(u64::MAX, speed), PAUSE_MAX);
        }
    }
}
