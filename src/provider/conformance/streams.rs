//! Tapes piece by piece.

use std::time::Duration;

use super::clause::{Checked, Clause, Not, Subject, holds, ok, refused, same};
use super::keeping::loads;
use super::material::tape;
use crate::codec::digest::TapeId;
use crate::error::Code;
use crate::provider::{FrameRange, FrameStream, Query, StreamingBackend, TapeStorageBackend};
use crate::tape::{Frame, Header};

/// A recording that was dropped is a tape with one of so many starts.
const STARTS_MAX: u32 = 100;

pub(super) const CLAUSES: &[Clause] = &[
    Clause::new("it streams if and only if it says so", |s| Box::pin(as_said(s))),
    Clause::new("a tape appended in pieces is the same as one saved whole", |s| Box::pin(in_pieces(s))),
    Clause::new("a tape that was not finished is none", |s| Box::pin(unfinished(s))),
    Clause::new("a recording is the tape that its frames and its header say", |s| Box::pin(recorded(s))),
    Clause::new("a recording whose recorder is gone is a tape that was cut off", |s| Box::pin(cut_off(s))),
    Clause::new("a range gives those frames and no others", |s| Box::pin(ranges(s))),
];

async fn as_said(s: Subject) -> Checked<()> {
    let backend = s.empty().await?;
    let (said, is_there) = (backend.capabilities().streams, backend.streaming().is_some());
    same("what the capabilities say, and what is there", said, is_there)
}

fn streams(backend: &dyn TapeStorageBackend) -> Checked<&dyn StreamingBackend> {
    backend.streaming().ok_or(Not::Promised("it takes and gives whole tapes only"))
}

async fn in_pieces(s: Subject) -> Checked<()> {
    let (backend, kept) = (s.empty().await?, tape("one", 50));
    let mut appender = ok("append_frames", streams(&*backend)?.append_frames("draft", "default").await)?;
    for piece in kept.frames.chunks(7) {
        ok("append", appender.append(piece.to_vec()).await)?;
    }
    same("frames", appender.frames(), kept.frames.len() as u64)?;
    let before = ok("list", backend.list(&Query::all()).await)?;
    same("tapes before the end", before.tapes.len(), 0)?;
    let id = ok("finish", appender.finish(kept.header.clone()).await)?;
    loads(&*backend, &id, &kept).await?;
    let got = all(&mut *ok("stream_frames", streams(&*backend)?.stream_frames(&id, FrameRange::All).await)?).await?;
    holds("the frames of a stream are not those of the tape", got == kept.frames)
}

async fn unfinished(s: Subject) -> Checked<()> {
    let (backend, kept) = (s.empty().await?, tape("one", 3));
    let mut appender = ok("append_frames", streams(&*backend)?.append_frames("draft", "default").await)?;
    ok("append", appender.append(kept.frames.clone()).await)?;
    drop(appender);
    let mut appender = ok("append_frames", streams(&*backend)?.append_frames("draft", "default").await)?;
    refused("append from the middle", appender.append(kept.frames.into_iter().skip(2).collect()).await, Code::Usage)?;
    drop(appender);
    same("tapes", ok("list", backend.list(&Query::all()).await)?.tapes.len(), 0)
}

async fn recorded(s: Subject) -> Checked<()> {
    let (backend, kept) = (s.empty().await?, tape("one", 50));
    let begun = Header { class: "draft".into(), ..Header::new(kept.header.kind) };
    let mut appender = ok("record", streams(&*backend)?.record(begun).await)?;
    for piece in kept.frames.chunks(7) {
        ok("append", appender.append(piece.to_vec()).await)?;
    }
    same("frames", appender.frames(), kept.frames.len() as u64)?;
    same("tapes before the end", ok("list", backend.list(&Query::all()).await)?.tapes.len(), 0)?;
    // What became known meanwhile goes in with the end; the frames have the times that they were given, and no others.
    let id = ok("finish", appender.finish(kept.header.clone()).await)?;
    loads(&*backend, &id, &kept).await?;
    let mut appender = ok("record", streams(&*backend)?.record(kept.header.clone()).await)?;
    refused("append from the middle", appender.append(kept.frames.into_iter().skip(2).collect()).await, Code::Usage)
}

async fn cut_off(s: Subject) -> Checked<()> {
    let (settings, kept) = (s.fresh(), tape("one", 20));
    let backend = s.open(&settings).await?;
    if !backend.capabilities().records_live {
        return Err(Not::Promised("there is nothing of a recording before its end"));
    }
    let mut appender = ok("record", streams(&*backend)?.record(kept.header.clone()).await)?;
    ok("append", appender.append(kept.frames.clone()).await)?;
    drop(appender);
    ok("close", backend.close().await)?;
    drop(backend);
    for _ in 0..STARTS_MAX {
        let backend = s.open(&settings).await?;
        let page = ok("list", backend.list(&Query::all()).await)?;
        if let Some(found) = page.tapes.first() {
            same("how it ended", found.status.as_str(), "truncated")?;
            let loaded = ok("load", backend.load(&found.id).await)?;
            holds("the frames are not those that were appended", loaded.frames == kept.frames)?;
            same("session id", &loaded.header.session_id, &kept.header.session_id)?;
            return same("tapes", page.tapes.len(), 1);
        }
        // What a dropped recording still does, it does on a thread of its own.
        ok("close", backend.close().await)?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err(Not::Kept("no tape came of it".to_owned()))
}

async fn ranges(s: Subject) -> Checked<()> {
    let (backend, kept) = (s.empty().await?, tape("one", 20));
    let id = ok("save", backend.save(&kept).await)?;
    let streaming = streams(&*backend)?;
    for (first, last) in [(0u64, 0u64), (3, 9), (24, 24), (0, 24)] {
        let mut stream = ok("stream_frames", streaming.stream_frames(&id, FrameRange::Seq(first, last)).await)?;
        same("session id", &stream.header().session_id, &kept.header.session_id)?;
        let got = all(&mut *stream).await?;
        ok("finish", stream.finish().await)?;
        let wanted: Vec<Frame> = kept.frames.iter().filter(|f| (first..=last).contains(&f.seq)).cloned().collect();
        holds(&format!("frames {first}..{last} are others"), got == wanted)?;
    }
    let mut early = ok("stream_frames", streaming.stream_frames(&id, FrameRange::All).await)?;
    holds("a stream without a first frame", ok("next", early.next().await)?.is_some())?;
    ok("finish in the middle", early.finish().await)?;
    refused("a range past the end", first_of(streaming, &id, FrameRange::Seq(20, 25)).await, Code::NoFrame)?;
    refused("a range that ends before it begins", first_of(streaming, &id, FrameRange::Seq(3, 2)).await, Code::Usage)?;
    let nobody = TapeId::from_bytes([0xcd; 32]);
    refused("a tape that is not there", first_of(streaming, &nobody, FrameRange::All).await, Code::NotFound)
}

async fn first_of(
    streaming: &dyn StreamingBackend,
    id: &TapeId,
    range: FrameRange,
) -> crate::error::Result<Option<Frame>> {
    streaming.stream_frames(id, range).await?.next().await
}

async fn all(stream: &mut dyn FrameStream) -> Checked<Vec<Frame>> {
    let mut out = Vec::new();
    while let Some(frame) = ok("next", stream.next().await)? {
        out.push(frame);
    }
    Ok(out)
}
