//! What somebody with the disk in hand does, through the seam that everything uses.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Code, Error, Result};
use crate::store::files::Files;

/// Longest file that the demonstration copies; its own are far smaller.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A changed byte.
pub(super) struct Flipped {
    path: PathBuf,
    /// Name of the file within the ledger.
    pub name: String,
    /// Where.
    pub at: u64,
    /// Before.
    pub was: u8,
    /// After.
    pub is: u8,
}

/// Changes one bit in the middle of what the first pack holds.
///
/// # Errors
/// `E_IO`.
pub(super) fn flip_a_bit(files: &dyn Files, packs: &Path) -> Result<Flipped> {
    let flip = || {
        let missing = || io::Error::new(io::ErrorKind::NotFound, "no pack holds anything");
        let entry = files.list(packs)?.into_iter().find(|e| !e.is_dir).ok_or_else(missing)?;
        let path = packs.join(&entry.name);
        let content = files.read(&path, FILE_BYTES_MAX)?;
        // Packs are zeros behind their last object.
        let used = content.iter().rposition(|b| *b != 0).ok_or_else(missing)?;
        let at = used.wrapping_div(2);
        let was = *content.get(at).ok_or_else(missing)?;
        let flipped = Flipped { path, name: format!("packs/{}", entry.name), at: at as u64, was, is: was ^ 1 };
        write(files, &flipped, flipped.is)?;
        Ok(flipped)
    };
    flip().map_err(failed)
}

/// Undoes [`flip_a_bit`].
///
/// # Errors
/// `E_IO`.
pub(super) fn put_back(files: &dyn Files, flipped: &Flipped) -> Result<()> {
    write(files, flipped, flipped.was).map_err(failed)
}

fn write(files: &dyn Files, flipped: &Flipped, byte: u8) -> io::Result<()> {
    let file = files.open(&flipped.path, true)?;
    file.write_at(flipped.at, &[byte])?;
    file.sync_data()
}

/// Copies a folder and all that is in it.
///
/// # Errors
/// `E_IO`.
pub(super) fn copy_folder(files: &dyn Files, from: &Path, to: &Path) -> Result<()> {
    copy(files, from, to).map_err(failed)
}

fn copy(files: &dyn Files, from: &Path, to: &Path) -> io::Result<()> {
    files.create_dir_all(to)?;
    for entry in files.list(from)? {
        let (source, target) = (from.join(&entry.name), to.join(&entry.name));
        if entry.is_dir {
            copy(files, &source, &target)?;
        } else {
            files.create_new(&target)?.write_at(0, &files.read(&source, FILE_BYTES_MAX)?)?;
        }
    }
    Ok(())
}

/// Moves a folder.
///
/// # Errors
/// `E_IO`.
pub(super) fn rename(files: &dyn Files, from: &Path, to: &Path) -> Result<()> {
    files.rename_noreplace(from, to).map_err(failed)
}

fn failed(e: io::Error) -> Error {
    Error::new(Code::Io, "the demo cannot work with its temporary files").with_source(e)
}
