//! Heads: what a checkpoint says (C2SP tlog-checkpoint), and the ledger's own head file
//! (`docs/format/store-embedded.md` section 5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{HeadKeys, LogError, SignedNote};
use crate::codec::digest::{Digest, RootHash, sha256};
use crate::seal::Signer;

/// Size and root of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root over them.
    pub root: RootHash,
}

/// A head whose entries are durable: the only thing a ledger signs.
///
/// It is made from the answer of a sync that returned, by the one function that waited for it.
/// ```compile_fail
/// let forged = immutape::log::DurableHead { checkpoint: todo!() };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DurableHead {
    checkpoint: Checkpoint,
}

impl DurableHead {
    /// Only the ledger's commit and recovery call this, after the sync returned.
    pub(crate) const fn after_sync(checkpoint: Checkpoint) -> Self {
        Self { checkpoint }
    }

    /// Size and root.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Signs it as a note.
    ///
    /// # Errors
    /// [`LogError::Note`] for an origin that no note can name.
    pub fn sign(&self, signer: &dyn Signer) -> Result<String, LogError> {
        SignedNote::sign(&self.checkpoint.text(), &self.checkpoint.origin, signer)
    }
}

impl Checkpoint {
    /// The note text: three lines.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.as_ref()))
    }

    /// Reads the text of a checkpoint of ours, which has no extension lines (`docs/format/4-commit.md` 4.2).
    ///
    /// # Errors
    /// [`LogError::Checkpoint`].
    pub fn parse(text: &str) -> Result<Self, LogError> {
        let mut lines = text.strip_suffix('\n').ok_or(LogError::Checkpoint("no final newline"))?.split('\n');
        let origin = lines.next().filter(|l| !l.is_empty()).ok_or(LogError::Checkpoint("no origin"))?;
        let size = lines.next().and_then(parse_decimal).ok_or(LogError::Checkpoint("no size"))?;
        let root = lines.next().and_then(parse_root).ok_or(LogError::Checkpoint("no root"))?;
        if lines.next().is_some() {
            return Err(LogError::Checkpoint("an extension line"));
        }
        if size == 0 && *root.as_bytes() != sha256(b"") {
            return Err(LogError::Checkpoint("the root of an empty log is another"));
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

/// Decimal without sign or leading zeros.
fn parse_decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

fn parse_root(text: &str) -> Option<RootHash> {
    STANDARD.decode(text).ok().and_then(|b| RootHash::from_slice(&b))
}

/// What may lawfully follow a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadState {
    /// Entries may follow.
    Open,
    /// Only the group with `log.stopped` may follow.
    Closing,
    /// Nothing may follow.
    Closed,
}

impl HeadState {
    const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }
}

/// The signed head file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadFile {
    /// Size and root.
    pub checkpoint: Checkpoint,
    /// Vault generation, its revision and the digest of its file.
    pub vault: (u64, u64, Digest),
    /// What may follow.
    pub state: HeadState,
    /// Term of the writer.
    pub term: u64,
}

const HEAD_LABEL: &str = "immutape/head/1";

impl HeadFile {
    /// Signs the file for a durable head.
    ///
    /// # Errors
    /// [`LogError::Note`].
    pub fn sign(
        head: &DurableHead,
        vault: (u64, u64, Digest),
        state: HeadState,
        term: u64,
        signer: &dyn Signer,
    ) -> Result<String, LogError> {
        let c = head.checkpoint();
        let (generation, revision, digest) = &vault;
        let text = format!(
            "{HEAD_LABEL}\n{}\n{} {}\nvault {generation} {revision} {}\nstate {}\nterm {term}\n",
            c.origin,
            c.size,
            STANDARD.encode(c.root.as_ref()),
            STANDARD.encode(digest.as_ref()),
            state.word(),
        );
        Ok(format!("{}{}", head.sign(signer)?, SignedNote::sign(&text, &c.origin, signer)?))
    }

