//! An import: lines in, frames out one at a time, the header at the end.

use std::collections::VecDeque;
use std::io::BufRead;

use super::companion::Companion;
use super::detect::{BYTE_ORDER_MARK, SourceFormat, detect};
use super::draft::Draft;
use super::json::is_blank;
use super::lines::{Line, LineReader, Source};
use super::losses::{Losses, UNSAVED_BYTES_MAX};
use super::rpc_lines::RpcLines;
use super::v2::V2Import;
use crate::codec::limits::{CLASS_BYTES_MAX, LABEL_BYTES_MAX, TAGS_MAX};
use crate::error::{Code, Error, Result};
use crate::tape::{Delimiter, Direction, EndState, Frame, Header, LEDGER_CLASS, Provenance, TapeError};

/// What the one who imports says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOptions {
    /// Retention class; `draft` is the class of nobody's choice.
    pub class: String,
    /// Namespace.
    pub namespace: String,
    /// Name; without it the companion's.
    pub name: Option<Vec<u8>>,
    /// Description; without it the companion's.
    pub description: Option<Vec<u8>>,
    /// Tags; without any the companion's.
    pub tags: Vec<Vec<u8>>,
    /// Name of the source file as given: any bytes.
    pub source_name: Option<Vec<u8>>,
    /// The bytes of `{id}.meta.json`, when there is one.
    pub companion: Option<Vec<u8>>,
    /// The present moment, milliseconds since 1970.
    pub imported_ms: Option<u64>,
    /// Name of this host.
    pub host: Option<Vec<u8>>,
    /// Name and version of this program.
    pub importer: String,
    /// Which way the messages of plain JSON-RPC went, if somebody knows.
    pub direction: Direction,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            class: "draft".into(),
            namespace: "default".into(),
            name: None,
            description: None,
            tags: Vec::new(),
            source_name: None,
            companion: None,
            imported_ms: None,
            host: None,
            importer: concat!("immutape ", env!("CARGO_PKG_VERSION")).into(),
            direction: Direction::Unknown,
        }
    }
}

/// Reads a source of a known format frame by frame, in memory that does not grow with the source.
///
/// Nothing of a source is dropped in silence: every line becomes a frame or part of the header, or is
/// recomputed from the frames and compared, or stands whole in the header's unsaved lines; what differs or
/// does not fit is said in the losses. After an error nothing of the source may be kept.
///
/// ```
/// use immutape::interchange::{ImportOptions, Importer};
/// let source = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n";
/// let mut importer = Importer::open(&source[..], ImportOptions::default())?;
/// let mut payloads = Vec::new();
/// while let Some(frame) = importer.next_frame()? {
///     payloads.push(frame.payload);
/// }
/// let header = importer.finish()?;
/// assert_eq!(payloads[1], br#"{"jsonrpc":"2.0","id":1,"result":{}}"#);
/// assert_eq!((header.stats.requests, header.stats.correlations), (1, 1));
/// # Ok::<(), immutape::Error>(())
/// ```
pub struct Importer<R> {
    lines: LineReader<R>,
    /// Lines that were read to tell the format.
    held: VecDeque<Held>,
    engine: Engine,
    options: ImportOptions,
    companion: Option<Companion>,
    format: SourceFormat,
    state: State,
}

impl<R> std::fmt::Debug for Importer<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Importer").field("format", &self.format).field("state", &self.state).finish_non_exhaustive()
    }
}

enum Engine {
    V2(Box<V2Import>),
    Rpc(Box<RpcLines>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Ended,
    Failed,
}

struct Held {
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

impl<R: BufRead> Importer<R> {
    /// Reads as far as the format shows.
    ///
    /// # Errors
    /// `E_EMPTY_INPUT`, `E_NOT_A_TAPE`, `E_TRUNCATED_INPUT` (the source is half a line), `E_LIMIT`, `E_IO`;
    /// `E_USAGE` for an empty class or namespace, or the class `ledger`.
    pub fn open(input: R, mut options: ImportOptions) -> Result<Self> {
        check(&options)?;
        let mut lines = LineReader::new(input);
        let held = first_lines(&mut lines)?;
        let Some(first) = held.back() else { return Err(empty()) };
        let format = detect(first.number, &first.bytes, first.end)?;
        let mut draft = Draft::default();
        let companion = options.companion.take().map(|c| Companion::read(c, &mut draft.losses)).transpose()?;
        let engine = match format {
            SourceFormat::TapeV2Jsonl => Engine::V2(Box::new(V2Import::new(draft, companion.as_ref()))),
            SourceFormat::JsonRpcLines => Engine::Rpc(Box::new(RpcLines::new(draft, options.direction))),
        };
        Ok(Self { lines, held, engine, options, companion, format, state: State::Reading })
    }

    /// The format that was told.
    #[must_use]
    pub const fn format(&self) -> SourceFormat {
        self.format
    }

    /// The next frame, numbered from 0 without gaps; `None` at the end of the source.
    ///
    /// # Errors
    /// `E_TRUNCATED_INPUT` when the last line is half a record, `E_NEWER_FORMAT`, `E_NOT_A_TAPE` for a
    /// version that is not 2, `E_LIMIT`, `E_IO`. Any error ends the import.
    pub fn next_frame(&mut self) -> Result<Option<Frame>> {
        match self.state {
            State::Reading => {}
            State::Ended => return Ok(None),
            State::Failed => return Err(unfinished()),
        }
        let next = self.read_frame();
        match &next {
            Ok(Some(_)) => {}
            Ok(None) => self.state = State::Ended,
            Err(_) => self.state = State::Failed,
        }
        next
    }

