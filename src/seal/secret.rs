//! The secret of one tape and the keys derived from it. No Debug, no Clone, erased when dropped.

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::kdf::{derive, expand};
use crate::codec::random::{Random, RandomUnavailable, bytes};
use crate::tape::{FrameSalt, Salts};

/// 32 random bytes from which every key and salt of a tape is derived.
///
/// ```compile_fail
/// fn show(s: immutape::seal::TapeSecret) { println!("{s:?}"); } // secrets have no Debug
/// ```
/// ```compile_fail
/// fn copy(s: &immutape::seal::TapeSecret) -> immutape::seal::TapeSecret { s.clone() }
/// ```
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct TapeSecret([u8; 32]);

impl TapeSecret {
    /// A fresh secret.
    ///
    /// # Errors
    /// [`RandomUnavailable`].
    pub fn generate(random: &dyn Random) -> Result<Self, RandomUnavailable> {
        bytes(random).map(Self)
    }

    /// From 32 unwrapped bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(*bytes)
    }

    /// The bytes, to be wrapped.
    #[must_use]
    pub(super) const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The keys of the tape (`docs/format/2-tape.md` 2.5).
    #[must_use]
    pub fn keys(&self) -> TapeKeys {
        let prk: Zeroizing<[u8; 32]> = {
            // HKDF-Extract is HMAC with the salt as key (RFC 5869 2.2).
            let mut salt = [0u8; 32];
            let label = b"immutape/tape-secret/1";
            salt.iter_mut().zip(label).for_each(|(s, l)| *s = *l);
            Zeroizing::new(super::kdf::hmac(&salt, &[&self.0]))
        };
        TapeKeys {
            content: expand(&prk, &[b"immutape/content-key/1"]),
            frame_salt: expand(&prk, &[b"immutape/frame-salt-key/1"]),
            header_salt: expand(&prk, &[b"immutape/header-salt-key/1"]),
            row: expand(&prk, &[b"immutape/row-key/1"]),
        }
    }
}

/// The keys of one tape.
pub struct TapeKeys {
    pub(super) content: Zeroizing<[u8; 32]>,
    frame_salt: Zeroizing<[u8; 32]>,
    header_salt: Zeroizing<[u8; 32]>,
    row: Zeroizing<[u8; 32]>,
}

impl TapeKeys {
    /// Salts of frame `seq`.
    #[must_use]
    pub fn frame_salt(&self, seq: u64) -> FrameSalt {
        let okm: Zeroizing<[u8; 64]> = expand(&self.frame_salt, &[b"immutape/frame-salt/1", &seq.to_be_bytes()]);
        let (envelope, payload) = okm.split_at(32);
        FrameSalt { envelope: envelope.try_into().unwrap_or([0; 32]), payload: payload.try_into().unwrap_or([0; 32]) }
    }

    /// Salts of the header's fields.
    #[must_use]
    pub fn header_salts(&self) -> impl Salts + '_ {
        move |n: u64| *expand::<32>(&self.header_salt, &[b"immutape/header/1/salt", &n.to_be_bytes()])
    }

    /// The key that seals this tape's rows.
    #[must_use]
    pub fn row_key(&self) -> RowKey {
        RowKey(self.row.clone())
    }
}

/// Seals the rows made from a private header. Not part of the formats: rows are rebuilt at any time.
pub struct RowKey(Zeroizing<[u8; 32]>);

impl RowKey {
    /// Seals one row; `salt` must be fresh.
    ///
    /// # Errors
    /// [`super::SealError`].
    pub fn seal(&self, salt: [u8; 16], aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, super::SealError> {
        let okm: Zeroizing<[u8; 44]> = derive(self.0.as_ref(), &salt, &[b"immutape/row/1"]);
        let (key, nonce) = super::aead::key_and_nonce(okm.as_ref());
        let mut out = salt.to_vec();
        out.extend_from_slice(plain);
        super::aead::seal(&key, &nonce, aad, &mut out, 16)?;
        Ok(out)
    }

    /// Opens one row.
    ///
    /// # Errors
    /// [`super::SealError`].
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, super::SealError> {
        let (salt, rest) = sealed.split_first_chunk::<16>().ok_or(super::SealError::Truncated)?;
        let okm: Zeroizing<[u8; 44]> = derive(self.0.as_ref(), salt, &[b"immutape/row/1"]);
        let (key, nonce) = super::aead::key_and_nonce(okm.as_ref());
        super::aead::open(&key, &nonce, aad, rest)
    }
}
