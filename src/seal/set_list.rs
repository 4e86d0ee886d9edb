//! The ids of a set that is too long for a private half, as one sealed object (`docs/format/3-seal.md` 3.8).

use zeroize::Zeroizing;

use super::object::{open_under, seal_under, too_long};
use super::{CustodyKey, SealError};
use crate::codec::CborError;
use crate::codec::cbor::encode;
use crate::codec::digest::{CustodyId, RootHash};
use crate::codec::limits::SET_LIST_MAX;

const LABEL: &str = "immutape/set-list/1";
const ID_BYTES: usize = 32;

/// Seals the ids of the set that `root` commits to, ascending, with the salt of that commitment before them. `salt` must be
/// fresh for every object.
///
/// # Errors
/// [`SealError::Limit`]: more than [`SET_LIST_MAX`] ids.
///
/// ```
/// use immutape::codec::digest::CustodyId;
/// use immutape::log::set_commitment;
/// use immutape::seal::{CustodyKey, open_set, seal_set};
/// let key = CustodyKey::from_bytes([1; 16], &[2; 32]);
/// let mut ids = [CustodyId::from_bytes([3; 32]), CustodyId::from_bytes([4; 32])];
/// let root = set_commitment(&[5; 32], &mut ids);
/// let stored = seal_set(&key, [6; 32], "example/00", &root, &[5; 32], &ids)?;
/// let (set_salt, opened) = open_set(&key, "example/00", &root, &stored)?;
/// assert_eq!((set_salt, opened.as_slice()), ([5; 32], ids.as_slice()));
/// # Ok::<(), immutape::seal::SealError>(())
/// ```
pub fn seal_set(
    key: &CustodyKey,
    salt: [u8; 32],
    origin: &str,
    root: &RootHash,
    set_salt: &[u8; 32],
    ids: &[CustodyId],
) -> Result<Vec<u8>, SealError> {
    if ids.len() as u64 > SET_LIST_MAX {
        return Err(too_long((ids.len() as u64).saturating_mul(ID_BYTES as u64)));
    }
    let mut raw = Zeroizing::new(Vec::with_capacity(ids.len().saturating_add(1).saturating_mul(ID_BYTES)));
    raw.extend_from_slice(set_salt);
    ids.iter().for_each(|id| raw.extend_from_slice(id.as_ref()));
    seal_under(&key.expand(LABEL, &salt), salt, &aad(origin, root), &raw)
}

/// Opens such an object: the salt of the set commitment, and the ids. That they make `root` is for the caller to compare.
///
/// # Errors
/// [`SealError`]; of it [`CborError::KeyOrder`] when the ids do not ascend, as for a set in a private half.
pub fn open_set(
    key: &CustodyKey,
    origin: &str,
    root: &RootHash,
    stored: &[u8],
) -> Result<([u8; 32], Vec<CustodyId>), SealError> {
    let raw = open_under(|salt| key.expand(LABEL, salt), &aad(origin, root), stored)?;
    let (set_salt, ids) = raw.split_first_chunk::<32>().ok_or(SealError::Truncated)?;
    let (ids, rest) = ids.as_chunks::<ID_BYTES>();
    if !rest.is_empty() {
        return Err(CborError::Length.into());
    }
    if !ids.is_sorted_by(|a, b| a < b) {
        return Err(CborError::KeyOrder.into());
    }
    Ok((*set_salt, ids.iter().map(|id| CustodyId::from_bytes(*id)).collect()))
}

fn aad(origin: &str, root: &RootHash) -> Vec<u8> {
    encode(|w| {
        w.array(3);
        w.text(LABEL);
        w.text(origin);
        w.bytes(root.as_ref());
    })
}
