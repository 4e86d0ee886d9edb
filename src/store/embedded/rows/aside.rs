//! Putting a folder aside: renamed under a new name, never deleted.

use std::io;
use std::path::{Path, PathBuf};

use crate::store::files::{Files, parent, refuse_linked_folder};

/// More than any disk will see; a bound so that a failing file system cannot keep us here.
const NAMES_MAX: u32 = 100_000;

/// Renames `folder` into `quarantine` under its name and the first free number. `None` when there is nothing to
/// put aside. A link in its place is renamed itself; nothing behind it is touched. A crash leaves the folder in its old place or in the new one, whole.
///
/// # Errors
/// The system's error; the folder is then in one of the two places.
pub(super) fn put_aside(files: &dyn Files, folder: &Path, quarantine: &Path) -> io::Result<Option<PathBuf>> {
    if !files.exists(folder)? {
        return Ok(None);
    }
    refuse_linked_folder(files, quarantine)?;
    files.create_dir_all(quarantine)?;
    files.sync_dir(parent(quarantine))?;
    let name = folder.file_name().unwrap_or_default();
    for number in 1..=NAMES_MAX {
        let mut aside = name.to_owned();
        aside.push(format!("-{number}"));
        let aside = quarantine.join(aside);
        match files.rename_noreplace(folder, &aside) {
            Ok(()) => {
                files.sync_dir(quarantine)?;
                files.sync_dir(parent(folder))?;
                return Ok(Some(aside));
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "every name is taken"))
}
