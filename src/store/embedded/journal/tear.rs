//! What may stand after the last whole group (`docs/format/store-embedded.md` section 4).
//!
//! A crash leaves a *tear*: one write of which at least one sector never arrived. Anything else
//! there is damage and stops the writer, because taking damage for a tear would drop groups that
//! somebody was told are durable.

use super::segment::{FIRST_OFFSET, Next, Segment, is_zero};
use super::shelf::{Shelf, damaged, newer_format};
use crate::codec::digest::{Digest, sha256};
use crate::codec::extent::{ExtentError, Group, GroupHeader, SegmentHeader};
use crate::codec::limits::{GROUP_BYTES_MAX, SECTOR_BYTES};
use crate::error::Result;
use crate::store::contracts::{Position, Tear};

/// The tear after the last whole group of the newest segment; `None` when only zeros follow.
///
/// `next` is what the torn group should have been. `reopened` makes a tear lawful after a group that
/// says "closed in order": the caller knows from elsewhere that the ledger was opened again.
///
/// # Errors
/// `E_LOG_DAMAGED` when the bytes are no tear.
pub(super) fn after(shelf: &Shelf, segment: &Segment, next: &Next, reopened: bool) -> Result<Option<Tear>> {
    let start = if segment.header.is_some() { next.offset } else { 0 };
    let Some((_, last_nonzero)) = segment.nonzero(shelf, start, segment.bytes)? else {
        return Ok(None);
    };
    let refuse = |why: &str| Err(damaged(segment.number, start, why));
    if next.closed && !reopened {
        return refuse("bytes follow a group that says \"closed in order\"");
    }
    let bytes = torn_bytes(shelf, segment, next, start, last_nonzero)?;
    let torn = segment.read(shelf, start, usize::try_from(bytes).unwrap_or(usize::MAX))?;
    if !torn.chunks(SECTOR_BYTES).any(is_zero) {
        return refuse("no sector of the last group is missing, so it was not torn by a crash");
    }
    if last_nonzero >= start.saturating_add(bytes) {
        return refuse("bytes follow the torn group");
    }
    let own = if segment.header.is_some() { start } else { FIRST_OFFSET };
    if let Some(offset) = valid_group(shelf, segment, &torn, start, own)? {
        return Err(damaged(segment.number, start, format_args!("a valid group follows at byte {offset}")));
    }
    let position = Position { segment: segment.number, offset: start };
    Ok(Some(Tear { position, bytes, hash: Digest::from_bytes(sha256(&torn)) }))
}

/// Length of the write that was torn: what its header declares, or, when that sector is missing too,
/// everything up to the last byte that arrived.
///
/// In a segment whose own header is missing the write is header and first group together.
fn torn_bytes(shelf: &Shelf, segment: &Segment, next: &Next, start: u64, last_nonzero: u64) -> Result<u64> {
    let group_at = if segment.header.is_some() { start } else { FIRST_OFFSET };
    let refuse = |why: &dyn std::fmt::Display| Err(damaged(segment.number, group_at, why));
    let head = segment.read(shelf, group_at, SECTOR_BYTES)?;
    if is_zero(&head) {
        let bytes = last_nonzero.saturating_add(1).saturating_sub(start);
        let most = (GROUP_BYTES_MAX as u64).saturating_add(group_at.saturating_sub(start));
        return if bytes > most { refuse(&"more bytes follow than one group has") } else { Ok(bytes) };
    }
    let group = match GroupHeader::parse(&head) {
        Ok(group) => group,
        Err(ExtentError::NewerFormat) => return Err(newer_format(segment.number, group_at)),
        Err(e) => return refuse(&e),
    };
    let wanted = Next { segment: segment.number, offset: group_at, ..*next };
    if !wanted.is(&group) {
        return refuse(&"the group does not follow the one before");
    }
    let end = Next::after(&group).offset;
    if end > segment.bytes {
        return refuse(&"the group would end after its file");
    }
    Ok(end.saturating_sub(start))
}

/// Where after `start` a valid group begins, other than at `own`.
fn valid_group(shelf: &Shelf, segment: &Segment, torn: &[u8], start: u64, own: u64) -> Result<Option<u64>> {
    for (n, sector) in torn.chunks(SECTOR_BYTES).enumerate() {
        let offset = start.saturating_add((n as u64).saturating_mul(SECTOR_BYTES as u64));
        let Ok(group) = GroupHeader::parse(sector) else { continue };
        let here = (group.segment, group.offset) == (segment.number, offset) && offset != own;
        if here && Group::parse(&segment.extent(shelf, &group)?).is_ok() {
            return Ok(Some(offset));
        }
    }
    Ok(None)
}

/// Checks that after `end` stands exactly what the next segment's header names as dropped, and
/// nothing else; that tear.
///
/// # Errors
/// `E_LOG_DAMAGED` otherwise.
pub(super) fn named(shelf: &Shelf, segment: &Segment, end: u64, by: &SegmentHeader) -> Result<Option<Tear>> {
    let refuse = |why: &str| Err(damaged(segment.number, end, why));
    if by.previous_end != end {
        let why = format!("the groups end here, but the next segment says at byte {}", by.previous_end);
        return Err(damaged(segment.number, end, why));
    }
    let rest = end.saturating_add(by.dropped_bytes);
    if rest > segment.bytes || by.dropped_bytes > (GROUP_BYTES_MAX as u64).saturating_add(FIRST_OFFSET) {
        return refuse("the next segment names more torn bytes than there can be");
    }
    if let Some((first, _)) = segment.nonzero(shelf, rest, segment.bytes)? {
        return Err(damaged(segment.number, first, "bytes that no group and no header accounts for"));
    }
    if by.dropped_bytes == 0 {
        return Ok(None);
    }
    let torn = segment.read(shelf, end, usize::try_from(by.dropped_bytes).unwrap_or(usize::MAX))?;
    if sha256(&torn) != *by.dropped_hash.as_bytes() {
        return refuse("the torn bytes are not those that the next segment names");
    }
    let position = Position { segment: segment.number, offset: end };
    Ok(Some(Tear { position, bytes: by.dropped_bytes, hash: by.dropped_hash }))
}
