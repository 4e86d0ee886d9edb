//! Tree hashes in rows: tiles of C2SP tlog-tiles, each cut into two rows of 128 hashes.

use super::keys;
use crate::codec::digest::{LeafHash, RootHash, sha256};
use crate::error::{Code, Error, Result};
use crate::evidence::bundle::set_proof;
use crate::log::{Frontier, Tile, consistency_path, inclusion_path};
use crate::store::{Batch, Rows};

const ROW_HASHES: u64 = 128;
const TILE_HASHES: u64 = 256;
const TILE_HEIGHT: u32 = 8;
const HASH_BYTES: usize = 32;

/// One level of tiles, with the row at its right edge.
#[derive(Debug, Clone, Default)]
struct Level {
    count: u64,
    row: Vec<u8>,
    dirty: bool,
}

/// Takes the hashes that a growing tree completes and keeps every level's right edge.
#[derive(Debug, Clone, Default)]
pub(super) struct TileWriter {
    levels: Vec<Level>,
}

impl TileWriter {
    /// The right edge of a tree of `size` leaves, read back from rows.
    pub(super) fn load(rows: &dyn Rows, size: u64) -> Result<Self> {
        let mut levels = Vec::new();
        let mut count = size;
        while count > 0 {
            let n = u8::try_from(levels.len()).unwrap_or(u8::MAX);
            let in_row = count % ROW_HASHES;
            let row = if in_row == 0 { Vec::new() } else { read_row(rows, n, count.wrapping_div(ROW_HASHES))? };
            levels.push(Level { count, row, dirty: false });
            count = count.wrapping_div(TILE_HASHES);
        }
        Ok(Self { levels })
    }

    /// Takes what [`Frontier::push_and_tell`] tells.
    pub(super) fn completed(&mut self, batch: &mut Batch, height: u32, hash: &[u8; 32]) {
        if !height.is_multiple_of(TILE_HEIGHT) {
            return;
        }
        let n = height.wrapping_div(TILE_HEIGHT) as usize;
        if self.levels.len() == n {
            self.levels.push(Level::default());
        }
        let Some(level) = self.levels.get_mut(n) else { return };
        level.row.extend_from_slice(hash);
        level.count = level.count.saturating_add(1);
        level.dirty = true;
        if level.count.is_multiple_of(ROW_HASHES) {
            level.flush(batch, n);
            level.row.clear();
        }
    }

    pub(super) fn flush(&mut self, batch: &mut Batch) {
        for (n, level) in self.levels.iter_mut().enumerate() {
            level.flush(batch, n);
        }
    }
}

/// Compares the tree hashes in rows with leaves given in order.
#[derive(Default)]
pub struct TilesCheck {
    tree: Frontier,
    writer: TileWriter,
    batch: Batch,
}

impl TilesCheck {
    /// Takes the next leaf; are the rows that it completes right?
    ///
    /// # Errors
    /// `E_ROWS_UNAVAILABLE`, here and below.
    pub fn push(&mut self, rows: &dyn Rows, leaf: &LeafHash) -> Result<bool> {
        let (writer, batch) = (&mut self.writer, &mut self.batch);
        self.tree.push_and_tell(leaf, |height, hash| writer.completed(batch, height, hash));
        self.compare(rows, false)
    }

    /// Is the right edge right? Rows that are still written to may know later leaves than were given.
    pub fn finish(mut self, rows: &dyn Rows, may_go_on: bool) -> Result<bool> {
        self.writer.flush(&mut self.batch);
        self.compare(rows, may_go_on)
    }

