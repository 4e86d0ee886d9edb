//! One recording.

use std::sync::Arc;

use super::access::LedgerAccess;
use super::counts::Counters;
use super::ended::{Ended, LeftOut};
use super::options::{Durability, RecordingOptions};
use super::records::{CorrelationRecord, TapeMetadata, TapeStatus};
use super::seal::{Sealed, seal};
use super::syncer::{Syncer, SyncerPlace};
use super::writing::{WAITING_BYTES_EARLY, Writing};
use crate::codec::digest::CustodyId;
use crate::error::{Code, Error, Result};
use crate::ledger::{Abandoned, Ledger, LiveTape, SaveReceipt, Who};
use crate::tape::{EndState, Frame, Header};
use crate::time::{Clock, Reading};

/// Records one session while it happens. Dropped without [`StreamingTapeWriter::finalize`], what it took is still durable, and
/// the next start seals it as cut off.
///
/// ```
/// # use std::sync::Arc;
/// # use immutape::capture::{LedgerAccess, RecordingOptions, StreamingTapeWriter};
/// # use immutape::keyring::OsRandom;
/// # use immutape::ledger::{Environment, Ledger, Places, Who};
/// # use immutape::store::{files::RealFiles, memory::MemoryEngine};
/// # use immutape::tape::{Direction, EndState, Frame};
/// # use immutape::time::SystemClock;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let clock = Arc::new(SystemClock::new([0; 16]));
/// # let (engine, files) = (Arc::new(MemoryEngine::new()), Arc::new(RealFiles));
/// # let environment = Environment::new(engine, files, clock.clone(), Arc::new(OsRandom));
/// # let folder = tempfile::tempdir()?;
/// # let ledger = Ledger::create(Places::beneath(folder.path()), environment, "example", false).await?;
/// # let ann = Who::os_user("ann");
/// let access = LedgerAccess::open(ledger.clone());
/// let writer = StreamingTapeWriter::create(access, ann, RecordingOptions::named("payments"), clock).await?;
/// writer.write_frame(Frame::message(0, Direction::ClientToServer, br#"{"id":1,"method":"ping"}"#.to_vec())).await?;
/// writer.write_frame(Frame::message(0, Direction::ServerToClient, br#"{"id":1,"result":{}}"#.to_vec())).await?;
/// assert_eq!(writer.metadata().stats.correlations, 1);
/// let finished = writer.finalize(EndState::Clean).await?;
/// assert_eq!(finished.receipt.frames, 2);
/// # ledger.close().await?;
/// # Ok(()) }) }
/// ```
pub struct StreamingTapeWriter {
    writing: Arc<Writing>,
    syncer: Syncer,
    header: Header,
    custody: CustodyId,
}

/// A recording that ended and is a tape.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FinishedRecording {
    /// The tape; of a session in parts the last of them.
    pub receipt: SaveReceipt,
    /// Its header.
    pub header: Header,
    /// Earlier parts of the session, each a tape.
    pub parts: Vec<SaveReceipt>,
    /// Marks in the log.
    pub marks: u64,
}

impl std::fmt::Debug for StreamingTapeWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamingTapeWriter").field("custody", &self.custody).finish_non_exhaustive()
    }
}

impl StreamingTapeWriter {
    /// Opens a recording: an entry is durable before this returns.
    ///
    /// # Errors
    /// As [`crate::ledger::Ledger::open_live`] and [`LedgerAccess::with`]; `E_IO` when no thread can be started, before anything
    /// is opened.
    pub async fn create(
        access: LedgerAccess,
        who: Who,
        options: RecordingOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let syncer = Syncer::new(tokio::runtime::Handle::current());
        Self::create_with(access, who, options, clock, syncer).await
    }

    /// As [`StreamingTapeWriter::create`], opened in a ledger that is open just now; `access` leads to it later.
    ///
    /// # Errors
    /// As there.
    pub async fn create_in(
        ledger: &Ledger,
        access: LedgerAccess,
        who: Who,
        options: RecordingOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let place = Syncer::new(tokio::runtime::Handle::current()).place()?;
        let header = begun(&options, &*clock);
        let live = ledger.open_live(&who, options.live(), header.clone()).await?;
        Ok(Self::over(access, who, (options, header), clock, place, live))
    }

