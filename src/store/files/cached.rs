//! Reading what the medium holds, and not what memory remembers of it.

use std::fs::File;
use std::io;

/// No page of memory is longer. The system passes over advice about a part of a page.
const PAGE_BYTES_MAX: u64 = 64 << 10;

/// Lets memory forget a range; did it? Pages that were never written out stay: nothing was acknowledged of them.
#[cfg(target_os = "linux")]
pub(super) fn drop_cached(file: &File, offset: u64, bytes: u64) -> io::Result<bool> {
    use rustix::fs::{Advice, fadvise};
    let start = offset.saturating_sub(offset % PAGE_BYTES_MAX);
    let end = offset.saturating_add(bytes).checked_next_multiple_of(PAGE_BYTES_MAX).unwrap_or(u64::MAX);
    let Some(length) = std::num::NonZeroU64::new(end.saturating_sub(start)) else { return Ok(false) };
    match fadvise(file, start, Some(length), Advice::DontNeed) {
        Ok(()) => Ok(is_gone(file, offset)),
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::OPNOTSUPP) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// A file system that lives in memory takes the advice and forgets nothing: only a reading that may not wait tells. Where there
/// is none, nobody can tell, and that is no.
#[cfg(target_os = "linux")]
fn is_gone(file: &File, offset: u64) -> bool {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    let mut byte = [0; 1];
    let read = preadv2(file, &mut [io::IoSliceMut::new(&mut byte)], offset, ReadWriteFlags::NOWAIT);
    matches!(read, Err(Errno::AGAIN))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn drop_cached(_: &File, _: u64, _: u64) -> io::Result<bool> {
    Ok(false)
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use crate::store::files::{Files as _, RealFiles};

    const BYTES: usize = 300_000;

    /// Was it forgotten? What is read is the same in any case.
    fn dropped_in(folder: &Path) -> Vec<bool> {
        let path = folder.join("f");
        let content: Vec<u8> = (0..BYTES).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let file = RealFiles.create_new(&path).unwrap();
        file.write_at(0, &content).unwrap();
        file.sync_data().unwrap();
        let ranges = [(0, BYTES), (70_000, 9), (5, 1), (131_072, 65_536), (299_999, 1)];
        let dropped = ranges.map(|(offset, bytes)| {
            assert_eq!(RealFiles.read(&path, BYTES as u64).unwrap(), content);
            let dropped = file.drop_cached(offset as u64, bytes as u64).unwrap();
            assert_eq!(RealFiles.read(&path, BYTES as u64).unwrap(), content);
            dropped
        });
        fs::remove_file(path).unwrap();
        assert!(!RealFiles.create_new(&folder.join("empty")).unwrap().drop_cached(0, 0).unwrap());
        dropped.to_vec()
    }

    /// Where the temporary folder is on a disk, every answer is the same; in memory nothing is ever forgotten, and it is said so.
    #[test]
    fn what_is_forgotten_is_told_and_what_cannot_be_too() {
        let folder = tempfile::tempdir().unwrap();
        let told = dropped_in(folder.path());
        assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
        let Ok(in_memory) = tempfile::tempdir_in("/dev/shm") else { return };
        assert_eq!(dropped_in(in_memory.path()), [false; 5]);
    }
}
