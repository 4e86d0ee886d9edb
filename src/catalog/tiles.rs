//! Tree hashes in rows: tiles of C2SP tlog-tiles, each cut into two rows of 128 hashes.

use super::keys;
use crate::codec::digest::{LeafHash, RootHash, sha256};
use crate::error::{Code, Error, Result};
use crate::log::Frontier;
use crate::store::{Batch, Rows};

const ROW_HASHES: u64 = 128;
const TILE_HASHES: u64 = 256;
const TILE_HEIGHT: u32 = 8;

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

/// Hash `i` of a level.
fn hash_at(rows: &dyn Rows, level: u8, i: u64) -> Result<[u8; 32]> {
    let row = read_row(rows, level, i.wrapping_div(ROW_HASHES))?;
    let at = usize::try_from(i % ROW_HASHES).unwrap_or(0).saturating_mul(32);
    row.get(at..).and_then(<[u8]>::first_chunk::<32>).copied().ok_or_else(missing)
}

/// Root of the perfect subtree of `2^height` leaves that starts at leaf `first`.
fn perfect(rows: &dyn Rows, first: u64, height: u32) -> Result<[u8; 32]> {
    let level = height.wrapping_div(8);
    let hashes = 1u64 << (height % 8);
    let start = first >> (level.saturating_mul(8));
    let mut fold = Frontier::new();
    for i in start..start.saturating_add(hashes) {
        fold.push(&LeafHash::from_bytes(hash_at(rows, u8::try_from(level).unwrap_or(u8::MAX), i)?));
    }
    Ok(*fold.root().as_bytes())
}

/// Root over the first `size` leaves, from rows.
///
/// # Errors
/// `E_ROWS_UNAVAILABLE`.
pub fn root_at(rows: &dyn Rows, size: u64) -> Result<RootHash> {
    if size == 0 {
        return Ok(RootHash::from_bytes(sha256(b"")));
    }
    let (mut subtrees, mut first) = (Vec::new(), 0u64);
    for height in (0..64u32).rev().filter(|h| size >> h & 1 == 1) {
        subtrees.push(perfect(rows, first, height)?);
        first = first.saturating_add(1u64 << height);
    }
    let frontier = Frontier::from_parts(size, subtrees);
    frontier.map(|f| f.root()).ok_or_else(|| Error::new(Code::Internal, "one subtree for each bit of the size"))
}
