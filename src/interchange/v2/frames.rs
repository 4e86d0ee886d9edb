//! Frames out of frame records: how the source's own numbering goes on, and times that are missing.

use super::super::draft::Draft;
use super::super::export::source_seq;
use super::super::losses::amount;
use super::super::pairing::Pair;
use super::beside;
use super::records::FrameRecord;
use crate::tape::{Delimiter, Frame, Gap, GapReason, flags};

/// Most gaps listed in the header; every one is flagged at its frame.
const GAPS_MAX: usize = 10_000;

/// Where a record stands, in words: `line 7`.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct At {
    /// What is counted.
    pub(in super::super) unit: &'static str,
    /// The number.
    pub(in super::super) number: u64,
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.unit, self.number)
    }
}

/// Makes frames of records, one after another.
#[derive(Default)]
pub(in super::super) struct Frames {
    /// Wall clock of the start of the session.
    pub(in super::super) started_wall_ns: Option<u64>,
    /// Number of the last record.
    pub(in super::super) last_seq: Option<u64>,
    last_t_ns: Option<u64>,
    gaps: Vec<Gap>,
    gaps_unlisted: u64,
}

impl Frames {
    /// Of a session that started then.
    pub(in super::super) fn starting(started_wall_ns: Option<u64>) -> Self {
        Self { started_wall_ns, ..Self::default() }
    }

    /// The frame of a record, and the pairs that it closes.
    pub(in super::super) fn frame(
        &mut self,
        record: FrameRecord<'_>,
        delimiter: Delimiter,
        at: At,
        draft: &mut Draft,
    ) -> (Frame, Vec<Pair>) {
        if record.directions_differ {
            draft.losses.note(format!("{at}: the frame names two directions; \"dir\" was taken"));
        }
        let position = draft.tally.stats.frames;
        let mut frame = Frame::message(position, record.direction, record.message.as_bytes().to_vec());
        frame.delimiter = delimiter;
        frame.wall_ns = record.wall_ns;
        frame.flags = record.flags | self.sequence(record.seq, position, at, draft);
        let (t_ns, inferred) = self.time(&record);
        frame.t_ns = t_ns;
        frame.flags |= inferred;
        frame.action = record.action.map(|a| a.as_bytes().to_vec());
        frame.transport = record.transport.map(|t| t.as_bytes().to_vec());
        frame.correlation_id = record.correlation_id.map(|c| c.into_owned().into_bytes());
        frame.extra = record.extra;
        self.last_t_ns = t_ns.or(self.last_t_ns);
        let seq = record.seq.or(self.last_seq).unwrap_or(position);
        let seen = draft.tally.frame(&frame, Some(&record.message), seq);
        (frame, seen.pairs)
    }

    /// How the source's own numbering goes on from the frame before.
    fn sequence(&mut self, seq: Option<u64>, position: u64, at: At, draft: &mut Draft) -> u64 {
        let Some(seq) = seq else {
            draft.losses.note(format!("{at}: the frame has no number"));
            self.last_seq = self.last_seq.map_or(Some(position), |s| s.checked_add(1));
            return 0;
        };
        self.goes_on(seq, position)
    }

    fn goes_on(&mut self, seq: u64, position: u64) -> u64 {
        let Some(before) = self.last_seq.replace(seq) else {
            return if seq == 0 { 0 } else { self.gap(position, seq) };
        };
        match seq.checked_sub(before) {
            Some(0) => flags::REPEATED_SEQ,
            Some(1) => 0,
            Some(ahead) => self.gap(position, ahead.saturating_sub(1)),
            None => flags::SEQ_BACKWARDS,
        }
    }

    /// A frame from the file beside the tape, at its position, as the numbers go on there.
    pub(in super::super) fn beside(&mut self, mut frame: Frame, draft: &mut Draft) -> Frame {
        let (position, number) = (draft.tally.stats.frames, frame.seq);
        let given = source_seq(&frame).map(|(_, seq)| seq);
        let next = self.last_seq.map_or(Some(0), |last| last.checked_add(1));
        // Of a tape of another format a field of that name counts nothing: its records bear the numbers of the tape.
        let seq = given.filter(|given| Some(*given) == next || Some(number) != next).unwrap_or(number);
        frame.seq = position;
        frame.flags |= self.goes_on(seq, position);
        if given.is_none() && seq != position {
            frame.extra.insert(0, (b"seq".to_vec(), seq.to_string().into_bytes()));
        }
        draft.tally.frame(&frame, beside::text(&frame), seq);
        frame
    }

    fn gap(&mut self, before_seq: u64, count: u64) -> u64 {
        if self.gaps.len() < GAPS_MAX {
            self.gaps.push(Gap { before_seq, reason: GapReason::SequenceJumped, count });
        } else {
            self.gaps_unlisted = self.gaps_unlisted.saturating_add(1);
        }
        flags::GAP_BEFORE
    }

    /// The time of a frame: its own; else from its wall clock; else that of the frame before. Never invented unmarked.
    fn time(&self, record: &FrameRecord<'_>) -> (Option<u64>, u64) {
        if record.t_ns.is_some() {
            return (record.t_ns, 0);
        }
        let by_clock = record.wall_ns.zip(self.started_wall_ns).and_then(|(wall, start)| wall.checked_sub(start));
        let inferred = by_clock.or(self.last_t_ns);
        (inferred, if inferred.is_some() { flags::TIME_INFERRED } else { 0 })
    }

    /// The gaps, once all frames are made.
    pub(in super::super) fn finish(self, draft: &mut Draft) -> Vec<Gap> {
        if self.gaps_unlisted > 0 {
            let more = amount(self.gaps_unlisted, ["more gap is", "more gaps are"]);
            draft.losses.about_all(format!("{more} not listed; every one is flagged at its frame"));
        }
        self.gaps
    }
}