    pub(super) async fn create_with(
        access: LedgerAccess,
        who: Who,
        options: RecordingOptions,
        clock: Arc<dyn Clock>,
        syncer: Syncer,
    ) -> Result<Self> {
        let place = syncer.place()?;
        let header = begun(&options, &*clock);
        let live = access.with(async |ledger| ledger.open_live(&who, options.live(), header.clone()).await).await?;
        Ok(Self::over(access, who, (options, header), clock, place, live))
    }

    fn over(
        access: LedgerAccess,
        who: Who,
        (options, header): (RecordingOptions, Header),
        clock: Arc<dyn Clock>,
        place: SyncerPlace,
        live: LiveTape,
    ) -> Self {
        let custody = live.custody();
        let writing = Arc::new(Writing::new(access, who, options, clock, live));
        let syncer = place.look_after(&writing);
        Self { writing, syncer, header, custody }
    }

    /// The recording's custody id. A session that goes on in another part has another from then on.
    #[must_use]
    pub const fn custody(&self) -> CustodyId {
        self.custody
    }

    /// When its frames are durable.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.writing.options.durability
    }

    /// Takes the next frame and gives it its number; `None` when it was only counted, while the recording is paused or
    /// goes on without storage. One that should be durable on return, and is not although the recording goes on, gives `None`
    /// too: it is stored when that can be done again, or counted in the gap. Takes the same time however long the recording is. Waits for the disk when frames are durable
    /// one by one, or come faster than the disk takes them.
    ///
    /// # Errors
    /// `E_CONFLICT` once it has ended, `E_LIMIT`, and what keeps frames from being stored: `E_STORE_FULL`, `E_IO`, `E_BROKEN`.
    pub async fn write_frame(&self, frame: Frame) -> Result<Option<u64>> {
        if self.writing.options.durability == Durability::Each || self.writing.waiting_bytes() > WAITING_BYTES_EARLY {
            let writing = self.writing.clone();
            let died = |_| Error::new(Code::Broken, "a thread of a recording died");
            let turn = self.syncer.turn().await;
            let taken = tokio::task::spawn_blocking(move || writing.take(frame)).await.map_err(died)?;
            drop(turn);
            self.wake();
            return taken;
        }
        self.write_frame_blocking(frame)
    }

    /// As [`StreamingTapeWriter::write_frame`], on the caller's thread.
    ///
    /// # Errors
    /// As there.
    pub fn write_frame_blocking(&self, frame: Frame) -> Result<Option<u64>> {
        let taken = self.writing.take(frame)?;
        self.wake();
        Ok(taken)
    }

    /// As there, with the time at which it came: what waits before it is taken is no younger for it. Durable only once
    /// [`StreamingTapeWriter::settle_heard`] returned.
    pub(super) fn write_frame_heard(&self, frame: Frame, at: Reading) -> Result<Option<u64>> {
        let taken = self.writing.take_of(frame, Some(at), false)?;
        self.wake();
        Ok(taken)
    }

    /// Makes everything taken so far durable, on the caller's thread. A recording that goes on without storage is told nothing.
    pub(super) fn settle_heard(&self) -> Result<()> {
        self.writing.settle()
    }

    /// Calls this when a failure has ended the recording (`OnStorageFailure::Stop`), also when no frame comes.
    pub(super) fn on_failure(&self, alarm: impl Fn(Error) + Send + Sync + 'static) {
        self.writing.on_failure(alarm);
    }

    fn wake(&self) {
        self.syncer.wake(self.writing.waiting_bytes() > WAITING_BYTES_EARLY);
    }

    /// Joins two frames that the messages do not show to belong together; a pair that they do show is not written again.
    ///
    /// # Errors
    /// As [`StreamingTapeWriter::write_frame`].
    pub fn write_correlation(&self, record: &CorrelationRecord) -> Result<()> {
        self.writing.correlation(record)?;
        self.wake();
        Ok(())
    }

    /// Makes everything taken so far durable.
    ///
    /// # Errors
    /// As [`StreamingTapeWriter::write_frame`].
    pub async fn flush(&self) -> Result<()> {
        let writing = self.writing.clone();
        let died = |_| Error::new(Code::Broken, "a thread of a recording died");
        let _turn = self.syncer.turn().await;
        tokio::task::spawn_blocking(move || writing.flush(true)).await.map_err(died)?
    }

    /// Writes to the log how far the recording has come, if anything came since the last mark; the entry.
    ///
    /// # Errors
    /// As [`crate::ledger::Ledger::mark_live`].
    pub async fn checkpoint(&self) -> Result<Option<u64>> {
        self.flush().await?;
        let Some((mark, _turn)) = self.writing.due_mark(true)? else { return Ok(None) };
        let Writing { access, who, .. } = &*self.writing;
        let done = access.with(async |ledger| ledger.mark_live(who, &mark).await).await;
        self.writing.marked(&mark, &done);
        self.wake();
        done.map(Some)
    }

    /// Frames that come from here on are counted and not recorded.
    ///
    /// # Errors
    /// `E_CONFLICT` once it has ended, or what it failed with.
    pub fn pause(&self) -> Result<()> {
        self.writing.pause()?;
        self.wake();
        Ok(())
    }

    /// Frames are recorded again; a gap says how many came meanwhile.
    ///
    /// # Errors
    /// As [`StreamingTapeWriter::pause`].
    pub fn resume(&self) -> Result<()> {
        self.writing.resume()?;
        self.wake();
        Ok(())
    }

    /// How the recording fares.
    #[must_use]
    pub fn metadata(&self) -> TapeMetadata {
        let look = self.writing.look();
        let counters = &self.writing.counters;
        let mut header = self.header.clone();
        header.protocol = look.protocol;
        TapeMetadata {
            custody: self.custody,
            tape: None,
            header,
            status: look.status,
            stats: look.stats,
            durable_frames: Counters::get(&counters.durable_frames),
            lost_frames: self.writing.lost(),
            checkpoints: Counters::get(&counters.marks),
            spooled_bytes: look.spooled_bytes,
            performance: look.performance,
        }
    }

    /// How it fares, in a word.
    #[must_use]
    pub fn status(&self) -> TapeStatus {
        self.writing.look().status
    }

    /// Ends the recording and seals it into a tape, durable on return. Frames that could not be stored are counted in a gap.
    /// After an error it stays in the spool, with its end as far as that could be stored, and the next start seals it.
    ///
    /// # Errors
    /// As [`crate::ledger::LiveSealer::finish`] and [`LedgerAccess::with`].
    pub async fn finalize(self, end: EndState) -> Result<FinishedRecording> {
        self.finalize_with(end, None).await
    }

    /// As [`StreamingTapeWriter::finalize`], with what is known of the session by now: of a recording in parts the last one gets it.
    /// Class, namespace, counts and gaps are those of the recording, and so are the times that the header does not give. A recorder
    /// that dies before this leaves what was known at the beginning.
    ///
    /// # Errors
    /// As there.
    pub async fn finalize_as(self, header: Header) -> Result<FinishedRecording> {
        self.finalize_with(header.end_state.clone(), Some(header)).await
    }

    async fn finalize_with(self, end: EndState, header: Option<Header>) -> Result<FinishedRecording> {
        let writing = self.writing;
        // Both are taken and kept: a part that began between a look and the end would be sealed after what goes on from it,
        let _no_more_parts = writing.parting.wait().await;
        // and a mark is an entry about a recording, which comes before that of the tape.
        let _no_more_marks = writing.marking.wait().await;
        let died = |_| Error::new(Code::Broken, "a thread of a recording died");
        let ending = writing.clone();
        let turn = self.syncer.turn().await;
        let ended = tokio::task::spawn_blocking(move || ending.end(end)).await.map_err(died)??;
        drop(turn);
        let ended = ended.ok_or_else(|| Error::new(Code::Internal, "a recording without a spool was to be ended"))?;
        let Writing { access, who, counters, .. } = &*writing;
        let mut parts = writing.take_parts();
        if !parts.left.is_empty() {
            let more = access.with(async |ledger| Ok(seal_left(ledger, who, &parts.left).await)).await?;
            parts.sealed.extend(more);
            parts.sealed.sort_by_key(|receipt| receipt.entry);
        }
        let Sealed { receipt, header } = seal_in(access, who, ended, header).await?;
        let marks = Counters::get(&counters.marks);
        Ok(FinishedRecording { receipt, header, parts: parts.sealed, marks })
    }
}

