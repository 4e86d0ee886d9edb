//! Walking a pack by its record headers, and finding the next record after a place that is damaged.

use std::io;
use std::ops::Range;

use super::records::{PACK_HEADER_BYTES, PackHeader, RECORD_HEADER_BYTES, RECORD_MAGIC, RecordError, RecordHeader};
use crate::codec::limits::SECTOR_BYTES;
use crate::store::files::File;

const WINDOW_BYTES: usize = 64 << 10;
/// Read after a jump: behind a long object stands one header, and then perhaps the next long object.
const JUMP_BYTES: usize = 1 << 10;
static ZEROS: [u8; WINDOW_BYTES] = [0; WINDOW_BYTES];
const HEADER: u64 = RECORD_HEADER_BYTES as u64;

/// One finding of a walk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The header of the pack; always first, unless a gap or nothing stands there.
    Pack(PackHeader),
    /// A record whose header is right and whose bytes lie within the file; they were not hashed.
    Record(u64, RecordHeader),
    /// Bytes that belong to no whole record.
    Gap(Gap),
}

/// Bytes that belong to no whole record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gap {
    pub range: Range<u64>,
    pub cause: Cause,
}

/// What is wrong with a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It follows the last whole record.
    Tail,
    /// Whole records follow it, but a sector of it was never written: writes between two syncs reach
    /// the disk in any order, so a power cut leaves this before anything was acknowledged.
    Torn,
    /// Whole records follow it, or it is a record that this version does not know.
    Damaged(RecordError),
    /// The whole pack was written in a later format.
    NewerPack,
}

impl Gap {
    pub fn reason(&self) -> String {
        let bytes = self.range.end.saturating_sub(self.range.start);
        match self.cause {
            Cause::Tail => {
                format!("unused bytes: {bytes} after the last whole record, of a write that was never finished")
            }
            Cause::Torn => format!("unused bytes: {bytes} of a write that was torn before later records were written"),
            Cause::Damaged(why) => format!("{bytes} bytes cannot be read: {why}"),
            Cause::NewerPack => "this pack was written in a newer format".to_owned(),
        }
    }
}

/// A walk over the bytes `from..limit` of one pack.
pub(super) struct Scan<'a> {
    window: Window<'a>,
    at: u64,
}

impl<'a> Scan<'a> {
    /// A walk that begins at 0 or at the start of a record, and looks at nothing from `limit` on.
    pub fn new(file: &'a dyn File, from: u64, limit: u64) -> Self {
        Self { window: Window::new(file, limit), at: from }
    }

    /// Where the next record would stand: after the last finding.
    pub const fn at(&self) -> u64 {
        self.at
    }

    /// The next finding; `None` at the end, where only zeros follow.
    pub fn next(&mut self) -> io::Result<Option<Found>> {
        if self.at == 0 {
            return self.start();
        }
        match self.record_at(self.at)? {
            Ok((header, end)) => {
                let at = std::mem::replace(&mut self.at, end);
                Ok(Some(Found::Record(at, header)))
            }
            Err(why) => self.gap(why),
        }
    }

    fn start(&mut self) -> io::Result<Option<Found>> {
        match PackHeader::parse(self.window.get(0, PACK_HEADER_BYTES)?) {
            Ok(header) => {
                self.at = PACK_HEADER_BYTES as u64;
                Ok(Some(Found::Pack(header)))
            }
            Err(RecordError::NewerFormat) => {
                self.at = self.window.limit;
                Ok(Some(Found::Gap(Gap { range: 0..self.at, cause: Cause::NewerPack })))
            }
            Err(why) => self.gap(why),
        }
    }

    fn record_at(&mut self, at: u64) -> io::Result<Result<(RecordHeader, u64), RecordError>> {
        let limit = self.window.limit;
        Ok(RecordHeader::parse(self.window.get(at, RECORD_HEADER_BYTES)?).and_then(|header| {
            let end = at.checked_add(HEADER).and_then(|body| body.checked_add(header.body_bytes()));
            end.filter(|end| *end <= limit).map(|end| (header, end)).ok_or(RecordError::Truncated)
        }))
    }

    /// What stands at `at` is no record. Zeros up to the end are prepared space and silent.
    fn gap(&mut self, why: RecordError) -> io::Result<Option<Found>> {
        let start = self.at;
        let Some(nonzero) = self.window.first_nonzero(start)? else { return Ok(None) };
        // Right check bytes over something unknown were written on purpose, not torn.
        // And a pack's header lies within one sector, which a crash keeps whole or leaves zero.
        let is_header = start == 0 && why != RecordError::Truncated && nonzero < PACK_HEADER_BYTES as u64;
        let is_damage = is_header || matches!(why, RecordError::NewerFormat | RecordError::Reserved);
        if let Some(next) = self.next_record(nonzero.max(start.saturating_add(1)))? {
            self.at = next;
            let is_torn = !is_damage && self.is_torn(start..next)?;
            let cause = if is_torn { Cause::Torn } else { Cause::Damaged(why) };
            return Ok(Some(Found::Gap(Gap { range: start..next, cause })));
        }
        self.at = self.window.limit;
        let end = self.window.last_nonzero(start)?.map_or(start, |last| last.saturating_add(1));
        let cause = if is_damage { Cause::Damaged(why) } else { Cause::Tail };
        Ok(Some(Found::Gap(Gap { range: start..end, cause })))
    }

