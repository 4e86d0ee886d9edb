//! Bundles beside a published tree that goes on behind them: what came after a bundle, and what it says of the bundle (6.7,
//! *Pins* and *Whole log*).
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[path = "support/mod.rs"]
mod support;

use serde_json::{Value, json};
use support::judge::*;
use support::maker::{self, Maker, bag, log_key, signed_too, tar, witnesses};
use support::trees::{append, publish, root};
use support::{Scratch, hex, public};
use tapeaudit_core::cbor::Writer;
use tapeaudit_core::sign::VerifierKey;

const ROTATED: u64 = 32_769;
const REVOKED: u64 = 32_770;
const CHECKPOINT: u64 = 0;
const RECORDER: u64 = 1;

/// A bundle of entries 0 to 7 under a head of 8, and a tree of these and more.
struct Beside {
    scratch: Scratch,
    bundle: Vec<u8>,
    entries: Vec<Vec<u8>>,
}

impl Beside {
    fn new(change: impl FnOnce(&mut Maker)) -> Self {
        let mut maker = Maker::new();
        change(&mut maker);
        let made = maker.make();
        Self { scratch: Scratch::new(), bundle: tar(&bag(&made.files)), entries: made.entries }
    }

    fn rotate(mut self, role: u64, seed: u8) -> Self {
        append(&mut self.entries, ROTATED, Maker::rotation_body(role, seed));
        self
    }

    fn revoke(mut self, role: u64, seed: u8, from: u64) -> Self {
        append(&mut self.entries, REVOKED, Maker::revocation_body(role, seed, from));
        self
    }

    /// A head of all entries so far, with the cosignatures of both witnesses.
    fn cosign(mut self, seed: u8) -> Self {
        let times = [(0x15, 1_700_000_400), (0x16, 1_700_000_400)];
        let note = maker::head(self.entries.len() as u64, &root(&self.entries), seed, &times);
        let keys = witnesses().iter().fold(Writer::new().array(2), |writer, key| writer.text(&key.write())).done();
        let body = Writer::new().map(3).uint(0).bytes(&note).uint(1).raw(&keys).uint(2).raw(&[0xf5]).done();
        append(&mut self.entries, 128, body);
        self
    }

    /// Words of the bundle beside the tree, whose head the key of a seed signed.
    fn words(&self, seed: u8, more: Value) -> Vec<String> {
        let tree = publish(&self.scratch, "tree", &self.entries, true, seed);
        self.words_by(tree, more)
    }

    fn words_by(&self, tree: Value, more: Value) -> Vec<String> {
        let mut request = pins();
        request["tree"] = tree;
        for (key, value) in more.as_object().unwrap() {
            request[key] = value.clone();
        }
        words_of(&judge_with(&self.bundle, request))
    }

    fn head(&self, note: &[u8]) -> Value {
        json!({"head": [self.scratch.write("head", note).to_str().unwrap()]})
    }
}

fn checkpoint(seed: u8) -> String {
    VerifierKey { key: public(&[seed; 32]), ..log_key() }.write()
}

fn recorder(seed: u8) -> String {
    hex(public(&[seed; 32]).bytes())
}

/// After the bundle the log changed the keys for heads and for statements.
fn rotated() -> Beside {
    Beside::new(|_| {}).rotate(CHECKPOINT, 4).rotate(RECORDER, 5)
}

#[test]
fn keys_that_came_after_the_bundle_are_pinned_by_the_tree() {
    let beside = rotated();
    let told = |keys: [String; 2]| beside.words(4, json!({"pub": keys}));
    assert_eq!(told([checkpoint(4), recorder(5)]), ["intact"]);
    assert_eq!(told([checkpoint(1), recorder(5)]), ["intact"], "an old one and a new one");
    assert_eq!(told([checkpoint(4), hex(&public(&[5; 32]).thumbprint())]), ["intact"]);
    assert_eq!(told([checkpoint(4), recorder(7)]), ["unpinned keys", "altered"], "a key that the log never had");
    assert_eq!(
        told([checkpoint(4), recorder(4)]),
        ["unpinned keys"],
        "a key without a name counts for the role it has"
    );
    assert_eq!(told([recorder(4), recorder(5)]), ["intact"]);
    assert_eq!(told([checkpoint(5), recorder(5)]), ["unpinned keys", "altered"], "what has a name signs heads");
    assert_eq!(told([checkpoint(6), recorder(5)]), ["unpinned keys", "altered"]);
    // Nobody tells of the new keys: by the bundle alone, and with a tree of hashes.
    let new = json!({"pub": [checkpoint(4), recorder(5)]});
    assert_eq!(beside.words_by(Value::Null, new.clone()), ["unpinned keys", "altered"]);
    let hashes = publish(&beside.scratch, "hashes", &beside.entries[..8], false, 1);
    assert_eq!(beside.words_by(hashes, new), ["unpinned keys", "altered"]);
}

