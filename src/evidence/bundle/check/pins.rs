//! What a verifier has from elsewhere: keys of the log, witnesses and how many of them are a quorum, heads that others kept.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::keys::LogKeys;
use super::report::{BundleReport, part};
use crate::codec::digest::Thumbprint;
use crate::evidence::Verdict;
use crate::log::{Checkpoint, HeadKeys as _, KeyRole, LogError, NoteKey, SignedNote};
use crate::proof::CosignerKey;
use crate::seal::PublicKey;

const SPKI_FRONT: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";
const MS_PER_S: u64 = 1_000;

/// Why something cannot be a pin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// Neither a verifier key of a log, nor a public key in PEM or 64 digits.
    #[error("not the verifier key of a log, and no Ed25519 public key in PEM or 64 hexadecimal digits")]
    Key,
    /// No verifier key of a witness.
    #[error("not the verifier key of a witness: {0}")]
    Witness(LogError),
    /// No head.
    #[error("not a head: {0}")]
    Head(LogError),
    /// A quorum of nobody.
    #[error("a quorum is at least 1")]
    Quorum,
}

/// A key that was given without a name: the log's or its recorder's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bare {
    Key(PublicKey),
    /// 64 digits may be a key or the thumbprint of one.
    Digits([u8; 32]),
}

/// What a verifier has from elsewhere.
///
/// ```
/// use immutape::evidence::bundle::Pins;
/// let mut pins = Pins::default();
/// assert!(pins.add_key("01565176601c895cad856c02c18a1c14eb9f49b26e2fdcae7040c2530350982b").is_ok());
/// assert!(pins.add_key("").is_err() && pins.set_quorum(0).is_err());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Pins {
    logs: Vec<NoteKey>,
    bare: Vec<Bare>,
    witnesses: Vec<CosignerKey>,
    quorum: Option<usize>,
    heads: Vec<String>,
}

impl Pins {
    /// A key of the log: a verifier key of its heads, or one without a name, as SPKI PEM or 64 hexadecimal digits (the key or its
    /// thumbprint), that signs its heads or that is its recorder's.
    ///
    /// # Errors
    /// [`PinError::Key`].
    pub fn add_key(&mut self, text: &str) -> Result<(), PinError> {
        let text = text.trim_ascii();
        if let Ok(key) = NoteKey::parse(text) {
            self.logs.push(key);
            return Ok(());
        }
        let mut digits = [0; 32];
        let bare = match hex::decode_to_slice(text, &mut digits) {
            Ok(()) => Bare::Digits(digits),
            Err(_) => Bare::Key(pem(text).ok_or(PinError::Key)?),
        };
        self.bare.push(bare);
        Ok(())
    }

    /// The verifier key of a witness. The same key twice counts once.
    ///
    /// # Errors
    /// [`PinError::Witness`].
    pub fn add_witness(&mut self, text: &str) -> Result<(), PinError> {
        let key = CosignerKey::parse(text.trim_ascii()).map_err(PinError::Witness)?;
        if !self.witnesses.iter().any(|known| known.key() == key.key()) {
            self.witnesses.push(key);
        }
        Ok(())
    }

    /// How many of the witnesses are a quorum; all of them, where nothing is said.
    ///
    /// # Errors
    /// [`PinError::Quorum`].
    pub fn set_quorum(&mut self, quorum: u64) -> Result<(), PinError> {
        if quorum == 0 {
            return Err(PinError::Quorum);
        }
        self.quorum = Some(usize::try_from(quorum).unwrap_or(usize::MAX));
        Ok(())
    }

    /// A head that somebody else kept.
    ///
    /// # Errors
    /// [`PinError::Head`].
    pub fn add_head(&mut self, note: &str) -> Result<(), PinError> {
        let parsed = SignedNote::parse(note).map_err(PinError::Head)?;
        Checkpoint::parse(parsed.text()).map_err(PinError::Head)?;
        self.heads.push(note.to_owned());
        Ok(())
    }

    /// When a quorum of the witnesses had cosigned a note, milliseconds since 1970; `None` without a quorum.
    pub(super) fn anchored_ms(&self, note: &SignedNote) -> Result<Option<u64>, LogError> {
        let mut times = Vec::new();
        for witness in &self.witnesses {
            times.extend(witness.time_on(note)?);
        }
        times.sort_unstable();
        let quorum = self.quorum.unwrap_or(self.witnesses.len());
        // The earliest quorum: the latest of its times is that of the last one who was needed.
        let last = quorum.checked_sub(1).and_then(|last| times.get(last));
        Ok(last.map(|time_s| time_s.saturating_mul(MS_PER_S)))
    }

