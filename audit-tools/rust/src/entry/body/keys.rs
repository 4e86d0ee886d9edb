//! Bodies that change keys, or say that a log goes on for another.

use super::{Body, exactly, note};
use crate::cbor::Reader;
use crate::digest::Hash;
use crate::error::Result;

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

pub(super) fn succession<'a>(reader: &mut Reader<'a>) -> Result<Body<'a>> {
    let mut text: &[u8] = &[];
    exactly(reader, 1, |_, value| {
        text = note(value)?;
        Ok(())
    })?;
    Ok(Body::Succession(text))
}

pub(super) fn rotated(reader: &mut Reader<'_>) -> Result<Rotated> {
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

pub(super) fn revoked(reader: &mut Reader<'_>) -> Result<Revoked> {
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
