//! Which tapes a list or a search gives, and that the record says exactly those.

use std::num::NonZeroUsize;

use immutape::Code;
use immutape::catalog::Filter;
use immutape::evidence::Verdict;
use immutape::interchange::ImportOptions;
use immutape::ledger::{CheckOptions, Cursor, Ledger, ListPage, ListRequest, SaveOptions};
use immutape::log::{Body, EntryKind, PrivateHalf, set_commitment};
use immutape::tape::Labels;
use immutape::time::Timestamp;

use crate::support::ledgers::{TAPES, ann, create, open, save_bytes, save_tape};

const NOW: Timestamp = Timestamp::from_ms(1_795_800_000_000);

fn asks(search: &str) -> ListRequest {
    ListRequest::new(Filter::parse(search, NOW).unwrap())
}

fn names(page: &ListPage) -> Vec<String> {
    let name = |s: &immutape::catalog::Summary| String::from_utf8(s.name.clone().unwrap()).unwrap();
    page.tapes.iter().map(|t| name(t.summary.as_ref().unwrap())).collect()
}

async fn found(ledger: &Ledger, search: &str) -> Vec<String> {
    names(&ledger.search(&ann(), asks(search)).await.unwrap())
}

#[tokio::test]
async fn each_condition_finds_the_captured_sessions_it_is_true_of() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    for name in TAPES {
        save_tape(&ledger, name).await.unwrap();
    }
    for (search, expected) in [
        ("method:server/discover", &["filesystem-payments", "sqlite-claims", "sqlite-crash", "git-policies"][..]),
        ("method:initialize", &["everything-stdio", "everything-http", "filesystem-payments", "sqlite-claims"]),
        ("tool:git_status", &["git-policies"]),
        ("tool:read_text_file errors:yes", &["filesystem-payments"]),
        ("error:-32601", &["filesystem-payments"]),
        ("error:-32602", &["sqlite-claims"]),
        ("errors:no", &["sqlite-crash"]),
        ("name:EVERYTHING", &["everything-stdio", "everything-http"]),
        ("kind:terminal name:crash", &[]),
        ("end:error errors:no", &["sqlite-crash"]),
        ("class:draft ns:default state:live name:git", &["git-policies"]),
        ("class:contracts", &[]),
        ("state:erased", &[]),
        ("since:2026-11-20 until:2026-11-20 name:git", &["git-policies"]),
        ("since:2027-01-01", &[]),
        ("until:2026-11-19", &[]),
        ("mcp-server-git", &["git-policies"]),
    ] {
        assert_eq!(found(&ledger, search).await, expected, "{search}");
    }
    ledger.close().await.unwrap();
}

fn private(line: &immutape::ledger::LogLine) -> &PrivateHalf {
    line.private.as_ref().unwrap()
}

#[tokio::test]
async fn the_record_of_a_page_commits_to_the_tapes_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let mut kept = Vec::new();
    for name in TAPES {
        kept.push(save_tape(&ledger, name).await.unwrap());
    }
    let limit = NonZeroUsize::new(2);
    let first = ledger.list_page(&ann(), asks("kind:mcp errors:yes").limit(limit)).await.unwrap();
    assert_eq!(names(&first), ["everything-stdio", "everything-http"]);
    // What is saved between two pages shifts nothing, and is on none of them.
    let late = br#"{"jsonrpc":"2.0","id":1,"method":"late"}
