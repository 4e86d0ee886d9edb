//! Several leaves of an RFC 6962 tree proved at once (`docs/format/6-evidence.md` 6.5).

use super::BundleError;
use crate::codec::cbor::{Reader, Writer, encode};
use crate::codec::digest::{LeafHash, RootHash, sha256};
use crate::log::node_hash;

/// FORMAT. Most hashes of one proof.
const HASHES_MAX: usize = 1 << 21;

/// The hashes that lead from the leaves at `known`, ascending, to the root of `size` leaves. `subtree(first, count)` gives
/// roots as for [`crate::log::inclusion_path`]; `None` when it gives none.
///
/// ```
/// use immutape::evidence::bundle::{root_of_set, set_proof};
/// use immutape::log::{leaf_hash, root_of};
/// let leaves = [leaf_hash(b"a"), leaf_hash(b"b"), leaf_hash(b"c")];
/// let roots = |first: u64, count: u64| {
///     let leaves = leaves.get(first as usize..(first + count) as usize)?;
///     Some(*root_of(leaves).as_bytes())
/// };
/// let proof = set_proof(3, &[1], &mut { roots }).unwrap();
/// assert_eq!(root_of_set(3, &[(1, leaves[1])], &proof).unwrap(), root_of(&leaves));
/// ```
pub fn set_proof(
    size: u64,
    known: &[u64],
    subtree: &mut dyn FnMut(u64, u64) -> Option<[u8; 32]>,
) -> Option<Vec<[u8; 32]>> {
    let mut hashes = Vec::new();
    if size > 0 {
        gather(0, size, known, subtree, &mut hashes)?;
    }
    Some(hashes)
}

fn gather(
    first: u64,
    count: u64,
    known: &[u64],
    subtree: &mut dyn FnMut(u64, u64) -> Option<[u8; 32]>,
    hashes: &mut Vec<[u8; 32]>,
) -> Option<()> {
    if known.is_empty() {
        hashes.push(subtree(first, count)?);
        return Some(());
    }
    if count == 1 {
        return Some(());
    }
    let left = half(count);
    let right = first.checked_add(left)?;
    let (before, behind) = known.split_at_checked(known.partition_point(|index| *index < right))?;
    gather(first, left, before, subtree, hashes)?;
    gather(right, count.checked_sub(left)?, behind, subtree, hashes)
}

/// The largest power of two below `count`, which is 2 or more.
const fn half(count: u64) -> u64 {
    1 << 63u32.saturating_sub(count.saturating_sub(1).leading_zeros())
}

/// The root of `size` leaves that these leaves, ascending by index, and hashes lead to.
///
/// # Errors
/// [`BundleError::Proof`] when a hash is missing or left over, or an index lies outside.
pub fn root_of_set(size: u64, known: &[(u64, LeafHash)], hashes: &[[u8; 32]]) -> Result<RootHash, BundleError> {
    let is_ascending = known.is_sorted_by(|a, b| a.0 < b.0);
    if !is_ascending || known.last().is_some_and(|(index, _)| *index >= size) {
        return Err(BundleError::Proof);
    }
    let mut rest = hashes.iter();
    let root = if size == 0 { sha256(b"") } else { join(0, size, known, &mut rest)? };
    if rest.next().is_some() { Err(BundleError::Proof) } else { Ok(RootHash::from_bytes(root)) }
}

fn join(
    first: u64,
    count: u64,
    known: &[(u64, LeafHash)],
    rest: &mut std::slice::Iter<'_, [u8; 32]>,
) -> Result<[u8; 32], BundleError> {
    if known.is_empty() {
        return rest.next().copied().ok_or(BundleError::Proof);
    }
    if count == 1 {
        return known.first().map(|(_, leaf)| *leaf.as_bytes()).ok_or(BundleError::Proof);
    }
    let left = half(count);
    let right = first.checked_add(left).ok_or(BundleError::Proof)?;
    let (before, behind) =
        known.split_at_checked(known.partition_point(|(index, _)| *index < right)).ok_or(BundleError::Proof)?;
    let one = join(first, left, before, rest)?;
    let other = join(right, count.saturating_sub(left), behind, rest)?;
    Ok(node_hash(&one, &other))
}

