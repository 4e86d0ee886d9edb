//! Ed25519 (RFC 8032), verified strictly: canonical S, no small-order A or R.

use ed25519_dalek::pkcs8::DecodePublicKey as _;
use ed25519_dalek::{Signature as DalekSignature, VerifyingKey};

use super::SealError;
use crate::codec::digest::{Thumbprint, sha256_parts};

/// 64 bytes of an Ed25519 signature.
pub type Signature = [u8; 64];

/// Who can sign with one key. Implemented by the keyring; the key itself never leaves it.
pub trait Signer: Send + Sync {
    /// Signs `message` (pure Ed25519).
    fn sign(&self, message: &[u8]) -> Signature;
    /// The public half.
    fn public_key(&self) -> PublicKey;
}

/// A checked Ed25519 public key: on the curve and not of small order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey {
    key: VerifyingKey,
}

impl PublicKey {
    /// Checks 32 bytes.
    ///
    /// # Errors
    /// [`SealError::PublicKey`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, SealError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| SealError::PublicKey)?;
        if key.is_weak() || !is_canonical(bytes) { Err(SealError::PublicKey) } else { Ok(Self { key }) }
    }

    /// Reads SubjectPublicKeyInfo in PEM (RFC 8410 4), and checks the key as [`Self::from_bytes`] does.
    pub(crate) fn from_pem(text: &str) -> Result<Self, SealError> {
        let key = VerifyingKey::from_public_key_pem(text).map_err(|_| SealError::PublicKey)?;
        Self::from_bytes(key.as_bytes())
    }

    /// The 32 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// RFC 9679 thumbprint.
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        thumbprint(&self.to_bytes())
    }

    /// Strict verification.
    ///
    /// # Errors
    /// [`SealError::Signature`].
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SealError> {
        self.key.verify_strict(message, &DalekSignature::from_bytes(signature)).map_err(|_| SealError::Signature)
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublicKey({})", hex::encode(self.to_bytes()))
    }
}

/// Is y below 2^255 - 19 (RFC 8032 5.1.3)? One point must not have two encodings, so two thumbprints.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = bytes;
    !(high & 0x7f == 0x7f && middle.iter().all(|b| *b == 0xff) && *low >= 0xed)
}

/// RFC 9679 thumbprint of the COSE_Key `{1: 1, -1: 6, -2: x}`.
#[must_use]
pub fn thumbprint(public: &[u8; 32]) -> Thumbprint {
    const FRONT: [u8; 8] = [0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20];
    Thumbprint::from_bytes(sha256_parts(&[&FRONT, public]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprint_of_the_seed_of_sevens() {
        let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key();
        assert_eq!(
            thumbprint(key.as_bytes()).to_hex(),
            "cbf65c8afcb5f69056927170cfe6acc226f1e3182e0aac3b83245e746beb0e6a"
        );
    }

    #[test]
    fn weak_keys_are_refused() {
        let mut one = [0u8; 32];
        one[0] = 1; // the neutral element
        assert_eq!(PublicKey::from_bytes(&one), Err(SealError::PublicKey));
        assert_eq!(PublicKey::from_bytes(&[0xff; 32]), Err(SealError::PublicKey));
    }
}