    /// Compares the keys that were given with those of the log. `asks_for_recorder`: a tree of hashes alone names no recorder.
    pub(super) fn compare_keys(&self, keys: Option<&LogKeys>, asks_for_recorder: bool, report: &mut BundleReport) {
        let (mut log, mut recorder) = (false, false);
        for key in keys.iter().flat_map(|keys| self.logs.iter().map(|key| (key, keys.history.known()))) {
            let is_ours = key.1.contains(key.0);
            log |= is_ours;
            self.compared(is_ours, key.0.name(), report);
        }
        for (given, keys) in keys.iter().flat_map(|keys| self.bare.iter().map(move |given| (given, keys))) {
            let is_same = |key: &PublicKey| match given {
                Bare::Key(given) => given == key,
                Bare::Digits(digits) => {
                    key.to_bytes() == *digits || key.thumbprint() == Thumbprint::from_bytes(*digits)
                }
            };
            let had = |role| keys.history.terms(role).iter().any(|term| is_same(&term.key));
            let (signs_heads, signs_tapes) = (had(KeyRole::Checkpoint), had(KeyRole::Recorder));
            (log, recorder) = (log || signs_heads, recorder || signs_tapes);
            self.compared(signs_heads || signs_tapes, "a key without a name", report);
        }
        if !log || (asks_for_recorder && !recorder) {
            report.not_pinned();
        }
    }

    fn compared(&self, is_ours: bool, name: &str, report: &mut BundleReport) {
        report.looked(part::PINS, 1);
        if !is_ours {
            report.altered(part::PINS, name, "a key that was given is none of this log");
        }
    }

    /// Compares the heads that were given with those that are here, by size.
    pub(super) fn compare_heads(&self, keys: &LogKeys, newest: u64, here: &[Checkpoint], report: &mut BundleReport) {
        for head in self.own_heads(keys, newest, report) {
            let other = here.iter().find(|own| own.size == head.size && own.root != head.root);
            if other.is_some() {
                let what = "somebody else holds a head of as many entries with another root";
                report.find(Verdict::Forked, part::PINS, format!("head of {} entries", head.size), what);
            }
        }
    }

    /// Those of the given heads that the log signed. The key of a larger one may have come into force behind what is here.
    pub(super) fn own_heads(&self, keys: &LogKeys, newest: u64, report: &mut BundleReport) -> Vec<Checkpoint> {
        let mut own = Vec::new();
        for note in &self.heads {
            report.looked(part::PINS, 1);
            let read = Checkpoint::from_note(note, &keys.history).or_else(|e| {
                let of_any = |key: &NoteKey| Checkpoint::from_note(note, key).ok();
                let later = keys.history.known().iter().find_map(of_any).filter(|head| head.size > newest);
                later.ok_or(e)
            });
            match read {
                Ok(head) => own.push(head),
                Err(e) => {
                    let what = format!("a head that was given was not signed by this log: {e}");
                    report.find(Verdict::CannotTell, part::PINS, "head", what);
                }
            }
        }
        own
    }

    /// Those of the given heads that one of these keys signed.
    pub(super) fn heads_of(&self, keys: &[&NoteKey], report: &mut BundleReport) -> Vec<Checkpoint> {
        let mut own = Vec::new();
        for note in &self.heads {
            report.looked(part::PINS, 1);
            let found = keys.iter().find_map(|key| Checkpoint::from_note(note, *key).ok());
            if found.is_none() {
                let what = "a head that was given was not signed by a key of this log that was given";
                report.find(Verdict::CannotTell, part::PINS, "head", what);
            }
            own.extend(found);
        }
        own
    }

    /// Keys of logs that were given.
    pub(super) fn log_keys(&self) -> &[NoteKey] {
        &self.logs
    }

    /// Was anybody named whose cosignature could count?
    pub(super) const fn has_witnesses(&self) -> bool {
        !self.witnesses.is_empty()
    }
}

