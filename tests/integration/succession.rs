//! A log that lost entries ends, and another goes on: what both say, who signed it, and what stays checkable.

use std::path::Path;

use immutape::Code;
use immutape::codec::digest::{LedgerId, RootHash};
use immutape::evidence::{Report, Severity, Verdict};
use immutape::keyring::{LocalSigner, OsRandom, read_signer};
use immutape::ledger::{
    CheckOptions, Checker, Health, KeyChange, Ledger, Places, Succeeded, SuccessionRequest, examine,
};
use immutape::log::{Body, Checkpoint, EntryKind, HeadFile, KeyRole, NoteKey, Succession};
use immutape::seal::{PublicKey, Signer};
use immutape::store::files::RealFiles;

use crate::heads::{cosigned, grow, with_policy};
use crate::support::crash::{copy_folder, every_byte};
use crate::support::ledgers::{ann, create, open, real, save_tape};

fn check(folder: &Path) -> Report {
    Checker::open(&Places::beneath(folder), &real()).unwrap().run(&CheckOptions::default())
}

async fn succeed(old: &Path, new: &Path, held: Option<String>) -> immutape::Result<Succeeded> {
    let request = SuccessionRequest { name: "second".into(), held, ..SuccessionRequest::default() };
    Ledger::succeed(Places::beneath(old), Places::beneath(new), real(), &ann(), request).await
}

/// A ledger whose disk was lost and put back from a copy: the state folder, on another disk, knows of more.
async fn behind_its_head(home: &Path) -> (u64, u64) {
    let ledger = create(home).await;
    save_tape(&ledger, "sqlite-claims").await.unwrap();
    ledger.close().await.unwrap();
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&home.join("ledger"), copy.path());
    let kept = check(home).checks.iter().find(|c| c.name == "journal").unwrap().checked;
    let ledger = open(home).await.unwrap();
    save_tape(&ledger, "sqlite-crash").await.unwrap();
    ledger.close().await.unwrap();
    let all = check(home).checks.iter().find(|c| c.name == "journal").unwrap().checked;
    std::fs::remove_dir_all(home.join("ledger")).unwrap();
    copy_folder(copy.path(), &home.join("ledger"));
    (kept, all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_lost_is_said_by_both_logs_and_each_stays_checkable() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    let (kept, all) = behind_its_head(&old).await;
    assert!(kept < all);
    assert_eq!(open(&old).await.err().unwrap().code(), Code::LogRollback);
    assert_eq!(check(&old).verdict(), Verdict::RolledBack);
    let before = every_byte(&old.join("ledger"), "index");
    let made = succeed(&old, &new, None).await.unwrap();
    let of = made.proven.succession();
    assert_eq!((of.first_lost, of.last_lost, of.head.size), (kept, Some(all - 1), all));
    assert!(made.proven.is_by_old());
    assert_eq!(every_byte(&old.join("ledger"), "index"), before, "the old log is left as it is");
    // The old one opens no more, and its check says why.
    let refused = open(&old).await.err().unwrap();
    assert_eq!(refused.code(), Code::LogEnded, "{refused}");
    let report = check(&old);
    assert_eq!(report.verdict(), Verdict::EndedByLoss, "{:?}", report.findings);
    let words = format!("ended by loss at {all}, continued as {}", of.new.name());
    assert_eq!(report.ended.as_deref(), Some(words.as_str()));
    assert_eq!(
        (report.verdict().word(), report.verdict().exit_code(), report.verdict().number()),
        ("ended by loss", 10, 8)
    );
    let conditions = examine(&Places::beneath(&old), &real());
    assert!(
        conditions.iter().any(|c| c.part == "log" && c.health == Health::Warning && c.words.contains("goes on as"))
    );
    assert!(conditions.iter().all(|c| c.health != Health::Wrong), "{conditions:?}");
    // The new one names it, and works.
    let ledger = open(&new).await.unwrap();
    let (note, entry) = ledger.succession().unwrap().unwrap();
    assert_eq!((&note, entry), (&made.note, made.entry));
    assert_eq!(std::fs::read_to_string(old.join("state/successor.note")).unwrap(), note);
    save_tape(&ledger, "git-policies").await.unwrap();
    let (said, _) = ledger.log(&ann(), 0..3).await.unwrap();
    let genesis = said.iter().find(|line| line.kind == EntryKind::GENESIS).unwrap();
    let Body::Genesis(genesis) = &genesis.body else { panic!("entry 0") };
    let (origin, head, first, last) = genesis.predecessor.clone().unwrap();
    assert_eq!((origin.as_str(), first, last), (of.old.name(), kept, Some(all - 1)));
    let head_note = String::from_utf8(head).unwrap();
    assert!(std::fs::read_to_string(old.join("state/head")).unwrap().starts_with(&head_note));
    ledger.close().await.unwrap();
    let report = check(&new);
    assert_eq!((report.verdict(), report.findings.len()), (Verdict::Intact, 0), "{:?}", report.findings);
    // Asked again, it is the same succession.
    let again = succeed(&old, &new, None).await.unwrap();
    assert_eq!((again.note, again.entry), (made.note, made.entry));
}

