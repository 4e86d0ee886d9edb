//! The lines of a version 2 tape become frames, header fields, comparisons and kept lines.

use super::super::claims::Facts;
use super::super::companion::Companion;
use super::super::detect::{BYTE_ORDER_MARK, truncated};
use super::super::draft::Draft;
use super::super::index::DirectoryIndex;
use super::super::json::{Members, NotRead, is_blank, string};
use super::super::lines::{Line, Source};
use super::super::losses::quoted;
use super::beside::{Beside, BesideInput};
use super::derived::Derived;
use super::frames::{At, Frames};
use super::records::{Context, FrameRecord, RecordType, V2_NAMES, moment};
use crate::error::{Code, Error, Result};
use crate::tape::{Delimiter, EndState, Frame, Header, TapeKind};

/// Longest first record: what it holds goes into the header.
const INIT_BYTES_MAX: usize = 256 << 10;

/// The import of one version 2 tape.
#[derive(Default)]
pub(in super::super) struct V2Import {
    draft: Draft,
    init: Option<Init>,
    derived: Derived,
    /// Moments that the companion file names.
    moments: Vec<String>,
    frames: Frames,
    beside: Option<Beside>,
    is_begun: bool,
}

/// The first record.
#[derive(Default)]
struct Init {
    tape_id: Option<Vec<u8>>,
    session_id: Option<Vec<u8>>,
    protocol: Option<Vec<u8>>,
    extra: Vec<(Vec<u8>, Vec<u8>)>,
}

impl V2Import {
    /// An import whose losses begin with those of the companion.
    ///
    /// # Errors
    /// `E_NOT_A_TAPE`, `E_TRUNCATED_INPUT`, `E_LIMIT`, `E_IO` for the beginning of the file beside it.
    pub(in super::super) fn new(
        mut draft: Draft,
        companion: Option<&Companion>,
        beside: Option<BesideInput>,
    ) -> Result<Self> {
        let beside = beside.map(|input| Beside::open(input, &mut draft.kept)).transpose()?;
        let moments = companion.map(|c| c.moments.clone()).unwrap_or_default();
        Ok(Self { draft, moments, beside, ..Self::default() })
    }

    /// The frame that comes next, if it is in the file beside this one.
    ///
    /// # Errors
    /// As [`Self::line`].
    pub(in super::super) fn next_beside(&mut self) -> Result<Option<Frame>> {
        let Some(beside) = self.beside.as_mut().filter(|_| self.is_begun) else { return Ok(None) };
        let frame = beside.due(self.draft.tally.stats.frames, &mut self.draft.kept)?;
        Ok(frame.map(|frame| self.frames.beside(frame, &mut self.draft)))
    }

    /// The tape is at its end.
    ///
    /// # Errors
    /// `E_TRUNCATED_INPUT` or `E_NOT_A_TAPE` when it does not go with the file beside it.
    pub(in super::super) fn end(&self) -> Result<()> {
        self.beside.as_ref().map_or(Ok(()), |beside| beside.check_end(self.draft.tally.stats.frames))
    }

    /// Takes the next line.
    ///
    /// # Errors
    /// `E_TRUNCATED_INPUT` for half a last line; `E_NEWER_FORMAT`, `E_NOT_A_TAPE`, `E_LIMIT`.
    pub(in super::super) fn line(&mut self, line: Line<'_>) -> Result<Option<Frame>> {
        self.is_begun = true;
        if is_blank(line.bytes) {
            self.draft.losses.blank(line.number);
            return self.keep(line);
        }
        if line.end == Delimiter::CrLf {
            self.draft.losses.crlf(line.number);
        }
        let Ok(text) = std::str::from_utf8(self.without_mark(line)) else {
            return self.unreadable(line, "is not UTF-8 text");
        };
        let mut members = match Members::parse(text) {
            Ok(members) => members,
            Err(why @ (NotRead::NotAnObject | NotRead::TooMany)) => {
                self.note_missing_end(line);
                return self.told(line, format!("line {} {}; kept as an unsaved line", line.number, why.words()));
            }
            Err(why) => return self.unreadable(line, why.words()),
        };
        self.note_missing_end(line);
        match (RecordType::read(&mut members), &self.init) {
            (Some(RecordType::Init), None) => self.start(line, members).map(|()| None),
            (Some(RecordType::Init), Some(_)) => {
                self.told(line, format!("line {} begins another tape; kept as an unsaved line", line.number))
            }
            (Some(RecordType::Frame), _) => self.frame(line, members),
            (Some(RecordType::Correlation), _) => {
                let Draft { kept, losses, .. } = &mut self.draft;
                self.derived.correlation(line.number, line.bytes, &mut members, kept, losses);
                Ok(None)
            }
            (Some(RecordType::Checkpoint), _) => {
                self.checkpoint(line, members);
                Ok(None)
            }
            (None, _) => {
                let kind = members.peek("type").map_or_else(|| "none".to_owned(), |t| quoted(t.as_bytes()));
                self.told(
                    line,
                    format!("line {} is a record of unknown type ({kind}); kept as an unsaved line", line.number),
                )
            }
        }
    }

