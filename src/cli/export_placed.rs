//! Files of an export under their own names. What stood there before is kept until it is sure that the new ones stay.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::export_files::{Lazy, Left, cannot_write};
use super::session::Parts;
use crate::error::Result;
use crate::store::files::{Files, PutAside};

/// Writes one file whole under its name, as [`Placed::all`] does with many.
///
/// # Errors
/// `E_IO`, `E_STORE_FULL`.
pub(super) fn place_one(parts: &Parts, path: &Path, bytes: &[u8], force: bool) -> Result<()> {
    let files = &parts.env.files;
    let mut file = Lazy::new(files, path, parts.who.pid);
    file.write_all(bytes).map_err(|e| cannot_write(path, e))?;
    Placed::all(files, vec![file], (force, parts.who.pid)).map(|placed| drop(placed.keep()))
}

/// The files of one export once they have their names. Dropped before [`Placed::keep`], none of them stays, and what they
/// replaced is back.
pub(super) struct Placed {
    files: Arc<dyn Files>,
    mark: u64,
    new: Vec<Left>,
    old: Vec<PutAside>,
}

impl Placed {
    /// Gives finished files their names, the last of them last. When one cannot have it, none stays. Without `force` a name that is
    /// taken is refused; `mark` tells this process's names from those of others.
    ///
    /// # Errors
    /// `E_IO`, `E_STORE_FULL`.
    pub(super) fn all(files: &Arc<dyn Files>, made: Vec<Lazy>, (force, mark): (bool, u64)) -> Result<Self> {
        let ready: Vec<_> = made.into_iter().filter_map(|lazy| lazy.ready().transpose()).collect::<Result<_>>()?;
        let mut placed = Self { files: files.clone(), mark, new: Vec::new(), old: Vec::new() };
        for (file, left) in ready {
            let replaces = force && placed.put_aside(&left.path, true)?;
            file.place(replaces).map_err(|e| cannot_write(&left.path, e))?;
            placed.new.push(left);
        }
        Ok(placed)
    }

    /// What left.
    pub(super) fn new_files(&self) -> &[Left] {
        &self.new
    }

    /// Puts away what an earlier export left beside and this one has no use for: it would pass for a part of it.
    ///
    /// # Errors
    /// `E_IO`.
    pub(super) fn without_stale(&mut self, path: &Path) -> Result<()> {
        if self.new.iter().any(|left| left.path == path) {
            return Ok(());
        }
        self.put_aside(path, false).map(|_| ())
    }

    /// They stay; what they replaced goes.
    pub(super) fn keep(mut self) -> Vec<Left> {
        for old in std::mem::take(&mut self.old) {
            // What cannot be removed is there under a name that says what it is.
            let _left_behind = old.forget();
        }
        std::mem::take(&mut self.new)
    }

    /// Was anything there?
    fn put_aside(&mut self, path: &Path, stays: bool) -> Result<bool> {
        let aside = PutAside::new(&self.files, path, (stays, self.mark)).map_err(|e| cannot_write(path, e))?;
        let is_there = aside.is_some();
        self.old.extend(aside);
        Ok(is_there)
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        // The error that is told already is the one that matters.
        for left in std::mem::take(&mut self.new) {
            if !self.old.iter().any(|old| old.path() == left.path) {
                let _left_behind = self.files.remove_file(&left.path);
            }
        }
        for old in std::mem::take(&mut self.old) {
            let _still_aside = old.back();
        }
    }
}
