//! One segment file: its header, the groups that follow it, and where it holds zeros.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::shelf::{Shelf, damaged, newer_format};
use crate::codec::digest::GroupHash;
use crate::codec::extent::{ExtentError, GROUP_HEADER_BYTES, Group, GroupHeader, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::codec::limits::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use crate::error::Result;
use crate::store::files::File;

/// Groups begin here.
pub(super) const FIRST_OFFSET: u64 = SEGMENT_HEADER_BYTES as u64;
/// Piece in which a walk over group headers reads; groups longer than this are stepped over.
const WALK_BYTES: usize = 64 << 10;
/// Groups in so many bytes before the end are checked whole.
const CHECKED_BYTES: u64 = 4 << 20;
/// Piece in which zeros are looked for: one that stays in a core's cache.
const SCAN_BYTES: usize = 128 << 10;
const BLOCK: usize = 4096;
static ZEROS: [u8; BLOCK] = [0; BLOCK];

/// A segment file held open.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub number: u64,
    pub file: Arc<dyn File>,
    /// Length of the file.
    pub bytes: u64,
    /// `None` while the first sector is zero: not begun, or begun in a write that was torn.
    pub header: Option<SegmentHeader>,
}

impl Segment {
    /// `None` when there is no such file.
    pub fn open(shelf: &Shelf, number: u64, write: bool) -> Result<Option<Self>> {
        Self::open_at(shelf, &shelf.path(number), number, write)
    }

    /// The segment in a file that may have another name than its number.
    pub fn open_at(shelf: &Shelf, path: &Path, number: u64, write: bool) -> Result<Option<Self>> {
        let file = match shelf.files.open(path, write) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(shelf.io("open", number, e)),
        };
        let bytes = file.len().map_err(|e| shelf.io("measure", number, e))?;
        if !is_segment_length(bytes) {
            return Err(damaged(number, bytes, "the file has a length that no segment has"));
        }
        let mut segment = Self { number, file, bytes, header: None };
        segment.header = segment.parse_header(shelf)?;
        Ok(Some(segment))
    }

    fn parse_header(&self, shelf: &Shelf) -> Result<Option<SegmentHeader>> {
        let sector = self.read(shelf, 0, SEGMENT_HEADER_BYTES)?;
        if is_zero(&sector) {
            return Ok(None);
        }
        let header = match SegmentHeader::parse(&sector) {
            Ok(header) => header,
            Err(ExtentError::NewerFormat) => return Err(newer_format(self.number, 0)),
            Err(e) => return Err(damaged(self.number, 0, format_args!("segment header: {e}"))),
        };
        if header.segment != self.number {
            return Err(damaged(self.number, 8, format_args!("the header is that of segment {}", header.segment)));
        }
        if header.file_bytes != self.bytes {
            let why = format!("the file has {} bytes, its header says {}", self.bytes, header.file_bytes);
            return Err(damaged(self.number, 16, why));
        }
        if shelf.origin.is_some_and(|origin| origin != header.origin) {
            return Err(damaged(self.number, 120, "the segment belongs to another ledger"));
        }
        if header.segment == 1 && (header.previous_end, header.dropped_bytes) != (0, 0) {
            return Err(damaged(1, 72, "the first segment names bytes of a segment before it"));
        }
        Ok(Some(header))
    }

    /// Up to `length` bytes; fewer at the end of the file.
    pub fn read(&self, shelf: &Shelf, offset: u64, length: usize) -> Result<Vec<u8>> {
        let room = usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut out = vec![0; length.min(room)];
        let got = self.file.read_at(offset, &mut out).map_err(|e| shelf.io("read", self.number, e))?;
        out.truncate(got);
        Ok(out)
    }

    /// First and last byte in `from..to` that are not zero.
    pub fn nonzero(&self, shelf: &Shelf, from: u64, to: u64) -> Result<Option<(u64, u64)>> {
        let mut found: Option<(u64, u64)> = None;
        let mut at = from;
        let mut buffer = vec![0; SCAN_BYTES.min(usize::try_from(to.saturating_sub(from)).unwrap_or(SCAN_BYTES))];
        while at < to {
            let wanted = usize::try_from(to.saturating_sub(at)).unwrap_or(usize::MAX).min(buffer.len());
            let piece = buffer.get_mut(..wanted).unwrap_or_default();
            let got = self.file.read_at(at, piece).map_err(|e| shelf.io("read", self.number, e))?;
            for (block, bytes) in piece.get(..got).unwrap_or_default().chunks(BLOCK).enumerate() {
                if is_zero(bytes) {
                    continue;
                }
                let start = at.saturating_add((block as u64).saturating_mul(BLOCK as u64));
                let place = |index: Option<usize>| start.saturating_add(index.unwrap_or(0) as u64);
                let last = place(bytes.iter().rposition(|b| *b != 0));
                let first = found.map_or_else(|| place(bytes.iter().position(|b| *b != 0)), |(first, _)| first);
                found = Some((first, last));
            }
            if got < wanted {
                break;
            }
            at = at.saturating_add(got as u64);
        }
        Ok(found)
    }

    /// Follows the chain of group headers from the segment's header as far as it holds, and checks the
    /// hashes over the last groups.
    ///
    /// Earlier hashes are left to a full check: those groups were durable before the next was
    /// written, so a crash cannot have torn them.
    ///
    /// # Errors
    /// `E_LOG_DAMAGED` when one of the last groups, other than the very last, is not whole.
    pub fn walk(&self, shelf: &Shelf) -> Result<Walk> {
        let Some(header) = self.header else {
            return Ok(Walk { last: None, end: 0 });
        };
        let mut window = Window::new(WALK_BYTES);
        let mut next = Next::after_header(&header);
        let mut recent = VecDeque::new();
        let mut recent_bytes = 0_u64;
        while let Some(group) = next.header_at(shelf, self, &mut window)? {
            next = Next::after(&group);
            recent_bytes = recent_bytes.saturating_add(group.extent_bytes());
            recent.push_back(group);
            while recent_bytes > CHECKED_BYTES && recent.len() > 2 {
                let oldest = recent.pop_front().map_or(0, |group: GroupHeader| group.extent_bytes());
                recent_bytes = recent_bytes.saturating_sub(oldest);
            }
        }
        let mut end = next.offset;
        if let Some(last) = recent.back().copied()
            && !self.is_whole(shelf, &last)?
        {
            end = last.offset;
            recent.pop_back();
        }
        for group in recent.iter().take(recent.len().saturating_sub(usize::from(end == next.offset))) {
            if !self.is_whole(shelf, group)? {
                return Err(damaged(self.number, group.offset, "the hash over the group differs"));
            }
        }
        Ok(Walk { last: recent.back().copied(), end })
    }

    fn is_whole(&self, shelf: &Shelf, group: &GroupHeader) -> Result<bool> {
        Ok(Group::parse(&self.extent(shelf, group)?).is_ok())
    }

    /// The bytes of a group that was found here.
    pub fn extent(&self, shelf: &Shelf, group: &GroupHeader) -> Result<Vec<u8>> {
        self.read(shelf, group.offset, usize::try_from(group.extent_bytes()).unwrap_or(usize::MAX))
    }
}