    /// The next place from `from` on where a record stands whole.
    fn next_record(&mut self, from: u64) -> io::Result<Option<u64>> {
        let mut at = from;
        while at < self.window.limit {
            let bytes = self.window.held(at)?;
            if bytes.len() < RECORD_HEADER_BYTES {
                break;
            }
            let Some(step) = bytes.windows(RECORD_MAGIC.len()).position(|w| w == RECORD_MAGIC) else {
                // The last bytes of this window may be the first of a magic.
                at = at.saturating_add(bytes.len().saturating_sub(RECORD_MAGIC.len()) as u64);
                continue;
            };
            at = at.saturating_add(step as u64);
            if self.record_at(at)?.is_ok() {
                return Ok(Some(at));
            }
            at = at.saturating_add(1);
        }
        Ok(None)
    }

    /// Does the gap hold a run of zeros from its start, or from a sector's start, to a sector's end?
    fn is_torn(&mut self, gap: Range<u64>) -> io::Result<bool> {
        const SECTOR: u64 = SECTOR_BYTES as u64;
        let mut at = gap.start;
        while let Some(end) =
            at.checked_next_multiple_of(SECTOR).map(|e| if e == at { e.saturating_add(SECTOR) } else { e })
            && end <= gap.end
        {
            let bytes = usize::try_from(end.saturating_sub(at)).unwrap_or(SECTOR_BYTES);
            if self.window.get(at, bytes)?.iter().all(|b| *b == 0) {
                return Ok(true);
            }
            at = end;
        }
        Ok(false)
    }
}

/// A buffer that moves over a file, so that small records cost no system call each and long ones are not read at all.
struct Window<'a> {
    file: &'a dyn File,
    limit: u64,
    start: u64,
    bytes: Vec<u8>,
    /// How much is read next.
    step: usize,
}

impl<'a> Window<'a> {
    fn new(file: &'a dyn File, limit: u64) -> Self {
        Self { file, limit, start: 0, bytes: Vec::new(), step: JUMP_BYTES }
    }

    /// `bytes` bytes from `at`, fewer only before the limit or the end of the file.
    fn get(&mut self, at: u64, bytes: usize) -> io::Result<&[u8]> {
        let wanted = at.saturating_add(bytes as u64).min(self.limit);
        let held = self.start.saturating_add(self.bytes.len() as u64);
        if at < self.start || wanted > held {
            self.fill(at, bytes)?;
        }
        let from = usize::try_from(at.saturating_sub(self.start)).unwrap_or(usize::MAX).min(self.bytes.len());
        let rest = self.bytes.get(from..).unwrap_or_default();
        Ok(rest.get(..bytes).unwrap_or(rest))
    }

    /// What is held from `at` on, a header's length at least; read anew only where less is held, so
    /// that a file full of false magics is read once and not once for each.
    fn held(&mut self, at: u64) -> io::Result<&[u8]> {
        self.get(at, RECORD_HEADER_BYTES)?;
        let from = usize::try_from(at.saturating_sub(self.start)).unwrap_or(usize::MAX);
        Ok(self.bytes.get(from..).unwrap_or_default())
    }

    fn fill(&mut self, at: u64, wanted: usize) -> io::Result<()> {
        let goes_on = (self.start..=self.start.saturating_add(self.bytes.len() as u64)).contains(&at);
        self.step = if goes_on { self.step.saturating_mul(2).min(WINDOW_BYTES) } else { JUMP_BYTES };
        let most = self.step.max(wanted);
        let bytes = usize::try_from(self.limit.saturating_sub(at)).unwrap_or(most).min(most);
        self.bytes.resize(bytes, 0);
        self.start = at;
        let read = self.file.read_at(at, &mut self.bytes)?;
        self.bytes.truncate(read);
        Ok(())
    }

    fn first_nonzero(&mut self, from: u64) -> io::Result<Option<u64>> {
        let mut at = from;
        while at < self.limit {
            let bytes = self.get(at, WINDOW_BYTES)?;
            if bytes.is_empty() {
                break;
            }
            // One comparison of the whole window: prepared space is megabytes of zeros.
            if ZEROS.get(..bytes.len()) != Some(bytes) {
                let step = bytes.iter().position(|b| *b != 0).unwrap_or(0);
                return Ok(Some(at.saturating_add(step as u64)));
            }
            at = at.saturating_add(bytes.len() as u64);
        }
        Ok(None)
    }

    fn last_nonzero(&mut self, from: u64) -> io::Result<Option<u64>> {
        let (mut at, mut last) = (from, None);
        while let Some(first) = self.first_nonzero(at)? {
            let bytes = self.get(first, WINDOW_BYTES)?;
            let step = bytes.iter().rposition(|b| *b != 0).unwrap_or(0) as u64;
            at = first.saturating_add(bytes.len().max(1) as u64);
            last = Some(first.saturating_add(step));
        }
        Ok(last)
    }
}

#[cfg(test)]
mod tests;
