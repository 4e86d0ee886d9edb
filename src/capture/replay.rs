//! A recorded server that answers again: each request gets what it got when the tape was made.

use std::time::Duration;

use serde_json::Value;

use crate::error::{Code, Error, Result};
use crate::interchange::{RpcClass, rpc_messages, with_other_id};
use crate::tape::{Direction, EndState, Frame, FrameKind};

/// Longest tape that is held in memory for this, in bytes of payload.
const PAYLOAD_BYTES_MAX: u64 = 256 << 20;
/// Longest wait between two messages of one exchange.
const WAIT_MAX: Duration = Duration::from_millis(100);
/// Methods whose parameters are the client's own: the answer does not depend on them.
const BY_METHOD: [&str; 3] = ["initialize", "ping", "server/discover"];

/// The server's side of a tape.
///
/// A server that ended otherwise than in order, or with a question unanswered, ends again: once everything that it said is
/// said and the client asks for more ([`ReplayedAnswer::is_over`]). One that ended in order goes on answering.
#[derive(Debug, Default)]
pub struct Replay {
    exchanges: Vec<Exchange>,
    payload_bytes: u64,
    /// Messages so far.
    taken: u64,
    end: Option<EndState>,
    /// What it said after its last answer, when nobody waited for one.
    last_words: Vec<Said>,
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
    /// Which message asked, and which answered.
    asked_at: u64,
    answered_at: u64,
    /// The client said that it waits no longer.
    is_cancelled: bool,
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
    /// The message was a request that is not on the tape, or whose answer is not: the answer is an error.
    pub is_unknown: bool,
    /// With these messages the server has said everything, and it ended here when it was recorded.
    pub is_over: bool,
}

