//! Checks 7 to 9: entries and files of given tapes, times and keys.

use std::collections::BTreeMap;

use immutape::codec::digest::{CustodyId, Digest};
use immutape::evidence::Verdict;
use immutape::evidence::bundle::{Completeness, OutOfScope, path};
use immutape::log::{Body, EntryKind, EvidenceBody, PrivateHalf, export_commitment};
use immutape::seal::Statement;

use super::{
    ALTERED, GAPS, INCOMPLETE, INTACT, MISSING, NOT_WHOLE, asked, files, flip, gives, items, log, of_tape, other,
    without,
};
use crate::support::evidence::{Change, Log, Made, Seed, Tape, acted, ask_by_search, make};

/// Check 7.
#[test]
fn the_entries_of_a_given_tape() {
    for index in [4, 5, 7] {
        items(&|items| without(items, index), INCOMPLETE);
    }
    let last = |made: &Made| made.log.size() - 1;
    let end = last(&make(&Change::NONE));
    gives(&Change { items: &|items| without(items, end), ..Change::NONE }, INCOMPLETE);
    gives(&Change { items: &|items| without(items, 2), ..Change::NONE }, NOT_WHOLE);
    log(
        &|log, tapes| {
            let body = Body::TapeSaved { statement: tapes[0].statement(log), epoch: [0; 16] };
            log.append(EntryKind::TAPE_SAVED, tapes[0].custody, &body, acted());
        },
        ALTERED,
    );
    let made = |change: &dyn Fn(&mut EvidenceBody, &mut PrivateHalf), words: &[Verdict]| {
        gives(&Change { made: change, ..Change::NONE }, words);
    };
    made(&|body, _| set(body, |bundle, _, _| *bundle = [1; 16]), INCOMPLETE);
    made(&|body, _| set(body, |_, _, tapes| *tapes = 2), INCOMPLETE);
    made(&|body, _| set(body, |_, commitment, _| *commitment = Digest::from_bytes([1; 32])), ALTERED);
    made(&|_, private| private.exported = None, ALTERED);
    made(
        &|body, private| {
            let (salt, digest) = ([1; 32], Digest::from_bytes([2; 32]));
            private.exported = Some((salt, digest));
            set(body, |_, commitment, _| *commitment = export_commitment(&salt, &digest));
        },
        ALTERED,
    );
    asked(&|asked, _| asked.given[0].entry = 3, ALTERED);
    // Statements that are not the recorder's, about another tape, or of another ledger.
    for wrong in 0..4 {
        let search = |asked: &mut Completeness, log: &Log| {
            ask_by_search(asked, log);
            let tape = Tape::new(0xcc, 1);
            asked.out_of_scope.push(other(log));
            asked.out_of_scope.push(OutOfScope { tape: tape.id(), custody: tape.custody, entry: 11, ..other(log) });
        };
        let save = |log: &mut Log, _: &[Tape]| {
            let tape = Tape::new(0xcc, 1);
            let body = Body::TapeSaved { statement: statement(log, &tape, wrong), epoch: [0; 16] };
            log.append(EntryKind::TAPE_SAVED, tape.custody, &body, acted());
        };
        gives(&Change { log: &save, asked: &search, ..Change::NONE }, if wrong == 0 { GAPS } else { ALTERED });
    }
}

fn set(body: &mut EvidenceBody, change: impl FnOnce(&mut [u8; 16], &mut Digest, &mut u64)) {
    match body {
        EvidenceBody::Made { bundle, commitment, tapes } => change(bundle, commitment, tapes),
        other => panic!("{other:?}"),
    }
}

fn statement(log: &Log, tape: &Tape, wrong: u8) -> Vec<u8> {
    let mut claims = Statement::decode(&tape.statement(log)).unwrap().claims().clone();
    match wrong {
        1 => claims.custody = CustodyId::from_bytes([1; 32]),
        2 => claims.origin = "x.example/000102030405060708090a0b0c0d0e0f".into(),
        _ => {}
    }
    Statement::sign(&claims, &Seed::of(if wrong == 3 { 9 } else { 2 }))
}

