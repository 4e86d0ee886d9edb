//! Two tapes read side by side, in memory that does not grow with them.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::error::{Code, Error, Result};
use crate::ledger::{FrameSelection, TapeReader};
use crate::tape::Frame;

/// Frames of one tape that wait for those of the other: the longest has 16 MiB.
const WAITING_MAX: usize = 2;

/// The frames with one number.
#[derive(Debug)]
pub(super) enum Step {
    /// Of both tapes.
    Both(Box<(Frame, Frame)>),
    /// The other tape has ended.
    OnlyA(Box<Frame>),
    /// The other tape has ended.
    OnlyB(Box<Frame>),
}

/// Gives the frames of both tapes by their numbers.
///
/// # Errors
/// Those of [`TapeReader::frames`] and of `each`.
pub(super) fn lockstep(a: &TapeReader, b: &TapeReader, each: &mut dyn FnMut(Step) -> Result<()>) -> Result<()> {
    std::thread::scope(|threads| {
        let (sender, receiver) = sync_channel(WAITING_MAX);
        let other = threads.spawn(move || send(b, &sender));
        // The receiver goes before the thread is waited for: that is how it learns that nobody listens any more.
        let done = walk(a, receiver, each);
        let ended = other.join();
        done.and(ended.map_err(|_| Error::new(Code::Internal, "the reading of a tape stopped in a fault")))
    })
}

fn walk(a: &TapeReader, b: Receiver<Result<Frame>>, each: &mut dyn FnMut(Step) -> Result<()>) -> Result<()> {
    a.frames(FrameSelection::All, &mut |frame| match b.recv() {
        Ok(other) => each(Step::Both(Box::new((frame, other?)))),
        Err(_) => each(Step::OnlyA(Box::new(frame))),
    })?;
    while let Ok(other) = b.recv() {
        each(Step::OnlyB(Box::new(other?)))?;
    }
    Ok(())
}

/// A failure is sent like a frame: an end of frames would pass for the end of the tape.
fn send(tape: &TapeReader, to: &SyncSender<Result<Frame>>) {
    let gone = || Error::new(Code::Internal, "nobody reads the other tape any more");
    let sent = tape.frames(FrameSelection::All, &mut |frame| to.send(Ok(frame)).map_err(|_| gone()));
    if let Err(e) = sent {
        let _nobody_listens = to.send(Err(e));
    }
}
