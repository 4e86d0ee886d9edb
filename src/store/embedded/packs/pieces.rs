//! Hashing an object at its place, piece by piece: nothing of it is kept, so it need not be in memory whole.

use std::cell::RefCell;
use std::io;

use super::records::{RECORD_HEADER_BYTES, RecordHeader, RecordType};
use crate::codec::digest::Hasher;
use crate::store::contracts::ObjectRef;
use crate::store::files::File;

/// A piece is still in the core's own cache when it is hashed; a whole object would come back from memory.
const PIECE_BYTES: usize = 128 << 10;
const HEADER: u64 = RECORD_HEADER_BYTES as u64;

thread_local! {
    // Room for each object anew would be cleared each time, and mapped anew by the system.
    static PIECE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The length of `object`, if its record begins at `at` and its bytes have its digest; `None` says nothing else.
pub(super) fn rehash(file: &dyn File, at: u64, object: &ObjectRef) -> io::Result<Option<u64>> {
    PIECE.with_borrow_mut(|piece| {
        piece.resize(PIECE_BYTES, 0);
        // Header and a short object in one read.
        let first = read(file, at, HEADER.saturating_add(object.bytes), piece)?;
        let Some((header, body)) = first.split_at_checked(RECORD_HEADER_BYTES) else { return Ok(None) };
        let header = match RecordHeader::parse(header) {
            Ok(header) if header.kind == RecordType::Object && header.digest == object.digest => header,
            _ => return Ok(None),
        };
        // A reference may name another length; the record's own counts.
        let body = body.get(..usize::try_from(header.bytes).unwrap_or(usize::MAX)).unwrap_or(body);
        let mut hasher = Hasher::new();
        hasher.update(body);
        let mut done = body.len() as u64;
        while done < header.bytes {
            let at = at.saturating_add(HEADER).saturating_add(done);
            let next = read(file, at, header.bytes.saturating_sub(done), piece)?;
            if next.is_empty() {
                return Ok(None);
            }
            hasher.update(next);
            done = done.saturating_add(next.len() as u64);
        }
        Ok((hasher.finish() == *object.digest.as_bytes()).then_some(header.bytes))
    })
}

/// Up to `wanted` bytes from `at`, as many as a piece holds.
fn read<'a>(file: &dyn File, at: u64, wanted: u64, piece: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let most = piece.len();
    let wanted = usize::try_from(wanted).unwrap_or(most).min(most);
    let Some(piece) = piece.get_mut(..wanted) else { return Ok(&[]) };
    let got = file.read_at(at, piece)?;
    Ok(piece.get(..got).unwrap_or_default())
}
