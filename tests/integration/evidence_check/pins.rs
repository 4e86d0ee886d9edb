//! What the verifier has from elsewhere.

use std::collections::BTreeMap;

use immutape::codec::digest::Thumbprint;
use immutape::evidence::Verdict;
use immutape::evidence::bundle::{Pins, check_bundle};
use immutape::log::{Body, CriticalBody, EntryKind, KeyRole, SignedNote, rotate};
use immutape::seal::Signer as _;

use super::{ALTERED, CANNOT_TELL, FORKED, GAPS, INTACT, gives};
use crate::support::evidence::{Change, Log, ORIGIN, Seed, Tape, cosign, make, pins, stamp, witness};

#[test]
fn pins_decide_what_is_vouched_for() {
    let made = make(&Change::NONE);
    let words = |pins: &Pins| check_bundle(&made.source(), pins, None).words();
    assert_eq!(words(&Pins::default()), [Verdict::NotAnchored, Verdict::UnpinnedKeys]);
    let mut only_log = Pins::default();
    only_log.add_key(&crate::support::evidence::vkey()).unwrap();
    assert_eq!(words(&only_log), [Verdict::NotAnchored, Verdict::UnpinnedKeys]);
    let mut other = pins();
    other.add_key(&hex::encode(Seed::of(9).public_key().to_bytes())).unwrap();
    assert_eq!(words(&other), ALTERED);
    let mut by_thumbprint = only_log.clone();
    by_thumbprint.add_key(&Seed::of(2).public_key().thumbprint().to_hex()).unwrap();
    assert_eq!(words(&by_thumbprint), [Verdict::NotAnchored]);
    let mut by_pem = only_log;
    by_pem.add_key(&immutape::evidence::bundle::public_key_pem(&Seed::of(2).public_key())).unwrap();
    assert_eq!(words(&by_pem), [Verdict::NotAnchored]);
    for (quorum, wanted) in [(1, INTACT), (2, INTACT), (3, &[Verdict::NotAnchored])] {
        let mut pins = pins();
        pins.set_quorum(quorum).unwrap();
        assert_eq!(words(&pins), wanted, "{quorum}");
    }
    let mut unknown = pins();
    unknown.add_witness(&witness(13).to_text()).unwrap();
    assert_eq!(words(&unknown), [Verdict::NotAnchored]);
}

#[test]
fn heads_from_elsewhere() {
    let made = make(&Change::NONE);
    let with = |note: &str| {
        let mut pins = pins();
        pins.add_head(note).unwrap();
        check_bundle(&made.source(), &pins, None).words()
    };
    let signed = |size: u64, root: u8, seed: u8| {
        let mut head = made.log.head(0);
        (head.size, head.root) = (size, immutape::codec::digest::RootHash::from_bytes([root; 32]));
        SignedNote::sign(&head.text(), ORIGIN, &Seed::of(seed)).unwrap()
    };
    assert_eq!(with(&made.log.note(made.log.size())), INTACT);
    assert_eq!(with(&made.log.note(5)), INTACT);
    assert_eq!(with(&signed(made.log.size(), 1, 1)), FORKED);
    assert_eq!(with(&signed(5, 1, 1)), FORKED, "an entry keeps the head of 5 entries");
    assert_eq!(with(&signed(4, 1, 1)), INTACT, "nothing here says what the root of 4 was");
    assert_eq!(with(&signed(999, 1, 1)), INTACT, "a bundle is older than what came later");
    assert_eq!(with(&signed(5, 1, 9)), CANNOT_TELL);
    assert!(Pins::default().add_head("x").is_err());
}

/// A recorder's key that was revoked: what it signed from there on is altered, before it a gap unless somebody held it.
#[test]
fn statements_of_a_revoked_key() {
    let revoked = |from: u64, is_anchored: bool, words: &[Verdict]| {
        let change = |log: &mut Log, _: &[Tape]| {
            let (next, old) = (Thumbprint::from_bytes([7; 32]), Seed::of(2).public_key());
            let rotated = rotate(ORIGIN, KeyRole::Recorder, &Seed::of(5), next);
            log.ledger(EntryKind::KEY_ROTATED, &Body::Critical(rotated));
            let thumbprint = old.thumbprint();
            let body = CriticalBody::Revoked { role: KeyRole::Recorder, thumbprint, from, reason: 1 };
            log.ledger(EntryKind::KEY_REVOKED, &Body::Critical(body));
            if is_anchored {
                cosign(log, 3);
                stamp(log, 3);
            }
        };
        let pem = immutape::evidence::bundle::public_key_pem(&Seed::of(5).public_key());
        let keys = |files: &mut BTreeMap<String, Vec<u8>>| {
            files.insert("data/keys/recorder-11.pem".into(), pem.clone().into_bytes());
        };
        gives(&Change { log: &change, files: &keys, ..Change::NONE }, words);
    };
    // Entry 8 keeps a cosigned head of 5 entries; the tape was saved by entry 2.
    revoked(5, false, INTACT);
    revoked(9, false, INTACT);
    revoked(4, false, GAPS);
    revoked(4, true, GAPS);
    revoked(2, false, ALTERED);
}
