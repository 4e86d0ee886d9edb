//! The clauses of [`Spool`].

use std::thread;

use super::clause::{Clause, Open, ok, refused, same};
use crate::codec::digest::CustodyId;
use crate::error::Code;
use crate::store::contracts::Spool;

type Fresh<'a> = Open<'a, dyn Spool>;
type Verdict = Result<(), String>;

/// Clauses on engines that each begin empty.
pub const CLAUSES: &[Clause<dyn Spool>] = &[
    Clause { name: "append: pieces come back whole and in order", check: pieces_in_order },
    Clause { name: "append: recordings are apart", check: recordings_are_apart },
    Clause { name: "sync: repeatable, changes nothing", check: sync_changes_nothing },
    Clause { name: "pieces: not found", check: pieces_not_found },
    Clause { name: "recordings: every one that has a spool", check: recordings_are_whole },
    Clause { name: "close: removes the spool", check: close_removes },
    Clause { name: "close: twice is a success", check: close_twice },
    Clause { name: "close: an append after it begins anew", check: append_after_close },
    Clause { name: "reader: gives what is appended behind its back", check: reader_goes_on },
    Clause { name: "reader: goes on to the end of a closed spool, and says so", check: reader_sees_the_end },
    Clause { name: "reader: what it gives as durable is what was appended", check: reader_of_durable },
    Clause { name: "hold: for one at a time", check: held_once },
    Clause { name: "reader: knows whether somebody holds it", check: reader_knows_the_hold },
    Clause { name: "put aside: is no recording any more", check: put_aside },
    Clause { name: "concurrent: one writer for each recording, and readers", check: many_recordings },
];

/// Clauses on one engine that is opened again: each call of the closure opens the same store, empty at
/// the first, and the one before is dropped first.
pub const LASTING: &[Clause<dyn Spool>] = &[
    Clause { name: "sync: what was appended lasts", check: pieces_last },
    Clause { name: "append: goes on behind what lasts", check: appends_go_on },
    Clause { name: "close: lasts", check: close_lasts },
    Clause { name: "put aside: lasts", check: aside_lasts },
];

const A: CustodyId = CustodyId::from_bytes([0xa1; 32]);
const B: CustodyId = CustodyId::from_bytes([0xb2; 32]);

fn pieces() -> Vec<Vec<u8>> {
    vec![b"one".to_vec(), Vec::new(), vec![0; 700], b"one".to_vec(), vec![0xff; 70_000], b"last".to_vec()]
}

fn append(spool: &dyn Spool, recording: &CustodyId, all: &[Vec<u8>]) -> Verdict {
    all.iter().try_for_each(|piece| ok("append", spool.append(recording, piece)))
}

fn read(spool: &dyn Spool, recording: &CustodyId) -> Result<Vec<Vec<u8>>, String> {
    ok("pieces", spool.pieces(recording))
}

fn names(spool: &dyn Spool) -> Result<Vec<CustodyId>, String> {
    let mut all = ok("recordings", spool.recordings())?;
    all.sort_unstable();
    Ok(all)
}

fn pieces_in_order(fresh: &Fresh<'_>) -> Verdict {
    let spool = fresh();
    let all = pieces();
    for (piece, count) in all.iter().zip(1..) {
        ok("append", spool.append(&A, piece))?;
        same("pieces so far", read(&*spool, &A)?.as_slice(), all.get(..count).unwrap_or_default())?;
    }
    Ok(())
}

fn recordings_are_apart(fresh: &Fresh<'_>) -> Verdict {
    let spool = fresh();
    for n in 0..5_u8 {
        ok("append", spool.append(&A, &[n]))?;
        ok("append", spool.append(&B, &[n, n]))?;
    }
    same("pieces of A", read(&*spool, &A)?, (0..5).map(|n| vec![n]).collect())?;
    same("pieces of B", read(&*spool, &B)?, (0..5).map(|n| vec![n, n]).collect())
}

fn sync_changes_nothing(fresh: &Fresh<'_>) -> Verdict {
    let spool = fresh();
    append(&*spool, &A, &pieces())?;
    for _ in 0..3 {
        ok("sync", spool.sync(&A))?;
        same("pieces after sync", read(&*spool, &A)?, pieces())?;
    }
    Ok(())
}

fn pieces_not_found(fresh: &Fresh<'_>) -> Verdict {
    let spool = fresh();
    refused("pieces from an empty store", spool.pieces(&A), Code::NotFound)?;
    ok("append", spool.append(&B, b"there"))?;
    refused("pieces", spool.pieces(&A), Code::NotFound)
}

