//! What an import works on: lines one by one, or a document that is held whole.

use std::collections::VecDeque;
use std::io::{BufRead, Chain, Cursor, Read as _};

use super::cast::Cast;
use super::companion::Companion;
use super::detect::{BYTE_ORDER_MARK, SourceFormat, detect};
use super::document::{self, HEAD_BYTES, Head, look};
use super::draft::Draft;
use super::har::Har;
use super::index::DirectoryIndex;
use super::json::is_blank;
use super::lines::{Line, LineReader, Source};
use super::losses::UNSAVED_BYTES_MAX;
use super::options::ImportOptions;
use super::rpc_lines::RpcLines;
use super::tape_json::TapeJson;
use super::unpack::{Content, Wrapper};
use super::v2::{BesideInput, V2Import};
use crate::error::{Code, Error, Result};
use crate::tape::{Delimiter, Frame, Header};

/// What the wrapper leaves: the beginning, which was read to tell the format, and the rest.
type Unpacked<R> = Chain<Cursor<Vec<u8>>, Content<R>>;

/// An import at work.
pub(super) enum Work<R: BufRead> {
    Lines {
        lines: Box<LineReader<Unpacked<R>>>,
        /// Lines that were read to tell the format.
        held: VecDeque<Held>,
        engine: LineEngine,
    },
    Document {
        engine: Box<DocumentEngine>,
        source: Source,
        input: Unpacked<R>,
    },
}

/// Readers of lines.
pub(super) enum LineEngine {
    V2(Box<V2Import>),
    Rpc(Box<RpcLines>),
    Cast(Box<Cast>),
}

/// Readers of documents.
pub(super) enum DocumentEngine {
    Tape(TapeJson),
    Har(Har),
}

/// A line that was read ahead.
pub(super) struct Held {
    number: u64,
    bytes: Vec<u8>,
    end: Delimiter,
    offset_bytes: u64,
}

impl Held {
    fn of(line: Line<'_>) -> Self {
        Self { number: line.number, bytes: line.bytes.to_vec(), end: line.end, offset_bytes: line.offset_bytes }
    }

    fn line(&self) -> Line<'_> {
        Line { number: self.number, bytes: &self.bytes, end: self.end, offset_bytes: self.offset_bytes }
    }
}

impl<R: BufRead> Work<R> {
    /// Reads as far as the format shows; a document is read whole.
    ///
    /// # Errors
    /// As [`super::Importer::open`].
    pub(super) fn begin(
        input: R,
        beside: &mut Option<BesideInput>,
        draft: Draft,
        options: &ImportOptions,
        companion: Option<&Companion>,
    ) -> Result<(Self, SourceFormat)> {
        let mut content = Content::open(input)?;
        let (start, is_all) = content.beginning(HEAD_BYTES);
        let head = look(&start, is_all);
        let input = Cursor::new(start).chain(content);
        let told = match head {
            Head::Document(format) => Some(format),
            _ => None,
        };
        match options.format.or(told) {
            Some(format) if format.is_document() => Ok((Self::document(input, draft, format)?, format)),
            forced => Self::lines(input, beside, draft, head, forced, options, companion),
        }
    }

    fn document(mut input: Unpacked<R>, draft: Draft, format: SourceFormat) -> Result<Self> {
        let (text, source) = document::read(&mut input)?;
        if is_blank(text.trim_start_matches('\u{feff}').as_bytes()) {
            return Err(empty());
        }
        let engine = match format {
            SourceFormat::Har => DocumentEngine::Har(Har::open(text, draft)?),
            _ => DocumentEngine::Tape(TapeJson::open(text, draft)?),
        };
        Ok(Self::Document { engine: Box::new(engine), source, input })
    }

    fn lines(
        input: Unpacked<R>,
        beside: &mut Option<BesideInput>,
        draft: Draft,
        head: Head,
        forced: Option<SourceFormat>,
        options: &ImportOptions,
        companion: Option<&Companion>,
    ) -> Result<(Self, SourceFormat)> {
        let mut lines = Box::new(LineReader::new(input));
        let held = first_lines(&mut lines)?;
        let Some(first) = held.back() else { return Err(empty()) };
        let format = match forced {
            Some(format) => format,
            None => detect(first.number, &first.bytes, first.end).map_err(|e| match head {
                Head::Unclosed if e.code() == Code::NotATape => document::truncated(first.bytes.len()),
                Head::OldCast => document::not_this("is an asciicast of version 1")
                    .with_hint("convert it to version 3: asciinema convert"),
                _ => e,
            })?,
        };
        let engine = match format {
            SourceFormat::JsonRpcLines => LineEngine::Rpc(Box::new(RpcLines::new(draft, options.direction))),
            SourceFormat::Asciicast => LineEngine::Cast(Box::new(Cast::new(draft))),
            _ => LineEngine::V2(Box::new(V2Import::new(draft, companion, beside.take())?)),
        };
        Ok((Self::Lines { lines, held, engine }, format))
    }

