//! From a spool to a tape. Whatever was durable is in it; whatever is missing is said.

use tokio::sync::Semaphore;

use super::ended::LeftOut;
use crate::error::{Code, Error, Result};
use crate::interchange::FrameCounts;
use crate::ledger::{LiveSealer, SaveReceipt};
use crate::tape::{EndState, Gap, GapReason, Header, LiveRecord, TapeKind};

/// Recordings that this process seals at the same time. Each takes a thread and the memory of a short tape until it is
/// durable; more of them at once were no faster.
const SEALED_ABREAST: usize = 16;
static TURNS: Semaphore = Semaphore::const_new(SEALED_ABREAST);

/// A recording that became a tape.
#[derive(Debug, Clone)]
pub(super) struct Sealed {
    pub receipt: SaveReceipt,
    pub header: Header,
}

/// Seals a recording. `left_out` is what its recorder had taken and the spool had not: of it the tape says how the session
/// ended, and how many frames are missing. Without an end in either it was cut off. `known` is what is known of the session by
/// now, where somebody says so.
pub(super) async fn seal(sealer: LiveSealer, left_out: LeftOut, known: Option<Header>) -> Result<Sealed> {
    // Never closed, so that it comes to everybody.
    let _turn = TURNS.acquire().await.ok();
    let died = |_| Error::new(Code::Broken, "a thread that seals a recording died");
    let (sealer, header, is_cut_off) =
        tokio::task::spawn_blocking(move || take_in(sealer, left_out, known)).await.map_err(died)??;
    let header = Header { continues: sealer.continues()?, ..header };
    let receipt = sealer.finish(header.clone(), is_cut_off).await?;
    Ok(Sealed { receipt, header })
}

/// What the records say besides the frames.
struct Told {
    header: Header,
    gaps: Vec<Gap>,
    /// Frames when it was paused.
    paused_at: Option<u64>,
    end: Option<(EndState, u64)>,
}

fn take_in(mut sealer: LiveSealer, left_out: LeftOut, known: Option<Header>) -> Result<(LiveSealer, Header, bool)> {
    let mut told = Told { header: Header::new(TapeKind::Other), gaps: Vec::new(), paused_at: None, end: None };
    let mut counts = FrameCounts::default();
    let mut read = 0u64;
    while let Some(record) = sealer.next_record()? {
        read = read.saturating_add(1);
        match record {
            LiveRecord::Frame(mut frame) => {
                // The flags are under the root that marks name: they stay as they were recorded.
                let flags = frame.flags;
                counts.frame(&mut frame);
                frame.flags = flags;
                sealer.frame(&frame)?;
            }
            other => told.take(other, sealer.frames()),
        }
    }
    let frames = sealer.frames();
    let is_there = usize::try_from(read.saturating_sub(left_out.behind)).unwrap_or(usize::MAX);
    told.left_out(left_out.records.into_iter().skip(is_there), frames);
    let end = told.end.take();
    let is_cut_off = end.is_none() || sealer.falls_short();
    told.resumed(frames);
    let Told { header: begun, mut gaps, .. } = told;
    let mut header = match known {
        None => begun,
        Some(known) => Header {
            class: begun.class,
            namespace: begun.namespace,
            started_wall_ns: known.started_wall_ns.or(begun.started_wall_ns),
            ..known
        },
    };
    if is_cut_off {
        gaps.push(Gap { before_seq: frames, reason: GapReason::RecorderStopped, count: 0 });
    }
    let wall_ns = end.as_ref().map(|(_, wall_ns)| *wall_ns).filter(|ns| *ns > 0);
    header.end_state =
        if is_cut_off { EndState::Truncated } else { end.map_or(EndState::Truncated, |(state, _)| state) };
    header.ended_wall_ns = header.ended_wall_ns.or(wall_ns).filter(|_| !is_cut_off);
    counts.fill(&mut header);
    header.gaps = gaps;
    Ok((sealer, header, is_cut_off))
}

impl Told {
    fn take(&mut self, record: LiveRecord, frames: u64) {
        match record {
            LiveRecord::Opened(header) => self.header = *header,
            LiveRecord::Gap(gap) => {
                // A pause that is over counts what came meanwhile itself.
                if gap.reason == GapReason::Paused {
                    self.paused_at = None;
                }
                self.gaps.push(gap);
            }
            LiveRecord::Paused { .. } => self.paused_at = Some(frames),
            LiveRecord::Resumed { .. } => self.resumed(frames),
            LiveRecord::Ended { state, wall_ns, .. } => self.end = Some((state, wall_ns)),
            _ => {}
        }
    }

    /// Frames that the spool had no place for are counted in one gap at the end of those that it had.
    fn left_out(&mut self, records: impl Iterator<Item = LiveRecord>, frames: u64) {
        let mut lost = 0u64;
        for record in records {
            match record {
                LiveRecord::Frame(_) => lost = lost.saturating_add(1),
                LiveRecord::Gap(gap) if gap.reason == GapReason::StorageFailed => lost = lost.saturating_add(gap.count),
                LiveRecord::Gap(gap) => self.take(LiveRecord::Gap(Gap { before_seq: frames, ..gap }), frames),
                other => self.take(other, frames),
            }
        }
        if lost > 0 {
            self.gaps.push(Gap { before_seq: frames, reason: GapReason::StorageFailed, count: lost });
        }
    }

    fn resumed(&mut self, frames: u64) {
        if self.paused_at.take().is_some() {
            self.gaps.push(Gap { before_seq: frames, reason: GapReason::Paused, count: 0 });
        }
    }
}
