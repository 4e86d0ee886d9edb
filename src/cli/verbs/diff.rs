//! `diff`: two tapes, field by field and frame by frame.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::cli::args::Diff;
use crate::cli::lockstep::{Step, lockstep};
use crate::cli::out::Out;
use crate::cli::session::Session;
use crate::cli::terminal::cut;
use crate::cli::{frames, json as js, words};
use crate::codec::escape::{visible, visible_short};
use crate::error::{Code, Error, Result};
use crate::interchange::{FrameShape, HeaderShape};
use crate::ledger::TapeReader;
use crate::tape::{Frame, Header};

/// Columns of a line where nothing says how many there are.
const COLUMNS: usize = 240;
/// Bytes of a payload that are shown, and how many of them stand before the first that differs.
const SHOWN_BYTES: usize = 400;
const SHOWN_BEFORE_BYTES: usize = 20;
/// Columns of a value of a field.
const VALUE_COLUMNS: usize = 60;
/// Fields of the header that say when and where it was imported, and by what: no part of the content.
const NOT_CONTENT: [&str; 3] = ["provenance.imported_ms", "provenance.host", "recorder"];

pub(in crate::cli) fn diff(s: &mut Session<'_>, args: &Diff) -> Result<u8> {
    s.reading(async |ledger, s| {
        let a = ledger.open_tape(&s.parts.who, &args.a, None).await?;
        let b = ledger.open_tape(&s.parts.who, &args.b, None).await?;
        if !s.out.json {
            about(s.out, "a", &a);
            about(s.out, "b", &b);
        }
        let mut found = Found { header: header(s.out, a.header(), b.header())?, ..Found::default() };
        lockstep(&a, &b, &mut |step| {
            if s.out.is_stopped() {
                return Err(Error::new(Code::Io, "the output was closed"));
            }
            found.step(s.out, &step);
            Ok(())
        })?;
        found.tell(s.out, &a, &b);
        let entries = (a.grant_index(), b.grant_index());
        s.out.say(&format!("These reads were recorded as entries #{} and #{}.", entries.0, entries.1));
        b.finish().await?;
        Ok((u8::from(!found.is_same()), Some(a)))
    })
}

fn about(out: &mut Out, which: &str, tape: &TapeReader) {
    let name = words::name(tape.header().labels.name.as_deref());
    out.prose_beneath(
        &format!("{which}  {}  {name}, {}", tape.tape().to_text(), words::count(tape.frames_total(), "frame")),
        3,
    );
}

/// What was found so far.
#[derive(Default)]
struct Found {
    header: Vec<String>,
    same: u64,
    different: u64,
    only_a: u64,
    only_b: u64,
    first: Option<u64>,
}

impl Found {
    fn is_same(&self) -> bool {
        self.header.is_empty() && self.first.is_none()
    }

    fn step(&mut self, out: &mut Out, step: &Step) {
        let (count, seq) = match step {
            Step::Both(both) if both.0 == both.1 => {
                self.same = self.same.saturating_add(1);
                return;
            }
            Step::Both(both) => {
                let (a, b) = &**both;
                frame(out, a, b);
                (&mut self.different, a.seq)
            }
            Step::OnlyA(frame) => {
                only(out, "a", frame);
                (&mut self.only_a, frame.seq)
            }
            Step::OnlyB(frame) => {
                only(out, "b", frame);
                (&mut self.only_b, frame.seq)
            }
        };
        *count = count.saturating_add(1);
        self.first.get_or_insert(seq);
    }

    fn tell(&self, out: &mut Out, a: &TapeReader, b: &TapeReader) {
        if out.json {
            let tape = |t: &TapeReader| json!({ "tape": t.tape().to_text(), "frames": t.frames_total(), "entry": t.grant_index(), "bytes_given": t.bytes_given() });
            out.document(json!({
                "type": "diff", "same": self.is_same(), "a": tape(a), "b": tape(b), "header_fields": self.header,
                "frames_same": self.same, "frames_different": self.different, "frames_only_a": self.only_a,
                "frames_only_b": self.only_b, "first_difference": self.first,
            }));
            return;
        }
        if self.is_same() {
            out.prose(&format!("The same: the header and {}.", words::count(self.same, "frame")));
            return;
        }
        let header = words::count(self.header.len() as u64, "field");
        let mut parts = vec![format!(
            "{header} of the header; {} the same, {} different",
            words::count(self.same, "frame"),
            self.different
        )];
        for (count, which) in [(self.only_a, "a"), (self.only_b, "b")] {
            if count > 0 {
                parts.push(format!("{count} in {which} alone"));
            }
        }
        let first = self.first.map_or_else(String::new, |seq| format!("; the first is #{seq}"));
        out.prose(&format!("Different: {}{first}.", parts.join(", ")));
    }
}

