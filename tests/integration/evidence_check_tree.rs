//! A published tree by itself, and beside a bundle: what is complete by the ledger's claim, checked over the whole log.

use std::collections::BTreeMap;

use immutape::codec::digest::Thumbprint;
use immutape::evidence::Verdict;
use immutape::evidence::bundle::{MemorySource, Pins, check_bundle, check_published};
use immutape::log::{Body, CriticalBody, Entry, EntryKind, KeyRole, NoteKey, SignedNote, rotate};
use immutape::seal::Signer as _;

use crate::support::evidence::{Change, Made, ORIGIN, Seed, acted, make, pins, witness};

type Tree = BTreeMap<String, Vec<u8>>;

fn tree(made: &Made) -> Tree {
    made.log.published(made.log.size())
}

fn beside(made: &Made, tree: Tree) -> (Vec<Verdict>, bool) {
    let report = check_bundle(&made.source(), &pins(), Some(&MemorySource::new(tree)));
    (report.words(), report.whole_log)
}

/// Without the rotation of a key, which nobody misses who has the bundle alone.
fn without_rotation() -> Made {
    let index = |item: &immutape::evidence::bundle::EvidenceEntry| Entry::decode(&item.public).unwrap().index;
    make(&Change {
        items: &|items| items.retain(|item| index(item) != 10),
        files: &|files| {
            files.remove("data/keys/issuer-10.pem");
            files.retain(|path, _| !path.ends_with("receipt.cose"));
        },
        ..Change::NONE
    })
}

#[test]
fn a_bundle_is_compared_with_the_whole_log() {
    let made = make(&Change::NONE);
    assert_eq!(beside(&made, tree(&made)), (vec![Verdict::Intact], true));
    // A later head of the same log: what came after the bundle is no concern of it.
    let mut later = make(&Change::NONE);
    let custody = later.tapes[0].custody;
    later.log.append(EntryKind::ACCESS_GRANTED, custody, &Body::AccessGranted, acted());
    assert_eq!(beside(&made, tree(&later)), (vec![Verdict::Intact], true));
    // Hashes alone say that the head is one of this log, and nothing of what is left out.
    let mut hashes = tree(&made);
    hashes.retain(|path, _| !path.starts_with("tile/entries"));
    assert_eq!(beside(&made, hashes), (vec![Verdict::Intact], false));
}

/// A log that went on behind the bundle: recorder and head key were replaced, and `last` was written.
fn later(last: Option<CriticalBody>) -> (Tree, String) {
    let mut later = make(&Change::NONE);
    for (role, next) in [(KeyRole::Recorder, 5), (KeyRole::Checkpoint, 4)] {
        let body = rotate(ORIGIN, role, &Seed::of(next), Thumbprint::from_bytes([next; 32]));
        later.log.ledger(EntryKind::KEY_ROTATED, &Body::Critical(body));
    }
    if let Some(body) = last {
        later.log.ledger(EntryKind::KEY_REVOKED, &Body::Critical(body));
    }
    let head = SignedNote::sign(&later.log.head(later.log.size()).text(), ORIGIN, &Seed::of(4)).unwrap();
    let mut tree = tree(&later);
    tree.insert("checkpoint".into(), head.clone().into_bytes());
    (tree, head)
}

/// Who has the newest keys alone can check an older bundle beside the tree in which they came.
#[test]
fn keys_that_came_after_the_bundle_are_keys_of_its_log() {
    let made = make(&Change::NONE);
    let mut pins = Pins::default();
    pins.add_key(&NoteKey::new(ORIGIN, Seed::of(4).public_key()).unwrap().to_text()).unwrap();
    pins.add_key(&hex::encode(Seed::of(5).public_key().to_bytes())).unwrap();
    [11, 12].iter().for_each(|byte| pins.add_witness(&witness(*byte).to_text()).unwrap());
    let (tree, head) = later(None);
    let words = |pins: &Pins, tree: Option<&Tree>| {
        let tree = tree.map(|tree| MemorySource::new(tree.clone()));
        check_bundle(&made.source(), pins, tree.as_ref().map(|tree| tree as _)).words()
    };
    assert_eq!(words(&pins, Some(&tree)), [Verdict::Intact]);
    assert!(words(&pins, None).contains(&Verdict::Altered), "nothing says that they came");
    // The bundle's own keys are as good as before, and a later head says nothing about it.
    assert_eq!(words(&self::pins(), Some(&tree)), [Verdict::Intact]);
    pins.add_head(&head).unwrap();
    assert_eq!(words(&pins, Some(&tree)), [Verdict::Intact]);
    // Hashes alone do not say that keys came.
    let mut hashes = tree.clone();
    hashes.retain(|path, _| !path.starts_with("tile/entries"));
    assert!(words(&pins, Some(&hashes)).contains(&Verdict::Altered));
    assert_eq!(words(&self::pins(), Some(&hashes)), [Verdict::CannotTell]);
}

/// A key that was found to be stolen after the bundle was made.
#[test]
fn a_revocation_behind_the_bundle_counts() {
    let made = make(&Change::NONE);
    let thumbprint = Seed::of(2).public_key().thumbprint();
    let revoked = |from| CriticalBody::Revoked { role: KeyRole::Recorder, thumbprint, from, reason: 1 };
    assert_eq!(beside(&made, later(Some(revoked(made.log.size()))).0).0, [Verdict::Intact], "from later on");
    let (words, _) = beside(&made, later(Some(revoked(1))).0);
    assert_eq!(words, [Verdict::Altered], "before the tapes were saved");
    // The key of the head, from within it on: nobody who relies on it alone can tell any more.
    let (role, thumbprint) = (KeyRole::Checkpoint, Seed::of(1).public_key().thumbprint());
    let of_head = CriticalBody::Revoked { role, thumbprint, from: made.log.size() - 1, reason: 1 };
    assert!(beside(&made, later(Some(of_head)).0).0.contains(&Verdict::Altered));
}

