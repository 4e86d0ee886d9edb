//! Lists that frames and headers share.

use crate::codec::cbor::{CborError, Reader, Writer};

/// Pairs of name and JSON text.
pub(super) fn write_pairs(w: &mut Writer, pairs: &[(Vec<u8>, Vec<u8>)]) {
    w.array(pairs.len());
    for (name, json) in pairs {
        w.array(2);
        w.bytes(name);
        w.bytes(json);
    }
}

pub(super) fn read_pairs(r: &mut Reader<'_>) -> Result<Vec<(Vec<u8>, Vec<u8>)>, CborError> {
    let n = r.array()?;
    let mut pairs = Vec::new();
    for _ in 0..n {
        r.array_of(2)?;
        pairs.push((r.bytes()?.to_vec(), r.bytes()?.to_vec()));
    }
    Ok(pairs)
}

/// An empty list is written by leaving its key out, so a present one must hold something.
pub(super) fn not_empty<T>(list: Vec<T>) -> Result<Vec<T>, CborError> {
    if list.is_empty() { Err(CborError::Length) } else { Ok(list) }
}