fn recordings_are_whole(fresh: &Fresh<'_>) -> Verdict {
    let spool = fresh();
    same("recordings of an empty store", names(&*spool)?, Vec::new())?;
    ok("append", spool.append(&B, b"b"))?;
    ok("append", spool.append(&A, b"a"))?;
    ok("sync", spool.sync(&A))?;
    same("recordings", names(&*spool)?, vec![A, B])
}

fn close_removes(fresh: &Fresh<'_>) -> Verdict {
    let spool = fresh();
    append(&*spool, &A, &pieces())?;
    ok("append", spool.append(&B, b"stays"))?;
    ok("sync", spool.sync(&A))?;
    ok("close", spool.close(&A))?;
    refused("pieces after close", spool.pieces(&A), Code::NotFound)?;
    same("recordings after close", names(&*spool)?, vec![B])?;
    same("pieces of another", read(&*spool, &B)?, vec![b"stays".to_vec()])
}

fn close_twice(fresh: &Fresh<'_>) -> Verdict {
    let spool = fresh();
    ok("close of what never was", spool.close(&A))?;
    ok("append", spool.append(&A, b"a"))?;
    ok("close", spool.close(&A))?;
    ok("close again", spool.close(&A))
}

fn append_after_close(fresh: &Fresh<'_>) -> Verdict {
    let spool = fresh();
    append(&*spool, &A, &pieces())?;
    ok("close", spool.close(&A))?;
    ok("append after close", spool.append(&A, b"anew"))?;
    ok("sync", spool.sync(&A))?;
    same("pieces", read(&*spool, &A)?, vec![b"anew".to_vec()])
}

fn many_recordings(fresh: &Fresh<'_>) -> Verdict {
    const EACH: u8 = 40;
    let spool = fresh();
    let recorder = |n: u8| -> Verdict {
        let recording = CustodyId::from_bytes([n; 32]);
        for piece in 0..EACH {
            ok("append", spool.append(&recording, &[piece; 300]))?;
            if piece % 8 == 0 {
                ok("sync", spool.sync(&recording))?;
                ok("recordings", spool.recordings())?;
            }
            let seen = read(&*spool, &recording)?;
            same("pieces while recording", seen.len(), usize::from(piece).saturating_add(1))?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let running: Vec<_> = (1..9).map(|n| scope.spawn(move || recorder(n))).collect();
        running.into_iter().try_for_each(|r| r.join().unwrap_or_else(|_| Err("a recorder panicked".to_owned())))
    })?;
    for n in 1..9 {
        let wanted = (0..EACH).map(|piece| vec![piece; 300]).collect();
        same("pieces", read(&*spool, &CustodyId::from_bytes([n; 32]))?, wanted)?;
    }
    Ok(())
}

fn pieces_last(place: &Fresh<'_>) -> Verdict {
    {
        let spool = place();
        append(&*spool, &A, &pieces())?;
        ok("sync", spool.sync(&A))?;
    }
    let spool = place();
    same("recordings in the next run", names(&*spool)?, vec![A])?;
    same("pieces in the next run", read(&*spool, &A)?, pieces())
}

fn appends_go_on(place: &Fresh<'_>) -> Verdict {
    let mut all = Vec::new();
    for _ in 0..3 {
        let spool = place();
        append(&*spool, &A, &pieces())?;
        ok("sync", spool.sync(&A))?;
        all.extend(pieces());
        same("pieces of all runs", read(&*spool, &A)?, all.clone())?;
    }
    Ok(())
}

fn close_lasts(place: &Fresh<'_>) -> Verdict {
    {
        let spool = place();
        ok("append", spool.append(&A, b"a"))?;
        ok("sync", spool.sync(&A))?;
    }
    ok("close in the next run", place().close(&A))?;
    let spool = place();
    same("recordings in the run after", names(&*spool)?, Vec::new())?;
    refused("pieces in the run after", spool.pieces(&A), Code::NotFound)
}

fn reader_goes_on(fresh: &Fresh<'_>) -> Verdict {
    let spool = fresh();
    ok("append", spool.append(&A, b"one"))?;
    let mut reader = ok("reader", spool.reader(&A))?;
    same("bytes behind are counted", ok("bytes_behind", reader.bytes_behind())? > 0, true)?;
    same("first piece", ok("next_piece", reader.next_piece())?, Some(b"one".to_vec()))?;
    for n in 0..5_u8 {
        same("nothing more", ok("next_piece", reader.next_piece())?, None)?;
        same("nothing behind", ok("bytes_behind", reader.bytes_behind())?, 0)?;
        ok("append", spool.append(&A, &[n]))?;
        same("what came", ok("next_piece", reader.next_piece())?, Some(vec![n]))?;
    }
    same("closed", ok("is_closed", reader.is_closed())?, false)
}

