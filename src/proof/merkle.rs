//! Inclusion and consistency of RFC 6962 trees.

use crate::codec::digest::{LeafHash, RootHash, sha256, sha256_parts};
use crate::log::LogError;

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    sha256_parts(&[&[1], left, right])
}

/// Does `path` lead from `leaf` at `index` to `root` of `size` leaves? (RFC 9162 2.1.3.2)
///
/// # Errors
/// [`LogError::Proof`].
///
/// ```
/// use immutape::log::{leaf_hash, root_of};
/// use immutape::proof::verify_inclusion;
/// let (a, b) = (leaf_hash(b"a"), leaf_hash(b"b"));
/// let root = root_of(&[a, b]);
/// verify_inclusion(&a, 0, 2, &[*b.as_bytes()], &root)?;
/// assert!(verify_inclusion(&a, 1, 2, &[*b.as_bytes()], &root).is_err());
/// # Ok::<(), immutape::log::LogError>(())
/// ```
pub fn verify_inclusion(
    leaf: &LeafHash,
    index: u64,
    size: u64,
    path: &[[u8; 32]],
    root: &RootHash,
) -> Result<(), LogError> {
    if root_from_path(leaf, index, size, path)? == *root { Ok(()) } else { Err(LogError::Proof) }
}

/// The root that `path` leads to from `leaf` at `index` of `size` leaves.
pub(super) fn root_from_path(leaf: &LeafHash, index: u64, size: u64, path: &[[u8; 32]]) -> Result<RootHash, LogError> {
    if index >= size {
        return Err(LogError::Proof);
    }
    let (mut fn_, mut sn, mut r) = (index, size.saturating_sub(1), *leaf.as_bytes());
    for p in path {
        if sn == 0 {
            return Err(LogError::Proof);
        }
        if fn_ & 1 == 1 || fn_ == sn {
            r = node(p, &r);
            while fn_ & 1 == 0 && fn_ != 0 {
                fn_ >>= 1;
                sn >>= 1;
            }
        } else {
            r = node(&r, p);
        }
        fn_ >>= 1;
        sn >>= 1;
    }
    if sn == 0 { Ok(RootHash::from_bytes(r)) } else { Err(LogError::Proof) }
}

/// Is the tree of `new_size` leaves an extension of that of `old_size`? (RFC 9162 2.1.4.2)
///
/// With `old_size` = 0 the path is empty and the old root is that of nothing; with equal sizes the path is empty
/// and the roots are equal.
///
/// # Errors
/// [`LogError::Proof`].
pub fn verify_consistency(
    old_size: u64,
    new_size: u64,
    path: &[[u8; 32]],
    old_root: &RootHash,
    new_root: &RootHash,
) -> Result<(), LogError> {
    let holds = |c: bool| if c { Ok(()) } else { Err(LogError::Proof) };
    if old_size > new_size || (old_size == 0 && *old_root.as_bytes() != sha256(b"")) {
        return Err(LogError::Proof);
    }
    if old_size == new_size {
        return holds(path.is_empty() && old_root == new_root);
    }
    if old_size == 0 {
        return holds(path.is_empty());
    }
    let mut rest = path.iter();
    let (mut fn_, mut sn) = (old_size.saturating_sub(1), new_size.saturating_sub(1));
    let first = if old_size.is_power_of_two() { *old_root.as_bytes() } else { *rest.next().ok_or(LogError::Proof)? };
    while fn_ & 1 == 1 {
        fn_ >>= 1;
        sn >>= 1;
    }
    let (mut fr, mut sr) = (first, first);
    for c in rest {
        if sn == 0 {
            return Err(LogError::Proof);
        }
        if fn_ & 1 == 1 || fn_ == sn {
            fr = node(c, &fr);
            sr = node(c, &sr);
            while fn_ & 1 == 0 && fn_ != 0 {
                fn_ >>= 1;
                sn >>= 1;
            }
        } else {
            sr = node(&sr, c);
        }
        fn_ >>= 1;
        sn >>= 1;
    }
    holds(sn == 0 && fr == *old_root.as_bytes() && sr == *new_root.as_bytes())
}
