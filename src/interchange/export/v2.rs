//! A streaming tape of version 2.0, in the spelling of the captured tapes: `init`, frames, each correlation behind the
//! answer that closes it, one checkpoint. All numbers are counted from the frames that stand in the file.

use std::io::Write;

use super::beside::{Beside, named_tape};
use super::exporter::{Exported, Scope, failed};
use super::hashed::HashedWriter;
use super::losses::{ExportLosses, Lost};
use super::v2_companion::{self, Claims};
use super::v2_init;
use super::v2_record::{Object, RecordContext, quoted, record, source_seq};
use crate::error::{Code, Error, Result};
use crate::interchange::detect::SourceFormat;
use crate::interchange::pairing::Pair;
use crate::interchange::tally::{Tally, ms};
use crate::tape::{Delimiter, Frame, Header, flags};

/// A buffer up to this size is kept from frame to frame.
const LINE_BYTES_HELD: usize = 1 << 20;

/// The export of one tape.
pub(super) struct V2Export<'a> {
    header: &'a Header,
    file: HashedWriter<&'a mut dyn Write>,
    beside: Option<Beside<'a>>,
    losses: ExportLosses,
    tally: Tally,
    /// The tape came from such a file: its numbers are worth keeping.
    is_from_v2: bool,
    session: Option<String>,
    names: v2_init::Names,
    /// As a reader of the file will count.
    last_seq: Option<u64>,
    last_t_ns: Option<u64>,
    goes_on: bool,
    line: Vec<u8>,
}

impl<'a> V2Export<'a> {
    /// Writes the first record.
    pub(super) fn begin(
        scope: Scope,
        header: &'a Header,
        file: &'a mut dyn Write,
        beside: Option<&'a mut dyn Write>,
    ) -> Result<Self> {
        let format = header.provenance.as_ref().and_then(|p| p.format.as_deref());
        let is_from_v2 = format == Some(SourceFormat::TapeV2Jsonl.name());
        let mut losses = ExportLosses::default();
        let names = v2_init::Names::of(scope, header, &mut losses);
        // Both files name the tape alike, so that a reader sees that they belong together.
        let scope_beside = Scope { tape: named_tape(&names.tape).unwrap_or(scope.tape), ..scope };
        let mut export = Self {
            header,
            file: HashedWriter::new(file),
            beside: beside.map(|out| Beside::new(out, scope_beside)),
            losses,
            tally: Tally::default(),
            is_from_v2,
            session: names.session.as_deref().map(quoted),
            names,
            last_seq: None,
            last_t_ns: None,
            goes_on: false,
            line: Vec::new(),
        };
        v2_init::record(header, &export.names, is_from_v2, &mut export.line, &mut export.losses);
        export.put_line()?;
        export.keep_lines()?;
        Ok(export)
    }

    /// Lines of the source that were no frames are no part of a clean file.
    fn keep_lines(&mut self) -> Result<()> {
        let lines = &self.header.unsaved_lines;
        match &mut self.beside {
            Some(beside) => lines.iter().try_for_each(|(number, line)| beside.line(*number, line)),
            None if lines.is_empty() => Ok(()),
            None => {
                self.losses.about_all(format!("lines of the source that are no frames are not kept: {}", lines.len()));
                Ok(())
            }
        }
    }

    /// Writes a frame, here or beside, and the correlations that it closes.
    pub(super) fn frame(&mut self, frame: &Frame) -> Result<()> {
        let goes_on = std::mem::replace(&mut self.goes_on, frame.has(flags::CONTINUED));
        let ts = self.time(frame);
        let numbered = source_seq(frame).filter(|_| self.is_from_v2);
        let seq = numbered.map_or(frame.seq, |(_, seq)| seq);
        let seq_field = numbered.map(|(at, _)| at);
        let context = RecordContext { ts, seq, seq_field, session: self.session.as_deref(), goes_on };
        let message = record(frame, context, &mut self.line);
        let Some(message) = message else { return self.beside(frame) };
        self.count_losses(frame, ts);
        self.last_seq = Some(seq);
        self.last_t_ns = ts.map(|ms| ms.saturating_mul(1_000_000)).or_else(|| self.inferred_ns(frame));
        let seen = self.tally.frame(frame, Some(message), seq);
        self.put_line()?;
        for pair in seen.pairs {
            correlation(&pair, &mut self.line);
            self.put_line()?;
        }
        if self.line.capacity() > LINE_BYTES_HELD {
            self.line = Vec::new();
        }
        Ok(())
    }

