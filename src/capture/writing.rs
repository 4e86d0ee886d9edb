//! What a recording's writer, its syncer and its marks share.
//!
//! Two locks, so that taking a frame never waits for the disk: `front` holds what was taken and not yet appended, `back`
//! the spool. Whoever needs both takes `back` first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::access::LedgerAccess;
use super::counts::Counters;
use super::ended::{Ended, Parts};
use super::front::{Front, append_all, ended};
use super::options::{Durability, OnStorageFailure, RecordingOptions};
use super::records::{CorrelationRecord, PerformanceStats, TapeStatus};
use super::turn::{Turn, Turns};
use crate::codec::digest::CustodyId;
use crate::error::{Code, Error, Result};
use crate::ledger::{LiveMark, LiveTape, SaveReceipt, Who};
use crate::tape::{EndState, Frame, LiveRecord};
use crate::time::{Clock, Reading};

/// More than this waiting for the spool makes who records wait: bounded memory comes before speed.
pub(super) const WAITING_BYTES_MAX: usize = 1 << 20;
/// From here on the syncer is woken before its time.
pub(super) const WAITING_BYTES_EARLY: usize = 128 << 10;
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
    pub marking: Turns,
    /// Something was appended and not synced.
    unsynced: AtomicBool,
    /// A part is being opened, and the one before it sealed.
    pub parting: Turns,
    parts: Mutex<Parts>,
    /// Told once nothing can be recorded any more, by whoever finds out.
    alarm: OnceLock<Box<dyn Fn(Error) + Send + Sync>>,
}

