//! A recorded server that answers again: each request gets what it got when the tape was made.

use std::time::Duration;

use serde_json::Value;

use crate::error::{Code, Error, Result};
use crate::interchange::{RpcClass, rpc_messages, with_other_id};
use crate::tape::{Direction, Frame, FrameKind};

/// Longest tape that is held in memory for this, in bytes of payload.
const PAYLOAD_BYTES_MAX: u64 = 256 << 20;
/// Longest wait between two messages of one exchange.
const WAIT_MAX: Duration = Duration::from_millis(100);
/// Methods whose parameters are the client's own: the answer does not depend on them.
const BY_METHOD: [&str; 3] = ["initialize", "ping", "server/discover"];

/// The server's side of a tape.
#[derive(Debug, Default)]
pub struct Replay {
    exchanges: Vec<Exchange>,
    payload_bytes: u64,
}

/// A request of the client and all that the server said until its answer.
#[derive(Debug)]
struct Exchange {
    method: String,
    params: Value,
    id: String,
    progress: Option<Value>,
    /// Messages of the server before the answer, in order.
    before: Vec<Said>,
    answer: Option<Said>,
    times_used: u64,
}

/// A message of the server, and when it said it.
#[derive(Debug)]
struct Said {
    payload: Vec<u8>,
    t_ns: Option<u64>,
}

/// What the server says to one message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplayedAnswer {
    /// Its messages in order, without line ends.
    pub messages: Vec<Vec<u8>>,
    /// For each of them, how long the server took after the one before, 100 ms at most. Clients drop notes of progress that
    /// come in one piece with the answer: who waits so long is heard as the server was.
    pub waits: Vec<Duration>,
    /// The message was a request that is not on the tape: the answer is an error.
    pub is_unknown: bool,
}

impl Replay {
    /// Takes the next frame of a tape in.
    ///
    /// # Errors
    /// `E_LIMIT` for a tape of more than 256 MiB.
    pub fn take(&mut self, frame: &Frame) -> Result<()> {
        if frame.kind != FrameKind::Message {
            return Ok(());
        }
        self.payload_bytes = self.payload_bytes.saturating_add(frame.payload.len() as u64);
        if self.payload_bytes > PAYLOAD_BYTES_MAX {
            return Err(Error::new(Code::Limit, "this tape is too long to answer from: 256 MiB is the most"));
        }
        let Ok(text) = std::str::from_utf8(&frame.payload) else { return Ok(()) };
        let Some([message]) = rpc_messages(text).and_then(|all| <[_; 1]>::try_from(all).ok()) else { return Ok(()) };
        let said = || Said { payload: frame.payload.clone(), t_ns: frame.t_ns };
        match (frame.direction, message.class) {
            (Direction::ClientToServer, RpcClass::Request) => {
                let asked: Value = serde_json::from_str(text).unwrap_or_default();
                let (params, progress) = params_of(&asked);
                self.exchanges.push(Exchange {
                    method: message.method.unwrap_or_default(),
                    params,
                    id: message.id.unwrap_or_default(),
                    progress,
                    before: Vec::new(),
                    answer: None,
                    times_used: 0,
                });
            }
            (Direction::ServerToClient, RpcClass::Response) => {
                let id = message.id.unwrap_or_default();
                let open = self.exchanges.iter_mut().find(|e| e.answer.is_none() && e.id == id);
                if let Some(exchange) = open {
                    exchange.answer = Some(said());
                }
            }
            (Direction::ServerToClient, _) => {
                // What the server says by itself is said again on the way to the answer that was open then.
                if let Some(exchange) = self.exchanges.iter_mut().rev().find(|e| e.answer.is_none()) {
                    exchange.before.push(said());
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Requests on the tape.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.exchanges.len() as u64
    }

    /// What the server says to a message of a client. The same request, apart from its id, gets the same answer; asked more
    /// often than it was, the last one again.
    pub fn answer(&mut self, line: &[u8]) -> ReplayedAnswer {
        let nothing = ReplayedAnswer { messages: Vec::new(), waits: Vec::new(), is_unknown: false };
        let Ok(text) = std::str::from_utf8(line) else { return nothing };
        let Ok(asked) = serde_json::from_str::<Value>(text) else { return nothing };
        let (Some(method), Some(id)) = (asked.get("method").and_then(Value::as_str), asked.get("id")) else {
            return nothing;
        };
        let (params, progress) = params_of(&asked);
        let Some(exchange) = self.find(method, &params) else {
            let message = format!("{method} with these parameters is not on the tape");
            let error =
                serde_json::json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32000, "message": message } });
            let messages = vec![error.to_string().into_bytes()];
            return ReplayedAnswer { messages, waits: vec![Duration::ZERO], is_unknown: true };
        };
        exchange.times_used = exchange.times_used.saturating_add(1);
        let with_progress = |note: &Said| match (&progress, &exchange.progress) {
            (Some(new), Some(old)) => retoken(&note.payload, old, new),
            _ => note.payload.clone(),
        };
        let mut messages: Vec<Vec<u8>> = exchange.before.iter().map(with_progress).collect();
        if let Some(answer) = &exchange.answer {
            let answer = std::str::from_utf8(&answer.payload).unwrap_or_default();
            messages.push(with_other_id(answer, &id.to_string()).into_bytes());
        }
        ReplayedAnswer { messages, waits: exchange.waits(), is_unknown: false }
    }

