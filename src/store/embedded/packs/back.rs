//! Reading back what was just put: short objects that stand next to each other are read at once.

use super::folder::{Folder, Place};
use super::records::{RECORD_HEADER_BYTES, RecordHeader, RecordType};
use crate::codec::digest::sha256;
use crate::store::contracts::ObjectRef;

/// As much as is read at once.
const RUN_BYTES_MAX: u64 = 256 << 10;

/// Whether each object is known to stand whole at its hint, in the order given. `false` says nothing: so it is with one that
/// has no neighbours, and is read as any other.
pub(super) fn all_stand(folder: &Folder, objects: &[ObjectRef]) -> Vec<bool> {
    let mut stands = vec![false; objects.len()];
    let mut order: Vec<(usize, Place)> = objects.iter().map(|o| Place::from_hint(o.hint)).enumerate().collect();
    order.sort_by_key(|(_, place)| *place);
    let mut bytes = Vec::new();
    let mut rest = order.as_slice();
    while let Some((run, after)) = next_run(rest, objects) {
        rest = after;
        if run.len() < 2 {
            continue;
        }
        // A run that cannot be read leaves all of it in doubt.
        let Some(start) = read(folder, run, objects, &mut bytes) else { continue };
        for (n, place) in run {
            let from = place.offset.checked_sub(start).and_then(|from| usize::try_from(from).ok());
            let record = from.and_then(|from| bytes.get(from..));
            if let (Some(object), Some(stands)) = (objects.get(*n), stands.get_mut(*n)) {
                *stands = record.is_some_and(|record| is(record, object));
            }
        }
    }
    stands
}

type Ordered = [(usize, Place)];

/// The objects from the first on that stand next to each other, and the others.
fn next_run<'a>(rest: &'a Ordered, objects: &[ObjectRef]) -> Option<(&'a Ordered, &'a Ordered)> {
    let (_, first) = rest.first()?;
    let mut end = *first;
    let joins = |(n, place): &&(usize, Place)| {
        let length = objects.get(*n).map_or(0, |o| o.bytes.saturating_add(RECORD_HEADER_BYTES as u64));
        let next = Place { offset: end.offset.saturating_add(length), ..end };
        let is_next = *place == end && next.offset.saturating_sub(first.offset) <= RUN_BYTES_MAX;
        end = next;
        is_next
    };
    let length = rest.iter().take_while(joins).count();
    rest.split_at_checked(length.max(1))
}

/// Reads a run; where it begins.
fn read(folder: &Folder, run: &Ordered, objects: &[ObjectRef], bytes: &mut Vec<u8>) -> Option<u64> {
    let ((_, first), (last, at)) = (run.first()?, run.last()?);
    let end = at.offset.checked_add(objects.get(*last)?.bytes)?.checked_add(RECORD_HEADER_BYTES as u64)?;
    let file = folder.reader(first.pack).ok()?;
    // The length is checked against the file before memory is asked for.
    if end > file.len().ok()? {
        return None;
    }
    bytes.resize(usize::try_from(end.checked_sub(first.offset)?).ok()?, 0);
    let got = file.read_at(first.offset, bytes).ok()?;
    (got == bytes.len()).then_some(first.offset)
}

/// Does this record begin with the header of `object`, and follow its bytes?
fn is(record: &[u8], object: &ObjectRef) -> bool {
    let Some((header, body)) = record.split_at_checked(RECORD_HEADER_BYTES) else { return false };
    let is_header = RecordHeader::parse(header)
        .is_ok_and(|h| h.kind == RecordType::Object && h.digest == object.digest && h.bytes == object.bytes);
    let body = usize::try_from(object.bytes).ok().and_then(|length| body.get(..length));
    is_header && body.is_some_and(|body| sha256(body) == *object.digest.as_bytes())
}