/// The spool, and what the log was told of it.
struct Back {
    live: Option<LiveTape>,
    marked_frames: u64,
    marked_ns: u64,
    /// When a mark that failed is tried again.
    mark_again_ns: u64,
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
                mark_again_ns: 0,
                opened_ns: now,
                part_again_ns: 0,
            }),
            marking: Turns::default(),
            unsynced: AtomicBool::new(false),
            parting: Turns::default(),
            parts: Mutex::default(),
            alarm: OnceLock::new(),
        }
    }

    /// Takes a frame: gives it its number, and its times where it has none. `None` when it was counted and not taken,
    /// because the recording is paused, or goes on without storage; and when it should be durable and could not be made so.
    pub fn take(&self, frame: Frame) -> Result<Option<u64>> {
        let now = self.options.fills_times.then(|| self.clock.read());
        self.take_of(frame, now, self.options.durability == Durability::Each)
    }

    /// As [`Writing::take`], of a frame that came at this time. Durable on return if it is to be.
    pub fn take_of(&self, frame: Frame, now: Option<Reading>, is_each: bool) -> Result<Option<u64>> {
        let policy = self.options.on_storage_failure;
        let (seq, bytes) = {
            let mut front = lock(&self.front);
            if let Some(refused) = front.refuses(policy) {
                return refused.map(|()| None);
            }
            let seq = front.take(frame, now)?;
            Counters::add(&self.counters.frames, front.next_seq.saturating_sub(seq));
            (seq, front.held_bytes())
        };
        if !is_each && bytes <= WAITING_BYTES_MAX {
            return Ok(Some(seq));
        }
        match self.flush(is_each) {
            // It waits for room; when none comes, the gap counts it.
            Err(_) if policy == OnStorageFailure::ContinueWithGap => Ok((!is_each).then_some(seq)),
            flushed => flushed.map(|()| Some(seq)),
        }
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

    /// Is there anything that the syncer has to see to? What was appended in haste waits for its sync.
    pub fn is_dirty(&self) -> bool {
        let syncs = self.options.durability != Durability::Os;
        self.waiting_bytes() > 0 || (syncs && self.unsynced.load(Ordering::Relaxed))
    }

    /// Appends what waits; everything is durable on return when `sync`.
    pub fn flush(&self, sync: bool) -> Result<()> {
        let mut back = lock(&self.back);
        let done = self.flush_back(&mut back, sync);
        drop(back);
        done.map_err(|e| self.failed(e))
    }

    fn flush_back(&self, back: &mut Back, sync: bool) -> Result<()> {
        let Some(live) = back.live.as_mut() else { return Ok(()) };
        let mut waiting = lock(&self.front).take_waiting();
        if !waiting.is_empty() {
            self.unsynced.store(true, Ordering::Relaxed);
        }
        let appended = append_all(live, &mut waiting);
        {
            let mut front = lock(&self.front);
            front.under_way_bytes = 0;
            front.give_back(waiting);
        }
        appended?;
        // Many marks that fall due together would otherwise be as many syncs of nothing.
        if sync && self.unsynced.load(Ordering::Relaxed) {
            live.sync()?;
            self.unsynced.store(false, Ordering::Relaxed);
            Counters::add(&self.counters.syncs, 1);
            self.counters.durable_frames.store(live.frames(), Ordering::Relaxed);
        }
        let mut front = lock(&self.front);
        if std::mem::take(&mut front.is_failing) {
            front.tell_lost();
        }
        Ok(())
    }

    /// Makes what was taken durable where each frame is to be, as [`Writing::take`] does.
    pub fn settle(&self) -> Result<()> {
        let goes_on = self.options.on_storage_failure == OnStorageFailure::ContinueWithGap;
        match self.flush(true) {
            // It waits for room; when none comes, the gap counts it.
            Err(_) if goes_on => Ok(()),
            flushed => flushed,
        }
    }

    /// What a failure means. One that may pass leaves what waits where it is.
    fn failed(&self, e: Error) -> Error {
        let may_pass = matches!(e.code(), Code::StoreFull | Code::Io | Code::NoRandom);
        let is_stopped = self.options.on_storage_failure == OnStorageFailure::Stop;
        {
            let mut front = lock(&self.front);
            front.is_failing = true;
            if !may_pass || is_stopped {
                front.failed = Some((e.code(), e.message().to_owned()));
            }
        }
        if is_stopped && let Some(alarm) = self.alarm.get() {
            alarm(Error::new(e.code(), e.message().to_owned()));
        }
        e
    }

    /// Calls this when a failure has ended the recording, also when nobody gives a frame just then; at once if one has.
    pub fn on_failure(&self, alarm: impl Fn(Error) + Send + Sync + 'static) {
        let _the_first_stays = self.alarm.set(Box::new(alarm));
        let is_stopped = self.options.on_storage_failure == OnStorageFailure::Stop;
        let failed = lock(&self.front).failed.clone().filter(|_| is_stopped);
        if let (Some((code, words)), Some(alarm)) = (failed, self.alarm.get()) {
            alarm(Error::new(code, words));
        }
    }

    /// Frames are counted and not taken from here on.
    pub fn pause(&self) -> Result<()> {
        let wall_ns = self.wall_ns();
        let mut front = lock(&self.front);
        front.open(self.options.on_storage_failure)?;
        front.pause(wall_ns);
        Ok(())
    }

    /// Frames are taken again; a gap says how many were not.
    pub fn resume(&self) -> Result<()> {
        let wall_ns = self.wall_ns();
        let mut front = lock(&self.front);
        front.open(self.options.on_storage_failure)?;
        front.resume(wall_ns);
        Ok(())
    }

    pub fn wall_ns(&self) -> u64 {
        self.clock.read().wall.as_ms().saturating_mul(1_000_000)
    }

    /// No more frames. The end goes to the spool behind the last of them; what finds no place there is given back.
    pub fn end(&self, state: EndState) -> Result<Option<Ended>> {
        let wall_ns = self.wall_ns();
        {
            let mut front = lock(&self.front);
            if front.is_ended {
                return Err(ended());
            }
            front.end(state, wall_ns);
        }
        let mut back = lock(&self.back);
        let _told_by_what_is_left_out = self.flush_back(&mut back, true);
        let left_out = lock(&self.front).take_waiting();
        Ok(back.live.take().map(|live| Ended::of(live, left_out)))
    }

    /// Puts another spool in the place of the one that is over: what was taken goes into the old one, and the old one back. A
    /// spool that takes nothing just now stays; one that never will again gives way with what found no place in it.
    pub fn next_part(&self, next: LiveTape) -> Result<Option<Ended>> {
        let now = self.clock.read();
        let wall_ns = now.wall.as_ms().saturating_mul(1_000_000);
        let stays = |e: &Error| e.code() != Code::Broken;
        let mut back = lock(&self.back);
        // Most of it while frames are still taken,
        if let Err(e) = self.flush_back(&mut back, true)
            && stays(&e)
        {
            drop(back);
            return Err(self.failed(e));
        }
        let Some(old) = back.live.as_mut() else { return Ok(None) };
        // and the rest while none are: a frame is in one part or in the other, with a number that fits.
        let mut front = lock(&self.front);
        let mut left_out = front.end_part(wall_ns, next.custody());
        if let Err(e) = append_all(old, &mut left_out).and_then(|()| old.sync())
            && stays(&e)
        {
            front.part_goes_on(left_out, wall_ns);
            drop(front);
            drop(back);
            return Err(self.failed(e));
        }
        let old = back.live.replace(next);
        (back.marked_frames, back.marked_ns, back.opened_ns) = (0, now.monotonic_ns, now.monotonic_ns);
        back.mark_again_ns = 0;
        // Of the new part nothing is there yet, durable or not.
        self.counters.durable_frames.store(0, Ordering::Relaxed);
        front.begin_again(now, wall_ns);
        if self.options.on_storage_failure == OnStorageFailure::ContinueWithGap {
            (front.failed, front.is_failing) = (None, false);
        }
        self.unsynced.store(false, Ordering::Relaxed);
        Counters::add(&self.counters.parts, 1);
        Ok(old.map(|live| Ended::of(live, left_out)))
    }

    /// Has this part become too long, in bytes or in time? Or does its spool take nothing any more, while another would?
    pub fn is_part_over(&self) -> bool {
        let now = self.clock.read().monotonic_ns;
        let back = lock(&self.back);
        let Some(live) = &back.live else { return false };
        let age = Duration::from_nanos(now.saturating_sub(back.opened_ns));
        let is_long =
            live.frames() > 0 && (live.stored_bytes() >= self.options.part_bytes || age >= self.options.part_every);
        // A handle that failed is never written through again; whoever visits the ledger has a new one each time.
        let is_dead = || {
            let front = lock(&self.front);
            let goes_on = self.options.on_storage_failure == OnStorageFailure::ContinueWithGap && !front.is_ended;
            goes_on && self.access.is_visits() && front.failed.as_ref().is_some_and(|(code, _)| *code == Code::Broken)
        };
        now >= back.part_again_ns && (is_long || is_dead())
    }

    /// A part could not be begun.
    pub fn part_failed(&self) {
        let soon = self.clock.read().monotonic_ns.saturating_add(AGAIN_AFTER.as_nanos() as u64);
        lock(&self.back).part_again_ns = soon;
    }

    /// What became of a part.
    pub fn keep_part(&self, custody: CustodyId, sealed: Result<SaveReceipt>) {
        let mut parts = lock(&self.parts);
        match sealed {
            Ok(receipt) => parts.sealed.push(receipt),
            Err(_) => parts.left.push(custody),
        }
    }

    pub fn take_parts(&self) -> Parts {
        std::mem::take(&mut *lock(&self.parts))
    }

    /// The recording that is written to now.
    pub fn custody(&self) -> Option<CustodyId> {
        lock(&self.back).live.as_ref().map(LiveTape::custody)
    }

    /// The mark that is due, if one is. Everything it names is durable.
    pub fn due_mark(&self, is_asked: bool) -> Result<Option<(LiveMark, Turn)>> {
        let now = self.clock.read();
        let mut back = lock(&self.back);
        let Some(frames) = back.live.as_ref().map(LiveTape::frames) else { return Ok(None) };
        let more = frames.saturating_sub(back.marked_frames);
        let age = Duration::from_nanos(now.monotonic_ns.saturating_sub(back.marked_ns));
        let is_due = more >= self.options.mark_frames || age >= self.options.mark_every;
        if more == 0 || !(is_asked || is_due && now.monotonic_ns >= back.mark_again_ns) {
            return Ok(None);
        }
        let Some(turn) = self.marking.take() else { return Ok(None) };
        if let Err(e) = self.flush_back(&mut back, true) {
            drop(back);
            return Err(self.failed(e));
        }
        Ok(back.live.as_ref().map(|live| (live.mark(), turn)))
    }

    /// What came of the mark that was due. The spool is told of one that the log has, and of no other.
    pub fn marked(&self, mark: &LiveMark, done: &Result<u64>) {
        let mut back = lock(&self.back);
        if done.is_ok() {
            Counters::add(&self.counters.marks, 1);
        }
        // Another part may have begun meanwhile.
        if back.live.as_ref().is_none_or(|live| live.custody() != mark.custody()) {
            return;
        }
        let now = self.clock.read().monotonic_ns;
        if done.is_ok() {
            (back.marked_frames, back.marked_ns) = (mark.frames, now);
            let record = LiveRecord::Mark { frames: mark.frames, root: mark.root, wall_ns: self.wall_ns() };
            lock(&self.front).record(record);
        } else {
            // The next try comes soon, and not at once: what keeps the log shut may last.
            back.mark_again_ns = now.saturating_add(AGAIN_AFTER.as_nanos() as u64);
        }
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
        lock(&self.front).lost()
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        // A writer that was not finalized: what it took is still made durable, as far as that goes. The next start seals it.
        let _as_far_as_it_goes = self.flush(true);
    }
}

#[cfg(test)]
mod tests;
