//! An import: lines in, frames out one at a time, the header at the end.

use std::collections::VecDeque;
use std::io::BufRead;

use super::companion::Companion;
use super::detect::SourceFormat;
use super::draft::Draft;
use super::lines::Source;
use super::losses::{Losses, amount};
use super::options::ImportOptions;
use super::v2::BesideInput;
use super::work::Work;
use crate::codec::limits::FRAME_PAYLOAD_BYTES_MAX;
use crate::error::{Code, Error, Result};
use crate::tape::{EndState, Frame, Header, Labels, Provenance, TapeError};

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
pub struct Importer<R: BufRead> {
    work: Work<R>,
    is_beside_unread: bool,
    /// Pieces of a frame that was too long.
    pieces: VecDeque<Frame>,
    options: ImportOptions,
    companion: Option<Companion>,
    format: SourceFormat,
    state: State,
}

impl<R: BufRead> std::fmt::Debug for Importer<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Importer").field("format", &self.format).field("state", &self.state).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Reading,
    Ended,
    Failed,
}

impl<R: BufRead> Importer<R> {
    /// Reads as far as the format shows; a document is read whole.
    ///
    /// # Errors
    /// `E_EMPTY_INPUT`, `E_NOT_A_TAPE`, `E_TRUNCATED_INPUT` (the source is half a line, document or compressed stream), `E_LIMIT`,
    /// `E_IO`; `E_USAGE` for an empty class or namespace, or the class `ledger`.
    pub fn open(input: R, options: ImportOptions) -> Result<Self> {
        Self::open_with(input, None, options)
    }

    /// As [`Self::open`], with the file beside a version 2.0 tape (`.extra.jsonl`, as [`super::Exporter`] wrote it): its frames
    /// take the places that their numbers name. For a source of another format it is not read, and a loss says so.
    ///
    /// ```
    /// use immutape::interchange::{ImportOptions, Importer};
    /// let tape = b"{\"type\":\"init\",\"version\":\"2.0\"}\n";
    /// let beside = format!(
    ///     "{{\"type\":\"extra\",\"version\":1,\"tape\":\"{}\",\"first_frame\":0,\"frame_count\":1}}\n{}\n",
    ///     "07".repeat(32),
    ///     r#"{"type":"extra_frame","seq":0,"kind":"stderr","direction":"internal","payload":{"b64":"/w=="},"delimiter":"lf"}"#,
    /// );
    /// let beside = Box::new(std::io::Cursor::new(beside));
    /// let mut importer = Importer::open_with(&tape[..], Some(beside), ImportOptions::default())?;
    /// assert_eq!(importer.next_frame()?.map(|frame| frame.payload), Some(vec![0xff]));
    /// # Ok::<(), immutape::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::open`]; what is wrong with the file beside is told as its fault.
    pub fn open_with(input: R, mut beside: Option<BesideInput>, mut options: ImportOptions) -> Result<Self> {
        options.check()?;
        let mut draft = Draft::default();
        let companion = options.companion.take().map(|c| Companion::read(c, &mut draft.losses)).transpose()?;
        let (work, format) = Work::begin(input, &mut beside, draft, &options, companion.as_ref())?;
        let is_beside_unread = beside.is_some();
        Ok(Self { work, is_beside_unread, pieces: VecDeque::new(), options, companion, format, state: State::Reading })
    }

    /// A file beside the source was given, but goes with another format.
    #[must_use]
    pub const fn is_beside_unread(&self) -> bool {
        self.is_beside_unread
    }

    /// The format that was told.
    #[must_use]
    pub const fn format(&self) -> SourceFormat {
        self.format
    }

    /// Must the bytes of the source, as they were given, be kept beside the frames? True of formats whose frames do not say all that
    /// the source says: [`SourceFormat::keeps_source`].
    #[must_use]
    pub const fn keeps_source(&self) -> bool {
        self.format.keeps_source()
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
        if let Some(piece) = self.pieces.pop_front() {
            return Ok(Some(piece));
        }
        let frame = self.work.frame()?;
        if let Some(long) = frame.as_ref().filter(|frame| frame.payload.len() > FRAME_PAYLOAD_BYTES_MAX) {
            self.pieces = long.pieces().collect();
            return Ok(self.pieces.pop_front());
        }
        Ok(frame)
    }

    /// The header, once [`Self::next_frame`] gave `None`.
    ///
    /// # Errors
    /// `E_INTERNAL` before that; `E_LIMIT` when the header is too long.
    pub fn finish(self) -> Result<Header> {
        if self.state != State::Ended {
            return Err(unfinished());
        }
        let (mut header, mut draft, source) = self.work.finish(self.companion.as_ref(), self.options.index.as_deref());
        if let Some((wrapper, ..)) = source.wrapped {
            let name = wrapper.name();
            draft.losses.about_all(format!("the source is compressed with {name}; the frames are of what it holds"));
        }
        let mut losses = draft.losses;
        if self.is_beside_unread {
            losses.about_all(
                "the file beside it (.extra.jsonl) was not read: such a file goes with a version 2.0 tape".into(),
            );
        }
        if draft.tally.given_up() > 0 {
            losses.about_all(format!(
                "{} given up as unanswered because too many were open at once; answers to them are not joined",
                amount(draft.tally.given_up(), ["request was", "requests were"])
            ));
        }
        header.stats = draft.tally.stats;
        header.named = draft.tally.named.finish();
        header.unsaved_lines = draft.kept.finish();
        describe(&mut header, self.options, self.companion, self.format, source.given(), losses);
        // A header that cannot be sealed must be refused here, while the caller can still say which file it was.
        header.encode().map_err(too_long)?;
        Ok(header)
    }
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
    let own = std::mem::take(&mut header.labels);
    header.labels = Labels { name: options.name, description: options.description, tags: options.tags };
    if header.end_state == EndState::Clean {
        header.end_state = EndState::Imported;
    }
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
        header.transport = companion.transport.or(header.transport.take());
        header.environment = companion.environment.or(header.environment.take());
        provenance.companion_sha256 = Some(companion.sha256);
        provenance.companion = Some(companion.bytes);
    }
    let labels = &mut header.labels;
    labels.name = labels.name.take().or(own.name);
    labels.description = labels.description.take().or(own.description);
    if labels.tags.is_empty() {
        labels.tags = own.tags;
    }
    header.provenance = Some(provenance);
}

fn too_long(e: TapeError) -> Error {
    Error::new(Code::Limit, format!("what has to be kept beside the frames is too long: {e}"))
        .with_hint("nothing was imported; give fewer or shorter tags, or remove lines that are no records in a copy")
        .with_source(e)
}

fn unfinished() -> Error {
    Error::new(Code::Internal, "an import that was not read to its end has no header")
}
