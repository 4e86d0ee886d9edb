//! Where the segments stand, what they are called, and how an error about one of them reads.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::codec::digest::Digest;
use crate::codec::escape::visible;
use crate::error::{Code, Error, Result};
use crate::store::files::{Files, create_dir_durable};

const SUFFIX: &str = ".seg";
const DIGITS: usize = 8;

/// The folders of one journal and the files beneath them.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    pub files: Arc<dyn Files>,
    pub folder: PathBuf,
    pub quarantine: PathBuf,
    pub lock_path: PathBuf,
    /// `None` takes segments of any ledger: before entry 0 is read nobody knows whose they are.
    pub origin: Option<Digest>,
}

impl Shelf {
    pub fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number:0DIGITS$}{SUFFIX}"))
    }

    /// Numbers of the segment files, 1 to n.
    ///
    /// # Errors
    /// `E_LOG_DAMAGED` when one is missing.
    pub fn numbers(&self) -> Result<Vec<u64>> {
        let numbers = self.numbers_present()?;
        match (1..).zip(&numbers).find(|(wanted, found)| wanted != *found) {
            Some((missing, _)) => Err(damaged(missing, 0, "the segment file is missing, later ones are there")
                .with_source(io::Error::new(io::ErrorKind::NotFound, "no such file"))),
            None => Ok(numbers),
        }
    }

    /// Numbers of the segment files, with gaps if there are. Other names in the folder are nobody's.
    pub fn numbers_present(&self) -> Result<Vec<u64>> {
        let entries = match self.files.list(&self.folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(failed("list", &self.folder, e)),
        };
        let mut numbers: Vec<u64> = entries.iter().filter_map(|entry| number_of(&entry.name)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Renames a segment file into the quarantine under a name that nothing has, durably; which.
    ///
    /// # Errors
    /// `E_IO`, `E_STORE_FULL`.
    pub fn put_aside(&self, number: u64) -> Result<PathBuf> {
        let Self { files, quarantine, .. } = self;
        create_dir_durable(files.as_ref(), quarantine).map_err(|e| failed("create", quarantine, e))?;
        let path = self.path(number);
        let mut attempt = 1_u32;
        let aside = loop {
            let aside = quarantine.join(format!("journal-{number:08}.seg.{attempt}"));
            match files.rename_noreplace(&path, &aside) {
                Err(e) if e.kind() == ErrorKind::AlreadyExists => attempt = attempt.saturating_add(1),
                Err(e) => return Err(failed("put aside", &path, e)),
                Ok(()) => break aside,
            }
        };
        files.sync_dir(quarantine).map_err(|e| failed("sync", quarantine, e))?;
        self.sync_folder()?;
        Ok(aside)
    }

    pub fn sync_folder(&self) -> Result<()> {
        self.files.sync_dir(&self.folder).map_err(|e| failed("sync", &self.folder, e))
    }

    pub fn io(&self, action: &str, number: u64, error: io::Error) -> Error {
        failed(action, &self.path(number), error)
    }
}

pub(super) fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let plain = digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit());
    if plain { digits.parse().ok().filter(|number| *number > 0) } else { None }
}

/// An error of the system about a file of ours.
pub(super) fn failed(action: &str, path: &Path, error: io::Error) -> Error {
    let full = matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded);
    let code = if full { Code::StoreFull } else { Code::Io };
    let path = visible(path.as_os_str().as_encoded_bytes());
    Error::new(code, format!("cannot {action} {path}: {error}")).with_source(error)
}

/// Stored bytes that are neither whole nor a tear.
pub(super) fn damaged(segment: u64, offset: u64, why: impl std::fmt::Display) -> Error {
    Error::new(Code::LogDamaged, format!("journal segment {segment:0DIGITS$}, byte {offset}: {why}"))
        .with_hint("run `immutape verify --all` to see what is affected, then `immutape repair`")
}

pub(super) fn newer_format(segment: u64, offset: u64) -> Error {
    Error::new(
        Code::NewerFormat,
        format!("journal segment {segment:0DIGITS$}, byte {offset} was written by a newer version"),
    )
    .with_hint("use the version of immutape that wrote it, or a later one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_eight_digits_name_a_segment() {
        assert_eq!(number_of("00000012.seg"), Some(12));
        for other in
            ["12.seg", "00000012.seg.tmp", "00000012.SEG", "+0000012.seg", "000000012.seg", ".seg", "00000000.seg"]
        {
            assert_eq!(number_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_full_disk_has_its_own_code() {
        let error = |kind: ErrorKind| failed("write", Path::new("a\x1b"), kind.into());
        assert_eq!(error(ErrorKind::StorageFull).code(), Code::StoreFull);
        assert_eq!(error(ErrorKind::QuotaExceeded).code(), Code::StoreFull);
        assert_eq!(error(ErrorKind::TimedOut).code(), Code::Io);
        assert!(error(ErrorKind::TimedOut).message().contains("a\\x1b"));
    }
}
