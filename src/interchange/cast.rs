//! Terminal recordings: asciicast of version 2 and 3, a header and then an event a line.
//!
//! What was shown, typed, marked and resized becomes a frame each, its payload the bytes that the event's text stands for. The
//! lines themselves are kept as the source.

use std::borrow::Cow;

use super::decimal::scaled;
use super::detect::{BYTE_ORDER_MARK, truncated};
use super::draft::Draft;
use super::json::{Members, NotRead, elements, is_blank, string, whole};
use super::lines::Line;
use super::losses::{amount, quoted};
use crate::codec::limits::LABEL_BYTES_MAX;
use crate::error::{Code, Error, Result};
use crate::tape::{Delimiter, Direction, EndState, Frame, FrameKind, Header, TapeKind, flags};

/// Longest header: what it holds goes into the tape's.
const HEADER_LINE_BYTES_MAX: usize = 256 << 10;
/// Seconds become nanoseconds.
const NANOS: i32 = 9;

/// The import of one recording.
pub(super) struct Cast {
    draft: Draft,
    /// 2 or 3, once the header was read.
    version: Option<u64>,
    header: Header,
    last_t_ns: u64,
    /// An interval could not be read, so all later times lack it.
    uncertain: bool,
    backwards: Told,
    untimed: Told,
    comments: Told,
    undecoded: Told,
}

/// Something that happens often and is told once.
#[derive(Default)]
struct Told {
    count: u64,
    first: u64,
}

impl Told {
    fn add(&mut self, line: u64) {
        self.first = if self.count == 0 { line } else { self.first };
        self.count = self.count.saturating_add(1);
    }

    fn tell(&self, (what, rest): ([&str; 2], &str), draft: &mut Draft) {
        if self.count > 0 {
            let what = amount(self.count, what);
            draft.losses.about_all(format!("{what}{rest} (first: line {})", self.first));
        }
    }
}

/// Does this look like the first line of a recording? Its version, when it does.
pub(super) fn version(line: &str) -> Option<u64> {
    let [version, width, term] = super::json::pick(line, ["version", "width", "term"]).ok()?;
    let version = whole(version?)?;
    (width.is_some() || term.is_some()).then_some(version)
}

impl Cast {
    /// Nothing is read yet.
    pub(super) fn new(draft: Draft) -> Self {
        Self {
            draft,
            version: None,
            header: Header::new(TapeKind::Terminal),
            last_t_ns: 0,
            uncertain: false,
            backwards: Told::default(),
            untimed: Told::default(),
            comments: Told::default(),
            undecoded: Told::default(),
        }
    }

    /// Takes the next line.
    ///
    /// # Errors
    /// `E_TRUNCATED_INPUT` for half a last line; `E_NOT_A_TAPE`, `E_NEWER_FORMAT`, `E_LIMIT`.
    pub(super) fn line(&mut self, line: Line<'_>) -> Result<Option<Frame>> {
        let bytes = line.bytes.strip_prefix(BYTE_ORDER_MARK).filter(|_| line.number == 1).unwrap_or(line.bytes);
        if is_blank(bytes) {
            self.draft.losses.blank(line.number);
            return self.keep(line);
        }
        if bytes.starts_with(b"#") {
            self.comments.add(line.number);
            return self.keep(line);
        }
        let Ok(text) = std::str::from_utf8(bytes) else { return self.unreadable(line, "is not UTF-8 text") };
        if self.version.is_none() {
            return self.start(line, text).map(|()| None);
        }
        match event(text) {
            Ok(Some(parts)) => self.event(line, &parts),
            Ok(None) => self.told(line, "is no event: three values in a list, the second a text"),
            Err(why @ (NotRead::CutOff | NotRead::NotJson)) => self.unreadable(line, why.words()),
            Err(_) => self.told(line, "is no event: it is not a list"),
        }
    }

    /// Half a last line would otherwise pass for damage: the rest of it may still be coming.
    fn unreadable(&mut self, line: Line<'_>, why: &str) -> Result<Option<Frame>> {
        if line.end == Delimiter::None {
            return Err(truncated(line.number, line.bytes.len()));
        }
        self.told(line, why)
    }

    fn told(&mut self, line: Line<'_>, why: &str) -> Result<Option<Frame>> {
        self.draft.losses.note(format!("line {} {why}; kept as an unsaved line", line.number));
        self.keep(line)
    }

    fn keep(&mut self, line: Line<'_>) -> Result<Option<Frame>> {
        self.draft.kept.keep(line.number, line.bytes).map(|()| None)
    }