    fn read_frame(&mut self) -> Result<Option<Frame>> {
        while let Some(held) = self.held.pop_front() {
            if let Some(frame) = self.engine.line(held.line())? {
                return Ok(Some(frame));
            }
        }
        while let Some(line) = self.lines.next_line()? {
            if let Some(frame) = self.engine.line(line)? {
                self.lines.release_long_line();
                return Ok(Some(frame));
            }
        }
        Ok(None)
    }

    /// The header, once [`Self::next_frame`] gave `None`.
    ///
    /// # Errors
    /// `E_INTERNAL` before that; `E_LIMIT` when the header is too long.
    pub fn finish(self) -> Result<Header> {
        if self.state != State::Ended {
            return Err(unfinished());
        }
        let source = self.lines.source();
        let (mut header, draft) = match self.engine {
            Engine::V2(import) => import.finish(self.companion.as_ref(), &source),
            Engine::Rpc(import) => {
                let (header, mut draft) = import.finish();
                if let Some(companion) = &self.companion {
                    companion.compare_checksum(&source.sha256, &mut draft.losses);
                }
                (header, draft)
            }
        };
        let mut losses = draft.losses;
        if draft.tally.given_up() > 0 {
            losses.about_all(format!(
                "{} requests were given up as unanswered because too many were open at once; answers to them are not joined",
                draft.tally.given_up()
            ));
        }
        header.stats = draft.tally.stats;
        header.named = draft.tally.named.finish();
        header.unsaved_lines = draft.kept.finish();
        describe(&mut header, self.options, self.companion, self.format, &source, losses);
        // A header that cannot be sealed must be refused here, while the caller can still say which file it was.
        header.encode().map_err(too_long)?;
        Ok(header)
    }
}

impl Engine {
    fn line(&mut self, line: Line<'_>) -> Result<Option<Frame>> {
        match self {
            Self::V2(import) => import.line(line),
            Self::Rpc(import) => import.line(line),
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

fn describe(
    header: &mut Header,
    options: ImportOptions,
    companion: Option<Companion>,
    format: SourceFormat,
    source: &Source,
    losses: Losses,
) {
    header.class = options.class;
    header.namespace = options.namespace;
    header.labels.name = options.name;
    header.labels.description = options.description;
    header.labels.tags = options.tags;
    header.end_state = EndState::Imported;
    let mut provenance = Provenance {
        format: Some(format.name().into()),
        source_sha256: Some(source.sha256),
        importer: Some(options.importer),
        losses: losses.finish(),
        source_name: options.source_name,
        imported_ms: options.imported_ms,
        host: options.host,
        companion_sha256: None,
        companion: None,
        source_bytes: Some(source.bytes),
    };
    if let Some(companion) = companion {
        let labels = &mut header.labels;
        labels.name = labels.name.take().or(companion.labels.name);
        labels.description = labels.description.take().or(companion.labels.description);
        if labels.tags.is_empty() {
            labels.tags = companion.labels.tags;
        }
        header.end_state = companion.end_state;
        header.transport = companion.transport;
        header.environment = companion.environment;
        provenance.companion_sha256 = Some(companion.sha256);
        provenance.companion = Some(companion.bytes);
    }
    header.provenance = Some(provenance);
}

/// What would make the header unlawful at the end is refused at the start.
fn check(options: &ImportOptions) -> Result<()> {
    for (what, text) in [("class", &options.class), ("namespace", &options.namespace)] {
        if text.is_empty() {
            return Err(Error::new(Code::Usage, format!("the {what} is empty"))
                .with_hint(format!("give a {what}, or none at all")));
        }
        limit(what, text.len(), CLASS_BYTES_MAX, "bytes")?;
    }
    if options.class == LEDGER_CLASS {
        return Err(Error::new(Code::Usage, "the class \"ledger\" is that of the ledger's own entries")
            .with_hint("give the tape another class, or none at all"));
    }
    limit("list of tags", options.tags.len(), TAGS_MAX, "tags")?;
    let labels = [
        ("name", &options.name),
        ("description", &options.description),
        ("source's file name", &options.source_name),
        ("host name", &options.host),
    ];
    for (what, label) in labels {
        limit(what, label.as_ref().map_or(0, Vec::len), LABEL_BYTES_MAX, "bytes")?;
    }
    options.tags.iter().try_for_each(|tag| limit("tag", tag.len(), LABEL_BYTES_MAX, "bytes"))
}

fn limit(what: &str, found: usize, max: usize, unit: &str) -> Result<()> {
    if found <= max {
        return Ok(());
    }
    Err(Error::new(Code::Limit, format!("the {what} has {found} {unit}; the limit is {max}"))
        .with_hint("give a shorter one"))
}

fn empty() -> Error {
    Error::new(Code::EmptyInput, "the source is empty: it holds no line that is not blank")
        .with_hint("check the path, and whether the recording was ever written")
}

fn too_long(e: TapeError) -> Error {
    Error::new(Code::Limit, format!("what has to be kept beside the frames is too long: {e}"))
        .with_hint("nothing was imported; give fewer or shorter tags, or remove lines that are no records in a copy")
        .with_source(e)
}

fn unfinished() -> Error {
    Error::new(Code::Internal, "an import that was not read to its end has no header")
}
