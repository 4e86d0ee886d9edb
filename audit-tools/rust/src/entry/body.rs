//! Bodies by kind (4.3).

use crate::cbor::{DEEPEST, Reader};
use crate::digest::Hash;
use crate::error::{Result, ensure, refuse};
use crate::statement::Statement;
use crate::text;
use alloc::vec::Vec;

/// Most bytes of a note in an entry.
const MOST_NOTE: usize = 65_000;
/// Most tapes whose ids stand in the private half, and most that an object holds.
const MOST_INSIDE: u64 = 512;
const MOST_IN_OBJECT: u64 = 655_359;

/// A body, as far as something else is checked against it.
pub enum Body<'a> {
    /// Kind 0.
    Genesis(Genesis<'a>),
    /// Kind 4: segment and offset of the torn place, torn bytes and their SHA-256.
    Recovered(u64, u64, u64, Hash),
    /// Kind 16: the statement, read. Its bytes are in [`Body::statement`].
    Saved(SavedStatement<'a>),
    /// Kind 18: epoch id, custody id of the recording that it goes on from.
    Opened([u8; 16], Option<Hash>),
    /// Kind 19: frames so far, root over them.
    Mark(u64, Hash),
    /// Kind 20: frames that are left.
    Truncated(u64),
    /// Kinds 34 and 35.
    Set(Set),
    /// Kind 128.
    Cosigned(Cosigned<'a>),
    /// Kind 129.
    Timestamped(Timestamped<'a>),
    /// Kind 130: size and root.
    Published(u64, Hash),
    /// Kind 133: the note that others hold.
    ForkFound(&'a [u8]),
    /// Kind 163: bundle id, export commitment, number of tapes.
    EvidenceMade([u8; 16], Hash, u64),
    /// Kind 32768: the note.
    Succession(&'a [u8]),
    /// Kind 32769.
    Rotated(Rotated),
    /// Kind 32770.
    Revoked(Revoked),
    /// One number, as in kinds 1, 3, 10, 33.
    Number(u64),
    /// Nothing that is looked at.
    Other,
}

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

/// A new key of a role.
#[derive(Clone, Copy)]
pub struct Rotated {
    /// 0 checkpoint, 1 recorder, 2 issuer.
    pub role: u64,
    /// The new key.
    pub key: [u8; 32],
    /// Thumbprint of the key that may follow it.
    pub next: Hash,
    /// Signature of the new key.
    pub signature: [u8; 64],
}

/// A key that counts no more.
#[derive(Clone, Copy)]
pub struct Revoked {
    /// As in a rotation.
    pub role: u64,
    /// Thumbprint of the key.
    pub key: Hash,
    /// First index from which on nothing counts that it signed.
    pub from: u64,
}

/// Reads a map that has exactly the keys 0 to n-1; the closure reads each.
fn exactly<'a>(
    reader: &mut Reader<'a>,
    n: u64,
    mut each: impl FnMut(u64, &mut Reader<'a>) -> Result<()>,
) -> Result<()> {
    let found = reader.table(|key, value| {
        ensure(key < n, "a key that the kind does not have")?;
        each(key, value)
    })?;
    ensure(found == n, "a key of the kind is missing")
}

/// Reads a map of unsigned integers alone under the keys 0 to N-1.
fn numbers<const N: usize>(reader: &mut Reader<'_>) -> Result<[u64; N]> {
    let mut found = [0; N];
    let mut slots = found.iter_mut();
    exactly(reader, N as u64, |_, value| {
        if let Some(slot) = slots.next() {
            *slot = value.uint()?;
        }
        Ok(())
    })?;
    Ok(found)
}

impl<'a> Body<'a> {
    /// Reads the body of a kind.
    ///
    /// # Errors
    /// A body that the kind's row does not allow.
    pub fn read(kind: u16, reader: &mut Reader<'a>) -> Result<Self> {
        match kind {
            0 => genesis(reader).map(Body::Genesis),
            1 | 3 | 10 | 33 | 38 | 41 | 42 => numbers::<1>(reader).map(|[n]| Body::Number(n)),
            2 => numbers::<3>(reader).map(|_| Body::Other),
            5 | 6 | 37 => numbers::<2>(reader).map(|_| Body::Other),
            20 => numbers::<3>(reader).map(|[left, ..]| Body::Truncated(left)),
            9 => numbers::<5>(reader).map(|_| Body::Other),
            17 | 32 | 36 => exactly(reader, 0, |_, _| Ok(())).map(|()| Body::Other),
            4 | 7 | 8 | 24 | 25 | 39 | 40 | 131 | 164 | 166 => with_digests(kind, reader),
            16 => saved(reader),
            18 => opened(reader),
            19 | 130 | 163 => digest_rows(kind, reader),
            34 | 35 => set(kind, reader).map(Body::Set),
            128 => cosigned(reader).map(Body::Cosigned),
            129 => timestamped(reader).map(Body::Timestamped),
            133 => fork_found(reader),
            32_768 => succession(reader),
            32_769 => rotated(reader).map(Body::Rotated),
            32_770 => revoked(reader).map(Body::Revoked),
            _ => reserved(reader),
        }
    }
}

/// A map with integer keys and any items: `{ * int => item }`.
fn reserved<'a>(reader: &mut Reader<'a>) -> Result<Body<'a>> {
    let below = DEEPEST.saturating_sub(2);
    reader.map(|key, value| {
        ensure(matches!(key, crate::cbor::Key::Int(_)), "a text as key of a body")?;
        value.item(below).map(drop)
    })?;
    Ok(Body::Other)
}

fn genesis<'a>(reader: &mut Reader<'a>) -> Result<Genesis<'a>> {
    let (mut seen, mut origin, mut predecessor) = (0_u64, "", None);
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
            _ => return refuse("a key that a genesis does not have"),
        }
        Ok(())
    })?;
    ensure(seen == if predecessor.is_some() { 10 } else { 9 }, "a key of the genesis is missing")?;
    Ok(Genesis { origin, keys, next, predecessor })
}

