//! A file that is to be replaced, kept under a second name until it is sure that the new one stays.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Files, parent};

/// Names that are tried for it.
const NAMES_MAX: u32 = 100;

/// What stood under a name, as `.NAME.MARK.N.old` beside it. A kill leaves it there.
#[derive(Debug)]
pub struct PutAside {
    files: Arc<dyn Files>,
    path: PathBuf,
    aside: PathBuf,
}

impl PutAside {
    /// Gives the file at `path` a second name, or where `stays` is false or a file has one name only, another; `None` where
    /// nothing is. A file that stays until it is replaced is never missing from its place. `mark` tells this process's names
    /// from those of others.
    ///
    /// # Errors
    /// The system's error; `AlreadyExists` when too many were put aside.
    pub fn new(files: &Arc<dyn Files>, path: &Path, (stays, mark): (bool, u64)) -> io::Result<Option<Self>> {
        if !files.exists(path)? {
            return Ok(None);
        }
        let mut front = OsString::from(".");
        front.push(path.file_name().unwrap_or_default());
        for n in 0..NAMES_MAX {
            let mut name = front.clone();
            name.push(format!(".{mark}.{n}.old"));
            let aside = path.with_file_name(name);
            let linked = if stays { files.link(path, &aside) } else { Err(io::ErrorKind::Unsupported.into()) };
            let done = match linked {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => files.rename_noreplace(path, &aside),
                linked => linked,
            };
            match done {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                done => return done.map(|()| Some(Self { files: files.clone(), path: path.to_owned(), aside })),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Where it stood.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// It has its place back, whatever stands there now.
    ///
    /// # Errors
    /// The system's error; it is then still under its other name.
    pub fn back(self) -> io::Result<()> {
        self.files.rename_replace(&self.aside, &self.path)?;
        // Two names of one file are left as they are by a rename.
        if self.files.exists(&self.aside)? {
            self.files.remove_file(&self.aside)?;
        }
        self.files.sync_dir(parent(&self.path))
    }

    /// It is not needed any more.
    ///
    /// # Errors
    /// The system's error; it is then still under its other name.
    pub fn forget(self) -> io::Result<()> {
        self.files.remove_file(&self.aside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::files::RealFiles;
    use std::fs;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_there_comes_back_whatever_came_in_its_place() {
        let files: Arc<dyn Files> = Arc::new(RealFiles);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        assert!(PutAside::new(&files, &path, (true, 7)).unwrap().is_none(), "nothing is there");
        for (stays, changes) in [(true, true), (true, false), (false, true), (false, false)] {
            fs::write(&path, "old").unwrap();
            // A name that is taken is left alone.
            fs::write(folder.path().join(".x.7.0.old"), "of somebody").unwrap();
            let aside = PutAside::new(&files, &path, (stays, 7)).unwrap().unwrap();
            assert_eq!((path.exists(), aside.path()), (stays, path.as_path()));
            assert_eq!(fs::read(folder.path().join(".x.7.1.old")).unwrap(), b"old");
            if changes {
                fs::write(folder.path().join("new"), "new").unwrap();
                fs::rename(folder.path().join("new"), &path).unwrap();
            }
            aside.back().unwrap();
            assert_eq!(names(folder.path()), [".x.7.0.old", "x"]);
            assert_eq!(fs::read(&path).unwrap(), b"old");
        }
        let aside = PutAside::new(&files, &path, (true, 7)).unwrap().unwrap();
        aside.forget().unwrap();
        assert_eq!(names(folder.path()), [".x.7.0.old", "x"]);
    }
}
