//! Entry 0.

use super::note;
use crate::cbor::Reader;
use crate::digest::Hash;
use crate::error::{Result, ensure, refuse};
use crate::text;

/// What a successor says of the log that it goes on for.
pub struct Predecessor<'a> {
    /// Origin of the old log.
    pub origin: &'a str,
    /// Its newest known head.
    pub note: &'a [u8],
    /// First lost index.
    pub first: u64,
    /// Last lost index, where known.
    pub last: Option<u64>,
}

/// Entry 0.
pub struct Genesis<'a> {
    /// Name of the log.
    pub origin: &'a str,
    /// Checkpoint, recorder and issuer key.
    pub keys: [[u8; 32]; 3],
    /// Thumbprints of the keys that may follow.
    pub next: [Hash; 3],
    /// Body key 9.
    pub predecessor: Option<Predecessor<'a>>,
}

pub(super) fn genesis<'a>(reader: &mut Reader<'a>) -> Result<Genesis<'a>> {
    let (mut seen, mut origin, mut predecessor, mut named) = (0_u64, "", None, false);
    let (mut keys, mut next) = ([[0; 32]; 3], [Hash::default(); 3]);
    reader.table(|key, value| {
        seen = seen.saturating_add(1);
        match key {
            0 => ensure(value.uint()? == 1, "another format")?,
            1 => {
                origin = value.text()?;
                ensure(text::is_origin(origin), "an origin that is none")?;
            }
            2..=4 => {
                if let Some(slot) = keys.get_mut(usize::try_from(key).unwrap_or(9).saturating_sub(2)) {
                    *slot = value.fixed()?;
                }
            }
            5 => {
                value.array_of(3)?;
                for slot in &mut next {
                    *slot = value.fixed()?;
                }
            }
            6 | 7 => drop(value.text()?),
            8 => drop(value.boolean()?),
            9 => predecessor = Some(before(value)?),
            10 => {
                super::people::founders(value)?;
                named = true;
            }
            _ => return refuse("a key that a genesis does not have"),
        }
        Ok(())
    })?;
    let optional = u64::from(predecessor.is_some()).saturating_add(u64::from(named));
    ensure(seen == optional.saturating_add(9), "a key of the genesis is missing")?;
    Ok(Genesis { origin, keys, next, predecessor })
}

fn before<'a>(reader: &mut Reader<'a>) -> Result<Predecessor<'a>> {
    reader.array_of(4)?;
    let (origin, note) = (reader.text()?, note(reader)?);
    Ok(Predecessor { origin, note, first: reader.uint()?, last: reader.nullable(Reader::uint)? })
}