#[test]
fn keys_of_another_log_pin_nothing() {
    let beside = Beside::new(|maker| {
        maker.specs[0].private.0.pop();
        maker.lists["ledger"] = json!(hex(&maker.ledger()));
    });
    assert_eq!(beside.words(1, json!({})), ["intact"]);
    let tree = publish(&beside.scratch, "other", &rotated().entries, true, 4);
    let new = json!({"pub": [checkpoint(4), recorder(5)]});
    assert_eq!(beside.words_by(tree.clone(), json!({})), ["forked"]);
    assert_eq!(beside.words_by(tree, new), ["unpinned keys", "altered", "forked"]);
}

#[test]
fn a_given_head_of_more_entries_that_a_later_key_signed_says_nothing() {
    let beside = rotated();
    for (size, hash) in [(10, root(&beside.entries)), (10, [1; 32]), (90, [1; 32])] {
        let head = maker::head(size, &hash, 4, &[]);
        assert_eq!(beside.words(4, beside.head(&head)), ["intact"], "{size}");
        assert_eq!(beside.words_by(Value::Null, beside.head(&head)), ["cannot tell"], "{size}, of no known key");
    }
    let here = root(&beside.entries[..8]);
    let told = |head: &[u8]| beside.words(4, beside.head(head));
    assert_eq!(told(&maker::head(90, &[1; 32], 6, &[])), ["cannot tell"], "a key that the log never had");
    assert_eq!(told(&maker::head(8, &here, 4, &[])), ["cannot tell"], "the key was not in force yet");
    assert_eq!(told(&maker::head(8, &[1; 32], 1, &[])), ["forked"]);
    // For witnesses that know the old key alone a head has two lines: none of them may be wrong.
    let two = |good: bool| signed_too(maker::head(90, &[1; 32], 1, &[]), 4, good);
    assert_eq!(told(&two(true)), ["intact"]);
    assert_eq!(told(&two(false)), ["cannot tell"]);
}

/// The tape is saved by entry 3, and entry 4 keeps a cosigned head of 4 entries.
fn recorder_revoked(from: u64, change: impl FnOnce(&mut Maker)) -> Vec<String> {
    Beside::new(change).rotate(RECORDER, 5).revoke(RECORDER, 2, from).words(1, json!({}))
}

#[test]
fn statements_of_a_recorder_that_was_revoked_after_the_bundle() {
    let no_anchor = |maker: &mut Maker| maker.specs[4].kind = 1;
    assert_eq!(recorder_revoked(9, |_| {}), ["intact"]);
    assert_eq!(recorder_revoked(4, |_| {}), ["intact"], "the head of 4 entries is over it, and counts");
    assert_eq!(recorder_revoked(3, |_| {}), ["altered"], "it counted no more");
    assert_eq!(recorder_revoked(2, no_anchor), ["altered"], "it counted no more, and no head is over it");
    assert_eq!(recorder_revoked(9, no_anchor), ["intact with gaps"], "nothing of before shows it");
    // A head in the tree is none that others hold of the bundle; a revocation that does not hold changes nothing but the
    // word for the tree.
    let beside = Beside::new(no_anchor).cosign(1).rotate(RECORDER, 5).revoke(RECORDER, 2, 9);
    assert_eq!(beside.words(1, json!({})), ["intact with gaps"]);
    assert_eq!(recorder_revoked(10, no_anchor), ["altered"], "from an index that is to come");
    assert_eq!(Beside::new(|_| {}).revoke(RECORDER, 2, 3).words(1, json!({})), ["altered"], "the key in force");
    // The one that counts is the later one, which names an earlier index.
    let twice = |from: u64| Beside::new(|_| {}).rotate(RECORDER, 5).revoke(RECORDER, 2, 9).revoke(RECORDER, 2, from);
    assert_eq!(twice(4).words(1, json!({})), ["intact"]);
    assert_eq!(twice(3).words(1, json!({})), ["altered"]);
}

#[test]
fn heads_of_a_key_that_was_revoked_after_the_bundle() {
    let revoked = |from| Beside::new(|_| {}).rotate(CHECKPOINT, 4).revoke(CHECKPOINT, 1, from).words(4, json!({}));
    assert_eq!(revoked(8), ["intact"]);
    assert_eq!(revoked(7), ["not anchored", "altered"], "whatever other lines the head of the bundle has");
    // What the revoked key signed behind the bundle is none of the bundle's.
    let beside = Beside::new(|_| {}).cosign(1).cosign(1).rotate(CHECKPOINT, 4).revoke(CHECKPOINT, 1, 8);
    assert_eq!(beside.words(4, json!({})), ["intact"]);
}

#[test]
fn a_revocation_in_another_history_says_nothing() {
    let entry = |parts: &mut maker::Parts| {
        if parts.index == 1 {
            parts.body[2] = 7
        }
    };
    let other = Beside::new(|maker| maker.entry = Box::new(entry)).rotate(RECORDER, 5).revoke(RECORDER, 2, 3);
    let beside = Beside::new(|_| {});
    let tree = publish(&beside.scratch, "other", &other.entries, true, 1);
    assert_eq!(beside.words_by(tree, json!({})), ["forked"]);
}
