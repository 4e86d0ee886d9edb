//! Bodies about what others hold of this log.

use super::{Body, exactly, note};
use crate::cbor::Reader;
use crate::error::{Result, ensure};
use alloc::vec::Vec;

/// Cosignatures that others gave.
pub struct Cosigned<'a> {
    /// The head with the cosignatures.
    pub note: &'a [u8],
    /// Verifier keys of the cosignatures.
    pub keys: Vec<&'a str>,
}

/// A time-stamp that an authority gave.
#[derive(Clone, Copy)]
pub struct Timestamped<'a> {
    /// The head.
    pub note: &'a [u8],
    /// DER of the token.
    pub token: &'a [u8],
    /// Its time, ms.
    pub time: u64,
}

pub(super) fn cosigned<'a>(reader: &mut Reader<'a>) -> Result<Cosigned<'a>> {
    let (mut text, mut keys): (&[u8], _) = (&[], Vec::new());
    exactly(reader, 3, |key, value| {
        match key {
            0 => text = note(value)?,
            1 => {
                value.some(|each| {
                    keys.push(each.text()?);
                    ensure(keys.len() <= 63, "more than 63 keys")
                })?;
            }
            _ => drop(value.boolean()?),
        }
        Ok(())
    })?;
    Ok(Cosigned { note: text, keys })
}

pub(super) fn timestamped<'a>(reader: &mut Reader<'a>) -> Result<Timestamped<'a>> {
    let mut found = Timestamped { note: &[], token: &[], time: 0 };
    exactly(reader, 3, |key, value| {
        match key {
            0 => found.note = note(value)?,
            1 => found.token = value.bytes()?,
            _ => found.time = value.uint()?,
        }
        Ok(())
    })?;
    Ok(found)
}

pub(super) fn fork_found<'a>(reader: &mut Reader<'a>) -> Result<Body<'a>> {
    let mut held: &[u8] = &[];
    exactly(reader, 4, |key, value| {
        match key {
            1 => held = note(value)?,
            3 => drop(value.fixed::<32>()?),
            _ => drop(value.uint()?),
        }
        Ok(())
    })?;
    Ok(Body::ForkFound(held))
}