    fn compare(&mut self, rows: &dyn Rows, may_go_on: bool) -> Result<bool> {
        for (key, hashes) in self.batch.puts.drain(..) {
            if !rows.get(&key)?.is_some_and(|row| row == hashes || (may_go_on && row.starts_with(&hashes))) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Level {
    fn flush(&mut self, batch: &mut Batch, n: usize) {
        if self.dirty && !self.row.is_empty() {
            let row = self.count.saturating_sub(1).wrapping_div(ROW_HASHES);
            batch.puts.push((keys::tile(u8::try_from(n).unwrap_or(u8::MAX), row), self.row.clone()));
            self.dirty = false;
        }
    }
}

fn missing() -> Error {
    Error::new(Code::RowsUnavailable, "a tile of tree hashes is missing in sled")
}

fn read_row(rows: &dyn Rows, level: u8, n: u64) -> Result<Vec<u8>> {
    rows.get(&keys::tile(level, n))?.ok_or_else(missing)
}

/// Root of the perfect subtree of `2^height` leaves that starts at leaf `first`.
fn perfect(rows: &dyn Rows, first: u64, height: u32) -> Result<[u8; 32]> {
    let level = height.wrapping_div(8);
    let hashes = 1u64 << (height % 8);
    let start = first >> (level.saturating_mul(8));
    // At most 128 hashes that begin at a multiple of their number: they stand in one row.
    let row = read_row(rows, u8::try_from(level).unwrap_or(u8::MAX), start.wrapping_div(ROW_HASHES))?;
    let at = usize::try_from(start % ROW_HASHES).unwrap_or(0).saturating_mul(HASH_BYTES);
    let bytes = usize::try_from(hashes).unwrap_or(0).saturating_mul(HASH_BYTES);
    let held = row.get(at..at.saturating_add(bytes)).ok_or_else(missing)?;
    let mut fold = Frontier::new();
    for hash in held.as_chunks::<HASH_BYTES>().0 {
        fold.push(&LeafHash::from_bytes(*hash));
    }
    Ok(*fold.root().as_bytes())
}

/// Root over the leaves `first..first + count`, where the range is one that RFC 6962 splits a tree into.
fn range_root(rows: &dyn Rows, first: u64, count: u64) -> Result<[u8; 32]> {
    let (mut subtrees, mut at) = (Vec::new(), first);
    for height in (0..u64::BITS).rev().filter(|h| count >> h & 1 == 1) {
        subtrees.push(perfect(rows, at, height)?);
        at = at.saturating_add(1u64 << height);
    }
    let frontier = Frontier::from_parts(count, subtrees);
    frontier.map(|f| *f.root().as_bytes()).ok_or_else(unmatched)
}

fn unmatched() -> Error {
    Error::new(Code::Internal, "one subtree for each bit of the size")
}

/// Inclusion path of a leaf in the tree of the first `size` leaves (RFC 6962 2.1.1), from rows.
///
/// # Errors
/// `E_ROWS_UNAVAILABLE`.
pub fn inclusion(rows: &dyn Rows, index: u64, size: u64) -> Result<Vec<[u8; 32]>> {
    path(|subtree| inclusion_path(index, size, subtree), rows)
}

/// Consistency path between the trees of the first `old` and `new` leaves (RFC 6962 2.1.2), from rows.
///
/// # Errors
/// `E_ROWS_UNAVAILABLE`.
pub fn consistency(rows: &dyn Rows, old: u64, new: u64) -> Result<Vec<[u8; 32]>> {
    path(|subtree| consistency_path(old, new, subtree), rows)
}

/// Set proof of several leaves of the first `size`, ascending (`docs/format/6-evidence.md` 6.5), from rows.
///
/// # Errors
/// `E_ROWS_UNAVAILABLE`.
pub fn set_of(rows: &dyn Rows, known: &[u64], size: u64) -> Result<Vec<[u8; 32]>> {
    path(|subtree| set_proof(size, known, subtree), rows)
}

/// The hashes under a tile.
///
/// # Errors
/// `E_ROWS_UNAVAILABLE`.
pub fn tile_hashes(rows: &dyn Rows, tile: &Tile) -> Result<Vec<[u8; 32]>> {
    let level = u8::try_from(tile.level).map_err(|_| missing())?;
    let mut hashes = Vec::new();
    for row in 0..TILE_HASHES.wrapping_div(ROW_HASHES) {
        let left = usize::try_from(tile.width).unwrap_or(usize::MAX).saturating_sub(hashes.len());
        if left == 0 {
            break;
        }
        let row =
            tile.index.checked_mul(TILE_HASHES / ROW_HASHES).and_then(|n| n.checked_add(row)).ok_or_else(missing)?;
        let held = read_row(rows, level, row)?;
        hashes.extend(held.as_chunks::<HASH_BYTES>().0.iter().take(left));
    }
    if hashes.len() == tile.width as usize { Ok(hashes) } else { Err(missing()) }
}

/// Runs a path of the log's over subtrees from rows; the first fault of the rows is the answer.
fn path(
    make: impl FnOnce(&mut dyn FnMut(u64, u64) -> Option<[u8; 32]>) -> Option<Vec<[u8; 32]>>,
    rows: &dyn Rows,
) -> Result<Vec<[u8; 32]>> {
    let mut fault = None;
    let made = make(&mut |first, count| match range_root(rows, first, count) {
        Ok(root) => Some(root),
        Err(e) => {
            fault = Some(e);
            None
        }
    });
    match (made, fault) {
        (_, Some(e)) => Err(e),
        (Some(path), None) => Ok(path),
        (None, None) => Err(Error::new(Code::Usage, "a leaf or a size outside the tree")),
    }
}

/// Root over the first `size` leaves, from rows.
///
/// # Errors
/// `E_ROWS_UNAVAILABLE`.
pub fn root_at(rows: &dyn Rows, size: u64) -> Result<RootHash> {
    if size == 0 {
        return Ok(RootHash::from_bytes(sha256(b"")));
    }
    range_root(rows, 0, size).map(RootHash::from_bytes)
}