/// A witness knows of more than all that is left here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_a_witness_holds_tells_how_much_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let (home, old, new) = (folder.path().join("home"), folder.path().join("old"), folder.path().join("new"));
    let ledger = with_policy(create(&home).await, &home).await;
    ledger.confirm(None).await.unwrap();
    ledger.close().await.unwrap();
    copy_folder(&home, &old);
    let ledger = open(&home).await.unwrap();
    ledger.confirm(None).await.unwrap();
    grow(&ledger, 7).await;
    let held = ledger.release_head().await.unwrap();
    ledger.keep_anchor(&cosigned(&held.note, 1_700_000_000)).await.unwrap();
    ledger.close().await.unwrap();
    // The copy is whole for itself: without what the witness holds nothing is lost.
    assert_eq!(succeed(&old, &new, None).await.unwrap_err().code(), Code::NothingLost);
    assert!(!new.exists(), "nothing was made");
    let foreign = "other/00000000000000000000000000000000\n3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n— other/00000000000000000000000000000000 AAAAAAAA\n";
    assert_eq!(succeed(&old, &new, Some(foreign.into())).await.unwrap_err().code(), Code::ProofInvalid);
    let made = succeed(&old, &new, Some(cosigned(&held.note, 1_700_000_000))).await.unwrap();
    assert_eq!(made.proven.succession().head, held.checkpoint);
    assert_eq!(check(&old).verdict(), Verdict::EndedByLoss);
    assert_eq!(check(&new).verdict(), Verdict::Intact);
}

/// Without the old key anybody could say it: the successor may, and the old log's verdict stays what it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_successor_that_the_old_key_did_not_sign_excuses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    behind_its_head(&old).await;
    let key = old.join("config/checkpoint.pem");
    std::fs::rename(&key, folder.path().join("away.pem")).unwrap();
    let made = succeed(&old, &new, None).await.unwrap();
    assert!(!made.proven.is_by_old());
    std::fs::rename(folder.path().join("away.pem"), &key).unwrap();
    let report = check(&old);
    assert_eq!((report.verdict(), report.ended.clone()), (Verdict::RolledBack, None));
    assert!(
        report.findings.iter().any(|f| f.part == "succession" && f.severity == Severity::Gap),
        "{:?}",
        report.findings
    );
    assert_eq!(check(&new).verdict(), Verdict::Intact);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_was_changed_or_is_of_another_log_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new, third) = (folder.path().join("old"), folder.path().join("new"), folder.path().join("third"));
    behind_its_head(&old).await;
    succeed(&old, &new, None).await.unwrap();
    create(&third).await.close().await.unwrap();
    let file = old.join("state/successor.note");
    let note = std::fs::read_to_string(&file).unwrap();
    std::fs::write(third.join("state/successor.note"), &note).unwrap();
    assert_eq!(open(&third).await.err().unwrap().code(), Code::HeadInvalid);
    assert!(check(&third).findings.iter().any(|f| f.part == "succession" && f.severity == Severity::Altered));
    std::fs::write(&file, note.replace("lost ", "lost 1")).unwrap();
    assert_eq!(check(&old).verdict(), Verdict::Altered);
    assert!(Succession::verify(&note).is_ok());
    // A successor of one log is none of another.
    std::fs::write(&file, &note).unwrap();
    std::fs::remove_file(third.join("state/successor.note")).unwrap();
    let other = folder.path().join("other");
    behind_its_head(&other).await;
    assert_eq!(succeed(&other, &new, None).await.unwrap_err().code(), Code::LedgerExists);
    assert!(HeadFile::split(&std::fs::read_to_string(new.join("state/head")).unwrap()).is_ok());
}

