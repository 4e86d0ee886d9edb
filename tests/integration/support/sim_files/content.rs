//! The bytes of a file. Zero pages take no memory, so a thousand images of preallocated files fit.

use std::collections::BTreeMap;
use std::sync::Arc;

const PAGE: usize = 4096;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Content {
    length: u64,
    pages: BTreeMap<u64, Arc<[u8; PAGE]>>,
}

impl Content {
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut content = Self::default();
        content.write(0, bytes);
        content
    }

    pub const fn len(&self) -> u64 {
        self.length
    }

    pub fn grow(&mut self, length: u64) {
        self.length = self.length.max(length);
    }

    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> usize {
        let length = buffer.len().min(usize::try_from(self.length.saturating_sub(offset)).unwrap());
        for (page, in_page, range) in pieces(offset, length) {
            let piece = &mut buffer[range];
            match self.pages.get(&page) {
                Some(bytes) => piece.copy_from_slice(&bytes[in_page..in_page + piece.len()]),
                None => piece.fill(0),
            }
        }
        length
    }

    pub fn write(&mut self, offset: u64, bytes: &[u8]) {
        for (page, in_page, range) in pieces(offset, bytes.len()) {
            let piece = &bytes[range];
            let is_zero = piece.iter().all(|b| *b == 0);
            if is_zero && (piece.len() == PAGE || !self.pages.contains_key(&page)) {
                self.pages.remove(&page);
                continue;
            }
            let stored = self.pages.entry(page).or_insert_with(|| Arc::new([0; PAGE]));
            Arc::make_mut(stored)[in_page..in_page + piece.len()].copy_from_slice(piece);
        }
        self.grow(offset + bytes.len() as u64);
    }

    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = vec![0; usize::try_from(self.length).unwrap()];
        self.read(0, &mut out);
        out
    }
}

/// Page, offset in the page and range of the buffer, for every page that a range touches.
fn pieces(offset: u64, length: usize) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == length {
            return None;
        }
        let at = offset + done as u64;
        let in_page = usize::try_from(at % PAGE as u64).unwrap();
        let from = done;
        done = length.min(done + PAGE - in_page);
        Some((at / PAGE as u64, in_page, from..done))
    })
}
