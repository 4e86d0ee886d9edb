//! A recording or a tape as a stream of records.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::access::LedgerAccess;
use super::records::{
    CorrelationRecord, CorrelationStatus, InitRecord, PerformanceStats, TapeMetadata, TapeRecord, TapeStatus,
    finalized, marked, told,
};
use crate::codec::digest::CustodyId;
use crate::error::{Code, Error, Result};
use crate::interchange::FrameCounts;
use crate::ledger::{FrameSelection, Ledger, LiveFollower, TapeReader, Who};
use crate::tape::{EndState, Frame, LiveRecord};

/// A follower looks for more so often.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What lets go of a recording looks so often whether its thread is through.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// Frames of a tape that are read together.
const FRAMES_TOGETHER: u64 = 1_000;

/// Reads a recording while it happens, or the tape that came of one: the same records either way. Opening it is an access
/// entry. Frames come each once and in order, across a half-written end, across the sealing, and, when following, from one
/// part of a session into the next. The recorder never waits for a reader.
pub struct StreamingTapeReader {
    access: LedgerAccess,
    who: Who,
    source: Source,
    custody: CustodyId,
    init: InitRecord,
    counts: FrameCounts,
    performance: PerformanceStats,
    queue: VecDeque<TapeRecord>,
    status: TapeStatus,
    checkpoints: u64,
    /// The recording that goes on from this one.
    next: Option<CustodyId>,
    /// What there was is given: the next look waits.
    is_caught_up: bool,
}

enum Source {
    Live(Following),
    Sealed(SealedFrames),
}

/// A follower that a thread may have while it waits for the disk.
#[derive(Clone)]
struct Following(Arc<Mutex<LiveFollower>>);

impl Following {
    fn get(&self) -> MutexGuard<'_, LiveFollower> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next record. Who gives up waiting for it finds it at hand the next time.
    async fn next_record(&self) -> Result<Option<LiveRecord>> {
        let has_durable = {
            let mut follower = self.get();
            if let Some(record) = follower.at_hand() {
                return Ok(Some(record));
            }
            follower.has_durable()
        };
        if has_durable {
            self.get().fetch()?;
        } else {
            let (own, died) = (self.clone(), |_| Error::new(Code::Broken, "a thread that follows a recording died"));
            tokio::task::spawn_blocking(move || own.get().fetch()).await.map_err(died)??;
        }
        Ok(self.get().at_hand())
    }

