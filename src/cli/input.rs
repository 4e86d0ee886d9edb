//! Files that people name, read through the one seam to the disk.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::codec::escape::visible;
use crate::error::{Code, Error, Result};
use crate::store::files::{File, Files, with_suffix};

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 << 10;
/// Longest companion file that is looked at; the importer's own limit is lower and says so.
const COMPANION_BYTES_MAX: u64 = 16 << 20;

/// Reads a file from its beginning.
struct FileReader {
    file: Arc<dyn File>,
    at: u64,
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read_at(self.at, buffer)?;
        self.at = self.at.saturating_add(got as u64);
        Ok(got)
    }
}

/// Most bytes of standard input that are held to be kept as the source of a tape; a file is read again instead.
const STDIN_SOURCE_BYTES_MAX: usize = 64 << 20;

/// Longest index of a folder that is looked at; the importer's own limit is the same and says so.
const INDEX_BYTES_MAX: u64 = 64 << 20;

/// The bytes that came through standard input, while somebody may ask for them.
#[derive(Debug, Clone, Default)]
pub(super) struct Held(Arc<Mutex<HeldBytes>>);

#[derive(Debug, Default)]
struct HeldBytes {
    bytes: Vec<u8>,
    is_off: bool,
}

/// More came through standard input than can be held.
#[derive(Debug, thiserror::Error)]
#[error(
    "more than {STDIN_SOURCE_BYTES_MAX} bytes came through standard input, and the source of this format must be kept"
)]
struct TooMuch;

impl Held {
    /// Nobody will ask.
    pub(super) fn drop_bytes(&self) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *held = HeldBytes { bytes: Vec::new(), is_off: true };
    }

    /// The bytes.
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes)
    }

    fn add(&self, bytes: &[u8]) -> io::Result<()> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_off {
            return Ok(());
        }
        if held.bytes.len().saturating_add(bytes.len()) > STDIN_SOURCE_BYTES_MAX {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, TooMuch));
        }
        held.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

/// The error of a read, if it is that more came than can be held.
pub(super) fn too_much(e: &Error) -> Option<Error> {
    let cause = std::error::Error::source(e)?.downcast_ref::<io::Error>()?;
    let words = cause.get_ref()?.downcast_ref::<TooMuch>()?.to_string();
    Some(Error::new(Code::Limit, words).with_hint("nothing was saved; write it to a file first, and save that"))
}

/// Standard input, its bytes held on the way.
struct Holding<R> {
    input: R,
    held: Held,
}

impl<R: Read> Read for Holding<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.input.read(buffer)?;
        self.held.add(buffer.get(..got).unwrap_or_default())?;
        Ok(got)
    }
}

/// Is this how standard input is named?
pub(super) fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The path as it is shown.
pub(super) fn shown(path: &Path) -> String {
    if is_stdin(path) { "standard input".into() } else { visible(path.as_os_str().as_encoded_bytes()) }
}

/// Opens a file, or standard input for `-`, whose bytes are held in `held` until that is told that nobody will ask.
///
/// # Errors
/// `E_IO` with the remedy.
pub(super) fn open(files: &dyn Files, path: &Path, held: &Held) -> Result<Box<dyn BufRead>> {
    if is_stdin(path) {
        let holding = Holding { input: io::stdin().lock(), held: held.clone() };
        return Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, holding)));
    }
    Ok(Box::new(BufReader::with_capacity(BUFFER_BYTES, reader(files, path)?)))
}

fn reader(files: &dyn Files, path: &Path) -> Result<FileReader> {
    let file = files.open(&followed(path), false).map_err(|e| cannot_read(path, e))?;
    Ok(FileReader { file, at: 0 })
}

/// The bytes of a source once more, to be kept: the file again, or what standard input gave.
///
/// # Errors
/// `E_IO`.
pub(super) fn again(files: &dyn Files, path: &Path, held: &Held) -> Result<Box<dyn Read + Send>> {
    if is_stdin(path) {
        return Ok(Box::new(io::Cursor::new(held.take())));
    }
    Ok(Box::new(reader(files, path)?))
}

/// The bytes of the index of the folder that a session lies in.
///
/// # Errors
/// `E_IO`, `E_LIMIT`.
pub(super) fn index(files: &dyn Files, folder: &Path) -> Result<Option<Vec<u8>>> {
    let path = folder.join("index.json");
    if !files.exists(&path).unwrap_or(false) {
        return Ok(None);
    }
    files.read(&followed(&path), INDEX_BYTES_MAX).map(Some).map_err(|e| match e.kind() {
        io::ErrorKind::FileTooLarge => Error::new(Code::Limit, format!("{} is too long for an index", shown(&path)))
            .with_hint("move it away: tapes are saved without it just as well"),
        _ => cannot_read(&path, e),
    })
}

/// The bytes of the metadata beside a session: `X.meta.json` for `X.jsonl`, else `FILE.meta.json`.
///
/// # Errors
/// `E_IO`, `E_LIMIT`.
pub(super) fn companion(files: &dyn Files, session: &Path, given: Option<&Path>) -> Result<Option<Vec<u8>>> {
    if let Some(path) = given {
        return read_companion(files, path).map(Some);
    }
    if is_stdin(session) {
        return Ok(None);
    }
    for path in [session.with_extension("meta.json"), with_suffix(session, ".meta.json")] {
        if path != session && files.exists(&path).unwrap_or(false) {
            return read_companion(files, &path).map(Some);
        }
    }
    Ok(None)
}

fn read_companion(files: &dyn Files, path: &Path) -> Result<Vec<u8>> {
    files.read(&followed(path), COMPANION_BYTES_MAX).map_err(|e| match e.kind() {
        io::ErrorKind::FileTooLarge => Error::new(Code::Limit, format!("{} is too long for metadata", shown(path)))
            .with_hint("give another file with --meta, or rename it so that it is not found"),
        _ => cannot_read(path, e),
    })
}

/// What a person names may be a link; only ledger folders never follow one.
fn followed(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn cannot_read(path: &Path, e: io::Error) -> Error {
    let hint = match e.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "you may not read it; nothing was saved",
        io::ErrorKind::InvalidInput => {
            "folders, pipes and devices are not read; give a pipe through standard input: .. | immutape save -"
        }
        _ => "nothing was saved",
    };
    Error::new(Code::Io, format!("{} cannot be read", shown(path))).with_hint(hint).with_source(e)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::files::RealFiles;

    #[test]
    fn reads_whole_files_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("a"), folder.path().join("b"));
        let content: Vec<u8> = (0..600_000u32).map(|n| n as u8).collect();
        std::fs::write(&path, &content).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let mut read = Vec::new();
        open(&RealFiles, &link, &Held::default()).unwrap().read_to_end(&mut read).unwrap();
        assert!(read == content);
    }

    #[test]
    fn companions_are_found_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = |n: &str| folder.path().join(n);
        let find = |n: &str| companion(&RealFiles, &path(n), None).unwrap();
        assert_eq!(find("a.jsonl"), None);
        std::fs::write(path("a.jsonl.meta.json"), b"2").unwrap();
        assert_eq!(find("a.jsonl").unwrap(), b"2");
        std::fs::write(path("a.meta.json"), b"1").unwrap();
        assert_eq!(find("a.jsonl").unwrap(), b"1");
        assert_eq!(companion(&RealFiles, Path::new("-"), None).unwrap(), None);
        assert_eq!(companion(&RealFiles, &path("a.jsonl"), Some(&path("none"))).unwrap_err().code(), Code::Io);
    }
}