"#;
    save_bytes(&ledger, late, ImportOptions::default(), SaveOptions::default()).await.unwrap();
    let request = asks("kind:mcp errors:yes").limit(limit).cursor(first.next);
    let second = ledger.list_page(&ann(), request).await.unwrap();
    assert_eq!(
        (names(&second), second.next.is_some()),
        (vec!["filesystem-payments".to_owned(), "sqlite-claims".to_owned()], true)
    );

    let request = asks("kind:mcp errors:yes").limit(limit).cursor(second.next);
    let third = ledger.list_page(&ann(), request).await.unwrap();
    assert_eq!((names(&third), third.next), (vec!["git-policies".to_owned()], None));

    let (log, _) = ledger.log(&ann(), first.entry..first.entry + 1).await.unwrap();
    let Body::Listed { set, count, size, list } = &log[0].body else { panic!("{log:#?}") };
    let half = private(&log[0]);
    let mut ids: Vec<_> = first.tapes.iter().map(|t| t.custody).collect();
    assert_eq!(set_commitment(&half.set_salt.unwrap(), &mut ids), *set);
    assert_eq!((*count, *size, *list, half.set.as_deref()), (2, kept[5].entry + 1, None, Some(ids.as_slice())));
    assert_eq!(half.query.as_deref(), Some(&b"kind:mcp errors:yes limit:2"[..]));

    // Each report of custody knows on which pages its tape stood.
    for (receipt, pages) in [(&kept[0], vec![first.entry]), (&kept[3], vec![second.entry]), (&kept[4], vec![])] {
        let (report, _) = ledger.custody(&ann(), &receipt.tape.to_hex()).await.unwrap();
        let on: Vec<u64> = report.events.iter().filter(|e| e.kind == EntryKind::LISTED).map(|e| e.index).collect();
        assert_eq!(on, pages, "{}", receipt.entry);
    }
    let beyond = ListRequest::default().cursor(Cursor::parse("999.5"));
    assert_eq!(ledger.list_page(&ann(), beyond).await.unwrap_err().code(), Code::Usage);
    ledger.close().await.unwrap();
}

#[tokio::test]
async fn new_labels_are_an_entry_and_lists_and_searches_go_by_them() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let receipt = save_tape(&ledger, "git-policies").await.unwrap();
    let id = receipt.tape.to_hex();
    let sealed = ledger.metadata(&ann(), &id).await.unwrap();
    assert_eq!((&sealed.labels, sealed.labelled), (&sealed.header.labels, None));
    let labels = Labels { name: Some(b"Policies, final".to_vec()), tags: vec![b"q4".to_vec()], description: None };
    let entry = ledger.label(&ann(), &id, &labels, Some("named by the records manager")).await.unwrap();
    assert_eq!(found(&ledger, "name:final tag:q4").await, ["Policies, final"]);
    assert_eq!(found(&ledger, "name:git-policies").await, [""; 0], "the name it has no more");
    // The header, and so the id, stay as they were sealed.
    let metadata = ledger.metadata(&ann(), &id).await.unwrap();
    assert_eq!(metadata.header.labels.name.as_deref(), Some(&b"git-policies"[..]));
    // Who changes labels begins with those of now.
    assert_eq!((&metadata.labels, metadata.labelled), (&labels, Some(entry)));
    let reader = ledger.open_tape(&ann(), &id, None).await.unwrap();
    assert_eq!(reader.labels().unwrap(), (labels.clone(), Some(entry)));
    reader.finish().await.unwrap();
    let (log, _) = ledger.log(&ann(), entry..entry + 1).await.unwrap();
    assert_eq!((log[0].kind, log[0].subject), (EntryKind::LABELLED, receipt.custody));
    assert_eq!(private(&log[0]).words.as_deref(), Some(&b"named by the records manager"[..]));
    assert_eq!(private(&log[0]).labels.as_ref().map(|(_, l)| l), Some(&labels));

    let newest = Labels { name: None, ..Labels::default() };
    let newest_entry = ledger.label(&ann(), &id, &newest, None).await.unwrap();
    let check = async |ledger: &Ledger| {
        let (lines, _) = ledger.list(&ann()).await.unwrap();
        // Without a name of its own it is known by its file again.
        assert_eq!(lines[0].summary.as_ref().unwrap().name.as_deref(), Some(&b"git-policies"[..]));
        assert_eq!(lines[0].labelled, Some(newest_entry));
        let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
        assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
    };
    check(&ledger).await;
    ledger.close().await.unwrap();
    // Rows that are built anew from the journal know them too.
    std::fs::remove_dir_all(folder.path().join("ledger/index")).unwrap();
    let ledger = open(folder.path()).await.unwrap();
    check(&ledger).await;
    let long = Labels { name: Some(vec![b'x'; 4_097]), ..Labels::default() };
    assert_eq!(ledger.label(&ann(), &id, &long, None).await.unwrap_err().code(), Code::Limit);
    let words = "x".repeat(8_193);
    assert_eq!(ledger.label(&ann(), &id, &newest, Some(&words)).await.unwrap_err().code(), Code::Limit);
    ledger.close().await.unwrap();
}