    /// Out of the hands of a thread that may still wait for the disk.
    async fn into_inner(self) -> LiveFollower {
        let mut shared = self.0;
        loop {
            match Arc::try_unwrap(shared) {
                Ok(alone) => return alone.into_inner().unwrap_or_else(PoisonError::into_inner),
                Err(back) => shared = back,
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// A tape, and how far it was read.
struct SealedFrames {
    reader: Arc<TapeReader>,
    /// Opened for this reader alone.
    ledger: Option<Ledger>,
    at: u64,
    waiting: VecDeque<Frame>,
}

impl std::fmt::Debug for StreamingTapeReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamingTapeReader").field("custody", &self.custody).finish_non_exhaustive()
    }
}

impl StreamingTapeReader {
    /// Opens what has this id: a recording by its custody id, a tape by its own, either by a prefix of at least four digits.
    ///
    /// # Errors
    /// As [`Ledger::find_live`], [`Ledger::follow_live`], [`Ledger::open_tape`] and [`LedgerAccess::with`].
    pub async fn open(access: LedgerAccess, who: Who, id: &str) -> Result<Self> {
        let (ledger, is_visit) = access.stay().await?;
        let opened = open_source(&ledger, &who, id).await;
        let (mut source, custody) = match opened {
            Ok(opened) => opened,
            Err(e) => {
                if is_visit {
                    let _the_first_error_says_more = ledger.close().await;
                }
                return Err(e);
            }
        };
        let init = match &mut source {
            Source::Live(follower) => {
                // What a follower gives needs no open ledger: others may have it.
                if is_visit {
                    ledger.close().await?;
                }
                first(follower).await?
            }
            Source::Sealed(frames) => {
                frames.ledger = is_visit.then_some(ledger);
                InitRecord { custody, header: frames.reader.header().clone() }
            }
        };
        let status = match &source {
            Source::Live(_) => TapeStatus::Recording,
            Source::Sealed(_) => finalized(&init.header.end_state),
        };
        let queue = VecDeque::from([TapeRecord::Init(Box::new(init.clone()))]);
        let (counts, performance) = (FrameCounts::default(), PerformanceStats::default());
        Ok(Self {
            access,
            who,
            source,
            custody,
            init,
            counts,
            performance,
            queue,
            status,
            checkpoints: 0,
            next: None,
            is_caught_up: false,
        })
    }

    /// What is known of the session: of a tape its header, of a recording what was known when it began.
    #[must_use]
    pub const fn init(&self) -> &InitRecord {
        &self.init
    }

    /// Index of the entry that granted this reading; into the next part of a session it is another.
    #[must_use]
    pub fn grant_index(&self) -> u64 {
        match &self.source {
            Source::Live(follower) => follower.get().grant_index(),
            Source::Sealed(frames) => frames.reader.grant_index(),
        }
    }

    /// Is it still a recording, as far as was read?
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(&self.source, Source::Live(follower) if !follower.get().is_over())
    }

    /// What is known from the records read so far.
    #[must_use]
    pub fn metadata(&self) -> TapeMetadata {
        let (tape, header) = match &self.source {
            Source::Live(_) => (None, self.init.header.clone()),
            Source::Sealed(frames) => (Some(frames.reader.tape()), frames.reader.header().clone()),
        };
        let stats = self.counts.stats();
        let mut performance = self.performance;
        performance.rate(stats.frames, self.counts.span_ns().unwrap_or(0));
        TapeMetadata {
            custody: self.custody,
            tape,
            header,
            status: self.status.clone(),
            stats,
            durable_frames: stats.frames,
            lost_frames: 0,
            checkpoints: self.checkpoints,
            spooled_bytes: 0,
            performance,
        }
    }

    /// The next record; `None` when there is none, which of a recording may change.
    ///
    /// # Errors
    /// As [`LiveFollower::next_record`] and [`TapeReader::frames`].
    pub async fn next_record(&mut self) -> Result<Option<TapeRecord>> {
        loop {
            if let Some(record) = self.queue.pop_front() {
                return Ok(Some(record));
            }
            match &mut self.source {
                Source::Live(follower) => {
                    let Some(record) = follower.next_record().await? else { return Ok(None) };
                    self.take(record);
                }
                Source::Sealed(frames) => {
                    let Some(frame) = frames.next_frame().await? else { return Ok(None) };
                    self.frame(frame);
                }
            }
        }
    }

    /// The next record, waited for as long as the recording goes on, also into its next part.
    ///
    /// What is given is durable, whatever the durability of the recording: after a power cut each frame that a follower was given
    /// is on the tape. The follower itself makes durable what the recorder has only written yet, at most every 50 ms; the recorder
    /// takes frames meanwhile. A frame that waits in the recorder's memory is not seen.
    ///
    /// # Errors
    /// As [`StreamingTapeReader::next_record`].
    pub async fn follow(&mut self) -> Result<Option<TapeRecord>> {
        self.follow_until(|| false).await
    }

    /// As [`StreamingTapeReader::follow`], until `is_enough` says so; it is asked while nothing comes.
    ///
    /// # Errors
    /// As [`StreamingTapeReader::next_record`].
    pub async fn follow_until(&mut self, is_enough: impl Fn() -> bool) -> Result<Option<TapeRecord>> {
        loop {
            // Each look at what is new makes it durable: so many there are, and no more, however fast it comes.
            if std::mem::take(&mut self.is_caught_up) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            if is_enough() {
                return Ok(None);
            }
            if let Some(record) = self.next_record().await? {
                self.is_caught_up = self.is_live() && !self.has_more();
                return Ok(Some(record));
            }
            if self.is_live() {
                self.is_caught_up = true;
            } else if let Some(next) = self.next {
                self.go_on(next).await?;
            } else {
                return Ok(None);
            }
        }
    }

    /// Is the next record at hand?
    fn has_more(&self) -> bool {
        !self.queue.is_empty() || matches!(&self.source, Source::Live(follower) if follower.get().has_durable())
    }

    /// The next frame, without what else there is.
    ///
    /// # Errors
    /// As [`StreamingTapeReader::next_record`].
    pub async fn next_frame(&mut self) -> Result<Option<Frame>> {
        while let Some(record) = self.next_record().await? {
            if let TapeRecord::Frame(record) = record {
                return Ok(Some(record.frame));
            }
        }
        Ok(None)
    }

    /// Records how much was read and lets go of the ledger.
    ///
    /// # Errors
    /// As [`Ledger::finish_follow`] and [`TapeReader::finish`]; the entry of the access then stands without completion.
    pub async fn close(self) -> Result<()> {
        let Self { access, who, source, .. } = self;
        end(&access, &who, source).await
    }

    fn take(&mut self, record: LiveRecord) {
        match record {
            LiveRecord::Frame(frame) => return self.frame(frame),
            LiveRecord::Paused { .. } => self.status = TapeStatus::Paused,
            LiveRecord::Resumed { .. } => self.status = TapeStatus::Recording,
            LiveRecord::Ended { ref state, next, .. } => {
                self.next = next.filter(|_| *state == EndState::Continued);
                self.status = finalized(state);
            }
            LiveRecord::Mark { .. } => self.checkpoints = self.checkpoints.saturating_add(1),
            _ => {}
        }
        self.queue.extend(told(record, self.custody));
    }

    /// A frame, and behind it the requests that it answered.
    fn frame(&mut self, frame: Frame) {
        let mut counted = frame.clone();
        let pairs = self.counts.frame_pairs(&mut counted);
        let by_word = marked(&frame);
        self.queue.push_back(TapeRecord::Frame(super::records::FrameRecord { frame }));
        for pair in pairs {
            let status = if pair.is_error { CorrelationStatus::Error } else { CorrelationStatus::Success };
            let mut record = CorrelationRecord::new(pair.request_seq, pair.response_seq, status);
            (record.request_t_ms, record.response_t_ms) = (pair.request_t_ms, pair.response_t_ms);
            record.rtt_ms().into_iter().for_each(|rtt| self.performance.add(rtt));
            self.queue.push_back(TapeRecord::Correlation(record));
        }
        self.queue.extend(by_word.map(TapeRecord::Correlation));
    }

    /// Goes on into the next part of the session.
    async fn go_on(&mut self, next: CustodyId) -> Result<()> {
        let id = self
            .access
            .with(async |ledger| {
                let tape = ledger.tape_of(&next)?;
                Ok(tape.map_or_else(|| next.to_hex(), |tape| tape.to_text()))
            })
            .await?;
        let opened = Self::open(self.access.clone(), self.who.clone(), &id).await?;
        let before = std::mem::replace(self, opened);
        end(&before.access, &before.who, before.source).await
    }
}

/// The completion of an access.
async fn end(access: &LedgerAccess, who: &Who, source: Source) -> Result<()> {
    match source {
        Source::Live(follower) => {
            let follower = follower.into_inner().await;
            access.with(async |ledger| ledger.finish_follow(who, follower).await.map(|_| ())).await
        }
        Source::Sealed(SealedFrames { reader, ledger, .. }) => {
            let in_use = |_| Error::new(Code::Internal, "a tape is still being read");
            let reader = Arc::try_unwrap(reader).map_err(in_use)?;
            match ledger {
                Some(ledger) => ledger.close_with(vec![reader]).await,
                None => reader.finish().await.map(|_| ()),
            }
        }
    }
}

async fn open_source(ledger: &Ledger, who: &Who, id: &str) -> Result<(Source, CustodyId)> {
    // A recording that becomes a tape between the two looks is found by the second.
    if let Some(custody) = ledger.find_live(id)? {
        match ledger.follow_live(who, &custody).await {
            Err(e) if e.code() == Code::NotFound => {}
            followed => {
                let following = |follower| Following(Arc::new(Mutex::new(follower)));
                return followed.map(|follower| (Source::Live(following(follower)), custody));
            }
        }
        if let Some(tape) = ledger.tape_of(&custody)? {
            return sealed(ledger, who, &tape.to_text()).await;
        }
    }
    sealed(ledger, who, id).await
}

async fn sealed(ledger: &Ledger, who: &Who, id: &str) -> Result<(Source, CustodyId)> {
    let reader = Arc::new(ledger.open_tape(who, id, None).await?);
    let custody = reader.custody();
    Ok((Source::Sealed(SealedFrames { reader, ledger: None, at: 0, waiting: VecDeque::new() }), custody))
}

async fn first(follower: &Following) -> Result<InitRecord> {
    let custody = follower.get().custody();
    match follower.next_record().await? {
        Some(LiveRecord::Opened(header)) => Ok(InitRecord { custody, header: *header }),
        _ => Err(Error::new(Code::TapeDamaged, "this recording does not begin with its beginning")),
    }
}

impl SealedFrames {
    async fn next_frame(&mut self) -> Result<Option<Frame>> {
        if self.waiting.is_empty() && self.at < self.reader.frames_total() {
            let last = self.at.saturating_add(FRAMES_TOGETHER).min(self.reader.frames_total()).saturating_sub(1);
            let (reader, selection) = (self.reader.clone(), FrameSelection::Seq(self.at, last));
            let died = |_| Error::new(Code::Broken, "a thread that reads a tape died");
            self.waiting = tokio::task::spawn_blocking(move || reader.collect(selection)).await.map_err(died)??.into();
            self.at = last.saturating_add(1);
        }
        Ok(self.waiting.pop_front())
    }
}