fn before<'a>(reader: &mut Reader<'a>) -> Result<Predecessor<'a>> {
    reader.array_of(4)?;
    let (origin, note) = (reader.text()?, note(reader)?);
    Ok(Predecessor { origin, note, first: reader.uint()?, last: reader.nullable(Reader::uint)? })
}

/// Rows of numbers and digests that nothing else is compared with, but for `recovered`.
fn with_digests<'a>(kind: u16, reader: &mut Reader<'a>) -> Result<Body<'a>> {
    // Required keys, keys that hold a digest, and one that may be absent.
    let (keys, digests, may): (u64, u64, Option<u64>) = match kind {
        4 => (0b1111, 0b1000, None),
        7 => (0b011, 0b100, Some(2)),
        8 => (0b11011, 0b01100, Some(2)),
        24 | 25 | 39 => (0b1, 0b1, None),
        40 => (0b11, 0, None),
        131 => (0b1111, 0b1000, None),
        166 => (0b11, 0b10, None),
        _ => (0b111_1111, 0, None),
    };
    let (mut seen, mut found, mut digest) = (0_u64, [0_u64; 7], Hash::default());
    reader.table(|key, value| {
        ensure(key < 7 && (keys >> key & 1 == 1 || may == Some(key)), "a key that the kind does not have")?;
        seen |= 1_u64 << key;
        match (kind, key) {
            (166, 0) => drop(value.fixed::<16>()?),
            (164, 6) => drop(value.boolean()?),
            (_, key) if digests >> key & 1 == 1 => digest = value.fixed()?,
            _ => {
                let most = if kind == 40 { 65_535 } else { u64::MAX };
                let number = value.uint_to(most)?;
                if let Some(slot) = usize::try_from(key).ok().and_then(|at| found.get_mut(at)) {
                    *slot = number;
                }
            }
        }
        Ok(())
    })?;
    ensure(seen & keys == keys, "a key of the kind is missing")?;
    let [first, second, third, ..] = found;
    Ok(if kind == 4 { Body::Recovered(first, second, third, digest) } else { Body::Other })
}

fn saved<'a>(reader: &mut Reader<'a>) -> Result<Body<'a>> {
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

fn opened<'a>(reader: &mut Reader<'a>) -> Result<Body<'a>> {
    let (mut epoch, mut from) = (None, None);
    reader.table(|key, value| {
        match key {
            0 => epoch = Some(value.fixed()?),
            1 => from = Some(value.fixed()?),
            _ => return refuse("a key that the kind does not have"),
        }
        Ok(())
    })?;
    epoch.map_or_else(|| refuse("a key of the kind is missing"), |epoch| Ok(Body::Opened(epoch, from)))
}

fn digest_rows<'a>(kind: u16, reader: &mut Reader<'a>) -> Result<Body<'a>> {
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

fn set(kind: u16, reader: &mut Reader<'_>) -> Result<Set> {
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

fn note<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8]> {
    reader.bytes_to(MOST_NOTE)
}

fn cosigned<'a>(reader: &mut Reader<'a>) -> Result<Cosigned<'a>> {
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

fn timestamped<'a>(reader: &mut Reader<'a>) -> Result<Timestamped<'a>> {
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

fn fork_found<'a>(reader: &mut Reader<'a>) -> Result<Body<'a>> {
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

fn succession<'a>(reader: &mut Reader<'a>) -> Result<Body<'a>> {
    let mut text: &[u8] = &[];
    exactly(reader, 1, |_, value| {
        text = note(value)?;
        Ok(())
    })?;
    Ok(Body::Succession(text))
}

fn rotated(reader: &mut Reader<'_>) -> Result<Rotated> {
    let mut found = Rotated { role: 0, key: [0; 32], next: Hash::default(), signature: [0; 64] };
    exactly(reader, 4, |key, value| {
        match key {
            0 => found.role = value.uint_to(2)?,
            1 => found.key = value.fixed()?,
            2 => found.next = value.fixed()?,
            _ => found.signature = value.fixed()?,
        }
        Ok(())
    })?;
    Ok(found)
}

fn revoked(reader: &mut Reader<'_>) -> Result<Revoked> {
    let mut found = Revoked { role: 0, key: Hash::default(), from: 0 };
    exactly(reader, 4, |key, value| {
        match key {
            0 => found.role = value.uint_to(2)?,
            1 => found.key = value.fixed()?,
            2 => found.from = value.uint()?,
            _ => drop(value.uint()?),
        }
        Ok(())
    })?;
    Ok(found)
}
