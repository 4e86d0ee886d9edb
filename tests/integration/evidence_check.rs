//! Chapter 6.7 check by check: a bundle that is whole, and one thing wrong in it at a time, signed and hashed again wherever its
//! maker could, so that no other check stands before the one that is meant.

use std::collections::BTreeMap;

use immutape::codec::digest::{CustodyId, Digest, LeafHash, TapeId, Thumbprint, sha256};
use immutape::evidence::Verdict;
use immutape::evidence::bundle::{
    Asked, Completeness, Destroyed, EvidenceEntry, MemorySource, Opened, OutOfScope, Pins, TarSource, What, Withheld,
    check_bundle, path,
};
use immutape::log::{
    AnchorBody, Body, CriticalBody, Entry, EntryKind, EvidenceBody, KeyRole, PrivateHalf, SignedNote,
    export_commitment, rotate,
};
use immutape::seal::{Signer as _, Statement};

use crate::support::evidence::{
    Change, Log, Made, ORIGIN, SEEN_S, Seed, Tape, acted, ask_by_search, bag, cosign, make, pins, stamp, tar, token,
    witness,
};

const ALTERED: &[Verdict] = &[Verdict::Altered];
const NOT_WHOLE: &[Verdict] = &[Verdict::Altered, Verdict::Incomplete];
const MISSING: &[Verdict] = &[Verdict::Missing];
const INCOMPLETE: &[Verdict] = &[Verdict::Incomplete];
const FORKED: &[Verdict] = &[Verdict::Forked];
const GAPS: &[Verdict] = &[Verdict::IntactWithGaps];
const INTACT: &[Verdict] = &[Verdict::Intact];
const CANNOT_TELL: &[Verdict] = &[Verdict::CannotTell];

/// The whole bundle, with one change, comes to these words and no others.
#[track_caller]
fn gives(change: &Change<'_>, words: &[Verdict]) {
    let report = check_bundle(&make(change).source(), &pins(), None);
    assert_eq!(report.words(), words, "{:#?}", report.findings);
}

/// As [`gives`], where the payload is changed and the manifests are made anew.
#[track_caller]
fn files(change: &dyn Fn(&mut BTreeMap<String, Vec<u8>>), words: &[Verdict]) {
    gives(&Change { files: change, ..Change::NONE }, words);
}

#[track_caller]
fn asked(change: &dyn Fn(&mut Completeness, &Log), words: &[Verdict]) {
    gives(&Change { asked: change, ..Change::NONE }, words);
}

#[track_caller]
fn items(change: &dyn Fn(&mut Vec<EvidenceEntry>), words: &[Verdict]) {
    gives(&Change { items: change, ..Change::NONE }, words);
}

#[track_caller]
fn log(change: &dyn Fn(&mut Log, &[Tape]), words: &[Verdict]) {
    gives(&Change { log: change, ..Change::NONE }, words);
}

fn at(items: &mut [EvidenceEntry], index: u64) -> &mut EvidenceEntry {
    items.iter_mut().find(|item| Entry::decode(&item.public).unwrap().index == index).unwrap()
}

fn without(items: &mut Vec<EvidenceEntry>, index: u64) {
    let before = items.len();
    items.retain(|item| Entry::decode(&item.public).unwrap().index != index);
    assert_eq!(items.len() + 1, before);
}

/// A file of the given tape.
fn of_tape(files: &BTreeMap<String, Vec<u8>>, name: &str) -> String {
    files.keys().find(|path| path.ends_with(&format!("/{name}"))).unwrap().clone()
}

fn flip(files: &mut BTreeMap<String, Vec<u8>>, name: &str, at: usize) {
    let path = if name.starts_with("data/") { name.to_owned() } else { of_tape(files, name) };
    files.get_mut(&path).unwrap()[at] ^= 1;
}

