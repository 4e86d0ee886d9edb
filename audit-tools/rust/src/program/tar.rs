//! A bag as one tar file, in the one form of 6.1.

use super::folder::{MOST_LENGTH, Reading};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use tapeaudit_core::bundle::{Listed, Source, Stream, TAG_FILES, is_path};
use tapeaudit_core::{Refused, Result, ensure, refuse};

const BLOCK: u64 = 512;
/// Most files of a bag that are listed.
const MOST_FILES: usize = 1 << 22;

/// A tar file that is read as a bag.
pub struct Tar {
    file: File,
    files: Vec<Listed>,
    offsets: Vec<u64>,
    faults: Vec<(String, &'static str)>,
}

struct Header {
    path: String,
    prefix: Vec<u8>,
    length: u64,
    time: u64,
}

impl Tar {
    /// Reads the headers of a tar file.
    ///
    /// # Errors
    /// Blocks that are not those of 6.1.
    pub fn open(mut file: File) -> Result<Self> {
        const CUT: Refused = Refused("a tar file that ends early");
        let size = file.metadata().map_err(|_| CUT)?.len();
        let mut found: Vec<(Listed, u64)> = Vec::new();
        let (mut at, mut first): (u64, Option<(Vec<u8>, u64)>) = (0, None);
        loop {
            let block = block(&mut file, at)?;
            at = at.saturating_add(BLOCK);
            if block.iter().all(|b| *b == 0) {
                break;
            }
            let header = header(&block)?;
            ensure(found.len() < MOST_FILES, "more files than a bag is read with")?;
            let (prefix, time) = first.get_or_insert_with(|| (header.prefix.clone(), header.time));
            ensure(*prefix == header.prefix, "two names of the bag in one tar file")?;
            ensure(*time == header.time, "two moments in one tar file")?;
            let end = at.saturating_add(header.length);
            padding(&mut file, end, size)?;
            found.push((Listed { path: header.path, length: header.length }, at));
            at = end.div_ceil(BLOCK).saturating_mul(BLOCK);
        }
        let last = block(&mut file, at)?;
        ensure(last.iter().all(|b| *b == 0), "one block of zeros where two end the file")?;
        ensure(at.saturating_add(BLOCK) == size, "bytes behind the end of the tar file")?;
        Self::sorted(file, found)
    }

    fn sorted(file: File, mut found: Vec<(Listed, u64)>) -> Result<Self> {
        let rank = |path: &str| TAG_FILES.iter().position(|tag| *tag == path).unwrap_or(TAG_FILES.len());
        let order = |pair: &[(Listed, u64)]| match pair {
            [(a, _), (b, _)] => (rank(&a.path), &a.path) < (rank(&b.path), &b.path),
            _ => true,
        };
        let mut faults = Vec::new();
        if !found.windows(2).all(order) {
            faults.push((String::from("tar file"), "files in another order than that of a bag"));
        }
        found.sort();
        let twice = |pair: &[(Listed, u64)]| matches!(pair, [(a, _), (b, _)] if a.path == b.path);
        ensure(!found.windows(2).any(twice), "a name twice in one tar file")?;
        let (files, offsets) = found.into_iter().unzip();
        Ok(Self { file, files, offsets, faults })
    }
}

fn block(file: &mut File, at: u64) -> Result<[u8; 512]> {
    let mut block = [0; 512];
    let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(&mut block));
    read.map_or_else(|_| refuse("a tar file that ends early"), |()| Ok(block))
}

/// Zeros up to a whole block.
fn padding(file: &mut File, end: u64, size: u64) -> Result<()> {
    let whole = end.div_ceil(BLOCK).saturating_mul(BLOCK);
    ensure(whole <= size, "a tar file that ends early")?;
    if whole == end {
        return Ok(());
    }
    let last = block(file, whole.saturating_sub(BLOCK))?;
    let used = usize::try_from(end % BLOCK).unwrap_or(0);
    let rest = last.get(used..).unwrap_or_default();
    ensure(rest.iter().all(|b| *b == 0), "something behind a file in its last block")
}

/// A field of text, filled up with zeros.
fn words(field: &[u8]) -> Result<&str> {
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    let (text, rest) = field.split_at_checked(end).unwrap_or((field, &[]));
    ensure(rest.iter().all(|b| *b == 0), "something behind a name")?;
    std::str::from_utf8(text).map_or_else(|_| refuse("a name that is not text"), Ok)
}

/// Octal digits up to the end of a field without its last byte, which is zero.
fn octal(field: &[u8]) -> Result<u64> {
    let Some((0, digits)) = field.split_last() else { return refuse("a number without its end") };
    ensure(digits.iter().all(|b| (b'0'..=b'7').contains(b)), "a number that is not octal")?;
    Ok(digits.iter().fold(0, |n, b| n << 3 | u64::from(b & 7)))
}

fn header(block: &[u8; 512]) -> Result<Header> {
    let field = |from: usize, length: usize| block.get(from..from.saturating_add(length)).unwrap_or_default();
    let path = words(field(0, 100))?;
    ensure(is_path(path), "a path that a bag does not have")?;
    let fixed: [(usize, &[u8], &str); 6] = [
        (100, b"0000644\0", "another mode"),
        (108, b"0000000\0", "another owner"),
        (116, b"0000000\0", "another group"),
        (156, b"0", "something else than a plain file"),
        (257, b"ustar\x0000", "another kind of tar"),
        (500, &[0; 12], "bytes at the end of a header"),
    ];
    for (at, wanted, why) in fixed {
        ensure(field(at, wanted.len()) == wanted, why_of(why))?;
    }
    let zeros = |from, length| field(from, length).iter().all(|b| *b == 0);
    ensure(zeros(157, 100) && zeros(265, 80), "a link, an owner or a device")?;
    let (length, time) = (octal(field(124, 12))?, octal(field(136, 12))?);
    ensure(length < MOST_LENGTH, "a file over 8 GiB less one byte")?;
    let prefix = words(field(345, 155))?;
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let named = (1..=100).contains(&prefix.len()) && prefix.bytes().all(good) && !matches!(prefix, "." | "..");
    ensure(named, "a name that no bag has")?;
    checksum(block)?;
    Ok(Header { path: path.into(), prefix: prefix.as_bytes().to_vec(), length, time })
}

/// The words of a table are static, which a slice of tuples forgets.
fn why_of(why: &'static str) -> &'static str {
    why
}

fn checksum(block: &[u8; 512]) -> Result<()> {
    let inside = |at: usize| (148..156).contains(&at);
    let sum: u64 = block.iter().enumerate().map(|(at, b)| if inside(at) { 32 } else { u64::from(*b) }).sum();
    let wanted = format!("{sum:06o}\0 ");
    ensure(block.get(148..156) == Some(wanted.as_bytes()), "a checksum that does not fit")
}

impl Source for Tar {
    fn files(&self) -> &[Listed] {
        &self.files
    }

    fn faults(&self) -> &[(String, &'static str)] {
        &self.faults
    }

    fn open(&mut self, path: &str) -> Result<Box<dyn Stream + '_>> {
        const ABSENT: Refused = Refused("a file that is not there");
        let at = self.files.binary_search_by(|listed| listed.path.as_str().cmp(path)).map_err(|_| ABSENT)?;
        let (Some(listed), Some(offset)) = (self.files.get(at), self.offsets.get(at)) else { return Err(ABSENT) };
        if self.file.seek(SeekFrom::Start(*offset)).is_err() {
            return refuse("a file that cannot be read");
        }
        Ok(Box::new(Reading((&mut self.file).take(listed.length))))
    }
}