    /// The time to write. One that was inferred is left out where a reader will infer the same: written, it would pass for
    /// the source's own.
    fn time(&self, frame: &Frame) -> Option<u64> {
        let ts = frame.t_ns.map(ms)?;
        if !frame.has(flags::TIME_INFERRED) {
            return Some(ts);
        }
        (self.inferred_ns(frame).map(ms) != Some(ts)).then_some(ts)
    }

    /// What a reader will infer for a frame without a time.
    fn inferred_ns(&self, frame: &Frame) -> Option<u64> {
        let by_clock = frame.wall_ns.zip(self.header.started_wall_ns).and_then(|(wall, start)| wall.checked_sub(start));
        by_clock.or(self.last_t_ns)
    }

    fn count_losses(&mut self, frame: &Frame, ts: Option<u64>) {
        let losses = &mut self.losses;
        let mut lost = |is_lost: bool, what| {
            if is_lost {
                losses.frame(what, frame.seq);
            }
        };
        lost(ts.is_some() && frame.t_ns.is_some_and(|t| !t.is_multiple_of(1_000_000)), Lost::Time);
        lost(ts.is_some() && frame.has(flags::TIME_INFERRED), Lost::InferredMark);
        lost(frame.delimiter != Delimiter::Lf, Lost::Delimiter);
        lost(frame.media_type.is_some(), Lost::MediaType);
        lost(frame.redactions.is_some(), Lost::Redactions);
    }

    fn beside(&mut self, frame: &Frame) -> Result<()> {
        let Some(beside) = &mut self.beside else {
            return Err(Error::new(
                Code::Usage,
                format!("frame {} cannot stand in a version 2.0 tape, and there is nothing beside it", frame.seq),
            )
            .with_hint("write to a file or a folder, where it goes into a file .extra.jsonl, or choose another form"));
        };
        self.losses.frame(Lost::Beside, frame.seq);
        beside.frame(frame)
    }

    fn put_line(&mut self) -> Result<()> {
        self.file.write_all(&self.line).map_err(failed)
    }

    /// Writes the checkpoint, and makes the metadata.
    pub(super) fn finish(mut self) -> Result<Exported> {
        let moment = v2_companion::finalized(self.header);
        checkpoint(&self.tally, self.last_seq, moment.as_deref(), &mut self.line);
        self.put_line()?;
        self.file.flush().map_err(failed)?;
        let beside = self.beside.map(Beside::finish).transpose()?.filter(|written| written.records > 0);
        let (_, size_bytes, sha256) = self.file.finish();
        let claims = Claims {
            names: &self.names,
            tally: &self.tally,
            last_seq: self.last_seq,
            finalized: moment.as_deref(),
            size_bytes,
            sha256,
            beside,
        };
        let companion = v2_companion::metadata(self.header, &claims, &mut self.losses);
        let beside = beside.map_or(0, |written| written.records);
        Ok(Exported { beside, companion: Some(companion), losses: self.losses.finish() })
    }
}

fn correlation(pair: &Pair, line: &mut Vec<u8>) {
    line.clear();
    let number = |n: Option<u64>| n.map(|n| n.to_string());
    let (request, response) = (pair.request_seq, pair.response_seq);
    let mut o = Object::begin(line);
    o.member("type", "\"correlation\"");
    o.member("id", &format!("\"corr-{request}-{response}\""));
    o.member("request_seq", &request.to_string());
    o.member("response_seq", &response.to_string());
    o.optional("request_ts", number(pair.request_t_ms).as_deref());
    o.optional("response_ts", number(pair.response_t_ms).as_deref());
    o.optional("rtt_ms", number(pair.rtt_ms()).as_deref());
    o.member("status", if pair.error { "\"error\"" } else { "\"success\"" });
    o.end();
    line.push(b'\n');
}

fn checkpoint(tally: &Tally, last_seq: Option<u64>, moment: Option<&str>, line: &mut Vec<u8>) {
    line.clear();
    let s = &tally.stats;
    let mut o = Object::begin(line);
    o.member("type", "\"checkpoint\"");
    o.optional("checkpoint_at", moment.map(quoted).as_deref());
    // A tape without frames says 0, as writers of the format do.
    o.member("seq", &last_seq.unwrap_or(0).to_string());
    o.object("stats", |o| {
        o.member("frame_count", &s.frames.to_string());
        let duration = s.duration_ms.or((s.frames == 0).then_some(0));
        o.optional("duration_ms", duration.map(|d| d.to_string()).as_deref());
        o.object("message_counts", |o| {
            o.member("client_to_server", &s.client_to_server.to_string());
            o.member("server_to_client", &s.server_to_client.to_string());
        });
        o.member("error_count", &s.errors.to_string());
        o.member("correlation_count", &s.correlations.to_string());
    });
    o.end();
    line.push(b'\n');
}
