//! Checks 10 and 11: everything is accounted for, and what is given is what the lists say.

use std::collections::BTreeMap;

use immutape::codec::digest::{CustodyId, TapeId};
use immutape::evidence::Verdict;
use immutape::evidence::bundle::{
    Asked, Completeness, Destroyed, EvidenceEntry, Opened, OutOfScope, What, Withheld, check_bundle, path,
};
use immutape::log::{Body, EntryKind};

use super::{ALTERED, GAPS, INCOMPLETE, INTACT, MISSING, asked, at, files, flip, gives, of_tape, other, without};
use crate::support::evidence::{Change, Log, Tape, acted, ask_by_search, make, pins};

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
