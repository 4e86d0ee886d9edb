//! HTTP archives (HAR 1.2): exchanges in any order become the heads and bodies that went by, in the order of their times.
//!
//! A head is the `request` or `response` object as it stands in the file, without the text of its body; the body is the next frame,
//! as the bytes that the text stands for. The archive itself is kept as the source.

mod entry;
mod order;
mod secrets;
mod told;

use std::collections::VecDeque;

use self::entry::{Entry, Wanted};
use self::order::{Moment, moments};
use self::told::HarTold;
use super::document::{Fields, members, not_this, place};
use super::draft::Draft;
use super::json::Members;
use crate::error::Result;
use crate::tape::{Frame, Header, TapeKind};

/// The import of one archive.
pub(super) struct Har {
    draft: Draft,
    document: String,
    /// What is still to come, by time.
    moments: VecDeque<Moment>,
    /// Frames of the moment that was met last.
    frames: VecDeque<Frame>,
    started_wall_ns: Option<u64>,
    told: HarTold,
    header: Header,
}

impl Har {
    /// Reads everything but the bodies.
    ///
    /// # Errors
    /// `E_NOT_A_TAPE`, `E_TRUNCATED_INPUT`, `E_LIMIT`.
    pub(super) fn open(document: String, mut draft: Draft) -> Result<Self> {
        let mut outer = members(&document)?;
        let log = outer.read_raw("log").ok_or_else(|| not_this("has no \"log\""))?;
        let mut log = Members::parse(log).map_err(|_| not_this("has a \"log\" that is no object"))?;
        let list = log.read_raw("entries").filter(|entries| entries.starts_with('['));
        let list = list.map(|list| place(&document, list)).ok_or_else(|| not_this("has no list \"entries\""))?;
        let mut header = Header::new(TapeKind::Http);
        let mut fields = Fields::of("har.", log.left());
        fields.loss().into_iter().for_each(|loss| draft.losses.about_all(loss));
        let around = Fields::of("har..", outer.left());
        around.loss().into_iter().for_each(|loss| draft.losses.about_all(loss));
        fields.kept.extend(around.kept);
        header.extra = fields.kept;
        let mut told = HarTold::default();
        let moments = moments(&document, list, &mut told)?;
        header.started_wall_ns = moments.iter().filter_map(|m| m.wall_ns).min();
        let started_wall_ns = header.started_wall_ns;
        Ok(Self { draft, document, moments: moments.into(), frames: VecDeque::new(), started_wall_ns, told, header })
    }

    /// The next frame.
    pub(super) fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(mut frame) = self.frames.pop_front() {
                frame.seq = self.draft.tally.stats.frames;
                let is_body = frame.kind != crate::tape::FrameKind::HttpHead;
                // A head has a method, too, but it is no message.
                let text = std::str::from_utf8(&frame.payload).ok();
                let seen = self.draft.tally.frame(&frame, text.filter(|_| is_body), frame.seq);
                frame.flags |= seen.flags;
                return Some(frame);
            }
            let moment = self.moments.pop_front()?;
            let text = self.document.get(moment.text.clone()).unwrap_or_default();
            let wanted = Wanted { number: moment.number, part: moment.part };
            let entry = Entry { text, started_wall_ns: self.started_wall_ns };
            let frames = entry.frames(wanted, (moment.wall_ns, moment.inferred), &mut self.told);
            self.frames.extend(frames);
        }
    }

    /// The header's fields that this format knows of, and what did not fit.
    pub(super) fn finish(self) -> (Header, Draft) {
        let Self { mut draft, mut header, told, .. } = self;
        told.tell(&mut draft.losses);
        header.protocol = draft.tally.protocol();
        header.span_ns = draft.tally.span_ns();
        header.ended_wall_ns = draft.tally.latest_wall_ns();
        (header, draft)
    }
}
