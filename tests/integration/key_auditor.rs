//! The auditor's program over ledgers whose keys changed and whose heads others hold: it answers as the ledger's own check, for a
//! reason of its own.

use std::path::Path;

use immutape::Code;
use immutape::codec::digest::{LedgerId, RootHash, sha256};
use immutape::evidence::Verdict;
use immutape::keyring::{LocalSigner, read_signer};
use immutape::ledger::{CheckOptions, Checker, KeyChange, Ledger, Places, RevocationReason, RevokeKey};
use immutape::log::{
    AnchorBody, Body, Checkpoint, EntryKind, HeadFile, KeyRole, NoteKey, SignedNote, Succession, leaf_hash, root_of,
};
use immutape::proof::{TimestampRequest, check_response};
use immutape::seal::Signer as _;
use immutape::store::files::RealFiles;

use crate::heads::{cosigned, grow, with_policy};
use crate::support::crash::copy_folder;
use crate::support::ledgers::{ann, create, open, real, save_tape};
use crate::support::tamper::{auditor, forge};
use crate::support::time_authority::{Authority, Keys, openssl_is_there};

const fn replaced(role: KeyRole) -> KeyChange {
    KeyChange { role, key: None, revoke: None }
}

async fn save(folder: &Path, name: &str) {
    let ledger = open(folder).await.unwrap();
    save_tape(&ledger, name).await.unwrap();
    ledger.close().await.unwrap();
}

/// Is the program there to be asked?
fn is_here() -> bool {
    if !auditor::is_here() {
        crate::support::skipped("no python3 here: the auditor's program was not run over keys that changed");
    }
    auditor::is_here()
}

/// The keys in use, as somebody would pin them.
fn pins(root: &Path) -> Vec<String> {
    auditor::keys(root).into()
}

/// Both judge the ledger so, and the auditor for one of its codes; without one it has nothing to say of harm.
fn agree(root: &Path, pins: &[String], verdict: Verdict, code: Option<&str>) -> String {
    let report = Checker::open(&Places::beneath(root), &real()).unwrap().run(&CheckOptions::default());
    let (exit, said) = auditor::said(root, pins);
    // The auditor is given no witness, and so is not asked whether a quorum vouches for the log.
    let own = Some(report.verdict()).filter(|word| *word != Verdict::NotAnchored).unwrap_or(Verdict::Intact);
    assert_eq!((own, exit), (verdict, i32::from(verdict.exit_code())), "{:#?}\n{said}", report.findings);
    if let Some((other, word)) = auditor::second(root, pins) {
        assert_eq!((other, word.as_str()), (exit, verdict.word()), "the auditor in Rust");
    }
    let last = said.lines().last().unwrap_or_default();
    assert!(last.contains(verdict.word()), "{verdict:?}, and the auditor says {last}");
    let told = |severity: &str| said.lines().any(|line| line.starts_with(severity));
    match code {
        Some(code) => assert!(said.lines().any(|line| line.split(' ').any(|word| word == code)), "{code}:\n{said}"),
        None => assert!(!["FORKED", "ROLLED", "ALTERED", "MISSING", "CANNOT", "GAP"].into_iter().any(told), "{said}"),
    }
    said
}

/// A copy that somebody may do harm to.
fn copy(root: &Path, name: &str) -> std::path::PathBuf {
    let to = root.join(name);
    for part in ["ledger", "state", "config"] {
        copy_folder(&root.join(part), &to.join(part));
    }
    to
}

