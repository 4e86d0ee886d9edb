//! What was asked for is what is on record: no frame leaves outside the range that an entry names, and a look-up that
//! leads to no tape is an entry, too.

use std::collections::HashMap;
use std::sync::Arc;

use immutape::Code;
use immutape::codec::digest::{CustodyId, TapeId};
use immutape::ledger::{CheckOptions, FrameSelection, Ledger, LogLine};
use immutape::log::{Body, Entry, EntryKind, Outcome};

use crate::support::crash::{Base, Content, Machine, Syncs, Watched, World, in_runtime};
use crate::support::ledgers::{ann, create, open, save_tape};
use crate::support::tamper::forge::{self, Forge};

#[tokio::test]
async fn a_reader_gives_the_frames_that_its_entry_names() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let tape = save_tape(&ledger, "filesystem-payments").await.unwrap().tape.to_hex();
    let all = ledger.open_tape(&ann(), &tape, None).await.unwrap().collect(FrameSelection::All).unwrap();
    assert_eq!(all.len(), 37);
    let time = |seq: usize| all[seq].t_ns.unwrap();
    let every = FrameSelection::Time(0, u64::MAX);

    for (first, last) in [(0, 0), (3, 5), (36, 36), (30, u64::MAX)] {
        let reader = ledger.open_tape(&ann(), &tape, Some((first, last))).await.unwrap();
        let size = ledger.size();
        let end = last.min(36) as usize;
        let granted = &all[first as usize..=end];
        for selection in [FrameSelection::All, every, FrameSelection::Seq(first, end as u64)] {
            assert!(reader.collect(selection).unwrap() == granted, "{selection:?} of {first}..{last}");
        }
        let once: u64 = granted.iter().map(|f| f.payload.len() as u64).sum();
        assert_eq!(reader.bytes_given(), once * 3);
        for (from, to) in [(0, 36), (first.saturating_sub(1), end as u64), (first, end as u64 + 1), (7, 8)] {
            if (first..=last).contains(&from) && (first..=last).contains(&to) {
                continue;
            }
            let refused = reader.collect(FrameSelection::Seq(from, to)).map(|_| ()).map_err(|e| e.code());
            let code = if to > 36 { Code::NoFrame } else { Code::NotPermitted };
            assert_eq!(refused, Err(code), "{from}..{to} of {first}..{last}");
        }
        assert_eq!(reader.bytes_given(), once * 3, "nothing left that was refused");
        assert_eq!(ledger.size(), size, "nothing left, so there is nothing to record");
    }
    let reader = ledger.open_tape(&ann(), &tape, Some((3, 5))).await.unwrap();
    let around = FrameSelection::Time(time(4), time(9));
    let within: Vec<_> = all[3..=5].iter().filter(|f| f.t_ns.unwrap() >= time(4)).cloned().collect();
    assert!(reader.collect(around).unwrap() == within);

    let size = ledger.size();
    let backwards = ledger.open_tape(&ann(), &tape, Some((5, 3))).await.map(|_| ()).map_err(|e| e.code());
    assert_eq!((backwards, ledger.size()), (Err(Code::Usage), size));
}

/// The queue of the writer is full when a reader is dropped: its completion is lost, and nobody claims to know it.
#[test]
fn a_lost_completion_leaves_the_amount_unknown() {
    let (world, diary) = Base::with_tapes(1).machine(4);
    let watched = Watched::over(&world.sim);
    in_runtime(async {
        let ledger = Ledger::open(world.places(), world.env_with(Arc::new(watched.clone()))).await.unwrap();
        let tape = diary.kept()[0].tape.to_hex();
        let reader = ledger.open_tape(&ann(), &tape, Some((0, 1))).await.unwrap();
        let grant = reader.grant_index();
        assert_eq!(reader.collect(FrameSelection::All).unwrap().len(), 2);
        watched.set(Syncs::Wait);
        let mut waiting = Vec::new();
        for round in 0..2 {
            for _ in 0..[1, immutape::codec::limits::QUEUE_REQUESTS_MAX + 8][round] {
                let ledger = ledger.clone();
                waiting.push(tokio::spawn(async move { ledger.note_log_read(&ann()).await }));
            }
            for _ in 0..400 {
                tokio::task::yield_now().await;
            }
            assert!(watched.waiting() > 0);
        }
        drop(reader);
        watched.set(Syncs::Pass);
        for one in waiting {
            one.await.unwrap().unwrap();
        }
        let (report, _) = ledger.custody(&ann(), &tape).await.unwrap();
        assert!(report.events.iter().all(|e| e.kind != EntryKind::ACCESS_COMPLETED), "the completion was lost");
        assert_eq!(report.given(grant), None);
        let granted = report.events.iter().find(|e| e.index == grant).unwrap();
        assert_eq!(granted.private.as_ref().unwrap().range, Some((0, 1)), "up to this much");
        ledger.close().await.unwrap();
    });
}

/// The newest entry of the log, which a look at the log does not hide.
async fn newest(ledger: &Ledger) -> LogLine {
    let size = ledger.size();
    ledger.log(&ann(), size - 1..size).await.unwrap().0.pop().unwrap()
}