#[test]
fn a_whole_bundle_is_intact_as_folder_and_as_tar() {
    let made = make(&Change::NONE);
    let report = check_bundle(&made.source(), &pins(), None);
    assert_eq!(report.words(), INTACT, "{:#?}", report.findings);
    assert_eq!((report.verdict().exit_code(), report.test, report.whole_log), (0, true, false));
    assert_eq!(report.ids(), [made.tapes[0].id()]);
    let tape = &report.tapes[0];
    assert_eq!((tape.entry, tape.frames, tape.frames_here, tape.links), (2, 3, 3, 5));
    // The head of 5 entries was cosigned at 5 + 11 and 5 + 12 seconds: both are asked for, the later one counts.
    assert_eq!(tape.anchored_ms, Some((SEEN_S + 17) * 1_000));
    assert_eq!(report.anchored_ms, Some((SEEN_S + made.log.size() + 12) * 1_000));
    assert!(report.checks.iter().all(|check| check.checked > 0 && check.wrong == 0), "{:?}", report.checks);
    assert_eq!(report.checks.len(), 11, "but for the whole log");

    let bytes = tar(&bag(&made.files));
    let as_tar = check_bundle(&TarSource::open(bytes).unwrap(), &pins(), None);
    assert_eq!((as_tar.words(), as_tar.ids(), as_tar.digest), (report.words(), report.ids(), report.digest));
}

/// Check 1, of what the manifests say no more.
#[test]
fn the_bag() {
    let whole = bag(&make(&Change::NONE).files);
    let words = |change: &dyn Fn(&mut BTreeMap<String, Vec<u8>>)| {
        let mut bag = whole.clone();
        change(&mut bag);
        check_bundle(&MemorySource::new(bag), &pins(), None).words()
    };
    for path in ["bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt", path::VERIFY] {
        assert_eq!(words(&|bag| drop(bag.remove(path))), MISSING, "{path}");
        assert_eq!(words(&|bag| bag.get_mut(path).unwrap()[0] ^= 1), ALTERED, "{path}");
        assert_eq!(words(&|bag| bag.get_mut(path).unwrap().push(b'\n')), ALTERED, "{path}");
    }
    for path in ["data/more", "fetch.txt", "data/../x", "/x", "data/sp ace"] {
        assert_eq!(words(&|bag| drop(bag.insert(path.into(), b"x".to_vec()))), ALTERED, "{path}");
    }
    // One that both manifests name is still no file of a bundle.
    for path in ["data/more", "data/log/more", "data/keys/witness-0.pem", "data/time/09.note"] {
        files(&|files| drop(files.insert(path.into(), b"x".to_vec())), ALTERED);
    }
    for path in [path::LOG_PATHS, path::CHECKPOINT] {
        files(
            &|files| drop(files.remove(path)),
            if path == path::CHECKPOINT { &[Verdict::NotAnchored, Verdict::Missing] } else { MISSING },
        );
    }
    for path in [path::VERIFY, path::CUSTODY_HTML, path::CUSTODY_JSON] {
        files(&|files| drop(files.remove(path)), INTACT);
    }
    let empty = check_bundle(&MemorySource::default(), &pins(), None);
    assert_eq!(empty.words(), [Verdict::NotAnchored, Verdict::UnpinnedKeys, Verdict::Missing]);
}

/// Check 2.
#[test]
fn completeness_is_about_this_log() {
    asked(&|asked, _| asked.origin = "other.example/000102030405060708090a0b0c0d0e0f".into(), ALTERED);
    asked(&|asked, _| asked.ledger = Digest::from_bytes([1; 32]), ALTERED);
    files(&|files| drop(files.insert(path::COMPLETENESS.into(), b"{}\n".to_vec())), ALTERED);
    files(&|files| drop(files.remove(path::COMPLETENESS)), MISSING);
    let report = check_bundle(
        &make(&Change { files: &|f| drop(f.remove(path::ENTRIES)), ..Change::NONE }).source(),
        &pins(),
        None,
    );
    assert_eq!(report.words(), [Verdict::NotAnchored, Verdict::UnpinnedKeys, Verdict::Missing]);
    assert_eq!(report.ids().len(), 1, "who is given is read all the same");
}

