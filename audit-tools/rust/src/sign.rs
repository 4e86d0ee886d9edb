//! Ed25519 as 3-seal, section 3.3, asks for it: canonical S, A and R, no small order, without the cofactor.

use crate::cbor::Labelled;
use crate::digest::{Hash, Hasher};
use crate::error::{Refused, Result, ensure, refuse};
use crate::text;

/// The order of the base point, least significant byte first.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The prime of the field, 2^255 - 19, least significant byte first.
const FIELD: [u8; 32] = [
    0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
];

/// The y coordinates of the eight points of small order, in their canonical encodings without the sign of x.
const SMALL: [[u8; 32]; 5] = [
    [0; 32],
    [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ],
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// A public key that is the canonical encoding of a point that is not of small order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PublicKey([u8; 32]);

fn below(number: &[u8; 32], bound: &[u8; 32]) -> bool {
    number.iter().rev().lt(bound.iter().rev())
}

/// Canonical (y below p) and not of small order.
fn sound(encoding: &[u8; 32]) -> Result<()> {
    let mut y = *encoding;
    if let Some(last) = y.last_mut() {
        *last &= 0x7f;
    }
    ensure(below(&y, &FIELD), "a point in another encoding than the canonical one")?;
    ensure(!SMALL.contains(&y), "a point of small order")
}

impl PublicKey {
    /// Takes a key.
    ///
    /// # Errors
    /// Bytes that encode no point, or a point of small order, or are not canonical.
    pub fn new(bytes: [u8; 32]) -> Result<Self> {
        sound(&bytes)?;
        match salty::signature::PublicKey::try_from(&bytes) {
            Ok(_) => Ok(Self(bytes)),
            Err(_) => refuse("32 bytes that are no point of the curve"),
        }
    }

    /// Its 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// RFC 9679 thumbprint (1.4).
    #[must_use]
    pub fn thumbprint(&self) -> Hash {
        let mut hasher = Hasher::new();
        hasher.add(&[0xa3, 1, 1, 0x20, 6, 0x21, 0x58, 0x20]);
        hasher.add(&self.0);
        hasher.done()
    }

    /// Verifies strictly.
    ///
    /// # Errors
    /// A signature that does not hold, or holds by laxer rules alone.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<()> {
        let (r, s) = signature.split_first_chunk::<32>().ok_or(Refused("half a signature"))?;
        let s = <[u8; 32]>::try_from(s).map_err(|_| Refused("half a signature"))?;
        ensure(below(&s, &ORDER), "a signature with S past the order")?;
        sound(r)?;
        let Ok(key) = salty::signature::PublicKey::try_from(&self.0) else {
            return refuse("32 bytes that are no point of the curve");
        };
        let signature = salty::signature::Signature::from(signature);
        match key.verify(message, &signature) {
            Ok(()) => Ok(()),
            Err(_) => refuse("a signature that does not hold"),
        }
    }
}

/// What a key of a note is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum KeyType {
    /// 0x01: a log over its own heads.
    Log,
    /// 0x04: a witness.
    Witness,
}

/// A verifier key of C2SP signed-note (5.1).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct VerifierKey {
    /// Its name; of a log the origin.
    pub name: alloc::string::String,
    /// What it signs.
    pub of: KeyType,
    /// The key itself.
    pub key: PublicKey,
}

/// Key id of a signature line.
#[must_use]
pub fn key_id(name: &str, of: KeyType, key: &[u8; 32]) -> [u8; 4] {
    let mut hasher = Hasher::new();
    hasher.add(name.as_bytes());
    hasher.add(b"\n");
    hasher.add(&[if of == KeyType::Log { 1 } else { 4 }]);
    hasher.add(key);
    let digest = hasher.done();
    digest.first_chunk().copied().unwrap_or_default()
}

impl VerifierKey {
    /// Reads `<name>+<8 digits>+<base64(type || key)>`.
    ///
    /// # Errors
    /// Another form or type, digits that are not its own, keys as [`PublicKey::new`].
    pub fn read(written: &str) -> Result<Self> {
        let mut parts = written.splitn(3, '+');
        let (Some(name), Some(digits), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return refuse("no verifier key");
        };
        ensure(text::is_key_name(name), "a name that no key has")?;
        let id = text::unhex_of::<4>(digits)?;
        let [of, bytes @ ..] = text::unbase64_of::<33>(encoded)?;
        let of = match of {
            1 => KeyType::Log,
            4 => KeyType::Witness,
            _ => return refuse("a key of another type"),
        };
        ensure(key_id(name, of, &bytes) == id, "digits that are not those of the key")?;
        Ok(Self { name: name.into(), of, key: PublicKey::new(bytes)? })
    }

    /// Its text.
    #[must_use]
    pub fn write(&self) -> alloc::string::String {
        let mut bytes = alloc::vec![if self.of == KeyType::Log { 1 } else { 4 }];
        bytes.extend_from_slice(self.key.bytes());
        alloc::format!("{}+{}+{}", self.name, text::hex(&self.id()), text::base64(&bytes))
    }

    /// Key id of its signature lines.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        key_id(&self.name, self.of, self.key.bytes())
    }
}

/// Export commitment (4.3).
#[must_use]
pub fn export_commitment(salt: &Hash, digest: &Hash) -> Hash {
    Labelled::new("immutape/export/1", 2).bytes(salt).bytes(digest).done()
}
