//! `export`: a tape in a form that other programs read.

use std::cell::{Cell, RefCell};
use std::error::Error as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::cat::is_plain;
use crate::cli::args::{Export, To};
use crate::cli::export_files::{Given, Lazy, Left, Place, Target, cannot_write, name_bytes, no_export};
use crate::cli::export_placed::Placed;
use crate::cli::input::shown;
use crate::cli::interrupts::Interrupts;
use crate::cli::out::Out;
use crate::cli::range::FrameRange;
use crate::cli::session::Session;
use crate::cli::{json as js, words};
use crate::codec::digest::{Digest, sha256};
use crate::codec::escape::visible;
use crate::codec::limits::WORDS_BYTES_MAX;
use crate::error::{Code, Error, Result};
use crate::interchange::{ExportFormat, Exported, Exporter, HashedWriter, Scope, file_list};
use crate::ledger::{ExportedFile, FrameSelection, TapeReader};

/// Name of the form that is made from no frames.
const SOURCE: &str = "source";

pub(in crate::cli) fn export(s: &mut Session<'_>, args: &Export) -> Result<u8> {
    let place = Place::of(args.output.as_deref())?;
    check(s, args, &place)?;
    s.out.raw = place == Place::Stdout;
    // On standard output nothing lies there to be cleared away, and a reader may take for ever.
    let interrupts = (place != Place::Stdout).then(Interrupts::caught);
    let done = s.reading(async |ledger, s| {
        let asked = args.frames.map(FrameRange::asked);
        let reader = ledger.open_tape(&s.parts.who, &args.id, asked).await?;
        let job = Job::new(args, &reader, interrupts.as_ref())?;
        match place {
            Place::Stdout => to_stdout(s, job, reader).await,
            Place::File(target) => to_files(s, job, target, reader).await.map(|()| (0, None)),
            Place::Folder(folder) => {
                let hex = reader.tape().to_hex();
                let folder = if folder == Path::new(".") { PathBuf::new() } else { folder };
                let target = Target::in_folder(&folder, words::short(&hex), extension(args.to));
                target.check(&s.parts, job.has_companions(), Given::output(args.force))?;
                to_files(s, job, target, reader).await.map(|()| (0, None))
            }
        }
    });
    if let (Err(_), Some(interrupts)) = (&done, &interrupts) {
        if interrupts.check().is_err() {
            s.out.say("interrupted: nothing of this export is left, but the read is on record");
        }
        s.out.flush();
        interrupts.pass_on();
    }
    done
}

/// What can be refused before the tape is asked for.
fn check(s: &Session<'_>, args: &Export, place: &Place) -> Result<()> {
    if args.to == To::Source && args.frames.is_some() {
        return Err(Error::new(Code::Usage, "the source is given whole: --frames does not go with --to source"));
    }
    if args.recipient.as_ref().is_some_and(|r| r.len() > WORDS_BYTES_MAX) {
        return Err(Error::new(Code::Limit, format!("the recipient has more than {WORDS_BYTES_MAX} bytes")));
    }
    match place {
        Place::Stdout if s.out.look.terminal && format(args.to).is_some_and(ExportFormat::is_binary) => {
            Err(Error::new(Code::Usage, "this form is no text, and a terminal might obey it")
                .with_hint("write it to a file with --output FILE, or through a pipe"))
        }
        Place::File(target) => target.check(&s.parts, args.to == To::V2, Given::output(args.force)),
        Place::Stdout | Place::Folder(_) => Ok(()),
    }
}

const fn format(to: To) -> Option<ExportFormat> {
    Some(match to {
        To::V2 => ExportFormat::TapeV2Jsonl,
        To::Json => ExportFormat::Json,
        To::Cbor => ExportFormat::CborSequence,
        To::Msgpack => ExportFormat::MessagePack,
        To::Raw => ExportFormat::Raw,
        To::Source => return None,
    })
}

fn extension(to: To) -> &'static str {
    format(to).map_or(SOURCE, ExportFormat::extension)
}

