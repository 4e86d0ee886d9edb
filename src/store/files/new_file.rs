//! A file that is there whole, under its own name, or not at all.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Entry, File, Files, parent};

/// Bytes held back before they are written.
const BUFFER_BYTES: usize = 256 << 10;
/// How often a file is begun again because somebody took it for one that was left behind.
const BEGIN_TRIES_MAX: u32 = 8;
/// What the name of an unfinished file ends with.
const PART: &str = ".part";

/// Writes a file under a temporary name beside its own. It takes its own name in [`NewFile::place`], once it is whole and
/// durable; dropped before, it is removed. A process that is killed leaves the temporary file, which ends in `.part`: the
/// next file of the same name removes it. Who still writes holds a lock, so it is not taken for one that was left.
pub struct NewFile {
    files: Arc<dyn Files>,
    temporary: PathBuf,
    target: PathBuf,
    out: BufWriter<Appending>,
    is_placed: bool,
}

#[derive(Debug)]
struct Appending {
    file: Arc<dyn File>,
    at: u64,
}

impl Write for Appending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(self.at, bytes)?;
        self.at = self.at.saturating_add(bytes.len() as u64);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl std::fmt::Debug for NewFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewFile").field("temporary", &self.temporary).finish_non_exhaustive()
    }
}

impl NewFile {
    /// Begins a file that will be called `target`; `mark` tells this process's temporary names from those of others. What
    /// processes that are gone left of a file of this name is removed.
    ///
    /// # Errors
    /// The system's error.
    pub fn create(files: Arc<dyn Files>, target: &Path, mark: u64) -> io::Result<Self> {
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut front = OsString::from(".");
        front.push(name);
        front.push(".");
        remove_left(&*files, parent(target), &front);
        front.push(format!("{mark}{PART}"));
        let temporary = target.with_file_name(front);
        let file = begin(&*files, &temporary)?;
        let out = BufWriter::with_capacity(BUFFER_BYTES, Appending { file, at: 0 });
        Ok(Self { files, temporary, target: target.to_owned(), out, is_placed: false })
    }

    /// What it will be called.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Makes the content durable.
    ///
    /// # Errors
    /// The system's error.
    pub fn sync(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.out.get_ref().file.sync_data()
    }

    /// Gives the file its name, and makes the name durable; what stood there goes only if `replace`.
    ///
    /// # Errors
    /// `AlreadyExists`; the system's error. The file is then removed; one that replaced another and whose name may not last is there.
    pub fn place(mut self, replace: bool) -> io::Result<()> {
        self.sync()?;
        if replace {
            self.files.rename_replace(&self.temporary, &self.target)?;
        } else {
            self.files.rename_noreplace(&self.temporary, &self.target)?;
        }
        self.is_placed = true;
        let lasts = self.files.sync_dir(parent(&self.target));
        if lasts.is_err() && !replace {
            // Whoever is told that it is not there must not find it.
            let _left_behind = self.files.remove_file(&self.target);
        }
        lasts
    }
}

/// A new file under its lock. Between its making and its lock somebody else may take it for one that was left.
fn begin(files: &dyn Files, temporary: &Path) -> io::Result<Arc<dyn File>> {
    for _ in 0..BEGIN_TRIES_MAX {
        let file = files.create_new(temporary)?;
        // Where there are no locks, nothing is taken for one that was left either.
        if file.try_lock().unwrap_or(true) && files.exists(temporary)? {
            return Ok(file);
        }
    }
    Err(io::Error::new(io::ErrorKind::ResourceBusy, "the unfinished file is removed again and again"))
}

/// Removes the unfinished files that begin with `front` and that nobody writes any more. What cannot be removed stays: its
/// name says what it is, and the new file does not need its place.
fn remove_left(files: &dyn Files, folder: &Path, front: &OsStr) {
    let is_left = |entry: &Entry| {
        let name = entry.name.as_bytes().strip_prefix(front.as_encoded_bytes());
        let mark = name.and_then(|rest| rest.strip_suffix(PART.as_bytes()));
        entry.is_plain && !entry.is_dir && mark.is_some_and(|m| !m.is_empty() && m.iter().all(u8::is_ascii_digit))
    };
    for entry in files.list(folder).unwrap_or_default().iter().filter(|entry| is_left(entry)) {
        let path = folder.join(&entry.name);
        if let Ok(Some(_held)) = files.try_lock(&path) {
            let _stays = files.remove_file(&path);
        }
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_placed {
            // What cannot be removed is half a file under a name that says so.
            let _left_behind = self.files.remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::RealFiles;
    use super::*;

    fn begin(target: &Path) -> NewFile {
        let mut file = NewFile::create(Arc::new(RealFiles), target, 7).unwrap();
        file.write_all(b"new").unwrap();
        file
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        let file = begin(&target);
        assert_eq!(names(folder.path()), [".a.7.part"]);
        drop(file);
        assert_eq!(names(folder.path()), [] as [&str; 0]);
        begin(&target).place(false).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
        std::fs::write(&target, b"old").unwrap();
        assert_eq!(begin(&target).place(false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!((names(folder.path()), std::fs::read(&target).unwrap()), (vec!["a".to_owned()], b"old".to_vec()));
        begin(&target).place(true).unwrap();
        assert_eq!((names(folder.path()), std::fs::read(&target).unwrap()), (vec!["a".to_owned()], b"new".to_vec()));
    }

    #[test]
    fn what_a_killed_process_left_goes_and_what_is_still_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str| std::fs::write(folder.path().join(name), "half").unwrap();
        // Left by two processes, one of them with the mark that is used now; then names that only look like it.
        let left = [".a.6.part", ".a.7.part"];
        let others = [".a.part", ".a.x6.part", ".a.6.part.old", ".ab.6.part", "a.6.part"];
        left.iter().chain(&others).for_each(|name| put(name));
        let target = folder.path().join("a");
        let writing = NewFile::create(Arc::new(RealFiles), &target, 8).unwrap();
        let mut expected: Vec<String> = others.iter().map(|name| (*name).to_owned()).collect();
        expected.push(".a.8.part".into());
        expected.sort();
        assert_eq!(names(folder.path()), expected);
        begin(&target).place(false).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"new");
        assert!(folder.path().join(".a.8.part").exists(), "somebody still writes it");
        assert_eq!(writing.place(false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        expected.retain(|name| name != ".a.8.part");
        expected.push("a".into());
        expected.sort();
        assert_eq!(names(folder.path()), expected);
    }
}
