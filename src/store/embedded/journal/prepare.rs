//! Preparing the next segment: zeros on the disk before the first group goes there, so that a group
//! needs one sync and no block is allocated on its way.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::segment::{Segment, is_segment_length};
use super::shelf::{Shelf, damaged, failed};
use crate::codec::extent::SEGMENT_HEADER_BYTES;
use crate::codec::limits::{SEGMENT_BYTES_MAX, SEGMENT_BYTES_MIN};
use crate::error::Result;
use crate::store::files::{File, with_suffix};

const STEP_BYTES: usize = 1 << 20;
static ZEROS: [u8; STEP_BYTES] = [0; STEP_BYTES];

/// The length of the next segment: twice that of the last, at least so long that a group of
/// `extent_bytes` fits.
pub(super) fn next_length(last_bytes: u64, extent_bytes: u64) -> u64 {
    let fits = extent_bytes.saturating_add(SEGMENT_HEADER_BYTES as u64).next_power_of_two();
    last_bytes.saturating_mul(2).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX).max(fits)
}

/// Zeros, durable, under a name that no reader looks at: a crash leaves a file that the next attempt
/// removes.
#[derive(Debug)]
pub(super) struct Zeros {
    path: PathBuf,
    file: Arc<dyn File>,
    bytes: u64,
}

/// Writes `bytes` zeros for segment `number`.
///
/// # Errors
/// `E_STORE_FULL`, `E_IO`; the space is given back.
pub(super) fn write(shelf: &Shelf, number: u64, bytes: u64) -> Result<Zeros> {
    debug_assert!(is_segment_length(bytes), "a segment of {bytes} bytes");
    let path = with_suffix(&shelf.path(number), ".tmp");
    match write_zeros(shelf, &path, bytes) {
        Ok(file) => Ok(Zeros { path, file, bytes }),
        Err(e) => {
            // Best effort. If the file stays, the next attempt removes it.
            let _left_behind = shelf.files.remove_file(&path);
            Err(e)
        }
    }
}

/// Gives the zeros their name, durably: they are segment `number` from here on.
///
/// # Errors
/// `E_STORE_FULL`, `E_IO`: which file has the name is then unknown, and none may be used.
/// `E_LOG_DAMAGED` when a file of that name holds something.
pub(super) fn put_in_place(shelf: &Shelf, number: u64, zeros: Zeros) -> Result<Segment> {
    let path = shelf.path(number);
    let rename = if too_small_stands_there(shelf, number)? {
        shelf.files.rename_replace(&zeros.path, &path)
    } else {
        shelf.files.rename_noreplace(&zeros.path, &path)
    };
    rename.map_err(|e| shelf.io("rename", number, e))?;
    shelf.files.sync_dir(&shelf.folder).map_err(|e| failed("sync", &shelf.folder, e))?;
    Ok(Segment { number, file: zeros.file, bytes: zeros.bytes, header: None })
}

fn write_zeros(shelf: &Shelf, path: &Path, bytes: u64) -> Result<Arc<dyn File>> {
    if shelf.files.exists(path).map_err(|e| failed("look for", path, e))? {
        shelf.files.remove_file(path).map_err(|e| failed("remove", path, e))?;
    }
    let file = shelf.files.create_new(path).map_err(|e| failed("create", path, e))?;
    let mut at = 0;
    while at < bytes {
        let step = usize::try_from(bytes.saturating_sub(at)).unwrap_or(STEP_BYTES).min(STEP_BYTES);
        let zeros = ZEROS.get(..step).unwrap_or(&ZEROS);
        file.write_at(at, zeros).map_err(|e| failed("write", path, e))?;
        at = at.saturating_add(step as u64);
    }
    file.sync_data().map_err(|e| failed("sync", path, e))?;
    Ok(file)
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
