//! The generation file: one text line that the store reads, and bytes that it does not.

use std::path::Path;

use super::fault;
use crate::error::{Code, Error, Result};

/// Longest generation file. The list of the dead grows by some 34 bytes with each disposed tape.
pub(super) const GENERATION_BYTES_MAX: u64 = 64 << 20;
/// Longest first line: the label and two numbers of up to 20 digits.
const LINE_BYTES_MAX: usize = 64;
const LABEL: &str = "immutape vault ";
const VERSION: &str = "1";

/// The whole file for these bytes: the line with the numbers, then the bytes as they are. The head file
/// (section 5) names the digest of the bytes alone; whoever opens the vault compares the line with them.
#[must_use]
pub fn generation_file(generation: u64, revision: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("{LABEL}{VERSION} {generation} {revision}\n").into_bytes();
    out.extend_from_slice(bytes);
    out
}

/// Number, revision and the bytes after the line.
///
/// # Errors
/// `E_NEWER_FORMAT`; `E_VAULT_DAMAGED` when the line is not one that [`generation_file`] writes.
pub(super) fn parse(path: &Path, file: &[u8]) -> Result<(u64, u64, Vec<u8>)> {
    let damaged = || fault::damaged(format!("vault: the first line of {} is damaged", fault::shown(path)));
    let end = file.iter().take(LINE_BYTES_MAX).position(|b| *b == b'\n').ok_or_else(damaged)?;
    let line = file.get(..end).and_then(|l| std::str::from_utf8(l).ok()).ok_or_else(damaged)?;
    let mut words = line.strip_prefix(LABEL).ok_or_else(damaged)?.split(' ');
    let version = words.next().ok_or_else(damaged)?;
    if version != VERSION {
        return Err(newer(path, version).unwrap_or_else(damaged));
    }
    let generation = words.next().and_then(number).ok_or_else(damaged)?;
    let revision = words.next().and_then(number).ok_or_else(damaged)?;
    if words.next().is_some() {
        return Err(damaged());
    }
    let rest = file.get(end.saturating_add(1)..).unwrap_or_default();
    Ok((generation, revision, rest.to_vec()))
}

fn newer(path: &Path, version: &str) -> Option<Error> {
    number(version).filter(|v| *v > 1).map(|v| {
        Error::new(
            Code::NewerFormat,
            format!("vault: {} has format {v}, this program reads format 1", fault::shown(path)),
        )
        .with_hint("use the version of immutape that wrote it")
    })
}

/// A number from 1 in its one decimal form: no sign, no leading zero.
fn number(text: &str) -> Option<u64> {
    text.parse::<u64>().ok().filter(|n| *n > 0 && n.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &[u8]) -> Result<(u64, u64, Vec<u8>), Code> {
        parse(Path::new("generation"), file).map_err(|e| e.code())
    }

    #[test]
    fn the_line_has_one_form() {
        assert_eq!(generation_file(1, 2, b"x\ny"), b"immutape vault 1 1 2\nx\ny");
        assert_eq!(read(b"immutape vault 1 1 2\nx\ny"), Ok((1, 2, b"x\ny".to_vec())));
        assert_eq!(read(b"immutape vault 1 18446744073709551615 1\n"), Ok((u64::MAX, 1, vec![])));
        for bad in [
            "",
            "immutape vault 1 1 2",
            "immutape vault 1 1 2 \n",
            "immutape vault 1 1 2 3\n",
            "immutape vault 1 1\n",
            "immutape vault 1 01 2\n",
            "immutape vault 1 +1 2\n",
            "immutape vault 1 1 0\n",
            "immutape vault 1 1 18446744073709551616\n",
            "immutape  vault 1 1 2\n",
            "immutape vault x 1 2\n",
            "immutape vault 0 1 2\n",
            "immutape vault 1 1 2\r\n",
        ] {
            assert_eq!(read(bad.as_bytes()), Err(Code::VaultDamaged), "{bad:?}");
        }
        assert_eq!(read(b"immutape vault 1 1 \xff\n"), Err(Code::VaultDamaged));
        assert_eq!(read(&[b'a'; 4096]), Err(Code::VaultDamaged));
        assert_eq!(read(b"immutape vault 2 whatever\n"), Err(Code::NewerFormat));
    }
}
