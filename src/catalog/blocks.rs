//! Streams of pieces packed into blocks of up to 4,000 bytes: the catalogue, and the log, whose group headers and
//! records make the journal's segments byte for byte.

use super::keys;
use crate::codec::extent::{GROUP_HEADER_BYTES, GroupHeader, extent_bytes, split_record};
use crate::error::{Code, Error, Result};
use crate::store::{Batch, Rows};

const BLOCK_BYTES_MAX: usize = 4_000;
const PIECE_HEAD_BYTES: usize = 5;
const HEADER: u8 = 0;
const RECORD: u8 = 1;
const MORE: u8 = 2;
const LAST: u8 = 3;

/// One piece of the group stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogPiece {
    /// Header of a group.
    Header(Vec<u8>),
    /// Record of one entry: lengths, public and sealed half.
    Record(Vec<u8>),
}

/// Packs pieces into blocks. A block that is not full is written with every batch and again with the next.
#[derive(Debug)]
pub(super) struct BlockWriter {
    row: u8,
    key: Option<(u64, u16)>,
    count: u8,
    bytes: Vec<u8>,
    dirty: bool,
}

impl BlockWriter {
    /// Blocks whose keys begin with `row`.
    pub(super) const fn new(row: u8) -> Self {
        Self { row, key: None, count: 0, bytes: Vec::new(), dirty: false }
    }

    /// Goes on behind the newest block there is: the next one must not take its key.
    pub(super) fn resume(row: u8, rows: &dyn Rows) -> Result<Self> {
        let newest = rows.floor(&keys::block(row, 0, 0), &keys::block(row, u64::MAX, u16::MAX))?;
        let key = newest.map(|(key, _)| block_key(&key).ok_or_else(|| damaged("a block's key"))).transpose()?;
        Ok(Self { key, ..Self::new(row) })
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.key.is_none()
    }

    pub(super) fn header(&mut self, batch: &mut Batch, first_index: u64, bytes: &[u8]) {
        self.push(batch, first_index, HEADER, &[bytes]);
    }

    /// A record, given in parts.
    pub(super) fn record(&mut self, batch: &mut Batch, index: u64, parts: &[&[u8]]) {
        if length(parts).saturating_add(PIECE_HEAD_BYTES).saturating_add(1) <= BLOCK_BYTES_MAX {
            return self.push(batch, index, RECORD, parts);
        }
        self.close(batch);
        let room = BLOCK_BYTES_MAX - PIECE_HEAD_BYTES - 1;
        let bytes = parts.concat();
        let last = bytes.len().div_ceil(room).saturating_sub(1);
        for (n, part) in bytes.chunks(room).enumerate() {
            self.push(batch, index, if n == last { LAST } else { MORE }, &[part]);
            self.close(batch);
        }
    }

    fn push(&mut self, batch: &mut Batch, index: u64, kind: u8, parts: &[&[u8]]) {
        let bytes = length(parts);
        let more = bytes.saturating_add(PIECE_HEAD_BYTES);
        if self.bytes.len().saturating_add(more) > BLOCK_BYTES_MAX || self.count == u8::MAX {
            self.close(batch);
        }
        if self.bytes.is_empty() {
            let part = match self.key {
                Some((i, part)) if i == index => part.saturating_add(1),
                _ => 0,
            };
            self.key = Some((index, part));
            self.count = 0;
            self.bytes.reserve(BLOCK_BYTES_MAX);
            self.bytes.push(0);
        }
        self.count = self.count.saturating_add(1);
        self.bytes.push(kind);
        self.bytes.extend_from_slice(&u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes());
        parts.iter().for_each(|part| self.bytes.extend_from_slice(part));
        self.dirty = true;
    }

    /// Nothing more goes into the present block: its bytes need no copy.
    fn close(&mut self, batch: &mut Batch) {
        let bytes = std::mem::take(&mut self.bytes);
        self.write(batch, bytes);
    }

    /// Writes the block as it stands.
    pub(super) fn flush(&mut self, batch: &mut Batch) {
        if self.dirty {
            let bytes = self.bytes.clone();
            self.write(batch, bytes);
        }
    }

    fn write(&mut self, batch: &mut Batch, mut bytes: Vec<u8>) {
        if let (true, Some((index, part)), Some(first)) = (self.dirty, self.key, bytes.first_mut()) {
            *first = self.count;
            batch.puts.push((keys::block(self.row, index, part), bytes));
            self.dirty = false;
        }
    }
}

