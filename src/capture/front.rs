//! What was taken and not yet appended, and what is known of it.

use std::collections::VecDeque;

use super::options::OnStorageFailure;
use super::records::PerformanceStats;
use super::writing::WAITING_BYTES_MAX;
use crate::codec::digest::CustodyId;
use crate::error::{Code, Error, Result};
use crate::interchange::{FrameCounts, FramePair};
use crate::ledger::LiveTape;
use crate::tape::{EndState, Frame, Gap, GapReason, LiveRecord};
use crate::time::Reading;

/// Pairs of request and answer that are remembered, so that who writes them too does not write them twice.
const PAIRS_KEPT: usize = 1_024;
/// Requests whose answers are waited for while the session goes on; the tape joins more of them when it is sealed. What a
/// recording holds stays small also when nobody ever answers.
const OPEN_REQUESTS_MAX: usize = 512;
/// Records of one piece, in memory, as far as frames can be parted.
const PIECE_BYTES_TARGET: usize = 256 << 10;
/// What a record takes in memory beside its payload: itself, and the least that one allocation of its own does. A million lines
/// of a byte each weigh what they are held in, not what they say.
const RECORD_BYTES: usize = size_of::<LiveRecord>() + 32;

pub(super) struct Front {
    waiting: Vec<LiveRecord>,
    pub waiting_bytes: usize,
    /// Bytes on their way into the spool: they are in memory as well, and come back when it takes none.
    pub under_way_bytes: usize,
    pub counts: FrameCounts,
    pub pairs: VecDeque<(u64, u64)>,
    pub performance: PerformanceStats,
    pub next_seq: u64,
    started: Reading,
    /// The newest time that a frame got here: a clock that goes back does not take the session with it.
    last_ns: u64,
    pub is_paused: bool,
    paused_frames: u64,
    /// Frames that were counted for want of storage since the last gap that says so,
    lost_frames: u64,
    /// and those that a gap tells of, with those of pauses.
    told_frames: u64,
    pub is_failing: bool,
    pub failed: Option<(Code, String)>,
    pub is_ended: bool,
}

pub(super) fn ended() -> Error {
    Error::new(Code::Conflict, "this recording has ended").with_hint("begin another")
}

impl Front {
    pub fn new(started: Reading) -> Self {
        Self {
            waiting: Vec::new(),
            waiting_bytes: 0,
            under_way_bytes: 0,
            counts: FrameCounts::bounded(OPEN_REQUESTS_MAX),
            pairs: VecDeque::new(),
            performance: PerformanceStats::default(),
            next_seq: 0,
            started,
            last_ns: 0,
            is_paused: false,
            paused_frames: 0,
            lost_frames: 0,
            told_frames: 0,
            is_failing: false,
            failed: None,
            is_ended: false,
        }
    }

    /// Refuses what comes after the end, or after a failure that ended the recording.
    pub fn open(&self, policy: OnStorageFailure) -> Result<()> {
        match &self.failed {
            _ if self.is_ended => Err(ended()),
            Some((code, words)) if policy == OnStorageFailure::Stop => {
                Err(Error::new(*code, format!("this recording failed: {words}")))
            }
            _ => Ok(()),
        }
    }

    /// Does a frame have to be refused, or counted only?
    pub fn refuses(&mut self, policy: OnStorageFailure) -> Option<Result<()>> {
        if let Err(e) = self.open(policy) {
            // It may have happened all the same, before anybody knew of the failure: the tape says how many there were.
            self.lost_frames = self.lost_frames.saturating_add(u64::from(!self.is_ended));
            return Some(Err(e));
        }
        if self.is_paused {
            self.paused_frames = self.paused_frames.saturating_add(1);
            return Some(Ok(()));
        }
        let is_full = self.is_failing && self.held_bytes() > WAITING_BYTES_MAX;
        if policy == OnStorageFailure::ContinueWithGap && (self.failed.is_some() || is_full) {
            self.lost_frames = self.lost_frames.saturating_add(1);
            return Some(Ok(()));
        }
        None
    }

