//! Looking around a hint. A tape's objects are put one after another, so the place of one of them
//! (its manifest, say) is close to the places of all: a reader that knows only that one need not have
//! every pack walked.

use std::io;
use std::ops::Range;

use super::records::{RECORD_HEADER_BYTES, RecordHeader, RecordType};
use crate::codec::digest::ObjectDigest;
use crate::store::files::File;

/// How far to look on both sides, step by step.
const REACHES_BYTES: [u64; 3] = [64 << 10, 1 << 20, 8 << 20];
/// Where a record's header has the digest.
const DIGEST_AT: usize = 24;

/// Where the record of `digest` starts, if it does within a few megabytes of `around`.
pub(super) fn find(file: &dyn File, around: u64, digest: &ObjectDigest) -> io::Result<Option<u64>> {
    let limit = file.len()?;
    if around >= limit {
        return Ok(None);
    }
    for reach in REACHES_BYTES {
        let range = around.saturating_sub(reach)..around.saturating_add(reach).min(limit);
        let bytes = read(file, &range)?;
        if let Some(at) = record_of(&bytes, digest) {
            return Ok(Some(range.start.saturating_add(at as u64)));
        }
        if range == (0..limit) {
            break;
        }
    }
    Ok(None)
}

fn read(file: &dyn File, range: &Range<u64>) -> io::Result<Vec<u8>> {
    let length = usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    let read = file.read_at(range.start, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

fn record_of(bytes: &[u8], digest: &ObjectDigest) -> Option<usize> {
    let [first, ..] = digest.as_bytes();
    let mut from = DIGEST_AT;
    loop {
        let rest = bytes.get(from..)?;
        let at = from.saturating_add(rest.iter().position(|b| b == first)?);
        // A manifest holds digests too; a record's header has its check bytes as well.
        let start = at.saturating_sub(DIGEST_AT);
        let is_digest = bytes.get(at..).is_some_and(|b| b.starts_with(digest.as_ref()));
        if is_digest
            && let Some(header) = bytes.get(start..start.saturating_add(RECORD_HEADER_BYTES))
            && RecordHeader::parse(header).is_ok_and(|h| h.kind == RecordType::Object && h.digest == *digest)
        {
            return Some(start);
        }
        from = at.saturating_add(1);
    }
}