/// Parts that could not be sealed when they ended. Those that still cannot be are left to the next start.
async fn seal_left(ledger: &Ledger, who: &Who, left: &[CustodyId]) -> Vec<SaveReceipt> {
    let mut sealed = Vec::new();
    for custody in left {
        if let Ok(Abandoned::Sealer(sealer)) = ledger.take_over(who, custody).await
            && let Ok(done) = seal(*sealer, LeftOut::default(), None).await
        {
            sealed.push(done.receipt);
        }
    }
    sealed
}

/// What is known of a session when its recording begins.
fn begun(options: &RecordingOptions, clock: &dyn Clock) -> Header {
    let mut header = options.header.clone();
    header.started_wall_ns =
        header.started_wall_ns.or_else(|| Some(clock.read().wall.as_ms().saturating_mul(1_000_000)));
    header
}

async fn seal_in(access: &LedgerAccess, who: &Who, ended: Ended, header: Option<Header>) -> Result<Sealed> {
    let Ended { live, left_out } = ended;
    access.with(async |ledger| seal(ledger.seal_live(who, live).await?, left_out, header).await).await
}

/// Begins to write a mark to the log, if one is due.
pub(super) fn begin_mark(writing: &Arc<Writing>, runtime: &tokio::runtime::Handle) {
    let Ok(Some((mark, turn))) = writing.due_mark(false) else { return };
    let writing = writing.clone();
    runtime.spawn(async move {
        let Writing { access, who, .. } = &*writing;
        let done = access.with(async |ledger| ledger.mark_live(who, &mark).await).await;
        writing.marked(&mark, &done);
        drop(turn);
    });
}

