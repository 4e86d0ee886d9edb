//! Where the files of a bundle come from.

use crate::cbor::{DEEPEST, Reader};
use crate::digest::{Hash, Hasher};
use crate::error::{CUT, Result, ensure, refuse};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// Bytes of a file in order.
pub trait Stream {
    /// Fills the front of a buffer, and says how much of it; 0 at the end.
    ///
    /// # Errors
    /// What cannot be read.
    fn read(&mut self, into: &mut [u8]) -> Result<usize>;
}

/// A file of a bundle.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Listed {
    /// Path in the bag.
    pub path: String,
    /// Its length in bytes.
    pub length: u64,
}

/// Files of a bundle: a folder or a tar file.
pub trait Source {
    /// All files, each once.
    fn files(&self) -> &[Listed];
    /// Places that break 6.1, and why; files there are not listed.
    fn faults(&self) -> &[(String, &'static str)];
    /// A file from its beginning.
    ///
    /// # Errors
    /// A file that is not there or cannot be read.
    fn open(&mut self, path: &str) -> Result<Box<dyn Stream + '_>>;
}

/// Whether a file is there.
pub fn has(source: &dyn Source, path: &str) -> bool {
    source.files().binary_search_by(|listed| listed.path.as_str().cmp(path)).is_ok()
}

/// A whole file of at most so many bytes; None when it is not there.
pub fn whole(source: &mut dyn Source, path: &str, most: u64) -> Option<Result<Vec<u8>>> {
    let at = source.files().binary_search_by(|listed| listed.path.as_str().cmp(path)).ok()?;
    let length = source.files().get(at)?.length;
    if length > most {
        return Some(refuse("a file over its limit"));
    }
    Some(read_whole(source, path, most))
}

fn read_whole(source: &mut dyn Source, path: &str, most: u64) -> Result<Vec<u8>> {
    let mut stream = source.open(path)?;
    let (mut found, mut buffer) = (Vec::new(), alloc::vec![0; 1 << 16]);
    loop {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Ok(found);
        }
        found.extend_from_slice(buffer.get(..n).unwrap_or_default());
        ensure(found.len() as u64 <= most, "a file over its limit")?;
    }
}

/// SHA-256 and length of a file.
pub fn digest(source: &mut dyn Source, path: &str) -> Result<(Hash, u64)> {
    let mut stream = source.open(path)?;
    let (mut hasher, mut length, mut buffer) = (Hasher::new(), 0_u64, alloc::vec![0; 1 << 17]);
    loop {
        let n = stream.read(&mut buffer)?;
        if n == 0 {
            return Ok((hasher.done(), length));
        }
        hasher.add(buffer.get(..n).unwrap_or_default());
        length = length.saturating_add(n as u64);
    }
}

/// Items of a CBOR sequence, one after another, none held longer than it is looked at.
pub struct Sequence<'s> {
    stream: Box<dyn Stream + 's>,
    buffer: Vec<u8>,
    at: usize,
    most: usize,
    ended: bool,
}

const STEP: usize = 1 << 17;

impl<'s> Sequence<'s> {
    /// Items of at most so many bytes.
    pub fn new(stream: Box<dyn Stream + 's>, most: usize) -> Self {
        Self { stream, buffer: Vec::new(), at: 0, most, ended: false }
    }

    fn more(&mut self) -> Result<()> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let held = self.buffer.len();
        // Twice as much each time: what is scanned again stays in proportion.
        let wanted = held.saturating_mul(2).max(STEP);
        self.buffer.resize(wanted, 0);
        let mut filled = held;
        while let Some(room) = self.buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
            let n = self.stream.read(room)?;
            if n == 0 {
                self.ended = true;
                break;
            }
            filled = filled.saturating_add(n);
        }
        self.buffer.truncate(filled);
        Ok(())
    }

    /// The next item, or None at the end.
    ///
    /// # Errors
    /// What is no item of the profile, one over the limit, one that is cut off.
    pub fn next_item(&mut self) -> Result<Option<&[u8]>> {
        let length = loop {
            let held = self.buffer.get(self.at..).unwrap_or_default();
            if held.is_empty() && self.ended {
                return Ok(None);
            }
            let mut reader = Reader::new(held);
            match reader.item(DEEPEST) {
                Ok(item) => break item.len(),
                Err(why) if why == CUT && !self.ended => {
                    ensure(held.len() <= self.most, "an item over its limit")?;
                    self.more()?;
                }
                Err(why) => return Err(why),
            }
        };
        ensure(length <= self.most, "an item over its limit")?;
        let from = self.at;
        self.at = from.saturating_add(length);
        Ok(self.buffer.get(from..self.at))
    }
}