/// Check 3.
#[test]
fn entries_by_themselves_and_in_their_order() {
    log(
        &|log, _| {
            log.later_ms = 10_000_000;
            log.ledger(EntryKind::LOG_STARTED, &Body::LogStarted { term: 2 });
            log.later_ms = 0;
        },
        INTACT,
    );
    let search = |change: &dyn Fn(&mut Log, &[Tape]), words: &[Verdict]| {
        let others = |asked: &mut Completeness, log: &Log| {
            ask_by_search(asked, log);
            asked.out_of_scope.push(other(log));
        };
        let words: Vec<Verdict> = words.to_vec();
        let report =
            check_bundle(&make(&Change { log: change, asked: &others, ..Change::NONE }).source(), &pins(), None);
        assert_eq!(report.words(), words, "{:#?}", report.findings);
    };
    search(&|_, _| {}, GAPS);
    search(
        &|log, _| {
            log.later_ms = 1_000_000;
            log.ledger(EntryKind::LOG_STARTED, &Body::LogStarted { term: 2 });
            log.later_ms = 0;
        },
        ALTERED,
    );
    search(
        &|log, _| {
            log.previous = Some(LeafHash::from_bytes([1; 32]));
            log.ledger(EntryKind::LOG_STARTED, &Body::LogStarted { term: 2 });
        },
        ALTERED,
    );
    log(
        &|log, tapes| {
            log.subject = Some((4, LeafHash::from_bytes([1; 32])));
            log.append(EntryKind::ACCESS_GRANTED, tapes[0].custody, &Body::AccessGranted, acted());
        },
        ALTERED,
    );
    for body in [
        rotate(ORIGIN, KeyRole::Recorder, &Seed::of(9), Thumbprint::from_bytes([7; 32])),
        CriticalBody::Revoked {
            role: KeyRole::Issuer,
            thumbprint: Thumbprint::from_bytes([7; 32]),
            from: 0,
            reason: 0,
        },
        CriticalBody::Succession { note: b"x".to_vec() },
    ] {
        let kind = body.kind();
        log(
            &|log, _| {
                log.ledger(kind, &Body::Critical(body.clone()));
            },
            ALTERED,
        );
    }
    // What is not read is not here, either.
    items(&|items| items.swap(1, 2), NOT_WHOLE);
    items(&|items| items.push(items[3].clone()), ALTERED);
    items(&|items| items[1].public = vec![0x80], NOT_WHOLE);
    // Without entry 0 nothing says what the files in keys/ are.
    items(&|items| without(items, 0), &[Verdict::NotAnchored, Verdict::UnpinnedKeys, Verdict::Missing]);
    files(
        &|files| {
            let entries = files.get_mut(path::ENTRIES).unwrap();
            entries.truncate(entries.len() - 1);
        },
        NOT_WHOLE,
    );
}

/// The second tape, as it is listed where it does not pass a search.
fn other(log: &Log) -> OutOfScope {
    let tape = Tape::new(0xb2, 1);
    assert!(log.size() > 3);
    OutOfScope { tape: tape.id(), custody: tape.custody, entry: 3, field: None, why: "no tag x".into() }
}

/// Checks 4 and 5.
#[test]
fn critical_kinds_the_head_and_the_proof_of_the_entries() {
    log(
        &|log, _| {
            log.ledger(EntryKind::from_number(40_000), &Body::Other(vec![0xa0]));
        },
        CANNOT_TELL,
    );
    log(
        &|log, _| {
            log.ledger(EntryKind::from_number(32_771), &Body::Other(vec![0xa0]));
        },
        CANNOT_TELL,
    );
    let altered = [Verdict::NotAnchored, Verdict::Altered];
    let note =
        |log: &Log, size: u64, seed: u8| SignedNote::sign(&log.head(size).text(), ORIGIN, &Seed::of(seed)).unwrap();
    let made = make(&Change::NONE);
    let (by_other, shorter) = (note(&made.log, made.log.size(), 9), note(&made.log, 5, 1));
    files(&|files| drop(files.insert(path::CHECKPOINT.into(), by_other.clone().into_bytes())), &altered);
    // A head of 5 entries that holds: the entries are more, and so is what entries keep.
    let report = check_bundle(
        &make(&Change {
            files: &|files| drop(files.insert(path::CHECKPOINT.into(), shorter.clone().into_bytes())),
            ..Change::NONE
        })
        .source(),
        &pins(),
        None,
    );
    assert_eq!(report.verdict(), Verdict::Altered);
    files(&|files| drop(files.insert(path::CHECKPOINT.into(), b"x".to_vec())), &altered);
    files(&|files| flip(files, path::LOG_PATHS, 10), ALTERED);
    files(&|files| drop(files.insert(path::LOG_PATHS.into(), vec![0x80])), ALTERED);
}

