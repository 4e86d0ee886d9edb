//! Notes as the crate `signed_note` judges them, which shares no code with us: another port of Go's, with an older Ed25519.

use ed25519_dalek::VerifyingKey;
use immutape::log::{Checkpoint, NoteKey, SignedNote};
use immutape::proof::CosignerKey;
use immutape::seal::Signer as _;
use signed_note::{Note, Signer, StandardSigner, StandardVerifier, Verifier, VerifierList};

use crate::golden_make::inputs::{CHECKPOINT_SEED, ORIGIN, signer};
use crate::golden_make::kit::SeedSigner;
use crate::golden_make::made_proof::{TIME_S, WITNESSES, cosignature, cosigned, cosigner, head_note, leaves, log_key};

/// A witness, as C2SP tlog-cosignature says: the crate knows plain signatures alone.
struct Witness(CosignerKey);

impl Verifier for Witness {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn key_id(&self) -> u32 {
        let typed = [&[4], &self.0.key().to_bytes()[..]].concat();
        signed_note::key_id(self.0.name(), &typed)
    }

    fn verify(&self, head: &[u8], signature: &[u8]) -> bool {
        let Some((time, signature)) = signature.split_first_chunk::<8>() else { return false };
        let time_s = u64::from_be_bytes(*time);
        let message = [format!("cosignature/v1\ntime {time_s}\n").as_bytes(), head].concat();
        let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else { return false };
        let key = VerifyingKey::from_bytes(&self.0.key().to_bytes()).unwrap();
        i64::try_from(time_s).is_ok() && key.verify_strict(&message, &signature).is_ok()
    }
}

/// Does the note hold under these keys, with a signature of each?
fn theirs(note: &[u8], log: &NoteKey, witnesses: &[CosignerKey]) -> bool {
    let mut keys: Vec<Box<dyn Verifier>> = vec![Box::new(StandardVerifier::new(&log.to_text()).unwrap())];
    keys.extend(witnesses.iter().map(|key| Box::new(Witness(key.clone())) as Box<dyn Verifier>));
    let wanted = keys.len();
    let verified = Note::from_bytes(note).ok().and_then(|note| note.verify(&VerifierList::new(keys)).ok());
    verified.is_some_and(|(verified, _)| verified.len() == wanted)
}

fn ours(note: &[u8], log: &NoteKey, witnesses: &[CosignerKey]) -> bool {
    let Ok(note) = std::str::from_utf8(note) else { return false };
    let signed = |witness: &CosignerKey| SignedNote::parse(note).and_then(|note| witness.time_on(&note));
    Checkpoint::from_note(note, log).is_ok() && witnesses.iter().all(|witness| matches!(signed(witness), Ok(Some(_))))
}

/// Every byte with one bit changed, every byte left out, and every line left out.
fn altered(note: &str) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for at in 0..note.len() {
        let (mut flipped, mut shorter) = (note.as_bytes().to_vec(), note.as_bytes().to_vec());
        flipped[at] ^= 1 << (at % 7);
        shorter.remove(at);
        all.extend([flipped, shorter]);
    }
    let lines: Vec<&str> = note.split_inclusive('\n').collect();
    for at in 0..lines.len() {
        all.push([&lines[..at], &lines[at + 1..]].concat().concat().into_bytes());
    }
    all.extend([format!("{note}\n"), format!("\n{note}"), note.replace('\n', "\r\n")].map(String::into_bytes));
    all
}

fn check(note: &str, log: &NoteKey, witnesses: &[CosignerKey]) {
    assert!(theirs(note.as_bytes(), log, witnesses) && ours(note.as_bytes(), log, witnesses), "{note}");
    let altered = altered(note);
    assert!(altered.len() > 2 * note.len());
    for bad in altered {
        let verdicts = (theirs(&bad, log, witnesses), ours(&bad, log, witnesses));
        assert_eq!(verdicts, (false, false), "{}", String::from_utf8_lossy(&bad));
    }
}

#[test]
fn another_reader_takes_our_heads_and_refuses_every_altered_one() {
    let log = crate::golden_make::made_log::golden_log();
    for size in [1, 7, 29] {
        let note = head_note(&leaves(&log)[..size]);
        check(&note, &log_key(), &[]);
        check(&cosigned(&note), &log_key(), &[cosigner(0), cosigner(1)]);
        // Lines of strangers are passed over by both.
        let more = format!("{}— stranger.example/w AAAAAAA=\n", cosigned(&note));
        assert!(
            theirs(more.as_bytes(), &log_key(), &[cosigner(1)]) && ours(more.as_bytes(), &log_key(), &[cosigner(1)])
        );
        let other = NoteKey::new(ORIGIN, SeedSigner::new(77).public_key()).unwrap();
        assert!(!theirs(note.as_bytes(), &other, &[]) && !ours(note.as_bytes(), &other, &[]));
        let elsewhere = SignedNote::parse(&head_note(&leaves(&log)[..3])).unwrap().text().to_owned();
        let mixed = format!("{note}{}", cosignature(0, &elsewhere, TIME_S));
        assert!(
            !theirs(mixed.as_bytes(), &log_key(), &[cosigner(0)])
                && !ours(mixed.as_bytes(), &log_key(), &[cosigner(0)])
        );
    }
}

#[test]
fn another_writer_makes_the_same_bytes() {
    let (text, key) = ("one\ntwo\n", log_key().to_text());
    let typed = [&[1], &[CHECKPOINT_SEED; 32][..]].concat();
    let id = key.split('+').nth(1).unwrap();
    let theirs =
        StandardSigner::new(&format!("PRIVATE+KEY+{ORIGIN}+{id}+{}", crate::golden_make::by_hand::base64(&typed)));
    let theirs = theirs.unwrap();
    let mut note = Note::new(text.as_bytes(), &[]).unwrap();
    note.add_sigs(&[&theirs as &dyn Signer]).unwrap();
    assert_eq!(
        String::from_utf8(note.to_bytes()).unwrap(),
        SignedNote::sign(text, ORIGIN, &signer(CHECKPOINT_SEED)).unwrap()
    );
}

#[test]
fn another_reader_takes_our_keys_and_refuses_every_altered_one() {
    let text = log_key().to_text();
    assert!(StandardVerifier::new(&text).is_ok() && NoteKey::parse(&text).is_ok());
    for at in 0..text.len() {
        let mut bad = text.clone().into_bytes();
        bad[at] ^= 1;
        let bad = String::from_utf8(bad).unwrap();
        assert!(StandardVerifier::new(&bad).is_err() && NoteKey::parse(&bad).is_err(), "{bad}");
    }
    // A witness's key is none of a log for either.
    let witness = cosigner(0).to_text();
    assert!(StandardVerifier::new(&witness).is_err() && NoteKey::parse(&witness).is_err());
    assert_eq!(Witness(cosigner(0)).name(), WITNESSES[0].0);
}
