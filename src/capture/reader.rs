//! A recording or a tape as a stream of records.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::access::LedgerAccess;
use super::following::Following;
use super::records::{
    CorrelationRecord, CorrelationStatus, InitRecord, PerformanceStats, TapeMetadata, TapeRecord, TapeStatus,
    finalized, marked, told,
};
use crate::codec::digest::CustodyId;
use crate::error::{Code, Error, Result};
use crate::interchange::FrameCounts;
use crate::ledger::{Ledger, TapeAway, Who};
use crate::tape::{EndState, Frame, LiveRecord};

/// A follower looks for more so often,
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// and after so many looks at nothing whether the recorder is still there.
const LOOKS_UNTIL_DOUBT: u32 = 20;
/// Frames of a tape that are read together.
const FRAMES_TOGETHER: u64 = 1_000;

/// Reads a recording while it happens, or the tape that came of one: the same records either way. Opening it is an access
/// entry. Frames come each once and in order, across a half-written end, across the sealing, and, when following, from one
/// part of a session into the next. The recorder never waits for a reader, and a ledger that is opened for this alone is let go
/// of before the first record is given, whatever it is that is read.
pub struct StreamingTapeReader {
    access: LedgerAccess,
    who: Who,
    source: Source,
    custody: CustodyId,
    /// What it was opened as; parts of the session that came after have other ids.
    first: CustodyId,
    init: InitRecord,
    counts: FrameCounts,
    performance: PerformanceStats,
    queue: VecDeque<TapeRecord>,
    status: TapeStatus,
    checkpoints: u64,
    /// The recording that goes on from this one.
    next: Option<CustodyId>,
    is_abandoned: bool,
    /// Entry of the access to the part that is read now.
    grant: u64,
    /// What there was is given: the next look waits.
    is_caught_up: bool,
}

enum Source {
    Live(Following),
    Sealed(SealedFrames),
    /// A part that was read to its end, and how much of it is recorded: the next is to be opened.
    Over,
}

/// What is to be read, and of what.
struct Opened {
    source: Source,
    custody: CustodyId,
    init: InitRecord,
    next: Option<CustodyId>,
}

/// A tape, and how far it was read.
struct SealedFrames {
    tape: Arc<TapeAway>,
    at: u64,
    waiting: VecDeque<Frame>,
}

impl std::fmt::Debug for StreamingTapeReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamingTapeReader").field("custody", &self.custody).finish_non_exhaustive()
    }
}

impl StreamingTapeReader {
    /// Opens what has this id: a recording by its custody id, a tape by its own or by that of its recording, each by a prefix of at
    /// least four digits.
    ///
    /// # Errors
    /// As [`Ledger::find_live`], [`Ledger::follow_live`], [`Ledger::open_tape`] and [`LedgerAccess::with`].
    pub async fn open(access: LedgerAccess, who: Who, id: &str) -> Result<Self> {
        let opened = access.with(async |ledger| open_source(ledger, &who, id).await).await?;
        Ok(Self::over(access, who, opened))
    }

    fn over(access: LedgerAccess, who: Who, opened: Opened) -> Self {
        let Opened { source, custody, init, next } = opened;
        let grant = match &source {
            Source::Live(follower) => follower.get().grant_index(),
            Source::Sealed(frames) => frames.tape.grant_index(),
            Source::Over => 0,
        };
        let status = match &source {
            Source::Sealed(_) => finalized(&init.header.end_state),
            Source::Live(_) | Source::Over => TapeStatus::Recording,
        };
        Self {
            access,
            who,
            source,
            custody,
            first: custody,
            grant,
            queue: VecDeque::from([TapeRecord::Init(Box::new(init.clone()))]),
            init,
            counts: FrameCounts::default(),
            performance: PerformanceStats::default(),
            status,
            checkpoints: 0,
            next,
            is_abandoned: false,
            is_caught_up: false,
        }
    }

    /// What it was opened as. [`StreamingTapeReader::init`] is about the part of the session that is read now.
    pub(super) const fn first(&self) -> CustodyId {
        self.first
    }

    /// What is known of the session: of a tape its header, of a recording what was known when it began.
    #[must_use]
    pub const fn init(&self) -> &InitRecord {
        &self.init
    }

    /// Index of the entry that granted this reading; into the next part of a session it is another.
    #[must_use]
    pub const fn grant_index(&self) -> u64 {
        self.grant
    }

