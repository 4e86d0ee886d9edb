//! Whole sessions: the client gets what it gets without us, the tape has every byte, and answers again.

use serde_json::Value;

use super::software::{Client, Server, Software};
use super::stage::{Stage, Tape};
use crate::cli::world::Did;

/// A session and what is known of it beforehand.
struct Session {
    client: Client,
    server: Server,
    /// The version that the two agree on, or that was asked for when there was no answer.
    protocol: &'static str,
    /// The exit code of the client.
    exit: i32,
    /// How the tape ends.
    end: &'static str,
    /// Requests that nobody answered, of either side.
    unanswered: u64,
    /// The client prints times, or the server does.
    has_times: bool,
    /// The tape can stand in the server's place: it answers, where the server did.
    answers: bool,
}

/// Both with `initialize`, and an end that the server makes by itself.
const USUAL: Session = Session {
    client: Client::Python("filesystem"),
    server: Server::Filesystem,
    protocol: "2025-11-25",
    exit: 0,
    end: "clean",
    unanswered: 0,
    has_times: false,
    answers: true,
};

/// The protocol without sessions, where no `initialize` is.
const STATELESS: &str = "2026-07-28";

/// Times of day and dates with zeros in the place of their numbers. Everything else stays.
fn without_times(text: &str) -> String {
    let is_of_time = |c: char| c.is_ascii_digit() || ":-/.+TZ".contains(c);
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(start);
        let (word, after) = from.split_at(from.find(|c| !is_of_time(c)).unwrap_or(from.len()));
        out.push_str(before);
        if word.matches([':', '-', '/']).count() >= 2 {
            out.extend(word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }));
        } else {
            out.push_str(word);
        }
        rest = after;
    }
    // A line of the same second as the one before has room in the place of its time.
    let time = "[00/00/00 00:00:00]";
    (out + rest).replace(time, &" ".repeat(time.len()))
}

/// All that a client did, as far as it is the same each time.
fn same_each_time(did: &Did, has_times: bool) -> (i32, String, String) {
    let plain = |text: String| if has_times { without_times(&text) } else { text };
    (did.exit, plain(did.out()), plain(did.stderr.clone()))
}

/// Shows where the first line is that differs.
#[track_caller]
fn assert_same(one: &(i32, String, String), other: &(i32, String, String), which: &str) {
    for (a, b) in [(&one.1, &other.1), (&one.2, &other.2)] {
        let differ = a.lines().zip(b.lines()).find(|(a, b)| a != b);
        assert!(a == b, "{which}: {differ:?} of {} and {} bytes: {}", a.len(), b.len(), other.2);
    }
    assert_eq!(one.0, other.0, "{which}: exit codes");
}

/// What a tee's lines come to, counted by hand.
#[derive(Default)]
struct Count {
    requests: u64,
    answers: u64,
    notes: u64,
    errors: u64,
    /// Of requests of this direction.
    asked: Vec<Value>,
    /// Of answers in this direction.
    answered: Vec<Value>,
}

fn count(bytes: &[u8]) -> Count {
    let mut count = Count::default();
    for line in bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
        let message: Value = serde_json::from_slice(line).unwrap();
        match (message.get("method"), message.get("id")) {
            (Some(_), Some(id)) => {
                count.requests += 1;
                count.asked.push(id.clone());
            }
            (Some(_), None) => count.notes += 1,
            (None, id) => {
                count.answers += 1;
                count.answered.extend(id.cloned());
                let is_error = message.get("error").is_some() || message["result"]["isError"] == true;
                count.errors += u64::from(is_error);
            }
        }
    }
    count
}

fn missing(asked: &[Value], answered: &[Value]) -> u64 {
    asked.iter().filter(|id| !answered.contains(id)).count() as u64
}

/// The header says what the tee's lines say.
fn assert_counts(tape: &Tape, session: &Session) {
    let (up, down) = (count(&tape.bytes("in")), count(&tape.bytes("out")));
    let stats = &tape.header["stats"];
    let stderr_lines = tape.bytes("err").split(|b| *b == b'\n').filter(|l| !l.is_empty()).count() as u64;
    let is_stderr = |f: &&Value| f["kind"] == "stderr" && f["payload"] != "";
    assert_eq!(tape.frames.iter().filter(is_stderr).count() as u64, stderr_lines);
    assert_eq!(stats["requests"], up.requests + down.requests, "{stats}");
    assert_eq!(stats["responses"], up.answers + down.answers, "{stats}");
    assert_eq!(stats["notifications"], up.notes + down.notes, "{stats}");
    assert_eq!(stats["errors"], up.errors + down.errors, "{stats}");
    let unanswered = missing(&up.asked, &down.answered) + missing(&down.asked, &up.answered);
    assert_eq!((&stats["unanswered"], unanswered), (&session.unanswered.into(), session.unanswered));
    assert_eq!(stats["client_to_server"], up.requests + up.answers + up.notes, "{stats}");
    assert_eq!(tape.header["protocol"], session.protocol);
    assert_eq!((&tape.header["end_state"], &tape.header["kind"]), (&session.end.into(), &"mcp".into()));
    assert_eq!(tape.header["gaps"].as_array().unwrap().len(), 0);
}

