//! Which bytes of the packs carry meaning.

use std::io;
use std::ops::Range;
use std::path::PathBuf;

use super::folder::{Folder, Place, io_error};
use super::index::{Extent, Index};
use super::records::{PACK_HEADER_BYTES, RECORD_HEADER_BYTES, RecordHeader, RecordType};
use super::scan::{Found, Scan};
use crate::error::Result;

/// Ranges of every pack, ascending and not touching each other: headers of packs, whole records, the
/// bytes of live objects. Not in them: prepared space, torn writes, what was discarded, and second
/// copies of an object, which a reader needs only where the first is damaged.
pub(super) fn used_ranges(
    folder: &Folder,
    index: &Index,
    extents: &[Extent],
) -> Result<Vec<(PathBuf, Vec<Range<u64>>)>> {
    let mut used = Vec::new();
    for extent in extents {
        let path = folder.file_path(extent.pack);
        let ranges = ranges_of(folder, index, *extent).map_err(|e| io_error("read", &path, e))?;
        used.push((path, ranges));
    }
    Ok(used)
}

fn ranges_of(folder: &Folder, index: &Index, extent: Extent) -> io::Result<Vec<Range<u64>>> {
    let file = folder.reader(extent.pack)?;
    let mut scan = Scan::new(file.as_ref(), 0, extent.end.map_or_else(|| file.len(), Ok)?);
    let mut ranges: Vec<Range<u64>> = Vec::new();
    while let Some(found) = scan.next()? {
        let range = match found {
            Found::Pack(_) => 0..PACK_HEADER_BYTES as u64,
            Found::Record(offset, header) if is_needed(index, Place { pack: extent.pack, offset }, &header) => {
                offset..offset.saturating_add(RECORD_HEADER_BYTES as u64).saturating_add(header.body_bytes())
            }
            Found::Record(..) | Found::Gap(_) => continue,
        };
        match ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => ranges.push(range),
        }
    }
    Ok(ranges)
}

fn is_needed(index: &Index, place: Place, header: &RecordHeader) -> bool {
    header.kind != RecordType::Object
        || index.get(&header.digest).is_some_and(|known| !known.is_discarded && known.place == place)
}
