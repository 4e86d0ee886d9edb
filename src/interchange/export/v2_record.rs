//! One frame as a record of a version 2.0 tape, if it can stand in one.
//!
//! Everything that the record says is read back as it was: the message byte for byte, and what an import kept in `extra`
//! where it came from. A frame for which that is not so stands in the file beside.

use std::io::Write as _;

use serde_json::value::RawValue;

use crate::codec::limits::{FRAME_ENVELOPE_BYTES_MAX, LINE_BYTES_MAX};
use crate::interchange::json::{string, truth, whole};
use crate::tape::{FLAGS, Frame, FrameKind, flags};
use crate::time::{ns_to_rfc3339, parse_rfc3339_ns};

/// Flags that a record carries; the others are told anew by who reads it.
const FLAGS_GIVEN: usize = 8;
/// Flags that stand in every record, set or not.
const FLAGS_ALWAYS: usize = 3;
/// Most fields without a place of their own that a reader of records takes.
const EXTRA_MAX: usize = 1_000;

/// What a record is made in.
#[derive(Debug, Clone, Copy)]
pub(super) struct RecordContext<'a> {
    /// Milliseconds since the start to be written, if any.
    pub ts: Option<u64>,
    /// Number to be written.
    pub seq: u64,
    /// The field of `extra` that it came from.
    pub seq_field: Option<usize>,
    /// Session, as JSON text.
    pub session: Option<&'a str>,
    /// The frame before goes on in this one.
    pub goes_on: bool,
}

/// The record of `frame` with its line feed in `line`, or `None` when it cannot stand in one. The message of it.
pub(super) fn record<'f>(frame: &'f Frame, context: RecordContext<'_>, line: &mut Vec<u8>) -> Option<&'f str> {
    line.clear();
    if frame.kind != FrameKind::Message || context.goes_on || frame.has(flags::CONTINUED) {
        return None;
    }
    let message = one_line_json(&frame.payload)?;
    let parts = Parts::of(frame, context)?;
    parts.write(frame, context, message, line);
    // One byte of it is the line feed.
    (line.len() <= LINE_BYTES_MAX && parts.envelope_fits(frame)).then_some(message)
}

