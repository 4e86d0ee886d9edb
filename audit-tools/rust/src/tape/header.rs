//! Headers (2.2).

use super::frame::json_field;
use crate::cbor::Reader;
use crate::error::{Result, ensure, refuse};

/// Keys that are always present.
pub const STARRED: [u64; 7] = [0, 1, 10, 11, 12, 16, 24];
/// Most bytes of a header map (3-seal, section 3.1).
const MOST_BYTES: usize = 8 << 20;

/// Checks a whole header map.
///
/// # Errors
/// Any other form.
pub fn header(bytes: &[u8]) -> Result<()> {
    ensure(bytes.len() <= MOST_BYTES, "a header over 8 MiB")?;
    let mut seen = 0_u32;
    let mut reader = Reader::new(bytes);
    reader.table(|key, value| {
        header_field(key, value)?;
        seen |= 1_u32.checked_shl(u32::try_from(key).unwrap_or(32)).unwrap_or(0);
        Ok(())
    })?;
    reader.end()?;
    let there = |key: &u64| seen >> *key & 1 == 1;
    ensure(STARRED.iter().all(there), "a key of the header is missing")
}

/// Checks the value of one key of a header.
///
/// # Errors
/// A key that the table does not name, a value that does not fit it.
pub fn header_field(key: u64, value: &mut Reader<'_>) -> Result<()> {
    match key {
        0 => ensure(value.uint()? == 1, "another format"),
        1 => value.uint_to(6).map(drop),
        2 | 3 | 7..=9 => value.bytes().map(drop),
        4..=6 | 22 => value.uint().map(drop),
        10 => labels(value),
        11 => stats(value),
        12 => end_state(value),
        14 => recorder(value),
        15 => provenance(value),
        16 | 24 => value.short_text().map(drop),
        17 | 19..=21 => value.fixed::<32>().map(drop),
        18 => value.some(gap).map(drop),
        23 => value.some(|tag| tag.fixed::<32>().map(drop)).map(drop),
        25 => value.some(json_field).map(drop),
        26 => {
            let mut before = 0;
            value
                .some(|line| {
                    line.array_of(2)?;
                    let number = line.uint()?;
                    ensure(number > before, "lines that do not ascend from 1")?;
                    before = number;
                    line.bytes().map(drop)
                })
                .map(drop)
        }
        27 => named(value),
        _ => refuse("a key that the table of headers does not name"),
    }
}

/// Checks labels, key 10.
///
/// # Errors
/// Any other form.
pub fn labels(reader: &mut Reader<'_>) -> Result<()> {
    reader
        .table(|key, value| match key {
            0 | 1 => value.bytes_to(4096).map(drop),
            2 => {
                let n = value.some(|tag| tag.bytes_to(4096).map(drop))?;
                ensure(n <= 1024, "more than 1,024 tags")
            }
            _ => refuse("a key that the table of labels does not name"),
        })
        .map(drop)
}

fn stats(reader: &mut Reader<'_>) -> Result<()> {
    let (mut n, mut most) = (0_u64, 0);
    reader.table(|key, value| {
        n = n.saturating_add(1);
        most = key;
        ensure(key <= 10, "a key that the table of stats does not name")?;
        value.uint().map(drop)
    })?;
    ensure(n == 11 || n == 10 && most == 9, "a count is missing")
}

fn end_state(reader: &mut Reader<'_>) -> Result<()> {
    let items = reader.array()?;
    ensure(items == 1 || items == 2, "an end state of another length")?;
    let state = reader.uint_to(7)?;
    match (state, items) {
        (0 | 3 | 4 | 5 | 7, 1) => Ok(()),
        (1, 2) => reader.int().map(drop),
        (2, 2) => reader.uint().map(drop),
        (3 | 6, 2) => reader.bytes().map(drop),
        _ => refuse("an end state with another detail than its own"),
    }
}

fn recorder(reader: &mut Reader<'_>) -> Result<()> {
    reader
        .table(|key, value| match key {
            0 | 2 => value.fixed::<32>().map(drop),
            1 => value.text().map(drop),
            _ => refuse("a key that the table of recorders does not name"),
        })
        .map(drop)
}

fn provenance(reader: &mut Reader<'_>) -> Result<()> {
    reader
        .table(|key, value| match key {
            0 | 2 => value.text().map(drop),
            1 | 7 => value.fixed::<32>().map(drop),
            3 => value.some(|loss| loss.text().map(drop)).map(drop),
            4 | 6 | 8 => value.bytes().map(drop),
            5 | 9 => value.uint().map(drop),
            _ => refuse("a key that the table of provenance does not name"),
        })
        .map(drop)
}

fn gap(reader: &mut Reader<'_>) -> Result<()> {
    reader.array_of(3)?;
    reader.uint()?;
    reader.uint_to(6)?;
    reader.uint().map(drop)
}

fn named(reader: &mut Reader<'_>) -> Result<()> {
    let keys = reader.table(|key, value| match key {
        0 | 1 => names(value),
        2 => error_codes(value),
        3 => count(value),
        _ => refuse("a key that the table of names does not name"),
    })?;
    ensure(keys > 0, "a key 27 without keys")
}

fn count(reader: &mut Reader<'_>) -> Result<()> {
    let n = reader.uint()?;
    ensure(n > 0, "a count of none")
}

fn names(reader: &mut Reader<'_>) -> Result<()> {
    let mut before: Option<&[u8]> = None;
    let n = reader.array()?;
    ensure((1..=256).contains(&n), "not 1 to 256 names")?;
    for _ in 0..n {
        reader.array_of(2)?;
        let name = reader.bytes_to(256)?;
        ensure(before.is_none_or(|before| before < name), "names that do not ascend")?;
        before = Some(name);
        count(reader)?;
    }
    Ok(())
}

fn error_codes(reader: &mut Reader<'_>) -> Result<()> {
    let mut before: Option<i128> = None;
    let n = reader.array()?;
    ensure((1..=256).contains(&n), "not 1 to 256 codes")?;
    for _ in 0..n {
        reader.array_of(2)?;
        let code = reader.int()?;
        ensure(before.is_none_or(|before| before < code), "codes that do not ascend")?;
        before = Some(code);
        count(reader)?;
    }
    Ok(())
}
