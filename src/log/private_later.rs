//! Fields from 32 on of a private half that this program writes: each an item of its own, so that older programs keep what they do not
//! know (`docs/format/4-commit.md` 4.4).

use super::private::PrivateHalf;
use crate::codec::CborError;
use crate::codec::cbor::{Reader, Writer, encode};
use crate::codec::digest::Thumbprint;

/// When what was given out is to be given back or destroyed (field 34).
const EXPIRES: u64 = 34;
/// What people signed, in forms other than that of field 17 (field 32).
const STATEMENTS: u64 = 32;
/// Names of people (field 35).
const NAMES: u64 = 35;

/// What somebody signed: a text, and an SSH signature of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedText {
    /// The text.
    pub text: Vec<u8>,
    /// The signature, armored.
    pub signature: Vec<u8>,
    /// Thumbprint of the key that signed it.
    pub thumbprint: Thumbprint,
}

/// Number of the form of a [`SignedText`].
const SSH_SIGNED: u64 = 1;

impl PrivateHalf {
    /// When what was given out is to be given back or destroyed, milliseconds since 1970.
    #[must_use]
    pub fn expires_ms(&self) -> Option<u64> {
        let (_, item) = self.later.iter().find(|(number, _)| *number == EXPIRES)?;
        let mut r = Reader::new(item);
        r.uint().ok().filter(|_| r.is_empty())
    }

    /// Sets it; once.
    pub fn set_expires_ms(&mut self, expires_ms: u64) {
        self.later.push((EXPIRES, encode(|w| w.uint(expires_ms))));
        self.later.sort_by_key(|(number, _)| *number);
    }

    /// Texts that people signed with SSH signatures (field 32); statements in other forms are left out.
    #[must_use]
    pub fn signed_texts(&self) -> Vec<SignedText> {
        let read = |r: &mut Reader<'_>| {
            r.array_of(4)?;
            let (form, text, signature) = (r.uint()?, r.bytes()?.to_vec(), r.bytes()?.to_vec());
            Ok((form, SignedText { text, signature, thumbprint: Thumbprint::from_bytes(r.bytes_n()?) }))
        };
        let all = self.later_list(STATEMENTS, read).unwrap_or_default();
        all.into_iter().filter(|(form, _)| *form == SSH_SIGNED).map(|(_, text)| text).collect()
    }

    /// Adds them; once, and only where there are any.
    pub fn set_signed_texts(&mut self, texts: &[SignedText]) {
        self.set_later_list(STATEMENTS, texts, |w, text| {
            w.array(4);
            w.uint(SSH_SIGNED);
            w.bytes(&text.text);
            w.bytes(&text.signature);
            w.bytes(text.thumbprint.as_ref());
        });
    }

    /// Names of people by their ids (field 35).
    #[must_use]
    pub fn names(&self) -> Vec<([u8; 16], String)> {
        let read = |r: &mut Reader<'_>| {
            r.array_of(2)?;
            Ok((r.bytes_n()?, r.text()?.to_owned()))
        };
        self.later_list(NAMES, read).unwrap_or_default()
    }

    /// Adds them; once, and only where there are any.
    pub fn set_names(&mut self, names: &[([u8; 16], String)]) {
        self.set_later_list(NAMES, names, |w, (id, name)| {
            w.array(2);
            w.bytes(id);
            w.text(name);
        });
    }

    fn later_list<T>(
        &self,
        number: u64,
        read: impl Fn(&mut Reader<'_>) -> Result<T, CborError>,
    ) -> Result<Vec<T>, CborError> {
        let Some((_, item)) = self.later.iter().find(|(known, _)| *known == number) else { return Ok(Vec::new()) };
        let mut r = Reader::new(item);
        let found = (0..r.array()?).map(|_| read(&mut r)).collect::<Result<_, _>>()?;
        r.end().map(|()| found)
    }

    fn set_later_list<T>(&mut self, number: u64, items: &[T], write: impl Fn(&mut Writer, &T)) {
        if items.is_empty() {
            return;
        }
        let item = encode(|w| {
            w.array(items.len());
            items.iter().for_each(|item| write(w, item));
        });
        self.later.push((number, item));
        self.later.sort_by_key(|(number, _)| *number);
    }
}