/// Who does not know what an entry did to the keys cannot say by which of them the head was signed.
#[test]
fn the_key_of_a_head_behind_an_unknown_kind_is_not_asked() {
    let unknown = |log: &mut Log, _: &[Tape]| {
        log.ledger(EntryKind::from_number(40_000), &Body::Other(vec![0xa0]));
    };
    let made = make(&Change { log: &unknown, ..Change::NONE });
    let text = made.log.head(made.log.size()).text();
    let by_other = SignedNote::sign(&text, ORIGIN, &Seed::of(9)).unwrap();
    let put = |files: &mut BTreeMap<String, Vec<u8>>| {
        files.insert(path::CHECKPOINT.into(), by_other.clone().into_bytes());
    };
    let words = [Verdict::NotAnchored, Verdict::CannotTell];
    gives(&Change { log: &unknown, files: &put, ..Change::NONE }, &words);
}

/// Check 6.
#[test]
fn private_halves_memberships_and_kept_heads() {
    items(
        &|items| {
            let opened = at(items, 4).opened.take().unwrap();
            let other = at(items, 5).opened.replace(opened);
            at(items, 4).opened = other;
        },
        ALTERED,
    );
    for change in [0, 1, 2] {
        items(
            &|items| {
                let member = &mut at(items, 6).members[0];
                match change {
                    0 => member.position = 1,
                    1 => member.salt[0] ^= 1,
                    _ => member.custody = CustodyId::from_bytes([9; 32]),
                }
            },
            ALTERED,
        );
    }
    items(&|items| at(items, 4).members = at(items, 6).members.clone(), ALTERED);
    for index in [8, 9] {
        items(&|items| at(items, index).consistency = Some(vec![[0; 32]]), FORKED);
        items(&|items| at(items, index).consistency = None, ALTERED);
    }
    items(&|items| at(items, 7).consistency = Some(Vec::new()), ALTERED);
    // A field that no private half has; committed and opened like any other.
    let private = |private: PrivateHalf| {
        move |log: &mut Log, tapes: &[Tape]| {
            log.append(EntryKind::ACCESS_GRANTED, tapes[0].custody, &Body::AccessGranted, private.clone());
        }
    };
    let mut with = acted();
    with.later.push((63, vec![1]));
    log(&private(with.clone()), INTACT);
    with.later.push((64, vec![1]));
    log(&private(with), ALTERED);
    let mut with = acted();
    with.person_statement = Some(vec![0xd2, 0x80]);
    log(&private(with), ALTERED);
}

#[test]
fn heads_that_entries_keep() {
    let cosigned = |change: &dyn Fn(&Log, &mut Vec<u8>, &mut Vec<String>), words: &[Verdict]| {
        log(
            &|log, _| {
                let (mut note, mut keys) = (log.cosigned(6).into_bytes(), vec![witness(11).to_text()]);
                change(log, &mut note, &mut keys);
                let body = AnchorBody::Cosigned { note, keys, quorum: true };
                log.ledger(EntryKind::ANCHOR_COSIGNED, &Body::Anchor(body));
            },
            words,
        );
    };
    cosigned(&|_, _, _| {}, INTACT);
    cosigned(&|_, _, keys| keys.push(witness(13).to_text()), ALTERED);
    cosigned(&|_, _, keys| keys[0] = "x".into(), ALTERED);
    cosigned(
        &|log, note, _| {
            let text = log.head(6).text();
            let line = witness(11).cosign(&text, 5, &Seed::of(11)).unwrap().to_line();
            *note = (SignedNote::sign(&text, ORIGIN, &Seed::of(9)).unwrap() + &line).into_bytes();
        },
        ALTERED,
    );
    let stamped = |change: &dyn Fn(&Log, &mut Vec<u8>, &mut Vec<u8>, &mut u64), words: &[Verdict]| {
        log(
            &|log, _| {
                let note = log.note(6).into_bytes();
                let (mut note, mut der, mut time_ms) = (note.clone(), token(&sha256(&note)), SEEN_S * 1_000);
                change(log, &mut note, &mut der, &mut time_ms);
                let body = AnchorBody::Timestamped { note, token: der, time_ms };
                log.ledger(EntryKind::ANCHOR_TIMESTAMPED, &Body::Anchor(body));
            },
            words,
        );
    };
    stamped(&|_, _, _, _| {}, INTACT);
    stamped(&|_, _, _, time_ms| *time_ms += 1, ALTERED);
    stamped(&|_, _, der, _| *der = token(&[0; 32]), ALTERED);
    stamped(&|_, _, der, _| der.truncate(der.len() - 1), ALTERED);
    stamped(
        &|log, note, der, _| {
            *note = log.cosigned(6).into_bytes();
            *der = token(&sha256(note));
        },
        ALTERED,
    );
    let found = |seed: u8| {
        move |log: &mut Log, _: &[Tape]| {
            let note = SignedNote::sign(&log.head(3).text(), ORIGIN, &Seed::of(seed)).unwrap().into_bytes();
            let body = AnchorBody::ForkFound { what: 1, note, size: 3, root: log.head(3).root };
            log.ledger(EntryKind::FORK_FOUND, &Body::Anchor(body));
        }
    };
    // Only a search brings this kind of entry into a bundle.
    for (seed, words) in [(1, GAPS), (9, ALTERED)] {
        let search = |asked: &mut Completeness, log: &Log| {
            ask_by_search(asked, log);
            asked.out_of_scope.push(other(log));
        };
        gives(&Change { log: &found(seed), asked: &search, ..Change::NONE }, words);
    }
}

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

