//! Records that no walk comes by: one record with a false length, or in another's place, hides those behind it.
//! Looked for only when an object is missing, and then once for all of them, since every byte must be read.

use std::collections::HashMap;
use std::io;

use super::folder::{Folder, Place};
use super::index::Extent;
use super::records::{RECORD_HEADER_BYTES, RECORD_MAGIC, RecordHeader, RecordType};
use crate::codec::digest::ObjectDigest;
use crate::store::files::File;

const WINDOW_BYTES: usize = 1 << 20;

/// Every place where an object's record begins, in order, wherever it stands. A pack that cannot be read has none.
pub(super) fn find_all(folder: &Folder, extents: &[Extent]) -> HashMap<ObjectDigest, Vec<Place>> {
    let mut out: HashMap<ObjectDigest, Vec<Place>> = HashMap::new();
    for extent in extents {
        let Ok(file) = folder.reader(extent.pack) else { continue };
        let Ok(limit) = extent.end.map_or_else(|| file.len(), Ok) else { continue };
        let _the_rest_cannot_be_read = records(file.as_ref(), limit, &mut |offset, digest| {
            out.entry(digest).or_default().push(Place { pack: extent.pack, offset });
        });
    }
    out
}

fn records(file: &dyn File, limit: u64, each: &mut dyn FnMut(u64, ObjectDigest)) -> io::Result<()> {
    let mut at = 0_u64;
    let mut window = vec![0; WINDOW_BYTES];
    while at < limit {
        let read = file.read_at(at, &mut window)?;
        let bytes = window.get(..read).unwrap_or_default();
        for (n, start) in bytes.windows(RECORD_HEADER_BYTES).enumerate() {
            if start.starts_with(&RECORD_MAGIC)
                && let Ok(header) = RecordHeader::parse(start)
                && header.kind == RecordType::Object
            {
                each(at.saturating_add(n as u64), header.digest);
            }
        }
        // The last bytes of this window may begin a header that the next one holds whole.
        let step = read.saturating_sub(RECORD_HEADER_BYTES.saturating_sub(1));
        if step == 0 {
            break;
        }
        at = at.saturating_add(step as u64);
    }
    Ok(())
}
