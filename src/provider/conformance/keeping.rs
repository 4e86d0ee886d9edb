//! What goes in comes out, and stays.

use std::sync::Arc;

use super::clause::{Checked, Clause, Not, Subject, holds, ok, refused, same};
use super::material::tape;
use crate::codec::digest::TapeId;
use crate::error::Code;
use crate::provider::{Query, Tape, TapeStorageBackend};
use crate::tape::TapeKind;

pub(super) const CLAUSES: &[Clause] = &[
    Clause::new("a tape comes out as it went in, byte for byte", |s| Box::pin(byte_for_byte(s))),
    Clause::new("a tape without frames is kept, too", |s| Box::pin(without_frames(s))),
    Clause::new("the same content kept again leaves both ids good", |s| Box::pin(twice(s))),
    Clause::new("frames out of order are refused and leave no tape", |s| Box::pin(out_of_order(s))),
    Clause::new("what is not there is not found", |s| Box::pin(not_there(s))),
    Clause::new("a live tape is never deleted", |s| Box::pin(never_deleted(s))),
    Clause::new("tapes saved at the same time are all kept", |s| Box::pin(at_once(s))),
    Clause::new("what was acknowledged outlives the backend", |s| Box::pin(durable(s))),
];

/// A backend may add to a header; what was said of the session stays.
pub(super) fn same_tape(what: &str, got: &Tape, wanted: &Tape) -> Checked<()> {
    same(&format!("{what}: number of frames"), got.frames.len(), wanted.frames.len())?;
    for (got, wanted) in got.frames.iter().zip(&wanted.frames) {
        holds(&format!("{what}: frame {} came back as another", wanted.seq), got == wanted)?;
    }
    let (got, wanted) = (&got.header, &wanted.header);
    same(&format!("{what}: kind"), got.kind, wanted.kind)?;
    same(&format!("{what}: session id"), &got.session_id, &wanted.session_id)?;
    same(&format!("{what}: labels"), &got.labels, &wanted.labels)?;
    same(&format!("{what}: start"), got.started_wall_ns, wanted.started_wall_ns)?;
    same(&format!("{what}: named"), &got.named, &wanted.named)?;
    same(&format!("{what}: counts"), got.stats, wanted.stats)
}

pub(super) async fn loads(backend: &dyn TapeStorageBackend, id: &TapeId, wanted: &Tape) -> Checked<()> {
    let got = ok("load", backend.load(id).await)?;
    same_tape("load", &got, wanted)
}

async fn byte_for_byte(s: Subject) -> Checked<()> {
    let (backend, kept) = (s.empty().await?, tape("one", 20));
    let id = ok("save", backend.save(&kept).await)?;
    loads(&*backend, &id, &kept).await?;
    loads(&*backend, &id, &kept).await
}

async fn without_frames(s: Subject) -> Checked<()> {
    let (backend, kept) = (s.empty().await?, Tape::new(TapeKind::Other));
    let id = ok("save", backend.save(&kept).await)?;
    loads(&*backend, &id, &kept).await
}

async fn twice(s: Subject) -> Checked<()> {
    let (backend, kept, other) = (s.empty().await?, tape("one", 3), tape("other", 3));
    let first = ok("save", backend.save(&kept).await)?;
    let between = ok("save", backend.save(&other).await)?;
    let second = ok("save again", backend.save(&kept).await)?;
    holds("two different tapes have one id", first != between)?;
    for (id, wanted) in [(first, &kept), (second, &kept), (between, &other)] {
        loads(&*backend, &id, wanted).await?;
    }
    Ok(())
}

async fn out_of_order(s: Subject) -> Checked<()> {
    let (backend, mut kept) = (s.empty().await?, tape("one", 3));
    kept.frames.swap(2, 3);
    refused("save", backend.save(&kept).await, Code::Usage)?;
    let page = ok("list", backend.list(&Query::all()).await)?;
    same("tapes after a save that failed", page.tapes.len(), 0)
}

async fn not_there(s: Subject) -> Checked<()> {
    let (backend, nobody) = (s.empty().await?, TapeId::from_bytes([0xab; 32]));
    let id = ok("save", backend.save(&tape("one", 0)).await)?;
    refused("load", backend.load(&nobody).await, Code::NotFound)?;
    refused("delete", backend.delete(&nobody).await, Code::NotFound)?;
    same("exists", ok("exists", backend.exists(&nobody).await)?, false)?;
    same("exists", ok("exists", backend.exists(&id).await)?, true)
}

async fn never_deleted(s: Subject) -> Checked<()> {
    let (backend, kept) = (s.empty().await?, tape("one", 3));
    let id = ok("save", backend.save(&kept).await)?;
    let answer = backend.delete(&id).await;
    let hint = answer.as_ref().err().and_then(|e| e.hint()).is_some();
    refused("delete", answer, Code::DisposalRequired)?;
    holds("delete: the error names no way", hint)?;
    same("exists afterwards", ok("exists", backend.exists(&id).await)?, true)?;
    loads(&*backend, &id, &kept).await
}

async fn at_once(s: Subject) -> Checked<()> {
    let backend: Arc<dyn TapeStorageBackend> = Arc::from(s.empty().await?);
    let saving: Vec<_> = (0..8)
        .map(|n| {
            let backend = backend.clone();
            tokio::spawn(async move {
                let kept = tape(&format!("tape {n}"), n);
                backend.save(&kept).await.map(|id| (id, kept))
            })
        })
        .collect();
    for saved in saving {
        let saved = saved.await.map_err(|_| Not::Kept("save: it panicked".into()))?;
        let (id, kept) = ok("save", saved)?;
        loads(&*backend, &id, &kept).await?;
    }
    same("tapes", ok("list", backend.list(&Query::all()).await)?.tapes.len(), 8)
}

async fn durable(s: Subject) -> Checked<()> {
    let (settings, kept) = (s.fresh(), tape("one", 3));
    let backend = s.open(&settings).await?;
    let promised = backend.capabilities().is_durable;
    let id = ok("save", backend.save(&kept).await)?;
    ok("close", backend.close().await)?;
    drop(backend);
    if !promised {
        return Err(Not::Promised("nothing is said to be durable"));
    }
    let backend = s.open(&settings).await?;
    loads(&*backend, &id, &kept).await?;
    ok("close", backend.close().await)
}