fn withheld(what: What, tape: &Tape, entry: u64, fields: &[u64]) -> Withheld {
    let (tape, custody) = (tape.id(), tape.custody);
    Withheld { what, tape, custody, entry, fields: fields.to_vec(), why: "a test".into() }
}

/// Check 10, of tapes by their ids.
#[test]
fn every_id_is_accounted_for() {
    let (a, b) = (Tape::new(0xa1, 3), Tape::new(0xb2, 1));
    let ask_b = |asked: &mut Completeness| {
        if let Asked::Ids(asked) = &mut asked.asked {
            asked.ids.push(b.id());
        }
    };
    asked(&|asked, _| ask_b(asked), INCOMPLETE);
    asked(
        &|asked, _| {
            ask_b(asked);
            asked.withheld.push(withheld(What::Tape, &b, 3, &[]));
        },
        GAPS,
    );
    asked(&|asked, _| asked.withheld.push(withheld(What::Tape, &a, 2, &[])), INCOMPLETE);
    let given = |asked: &mut Completeness, _: &Log| asked.given.clear();
    let nothing = |files: &mut BTreeMap<String, Vec<u8>>| files.retain(|path, _| !path.starts_with("data/tapes/"));
    let report =
        check_bundle(&make(&Change { asked: &given, files: &nothing, ..Change::NONE }).source(), &pins(), None);
    assert_eq!(report.words(), [Verdict::CannotTell, Verdict::Incomplete], "{:#?}", report.findings);
    asked(
        &|asked, _| {
            ask_b(asked);
            asked.destroyed.push(Destroyed { tape: b.id(), custody: b.custody, entry: 3, by: 5 });
        },
        INCOMPLETE,
    );
    let destroy = |log: &mut Log, _: &[Tape]| {
        log.append(EntryKind::DISPOSAL_KEY_DESTROYED, b.custody, &Body::Other(vec![0xa0]), acted());
    };
    // Asked for by ids nothing else names the entry that saved it; in a span it is there.
    for (entry, is_told) in [(3, true), (4, false)] {
        let lists = |asked: &mut Completeness, _: &Log| {
            ask_b(asked);
            asked.destroyed.push(Destroyed { tape: b.id(), custody: b.custody, entry, by: 11 });
        };
        // The entry that says so stands with those of the bundle.
        let all = |asked: &mut Completeness, log: &Log| {
            lists(asked, log);
            ask_by_search(asked, log);
        };
        let words = if is_told { INTACT } else { INCOMPLETE };
        gives(&Change { log: &destroy, asked: &all, ..Change::NONE }, words);
    }
}