fn by(root: &Path, key: &LocalSigner) {
    let head = std::fs::read_to_string(root.join("state/head")).unwrap();
    let (first, second) = HeadFile::split(&head).unwrap();
    let origin = first.lines().next().unwrap();
    let again = [first, second].map(|note| {
        let text = note.rsplit_once("\n\n").unwrap().0.to_owned() + "\n";
        SignedNote::sign(&text, origin, key).unwrap()
    });
    std::fs::write(root.join("state/head"), again.concat()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_were_replaced_are_followed_and_a_false_one_is_not() {
    if !is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let ledger = create(root).await;
    save_tape(&ledger, "sqlite-claims").await.unwrap();
    ledger.close().await.unwrap();
    let first = pins(root);
    let stolen = read_signer(&RealFiles, &root.join("config/checkpoint.pem")).unwrap();
    let mut rotation = 0;
    for (role, tape) in KeyRole::ALL.into_iter().zip(["everything-stdio", "git-policies", "sqlite-crash"]) {
        let changed = open(root).await.unwrap().change_key(&ann(), replaced(role)).await.unwrap();
        if role == KeyRole::Recorder {
            rotation = changed.rotated_as.unwrap();
        }
        save(root, tape).await;
    }
    let said = agree(root, &pins(root), Verdict::Intact, None);
    assert!(said.contains("(3 replaced, 0 revoked)") && said.contains("4 statements"), "{said}");
    agree(root, &first, Verdict::Intact, None);
    // The file of known keys saves a walk and decides nothing.
    let without = copy(root, "without");
    std::fs::remove_file(without.join("state/keys")).unwrap();
    agree(&without, &first, Verdict::Intact, None);

    let forged = copy(root, "forged");
    by(&forged, &stolen);
    agree(&forged, &first, Verdict::Altered, Some("HEAD_KEY"));
    let strange = copy(root, "strange");
    by(&strange, &forge::stranger());
    agree(&strange, &first, Verdict::Altered, Some("HEAD_UNSIGNED"));

    // Whoever has every key of today but not the one that followed then: all hashes and codes are right, the proof is not.
    let made_up = copy(root, "made-up");
    forge::with_all_keys(&made_up, |forged| {
        forged.rewrite(rotation as usize, |draft, _| *draft.body.last_mut().unwrap() ^= 1);
    });
    let said = agree(&made_up, &first, Verdict::Altered, Some("KEY_PROOF"));
    assert!(said.contains("STATEMENT_KEY"), "what the key signed is by nobody then: {said}");
}

/// Of what a revoked key signed counts what a witness held before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_keys_count_for_the_same_statements() {
    if !is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let ledger = with_policy(create(root).await, root).await;
    ledger.confirm(None).await.unwrap();
    let first = save_tape(&ledger, "sqlite-claims").await.unwrap();
    let head = ledger.release_head().await.unwrap();
    ledger.keep_anchor(&cosigned(&head.note, 1_700_000_000)).await.unwrap();
    let before = copy_of_closed(ledger, root, "before").await;
    let pinned = pins(root);
    agree(&before, &pinned, Verdict::Intact, None);
    // Held whole when it was revoked.
    revoke(&before, None, None).await;
    let said = agree(&before, &pinned, Verdict::Intact, None);
    assert!(said.contains("(1 replaced, 1 revoked)") && said.contains("1 cosigned by 1 keys"), "{said}");

    let ledger = open(root).await.unwrap();
    ledger.confirm(None).await.unwrap();
    let second = save_tape(&ledger, "sqlite-crash").await.unwrap();
    ledger.close().await.unwrap();
    let thumbprint = revoke(root, None, None).await;
    let said = agree(root, &pinned, Verdict::IntactWithGaps, Some("STATEMENT_UNPROVED"));
    let of = |said: &str, entry: u64| said.lines().filter(|line| line.contains(&format!("[entry {entry}, "))).count();
    assert_eq!((of(&said, first.entry), of(&said, second.entry)), (0, 1), "{said}");
    // Found later to be in wrong hands earlier, and earlier still.
    for (from, altered) in [(second.entry, [0, 1]), (first.entry, [1, 1])] {
        revoke(root, Some(thumbprint), Some(from)).await;
        let said = agree(root, &pinned, Verdict::Altered, Some("STATEMENT_REVOKED"));
        assert_eq!([of(&said, first.entry), of(&said, second.entry)], altered, "{said}");
    }
}

async fn copy_of_closed(ledger: Ledger, root: &Path, name: &str) -> std::path::PathBuf {
    ledger.close().await.unwrap();
    copy(root, name)
}

/// Revokes the recorder's key in use, or one of before; its thumbprint.
async fn revoke(
    root: &Path,
    thumbprint: Option<immutape::codec::digest::Thumbprint>,
    from: Option<u64>,
) -> immutape::codec::digest::Thumbprint {
    let ledger = open(root).await.unwrap();
    ledger.confirm(None).await.unwrap();
    let revoke = RevokeKey { thumbprint, from, reason: RevocationReason::Compromised };
    let change = KeyChange { role: KeyRole::Recorder, key: None, revoke: Some(revoke) };
    let changed = ledger.change_key(&ann(), change).await.unwrap();
    let term = changed.keys.terms(KeyRole::Recorder).iter().find(|term| term.revoked.is_some());
    term.unwrap().key.thumbprint()
}

/// Cosigned, time-stamped and published heads, also one by both keys, and copies that left them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_others_hold_are_compared_by_both() {
    if !is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (root, fork) = (folder.path().join("one"), folder.path().join("two"));
    let ledger = with_policy(create(&root).await, &root).await;
    ledger.confirm(None).await.unwrap();
    save_tape(&ledger, "sqlite-crash").await.unwrap();
    ledger.change_key(&ann(), replaced(KeyRole::Checkpoint)).await.unwrap();
    let pinned = pins(&root);
    let said = agree(&root, &pinned, Verdict::Intact, None);
    assert!(said.contains("anchors: not checked: no entry and no file"), "{said}");
    copy_folder(&root, &fork);

    let ledger = open(&root).await.unwrap();
    ledger.confirm(None).await.unwrap();
    grow(&ledger, 5).await;
    let both = ledger.release_head_for_witnesses().await.unwrap();
    assert_eq!(SignedNote::parse(&both.note).unwrap().signatures().len(), 2);
    let held = cosigned(&both.note, 1_700_000_000);
    ledger.keep_anchor(&held).await.unwrap();
    ledger.note_publication(&ann(), &both.checkpoint, false, "a web server").await.unwrap();
    let mut stamped = 0;
    if openssl_is_there() {
        let head = ledger.release_head().await.unwrap();
        let request = TimestampRequest::new(sha256(head.note.as_bytes()), [1; 8], None).unwrap();
        let authority = Authority::new(Keys::P256);
        let token = check_response(&authority.answer(&request, "usual"), &request, &authority.anchors()).unwrap();
        ledger.keep_time_stamp(&head.note, token.der(), token.time().as_ms()).await.unwrap();
        stamped = 1;
    }
    let older = copy_of_closed(ledger, &root, "older").await;
    let said = agree(&root, &pinned, Verdict::Intact, None);
    assert!(
        said.contains(&format!("(1 cosigned by 1 keys, {stamped} time-stamped, 1 published, newest.note)")),
        "{said}"
    );

    // The copy went another way, and somebody wrote the other one's head into it.
    let ledger = open(&fork).await.unwrap();
    ledger.confirm(None).await.unwrap();
    grow(&ledger, 60).await;
    let own = cosigned(&ledger.release_head().await.unwrap().note, 1_700_000_000);
    let entry = ledger.keep_anchor(&own).await.unwrap();
    ledger.close().await.unwrap();
    forge::with_all_keys(&fork, |forged| {
        forged.rewrite(usize::try_from(entry).unwrap(), |draft, _| {
            let body = Body::decode(EntryKind::ANCHOR_COSIGNED, &draft.body);
            let Ok(Body::Anchor(AnchorBody::Cosigned { keys, quorum, .. })) = body else { panic!("no anchor") };
            let note = held.clone().into_bytes();
            draft.body = Body::Anchor(AnchorBody::Cosigned { note, keys, quorum }).encode();
        });
    });
    let ledger = open(&fork).await.unwrap();
    ledger.confirm(None).await.unwrap();
    ledger.close().await.unwrap();
    std::fs::write(fork.join("state/anchors/newest.note"), &held).unwrap();
    let said = agree(&fork, &pinned, Verdict::Forked, Some("E_LOG_FORK"));
    assert_eq!(said.matches("FORKED E_LOG_FORK").count(), 2, "in its entry, and beside the head: {said}");

    // An older copy of everything but the heads that others hold.
    let ledger = open(&root).await.unwrap();
    ledger.confirm(None).await.unwrap();
    grow(&ledger, 5).await;
    let head = ledger.release_head().await.unwrap();
    let newer = cosigned(&head.note, 1_700_000_001);
    ledger.keep_anchor(&newer).await.unwrap();
    ledger.close().await.unwrap();
    agree(&root, &pinned, Verdict::Intact, None);
    agree(&older, &pinned, Verdict::Intact, None);
    std::fs::copy(root.join("state/anchors/newest.note"), older.join("state/anchors/newest.note")).unwrap();
    agree(&older, &pinned, Verdict::RolledBack, Some("E_LOG_ROLLBACK"));
    // What a witness showed at a start that was refused stays there, and says so by itself.
    std::fs::rename(older.join("state/anchors/newest.note"), older.join("state/anchors/ahead.note")).unwrap();
    agree(&older, &pinned, Verdict::RolledBack, Some("E_LOG_ROLLBACK"));
    // A note that this log never signed.
    let size = head.checkpoint.size;
    let longer = newer.replacen(&format!("\n{size}\n"), &format!("\n{}\n", size + 1), 1);
    assert_ne!(longer, newer);
    std::fs::write(older.join("state/anchors/ahead.note"), longer).unwrap();
    agree(&older, &pinned, Verdict::Altered, Some("HEAD_SIGNATURE"));
}