    /// Reads and verifies the file under the checkpoint key that signs heads of its size.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn parse(file: &str, keys: &(impl HeadKeys + ?Sized)) -> Result<Self, LogError> {
        let (first, second) = Self::split(file)?;
        let checkpoint = Checkpoint::from_note(first, keys)?;
        let note = SignedNote::parse(second)?;
        note.verify(keys.head_key(checkpoint.size)?)?;
        let parsed = Self::parse_text(note.text())?;
        if parsed.checkpoint == checkpoint { Ok(parsed) } else { Err(LogError::Head("the two notes disagree")) }
    }

    /// The two notes of the file; neither is verified.
    ///
    /// # Errors
    /// [`LogError::Head`].
    pub fn split(file: &str) -> Result<(&str, &str), LogError> {
        // A whole line: an origin may hold the label, but ends in 32 digits of its own.
        let line = format!("\n{HEAD_LABEL}\n");
        let missing = LogError::Head("the second note is missing");
        let at = file.find(&line).ok_or(missing.clone())?.saturating_add(1);
        file.split_at_checked(at).ok_or(missing)
    }

    fn parse_text(text: &str) -> Result<Self, LogError> {
        let lines: Vec<&str> = text.strip_suffix('\n').unwrap_or(text).split('\n').collect();
        let [HEAD_LABEL, origin, head, vault, state, term] = lines.as_slice() else {
            return Err(LogError::Head("other lines than its table names"));
        };
        let (size, root) = head.split_once(' ').ok_or(LogError::Head("no size and root"))?;
        let vault: Vec<&str> = vault.strip_prefix("vault ").unwrap_or_default().split(' ').collect();
        let [generation, revision, digest] = vault.as_slice() else { return Err(LogError::Head("no vault")) };
        let state = match state.strip_prefix("state ") {
            Some("open") => HeadState::Open,
            Some("closing") => HeadState::Closing,
            Some("closed") => HeadState::Closed,
            _ => return Err(LogError::Head("no state")),
        };
        let number = |t: &str| parse_decimal(t).ok_or(LogError::Head("not a number"));
        Ok(Self {
            checkpoint: Checkpoint {
                origin: (*origin).to_owned(),
                size: number(size)?,
                root: parse_root(root).ok_or(LogError::Head("no root"))?,
            },
            vault: (
                number(generation)?,
                number(revision)?,
                parse_root(digest)
                    .map(|r| Digest::from_bytes(*r.as_bytes()))
                    .ok_or(LogError::Head("no vault digest"))?,
            ),
            state,
            term: term.strip_prefix("term ").map_or(Err(LogError::Head("no term")), number)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::NoteKey;
    use crate::seal::{PublicKey, Signature};

    struct Ones(ed25519_dalek::SigningKey);

    impl Signer for Ones {
        fn sign(&self, message: &[u8]) -> Signature {
            use ed25519_dalek::Signer as _;
            self.0.sign(message).to_bytes()
        }

        fn public_key(&self) -> PublicKey {
            PublicKey::from_bytes(self.0.verifying_key().as_bytes()).unwrap()
        }
    }

    const OPEN: &str = include_str!("../../tests/golden/4-commit/accept/head-open.txt");

    fn signer() -> Ones {
        Ones(ed25519_dalek::SigningKey::from_bytes(&[1; 32]))
    }

    /// What is signed is the golden file, byte for byte, and reads back as what was signed.
    #[test]
    fn signs_the_golden_heads() {
        let key = NoteKey::new(OPEN.lines().next().unwrap(), signer().public_key()).unwrap();
        let head = DurableHead::after_sync(HeadFile::parse(OPEN, &key).unwrap().checkpoint);
        let vault = (1, 2, Digest::from_bytes([0x9a; 32]));
        assert_eq!(HeadFile::sign(&head, vault, HeadState::Open, 1, &signer()).unwrap(), OPEN);
        for state in [HeadState::Open, HeadState::Closing, HeadState::Closed] {
            let file = HeadFile::sign(&head, vault, state, u64::MAX, &signer()).unwrap();
            let wanted = HeadFile { checkpoint: head.checkpoint().clone(), vault, state, term: u64::MAX };
            assert_eq!(HeadFile::parse(&file, &key), Ok(wanted));
        }
    }

    #[test]
    fn an_origin_that_no_note_can_name_is_not_signed() {
        for origin in ["", "with space/00", "with+plus/00"] {
            let root = RootHash::from_bytes([0; 32]);
            let head = DurableHead::after_sync(Checkpoint { origin: origin.into(), size: 0, root });
            let fault = LogError::Note("a key name is empty or has spaces or +");
            assert_eq!(head.sign(&signer()), Err(fault), "{origin}");
        }
        let root = RootHash::from_bytes([0; 32]);
        let head = DurableHead::after_sync(Checkpoint { origin: "a\u{7}b".into(), size: 0, root });
        assert_eq!(head.sign(&signer()), Err(LogError::Note("a control character")));
    }

    #[test]
    fn checkpoint_text_ends_in_a_newline() {
        assert_eq!(Checkpoint::parse("o\n0\nAA=="), Err(LogError::Checkpoint("no final newline")));
        let text = format!("o\n0\n{}\nmore\n", STANDARD.encode([7; 32]));
        assert_eq!(Checkpoint::parse(&text), Err(LogError::Checkpoint("an extension line")));
    }
}
