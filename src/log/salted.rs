//! Commitments in public halves to what a guess could otherwise confirm: sets of tapes, and bytes that left
//! (`docs/format/4-commit.md` 4.3).

use super::{Frontier, leaf_hash};
use crate::codec::cbor::{Writer, encode};
use crate::codec::digest::{CustodyId, Digest, LeafHash, RootHash, sha256};

/// RFC 6962 root over a set of tapes in ascending order of their custody ids, which are sorted here. Custody ids stand in
/// public halves: without the salt, whoever reads the log could try which of them a search returned.
///
/// ```
/// use immutape::codec::digest::CustodyId;
/// use immutape::log::set_commitment;
/// let (a, b) = (CustodyId::from_bytes([1; 32]), CustodyId::from_bytes([2; 32]));
/// assert_eq!(set_commitment(&[7; 32], &mut [a, b]), set_commitment(&[7; 32], &mut [b, a]));
/// assert_ne!(set_commitment(&[7; 32], &mut [a]), set_commitment(&[8; 32], &mut [a]));
/// ```
#[must_use]
pub fn set_commitment(salt: &[u8; 32], ids: &mut [CustodyId]) -> RootHash {
    ids.sort_unstable();
    let mut tree = Frontier::new();
    for id in ids {
        // A salt for each, so that one membership can be shown without letting the others be guessed.
        tree.push(&set_leaf(&own_salt(salt, id), id));
    }
    tree.root()
}

/// The salt of one tape in a set: shown, it opens that membership alone.
#[must_use]
pub fn own_salt(set_salt: &[u8; 32], id: &CustodyId) -> [u8; 32] {
    labelled("immutape/set/1/salt", set_salt, id.as_ref())
}

/// Leaf of one tape in the tree of a set.
#[must_use]
pub fn set_leaf(own_salt: &[u8; 32], id: &CustodyId) -> LeafHash {
    leaf_hash(&labelled("immutape/set/1", own_salt, id.as_ref()))
}

/// Commitment to the SHA-256 of what left: a tape of few possible contents could be guessed from that alone, also after its end.
#[must_use]
pub fn export_commitment(salt: &[u8; 32], digest: &Digest) -> Digest {
    Digest::from_bytes(labelled("immutape/export/1", salt, digest.as_ref()))
}

/// The labelled digest of chapter 1.2 over two byte strings.
fn labelled(label: &str, salt: &[u8], value: &[u8]) -> [u8; 32] {
    sha256(&encode(|w: &mut Writer| {
        w.array(3);
        w.text(label);
        w.bytes(salt);
        w.bytes(value);
    }))
}
