//! RFC 6962 trees: roots, paths of RFC 9162, and the set proof of 6-evidence, section 6.5.

use crate::digest::{Hash, Hasher, hash};
use crate::error::{Refused, Result, ensure, refuse};
use alloc::vec::Vec;

/// Hash of a leaf.
#[must_use]
pub fn leaf(data: &[u8]) -> Hash {
    let mut hasher = Hasher::new();
    hasher.add(&[0]);
    hasher.add(data);
    hasher.done()
}

/// Hash of an inner node.
#[must_use]
pub fn node(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Hasher::new();
    hasher.add(&[1]);
    hasher.add(left);
    hasher.add(right);
    hasher.done()
}

/// Root of a tree without leaves.
#[must_use]
pub fn empty() -> Hash {
    hash(b"")
}

/// A tree that grows to the right; kept are the roots of its full subtrees.
#[derive(Clone, Default)]
pub struct Frontier {
    size: u64,
    full: Vec<(u8, Hash)>,
}

impl Frontier {
    /// A tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many leaves it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// One leaf more, by its hash.
    pub fn push(&mut self, leaf: Hash) {
        self.push_full(0, leaf);
    }

    /// A full subtree of 2^level leaves more. It has to stand where such a subtree may.
    fn push_full(&mut self, level: u8, root: Hash) {
        let (mut level, mut root) = (level, root);
        self.size = self.size.saturating_add(1_u64.checked_shl(u32::from(level)).unwrap_or(0));
        while let Some((last, left)) = self.full.last() {
            if *last != level {
                break;
            }
            root = node(left, &root);
            level = level.saturating_add(1);
            self.full.pop();
        }
        self.full.push((level, root));
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut parts = self.full.iter().rev().map(|(_, root)| *root);
        let Some(last) = parts.next() else { return empty() };
        parts.fold(last, |right, left| node(&left, &right))
    }

    /// The root with another subtree at the right edge of all, however many leaves that has.
    fn root_with(&self, last: Hash) -> Hash {
        self.full.iter().rev().fold(last, |right, (_, left)| node(left, &right))
    }
}

/// Root that a path leads to from a leaf (RFC 9162, section 2.1.3.2).
///
/// # Errors
/// An index past the end, a hash too many or too few.
pub fn path_root(leaf: &Hash, index: u64, size: u64, path: &[Hash]) -> Result<Hash> {
    ensure(index < size, "an index past the end of the tree")?;
    let (mut at, mut last, mut root) = (index, size.saturating_sub(1), *leaf);
    for hash in path {
        ensure(last != 0, "a hash too many in a path")?;
        if at & 1 == 1 || at == last {
            root = node(hash, &root);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            root = node(&root, hash);
        }
        at >>= 1;
        last >>= 1;
    }
    ensure(last == 0, "a hash too few in a path")?;
    Ok(root)
}

/// Checks that a tree goes on from a smaller one (RFC 9162, section 2.1.4.2). A tree without leaves is the front of each.
///
/// # Errors
/// Hashes that lead elsewhere, too many or too few.
pub fn consistent(old: (u64, &Hash), new: (u64, &Hash), path: &[Hash]) -> Result<()> {
    const OTHER: &str = "the hashes do not lead from one tree to the other";
    ensure(old.0 <= new.0, "the older tree is the larger one")?;
    if old.0 == new.0 || old.0 == 0 {
        ensure(path.is_empty(), "hashes between trees that need none")?;
        let root = if old.0 == 0 { empty() } else { *new.1 };
        return ensure(*old.1 == root && (new.0 > 0 || *new.1 == empty()), OTHER);
    }
    let mut hashes = path.iter();
    let mut next = || hashes.next().copied().ok_or(Refused("a hash too few between two trees"));
    let (mut at, mut last) = (old.0.saturating_sub(1), new.0.saturating_sub(1));
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let first = if old.0.is_power_of_two() { *old.1 } else { next()? };
    let (mut before, mut after) = (first, first);
    while last != 0 {
        if at & 1 == 1 || at == last {
            if at == 0 && last == 0 {
                break;
            }
            let hash = next()?;
            before = node(&hash, &before);
            after = node(&hash, &after);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            after = node(&after, &next()?);
        }
        at >>= 1;
        last >>= 1;
    }
    ensure(hashes.next().is_none(), "a hash too many between two trees")?;
    ensure(before == *old.1 && after == *new.1, OTHER)
}

/// Walks a set proof from left to right: known leaves are given in ascending order, all else comes out of its hashes.
pub struct SetWalk<I> {
    hashes: I,
    size: u64,
    done: Frontier,
}

impl<I: Iterator<Item = Hash>> SetWalk<I> {
    /// A walk over a tree of so many leaves.
    pub fn new(size: u64, hashes: I) -> Self {
        Self { hashes, size, done: Frontier::new() }
    }

    fn next_hash(&mut self) -> Result<Hash> {
        self.hashes.next().ok_or(Refused("a hash too few in a set proof"))
    }

    /// A known leaf, at a place behind all places before.
    ///
    /// # Errors
    /// A place that is not in the tree or was passed, a hash too few.
    pub fn leaf(&mut self, place: u64, leaf: Hash) -> Result<()> {
        ensure(place >= self.done.size && place < self.size, "a leaf out of its place")?;
        while self.done.size < place {
            let level = widest(self.done.size, place);
            let hash = self.next_hash()?;
            self.done.push_full(level, hash);
        }
        self.done.push(leaf);
        Ok(())
    }

    /// The root, when all known leaves were given.
    ///
    /// # Errors
    /// A hash too few or too many.
    pub fn finish(mut self) -> Result<Hash> {
        let mut root = None;
        while root.is_none() && self.done.size < self.size {
            let at = self.done.size;
            let hash = self.next_hash()?;
            if on_right_edge(at, self.size) {
                root = Some(self.done.root_with(hash));
            } else {
                self.done.push_full(widest(at, self.size), hash);
            }
        }
        if self.hashes.next().is_some() {
            return refuse("a hash too many in a set proof");
        }
        Ok(root.unwrap_or_else(|| self.done.root()))
    }
}

/// Level of the widest full subtree that begins at `at` and ends at `to` or before.
fn widest(at: u64, to: u64) -> u8 {
    let room = to.saturating_sub(at).checked_ilog2().unwrap_or(0);
    let level = if at == 0 { room } else { room.min(at.trailing_zeros()) };
    u8::try_from(level).unwrap_or(0)
}

/// Whether a node of the tree begins at `at` and holds all that follows.
fn on_right_edge(at: u64, size: u64) -> bool {
    let mut begin = 0_u64;
    while begin < at {
        let rest = size.saturating_sub(begin);
        // The largest power of two below the rest.
        let Some(level) = rest.checked_sub(1).and_then(u64::checked_ilog2) else { return false };
        begin = begin.saturating_add(1_u64.checked_shl(level).unwrap_or(u64::MAX));
    }
    begin == at
}
