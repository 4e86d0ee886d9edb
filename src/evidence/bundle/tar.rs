//! The one tar file of a bag (`docs/format/6-evidence.md` 6.1): POSIX ustar, plain files, every field in one spelling.

use super::BundleError;
use super::bag::check_path;

/// Bytes of a header, and what contents are filled up to.
pub const BLOCK_BYTES: usize = 512;
/// Bytes of zero at the end.
pub const TAR_END_BYTES: usize = 2 * BLOCK_BYTES;
/// FORMAT. A size of eleven octal digits.
pub const FILE_BYTES_MAX: u64 = (8 << 30) - 1;
/// More files than a manifest of 64 MiB can name, whose shortest line has 73 bytes.
pub(crate) const FILES_MAX: usize = 1 << 20;
const NAME_BYTES_MAX: usize = 100;

/// What a header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TarFile {
    /// Name of the bag.
    pub bag: String,
    /// Path in the bag.
    pub path: String,
    /// Length in bytes.
    pub bytes: u64,
    /// Seconds since 1970.
    pub mtime_s: u64,
}

/// Can a bag in a tar file have this name?
///
/// # Errors
/// [`BundleError::Form`].
pub fn check_tar_name(bag: &str) -> Result<(), BundleError> {
    if bag.contains('/') { Err(BundleError::Form("a name of a bag with a slash")) } else { check_path(bag) }
}

/// The header of one file.
///
/// # Errors
/// [`BundleError::Form`] for a name, a path, a length or a time that has no place in it.
pub fn tar_header(file: &TarFile) -> Result<[u8; BLOCK_BYTES], BundleError> {
    check_tar_name(&file.bag)?;
    check_path(&file.path)?;
    if file.bytes > FILE_BYTES_MAX || file.mtime_s > FILE_BYTES_MAX {
        return Err(BundleError::Form("a file of 8 GiB and more has no place in a bundle"));
    }
    let mut block = [0; BLOCK_BYTES];
    let mut put = |at: usize, bytes: &[u8]| {
        block.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
    };
    put(0, file.path.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{:011o}", file.bytes).as_bytes());
    put(136, format!("{:011o}", file.mtime_s).as_bytes());
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(345, file.bag.as_bytes());
    let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
    let sum = format!("{sum:06o}\0 ");
    block.iter_mut().skip(148).zip(sum.as_bytes()).for_each(|(to, from)| *to = *from);
    Ok(block)
}

/// Zero bytes behind a file of this length.
#[must_use]
pub const fn tar_padding(bytes: u64) -> usize {
    // Blocks have a power of two of bytes.
    let over = (bytes & 0x1ff) as usize;
    if over == 0 { 0 } else { BLOCK_BYTES.saturating_sub(over) }
}

/// Reads a header; `None` for a block of zeros. There is one header for what it says: any other block is refused.
///
/// # Errors
/// [`BundleError::Form`].
pub fn read_tar_header(block: &[u8; BLOCK_BYTES]) -> Result<Option<TarFile>, BundleError> {
    if block.iter().all(|b| *b == 0) {
        return Ok(None);
    }
    let bad = || BundleError::Form("a header that is not the one of a plain file in a bundle");
    let text = |at: usize, len: usize| -> Result<String, BundleError> {
        let field = block.get(at..at.saturating_add(len)).ok_or_else(bad)?;
        let end = field.iter().position(|b| *b == 0).unwrap_or(len);
        let text = field.get(..end).and_then(|text| std::str::from_utf8(text).ok());
        text.map(str::to_owned).ok_or_else(bad)
    };
    let octal = |at: usize| u64::from_str_radix(&text(at, 12)?, 8).map_err(|_| bad());
    let file =
        TarFile { path: text(0, NAME_BYTES_MAX)?, bag: text(345, 155)?, bytes: octal(124)?, mtime_s: octal(136)? };
    if tar_header(&file)? == *block { Ok(Some(file)) } else { Err(bad()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> TarFile {
        let path = format!("data/tapes/{}/evidence.tlog-proof", "a".repeat(64));
        TarFile { bag: "immutape-0011".into(), path, bytes: 0o1234, mtime_s: 1_795_169_821 }
    }

    #[test]
    fn a_header_comes_back_and_any_other_block_is_refused() {
        let block = tar_header(&file()).unwrap();
        assert_eq!(read_tar_header(&block).unwrap(), Some(file()));
        assert_eq!(read_tar_header(&[0; BLOCK_BYTES]).unwrap(), None);
        let mut refused = 0;
        for at in 0..BLOCK_BYTES {
            let mut other = block;
            other[at] ^= 1;
            assert!(!matches!(read_tar_header(&other), Ok(Some(read)) if read == file()), "byte {at}");
            refused += usize::from(read_tar_header(&other).is_err());
        }
        assert_eq!(refused, BLOCK_BYTES, "the sum is in every header");
    }

    /// Types, links, owners and the fields of other dialects, with a sum that fits.
    #[test]
    fn what_other_writers_would_put_there_is_refused() {
        let with = |at: usize, bytes: &[u8]| {
            let mut block = tar_header(&file()).unwrap();
            block[at..at + bytes.len()].copy_from_slice(bytes);
            block[148..156].copy_from_slice(b"        ");
            let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
            block
        };
        assert_eq!(read_tar_header(&with(156, b"0")).unwrap(), Some(file()));
        for (at, bytes) in [
            (156, &b"2"[..]),
            (156, b"x"),
            (156, b"g"),
            (156, b"L"),
            (156, b"3"),
            (156, b"5"),
            (156, b"\0"),
            (157, b"/etc/passwd"),
            (257, b"ustar  \0"),
            (265, b"root"),
            (100, b"0000777\0"),
            (124, b"\x80\0\0\0\0\0\0\0\0\0\x10\0"),
            (124, b"1234       \0"),
            (0, b"/ata/"),
            (0, b"../a/"),
            (345, b"a/b"),
            (508, b"x"),
        ] {
            assert!(read_tar_header(&with(at, bytes)).is_err(), "{at} {bytes:?}");
        }
    }

    #[test]
    fn what_has_no_place_in_a_header() {
        for change in 0..4 {
            let mut file = file();
            match change {
                0 => file.bytes = FILE_BYTES_MAX + 1,
                1 => file.mtime_s = FILE_BYTES_MAX + 1,
                2 => file.bag = "..".into(),
                _ => file.path.push('x'.to_ascii_uppercase()),
            }
            let made = tar_header(&file);
            assert_eq!(made.is_err(), change < 3, "{change}");
        }
        assert_eq!([0, 1, 511, 512, 513].map(tar_padding), [0, 511, 1, 0, 511]);
    }
}
