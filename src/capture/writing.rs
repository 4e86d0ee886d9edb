//! What a recording's writer, its syncer and its marks share.
//!
//! Two locks, so that taking a frame never waits for the disk: `front` holds what was taken and not yet appended, `back`
//! the spool. Whoever needs both takes `back` first.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::access::LedgerAccess;
use super::counts::Counters;
use super::options::{Durability, OnStorageFailure, RecordingOptions};
use super::records::{CorrelationRecord, PerformanceStats, TapeStatus};
use crate::codec::digest::CustodyId;
use crate::error::{Code, Error, Result};
use crate::interchange::{FrameCounts, FramePair};
use crate::ledger::{LiveMark, LiveTape, SaveReceipt, Who};
use crate::tape::{EndState, Frame, Gap, GapReason, LiveRecord};
use crate::time::{Clock, Reading};

/// More than this waiting for the spool makes who records wait: bounded memory comes before speed.
const WAITING_BYTES_MAX: usize = 1 << 20;
/// From here on the syncer is woken before its time.
pub(super) const WAITING_BYTES_EARLY: usize = 128 << 10;
/// Content of one piece, as far as frames can be parted.
const PIECE_BYTES_TARGET: usize = 256 << 10;
/// Pairs of request and answer that are remembered, so that who writes them too does not write them twice.
const PAIRS_KEPT: usize = 1_024;
/// After a mark or a part that failed.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// One recording.
pub(super) struct Writing {
    pub access: LedgerAccess,
    pub who: Who,
    pub options: RecordingOptions,
    pub clock: Arc<dyn Clock>,
    pub counters: Counters,
    front: Mutex<Front>,
    back: Mutex<Back>,
    /// A mark is on its way to the log.
    marking: AtomicBool,
    /// A part is being opened.
    pub parting: AtomicBool,
    parts: Mutex<Vec<SaveReceipt>>,
}

/// What was taken, and what is known of it.
struct Front {
    waiting: Vec<LiveRecord>,
    waiting_bytes: usize,
    counts: FrameCounts,
    pairs: VecDeque<(u64, u64)>,
    performance: PerformanceStats,
    next_seq: u64,
    started: Reading,
    is_paused: bool,
    paused_frames: u64,
    lost_frames: u64,
    is_failing: bool,
    failed: Option<(Code, String)>,
    is_ended: bool,
}

/// The spool, and what the log was told of it.
struct Back {
    live: Option<LiveTape>,
    marked_frames: u64,
    marked_ns: u64,
    opened_ns: u64,
    /// When a part that could not be begun is tried again.
    part_again_ns: u64,
}

