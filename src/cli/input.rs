//! Files that people name, read through the one seam to the disk.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::export_files::Target;
use super::held::{Held, Holding};
use crate::codec::escape::visible;
use crate::error::{Code, Error, Result};
use crate::interchange::BesideInput;
use crate::store::files::{File, Files, with_suffix};

/// Bytes read at once.
const BUFFER_BYTES: usize = 256 << 10;
/// Longest companion file that is looked at; the importer's own limit is lower and says so.
const COMPANION_BYTES_MAX: u64 = 16 << 20;

/// Longest index of a folder that is looked at; the importer's own limit is the same and says so.
const INDEX_BYTES_MAX: u64 = 64 << 20;

/// A signed note in a file, or from standard input.
///
/// # Errors
/// `E_IO`, `E_USAGE` for what is not text.
pub(super) fn note(files: &dyn Files, file: &Path) -> Result<String> {
    String::from_utf8(small(files, file, crate::codec::limits::NOTE_BYTES_MAX as u64)?)
        .map_err(|_| Error::new(Code::Usage, "the head that was given is not text"))
}

/// The bytes of a file that has to be small, or of standard input. One that is longer is cut one byte behind the limit, which
/// whoever reads it refuses.
///
/// # Errors
/// `E_IO`.
pub(super) fn small(files: &dyn Files, file: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    let cannot = |e| Error::new(Code::Io, format!("{} cannot be read", shown(file))).with_source(e);
    if is_stdin(file) {
        let mut bytes = Vec::new();
        io::stdin().take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(cannot)?;
        return Ok(bytes);
    }
    files.read(file, bytes_max).map_err(cannot)
}

/// A source that was opened.
pub(super) struct Source {
    /// Its bytes.
    pub bytes: Box<dyn BufRead>,
    /// How many of them were read so far.
    pub read: Arc<AtomicU64>,
    /// How many there are; 0 where nobody knows.
    pub total: u64,
}

/// Reads a file from its beginning.
struct FileReader {
    file: Arc<dyn File>,
    at: u64,
}

/// Counts what goes through it.
struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.inner.read(buffer)?;
        self.read.fetch_add(got as u64, Ordering::Relaxed);
        Ok(got)
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read_at(self.at, buffer)?;
        self.at = self.at.saturating_add(got as u64);
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
pub(super) fn open(files: &dyn Files, path: &Path, held: &Held) -> Result<Source> {
    let read = Arc::new(AtomicU64::new(0));
    if is_stdin(path) {
        let holding = Holding { input: io::stdin().lock(), held: held.clone() };
        let inner = Counted { inner: holding, read: read.clone() };
        return Ok(Source { bytes: Box::new(BufReader::with_capacity(BUFFER_BYTES, inner)), read, total: 0 });
    }
    let inner = reader(files, path)?;
    let total = inner.file.len().unwrap_or(0);
    let inner = Counted { inner, read: read.clone() };
    Ok(Source { bytes: Box::new(BufReader::with_capacity(BUFFER_BYTES, inner)), read, total })
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

/// Plain files of a folder and of those in it, sorted by path. What is not gone into comes second: links, devices, and
/// folders that are `closed`.
///
/// # Errors
/// `E_IO`.
pub(super) fn walk(
    files: &dyn Files,
    folder: &Path,
    closed: &dyn Fn(&Path) -> bool,
) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut found, mut left, mut waiting) = (Vec::new(), Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = waiting.pop() {
        for entry in files.list(&folder).map_err(|e| cannot_read(&folder, e))? {
            let path = folder.join(&entry.os_name);
            match (entry.is_plain, entry.is_dir) {
                (true, true) if closed(&path) => left.push(path),
                (true, true) => waiting.push(path),
                (true, false) => found.push(path),
                _ => left.push(path),
            }
        }
    }
    found.sort_unstable();
    left.sort_unstable();
    Ok((found, left))
}

/// Is this a folder, or a link to one?
pub(super) fn is_folder(files: &dyn Files, path: &Path) -> bool {
    !is_stdin(path) && files.list(&followed(path)).is_ok()
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

/// The file beside a version 2.0 tape (`.extra.jsonl`), where an export puts it.
///
/// # Errors
/// `E_IO`.
pub(super) fn beside(files: &dyn Files, session: &Path, given: Option<&Path>) -> Result<Option<BesideInput>> {
    let path = match given {
        Some(path) => path.to_owned(),
        None if is_stdin(session) => return Ok(None),
        None => {
            let path = Target::of(session.to_owned()).beside;
            // Of `X` and `X.jsonl` the latter has it.
            let other = with_suffix(session, ".jsonl");
            let is_of_other = Target::of(other.clone()).beside == path && files.exists(&other).unwrap_or(false);
            if is_of_other || !files.exists(&path).unwrap_or(false) {
                return Ok(None);
            }
            path
        }
    };
    let reader = reader(files, &path)?;
    Ok(Some(Box::new(BufReader::with_capacity(BUFFER_BYTES, reader))))
}

/// The names that the session may have beside which a file of this name lies.
pub(super) fn besides_of(path: &Path) -> Option<[PathBuf; 2]> {
    let name = path.file_name()?.as_encoded_bytes().strip_suffix(b".extra.jsonl")?;
    let session = path.with_file_name(OsStr::from_bytes(name));
    Some([with_suffix(&session, ".jsonl"), session])
}

/// How long a file is, as far as that is known.
pub(super) fn length(files: &dyn Files, path: &Path) -> u64 {
    reader(files, path).and_then(|r| r.file.len().map_err(|e| cannot_read(path, e))).unwrap_or(0)
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
        let mut source = open(&RealFiles, &link, &Held::default()).unwrap();
        source.bytes.read_to_end(&mut read).unwrap();
        assert!(read == content);
        assert_eq!((source.total, source.read.load(Ordering::Relaxed)), (600_000, 600_000));
    }

    #[test]
    fn folders_are_walked_and_nothing_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |n: &str| folder.path().join(n);
        for name in ["b", "b/c", "closed"] {
            std::fs::create_dir(path(name)).unwrap();
        }
        for name in ["z", "b/c/d", "b/a", "closed/key"] {
            std::fs::write(path(name), b"").unwrap();
        }
        std::os::unix::fs::symlink("/", path("b/link")).unwrap();
        let (found, left) = walk(&RealFiles, folder.path(), &|p| p.ends_with("closed")).unwrap();
        assert_eq!(found, ["b/a", "b/c/d", "z"].map(path));
        assert_eq!(left, ["b/link", "closed"].map(path));
        assert_eq!(walk(&RealFiles, &path("none"), &|_| false).unwrap_err().code(), Code::Io);
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
