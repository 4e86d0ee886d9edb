//! Where the files of a bundle or of a published tree come from.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::Bound;

use crate::evidence::Verdict;

/// A file that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Path, with slashes; whatever a name may be.
    pub path: String,
    /// Length in bytes.
    pub bytes: u64,
}

/// Files by their paths. Nothing of them is held: each is read as a stream, once or several times.
pub trait Source {
    /// Every plain file, in the order of the medium.
    fn files(&self) -> &[SourceFile];

    /// What stands there and is no plain file on the way to one: links, devices, empty folders, names that are no text.
    fn strays(&self) -> &[String];

    /// Opens one of [`Source::files`].
    ///
    /// # Errors
    /// The system's error.
    fn open(&self, path: &str) -> io::Result<Box<dyn Read + '_>>;

    /// Is the order of the files the one that chapter 6.1 names? Folders have none.
    fn is_in_order(&self) -> bool {
        true
    }
}

/// A source with its files by their paths.
pub(super) struct Paths<'a> {
    source: &'a dyn Source,
    bytes: BTreeMap<&'a str, u64>,
}

/// Why a file of a source is not in memory.
#[derive(Debug)]
pub(super) enum Unread {
    /// It is not there: somebody else tells of that.
    Absent,
    /// It is longer than its format allows, or the system refused it; the word for that.
    Fault(Verdict, String),
}

impl Unread {
    pub(super) fn io(e: &io::Error) -> Self {
        Self::Fault(Verdict::CannotTell, format!("it cannot be read: {e}"))
    }
}

impl<'a> Paths<'a> {
    pub(super) fn of(source: &'a dyn Source) -> Self {
        Self { source, bytes: source.files().iter().map(|file| (file.path.as_str(), file.bytes)).collect() }
    }

    pub(super) const fn source(&self) -> &'a dyn Source {
        self.source
    }

    pub(super) fn has(&self, path: &str) -> bool {
        self.bytes.contains_key(path)
    }

    /// Paths that begin so, ascending.
    pub(super) fn below(&self, front: &str) -> Vec<&'a str> {
        let paths = self.bytes.range::<str, _>((Bound::Included(front), Bound::Unbounded)).map(|(path, _)| *path);
        paths.take_while(|path| path.starts_with(front)).collect()
    }

    /// A file as a stream.
    pub(super) fn open(&self, path: &str) -> Result<Box<dyn Read + 'a>, Unread> {
        if !self.has(path) {
            return Err(Unread::Absent);
        }
        self.source.open(path).map_err(|e| Unread::io(&e))
    }

    /// A whole small file.
    pub(super) fn read(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, Unread> {
        let bytes = *self.bytes.get(path).ok_or(Unread::Absent)?;
        if bytes > bytes_max {
            return Err(Unread::Fault(Verdict::Altered, format!("it has {bytes} bytes; the limit is {bytes_max}")));
        }
        let mut held = Vec::new();
        match self.open(path)?.take(bytes_max.saturating_add(1)).read_to_end(&mut held) {
            Ok(read) if read as u64 <= bytes_max => Ok(held),
            Ok(_) => Err(Unread::Fault(Verdict::Altered, format!("it has more than {bytes_max} bytes"))),
            Err(e) => Err(Unread::io(&e)),
        }
    }

    /// What a small file says. Who looked at the bag has told already that it is not there, or cannot be read.
    pub(super) fn parse<T>(
        &self,
        path: &str,
        bytes_max: u64,
        parse: impl FnOnce(&[u8]) -> Result<T, String>,
    ) -> Option<Result<T, String>> {
        match self.read(path, bytes_max) {
            Ok(bytes) => Some(parse(&bytes)),
            Err(Unread::Fault(Verdict::Altered, why)) => Some(Err(why)),
            Err(_) => None,
        }
    }
}

/// Files in memory: for tests, and for who has a bundle there.
#[derive(Debug, Clone, Default)]
pub struct MemorySource {
    files: Vec<SourceFile>,
    contents: BTreeMap<String, Vec<u8>>,
}

impl MemorySource {
    /// These files.
    #[must_use]
    pub fn new(contents: BTreeMap<String, Vec<u8>>) -> Self {
        let files = contents.iter().map(|(path, bytes)| SourceFile { path: path.clone(), bytes: bytes.len() as u64 });
        Self { files: files.collect(), contents }
    }
}

impl Source for MemorySource {
    fn files(&self) -> &[SourceFile] {
        &self.files
    }

    fn strays(&self) -> &[String] {
        &[]
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + '_>> {
        let bytes = self.contents.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(bytes.as_slice()))
    }
}
