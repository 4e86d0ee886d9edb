//! Checks 3 to 6: entries, the head over them, and what is opened of them.

use std::collections::BTreeMap;

use immutape::codec::digest::{CustodyId, LeafHash, Thumbprint, sha256};
use immutape::evidence::Verdict;
use immutape::evidence::bundle::{Completeness, check_bundle, path};
use immutape::log::{AnchorBody, Body, CriticalBody, EntryKind, KeyRole, PrivateHalf, SignedNote, rotate};

use super::{
    ALTERED, CANNOT_TELL, FORKED, GAPS, INTACT, NOT_WHOLE, at, files, flip, gives, items, log, other, without,
};
use crate::support::evidence::{
    Change, Log, ORIGIN, SEEN_S, Seed, Tape, acted, ask_by_search, make, pins, token, witness,
};

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
