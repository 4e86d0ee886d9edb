//! COSE receipts (5-proof, section 5.3).

use crate::cbor::{Reader, Writer};
use crate::cose::{Sign1, algorithm, claims};
use crate::digest::Hash;
use crate::error::{Result, ensure, refuse};
use crate::sign::PublicKey;
use crate::text;
use crate::tree;
use alloc::vec::Vec;

/// A receipt of the right shape. Nothing of it is verified yet.
pub struct Receipt<'a> {
    sign: Sign1<'a>,
    /// Thumbprint of the issuer key.
    pub key: Hash,
    /// Claim iss: the origin.
    pub issuer: &'a str,
    /// Claim sub: the custody id in hexadecimal.
    pub subject: &'a str,
    /// Size of the tree.
    pub size: u64,
    /// Index of the leaf.
    pub index: u64,
    path: Vec<Hash>,
}

fn proof(reader: &mut Reader<'_>) -> Result<(u64, u64, Vec<Hash>)> {
    reader.array_of(1)?;
    let mut inner = Reader::new(reader.bytes()?);
    inner.array_of(3)?;
    let (size, index) = (inner.uint()?, inner.uint()?);
    let mut path = Vec::new();
    let n = inner.some(|hash| {
        path.push(hash.fixed()?);
        ensure(path.len() <= 63, "more than 63 hashes")
    })?;
    ensure(n <= 63, "more than 63 hashes")?;
    inner.end()?;
    Ok((size, index, path))
}

impl<'a> Receipt<'a> {
    /// Reads a receipt.
    ///
    /// # Errors
    /// Any other shape.
    pub fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut found = None;
        let unprotected = |reader: &mut Reader<'a>| {
            reader.table(|key, value| {
                ensure(key == 396, "an unprotected key that the table does not name")?;
                let n = value.map(|key, value| {
                    ensure(key == crate::cbor::Key::Int(-1), "a proof of another sort")?;
                    found = Some(proof(value)?);
                    Ok(())
                })?;
                ensure(n == 1, "no proof")
            })?;
            Ok(())
        };
        let sign = Sign1::read(bytes, unprotected, Reader::null)?;
        let Some((size, index, path)) = found else { return refuse("no proof") };
        let (mut key, mut names, mut seen) = (Hash::default(), ("", ""), 0_u8);
        let mut reader = Reader::new(sign.protected);
        reader.table(|number, value| {
            seen = seen.saturating_add(1);
            match number {
                1 => algorithm(value)?,
                4 => key = value.fixed()?,
                15 => names = claims(value)?,
                395 => ensure(value.uint()? == 1, "another kind of tree")?,
                _ => return refuse("a protected key that the table does not name"),
            }
            Ok(())
        })?;
        reader.end()?;
        ensure(seen == 4, "a protected key is missing")?;
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        ensure(text::is_origin(names.0), "an issuer that is no origin")?;
        ensure(names.1.len() == 64 && names.1.bytes().all(is_digit), "a subject that is no custody id")?;
        Ok(Self { sign, key, issuer: names.0, subject: names.1, size, index, path })
    }

    /// Verifies it for a leaf under the issuer's key, and gives the root.
    ///
    /// # Errors
    /// A path that does not lead anywhere, another key, a signature that does not hold.
    pub fn verify(&self, leaf: &Hash, key: &PublicKey) -> Result<Hash> {
        let root = tree::path_root(leaf, self.index, self.size, &self.path)?;
        ensure(self.key == key.thumbprint(), "a receipt under another key")?;
        self.sign.verify(key, &root)?;
        Ok(root)
    }
}

/// What a rotation has the new key sign (4.5).
#[must_use]
pub fn rotation_message(origin: &str, role: u64, key: &[u8; 32], next: &Hash) -> Vec<u8> {
    Writer::new().array(5).text("immutape/key/1").text(origin).uint(role).bytes(key).bytes(next).done()
}
