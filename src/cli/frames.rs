//! One line for a frame: what a person wants to know of a message before reading it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::words;
use crate::codec::escape::visible;
use crate::tape::{Direction, Frame, FrameKind, flags};

/// Longer payloads are not parsed for a summary.
const PARSED_BYTES_MAX: usize = 1 << 20;
/// Bytes of a payload that can reach the line at all.
const SHOWN_BYTES_MAX: usize = 2_000;

/// `#19 +504ms -> tools/call read_text_file {"path":"/etc/passwd"}`, escaped.
pub(super) fn line(frame: &Frame, raw: bool) -> String {
    let time = frame.t_ns.map_or_else(|| "-".into(), words::since_start);
    let arrow = arrow(frame.direction);
    let what = if raw { visible(&frame.payload) } else { summary(frame) };
    let marks = marks(frame);
    format!("#{} {time} {arrow} {what}{marks}", frame.seq)
}

/// The same without the arrow, for who stands in a lane of his own.
pub(super) fn unaimed(frame: &Frame) -> String {
    let time = frame.t_ns.map_or_else(|| "-".into(), words::since_start);
    format!("#{} {time} {}{}", frame.seq, summary(frame), marks(frame))
}

/// The messages of a batch, in a few words each, the first of them; `None` for what is no batch.
pub(super) fn elements(frame: &Frame, most: usize) -> Option<Vec<String>> {
    let payload = &frame.payload;
    if frame.kind != FrameKind::Message || payload.len() > PARSED_BYTES_MAX {
        return None;
    }
    let text = std::str::from_utf8(payload).ok().filter(|text| text.trim_start().starts_with('['))?;
    let batch: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    let words = |element: &&RawValue| message(element.get().as_bytes()).unwrap_or_else(|| shown(element.get()));
    Some(batch.iter().take(most).map(words).collect())
}

const fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::ClientToServer => "->",
        Direction::ServerToClient => "<-",
        Direction::Internal => "..",
        Direction::Unknown => "--",
    }
}

/// What is odd about the frame.
fn marks(frame: &Frame) -> String {
    const ODD: [(u64, &str); 7] = [
        (flags::WAS_PARTIAL, "partial"),
        (flags::NOT_UTF8, "not UTF-8"),
        (flags::DUPLICATE_ID, "id used before"),
        (flags::CONTINUED, "goes on in the next frame"),
        (flags::GAP_BEFORE, "frames missing before"),
        (flags::REPEATED_SEQ, "number repeated"),
        (flags::SEQ_BACKWARDS, "number goes back"),
    ];
    let odd: Vec<&str> = ODD.iter().filter(|(bit, _)| frame.has(*bit)).map(|(_, words)| *words).collect();
    if odd.is_empty() { String::new() } else { format!("  [{}]", odd.join(", ")) }
}

fn summary(frame: &Frame) -> String {
    let payload = &frame.payload;
    let plain = || visible(payload.get(..SHOWN_BYTES_MAX).unwrap_or(payload));
    let words = match frame.kind {
        FrameKind::Message if payload.len() <= PARSED_BYTES_MAX => message(payload).unwrap_or_else(plain),
        FrameKind::Message => plain(),
        kind => format!("{}  {}", kind.word(), plain()),
    };
    if payload.is_empty() { format!("{words}(empty)") } else { words }
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Fault<'a> {
    code: Option<i64>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
}

/// A JSON-RPC message in a few words; `None` for anything else.
fn message(payload: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(payload).ok()?;
    if text.trim_start().starts_with('[') {
        let batch: Vec<&RawValue> = serde_json::from_str(text).ok()?;
        let first = batch.first().and_then(|m| message(m.get().as_bytes())).unwrap_or_default();
        return Some(format!("batch of {}: {first}", batch.len()));
    }
    let message: Message<'_> = serde_json::from_str(text).ok()?;
    if let Some(method) = &message.method {
        return Some(call(method, message.params));
    }
    if let Some(error) = message.error {
        let fault: Fault<'_> = serde_json::from_str(error.get()).ok()?;
        let code = fault.code.map_or_else(String::new, |c| format!("{c} "));
        return Some(format!("error  {code}{}", visible(fault.message.unwrap_or_default().as_bytes())));
    }
    message.result.map(result)
}

