//! Ledger folders, read without a key: the journal, and heads that others hold.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[path = "support/mod.rs"]
mod support;

use serde_json::json;
use support::ledger::*;
use support::maker::{self, Hash, SEALED, ZERO};
use tapeaudit_core::cbor::Writer;
use tapeaudit_core::digest::hash;

#[test]
fn a_good_ledger_is_intact() {
    let ledger = Ledger::new(|_| {});
    assert_eq!(ledger.words(), ["intact"]);
    assert_eq!(ledger.words_with(json!({"pub": []})), ["unpinned keys"]);
    assert_eq!(ledger.words_with(json!({"state": null})), ["intact with gaps"]);
    let keys = maker::witnesses().map(|key| key.write());
    assert_eq!(ledger.words_with(json!({"witness": keys})), ["intact"]);
    assert_eq!(ledger.words_with(json!({"witness": keys, "quorum": 3})), ["not anchored"]);
    let told = ledger.words_with(json!({"path": ledger.scratch.0.join("s").to_str().unwrap()}));
    assert_eq!(told, ["unpinned keys", "missing"]);
}

#[test]
fn altered_journals() {
    let mut ledger = Ledger::new(|_| {});
    let good = ledger.segment.clone();
    // What cannot be read any more is altered; whether there is more, and what, nobody can tell.
    const SEGMENT: &str = "journal/00000001.seg: a header of a segment that has not its hash";
    const TAIL: &str = "journal/00000001.seg: bytes that are neither a group nor a write that was cut off";
    const KEYS: &str = "keys: the log vouches for its own keys";
    const MORE: &str = "head: a head of more entries than could be read of the log";
    for (at, words, findings) in [
        (10, &["unpinned keys", "altered"][..], &[SEGMENT, KEYS][..]),
        (200, &["unpinned keys", "altered"], &[SEGMENT, KEYS]),
        (512 + 16, &["unpinned keys", "altered"], &[TAIL, KEYS]),
        (512 + 300, &["unpinned keys", "altered"], &[TAIL, KEYS]),
        (ledger.end - 600, &["cannot tell", "altered"], &[TAIL, MORE]),
        (ledger.end, &["altered"], &[TAIL]),
    ] {
        ledger.segment = good.clone();
        ledger.segment[at] ^= 1;
        ledger.write();
        assert_eq!(ledger.words(), words, "{at}");
        assert_eq!(ledger.findings(), findings, "{at}");
    }
    // A field of a group's header, with its hash made anew.
    let second = 512 + 256 + 512;
    let second = (second..ledger.end).find(|at| good[*at..].starts_with(b"IMTGRP")).unwrap();
    let group = |what: &str| format!("group at 1:{second}: {what}");
    for (at, words, findings) in [
        (16, &["altered"][..], vec![group("a group in another place than its own")]),
        (32, &["cannot tell", "altered"], vec![TAIL.into(), MORE.into()]),
        (64, &["altered"], vec![group("another root after the group")]),
        (96, &["altered"], vec![group("another group before than the one here")]),
        (128, &["altered"], vec![group("another last entry of the group")]),
        (160, &["cannot tell", "altered"], vec![TAIL.into(), MORE.into()]),
    ] {
        let mut bytes = good.clone();
        bytes[second + at + 7] ^= 0x80;
        let extent = rehash(bytes[second..ledger.end].to_vec());
        bytes[second..ledger.end].copy_from_slice(&extent);
        ledger.segment = bytes;
        ledger.write();
        assert_eq!(ledger.words(), words, "{at}");
        assert_eq!(ledger.findings(), findings, "{at}");
    }
    // A sealed half that has not its digest.
    let mut bytes = good.clone();
    let at = (second..ledger.end).find(|at| good[*at..].starts_with(SEALED)).unwrap();
    bytes[at] ^= 1;
    let extent = rehash(bytes[second..ledger.end].to_vec());
    bytes[second..ledger.end].copy_from_slice(&extent);
    ledger.segment = bytes;
    ledger.write();
    assert_eq!(ledger.words(), ["altered"]);
    assert_eq!(ledger.findings(), ["entry 1: a sealed half of another digest"]);
    std::fs::remove_file(ledger.scratch.0.join("l/journal/00000001.seg")).unwrap();
    assert_eq!(ledger.words(), ["unpinned keys", "missing"]);
}

