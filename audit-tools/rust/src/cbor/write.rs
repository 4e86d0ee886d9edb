//! What is encoded again to be hashed or verified.

use crate::digest::{Hash, Hasher};
use alloc::vec::Vec;

fn head(major: u8, n: u64, out: &mut impl FnMut(&[u8])) {
    let major = major << 5;
    let bytes = n.to_be_bytes();
    let (info, from) = match n {
        0..=23 => {
            let [.., low] = bytes;
            out(&[major | low]);
            return;
        }
        24..=0xff => (24, 7),
        0x100..=0xffff => (25, 6),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 0),
    };
    out(&[major | info]);
    out(bytes.get(from..).unwrap_or_default());
}

/// Encodes into memory.
#[derive(Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn head(mut self, major: u8, n: u64) -> Self {
        head(major, n, &mut |bytes| self.0.extend_from_slice(bytes));
        self
    }

    /// Head of an array.
    #[must_use]
    pub fn array(self, n: u64) -> Self {
        self.head(4, n)
    }

    /// Head of a map.
    #[must_use]
    pub fn map(self, n: u64) -> Self {
        self.head(5, n)
    }

    /// An unsigned integer.
    #[must_use]
    pub fn uint(self, n: u64) -> Self {
        self.head(0, n)
    }

    /// The integer -1 - n.
    #[must_use]
    pub fn negative(self, n: u64) -> Self {
        self.head(1, n)
    }

    /// A byte string.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        self.head(2, bytes.len() as u64).raw(bytes)
    }

    /// A text.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.head(3, text.len() as u64).raw(text.as_bytes())
    }

    /// Null.
    #[must_use]
    pub fn null(self) -> Self {
        self.raw(&[0xf6])
    }

    /// Tag 18.
    #[must_use]
    pub fn tag_18(self) -> Self {
        self.raw(&[0xd2])
    }

    /// What is encoded already.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// The encoding.
    #[must_use]
    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

/// A labelled digest (1.2) in the making: nothing of it is kept, however long its parts are.
pub struct Labelled(Hasher);

impl Labelled {
    /// Begins an array of a label and so many further items.
    #[must_use]
    pub fn new(label: &str, more: u64) -> Self {
        let mut hasher = Hasher::new();
        head(4, more.saturating_add(1), &mut |bytes| hasher.add(bytes));
        head(3, label.len() as u64, &mut |bytes| hasher.add(bytes));
        hasher.add(label.as_bytes());
        Self(hasher)
    }

    /// An unsigned integer.
    #[must_use]
    pub fn uint(mut self, n: u64) -> Self {
        head(0, n, &mut |bytes| self.0.add(bytes));
        self
    }

    /// A byte string.
    #[must_use]
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        head(2, bytes.len() as u64, &mut |part| self.0.add(part));
        self.0.add(bytes);
        self
    }

    /// What is encoded already.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.add(bytes);
        self
    }

    /// The digest.
    #[must_use]
    pub fn done(self) -> Hash {
        self.0.done()
    }
}