/// A statement that the log ended, by its own key: what it names must be what the log has, wherever that ends within a group.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_log_says_that_it_ended_is_compared_by_both() {
    if !is_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let ledger = create(root).await;
    save_tape(&ledger, "sqlite-claims").await.unwrap();
    ledger.close().await.unwrap();
    let (pinned, key) = (pins(root), forge::signer(root, "checkpoint.pem"));
    let journal = forge::Forge::read(root);
    let leaves: Vec<_> = journal.records.iter().map(|record| leaf_hash(&record.public)).collect();
    let long = journal.groups.iter().position(|group| group.count > 1).expect("a group of several entries");
    let first: usize = journal.groups[..long].iter().map(|group| group.count).sum();
    let (inside, all) = (first + 1, leaves.len());
    let stranger = forge::stranger();
    let state = |size: usize, root_there: RootHash| {
        let stated = Succession {
            old: NoteKey::new(&forge::origin(root), key.public_key()).unwrap(),
            head: Checkpoint { origin: String::new(), size: size as u64, root: root_there },
            new: NoteKey::new("next.example/00000000000000000000000000000000", stranger.public_key()).unwrap(),
            ledger: LedgerId::from_bytes([1; 32]),
            first_lost: size as u64,
            last_lost: None,
        };
        let note = stated.sign(&stranger, Some(&key)).unwrap();
        assert!(Succession::verify(&note).unwrap().is_by_old());
        std::fs::write(root.join("state/successor.note"), note).unwrap();
    };
    let ended = || Checker::open(&Places::beneath(root), &real()).unwrap().run(&CheckOptions::default()).ended;
    let other = RootHash::from_bytes([7; 32]);
    for size in [inside, all] {
        state(size, root_of(&leaves[..size]));
        agree(root, &pinned, Verdict::EndedByLoss, Some("LOG_ENDED"));
        assert!(ended().unwrap().starts_with(&format!("ended by loss at {size}, ")));
        state(size, other);
        let said = agree(root, &pinned, Verdict::Forked, Some("E_LOG_FORK"));
        assert!(said.lines().any(|line| line.starts_with("FORKED E_LOG_FORK")), "{said}");
        assert_eq!(ended(), None);
        // As a head of another history is named elsewhere.
        let report = Checker::open(&Places::beneath(root), &real()).unwrap().run(&CheckOptions::default());
        let named = |f: &&immutape::evidence::Finding| f.part == "succession" && f.place == Code::LogFork.as_str();
        assert_eq!(report.findings.iter().filter(named).count(), 1, "{:?}", report.findings);
    }
    // Beyond the end nobody can compare.
    state(all + 1, other);
    agree(root, &pinned, Verdict::EndedByLoss, Some("LOG_ENDED"));
}
