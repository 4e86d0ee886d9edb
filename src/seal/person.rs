//! What a person signs when acting under a name of their own (`docs/format/3-seal.md` 3.4).

use super::statement::{is_ed25519, read_sign1, sign1, to_be_signed};
use super::{PublicKey, SealError, Signer};
use crate::codec::CborError;
use crate::codec::cbor::{Key, Reader, encode};
use crate::codec::digest::{CustodyId, LedgerId, Thumbprint};
use crate::time::Timestamp;

const LABEL: &str = "immutape/person/1";

/// One act of one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PersonStatement {
    /// The ledger.
    pub ledger: LedgerId,
    /// Kind number of the entry that will record the act.
    pub action: u16,
    /// Whom the act is about.
    pub subject: CustodyId,
    /// Frames, first and last.
    pub range: Option<(u64, u64)>,
    /// Request id, the same as in the entry's private half.
    pub request: [u8; 16],
    /// When the person signed, by the local clock.
    pub time: Timestamp,
}

/// What a person's statement proves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PersonVerdict {
    /// Thumbprint of the key that signed.
    pub key: Thumbprint,
    /// What was signed.
    pub statement: PersonStatement,
}

impl PersonStatement {
    /// Signs it; the encoded COSE_Sign1.
    #[must_use]
    pub fn sign(&self, signer: &dyn Signer) -> Vec<u8> {
        let protected = encode(|w| {
            w.map(2);
            w.uint(1);
            w.int(-8);
            w.uint(4);
            w.bytes(signer.public_key().thumbprint().as_ref());
        });
        let payload = self.payload();
        let signature = signer.sign(&to_be_signed(&protected, &payload));
        sign1(&protected, &payload, &signature)
    }

    fn payload(&self) -> Vec<u8> {
        encode(|w| {
            w.array(7);
            w.text(LABEL);
            w.bytes(self.ledger.as_ref());
            w.uint(u64::from(self.action));
            w.bytes(self.subject.as_ref());
            match self.range {
                None => w.null(),
                Some((first, last)) => {
                    w.array(2);
                    w.uint(first);
                    w.uint(last);
                }
            }
            w.bytes(&self.request);
            w.uint(self.time.as_ms());
        })
    }

    /// Verifies an encoded statement under `key`.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn verify(bytes: &[u8], key: &PublicKey) -> Result<PersonVerdict, SealError> {
        let (statement, kid) = Self::read_shape(bytes)?;
        if kid != key.thumbprint() {
            return Err(SealError::WrongKey);
        }
        let (protected, payload, signature) = read_sign1(bytes)?;
        key.verify(&to_be_signed(protected, payload), &signature)?;
        Ok(PersonVerdict { key: key.thumbprint(), statement })
    }

    /// Reads an encoded statement, and the thumbprint of the key that it claims; the signature is not looked at.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn read_shape(bytes: &[u8]) -> Result<(Self, Thumbprint), SealError> {
        let (protected, payload, _) = read_sign1(bytes)?;
        let (mut alg, mut kid) = (None, None);
        let mut r = Reader::new(protected);
        r.map(|k, v| {
            match k {
                Key::Int(1) => alg = Some(v.int()?),
                Key::Int(4) => kid = Some(v.bytes_n()?),
                _ => return Err(CborError::UnknownKey),
            }
            Ok(())
        })?;
        r.end()?;
        if !is_ed25519(alg.ok_or(CborError::MissingKey)?) {
            return Err(SealError::Header("algorithm"));
        }
        let kid = Thumbprint::from_bytes(kid.ok_or(CborError::MissingKey)?);
        Ok((Self::read(payload)?, kid))
    }

    fn read(payload: &[u8]) -> Result<Self, SealError> {
        let mut r = Reader::new(payload);
        r.array_of(7)?;
        r.label(LABEL)?;
        let statement = Self {
            ledger: LedgerId::from_bytes(r.bytes_n()?),
            action: r.uint_in()?,
            subject: CustodyId::from_bytes(r.bytes_n()?),
            range: if r.null_if_next() {
                None
            } else {
                r.array_of(2)?;
                Some((r.uint()?, r.uint()?))
            },
            request: r.bytes_n()?,
            time: Timestamp::from_ms(r.uint()?),
        };
        r.end()?;
        Ok(statement)
    }
}
