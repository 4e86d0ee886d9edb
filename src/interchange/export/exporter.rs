//! An export: a header and frames in, one form out.

use std::io::{self, Write};

use super::format::ExportFormat;
use super::v2::V2Export;
use super::{document, pack};
use crate::codec::digest::TapeId;
use crate::error::{Code, Error, Result};
use crate::interchange::PayloadWriter;
use crate::tape::{Frame, Header};

/// Which tape, and which of its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scope {
    /// The tape.
    pub tape: TapeId,
    /// Number of the first frame.
    pub first: u64,
    /// How many frames, each numbered one more than that before.
    pub frames: u64,
}

impl Scope {
    /// So many frames of this tape, from this one on.
    #[must_use]
    pub const fn new(tape: TapeId, first: u64, frames: u64) -> Self {
        Self { tape, first, frames }
    }
}

/// What an export came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Exported {
    /// Records written beside the file, for what cannot stand in it.
    pub beside: u64,
    /// The metadata file of the form that has one.
    pub companion: Option<Vec<u8>>,
    /// What the form cannot say of this tape, in words; text from outside in them is escaped.
    pub losses: Vec<String>,
}

/// Writes a tape in one form, frame by frame, in memory that does not grow with the tape.
///
/// ```
/// use immutape::codec::digest::TapeId;
/// use immutape::interchange::{ExportFormat, Exporter, Scope};
/// use immutape::tape::{Direction, Frame, Header, TapeKind};
/// let header = Header::new(TapeKind::Mcp);
/// let scope = Scope::new(TapeId::from_bytes([7; 32]), 0, 1);
/// let mut file = Vec::new();
/// let mut exporter = Exporter::begin(ExportFormat::Json, scope, &header, &mut file, None)?;
/// exporter.frame(&Frame::message(0, Direction::Unknown, b"{}".to_vec()))?;
/// exporter.finish()?;
/// let document: serde_json::Value = serde_json::from_slice(&file).expect("one JSON document");
/// assert_eq!(document["frames"][0]["payload"], "{}");
/// # Ok::<(), immutape::Error>(())
/// ```
pub struct Exporter<'a> {
    scope: Scope,
    written: u64,
    form: Form<'a>,
}

type Out<'a> = &'a mut dyn Write;

enum Form<'a> {
    V2(Box<V2Export<'a>>),
    Json(Out<'a>),
    CborSequence(Out<'a>),
    MessagePack(Out<'a>),
    Raw(PayloadWriter<Out<'a>>),
}

impl<'a> Exporter<'a> {
    /// Writes what stands before the frames. `beside` takes what cannot stand in the file itself; without it such a frame is
    /// an error. Only [`ExportFormat::TapeV2Jsonl`] has use for it.
    ///
    /// # Errors
    /// `E_IO` with the cause as source; `E_LIMIT` for a header that is too long to be written.
    pub fn begin(
        format: ExportFormat,
        scope: Scope,
        header: &'a Header,
        file: Out<'a>,
        beside: Option<Out<'a>>,
    ) -> Result<Self> {
        let form = match format {
            ExportFormat::TapeV2Jsonl => Form::V2(Box::new(V2Export::begin(scope, header, file, beside)?)),
            ExportFormat::Json => {
                document::begin(file, &scope, header).map_err(failed)?;
                Form::Json(file)
            }
            ExportFormat::CborSequence => {
                let too_long = |e| Error::new(Code::Limit, "the header cannot be written").with_source(e);
                file.write_all(&header.encode().map_err(too_long)?).map_err(failed)?;
                Form::CborSequence(file)
            }
            ExportFormat::MessagePack => {
                pack::begin(file, &scope, header).map_err(failed)?;
                Form::MessagePack(file)
            }
            ExportFormat::Raw => Form::Raw(PayloadWriter::new(file)),
        };
        Ok(Self { scope, written: 0, form })
    }

    /// Writes the next frame.
    ///
    /// # Errors
    /// `E_IO` with the cause as source, and part of the frame may be written; `E_USAGE` for a frame that cannot stand in the
    /// file when there is nothing beside it; `E_INTERNAL` for another frame than the next one.
    pub fn frame(&mut self, frame: &Frame) -> Result<()> {
        let next = self.scope.first.saturating_add(self.written);
        if frame.seq != next || self.written >= self.scope.frames {
            return Err(Error::new(Code::Internal, "an export was given another frame than the next one"));
        }
        match &mut self.form {
            Form::V2(v2) => v2.frame(frame)?,
            Form::Json(out) => document::frame(out, self.written == 0, frame).map_err(failed)?,
            Form::CborSequence(out) => {
                let unlawful = |e| Error::new(Code::Limit, format!("frame {next} cannot be written")).with_source(e);
                out.write_all(&frame.parts().map_err(unlawful)?.encode()).map_err(failed)?;
            }
            Form::MessagePack(out) => pack::frame(out, frame).map_err(failed)?,
            Form::Raw(writer) => writer.frame(frame)?,
        }
        self.written = self.written.saturating_add(1);
        Ok(())
    }

    /// Writes what stands behind the frames.
    ///
    /// # Errors
    /// `E_IO`; `E_INTERNAL` when a frame is missing.
    pub fn finish(self) -> Result<Exported> {
        if self.written != self.scope.frames {
            return Err(Error::new(Code::Internal, "an export was given fewer frames than it has to write"));
        }
        match self.form {
            Form::V2(v2) => v2.finish(),
            Form::Json(out) => {
                document::end(out).and_then(|()| out.flush()).map_err(failed)?;
                Ok(Exported::default())
            }
            Form::CborSequence(out) | Form::MessagePack(out) => {
                out.flush().map_err(failed)?;
                Ok(Exported::default())
            }
            Form::Raw(writer) => writer.finish().map(|_| Exported::default()),
        }
    }
}

/// The error of an output.
pub(super) fn failed(e: io::Error) -> Error {
    Error::new(Code::Io, "the export cannot be written").with_source(e)
}
