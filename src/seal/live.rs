//! Pieces of a live recording, sealed one by one under a key of their own (`docs/format/store-embedded.md` 11).

use zeroize::Zeroizing;

use super::object::{open_under, seal_under};
use super::{SealError, TapeKeys};
use crate::codec::cbor::encode;
use crate::codec::digest::{CustodyId, sha256};

const LABEL: &str = "immutape/live/1";

/// Under which id the vault keeps the secret of a tape from its opening on: that of the tape itself comes when it is saved.
#[must_use]
pub fn live_key_id(custody: &CustodyId) -> CustodyId {
    CustodyId::from_bytes(sha256(&encode(|w| {
        w.array(2);
        w.text("immutape/live-key-id/1");
        w.bytes(custody.as_ref());
    })))
}

/// Compresses, pads and seals the content of piece `number`. `salt` must be fresh for every piece.
///
/// # Errors
/// [`SealError::Limit`], [`SealError::Compress`].
pub fn seal_live(
    keys: &TapeKeys,
    salt: [u8; 32],
    custody: &CustodyId,
    number: u64,
    content: &[u8],
) -> Result<Vec<u8>, SealError> {
    seal_under(&piece_keys(keys, &salt), salt, &aad(custody, number), content)
}

/// Opens piece `number`.
///
/// # Errors
/// [`SealError`]: it is not that piece of that recording, whole and as it was sealed.
pub fn open_live(
    keys: &TapeKeys,
    custody: &CustodyId,
    number: u64,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealError> {
    open_under(|salt| piece_keys(keys, salt), &aad(custody, number), sealed)
}

fn piece_keys(keys: &TapeKeys, salt: &[u8; 32]) -> Zeroizing<[u8; 76]> {
    keys.live.expand(&[b"immutape/object/1", salt])
}

fn aad(custody: &CustodyId, number: u64) -> Vec<u8> {
    encode(|w| {
        w.array(3);
        w.text(LABEL);
        w.bytes(custody.as_ref());
        w.uint(number);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::{TapeSecret, seal_object};

    #[test]
    fn a_piece_opens_in_its_own_place_alone() {
        let (a, b) = (CustodyId::from_bytes([1; 32]), CustodyId::from_bytes([2; 32]));
        let keys = TapeSecret::from_bytes(&[7; 32]).keys();
        let sealed = seal_live(&keys, [9; 32], &a, 4, b"content").unwrap();
        assert_eq!(open_live(&keys, &a, 4, &sealed).unwrap().as_slice(), b"content");
        assert!(open_live(&keys, &a, 5, &sealed).is_err());
        assert!(open_live(&keys, &b, 4, &sealed).is_err());
        assert!(open_live(&TapeSecret::from_bytes(&[8; 32]).keys(), &a, 4, &sealed).is_err());
        let object = seal_object(&keys, [9; 32], &a, 4, b"content").unwrap();
        assert!(open_live(&keys, &a, 4, &object).is_err(), "an object of the tape is no piece");
        for at in 0..sealed.len() {
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert!(open_live(&keys, &a, 4, &flipped).is_err(), "byte {at}");
        }
    }

    #[test]
    fn the_id_of_a_live_key_is_none_of_a_tape() {
        let id = live_key_id(&CustodyId::from_bytes([1; 32]));
        assert_ne!(id, CustodyId::from_bytes([1; 32]));
        assert_eq!(id, live_key_id(&CustodyId::from_bytes([1; 32])));
    }
}