/// Check 10, of tapes by a search.
#[test]
fn everything_of_the_span_is_here_and_accounted_for() {
    let search = |change: &dyn Fn(&mut Completeness, &Log), words: &[Verdict]| {
        asked(
            &|asked, log| {
                ask_by_search(asked, log);
                asked.out_of_scope.push(other(log));
                change(asked, log);
            },
            words,
        );
    };
    search(&|_, _| {}, GAPS);
    search(&|asked, _| asked.out_of_scope.clear(), INCOMPLETE);
    search(&|asked, _| asked.out_of_scope[0].custody = CustodyId::from_bytes([1; 32]), INCOMPLETE);
    search(&|asked, _| asked.log_size -= 1, INCOMPLETE);
    let times = |from: u64, to: u64| {
        move |asked: &mut Completeness, _: &Log| {
            if let Asked::Query(asked) = &mut asked.asked {
                asked.sealed_ms = (from, to);
            }
        }
    };
    search(&times(1_002_000, 1_003_000), GAPS);
    search(&times(1_002_001, 1_003_000), INCOMPLETE);
    search(&times(1_002_000, 1_002_999), INCOMPLETE);
    // Entry 1 has the time 1,001,000; a span from it on must begin before the time that was asked for.
    let from_one = |from: u64, words: &[Verdict]| {
        search(
            &|asked, log| {
                times(from, 9_000_000)(asked, log);
                asked.span = Some((1, log.size() - 1));
            },
            words,
        );
    };
    from_one(1_001_001, GAPS);
    from_one(1_001_000, INCOMPLETE);
    let to_four = |to: u64, words: &[Verdict]| {
        search(
            &|asked, log| {
                times(0, to)(asked, log);
                asked.span = Some((0, 4));
            },
            words,
        );
    };
    to_four(1_003_999, GAPS);
    to_four(1_004_000, INCOMPLETE);
    let search = |asked: &mut Completeness, log: &Log| {
        ask_by_search(asked, log);
        asked.out_of_scope.push(other(log));
    };
    gives(&Change { asked: &search, items: &|items| without(items, 1), ..Change::NONE }, INCOMPLETE);
}

/// Check 11.
#[test]
fn what_is_given_is_what_the_lists_say() {
    let a = Tape::new(0xa1, 3);
    asked(&|asked, _| asked.given[0].frames = 4, INCOMPLETE);
    asked(&|asked, _| asked.given[0].opened = Some((0, 1)), INCOMPLETE);
    asked(&|asked, _| asked.given[0].opened = None, INCOMPLETE);
    let some = |asked: &mut Completeness| {
        asked.frames = Some((1, 9));
        asked.given[0].opened = Some((1, 2));
    };
    asked(&|asked, _| some(asked), INCOMPLETE);
    let frames = || withheld(What::Frames, &a, 2, &[]);
    asked(
        &|asked, _| {
            some(asked);
            asked.withheld.push(frames());
        },
        INTACT,
    );
    asked(&|asked, _| asked.withheld.push(frames()), INCOMPLETE);
    let payloads = || withheld(What::Payloads, &a, 2, &[]);
    asked(&|asked, _| asked.payloads = false, INCOMPLETE);
    asked(
        &|asked, _| {
            asked.payloads = false;
            asked.withheld.push(payloads());
        },
        INTACT,
    );
    asked(&|asked, _| asked.withheld.push(payloads()), INCOMPLETE);
    // Frames that were not asked for, and one in the middle that is not there.
    for (first, last, skip) in [(0, 2, 1), (0, 1, 9), (1, 2, 9)] {
        let [here, paths] = a.frames_files(|seq| (first..=last).contains(&seq) && seq != skip, true);
        files(
            &|files| {
                let (frames, proof) = (of_tape(files, "frames.cbor"), of_tape(files, "frames-paths.cbor"));
                files.insert(frames, here.clone());
                files.insert(proof, paths.clone());
            },
            INCOMPLETE,
        );
    }
    let header = |closed: &'static [u64], said: &'static [u64], words: &[Verdict]| {
        gives(
            &Change {
                asked: &|asked, _| {
                    if !said.is_empty() {
                        asked.withheld.push(withheld(What::Header, &a, 2, said));
                    }
                },
                files: &|files| {
                    let path = of_tape(files, "header.cbor");
                    files.insert(path, a.opened_header(|number| !closed.contains(&number)).encode());
                },
                ..Change::NONE
            },
            words,
        );
    };
    header(&[2, 10], &[2, 10], INTACT);
    header(&[2, 10], &[2], INCOMPLETE);
    header(&[2], &[], INCOMPLETE);
    header(&[], &[2], INCOMPLETE);
}

