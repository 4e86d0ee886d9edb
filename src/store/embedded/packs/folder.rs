//! The folder of packs: names, numbers, open handles, and the words for what goes wrong there.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::codec::digest::Digest;
use crate::codec::escape::visible;
use crate::error::{Code, Error, Result};
use crate::store::contracts::Hint;
use crate::store::files::{File, Files};

const SUFFIX: &str = ".pack";
const NUMBER_DIGITS: usize = 8;
/// Packs held open for reading; past it the handles are opened anew.
const OPEN_PACKS_MAX: usize = 64;

/// Where a record starts. Later records have greater places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub pack: u64,
    pub offset: u64,
}

impl Place {
    pub fn from_hint(hint: Hint) -> Self {
        let (pack, offset) = (u128::from_be_bytes(hint.0) >> 64, u128::from_be_bytes(hint.0) & u128::from(u64::MAX));
        Self { pack: u64::try_from(pack).unwrap_or(0), offset: u64::try_from(offset).unwrap_or(0) }
    }

    pub fn hint(self) -> Hint {
        Hint(((u128::from(self.pack) << 64) | u128::from(self.offset)).to_be_bytes())
    }
}

#[derive(Debug)]
pub(super) struct Folder {
    pub files: Arc<dyn Files>,
    pub path: PathBuf,
    pub origin: Digest,
    readers: Mutex<BTreeMap<u64, Arc<dyn File>>>,
}

impl Folder {
    pub fn new(files: Arc<dyn Files>, path: PathBuf, origin: Digest) -> Self {
        Self { files, path, origin, readers: Mutex::default() }
    }

    /// Numbers of the packs, ascending. A folder that is not there yet holds none; other names are not packs.
    /// What has a pack's name and is no file is a pack that cannot be read.
    pub fn numbers(&self) -> Result<Vec<u64>> {
        let entries = match self.files.list(&self.path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|e| io_error("list the packs in", &self.path, e))?,
        };
        let mut numbers: Vec<u64> = entries.iter().filter_map(|e| number_of(&e.name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    pub fn file_path(&self, number: u64) -> PathBuf {
        self.path.join(name_of(number))
    }

    /// The pack, open for reading.
    pub fn reader(&self, number: u64) -> io::Result<Arc<dyn File>> {
        let mut readers =
            self.readers.lock().map_err(|_| io::Error::other("a thread failed while it opened a pack"))?;
        if let Some(file) = readers.get(&number) {
            return Ok(Arc::clone(file));
        }
        let file = self.files.open(&self.file_path(number), false)?;
        if readers.len() >= OPEN_PACKS_MAX {
            readers.pop_first();
        }
        readers.insert(number, Arc::clone(&file));
        Ok(file)
    }

    /// Pack file and offset, for people.
    pub fn words(&self, place: Place) -> String {
        format!("{} at byte {}", shown(&self.file_path(place.pack)), place.offset)
    }
}

/// `path` as text that a terminal may show.
pub(super) fn shown(path: &Path) -> String {
    visible(path.as_os_str().as_encoded_bytes())
}

/// The error for an operation that the system refused; a full disk has its own code.
pub(super) fn io_error(doing: &str, path: &Path, source: io::Error) -> Error {
    if is_full(&source) {
        return Error::new(Code::StoreFull, format!("no room to {doing} {}", shown(path)))
            .with_hint("make room on that disk or raise the quota; nothing that was stored is lost")
            .with_source(source);
    }
    Error::new(Code::Io, format!("cannot {doing} {}", shown(path))).with_source(source)
}

/// The error for a write or sync after which nothing of this handle may be counted on.
pub(super) fn broken(doing: &str, path: &Path, source: io::Error) -> Error {
    Error::new(Code::Broken, format!("cannot {doing} {}; nothing is read or stored any more", shown(path)))
        .with_hint("look at the disk, then open the ledger again: what was acknowledged is checked there")
        .with_source(source)
}

pub(super) fn is_full(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The lock, or `E_BROKEN`: a thread that failed inside left a state nobody may trust.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> Result<MutexGuard<'_, T>> {
    mutex
        .lock()
        .map_err(|_| Error::new(Code::Broken, "a thread failed while it changed the packs; open the ledger again"))
}

fn name_of(number: u64) -> String {
    format!("{number:0NUMBER_DIGITS$}{SUFFIX}")
}

/// Is this the name of a pack?
pub(in crate::store::embedded) fn is_name(name: &str) -> bool {
    number_of(name).is_some()
}

fn number_of(name: &str) -> Option<u64> {
    let number = name.strip_suffix(SUFFIX)?.parse().ok()?;
    (number > 0 && name_of(number) == name).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_we_write_are_packs() {
        for number in [1, 99_999_999, 100_000_000, u64::MAX] {
            assert_eq!(number_of(&name_of(number)), Some(number));
        }
        for other in
            ["00000000.pack", "1.pack", "+0000001.pack", "00000001.pack.tmp", "00000001", "000000001.pack", ".pack"]
        {
            assert_eq!(number_of(other), None, "{other}");
        }
    }

    #[test]
    fn hint_is_pack_then_offset() {
        let place = Place { pack: 3, offset: 64 };
        let hint = place.hint();
        assert_eq!(hint.0, [0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 64]);
        assert_eq!(Place::from_hint(hint), place);
        let last = Place { pack: u64::MAX, offset: u64::MAX };
        assert_eq!(Place::from_hint(last.hint()), last);
    }
}