/// What a moment's look at a recording shows.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub status: TapeStatus,
    pub stats: crate::tape::Stats,
    pub protocol: Option<Vec<u8>>,
    pub performance: PerformanceStats,
    pub spooled_bytes: u64,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writing {
    pub fn new(
        access: LedgerAccess,
        who: Who,
        options: RecordingOptions,
        clock: Arc<dyn Clock>,
        live: LiveTape,
    ) -> Self {
        let started = clock.read();
        let now = started.monotonic_ns;
        Self {
            access,
            who,
            options,
            clock,
            counters: Counters::default(),
            front: Mutex::new(Front::new(started)),
            back: Mutex::new(Back {
                live: Some(live),
                marked_frames: 0,
                marked_ns: now,
                opened_ns: now,
                part_again_ns: 0,
            }),
            marking: AtomicBool::new(false),
            parting: AtomicBool::new(false),
            parts: Mutex::default(),
        }
    }

    /// Takes a frame: gives it its number, and its times where it has none. `None` when it was counted and not taken,
    /// because the recording is paused, or goes on without storage.
    pub fn take(&self, mut frame: Frame) -> Result<Option<u64>> {
        let now = self.clock.read();
        let (seq, bytes) = {
            let mut front = lock(&self.front);
            if let Some(refused) = front.refuses(self.options.on_storage_failure) {
                return refused.map(|()| None);
            }
            frame.t_ns = frame.t_ns.or_else(|| Some(now.monotonic_ns.saturating_sub(front.started.monotonic_ns)));
            frame.wall_ns = frame.wall_ns.or_else(|| Some(now.wall.as_ms().saturating_mul(1_000_000)));
            let seq = front.next_seq;
            if frame.payload.len() <= crate::codec::limits::FRAME_PAYLOAD_BYTES_MAX {
                front.push(frame)?;
            } else {
                for piece in frame.pieces() {
                    front.push(piece)?;
                }
            }
            Counters::add(&self.counters.frames, front.next_seq.saturating_sub(seq));
            (seq, front.waiting_bytes)
        };
        if self.options.durability == Durability::Each {
            self.flush(true)?;
        } else if bytes > WAITING_BYTES_MAX {
            self.flush(false)?;
        }
        Ok(Some(seq))
    }

    /// Takes a correlation that the messages do not show by themselves.
    pub fn correlation(&self, record: &CorrelationRecord) -> Result<()> {
        let pair = (record.request_seq, record.response_seq);
        if lock(&self.front).pairs.contains(&pair) {
            return Ok(());
        }
        self.take(super::records::marker(record)).map(|_| ())
    }

    pub fn waiting_bytes(&self) -> usize {
        lock(&self.front).waiting_bytes
    }

    /// Appends what waits; durable on return when `sync`.
    pub fn flush(&self, sync: bool) -> Result<()> {
        let mut back = lock(&self.back);
        let done = self.flush_back(&mut back, sync);
        drop(back);
        done.map_err(|e| self.failed(e))
    }

    fn flush_back(&self, back: &mut Back, sync: bool) -> Result<()> {
        let Some(live) = back.live.as_mut() else { return Ok(()) };
        let mut waiting = lock(&self.front).take_waiting();
        let appended = append_all(live, &mut waiting);
        if !waiting.is_empty() {
            lock(&self.front).give_back(waiting);
        }
        appended?;
        if sync {
            live.sync()?;
            Counters::add(&self.counters.syncs, 1);
            self.counters.durable_frames.store(live.frames(), Ordering::Relaxed);
        }
        let mut front = lock(&self.front);
        if std::mem::take(&mut front.is_failing) {
            front.tell_lost();
        }
        Ok(())
    }

    /// What a failure means. One that may pass leaves what waits where it is.
    fn failed(&self, e: Error) -> Error {
        let mut front = lock(&self.front);
        let may_pass = matches!(e.code(), Code::StoreFull | Code::Io | Code::NoRandom);
        front.is_failing = true;
        if !may_pass || self.options.on_storage_failure == OnStorageFailure::Stop {
            front.failed = Some((e.code(), e.message().to_owned()));
        }
        e
    }

    /// Frames are counted and not taken from here on.
    pub fn pause(&self) -> Result<()> {
        let wall_ns = self.wall_ns();
        let mut front = lock(&self.front);
        front.open()?;
        if !std::mem::replace(&mut front.is_paused, true) {
            front.record(LiveRecord::Paused { wall_ns }, 16);
        }
        Ok(())
    }

    /// Frames are taken again; a gap says how many were not.
    pub fn resume(&self) -> Result<()> {
        let wall_ns = self.wall_ns();
        let mut front = lock(&self.front);
        front.open()?;
        front.resume(wall_ns);
        Ok(())
    }

    pub fn wall_ns(&self) -> u64 {
        self.clock.read().wall.as_ms().saturating_mul(1_000_000)
    }

    /// No more frames. The end goes to the spool behind the last of them.
    pub fn end(&self, state: EndState) -> Result<(Option<LiveTape>, Result<()>)> {
        let wall_ns = self.wall_ns();
        {
            let mut front = lock(&self.front);
            if front.is_ended {
                return Err(ended());
            }
            front.is_ended = true;
            front.resume(wall_ns);
            front.tell_lost();
            front.record(LiveRecord::Ended { state, wall_ns, next: None }, 64);
        }
        let mut back = lock(&self.back);
        let flushed = self.flush_back(&mut back, true);
        Ok((back.live.take(), flushed))
    }

    /// Puts another spool in the place of the one that is full: what was taken goes into the old one, and the old one back.
    pub fn next_part(&self, next: LiveTape) -> (Option<LiveTape>, Result<()>) {
        let now = self.clock.read();
        let wall_ns = now.wall.as_ms().saturating_mul(1_000_000);
        let mut back = lock(&self.back);
        let ended = LiveRecord::Ended { state: EndState::Continued, wall_ns, next: Some(next.custody()) };
        lock(&self.front).record(ended, 64);
        let flushed = self.flush_back(&mut back, true);
        let old = back.live.replace(next);
        (back.marked_frames, back.marked_ns, back.opened_ns) = (0, now.monotonic_ns, now.monotonic_ns);
        lock(&self.front).begin_again(now);
        Counters::add(&self.counters.parts, 1);
        (old, flushed)
    }

    /// Has this part become too long, in bytes or in time?
    pub fn is_part_over(&self) -> bool {
        let now = self.clock.read().monotonic_ns;
        let back = lock(&self.back);
        let Some(live) = &back.live else { return false };
        let age = Duration::from_nanos(now.saturating_sub(back.opened_ns));
        let is_time = now >= back.part_again_ns;
        is_time
            && live.frames() > 0
            && (live.stored_bytes() >= self.options.part_bytes || age >= self.options.part_every)
    }

    /// A part could not be begun.
    pub fn part_failed(&self) {
        let soon = self.clock.read().monotonic_ns.saturating_add(AGAIN_AFTER.as_nanos() as u64);
        lock(&self.back).part_again_ns = soon;
    }

    /// Part of the session is a tape.
    pub fn keep_part(&self, receipt: SaveReceipt) {
        lock(&self.parts).push(receipt);
    }

    pub fn take_parts(&self) -> Vec<SaveReceipt> {
        std::mem::take(&mut *lock(&self.parts))
    }

    /// The recording that is written to now.
    pub fn custody(&self) -> Option<CustodyId> {
        lock(&self.back).live.as_ref().map(LiveTape::custody)
    }

    /// The mark that is due, if one is. Everything it names is durable.
    pub fn due_mark(&self, is_asked: bool) -> Result<Option<LiveMark>> {
        let now = self.clock.read();
        let mut back = lock(&self.back);
        let Some(frames) = back.live.as_ref().map(LiveTape::frames) else { return Ok(None) };
        let more = frames.saturating_sub(back.marked_frames);
        let age = Duration::from_nanos(now.monotonic_ns.saturating_sub(back.marked_ns));
        let is_due = more >= self.options.mark_frames || age >= self.options.mark_every || is_asked;
        if more == 0 || !is_due || self.marking.swap(true, Ordering::AcqRel) {
            return Ok(None);
        }
        if let Err(e) = self.flush_back(&mut back, true) {
            self.marking.store(false, Ordering::Release);
            return Err(e);
        }
        let mark = back.live.as_ref().map(LiveTape::mark);
        if let Some(mark) = &mark {
            (back.marked_frames, back.marked_ns) = (mark.frames, now.monotonic_ns);
            let wall_ns = now.wall.as_ms().saturating_mul(1_000_000);
            lock(&self.front).record(LiveRecord::Mark { frames: mark.frames, root: mark.root, wall_ns }, 64);
        }
        Ok(mark)
    }

    /// What came of the mark that was due.
    pub fn marked(&self, done: Result<u64>) {
        match done {
            Ok(_) => Counters::add(&self.counters.marks, 1),
            Err(_) => {
                // The next try comes soon, and not at once: what keeps the log shut may last.
                let every = self.options.mark_every;
                let soon = every.saturating_sub(AGAIN_AFTER).as_nanos();
                let mut back = lock(&self.back);
                let now = self.clock.read().monotonic_ns;
                back.marked_frames = 0;
                back.marked_ns = now.saturating_sub(u64::try_from(soon).unwrap_or(u64::MAX));
            }
        }
        self.marking.store(false, Ordering::Release);
    }

    pub fn look(&self) -> Look {
        let spooled_bytes = lock(&self.back).live.as_ref().map_or(0, LiveTape::stored_bytes);
        let front = lock(&self.front);
        let mut performance = front.performance;
        let stats = front.counts.stats();
        performance.rate(stats.frames, front.counts.span_ns().unwrap_or(0));
        let status = match (&front.failed, front.is_ended, front.is_paused) {
            (Some((_, words)), ..) => TapeStatus::Error(words.clone()),
            (None, true, _) => TapeStatus::Finalized,
            (None, false, true) => TapeStatus::Paused,
            (None, false, false) => TapeStatus::Recording,
        };
        Look { status, stats, protocol: front.counts.protocol(), performance, spooled_bytes }
    }

    /// Frames that were counted and not taken.
    pub fn lost(&self) -> u64 {
        let front = lock(&self.front);
        let before = Counters::get(&self.counters.lost_frames);
        before.saturating_add(front.lost_frames).saturating_add(front.paused_frames)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // A writer that was not finalized: what it took is still made durable, as far as that goes. The next start seals it.
        let _as_far_as_it_goes = self.flush(true);
    }
}

