//! `tail ID`: the last frames of a recording or a tape, and with `-f` those that come.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::capture::{CorrelationRecord, CorrelationStatus, LedgerAccess, StreamingTapeReader, TapeRecord};
use crate::cli::args::Tail;
use crate::cli::joined::Joined;
use crate::cli::lanes::Lanes;
use crate::cli::session::Session;
use crate::cli::{frames, words};
use crate::error::{Code, Error, Result};
use crate::tape::Frame;
use crate::time::Timestamp;

/// Frames that are shown when nobody says how many.
const LINES: usize = 10;

pub(in crate::cli) fn tail(s: &mut Session<'_>, args: &Tail) -> Result<u8> {
    // A ledger that another process has is waited for, and let go of at once.
    let access = LedgerAccess::visits(s.parts.places.clone(), s.parts.env.clone());
    s.wait(async |s| {
        // What cannot be sealed was told, and keeps nobody from reading something else.
        let _told = s.seal_abandoned().await?;
        let mut reader = StreamingTapeReader::open(access, s.parts.who.clone(), &args.id).await?;
        let is_enough = heeded();
        let shown = show(s, &mut reader, args, &is_enough).await;
        let is_abandoned = reader.is_abandoned();
        let closed = reader.close().await;
        shown?;
        closed?;
        if is_abandoned && !is_enough.load(Ordering::Relaxed) {
            let _told = s.seal_abandoned().await?;
        }
        Ok(0)
    })
}

/// Set by Ctrl-C from here on: it ends the reading in order, and how much was read is recorded. While nothing was read yet, and
/// when it comes a second time, it ends the program as it does any other.
fn heeded() -> Arc<AtomicBool> {
    use signal_hook::consts::SIGINT;
    let is_enough = Arc::new(AtomicBool::new(false));
    // In this order: the first signal finds the flag not set yet.
    let _at_the_second = signal_hook::flag::register_conditional_default(SIGINT, is_enough.clone());
    let _at_the_first = signal_hook::flag::register(SIGINT, is_enough.clone());
    is_enough
}

/// What goes onto the screen, once it is known to.
enum Line {
    Frame(Box<Frame>, Joined),
    Other(TapeRecord),
}

async fn show(s: &mut Session<'_>, reader: &mut StreamingTapeReader, args: &Tail, enough: &AtomicBool) -> Result<()> {
    if reader.is_live() && !args.follow {
        s.out.say("This is recorded now; -f waits for more.");
    }
    let mut lanes = Lanes::new(s.out.look, false);
    // Each part of a session is an access of its own.
    let mut entries = vec![reader.grant_index()];
    let asked = args.lines.map(NonZeroUsize::get);
    let last = if args.follow { asked } else { asked.or(Some(LINES)) };
    if let Some(last) = last {
        for line in last_lines(reader, last, &mut lanes, enough).await? {
            print(s, &lanes, line, args.raw)?;
        }
    }
    while args.follow
        && !enough.load(Ordering::Relaxed)
        && let Some(record) = reader.follow_until(|| enough.load(Ordering::Relaxed)).await?
    {
        if matches!(record, TapeRecord::Init(_)) {
            // Another part of the session, with numbers of its own.
            lanes = Lanes::new(s.out.look, false);
            entries.push(reader.grant_index());
            entries.dedup();
        }
        let line = line(record, &mut lanes);
        print(s, &lanes, line, args.raw)?;
        s.out.flush();
    }
    if s.out.json {
        entries.iter().for_each(|entry| s.out.document(json!({ "type": "recorded", "entry": entry })));
        let seen = reader.metadata();
        s.out.document(json!({
            "type": "tail_end", "custody": seen.custody.to_hex(), "tape": seen.tape.map(|t| t.to_text()),
            "status": seen.status.word(), "frames": seen.stats.frames, "live": reader.is_live(),
        }));
    } else if reader.is_abandoned() {
        s.out.say("Its recorder is gone.");
    } else if args.follow && !reader.is_live() {
        s.out.say("The recording has ended.");
    }
    match entries.as_slice() {
        [entry] => s.out.say(&format!("This read was recorded as entry #{entry}.")),
        entries => {
            let shown: Vec<String> = entries.iter().map(|entry| format!("#{entry}")).collect();
            s.out.say(&format!("These reads, one of each part, were recorded as entries {}.", shown.join(", ")));
        }
    }
    Ok(())
}

/// What there is, and of it the last so many frames with what stands between them. All of it is read: an answer may be to one
/// of the first.
async fn last_lines(
    reader: &mut StreamingTapeReader,
    last: usize,
    lanes: &mut Lanes,
    enough: &AtomicBool,
) -> Result<VecDeque<Line>> {
    let (mut kept, mut frames) = (VecDeque::new(), 0usize);
    while !enough.load(Ordering::Relaxed)
        && let Some(record) = reader.next_record().await?
    {
        if matches!(record, TapeRecord::Init(_)) {
            continue;
        }
        let line = line(record, lanes);
        frames = frames.saturating_add(usize::from(matches!(line, Line::Frame(..))));
        kept.push_back(line);
        while frames > last {
            frames = frames.saturating_sub(usize::from(matches!(kept.pop_front(), Some(Line::Frame(..)))));
        }
    }
    Ok(kept)
}

fn line(record: TapeRecord, lanes: &mut Lanes) -> Line {
    match record {
        TapeRecord::Frame(record) => {
            let joined = lanes.join(&record.frame);
            Line::Frame(Box::new(record.frame), joined)
        }
        other => Line::Other(other),
    }
}

fn print(s: &mut Session<'_>, lanes: &Lanes, line: Line, raw: bool) -> Result<()> {
    if s.out.is_stopped() {
        return Err(Error::new(Code::Io, "the output was closed"));
    }
    match line {
        Line::Frame(frame, _) if s.out.json => s.out.document(super::show::frame_document(&frame)),
        Line::Frame(frame, _) if raw => s.out.line(&frames::line(&frame, true)),
        Line::Frame(frame, joined) => lanes.print(s.out, &frame, &joined),
        Line::Other(TapeRecord::Init(init)) if !s.out.json => {
            let name = words::name(init.header.labels.name.as_deref());
            s.out.say(&format!("following {name}, {}", words::short(&init.custody.to_hex())));
        }
        Line::Other(TapeRecord::Correlation(pair)) => correlation(s, &pair),
        Line::Other(TapeRecord::Checkpoint(mark)) if s.out.json => s.out.document(json!({
            "type": "checkpoint", "frames": mark.frames, "root": mark.root.to_hex(),
            "wall": Timestamp::from_ms(mark.wall_ns.wrapping_div(1_000_000)).to_text(),
        })),
        Line::Other(TapeRecord::Checkpoint(mark)) => {
            s.out.prose(&format!("   mark: {} so far, named in the log", words::count(mark.frames, "frame")));
        }
        Line::Other(_) => {}
    }
    Ok(())
}

fn correlation(s: &mut Session<'_>, pair: &CorrelationRecord) {
    if s.out.json {
        s.out.document(json!({
            "type": "correlation", "id": pair.id(), "request_seq": pair.request_seq, "response_seq": pair.response_seq,
            "rtt_ms": pair.rtt_ms(), "status": pair.status.word(),
        }));
    } else if pair.status == CorrelationStatus::Timeout {
        // What the messages themselves show stands beside the answer.
        s.out.prose(&format!("   #{} was not answered in time, says who recorded", pair.request_seq));
    }
}