/// Tapes past the lists in a row: what a row leaves out is looked for in the header.
#[tokio::test]
async fn what_a_row_has_no_room_for_is_found_in_the_header() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let mut lines = String::new();
    for n in 0..40 {
        lines += &format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"m{n:02}\"}}\n");
    }
    save_bytes(&ledger, lines.as_bytes(), ImportOptions::default(), SaveOptions::default()).await.unwrap();
    let counts = async |search: &str| ledger.search(&ann(), asks(search)).await.unwrap().tapes.len();
    assert_eq!((counts("method:m03").await, counts("method:m39").await, counts("method:m40").await), (1, 1, 0));
    ledger.close().await.unwrap();
}

/// A set of more than 512 tapes is an object of its own, which checks and custody reports read.
#[tokio::test]
async fn a_long_search_is_kept_as_an_object() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let mut saves = Vec::new();
    for n in 0..514 {
        let ledger = ledger.clone();
        saves.push(tokio::spawn(async move {
            let line = format!("{{\"jsonrpc\":\"2.0\",\"id\":{n},\"method\":\"m\"}}\n");
            save_bytes(&ledger, line.as_bytes(), ImportOptions::default(), SaveOptions::default()).await.unwrap()
        }));
    }
    let mut receipts = Vec::new();
    for save in saves {
        receipts.push(save.await.unwrap());
    }
    receipts.sort_by_key(|r| r.entry);
    let page = ledger.search(&ann(), asks("method:m").limit(NonZeroUsize::new(513))).await.unwrap();
    assert_eq!((page.tapes.len(), page.next.is_some()), (513, true));
    let (log, _) = ledger.log(&ann(), page.entry..page.entry + 1).await.unwrap();
    let Body::Searched { count: 513, list: Some(list), .. } = log[0].body else { panic!("{log:#?}") };
    assert_eq!(private(&log[0]).set, None);
    for (n, is_on_it) in [(0, true), (512, true), (513, false)] {
        let (report, _) = ledger.custody(&ann(), &receipts[n].tape.to_hex()).await.unwrap();
        assert_eq!(report.events.iter().any(|e| e.index == page.entry), is_on_it, "tape {n}");
    }
    // A list of everything needs none, however long.
    let all = ledger.list_page(&ann(), ListRequest::default()).await.unwrap();
    let (log, _) = ledger.log(&ann(), all.entry..all.entry + 1).await.unwrap();
    assert!(matches!(log[0].body, Body::Listed { count: 514, list: None, .. }));

    let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Intact, "{report:#?}");
    let lists = report.checks.iter().find(|c| c.name == "long lists").unwrap();
    assert_eq!((lists.checked, lists.wrong), (1, 0));
    assert!(report.findings.iter().all(|f| !f.what.contains("belong to no tape")));
    ledger.close().await.unwrap();

    // One flipped byte of it is found, and named by its entry; the auditor, who has no key, finds it too.
    let pack = folder.path().join("ledger/packs/00000001.pack");
    let mut bytes = std::fs::read(&pack).unwrap();
    let at = bytes.windows(32).position(|w| w == list.as_bytes()).expect("the record of the object") + 200;
    bytes[at] ^= 1;
    std::fs::write(&pack, &bytes).unwrap();
    let ledger = open(folder.path()).await.unwrap();
    let (report, _) = ledger.verify(&ann(), CheckOptions::default()).await.unwrap();
    assert_eq!(report.verdict(), Verdict::Altered);
    let place = format!("ids of entry {}", page.entry);
    assert!(report.findings.iter().any(|f| f.place == place && f.entry == Some(page.entry)), "{report:#?}");
    ledger.close().await.unwrap();
    let auditor = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("audit-tools/python/tapeaudit.py");
    let run = std::process::Command::new("python3").arg(auditor).arg(folder.path().join("ledger")).output().unwrap();
    let words = String::from_utf8_lossy(&run.stdout);
    assert!(words.contains(&format!("the ids that entry {} names are altered", page.entry)), "{words}");
}