/// What a walk found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk {
    /// The last whole group.
    pub last: Option<GroupHeader>,
    /// Where it ends; the first offset when there is none; 0 when the segment has no header.
    pub end: u64,
}

/// What the next group must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Next {
    pub segment: u64,
    pub offset: u64,
    pub previous: GroupHash,
    pub index: u64,
    /// The least term it may have.
    pub term: u64,
    /// The group before says "closed in order".
    pub closed: bool,
}

impl Next {
    pub fn after(group: &GroupHeader) -> Self {
        Self {
            segment: group.segment,
            offset: group.offset.saturating_add(group.extent_bytes()),
            previous: group.hash,
            index: group.size_after(),
            term: group.term,
            closed: group.clean_close(),
        }
    }

    pub fn after_header(header: &SegmentHeader) -> Self {
        Self {
            segment: header.segment,
            offset: FIRST_OFFSET,
            previous: header.previous_group,
            index: header.first_index,
            term: header.term,
            closed: false,
        }
    }

    pub fn is(&self, group: &GroupHeader) -> bool {
        (group.segment, group.offset, group.previous_group, group.first_index)
            == (self.segment, self.offset, self.previous, self.index)
            && group.term >= self.term
    }

    /// Does a segment header name the group before this one?
    pub fn is_named_by(&self, header: &SegmentHeader) -> bool {
        (header.previous_group, header.first_index) == (self.previous, self.index) && header.term >= self.term
    }

    fn header_at(&self, shelf: &Shelf, segment: &Segment, window: &mut Window) -> Result<Option<GroupHeader>> {
        match GroupHeader::parse(window.get(shelf, segment, self.offset, GROUP_HEADER_BYTES)?) {
            Ok(group) if self.is(&group) && Self::after(&group).offset <= segment.bytes => Ok(Some(group)),
            Err(ExtentError::NewerFormat) => Err(newer_format(segment.number, self.offset)),
            _ => Ok(None),
        }
    }
}

/// A piece of a segment in memory, so that a walk does not ask the system for every group.
#[derive(Debug)]
pub(super) struct Window {
    step: usize,
    start: u64,
    filled: usize,
    buffer: Vec<u8>,
}

impl Window {
    pub const fn new(step: usize) -> Self {
        Self { step, start: 0, filled: 0, buffer: Vec::new() }
    }

    /// Forgets what was read: the file may have grown since.
    pub const fn clear(&mut self) {
        self.filled = 0;
    }

    /// `length` bytes from `offset`; fewer at the end of the file.
    pub fn get(&mut self, shelf: &Shelf, segment: &Segment, offset: u64, length: usize) -> Result<&[u8]> {
        let end = offset.saturating_add(length as u64);
        let held_end = self.start.saturating_add(self.filled as u64);
        if offset < self.start || end > held_end {
            self.fill(shelf, segment, offset, length)?;
        }
        let from = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let held = self.buffer.get(from..self.filled).unwrap_or_default();
        Ok(held.get(..length).unwrap_or(held))
    }

    fn fill(&mut self, shelf: &Shelf, segment: &Segment, offset: u64, length: usize) -> Result<()> {
        let room = usize::try_from(segment.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = self.step.max(length).min(room);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        (self.start, self.filled) = (offset, 0);
        let piece = self.buffer.get_mut(..wanted).unwrap_or_default();
        self.filled = segment.file.read_at(offset, piece).map_err(|e| shelf.io("read", segment.number, e))?;
        Ok(())
    }
}

/// A power of two between the bounds.
pub(super) const fn is_segment_length(bytes: u64) -> bool {
    bytes.is_power_of_two() && bytes >= SEGMENT_BYTES_MIN && bytes <= SEGMENT_BYTES_MAX
}

pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes.chunks(BLOCK).all(|block| ZEROS.get(..block.len()) == Some(block))
}