/// Tells which fields of the headers differ; their names.
fn header(out: &mut Out, a: &Header, b: &Header) -> Result<Vec<String>> {
    let (a, b) = (fields(a)?, fields(b)?);
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let mut differ = Vec::new();
    for name in names.into_iter().filter(|n| !NOT_CONTENT.contains(&n.as_str()) && a.get(*n) != b.get(*n)) {
        let (a, b) = (a.get(name), b.get(name));
        if out.json {
            out.document(json!({ "type": "difference", "part": "header", "field": name, "a": a, "b": b }));
        } else {
            line(out, &format!("header  {name}  {} -> {}", shown(a), shown(b)));
        }
        differ.push(name.clone());
    }
    Ok(differ)
}

/// The fields of a header, those of its parts one by one.
fn fields(header: &Header) -> Result<Map<String, Value>> {
    let mut out = Map::new();
    for (name, value) in object(serde_json::to_value(HeaderShape::of(header)))? {
        match value {
            Value::Object(parts) if name != "recorder" => {
                out.extend(parts.into_iter().map(|(part, value)| (format!("{name}.{part}"), value)));
            }
            value => _ = out.insert(name, value),
        }
    }
    Ok(out)
}

fn object(made: serde_json::Result<Value>) -> Result<Map<String, Value>> {
    match made {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(Error::new(Code::Internal, "what a tape says of itself has no names")),
    }
}

/// A frame that is another in each tape. The payload is shown around its first difference, never whole.
fn frame(out: &mut Out, a: &Frame, b: &Frame) {
    let at = a.payload.iter().zip(&b.payload).take_while(|(a, b)| a == b).count();
    let at = (a.payload != b.payload).then_some(at);
    let differ = differing(a, b);
    if out.json {
        let payload = |f: &Frame| at.map(|at| json!({ "bytes": f.payload.len(), "shown": around(&f.payload, at) }));
        let of_a: Map<String, Value> = differ.iter().map(|(name, (a, _))| (name.clone(), a.clone())).collect();
        let of_b: Map<String, Value> = differ.iter().map(|(name, (_, b))| (name.clone(), b.clone())).collect();
        out.document(json!({
            "type": "difference", "part": "frame", "seq": a.seq,
            "payload_differs_at": at, "a": of_a, "b": of_b, "a_payload": payload(a), "b_payload": payload(b),
        }));
        return;
    }
    let mut parts: Vec<String> = at.map(|at| format!("payload differs from byte {at} on")).into_iter().collect();
    parts.extend(differ.iter().map(|(name, (a, b))| format!("{name} {} -> {}", shown(Some(a)), shown(Some(b)))));
    line(out, &format!("#{}  {}", a.seq, parts.join(", ")));
    if let Some(at) = at {
        line(out, &format!("  a {}", around(&a.payload, at)));
        line(out, &format!("  b {}", around(&b.payload, at)));
    }
}

/// Fields beside the payload whose values differ.
fn differing(a: &Frame, b: &Frame) -> Vec<(String, (Value, Value))> {
    // Payloads of megabytes are compared as they are, and left out of what is made into values.
    let without = |f: &Frame| {
        let bare = Frame { payload: Vec::new(), ..f.clone() };
        object(serde_json::to_value(FrameShape::of(&bare))).unwrap_or_default()
    };
    let (a, b) = (without(a), without(b));
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let value = |of: &Map<String, Value>, name: &str| of.get(name).cloned().unwrap_or_default();
    let values = names.into_iter().map(|name| (name.clone(), (value(&a, name), value(&b, name))));
    values.filter(|(_, (a, b))| a != b).collect()
}

fn only(out: &mut Out, which: &str, frame: &Frame) {
    if out.json {
        let shown = around(&frame.payload, 0);
        out.document(json!({
            "type": "difference", "part": "frame", "seq": frame.seq, "only_in": which,
            "payload": { "bytes": frame.payload.len(), "shown": shown },
        }));
    } else {
        line(out, &format!("in {which} alone: {}", frames::line(frame, false)));
    }
}

/// Bytes of a payload around one of them, escaped.
fn around(payload: &[u8], at: usize) -> String {
    let from = at.saturating_sub(SHOWN_BEFORE_BYTES).min(payload.len());
    let to = from.saturating_add(SHOWN_BYTES).min(payload.len());
    let (before, after) = (if from > 0 { "…" } else { "" }, if to < payload.len() { "…" } else { "" });
    format!("{before}{}{after}", visible(payload.get(from..to).unwrap_or_default()))
}

fn shown(value: Option<&Value>) -> String {
    value.filter(|v| !v.is_null()).map_or_else(|| "-".into(), |v| visible_short(js::line(v).as_bytes(), VALUE_COLUMNS))
}

fn line(out: &mut Out, text: &str) {
    let columns = out.look.columns.unwrap_or(COLUMNS);
    out.line(&cut(text, columns));
}
