use super::*;
use crate::codec::digest::{RootHash, sha256};
use crate::log::{DurableHead, SignedNote};
use crate::seal::{Signature, Signer};

struct Key(ed25519_dalek::SigningKey);

impl Signer for Key {
    fn sign(&self, message: &[u8]) -> Signature {
        use ed25519_dalek::Signer as _;
        self.0.sign(message).to_bytes()
    }

    fn public_key(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.verifying_key().as_bytes()).unwrap()
    }
}

fn key(seed: u8) -> Key {
    Key(ed25519_dalek::SigningKey::from_bytes(&[seed; 32]))
}

fn thumb(seed: u8) -> Thumbprint {
    key(seed).public_key().thumbprint()
}

const ORIGIN: &str = "log.example/00000000000000000000000000000000";

/// Keys 1 to 3; 11 to 13 may follow.
fn history() -> KeyHistory {
    KeyHistory::of(&Genesis {
        origin: ORIGIN.into(),
        keys: [1, 2, 3].map(|seed| key(seed).public_key().to_bytes()),
        next: [11, 12, 13].map(thumb),
        profile: "personal".into(),
        policy: "local-operator".into(),
        test: true,
        predecessor: None,
        founders: Vec::new(),
    })
    .unwrap()
}

fn head(size: u64, by: u8) -> String {
    let root = RootHash::from_bytes(if size == 0 { sha256(b"") } else { [9; 32] });
    DurableHead::after_sync(Checkpoint { origin: ORIGIN.into(), size, root }).sign(&key(by)).unwrap()
}

fn size_under(keys: &KeyHistory, note: &str) -> Result<u64, LogError> {
    Checkpoint::from_note(note, keys).map(|head| head.size)
}

#[test]
fn heads_are_signed_by_the_key_in_force_at_their_size() {
    let mut keys = history();
    keys.apply(7, &rotate(ORIGIN, KeyRole::Checkpoint, &key(11), thumb(21))).unwrap();
    for size in [0, 1, 7] {
        assert_eq!(size_under(&keys, &head(size, 1)), Ok(size));
        assert_eq!(size_under(&keys, &head(size, 11)), Err(LogError::Unsigned));
    }
    for size in [8, 9, u64::MAX] {
        assert_eq!(size_under(&keys, &head(size, 11)), Ok(size));
        assert_eq!(size_under(&keys, &head(size, 1)), Err(LogError::Unsigned));
    }
    // Both lines on one head: each side finds its own.
    let both = format!("{}{}", head(8, 11), head(8, 1).rsplit_once("\n\n").unwrap().1);
    assert_eq!(size_under(&keys, &both), Ok(8));
    assert!(SignedNote::parse(&both).unwrap().verify(&history().head_keys()[0]).is_ok());
    assert_eq!(keys.newest_head_key().unwrap().key(), &key(11).public_key());
}

#[test]
fn statements_are_signed_by_the_key_in_force_at_their_entry() {
    let mut keys = history();
    keys.apply(7, &rotate(ORIGIN, KeyRole::Recorder, &key(12), thumb(22))).unwrap();
    keys.apply(9, &rotate(ORIGIN, KeyRole::Recorder, &key(22), thumb(32))).unwrap();
    let at = |index| keys.at(KeyRole::Recorder, index).unwrap().key;
    for (index, seed) in [(1, 2), (7, 2), (8, 12), (9, 12), (10, 22), (u64::MAX, 22)] {
        assert_eq!(at(index), key(seed).public_key(), "entry {index}");
    }
    let untils: Vec<_> = keys.terms(KeyRole::Recorder).iter().map(|term| (term.since, term.until)).collect();
    assert_eq!(untils, [(0, Some(7)), (7, Some(9)), (9, None)]);
    assert_eq!(keys.in_force(KeyRole::Issuer).unwrap().key, key(3).public_key());
}