/// The public key of an SPKI PEM, in whatever lines a mail or a page left its base64: it is short enough for one.
fn pem(text: &str) -> Option<PublicKey> {
    let (_, rest) = text.split_once(PEM_BEGIN)?;
    let (base64, _) = rest.split_once(PEM_END)?;
    let base64: String = base64.split_ascii_whitespace().collect();
    PublicKey::from_pem(&format!("{PEM_BEGIN}\n{base64}\n{PEM_END}\n")).ok()
}

/// A public key as SPKI PEM, as `keys/` of a bundle has it: two lines around one of base64.
#[must_use]
pub fn public_key_pem(key: &PublicKey) -> String {
    let der = [SPKI_FRONT.as_slice(), &key.to_bytes()].concat();
    format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", STANDARD.encode(der))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> PublicKey {
        PublicKey::from_bytes(ed25519_dalek::SigningKey::from_bytes(&[seed; 32]).verifying_key().as_bytes()).unwrap()
    }

    #[test]
    fn keys_in_every_form_that_is_taken() {
        let mut pins = Pins::default();
        pins.add_key(&format!(" {}\n", NoteKey::new("a.example/1", key(1)).unwrap().to_text())).unwrap();
        pins.add_key(&hex::encode(key(2).to_bytes())).unwrap();
        pins.add_key(&public_key_pem(&key(2))).unwrap();
        pins.add_key(&public_key_pem(&key(2)).replace("MCow", "MC\now")).unwrap();
        assert_eq!((pins.log_keys().len(), pins.bare.len()), (1, 3));
        let weak = format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", STANDARD.encode([SPKI_FRONT.as_slice(), &[0; 32]].concat()));
        for bad in ["", "x", &"0".repeat(62), PEM_BEGIN, &weak, &public_key_pem(&key(1)).replace("MCow", "MCox")] {
            assert_eq!(pins.add_key(bad), Err(PinError::Key), "{bad}");
        }
    }

    #[test]
    fn what_is_no_witness_no_head_and_no_quorum() {
        let mut pins = Pins::default();
        let witness = CosignerKey::new("w.example", key(3)).unwrap().to_text();
        pins.add_witness(&witness).unwrap();
        pins.add_witness(&witness).unwrap();
        assert!(pins.witnesses.len() == 1 && pins.has_witnesses());
        assert!(matches!(pins.add_witness(""), Err(PinError::Witness(_))));
        let log = NoteKey::new("a.example/1", key(1)).unwrap().to_text();
        assert!(matches!(pins.add_witness(&log), Err(PinError::Witness(_))));
        assert!(matches!(pins.add_head("x"), Err(PinError::Head(_))));
        assert_eq!(pins.set_quorum(0), Err(PinError::Quorum));
    }

    #[test]
    fn the_earliest_quorum_tells_the_time() {
        struct Seed(ed25519_dalek::SigningKey);
        impl crate::seal::Signer for Seed {
            fn sign(&self, message: &[u8]) -> crate::seal::Signature {
                use ed25519_dalek::Signer as _;
                self.0.sign(message).to_bytes()
            }
            fn public_key(&self) -> PublicKey {
                PublicKey::from_bytes(self.0.verifying_key().as_bytes()).unwrap()
            }
        }
        let text = format!("a.example/1\n0\n{}\n", STANDARD.encode([0; 32]));
        let seed = |seed: u8| Seed(ed25519_dalek::SigningKey::from_bytes(&[seed; 32]));
        let mut note = SignedNote::sign(&text, "a.example/1", &seed(1)).unwrap();
        let mut pins = Pins::default();
        assert_eq!(pins.anchored_ms(&SignedNote::parse(&note).unwrap()), Ok(None), "a quorum of nobody is none");
        for (byte, time_s) in [(5, 50), (6, 20), (7, 70)] {
            let witness = CosignerKey::new("w.example", key(byte)).unwrap();
            note.push_str(&witness.cosign(&text, time_s, &seed(byte)).unwrap().to_line());
            pins.add_witness(&witness.to_text()).unwrap();
        }
        let note = SignedNote::parse(&note).unwrap();
        for (quorum, time_s) in [(None, Some(70)), (Some(1), Some(20)), (Some(2), Some(50)), (Some(4), None)] {
            pins.quorum = quorum;
            assert_eq!(pins.anchored_ms(&note), Ok(time_s.map(|time_s| time_s * 1_000)), "{quorum:?}");
        }
    }
}
