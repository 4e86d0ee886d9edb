//! Signed notes and heads (4-commit 4.2, 5-proof 5.1).

use crate::digest::Hash;
use crate::error::{Refused, Result, ensure, refuse};
use crate::sign::{KeyType, PublicKey, VerifierKey};
use crate::text;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// Most signature lines of a note.
pub const MOST_LINES: usize = 64;
/// Most bytes of a note.
pub const MOST_BYTES: usize = 64 * 1024;

/// One signature line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Name of the key.
    pub name: String,
    /// Key id and signature.
    pub bytes: Vec<u8>,
}

/// A note: its text with the last newline, and its signature lines. Nothing is verified yet.
#[derive(Clone, Debug)]
pub struct Note {
    /// What is signed.
    pub text: String,
    /// The signature lines in order.
    pub lines: Vec<Line>,
}

impl Note {
    /// Reads a note.
    ///
    /// # Errors
    /// Any other form.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        ensure(bytes.len() <= MOST_BYTES, "a note over 64 KiB")?;
        let Ok(whole) = core::str::from_utf8(bytes) else { return refuse("a note that is no UTF-8") };
        ensure(whole.chars().all(|c| c >= ' ' || c == '\n'), "a control character in a note")?;
        let Some(at) = whole.rfind("\n\n") else { return refuse("no empty line in a note") };
        let (Some(body), Some(signatures)) = (whole.get(..=at), whole.get(at.saturating_add(2)..)) else {
            return refuse("no empty line in a note");
        };
        ensure(!body.is_empty() && body != "\n", "a note without text")?;
        let mut lines = Vec::new();
        for line in text::lines(signatures)? {
            ensure(lines.len() < MOST_LINES, "more than 64 signature lines")?;
            lines.push(signature_line(line)?);
        }
        Ok(Self { text: body.to_string(), lines })
    }

    /// Verifies each line of this key of a log.
    ///
    /// # Errors
    /// No line of the key, or one that does not hold.
    pub fn verify(&self, key: &VerifierKey) -> Result<()> {
        ensure(self.signed_by(key)?, "no signature of the key")
    }

    /// Whether lines of this key of a log are there; all of them hold then.
    ///
    /// # Errors
    /// A line that does not hold.
    pub fn signed_by(&self, key: &VerifierKey) -> Result<bool> {
        let mut found = false;
        for signature in self.of(key) {
            self.signature_holds(&key.key, signature)?;
            found = true;
        }
        Ok(found)
    }

    /// Verifies a signature of a log: what stands behind the key id in a line.
    ///
    /// # Errors
    /// One that does not hold.
    pub fn signature_holds(&self, key: &PublicKey, signature: &[u8]) -> Result<()> {
        let signature = <&[u8; 64]>::try_from(signature).map_err(|_| Refused("a signature of another length"))?;
        key.verify(self.text.as_bytes(), signature)
    }

    /// Of each of these witnesses that cosigned its place in the list and its earliest time in seconds.
    ///
    /// # Errors
    /// A line of one of them that does not hold.
    pub fn cosigned_by_any(&self, witnesses: &[VerifierKey]) -> Result<Vec<(usize, u64)>> {
        let mut times = Vec::new();
        for (at, witness) in witnesses.iter().enumerate() {
            times.extend(self.cosigned_by(witness)?.map(|time| (at, time)));
        }
        Ok(times)
    }

    /// Earliest time in seconds of the cosignatures of this witness, if there are any; all of them hold then.
    ///
    /// # Errors
    /// A line that does not hold.
    pub fn cosigned_by(&self, key: &VerifierKey) -> Result<Option<u64>> {
        let mut earliest: Option<u64> = None;
        for cosignature in self.of(key) {
            let cosignature =
                <&[u8; 72]>::try_from(cosignature).map_err(|_| Refused("a cosignature of another length"))?;
            let (Some((time, _)), Some(signature)) =
                (cosignature.split_first_chunk::<8>(), cosignature.last_chunk::<64>())
            else {
                return refuse("a cosignature of another length");
            };
            let time = u64::from_be_bytes(*time);
            ensure(i64::try_from(time).is_ok(), "a cosignature later than all time")?;
            let message = alloc::format!("cosignature/v1\ntime {time}\n{}", self.text);
            key.key.verify(message.as_bytes(), signature)?;
            earliest = Some(earliest.map_or(time, |before| before.min(time)));
        }
        Ok(earliest)
    }

    /// What follows the key id in the lines of a key.
    fn of<'a>(&'a self, key: &VerifierKey) -> impl Iterator<Item = &'a [u8]> {
        let (id, name) = (key.id(), key.name.clone());
        self.lines.iter().filter(move |line| line.name == name).filter_map(move |line| line.bytes.strip_prefix(&id))
    }
}

fn signature_line(line: &str) -> Result<Line> {
    let Some((name, encoded)) = line.strip_prefix("\u{2014} ").and_then(|rest| rest.split_once(' ')) else {
        return refuse("no signature line where one belongs");
    };
    ensure(text::is_key_name(name), "a name that no key has")?;
    let bytes = text::unbase64(encoded)?;
    ensure(bytes.len() > 4, "a key id without a signature")?;
    Ok(Line { name: name.into(), bytes })
}

/// A head of a log: a note whose text is a checkpoint. Nothing is verified yet.
#[derive(Clone, Debug)]
pub struct Head {
    /// First line.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
    /// The note.
    pub note: Note,
}

impl Head {
    /// Reads a note whose text is `<origin>\n<size>\n<base64 root>\n`.
    ///
    /// # Errors
    /// Any other form.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        Self::of(Note::read(bytes)?)
    }

    /// Takes a note as a head.
    ///
    /// # Errors
    /// A text that is none.
    pub fn of(note: Note) -> Result<Self> {
        let body = note.text.clone();
        let mut lines = text::lines(&body)?;
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return refuse("a head that is not three lines");
        };
        ensure(text::is_key_name(origin), "an origin that is no key name")?;
        let (origin, size, root) = (origin.into(), text::decimal(size)?, text::unbase64_of(root)?);
        ensure(size > 0 || root == crate::tree::empty(), "a head of nothing whose root is that of some")?;
        Ok(Self { origin, size, root, note })
    }

    /// Verifies the head under a key of its log.
    ///
    /// # Errors
    /// Another origin, no line of the key, one that does not hold.
    pub fn verify(&self, key: &VerifierKey) -> Result<()> {
        ensure(key.of == KeyType::Log && self.origin == key.name, "a head of another log")?;
        self.note.verify(key)
    }
}