fn ended() -> Error {
    Error::new(Code::Conflict, "this recording has ended").with_hint("begin another")
}

/// Appends records in pieces; what could not be appended is left in `waiting`.
fn append_all(live: &mut LiveTape, waiting: &mut Vec<LiveRecord>) -> Result<()> {
    while !waiting.is_empty() {
        let (mut bytes, mut count) = (0usize, 0usize);
        for record in waiting.iter() {
            bytes = bytes.saturating_add(size_of_record(record));
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

fn size_of_record(record: &LiveRecord) -> usize {
    match record {
        LiveRecord::Frame(frame) => frame.payload.len().saturating_add(64),
        _ => 64,
    }
}

impl Front {
    fn new(started: Reading) -> Self {
        Self {
            waiting: Vec::new(),
            waiting_bytes: 0,
            counts: FrameCounts::default(),
            pairs: VecDeque::new(),
            performance: PerformanceStats::default(),
            next_seq: 0,
            started,
            is_paused: false,
            paused_frames: 0,
            lost_frames: 0,
            is_failing: false,
            failed: None,
            is_ended: false,
        }
    }

    fn open(&self) -> Result<()> {
        match &self.failed {
            _ if self.is_ended => Err(ended()),
            Some((code, words)) => Err(Error::new(*code, format!("this recording failed: {words}"))),
            None => Ok(()),
        }
    }

    /// Does a frame have to be refused, or counted only?
    fn refuses(&mut self, policy: OnStorageFailure) -> Option<Result<()>> {
        let goes_on = policy == OnStorageFailure::ContinueWithGap && !self.is_ended;
        let is_full = self.is_failing && self.waiting_bytes > WAITING_BYTES_MAX;
        if goes_on && (self.failed.is_some() || is_full) {
            self.lost_frames = self.lost_frames.saturating_add(1);
            return Some(Ok(()));
        }
        if let Err(e) = self.open() {
            return Some(Err(e));
        }
        if self.is_paused {
            self.paused_frames = self.paused_frames.saturating_add(1);
            return Some(Ok(()));
        }
        None
    }

    fn push(&mut self, mut frame: Frame) -> Result<()> {
        frame.seq = self.next_seq;
        // Too long an envelope is refused here, where who gave it still knows of it.
        frame.parts()?;
        let pairs = self.counts.frame_pairs(&mut frame);
        pairs.iter().for_each(|pair| self.pair(pair));
        self.next_seq = self.next_seq.saturating_add(1);
        let bytes = frame.payload.len().saturating_add(64);
        self.record(LiveRecord::Frame(frame), bytes);
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

    fn record(&mut self, record: LiveRecord, bytes: usize) {
        self.waiting.push(record);
        self.waiting_bytes = self.waiting_bytes.saturating_add(bytes);
    }

    fn take_waiting(&mut self) -> Vec<LiveRecord> {
        self.waiting_bytes = 0;
        std::mem::take(&mut self.waiting)
    }

    fn give_back(&mut self, mut records: Vec<LiveRecord>) {
        let bytes = records.iter().map(size_of_record).sum::<usize>();
        self.waiting_bytes = self.waiting_bytes.saturating_add(bytes);
        records.append(&mut self.waiting);
        self.waiting = records;
    }

    fn resume(&mut self, wall_ns: u64) {
        if std::mem::take(&mut self.is_paused) {
            let count = std::mem::take(&mut self.paused_frames);
            let gap = Gap { before_seq: self.next_seq, reason: GapReason::Paused, count };
            self.record(LiveRecord::Gap(gap), 32);
            self.record(LiveRecord::Resumed { wall_ns }, 16);
        }
    }

    /// A gap where frames were lost for want of storage.
    fn tell_lost(&mut self) {
        let count = std::mem::take(&mut self.lost_frames);
        if count > 0 {
            let gap = Gap { before_seq: self.next_seq, reason: GapReason::StorageFailed, count };
            self.record(LiveRecord::Gap(gap), 32);
        }
    }

    fn begin_again(&mut self, now: Reading) {
        (self.next_seq, self.started, self.counts) = (0, now, FrameCounts::default());
        self.pairs.clear();
    }
}
