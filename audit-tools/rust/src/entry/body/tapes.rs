//! Bodies about tapes, and about sets of them.

use super::{Body, exactly};
use crate::cbor::Reader;
use crate::digest::Hash;
use crate::error::{Result, ensure, refuse};
use crate::statement::Statement;

/// Most tapes whose ids stand in the private half, and most that an object holds.
const MOST_INSIDE: u64 = 512;
const MOST_IN_OBJECT: u64 = 655_359;

/// Statement of a `tape.saved` with its bytes.
pub struct SavedStatement<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    read: Statement<'a>,
}

impl<'a> core::ops::Deref for SavedStatement<'a> {
    type Target = Statement<'a>;
    fn deref(&self) -> &Statement<'a> {
        &self.read
    }
}

/// A list or search.
#[derive(Clone, Copy)]
pub struct Set {
    /// Set commitment.
    pub commitment: Hash,
    /// Number of tapes.
    pub tapes: u64,
    /// Object that holds their ids.
    pub object: Option<Hash>,
}

pub(super) fn saved<'a>(reader: &mut Reader<'a>) -> Result<Body<'a>> {
    let mut statement = None;
    exactly(reader, 2, |key, value| {
        if key == 0 {
            let bytes = value.bytes()?;
            statement = Some(SavedStatement { bytes, read: Statement::read(bytes)? });
            return Ok(());
        }
        value.fixed::<16>().map(drop)
    })?;
    statement.map_or_else(|| refuse("a key of the kind is missing"), |statement| Ok(Body::Saved(statement)))
}

pub(super) fn opened<'a>(reader: &mut Reader<'a>) -> Result<Body<'a>> {
    let mut has_epoch = false;
    reader.table(|key, value| {
        match key {
            0 => has_epoch = value.fixed::<16>().map(|_| true)?,
            1 => drop(value.fixed::<32>()?),
            _ => return refuse("a key that the kind does not have"),
        }
        Ok(())
    })?;
    ensure(has_epoch, "a key of the kind is missing")?;
    Ok(Body::Opened)
}

pub(super) fn digest_rows<'a>(kind: u16, reader: &mut Reader<'a>) -> Result<Body<'a>> {
    let (mut number, mut id, mut digest) = (0, [0; 16], Hash::default());
    exactly(reader, if kind == 19 { 2 } else { 3 }, |key, value| {
        match (kind, key) {
            (163, 0) => id = value.fixed()?,
            (_, 0) => number = value.uint()?,
            (_, 1) => digest = value.fixed()?,
            (163, _) => number = value.uint()?,
            _ => drop(value.uint()?),
        }
        Ok(())
    })?;
    Ok(match kind {
        19 => Body::Mark(number, digest),
        130 => Body::Published(number, digest),
        _ => Body::EvidenceMade(id, digest, number),
    })
}

pub(super) fn set(kind: u16, reader: &mut Reader<'_>) -> Result<Set> {
    let (mut seen, mut commitment, mut tapes, mut object) = (0_u64, Hash::default(), 0, None);
    reader.table(|key, value| {
        seen = seen.saturating_add(1);
        match key {
            0 => commitment = value.fixed()?,
            1 => tapes = value.uint()?,
            2 => drop(value.uint()?),
            3 => object = Some(value.fixed()?),
            _ => return refuse("a key that the kind does not have"),
        }
        Ok(())
    })?;
    ensure(seen == if object.is_some() { 4 } else { 3 }, "a key of the kind is missing")?;
    let fits = (MOST_INSIDE + 1..=MOST_IN_OBJECT).contains(&tapes);
    ensure(object.is_none() || fits, "an object for a set that has none")?;
    ensure(kind == 34 || tapes <= MOST_INSIDE || object.is_some(), "a long set, and no object")?;
    Ok(Set { commitment, tapes, object })
}
