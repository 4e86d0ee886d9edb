//! What joins a successor to the log before it, after entries were lost (`docs/format/4-commit.md` 4.6).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Checkpoint, Genesis, LogError, NoteKey, SignedNote};
use crate::codec::digest::{LedgerId, RootHash};
use crate::seal::Signer;

const FIRST_LINE: &str = "immutape/succession/1";

/// Where one log ends and another goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Succession {
    /// The log that ended, by the key that signed its last heads.
    pub old: NoteKey,
    /// The newest head of it that is known.
    pub head: Checkpoint,
    /// The log that goes on.
    pub new: NoteKey,
    /// Its id: the leaf hash of its entry 0.
    pub ledger: LedgerId,
    /// Index of the first entry that is lost.
    pub first_lost: u64,
    /// Index of the last one, where that is known.
    pub last_lost: Option<u64>,
}

/// A statement whose signatures hold. Only [`Succession::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenSuccession {
    succession: Succession,
    is_by_old: bool,
}

impl ProvenSuccession {
    /// What was stated.
    #[must_use]
    pub const fn succession(&self) -> &Succession {
        &self.succession
    }

    /// The same, with the old log's signature left out of account: its key was revoked.
    #[must_use]
    pub(crate) fn without_old(self) -> Self {
        Self { is_by_old: false, ..self }
    }

    /// Did the key of the old log sign it, too? Otherwise the successor alone says so, and anybody could.
    #[must_use]
    pub const fn is_by_old(&self) -> bool {
        self.is_by_old
    }
}

impl Succession {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let last = self.last_lost.map_or_else(|| "-".to_owned(), |last| last.to_string());
        format!(
            "{FIRST_LINE}\nold {}\nhead {} {}\nnew {}\nledger {}\nlost {} {last}\n",
            self.old.to_text(),
            self.head.size,
            STANDARD.encode(self.head.root.as_ref()),
            self.new.to_text(),
            self.ledger.to_hex(),
            self.first_lost,
        )
    }

    /// The note: signed by the successor, and by the old log's key where that is still there.
    ///
    /// # Errors
    /// [`LogError::Note`] for names that no note can have.
    pub fn sign(&self, new: &dyn Signer, old: Option<&dyn Signer>) -> Result<String, LogError> {
        let text = self.text();
        let mut note = SignedNote::sign(&text, self.new.name(), new)?;
        if let Some(old) = old {
            let signed = SignedNote::sign(&text, self.old.name(), old)?;
            SignedNote::parse(&signed)?.signatures().iter().for_each(|line| note.push_str(&line.to_line()));
        }
        Ok(note)
    }

    /// Reads a note and verifies the successor's signature, and the old log's where it is there.
    ///
    /// # Errors
    /// [`LogError::Succession`] for another text; [`LogError::Unsigned`] without the successor's signature,
    /// [`LogError::BadSignature`] when one of the two does not hold.
    pub fn verify(note: &str) -> Result<ProvenSuccession, LogError> {
        let note = SignedNote::parse(note)?;
        let succession = Self::parse(note.text())?;
        note.verify(&succession.new)?;
        let is_by_old = match note.verify(&succession.old) {
            Ok(()) => true,
            Err(LogError::Unsigned) => false,
            Err(e) => return Err(e),
        };
        Ok(ProvenSuccession { succession, is_by_old })
    }

    /// Verifies the statement in an entry of the log with this entry 0, id and checkpoint key of entry 0: its signatures hold, and it
    /// is about what entry 0 says.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn verify_in(note: &[u8], genesis: &Genesis, ledger: LedgerId, key: &NoteKey) -> Result<(), String> {
        let text = std::str::from_utf8(note).map_err(|_| "the statement of succession is not text".to_owned())?;
        let proven = Self::verify(text).map_err(|e| format!("the statement of succession does not hold: {e}"))?;
        let of = proven.succession();
        let Some((origin, head, first, last)) = &genesis.predecessor else {
            return Err("a statement of succession in a log whose entry 0 names no log before it".to_owned());
        };
        let head = std::str::from_utf8(head).ok().and_then(|note| Checkpoint::from_note(note, &of.old).ok());
        let is_same = of.old.name() == origin
            && (of.first_lost, of.last_lost) == (*first, *last)
            && head.as_ref() == Some(&of.head)
            && of.ledger == ledger
            && of.new == *key;
        if is_same { Ok(()) } else { Err("the statement of succession is not about what entry 0 says".to_owned()) }
    }

    fn parse(text: &str) -> Result<Self, LogError> {
        let bad = LogError::Succession;
        let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
        let [FIRST_LINE, old, head, new, ledger, lost] = lines.as_slice() else {
            return Err(bad("other lines than its table names"));
        };
        let of = |line: &str, word: &str| {
            line.strip_prefix(word)
                .and_then(|rest| rest.strip_prefix(' '))
                .map(str::to_owned)
                .ok_or(bad("a line without its word"))
        };
        let (old, new) = (NoteKey::parse(&of(old, "old")?)?, NoteKey::parse(&of(new, "new")?)?);
        let head = of(head, "head")?;
        let (size, root) = head.split_once(' ').ok_or(bad("no size and root"))?;
        let lost = of(lost, "lost")?;
        let (first, last) = lost.split_once(' ').ok_or(bad("no first and last"))?;
        let number = |text: &str| decimal(text).ok_or(bad("not a number"));
        let root = STANDARD.decode(root).ok().and_then(|bytes| RootHash::from_slice(&bytes)).ok_or(bad("no root"))?;
        let ledger = hex::decode(of(ledger, "ledger")?).ok().and_then(|bytes| LedgerId::from_slice(&bytes));
        let succession = Self {
            head: Checkpoint { origin: old.name().to_owned(), size: number(size)?, root },
            old,
            new,
            ledger: ledger.ok_or(bad("no ledger"))?,
            first_lost: number(first)?,
            last_lost: if last == "-" { None } else { Some(number(last)?) },
        };
        // One text for one statement: digits of a number or of an id have one form.
        if succession.text() != text {
            return Err(bad("another form than its own"));
        }
        if succession.old.name() == succession.new.name() || succession.old.key() == succession.new.key() {
            return Err(bad("a log that succeeds itself"));
        }
        if succession.last_lost.is_some_and(|last| last < succession.first_lost) {
            return Err(bad("a range that ends before it begins"));
        }
        Ok(succession)
    }
}

fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::{PublicKey, Signature};

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

    fn succession() -> Succession {
        let named = |name: &str, seed| NoteKey::new(name, key(seed).public_key()).unwrap();
        Succession {
            old: named("old.example/1", 1),
            head: Checkpoint { origin: "old.example/1".into(), size: 9, root: RootHash::from_bytes([5; 32]) },
            new: named("new.example/2", 2),
            ledger: LedgerId::from_bytes([6; 32]),
            first_lost: 7,
            last_lost: Some(8),
        }
    }

    #[test]
    fn what_is_signed_reads_back_and_says_who_signed() {
        for stated in [succession(), Succession { last_lost: None, ..succession() }] {
            let both = Succession::verify(&stated.sign(&key(2), Some(&key(1))).unwrap()).unwrap();
            assert_eq!((both.succession(), both.is_by_old()), (&stated, true));
            let alone = Succession::verify(&stated.sign(&key(2), None).unwrap()).unwrap();
            assert_eq!((alone.succession(), alone.is_by_old()), (&stated, false));
            assert_eq!(Succession::verify(&stated.sign(&key(3), Some(&key(1))).unwrap()), Err(LogError::Unsigned));
            assert_eq!(Succession::verify(&stated.sign(&key(2), Some(&key(3))).unwrap()).unwrap(), alone);
        }
    }

    #[test]
    fn another_text_is_none_whoever_signed_it() {
        let text = succession().text();
        let said = |text: &str| Succession::verify(&SignedNote::sign(text, "new.example/2", &key(2)).unwrap());
        assert!(said(&text).is_ok());
        for (from, to, why) in [
            ("immutape/succession/1", "immutape/succession/2", "other lines than its table names"),
            ("lost 7 8\n", "", "other lines than its table names"),
            ("lost 7 8", "gone 7 8", "a line without its word"),
            ("lost 7 8", "lost 7", "no first and last"),
            ("lost 7 8", "lost +7 8", "not a number"),
            ("lost 7 8", "lost 07 8", "another form than its own"),
            ("lost 7 8", "lost 8 7", "a range that ends before it begins"),
            ("head 9 ", "head 9", "no size and root"),
            ("head 9 BQUF", "head 9 !QUF", "no root"),
            ("ledger 0606", "ledger 06", "no ledger"),
        ] {
            assert!(text.contains(from), "{from}");
            assert_eq!(said(&text.replace(from, to)), Err(LogError::Succession(why)), "{to}");
        }
        let itself = Succession { new: succession().old, ..succession() };
        let note = itself.sign(&key(1), None).unwrap();
        assert_eq!(Succession::verify(&note), Err(LogError::Succession("a log that succeeds itself")));
        // It is no checkpoint, so no witness takes it for a head.
        assert!(Checkpoint::parse(&text).is_err());
        let note = succession().sign(&key(2), Some(&key(1))).unwrap();
        for at in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[at] ^= 4;
            let changed = String::from_utf8(bytes).ok().map(|note| Succession::verify(&note));
            let same = changed.is_some_and(|found| found.is_ok_and(|found| found.is_by_old()));
            assert!(!same, "byte {at}");
        }
    }
}