#[test]
fn segments_follow_each_other() {
    let ledger = Ledger::new(|_| {});
    ledger.put("l/journal/00000002.seg", &vec![0; LENGTH]);
    assert_eq!(ledger.words(), ["intact"]);
    ledger.put("l/journal/00000002.seg", &vec![0; LENGTH + 512]);
    assert_eq!(ledger.words(), ["altered"]);
    ledger.put("l/journal/00000002.seg", &[&segment_header(2, 8, &[7; 32])[..], &vec![0; LENGTH - 512]].concat());
    assert_eq!(ledger.words(), ["altered"]);
    std::fs::rename(ledger.scratch.0.join("l/journal/00000002.seg"), ledger.scratch.0.join("l/journal/00000003.seg"))
        .unwrap();
    assert_eq!(ledger.words(), ["missing"]);
    let mut header = segment_header(2, 8, &ledger.last);
    header[72..80].copy_from_slice(&(ledger.end as u64).to_be_bytes());
    let own = hash(&header[..480]);
    header[480..].copy_from_slice(&own);
    std::fs::remove_file(ledger.scratch.0.join("l/journal/00000003.seg")).unwrap();
    ledger.put("l/journal/00000002.seg", &[&header[..], &vec![0; LENGTH - 512]].concat());
    assert_eq!(ledger.words(), ["intact"]);
}

#[test]
fn a_segment_that_cannot_be_read_is_not_one_that_is_missing() {
    let ledger = Ledger::new(|_| {});
    let path = |n: u64| ledger.scratch.0.join(format!("l/journal/{n:08}.seg"));
    std::fs::create_dir(path(2)).unwrap();
    assert_eq!(ledger.words(), ["cannot tell"]);
    // The head is of more entries than could be read, and not of more than there are.
    ledger.put("s/head", &head_file(9, &[1; 32], "open"));
    assert_eq!(ledger.words(), ["cannot tell"]);
    assert_eq!(
        ledger.findings(),
        ["journal/00000002.seg: no plain file", "head: a head of more entries than could be read of the log"]
    );
    std::fs::remove_dir(path(2)).unwrap();
    assert_eq!(ledger.words(), ["rolled back"]);
    std::fs::rename(path(1), path(3)).unwrap();
    std::fs::create_dir(path(1)).unwrap();
    assert_eq!(ledger.words(), ["unpinned keys", "cannot tell"]);
}

#[test]
fn a_write_that_was_cut_off_is_no_alteration() {
    let mut ledger = Ledger::new(|_| {});
    let end = ledger.end;
    // The header's sector never arrived.
    ledger.segment[end + 512..end + 700].fill(7);
    ledger.write();
    assert_eq!(ledger.words(), ["intact"]);
    // Every sector is there, and it is no group: nothing was cut off.
    ledger.segment[end..end + 512].fill(7);
    ledger.write();
    assert_eq!(ledger.words(), ["altered"]);
}