async fn ask_all(ledger: &Ledger, id: &str) -> Vec<(u16, immutape::Error, LogLine)> {
    let mut out = Vec::new();
    for act in [32, 38, 9, 80] {
        let size = ledger.size();
        let error = match act {
            32 => ledger.open_tape(&ann(), id, None).await.map(|_| ()).unwrap_err(),
            38 => ledger.custody(&ann(), id).await.map(|_| ()).unwrap_err(),
            9 => {
                let options = CheckOptions::default().tape(Some(id.to_owned()));
                ledger.verify(&ann(), options).await.map(|_| ()).unwrap_err()
            }
            _ => ledger.delete(&ann(), id).await.map(|_| ()).unwrap_err(),
        };
        assert_eq!(ledger.size(), size + 1, "one entry for act {act}");
        out.push((act, error, newest(ledger).await));
    }
    out
}

#[test]
fn a_look_up_without_a_tape_is_an_entry() {
    let world = World::new(11);
    in_runtime(async {
        let ledger = Ledger::create(world.places(), world.env(), "asked", true).await.unwrap();
        let mut by_digits: HashMap<String, Vec<(TapeId, CustodyId)>> = HashMap::new();
        let mut digits = String::new();
        for n in 0..3_000 {
            let content = Content::small(&format!("{n}"), "draft", 1, 10);
            let mut saver = ledger.begin_save(&ann(), Default::default()).await.unwrap();
            content.frames.iter().for_each(|frame| saver.frame(frame).unwrap());
            let kept = saver.finish(content.header.clone()).await.unwrap();
            digits = kept.tape.to_hex()[..4].to_owned();
            let same = by_digits.entry(digits.clone()).or_default();
            same.push((kept.tape, kept.custody));
            if same.len() == 2 {
                break;
            }
        }
        let both = by_digits[&digits].clone();
        assert_eq!(both.len(), 2, "no two ids begin alike");
        ledger.settle().await.unwrap();

        for (act, error, line) in ask_all(&ledger, &digits).await {
            assert_eq!(error.code(), Code::AmbiguousId);
            assert!(both.iter().all(|(tape, _)| error.hint().unwrap().contains(&tape.to_hex()[..16])));
            assert_eq!((line.kind, line.subject), (EntryKind::REFUSED, CustodyId::LEDGER));
            assert_eq!(line.body, Body::Refused { act, error: Code::AmbiguousId.number() });
            let private = line.private.unwrap();
            assert_eq!(private.query.as_deref(), Some(digits.as_bytes()));
            assert_eq!(private.outcome, Some(Outcome::Refused));
            assert_eq!(private.error.map(|(number, _)| number), Some(u64::from(Code::AmbiguousId.number())));
            let mut told: Vec<_> = both.iter().map(|(_, custody)| *custody).collect();
            told.sort();
            assert_eq!(private.set, Some(told), "whose ids were given out");
        }
        let other = by_digits.values().find(|same| same.len() == 1).unwrap()[0];
        let absent = (0..).map(|n| format!("{n:04x}")).find(|d| !by_digits.contains_key(d)).unwrap();
        for (act, error, line) in ask_all(&ledger, &absent).await {
            assert_eq!(error.code(), Code::NotFound);
            assert_eq!(line.body, Body::Refused { act, error: Code::NotFound.number() });
            let private = line.private.unwrap();
            assert_eq!((private.query.as_deref(), private.set), (Some(absent.as_bytes()), None));
        }
        // Who was told a tape's id stands in that tape's custody, and in no other's.
        for ((tape, _), told) in [(both[0], 4), (both[1], 4), (other, 0)] {
            let (report, _) = ledger.custody(&ann(), &tape.to_hex()).await.unwrap();
            assert_eq!(report.events.iter().filter(|e| e.kind == EntryKind::REFUSED).count(), told);
        }
        // A malformed id asks nothing of the ledger; an allowed read is its grant and no more.
        let size = ledger.size();
        let bad = ledger.open_tape(&ann(), "../x", None).await.map(|_| ()).map_err(|e| e.code());
        assert_eq!((bad, ledger.size()), (Err(Code::BadId), size));
        let reader = ledger.open_tape(&ann(), &other.0.to_hex(), None).await.unwrap();
        assert_eq!(ledger.size(), size + 1);
        reader.finish().await.unwrap();
        assert_eq!(ledger.size(), size + 2);
        ledger.close().await.unwrap();
    });
}

#[tokio::test]
async fn who_is_denied_learns_nothing_of_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let tape = save_tape(&ledger, "sqlite-crash").await.unwrap().tape.to_hex();
    ledger.close().await.unwrap();
    forge::policy_of_a_later_version(folder.path());

    let ledger = open(folder.path()).await.unwrap();
    let absent = if tape.starts_with("0000") { "1111" } else { "0000" };
    let mut answers = Vec::new();
    for id in [tape.as_str(), &tape[..4], absent] {
        let one = CheckOptions::default().tape(Some(id.to_owned()));
        answers.push([
            ledger.open_tape(&ann(), id, None).await.map(|_| ()).unwrap_err().to_string(),
            ledger.custody(&ann(), id).await.map(|_| ()).unwrap_err().to_string(),
            ledger.verify(&ann(), one).await.map(|_| ()).unwrap_err().to_string(),
            ledger.delete(&ann(), id).await.map(|_| ()).unwrap_err().to_string(),
        ]);
    }
    assert_eq!(answers[0], answers[2], "there or not, the answer is one");
    assert_eq!(answers[1], answers[2]);
    ledger.close().await.unwrap();
    let refused: Vec<_> = Forge::read(folder.path())
        .records
        .iter()
        .map(|record| Entry::decode(&record.public).unwrap().kind)
        .filter(|kind| *kind == EntryKind::REFUSED)
        .collect();
    assert_eq!(refused.len(), 12);
}
