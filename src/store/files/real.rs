//! The file system of the machine.
//!
//! `O_NOFOLLOW` and the check for a plain file stand on every open: a link, a pipe or a device
//! planted in a ledger folder is refused instead of followed, waited for or written to.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::{Entry, File, FileLock, Files, cached};

/// How often a lock is tried again because its file was replaced between opening and locking.
const LOCK_TRIES_MAX: u32 = 8;

/// `std::fs` and a few system calls beside it.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFiles;

impl Files for RealFiles {
    fn open(&self, path: &Path, write: bool) -> io::Result<Arc<dyn File>> {
        let access = if write { OFlags::RDWR } else { OFlags::RDONLY };
        Ok(Arc::new(RealFile(open_plain(path, access)?)))
    }

    fn create_new(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(RealFile(open_plain(path, OFlags::RDWR | OFlags::CREATE | OFlags::EXCL)?)))
    }

    fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        let file = RealFile(open_plain(path, OFlags::RDONLY)?);
        let too_large = || io::Error::new(ErrorKind::FileTooLarge, format!("more than {bytes_max} bytes"));
        let declared = file.len()?;
        if declared > bytes_max {
            return Err(too_large());
        }
        // One byte more than declared shows a file that grew meanwhile.
        let room = usize::try_from(declared.saturating_add(1)).map_err(|_| too_large())?;
        let mut out = vec![0; room];
        loop {
            let got = file.read_at(0, &mut out)?;
            if got as u64 > bytes_max {
                return Err(too_large());
            }
            if got < out.len() {
                out.truncate(got);
                return Ok(out);
            }
            out.resize(out.len().saturating_mul(2), 0);
        }
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = retry(|| rustix::fs::open(path, flags, Mode::empty()))?;
        fs::File::from(folder).sync_all()
    }

    fn rename_noreplace(&self, from: &Path, to: &Path) -> io::Result<()> {
        match rename_exclusive(from, to) {
            Err(e) if is_not_offered(&e) => rename_by_link(from, to),
            done => done,
        }
    }

    fn rename_replace(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        let mut out = Vec::new();
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let about = match entry.metadata() {
                Ok(about) => about,
                // Removed between listing and looking: it is not there.
                Err(e) if e.kind() == ErrorKind::NotFound => continue,
                Err(e) => return Err(e),
            };
            out.push(Entry {
                name: entry.file_name().to_string_lossy().into_owned(),
                os_name: entry.file_name(),
                is_dir: about.is_dir(),
                is_plain: about.is_dir() || about.is_file(),
                bytes: about.len(),
            });
        }
        out.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(out)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        match fs::symlink_metadata(path) {
            Ok(_) => Ok(true),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn try_lock(&self, path: &Path) -> io::Result<Option<Box<dyn FileLock>>> {
        for _ in 0..LOCK_TRIES_MAX {
            let file = open_plain(path, OFlags::RDWR | OFlags::CREATE)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(fs::TryLockError::WouldBlock) => return Ok(None),
                Err(fs::TryLockError::Error(e)) => return Err(e),
            }
            let lock = RealLock { file, path: path.to_owned() };
            // A lock on a file that was replaced meanwhile locks nothing; the next round takes the new one.
            if lock.is_current() {
                return Ok(Some(Box::new(lock)));
            }
        }
        Err(io::Error::new(ErrorKind::ResourceBusy, "the lock file is replaced again and again"))
    }

    /// Makes no file, also where the one that was there goes in between.
    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        let file = match open_plain(path, OFlags::RDONLY) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        match file.try_lock() {
            Ok(()) => file.unlock().map(|()| false),
            Err(fs::TryLockError::WouldBlock) => Ok(true),
            Err(fs::TryLockError::Error(e)) => Err(e),
        }
    }

    fn shared_mode(&self, path: &Path) -> io::Result<u32> {
        Ok(fs::symlink_metadata(path)?.permissions().mode() & 0o077)
    }

    fn mode(&self, path: &Path) -> io::Result<Option<u32>> {
        Ok(Some(fs::symlink_metadata(path)?.permissions().mode() & 0o7777))
    }

    fn space(&self, path: &Path) -> io::Result<Option<(u64, u64)>> {
        let s = rustix::fs::statvfs(path)?;
        Ok(Some((s.f_bavail.saturating_mul(s.f_frsize), s.f_blocks.saturating_mul(s.f_frsize))))
    }

    fn may_write(&self, path: &Path) -> io::Result<bool> {
        match rustix::fs::access(path, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK) {
            Ok(()) => Ok(true),
            Err(Errno::ACCESS | Errno::ROFS | Errno::PERM) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }

    fn is_real(&self) -> bool {
        true
    }
}

#[derive(Debug)]
struct RealFile(fs::File);

