//! Shape of the vault (store-embedded, section 6): what can be told of it without the vault root.

use crate::cbor::Reader;
use crate::digest::{Hash, Hasher, hash};
use crate::error::{Result, ensure, refuse};
use crate::journal::is_zero;
use crate::text;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

/// Most bytes of a generation file.
pub const MOST_GENERATION: u64 = 64 << 20;
/// Bytes of a slot, and of an epoch file.
pub const SLOT: usize = 144;
/// Bytes of an epoch file.
pub const EPOCH: u64 = 256 * SLOT as u64;
/// Bytes that reach the disk together.
const SECTOR: usize = 512;
const CODE: usize = 32;

/// What a generation file says. Its code, and whether the keys in it open, only the vault root can tell.
pub struct Generation {
    /// Number of the generation, and of its revision.
    pub number: (u64, u64),
    /// Origin of the log.
    pub origin: String,
    /// Epochs in the order in which they were made.
    pub epochs: Vec<[u8; 16]>,
    /// H of the generation body, which the head file names.
    pub digest: Hash,
}

impl Generation {
    /// Reads a generation file.
    ///
    /// # Errors
    /// Any other form; a first line that does not say what the body says.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let Some(end) = bytes.iter().take(64).position(|b| *b == b'\n') else { return refuse("no first line") };
        let (line, body) = bytes.split_at_checked(end.saturating_add(1)).unwrap_or((bytes, &[]));
        let line = core::str::from_utf8(line).unwrap_or_default();
        let words = line.strip_prefix("immutape vault 1 ").and_then(|rest| rest.strip_suffix('\n')?.split_once(' '));
        let Some((generation, revision)) = words else { return refuse("another first line than that of a vault") };
        let number = (text::decimal(generation)?, text::decimal(revision)?);
        let Some((item, _code)) = body.len().checked_sub(CODE).and_then(|at| body.split_at_checked(at)) else {
            return refuse("a generation file that ends early");
        };
        let mut reader = Reader::new(item);
        reader.array_of(11)?;
        reader.label("immutape/vault/1")?;
        let inside = (reader.uint()?, reader.uint()?);
        ensure(inside == number && number.0 > 0 && number.1 > 0, "a first line that names another revision")?;
        let origin = reader.text()?.into();
        reader.fixed::<16>()?;
        let epochs = epochs(&mut reader)?;
        for _ in 0..3 {
            wrapped(&mut reader, 48, 48)?;
        }
        for _ in 0..reader.array()? {
            wrapped(&mut reader, 52, 188)?;
        }
        for _ in 0..reader.array()? {
            reader.fixed::<32>()?;
        }
        reader.end()?;
        Ok(Self { number, origin, epochs, digest: hash(body) })
    }
}

fn wrapped(reader: &mut Reader<'_>, least: usize, most: usize) -> Result<()> {
    reader.array_of(2)?;
    reader.fixed::<16>()?;
    let key = reader.bytes_to(most)?;
    ensure(key.len() >= least, "a wrapped key of another length")
}

fn epochs(reader: &mut Reader<'_>) -> Result<Vec<[u8; 16]>> {
    let (mut found, mut open) = (Vec::new(), false);
    for _ in 0..reader.array()? {
        reader.array_of(3)?;
        let id = reader.fixed()?;
        reader.fixed::<48>()?;
        ensure(!open, "an epoch that is open, and not the last")?;
        open = reader.uint_to(1)? == 0;
        found.push(id);
    }
    Ok(found)
}

/// What an epoch file holds.
#[derive(Default)]
pub struct Epoch {
    /// Custody ids, or live key ids, with the numbers of their slots.
    pub keys: BTreeMap<Hash, usize>,
    /// How many slots a crash cut.
    pub cut: u64,
    /// Slots that are neither free nor right nor cut.
    pub damaged: Vec<usize>,
}

/// Reads an epoch file, or the front of one.
#[must_use]
pub fn slots(epoch: &[u8; 16], bytes: &[u8]) -> Epoch {
    let mut found = Epoch::default();
    for (number, slot) in bytes.chunks(SLOT).enumerate() {
        let (record, check) = slot.split_at_checked(112).unwrap_or((slot, &[]));
        if is_zero(slot) {
            continue;
        }
        let mut hasher = Hasher::new();
        hasher.add(b"immutape/vault-slot/1");
        hasher.add(epoch);
        hasher.add(&u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes());
        hasher.add(record);
        if let Some(custody) = record.first_chunk().filter(|_| hasher.done().as_slice() == check) {
            found.keys.insert(*custody, number);
        } else if is_cut(number, slot) {
            found.cut = found.cut.saturating_add(1);
        } else {
            found.damaged.push(number);
        }
    }
    found
}

/// One of the two sectors that a slot lies in never arrived.
fn is_cut(number: usize, slot: &[u8]) -> bool {
    let to_boundary = SECTOR.saturating_sub(number.saturating_mul(SLOT) % SECTOR);
    let Some((front, back)) = slot.split_at_checked(to_boundary).filter(|(_, back)| !back.is_empty()) else {
        return false;
    };
    is_zero(front) != is_zero(back)
}
