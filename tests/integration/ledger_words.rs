//! The words of `verify` for a ledger, each on a state that a ledger can really be in, and the Python auditor's beside them.

use std::path::Path;

use immutape::evidence::{Report, Verdict};
use immutape::ledger::{CheckOptions, Checker, Ledger, Places};

use crate::heads::{cosigned, with_policy};
use crate::support::crash::copy_folder;
use crate::support::ledgers::{create, open, real, save_tape};
use crate::support::tamper::auditor;

fn check(folder: &Path) -> Report {
    Checker::open(&Places::beneath(folder), &real()).unwrap().run(&CheckOptions::default())
}

/// Both say it.
fn is(folder: &Path, word: Verdict) {
    let report = check(folder);
    assert_eq!(report.verdict(), word, "{:#?}", report.findings);
    let keys = auditor::keys(folder);
    // Whom the policy of a ledger asks is its own matter: an auditor asks the witnesses that it was given.
    if let Some(said) = auditor::second(folder, &keys) {
        assert_eq!(said, (i32::from(word.exit_code()), word.word().to_owned()), "the auditor in Rust");
    }
    if auditor::is_here() {
        let (exit, said) = auditor::said(folder, &keys);
        let last = said.lines().last().unwrap_or_default();
        assert!(exit == i32::from(word.exit_code()) && last.contains(word.word()), "{word:?}, and the auditor: {last}");
    }
}

async fn one_tape(folder: &Path) -> Ledger {
    let ledger = create(folder).await;
    save_tape(&ledger, "sqlite-crash").await.unwrap();
    ledger
}

/// A copy of a closed ledger that stands for itself.
fn copied(from: &Path, to: &Path) {
    copy_folder(from, to);
    std::fs::write(to.join("state/ledger"), format!("{}\n", to.join("ledger").display())).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_gone_is_missing_and_what_was_changed_is_altered() {
    let base = tempfile::tempdir().unwrap();
    let whole = base.path().join("whole");
    one_tape(&whole).await.close().await.unwrap();
    is(&whole, Verdict::Intact);
    let edited = |name: &str, edit: &dyn Fn(&Path), word: Verdict| {
        let folder = base.path().join(name);
        copied(&whole, &folder);
        edit(&folder);
        is(&folder, word);
    };
    edited("head", &|folder| std::fs::remove_file(folder.join("state/head")).unwrap(), Verdict::Missing);
    edited(
        "pack",
        &|folder| std::fs::remove_file(folder.join("ledger/packs/00000001.pack")).unwrap(),
        Verdict::Missing,
    );
    edited(
        "flipped",
        &|folder| {
            let path = folder.join("ledger/packs/00000001.pack");
            let mut bytes = std::fs::read(&path).unwrap();
            // Within what is used of it: the rest is room for later.
            let used = bytes.iter().rposition(|byte| *byte != 0).unwrap();
            bytes[used - 100] ^= 1;
            std::fs::write(path, bytes).unwrap();
        },
        Verdict::Altered,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_ledger_is_rolled_back() {
    let base = tempfile::tempdir().unwrap();
    let (newer, older) = (base.path().join("newer"), base.path().join("older"));
    one_tape(&newer).await.close().await.unwrap();
    copied(&newer, &older);
    let ledger = open(&newer).await.unwrap();
    save_tape(&ledger, "git-policies").await.unwrap();
    ledger.close().await.unwrap();
    let head = std::fs::read(newer.join("state/head")).unwrap();
    std::fs::write(older.join("state/head"), &head).unwrap();
    is(&older, Verdict::RolledBack);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_quorum_of_its_witnesses_a_ledger_is_not_anchored() {
    let base = tempfile::tempdir().unwrap();
    let folder = base.path();
    let ledger = with_policy(one_tape(folder).await, folder).await;
    assert_eq!(check(folder).verdict(), Verdict::NotAnchored);
    ledger.confirm(None).await.unwrap();
    let note = ledger.release_head().await.unwrap().note;
    ledger.keep_anchor(&cosigned(&note, 1_700_000_000)).await.unwrap();
    ledger.close().await.unwrap();
    let report = check(folder);
    assert_eq!(report.verdict(), Verdict::Intact, "{:#?}", report.findings);
    let vouched = report.checks.iter().find(|check| check.name == "witnesses").unwrap();
    assert_eq!((vouched.checked, vouched.wrong), (1, 0));
}