#[test]
fn what_is_withheld_of_private_halves() {
    let a = Tape::new(0xa1, 3);
    let closed = |index: u64, all: bool, said: Option<(u64, &'static [u64])>, words: &[Verdict]| {
        let change = |items: &mut Vec<EvidenceEntry>| {
            let item = at(items, index);
            // Of the entry made by hand, purpose and bytes are fields 3 and 9.
            let opened = item.opened.take().unwrap();
            item.opened = (!all).then(|| reclosed(&opened, 3));
        };
        let lists = |asked: &mut Completeness, _: &Log| {
            if let Some((entry, fields)) = said {
                let row = withheld(What::Private, &a, entry, fields);
                // A list is about the ledger, and so names no tape (6.3).
                let (tape, custody) = (TapeId::from_bytes([0; 32]), CustodyId::LEDGER);
                asked.withheld.push(if index == 6 { Withheld { tape, custody, ..row } } else { row });
            }
        };
        gives(&Change { items: &change, asked: &lists, ..Change::NONE }, words);
    };
    for index in [4, 6, 7] {
        closed(index, true, None, INCOMPLETE);
        closed(index, false, None, INCOMPLETE);
    }
    closed(4, true, Some((4, &[])), GAPS);
    closed(4, false, Some((4, &[3])), GAPS);
    closed(6, false, Some((6, &[3, 19, 31])), GAPS);
    closed(6, false, Some((6, &[3])), GAPS);
    asked(&|asked, _| asked.withheld.push(withheld(What::Private, &a, 6, &[])), INCOMPLETE);
    closed(4, false, Some((4, &[])), INCOMPLETE);
    closed(4, true, Some((4, &[3])), INCOMPLETE);
    closed(4, false, Some((4, &[3, 9])), INCOMPLETE);
    closed(4, true, Some((3, &[])), INCOMPLETE);
    asked(&|asked, _| asked.withheld.push(withheld(What::Private, &a, 5, &[])), INCOMPLETE);
    let b = Tape::new(0xb2, 1);
    asked(&|asked, _| asked.withheld.push(withheld(What::Payloads, &b, 3, &[])), INCOMPLETE);
}

/// The same fields with one more closed.
fn reclosed(opened: &Opened, number: u64) -> Opened {
    let mut opened = opened.clone();
    assert!(opened.close(number), "field {number} was open");
    opened
}

#[test]
fn a_tape_out_of_scope_is_shown_to_be_so() {
    let b = Tape::new(0xb2, 1);
    let shown = |field: u64, change: &dyn Fn(&mut BTreeMap<String, Vec<u8>>), words: &[Verdict]| {
        let lists = |asked: &mut Completeness, log: &Log| {
            ask_by_search(asked, log);
            asked.out_of_scope.push(OutOfScope { field: Some(field), ..other(log) });
        };
        let put = |files: &mut BTreeMap<String, Vec<u8>>| {
            files.insert(path::of_tape(&b.id(), "root.cbor"), b.root().encode());
            files.insert(path::of_tape(&b.id(), "header.cbor"), b.opened_header(|number| number == 10).encode());
            change(files);
        };
        gives(&Change { asked: &lists, files: &put, ..Change::NONE }, words);
    };
    shown(10, &|_| {}, INTACT);
    shown(11, &|_| {}, INCOMPLETE);
    shown(13, &|_| {}, INCOMPLETE);
    for name in ["root.cbor", "header.cbor"] {
        shown(10, &|files| drop(files.remove(&path::of_tape(&b.id(), name))), MISSING);
        shown(10, &|files| flip(files, &path::of_tape(&b.id(), name), 30), ALTERED);
    }
    shown(10, &|files| drop(files.insert(path::of_tape(&b.id(), "manifest.cbor"), b.manifest())), ALTERED);
}