impl File for RealFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.0.read_at(rest, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(got) => filled = filled.saturating_add(got),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(filled)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn punch(&self, offset: u64, bytes: u64) -> io::Result<()> {
        punch_hole(&self.0, offset, bytes)
    }

    fn drop_cached(&self, offset: u64, bytes: u64) -> io::Result<bool> {
        cached::drop_cached(&self.0, offset, bytes)
    }

    fn owner(&self) -> io::Result<Option<(u32, u32)>> {
        let metadata = self.0.metadata()?;
        Ok(Some((metadata.uid(), metadata.permissions().mode() & 0o7777)))
    }

    fn try_lock(&self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(fs::TryLockError::WouldBlock) => Ok(false),
            Err(fs::TryLockError::Error(e)) => Err(e),
        }
    }
}

#[derive(Debug)]
struct RealLock {
    file: fs::File,
    path: PathBuf,
}

impl FileLock for RealLock {
    fn is_current(&self) -> bool {
        let (Ok(held), Ok(named)) = (self.file.metadata(), fs::symlink_metadata(&self.path)) else {
            return false;
        };
        (held.dev(), held.ino()) == (named.dev(), named.ino())
    }
}

impl Drop for RealLock {
    /// Said outright: a process that this one is just starting holds a copy of the descriptor until it runs its own
    /// program, and closing ours alone would leave the lock with it.
    fn drop(&mut self) {
        let _closing_does_the_rest = self.file.unlock();
    }
}

/// Opens a plain file and nothing else. `O_NONBLOCK` keeps a planted pipe from holding us up; on
/// plain files it means nothing.
fn open_plain(path: &Path, flags: OFlags) -> io::Result<fs::File> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = fs::File::from(retry(|| rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR))?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "not a plain file"));
    }
    Ok(file)
}

fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            done => return done.map_err(io::Error::from),
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn rename_exclusive(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags};
    retry(|| rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE))
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn rename_exclusive(_: &Path, _: &Path) -> io::Result<()> {
    Err(Errno::NOSYS.into())
}

/// File systems that know no exclusive rename answer `EINVAL`, old kernels `ENOSYS`.
fn is_not_offered(e: &io::Error) -> bool {
    let number = e.raw_os_error();
    [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP].iter().any(|errno| number == Some(errno.raw_os_error()))
}