    /// The next frame.
    ///
    /// # Errors
    /// As [`super::Importer::next_frame`].
    pub(super) fn frame(&mut self) -> Result<Option<Frame>> {
        let (lines, held, engine) = match self {
            Self::Document { engine, .. } => return Ok(engine.next()),
            Self::Lines { lines, held, engine } => (lines, held, engine),
        };
        loop {
            if let Some(frame) = engine.next_beside()? {
                return Ok(Some(frame));
            }
            if let Some(held) = held.pop_front() {
                if let Some(frame) = engine.line(held.line())? {
                    return Ok(Some(frame));
                }
                continue;
            }
            let Some(line) = lines.next_line()? else { break };
            if let Some(frame) = engine.line(line)? {
                lines.release_long_line();
                return Ok(Some(frame));
            }
        }
        engine.end().map(|()| None)
    }

    /// The header's fields that the format knows of, what did not fit, and the source.
    pub(super) fn finish(
        self,
        companion: Option<&Companion>,
        index: Option<&DirectoryIndex>,
    ) -> (Header, Draft, WholeSource) {
        let (content, input, engine) = match self {
            Self::Document { engine, source, input } => {
                let (header, mut draft) = match *engine {
                    DocumentEngine::Tape(import) => import.finish(),
                    DocumentEngine::Har(import) => import.finish(),
                };
                compare_checksum(companion, &source, &mut draft);
                return (header, draft, WholeSource::of(source, input));
            }
            Self::Lines { lines, engine, .. } => {
                let (content, input) = lines.source();
                (content, input, engine)
            }
        };
        let (header, draft) = match engine {
            LineEngine::V2(import) => import.finish(companion, index, &content),
            LineEngine::Rpc(import) => {
                let (header, mut draft) = import.finish();
                compare_checksum(companion, &content, &mut draft);
                (header, draft)
            }
            LineEngine::Cast(import) => {
                let (header, mut draft) = import.finish();
                compare_checksum(companion, &content, &mut draft);
                (header, draft)
            }
        };
        (header, draft, WholeSource::of(content, input))
    }
}

fn compare_checksum(companion: Option<&Companion>, source: &Source, draft: &mut Draft) {
    if let Some(companion) = companion {
        companion.compare_checksum(&source.sha256, &mut draft.losses);
    }
}

/// A source that was read to its end: what it holds, and what it was wrapped in.
pub(super) struct WholeSource {
    content: Source,
    /// What was taken off, and the source with it.
    pub(super) wrapped: Option<(Wrapper, Source)>,
}

impl WholeSource {
    fn of<R: BufRead>(content: Source, input: Unpacked<R>) -> Self {
        let (_, rest) = input.into_inner();
        let wrapped = rest.wrapper().map(|(wrapper, sha256, bytes)| (wrapper, Source { sha256, bytes }));
        Self { content, wrapped }
    }

    /// The source as it was given.
    pub(super) fn given(&self) -> &Source {
        self.wrapped.as_ref().map_or(&self.content, |(_, given)| given)
    }
}

impl LineEngine {
    fn next_beside(&mut self) -> Result<Option<Frame>> {
        match self {
            Self::V2(import) => import.next_beside(),
            Self::Rpc(_) | Self::Cast(_) => Ok(None),
        }
    }

    fn end(&self) -> Result<()> {
        match self {
            Self::V2(import) => import.end(),
            Self::Rpc(_) | Self::Cast(_) => Ok(()),
        }
    }

    fn line(&mut self, line: Line<'_>) -> Result<Option<Frame>> {
        match self {
            Self::V2(import) => import.line(line),
            Self::Rpc(import) => import.line(line),
            Self::Cast(import) => import.line(line),
        }
    }
}

impl DocumentEngine {
    fn next(&mut self) -> Option<Frame> {
        match self {
            Self::Tape(import) => import.next(),
            Self::Har(import) => import.next(),
        }
    }
}

/// The lines up to the first that is not blank.
fn first_lines<R: BufRead>(lines: &mut LineReader<R>) -> Result<VecDeque<Held>> {
    let (mut held, mut bytes) = (VecDeque::new(), 0usize);
    while let Some(line) = lines.next_line()? {
        let content = line.bytes.strip_prefix(BYTE_ORDER_MARK).filter(|_| line.number == 1).unwrap_or(line.bytes);
        if !is_blank(content) {
            if bytes > UNSAVED_BYTES_MAX {
                return Err(Error::new(Code::Limit, format!("the source begins with {} blank lines", held.len()))
                    .with_hint("nothing was imported; remove them in a copy"));
            }
            held.push_back(Held::of(line));
            return Ok(held);
        }
        bytes = bytes.saturating_add(line.bytes.len()).saturating_add(16);
        if bytes <= UNSAVED_BYTES_MAX {
            held.push_back(Held::of(line));
        }
    }
    Err(empty())
}

fn empty() -> Error {
    Error::new(Code::EmptyInput, "the source is empty: it holds no line that is not blank")
        .with_hint("check the path, and whether the recording was ever written")
}
