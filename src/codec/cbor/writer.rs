//! The writer: heads always shortest (RFC 8949 4.2.1). A frame has two dozen heads, so they are put together here;
//! `ciborium-ll` is their oracle in the tests.

const UINT: u8 = 0;
const NEGATIVE: u8 = 1 << 5;
const BYTES: u8 = 2 << 5;
const TEXT: u8 = 3 << 5;
const ARRAY: u8 = 4 << 5;
const MAP: u8 = 5 << 5;
const TAG: u8 = 6 << 5;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;

/// Writes one item after another into a buffer, heads always shortest.
///
/// Maps are written key by key in ascending order by the caller; [`Writer::sorted_map`] sorts.
///
/// ```
/// use immutape::codec::Writer;
/// let mut w = Writer::new();
/// w.array(2);
/// w.text("immutape/example/1");
/// w.uint(500);
/// assert_eq!(hex::encode(w.finish()), "8272696d6d75746170652f6578616d706c652f311901f4");
/// ```
#[derive(Debug, Default, Clone)]
pub struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty buffer with room for `bytes`.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { out: Vec::with_capacity(bytes) }
    }

    /// Goes on after what `out` holds.
    #[must_use]
    pub const fn after(out: Vec<u8>) -> Self {
        Self { out }
    }

    fn head(&mut self, major: u8, value: u64) {
        let [b7, b6, b5, b4, b3, b2, b1, b0] = value.to_be_bytes();
        match value {
            0..=23 => self.out.push(major | b0),
            24..=0xff => self.out.extend_from_slice(&[major | 24, b0]),
            0x100..=0xffff => self.out.extend_from_slice(&[major | 25, b1, b0]),
            0x1_0000..=0xffff_ffff => self.out.extend_from_slice(&[major | 26, b3, b2, b1, b0]),
            _ => self.out.extend_from_slice(&[major | 27, b7, b6, b5, b4, b3, b2, b1, b0]),
        }
    }

    /// An unsigned integer.
    pub fn uint(&mut self, value: u64) {
        self.head(UINT, value);
    }

    /// A signed integer.
    pub fn int(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(v) => self.uint(v),
            // RFC 8949 3.1: a negative n is stored as -1 - n, which is !n in two's complement.
            Err(_) => self.head(NEGATIVE, !value as u64),
        }
    }

    /// A byte string.
    pub fn bytes(&mut self, value: &[u8]) {
        self.bytes_head(value.len());
        self.out.extend_from_slice(value);
    }

    /// The head of a byte string of `len` bytes, which follow, here or elsewhere.
    pub fn bytes_head(&mut self, len: usize) {
        self.head(BYTES, len as u64);
    }

    /// A text string.
    pub fn text(&mut self, value: &str) {
        self.head(TEXT, value.len() as u64);
        self.out.extend_from_slice(value.as_bytes());
    }

    /// true or false.
    pub fn bool(&mut self, value: bool) {
        self.out.push(if value { TRUE } else { FALSE });
    }

    /// null.
    pub fn null(&mut self) {
        self.out.push(NULL);
    }

    /// null, or the value written by `write`.
    pub fn nullable<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        match value {
            None => self.null(),
            Some(v) => write(self, v),
        }
    }

    /// The head of an array of `len` items; the items follow.
    pub fn array(&mut self, len: usize) {
        self.head(ARRAY, len as u64);
    }

    /// The head of a map of `len` pairs; the pairs follow in ascending order of encoded keys.
    pub fn map(&mut self, len: usize) {
        self.head(MAP, len as u64);
    }

    /// A tag; the tagged item follows.
    pub fn tag(&mut self, tag: u64) {
        self.head(TAG, tag);
    }

    /// Already encoded items, copied as they are.
    pub fn raw(&mut self, encoded: &[u8]) {
        self.out.extend_from_slice(encoded);
    }

    /// A map whose pairs (both encoded) are put in order here.
    pub fn sorted_map(&mut self, mut pairs: Vec<(Vec<u8>, Vec<u8>)>) {
        pairs.sort();
        self.map(pairs.len());
        for (key, value) in pairs {
            self.raw(&key);
            self.raw(&value);
        }
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.out.len()
    }

    /// Nothing written yet?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Begins anew in the same buffer.
    pub fn clear(&mut self) {
        self.out.clear();
    }

    /// What was written so far.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.out
    }

    /// The buffer.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.out
    }
}

/// Most items that are encoded alone are shorter; a buffer that grows byte by byte costs more than they do.
const ITEM_BYTES: usize = 64;

/// Encodes one item with a closure.
#[must_use]
pub fn encode(f: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut w = Writer::with_capacity(ITEM_BYTES);
    f(&mut w);
    w.finish()
}

#[cfg(test)]
mod tests {
    use ciborium_ll::{Encoder, Header, simple};

    use super::*;

    #[test]
    fn heads_are_those_of_ciborium() {
        let theirs = |header| {
            let mut out = Vec::new();
            Encoder::from(&mut out).push(header).unwrap();
            out
        };
        let around = |n: u64| [n.saturating_sub(1), n, n.saturating_add(1)];
        let values = [0, 23, 24, 0xff, 0x100, 0xffff, 0x1_0000, 0xffff_ffff, 0x1_0000_0000, u64::MAX];
        for value in values.into_iter().flat_map(around) {
            assert_eq!(encode(|w| w.uint(value)), theirs(Header::Positive(value)));
            assert_eq!(encode(|w| w.tag(value)), theirs(Header::Tag(value)));
            let len = usize::try_from(value).unwrap();
            assert_eq!(encode(|w| w.bytes_head(len)), theirs(Header::Bytes(Some(len))));
            assert_eq!(encode(|w| w.array(len)), theirs(Header::Array(Some(len))));
            assert_eq!(encode(|w| w.map(len)), theirs(Header::Map(Some(len))));
            if let Ok(below) = i64::try_from(value) {
                assert_eq!(encode(|w| w.int(!below)), theirs(Header::Negative(value)));
                assert_eq!(encode(|w| w.int(below)), theirs(Header::Positive(value)));
            }
        }
        for len in [0usize, 23, 24, 255, 256, 65_535, 65_536] {
            let text = "x".repeat(len);
            let head = encode(|w| w.text(&text));
            assert_eq!(head[..head.len() - len], theirs(Header::Text(Some(len))));
        }
        assert_eq!(encode(|w| w.bool(true)), theirs(Header::Simple(simple::TRUE)));
        assert_eq!(encode(|w| w.bool(false)), theirs(Header::Simple(simple::FALSE)));
        assert_eq!(encode(Writer::null), theirs(Header::Simple(simple::NULL)));
    }
}
