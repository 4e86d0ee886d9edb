//! HKDF-SHA-256 (RFC 5869) and HMAC-SHA-256 (RFC 2104), with the mistakes taken out of reach.

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Extract and expand.
pub(super) fn derive<const N: usize>(ikm: &[u8], salt: &[u8], info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    expand_from(&Hkdf::<Sha256>::new(Some(salt), ikm), info)
}

fn expand_from<const N: usize>(h: &Hkdf<Sha256>, info: &[&[u8]]) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 255 * 32, "RFC 5869 2.3: at most 255 blocks") };
    let mut out = Zeroizing::new([0u8; N]);
    let _bounded_above = h.expand_multi_info(info, out.as_mut());
    out
}

/// Expand alone, as often as wanted from one key: what HMAC makes of the key itself is computed once.
pub(super) struct Expander(Option<Hkdf<Sha256>>);

impl Expander {
    /// From 32 uniformly random or extracted bytes.
    pub(super) fn new(prk: &[u8; 32]) -> Self {
        // A 32-byte key is as long as SHA-256's output, the shortest that RFC 5869 2.3 allows: never `None`.
        Self(Hkdf::<Sha256>::from_prk(prk).ok())
    }

    /// `N` bytes for `info`, given in parts.
    pub(super) fn expand<const N: usize>(&self, info: &[&[u8]]) -> Zeroizing<[u8; N]> {
        self.0.as_ref().map_or_else(|| Zeroizing::new([0; N]), |h| expand_from(h, info))
    }
}

/// HMAC over the concatenation of `parts`.
pub(super) fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac,
        // RFC 2104 takes keys of any length; the crate's error cannot occur.
        Err(_) => return [0; 32],
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5869 A.1 and RFC 4231 case 2, so that a swapped argument shows.
    #[test]
    fn known_answers() {
        let salt: Vec<u8> = (0..=0x0c).collect();
        let info: Vec<u8> = (0xf0..=0xf9).collect();
        let okm: Zeroizing<[u8; 42]> = derive(&[0x0b; 22], &salt, &[&info[..4], &info[4..]]);
        assert_eq!(
            hex::encode(okm.as_slice()),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
        let mut key = [0u8; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            hex::encode(hmac(&key, &[b"what do ya want ", b"for nothing?"])),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