/// Holds a session without the recorder twice, which shows what is the same each time, and then with it.
/// `None` when the software is not there.
fn holds(session: &Session) -> Option<()> {
    let software = Software::installed()?;
    let stage = Stage::new(&software, session.server);
    let bare = same_each_time(&stage.bare(session.client), session.has_times);
    let again = same_each_time(&stage.bare(session.client), session.has_times);
    assert_same(&bare, &again, "two sessions without the recorder");
    assert_eq!(bare.0, session.exit, "{bare:?}");
    let recorded: Did = stage.recorded(session.client, &["--name", "real"]).output().unwrap().into();
    assert_same(&bare, &same_each_time(&recorded, session.has_times), "with the recorder");

    let tape = stage.tape();
    let (outer, inner) = (stage.tee("outer"), stage.tee("inner"));
    for pipe in ["in", "out", "err"] {
        let seen = inner.bytes(pipe);
        assert!(seen == outer.bytes(pipe), "{pipe}: both sides of the recorder saw the same");
        let on_tape = tape.bytes(pipe);
        assert!(seen == on_tape, "{pipe}: {} bytes seen, {} on the tape", seen.len(), on_tape.len());
    }
    assert!(!tape.bytes("in").is_empty());
    assert_eq!(outer.said("end"), inner.said("end"), "the recorder ended as the server did");
    assert_counts(&tape, session);
    stage.world.run(["verify"]).exits(0);

    if session.answers {
        let replayed = stage.replayed(session.client, &tape.id);
        // What the server told people on its standard error is no answer.
        let plain = |did: &Did| (did.exit, did.out(), String::new());
        assert_same(&plain(&recorded), &plain(&replayed), "from the tape");
    }
    Some(())
}

#[test]
fn python_and_the_filesystem() {
    holds(&USUAL);
}

#[test]
fn python_and_git_without_initialize() {
    let client = Client::Python("git");
    holds(&Session { client, server: Server::Git, protocol: STATELESS, ..USUAL });
}

#[test]
fn python_and_a_database_that_says_much_on_stderr() {
    holds(&Session { client: Client::Python("sqlite"), server: Server::Sqlite, has_times: true, ..USUAL });
}

#[test]
fn python_and_a_server_that_dies_on_start() {
    let (client, server) = (Client::Python("sqlite"), Server::SqliteThatDies);
    holds(&Session {
        client,
        server,
        protocol: STATELESS,
        exit: 1,
        end: "child_exit",
        unanswered: 1,
        answers: false,
        ..USUAL
    });
}

#[test]
fn python_and_the_time_without_initialize() {
    let (client, server) = (Client::Python("clock"), Server::Time);
    holds(&Session { client, server, protocol: STATELESS, has_times: true, ..USUAL });
}

/// The server asks the client, tells of progress, and one call is cancelled and never answered. It does not end when its
/// input does: the client sends it a signal.
#[test]
fn typescript_and_everything() {
    let (client, server) = (Client::TypeScript("everything"), Server::Everything);
    holds(&Session { client, server, end: "signal", unanswered: 1, ..USUAL });
}

#[test]
fn the_inspector_and_everything() {
    let asked = &["--method", "tools/call", "--tool-name", "echo", "--tool-arg", "message=W-7781 released"];
    let (client, server) = (Client::Inspector(asked), Server::Everything);
    holds(&Session { client, server, end: "signal", unanswered: 1, ..USUAL });
}

#[test]
fn the_inspector_and_git_without_initialize() {
    let client = Client::Inspector(&["--protocol-era", "modern", "--method", "tools/list"]);
    holds(&Session { client, server: Server::Git, protocol: STATELESS, ..USUAL });
}

#[test]
fn the_inspector_and_a_tool_that_is_not_there() {
    let asked = &["--method", "tools/call", "--tool-name", "transfer_everything"];
    holds(&Session { client: Client::Inspector(asked), exit: 5, ..USUAL });
}

#[test]
fn times_go_and_nothing_else_does() {
    let text = "at 2026-11-29T09:10:05+09:00 [11/29/26 00:04:57] P-1001 16:30 1.5 x7 \u{2714} 2026-11-20 end";
    let left = "at 0000-00-00T00:00:00+00:00                     P-1001 16:30 1.5 x7 \u{2714} 0000-00-00 end";
    assert_eq!(without_times(text), left);
}
