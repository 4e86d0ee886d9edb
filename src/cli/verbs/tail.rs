//! `tail ID`: the last frames of a recording or a tape, and with `-f` those that come.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::capture::{CorrelationRecord, LedgerAccess, StreamingTapeReader, TapeRecord};
use crate::cli::args::Tail;
use crate::cli::session::Session;
use crate::cli::terminal::cut;
use crate::cli::{frames, words};
use crate::error::{Code, Error, Result};
use crate::tape::Frame;
use crate::time::Timestamp;

/// Frames that are shown when nobody says how many.
const LINES: usize = 10;
/// Columns of a line where nothing says how many there are.
const COLUMNS: usize = 240;

pub(in crate::cli) fn tail(s: &mut Session<'_>, args: &Tail) -> Result<u8> {
    // A ledger that another process has is waited for, and let go of at once.
    let access = LedgerAccess::visits(s.parts.places.clone(), s.parts.env.clone());
    let is_enough = Arc::new(AtomicBool::new(false));
    // Ctrl-C ends the reading in order: how much was read is recorded.
    let _kept = signal_hook::flag::register(signal_hook::consts::SIGINT, is_enough.clone());
    s.wait(async |s| {
        s.seal_abandoned().await?;
        let mut reader = StreamingTapeReader::open(access, s.parts.who.clone(), &args.id).await?;
        let shown = show(s, &mut reader, args, &is_enough).await;
        let closed = reader.close().await;
        shown?;
        closed?;
        Ok(0)
    })
}

async fn show(s: &mut Session<'_>, reader: &mut StreamingTapeReader, args: &Tail, enough: &AtomicBool) -> Result<()> {
    if reader.is_live() && !args.follow {
        s.out.say("This is recorded now; -f waits for more.");
    }
    let asked = args.lines.map(NonZeroUsize::get);
    let last = if args.follow { asked } else { asked.or(Some(LINES)) };
    if let Some(last) = last {
        let mut kept = VecDeque::new();
        while let Some(record) = reader.next_record().await? {
            if matches!(record, TapeRecord::Init(_)) {
                continue;
            }
            kept.push_back(record);
            let frames = kept.iter().filter(|r| matches!(r, TapeRecord::Frame(_))).count();
            if frames > last {
                kept.pop_front();
            }
        }
        for record in kept {
            print(s, &record, args.raw)?;
        }
    }
    while args.follow
        && let Some(record) = reader.follow_until(|| enough.load(Ordering::Relaxed)).await?
    {
        print(s, &record, args.raw)?;
        s.out.flush();
    }
    if s.out.json {
        let seen = reader.metadata();
        s.out.document(json!({
            "type": "tail_end", "custody": seen.custody.to_hex(), "tape": seen.tape.map(|t| t.to_text()),
            "status": seen.status.word(), "frames": seen.stats.frames, "live": reader.is_live(),
        }));
    } else if args.follow && !reader.is_live() {
        s.out.say("The recording has ended.");
    }
    Ok(())
}

fn print(s: &mut Session<'_>, record: &TapeRecord, raw: bool) -> Result<()> {
    if s.out.is_stopped() {
        return Err(Error::new(Code::Io, "the output was closed"));
    }
    match record {
        TapeRecord::Init(init) if !s.out.json => {
            let name = words::name(init.header.labels.name.as_deref());
            s.out.say(&format!("following {name}, {}", words::short(&init.custody.to_hex())));
        }
        TapeRecord::Frame(record) => frame(s, &record.frame, raw),
        TapeRecord::Correlation(pair) => correlation(s, pair),
        TapeRecord::Checkpoint(mark) if s.out.json => s.out.document(json!({
            "type": "checkpoint", "frames": mark.frames, "root": mark.root.to_hex(),
            "wall": Timestamp::from_ms(mark.wall_ns.wrapping_div(1_000_000)).to_text(),
        })),
        TapeRecord::Checkpoint(mark) => {
            s.out.line(&format!("   mark: {} so far, named in the log", words::count(mark.frames, "frame")));
        }
        _ => {}
    }
    Ok(())
}

fn frame(s: &mut Session<'_>, frame: &Frame, raw: bool) {
    if s.out.json {
        s.out.document(super::show::frame_document(frame));
        return;
    }
    let line = frames::line(frame, raw);
    let columns = s.out.look.columns.unwrap_or(COLUMNS);
    s.out.line(&if raw { line } else { cut(&line, columns) });
}

fn correlation(s: &mut Session<'_>, pair: &CorrelationRecord) {
    if s.out.json {
        s.out.document(json!({
            "type": "correlation", "id": pair.id(), "request_seq": pair.request_seq, "response_seq": pair.response_seq,
            "rtt_ms": pair.rtt_ms(), "status": pair.status.word(),
        }));
    }
}
