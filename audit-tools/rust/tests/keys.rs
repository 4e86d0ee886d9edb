//! Keys that are revoked, and logs that go on for another (4.5, 4.6): in bundles, and in ledger folders by the same code.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

#[path = "support/mod.rs"]
mod support;

use serde_json::json;
use support::maker::{Maker, ZERO, bag, log_key, tar, witnesses};
use support::{Scratch, answers, hex, public};

fn words(maker: &mut Maker) -> Vec<String> {
    let scratch = Scratch::new();
    let path = scratch.write("bundle.tar", &tar(&bag(&maker.make().files)));
    let keys = witnesses().map(|key| key.write());
    let request = json!({"kind": "bundle", "path": path.to_str().unwrap(),
        "pub": [log_key().write(), hex(public(&[2; 32]).bytes())], "witness": keys});
    let answer = answers(&[request]).remove(0);
    answer["words"].as_array().unwrap().iter().map(|word| word.as_str().unwrap().into()).collect()
}

/// The tape is saved by entry 3, and entry 4 keeps a cosigned head of 4 entries; then the key changes, and is revoked.
fn revoked(role: u64, seed: u8, from: u64, change: impl FnOnce(&mut Maker)) -> Vec<String> {
    let mut maker = Maker::new();
    let new = if role == 0 { 4 } else { 5 };
    maker.rotate(5, role, new);
    maker.revoke(6, role, seed, from);
    maker.specs[6].member = false;
    maker.specs[6].closed = Some(Vec::new());
    if role == 0 {
        maker.head_seed = 4;
    }
    change(&mut maker);
    words(&mut maker)
}

#[test]
fn statements_of_a_revoked_recorder() {
    assert_eq!(revoked(1, 2, 6, |_| {}), ["intact"]);
    assert_eq!(revoked(1, 2, 4, |_| {}), ["intact"], "the head of 4 entries is over it, and counts");
    assert_eq!(revoked(1, 2, 3, |_| {}), ["altered"], "it counted no more");
    let no_anchor = |maker: &mut Maker| maker.specs[4].kind = 1;
    assert_eq!(revoked(1, 2, 6, no_anchor), ["intact with gaps"], "nothing of before shows it");
    assert_eq!(revoked(1, 2, 7, |_| {}), ["altered"], "from an index that is to come");
    assert_eq!(revoked(1, 5, 6, |_| {}), ["altered"], "the key in force");
    assert_eq!(revoked(1, 9, 6, |_| {}), ["altered"], "a key that the log never had");
}

#[test]
fn heads_of_a_revoked_checkpoint_key() {
    assert_eq!(revoked(0, 1, 4, |_| {}), ["intact"]);
    assert_eq!(revoked(0, 1, 3, |_| {}), ["intact with gaps"], "kept before the revocation: it proves nothing");
    // Kept behind the revocation.
    let mut maker = Maker::new();
    maker.rotate(1, 0, 4);
    maker.revoke(2, 0, 1, 0);
    maker.specs[2].subject = ZERO;
    (maker.head_seed, maker.note_seed) = (4, 4);
    assert_eq!(words(&mut maker), ["intact"]);
    let mut maker = Maker::new();
    maker.rotate(5, 0, 4);
    maker.revoke(6, 0, 1, 5);
    maker.specs[6].member = false;
    maker.specs[6].closed = Some(Vec::new());
    assert_eq!(words(&mut maker), ["not anchored", "altered"], "the old key signs no head of 8 entries");
}

#[test]
fn a_log_that_goes_on_for_another() {
    let told = |lost: &str, old_signs: bool, change: &dyn Fn(&mut Maker)| {
        let mut maker = Maker::new();
        maker.succeed(1, lost, old_signs);
        change(&mut maker);
        words(&mut maker)
    };
    assert_eq!(told("5 8", true, &|_| {}), ["intact"]);
    assert_eq!(told("5 8", false, &|_| {}), ["intact"], "the old key was not at hand");
    assert_eq!(told("5 -", true, &|_| {}), ["altered"], "other lost entries than entry 0 says");
    assert_eq!(told("8 5", true, &|_| {}), ["altered"], "an end before the beginning");
    // Entry 0 names no log before.
    let none = |maker: &mut Maker| {
        maker.before = None;
        maker.lists["ledger"] = json!(hex(&maker.ledger()));
    };
    assert_eq!(told("5 8", true, &none), ["altered"]);
}
