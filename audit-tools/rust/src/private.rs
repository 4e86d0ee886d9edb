//! Private halves (4-commit, section 4.4): which value a field takes.

use crate::cbor::{DEEPEST, Reader};
use crate::cose;
use crate::digest::Hash;
use crate::error::{Result, ensure, refuse};
use crate::tape::labels;

/// Greatest number of a field.
pub const LAST_FIELD: u64 = 63;
/// How deep a value may be nested: it stands in a map.
pub const VALUE_DEPTH: u8 = DEEPEST - 1;
const MOST_SET: usize = 16_384;

/// Checks a whole private half.
///
/// # Errors
/// Any other form.
pub fn half(bytes: &[u8]) -> Result<()> {
    let mut reader = Reader::new(bytes);
    reader.table(field)?;
    reader.end()
}

/// Checks the value of one field.
///
/// # Errors
/// A number that no field has, a value that does not fit it.
pub fn field(number: u64, value: &mut Reader<'_>) -> Result<()> {
    match number {
        0 => actor(value),
        1 => value.some(|role| role.text().map(drop)).map(drop),
        2..=4 | 16 | 18 | 24 | 25 => value.bytes().map(drop),
        5 => origin(value),
        6 => value.fixed::<16>().map(drop),
        7 | 14 | 15 | 20 | 29 | 31 => value.fixed::<32>().map(drop),
        8 => {
            value.array_of(2)?;
            value.uint()?;
            value.uint().map(drop)
        }
        9 | 10 => value.uint().map(drop),
        11 => {
            value.array_of(2)?;
            value.uint()?;
            value.text().map(drop)
        }
        12 => {
            value.array_of(3)?;
            value.uint()?;
            value.uint()?;
            value.fixed::<16>().map(drop)
        }
        13 => {
            value.array_of(2)?;
            value.nullable(Reader::uint)?;
            value.nullable(Reader::uint).map(drop)
        }
        17 => cose::person(value.bytes()?),
        19 => set(value.bytes()?),
        21 | 23 => value.text().map(drop),
        22 => value.some(claim).map(drop),
        26 | 28 | 32..=63 => value.item(VALUE_DEPTH).map(drop),
        27 => {
            value.array_of(2)?;
            value.fixed::<32>()?;
            labels(value)
        }
        30 => exported(value).map(drop),
        _ => refuse("a field that no private half has"),
    }
}

/// Field 30: salt, and digest of what left.
///
/// # Errors
/// Any other form.
pub fn exported(value: &mut Reader<'_>) -> Result<(Hash, Hash)> {
    value.array_of(2)?;
    Ok((value.fixed()?, value.fixed()?))
}

/// Field 0: kind, id and authentication of the actor.
///
/// # Errors
/// Any other form.
pub fn actor_of<'a>(value: &mut Reader<'a>) -> Result<(u64, &'a [u8], u64)> {
    value.array_of(3)?;
    Ok((value.uint()?, value.bytes()?, value.uint()?))
}

fn actor(value: &mut Reader<'_>) -> Result<()> {
    actor_of(value).map(drop)
}

fn origin(value: &mut Reader<'_>) -> Result<()> {
    value.array_of(3)?;
    value.bytes()?;
    value.uint()?;
    value.nullable(Reader::bytes).map(drop)
}

fn set(bytes: &[u8]) -> Result<()> {
    ensure(bytes.len() <= MOST_SET, "a set over 16,384 bytes")?;
    let (ids, rest) = bytes.as_chunks::<32>();
    ensure(rest.is_empty(), "a set that does not end with an id")?;
    ensure(ids.windows(2).all(|pair| pair.first() < pair.last()), "ids of a set that do not ascend")
}

fn claim(value: &mut Reader<'_>) -> Result<()> {
    value.array_of(5)?;
    value.uint()?;
    value.nullable(period)?;
    value.nullable(Reader::text)?;
    value.nullable(Reader::uint)?;
    value.nullable(|schedule| schedule.fixed::<32>()).map(drop)
}

fn period(value: &mut Reader<'_>) -> Result<()> {
    let mut ahead = *value;
    if ahead.uint().is_ok() {
        return value.uint().map(drop);
    }
    value.array_of(3)?;
    value.uint()?;
    value.uint()?;
    value.uint().map(drop)
}