    fn without_mark<'a>(&mut self, line: Line<'a>) -> &'a [u8] {
        match line.bytes.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) if line.number == 1 => {
                self.draft.losses.about_all("the source begins with a byte order mark, which is not kept".into());
                rest
            }
            _ => line.bytes,
        }
    }

    fn note_missing_end(&mut self, line: Line<'_>) {
        if line.end == Delimiter::None {
            self.draft.losses.about_all(format!("line {}, the last, has no line end", line.number));
        }
    }

    /// Half a last line would otherwise pass for damage: the rest of it may still be coming.
    fn unreadable(&mut self, line: Line<'_>, why: &str) -> Result<Option<Frame>> {
        if line.end == Delimiter::None {
            return Err(truncated(line.number, line.bytes.len()));
        }
        self.told(line, format!("line {} {why}; kept as an unsaved line", line.number))
    }

    fn told(&mut self, line: Line<'_>, words: String) -> Result<Option<Frame>> {
        self.draft.losses.note(words);
        self.keep(line)
    }

    fn keep(&mut self, line: Line<'_>) -> Result<Option<Frame>> {
        self.draft.kept.keep(line.number, line.bytes).map(|()| None)
    }

    fn start(&mut self, line: Line<'_>, mut m: Members<'_>) -> Result<()> {
        if line.bytes.len() > INIT_BYTES_MAX {
            return Err(Error::new(
                Code::Limit,
                format!(
                    "line {}, the first record, has {} bytes; the limit is {INIT_BYTES_MAX}",
                    line.number,
                    line.bytes.len()
                ),
            )
            .with_hint(
                "nothing was imported; move what is not part of the format out of the first record, in a copy",
            ));
        }
        check_version(line.number, m.peek("version"))?;
        match m.peek("version") {
            None => self.draft.losses.about_all("the first record names no version; read as 2.0".into()),
            Some(v) => {
                m.read("version", |_| (v == "\"2.0\"").then_some(()));
            }
        }
        let bytes = |text: std::borrow::Cow<'_, str>| text.into_owned().into_bytes();
        let mut init = Init {
            tape_id: m.read_string("tape_id").map(bytes),
            session_id: m.read_string("session_id").map(bytes),
            protocol: m.read_string("protocol_version").map(bytes),
            extra: Vec::new(),
        };
        self.frames.started_wall_ns = m.peek("created_at").and_then(moment).map(|(ns, _)| ns);
        m.read("created_at", |text| moment(text).filter(|(_, again)| *again));
        init.extra = m.left().map(|(_, name, value)| (name.into(), value.into())).collect();
        self.init = Some(init);
        Ok(())
    }

    fn frame(&mut self, line: Line<'_>, members: Members<'_>) -> Result<Option<Frame>> {
        let session_id = self.init.as_ref().and_then(|i| i.session_id.as_deref());
        let position = self.draft.tally.stats.frames;
        let record = match FrameRecord::read(members, &V2_NAMES, Context { position, session_id }) {
            Ok(record) => record,
            Err(why) => {
                let words =
                    format!("the frame record of line {} {}; kept as an unsaved line", line.number, why.words());
                return self.told(line, words);
            }
        };
        if record.compressed {
            self.draft.losses.decompressed(line.number);
        }
        let at = At { unit: "line", number: line.number };
        let (frame, pairs) = self.frames.frame(record, Delimiter::Lf, at, &mut self.draft);
        let last_seq = self.frames.last_seq;
        let pairs = self.beside.as_mut().map_or(pairs, |beside| beside.own(&frame, last_seq));
        for pair in pairs {
            let Draft { kept, losses, .. } = &mut self.draft;
            self.derived.pair(pair, kept, losses);
        }
        Ok(Some(frame))
    }

    fn facts(&self) -> Facts {
        let facts = self
            .beside
            .as_ref()
            .map_or_else(|| Facts { last_seq: self.frames.last_seq, ..Facts::of(&self.draft.tally) }, Beside::facts);
        Facts { checkpoints: self.derived.checkpoints(), ..facts }
    }

    fn checkpoint(&mut self, line: Line<'_>, mut members: Members<'_>) {
        let mut facts = self.facts();
        facts.checkpoints = facts.checkpoints.saturating_add(1);
        let end = match line.end {
            Delimiter::CrLf => 2,
            Delimiter::Lf => 1,
            _ => 0,
        };
        facts.size_bytes =
            [line.offset_bytes, line.offset_bytes.saturating_add(line.bytes.len() as u64).saturating_add(end)];
        let Draft { kept, losses, .. } = &mut self.draft;
        self.derived.checkpoint(line.number, line.bytes, &mut members, &facts, &self.moments, kept, losses);
    }

    /// The header's fields that this format knows of, and what did not fit.
    ///
    /// `source` is the tape itself, whatever it was wrapped in.
    pub(in super::super) fn finish(
        self,
        companion: Option<&Companion>,
        index: Option<&DirectoryIndex>,
        source: &Source,
    ) -> (Header, Draft) {
        let mut facts = self.facts();
        facts.size_bytes = [source.bytes; 2];
        let Self { mut draft, init, derived, frames, beside, .. } = self;
        if init.is_none() {
            draft.losses.about_all("the source has no first record of type \"init\"; its beginning is missing".into());
        }
        let init = init.unwrap_or_default();
        let started_wall_ns = frames.started_wall_ns;
        let gaps = frames.finish(&mut draft);
        derived.finish(&mut draft.kept, &mut draft.losses);
        match (beside, companion) {
            (Some(beside), companion) => beside.finish(init.tape_id.as_deref(), companion, &mut draft),
            (None, Some(companion)) => companion.compare_beside(None, &mut draft.losses),
            (None, None) => {}
        }
        if let Some(companion) = companion {
            companion.compare(&facts, init.tape_id.as_deref(), &source.sha256, &mut draft.losses);
        }
        let mut header = Header::new(TapeKind::Mcp);
        let mut extra = init.extra;
        if let Some((index, id)) = index.zip(init.tape_id.as_deref()) {
            let end_state = companion.map_or(EndState::Imported, |c| c.end_state.clone());
            extra.extend(index.compare(id, &facts, &end_state, &mut draft.losses));
            header.labels.name = index.name(id);
        }
        header.protocol = init.protocol.or_else(|| draft.tally.protocol());
        header.span_ns = draft.tally.span_ns();
        let ended = started_wall_ns.zip(header.span_ns).and_then(|(start, span)| start.checked_add(span));
        header.ended_wall_ns = draft.tally.latest_wall_ns().or(ended);
        header.session_id = init.session_id;
        header.legacy_tape_id = init.tape_id;
        header.started_wall_ns = started_wall_ns;
        header.extra = extra;
        header.gaps = gaps;
        (header, draft)
    }
}

/// Minor versions add fields, which are kept; another major version may mean anything.
fn check_version(line: u64, version: Option<&str>) -> Result<()> {
    let Some(text) = version else { return Ok(()) };
    let plain = string(text).map_or_else(|| text.to_owned(), std::borrow::Cow::into_owned);
    let major = plain.split('.').next().and_then(|m| m.parse::<u64>().ok());
    let shown = quoted(plain.as_bytes());
    match major {
        Some(2) => Ok(()),
        Some(major) if major > 2 => Err(Error::new(
            Code::NewerFormat,
            format!("line {line}: the tape is of version {shown}; this program reads version 2"),
        )
        .with_hint(
            "nothing was imported; import it with a newer release of this program, or export it as version 2.0",
        )),
        _ => Err(Error::new(
            Code::NotATape,
            format!("line {line}: the tape names the version {shown}; a streaming tape is of version 2"),
        )
        .with_hint(
            "older tapes are single JSON documents, not records in lines; convert it with the program that wrote it",
        )),
    }
}
