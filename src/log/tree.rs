//! RFC 6962 section 2.1: leaves, nodes, roots and proofs; and the set commitment made of them.

use sha2::{Digest as _, Sha256};

use crate::codec::digest::{LeafHash, RootHash, sha256};

/// `SHA-256(0x00 || d)`.
#[must_use]
pub fn leaf_hash(data: &[u8]) -> LeafHash {
    let mut h = Sha256::new();
    h.update([0]);
    h.update(data);
    LeafHash::from_bytes(h.finalize().into())
}

/// `SHA-256(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut block = [0u8; 65];
    block[0] = 1;
    block[1..33].copy_from_slice(left);
    block[33..].copy_from_slice(right);
    Sha256::digest(block).into()
}

/// The roots of the perfect subtrees along the right edge: all that is needed to append.
///
/// ```
/// use immutape::log::{Frontier, leaf_hash, root_of};
/// let leaves: Vec<_> = (0..7u8).map(|i| leaf_hash(&[i])).collect();
/// let mut frontier = Frontier::new();
/// leaves.iter().for_each(|l| frontier.push(l));
/// assert_eq!(frontier.root(), root_of(&leaves));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// Largest subtree first; one for each set bit of `size`.
    subtrees: Vec<[u8; 32]>,
}

impl Frontier {
    /// Of an empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From stored parts; `None` unless there is one hash for each set bit of `size`.
    #[must_use]
    pub fn from_parts(size: u64, subtrees: Vec<[u8; 32]>) -> Option<Self> {
        (subtrees.len() == size.count_ones() as usize).then_some(Self { size, subtrees })
    }

    /// Number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The subtree roots, largest first.
    #[must_use]
    pub fn subtrees(&self) -> &[[u8; 32]] {
        &self.subtrees
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: &LeafHash) {
        self.push_and_tell(leaf, |_, _| {});
    }

    /// As [`Frontier::push`]; `completed` hears height and root of every perfect subtree that the leaf completes, the
    /// leaf itself first.
    pub fn push_and_tell(&mut self, leaf: &LeafHash, mut completed: impl FnMut(u32, &[u8; 32])) {
        let mut carry = *leaf.as_bytes();
        completed(0, &carry);
        // Each trailing one bit of the size is a perfect subtree that the new leaf completes.
        for height in 1..=self.size.trailing_ones() {
            if let Some(left) = self.subtrees.pop() {
                carry = node_hash(&left, &carry);
                completed(height, &carry);
            }
        }
        self.subtrees.push(carry);
        self.size = self.size.saturating_add(1);
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> RootHash {
        let folded = self.subtrees.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
        RootHash::from_bytes(folded.unwrap_or_else(|| sha256(b"")))
    }
}

/// The root over `leaves`.
#[must_use]
pub fn root_of(leaves: &[LeafHash]) -> RootHash {
    let mut f = Frontier::new();
    leaves.iter().for_each(|l| f.push(l));
    f.root()
}

/// Leaves with the roots of all their full subtrees, so that many paths cost one pass of hashing.
pub(crate) struct Levels(Vec<Vec<[u8; 32]>>);

impl Levels {
    /// Over these leaves.
    pub(crate) fn of(leaves: &[LeafHash]) -> Self {
        let mut levels = vec![leaves.iter().map(|leaf| *leaf.as_bytes()).collect::<Vec<_>>()];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let above = below.chunks_exact(2).filter_map(|pair| Some(node_hash(pair.first()?, pair.last()?))).collect();
            levels.push(above);
        }
        Self(levels)
    }

    /// The root over leaves `first..first+count`, as [`inclusion_path`] asks for it.
    pub(crate) fn subtree(&self, first: u64, count: u64) -> Option<[u8; 32]> {
        if count.is_power_of_two() && first.is_multiple_of(count) {
            let level = self.0.get(usize::try_from(count.trailing_zeros()).ok()?)?;
            return level.get(usize::try_from(first.checked_div(count)?).ok()?).copied();
        }
        let left = split(count.max(2));
        let right = count.checked_sub(left).filter(|right| *right > 0)?;
        Some(node_hash(&self.subtree(first, left)?, &self.subtree(first.checked_add(left)?, right)?))
    }
}

fn split(n: u64) -> u64 {
    // Largest power of two smaller than n, for n >= 2.
    1u64 << (63u32.saturating_sub(n.saturating_sub(1).leading_zeros()))
}

/// Inclusion path of leaf `index` in the tree of the first `size` leaves (RFC 6962 2.1.1).
///
/// `subtree(first, count)` gives the root over leaves `first..first+count`; `count` is a power of two
/// unless the range ends at `size`. `None` when it gives none or `index` lies outside.
pub fn inclusion_path(
    index: u64,
    size: u64,
    subtree: &mut dyn FnMut(u64, u64) -> Option<[u8; 32]>,
) -> Option<Vec<[u8; 32]>> {
    if index >= size {
        return None;
    }
    let (mut first, mut count, mut path) = (0u64, size, Vec::new());
    while count > 1 {
        let k = split(count);
        let right = first.checked_add(k)?;
        if index < right {
            path.push(subtree(right, count.checked_sub(k)?)?);
            count = k;
        } else {
            path.push(subtree(first, k)?);
            first = right;
            count = count.checked_sub(k)?;
        }
    }
    path.reverse();
    Some(path)
}

/// Consistency path between the trees of the first `old` and `new` leaves (RFC 6962 2.1.2); empty for
/// `old` = 0 or `old` = `new`.
pub fn consistency_path(
    old: u64,
    new: u64,
    subtree: &mut dyn FnMut(u64, u64) -> Option<[u8; 32]>,
) -> Option<Vec<[u8; 32]>> {
    if old > new {
        return None;
    }
    let mut path = Vec::new();
    if old == 0 || old == new {
        return Some(path);
    }
    let (mut first, mut m, mut n, mut whole) = (0u64, old, new, true);
    while m != n {
        let k = split(n);
        let right = first.checked_add(k)?;
        if m <= k {
            path.push(subtree(right, n.checked_sub(k)?)?);
            n = k;
        } else {
            path.push(subtree(first, k)?);
            first = right;
            m = m.checked_sub(k)?;
            n = n.checked_sub(k)?;
            whole = false;
        }
    }
    if !whole {
        path.push(subtree(first, m)?);
    }
    path.reverse();
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subtrees_kept_are_those_that_are_hashed_anew() {
        for size in 0..=33u64 {
            let leaves: Vec<_> = (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect();
            let levels = Levels::of(&leaves);
            let anew = |first: u64, count: u64| {
                Some(*root_of(leaves.get(first as usize..(first + count) as usize)?).as_bytes())
            };
            for index in 0..size {
                let kept = inclusion_path(index, size, &mut |first, count| levels.subtree(first, count));
                assert!(kept.is_some());
                assert_eq!(kept, inclusion_path(index, size, &mut { anew }), "{index} of {size}");
            }
            assert_eq!(levels.subtree(0, size), (size > 0).then(|| *root_of(&leaves).as_bytes()));
            assert_eq!(
                (levels.subtree(0, 0), levels.subtree(size, 1), levels.subtree(0, size + 1)),
                (None, None, None)
            );
        }
    }
}