/// Sled that is gone or behind is no loss, and nothing final is said for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_gone_end_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    let ledger = create(&old).await;
    save_tape(&ledger, "sqlite-crash").await.unwrap();
    ledger.close().await.unwrap();
    std::fs::remove_dir_all(old.join("ledger/index")).unwrap();
    assert!(succeed(&old, &new, None).await.is_err());
    assert!(!new.exists() && !old.join("state/successor.note").exists());
    let ledger = open(&old).await.unwrap();
    ledger.close().await.unwrap();
    assert_eq!(succeed(&old, &new, None).await.unwrap_err().code(), Code::NothingLost);
}

/// A log has one successor; what a call that was cut off began is gone on with, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_has_one_successor() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new, other) = (folder.path().join("old"), folder.path().join("new"), folder.path().join("other"));
    behind_its_head(&old).await;
    let made = succeed(&old, &new, None).await.unwrap();
    // The old log lost its note: the same call gives it back.
    let file = old.join("state/successor.note");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(succeed(&old, &new, None).await.unwrap().note, made.note);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), made.note);
    assert_eq!(succeed(&old, &other, None).await.unwrap_err().code(), Code::LogEnded);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), made.note);
    assert_eq!(check(&old).verdict(), Verdict::EndedByLoss);
}

/// Who writes into the state folder without this log's key in force ends nothing: a stranger, and the holder of a key that was
/// replaced.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_key_in_force_can_end_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    create(&home).await.close().await.unwrap();
    let stolen = read_signer(&RealFiles, &home.join("config/checkpoint.pem")).unwrap();
    let ledger = open(&home).await.unwrap();
    let change = KeyChange { role: KeyRole::Checkpoint, key: None, revoke: None };
    let keys = ledger.change_key(&ann(), change).await.unwrap().keys;
    let stranger = LocalSigner::generate(&OsRandom).unwrap();
    let named = |key: PublicKey| NoteKey::new("stranger.example/00000000000000000000000000000000", key).unwrap();
    let root = RootHash::from_bytes([7; 32]);
    for (old, signer) in [(&keys.head_keys()[0], Some(&stolen)), (&keys.head_keys()[1], None)] {
        let stated = Succession {
            old: old.clone(),
            head: Checkpoint { origin: String::new(), size: 1 << 40, root },
            new: named(stranger.public_key()),
            ledger: LedgerId::from_bytes([1; 32]),
            first_lost: 0,
            last_lost: None,
        };
        let note = stated.sign(&stranger, signer.map(|s| s as &dyn Signer)).unwrap();
        std::fs::write(home.join("state/successor.note"), note).unwrap();
        let ledger = open(&home).await.unwrap();
        ledger.close().await.unwrap();
        let report = check(&home);
        assert_eq!((report.verdict(), report.ended.clone()), (Verdict::IntactWithGaps, None), "{:?}", report.findings);
    }
}
