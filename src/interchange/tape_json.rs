//! The older tapes that are one JSON document: `Tape` of version 1 as recorders wrote it, the drafts around it, and version 0.
//!
//! A document says less of itself than lines do, so it is kept whole as the source; the frames, with the messages as they stand in
//! it, are what can be read and searched.

use super::document::{Fields, Items, members, not_this, place};
use super::draft::Draft;
use super::json::{Members, elements, string, whole};
use super::v2::{At, Context, FrameRecord, Frames, Names, moment};
use crate::codec::limits::{LABEL_BYTES_MAX, TAGS_MAX};
use crate::error::Result;
use crate::tape::{Delimiter, Frame, Header, Labels, TapeKind};

const NAMES: Names = Names {
    seq: &["sequence", "seq"],
    direction: &["direction", "dir"],
    envelope: &["envelope", "env"],
    action: &["interceptor_action", "action"],
    transport: &["transport_metadata", "transport"],
    time,
    bare_message: true,
};

/// The import of one document.
pub(super) struct TapeJson {
    draft: Draft,
    document: String,
    items: Items,
    frames: Frames,
    /// Elements of the list so far.
    met: u64,
    header: Header,
}

impl TapeJson {
    /// Reads everything but the frames.
    ///
    /// # Errors
    /// `E_NOT_A_TAPE`, `E_TRUNCATED_INPUT`.
    pub(super) fn open(document: String, mut draft: Draft) -> Result<Self> {
        let mut m = members(&document)?;
        let list = m.peek("frames").filter(|frames| frames.starts_with('['));
        let list = list.map(|list| place(&document, list)).ok_or_else(|| not_this("has no list \"frames\""))?;
        m.read_raw("frames");
        let mut header = Header::new(TapeKind::Mcp);
        let metadata = m.peek("metadata").and_then(|metadata| Members::parse(metadata).ok());
        let mut metadata = metadata.unwrap_or_default();
        let bytes = |text: std::borrow::Cow<'_, str>| text.into_owned().into_bytes();
        header.legacy_tape_id = m.read_string("id").or_else(|| metadata.read_string("id")).map(bytes);
        header.session_id = m.read_string("session_id").map(bytes);
        header.protocol = m.read_string("protocol_version").map(bytes);
        header.labels = labels(&mut metadata);
        let created = m.peek("created_at").or_else(|| metadata.peek("created_at"));
        header.started_wall_ns = created.and_then(moment).map(|(ns, _)| ns);
        m.read("created_at", |text| moment(text).filter(|(_, again)| *again));
        if m.peek("correlations").is_some_and(|list| list.trim() == "[]") {
            m.read_raw("correlations");
        }
        let fields = Fields::of("", m.left());
        fields.loss().into_iter().for_each(|loss| draft.losses.about_all(loss));
        header.extra = fields.kept;
        let frames = Frames::starting(header.started_wall_ns);
        Ok(Self { draft, items: Items::new(list), document, frames, met: 0, header })
    }

    /// The next frame.
    pub(super) fn next(&mut self) -> Option<Frame> {
        while let Some(item) = self.items.next(&self.document) {
            let at = At { unit: "frame", number: self.met };
            self.met = self.met.saturating_add(1);
            let context =
                Context { position: self.draft.tally.stats.frames, session_id: self.header.session_id.as_deref() };
            let record = Members::parse(item)
                .map_err(|why| why.words().to_owned())
                .and_then(|m| FrameRecord::read(m, &NAMES, context).map_err(|why| why.words()));
            match record {
                Ok(record) => return Some(self.frames.frame(record, Delimiter::None, at, &mut self.draft).0),
                Err(why) => {
                    self.draft.losses.note(format!("{at} of the list {why}; it stands in the kept source alone"));
                }
            }
        }
        None
    }

    /// The header's fields that this format knows of, and what did not fit.
    pub(super) fn finish(self) -> (Header, Draft) {
        let Self { mut draft, frames, mut header, document, .. } = self;
        header.gaps = frames.finish(&mut draft);
        header.protocol = header.protocol.or_else(|| draft.tally.protocol());
        header.span_ns = draft.tally.span_ns();
        let ended = header.started_wall_ns.zip(header.span_ns).and_then(|(start, span)| start.checked_add(span));
        header.ended_wall_ns = draft.tally.latest_wall_ns().or(ended);
        let claimed = members(&document).ok().and_then(|m| count(m.peek("correlations")?));
        let joined = draft.tally.stats.correlations;
        if let Some(claimed) = claimed.filter(|claimed| *claimed != joined) {
            draft.losses.about_all(format!("the document lists {claimed} correlations (the frames give {joined})"));
        }
        (header, draft)
    }
}

fn count(list: &str) -> Option<u64> {
    let mut count = 0u64;
    elements(list, |_| count = count.saturating_add(1)).ok()?;
    Some(count)
}

fn labels(metadata: &mut Members<'_>) -> Labels {
    let fits = |text: std::borrow::Cow<'_, str>| {
        Some(text.into_owned().into_bytes()).filter(|text| text.len() <= LABEL_BYTES_MAX)
    };
    let name = metadata.read_string("name").and_then(fits);
    let description = metadata.read_string("description").and_then(fits);
    let mut tags = Vec::new();
    let list = metadata.read_raw("tags").unwrap_or("[]");
    let read = elements(list, |tag| {
        if let Some(tag) = string(tag).and_then(fits).filter(|_| tags.len() < TAGS_MAX) {
            tags.push(tag);
        }
    });
    // The metadata stands whole among the extra fields: what is no label is not lost.
    if read.is_err() {
        tags.clear();
    }
    Labels { name, description, tags }
}

/// `{"secs": 1, "nanos": 5}` since the start, whole milliseconds since the start, or a moment.
fn time(m: &mut Members<'_>) -> (Option<u64>, Option<u64>) {
    let name = if m.peek("timestamp").is_some() { "timestamp" } else { "ts" };
    let since = m.read(name, |text| since_start(text).or_else(|| whole(text)?.checked_mul(1_000_000)));
    if since.is_some() {
        return (since, None);
    }
    // A moment whose text cannot be made again stays among the extra fields.
    let wall = m.peek(name).and_then(moment);
    m.read(name, |text| moment(text).filter(|(_, again)| *again));
    (None, wall.map(|(ns, _)| ns))
}

fn since_start(text: &str) -> Option<u64> {
    let mut m = Members::parse(text).ok()?;
    let (secs, nanos) = (m.read("secs", whole)?, m.read("nanos", whole)?);
    if m.left().next().is_some() {
        return None;
    }
    secs.checked_mul(1_000_000_000)?.checked_add(nanos)
}
