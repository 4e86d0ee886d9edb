//! A bag as a folder. No link is followed, no device opened.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};
use tapeaudit_core::bundle::{Listed, Source, Stream, is_path};
use tapeaudit_core::report::shown;
use tapeaudit_core::{Refused, Result, refuse};

/// Most files of a bag that are listed.
const MOST_FILES: usize = 1 << 22;
/// Longest file, less one byte.
pub const MOST_LENGTH: u64 = 8 << 30;

/// A folder that is read as a bag.
pub struct Folder {
    root: PathBuf,
    files: Vec<Listed>,
    faults: Vec<(String, &'static str)>,
}

impl Folder {
    /// Lists a folder.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn open(root: &Path) -> Result<Self> {
        let mut found = Self { root: root.into(), files: Vec::new(), faults: Vec::new() };
        found.list(root, "")?;
        found.files.sort();
        Ok(found)
    }

    /// True when something was in it.
    fn list(&mut self, folder: &Path, within: &str) -> Result<bool> {
        let Ok(entries) = fs::read_dir(folder) else { return refuse("a folder that cannot be read") };
        let mut any = false;
        for entry in entries {
            let Ok(entry) = entry else { return refuse("a folder that cannot be read") };
            any = true;
            let name = entry.file_name();
            let place = format!("{within}{}", shown(name.as_encoded_bytes()));
            let path = name.to_str().map(|name| format!("{within}{name}")).filter(|path| is_path(path));
            let Some(path) = path else {
                self.faults.push((place, "a path that a bag does not have"));
                continue;
            };
            let Ok(meta) = fs::symlink_metadata(entry.path()) else { return refuse("a file that cannot be looked at") };
            if meta.is_dir() {
                if !self.list(&entry.path(), &format!("{path}/"))? {
                    self.faults.push((place, "a folder that is on the way to no file"));
                }
            } else if !meta.is_file() {
                self.faults.push((place, "a link or a device"));
            } else if meta.len() >= MOST_LENGTH {
                self.faults.push((place, "a file over 8 GiB less one byte"));
            } else if self.files.len() >= MOST_FILES {
                return refuse("more files than a bag is read with");
            } else {
                self.files.push(Listed { path, length: meta.len() });
            }
        }
        Ok(any)
    }
}

/// Whether two looks at a file saw the same one.
#[cfg(unix)]
fn same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn same(a: &Metadata, b: &Metadata) -> bool {
    a.len() == b.len()
}

/// Opens a plain file, and no link to one.
///
/// # Errors
/// Anything else, and what cannot be opened.
pub fn open_plain(path: &Path) -> Result<File> {
    const OTHER: Refused = Refused("a file that cannot be opened");
    let before = fs::symlink_metadata(path).map_err(|_| OTHER)?;
    if !before.is_file() {
        return refuse("no plain file");
    }
    let file = File::open(path).map_err(|_| OTHER)?;
    let after = file.metadata().map_err(|_| OTHER)?;
    // Between the two looks somebody may have put a link there.
    if after.is_file() && same(&before, &after) {
        Ok(file)
    } else {
        refuse("a file that changed while it was looked at")
    }
}

impl Source for Folder {
    fn files(&self) -> &[Listed] {
        &self.files
    }

    fn faults(&self) -> &[(String, &'static str)] {
        &self.faults
    }

    fn open(&mut self, path: &str) -> Result<Box<dyn Stream + '_>> {
        Ok(Box::new(Reading(open_plain(&self.root.join(path))?)))
    }
}

/// A reader as the core takes it.
pub struct Reading<R>(pub R);

impl<R: Read> Stream for Reading<R> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        loop {
            match self.0.read(into) {
                Ok(n) => return Ok(n),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return refuse("a file that cannot be read"),
            }
        }
    }
}
