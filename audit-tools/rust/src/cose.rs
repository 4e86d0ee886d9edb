//! COSE_Sign1 in the one form of 3-seal, section 3.3.

use crate::cbor::{Reader, Writer};
use crate::digest::Hash;
use crate::error::{Result, ensure, refuse};
use crate::sign::PublicKey;

/// A COSE_Sign1 whose protected part was not read yet.
pub struct Sign1<'a> {
    /// Encoded protected map.
    pub protected: &'a [u8],
    /// The signature.
    pub signature: [u8; 64],
}

impl<'a> Sign1<'a> {
    /// Reads tag and frame; the closures read the unprotected map and the payload.
    ///
    /// # Errors
    /// Any other form, bytes behind it.
    pub fn read(
        bytes: &'a [u8],
        unprotected: impl FnOnce(&mut Reader<'a>) -> Result<()>,
        payload: impl FnOnce(&mut Reader<'a>) -> Result<()>,
    ) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        reader.tag_18()?;
        reader.array_of(4)?;
        let protected = reader.bytes()?;
        unprotected(&mut reader)?;
        payload(&mut reader)?;
        let signature = reader.fixed()?;
        reader.end()?;
        Ok(Self { protected, signature })
    }

    /// Verifies the signature over the Sig_structure with this payload.
    ///
    /// # Errors
    /// A signature that does not hold.
    pub fn verify(&self, key: &PublicKey, payload: &[u8]) -> Result<()> {
        let message = Writer::new().array(4).text("Signature1").bytes(self.protected).bytes(b"").bytes(payload).done();
        key.verify(&message, &self.signature)
    }
}

/// An empty map.
///
/// # Errors
/// Anything else.
pub fn empty_map(reader: &mut Reader<'_>) -> Result<()> {
    reader.table(|_, _| refuse("something in the unprotected map")).map(|_| ())
}

/// -8, or -19 as a reader also takes.
///
/// # Errors
/// Another algorithm.
pub fn algorithm(reader: &mut Reader<'_>) -> Result<()> {
    let number = reader.int()?;
    ensure(number == -8 || number == -19, "another algorithm than Ed25519")
}

/// The claims `{1: iss, 2: sub}`.
///
/// # Errors
/// Other claims, missing ones.
pub fn claims<'a>(reader: &mut Reader<'a>) -> Result<(&'a str, &'a str)> {
    let (mut issuer, mut subject) = (None, None);
    reader.table(|key, value| {
        match key {
            1 => issuer = Some(value.text()?),
            2 => subject = Some(value.text()?),
            _ => return refuse("a claim that the table does not name"),
        }
        Ok(())
    })?;
    match (issuer, subject) {
        (Some(issuer), Some(subject)) => Ok((issuer, subject)),
        _ => refuse("a claim is missing"),
    }
}

/// Checks the shape of a personal statement (3.4).
///
/// # Errors
/// Any other form.
pub fn person(bytes: &[u8]) -> Result<()> {
    let mut payload: &[u8] = &[];
    let sign = Sign1::read(bytes, empty_map, |reader| {
        payload = reader.bytes()?;
        Ok(())
    })?;
    let mut reader = Reader::new(sign.protected);
    let keys = reader.table(|key, value| match key {
        1 => algorithm(value),
        4 => value.fixed::<32>().map(|_| ()),
        _ => refuse("a protected key that the table does not name"),
    })?;
    ensure(keys == 2, "a protected key is missing")?;
    reader.end()?;
    let mut reader = Reader::new(payload);
    reader.array_of(7)?;
    reader.label("immutape/person/1")?;
    let _: Hash = reader.fixed()?;
    reader.uint_to(65_535)?;
    let _: Hash = reader.fixed()?;
    reader.nullable(|range| {
        range.array_of(2)?;
        range.uint()?;
        range.uint()
    })?;
    reader.fixed::<16>()?;
    reader.uint()?;
    reader.end()
}