/// Begins another part, if this one has become too long.
pub(super) fn begin_part(writing: &Arc<Writing>, runtime: &tokio::runtime::Handle) {
    if !writing.is_part_over() {
        return;
    }
    let Some(turn) = writing.parting.take() else { return };
    let writing = writing.clone();
    runtime.spawn(async move {
        // A part that cannot be begun now is tried again: the one there is goes on meanwhile.
        if next_part(&writing).await.is_err() {
            writing.part_failed();
        }
        drop(turn);
    });
}

async fn next_part(writing: &Arc<Writing>) -> Result<()> {
    let Writing { access, who, options, clock, .. } = &**writing;
    let header = begun(options, &**clock);
    let before = writing.custody().ok_or_else(|| Error::new(Code::Internal, "a recording without a spool goes on"))?;
    let live = options.live().continuing(before);
    let next = access.with(async |ledger| ledger.open_live(who, live, header).await).await?;
    let changing = writing.clone();
    let died = |_| Error::new(Code::Broken, "a thread of a recording died");
    // The one that was just opened is dropped where the old one stays: the next start seals it, without a frame.
    let ended = tokio::task::spawn_blocking(move || changing.next_part(next)).await.map_err(died)??;
    let Some(ended) = ended else { return Ok(()) };
    // What cannot be sealed now is tried once more at the end of the session, and then by the next start.
    let sealed = seal_in(access, who, ended, None).await;
    writing.keep_part(before, sealed.map(|sealed| sealed.receipt));
    Ok(())
}

#[cfg(test)]
mod tests;