    /// Takes a frame, in pieces if it is too long for one; the number of the first. `now` is for one without times.
    pub fn take(&mut self, mut frame: Frame, now: Option<Reading>) -> Result<u64> {
        // A gap stands where the frames were lost: before the first that is taken again, whoever takes what waits just now.
        self.tell_lost();
        if let Some(now) = now {
            if frame.t_ns.is_none() {
                self.last_ns = self.last_ns.max(now.monotonic_ns.saturating_sub(self.started.monotonic_ns));
                frame.t_ns = Some(self.last_ns);
            }
            frame.wall_ns = frame.wall_ns.or_else(|| Some(now.wall.as_ms().saturating_mul(1_000_000)));
        }
        let seq = self.next_seq;
        if frame.payload.len() <= crate::codec::limits::FRAME_PAYLOAD_BYTES_MAX {
            self.push(frame)?;
        } else {
            for piece in frame.pieces() {
                self.push(piece)?;
            }
        }
        Ok(seq)
    }

    fn push(&mut self, mut frame: Frame) -> Result<()> {
        frame.seq = self.next_seq;
        // Too long an envelope is refused here, where who gave it still knows of it.
        frame.parts()?;
        let pairs = self.counts.frame_pairs(&mut frame);
        pairs.iter().for_each(|pair| self.pair(pair));
        self.next_seq = self.next_seq.saturating_add(1);
        self.record(LiveRecord::Frame(frame));
        Ok(())
    }

    fn pair(&mut self, pair: &FramePair) {
        if self.pairs.len() >= PAIRS_KEPT {
            self.pairs.pop_front();
        }
        self.pairs.push_back((pair.request_seq, pair.response_seq));
        if let (Some(asked), Some(answered)) = (pair.request_t_ms, pair.response_t_ms) {
            self.performance.add(answered.saturating_sub(asked));
        }
    }

    pub fn record(&mut self, record: LiveRecord) {
        self.waiting_bytes = self.waiting_bytes.saturating_add(held_by(&record));
        self.waiting.push(record);
    }

    /// Bytes of all that is in memory.
    pub const fn held_bytes(&self) -> usize {
        self.waiting_bytes.saturating_add(self.under_way_bytes)
    }

    pub fn take_waiting(&mut self) -> Vec<LiveRecord> {
        self.under_way_bytes = std::mem::take(&mut self.waiting_bytes);
        std::mem::take(&mut self.waiting)
    }

    pub fn give_back(&mut self, mut records: Vec<LiveRecord>) {
        let bytes = records.iter().map(held_by).sum::<usize>();
        self.waiting_bytes = self.waiting_bytes.saturating_add(bytes);
        records.append(&mut self.waiting);
        self.waiting = records;
    }

    pub fn pause(&mut self, wall_ns: u64) {
        if !std::mem::replace(&mut self.is_paused, true) {
            self.tell_lost();
            self.record(LiveRecord::Paused { wall_ns });
        }
    }

    pub fn resume(&mut self, wall_ns: u64) {
        if std::mem::take(&mut self.is_paused) {
            self.tell_paused();
            self.record(LiveRecord::Resumed { wall_ns });
        }
    }

    fn tell_paused(&mut self) {
        let count = std::mem::take(&mut self.paused_frames);
        self.told_frames = self.told_frames.saturating_add(count);
        self.record(LiveRecord::Gap(Gap { before_seq: self.next_seq, reason: GapReason::Paused, count }));
    }

    /// A gap where frames were lost for want of storage.
    pub fn tell_lost(&mut self) {
        let count = std::mem::take(&mut self.lost_frames);
        if count > 0 {
            self.told_frames = self.told_frames.saturating_add(count);
            self.record(LiveRecord::Gap(Gap { before_seq: self.next_seq, reason: GapReason::StorageFailed, count }));
        }
    }

    /// Frames that were counted and not taken, told of or not.
    pub const fn lost(&self) -> u64 {
        self.told_frames.saturating_add(self.lost_frames).saturating_add(self.paused_frames)
    }

    /// The end, behind everything that was taken.
    pub fn end(&mut self, state: EndState, wall_ns: u64) {
        self.is_ended = true;
        self.resume(wall_ns);
        self.tell_lost();
        self.record(LiveRecord::Ended { state, wall_ns, next: None });
    }