/// Keys and heads from elsewhere.
#[test]
fn pins_decide_what_is_vouched_for() {
    let made = make(&Change::NONE);
    let words = |pins: &Pins| check_bundle(&made.source(), pins, None).words();
    assert_eq!(words(&Pins::default()), [Verdict::NotAnchored, Verdict::UnpinnedKeys]);
    let mut only_log = Pins::default();
    only_log.add_key(&crate::support::evidence::vkey()).unwrap();
    assert_eq!(words(&only_log), [Verdict::NotAnchored, Verdict::UnpinnedKeys]);
    let mut other = pins();
    other.add_key(&hex::encode(Seed::of(9).public_key().to_bytes())).unwrap();
    assert_eq!(words(&other), ALTERED);
    let mut by_thumbprint = only_log.clone();
    by_thumbprint.add_key(&Seed::of(2).public_key().thumbprint().to_hex()).unwrap();
    assert_eq!(words(&by_thumbprint), [Verdict::NotAnchored]);
    let mut by_pem = only_log;
    by_pem.add_key(&immutape::evidence::bundle::public_key_pem(&Seed::of(2).public_key())).unwrap();
    assert_eq!(words(&by_pem), [Verdict::NotAnchored]);
    for (quorum, wanted) in [(1, INTACT), (2, INTACT), (3, &[Verdict::NotAnchored])] {
        let mut pins = pins();
        pins.set_quorum(quorum).unwrap();
        assert_eq!(words(&pins), wanted, "{quorum}");
    }
    let mut unknown = pins();
    unknown.add_witness(&witness(13).to_text()).unwrap();
    assert_eq!(words(&unknown), [Verdict::NotAnchored]);
}

#[test]
fn heads_from_elsewhere() {
    let made = make(&Change::NONE);
    let with = |note: &str| {
        let mut pins = pins();
        pins.add_head(note).unwrap();
        check_bundle(&made.source(), &pins, None).words()
    };
    let signed = |size: u64, root: u8, seed: u8| {
        let mut head = made.log.head(0);
        (head.size, head.root) = (size, immutape::codec::digest::RootHash::from_bytes([root; 32]));
        SignedNote::sign(&head.text(), ORIGIN, &Seed::of(seed)).unwrap()
    };
    assert_eq!(with(&made.log.note(made.log.size())), INTACT);
    assert_eq!(with(&made.log.note(5)), INTACT);
    assert_eq!(with(&signed(made.log.size(), 1, 1)), FORKED);
    assert_eq!(with(&signed(5, 1, 1)), FORKED, "an entry keeps the head of 5 entries");
    assert_eq!(with(&signed(4, 1, 1)), INTACT, "nothing here says what the root of 4 was");
    assert_eq!(with(&signed(999, 1, 1)), INTACT, "a bundle is older than what came later");
    assert_eq!(with(&signed(5, 1, 9)), CANNOT_TELL);
    assert!(Pins::default().add_head("x").is_err());
}

/// A recorder's key that was revoked: what it signed from there on is altered, before it a gap unless somebody held it.
#[test]
fn statements_of_a_revoked_key() {
    let revoked = |from: u64, is_anchored: bool, words: &[Verdict]| {
        let change = |log: &mut Log, _: &[Tape]| {
            let (next, old) = (Thumbprint::from_bytes([7; 32]), Seed::of(2).public_key());
            let rotated = rotate(ORIGIN, KeyRole::Recorder, &Seed::of(5), next);
            log.ledger(EntryKind::KEY_ROTATED, &Body::Critical(rotated));
            let thumbprint = old.thumbprint();
            let body = CriticalBody::Revoked { role: KeyRole::Recorder, thumbprint, from, reason: 1 };
            log.ledger(EntryKind::KEY_REVOKED, &Body::Critical(body));
            if is_anchored {
                cosign(log, 3);
                stamp(log, 3);
            }
        };
        let pem = immutape::evidence::bundle::public_key_pem(&Seed::of(5).public_key());
        let keys = |files: &mut BTreeMap<String, Vec<u8>>| {
            files.insert("data/keys/recorder-11.pem".into(), pem.clone().into_bytes());
        };
        gives(&Change { log: &change, files: &keys, ..Change::NONE }, words);
    };
    // Entry 8 keeps a cosigned head of 5 entries; the tape was saved by entry 2.
    revoked(5, false, INTACT);
    revoked(9, false, INTACT);
    revoked(4, false, GAPS);
    revoked(4, true, GAPS);
    revoked(2, false, ALTERED);
}