    fn start(&mut self, line: Line<'_>, text: &str) -> Result<()> {
        if text.len() > HEADER_LINE_BYTES_MAX {
            return Err(Error::new(
                Code::Limit,
                format!(
                    "line {}, the header of the recording, has {} bytes; the limit is {HEADER_LINE_BYTES_MAX}",
                    line.number,
                    text.len()
                ),
            )
            .with_hint("nothing was imported; shorten the header in a copy"));
        }
        let mut m = match Members::parse(text) {
            Ok(m) => m,
            Err(NotRead::CutOff) if line.end == Delimiter::None => {
                return Err(truncated(line.number, line.bytes.len()));
            }
            Err(why) => return Err(no_header(line.number, why.words())),
        };
        let version = m.peek("version").and_then(whole);
        match version {
            Some(2 | 3) => self.version = version,
            Some(newer) if newer > 3 => {
                return Err(Error::new(
                    Code::NewerFormat,
                    format!(
                        "line {}: the recording is asciicast of version {newer}; this program reads 2 and 3",
                        line.number
                    ),
                )
                .with_hint("nothing was imported; convert it to version 3: asciinema convert"));
            }
            _ => return Err(no_header(line.number, "names no version 2 or 3")),
        }
        self.header.started_wall_ns = m.read("timestamp", |text| scaled(text, NANOS));
        self.header.environment = m.read("env", |text| Some(text.as_bytes().to_vec()));
        let title = m.peek("title").and_then(string).filter(|title| title.len() <= LABEL_BYTES_MAX);
        self.header.labels.name = title.map(|title| title.into_owned().into_bytes());
        self.header.extra = m.left().map(|(_, name, value)| (name.into(), value.into())).collect();
        Ok(())
    }

    fn event(&mut self, line: Line<'_>, [time, code, data]: &[&str; 3]) -> Result<Option<Frame>> {
        let Some(code) = string(code) else { return self.told(line, "is no event: its second value is no text") };
        let kind = match code.as_ref() {
            "o" | "i" => FrameKind::Message,
            "r" => FrameKind::Resize,
            "m" => FrameKind::Marker,
            "x" => FrameKind::Lifecycle,
            other => {
                let words = format!("is an event of the unknown kind {}", quoted(other.as_bytes()));
                return self.told(line, &words);
            }
        };
        let direction = match code.as_ref() {
            "o" => Direction::ServerToClient,
            "i" => Direction::ClientToServer,
            _ => Direction::Internal,
        };
        let payload = string(data).unwrap_or_else(|| {
            self.undecoded.add(line.number);
            Cow::Borrowed(data)
        });
        if kind == FrameKind::Lifecycle
            && let Ok(status) = payload.trim().parse()
        {
            self.header.end_state = EndState::ChildExit(status);
        }
        let mut frame = Frame::message(self.draft.tally.stats.frames, direction, payload.into_owned().into_bytes());
        frame.kind = kind;
        (frame.t_ns, frame.flags) = self.time(time, line.number);
        self.draft.tally.frame(&frame, None, frame.seq);
        Ok(Some(frame))
    }

    /// Version 2 counts from the start, version 3 from the event before.
    fn time(&mut self, text: &str, line: u64) -> (Option<u64>, u64) {
        let read = scaled(text, NANOS);
        let t_ns = if self.version == Some(3) { read.and_then(|ns| self.last_t_ns.checked_add(ns)) } else { read };
        let Some(t_ns) = t_ns else {
            self.untimed.add(line);
            self.uncertain |= self.version == Some(3);
            return (Some(self.last_t_ns), flags::TIME_INFERRED);
        };
        if t_ns < self.last_t_ns {
            self.backwards.add(line);
        }
        self.last_t_ns = t_ns;
        (Some(t_ns), if self.uncertain { flags::TIME_INFERRED } else { 0 })
    }

    /// The header's fields that this format knows of, and what did not fit.
    pub(super) fn finish(self) -> (Header, Draft) {
        let Self { mut draft, mut header, .. } = self;
        for (told, what) in [
            (
                self.backwards,
                (["event is", "events are"], " earlier than the one before; all stand in the order of the source"),
            ),
            (
                self.untimed,
                (
                    ["event has", "events have"],
                    " a time that cannot be read, and the time of the event before, marked as inferred",
                ),
            ),
            (self.comments, (["comment, kept as an unsaved line", "comments, kept as unsaved lines"], "")),
            (
                self.undecoded,
                (
                    ["event has", "events have"],
                    " a text that stands for no characters; the payload is the JSON text as written",
                ),
            ),
        ] {
            told.tell(what, &mut draft);
        }
        if self.uncertain {
            draft.losses.about_all("all times after an interval that cannot be read are marked as inferred".into());
        }
        header.span_ns = draft.tally.span_ns();
        header.ended_wall_ns =
            header.started_wall_ns.zip(header.span_ns).and_then(|(start, span)| start.checked_add(span));
        (header, draft)
    }
}

fn no_header(line: u64, why: &str) -> Error {
    Error::new(Code::NotATape, format!("this is no terminal recording: line {line} {why}"))
        .with_hint("the first line of an asciicast is an object with \"version\" 2 or 3; one of version 1 can be converted: asciinema convert")
}

/// The three values of an event; `None` when they are not three.
fn event(text: &str) -> Result<Option<[&str; 3]>, NotRead> {
    let (mut parts, mut met) = ([""; 3], 0usize);
    elements(text, |part| {
        if let Some(slot) = parts.get_mut(met) {
            *slot = part;
        }
        met = met.saturating_add(1);
    })?;
    Ok((met == parts.len()).then_some(parts))
}
