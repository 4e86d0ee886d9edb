//! What others hold of a log, as a check of the whole ledger sees it: in entries, and beside the head file.

use std::path::Path;

use immutape::evidence::{Report, Verdict};
use immutape::ledger::{CheckOptions, Checker, Places};
use immutape::log::{AnchorBody, Body, EntryKind};

use crate::heads::{cosigned, grow, with_policy};
use crate::support::crash::copy_folder;
use crate::support::ledgers::{create, open, real};
use crate::support::tamper::forge::with_all_keys;

fn checked(folder: &Path) -> Report {
    Checker::open(&Places::beneath(folder), &real()).unwrap().run(&CheckOptions::default())
}

/// Looked at, and wrong.
fn anchors(report: &Report) -> Option<(u64, u64)> {
    report.checks.iter().find(|c| c.name == "anchors").map(|c| (c.checked, c.wrong))
}

fn places(report: &Report) -> Vec<&str> {
    report.findings.iter().filter(|f| f.part == "anchors").map(|f| f.place.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_others_hold_are_compared_with_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let ledger = with_policy(create(&one).await, &one).await;
    ledger.confirm(None).await.unwrap();
    grow(&ledger, 4).await;
    let state = |folder: &Path| Places::beneath(folder).state_of(&ledger.id()).unwrap().join("anchors");
    let (state_one, state_two) = (state(&one), state(&two));
    ledger.close().await.unwrap();
    let report = checked(&one);
    assert_eq!(
        (report.verdict(), anchors(&report)),
        (Verdict::NotAnchored, None),
        "nobody holds anything: {report:#?}"
    );
    copy_folder(&one, &two);

    let ledger = open(&one).await.unwrap();
    ledger.confirm(None).await.unwrap();
    grow(&ledger, 30).await;
    let held = cosigned(&ledger.release_head().await.unwrap().note, 1_700_000_000);
    ledger.keep_anchor(&held).await.unwrap();
    ledger.close().await.unwrap();
    let report = checked(&one);
    assert_eq!((report.verdict(), anchors(&report)), (Verdict::Intact, Some((2, 0))), "{report:#?}");

    // The copy went another way, and somebody with all its keys wrote the other one's head into it.
    let ledger = open(&two).await.unwrap();
    ledger.confirm(None).await.unwrap();
    grow(&ledger, 60).await;
    let own = cosigned(&ledger.release_head().await.unwrap().note, 1_700_000_000);
    let entry = ledger.keep_anchor(&own).await.unwrap();
    ledger.close().await.unwrap();
    let anchored = EntryKind::ANCHOR_COSIGNED;
    with_all_keys(&two, |forged| {
        forged.rewrite(usize::try_from(entry).unwrap(), |draft, _| {
            let Ok(Body::Anchor(AnchorBody::Cosigned { keys, quorum, .. })) = Body::decode(anchored, &draft.body)
            else {
                panic!("no anchor stands there")
            };
            let note = held.clone().into_bytes();
            draft.body = Body::Anchor(AnchorBody::Cosigned { note, keys, quorum }).encode();
        });
    });
    let ledger = open(&two).await.unwrap();
    ledger.confirm(None).await.unwrap();
    ledger.close().await.unwrap();
    std::fs::write(state_two.join("newest.note"), &held).unwrap();
    let report = checked(&two);
    assert_eq!((report.verdict(), anchors(&report)), (Verdict::Forked, Some((2, 2))), "{report:#?}");
    assert_eq!(places(&report), ["E_LOG_FORK", format!("entry {entry}").as_str()]);
    // A note that this log did not sign.
    std::fs::write(state_two.join("newest.note"), held.replace(|c: char| c.is_ascii_digit(), "9")).unwrap();
    assert_eq!(places(&checked(&two))[0], "E_HEAD_INVALID");

    // An older copy of the ledger and of the head, beside the anchors as they are.
    let (older, newer) = (folder.path().join("older"), folder.path().join("newer"));
    copy_folder(&one, &older);
    let ledger = open(&one).await.unwrap();
    ledger.confirm(None).await.unwrap();
    grow(&ledger, 5).await;
    let held = cosigned(&ledger.release_head().await.unwrap().note, 1_700_000_001);
    ledger.keep_anchor(&held).await.unwrap();
    ledger.close().await.unwrap();
    copy_folder(&one, &newer);
    let target = older.join(state_one.strip_prefix(&one).unwrap());
    std::fs::copy(newer.join(state_one.strip_prefix(&one).unwrap()).join("newest.note"), target.join("newest.note"))
        .unwrap();
    let report = checked(&older);
    assert_eq!((report.verdict(), places(&report)), (Verdict::RolledBack, vec!["E_LOG_ROLLBACK"]), "{report:#?}");
}