#[test]
fn what_breaks_a_rule_is_named_and_changes_nothing() {
    let mut keys = history();
    keys.apply(7, &rotate(ORIGIN, KeyRole::Recorder, &key(12), thumb(22))).unwrap();
    let revoke =
        |seed, from| CriticalBody::Revoked { role: KeyRole::Recorder, thumbprint: thumb(seed), from, reason: 1 };
    let forged = |change: &dyn Fn(&mut [u8; 32], &mut Thumbprint, &mut Signature)| match rotate(
        ORIGIN,
        KeyRole::Checkpoint,
        &key(11),
        thumb(21),
    ) {
        CriticalBody::Rotated { role, mut key, mut next, mut proof } => {
            change(&mut key, &mut next, &mut proof);
            CriticalBody::Rotated { role, key, next, proof }
        }
        other => other,
    };
    let cases: [(u64, CriticalBody, &str); 12] = [
        (8, rotate(ORIGIN, KeyRole::Checkpoint, &key(99), thumb(21)), "is not the one that was named to follow"),
        // The name of one role is none for another.
        (8, rotate(ORIGIN, KeyRole::Checkpoint, &key(13), thumb(21)), "is not the one that was named to follow"),
        (8, rotate(ORIGIN, KeyRole::Checkpoint, &key(2), thumb(21)), "was one of this log already"),
        (8, rotate("other.example/00", KeyRole::Checkpoint, &key(11), thumb(21)), "has not signed for itself"),
        (8, forged(&|_, next, _| *next = thumb(66)), "has not signed for itself"),
        (8, forged(&|_, _, proof| proof[5] ^= 1), "has not signed for itself"),
        (8, forged(&|key, _, _| *key = [0; 32]), "the new key is none"),
        (7, rotate(ORIGIN, KeyRole::Checkpoint, &key(11), thumb(21)), "does not stand behind the one before it"),
        (8, revoke(12, 3), "a key in use is revoked"),
        (8, revoke(55, 3), "was never one of this log"),
        (8, revoke(2, 9), "from an entry on that is not there yet"),
        (0, revoke(2, 0), "does not stand behind the one before it"),
    ];
    for (index, body, words) in cases {
        let before = keys.clone();
        let fault = keys.apply(index, &body).unwrap_err();
        assert!(
            matches!(&fault, LogError::Key { index: at, fault } if *at == index && fault.contains(words)),
            "{fault}"
        );
        assert_eq!(keys, before, "{words}");
    }
}

#[test]
fn a_revoked_key_counts_only_for_what_others_held_before() {
    let mut keys = history();
    keys.apply(7, &rotate(ORIGIN, KeyRole::Recorder, &key(12), thumb(22))).unwrap();
    let revoke = |from| CriticalBody::Revoked { role: KeyRole::Recorder, thumbprint: thumb(2), from, reason: 1 };
    keys.apply(8, &revoke(5)).unwrap();
    let term = keys.terms(KeyRole::Recorder)[0];
    assert_eq!(term.revoked, Some(Revocation { from: 5, at: 8 }));
    let held = |entry, size| [HeldHead { entry, size }];
    assert_eq!(term.counts(5, &held(6, 9)), Counts::Never);
    assert_eq!(term.counts(4, &[]), Counts::Unproved);
    assert_eq!(term.counts(4, &held(6, 4)), Counts::Unproved, "the head does not hold it");
    assert_eq!(term.counts(4, &held(6, 5)), Counts::Anchored);
    assert_eq!(term.counts(4, &held(7, 6)), Counts::Unproved, "a head from after the theft");
    assert_eq!(term.counts(4, &held(8, 5)), Counts::Unproved, "known only after the key was revoked");
    assert_eq!(keys.terms(KeyRole::Recorder)[1].counts(9, &[]), Counts::Fully);
    // A later finding may reach further back, never forward.
    assert!(keys.clone().apply(9, &revoke(5)).is_err());
    keys.apply(9, &revoke(4)).unwrap();
    assert_eq!(keys.terms(KeyRole::Recorder)[0].counts(4, &held(6, 5)), Counts::Never);
}

#[test]
fn heads_by_a_revoked_key_count_up_to_its_end() {
    let mut keys = history();
    keys.apply(7, &rotate(ORIGIN, KeyRole::Checkpoint, &key(11), thumb(21))).unwrap();
    let body = CriticalBody::Revoked { role: KeyRole::Checkpoint, thumbprint: thumb(1), from: 5, reason: 0 };
    keys.apply(8, &body).unwrap();
    assert_eq!(size_under(&keys, &head(5, 1)), Ok(5));
    assert_eq!(size_under(&keys, &head(6, 1)), Err(LogError::Revoked { from: 5, at: 8 }));
    assert_eq!(size_under(&keys, &head(9, 11)), Ok(9));
    assert_eq!(keys.of_entry_0(), history());
}

#[test]
fn a_log_changes_its_keys_a_limited_number_of_times() {
    let mut keys = history();
    let seeded = |n: u64| {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&n.to_be_bytes());
        Key(ed25519_dalek::SigningKey::from_bytes(&seed))
    };
    let thumbprint = |n| seeded(n).public_key().thumbprint();
    keys.apply(1, &rotate(ORIGIN, KeyRole::Issuer, &key(13), thumbprint(2))).unwrap();
    // As many as there may be, made up.
    let last = keys.events[0].clone();
    keys.events.resize(KEY_ROTATIONS_MAX, last);
    let body = rotate(ORIGIN, KeyRole::Issuer, &seeded(2), thumbprint(3));
    let fault = LogError::Key { index: 2, fault: "more changes of keys than a log may have" };
    assert_eq!(keys.apply(2, &body), Err(fault));
    keys.events.pop();
    assert_eq!(keys.apply(2, &body), Ok(()));
}