/// Check 8.
#[test]
fn the_files_of_a_given_tape() {
    for name in path::OF_TAPE {
        let words = if name == "receipt.cose" { INTACT } else { MISSING };
        // Without frames and their proof nothing is said of frames that were to be there.
        files(
            &|files| {
                let path = of_tape(files, name);
                files.remove(&path);
            },
            words,
        );
        files(
            &|files| {
                let path = of_tape(files, name);
                let middle = files[&path].len() / 2;
                flip(files, name, middle);
            },
            ALTERED,
        );
    }
    // Proofs that hold, about something else.
    let made = make(&Change::NONE);
    let swap = |a: &str, b: &str| {
        let (a, b) = (a.to_owned(), b.to_owned());
        move |files: &mut BTreeMap<String, Vec<u8>>| {
            let other = files[&of_tape(files, &b)].clone();
            let path = of_tape(files, &a);
            files.insert(path, other);
        }
    };
    files(&swap("saved.tlog-proof", "evidence.tlog-proof"), ALTERED);
    files(&swap("evidence.tlog-proof", "saved.tlog-proof"), ALTERED);
    let root = made.tapes[1].root().encode();
    files(
        &|files| {
            let path = of_tape(files, "root.cbor");
            files.insert(path, root.clone());
        },
        NOT_WHOLE,
    );
    // A header whose count is not that of the root file.
    gives(&Change { tapes: &|tapes| tapes[0].header.stats.frames = 9, ..Change::NONE }, ALTERED);
    // Known holes are told.
    let gap = immutape::tape::Gap { before_seq: 1, reason: immutape::tape::GapReason::Paused, count: 0 };
    gives(&Change { tapes: &|tapes| tapes[0].header.gaps.push(gap), ..Change::NONE }, GAPS);
}

#[test]
fn marks_of_a_recording() {
    let marked = |marks: &[(u64, bool)], left: Option<u64>, words: &[Verdict]| {
        log(
            &|log, tapes| {
                for (frames, fits) in marks {
                    let leaves = tapes[0].leaves();
                    let front = leaves.get(..*frames as usize).unwrap_or(&leaves);
                    let root = immutape::log::root_of(if *fits { front } else { &[] });
                    let body = Body::RecordingMark { frames: *frames, root };
                    log.append(EntryKind::RECORDING_MARK, tapes[0].custody, &body, acted());
                }
                if let Some(frames) = left {
                    let body = Body::TapeTruncated { frames, marked: 3, unread_bytes: 0 };
                    log.append(EntryKind::TAPE_TRUNCATED, tapes[0].custody, &body, acted());
                }
            },
            words,
        );
    };
    marked(&[(0, true), (1, true), (2, true), (3, true)], None, INTACT);
    marked(&[(2, false)], None, ALTERED);
    marked(&[(4, true)], None, ALTERED);
    marked(&[(2, true), (1, true)], None, ALTERED);
    marked(&[(4, true)], Some(3), GAPS);
    marked(&[(2, false)], Some(3), ALTERED);
    marked(&[], Some(3), GAPS);
}

/// Check 9.
#[test]
fn time_and_keys() {
    for path in ["data/time/9.note", "data/time/9.tst", "data/keys/issuer-10.pem", "data/keys/checkpoint-0.vkey"] {
        files(&|files| drop(files.remove(path)), MISSING);
        files(&|files| flip(files, path, 3), ALTERED);
    }
    for path in ["data/time/8.note", "data/keys/issuer-9.pem", "data/keys/checkpoint-10.vkey"] {
        files(&|files| drop(files.insert(path.into(), b"x".to_vec())), ALTERED);
    }
    let other = make(&Change::NONE).tapes[1].root();
    let path = path::of_tape(&other.id(), "root.cbor");
    files(&|files| drop(files.insert(path.clone(), other.encode())), ALTERED);
}