fn length(parts: &[&[u8]]) -> usize {
    parts.iter().map(|part| part.len()).sum()
}

fn block_key(key: &[u8]) -> Option<(u64, u16)> {
    let (index, part) = key.get(1..)?.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*index), u16::from_be_bytes(part.try_into().ok()?)))
}

/// Gives the pieces of one stream from the block that holds what begins at `index`, in order, until `each` has enough.
pub(super) fn pieces_from(
    rows: &dyn Rows,
    row: u8,
    index: u64,
    each: &mut dyn FnMut(LogPiece) -> Result<bool>,
) -> Result<()> {
    let floor = rows.floor(&keys::block(row, 0, 0), &keys::block(row, index, 0))?;
    // A long record begins in part 0 of its index or later, never earlier.
    let first = floor.and_then(|(key, _)| block_key(&key)).map_or(0, |(index, _)| index);
    let mut reader = BlockReader::default();
    rows.scan(&keys::block(row, first, 0), &[row.saturating_add(1)], &mut |_, value| reader.block(value, each))
}

fn damaged(what: &'static str) -> Error {
    Error::new(Code::RowsUnavailable, format!("the log's copy in sled is damaged: {what}"))
}

/// Takes blocks in order, gives whole pieces.
#[derive(Debug, Default)]
struct BlockReader {
    partial: Vec<u8>,
}

impl BlockReader {
    fn block(&mut self, value: &[u8], each: &mut dyn FnMut(LogPiece) -> Result<bool>) -> Result<bool> {
        let (count, mut rest) = value.split_first().ok_or_else(|| damaged("an empty block"))?;
        for _ in 0..*count {
            let (kind, after) = rest.split_first().ok_or_else(|| damaged("a block is cut off"))?;
            let (len, after) = after.split_first_chunk::<4>().ok_or_else(|| damaged("a block is cut off"))?;
            let (bytes, after) = after
                .split_at_checked(u32::from_be_bytes(*len) as usize)
                .ok_or_else(|| damaged("a piece is cut off"))?;
            rest = after;
            let piece = match *kind {
                HEADER => LogPiece::Header(bytes.to_vec()),
                RECORD => LogPiece::Record(bytes.to_vec()),
                MORE => {
                    self.partial.extend_from_slice(bytes);
                    continue;
                }
                LAST => {
                    self.partial.extend_from_slice(bytes);
                    LogPiece::Record(std::mem::take(&mut self.partial))
                }
                _ => return Err(damaged("a piece of unknown kind")),
            };
            if !each(piece)? {
                return Ok(false);
            }
        }
        if rest.is_empty() { Ok(true) } else { Err(damaged("bytes are left over in a block")) }
    }
}

/// Puts pieces together into whole extents, in order; each is given to `each`.
///
/// # Errors
/// `E_ROWS_UNAVAILABLE` when the pieces do not make whole groups; errors of `each`.
pub fn pieces_to_extents(
    scan: &mut dyn FnMut(&mut dyn FnMut(LogPiece) -> Result<bool>) -> Result<()>,
    each: &mut dyn FnMut(GroupHeader, Vec<u8>) -> Result<()>,
) -> Result<()> {
    let mut group: Option<(GroupHeader, u32, Vec<u8>)> = None;
    scan(&mut |piece| {
        match (piece, group.as_mut()) {
            (LogPiece::Header(bytes), None) => {
                let header = GroupHeader::parse(&bytes).map_err(|e| damaged("a group header").with_source(e))?;
                group = Some((header, 0, bytes));
            }
            (LogPiece::Record(bytes), Some((header, count, out))) => {
                split_record(&bytes).ok_or_else(|| damaged("a record"))?;
                out.extend_from_slice(&bytes);
                *count = count.saturating_add(1);
                if *count == header.count {
                    let Some((header, _, mut out)) = group.take() else { return Ok(true) };
                    let body = (out.len() as u64).saturating_sub(GROUP_HEADER_BYTES as u64);
                    out.resize(usize::try_from(extent_bytes(body)).unwrap_or(usize::MAX), 0);
                    each(header, out)?;
                }
            }
            _ => return Err(damaged("pieces are out of order")),
        }
        Ok(true)
    })?;
    if group.is_none() { Ok(()) } else { Err(damaged("the last group is not whole")) }
}