/// A link under the new name fails when the name is taken, which is all that we need of the rename.
/// A crash between the two calls leaves one file under both names.
fn rename_by_link(from: &Path, to: &Path) -> io::Result<()> {
    if fs::symlink_metadata(from)?.is_dir() {
        // Folders have no links. An existing folder at `to` would be replaced only if it were empty.
        if fs::symlink_metadata(to).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        return fs::rename(from, to);
    }
    fs::hard_link(from, to)?;
    fs::remove_file(from)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn punch_hole(file: &fs::File, offset: u64, bytes: u64) -> io::Result<()> {
    use rustix::fs::FallocateFlags;
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    retry(|| rustix::fs::fallocate(file, flags, offset, bytes)).map_err(|e| {
        if is_not_offered(&e) { io::Error::new(ErrorKind::Unsupported, "this file system keeps its blocks") } else { e }
    })
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn punch_hole(_: &fs::File, _: u64, _: u64) -> io::Result<()> {
    Err(io::Error::new(ErrorKind::Unsupported, "this system keeps its blocks"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    #[test]
    fn a_planted_link_pipe_or_folder_is_not_opened() {
        let t = folder();
        let path = |n: &str| t.path().join(n);
        fs::write(path("outside"), b"precious").unwrap();
        symlink(path("outside"), path("link")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .unwrap();
        let refused = RealFiles.open(&path("link"), true).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(Errno::LOOP.raw_os_error()));
        assert_eq!(RealFiles.open(&path("pipe"), false).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert!(RealFiles.open(t.path(), false).is_err());
        assert_eq!(RealFiles.open(&path("none"), false).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(RealFiles.create_new(&path("link")).is_err());
        assert_eq!(fs::read(path("outside")).unwrap(), b"precious");
    }

    #[test]
    fn modes_are_the_owners_alone() {
        let t = folder();
        let dir = t.path().join("a/b");
        RealFiles.create_dir_all(&dir).unwrap();
        RealFiles.create_dir_all(&dir).unwrap();
        let file = dir.join("f");
        RealFiles.create_new(&file).unwrap();
        assert_eq!(RealFiles.create_new(&file).unwrap_err().kind(), ErrorKind::AlreadyExists);
        for p in [dir.parent().unwrap(), &dir, &file] {
            assert_eq!(RealFiles.shared_mode(p).unwrap(), 0, "{}", p.display());
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(RealFiles.shared_mode(&file).unwrap(), 0o040);
        assert_eq!(RealFiles.mode(&file).unwrap(), Some(0o640));
        let (free, all) = RealFiles.space(t.path()).unwrap().unwrap();
        assert!(all > 0 && free <= all);
        assert!(RealFiles.may_write(t.path()).unwrap());
        assert!(RealFiles.may_write(&t.path().join("none")).is_err());
    }

    #[test]
    fn reads_end_at_the_end_and_at_the_limit() {
        let t = folder();
        let path = t.path().join("f");
        let file = RealFiles.create_new(&path).unwrap();
        file.write_at(3, b"abc").unwrap();
        file.sync_data().unwrap();
        RealFiles.sync_dir(t.path()).unwrap();
        let mut buffer = [9; 8];
        assert_eq!(file.read_at(2, &mut buffer).unwrap(), 4);
        assert_eq!(&buffer, b"\0abc\x09\x09\x09\x09");
        assert_eq!(file.read_at(6, &mut buffer).unwrap(), 0);
        assert_eq!(RealFiles.read(&path, 6).unwrap(), b"\0\0\0abc");
        assert_eq!(RealFiles.read(&path, 5).unwrap_err().kind(), ErrorKind::FileTooLarge);
    }

    #[test]
    fn rename_does_not_replace_unless_asked() {
        let t = folder();
        let path = |n: &str| t.path().join(n);
        fs::write(path("a"), b"a").unwrap();
        fs::write(path("b"), b"b").unwrap();
        for rename in [RealFiles.rename_noreplace(&path("a"), &path("b")), rename_by_link(&path("a"), &path("b"))] {
            assert_eq!(rename.unwrap_err().kind(), ErrorKind::AlreadyExists);
        }
        RealFiles.rename_noreplace(&path("a"), &path("c")).unwrap();
        rename_by_link(&path("c"), &path("d")).unwrap();
        assert!(!RealFiles.exists(&path("c")).unwrap());
        RealFiles.rename_replace(&path("d"), &path("b")).unwrap();
        assert_eq!(RealFiles.read(&path("b"), 1).unwrap(), b"a");
        fs::create_dir(path("x")).unwrap();
        fs::create_dir(path("y")).unwrap();
        assert!(RealFiles.rename_noreplace(&path("x"), &path("y")).is_err());
        assert_eq!(rename_by_link(&path("x"), &path("y")).unwrap_err().kind(), ErrorKind::AlreadyExists);
        rename_by_link(&path("x"), &path("z")).unwrap();
        let names: Vec<_> = RealFiles.list(t.path()).unwrap().into_iter().map(|e| (e.name, e.is_dir)).collect();
        assert_eq!(names, [("b".to_owned(), false), ("y".to_owned(), true), ("z".to_owned(), true)]);
        RealFiles.remove_file(&path("b")).unwrap();
        assert_eq!(RealFiles.list(&path("b")).unwrap_err().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn a_lock_is_one_and_notices_that_its_file_was_replaced() {
        let t = folder();
        let path = t.path().join("lock");
        assert!(!RealFiles.is_locked(&path).unwrap() && !path.exists());
        let held = RealFiles.try_lock(&path).unwrap().unwrap();
        assert!(held.is_current() && RealFiles.is_locked(&path).unwrap());
        assert!(RealFiles.try_lock(&path).unwrap().is_none());
        fs::remove_file(&path).unwrap();
        assert!(!held.is_current());
        let other = RealFiles.try_lock(&path).unwrap().unwrap();
        assert!(other.is_current() && !held.is_current());
        drop(other);
        assert!(!RealFiles.is_locked(&path).unwrap());
        assert!(RealFiles.try_lock(&path).unwrap().is_some());
    }

    #[test]
    fn a_lock_ends_although_a_copy_of_its_descriptor_lives_on() {
        let t = folder();
        let path = t.path().join("lock");
        let file = fs::File::create(&path).unwrap();
        file.try_lock().unwrap();
        let copy = file.try_clone().unwrap();
        let lock = RealLock { file, path: path.clone() };
        assert!(RealFiles.try_lock(&path).unwrap().is_none());
        drop(lock);
        assert!(RealFiles.try_lock(&path).unwrap().is_some());
        drop(copy);
    }

    #[test]
    fn a_punched_range_reads_as_zeros_or_says_that_it_cannot() {
        let t = folder();
        let path = t.path().join("f");
        let file = RealFiles.create_new(&path).unwrap();
        file.write_at(0, &[7; 8192]).unwrap();
        match file.punch(0, 4096) {
            Ok(()) => assert_eq!(RealFiles.read(&path, 8192).unwrap(), [vec![0; 4096], vec![7; 4096]].concat()),
            Err(e) => assert_eq!(e.kind(), ErrorKind::Unsupported),
        }
        assert_eq!(file.len().unwrap(), 8192);
    }

    #[test]
    fn write_atomic_passes_over_what_a_crash_left() {
        let t = folder();
        let path = t.path().join("head");
        fs::write(t.path().join("head.tmp"), b"half").unwrap();
        super::super::write_atomic(&RealFiles, &path, b"one").unwrap();
        super::super::write_atomic(&RealFiles, &path, b"two").unwrap();
        assert_eq!(RealFiles.read(&path, 9).unwrap(), b"two");
        assert_eq!(RealFiles.list(t.path()).unwrap().len(), 1);
    }
}
