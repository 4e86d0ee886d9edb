//! Heads that leave a ledger, proofs under them, and what others hold of it.

use std::path::Path;

use ed25519_dalek::{Signer as _, SigningKey};
use immutape::Code;
use immutape::codec::digest::{Digest, LeafHash, sha256};
use immutape::ledger::{Ledger, Places, ProofForm, WITNESS_POLICY_FILE};
use immutape::log::{AnchorBody, Body, Checkpoint, EntryKind, SignedNote, Tile, leaf_hash, root_of, tiles_between};
use immutape::proof::{CosignerKey, ForkProof, Policy, Receipt, TlogProof, verify_consistency, verify_inclusion};
use immutape::seal::{PublicKey, Signature, Signer};

use crate::support::crash::copy_folder;
use crate::support::ledgers::{ann, create, open, save_tape};

pub struct Witness(pub SigningKey);

impl Signer for Witness {
    fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message).to_bytes()
    }

    fn public_key(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.verifying_key().as_bytes()).unwrap()
    }
}

pub fn witness() -> (Witness, CosignerKey) {
    let signer = Witness(SigningKey::from_bytes(&[2; 32]));
    let key = CosignerKey::new("witness.example/w1", signer.public_key()).unwrap();
    (signer, key)
}

pub fn cosigned(note: &str, time_s: u64) -> String {
    let (signer, key) = witness();
    let line = key.cosign(SignedNote::parse(note).unwrap().text(), time_s, &signer).unwrap();
    format!("{note}{}", line.to_line())
}

/// Asks for one witness from the next opening on.
pub async fn with_policy(ledger: Ledger, folder: &Path) -> Ledger {
    let config = Places::beneath(folder).config_of(&ledger.id()).unwrap();
    ledger.close().await.unwrap();
    let policy = format!("witness w1 {}\nquorum w1\n", witness().1.to_text());
    std::fs::write(config.join(WITNESS_POLICY_FILE), policy).unwrap();
    open(folder).await.unwrap()
}

/// Leaves of everything that is in the log now, out of bundles.
pub fn leaves(ledger: &Ledger, size: u64) -> Vec<LeafHash> {
    let mut leaves = Vec::new();
    for tile in tiles_between(0, size).filter(|tile| tile.level == 0) {
        let bundle = ledger.entry_bundle(&tile).unwrap();
        let mut rest = bundle.as_slice();
        while let Some((length, more)) = rest.split_first_chunk::<2>() {
            let (entry, more) = more.split_at(usize::from(u16::from_be_bytes(*length)));
            leaves.push(leaf_hash(entry));
            rest = more;
        }
    }
    leaves
}