#[test]
fn what_a_bundle_leaves_out_is_found() {
    let made = without_rotation();
    let alone = check_bundle(&made.source(), &pins(), None);
    assert_eq!(alone.words(), [Verdict::Intact], "{:#?}", alone.findings);
    assert_eq!(beside(&made, tree(&made)), (vec![Verdict::Incomplete], false));
}

#[test]
fn another_history_a_shorter_one_and_a_broken_tree() {
    let made = make(&Change::NONE);
    let other = make(&Change {
        log: &|log, _| {
            log.ledger(EntryKind::LOG_STARTED, &Body::LogStarted { term: 7 });
        },
        ..Change::NONE
    });
    assert_eq!(beside(&made, tree(&other)).0, [Verdict::Incomplete, Verdict::Forked]);
    assert_eq!(beside(&made, made.log.published(5)), (vec![Verdict::CannotTell], false));
    for (path, word) in [("checkpoint", Verdict::Missing), ("tile/0", Verdict::Missing)] {
        let mut broken = tree(&made);
        broken.retain(|name, _| !name.starts_with(path));
        assert_eq!(beside(&made, broken), (vec![word], false), "{path}");
    }
    for path in ["checkpoint", "tile/0", "tile/entries"] {
        let mut broken = tree(&made);
        let (_, bytes) = broken.iter_mut().find(|(name, _)| name.starts_with(path)).unwrap();
        bytes[70] ^= 1;
        assert!(beside(&made, broken).0.contains(&Verdict::Altered), "{path}");
    }
}

fn alone(tree: Tree, pins: &Pins) -> Vec<Verdict> {
    let report = check_published(&MemorySource::new(tree), pins);
    assert!(report.ids().is_empty());
    report.words()
}

#[test]
fn a_published_tree_with_public_halves() {
    let made = make(&Change::NONE);
    assert_eq!(alone(tree(&made), &pins()), [Verdict::Intact]);
    assert_eq!(alone(tree(&made), &Pins::default()), [Verdict::NotAnchored, Verdict::UnpinnedKeys]);
    assert_eq!(alone(Tree::new(), &pins()), [Verdict::NotAnchored, Verdict::UnpinnedKeys, Verdict::Missing]);
    let with = |note: &str| {
        let mut pins = pins();
        pins.add_head(note).unwrap();
        alone(tree(&made), &pins)
    };
    let signed = |size: u64| {
        let mut head = made.log.head(0);
        head.size = size;
        SignedNote::sign(&head.text(), ORIGIN, &Seed::of(1)).unwrap()
    };
    assert_eq!(with(&made.log.note(4)), [Verdict::Intact]);
    assert_eq!(with(&signed(4)), [Verdict::Forked]);
    assert_eq!(with(&signed(900)), [Verdict::RolledBack]);
    let opened = make(&Change {
        log: &|log, _| {
            let body = Body::TapeOpened { epoch: [0; 16], continues: None };
            let custody = immutape::codec::digest::CustodyId::from_bytes([0xdd; 32]);
            log.append(EntryKind::TAPE_OPENED, custody, &body, acted());
        },
        ..Change::NONE
    });
    assert_eq!(alone(tree(&opened), &pins()), [Verdict::UnsealedTail]);
    // Entries about a subject that are left out of its chain.
    let skipped = make(&Change {
        log: &|log, tapes| {
            log.subject = Some((9, log.entries[7].leaf));
            log.append(EntryKind::ACCESS_GRANTED, tapes[0].custody, &Body::AccessGranted, acted());
        },
        ..Change::NONE
    });
    assert_eq!(alone(tree(&skipped), &pins()), [Verdict::Altered]);
}

#[test]
fn a_published_tree_of_hashes_alone() {
    let made = make(&Change::NONE);
    let mut hashes = tree(&made);
    hashes.retain(|path, _| !path.starts_with("tile/entries"));
    assert_eq!(alone(hashes.clone(), &pins()), [Verdict::Intact], "nothing in it names a recorder");
    assert_eq!(
        alone(hashes.clone(), &Pins::default()),
        [Verdict::NotAnchored, Verdict::UnpinnedKeys, Verdict::CannotTell],
        "nothing says by which key the head was signed"
    );
    let mut other = Pins::default();
    let key = immutape::log::NoteKey::new(ORIGIN, immutape::seal::Signer::public_key(&Seed::of(9))).unwrap();
    other.add_key(&key.to_text()).unwrap();
    let why = "another key may have followed the one that was given";
    assert_eq!(
        alone(hashes.clone(), &other),
        [Verdict::NotAnchored, Verdict::UnpinnedKeys, Verdict::CannotTell],
        "{why}"
    );
    let mut elsewhere = Pins::default();
    let named = immutape::log::NoteKey::new("other.example/log", *key.key()).unwrap();
    elsewhere.add_key(&named.to_text()).unwrap();
    assert_eq!(alone(hashes.clone(), &elsewhere), [Verdict::NotAnchored, Verdict::UnpinnedKeys, Verdict::Altered]);
    let path = hashes.keys().find(|path| path.starts_with("tile/0")).unwrap().clone();
    hashes.get_mut(&path).unwrap().pop();
    assert_eq!(alone(hashes, &pins()), [Verdict::Altered]);
}
