//! AES-256-GCM (NIST SP 800-38D), always under a key that seals once.

use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use zeroize::Zeroizing;

use super::SealError;

/// Length of the authentication tag.
pub(super) const TAG_BYTES: usize = 16;

/// Encrypts `buffer[from..]` in place and appends the tag.
pub(super) fn seal(
    key: &[u8; 32],
    nonce: &[u8; 12],
    aad: &[u8],
    buffer: &mut Vec<u8>,
    from: usize,
) -> Result<(), SealError> {
    let cipher = Aes256Gcm::new(key.into());
    let plain = buffer.get_mut(from..).ok_or(SealError::Truncated)?;
    let tag = cipher
        .encrypt_inout_detached(&Nonce::from(*nonce), aad, plain.into())
        // GCM refuses only plaintexts past 64 GiB; our limits lie far below.
        .map_err(|_| SealError::Padding)?;
    buffer.extend_from_slice(&tag);
    Ok(())
}

/// Decrypts ciphertext and tag; nothing is given out unless the tag holds.
pub(super) fn open(
    key: &[u8; 32],
    nonce: &[u8; 12],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    let (body, tag) = sealed.split_last_chunk::<TAG_BYTES>().ok_or(SealError::Truncated)?;
    let cipher = Aes256Gcm::new(key.into());
    let mut plain = Zeroizing::new(body.to_vec());
    cipher
        .decrypt_inout_detached(&Nonce::from(*nonce), aad, plain.as_mut_slice().into(), &Tag::from(*tag))
        .map_err(|_| SealError::Authentication)?;
    Ok(plain)
}

/// Splits 44 derived bytes into key and nonce.
pub(super) fn key_and_nonce(okm: &[u8]) -> (Zeroizing<[u8; 32]>, [u8; 12]) {
    let key = Zeroizing::new(okm.first_chunk::<32>().copied().unwrap_or([0; 32]));
    let nonce = okm.get(32..44).and_then(|n| n.try_into().ok()).unwrap_or([0; 12]);
    (key, nonce)
}
