//! Row keys: one byte of kind, then what it names, so that one tree holds all and a batch is atomic.

use crate::codec::digest::CustodyId;

pub(super) const BLOCK: u8 = b'e';
pub(super) const TILE: u8 = b'h';
pub(super) const TAPE: u8 = b't';
pub(super) const POSTINGS: u8 = b's';
pub(super) const TAPE_ID: u8 = b'i';
pub(super) const CATALOG: u8 = b'c';
pub(super) const DEDUPE: u8 = b'd';
pub(super) const HINTS: u8 = b'o';
pub(super) const CRITICAL: u8 = b'x';
pub(super) const CUSTODY: u8 = b'u';
pub(super) const LABELS: u8 = b'l';

fn key(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut k = vec![kind];
    parts.iter().for_each(|p| k.extend_from_slice(p));
    k
}

pub(super) fn block(row: u8, first_index: u64, part: u16) -> Vec<u8> {
    key(row, &[&first_index.to_be_bytes(), &part.to_be_bytes()])
}

pub(super) fn tile(level: u8, n: u64) -> Vec<u8> {
    key(TILE, &[&[level], &n.to_be_bytes()])
}

pub(super) fn tape(custody: &CustodyId) -> Vec<u8> {
    key(TAPE, &[custody.as_ref()])
}

pub(super) fn postings(custody: &CustodyId, n: u32) -> Vec<u8> {
    key(POSTINGS, &[custody.as_ref(), &n.to_be_bytes()])
}

pub(super) fn hints(custody: &CustodyId, n: u32) -> Vec<u8> {
    key(HINTS, &[custody.as_ref(), &n.to_be_bytes()])
}

pub(super) fn critical(index: u64) -> Vec<u8> {
    key(CRITICAL, &[&index.to_be_bytes()])
}

pub(super) fn labels(custody: &CustodyId) -> Vec<u8> {
    key(LABELS, &[custody.as_ref()])
}

/// A node of an index of terms: one byte for each digit that leads to it.
pub(super) fn node(row: u8, path: &[u8]) -> Vec<u8> {
    key(row, &[path])
}

/// First key that is past every key beginning with `prefix`.
pub(super) fn past(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end;
        }
    }
    // Every byte was 0xff: no key of ours begins so.
    vec![0xff; 64]
}