fn call(method: &str, params: Option<&RawValue>) -> String {
    let method = visible(method.as_bytes());
    let fields = params.map(|p| Fields::of(p.get())).unwrap_or_default();
    if let (Some(name), arguments) = (fields.text("name"), fields.get("arguments")) {
        return format!("{method} {} {}", visible(name.as_bytes()), arguments.map_or_else(String::new, shown));
    }
    match params {
        Some(_) if fields.0.is_empty() => method,
        Some(_) => format!("{method} {}", fields.shown()),
        None => method,
    }
}

fn result(result: &RawValue) -> String {
    let fields = Fields::of(result.get());
    let word = if fields.get("isError") == Some("true") { "error " } else { "result" };
    let content: Option<Vec<&RawValue>> = fields.get("content").and_then(|c| serde_json::from_str(c).ok());
    let first = content.as_ref().and_then(|all| all.first()).map(|c| Fields::of(c.get()));
    if let Some(text) = first.as_ref().and_then(|c| c.text("text")) {
        return format!("{word} {}", visible(text.as_bytes()));
    }
    format!("{word} {}", fields.shown())
}

/// Members of an object in their own order, values as they were written.
#[derive(Default)]
struct Fields<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'a> Fields<'a> {
    /// Of anything that is no object: none.
    fn of(text: &'a str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| *value)
    }

    fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name).and_then(|v| serde_json::from_str(v).ok())
    }

    /// All but the envelope that every message of the newer protocols repeats.
    fn shown(&self) -> String {
        let members = self.0.iter().filter(|(name, _)| name != "_meta");
        let shown = members.map(|(name, value)| format!("\"{}\":{}", visible(name.as_bytes()), shown(value)));
        format!("{{{}}}", shown.collect::<Vec<_>>().join(","))
    }
}

/// JSON as it was written, escapes and all; only what would not be one line is escaped.
fn shown(json: &str) -> String {
    let cut = json.char_indices().nth(SHOWN_BYTES_MAX).map_or(json.len(), |(at, _)| at);
    visible(json.get(..cut).unwrap_or_default().as_bytes()).replace("\\\\", "\\")
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(name) = map.next_key::<Name<'de>>()? {
                    if fields.len() < 64 {
                        fields.push((name.0, map.next_value::<&'de RawValue>()?.get()));
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// A member's name, borrowed where it holds no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_as(payload: &str) -> String {
        let mut frame = Frame::message(19, Direction::ClientToServer, payload.as_bytes().to_vec());
        frame.t_ns = Some(504_000_000);
        line(&frame, false)
    }

    #[test]
    fn messages() {
        for (payload, words) in [
            (
                r#"{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"read_text_file","arguments":{"path":"/etc/passwd"}}}"#,
                r#"tools/call read_text_file {"path":"/etc/passwd"}"#,
            ),
            (
                r#"{"jsonrpc":"2.0","id":9,"error":{"code":-32601,"message":"Method not found"}}"#,
                "error  -32601 Method not found",
            ),
            (
                r#"{"result":{"content":[{"type":"text","text":"Access denied"}],"isError":true},"id":2}"#,
                "error  Access denied",
            ),
            (r#"{"result":{"tools":[1, 2],"_meta":{"x":1}},"id":2}"#, r#"result {"tools":[1, 2]}"#),
            (r#"{"method":"notifications/initialized"}"#, "notifications/initialized"),
            (r#"{"method":"ping","params":[1]}"#, "ping"),
            (r#"[{"method":"a"},{"method":"b"}]"#, "batch of 2: a"),
            ("{\"a\":\n1}", "{\"a\":\\n1}"),
            ("", "(empty)"),
            (r#"{"method":"a","params":{"t":"\n"}}"#, r#"a {"t":"\n"}"#),
        ] {
            assert_eq!(shown_as(payload), format!("#19 +504ms -> {words}"), "{payload}");
        }
    }

    #[test]
    fn hostile_messages_are_inert() {
        let hostile = "{\"method\":\"\u{202e}evil\\u001b[2J\",\"params\":{\"\u{9b}\":\"\\u001b]0;x\"}}";
        let shown = shown_as(hostile);
        assert!(!shown.chars().any(|c| c.is_control() || c == '\u{202e}'), "{shown}");
        let deep = format!("{{\"method\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(shown_as(&deep).len() < 10_000);
    }
}
