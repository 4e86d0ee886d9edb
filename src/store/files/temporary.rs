//! A folder that goes away again, unless it gets its name: for demonstrations, and for what is to be there whole or not at all.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A folder that this process made and will remove, with all that is in it, when this value is dropped.
///
/// It can only stand for a folder that was not there before, so nothing that somebody keeps is ever removed.
/// A process that is killed leaves it behind.
#[derive(Debug)]
pub struct TemporaryFolder {
    path: PathBuf,
    is_placed: bool,
}

impl TemporaryFolder {
    /// Makes the folder `name` in `base`, for this user alone.
    ///
    /// # Errors
    /// `AlreadyExists`; the system's error.
    pub fn create(base: &Path, name: &str) -> io::Result<Self> {
        let path = base.join(name);
        fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self { path, is_placed: false })
    }

    /// Gives it its name, where nothing stands yet; the name is durable on return, and what is in it as durable as it was.
    ///
    /// # Errors
    /// `AlreadyExists`; the system's error. It goes away then.
    pub fn place(mut self, files: &dyn super::Files, target: &Path) -> io::Result<()> {
        files.rename_noreplace(&self.path, target)?;
        self.is_placed = true;
        files.sync_dir(super::parent(target))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if !self.is_placed {
            // What cannot be removed is the system's to clean up.
            let _left_behind = fs::remove_dir_all(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_it_made_goes() {
        let base = tempfile::tempdir().unwrap();
        let kept = base.path().join("kept");
        fs::create_dir(&kept).unwrap();
        assert_eq!(TemporaryFolder::create(base.path(), "kept").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        let made = TemporaryFolder::create(base.path(), "made").unwrap();
        fs::write(made.path().join("file"), b"x").unwrap();
        std::os::unix::fs::symlink(&kept, made.path().join("link")).unwrap();
        let path = made.path().to_owned();
        drop(made);
        assert!(!path.exists() && kept.exists());
        let made = TemporaryFolder::create(base.path(), "made").unwrap();
        fs::write(made.path().join("file"), b"x").unwrap();
        made.place(&crate::store::files::RealFiles, &base.path().join("placed")).unwrap();
        assert_eq!(fs::read(base.path().join("placed/file")).unwrap(), b"x");
        let made = TemporaryFolder::create(base.path(), "made").unwrap();
        let taken = made.place(&crate::store::files::RealFiles, &kept).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        assert!(!path.exists() && kept.exists());
    }
}
