//! Frames and envelopes (2.1).

use crate::cbor::Reader;
use crate::error::{Result, ensure, refuse};

/// Most bytes of a payload.
pub const MOST_PAYLOAD: usize = 16 << 20;
/// Most bytes of an envelope.
pub const MOST_ENVELOPE: usize = 1 << 20;

/// Reads a frame and gives its position. The envelope in it keeps its limit, too.
///
/// # Errors
/// Any other form.
pub fn frame(bytes: &[u8]) -> Result<u64> {
    let (seq, payload) = read(bytes, true)?;
    // One key and the head of the payload go with it.
    let head = match payload {
        0..=23 => 1,
        24..=0xff => 2,
        0x100..=0xffff => 3,
        _ => 5,
    };
    let envelope = bytes.len().saturating_sub(payload).saturating_sub(head).saturating_sub(1);
    ensure(envelope <= MOST_ENVELOPE, "an envelope over 1 MiB")?;
    Ok(seq)
}

/// Reads an envelope, a frame without key 5, and gives its position.
///
/// # Errors
/// Any other form.
pub fn envelope(bytes: &[u8]) -> Result<u64> {
    ensure(bytes.len() <= MOST_ENVELOPE, "an envelope over 1 MiB")?;
    Ok(read(bytes, false)?.0)
}

fn read(bytes: &[u8], with_payload: bool) -> Result<(u64, usize)> {
    let (mut seq, mut payload, mut seen) = (0, 0, 0_u32);
    let mut reader = Reader::new(bytes);
    reader.table(|key, value| {
        seen |= 1_u32.checked_shl(u32::try_from(key).unwrap_or(32)).unwrap_or(0);
        match key {
            0 => seq = value.uint()?,
            1 | 2 => drop(value.uint()?),
            3 => drop(value.uint_to(8)?),
            4 => drop(value.uint_to(3)?),
            5 if with_payload => payload = value.bytes_to(MOST_PAYLOAD)?.len(),
            6 => drop(value.uint_to(5)?),
            7..=10 => drop(value.bytes()?),
            11 => ensure((1..=8191).contains(&value.uint()?), "flags that are not defined, or none")?,
            12 => drop(value.some(redaction)?),
            13 => drop(value.some(json_field)?),
            _ => return refuse("a key that the table of frames does not name"),
        }
        Ok(())
    })?;
    reader.end()?;
    let needed = if with_payload { 0b111_1001 } else { 0b101_1001 };
    ensure(seen & needed == needed, "a key of the frame is missing")?;
    Ok((seq, payload))
}

fn redaction(reader: &mut Reader<'_>) -> Result<()> {
    reader.array_of(3)?;
    reader.bytes()?;
    reader.text()?;
    reader.fixed::<32>().map(|_| ())
}

/// `[name bstr, JSON text bstr]`.
pub fn json_field(reader: &mut Reader<'_>) -> Result<()> {
    reader.array_of(2)?;
    reader.bytes()?;
    reader.bytes().map(|_| ())
}
