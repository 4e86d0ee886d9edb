//! C2SP signed notes (c2sp.org/signed-note): text, an empty line, signature lines.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::LogError;
use super::vkey::{ED25519, is_key_name, key_id, read_vkey, write_vkey};
use crate::codec::limits::{NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX};
use crate::seal::{PublicKey, Signer};

/// A key under its name, as notes know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    key: PublicKey,
    id: [u8; 4],
}

impl NoteKey {
    /// A key named `name`.
    ///
    /// # Errors
    /// [`LogError::Note`] for a name that is empty or has spaces or `+`.
    pub fn new(name: &str, key: PublicKey) -> Result<Self, LogError> {
        if !is_key_name(name) {
            return Err(LogError::Note("a key name is empty or has spaces or +"));
        }
        Ok(Self { name: name.to_owned(), key, id: key_id(name, ED25519, &key) })
    }

    /// Verifier key text: `<name>+<8 hexadecimal digits>+<base64>`.
    #[must_use]
    pub fn to_text(&self) -> String {
        write_vkey(&self.name, ED25519, &self.key)
    }

    /// Reads a verifier key text of a log.
    ///
    /// # Errors
    /// [`LogError::Note`].
    pub fn parse(text: &str) -> Result<Self, LogError> {
        let (name, key) = read_vkey(text, ED25519)?;
        Self::new(&name, key)
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Is it a signature line of this key?
    #[must_use]
    pub fn is_of(&self, signature: &NoteSignature) -> bool {
        signature.name == self.name && signature.id == self.id
    }

    /// The key.
    #[must_use]
    pub const fn key(&self) -> &PublicKey {
        &self.key
    }
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name on the line.
    pub name: String,
    /// First four bytes.
    pub id: [u8; 4],
    /// The rest.
    pub signature: Vec<u8>,
}

impl NoteSignature {
    /// Reads one line, without its newline.
    ///
    /// # Errors
    /// [`LogError::Note`].
    pub fn parse(line: &str) -> Result<Self, LogError> {
        parse_signature(line)
    }

    /// The line, with its newline.
    #[must_use]
    pub fn to_line(&self) -> String {
        let mut blob = self.id.to_vec();
        blob.extend_from_slice(&self.signature);
        format!("— {} {}\n", self.name, STANDARD.encode(blob))
    }
}

/// A parsed note. Nothing was verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// Signs `text`, which ends in a newline; the whole note.
    ///
    /// # Errors
    /// [`LogError::Note`] for a text that no note can hold.
    pub fn sign(text: &str, name: &str, signer: &dyn Signer) -> Result<String, LogError> {
        check_text(text)?;
        let key = NoteKey::new(name, signer.public_key())?;
        let signature = signer.sign(text.as_bytes()).to_vec();
        let line = NoteSignature { name: name.to_owned(), id: key.id, signature }.to_line();
        Ok(format!("{text}\n{line}"))
    }

    /// Reads a note.
    ///
    /// # Errors
    /// [`LogError::Note`].
    pub fn parse(note: &str) -> Result<Self, LogError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(LogError::Note("longer than 64 KiB"));
        }
        // C2SP signed-note: no control characters but the ends of lines, in the lines of signatures neither.
        if note.bytes().any(|b| b < b' ' && b != b'\n') {
            return Err(LogError::Note("a control character"));
        }
        let at = note.rfind("\n\n").ok_or(LogError::Note("no empty line"))?;
        let (text, lines) = note.split_at_checked(at.saturating_add(1)).ok_or(LogError::Note("no empty line"))?;
        let lines = lines.strip_prefix('\n').unwrap_or_default();
        check_text(text)?;
        let lines = lines.strip_suffix('\n').ok_or(LogError::Note("no signature line"))?;
        let signatures: Vec<_> = lines.split('\n').map(parse_signature).collect::<Result<_, _>>()?;
        if signatures.len() > NOTE_SIGNATURES_MAX {
            return Err(LogError::Note("too many signature lines"));
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The signed text, if it is signed as claimed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The note with those of its signature lines that `keep` says, in their order.
    #[must_use]
    pub fn with_only(&self, keep: impl Fn(&NoteSignature) -> bool) -> String {
        let lines: String = self.signatures.iter().filter(|s| keep(s)).map(NoteSignature::to_line).collect();
        format!("{}\n{lines}", self.text)
    }

    /// All signature lines.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Verifies under one known key. Unknown lines are ignored; a line of the known name and id that
    /// fails makes the whole note invalid, even when another holds.
    ///
    /// # Errors
    /// [`LogError::Unsigned`], [`LogError::BadSignature`].
    pub fn verify(&self, key: &NoteKey) -> Result<(), LogError> {
        let mut verified = false;
        for s in self.signatures.iter().filter(|s| key.is_of(s)) {
            let signature = s.signature.as_slice().try_into().map_err(|_| LogError::BadSignature)?;
            key.key.verify(self.text.as_bytes(), signature).map_err(|_| LogError::BadSignature)?;
            verified = true;
        }
        if verified { Ok(()) } else { Err(LogError::Unsigned) }
    }
}

fn check_text(text: &str) -> Result<(), LogError> {
    if !text.ends_with('\n') {
        return Err(LogError::Note("the text does not end in a newline"));
    }
    if text.chars().any(|c| c < ' ' && c != '\n') {
        return Err(LogError::Note("a control character"));
    }
    Ok(())
}

fn parse_signature(line: &str) -> Result<NoteSignature, LogError> {
    let bad = LogError::Note("a malformed signature line");
    let (name, blob) = line.strip_prefix("— ").and_then(|l| l.split_once(' ')).ok_or(bad.clone())?;
    if !is_key_name(name) {
        return Err(bad);
    }
    let blob = STANDARD.decode(blob).map_err(|_| bad.clone())?;
    let (id, signature) = blob.split_first_chunk::<4>().ok_or(bad.clone())?;
    if signature.is_empty() {
        return Err(bad);
    }
    Ok(NoteSignature { name: name.to_owned(), id: *id, signature: signature.to_vec() })
}
