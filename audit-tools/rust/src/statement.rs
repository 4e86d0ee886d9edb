//! The recorder's statement about a tape (3-seal, section 3.3).

use crate::cbor::{Key, Reader};
use crate::cose::{Sign1, algorithm, claims, empty_map};
use crate::digest::Hash;
use crate::error::{Result, ensure, refuse};
use crate::sign::PublicKey;
use crate::text;

/// A statement of the right shape. Its signature is not verified yet.
pub struct Statement<'a> {
    sign: Sign1<'a>,
    /// Thumbprint of the key that signed.
    pub key: Hash,
    /// Claim iss: the origin.
    pub issuer: &'a str,
    /// Ledger id.
    pub ledger: Hash,
    /// Custody id.
    pub custody: Hash,
    /// Digest of the manifest.
    pub manifest: Hash,
    /// Payload: the tape id.
    pub tape: Hash,
}

#[derive(Default)]
struct Protected<'a> {
    seen: u64,
    key: Hash,
    issuer: &'a str,
    subject: &'a str,
    ledger: Hash,
    custody: Hash,
    manifest: Hash,
}

impl<'a> Protected<'a> {
    fn take(&mut self, key: Key<'a>, value: &mut Reader<'a>) -> Result<()> {
        self.seen = self.seen.saturating_add(1);
        match key {
            Key::Int(1) => algorithm(value)?,
            Key::Int(4) => self.key = value.fixed()?,
            Key::Int(15) => (self.issuer, self.subject) = claims(value)?,
            Key::Int(258) => ensure(value.int()? == -16, "another hash than SHA-256")?,
            Key::Int(259) => value.label("application/vnd.immutape.tape-root+cbor")?,
            Key::Text("ledger") => self.ledger = value.fixed()?,
            Key::Text("custody") => self.custody = value.fixed()?,
            Key::Text("manifest") => self.manifest = value.fixed()?,
            _ => return refuse("a protected key that the table does not name"),
        }
        Ok(())
    }
}

impl<'a> Statement<'a> {
    /// Reads a statement.
    ///
    /// # Errors
    /// Any other shape; a subject that does not name the payload.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut tape = Hash::default();
        let sign = Sign1::read(bytes, empty_map, |reader| {
            tape = reader.fixed()?;
            Ok(())
        })?;
        let mut found = Protected::default();
        let mut reader = Reader::new(sign.protected);
        reader.map(|key, value| found.take(key, value))?;
        reader.end()?;
        ensure(found.seen == 8, "a protected key is missing")?;
        let named = found.subject.strip_prefix("sha256:").is_some_and(|digits| digits == text::hex(&tape));
        ensure(named, "a subject that does not name the payload")?;
        let Protected { key, issuer, ledger, custody, manifest, .. } = found;
        Ok(Self { sign, key, issuer, ledger, custody, manifest, tape })
    }

    /// Verifies it under a key.
    ///
    /// # Errors
    /// Another key's thumbprint, a signature that does not hold.
    pub fn verify(&self, key: &PublicKey) -> Result<()> {
        ensure(self.key == key.thumbprint(), "a statement under another key")?;
        self.sign.verify(key, &self.tape)
    }
}
