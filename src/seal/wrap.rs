//! Keys wrapped under keys (`docs/format/3-seal.md` 3.6).

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::aead::{self, key_and_nonce};
use super::{SealError, TapeSecret, kdf};
use crate::codec::cbor::encode;
use crate::codec::digest::CustodyId;
use crate::codec::random::{Random, RandomUnavailable, bytes};

/// Length of a wrapped 32-byte key.
pub const WRAPPED_KEY_BYTES: usize = 48;

/// What a wrapped key is for; part of its derivation and of what authenticates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of docs/format/3-seal 3.6")]
pub enum Purpose {
    Epoch,
    Index,
    Dedupe,
    Journal,
    Custody,
    Tape,
}

impl Purpose {
    const fn word(self) -> &'static str {
        match self {
            Self::Epoch => "epoch",
            Self::Index => "index",
            Self::Dedupe => "dedupe",
            Self::Journal => "journal",
            Self::Custody => "custody",
            Self::Tape => "tape",
        }
    }
}

/// A key that wraps others: the vault root, or an epoch's key.
///
/// ```compile_fail
/// fn show(k: immutape::seal::KeyEncryptionKey) { println!("{k:?}"); }
/// ```
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct KeyEncryptionKey([u8; 32]);

impl KeyEncryptionKey {
    /// A fresh key.
    ///
    /// # Errors
    /// [`RandomUnavailable`].
    pub fn generate(random: &dyn Random) -> Result<Self, RandomUnavailable> {
        bytes(random).map(Self)
    }

    /// From a key file or an unwrapped key.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(*bytes)
    }

    /// The bytes, for the key file or to be wrapped.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// Wraps `plain`. Each `id` must be random and wrapped once under this key.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn wrap(&self, origin: &str, purpose: Purpose, id: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let (key, nonce) = self.derive(purpose, id);
        let mut out = Vec::with_capacity(plain.len().saturating_add(16));
        out.extend_from_slice(plain);
        aead::seal(&key, &nonce, &aad(origin, purpose, id), &mut out, 0)?;
        Ok(out)
    }

    /// Unwraps.
    ///
    /// # Errors
    /// [`SealError::Authentication`] for another key, origin, purpose or id, or altered bytes.
    pub fn unwrap(
        &self,
        origin: &str,
        purpose: Purpose,
        id: &[u8],
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (key, nonce) = self.derive(purpose, id);
        aead::open(&key, &nonce, &aad(origin, purpose, id), wrapped)
    }

    /// Wraps a tape secret.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn wrap_tape(
        &self,
        origin: &str,
        custody: &CustodyId,
        secret: &TapeSecret,
    ) -> Result<[u8; WRAPPED_KEY_BYTES], SealError> {
        let wrapped = self.wrap(origin, Purpose::Tape, custody.as_ref(), secret.expose())?;
        wrapped.try_into().map_err(|_| SealError::Truncated)
    }

    /// Unwraps a tape secret.
    ///
    /// # Errors
    /// [`SealError::Authentication`].
    pub fn unwrap_tape(&self, origin: &str, custody: &CustodyId, wrapped: &[u8]) -> Result<TapeSecret, SealError> {
        let plain = self.unwrap(origin, Purpose::Tape, custody.as_ref(), wrapped)?;
        plain.first_chunk::<32>().map(TapeSecret::from_bytes).ok_or(SealError::Truncated)
    }

    fn derive(&self, purpose: Purpose, id: &[u8]) -> (Zeroizing<[u8; 32]>, [u8; 12]) {
        let okm: Zeroizing<[u8; 44]> = kdf::derive(&self.0, id, &[b"immutape/wrap/1/", purpose.word().as_bytes()]);
        key_and_nonce(okm.as_ref())
    }
}

fn aad(origin: &str, purpose: Purpose, id: &[u8]) -> Vec<u8> {
    encode(|w| {
        w.array(4);
        w.text("immutape/wrap/1");
        w.text(purpose.word());
        w.text(origin);
        w.bytes(id);
    })
}