/// How long the tape's server would have gone on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// As long as anybody asks: it ended in order, or is not known to have ended.
    Goes,
    /// It ended by itself.
    Ended,
    /// The recording ended before it did.
    Unknown,
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
        self.taken = self.taken.saturating_add(1);
        match (frame.direction, message.class) {
            (Direction::ClientToServer, RpcClass::Request) => {
                let asked: Value = serde_json::from_str(text).unwrap_or_default();
                let (params, progress) = params_of(&asked);
                self.last_words.clear();
                self.exchanges.push(Exchange {
                    method: message.method.unwrap_or_default(),
                    params,
                    id: message.id.unwrap_or_default(),
                    progress,
                    before: Vec::new(),
                    answer: None,
                    times_used: 0,
                    asked_at: self.taken,
                    answered_at: 0,
                    is_cancelled: false,
                });
            }
            (Direction::ClientToServer, _) => self.cancelled(text),
            (Direction::ServerToClient, RpcClass::Response) => {
                let id = message.id.unwrap_or_default();
                let open = self.exchanges.iter_mut().find(|e| e.answer.is_none() && e.id == id);
                if let Some(exchange) = open {
                    (exchange.answer, exchange.answered_at) = (Some(said()), self.taken);
                }
            }
            (Direction::ServerToClient, _) => {
                // What the server says by itself is said again on the way to the answer that was open then.
                match self.exchanges.iter_mut().rev().find(|e| e.answer.is_none() && !e.is_cancelled) {
                    Some(exchange) => exchange.before.push(said()),
                    None => self.last_words.push(said()),
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes in how the session ended, behind its last frame. Without it the server goes on for as long as anybody asks.
    pub fn ended(&mut self, end: &EndState) {
        self.end = Some(end.clone());
    }

    /// A note of the client that it waits no longer for an answer.
    fn cancelled(&mut self, text: &str) {
        let Ok(note) = serde_json::from_str::<Value>(text) else { return };
        if note.get("method").and_then(Value::as_str) != Some("notifications/cancelled") {
            return;
        }
        let Some(id) = note.pointer("/params/requestId").map(Value::to_string) else { return };
        let open = self.exchanges.iter_mut().filter(|e| e.answer.is_none() && e.id == id);
        open.for_each(|exchange| exchange.is_cancelled = true);
    }

    fn life(&self) -> Life {
        let is_open = |e: &Exchange| e.answer.is_none() && !e.is_cancelled;
        match &self.end {
            Some(EndState::Clean) if !self.exchanges.iter().any(is_open) => Life::Goes,
            Some(EndState::Clean | EndState::ChildExit(_) | EndState::Signal(_) | EndState::Crashed(_)) => Life::Ended,
            Some(EndState::Truncated | EndState::Continued | EndState::Error(_)) => Life::Unknown,
            Some(EndState::Imported) | None => Life::Goes,
        }
    }

    /// Was everything said that the server said after this message?
    fn is_said_from(&self, at: u64) -> bool {
        self.exchanges.iter().all(|e| e.answer.is_none() || e.answered_at < at || e.times_used > 0)
    }

    /// Did the client ask something that the server ended over, and is all said that it still said by then?
    fn is_at_its_end(&self) -> bool {
        let is_last = |e: &&Exchange| e.answer.is_none() && !e.is_cancelled && e.times_used > 0;
        self.exchanges.iter().filter(is_last).any(|e| self.is_said_from(e.asked_at))
    }

    /// Has the server said everything that it ever said?
    #[must_use]
    pub fn is_all_said(&self) -> bool {
        self.is_said_from(0)
    }

    /// Requests on the tape.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.exchanges.len() as u64
    }

    /// What the server says to a message of a client. The same request, apart from its id, gets the same answer; asked more
    /// often than it was, the last one again, unless the server had ended by then. What is not on the tape gets an error.
    pub fn answer(&mut self, line: &[u8]) -> ReplayedAnswer {
        let mut nothing = ReplayedAnswer { messages: Vec::new(), waits: Vec::new(), is_unknown: false, is_over: false };
        let Ok(text) = std::str::from_utf8(line) else { return nothing };
        let Ok(asked) = serde_json::from_str::<Value>(text) else { return nothing };
        let (Some(method), Some(id)) = (asked.get("method").and_then(Value::as_str), asked.get("id")) else {
            return nothing;
        };
        let (params, progress) = params_of(&asked);
        let life = self.life();
        let had_ended = life == Life::Ended && self.is_all_said();
        let Some(exchange) = self.find(method, &params) else {
            let mut message = format!("{method} with these parameters is not on the tape");
            if had_ended {
                message.push_str(", and the recorded server had ended by then");
            }
            return self.closing(refusal(id, &message), had_ended);
        };
        if had_ended && exchange.times_used > 0 {
            return self.closing(nothing, true);
        }
        exchange.times_used = exchange.times_used.saturating_add(1);
        if life == Life::Unknown && exchange.answer.is_none() && !exchange.is_cancelled {
            let message = format!("the tape ends before the answer to this {method}");
            let mut answer = refusal(id, &message);
            let before = exchange.before.iter().map(|note| note.payload.clone());
            answer.messages.splice(0..0, before);
            answer.waits.resize(answer.messages.len(), Duration::ZERO);
            return answer;
        }
        let with_progress = |note: &Said| match (&progress, &exchange.progress) {
            (Some(new), Some(old)) => retoken(&note.payload, old, new),
            _ => note.payload.clone(),
        };
        let mut messages: Vec<Vec<u8>> = exchange.before.iter().map(with_progress).collect();
        if let Some(answer) = &exchange.answer {
            let answer = std::str::from_utf8(&answer.payload).unwrap_or_default();
            messages.push(with_other_id(answer, &id.to_string()).into_bytes());
        }
        (nothing.messages, nothing.waits) = (messages, exchange.waits());
        let is_over = life == Life::Ended && self.is_at_its_end();
        self.closing(nothing, is_over)
    }

    /// With the server's last words where it ends.
    fn closing(&self, mut answer: ReplayedAnswer, is_over: bool) -> ReplayedAnswer {
        answer.is_over = is_over;
        if is_over {
            answer.messages.extend(self.last_words.iter().map(|said| said.payload.clone()));
            answer.waits.resize(answer.messages.len(), Duration::ZERO);
        }
        answer
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

/// The answer to what the tape has no answer to.
fn refusal(id: &Value, message: &str) -> ReplayedAnswer {
    let error = serde_json::json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32000, "message": message } });
    let messages = vec![error.to_string().into_bytes()];
    ReplayedAnswer { messages, waits: vec![Duration::ZERO], is_unknown: true, is_over: false }
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
    fn a_server_that_died_dies_again_where_it_did_and_not_before() {
        use Direction::{ClientToServer as Up, ServerToClient as Down};
        let lines = [
            (Up, r#"{"id":1,"method":"a"}"#),
            (Down, r#"{"id":1,"result":1}"#),
            (Up, r#"{"id":2,"method":"long"}"#),
            (Up, r#"{"id":3,"method":"left"}"#),
            (Up, r#"{"method":"notifications/cancelled","params":{"requestId":3}}"#),
            (Up, r#"{"id":4,"method":"b"}"#),
            (Down, r#"{"id":4,"result":4}"#),
            (Down, r#"{"method":"last words"}"#),
        ];
        let ended = |end: Option<EndState>| {
            let mut replay = tape(&lines);
            end.iter().for_each(|end| replay.ended(end));
            replay
        };
        let ask =
            |replay: &mut Replay, method: &str| replay.answer(format!(r#"{{"id":9,"method":"{method}"}}"#).as_bytes());
        for end in [EndState::ChildExit(7), EndState::Signal(11), EndState::Clean] {
            let mut replay = ended(Some(end));
            // What was cancelled stays silent; what it died over is silent until the rest is said.
            for (method, count, is_over) in [("left", 0, false), ("a", 1, false), ("a", 1, false), ("nope", 1, false)] {
                let answer = ask(&mut replay, method);
                assert_eq!((answer.messages.len(), answer.is_over), (count, is_over), "{method}");
            }
            let silent = ask(&mut replay, "long");
            // The last words were said while this request was open.
            assert_eq!((silent.messages.len(), silent.is_over), (1, false));
            let last = ask(&mut replay, "b");
            assert_eq!((said(&last), last.is_over), (vec![r#"{"id":9,"result":4}"#], true));
            assert!(replay.is_all_said());
        }
        // A recording that was cut off says nothing of the server's end: who asks is told, and it goes on.
        let mut replay = ended(Some(EndState::Truncated));
        let told = ask(&mut replay, "long");
        assert!(told.is_unknown && said(&told)[1].contains("the tape ends before the answer"), "{told:?}");
        assert!(!ask(&mut replay, "b").is_over && !ask(&mut replay, "b").is_over);
        // Without a word about its end it goes on, as it does after an end in order.
        let mut replay = ended(None);
        assert!(["a", "b", "long", "b", "a"].iter().all(|method| !ask(&mut replay, method).is_over));
    }

    #[test]
    fn a_server_that_ended_between_two_requests_is_gone_for_the_next() {
        use Direction::{ClientToServer as Up, ServerToClient as Down};
        let lines = [(Up, r#"{"id":1,"method":"a"}"#), (Down, r#"{"id":1,"result":1}"#), (Down, r#"{"method":"bye"}"#)];
        for (method, count) in [("a", 1), ("b", 2)] {
            let mut replay = tape(&lines);
            replay.ended(&EndState::ChildExit(7));
            let unknown = replay.answer(br#"{"id":5,"method":"b"}"#);
            assert!(unknown.is_unknown && !unknown.is_over, "it still lived");
            assert!(!replay.answer(br#"{"id":5,"method":"a"}"#).is_over);
            let over = replay.answer(format!(r#"{{"id":6,"method":"{method}"}}"#).as_bytes());
            assert_eq!((over.messages.len(), over.is_over), (count, true), "{over:?}");
            assert!(said(&over).last().unwrap().contains("bye"));
        }
        // One that ended in order goes on.
        let mut replay = tape(&lines);
        replay.ended(&EndState::Clean);
        assert!((0..3).all(|_| !replay.answer(br#"{"id":5,"method":"a"}"#).is_over));
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