fn reader_sees_the_end(fresh: &Fresh<'_>) -> Verdict {
    let spool = fresh();
    append(&*spool, &A, &pieces())?;
    let mut reader = ok("reader", spool.reader(&A))?;
    ok("close", spool.close(&A))?;
    same("closed", ok("is_closed", reader.is_closed())?, true)?;
    for piece in pieces() {
        same("a piece of a closed spool", ok("next_piece", reader.next_piece())?, Some(piece))?;
    }
    same("the end", ok("next_piece", reader.next_piece())?, None)
}

fn reader_of_durable(fresh: &Fresh<'_>) -> Verdict {
    let spool = fresh();
    ok("append", spool.append(&A, b"synced"))?;
    ok("sync", spool.sync(&A))?;
    ok("append", spool.append(&A, b"not yet"))?;
    let mut reader = ok("reader", spool.reader(&A))?;
    for piece in [&b"synced"[..], b"not yet"] {
        same("a piece", ok("next_durable_piece", reader.next_durable_piece())?, Some(piece.to_vec()))?;
    }
    same("nothing more", ok("next_durable_piece", reader.next_durable_piece())?, None)?;
    same("and none known of", reader.has_durable(), false)?;
    append(&*spool, &A, &pieces())?;
    for piece in pieces() {
        same("what came", ok("next_durable_piece", reader.next_durable_piece())?, Some(piece))?;
    }
    ok("close", spool.close(&A))?;
    same("the end", ok("next_durable_piece", reader.next_durable_piece())?, None)
}

fn held_once(fresh: &Fresh<'_>) -> Verdict {
    let spool = fresh();
    let hold = ok("hold of what is not there yet", spool.hold(&A))?;
    same("held", hold.is_some(), true)?;
    ok("append", spool.append(&A, b"a"))?;
    same("held twice", ok("hold", spool.hold(&A))?.is_some(), false)?;
    same("another", ok("hold", spool.hold(&B))?.is_some(), true)?;
    drop(hold);
    same("held again", ok("hold", spool.hold(&A))?.is_some(), true)?;
    same("pieces", read(&*spool, &A)?, vec![b"a".to_vec()])
}

fn reader_knows_the_hold(fresh: &Fresh<'_>) -> Verdict {
    let spool = fresh();
    ok("append", spool.append(&A, b"a"))?;
    let reader = ok("reader", spool.reader(&A))?;
    same("held by nobody", ok("is_held", reader.is_held())?, false)?;
    let hold = ok("hold", spool.hold(&A))?;
    same("held", ok("is_held", reader.is_held())?, true)?;
    let other = ok("hold of another", spool.hold(&B))?;
    drop(hold);
    same("held no more", ok("is_held", reader.is_held())?, false)?;
    same("to be held again", ok("hold", spool.hold(&A))?.is_some(), true)?;
    drop(other);
    ok("close", spool.close(&A))?;
    same("held when closed", ok("is_held", reader.is_held())?, false)?;
    same("and nothing was made", names(&*spool)?, vec![B])
}

fn put_aside(fresh: &Fresh<'_>) -> Verdict {
    let spool = fresh();
    refused("put aside of what is not there", spool.put_aside(&B), Code::NotFound)?;
    append(&*spool, &A, &pieces())?;
    let mut reader = ok("reader", spool.reader(&A))?;
    ok("put_aside", spool.put_aside(&A))?;
    same("recordings", names(&*spool)?, Vec::new())?;
    refused("pieces of what is aside", spool.pieces(&A), Code::NotFound)?;
    same("closed for its reader", ok("is_closed", reader.is_closed())?, true)?;
    same("and read to its end", ok("next_piece", reader.next_piece())?, pieces().first().cloned())?;
    ok("append anew", spool.append(&A, b"anew"))?;
    ok("put aside again", spool.put_aside(&A))?;
    same("recordings", names(&*spool)?, Vec::new())
}

fn aside_lasts(place: &Fresh<'_>) -> Verdict {
    {
        let spool = place();
        ok("append", spool.append(&A, b"a"))?;
        ok("sync", spool.sync(&A))?;
    }
    ok("put aside in the next run", place().put_aside(&A))?;
    same("recordings in the run after", names(&*place())?, Vec::new())
}