/// The file.
#[must_use]
pub fn write_set_proof(hashes: &[[u8; 32]]) -> Vec<u8> {
    encode(|w| write_hashes(w, hashes))
}

/// Reads the file.
///
/// # Errors
/// [`BundleError::Cbor`], [`BundleError::Form`].
pub fn read_set_proof(bytes: &[u8]) -> Result<Vec<[u8; 32]>, BundleError> {
    let mut r = Reader::new(bytes);
    let hashes = read_hashes(&mut r)?;
    r.end()?;
    if hashes.len() > HASHES_MAX { Err(BundleError::Form("a set proof of more than 2^21 hashes")) } else { Ok(hashes) }
}

pub(super) fn write_hashes(w: &mut Writer, hashes: &[[u8; 32]]) {
    w.array(hashes.len());
    hashes.iter().for_each(|hash| w.bytes(hash));
}

pub(super) fn read_hashes(r: &mut Reader<'_>) -> Result<Vec<[u8; 32]>, BundleError> {
    let count = r.array()?;
    (0..count).map(|_| Ok(r.bytes_n()?)).collect()
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use super::*;
    use crate::log::{leaf_hash, root_of};

    fn tree(size: u64) -> Vec<LeafHash> {
        (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    fn proof(leaves: &[LeafHash], known: &[u64]) -> Vec<[u8; 32]> {
        set_proof(leaves.len() as u64, known, &mut |first, count| {
            leaves.get(first as usize..(first + count) as usize).map(|part| *root_of(part).as_bytes())
        })
        .unwrap()
    }

    #[test]
    fn every_set_of_leaves_of_small_trees() {
        let mut proved = 0;
        for size in 0..=9u64 {
            let leaves = tree(size);
            for set in 0..1u64 << size {
                let known: Vec<u64> = (0..size).filter(|n| set & 1 << n != 0).collect();
                let hashes = proof(&leaves, &known);
                let with: Vec<_> = known.iter().map(|n| (*n, leaves[*n as usize])).collect();
                assert_eq!(root_of_set(size, &with, &hashes).unwrap(), root_of(&leaves), "{size} {known:?}");
                assert_eq!(read_set_proof(&write_set_proof(&hashes)).unwrap(), hashes);
                // One hash more, one less, one leaf moved: none of them leads there.
                let longer = [hashes.as_slice(), &[[0; 32]]].concat();
                assert_eq!(root_of_set(size, &with, &longer), Err(BundleError::Proof));
                if let Some((_, shorter)) = hashes.split_last() {
                    assert_eq!(root_of_set(size, &with, shorter), Err(BundleError::Proof));
                }
                if let Some((last, front)) = with.split_last() {
                    let moved = [front, &[(last.0 + 1, last.1)]].concat();
                    assert_ne!(root_of_set(size, &moved, &hashes).ok(), Some(root_of(&leaves)));
                    let other = [front, &[(last.0, leaf_hash(b"other"))]].concat();
                    assert_ne!(root_of_set(size, &other, &hashes).unwrap(), root_of(&leaves));
                }
                proved += 1;
            }
        }
        assert_eq!(proved, 1_023);
    }

    #[test]
    fn what_is_no_proof() {
        let leaves = tree(4);
        let twice = [(1, leaves[1]), (1, leaves[1])];
        assert_eq!(root_of_set(4, &twice, &proof(&leaves, &[1])), Err(BundleError::Proof));
        assert!(matches!(read_set_proof(&[0x81, 0x41, 0]), Err(BundleError::Cbor(_))));
        assert!(matches!(read_set_proof(&[0x80, 0]), Err(BundleError::Cbor(_))));
        let many = write_set_proof(&vec![[0; 32]; HASHES_MAX + 1]);
        assert!(matches!(read_set_proof(&many), Err(BundleError::Form(_))));
    }
}
