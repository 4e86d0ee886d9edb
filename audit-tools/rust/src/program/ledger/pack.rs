//! One pack (store-embedded, section 7): its records in order, and what stands between them.

use super::super::folder::open_plain;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use tapeaudit_core::digest::{Hash, Hasher};
use tapeaudit_core::journal::{InPack, PACK_HEADER, PackRecord, SECTOR, is_zero};
use tapeaudit_core::{Refused, Result, ensure};

const UNREADABLE: Refused = Refused("a file that cannot be read");
/// Bytes that are looked at together.
const STEP: usize = 1 << 20;
const RECORD: u64 = 64;

/// What stands in a pack.
pub enum Piece {
    /// A whole record, and where it ends and its object begins.
    Record(PackRecord, u64),
    /// Bytes of no record that a power cut leaves, from and to.
    Unused(u64, u64),
    /// Bytes of no record that nothing lawful leaves, from and to.
    Damage(u64, u64),
    /// A record of another type or mode than there is.
    Unknown(u64),
}

/// A pack that is open.
pub struct Pack {
    file: File,
    /// Its length in bytes.
    pub size: u64,
}

impl Pack {
    /// Opens a plain file.
    ///
    /// # Errors
    /// A link, a folder, what cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let file = open_plain(path)?;
        let size = file.metadata().map_err(|_| UNREADABLE)?.len();
        Ok(Self { file, size })
    }

    /// Fills a buffer from a place on; gives what is there of it.
    fn at<'b>(&mut self, from: u64, buffer: &'b mut [u8]) -> Result<&'b [u8]> {
        self.file.seek(SeekFrom::Start(from)).map_err(|_| UNREADABLE)?;
        let mut filled = 0_usize;
        while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
            match self.file.read(room).map_err(|_| UNREADABLE)? {
                0 => break,
                n => filled = filled.saturating_add(n),
            }
        }
        Ok(buffer.get(..filled).unwrap_or_default())
    }

    /// The 64 bytes in front; None of a shorter file.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn header(&mut self) -> Result<Option<[u8; 64]>> {
        let mut buffer = [0; 64];
        Ok(self.at(0, &mut buffer)?.try_into().ok())
    }

    /// Whether the first sector is zero, as far as the file reaches.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn front_is_zero(&mut self) -> Result<bool> {
        Ok(is_zero(self.at(0, &mut [0; SECTOR])?))
    }

    /// Some bytes of an object, or all.
    ///
    /// # Errors
    /// A pack that ends before them.
    pub fn bytes(&mut self, from: u64, length: u64) -> Result<Vec<u8>> {
        let mut buffer = vec![0; usize::try_from(length).map_err(|_| UNREADABLE)?];
        let found = self.at(from, &mut buffer)?.len();
        ensure(found == buffer.len(), "a pack that ends early")?;
        Ok(buffer)
    }

    /// SHA-256 of an object.
    ///
    /// # Errors
    /// A pack that ends before its end.
    pub fn digest(&mut self, from: u64, length: u64) -> Result<Hash> {
        let (mut hasher, mut left, mut place, mut buffer) = (Hasher::new(), length, from, vec![0; 1 << 17]);
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let part = self.at(place, buffer.get_mut(..most).unwrap_or_default())?;
            ensure(part.len() == most, "a pack that ends early")?;
            hasher.add(part);
            left = left.saturating_sub(most as u64);
            place = place.saturating_add(most as u64);
        }
        Ok(hasher.done())
    }

    fn record_at(&mut self, from: u64) -> Result<Option<InPack>> {
        let mut buffer = [0; 64];
        let here: Option<[u8; 64]> = self.at(from, &mut buffer)?.try_into().ok();
        Ok(here.and_then(|bytes| PackRecord::read(&bytes)))
    }

    /// Whether all of a record lies within the file.
    fn is_whole(&self, record: &PackRecord, from: u64) -> bool {
        let length = if record.of == 1 { record.length } else { 0 };
        from.saturating_add(RECORD).saturating_add(length) <= self.size
    }

    /// Every place from one on where bytes read as a record, whatever covers them, until the closure says that it is
    /// enough.
    ///
    /// # Errors
    /// What cannot be read, those of the closure.
    pub fn search(
        &mut self,
        from: u64,
        found: &mut dyn FnMut(&mut Self, u64, InPack) -> Result<bool>,
    ) -> Result<Option<u64>> {
        let (mut place, mut buffer) = (from, vec![0; STEP]);
        while place.saturating_add(RECORD) <= self.size {
            let part = self.at(place, &mut buffer)?;
            // A record that begins near the end is met at the front of the next part.
            let Some(last) = part.len().checked_sub(64) else { break };
            let starts: Vec<usize> = part
                .windows(4)
                .take(last.saturating_add(1))
                .enumerate()
                .filter(|(_, four)| *four == b"IMTO")
                .map(|(at, _)| at)
                .collect();
            let records: Vec<(u64, InPack)> = starts
                .into_iter()
                .filter_map(|at| {
                    let bytes = part.get(at..)?.first_chunk::<64>()?;
                    Some((place.saturating_add(at as u64), PackRecord::read(bytes)?))
                })
                .collect();
            for (at, record) in records {
                if found(self, at, record)? {
                    return Ok(Some(at));
                }
            }
            place = place.saturating_add(last as u64).saturating_add(1);
        }
        Ok(None)
    }

    /// Gives every record, and what stands between them.
    ///
    /// # Errors
    /// What cannot be read, those of the closure.
    pub fn pieces(&mut self, each: &mut dyn FnMut(&mut Self, Piece) -> Result<()>) -> Result<()> {
        let mut at = PACK_HEADER;
        loop {
            if let Some(InPack::Record(record)) = self.record_at(at)?
                && self.is_whole(&record, at)
            {
                let object = at.saturating_add(RECORD);
                let length = if record.of == 1 { record.length } else { 0 };
                at = object.saturating_add(length);
                each(self, Piece::Record(record, object))?;
                continue;
            }
            let next = self.search(at, &mut |pack, place, found| match found {
                InPack::Record(record) => Ok(pack.is_whole(&record, place)),
                InPack::Unknown => each(pack, Piece::Unknown(place)).map(|()| false),
            })?;
            let Some(next) = next else {
                let size = self.size;
                if at < size && !self.is_zero(at, size)? {
                    each(self, Piece::Unused(at, size))?;
                }
                return Ok(());
            };
            let torn = self.is_torn(at, next)?;
            each(self, if torn { Piece::Unused(at, next) } else { Piece::Damage(at, next) })?;
            at = next;
        }
    }

    /// Whether sectors of these bytes never arrived: a run of zeros from their start or from a boundary of 512 bytes to
    /// such a boundary.
    fn is_torn(&mut self, from: u64, to: u64) -> Result<bool> {
        const WIDE: u64 = SECTOR as u64;
        let mut begin = from;
        while begin < to {
            let end = (begin / WIDE).saturating_add(1).saturating_mul(WIDE);
            if end <= to && self.is_zero(begin, end)? {
                return Ok(true);
            }
            begin = end;
        }
        Ok(false)
    }

    fn is_zero(&mut self, from: u64, to: u64) -> Result<bool> {
        let (mut place, mut buffer) = (from, vec![0; 1 << 16]);
        while place < to {
            let most = usize::try_from(to.saturating_sub(place)).unwrap_or(usize::MAX).min(buffer.len());
            let part = self.at(place, buffer.get_mut(..most).unwrap_or_default())?;
            if part.is_empty() || part.iter().any(|b| *b != 0) {
                return Ok(false);
            }
            place = place.saturating_add(part.len() as u64);
        }
        Ok(true)
    }
}