pub async fn grow(ledger: &Ledger, entries: u64) {
    for _ in 0..entries {
        ledger.note_log_read(&ann()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_released_head_is_the_newest_one_and_known_to_the_head_file() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    grow(&ledger, 5).await;
    let head = ledger.release_head().await.unwrap();
    assert_eq!(head.checkpoint.size, ledger.size());
    assert_eq!(Checkpoint::from_note(&head.note, ledger.checkpoint_key()), Ok(head.checkpoint.clone()));
    assert_eq!(root_of(&leaves(&ledger, head.checkpoint.size)), head.checkpoint.root);
    let last = ledger.last_signed_head().unwrap();
    assert_eq!((last.note, last.checkpoint), (head.note, head.checkpoint));
    assert_eq!(ledger.newest_anchor().unwrap(), None);
    ledger.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tiles_and_paths_are_those_of_the_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    grow(&ledger, 700).await;
    let size = ledger.size();
    let all = leaves(&ledger, size);
    assert_eq!(all.len() as u64, size);
    for tile in tiles_between(0, size) {
        let hashes = ledger.tile(&tile).unwrap();
        let wanted: Vec<u8> = (0..tile.width)
            .flat_map(|n| {
                let (first, count) = tile.leaves_under(n).unwrap();
                *root_of(&all[first as usize..(first + count) as usize]).as_bytes()
            })
            .collect();
        assert_eq!(hashes, wanted, "{}", tile.path());
    }
    assert_eq!(ledger.tile(&Tile { level: 0, index: 2, width: 256 }).unwrap_err().code(), Code::Usage);
    assert_eq!(ledger.tile(&Tile { level: 1, index: 1, width: 1 }).unwrap_err().code(), Code::Usage);
    assert_eq!(ledger.entry_bundle(&Tile { level: 0, index: 2, width: 256 }).unwrap_err().code(), Code::Usage);
    assert_eq!(ledger.entry_bundle(&Tile { level: 1, index: 0, width: 1 }).unwrap_err().code(), Code::Usage);
    for (old, new) in [(1, 2), (1, size), (255, 257), (256, 600), (511, 512), (size - 1, size), (size, size)] {
        let path = ledger.consistency_path(old, new).unwrap();
        let root = |n: u64| root_of(&all[..n as usize]);
        assert_eq!(verify_consistency(old, new, &path, &root(old), &root(new)), Ok(()), "{old} {new}");
    }
    assert_eq!(ledger.consistency_path(2, 1).unwrap_err().code(), Code::Usage);
    assert_eq!(ledger.consistency_path(1, size + 1).unwrap_err().code(), Code::Usage);
    let (path, index) = ledger.prove_consistency(&ann(), 300, 600).await.unwrap();
    assert_eq!(verify_consistency(300, 600, &path, &root_of(&all[..300]), &root_of(&all[..600])), Ok(()));
    let (lines, _) = ledger.log(&ann(), index..index + 1).await.unwrap();
    let file = Digest::from_bytes(sha256(&path.concat()));
    let body = Body::Anchor(AnchorBody::ReceiptIssued { form: 2, size: 600, index: 300, file });
    assert_eq!((lines[0].kind, &lines[0].body), (EntryKind::RECEIPT_ISSUED, &body));
    for (old, new) in [(0, 5), (5, 4), (1, 1 << 40)] {
        assert_eq!(ledger.prove_consistency(&ann(), old, new).await.unwrap_err().code(), Code::Usage);
    }
    ledger.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tape_is_proved_in_both_forms_and_each_is_an_entry_first() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let saved = save_tape(&ledger, "git-policies").await.unwrap();
    grow(&ledger, 3).await;
    let id = saved.tape.to_text();
    let proven = ledger.prove(&ann(), &id, ProofForm::TlogProof).await.unwrap();
    let proof = TlogProof::parse(std::str::from_utf8(&proven.file).unwrap()).unwrap();
    assert_eq!(proof.extra.as_deref(), Some(&proven.entry[..]));
    let nobody = Policy::parse("quorum none").unwrap();
    let found = proof.verify(&leaf_hash(&proven.entry), ledger.checkpoint_key(), &nobody).unwrap();
    assert_eq!((found.index(), found.head().checkpoint()), (proven.index, &proven.head));
    let entry = immutape::log::Entry::decode(&proven.entry).unwrap();
    assert_eq!((entry.index, entry.kind), (proven.index, EntryKind::TAPE_SAVED));
    let receipt = ledger.prove(&ann(), &id, ProofForm::Receipt).await.unwrap();
    let read = Receipt::decode(&receipt.file).unwrap();
    let (lines, _) = ledger.log(&ann(), 0..1).await.unwrap();
    let Body::Genesis(genesis) = &lines[0].body else { panic!("entry 0") };
    let issuer = PublicKey::from_bytes(&genesis.keys[2]).unwrap();
    assert_eq!(read.verify(&leaf_hash(&receipt.entry), &issuer), Ok(receipt.head.root));
    assert_eq!(
        verify_inclusion(&leaf_hash(&proven.entry), read.index, read.size, &read.path, &receipt.head.root),
        Ok(())
    );
    for (made, form) in [(&proven, 0), (&receipt, 1)] {
        let (lines, _) = ledger.log(&ann(), made.recorded_as..made.recorded_as + 1).await.unwrap();
        let file = Digest::from_bytes(sha256(&made.file));
        let body = AnchorBody::ReceiptIssued { form, size: made.head.size, index: made.index, file };
        assert_eq!(lines[0].body, Body::Anchor(body));
        assert!(made.head.size <= made.recorded_as);
    }
    let missing = ledger.prove(&ann(), &"ab".repeat(32), ProofForm::TlogProof).await;
    assert_eq!(missing.unwrap_err().code(), Code::NotFound);
    ledger.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_with_witnesses_signs_nothing_before_one_confirmed_it() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = with_policy(create(folder.path()).await, folder.path()).await;
    let before = ledger.last_signed_head().unwrap();
    grow(&ledger, 3).await;
    assert!(!ledger.is_confirmed());
    assert_eq!(ledger.release_head().await.unwrap_err().code(), Code::NotConfirmed);
    let size = ledger.size();
    ledger.close().await.unwrap();
    // What was answered is there, though no head names it; the head file is as it was.
    let ledger = open(folder.path()).await.unwrap();
    assert_eq!((ledger.size(), ledger.last_signed_head().unwrap()), (size, before));
    grow(&ledger, 1).await;
    let (lines, _) = ledger.log(&ann(), size..ledger.size()).await.unwrap();
    assert!(lines.iter().any(|line| line.kind == EntryKind::LOG_UNCLEAN_STOP));
    let note = ledger.last_signed_head().unwrap().note;
    assert_eq!(ledger.confirm(Some(note)).await.unwrap().held(), Some(before_size(&ledger)));
    let head = ledger.release_head().await.unwrap();
    assert_eq!(head.checkpoint.size, ledger.size());
    // Cosigned, it is kept beside the head file and in the log, without the line of a stranger.
    let stranger = CosignerKey::new("stranger", Witness(SigningKey::from_bytes(&[5; 32])).public_key()).unwrap();
    let line = stranger.cosign(&head.checkpoint.text(), 9, &Witness(SigningKey::from_bytes(&[5; 32]))).unwrap();
    let good = cosigned(&head.note, 1_700_000_000);
    let index = ledger.keep_anchor(&format!("{good}{}", line.to_line())).await.unwrap();
    assert_eq!(ledger.newest_anchor().unwrap().unwrap().note, good);
    let (lines, _) = ledger.log(&ann(), index..index + 1).await.unwrap();
    let keys = vec![witness().1.to_text()];
    assert_eq!(
        lines[0].body,
        Body::Anchor(AnchorBody::Cosigned { note: good.clone().into_bytes(), keys, quorum: true })
    );
    // Nobody's cosignature, and one that does not hold.
    assert_eq!(ledger.keep_anchor(&head.note).await.unwrap_err().code(), Code::ProofInvalid);
    let other = cosigned(&head.note.replace(&format!("\n{}\n", head.checkpoint.size), "\n1\n"), 1);
    assert_eq!(ledger.keep_anchor(&other).await.unwrap_err().code(), Code::ProofInvalid);
    ledger.close().await.unwrap();
    let ledger = open(folder.path()).await.unwrap();
    assert_eq!(ledger.confirm(Some(good)).await.unwrap().held(), Some(head.checkpoint.size));
    ledger.close().await.unwrap();
}

fn before_size(ledger: &Ledger) -> u64 {
    ledger.last_signed_head().unwrap().checkpoint.size
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_copy_is_named_when_a_head_of_the_newer_one_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (newer, older) = (folder.path().join("newer"), folder.path().join("older"));
    let ledger = with_policy(create(&newer).await, &newer).await;
    ledger.confirm(None).await.unwrap();
    grow(&ledger, 4).await;
    ledger.close().await.unwrap();
    copy_folder(&newer, &older);
    let ledger = open(&newer).await.unwrap();
    ledger.confirm(None).await.unwrap();
    grow(&ledger, 10).await;
    let held = cosigned(&ledger.release_head().await.unwrap().note, 1_700_000_000);
    ledger.keep_anchor(&held).await.unwrap();
    ledger.close().await.unwrap();
    // The older copy does not know; once it is shown, it refuses, now and at every later start.
    let ledger = open_moved(&older).await.unwrap();
    let shown = ledger.confirm(Some(held.clone())).await.unwrap_err();
    assert_eq!(shown.code(), Code::LogRollback);
    assert_eq!(ledger.release_head().await.unwrap_err().code(), Code::LogRollback);
    assert_eq!(ledger.note_log_read(&ann()).await.unwrap_err().code(), Code::LogRollback);
    assert_eq!(ledger.confirm(None).await.unwrap_err().code(), Code::LogRollback);
    drop(ledger);
    let refused = open_moved(&older).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.code(), Code::LogRollback, "{refused}");
    // The newer one is as it was.
    open(&newer).await.unwrap().close().await.unwrap();
}

/// A copy stands elsewhere: its folders are given, whatever its state file says.
async fn open_moved(folder: &Path) -> immutape::Result<Ledger> {
    open(folder).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_went_another_way_is_named_and_proved() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let ledger = with_policy(create(&one).await, &one).await;
    ledger.confirm(None).await.unwrap();
    grow(&ledger, 4).await;
    ledger.close().await.unwrap();
    copy_folder(&one, &two);
    let ledger = open(&one).await.unwrap();
    ledger.confirm(None).await.unwrap();
    grow(&ledger, 3).await;
    let held = cosigned(&ledger.release_head().await.unwrap().note, 1_700_000_000);
    let key = ledger.checkpoint_key().clone();
    ledger.close().await.unwrap();
    let ledger = open_moved(&two).await.unwrap();
    ledger.confirm(None).await.unwrap();
    grow(&ledger, 9).await;
    ledger.release_head().await.unwrap();
    let state = Places::beneath(&two).state_of(&ledger.id()).unwrap();
    let shown = ledger.confirm(Some(held.clone())).await.unwrap_err();
    assert_eq!(shown.code(), Code::LogFork);
    drop(ledger);
    let size = Checkpoint::from_note(&held, &key).unwrap().size;
    let proof = std::fs::read_to_string(state.join(format!("anchors/fork-{size}.txt"))).unwrap();
    let proven = ForkProof::parse(&proof).unwrap().verify(&key).unwrap();
    assert_eq!(proven.heads().0.size, size);
    assert_eq!(open_moved(&two).await.map(|_| ()).unwrap_err().code(), Code::LogFork);
    // A head of another log shows nothing.
    let ledger = open(&one).await.unwrap();
    let other =
        SignedNote::sign("other/log\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", "other/log", &witness().0);
    assert_eq!(ledger.confirm(Some(other.unwrap())).await.unwrap_err().code(), Code::ProofInvalid);
    assert!(!ledger.is_confirmed());
    ledger.close().await.unwrap();
}

/// Whoever brings it, and whatever quorum signed it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cosigned_head_that_this_log_left_or_never_had_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    let ledger = with_policy(create(&one).await, &one).await;
    ledger.confirm(None).await.unwrap();
    grow(&ledger, 4).await;
    let agreed = cosigned(&ledger.release_head().await.unwrap().note, 5);
    ledger.keep_anchor(&agreed).await.unwrap();
    ledger.close().await.unwrap();
    copy_folder(&one, &two);
    let ledger = open(&one).await.unwrap();
    ledger.confirm(None).await.unwrap();
    grow(&ledger, 9).await;
    let held = cosigned(&ledger.release_head().await.unwrap().note, 6);
    ledger.close().await.unwrap();
    for (more, wanted) in [(0, Code::LogRollback), (40, Code::LogFork)] {
        let copy = folder.path().join(format!("copy-{more}"));
        copy_folder(&two, &copy);
        let ledger = open(&copy).await.unwrap();
        ledger.confirm(None).await.unwrap();
        grow(&ledger, more).await;
        let (size, before) = (ledger.size(), ledger.last_signed_head().unwrap());
        // An older head of ours is no contradiction, and moves nothing.
        let kept = ledger.newest_anchor().unwrap().unwrap();
        let again = ledger.keep_anchor(&agreed).await.unwrap();
        assert!(again >= size, "it stands in the log once more");
        assert_eq!(ledger.newest_anchor().unwrap().unwrap(), kept);
        assert_eq!(ledger.keep_anchor(&held).await.unwrap_err().code(), wanted);
        // From then on nothing: not even what agrees.
        for refused in [
            ledger.keep_anchor(&agreed).await.map(drop),
            ledger.release_head().await.map(drop),
            ledger.note_log_read(&ann()).await.map(drop),
            ledger.confirm(None).await.map(drop),
        ] {
            assert_eq!(refused.unwrap_err().code(), wanted);
        }
        let ahead = std::fs::read_to_string(copy.join("state/anchors/ahead.note")).unwrap();
        assert_eq!(ahead, held, "it is kept as what contradicts");
        assert_eq!(ledger.newest_anchor().unwrap().unwrap(), kept);
        assert_eq!(ledger.last_signed_head().unwrap(), before);
        drop(ledger);
        assert_eq!(open(&copy).await.map(drop).unwrap_err().code(), wanted);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kept_anchor_that_does_not_hold_and_a_policy_that_cannot_be_read_keep_the_ledger_shut() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = with_policy(create(folder.path()).await, folder.path()).await;
    ledger.confirm(None).await.unwrap();
    let note = cosigned(&ledger.release_head().await.unwrap().note, 7);
    ledger.keep_anchor(&note).await.unwrap();
    assert_eq!(ledger.newest_anchor().unwrap().unwrap().note, note);
    let (state, config) = (
        Places::beneath(folder.path()).state_of(&ledger.id()).unwrap(),
        Places::beneath(folder.path()).config_of(&ledger.id()).unwrap(),
    );
    ledger.close().await.unwrap();
    let kept = state.join("anchors/newest.note");
    let good = std::fs::read(&kept).unwrap();
    let mut bad = good.clone();
    bad[3] ^= 1;
    std::fs::write(&kept, bad).unwrap();
    assert_eq!(open(folder.path()).await.map(|_| ()).unwrap_err().code(), Code::HeadInvalid);
    std::fs::write(&kept, good).unwrap();
    std::fs::write(config.join(WITNESS_POLICY_FILE), "quorum w1\n").unwrap();
    let refused = open(folder.path()).await.map(|_| ()).unwrap_err();
    assert_eq!(refused.code(), Code::Usage);
    assert!(refused.to_string().contains("line 1"), "{refused}");
    std::fs::write(config.join(WITNESS_POLICY_FILE), [0xff]).unwrap();
    assert_eq!(open(folder.path()).await.map(|_| ()).unwrap_err().code(), Code::Usage);
    std::fs::write(config.join(WITNESS_POLICY_FILE), "quorum none\n").unwrap();
    let ledger = open(folder.path()).await.unwrap();
    assert!(ledger.is_confirmed());
    ledger.close().await.unwrap();
}
