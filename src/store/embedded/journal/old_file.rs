//! What a damaged segment file still tells.

use crate::codec::digest::sha256;
use crate::codec::extent::{Group, GroupHeader, SegmentHeader};
use crate::codec::limits::SECTOR_BYTES;
use crate::error::{Code, Result};

/// The bytes of a file that the next header names as dropped, if they are right.
pub(super) fn named_bytes(old: Option<&[u8]>, above: &SegmentHeader) -> Option<Vec<u8>> {
    if above.dropped_bytes == 0 {
        return Some(Vec::new());
    }
    let start = usize::try_from(above.previous_end).ok()?;
    let end = start.checked_add(usize::try_from(above.dropped_bytes).ok()?)?;
    let bytes = old?.get(start..end)?;
    (sha256(bytes) == *above.dropped_hash.as_bytes()).then(|| bytes.to_vec())
}

/// Damage in an old file is no reason to stop a repair; everything else is.
pub(super) fn whole<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(e) if e.code() == Code::LogDamaged => Ok(None),
        Err(e) => Err(e),
    }
}

pub(super) fn filled(mut image: Vec<u8>, bytes: u64) -> Vec<u8> {
    image.resize(usize::try_from(bytes).unwrap_or(usize::MAX), 0);
    image
}

/// Where, at or after `from`, a whole group stands in a file.
pub(super) fn group_from(bytes: &[u8], from: u64) -> Option<u64> {
    (from..bytes.len() as u64).step_by(SECTOR_BYTES).find(|at| {
        let rest = usize::try_from(*at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
        GroupHeader::parse(rest).is_ok_and(|group| group.offset == *at) && Group::parse(rest).is_ok()
    })
}
