//! Bodies by kind (4.3).

mod anchors;
mod genesis;
mod keys;
mod people;
mod tapes;

pub use anchors::{Cosigned, Timestamped};
pub use genesis::{Genesis, Predecessor};
pub use keys::{Revoked, Rotated};
pub use tapes::{SavedStatement, Set};

use crate::cbor::{DEEPEST, Reader};
use crate::digest::Hash;
use crate::error::{Result, ensure};

/// Most bytes of a note in an entry.
const MOST_NOTE: usize = 65_000;

/// A body, as far as something else is checked against it.
pub enum Body<'a> {
    /// Kind 0.
    Genesis(Genesis<'a>),
    /// Kind 4: segment and offset of the torn place.
    Recovered(u64, u64),
    /// Kind 16: the statement, read. Its bytes are in [`Body::statement`].
    Saved(SavedStatement<'a>),
    /// Kind 18.
    Opened,
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
    /// Kinds 1 to 3: a term.
    Term(u64),
    /// Nothing that is looked at.
    Other,
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

fn note<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8]> {
    reader.bytes_to(MOST_NOTE)
}

impl<'a> Body<'a> {
    /// Reads the body of a kind.
    ///
    /// # Errors
    /// A body that the kind's row does not allow.
    pub fn read(kind: u16, reader: &mut Reader<'a>) -> Result<Self> {
        match kind {
            0 => genesis::genesis(reader).map(Body::Genesis),
            1 | 3 => numbers::<1>(reader).map(|[term]| Body::Term(term)),
            10 | 33 | 38 | 41 | 42 => numbers::<1>(reader).map(|_| Body::Other),
            2 => numbers::<3>(reader).map(|[term, ..]| Body::Term(term)),
            5 | 6 | 37 => numbers::<2>(reader).map(|_| Body::Other),
            20 => numbers::<3>(reader).map(|[left, ..]| Body::Truncated(left)),
            9 => numbers::<5>(reader).map(|_| Body::Other),
            17 | 32 | 36 => exactly(reader, 0, |_, _| Ok(())).map(|()| Body::Other),
            4 | 7 | 8 | 24 | 25 | 39 | 40 | 131 | 164 | 166 => with_digests(kind, reader),
            16 => tapes::saved(reader),
            18 => tapes::opened(reader),
            19 | 130 | 163 => tapes::digest_rows(kind, reader),
            34 | 35 => tapes::set(kind, reader).map(Body::Set),
            104..=108 => people::people(kind, reader),
            128 => anchors::cosigned(reader).map(Body::Cosigned),
            129 => anchors::timestamped(reader).map(Body::Timestamped),
            133 => anchors::fork_found(reader),
            32_768 => keys::succession(reader),
            32_769 => keys::rotated(reader).map(Body::Rotated),
            32_770 => keys::revoked(reader).map(Body::Revoked),
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
    let (mut seen, mut found) = (0_u64, [0_u64; 7]);
    reader.table(|key, value| {
        ensure(key < 7 && (keys >> key & 1 == 1 || may == Some(key)), "a key that the kind does not have")?;
        seen |= 1_u64 << key;
        match (kind, key) {
            (166, 0) => drop(value.fixed::<16>()?),
            (164, 6) => drop(value.boolean()?),
            (_, key) if digests >> key & 1 == 1 => drop(value.fixed::<32>()?),
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
    let [first, second, ..] = found;
    Ok(if kind == 4 { Body::Recovered(first, second) } else { Body::Other })
}