/// JSON text that any reader gives back byte for byte out of a line: no white space around it, no line end within.
pub(super) fn one_line_json(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    if text.contains(['\n', '\r']) {
        return None;
    }
    let value: &RawValue = serde_json::from_str(text).ok()?;
    (value.get().len() == text.len()).then_some(text)
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The number that the source of the frame gave it, where it is another than that in the tape, and its place in `extra`.
pub(in crate::interchange) fn source_seq(frame: &Frame) -> Option<(usize, u64)> {
    let named = frame.extra.iter().enumerate().rev().filter(|(_, (name, _))| name == b"seq");
    named.filter_map(|(at, (_, json))| Some((at, whole(std::str::from_utf8(json).ok()?)?))).next()
}

/// A name and JSON text of `extra`.
type Field<'f> = (&'f str, &'f str);

/// The parts of a record beside its message, checked.
struct Parts<'f> {
    action: Option<&'f str>,
    transport: Option<&'f str>,
    correlation_id: Option<String>,
    /// The moment as the source wrote it, or as we do.
    timestamp: Option<String>,
    session: Option<&'f str>,
    /// Fields of the record, of its `env`, of its `flags`.
    fields: [Vec<Field<'f>>; 3],
}

impl<'f> Parts<'f> {
    fn of(frame: &'f Frame, context: RecordContext<'_>) -> Option<Self> {
        if frame.extra.len() > EXTRA_MAX {
            return None;
        }
        let mut parts = Self {
            action: one_json(&frame.action)?,
            transport: one_json(&frame.transport)?,
            correlation_id: match &frame.correlation_id {
                Some(id) => Some(quoted(std::str::from_utf8(id).ok()?)),
                None => None,
            },
            timestamp: frame.wall_ns.map(|ns| quoted(&ns_to_rfc3339(ns))),
            session: None,
            fields: Default::default(),
        };
        for (at, (name, json)) in frame.extra.iter().enumerate() {
            if context.seq_field == Some(at) {
                continue;
            }
            let (name, json) = (std::str::from_utf8(name).ok()?, one_line_json(json)?);
            parts.place(name, json, frame, context)?;
        }
        Some(parts)
    }

    /// Puts a field where it came from; `None` when it would be taken for something that the frame does not say.
    fn place(&mut self, name: &'f str, json: &'f str, frame: &Frame, context: RecordContext<'_>) -> Option<()> {
        let [record, env, flag_fields] = &mut self.fields;
        if let Some(name) = name.strip_prefix("env.") {
            match name {
                "timestamp" => match string(json).and_then(|t| parse_rfc3339_ns(&t)) {
                    // As it was written, which need not be how we write it.
                    Some(ns) if Some(ns) == frame.wall_ns => self.timestamp = Some(json.to_owned()),
                    Some(_) if frame.wall_ns.is_none() => return None,
                    _ => env.push((name, json)),
                },
                "session_id" if self.session.is_none() => self.session = Some(json),
                _ => env.push((name, json)),
            }
        } else if let Some(name) = name.strip_prefix("flags.") {
            let given = FLAGS.iter().take(FLAGS_GIVEN).position(|flag| *flag == name);
            if given.is_some_and(|bit| bit >= FLAGS_ALWAYS && !frame.has(1 << bit)) && truth(json) == Some(true) {
                return None;
            }
            flag_fields.push((name, json));
        } else {
            let would_be_taken = match name {
                "ts" => context.ts.is_none() && whole(json).is_some(),
                "action" => frame.action.is_none() && json != "null",
                "transport" => frame.transport.is_none() && json != "null",
                "correlation_id" => frame.correlation_id.is_none() && string(json).is_some(),
                _ => false,
            };
            if would_be_taken {
                return None;
            }
            record.push((name, json));
        }
        Some(())
    }

    /// Of members with one name the last counts, so what is known stands behind fields that bear its name.
    fn write(&self, frame: &Frame, context: RecordContext<'_>, message: &str, line: &mut Vec<u8>) {
        const OWN: [&str; 9] = ["type", "seq", "ts", "dir", "env", "action", "transport", "correlation_id", "flags"];
        const OWN_ENV: [&str; 4] = ["message", "direction", "timestamp", "session_id"];
        let [record, env, flag_fields] = &self.fields;
        let dir = quoted(frame.direction.word());
        let session = self.session.or(context.session);
        let mut o = Object::begin(line);
        o.fields(record, |name| OWN.contains(&name));
        o.member("type", "\"frame\"");
        o.member("seq", &context.seq.to_string());
        o.optional("ts", context.ts.map(|ts| ts.to_string()).as_deref());
        o.member("dir", &dir);
        o.object("env", |e| {
            e.fields(env, |name| OWN_ENV.contains(&name));
            e.member("message", message);
            e.member("direction", &dir);
            e.optional("timestamp", self.timestamp.as_deref());
            e.optional("session_id", session);
            e.fields(env, |name| !OWN_ENV.contains(&name));
        });
        o.optional("action", self.action);
        o.optional("transport", self.transport);
        o.optional("correlation_id", self.correlation_id.as_deref());
        o.object("flags", |f| {
            f.fields(flag_fields, |name| FLAGS.contains(&name));
            for (bit, name) in FLAGS.iter().enumerate().take(FLAGS_GIVEN) {
                let is_set = frame.has(1 << bit);
                if is_set || bit < FLAGS_ALWAYS {
                    f.member(name, if is_set { "true" } else { "false" });
                }
            }
            f.fields(flag_fields, |name| !FLAGS.contains(&name));
        });
        o.fields(record, |name| !OWN.contains(&name));
        o.end();
        line.push(b'\n');
    }

    /// Whoever reads the record keeps all but the message in an envelope, which has its own limit.
    fn envelope_fits(&self, frame: &Frame) -> bool {
        let texts = [&frame.action, &frame.transport, &frame.correlation_id];
        let fixed = texts.iter().filter_map(|t| t.as_ref()).map(Vec::len).fold(0, usize::saturating_add);
        let costs = frame.extra.iter().map(|(n, j)| n.len().saturating_add(j.len()).saturating_add(24));
        fixed.saturating_add(costs.fold(0, usize::saturating_add)) <= FRAME_ENVELOPE_BYTES_MAX.saturating_sub(4_096)
    }
}

/// Absent, or JSON text that can stand on a line; `None` for any other.
#[expect(clippy::option_option, reason = "absent and unfit are different answers")]
fn one_json(text: &Option<Vec<u8>>) -> Option<Option<&str>> {
    match text {
        None => Some(None),
        // Null is how a record says that there is none.
        Some(text) => one_line_json(text).filter(|t| *t != "null").map(Some),
    }
}

/// An object in the making. Names and values are JSON text already, names without their quotes; only those of
/// [`Object::fields`] are plain.
pub(super) struct Object<'l> {
    line: &'l mut Vec<u8>,
    is_first: bool,
}

impl<'l> Object<'l> {
    pub(super) fn begin(line: &'l mut Vec<u8>) -> Self {
        line.push(b'{');
        Self { line, is_first: true }
    }

    pub(super) fn member(&mut self, name: &str, json: &str) {
        if !std::mem::take(&mut self.is_first) {
            self.line.push(b',');
        }
        // A vector takes everything.
        let _infallible = write!(self.line, "\"{name}\":{json}");
    }

    pub(super) fn optional(&mut self, name: &str, json: Option<&str>) {
        if let Some(json) = json {
            self.member(name, json);
        }
    }

    pub(super) fn fields(&mut self, fields: &[Field<'_>], which: impl Fn(&str) -> bool) {
        for (name, json) in fields.iter().filter(|(name, _)| which(name)) {
            let quoted = quoted(name);
            let inner = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"')).unwrap_or_default();
            self.member(inner, json);
        }
    }

    pub(super) fn object(&mut self, name: &str, members: impl FnOnce(&mut Object<'_>)) {
        self.member(name, "");
        let mut inner = Object::begin(self.line);
        members(&mut inner);
        inner.end();
    }

    pub(super) fn end(self) {
        self.line.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_stand_on_a_line() {
        for fit in ["{}", "null", "[1,\t2]", "\"\u{2028}\"", "{\"a\":1,\"a\":2}", "1e999", "\"\\ud800\""] {
            assert_eq!(one_line_json(fit.as_bytes()), Some(fit));
        }
        for unfit in [
            &b""[..],
            b" {}",
            b"{} ",
            b"{\n}",
            b"{\r}",
            b"{",
            b"hello",
            b"\"\xff\"",
            b"\xef\xbb\xbf{}",
            b"\"\0\"",
            b"{}{}",
        ] {
            assert_eq!(one_line_json(unfit), None, "{unfit:?}");
        }
    }
}