/// What is to be written.
struct Job<'a> {
    args: &'a Export,
    format: Option<ExportFormat>,
    selection: FrameSelection,
    scope: Scope,
    interrupts: Option<&'a Interrupts>,
}

impl<'a> Job<'a> {
    /// Frames that are not there are found before anything is written.
    fn new(args: &'a Export, reader: &TapeReader, interrupts: Option<&'a Interrupts>) -> Result<Self> {
        let total = reader.frames_total();
        let selection = args.frames.map_or(FrameSelection::All, |f| f.selection(total));
        let (first, last) = match selection {
            FrameSelection::Seq(first, last) if first > last || last >= total => {
                return Err(Error::new(Code::NoFrame, format!("this tape has frames 0..{}", total.saturating_sub(1)))
                    .with_hint("give a range within it, first..last"));
            }
            FrameSelection::Seq(first, last) => (first, last.saturating_add(1)),
            _ => (0, total),
        };
        let scope = Scope { tape: reader.tape(), first, frames: last.saturating_sub(first) };
        Ok(Self { args, format: format(args.to), selection, scope, interrupts })
    }

    fn has_companions(&self) -> bool {
        self.format == Some(ExportFormat::TapeV2Jsonl)
    }

    /// Writes all of it.
    fn write<'b>(
        &self,
        reader: &'b TapeReader,
        file: &'b mut dyn Write,
        beside: Option<&'b mut dyn Write>,
    ) -> Result<Exported> {
        let Some(format) = self.format else {
            let failed = |e| Error::new(Code::Io, "the export cannot be written").with_source(e);
            reader.source(&mut |piece| self.go_on().and_then(|()| file.write_all(piece).map_err(failed)))?;
            return file.flush().map_err(failed).map(|()| Exported::default());
        };
        let mut exporter = Exporter::begin(format, self.scope, reader.header(), file, beside)?;
        reader.frames(self.selection, &mut |frame| self.go_on().and_then(|()| exporter.frame(&frame)))?;
        exporter.finish()
    }

    fn go_on(&self) -> Result<()> {
        self.interrupts.map_or(Ok(()), Interrupts::check)
    }

    fn exported_file(&self, sha256: Digest) -> ExportedFile {
        let format = self.format.map_or(SOURCE, ExportFormat::name).to_owned();
        ExportedFile { sha256, format, recipient: self.args.recipient.clone() }
    }
}

/// Standard output with a memory of what went there.
struct Stream<'a, 'b> {
    out: &'a RefCell<&'b mut Out>,
    is_refused: &'a Cell<bool>,
}

impl Write for Stream<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut out = self.out.borrow_mut();
        if out.look.terminal && !is_plain(bytes) {
            self.is_refused.set(true);
            return Err(io::ErrorKind::InvalidData.into());
        }
        out.bytes(bytes);
        if out.is_stopped() { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut out = self.out.borrow_mut();
        out.flush();
        if out.is_stopped() { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }
}

/// The export is recorded once all of it was taken. A reader that has enough ends it: then the read alone is on record.
async fn to_stdout(s: &mut Session<'_>, job: Job<'_>, reader: TapeReader) -> Result<(u8, Option<TapeReader>)> {
    let (sha256, bytes, exported) = {
        let (out, is_refused) = (RefCell::new(&mut *s.out), Cell::new(false));
        let mut stream = HashedWriter::new(Stream { out: &out, is_refused: &is_refused });
        let written = job.write(&reader, &mut stream, None);
        if is_refused.get() {
            return Err(Error::new(
                Code::Usage,
                "this tape holds bytes that are no plain text; a terminal might obey them",
            )
            .with_hint("write them to a file with --output FILE"));
        }
        let exported = written?;
        let (_, bytes, sha256) = stream.finish();
        (sha256, bytes, exported)
    };
    let done =
        Done { exported, files: Vec::new(), sha256, bytes, given: reader.bytes_given(), read: reader.grant_index() };
    let tape = reader.tape().to_text();
    let entry = reader.finish_export(&job.exported_file(sha256)).await?;
    done.tell(s.out, &job, &tape, entry);
    Ok((0, None))
}