    /// Is it still a recording, as far as was read?
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(&self.source, Source::Live(follower) if !follower.get().is_over())
    }

    /// Did following end because nobody records this any more, and nobody has sealed it yet? The next start does.
    #[must_use]
    pub const fn is_abandoned(&self) -> bool {
        self.is_abandoned
    }

    /// What is known from the records read so far.
    #[must_use]
    pub fn metadata(&self) -> TapeMetadata {
        let (tape, header) = match &self.source {
            Source::Live(_) | Source::Over => (None, self.init.header.clone()),
            Source::Sealed(frames) => (Some(frames.tape.tape()), frames.tape.header().clone()),
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
    /// As [`crate::ledger::LiveFollower::next_record`] and [`TapeAway::frames`].
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
                Source::Over => return Ok(None),
            }
        }
    }

    /// The next record, waited for as long as the recording goes on, also into its next part.
    ///
    /// # Errors
    /// As [`StreamingTapeReader::next_record`].
    pub async fn follow(&mut self) -> Result<Option<TapeRecord>> {
        self.follow_until(|| false).await
    }

    /// As [`StreamingTapeReader::follow`], until `is_enough` says so; it is asked while nothing comes. After an error the same
    /// call may be tried again.
    ///
    /// # Errors
    /// As [`StreamingTapeReader::next_record`]; on the way into the next part as [`StreamingTapeReader::open`].
    pub async fn follow_until(&mut self, is_enough: impl Fn() -> bool) -> Result<Option<TapeRecord>> {
        let mut looks = 0u32;
        loop {
            // Each look at what is new makes it durable: so many there are, and no more, however fast it comes.
            if std::mem::take(&mut self.is_caught_up) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            if is_enough() {
                return Ok(None);
            }
            let is_doubtful = looks >= LOOKS_UNTIL_DOUBT;
            // Asked first: what was appended before the recorder went is then found below.
            let is_abandoned = match &self.source {
                Source::Live(follower) if is_doubtful => follower.get().is_abandoned()?,
                _ => false,
            };
            if let Some(record) = self.next_record().await? {
                self.is_abandoned = false;
                self.is_caught_up = self.is_live() && !self.has_more();
                return Ok(Some(record));
            }
            if is_abandoned {
                self.is_abandoned = true;
                return Ok(None);
            } else if self.is_live() {
                looks = if is_doubtful { 0 } else { looks.saturating_add(1) };
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

    /// Records how much was read.
    ///
    /// # Errors
    /// As [`Ledger::finish_follow`] and [`Ledger::finish_away`]; the entry of the access then stands without completion.
    pub async fn close(self) -> Result<()> {
        let Self { access, who, source, .. } = self;
        end(&access, &who, &mut Some(source)).await
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

    /// Goes on into the next part of the session: first how much was read of this one is recorded, then that one is opened, each
    /// with the ledger for itself. What fails is tried again by the next call: until the next part is open, it is to come.
    async fn go_on(&mut self, next: CustodyId) -> Result<()> {
        let mut before = Some(std::mem::replace(&mut self.source, Source::Over));
        if let Err(e) = end(&self.access, &self.who, &mut before).await {
            self.source = before.unwrap_or(Source::Over);
            return Err(e);
        }
        let opened = self.access.with(async |ledger| open_part(ledger, &self.who, &next).await).await?;
        let first = self.first;
        *self = Self { first, ..Self::over(self.access.clone(), self.who.clone(), opened) };
        Ok(())
    }
}

/// The completion of an access. What is not taken was not tried: the ledger could not be had.
async fn end(access: &LedgerAccess, who: &Who, source: &mut Option<Source>) -> Result<()> {
    if matches!(source, None | Some(Source::Over)) {
        return Ok(());
    }
    access.with(async |ledger| complete(ledger, who, source.take()).await).await
}

async fn complete(ledger: &Ledger, who: &Who, source: Option<Source>) -> Result<()> {
    match source {
        Some(Source::Live(follower)) => ledger.finish_follow(who, follower.into_inner().await).await.map(|_| ()),
        Some(Source::Sealed(SealedFrames { tape, .. })) => {
            let in_use = |_| Error::new(Code::Internal, "a tape is still being read");
            ledger.finish_away(who, Arc::try_unwrap(tape).map_err(in_use)?).await.map(|_| ())
        }
        Some(Source::Over) | None => Ok(()),
    }
}

async fn open_source(ledger: &Ledger, who: &Who, id: &str) -> Result<Opened> {
    match ledger.find_live(id)? {
        Some(custody) => open_part(ledger, who, &custody).await,
        None => sealed(ledger, who, id).await,
    }
}

/// Opens a recording, or the tape that came of it. One that becomes a tape between the two looks is found by the second.
async fn open_part(ledger: &Ledger, who: &Who, custody: &CustodyId) -> Result<Opened> {
    match ledger.follow_live(who, custody).await {
        Err(e) if e.code() == Code::NotFound => {
            let tape = ledger.tape_of(custody)?.ok_or(e)?;
            sealed(ledger, who, &tape.to_text()).await
        }
        followed => {
            let follower = Following::new(followed?);
            let init = first(&follower).await?;
            Ok(Opened { source: Source::Live(follower), custody: *custody, init, next: None })
        }
    }
}

async fn sealed(ledger: &Ledger, who: &Who, id: &str) -> Result<Opened> {
    let tape = ledger.open_tape(who, id, None).await?.into_away()?;
    let (custody, header) = (tape.custody(), tape.header().clone());
    let next = if header.end_state == EndState::Continued { ledger.part_after(&custody)? } else { None };
    let source = Source::Sealed(SealedFrames { tape: Arc::new(tape), at: 0, waiting: VecDeque::new() });
    Ok(Opened { source, custody, init: InitRecord { custody, header }, next })
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
        let total = self.tape.frames_total();
        if self.waiting.is_empty() && self.at < total {
            let last = self.at.saturating_add(FRAMES_TOGETHER).min(total).saturating_sub(1);
            let (tape, at) = (self.tape.clone(), self.at);
            let died = |_| Error::new(Code::Broken, "a thread that reads a tape died");
            self.waiting = tokio::task::spawn_blocking(move || frames(&tape, at, last)).await.map_err(died)??;
            self.at = last.saturating_add(1);
        }
        Ok(self.waiting.pop_front())
    }
}

fn frames(tape: &TapeAway, first: u64, last: u64) -> Result<VecDeque<Frame>> {
    let mut found = VecDeque::new();
    tape.frames(first, last, &mut |frame| {
        found.push_back(frame);
        Ok(())
    })?;
    Ok(found)
}
