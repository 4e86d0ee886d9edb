//! The secret of one tape and the keys derived from it. No Debug, no Clone, erased when dropped.

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use super::kdf::{Expander, derive};
use super::salts::SaltStream;
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

    /// The key of the tape's rows alone, for lists of many tapes.
    #[must_use]
    pub fn row_key(&self) -> RowKey {
        RowKey(self.expander().expand(&[b"immutape/row-key/1"]))
    }

    /// The keys of the tape (`docs/format/2-tape.md` 2.5).
    #[must_use]
    pub fn keys(&self) -> TapeKeys {
        let prk = self.expander();
        TapeKeys {
            content: Expander::new(&prk.expand(&[b"immutape/content-key/1"])),
            frame_salts: SaltStream::new(&prk.expand(&[b"immutape/frame-salt-key/1"])),
            header_salts: SaltStream::new(&prk.expand(&[b"immutape/header-salt-key/1"])),
            row: prk.expand(&[b"immutape/row-key/1"]),
            live: Expander::new(&prk.expand(&[b"immutape/live-key/1"])),
        }
    }
}

impl TapeSecret {
    fn expander(&self) -> Expander {
        // HKDF-Extract is HMAC with the salt as key (RFC 5869 2.2).
        let mut salt = [0u8; 32];
        let label = b"immutape/tape-secret/1";
        salt.iter_mut().zip(label).for_each(|(s, l)| *s = *l);
        Expander::new(&Zeroizing::new(super::kdf::hmac(&salt, &[&self.0])))
    }
}

/// The keys of one tape.
pub struct TapeKeys {
    pub(super) content: Expander,
    frame_salts: SaltStream,
    header_salts: SaltStream,
    row: Zeroizing<[u8; 32]>,
    pub(super) live: Expander,
}

impl TapeKeys {
    /// Salts of frame `seq`.
    #[must_use]
    pub fn frame_salt(&self, seq: u64) -> FrameSalt {
        self.frame_salts.frame(seq)
    }

    /// Salts of the header's fields.
    #[must_use]
    pub const fn header_salts(&self) -> &impl Salts {
        &self.header_salts
    }

    /// The key that seals this tape's rows.
    #[must_use]
    pub fn row_key(&self) -> RowKey {
        RowKey(self.row.clone())
    }
}

/// Seals the rows made from a private header (`store-embedded` 8.2). Rows are rebuilt at any time: a later layout of them
/// may seal otherwise.
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
