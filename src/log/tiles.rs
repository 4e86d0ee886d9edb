//! Where the hashes of a published tree stand: C2SP tlog-tiles.

/// Hashes of one full tile, and entries of one full bundle.
const WIDTH: u64 = 256;
const WIDTH_BITS: u32 = 8;

/// A hash tile, or the bundle of the entries below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// 0 for leaf hashes; a hash of level n is the root over 256^n leaves.
    pub level: u32,
    /// Number within its level.
    pub index: u64,
    /// Hashes in it: 256 when it is full.
    pub width: u32,
}

impl Tile {
    /// Path of a hash tile below the prefix of a log.
    ///
    /// ```
    /// use immutape::log::Tile;
    /// let tile = Tile { level: 0, index: 1_234_067, width: 256 };
    /// assert_eq!(tile.path(), "tile/0/x001/x234/067");
    /// assert_eq!(Tile { level: 1, index: 0, width: 17 }.path(), "tile/1/000.p/17");
    /// ```
    #[must_use]
    pub fn path(&self) -> String {
        format!("tile/{}/{}", self.level, self.place())
    }

    /// Path of the bundle of the same entries; of a tile of level 0.
    #[must_use]
    pub fn bundle_path(&self) -> String {
        format!("tile/entries/{}", self.place())
    }

    /// Is it one that no later entry changes?
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width as u64 == WIDTH
    }

    /// The leaves under its hash number `n`: first leaf and count. `None` past its width, or past 2^64 leaves.
    #[must_use]
    pub fn leaves_under(&self, n: u32) -> Option<(u64, u64)> {
        let bits = self.level.checked_mul(WIDTH_BITS).filter(|bits| *bits < u64::BITS)?;
        let at = self.index.checked_mul(WIDTH)?.checked_add(u64::from(n))?;
        let first = at.checked_shl(bits).filter(|first| first >> bits == at)?;
        (n < self.width).then_some((first, 1u64.checked_shl(bits)?))
    }

    /// Three digits a step, all but the last behind an x.
    fn place(&self) -> String {
        let mut place = format!("{:03}", self.index % 1_000);
        let mut rest = self.index / 1_000;
        while rest > 0 {
            place = format!("x{:03}/{place}", rest % 1_000);
            rest /= 1_000;
        }
        if self.is_full() { place } else { format!("{place}.p/{}", self.width) }
    }
}

/// The tiles of a tree of `new` leaves that a tree of `old` leaves does not have, lowest level first.
///
/// A partial tile of the older tree is not among them; it stays where it is until the full one stands.
/// ```
/// use immutape::log::tiles_between;
/// // 256 leaves: the full tile of leaves, and one hash above it.
/// let paths: Vec<_> = tiles_between(0, 256).map(|t| t.path()).collect();
/// assert_eq!(paths, ["tile/0/000", "tile/1/000.p/1"]);
/// ```
pub fn tiles_between(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    (0..u64::BITS / WIDTH_BITS).flat_map(move |level| {
        let bits = level.saturating_mul(WIDTH_BITS);
        let (had, has) = (old >> bits, new >> bits);
        let first = if had == has { has.div_ceil(WIDTH) } else { had / WIDTH };
        (first..has.div_ceil(WIDTH)).map(move |index| {
            let left = has.saturating_sub(index.saturating_mul(WIDTH)).min(WIDTH);
            Tile { level, index, width: u32::try_from(left).unwrap_or(u32::MAX) }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(old: u64, new: u64) -> Vec<String> {
        tiles_between(old, new).map(|t| t.path()).collect()
    }

    /// The example of the specification: 273 full tiles and one of 112; one full and one of 17; one of 1.
    #[test]
    fn a_tree_of_70_000() {
        let all: Vec<_> = tiles_between(0, 70_000).collect();
        let of = |level| all.iter().filter(|t| t.level == level).copied().collect::<Vec<_>>();
        assert_eq!((of(0).len(), of(1).len(), of(2).len(), all.len()), (274, 2, 1, 277));
        assert_eq!(of(0).last().map(Tile::path).unwrap(), "tile/0/273.p/112");
        assert_eq!(of(1).last().map(Tile::path).unwrap(), "tile/1/001.p/17");
        assert_eq!(of(2).last().map(Tile::path).unwrap(), "tile/2/000.p/1");
        assert_eq!(of(0)[5].bundle_path(), "tile/entries/005");
    }

    #[test]
    fn only_what_a_tree_has_gained() {
        assert_eq!(paths(0, 0), [""; 0]);
        assert_eq!(paths(7, 7), [""; 0]);
        assert_eq!(paths(0, 1), ["tile/0/000.p/1"]);
        assert_eq!(paths(1, 3), ["tile/0/000.p/3"]);
        assert_eq!(paths(255, 257), ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1"]);
        assert_eq!(paths(256, 257), ["tile/0/001.p/1"]);
        assert_eq!(paths(256, 256), [""; 0]);
    }

    #[test]
    fn leaves_under_a_hash() {
        let tile = Tile { level: 1, index: 1, width: 17 };
        assert_eq!(tile.leaves_under(0), Some((65_536, 256)));
        assert_eq!(tile.leaves_under(16), Some((69_632, 256)));
        assert_eq!(tile.leaves_under(17), None);
        assert_eq!(Tile { level: 8, index: 0, width: 1 }.leaves_under(0), None);
        assert_eq!(Tile { level: 7, index: 1, width: 1 }.leaves_under(0), None);
    }
}
