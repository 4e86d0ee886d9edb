//! Preparing the next segment: zeros on the disk before the first group goes there, so that a group
//! needs one sync and no block is allocated on its way.

use std::path::PathBuf;
use std::sync::Arc;

use super::segment::{Segment, is_segment_length};
use super::shelf::{Shelf, damaged, failed};
use crate::codec::extent::SEGMENT_HEADER_BYTES;
use crate::codec::limits::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use crate::error::Result;
use crate::store::files::{File, with_suffix};

/// One write, and what an append at most waits for beside its own bytes.
pub(super) const STEP_BYTES: usize = 1 << 20;
static ZEROS: [u8; STEP_BYTES] = [0; STEP_BYTES];

/// The length of the next segment: twice that of the last, at least so long that a group of
/// `extent_bytes` fits.
pub(super) fn next_length(last_bytes: u64, extent_bytes: u64) -> u64 {
    let fits = extent_bytes.saturating_add(SEGMENT_HEADER_BYTES as u64).next_power_of_two();
    last_bytes.saturating_mul(2).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX).max(fits)
}

/// A segment on its way, under a name that no reader looks at: a crash leaves a file that the next
/// attempt removes.
#[derive(Debug)]
pub(super) struct Preparation {
    number: u64,
    path: PathBuf,
    file: Arc<dyn File>,
    bytes: u64,
    written: u64,
}

impl Preparation {
    /// Begins segment `number` of `bytes` zeros.
    ///
    /// # Errors
    /// `E_STORE_FULL`, `E_IO`.
    pub fn begin(shelf: &Shelf, number: u64, bytes: u64) -> Result<Self> {
        debug_assert!(is_segment_length(bytes), "a segment of {bytes} bytes");
        let path = with_suffix(&shelf.path(number), ".tmp");
        if shelf.files.exists(&path).map_err(|e| failed("look for", &path, e))? {
            shelf.files.remove_file(&path).map_err(|e| failed("remove", &path, e))?;
        }
        let file = shelf.files.create_new(&path).map_err(|e| failed("create", &path, e))?;
        Ok(Self { number, path, file, bytes, written: 0 })
    }

    /// Does a group of `extent_bytes` fit?
    pub const fn fits(&self, extent_bytes: u64) -> bool {
        extent_bytes.saturating_add(SEGMENT_HEADER_BYTES as u64) <= self.bytes
    }

    /// Writes about so many more zeros, durably; is it all?
    ///
    /// Piece by piece, because a segment of 64 MiB in one piece holds up every caller for as long as
    /// the disk takes for it.
    ///
    /// # Errors
    /// `E_STORE_FULL`, `E_IO`; the file must then be given up.
    pub fn advance(&mut self, bytes: u64) -> Result<bool> {
        let until = self.written.saturating_add(bytes).min(self.bytes);
        while self.written < until {
            let step = usize::try_from(self.bytes.saturating_sub(self.written)).unwrap_or(STEP_BYTES).min(STEP_BYTES);
            let zeros = ZEROS.get(..step).unwrap_or(&ZEROS);
            self.file.write_at(self.written, zeros).map_err(|e| failed("write", &self.path, e))?;
            self.written = self.written.saturating_add(step as u64);
        }
        self.file.sync_data().map_err(|e| failed("sync", &self.path, e))?;
        Ok(self.written >= self.bytes)
    }

    /// Gives the space back, as well as that goes; what stays, the next attempt removes.
    pub fn give_up(self, shelf: &Shelf) {
        let _left_behind = shelf.files.remove_file(&self.path);
    }

    /// Gives the zeros their name, durably: they are the segment from here on.
    ///
    /// # Errors
    /// `E_STORE_FULL`, `E_IO`: which file has the name is then unknown, and none may be used.
    /// `E_LOG_DAMAGED` when a file of that name holds something.
    pub fn put_in_place(self, shelf: &Shelf) -> Result<Segment> {
        let (number, path) = (self.number, shelf.path(self.number));
        let rename = if too_small_stands_there(shelf, number)? {
            shelf.files.rename_replace(&self.path, &path)
        } else {
            shelf.files.rename_noreplace(&self.path, &path)
        };
        rename.map_err(|e| shelf.io("rename", number, e))?;
        shelf.files.sync_dir(&shelf.folder).map_err(|e| failed("sync", &shelf.folder, e))?;
        Ok(Segment { number, file: self.file, bytes: self.bytes, header: None })
    }
}

/// A segment that was prepared for smaller groups, or one whose name never became durable, is
/// replaced; it is looked at first, because nothing that holds a byte is ever replaced.
fn too_small_stands_there(shelf: &Shelf, number: u64) -> Result<bool> {
    let Some(segment) = Segment::open(shelf, number, false)? else {
        return Ok(false);
    };
    match segment.nonzero(shelf, 0, segment.bytes)? {
        None => Ok(true),
        Some((first, _)) => Err(damaged(number, first, "a segment that was not begun holds bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_double_to_the_limit_and_hold_the_group() {
        let lengths: Vec<_> = [0, 1 << 20, 1 << 25, 1 << 26].map(|last| next_length(last, 512)).to_vec();
        assert_eq!(lengths, [1 << 20, 2 << 20, 64 << 20, 64 << 20]);
        assert_eq!(next_length(0, 1 << 20), 2 << 20);
        assert_eq!(next_length(0, (1 << 20) - 512), 1 << 20);
        assert!(is_segment_length(next_length(0, crate::codec::limits::GROUP_BYTES_MAX as u64)));
    }
}
