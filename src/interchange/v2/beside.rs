//! The file beside a tape (`.extra.jsonl`), read in step with it: its frames take the places that their numbers name.
//!
//! Two files that do not go together are refused: with frames at the wrong places, both would be another session.

use std::io::BufRead;

use super::super::claims::Facts;
use super::super::companion::Companion;
use super::super::draft::Draft;
use super::super::export::{BesideRecord, Scope, named_tape, read_beside};
use super::super::lines::{LineReader, Source};
use super::super::losses::{KeptLines, amount, quoted};
use super::super::pairing::Pair;
use super::super::tally::Tally;
use crate::codec::limits::{FRAME_ENVELOPE_BYTES_MAX, FRAME_PAYLOAD_BYTES_MAX};
use crate::error::{Code, Error, Result};
use crate::tape::{Delimiter, Frame, FrameKind, flags};

/// Longest line: the longest payload and envelope in base64, and names.
const LINE_BYTES_MAX: usize = (FRAME_PAYLOAD_BYTES_MAX + 2 * FRAME_ENVELOPE_BYTES_MAX) / 3 * 4 + (64 << 10);

/// Where the bytes of such a file come from.
pub type BesideInput = Box<dyn BufRead + Send>;

/// The file, read up to the frame that comes next.
pub(super) struct Beside {
    lines: LineReader<BesideInput>,
    scope: Scope,
    next: Option<Frame>,
    last_number: Option<u64>,
    frames: u64,
    kept_lines: u64,
    pieces: u64,
    /// Counts over the frames of the tape's own file: all numbers in it, and in its metadata, are of those.
    own: Tally,
    own_last_seq: Option<u64>,
}

impl Beside {
    /// Reads up to the first frame.
    pub(super) fn open(input: BesideInput, kept: &mut KeptLines) -> Result<Self> {
        let mut lines = LineReader::with_lines_up_to(LINE_BYTES_MAX, input);
        let scope = match record(&mut lines)? {
            Some((_, BesideRecord::Head(scope))) => scope,
            Some((number, _)) => return Err(at(number, &not_a_head())),
            None => return Err(apart(Code::EmptyInput, "the file beside it (.extra.jsonl) is empty".into())),
        };
        let mut beside = Self {
            lines,
            scope,
            next: None,
            last_number: None,
            frames: 0,
            kept_lines: 0,
            pieces: 0,
            own: Tally::default(),
            own_last_seq: None,
        };
        beside.advance(kept)?;
        Ok(beside)
    }

    fn advance(&mut self, kept: &mut KeptLines) -> Result<()> {
        loop {
            let Some((number, record)) = record(&mut self.lines)? else { return Ok(()) };
            match record {
                BesideRecord::Line(source_line, bytes) => {
                    self.kept_lines = self.kept_lines.saturating_add(1);
                    kept.keep(source_line, &bytes)?;
                }
                BesideRecord::Frame(frame) => {
                    if frame.seq < self.scope.first || self.last_number.is_some_and(|last| frame.seq <= last) {
                        let words = format!("the number {} of its frame does not rise", frame.seq);
                        return Err(at(number, &Error::new(Code::NotATape, words)));
                    }
                    self.last_number = Some(frame.seq);
                    self.next = Some(*frame);
                    return Ok(());
                }
                BesideRecord::Head(_) => return Err(at(number, &not_a_head())),
            }
        }
    }

    /// The frame that belongs at this position of the tape.
    pub(super) fn due(&mut self, position: u64, kept: &mut KeptLines) -> Result<Option<Frame>> {
        let number = self.scope.first.saturating_add(position);
        let Some(frame) = self.next.take_if(|frame| frame.seq == number) else { return Ok(None) };
        self.frames = self.frames.saturating_add(1);
        self.pieces = self.pieces.saturating_add(u64::from(frame.has(flags::CONTINUED)));
        // A long line and its frame are not held at once with the next.
        self.lines.release_long_line();
        self.advance(kept)?;
        Ok(Some(frame))
    }

    /// A frame of the tape's own file, counted; the pairs that it closes there.
    pub(super) fn own(&mut self, frame: &Frame, seq: Option<u64>) -> Vec<Pair> {
        self.own_last_seq = seq;
        let text = std::str::from_utf8(&frame.payload).ok();
        self.own.frame(frame, text, seq.unwrap_or(frame.seq)).pairs
    }