    /// The end of a part, which is all that is left to be appended to it.
    pub fn end_part(&mut self, wall_ns: u64, next: CustodyId) -> Vec<LiveRecord> {
        self.tell_lost();
        if self.is_paused {
            self.tell_paused();
        }
        self.record(LiveRecord::Ended { state: EndState::Continued, wall_ns, next: Some(next) });
        self.take_waiting()
    }

    /// The part goes on after all: its end was not stored.
    pub fn part_goes_on(&mut self, mut waiting: Vec<LiveRecord>, wall_ns: u64) {
        waiting.retain(|record| !matches!(record, LiveRecord::Ended { .. }));
        self.give_back(waiting);
        self.paused_still(wall_ns);
    }

    /// Another part begins, in a spool that has not failed.
    pub fn begin_again(&mut self, now: Reading, wall_ns: u64) {
        (self.next_seq, self.started, self.last_ns) = (0, now, 0);
        self.counts = FrameCounts::bounded(OPEN_REQUESTS_MAX);
        self.pairs.clear();
        self.paused_still(wall_ns);
    }

    fn paused_still(&mut self, wall_ns: u64) {
        if self.is_paused {
            self.record(LiveRecord::Paused { wall_ns });
        }
    }
}

/// Appends records in pieces; what could not be appended is left in `waiting`.
pub(super) fn append_all(live: &mut LiveTape, waiting: &mut Vec<LiveRecord>) -> Result<()> {
    while !waiting.is_empty() {
        let (mut bytes, mut count) = (0usize, 0usize);
        for record in waiting.iter() {
            bytes = bytes.saturating_add(held_by(record));
            if count > 0 && bytes > PIECE_BYTES_TARGET {
                break;
            }
            count = count.saturating_add(1);
        }
        live.append(waiting.get(..count).unwrap_or_default())?;
        waiting.drain(..count);
    }
    Ok(())
}

/// Bytes of memory that a record is held in.
fn held_by(record: &LiveRecord) -> usize {
    match record {
        LiveRecord::Frame(frame) => frame.payload.len().saturating_add(RECORD_BYTES),
        _ => RECORD_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tape::Direction;
    use crate::time::Timestamp;

    fn at(monotonic_ns: u64) -> Reading {
        Reading { wall: Timestamp::from_ms(7), monotonic_ns }
    }

    fn frame() -> Frame {
        Frame::message(0, Direction::ClientToServer, b"{}".to_vec())
    }

    fn records(front: &mut Front) -> Vec<LiveRecord> {
        front.take_waiting()
    }

    #[test]
    fn a_frame_has_the_time_at_which_it_came_and_is_no_older_than_the_one_before() {
        let mut front = Front::new(at(100));
        for came in [150, 140, 160] {
            front.take(frame(), Some(at(came))).unwrap();
        }
        let times: Vec<_> = records(&mut front)
            .into_iter()
            .map(|record| match record {
                LiveRecord::Frame(frame) => frame.t_ns,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(times, [Some(50), Some(50), Some(60)]);
    }

    #[test]
    fn what_is_refused_after_a_failure_is_counted_and_what_comes_after_the_end_is_not() {
        let mut front = Front::new(at(0));
        front.take(frame(), Some(at(1))).unwrap();
        front.failed = Some((Code::StoreFull, "full".into()));
        for _ in 0..5 {
            let refused = front.refuses(OnStorageFailure::Stop).unwrap();
            assert_eq!(refused.unwrap_err().code(), Code::StoreFull);
        }
        front.end(EndState::Clean, 0);
        assert_eq!(front.refuses(OnStorageFailure::Stop).unwrap().unwrap_err().code(), Code::Conflict);
        let gaps: Vec<_> =
            records(&mut front).into_iter().filter(|record| matches!(record, LiveRecord::Gap(_))).collect();
        assert_eq!(gaps, [LiveRecord::Gap(Gap { before_seq: 1, reason: GapReason::StorageFailed, count: 5 })]);
        assert_eq!(front.lost(), 5);
    }
}