    fn find(&mut self, method: &str, params: &Value) -> Option<&mut Exchange> {
        let fits = |e: &Exchange| e.method == method && (e.params == *params || BY_METHOD.contains(&method));
        let fitting = self.exchanges.iter().enumerate().filter(|(_, e)| fits(e));
        // The least used, and of those the first; one that got an answer before one that never did.
        let place = fitting.min_by_key(|(n, e)| (e.times_used, e.answer.is_none(), *n)).map(|(n, _)| n)?;
        // Asked more often than recorded: the last answer stands.
        let all_used = self.exchanges.iter().filter(|e| fits(e)).all(|e| e.times_used > 0);
        let last = self.exchanges.iter().rposition(fits);
        self.exchanges.get_mut(if all_used { last? } else { place })
    }
}

impl Exchange {
    /// How long the server took from each of its messages to the next.
    fn waits(&self) -> Vec<Duration> {
        let mut last_ns = None;
        let times = self.before.iter().chain(&self.answer).map(|said| said.t_ns);
        let wait = |t_ns: Option<u64>| {
            let since = t_ns.zip(last_ns).map_or(0, |(now, last): (u64, u64)| now.saturating_sub(last));
            last_ns = t_ns.or(last_ns);
            Duration::from_nanos(since).min(WAIT_MAX)
        };
        times.map(wait).collect()
    }
}

/// The parameters without what belongs to one client's asking, and the token of its progress.
fn params_of(message: &Value) -> (Value, Option<Value>) {
    let mut params = message.get("params").cloned().unwrap_or_default();
    let meta = params.as_object_mut().and_then(|params| params.remove("_meta"));
    let progress = meta.and_then(|meta| meta.get("progressToken").cloned());
    if params.as_object().is_some_and(serde_json::Map::is_empty) {
        params = Value::Null;
    }
    (params, progress)
}

/// A note about progress with the token of who asks now.
fn retoken(note: &[u8], old: &Value, new: &Value) -> Vec<u8> {
    let Ok(mut message) = serde_json::from_slice::<Value>(note) else { return note.to_vec() };
    match message.pointer_mut("/params/progressToken") {
        Some(token) if token == old => *token = new.clone(),
        _ => return note.to_vec(),
    }
    message.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tape(lines: &[(Direction, &str)]) -> Replay {
        let mut replay = Replay::default();
        for (direction, line) in lines {
            replay.take(&Frame::message(0, *direction, line.as_bytes().to_vec())).unwrap();
        }
        replay
    }

    fn said(answer: &ReplayedAnswer) -> Vec<&str> {
        answer.messages.iter().map(|m| std::str::from_utf8(m).unwrap()).collect()
    }

    #[test]
    fn notes_come_as_long_before_the_answer_as_they_did() {
        use Direction::{ClientToServer as Up, ServerToClient as Down};
        let mut replay = Replay::default();
        let lines = [
            (Up, r#"{"id":1,"method":"x"}"#, 1_000),
            (Down, r#"{"method":"a"}"#, 5_000),
            (Down, r#"{"method":"b"}"#, 7_000),
            (Down, r#"{"id":1,"result":{}}"#, 9_000_007_000),
        ];
        for (direction, line, t_ns) in lines {
            let frame = Frame::message(0, direction, line.as_bytes().to_vec());
            replay.take(&Frame { t_ns: Some(t_ns), ..frame }).unwrap();
        }
        let answer = replay.answer(br#"{"id":2,"method":"x"}"#);
        assert_eq!(answer.messages.len(), 3);
        assert_eq!(answer.waits, [Duration::ZERO, Duration::from_micros(2), WAIT_MAX]);
    }

    #[test]
    fn the_same_request_gets_the_same_answer_under_its_own_id() {
        use Direction::{ClientToServer as Up, ServerToClient as Down};
        let mut replay = tape(&[
            (Up, r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"clientInfo":{"name":"a"}}}"#),
            (Down, r#"{"result":{"protocolVersion":"2025-11-25"},"jsonrpc":"2.0","id":0}"#),
            (Up, r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#),
            (Up, r#"{"id":1,"method":"tools/call","params":{"name":"x","_meta":{"progressToken":1}}}"#),
            (Down, r#"{"method":"notifications/progress","params":{"progressToken":1,"progress":5}}"#),
            (Down, r#"{"id":1,"result":{"n":1}}"#),
            (Up, r#"{"id":2,"method":"tools/call","params":{"name":"x"}}"#),
            (Down, r#"{ "id" : 2, "result":{"n":2} }"#),
        ]);
        assert_eq!(replay.requests(), 3);
        let hello = replay.answer(br#"{"jsonrpc":"2.0","id":"a","method":"initialize","params":{"other":1}}"#);
        assert_eq!(said(&hello), [r#"{"result":{"protocolVersion":"2025-11-25"},"jsonrpc":"2.0","id":"a"}"#]);
        assert!(said(&replay.answer(br#"{"method":"notifications/initialized"}"#)).is_empty());
        let ask = br#"{"id":77,"method":"tools/call","params":{"name":"x","_meta":{"progressToken":"t"}}}"#;
        let first = replay.answer(ask);
        assert_eq!(first.messages.len(), 2);
        assert!(said(&first)[0].contains(r#""progressToken":"t""#), "{first:?}");
        assert_eq!(said(&first)[1], r#"{"id":77,"result":{"n":1}}"#);
        assert_eq!(said(&replay.answer(ask)), [r#"{ "id" : 77, "result":{"n":2} }"#]);
        assert_eq!(said(&replay.answer(ask)), [r#"{ "id" : 77, "result":{"n":2} }"#], "the last one again");
        let other = replay.answer(br#"{"id":5,"method":"tools/call","params":{"name":"y"}}"#);
        assert!(other.is_unknown && said(&other)[0].contains("-32000"));
        for odd in [&b"[]"[..], b"not json", b"\xff", b"{}"] {
            assert!(replay.answer(odd).messages.is_empty());
        }
    }
}