#[test]
fn a_tear_of_what_looks_like_groups_costs_no_more_than_its_length() {
    // Each sector says that it begins a group of all that follows; the first one never arrived.
    let length = 8 << 20;
    let mut bytes = vec![0; length];
    for at in (512..length - 512).step_by(512) {
        bytes[at..at + 8].copy_from_slice(b"IMTGRP\x00\x01");
        bytes[at + 16..at + 24].copy_from_slice(&1_u64.to_be_bytes());
        bytes[at + 24..at + 32].copy_from_slice(&((at + 512) as u64).to_be_bytes());
        bytes[at + 48..at + 56].copy_from_slice(&((length - at - 256) as u64).to_be_bytes());
    }
    bytes[length - 1] = 1;
    let begun = std::time::Instant::now();
    let told = tapeaudit_core::journal::tail(
        &bytes,
        &tapeaudit_core::journal::Next { segment: 1, end: Some(512), first: 0, before: ZERO, term: 1 },
    );
    assert!(matches!(told, tapeaudit_core::journal::Tail::Damage));
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[test]
fn heads_that_others_hold() {
    let ledger = Ledger::new(|_| {});
    let head = |size, root: &Hash| maker::head(size, root, 1, &[]);
    ledger.put("s/anchors/newest.note", &head(5, &ledger.root(5)));
    assert_eq!(ledger.words(), ["intact"]);
    ledger.put("s/anchors/newest.note", &head(5, &[1; 32]));
    assert_eq!(ledger.words(), ["forked"]);
    ledger.put("s/anchors/newest.note", &head(9, &[1; 32]));
    assert_eq!(ledger.words(), ["rolled back"]);
    ledger.put("s/anchors/newest.note", &maker::head(5, &ledger.root(5), 9, &[]));
    assert_eq!(ledger.words(), ["altered"]);
    std::fs::remove_file(ledger.scratch.0.join("s/anchors/newest.note")).unwrap();
    ledger.put("s/head", &head_file(8, &[1; 32], "open"));
    assert_eq!(ledger.words(), ["forked"]);
    ledger.put("s/head", &head_file(12, &[1; 32], "open"));
    assert_eq!(ledger.words(), ["rolled back"]);
    ledger.put("s/head", &head_file(7, &ledger.root(7), "open"));
    assert_eq!(ledger.words(), ["intact"]);
    ledger.put("s/head", &head_file(7, &ledger.root(7), "closed"));
    assert_eq!(ledger.words(), ["altered"]);
    let mut bytes = head_file(8, &ledger.root(8), "open");
    let at = bytes.len() - 10;
    bytes[at] ^= 1;
    ledger.put("s/head", &bytes);
    assert_eq!(ledger.words(), ["altered"]);
    std::fs::remove_file(ledger.scratch.0.join("s/head")).unwrap();
    assert_eq!(ledger.words(), ["missing"]);
}

#[test]
fn a_term_begins_with_what_it_has_to() {
    // The second group is one of a later term; the first one says whether it closed the log.
    let told = |closed: bool, started: u64, second: u64| {
        let mut ledger = Ledger::grouped(closed, 3, |maker| {
            maker.specs[2].kind = second;
            maker.specs[2].subject = if second == 3 { ZERO } else { maker::CUSTODY };
            maker.entry = Box::new(move |parts| {
                if parts.index == 1 {
                    parts.body = Writer::new().map(1).uint(0).uint(started).done();
                }
            });
        });
        ledger.term = 3;
        ledger.write();
        ledger.words()
    };
    assert_eq!(told(true, 3, 19), ["intact"]);
    assert_eq!(told(true, 2, 19), ["intact with gaps"], "log.started of another term");
    assert_eq!(told(true, 3, 3), ["intact with gaps"], "an unclean stop that was none");
    assert_eq!(told(false, 3, 3), ["intact"]);
    assert_eq!(told(false, 3, 19), ["intact with gaps"], "an unclean stop that is not told");
    let mut ledger = Ledger::grouped(true, 3, |maker| {
        maker.entry = Box::new(|parts| {
            if parts.index == 1 {
                parts.body = Writer::new().map(1).uint(0).uint(3).done();
            }
        });
    });
    ledger.term = 2;
    ledger.write();
    assert_eq!(ledger.words(), ["altered"], "a head file of an earlier term");
}

#[test]
fn no_damage_brings_it_down() {
    let mut ledger = Ledger::new(|_| {});
    let good = ledger.segment.clone();
    let mut n = 0x1234_5678_u64;
    let mut next = || {
        n ^= n << 13;
        n ^= n >> 7;
        n ^= n << 17;
        n
    };
    for _ in 0..40 {
        ledger.segment = good.clone();
        for _ in 0..3 {
            let at = next() as usize % ledger.end;
            ledger.segment[at] = next() as u8;
        }
        if ledger.segment == good {
            continue;
        }
        ledger.write();
        let told = ledger.words();
        assert_ne!(told, ["intact"]);
    }
}
