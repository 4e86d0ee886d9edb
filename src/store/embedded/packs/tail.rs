//! Which pack the next record goes to.
//!
//! A run of the command line often saves one tape; a pack for each run would be a folder of small
//! files. So the last pack is continued where that is provably harmless: its header is ours, every
//! byte up to its last record belongs to a whole record, the last object hashes right, and all that
//! follows is zero. Otherwise what a crash left stays as it lies and a new pack begins.

use std::io;

use super::folder::Folder;
use super::records::{PackHeader, RECORD_HEADER_BYTES, RecordHeader, RecordType};
use super::scan::{Found, Scan};
use crate::codec::digest::sha256;
use crate::error::Result;
use crate::store::files::File;

/// A pack longer than this is not looked through at the first save of a run; a new one begins.
const CONTINUED_BYTES_MAX: u64 = 16 << 20;

/// Which pack the next record goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tail {
    /// The last pack, after its last record.
    Continue { number: u64, end: u64, file_bytes: u64 },
    /// A pack that is not there yet.
    New,
}

impl Tail {
    /// Looks at the last pack; changes nothing.
    pub fn survey(folder: &Folder) -> Result<Self> {
        let last = folder.numbers()?.last().copied().unwrap_or(0);
        // A pack that cannot be read is no reason not to save: `list` names it.
        let tail = continued(folder, last).unwrap_or(None);
        Ok(tail.unwrap_or(Self::New))
    }
}

fn continued(folder: &Folder, number: u64) -> io::Result<Option<Tail>> {
    if number == 0 {
        return Ok(None);
    }
    let file = folder.reader(number)?;
    let file_bytes = file.len()?;
    if file_bytes > CONTINUED_BYTES_MAX {
        return Ok(None);
    }
    let mut scan = Scan::new(file.as_ref(), 0, file_bytes);
    if scan.next()? != Some(Found::Pack(PackHeader { number, origin: folder.origin })) {
        return Ok(None);
    }
    let mut last = None;
    while let Some(found) = scan.next()? {
        let Found::Record(at, header) = found else { return Ok(None) };
        last = Some((at, header));
    }
    let is_right = match last {
        None => true,
        Some((at, header)) => is_whole(file.as_ref(), at, &header)?,
    };
    Ok(is_right.then_some(Tail::Continue { number, end: scan.at(), file_bytes }))
}

fn is_whole(file: &dyn File, at: u64, header: &RecordHeader) -> io::Result<bool> {
    if header.kind != RecordType::Object {
        return Ok(true);
    }
    let Ok(bytes) = usize::try_from(header.bytes) else { return Ok(false) };
    let mut body = vec![0; bytes];
    let read = file.read_at(at.saturating_add(RECORD_HEADER_BYTES as u64), &mut body)?;
    Ok(read == bytes && sha256(&body) == *header.digest.as_bytes())
}