async fn to_files(s: &mut Session<'_>, job: Job<'_>, target: Target, reader: TapeReader) -> Result<()> {
    let (files, force) = (s.parts.env.files.clone(), job.args.force);
    let begin = |path: &Path| Lazy::new(&files, path, s.parts.who.pid);
    let mut file = begin(&target.file).begin()?;
    let mut beside = begin(&target.beside);
    let exported = job.write(&reader, &mut file, Some(&mut beside)).map_err(|e| about(&target.file, e))?;
    let mut companion = begin(&target.companion);
    companion
        .write_all(exported.companion.as_deref().unwrap_or_default())
        .map_err(|e| cannot_write(&target.companion, e))?;
    let made = if exported.companion.is_some() { vec![beside, companion, file] } else { vec![file] };
    let mut placed = Placed::all(&files, made, (force, s.parts.who.pid))?;
    if job.has_companions() {
        placed.without_stale(&target.beside)?;
    }
    let list: Vec<_> = placed.new_files().iter().map(|left| (name_bytes(left.name()), left.sha256)).collect();
    let sha256 = match placed.new_files() {
        [one] => one.sha256,
        _ => Digest::from_bytes(sha256(&file_list(&list))),
    };
    let (given, read, tape) = (reader.bytes_given(), reader.grant_index(), reader.tape().to_text());
    // What is not on record as having left must not lie there as if it had, and not in the place of what did.
    let entry = reader.finish_export(&job.exported_file(sha256)).await?;
    let left = placed.keep();
    let bytes = left.iter().map(|left| left.bytes).fold(0, u64::saturating_add);
    Done { exported, files: left, sha256, bytes, given, read }.tell(s.out, &job, &tape, entry);
    Ok(())
}

/// An error of writing says which file; others say what they are about themselves.
fn about(path: &Path, e: Error) -> Error {
    if e.code() != Code::Io {
        return e;
    }
    // The writers of the forms have errors of their own between the system's and ours.
    let (mut kind, mut cause) = (io::ErrorKind::Other, e.source());
    while let Some(error) = cause {
        kind = error.downcast_ref().map_or(kind, io::Error::kind);
        cause = error.source();
    }
    no_export(path, kind).with_source(e)
}

/// What an export came to.
struct Done {
    exported: Exported,
    files: Vec<Left>,
    sha256: Digest,
    bytes: u64,
    given: u64,
    read: u64,
}

impl Done {
    fn tell(&self, out: &mut Out, job: &Job<'_>, tape: &str, entry: u64) {
        let frames = if job.format.is_some() { job.scope.frames } else { 0 };
        let sha256 = self.sha256.to_hex();
        if out.json {
            let files = self.files.iter().map(|f| {
                let path = js::text(f.path.as_os_str().as_encoded_bytes());
                json!({ "path": path, "bytes": f.bytes, "sha256": f.sha256.to_hex() })
            });
            out.document(json!({
                "type": "exported", "entry": entry, "read": self.read, "tape": tape,
                "format": job.exported_file(self.sha256).format, "frames": frames, "bytes_given": self.given,
                "bytes": self.bytes, "sha256": sha256, "files": files.collect::<Vec<_>>(),
                "beside": self.exported.beside, "recipient": job.args.recipient, "losses": self.exported.losses,
            }));
            return;
        }
        for file in &self.files {
            out.line(&shown(&file.path));
        }
        for loss in &self.exported.losses {
            out.say(&format!("  note: {}", visible(loss.as_bytes())));
        }
        let what = if job.format.is_some() { words::count(frames, "frame") } else { "The source".into() };
        out.say(&format!("{what} in {}; SHA-256 {sha256}.", words::bytes(self.bytes)));
        out.say(&format!("The read was recorded as entry #{}, what left as entry #{entry}.", self.read));
    }
}

#[cfg(test)]
mod tests;