    /// What the frames of the tape's own file give.
    pub(super) fn facts(&self) -> Facts {
        Facts { last_seq: self.own_last_seq, ..Facts::of(&self.own) }
    }

    /// Both files are at their end, with so many frames: did they go together?
    pub(super) fn check_end(&self, total: u64) -> Result<()> {
        if let Some(next) = &self.next {
            let words = format!(
                "frame {} of the file beside it (.extra.jsonl) has no place: both together have {total}",
                next.seq
            );
            return Err(apart(Code::TruncatedInput, words));
        }
        if total == self.scope.frames {
            return Ok(());
        }
        let code = if total < self.scope.frames { Code::TruncatedInput } else { Code::NotATape };
        Err(apart(
            code,
            format!(
                "the file beside it (.extra.jsonl) says that both together have {}, but they have {total}",
                amount(self.scope.frames, ["frame", "frames"])
            ),
        ))
    }

    /// Says what came from here, and holds what the tape and its metadata say of it against it.
    pub(super) fn finish(self, tape: Option<&[u8]>, companion: Option<&Companion>, draft: &mut Draft) {
        let Self { lines, scope, frames, kept_lines, pieces, .. } = self;
        let (source, _) = lines.source();
        let Source { sha256, bytes } = source;
        let lines = amount(kept_lines, ["unsaved line", "unsaved lines"]);
        let came = match (frames, kept_lines) {
            (1, 0) => "1 frame comes".to_owned(),
            (_, 0) => format!("{frames} frames come"),
            _ => format!("{} and {lines} come", amount(frames, ["frame", "frames"])),
        };
        draft.losses.about_all(format!(
            "{came} from the file beside it (.extra.jsonl): {bytes} bytes, sha256:{}",
            sha256.to_hex()
        ));
        if pieces > 0 {
            draft.losses.about_all(format!(
                "{} in the next frame: messages in such pieces are not counted",
                amount(pieces, ["frame of it goes on", "frames of it go on"])
            ));
        }
        let named = tape.and_then(|id| std::str::from_utf8(id).ok()).filter(|id| named_tape(id).is_some());
        if let Some(named) = named.filter(|id| named_tape(id) != Some(scope.tape)) {
            draft.losses.about_all(format!(
                "the file beside it (.extra.jsonl) names another tape: {}, this is {}",
                scope.tape.to_text(),
                quoted(named.as_bytes())
            ));
        }
        if let Some(companion) = companion {
            companion.compare_beside(Some((frames.saturating_add(kept_lines), &source)), &mut draft.losses);
        }
    }
}

/// The text of a frame from such a file, as far as messages are looked for in it.
pub(super) fn text(frame: &Frame) -> Option<&str> {
    let is_whole = frame.kind == FrameKind::Message && !frame.has(flags::CONTINUED);
    std::str::from_utf8(&frame.payload).ok().filter(|_| is_whole)
}

/// The next record and the number of its line.
fn record(lines: &mut LineReader<BesideInput>) -> Result<Option<(u64, BesideRecord)>> {
    let unreadable =
        |e: Error| apart_with(e.code(), format!("{}, of the file beside it (.extra.jsonl)", e.message()), e);
    let Some(line) = lines.next_line().map_err(unreadable)? else { return Ok(None) };
    let number = line.number;
    let read = match std::str::from_utf8(line.bytes) {
        Ok(text) => read_beside(text),
        Err(_) => Err(Error::new(Code::NotATape, "it is not UTF-8 text")),
    };
    match read {
        Ok(record) => Ok(Some((number, record))),
        Err(_) if line.end == Delimiter::None => Err(apart(
            Code::TruncatedInput,
            format!("line {number} of the file beside it (.extra.jsonl) is the last and stops in the middle"),
        )),
        Err(e) => Err(at(number, &e)),
    }
}

fn at(number: u64, e: &Error) -> Error {
    apart(e.code(), format!("line {number} of the file beside it (.extra.jsonl): {}", e.message()))
}

fn not_a_head() -> Error {
    Error::new(Code::NotATape, "the record \"extra\" stands first, once, and nowhere else")
}

fn apart(code: Code, words: String) -> Error {
    Error::new(code, words).with_hint(
        "nothing was imported; both files are needed as they were written: look for the whole ones, or move this one away to import the other alone",
    )
}

fn apart_with(code: Code, words: String, e: Error) -> Error {
    apart(code, words).with_source(e)
}
