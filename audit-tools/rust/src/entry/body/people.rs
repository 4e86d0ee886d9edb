//! Bodies about people (4.7): ids and keys. Who they are stands in private halves.

use super::Body;
use crate::cbor::Reader;
use crate::error::{Result, ensure};
use alloc::vec::Vec;

/// Most people who agree to one change, most founders, most roles of one of them.
const MOST: (u64, u64, u64) = (8, 64, 16);

/// Everybody who agreed, each once.
fn agreed(reader: &mut Reader<'_>) -> Result<()> {
    let count = reader.array()?;
    ensure((1..=MOST.0).contains(&count), "nobody agreed, or more than may")?;
    let mut seen: Vec<[u8; 16]> = Vec::new();
    for _ in 0..count {
        let id = reader.fixed()?;
        ensure(!seen.contains(&id), "somebody agreed twice")?;
        seen.push(id);
    }
    Ok(())
}

/// Founders in entry 0: at least one, each id and each key once.
pub(super) fn founders(reader: &mut Reader<'_>) -> Result<()> {
    let count = reader.array()?;
    ensure((1..=MOST.1).contains(&count), "no founder, or more than there may be")?;
    let mut seen: Vec<([u8; 16], [u8; 32])> = Vec::new();
    for _ in 0..count {
        reader.array_of(3)?;
        let (id, key) = (reader.fixed()?, reader.fixed()?);
        let is_new = seen.iter().all(|(other, with)| *other != id && *with != key);
        ensure(is_new, "two founders with one id or one key")?;
        seen.push((id, key));
        let roles = reader.array()?;
        ensure((1..=MOST.2).contains(&roles), "a founder without a role, or with more than there may be")?;
        for _ in 0..roles {
            reader.uint()?;
        }
    }
    Ok(())
}

/// Kinds 104 to 108.
pub(super) fn people<'a>(kind: u16, reader: &mut Reader<'a>) -> Result<Body<'a>> {
    let (needed, may) = match kind {
        104 => (4, 5),
        105 => (2, 2),
        107 => (4, 4),
        _ => (3, 3),
    };
    let found = reader.table(|key, value| {
        ensure(key < may, "a key that the kind does not have")?;
        match (kind, key) {
            (_, 0) | (104, 4) => drop(value.fixed::<16>()?),
            (104, 2) | (106, 1) => drop(value.fixed::<32>()?),
            (104, 3) | (105, 1) | (106..=108, 2) => agreed(value)?,
            (107, 3) => drop(value.nullable(Reader::uint)?),
            _ => drop(value.uint()?),
        }
        Ok(())
    })?;
    // Keys ascend, so that the one that may be absent is the last.
    ensure((needed..=may).contains(&found), "a key of the kind is missing")?;
    Ok(Body::Other)
}
